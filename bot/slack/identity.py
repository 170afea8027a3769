"""From a Slack user to an Actor: facts, never judgement.

Owns what is read of a person and of user groups, and what has been heard of both. A lookup that
fails, or whose answer cannot be read, is a value: an Actor whose `read_at` is None. What speaks for
a vote is read afresh; a list that shows somebody outside of a group serves for half a minute, so
that nobody can use up Slack's 20 readings a minute by clicking. Nor does a vote that waits: no list
is read for somebody whom Slack cannot name, and one that Slack refused rests longer and longer.

Source: Slack's pages on `users.info`, `usergroups.users.list` and rate limits, read 2026-11-20.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.flow.ports import Clock
from bot.slack import connection
from policies.model import Actor

logger = logging.getLogger(__name__)

SLACKBOT = "USLACKBOT"
ROSTER_MAX = 60
"""People read for a warning; more are too many calls for a mere warning."""
NO_LONGER_S = 30.0
"""How long a list serves to say that somebody is not in a group."""
ASKED_S = 10.0
"""How long one reading of whoever types a command serves for their next ones."""
SEEN_S = 600.0
"""How long a person once read serves for a warning."""
GONE = frozenset({"no_such_subteam", "subteam_not_found", "user_not_found", "users_not_found"})
"""Slack's words for what does not exist: an answer, not a failure."""
HOLD_S = 30.0
"""How long a throttled method rests when Slack does not say."""
REST_S = 4.0
"""The longest rest of a list that Slack refused, for each list that we read: 15 calls a minute."""


@dataclass(slots=True)
class _Group:
    """The newest list of one user group."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    began: float = float("-inf")
    """When its call was made, monotonic."""
    read_at: datetime | None = None
    members: frozenset[str] = frozenset()
    is_missing: bool = False
    """Slack knows no such group: nobody is in it."""
    rest_s: float = 0.0
    """How long it rests since Slack refused it: each time longer."""
    rests_until: float = float("-inf")


@dataclass(slots=True)
class _Glimpse:
    """What one reading of a person found, as far as it got."""

    actor: Actor | None = None
    """Without groups."""
    member_of: dict[str, bool] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    """Kinds of what went wrong."""


@dataclass(slots=True, kw_only=True)
class SlackPeople:
    """Reads people from Slack; implements `bot.flow.ports.People`."""

    client: AsyncWebClient
    clock: Clock
    call_s: float
    """Cap on reading one person, in seconds."""
    named: frozenset[str] = frozenset()
    """People whom the policy names one by one: for them a group's list settles nothing."""
    groups: dict[str, _Group] = field(default_factory=dict)
    seen: dict[str, tuple[float, Actor]] = field(default_factory=dict)
    """Everybody as last read, and when (monotonic)."""
    gone: dict[str, datetime] = field(default_factory=dict)
    """Who was heard to leave a group, or the workspace, and when."""
    unknown: set[str] = field(default_factory=set)
    """People whose last reading failed."""
    asked: dict[tuple[str, frozenset[str]], tuple[float, Actor]] = field(default_factory=dict)
    """Who typed a command, as read for these groups, and until when that serves (monotonic)."""
    held: dict[str, float] = field(default_factory=dict)
    """Methods that Slack throttles, and until when they rest (monotonic)."""

    async def actor(self, user_id: str, *, team_id: str | None, groups: frozenset[str]) -> Actor:
        """Read one person's standing now; see `People.actor`.

        Shape: `users.info` `{"user":{"id":…,"deleted":…,"is_restricted":…,"team_id":…}}`.

        Returns:
            An Actor with `read_at` None if Slack could not tell within `call_s`.
        """
        if known := self._outside(user_id, groups):
            return _from(known, team_id)
        glimpse, began = _Glimpse(), self.clock.now()
        try:
            async with asyncio.timeout(self.call_s):
                await self._look(user_id, groups, glimpse)
        except TimeoutError:
            glimpse.failed.add("TimeoutError")
        if glimpse.actor is None or len(glimpse.member_of) < len(groups):
            self.unknown.add(user_id)
            why = ", ".join(sorted(glimpse.failed))
            logger.warning("actor.unknown", extra={"user_id": user_id, "why": why})
            return Actor(user_id=user_id, person_id=user_id, name=user_id, team_id=team_id)
        member_of = frozenset(name for name, is_in in glimpse.member_of.items() if is_in)
        # News that came while it was read may contradict it.
        found = replace(glimpse.actor, groups=member_of, read_at=began)
        self.seen[user_id] = (self.clock.monotonic(), found)
        self.unknown.discard(user_id)
        return _from(found, team_id)

    async def asker(self, user_id: str, *, team_id: str | None, groups: frozenset[str]) -> Actor:
        """Read whoever typed a command, or take what was read of them a few seconds ago.

        For asking, which starts nothing alone: somebody who asks again and again must not use up
        the readings that a vote needs.
        """
        now = self.clock.monotonic()
        until, known = self.asked.get((user_id, groups), (0.0, None))
        is_fresh = known is not None and now < until and known.team_id == team_id
        if known is not None and is_fresh and not self.is_contradicted(known):
            return known
        found = await self.actor(user_id, team_id=team_id, groups=groups)
        self.asked = {key: seen for key, seen in self.asked.items() if now < seen[0]}
        if found.read_at is not None:
            self.asked[user_id, groups] = (now + ASKED_S, found)
        return found

    def as_last_seen(self, actor: Actor) -> Actor:
        """Return what Slack last said of somebody whom it cannot name now, unless news contradict.

        For who may be told something; never for a decision.
        """
        _, known = self.seen.get(actor.user_id, (0.0, None))
        if actor.read_at is not None or known is None or self.is_contradicted(known):
            return actor
        return _from(known, actor.team_id)

    def is_contradicted(self, snapshot: Actor) -> bool:
        """Tell whether anything heard of Slack since then speaks against a snapshot."""
        since, user_id = snapshot.read_at, snapshot.user_id
        if since is None or (user_id in self.gone and self.gone[user_id] >= since):
            return True
        lists = [self.groups[name] for name in snapshot.groups or () if name in self.groups]
        return any(
            known.read_at is not None and known.read_at >= since and user_id not in known.members
            for known in lists
        )

    def members_changed(self, group: str, removed: Iterable[str]) -> None:
        """Take note of Slack's news that a group has other members now."""
        self.gone |= dict.fromkeys(removed, self.clock.now())
        if group in self.groups:
            self.groups[group].began = float("-inf")  # Whoever was added need not wait.
        self.seen.clear()
        self.asked.clear()

    def missing(self) -> tuple[str, ...]:
        """Return the user groups that Slack does not know, as far as any was read."""
        return tuple(sorted(name for name, known in self.groups.items() if known.is_missing))

    async def roster(
        self, users: frozenset[str], groups: frozenset[str]
    ) -> tuple[Actor, ...] | None:
        """Read everybody named or in these groups; None if unknown or too many."""
        found: dict[str, Actor | None] = {}
        named: frozenset[str] | None = None
        try:
            async with asyncio.timeout(self.call_s):
                lists = {name: await self._members(name, NO_LONGER_S) for name in sorted(groups)}
                named = users.union(*lists.values())
                async with asyncio.TaskGroup() as group:
                    for user in sorted(named) if len(named) <= ROSTER_MAX else ():
                        group.create_task(self._seen(user, lists, found))
        except* connection.UNREADABLE:
            logger.info("roster.unknown")
        if named is None or not found.keys() >= named:
            return None
        return tuple(actor for actor in found.values() if actor is not None)

    async def _seen(
        self, user_id: str, lists: Mapping[str, frozenset[str]], into: dict[str, Actor | None]
    ) -> None:
        """Read a person for a warning, or take them as read within minutes; None: no such user."""
        member_of = frozenset(name for name, members in lists.items() if user_id in members)
        read, known = self.seen.get(user_id, (float("-inf"), None))
        if known is not None and self.clock.monotonic() - read < SEEN_S:
            into[user_id] = replace(known, groups=member_of)
            return
        glimpse = _Glimpse()
        await self._user(user_id, glimpse)
        into[user_id] = glimpse.actor and replace(glimpse.actor, groups=member_of)

    def _outside(self, user_id: str, groups: frozenset[str]) -> Actor | None:
        """Return a person as read within half a minute who is in none of the groups, or None."""
        now = self.clock.monotonic()
        read, known = self.seen.get(user_id, (float("-inf"), None))
        if known is None or user_id in self.named or now - read >= NO_LONGER_S:
            return None
        lists = [self.groups.get(name) for name in groups]
        is_out = all(
            known_list is not None
            and now - known_list.began < NO_LONGER_S
            and user_id not in known_list.members
            for known_list in lists
        )
        return known if is_out and not known.groups else None

    async def _look(self, user_id: str, groups: frozenset[str], into: _Glimpse) -> None:
        """Read a person and their groups side by side; whom Slack could not name, the person first.

        A vote that waits is tried each second: lists would be read for nothing.
        """
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_noted(partial(self._user, user_id, into), into))
            if user_id in self.unknown:
                await reading
            if any(self._rests(name) for name in groups):
                into.failed.add("a list rests")
            elif into.actor is not None or user_id not in self.unknown:
                for name in groups:
                    work = partial(self._is_member, name, user_id, into)
                    group.create_task(_noted(work, into))

    async def _user(self, user_id: str, into: _Glimpse) -> None:
        try:
            reply = await self._call("users.info", {"user": user_id})
        except SlackApiError as error:
            if connection.word_of(error) not in GONE:
                raise
            return
        found = reply.get("user")
        if not isinstance(found, dict) or found.get("id") != user_id:
            return
        into.actor = _actor(found, self.clock)
        if found.get("deleted") or found.get("is_restricted"):
            self.gone[user_id] = self.clock.now()

    async def _is_member(self, name: str, user_id: str, into: _Glimpse) -> None:
        known = self.groups.get(name)
        age_s = float("inf") if known is None else self.clock.monotonic() - known.began
        if known is not None and age_s < NO_LONGER_S and user_id not in known.members:
            into.member_of[name] = False
        else:
            into.member_of[name] = user_id in await self._members(name)

    async def _members(self, name: str, age_s: float = 0.0) -> frozenset[str]:
        """Read a user group, or take a list that is young enough.

        Whoever asks while it is being read shares the answer only if they asked before the call.
        """
        asked_at = self.clock.monotonic()
        known = self.groups.setdefault(name, _Group())
        async with known.lock:
            if known.began < asked_at - age_s:
                began, read_at = self.clock.monotonic(), self.clock.now()
                if self._rests(name):
                    raise OSError(f"{name} rests: Slack refused it")
                try:
                    members = await self._list(name)
                except connection.UNREADABLE:
                    lists = len(self.groups)
                    known.rest_s = min(max(lists, 2 * known.rest_s), REST_S * lists)
                    known.rests_until = self.clock.monotonic() + known.rest_s
                    raise
                known.rest_s = 0.0
                known.members, known.is_missing = members or frozenset(), members is None
                known.began, known.read_at = began, read_at
            return known.members

    def _rests(self, name: str) -> bool:
        """Tell whether a list is left alone, because Slack refused it a moment ago."""
        known = self.groups.get(name)
        return known is not None and self.clock.monotonic() < known.rests_until

    async def _list(self, name: str) -> frozenset[str] | None:
        """Read who is in a user group; None if Slack knows no such group."""
        try:
            reply = await self._call("usergroups.users.list", {"usergroup": name})
        except SlackApiError as error:
            if connection.word_of(error) not in GONE:
                raise
            return None
        users = reply.get("users")
        if not isinstance(users, list):
            raise TypeError("users is no list")
        return frozenset(users)

    async def _call(self, method: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        """Ask Slack, unless it has said that this method must rest.

        Raises:
            SlackApiError: Slack refuses.
            OSError: the method rests.
        """
        if self.clock.monotonic() < self.held.get(method, 0.0):
            raise OSError(f"{method} rests: Slack throttles it")
        try:
            return await self.client.api_call(method, params=dict(params))  # type: ignore[return-value]
        except SlackApiError as error:
            if connection.is_throttled(error):
                wait_s = connection.retry_after_s(error, otherwise=HOLD_S)
                self.held[method] = self.clock.monotonic() + wait_s
            raise


def _from(known: Actor, team_id: str | None) -> Actor:
    """Say who clicked from where: the signed workspace counts, not the one Slack's record names."""
    is_stranger = known.is_stranger or team_id != known.team_id
    return replace(known, team_id=team_id, is_stranger=is_stranger)


async def _noted(work: Callable[[], Awaitable[None]], into: _Glimpse) -> None:
    """Do one part of a reading; that it failed keeps no other part from its end."""
    try:
        await work()
    except connection.UNREADABLE as error:
        into.failed.add(type(error).__name__)


def _actor(user: Mapping[str, Any], clock: Clock) -> Actor:
    user_id = str(user.get("id", ""))
    enterprise = user.get("enterprise_user") or {}
    profile = user.get("profile") or {}
    name = profile.get("display_name") or profile.get("real_name") or user.get("name") or user_id
    return Actor(
        user_id=user_id,
        person_id=str(enterprise.get("id") or user_id),
        name=str(name),
        team_id=user.get("team_id"),
        is_bot=user_id == SLACKBOT or _fact(user, "is_bot"),
        is_deactivated=_fact(user, "deleted"),
        is_guest=_either(user, "is_restricted", "is_ultra_restricted"),
        is_stranger=bool(user.get("is_stranger")),
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
