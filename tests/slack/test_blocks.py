"""What a card says in each state, within Slack's limits."""

from dataclasses import replace
from datetime import timedelta

from bot.domain.request import Count, Request, RequestState
from bot.domain.result import Outcome, Phase, Residual, TargetResult, TargetStatus
from bot.sandbox.slack import api
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.world import INCIDENT, desk
from bot.slack import blocks, connection
from bot.slack.blocks import CardView, Message
from policies.model import Decision, Verdict
from tests.fakes import run
from tests.fakes.clock import EPOCH
from tests.policies.people import BOB, approval, denial


def request(count: int = 1, **more: object) -> Request:
    found = run.request(*(run.target(f"acc-{n:03}") for n in range(count)))
    return replace(found, **more)  # type: ignore[arg-type]


def counted(*orders: int | None) -> tuple[Count, ...]:
    return tuple(Count(account=f"acc-{n:03}", orders=count) for n, count in enumerate(orders))


def judged(account: str, outcome: Outcome, **more: object) -> TargetStatus:
    facts: dict[str, object] = {"open_after": 0, "seconds": 1.5, "at": EPOCH}
    result = TargetResult(account=account, venue="bybit", outcome=outcome, **(facts | more))  # type: ignore[arg-type]
    return TargetStatus(account=account, venue="bybit", result=result, phase=Phase.ENDED)


def card(found: Request, *statuses: TargetStatus, **more: object) -> Message:
    facts: dict[str, object] = {"votes": (), "decision": None, "chain_head": "f" * 64}
    return blocks.card(CardView(request=found, statuses=statuses, **(facts | more)))  # type: ignore[arg-type]


def buttons(message: Message) -> list[str]:
    return [
        element["text"]["text"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


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
        "Not seen by cancelall: trading bots.",
    ):
        assert line in message.text
    assert buttons(message) == ["Approve cancel", "Deny", "Withdraw"]
    assert buttons(blocks.without_buttons(message)) == []


def test_counts_never_hide_the_unknown():
    found = request(2, state=RequestState.PENDING, counts=counted(7, None))
    assert "*Open orders* 7 when asked, unknown for acc-001" in card(found).text
    at_least = (Count(account="acc-000", orders=7, is_at_least=True),)
    assert "*Open orders* at least 7 when asked" in card(replace(found, counts=at_least)).text


def test_running_card_offers_to_stop_the_chase_only_once_something_rests():
    rests = judged("acc-000", Outcome.RESIDUAL, open_after=2)
    assert buttons(card(request(), TargetStatus(account="acc-000", venue="bybit"))) == []
    assert buttons(card(request(), judged("acc-000", Outcome.FLAT))) == []
    assert buttons(card(request(), rests)) == ["Stop the chase"]
    assert buttons(card(request(chase_stopped_by="bob"), rests)) == []


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


def test_expired_card_offers_to_ask_again_and_interrupted_says_why():
    expired = card(request(state=RequestState.EXPIRED, ended_why="acc-000: uid changed"))
    assert "*EXPIRED*: acc-000: uid changed" in expired.text
    assert buttons(expired) == ["Ask again"]
    gone = card(
        request(state=RequestState.INTERRUPTED, ended_why="No process finished it."),
        TargetStatus(account="acc-000", venue="bybit"),
    )
    assert "*INTERRUPTED*: No process finished it." in gone.text


def test_denials_and_unconfirmed_answers_are_told():
    unknown = approval(replace(BOB, read_at=None))
    message = card(request(state=RequestState.PENDING), votes=(denial(BOB, "no"), unknown))
    assert "*Denied* by <@U0BOB>" in message.text
    assert "*Unconfirmed* <@U0BOB> answered at" in message.text


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


def test_board_and_venue_reply_say_where_every_account_stands():
    troubled = TargetStatus(
        account="a",
        venue="bybit",
        phase=Phase.CANCELLING,
        rounds=2,
        open_now=5,
        is_at_least=True,
        accepted=9,
        cause="too fast",
    )
    board = blocks.board((troubled,))
    assert "a: cancelling, open at least 5, 9 accepted, round 2, too fast" in board.text
    reply = blocks.venue_reply(
        request(counts=counted(8)),
        "bybit",
        (judged("acc-000", Outcome.NOT_SENT, open_after=None, remedy="Assume live."),),
    )
    assert "*bybit: 0 of 1 accounts FLAT*" in reply.text
    assert "before 8, accepted 0, open now unknown. Assume live." in reply.text


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
            blocks.board(statuses),
            blocks.venue_reply(long, "bybit", statuses),
        ):
            fields = {"channel": INCIDENT, "text": message.text, "blocks": list(message.blocks)}
            sent = await client.api_call("chat.postMessage", json=fields)
            update = fields | {"ts": sent["ts"]}
            assert (await client.api_call("chat.update", json=update))["ok"]
