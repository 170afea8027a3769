"""The whole product, from slash command to thread: real bolt, real sockets, real signatures."""

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import config as configs
from bot import demo
from bot.keys import sealed
from bot.sandbox import world as worlds
from bot.sandbox.slack import faults
from bot.sandbox.slack.records import Draft
from bot.sandbox.slack.render import pings
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.world import ALICE, BOB, CAROL, GINA, INCIDENT, MALLORY, RISK
from policies.model import Actor
from tests.fakes import desk as desks


async def test_two_people_cancel_everything_and_the_thread_proves_it(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        assert product.left() == 3 * 39
        card = await product.flat()
        assert product.left() == 0
        assert card.startswith("FLAT: 3 of 3 accounts")
        told = "*bybit: 3 of 3 accounts FLAT*"
        await product.slack.wait_for(lambda: any(r.startswith(told) for r in product.thread()))
        assert len(product.thread()) == 2
        signed = [seen for seen in product.venue.log if seen.path.startswith("/v5/order")]
        assert signed
        assert all(seen.is_signed for seen in signed)


async def test_dry_run_sends_no_cancel_and_says_what_is_unknown(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        said = await product.type(ALICE, "all --dry-run")
        assert said[0] == "Dry run: 78 open orders, 1 account unknown. No cancel was sent."
        assert said[-1] == "bybit-opt (bybit): unknown, no read key"
        assert {seen.method for seen in product.venue.log} == {"GET"}
        assert product.slack.messages(INCIDENT) == ()


async def test_only_who_may_ask_may_ask_or_look(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        for words in ("all", "all --dry-run"):
            said = await product.type(BOB, words)
            assert said == ["You may not ask for bybit-mm. Rule prod lets traders ask, not bob."]
        assert product.slack.messages(INCIDENT) == ()


async def test_ban_stands_on_a_card_that_waits(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        product.venue.door.is_on = True
        product.venue.door.banned_until["127.0.0.1"] = time.time() + 600
        await product.type(ALICE, "bybit-mm")
        said = await product.until(
            lambda text: "*bybit at 127.0.0.1:" in text and "BANNED until" in text
        )
        assert "*PENDING*" in said


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (ALICE, "alice asked for this: somebody else must approve."),
        (GINA, "gina is a guest here."),
        (MALLORY, "mallory is not of our workspace. mallory is from another organisation."),
    ],
    ids=["requester", "guest", "outsider"],
)
async def test_click_of_somebody_ineligible_cancels_nothing(tmp_path: Path, who: str, said: str):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        answer = await product.press(who, "approve")
        assert answer[0].startswith(said.split(". ")[0])
        assert product.left() == 117
        assert not any("cancel" in seen.path for seen in product.venue.log)


async def test_approver_removed_from_the_group_before_the_click_does_not_count(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        product.slack.set_members(RISK, [CAROL])
        answer = await product.press(BOB, "approve")
        assert answer == ["bob is in none of the roles that approve this: risk."]
        assert product.left() == 117


async def test_slacks_news_of_a_removal_voids_what_was_known(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        before = datetime.now(UTC)
        event = {
            "type": "subteam_members_changed",
            "subteam_id": "S0RISK",
            "removed_users": [BOB],
            "removed_users_count": 1,
        }
        delivered = await product.people.event(event)
        assert delivered.status == 200
        people = product.bot.desk.people
        bob = Actor(user_id=BOB, person_id=BOB, name="bob", read_at=before)
        assert people.is_contradicted(bob)
        assert not people.is_contradicted(replace(bob, user_id=ALICE))
        assert not people.is_contradicted(replace(bob, read_at=datetime.now(UTC)))


async def test_double_click_and_redelivery_start_one_run(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        card = await product.card()
        await asyncio.wait_for(
            product.people.click(BOB, INCIDENT, card.ts, "approve", copies=3, is_concurrent=True),
            10,
        )
        await product.people.click(CAROL, INCIDENT, card.ts, "approve", forge=True)
        await product.until(lambda text: text.startswith("FLAT"))
        events = await product.bot.desk.store.chain_head()
        assert events
        spot = [s for s in product.venue.log if '"orderFilter":"OcoOrder"' in s.payload]
        assert len(spot) == 3  # one round on each of three accounts


async def test_redelivered_command_posts_one_card(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all", copies=2)
        await product.card()
        await asyncio.sleep(1.2)
        assert len(product.slack.messages(INCIDENT)) == 1


async def test_denial_asks_why_and_ends_the_request(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        card = await product.card()
        await product.people.click(BOB, INCIDENT, card.ts, "deny")
        await product.slack.wait_for(lambda: product.slack.modals.on_screen(BOB))
        await product.people.submit(BOB, {"why": "positions need <!channel> their stops"})
        text = await product.until(lambda text: "DENIED" in text)
        assert "bob denied it: positions need" in text
        newest = product.slack.messages(INCIDENT)[-1]
        assert "!channel" not in pings(newest)
        assert not any(block["type"] == "actions" for block in newest.blocks)
        assert product.left() == 117


async def test_denial_counts_even_if_slack_cannot_open_the_form(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        product.world.traffic.add("views.open", faults.server_error(times=None))
        await product.press(BOB, "deny")
        text = await product.until(lambda text: "DENIED" in text)
        assert "bob denied it, without a reason." in text


async def test_requester_withdraws_and_nobody_else_can(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        answer = await product.press(BOB, "withdraw")
        assert answer[0].startswith("Only alice can withdraw request")
        await product.press(ALICE, "withdraw")
        await product.until(lambda text: "WITHDRAWN" in text)
        assert product.left() == 117


async def test_second_asker_of_the_same_is_told_who_asked(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        product.slack.set_members("S0TRADERS", [ALICE, CAROL])
        await product.type(ALICE, "all")
        card = await product.card()
        said = await product.type(CAROL, "all")
        assert said[0].startswith("alice asked for the same 0 s ago: request ")
        link = f"https://sandbox.slack.com/archives/{INCIDENT}/p{card.ts.replace('.', '')}"
        assert f"<{link}|its card>" in product.whispers(CAROL)[-1].text
        again = await product.type(ALICE, "bybit-mm")
        assert "is still pending" in again[0]
        assert f"<{link}|its card>" in product.whispers(ALICE)[-1].text
        assert not any(b["type"] == "actions" for b in product.whispers(ALICE)[-1].blocks)


async def test_second_asker_answers_where_it_was_asked_for(tmp_path: Path):
    """With the buttons of the private answer, judged as those of the card are."""
    async with desks.open_product(tmp_path) as product:
        product.slack.set_members("S0TRADERS", [ALICE, BOB])
        await product.type(ALICE, "all")
        await product.type(BOB, "all")
        private = product.whispers(BOB)[-1]
        await product.people.click(
            BOB, INCIDENT, private.ts, "approve", forge=True, value="ABCDE:0000"
        )
        await desks.soon(lambda: "no request ABCDE" in product.whispers(BOB)[-1].text)
        await product.people.click(BOB, INCIDENT, private.ts, "approve")
        text = await product.until(lambda text: text.startswith("FLAT"))
        assert text.startswith("FLAT: 3 of 3 accounts")
        assert product.left() == 0


async def test_button_of_another_message_or_another_plan_does_nothing(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        card = await product.card()
        value = next(b for b in card.blocks if b["type"] == "actions")["elements"][0]["value"]
        before = len(product.slack.ephemerals(BOB))
        await product.people.click(
            BOB, INCIDENT, card.ts, "approve", forge=True, value=value[:-4] + "0000"
        )
        assert (await product.answer(BOB, before)) == [
            "This button belongs to another plan. Use the buttons of the newest card."
        ]
        draft = product.slack.post(
            INCIDENT,
            product.slack.app.bot_user_id,
            Draft(text="copy", blocks=card.blocks),
        )
        before = len(product.slack.ephemerals(BOB))
        await product.people.click(BOB, INCIDENT, draft.ts, "approve")
        assert (await product.answer(BOB, before)) == [
            "This is not the live card of that request. See its card."
        ]
        assert product.left() == 117


async def test_forged_signature_and_stale_timestamp_are_refused(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        bad = await product.people.slash(
            ALICE, INCIDENT, "/cancelall", "all", is_signature_bad=True
        )
        old = await product.people.slash(ALICE, INCIDENT, "/cancelall", "all", skew_s=-301)
        assert (bad.status, old.status) == (401, 401)
        assert product.slack.messages(INCIDENT) == ()


async def test_every_ack_comes_within_300_ms_while_slack_hangs(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        card = await product.card()
        product.world.traffic.add("*", faults.hang(times=None))
        typed = await product.people.slash(CAROL, INCIDENT, "/cancelall", "all")
        clicked = [
            await product.people.click(BOB, INCIDENT, card.ts, action)
            for action in ("approve", "deny", "withdraw")
        ]
        product.world.traffic.clear()
        for delivered in (typed, *clicked):
            assert delivered.status == 200
            assert delivered.seconds < 0.3


async def test_vote_waits_while_slack_cannot_say_who_it_is_and_then_counts(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        await product.until(lambda text: "when asked" in text)
        product.world.traffic.add("users.info", faults.server_error(times=3))
        answer = await product.press(BOB, "approve")
        assert answer[0].startswith("Slack cannot say who you are right now.")
        assert product.left() == 117
        text = await product.until(lambda text: text.startswith("FLAT"))
        assert "*Approved* by <@U0BOB>" in text
        assert "Unconfirmed" not in text
        assert product.left() == 0


async def test_run_does_not_notice_that_slack_is_down(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        await product.press(BOB, "approve")
        for method in ("chat.update", "chat.postMessage"):
            product.world.traffic.add(method, faults.hang(times=None))
        began = time.monotonic()
        await desks.soon(lambda: product.left() == 0)
        assert time.monotonic() - began < 5
        product.world.traffic.clear()


async def test_lost_reply_to_the_post_leaves_one_live_card(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        product.world.traffic.add("chat.postMessage", faults.lost_reply(times=1))
        await product.type(ALICE, "all")
        await product.card()
        cards = product.slack.messages(INCIDENT)
        live = [m for m in cards if any(b["type"] == "actions" for b in m.blocks)]
        assert len(cards) == 2
        assert len(live) == 1


async def test_throttled_slack_catches_up(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        product.world.traffic.add("chat.postMessage", faults.rate_limited(1.0, times=1))
        product.world.traffic.add("chat.update", faults.server_error(times=2))
        assert (await product.flat()).startswith("FLAT: 3 of 3")


async def test_swapped_config_paths_cancel_nothing_and_say_whose_key_it_is(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        path = tmp_path / "config.toml"
        text = path.read_text()
        text = text.replace('key = "venues/bybit-mm"', 'key = "SWAP"')
        text = text.replace('key = "venues/bybit-arb"', 'key = "venues/bybit-mm"')
        path.write_text(text.replace('key = "SWAP"', 'key = "venues/bybit-arb"'))
        async with desks.started(product):
            await product.type(ALICE, "bybit-mm bybit-arb")
            await product.press(BOB, "approve")
            text = await product.until(lambda text: "plan says 1001" in text)
            assert text.startswith("NOT FLAT")
            assert "key belongs to UID 1002, plan says 1001" in text
            assert "key belongs to UID 1001, plan says 1002" in text
        assert product.left() == 117
        assert not any("cancel" in seen.path for seen in product.venue.log)


async def test_one_order_is_cancelled_and_no_other(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        wanted = next(
            o for o in product.venue.book.live("1001", now=time.time()) if o.kind == "inverse"
        )
        await product.type(ALICE, f"bybit-mm --order {wanted.symbol}:{wanted.order_id}")
        await product.press(BOB, "approve")
        await product.until(lambda text: text.startswith("FLAT"))
        assert product.left() == 116
        left = {order.order_id for order in product.venue.book.live("1001", now=time.time())}
        assert wanted.order_id not in left


async def test_symbol_scope_leaves_every_other_symbol(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "bybit-mm --symbol BTCUSD")
        await product.press(BOB, "approve")
        await product.until(lambda text: text.startswith("FLAT"))
        assert product.venue.book.open_count("1001", now=time.time()).get("inverse") is None
        assert product.left() == 114


async def test_mistyped_symbol_is_refused_with_the_nearest_one(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.bot.desk.venues.venue("bybit", product.world.urls["bybit"]).instruments()
        said = await product.type(ALICE, "bybit --symbol BTCUSDX")
        assert said[0].startswith(
            'No venue named here lists the symbol "BTCUSDX". Did you mean BTCUSD'
        )


@pytest.mark.soak
async def test_uncancellable_orders_are_residual_with_their_cause(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        live = product.venue.book.live("1001", now=time.time())
        for order in [each for each in live if each.kind == "linear:USDT"][:2]:
            order.is_uncancellable = True
        await product.type(ALICE, "bybit-mm")
        await product.press(BOB, "approve")
        text = await product.until(lambda t: t.startswith("NOT FLAT"), timeout_s=40)
        assert text.startswith("NOT FLAT: 1 of 1 accounts, 2 orders")
        answer = await product.press(BOB, "stop_chase")
        assert answer == ["Nothing more is sent. Orders may rest."]
        text = await product.until(lambda t: "FINISHED" in t)
        assert "the venue acknowledges the cancels and the orders stay" in text


async def test_questions_are_answered_to_whoever_asks(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        assert (await product.type(ALICE, "status")) == [
            "Nothing is pending or running. 3 accounts in the config."
        ]
        assert "every account that you may ask for" in "\n".join(await product.type(ALICE, ""))
        policy = await product.type(ALICE, "policy")
        assert "prod (env=prod): traders may ask; needs 1 of risk" in policy
        await product.type(ALICE, "all")
        card = await product.card()
        request_id = next(b for b in card.blocks if b["type"] == "actions")["block_id"][4:]
        assert "PENDING" in "\n".join(await product.type(ALICE, f"show {request_id}"))
        assert request_id in (await product.type(ALICE, "status"))[0]
        said = await product.type(ALICE, f"withdraw {request_id}")
        assert said == [f"Request {request_id}: alice took it back."]
        assert (await product.type(ALICE, "show ZZZZ")) == ["There is no request ZZZZ."]


async def test_secret_of_another_environment_is_told_with_code_and_remedy(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        document = SecretStr(json.dumps({"api_key": "SANDBOXMM0001", "api_secret": "wrong"}))
        passphrase = SecretStr(worlds.PASSPHRASE)
        sealed.seal(tmp_path / "keys.sealed", "venues/bybit-mm", document, passphrase)
        assert configs.load(tmp_path / "config.toml").accounts[0].name == "bybit-mm"
        async with desks.started(product):
            await product.type(ALICE, "bybit-mm")
            await product.press(BOB, "approve")
            await product.slack.wait_for(
                lambda: any("(10004)" in text for text in product.thread()), timeout_s=10
            )
        assert product.left() == 117


async def test_fault_in_the_middle_is_recovered_from(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        product.venue.faults.add(
            Fault(wrong=Wrong.LOST_REPLY, path="/v5/order/cancel-all", times=2)
        )
        product.venue.faults.add(Fault(wrong=Wrong.SERVER, share=0.1, times=20))
        assert (await product.flat()).startswith("FLAT: 3 of 3")
        assert product.left() == 0
