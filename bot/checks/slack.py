"""What Slack tells: our tokens, the channels, the user groups of the policy, and who is in them.

Owns these findings. Each call is made once; what Slack does not answer is a line.

Sources, read 2026-11-21: https://docs.slack.dev/reference/methods/usergroups.list,
conversations.info and apps.connections.open; who may edit user groups:
https://slack.com/help/articles/115004952926-Manage-user-groups-from-the-admin-dashboard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.checks import ground as grounds
from bot.checks import policy as policies
from bot.checks.ground import Ground, SlackSide
from bot.checks.slate import Slate, Spot
from bot.config import Config
from bot.domain.errors import ConfigError
from bot.domain.finding import Finding, listed
from bot.slack import connection
from bot.slack.connection import Identity
from bot.slack.identity import ROSTER_MAX
from bot.slack.socket import APP_TOKEN
from policies.model import Actor

MEET_S = 8.0
"""How long Slack is asked who we are."""
THERE = "See https://slack-status.com, and whether this host reaches slack.api_url."
NO_CHANNEL = frozenset(
    {"channel_not_found", "not_in_channel", "method_not_supported_for_channel_type"}
)


async def look(ground: Ground, slate: Slate, *, meet_s: float = MEET_S) -> None:
    """Look at all of Slack, side by side; one that refuses our token is asked nothing more."""
    side, config = ground.slack, ground.config
    if side is None:
        return
    me = await _meet(side.client, config, slate, meet_s=meet_s)
    if me is None:
        return
    slack = config.file.slack
    works: dict[Spot, partial[Coroutine[Any, Any, None]]] = {
        Spot(part="policy", about="people"): partial(_people, config, side)
    }
    for channel in (slack.incident_channel, *slack.channels):
        works[Spot(part="slack", about=f"channel {channel}")] = partial(
            _channel, side.client, channel
        )
    if side.app_client is not None:
        works[Spot(part="slack", about="app-level token")] = partial(_app_token, side.app_client)
    async with asyncio.TaskGroup() as group:
        for spot, work in works.items():
            looking = partial(work, slate, spot)
            group.create_task(slate.guarded(spot, looking, within=Spot(part="slack")))


async def _meet(
    client: AsyncWebClient, config: Config, slate: Slate, *, meet_s: float
) -> Identity | None:
    """Ask Slack who we are; None if it refuses us or does not say."""
    spot = Spot(part="slack", about="bot token")
    try:
        async with asyncio.timeout(meet_s):
            me = await connection.identify(client)
    except ConfigError as error:
        slate.add(spot.blind("token", error.user_message, error.remedy))
        return None
    except TimeoutError:
        text = f"Slack at {client.base_url} does not say within {meet_s:g} s who we are"
        slate.add(spot.blind("reached", text, THERE))
        return None
    slate.add(*_of_identity(config, me, spot))
    return me


def _of_identity(config: Config, me: Identity, spot: Spot) -> Iterator[Finding]:
    if me.team_id not in config.policy.workspaces:
        yield spot.wrong(
            "home",
            f"{config.file.policy.name}: workspaces lacks {me.team_id}, the bot's own, so "
            "everybody there would be refused",
            f'Add "{me.team_id}", or store the bot token of a workspace that is listed.',
        )
    if more := sorted(me.scopes - connection.SCOPES):
        text = f"it may do more than it needs: {listed(more)}"
        remedy = "Make the app from `cancelall slack manifest`, and install it again."
        yield spot.warning("scopes", text, remedy)
    yield spot.fine("token", f"it is {me.bot_user_id} of {me.team_id}, with the scopes it needs")


async def _asked(
    client: AsyncWebClient, method: str, **params: str
) -> tuple[Mapping[str, Any], str]:
    """Call a method once; return the answer, or Slack's word for why there is none."""
    try:
        reply = await client.api_call(method, params=params)
    except SlackApiError as error:
        return {}, connection.word_of(error) or f"HTTP {connection.status_of(error)}"
    except connection.UNREADABLE as error:
        return {}, type(error).__name__
    return (reply.data, "") if isinstance(reply.data, dict) else ({}, "no JSON")


async def _app_token(client: AsyncWebClient, slate: Slate, spot: Spot) -> None:
    """Ask for a ticket, which nobody uses: it lapses by itself."""
    _, word = await _asked(client, "apps.connections.open")
    if not word:
        slate.add(spot.fine("token", "it opens sockets"))
    elif word in connection.REFUSED:
        slate.add(spot.wrong("token", f"Slack refuses it: {word}", APP_TOKEN.mend))
    else:
        text = f"Slack opens no socket: {word}"
        slate.add(spot.wrong("token", text, f"{THERE} Is Socket Mode switched on in the app?"))


async def _channel(client: AsyncWebClient, channel: str, slate: Slate, spot: Spot) -> None:
    answer, word = await _asked(client, "conversations.info", channel=channel)
    if word and word not in NO_CHANNEL:
        slate.add(spot.blind("look", f"Slack does not say what it is: {word}", THERE))
        return
    slate.add(*of_channel(answer.get("channel") or {}, spot))


def of_channel(found: Mapping[str, Any], spot: Spot) -> Iterator[Finding]:
    """Say whether cards can stand in a channel, and who else would read them.

    Shape: `{"id":"C…","name":"incident","is_member":true,"is_archived":false,"is_ext_shared":…}`;
    empty if Slack shows us no such channel.
    """
    name = f"#{found['name']}" if found.get("name") else "no such channel is shown to the bot"
    if found.get("is_archived"):
        yield spot.wrong("channel", f"{name} is archived", "Restore it, or mend the config.")
        return
    if not found.get("is_member"):
        why = f"{name} is without the bot" if found else f"{name}, or it is private"
        yield spot.wrong("channel", why, "Type /invite @cancelall there, or mend the config.")
        return
    if found.get("is_ext_shared") or found.get("is_pending_ext_shared"):
        text = f"{name} is shared with another organisation: it reads every card"
        yield spot.warning("shared", text, "Use a channel of your own; their votes never count.")
    yield spot.fine("channel", f"{name} takes cards")


async def _people(config: Config, side: SlackSide, slate: Slate, spot: Spot) -> None:
    """Read who is in the policy's roles, and judge whether they suffice."""
    roles = config.policy.roles.values()
    wanted = {group for role in roles for group in role.groups}
    users = {user for role in roles for user in role.users}
    members: dict[str, frozenset[str]] = {}
    if wanted:
        answer, word = await _asked(
            side.client, "usergroups.list", include_users="true", include_disabled="true"
        )
        if word:
            slate.add(spot.blind("groups", f"Slack does not list its user groups: {word}", THERE))
            return
        shown = {str(group.get("id")): group for group in answer.get("usergroups") or ()}
        slate.add(*(f for group in sorted(wanted) for f in of_group(group, shown.get(group))))
        slate.add(_who_edits(wanted))
        members = {group: _members(shown.get(group)) for group in wanted}
    named_users = users.union(*members.values())
    if len(named_users) > ROSTER_MAX:
        text = f"{len(named_users)} people are in its roles: more than the {ROSTER_MAX} read"
        slate.add(spot.unknown("roster", text, "See by hand that the seats can be filled."))
        return
    roster = await side.people.roster(frozenset(named_users), frozenset())
    if roster is None:
        slate.add(spot.blind("roster", "Slack does not say who the people in its roles are", THERE))
        return
    placed = [replace(actor, groups=_groups_of(actor, members)) for actor in roster]
    slate.add(*await grounds.aside(lambda: list(policies.of_people(config, placed))))


def _members(group: Mapping[str, Any] | None) -> frozenset[str]:
    """Return who is in a user group; nobody in one that is gone or disabled, as for a vote."""
    if group is None or group.get("date_delete"):
        return frozenset()
    return frozenset(map(str, group.get("users") or ()))


def _groups_of(actor: Actor, members: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset(group for group, users in members.items() if actor.user_id in users)


def of_group(group: str, shown: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Say whether a user group of the policy is there, enabled, and not empty.

    Shape: `{"id":"S…","handle":"risk","date_delete":0,"users":["U…"]}`.
    """
    spot = Spot(part="policy", about=f"user group {group}")
    if shown is None:
        text = "Slack knows no such user group: nobody is in it"
        yield spot.wrong("group", text, "Mend the id in the policy: S… from the group's link.")
    elif shown.get("date_delete"):
        text = f"@{shown.get('handle')} is disabled: nobody is in it"
        yield spot.wrong("group", text, "Enable it in Slack, or mend the policy.")
    elif not shown.get("users"):
        text = f"@{shown.get('handle')} is empty"
        yield spot.warning("group", text, "Add people to it, or take it out of the policy.")


def _who_edits(groups: Sequence[str] | set[str]) -> Finding:
    spot = Spot(part="policy", about="user groups")
    text = (
        f"whoever may edit {listed(sorted(groups))} decides who approves, and Slack does not tell "
        "who may; by default owners and admins"
    )
    where = "Look in Slack: Admin, Workspace settings, Roles & permissions, user groups."
    return spot.unknown("editors", text, where)
