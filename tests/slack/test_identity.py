"""Facts about people, read from a Slack that may lie, hang or not know."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.sandbox.slack import api, faults
from bot.sandbox.slack.records import Standing, User, UserGroup
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import HOME, PARTNER, Workspace
from bot.sandbox.world import ALICE, BOB, GINA, MALLORY, RISK, desk
from bot.slack import connection
from bot.slack.identity import SlackPeople
from policies.model import Actor
from tests.policies.people import NOW


@dataclass
class HeldClock:
    """Wall time and monotonic time that move together, by hand."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOW).total_seconds()

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@asynccontextmanager
async def people(
    workspace: Workspace | None = None, *, call_s: float = 2.0, clock: HeldClock | None = None
) -> AsyncIterator[tuple[SlackPeople, Traffic]]:
    found, traffic = workspace or desk(), Traffic()
    async with (
        api.serve(found, traffic) as url,
        connection.open_client(found.app.bot_token, url) as client,
    ):
        yield (
            SlackPeople(client=client, clock=clock or HeldClock(), call_s=call_s),
            traffic,
        )


ONE = frozenset({RISK})


async def read(
    slack: SlackPeople, user: str, *, team: str | None = HOME, groups: frozenset[str] = ONE
) -> Actor:
    return await slack.actor(user, team_id=team, groups=groups)


async def test_member_is_known_with_their_groups():
    async with people() as (slack, _):
        bob = await read(slack, BOB)
        assert (bob.name, bob.team_id, bob.groups) == ("bob", HOME, frozenset({RISK}))
        assert bob.read_at is not None
        flags = (bob.is_bot, bob.is_guest, bob.is_deactivated, bob.is_stranger, bob.is_invited)
        assert flags == (False,) * 5


async def test_every_fact_that_excludes_is_seen():
    workspace = desk()
    workspace.put_user(User(id="U0GONE", name="gone", team_id=HOME, is_deactivated=True))
    workspace.put_user(User(id="U0NEW", name="new", team_id=HOME, standing=Standing.INVITED))
    workspace.put_user(User(id="U0ROBOT", name="robot", team_id=HOME, standing=Standing.BOT))
    async with people(workspace) as (slack, _):
        assert (await read(slack, "U0GONE")).is_deactivated
        assert (await read(slack, "U0NEW")).is_invited
        assert (await read(slack, "U0ROBOT")).is_bot
        assert (await read(slack, "USLACKBOT")).is_bot
        assert (await read(slack, GINA)).is_guest
        assert (await read(slack, MALLORY, team=PARTNER)).team_id == PARTNER


async def test_payload_and_profile_that_disagree_about_the_workspace_make_a_stranger():
    async with people() as (slack, _):
        assert (await read(slack, BOB, team=PARTNER)).is_stranger


async def test_one_human_with_two_ids_is_one_person():
    workspace = Workspace(enterprise_id="E0ORG")
    workspace.put_group(UserGroup(id=RISK, at_name="risk"))
    for user_id in ("U0LOCAL", "W0GLOBAL"):
        user = User(id=user_id, name="eve", team_id=HOME, enterprise_user_id="W0GLOBAL")
        workspace.put_user(user)
    async with people(workspace) as (slack, _):
        ids = {(await read(slack, u)).person_id for u in ("U0LOCAL", "W0GLOBAL")}
        assert ids == {"W0GLOBAL"}


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
async def test_hang_is_unknown_within_the_cap(method: str):
    async with people(call_s=0.2) as (slack, traffic):
        traffic.add(method, faults.hang(times=None))
        found = await read(slack, BOB)
        assert (found.read_at, found.groups, found.team_id) == (None, None, HOME)


async def test_whoever_a_later_list_does_not_show_contradicts_what_was_known():
    """Also if the other half of that reading failed."""
    workspace, clock = desk(), HeldClock()
    async with people(workspace, clock=clock) as (slack, traffic):
        before = await read(slack, BOB)
        clock.pass_by(1)
        assert not slack.is_contradicted(before)
        workspace.set_members(RISK, [GINA])
        traffic.add("users.info", faults.server_error(times=1))
        assert (await read(slack, BOB)).read_at is None
        assert slack.is_contradicted(before)


async def test_whoever_left_the_workspace_contradicts_what_was_known():
    workspace, clock = desk(), HeldClock()
    async with people(workspace, clock=clock) as (slack, traffic):
        before = await read(slack, BOB)
        clock.pass_by(1)
        workspace.put_user(User(id=BOB, name="bob", team_id=HOME, is_deactivated=True))
        traffic.add("usergroups.users.list", faults.server_error(times=1))
        assert (await read(slack, BOB)).read_at is None
        assert slack.is_contradicted(before)


async def test_news_of_a_removal_contradicts_and_news_of_an_addition_need_not_wait():
    workspace, clock = desk(), HeldClock()
    async with people(workspace, clock=clock) as (slack, _):
        before = await read(slack, BOB)
        assert not (await read(slack, ALICE)).groups
        workspace.set_members(RISK, [ALICE])
        slack.members_changed(RISK, [BOB])
        assert slack.is_contradicted(before)
        assert (await read(slack, ALICE)).groups == ONE
        clock.pass_by(1)
        workspace.set_members(RISK, [ALICE, BOB])
        slack.members_changed(RISK, [])
        assert not slack.is_contradicted(await read(slack, BOB))


async def test_group_that_slack_does_not_know_has_nobody_in_it_and_is_named():
    workspace = desk()
    async with people(workspace) as (slack, _):
        found = await read(slack, BOB, groups=frozenset({RISK, "S0GONE"}))
        assert found.groups == ONE
        assert slack.missing() == ("S0GONE",)


async def test_nobody_can_use_up_slacks_readings_by_clicking():
    """Slack allows 20 group readings a minute; forty clicks of two outsiders cost one."""
    workspace, clock = desk(), HeldClock()
    workspace.put_user(User(id="U0OTTO", name="otto", team_id=HOME))
    async with people(workspace, clock=clock) as (slack, traffic):
        for _ in range(20):
            for user in (ALICE, "U0OTTO"):
                await read(slack, user)
            clock.pass_by(1)
        calls = Counter(call.method for call in traffic.calls)
        assert calls == {"users.info": 2, "usergroups.users.list": 1}
        traffic.calls.clear()
        clock.pass_by(31)
        for _ in range(20):
            await read(slack, ALICE)
        assert [call.method for call in traffic.calls] == ["users.info", "usergroups.users.list"]


async def test_whoever_is_in_a_group_is_read_afresh_each_time():
    clock = HeldClock()
    async with people(clock=clock) as (slack, traffic):
        for _ in range(3):
            await read(slack, BOB)
            clock.pass_by(0.1)
        calls = Counter(call.method for call in traffic.calls)
        assert calls == {"users.info": 3, "usergroups.users.list": 3}


async def test_whoever_asks_again_and_again_is_read_once_in_ten_seconds():
    async with people(clock=(clock := HeldClock())) as (slack, traffic):
        first = await slack.asker(BOB, team_id=HOME, groups=ONE)
        assert (first.groups, first.read_at) == (ONE, NOW)
        for _ in range(30):
            assert await slack.asker(BOB, team_id=HOME, groups=ONE) == first
        assert Counter(call.method for call in traffic.calls)["usergroups.users.list"] == 1
        assert (await slack.asker(BOB, team_id=PARTNER, groups=ONE)).is_stranger
        clock.pass_by(10)
        assert (await slack.asker(BOB, team_id=HOME, groups=ONE)).read_at == clock.now()


async def test_news_of_a_removal_is_heeded_when_somebody_asks_again_at_once():
    async with people(workspace := desk()) as (slack, _):
        assert (await slack.asker(BOB, team_id=HOME, groups=ONE)).groups == ONE
        workspace.set_members(RISK, [])
        slack.members_changed(RISK, [BOB])
        assert (await slack.asker(BOB, team_id=HOME, groups=ONE)).groups == frozenset()


async def test_newcomer_to_a_group_waits_half_a_minute_at_most():
    workspace, clock = desk(), HeldClock()
    async with people(workspace, clock=clock) as (slack, _):
        await read(slack, ALICE)
        workspace.set_members(RISK, [ALICE])
        assert (await read(slack, ALICE)).groups == frozenset()
        clock.pass_by(30)
        assert (await read(slack, ALICE)).groups == ONE


async def test_throttled_method_rests_as_long_as_slack_says():
    clock = HeldClock()
    async with people(clock=clock) as (slack, traffic):
        traffic.add("users.info", faults.rate_limited(retry_after_s=7, times=1))
        assert (await read(slack, BOB)).read_at is None
        traffic.calls.clear()
        clock.pass_by(6)
        assert (await read(slack, BOB)).read_at is None
        assert "users.info" not in [call.method for call in traffic.calls]
        clock.pass_by(1)
        assert (await read(slack, BOB)).read_at is not None


async def test_rest_of_a_day_is_a_slip():
    """Nobody could ask or approve until it ended."""
    clock = HeldClock()
    async with people(clock=clock) as (slack, traffic):
        traffic.add("users.info", faults.rate_limited(retry_after_s=86_400, times=1))
        assert (await read(slack, BOB)).read_at is None
        clock.pass_by(60)
        assert (await read(slack, BOB)).read_at is not None


BOB_INFO = b'{"ok":true,"user":{"id":"U0BOB","name":"bob","team_id":"T0HOME","deleted":false}}'
WELL = {"users.info": BOB_INFO, "usergroups.users.list": b'{"ok":true,"users":["U0BOB"]}'}
UNREADABLE = {
    "plain text": (b"upstream busy", "text/plain"),
    "HTML": (b"<html>", "text/html"),
    "nothing": (b"", "application/octet-stream"),
    "cut": (b'{"ok":tr', "application/json"),
    "no object": (b"[]", "application/json"),
    "no UTF-8": (b'{"ok":"\xff"}', "application/json"),
    "an unknown charset": (b"{}", "application/json; charset=bogus"),
    "ok alone": (b'{"ok":true}', "application/json"),
    "other parts": (b'{"ok":true,"user":[1],"users":"U0BOB"}', "application/json"),
    "odd parts": (BOB_INFO.replace(b'"name":"bob"', b'"profile":[1]'), "application/json"),
    "somebody else": (BOB_INFO.replace(b"U0BOB", b"U0EVE"), "application/json"),
}


@pytest.mark.parametrize(("body", "kind"), UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("method", WELL)
async def test_answer_that_cannot_be_read_leaves_a_person_unknown(
    method: str, body: bytes, kind: str
):
    """So a vote waits; it is neither lost as a bug nor refused for a stranger's."""
    broken = {method}

    async def answer(request: web.Request) -> web.Response:
        asked = request.match_info["method"]
        if asked in broken:
            return web.Response(body=body, headers={"Content-Type": kind})
        return web.Response(body=WELL[asked], content_type="application/json")

    app, clock = web.Application(), HeldClock()
    app.router.add_post("/{method}", answer)
    async with (
        TestServer(app) as server,
        connection.open_client("xoxb-x", f"{server.make_url('/')}") as client,
    ):
        slack = SlackPeople(client=client, clock=clock, call_s=2.0)
        found = await read(slack, BOB)
        assert (found.read_at, found.groups) == (None, None)
        broken.clear()
        clock.pass_by(1)
        assert (await read(slack, BOB)).groups == ONE


async def test_roster_whose_answer_cannot_be_read_is_unknown():
    async def busy(_: web.Request) -> web.Response:
        return web.Response(text="upstream busy")

    app = web.Application()
    app.router.add_post("/{method}", busy)
    async with (
        TestServer(app) as server,
        connection.open_client("xoxb-x", f"{server.make_url('/')}") as client,
    ):
        slack = SlackPeople(client=client, clock=HeldClock(), call_s=2.0)
        assert await slack.roster(frozenset({BOB}), ONE) is None
        assert await slack.roster(frozenset({BOB}), frozenset()) is None


THREE = frozenset({RISK, "S0HEADS", "S0OPS"})


@pytest.mark.parametrize("groups", [ONE, THREE], ids=["one group", "three groups"])
@pytest.mark.parametrize("broken", ["users.info", "usergroups.users.list"])
async def test_vote_that_waits_keeps_within_slacks_limit_on_lists(
    broken: str, groups: frozenset[str]
):
    """It is tried again each second for a minute; Slack allows 20 lists a minute, and some more."""
    workspace, clock = desk(), HeldClock()
    for name in THREE - ONE:
        workspace.put_group(UserGroup(id=name, at_name=name.lower(), members=(BOB,)))
    async with people(workspace, clock=clock) as (slack, traffic):
        traffic.add(broken, faults.server_error(503, times=None))
        for _ in range(60):
            assert (await read(slack, BOB, groups=groups)).read_at is None
            clock.pass_by(1)
        assert traffic.count("usergroups.users.list") <= 21
        assert traffic.count("users.info") == 60
        traffic.clear()
        clock.pass_by(12)
        assert (await read(slack, BOB, groups=groups)).groups == groups


async def test_one_list_that_slack_refuses_does_not_use_up_the_readings_of_the_others():
    asked = Counter[str]()

    async def answer(request: web.Request) -> web.Response:
        method = request.match_info["method"]
        asked[method] += 1
        is_broken = request.query.get("usergroup") == "S0OPS"
        return web.Response(
            status=503 if is_broken else 200, body=WELL[method], content_type="application/json"
        )

    app, clock = web.Application(), HeldClock()
    app.router.add_post("/{method}", answer)
    async with (
        TestServer(app) as server,
        connection.open_client("xoxb-x", f"{server.make_url('/')}") as client,
    ):
        slack = SlackPeople(client=client, clock=clock, call_s=2.0)
        for _ in range(60):
            assert (await read(slack, BOB, groups=THREE)).read_at is None
            clock.pass_by(1)
    assert asked["users.info"] == 60
    assert asked["usergroups.users.list"] <= 21


async def test_hiccup_costs_a_vote_no_more_than_a_second():
    clock = HeldClock()
    async with people(clock=clock) as (slack, traffic):
        for method in ("users.info", "usergroups.users.list"):
            traffic.add(method, faults.server_error(503, times=1))
            assert (await read(slack, BOB)).read_at is None
            clock.pass_by(1)
            assert (await read(slack, BOB)).read_at is not None
            clock.pass_by(1)


async def test_two_who_click_at_once_are_both_known():
    """A list that is being read does not rest."""
    workspace, found = desk(), list[Actor]()
    workspace.set_members(RISK, [BOB, ALICE])
    async with people(workspace, clock=HeldClock()) as (slack, traffic):
        traffic.add("usergroups.users.list", faults.delayed(0.1, times=2))

        async def click(user: str) -> None:
            found.append(await read(slack, user))

        async with asyncio.TaskGroup() as group:
            group.create_task(click(BOB))
            await asyncio.sleep(0.05)
            group.create_task(click(ALICE))
    assert [actor.groups for actor in found] == [ONE, ONE]


async def test_what_slack_last_said_of_somebody_serves_until_news_contradict_it():
    clock = HeldClock()
    async with people(clock=clock) as (slack, traffic):
        none = frozenset[str]()
        assert (await read(slack, GINA, groups=none)).is_guest
        known = await read(slack, BOB)
        assert slack.as_last_seen(known) is known
        traffic.add("users.info", faults.server_error(times=None))
        clock.pass_by(31)
        unknown = {user: await read(slack, user, groups=none) for user in (ALICE, BOB, GINA)}
        assert slack.as_last_seen(unknown[BOB]) == known
        for nobody in (ALICE, GINA):  # Never read; a guest, which is news.
            assert slack.as_last_seen(unknown[nobody]).read_at is None
        elsewhere = await read(slack, BOB, team=PARTNER, groups=none)
        assert slack.as_last_seen(elsewhere).is_stranger
        slack.gone[BOB] = clock.now()
        assert slack.as_last_seen(unknown[BOB]).read_at is None


async def test_click_without_a_signed_workspace_is_a_strangers():
    async with people() as (slack, _):
        found = await read(slack, BOB, team=None)
        assert (found.team_id, found.is_stranger) == (None, True)


async def test_whoever_the_policy_names_is_read_afresh_though_in_no_group():
    async with people() as (slack, traffic):
        slack.named = frozenset({ALICE})
        for _ in range(3):
            await read(slack, ALICE)
        assert traffic.count("users.info") == 3


async def test_roster_costs_one_reading_a_group_and_each_person_once_in_minutes():
    clock = HeldClock()
    async with people(clock=clock) as (slack, traffic):
        for _ in range(2):
            assert await slack.roster(frozenset(), ONE) is not None
            clock.pass_by(20)
        calls = Counter(call.method for call in traffic.calls)
        assert calls["usergroups.users.list"] == 1
        roster = await slack.roster(frozenset({"U0NOBODY"}), ONE)
        assert roster is not None  # Somebody whom Slack does not know fills no seat.
        assert "U0NOBODY" not in {actor.user_id for actor in roster}


async def test_nobody_by_that_id_is_unknown():
    async with people() as (slack, _):
        assert (await read(slack, "U0NOBODY")).read_at is None


async def test_roster_reads_everybody_in_the_groups_or_says_that_it_cannot():
    workspace, clock = desk(), HeldClock()
    async with people(workspace, clock=clock) as (slack, traffic):
        found = await slack.roster(frozenset({ALICE}), frozenset({RISK}))
        assert found is not None
        assert {actor.user_id for actor in found} >= {ALICE, BOB, GINA}
        clock.pass_by(31)
        traffic.add("usergroups.users.list", faults.server_error(times=1))
        assert await slack.roster(frozenset(), frozenset({RISK})) is None
        crowd = tuple(f"U0N{number:03}" for number in range(61))
        workspace.put_group(UserGroup(id=RISK, at_name="risk", members=crowd))
        assert await slack.roster(frozenset(), frozenset({RISK})) is None
