"""Facts about people, read from a Slack that may lie, hang or not know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.app import SystemClock
from bot.domain.errors import ConfigError
from bot.sandbox.slack import api, faults
from bot.sandbox.slack.records import App, Standing, User, UserGroup
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import HOME, PARTNER, Workspace
from bot.sandbox.world import ALICE, BOB, GINA, MALLORY, RISK, desk
from bot.slack import connection
from bot.slack.identity import SlackPeople


@asynccontextmanager
async def people(
    workspace: Workspace | None = None, *, call_s: float = 2.0
) -> AsyncIterator[tuple[SlackPeople, Traffic]]:
    found, traffic = workspace or desk(), Traffic()
    async with (
        api.serve(found, traffic) as url,
        connection.open_client(found.app.bot_token, url) as client,
    ):
        yield (
            SlackPeople(
                client=client, clock=SystemClock(), groups=frozenset({RISK}), call_s=call_s
            ),
            traffic,
        )


async def test_member_is_known_with_their_groups():
    async with people() as (slack, _):
        bob = await slack.actor(BOB, team_id=HOME)
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
        assert (await slack.actor("U0GONE", team_id=HOME)).is_deactivated
        assert (await slack.actor("U0NEW", team_id=HOME)).is_invited
        assert (await slack.actor("U0ROBOT", team_id=HOME)).is_bot
        assert (await slack.actor("USLACKBOT", team_id=HOME)).is_bot
        assert (await slack.actor(GINA, team_id=HOME)).is_guest
        assert (await slack.actor(MALLORY, team_id=PARTNER)).team_id == PARTNER


async def test_payload_and_profile_that_disagree_about_the_workspace_make_a_stranger():
    async with people() as (slack, _):
        assert (await slack.actor(BOB, team_id=PARTNER)).is_stranger


async def test_one_human_with_two_ids_is_one_person():
    workspace = Workspace(enterprise_id="E0ORG")
    workspace.put_group(UserGroup(id=RISK, at_name="risk"))
    for user_id in ("U0LOCAL", "W0GLOBAL"):
        user = User(id=user_id, name="eve", team_id=HOME, enterprise_user_id="W0GLOBAL")
        workspace.put_user(user)
    async with people(workspace) as (slack, _):
        ids = {(await slack.actor(u, team_id=HOME)).person_id for u in ("U0LOCAL", "W0GLOBAL")}
        assert ids == {"W0GLOBAL"}


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
async def test_hang_is_unknown_within_the_cap(method: str):
    async with people(call_s=0.2) as (slack, traffic):
        traffic.add(method, faults.hang(times=None))
        found = await slack.actor(BOB, team_id=HOME)
        assert (found.read_at, found.groups, found.team_id) == (None, None, HOME)


async def test_nobody_by_that_id_is_unknown():
    async with people() as (slack, _):
        assert (await slack.actor("U0NOBODY", team_id=HOME)).read_at is None


async def test_whoever_a_reading_no_longer_shows_was_removed():
    workspace = desk()
    async with people(workspace) as (slack, _):
        before = (await slack.actor(BOB, team_id=HOME)).read_at
        assert before is not None
        assert not slack.was_removed(BOB, since=before)
        workspace.set_members(RISK, [GINA])
        await slack.actor(ALICE, team_id=HOME)
        assert slack.was_removed(BOB, since=before)


async def test_machine_is_known_without_asking_slack():
    async with people() as (slack, traffic):
        assert (await slack.actor("machine:grafana", team_id=None)).read_at is not None
        assert traffic.calls == []


async def test_roster_reads_everybody_in_the_groups_or_says_that_it_cannot():
    workspace = desk()
    async with people(workspace) as (slack, traffic):
        found = await slack.roster(frozenset({ALICE}), frozenset({RISK}))
        assert found is not None
        assert {actor.user_id for actor in found} >= {ALICE, BOB, GINA}
        traffic.add("usergroups.users.list", faults.server_error(times=1))
        assert await slack.roster(frozenset(), frozenset({RISK})) is None
        crowd = tuple(f"U0N{number:03}" for number in range(61))
        workspace.put_group(UserGroup(id=RISK, at_name="risk", members=crowd))
        assert await slack.roster(frozenset(), frozenset({RISK})) is None


async def test_token_that_slack_refuses_and_scope_that_is_missing_are_named():
    workspace = Workspace(app=App(scopes=("commands", "chat:write", "users:read")))
    async with api.serve(workspace) as url:
        async with connection.open_client("xoxb-wrong", url) as client:
            with pytest.raises(ConfigError, match="Slack refuses the bot token: invalid_auth"):
                await connection.identify(client)
        async with connection.open_client(workspace.app.bot_token, url) as client:
            with pytest.raises(ConfigError, match="lacks the scope channels:read, groups:read, "):
                await connection.identify(client)
    async with connection.open_client("xoxb-x", "http://127.0.0.1:1/api/") as client:
        with pytest.raises(ConfigError, match="cannot be reached"):
            await connection.identify(client)
