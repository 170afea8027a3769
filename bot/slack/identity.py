"""From a Slack user to an Actor: facts, never judgement.

Owns what is read of a person and of user groups. A lookup that fails is a value: an Actor whose
`read_at` is None. Never caches for a decision: an answer is shared only with those who asked before
it was fetched.

Source: Slack's pages on `users.info` and `usergroups.users.list`, read 2026-11-20.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.flow.ports import Clock
from policies.model import Actor

logger = logging.getLogger(__name__)

SLACKBOT = "USLACKBOT"
ROSTER_MAX = 60
"""People read for a warning; more are too many calls for a mere warning."""


@dataclass(slots=True)
class _Flight:
    """The newest answer about one user group, and when its call began."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    began: float = float("-inf")
    members: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class SlackPeople:
    """Reads people from Slack; implements `bot.flow.ports.People`."""

    client: AsyncWebClient
    clock: Clock
    groups: frozenset[str]
    """The user groups that the policy names."""
    call_s: float
    """Cap on reading one person, in seconds."""
    flights: dict[str, _Flight] = field(default_factory=dict)
    removals: dict[str, datetime] = field(default_factory=dict)
    """Who was seen to leave a user group, and when."""

    def was_removed(self, user_id: str, *, since: datetime) -> bool:
        """Tell whether somebody has been seen to leave a user group since then."""
        return user_id in self.removals and self.removals[user_id] >= since

    def removed(self, users: Iterable[str]) -> None:
        """Take note that these people left a user group, as a reading or an event of Slack says."""
        self.removals |= dict.fromkeys(users, self.clock.now())

    async def actor(self, user_id: str, *, team_id: str | None) -> Actor:
        """Read one person's standing now.

        Shape: `users.info` `{"user":{"id":…,"deleted":…,"is_restricted":…,"team_id":…}}`.

        Returns:
            An Actor with `read_at` None if Slack could not tell within `call_s`.
        """
        if user_id.startswith("machine:"):
            return Actor(user_id=user_id, person_id=user_id, name=user_id, read_at=self.clock.now())
        unknown = Actor(user_id=user_id, person_id=user_id, name=user_id, team_id=team_id)
        memberships: dict[str, bool] = {}
        user: list[Mapping[str, Any]] = []
        try:
            async with asyncio.timeout(self.call_s), asyncio.TaskGroup() as group:
                group.create_task(self._user(user_id, user))
                for name in self.groups:
                    group.create_task(self._is_member(name, user_id, memberships))
        except* (SlackApiError, aiohttp.ClientError, OSError) as failed:
            kinds = sorted({type(error).__name__ for error in failed.exceptions})
            logger.warning("actor.unknown", extra={"user_id": user_id, "why": ", ".join(kinds)})
        if len(memberships) < len(self.groups) or not user:
            return unknown
        member_of = frozenset(name for name, is_in in memberships.items() if is_in)
        return _actor(user[0], team_id, member_of, self.clock)

    async def roster(
        self, users: frozenset[str], groups: frozenset[str]
    ) -> tuple[Actor, ...] | None:
        """Read everybody named or in these groups; None if unknown or too many."""
        try:
            async with asyncio.timeout(self.call_s):
                named = users.union(*[await self._members(name) for name in sorted(groups)])
        except (SlackApiError, aiohttp.ClientError, OSError, TimeoutError):
            return None
        if len(named) > ROSTER_MAX:
            return None
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self.actor(user, team_id=None)) for user in sorted(named)]
        found = tuple(task.result() for task in asked)
        return found if all(actor.read_at is not None for actor in found) else None

    async def _user(self, user_id: str, into: list[Mapping[str, Any]]) -> None:
        reply = await self.client.api_call("users.info", params={"user": user_id})
        if isinstance(found := reply.get("user"), dict) and found.get("id") == user_id:
            into.append(found)

    async def _is_member(self, name: str, user_id: str, into: dict[str, bool]) -> None:
        into[name] = user_id in await self._members(name)

    async def _members(self, name: str) -> frozenset[str]:
        """Read a user group; share the answer only with those who asked before it was fetched."""
        asked_at = self.clock.monotonic()
        flight = self.flights.setdefault(name, _Flight())
        async with flight.lock:
            if flight.began < asked_at:
                began = self.clock.monotonic()
                reply = await self.client.api_call(
                    "usergroups.users.list", params={"usergroup": name}
                )
                members = frozenset(reply.get("users") or ())
                self.removed(flight.members - members)
                flight.members = members
                flight.began = began
            return flight.members


def _actor(
    user: Mapping[str, Any], team_id: str | None, member_of: frozenset[str], clock: Clock
) -> Actor:
    user_id = str(user.get("id", ""))
    home = user.get("team_id")
    enterprise = user.get("enterprise_user") or {}
    profile = user.get("profile") or {}
    name = profile.get("display_name") or profile.get("real_name") or user.get("name") or user_id
    return Actor(
        user_id=user_id,
        person_id=str(enterprise.get("id") or user_id),
        name=str(name),
        team_id=team_id or home,
        groups=member_of,
        is_bot=user_id == SLACKBOT or _fact(user, "is_bot"),
        is_deactivated=_fact(user, "deleted"),
        is_guest=_either(user, "is_restricted", "is_ultra_restricted"),
        is_stranger=bool(user.get("is_stranger")) or (team_id or home) != home,
        is_invited=bool(user.get("is_invited_user")),
        read_at=clock.now(),
    )


def _fact(user: Mapping[str, Any], key: str) -> bool | None:
    """Return a flag, or None if Slack did not say: absence is not innocence."""
    found = user.get(key)
    return found if isinstance(found, bool) else None


def _either(user: Mapping[str, Any], first: str, second: str) -> bool | None:
    """Return True if either flag stands, False only if Slack said both."""
    facts = (_fact(user, first), _fact(user, second))
    if True in facts:
        return True
    return None if None in facts else False
