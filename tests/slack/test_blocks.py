"""What a card says in each state, within Slack's limits."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.request import Count, RequestState
from bot.domain.result import Outcome, Residual, TargetStatus
from bot.sandbox.slack import api
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.world import INCIDENT, desk
from bot.slack import blocks, connection
from policies.model import Decision, Verdict
from tests.fakes import run
from tests.fakes.clock import EPOCH
from tests.policies.people import BOB, approval, denial
from tests.slack.cards import buttons, card, counted, judged, request, whole


def test_pending_card_says_who_what_why_and_who_can_answer():
    decision = Decision(verdict=Verdict.PENDING, reasons=(), open_seats=("1 of risk (rule prod)",))
    message = card(request(state=RequestState.PENDING, decided_at=None), decision=decision)
    for line in (
        "Cancel open orders: 1 account",
        "*PENDING*: nothing is cancelled until enough people approve.",
        "*Why* runaway quoter",
        "*Accounts* acc-000 (bybit)",
        "*Open orders* being counted",
        "*Stops, TP/SL, reduce-only* go: positions lose their stops",
        "*Needs* 1 of risk (rule prod), not alice",
        "Nothing here stops a bot from placing new orders. Positions are not read.",
        "Not seen by cancelall at bybit: trading bots.",
    ):
        assert line in message.text
    assert buttons(message) == ["Approve cancel", "Deny", "Withdraw"]
    assert buttons(blocks.without_buttons(message)) == []
    assert [block["type"] for block in message.blocks] == [
        "header",
        "section",
        "actions",
        "context",
    ]


def test_approval_alone_asks_whether_it_is_meant():
    message = card(request(state=RequestState.PENDING, decided_at=None))
    (actions,) = [block for block in message.blocks if block["type"] == "actions"]
    asking = [b["action_id"] for b in actions["elements"] if "confirm" in b]
    assert asking == ["approve"]


def test_what_is_asked_before_an_approval_tells_how_much_goes_before_any_name():
    many = request(40, state=RequestState.PENDING, counts=counted(*(7,) * 40))
    (actions,) = [block for block in card(many).blocks if block["type"] == "actions"]
    asked = actions["elements"][0]["confirm"]["text"]["text"]
    assert asked.startswith("40 accounts. Open orders: 280 when asked. acc-000 (")
    assert len(asked) <= 300


def test_counts_never_hide_the_unknown():
    found = request(2, state=RequestState.PENDING, counts=counted(7, None))
    assert "*Open orders* 7 when asked, unknown for acc-001" in card(found).text
    at_least = (Count(account="acc-000", orders=7, is_at_least=True),)
    assert "*Open orders* at least 7 when asked" in card(replace(found, counts=at_least)).text


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((3, 0), "none go"),
        ((None, 3), "an unknown number go: positions lose their stops"),
    ],
)
def test_no_stop_is_said_to_go_if_there_is_none(found: tuple[int | None, ...], said: str):
    asked = card(request(2, state=RequestState.PENDING, counts=counted(*found)))
    assert f"*Stops, TP/SL, reduce-only* {said}\n" in asked.text


def test_only_a_pending_card_says_that_its_orders_are_being_counted():
    assert "*Open orders* not counted\n" in card(request(), judged("acc-000", Outcome.FLAT)).text
    ended = request(state=RequestState.EXPIRED, ended_why="Nobody decided in time.")
    assert "being counted" not in card(ended).text


def test_chain_head_stands_on_final_cards_alone():
    for state in RequestState:
        said = card(request(state=state), chain_head="f" * 64).text
        assert ("events ffffffffffff" in said) == state.is_final
        assert "Request K7Q2M" in said


def test_what_is_posted_first_says_who_asks_for_what_and_looks_like_no_card():
    opening = blocks.opening(request(3, state=RequestState.PENDING))
    assert opening.text == (
        "alice asks to cancel open orders on 3 accounts (runaway quoter): request K7Q2M."
        " This line becomes the card; if it stays, look below."
    )
    ended = blocks.opening(request(state=RequestState.DENIED, reason="")).text
    assert ended.startswith("alice asked to cancel open orders on 1 account: request K7Q2M.")
    reply = blocks.opening_reply(request(), "the board")
    assert reply.text == "Request K7Q2M: this line becomes the board; if it stays, look below."


def test_slack_interprets_nothing_by_itself():
    message = card(request(state=RequestState.PENDING))
    texts = [b["text"] for b in message.blocks if b["type"] == "section"]
    texts += [e for b in message.blocks if b["type"] == "context" for e in b["elements"]]
    assert all(text["verbatim"] is True for text in texts)


def test_running_card_offers_to_stop_the_chase_only_once_something_rests():
    rests = judged("acc-000", Outcome.RESIDUAL, open_after=2)
    assert buttons(card(request(), TargetStatus(account="acc-000", venue="bybit"))) == []
    assert buttons(card(request(), judged("acc-000", Outcome.FLAT))) == []
    assert buttons(card(request(), rests)) == ["Stop the chase"]
    assert buttons(card(request(chase_stopped_by="bob"), rests)) == []


@pytest.mark.parametrize("state", [RequestState.PENDING, RequestState.RUNNING])
def test_open_card_says_until_when_its_venue_has_shut_us_out(state: RequestState):
    until = EPOCH.replace(hour=3, minute=24)
    bans = {("bybit", "http://venue"): until, ("bybit", "http://other"): EPOCH}
    message = card(request(state=state), bans=bans)
    assert "*bybit at venue: BANNED until 03:24 UTC*" in message.text
    assert "*bybit at venue: BANNED until 03:24 UTC*" in whole(message)
    assert message.text.count("BANNED") == 1


def test_final_card_says_no_ban_that_may_have_ended():
    final = card(request(state=RequestState.FINISHED), bans={("bybit", "http://venue"): EPOCH})
    assert "BANNED" not in final.text


def test_unverified_is_as_loud_as_residual():
    message = card(request(), judged("acc-000", Outcome.UNVERIFIED, open_after=None))
    assert message.blocks[0]["text"]["text"] == "NOT FLAT: 1 of 1 accounts, 1 cannot be told"


def test_final_card_reads_alone_a_year_later():
    found = request(2, state=RequestState.FINISHED, ended_at=EPOCH, chase_stopped_by="bob")
    rest = Residual(order_class="linear", symbol="BTCUSDT", order_id="77")
    message = card(
        found,
        judged("acc-000", Outcome.RESIDUAL, open_after=1, residual=(rest,), cause="stuck <!here>"),
        TargetStatus(account="acc-001", venue="bybit"),
        votes=(approval(BOB),),
    )
    assert "*Approved* by <@U0BOB>" in message.text
    assert "*acc-000: RESIDUAL* after 1.5 s" in message.text
    assert "rests: linear BTCUSDT 77" in message.text
    assert "stuck &lt;!here&gt;" in message.text
    assert "acc-001: no verdict" in message.text
    assert "*Chase stopped* by bob" in message.text


def test_expired_card_offers_to_ask_again():
    expired = card(request(state=RequestState.EXPIRED, ended_why="acc-000: uid changed"))
    assert "*EXPIRED*: acc-000: uid changed" in expired.text
    assert buttons(expired) == ["Ask again"]


def test_interrupted_run_says_why_and_never_calls_itself_running_or_flat():
    why = "No process finished it. Assume that orders are live."
    found = request(state=RequestState.INTERRUPTED, ended_why=why)
    gone = card(found, TargetStatus(account="acc-000", venue="bybit"))
    head = "INTERRUPTED, NOT FLAT: 1 of 1 accounts, 1 without a verdict"
    assert gone.text.startswith(f"{head}\n*INTERRUPTED*: {why}\n")
    watching = card(found, judged("acc-000", Outcome.FLAT))
    head = "INTERRUPTED, last seen FLAT: 1 of 1 accounts"
    assert watching.text.startswith(f"{head}\n*INTERRUPTED*: {why}\n")
    assert watching.blocks[0]["text"]["text"] == head


def test_finished_run_does_not_say_its_headline_twice():
    rests = judged("acc-000", Outcome.RESIDUAL, open_after=2)
    why = "NOT FLAT: 1 of 1 accounts, 2 orders"
    message = card(request(state=RequestState.FINISHED, ended_why=why), rests)
    assert message.text.startswith(f"{why}\n*FINISHED*\n")
    why = "FLAT: 1 of 1 accounts"
    message = card(
        request(state=RequestState.FINISHED, ended_why=why), judged("acc-000", Outcome.FLAT)
    )
    after = "*FINISHED*: every account FLAT 1.5 s after the deciding click"
    assert message.text.startswith(f"{why}\n{after}\n")


def test_scope_left_outs_and_warnings_stand_on_the_card():
    found = request(state=RequestState.PENDING, notes=("Nobody can fill 1 of risk.",))
    target = found.plan.targets[0]
    narrow = replace(
        target,
        scope=replace(target.scope, symbols=("BTCUSDT",), order_id="9"),
        not_covered=("rfq (switched off in the config)",),
    )
    plan = replace(found.plan, targets=(narrow,), left_out=("vault",), is_symbols_checked=False)
    text = card(replace(found, plan=plan)).text
    for line in (
        "acc-000 (bybit) order 9 of BTCUSDT",
        "*1 of 2*; not yours: vault",
        "*Symbols unchecked*",
        "*Not covered* acc-000: rfq (switched off in the config)",
        "*Warning* Nobody can fill 1 of risk.",
    ):
        assert line in text


def test_what_protective_orders_do_is_said_for_each_mixture():
    from adapters.contract import Protective

    one = run.target("a")
    kept = replace(one, account="b", scope=replace(one.scope, protective=Protective.KEEP))
    found = request(state=RequestState.PENDING)
    mixed = replace(found, plan=replace(found.plan, targets=(one, kept)))
    label = "*Stops, TP/SL, reduce-only*"
    assert f"{label} stay on b; go elsewhere: positions lose their stops" in card(mixed).text
    counts = (
        Count(account="a", orders=9, protective=4),
        Count(account="b", orders=1, protective=2, is_at_least=True),
    )
    numbered = card(replace(mixed, counts=counts)).text
    assert f"{label} at least 2 stay on b; 4 go elsewhere: positions lose their stops" in numbered
    alone = replace(found, plan=replace(found.plan, targets=(kept,)), counts=counts[1:])
    assert f"{label} at least 2 stay\n" in card(alone).text
    going = replace(found, plan=replace(found.plan, targets=(one,)), counts=counts[:1])
    assert f"{label} 4 go: positions lose their stops\n" in card(going).text


def test_long_facts_hide_neither_who_may_answer_nor_the_small_print():
    found = request(25, state=RequestState.PENDING, reason="y" * 600)
    targets = tuple(replace(t, not_covered=("x" * 300,)) for t in found.plan.targets)
    decision = Decision(verdict=Verdict.PENDING, reasons=(), open_seats=("1 of risk",))
    message = card(
        replace(found, plan=replace(found.plan, targets=targets), notes=("n" * 300,) * 5),
        decision=decision,
        votes=tuple(denial(replace(BOB, user_id=f"U{n}"), "z" * 300) for n in range(19)),
    )
    for said in (message.text, whole(message)):
        assert "more answers" in said
        assert "*Needs* 1 of risk, not alice" in said
        assert "*Expires*" in said
    assert "Nothing here stops a bot" in message.text


def test_what_a_list_leaves_out_is_counted_by_its_own_noun():
    said = blocks.lines([f"line {n}" for n in range(43)], noun="rule")
    assert said.text.endswith("line 39\nand 3 more rules")
    assert whole(said).endswith("line 39\nand 3 more rules")


async def test_200_accounts_and_a_long_reason_stay_within_slacks_limits():
    """The sandbox Slack enforces them as Slack does."""
    long = request(200, reason="&<x>" * 1500, counts=counted(*range(200)))
    statuses = tuple(
        judged(f"acc-{n:03}", Outcome.RESIDUAL, open_after=3, cause="c" * 900, remedy="r" * 900)
        for n in range(200)
    )
    workspace: Workspace = desk()
    async with (
        api.serve(workspace) as url,
        connection.open_client(workspace.app.bot_token, url) as client,
    ):
        for message in (
            card(replace(long, state=RequestState.PENDING)),
            card(replace(long, state=RequestState.FINISHED, ended_at=EPOCH), *statuses),
            card(replace(long, verdict_at=EPOCH + timedelta(seconds=1)), *statuses),
            blocks.board(long, statuses),
            blocks.venue_reply(long, "bybit", statuses),
        ):
            fields = {"channel": INCIDENT, "text": message.text, "blocks": list(message.blocks)}
            sent = await client.api_call("chat.postMessage", json=fields)
            update = fields | {"ts": sent["ts"]}
            assert (await client.api_call("chat.update", json=update))["ok"]
