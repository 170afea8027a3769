"""Hostile people, clicks delivered twice, forgetful administrators: against the whole product."""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bot import demo
from bot.sandbox.slack import faults
from bot.sandbox.slack.records import Channel, UserGroup
from bot.sandbox.world import ALICE, BOB, CAROL, GINA, INCIDENT, MALLORY, RISK, TRADERS
from bot.slack.identity import SlackPeople
from tests.fakes import desk as desks
from tests.fakes.desk import Product

pytestmark = pytest.mark.no_cover  # The gates hold without it.

DESK = "C0DESK"


async def test_clicks_of_an_outsider_cannot_use_up_our_calls_to_slack(tmp_path: Path):
    """Slack's documented limits are on: 20 readings of user groups a minute."""
    async with desks.open_product(tmp_path) as product:
        product.world.traffic.limit_as_slack()
        await product.type(ALICE, "all")
        card = await product.card()
        before = Counter(call.method for call in product.world.traffic.calls)
        for _ in range(40):
            await product.people.click(MALLORY, INCIDENT, card.ts, "approve")
            await product.people.click(ALICE, INCIDENT, card.ts, "approve")
        after = Counter(call.method for call in product.world.traffic.calls)
        for method in ("users.info", "usergroups.users.list"):
            assert after[method] == before[method]
        await product.press(BOB, "approve")
        text = await product.until(lambda text: text.startswith("FLAT"))
        assert text.startswith("FLAT: 3 of 3 accounts")


async def test_deny_that_is_delivered_twice_is_no_denial(tmp_path: Path):
    """The second delivery finds its trigger used up; the form is still open in front of Bob."""
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        card = await product.card()
        await product.people.click(BOB, INCIDENT, card.ts, "deny", copies=3)
        await desks.soon(lambda: product.slack.modals.on_screen(BOB) is not None)
        await asyncio.sleep(1.0)
        await product.people.close(BOB)
        await product.press(CAROL, "approve")
        await product.until(lambda text: text.startswith("FLAT"))
        assert product.left() == 0


@pytest.mark.parametrize(
    "hiccups",
    [
        [faults.lost_reply()],
        [faults.server_error(503), faults.server_error(503)],
        [faults.server_error(503, applied=True)],
        [faults.hang(applied=True)],
    ],
    ids=["a lost reply", "twice 503", "503 all the same", "a hang"],
)
async def test_hiccup_while_the_form_is_opened_is_no_denial(
    hiccups: list[faults.Fault], tmp_path: Path
):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        card = await product.card()
        for hiccup in hiccups:
            product.world.traffic.add("views.open", hiccup)
        await product.people.click(BOB, INCIDENT, card.ts, "deny")
        await desks.soon(lambda: product.slack.modals.on_screen(BOB) is not None)
        await asyncio.sleep(1.5)
        assert "*PENDING*" in (await product.card()).text
        await product.people.submit(BOB, {"why": "not now"})
        await product.until(lambda text: "bob denied it: not now" in text)


async def test_form_for_a_denial_opens_for_nobody_whose_denial_cannot_count(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        for who, said in (
            (ALICE, "alice asked for this: press Withdraw to take it back."),
            (MALLORY, "mallory is not of our workspace."),
        ):
            assert (await product.press(who, "deny")) == [said]
            assert product.slack.modals.on_screen(who) is None


@pytest.mark.parametrize("slow_s", [0.9, 1.8])
async def test_form_that_opens_slowly_is_no_denial(tmp_path: Path, slow_s: float):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        card = await product.card()
        product.world.traffic.add("views.open", faults.delayed(slow_s))
        await product.people.click(BOB, INCIDENT, card.ts, "deny")
        await desks.soon(lambda: product.slack.modals.on_screen(BOB) is not None)
        await asyncio.sleep(slow_s + 0.5)
        assert "*PENDING*" in (await product.card()).text


async def test_deny_whose_form_nobody_saw_counts_at_the_second_press(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        product.world.traffic.add("views.open", faults.hang(times=None))
        (said,) = await product.press(BOB, "deny")
        assert said == (
            "Slack did not say whether it opened the form for your reason. "
            "If you see none, press Deny once more: it denies at once."
        )
        assert "*PENDING*" in (await product.card()).text
        await product.press(BOB, "deny")
        await product.until(lambda text: "*DENIED*: bob denied it, without a reason." in text)


async def test_guests_learn_no_name_by_guessing_at_words(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all --reason secret")
        request_id = (await product.card()).text.split("Request ")[1][:5]
        tries = ("bybit-m", "desk=x", "all", "all --dry-run", f"withdraw {request_id}")
        for words in tries:
            assert await product.type(GINA, words) == ["gina is a guest here. Ask one of the desk."]
        product.world.traffic.add("users.info", faults.server_error(503, times=None))
        for words in tries:
            (said,) = await product.type(CAROL, words)
            assert said.startswith("Slack cannot say who you are right now")


async def test_requester_withdraws_though_slack_cannot_name_anybody(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        request_id = (await product.card()).text.split("Request ")[1][:5]
        product.world.traffic.add("users.info", faults.server_error(503, times=None))
        await product.type(ALICE, f"withdraw {request_id}")
        text = await product.until(lambda text: "*PENDING*" not in text)
        assert "*WITHDRAWN*" in text


async def test_group_that_was_deleted_disarms_nobody_else(tmp_path: Path):
    """Its members lose their voice, the card says why; everybody else goes on."""
    async with desks.open_product(tmp_path) as product:
        product.slack.remove_group(RISK)
        await product.type(ALICE, "all")
        text = await product.until(lambda text: "no user group" in text)
        assert f"Slack knows no user group {RISK}: nobody is in it." in text
        said = await product.press(BOB, "approve")
        assert said == ["bob is in none of the roles that approve this: risk."]
        product.slack.put_group(UserGroup(id=RISK, at_name="risk", members=(BOB,)))
        await product.people.event(
            {"type": "subteam_members_changed", "subteam_id": RISK, "removed_users": []}
        )
        await product.press(BOB, "approve")
        await product.until(lambda text: text.startswith("FLAT"))


async def test_guests_are_told_nothing_of_the_desk(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, 'all --reason "secret plan"')
        for words in ("status", "policy"):
            assert (await product.type(GINA, words))[0].startswith("gina is a guest here.")
        assert "alice" in (await product.type(BOB, "status"))[0]


async def test_guests_are_told_nothing_while_slack_cannot_say_who_asks(tmp_path: Path):
    """Nor is anybody who may be one; whom Slack knew before the outage is served all the same."""
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, 'all --reason "secret plan"')
        request_id = await pending_id(product)
        for who in (BOB, GINA):
            await product.type(who, "status")
        people = product.bot.desk.people
        assert isinstance(people, SlackPeople)
        people.seen |= {user: (read - 31, known) for user, (read, known) in people.seen.items()}
        product.world.traffic.add("users.info", faults.server_error(503, times=None))
        for who in (CAROL, GINA):
            for words in ("status", "policy", f"show {request_id}"):
                said = " ".join(await product.type(who, words))
                assert said.startswith("Slack cannot say who you are right now, and guests")
        assert request_id in (await product.type(BOB, "status"))[0]
        assert "secret plan" in " ".join(await product.type(BOB, f"show {request_id}"))
        assert "/cancelall all" in " ".join(await product.type(CAROL, "help"))


async def test_outsider_fills_the_chain_of_events_with_one_click_at_most(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        card = await product.card()
        said = ["mallory is not of our workspace."]
        assert await product.press(MALLORY, "approve") == said
        head = await product.bot.desk.store.chain_head()
        for _ in range(3):
            assert await product.press(MALLORY, "approve") == said
        await product.people.click(MALLORY, INCIDENT, card.ts, "approve", copies=3)
        assert await product.press(MALLORY, "approve") == said
        assert await product.bot.desk.store.chain_head() == head


async def test_command_from_another_workspace_is_refused(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        said = await product.type(MALLORY, "all", forge=True)
        assert said[0].startswith("This command came from another workspace.")
        assert await product.bot.desk.store.open_requests() == ()


def with_desk_channel(product: Product, **what: bool) -> None:
    """Restart nothing: the channel is listed in the config, Slack says what it is."""
    members = frozenset({ALICE, BOB, product.slack.app.bot_user_id})
    product.slack.put_channel(Channel(id=DESK, name="desk", members=members, **what))


async def test_card_goes_where_it_was_asked_for_unless_others_can_see_it(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        path = tmp_path / "config.toml"
        listed = f'channels = ["{DESK}"]\nincident_channel'
        path.write_text(path.read_text().replace("incident_channel", listed, 1))
        async with desks.started(product):
            for is_shared, place in ((True, INCIDENT), (False, DESK)):
                with_desk_channel(product, is_ext_shared=is_shared)
                before = len(product.slack.messages(place))
                await product.people.slash(ALICE, DESK, "/cancelall", "all")
                await desks.soon(lambda: len(product.slack.messages(place)) > before)  # noqa: B023
                assert len(product.slack.messages(place)) == before + 1
                words = f"withdraw {await pending_id(product)}"
                await product.people.slash(ALICE, DESK, "/cancelall", words)


async def pending_id(product: Product) -> str:
    (request,) = await product.bot.desk.store.open_requests()
    return request.id


async def test_asking_again_for_what_expired_is_a_request_of_whoever_clicks(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        product.slack.set_members(TRADERS, [ALICE, CAROL])
        await product.type(ALICE, "all")
        card = await product.card()
        desk = product.bot.desk
        desk.directory = replace(desk.directory, accounts=desk.directory.accounts[:2])
        await product.until(lambda text: "EXPIRED" in text)
        desk.directory = replace(desk.directory, accounts=product.bot.desk.directory.accounts)
        before = len(product.slack.ephemerals(CAROL))
        await product.people.click(CAROL, INCIDENT, card.ts, "ask_again")
        await product.answer(CAROL, before)
        (request,) = await desk.store.open_requests()
        assert request.requester.user_id == CAROL
        assert request.command == "all"


async def test_whoever_asks_is_told_if_slack_refuses_the_card(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        incident = product.slack.channel(INCIDENT)
        assert incident is not None
        bot = product.slack.app.bot_user_id
        product.slack.put_channel(replace(incident, members=incident.members - {bot}))
        said = (await product.type(ALICE, "all"))[0]
        assert "Slack refuses to post its card: not_in_channel." in said
        assert "Invite the bot to the incident channel." in said
