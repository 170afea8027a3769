"""The state of a small Slack: people, groups, channels, messages, modals.

Owns every fact of the sandbox's workspace, the order of its timestamps and the wait for the next
change. Knows no HTTP, and judges nobody: `api` refuses what Slack refuses, `delivery` what a
person's client could not do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from bot.sandbox.slack.modals import Modals
from bot.sandbox.slack.records import (
    App,
    Channel,
    Draft,
    Ephemeral,
    Message,
    Source,
    Standing,
    User,
    UserGroup,
)
from bot.sandbox.slack.sockets import Sockets
from bot.sandbox.slack.tickets import Tickets

T = TypeVar("T")

HOME = "T0HOME"
PARTNER = "T0PARTNER"
SLACKBOT = "USLACKBOT"


class Workspace:
    """One workspace, alive for one demo or test. Everything runs on one event loop.

    Args:
        app: the installed app: ids, token, signing secret, scopes.
        team_id: the workspace that installed the app.
        enterprise_id: the Enterprise organisation, if the workspace belongs to one.
        now: seconds since 1970; a test may pass a clock of its own to pass 3 s or 30 minutes.
    """

    def __init__(
        self,
        *,
        app: App | None = None,
        team_id: str = HOME,
        enterprise_id: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.app = app or App()
        self.team_id = team_id
        self.enterprise_id = enterprise_id
        self.domain = "sandbox"
        self.now = now
        self.tickets = Tickets(now=now)
        self.sockets = Sockets(now=now)
        self.modals = Modals(changed=self._note_change)
        self._users: dict[str, User] = {}
        self._groups: dict[str, UserGroup] = {}
        self._channels: dict[str, Channel] = {}
        self._revisions: dict[tuple[str, str], list[Message]] = {}
        self._ephemerals: list[Ephemeral] = []
        self._last_us = 0
        self._changed = asyncio.Event()
        bot_user = self.app.bot_user_id
        self.put_user(User(id=bot_user, name="cancelall", team_id=team_id, standing=Standing.BOT))
        self.put_user(User(id=SLACKBOT, name="slackbot", team_id=team_id))

    # Who and where

    def put_user(self, user: User) -> User:
        """Add somebody, or change what Slack knows of them."""
        self._users[user.id] = user
        self._note_change()
        return user

    def put_group(self, group: UserGroup) -> UserGroup:
        """Add a user group, or change its members or whether it is disabled."""
        self._groups[group.id] = group
        self._note_change()
        return group

    def put_channel(self, channel: Channel) -> Channel:
        """Add a channel, or change its members, sharing or whether it is archived."""
        self._channels[channel.id] = channel
        self._note_change()
        return channel

    def remove_group(self, group_id: str) -> None:
        """Remove a user group altogether: reading it then says `no_such_subteam`."""
        del self._groups[group_id]
        self._note_change()

    def set_members(self, group_id: str, members: Iterable[str]) -> UserGroup:
        """Replace the members of a user group, as an administrator does."""
        return self.put_group(replace(self._groups[group_id], members=tuple(members)))

    def user(self, user_id: str) -> User | None:
        """Return somebody, or nothing."""
        return self._users.get(user_id)

    def users(self) -> tuple[User, ...]:
        """Return everybody, the bot's own user and Slackbot too, in the order of creation."""
        return tuple(self._users.values())

    def group(self, group_id: str) -> UserGroup | None:
        """Return a user group, or nothing."""
        return self._groups.get(group_id)

    def groups(self) -> tuple[UserGroup, ...]:
        """Return every user group in the order of creation."""
        return tuple(self._groups.values())

    def channel(self, channel_id: str) -> Channel | None:
        """Return a channel, or nothing."""
        return self._channels.get(channel_id)

    def channels(self) -> tuple[Channel, ...]:
        """Return every channel in the order of creation."""
        return tuple(self._channels.values())

    def find_user(self, name: str) -> User | None:
        """Return the person of that name, or nothing."""
        return next((user for user in self._users.values() if user.name == name), None)

    def find_channel(self, name: str) -> Channel | None:
        """Return the channel of that name, or nothing."""
        return next((one for one in self._channels.values() if one.name == name), None)

    def open_direct(self, user: User) -> Channel:
        """Return the conversation between the bot and one person, opened if need be."""
        channel_id = f"D{user.id[1:]}"
        known = self._channels.get(channel_id)
        members = frozenset({user.id, self.app.bot_user_id})
        fresh = Channel(
            id=channel_id,
            name="directmessage",
            members=members,
            is_direct=True,
            is_private=True,
        )
        return known or self.put_channel(fresh)

    # What was said

    def post(self, channel: str, author: str, draft: Draft) -> Message:
        """Store a new message and return it with its `ts`; what Slack refuses is not its job."""
        message = Message(
            channel=channel,
            ts=self.next_ts(),
            author=author,
            text=draft.text,
            blocks=draft.blocks,
            metadata=draft.metadata,
            thread_ts=draft.thread_ts,
            is_broadcast=draft.is_broadcast,
        )
        self._revisions[channel, message.ts] = [message]
        self._note_change()
        return message

    def revise(self, message: Message) -> Message:
        """Store a new revision of a known message; the older ones are kept."""
        self._revisions[message.channel, message.ts].append(message)
        self._note_change()
        return message

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message, as an administrator does: it can then be neither edited nor clicked."""
        del self._revisions[channel, ts]
        self._note_change()

    def whisper(self, user: str, channel: str, draft: Draft, source: Source) -> Ephemeral:
        """Store a message that only one person sees."""
        seen = Ephemeral(
            channel=channel,
            ts=self.next_ts(),
            user=user,
            text=draft.text,
            blocks=draft.blocks,
            thread_ts=draft.thread_ts,
            source=source,
        )
        self._ephemerals.append(seen)
        self._note_change()
        return seen

    def replace_ephemeral(self, ts: str, by: Ephemeral | None) -> None:
        """Change an ephemeral message through its response_url, or take it away."""
        kept = [by if seen.ts == ts else seen for seen in self._ephemerals]
        self._ephemerals = [seen for seen in kept if seen is not None]
        self._note_change()

    # What a test or the demo asks

    def message(self, channel: str, ts: str) -> Message | None:
        """Return the newest revision of one message, or nothing."""
        found = self._revisions.get((channel, ts))
        return found[-1] if found else None

    def everything(self, channel: str) -> tuple[Message, ...]:
        """Return every message of a channel, replies too, oldest first."""
        found = [kept[-1] for (place, _), kept in self._revisions.items() if place == channel]
        return tuple(sorted(found, key=lambda message: message.ts))

    def messages(self, channel: str) -> tuple[Message, ...]:
        """Return what the channel itself shows, oldest first: no replies but broadcast ones."""
        return tuple(
            message
            for message in self.everything(channel)
            if message.thread_ts is None or message.is_broadcast
        )

    def thread(self, channel: str, ts: str) -> tuple[Message, ...]:
        """Return the replies under a message, oldest first, without the message itself."""
        return tuple(message for message in self.everything(channel) if message.thread_ts == ts)

    def revisions(self, channel: str, ts: str) -> tuple[Message, ...]:
        """Return every revision of a message, first to last; nothing if it is gone."""
        return tuple(self._revisions.get((channel, ts), ()))

    def ephemerals(self, user: str) -> tuple[Ephemeral, ...]:
        """Return what one person alone was shown, oldest first."""
        return tuple(seen for seen in self._ephemerals if seen.user == user)

    async def wait_for(self, predicate: Callable[[], T], timeout_s: float = 5.0) -> T:
        """Wait until `predicate()` is true and return its value; asked after each change.

        Raises:
            TimeoutError: it did not become true in time.
        """
        async with asyncio.timeout(timeout_s):
            while not (found := predicate()):
                await self._changed.wait()
        return found

    def next_ts(self) -> str:
        """Return a new `ts`: the time in microseconds, always later than the one before."""
        self._last_us = max(self._last_us + 1, int(self.now() * 1_000_000))
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    def _note_change(self) -> None:
        woken, self._changed = self._changed, asyncio.Event()
        woken.set()
