"""Facts about people, read from a Slack that may lie, hang or not know."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

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
