"""What an open page is told: all at first, then only news, and never what is another's."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from bot.sandbox.page import server
from bot.sandbox.slack.records import Draft, Source, Standing, User
from bot.sandbox.slack.workspace import HOME, SLACKBOT
from bot.sandbox.world import ALICE, BOB, CAROL, GINA, INCIDENT, MALLORY, TRADING
from tests.fakes.desk import soon
from tests.sandbox import page_stage
from tests.sandbox.page_stage import Page, Told

MODAL = {"type": "modal", "title": {"type": "plain_text", "text": "Deny"}, "blocks": []}


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with page_stage.opened() as found:
        yield found


async def test_the_first_news_are_all_there_is_and_then_only_what_has_changed(page: Page):
    async with page.visitor.open(BOB) as told:
        first = await told.news()
        assert (first["fresh"], first["gone"]) == (True, [])
        assert first["set"]["me"] == {"id": BOB}
        assert {"workspace", "app", "venue/bybit", "control/bybit/429"} <= first["set"].keys()

        said = page.workspace.post(INCIDENT, ALICE, Draft(text="hello"))
        name = f"message/{INCIDENT}/{said.ts}"
        news = await told.news()
        assert (news["fresh"], list(news["set"]), news["gone"]) == (False, [name], [])
        assert (news["set"][name]["author"], news["set"][name]["text"]) == (ALICE, "hello")

        page.controls.press("bybit/429")
        news = await told.news()
        assert (list(news["set"]), news["gone"]) == (["control/bybit/429"], [])
        assert news["set"]["control/bybit/429"]["is_on"] is True


async def test_what_is_gone_is_told(page: Page):
    seen = page.workspace.whisper(BOB, INCIDENT, Draft(text="psst"), Source.POST)
    page.workspace.modals.open(BOB, MODAL)
    async with page.visitor.open(BOB) as told:
        await told.news()
        assert told.parts[f"message/{INCIDENT}/{seen.ts}"]["is_whisper"] is True
        assert told.parts["modal"]["view"] == MODAL
        page.workspace.replace_ephemeral(seen.ts, None)
        page.workspace.modals.close(BOB)
        news = await told.news()
        assert (news["fresh"], news["set"]) == (False, {})
        assert sorted(news["gone"]) == [f"message/{INCIDENT}/{seen.ts}", "modal"]


async def test_whoever_comes_back_is_told_everything_anew(page: Page):
    async with page.visitor.open(BOB) as told:
        before = await told.news()
    async with page.visitor.open(BOB) as told:
        assert await told.news() == before


@pytest.mark.parametrize("who", [GINA, MALLORY])
async def test_a_person_sees_only_the_channels_they_are_in(page: Page, who: str):
    slack = page.workspace
    slack.post(TRADING, ALICE, Draft(text="our plan"))
    (bob,) = (each for each in slack.users() if each.id == BOB)
    direct = slack.open_direct(bob)
    slack.post(direct.id, slack.app.bot_user_id, Draft(text="for Bob"))
    slack.post(INCIDENT, ALICE, Draft(text="for all"))
    async with page.visitor.open(who) as told, page.visitor.open(BOB) as bobs:
        await told.news()
        await bobs.news()
        slack.post(TRADING, BOB, Draft(text="our plan again"))
        slack.post(INCIDENT, BOB, Draft(text="at last"))
        for each in (told, bobs):
            await each.until(lambda parts: "at last" in str(parts))
    seen = json.dumps(told.parts)
    assert "for all" in seen
    assert [name for name in told.parts if name.startswith("channel/")] == [f"channel/{INCIDENT}"]
    assert all(word not in seen for word in ("our plan", "for Bob", TRADING, direct.id))
    assert all(word in json.dumps(bobs.parts) for word in ("our plan again", "for Bob", TRADING))


async def test_nobody_sees_what_only_another_was_shown(page: Page):
    page.workspace.whisper(BOB, INCIDENT, Draft(text="you may approve"), Source.POST)
    page.workspace.modals.open(BOB, MODAL)
    async with page.visitor.open(MALLORY) as told, page.visitor.open(BOB) as bobs:
        await told.news()
        await bobs.news()
        page.workspace.whisper(BOB, INCIDENT, Draft(text="you approved"), Source.RESPONSE_URL)
        page.workspace.whisper(MALLORY, INCIDENT, Draft(text="you may not"), Source.POST)
        await told.until(lambda parts: "you may not" in str(parts))
        await bobs.until(lambda parts: "you approved" in str(parts))
    assert "modal" not in told.parts
    assert [part["text"] for part in told.parts.values() if part.get("is_whisper")] == [
        "you may not"
    ]
    assert "you may not" not in str(bobs.parts)


@pytest.mark.parametrize(("who", "offered"), [(GINA, ["/cancelall"]), (MALLORY, [])])
async def test_an_outsider_is_offered_no_command(page: Page, who: str, offered: list[str]):
    async with page.visitor.open(who) as told:
        commands = (await told.news())["set"]["workspace"]["commands"]
    assert [each["command"] for each in commands] == offered


async def test_everybody_who_can_sign_in_is_offered_and_nobody_else(page: Page):
    slack = page.workspace
    slack.put_user(User(id="U0GONE", name="gone", team_id=HOME, is_deactivated=True))
    slack.put_user(User(id="U0NEW", name="new", team_id=HOME, standing=Standing.INVITED))
    async with page.visitor.open(ALICE) as told:
        people = (await told.news())["set"]["workspace"]["people"]
    assert [each["id"] for each in people if each["can_act"]] == [ALICE, BOB, CAROL, GINA, MALLORY]
    notes = {each["name"]: each["note"] for each in people}
    assert notes["alice"] == "@traders"
    assert notes["gina"] == "guest, @traders, @risk"
    assert notes["mallory"] == "another company, @risk"
    for nobody in ("U0GONE", "U0NEW", SLACKBOT, slack.app.bot_user_id, "U0NOBODY", ""):
        reply = await page.visitor.get(f"events?as={nobody}")
        assert (reply.status, reply.text) == (404, "There is nobody of that id here.")


async def test_a_page_that_names_nobody_is_the_first_ones(page: Page):
    async with page.visitor.session.get(f"{page.visitor.url}events") as reply:
        assert (await Told(lines=reply.content).news())["set"]["me"] == {"id": ALICE}


async def test_a_shared_channel_is_told_apart_and_its_replies_have_their_thread(page: Page):
    root = page.workspace.post(INCIDENT, ALICE, Draft(text="root"))
    under = page.workspace.post(INCIDENT, BOB, Draft(text="under", thread_ts=root.ts))
    async with page.visitor.open(ALICE) as told:
        await told.news()
    shared = {id_: told.parts[f"channel/{id_}"]["is_shared"] for id_ in (INCIDENT, TRADING)}
    assert shared == {INCIDENT: True, TRADING: False}
    assert told.parts[f"message/{INCIDENT}/{under.ts}"]["thread"] == root.ts


async def test_nobody_looks_on_for_a_page_that_was_closed(page: Page):
    before = asyncio.all_tasks()
    async with page.visitor.open(ALICE) as told:
        await told.news()
        assert asyncio.all_tasks() - before
    await soon(lambda: not asyncio.all_tasks() - before, timeout_s=3.0)


async def test_the_server_ends_at_once_although_a_page_is_open(page: Page):
    async with AsyncExitStack() as stack:
        async with server.serve(page.stage) as url:
            opening = page.visitor.session.get(f"{url}events")
            told = Told(lines=(await stack.enter_async_context(opening)).content)
            await told.news()
            began = time.monotonic()
        assert time.monotonic() - began < 2.0
    with pytest.raises(aiohttp.ClientConnectorError):
        await page.visitor.session.get(url)
