"""Cards that are deleted, closed or asked for: against the whole product."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot import demo
from bot.sandbox.slack import faults
from bot.sandbox.slack.records import Channel, Json, Message, User
from bot.sandbox.slack.workspace import HOME
from bot.sandbox.world import ALICE, BOB, CAROL, INCIDENT, RISK, TRADERS
from tests.fakes import desk as desks
from tests.fakes.desk import Product

pytestmark = pytest.mark.no_cover  # The gates hold without it.

DESK = "C0DESK"
DAVE = "U0DAVE"


def link(product: Product) -> str:
    (card,) = product.slack.messages(INCIDENT)
    return f"/archives/{INCIDENT}/p{card.ts.replace('.', '')}|its card>"


@pytest.mark.parametrize(("who", "words"), [(ALICE, "bybit-mm"), (CAROL, "all")])
async def test_whoever_asks_again_is_led_to_a_card_that_stands(
    who: str, words: str, tmp_path: Path
):
    async with desks.open_product(tmp_path) as product:
        product.slack.set_members(TRADERS, [ALICE, CAROL])
        await product.type(ALICE, "all")
        await product.until(lambda text: "when asked" in text)
        card = await product.card()
        product.slack.delete(INCIDENT, card.ts)
        await product.type(who, words)
        assert link(product) in product.whispers(who)[-1].text
        await product.press(BOB, "approve")
        await product.until(lambda text: text.startswith("FLAT: 3 of 3"))


async def test_card_that_somebody_is_shown_stands_again(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        await product.until(lambda text: "when asked" in text)
        card = await product.card()
        (request,) = await product.bot.desk.store.open_requests()
        product.slack.delete(INCIDENT, card.ts)
        await product.type(BOB, f"show {request.id}")
        assert (await product.card()).ts != card.ts


def buttons(card: Message) -> list[Json]:
    return [each for b in card.blocks if b["type"] == "actions" for each in b["elements"]]


async def test_void_card_brings_the_live_one_back_when_it_is_pressed(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        product.world.traffic.add("chat.postMessage", faults.lost_reply())
        await product.type(ALICE, "all")
        await product.until(lambda text: "when asked" in text)
        void, card = product.slack.messages(INCIDENT)
        product.slack.delete(INCIDENT, card.ts)
        (value,) = {each["value"] for each in buttons(card)}
        before = len(product.slack.ephemerals(BOB))
        await product.people.click(BOB, INCIDENT, void.ts, "approve", forge=True, value=value)
        said = await product.answer(BOB, before)
        assert said[0].startswith("This is not the live card of that request.")
        assert (await product.card()).ts not in {void.ts, card.ts}
        assert product.left() == 117


async def test_show_says_of_a_vote_what_the_card_says(tmp_path: Path):
    """Bob approved and left the role; two others started the run."""
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        path = tmp_path / "policy.toml"
        path.write_text(path.read_text().replace("count = 1", "count = 2"))
        product.slack.put_user(User(id=DAVE, name="dave", team_id=HOME))
        incident = product.slack.channel(INCIDENT)
        assert incident is not None
        product.slack.put_channel(replace(incident, members=incident.members | {DAVE}))
        product.slack.set_members(RISK, [BOB, CAROL, DAVE])
        async with desks.started(product):
            await product.type(ALICE, "all")
            (request,) = await product.bot.desk.store.open_requests()
            await product.press(BOB, "approve")
            product.slack.set_members(RISK, [CAROL, DAVE])
            await product.press(CAROL, "approve")
            await product.press(DAVE, "approve")
            await product.until(lambda text: text.startswith("FLAT"))
            shown = "\n".join(await product.type(ALICE, f"show {request.id}"))
        assert "Does not count: approval by @bob" in shown
        assert "Approved by @carol" in shown


@asynccontextmanager
async def with_desk_channel(tmp_path: Path, **what: bool) -> AsyncIterator[Product]:
    """Run the product with a listed channel beside the incident channel."""
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        path = tmp_path / "config.toml"
        listed = f'channels = ["{DESK}"]\nincident_channel'
        path.write_text(path.read_text().replace("incident_channel", listed, 1))
        members = frozenset({ALICE, BOB, product.slack.app.bot_user_id})
        product.slack.put_channel(Channel(id=DESK, name="desk", members=members, **what))
        async with desks.started(product):
            yield product


async def test_report_is_not_lost_with_the_channel_that_was_archived(tmp_path: Path):
    async with with_desk_channel(tmp_path) as product:
        await product.people.slash(ALICE, DESK, "/cancelall", "all")
        await desks.soon(lambda: bool(product.slack.messages(DESK)[-1:]))
        await desks.soon(lambda: bool(buttons(product.slack.messages(DESK)[0])))
        (card,) = product.slack.messages(DESK)
        await product.people.click(BOB, DESK, card.ts, "approve")
        channel = product.slack.channel(DESK)
        assert channel is not None
        product.slack.put_channel(replace(channel, is_archived=True))
        text = await product.until(lambda text: text.startswith("FLAT: 3 of 3"))
        assert "*Approved* by <@U0BOB>" in text
        await desks.soon(lambda: any(t.startswith("*bybit: 3 of 3") for t in product.thread()))
        assert len(product.slack.messages(INCIDENT)) == 1


@pytest.mark.parametrize("what", ["is_archived", "is_pending_ext_shared", "is_ext_shared"])
async def test_card_is_not_even_tried_where_it_must_not_stand(what: str, tmp_path: Path):
    async with with_desk_channel(tmp_path, **{what: True}) as product:
        await product.people.slash(ALICE, DESK, "/cancelall", "all")
        await product.card()
        (request,) = await product.bot.desk.store.open_requests()
        assert request.channel == INCIDENT
        assert product.slack.messages(DESK) == ()
