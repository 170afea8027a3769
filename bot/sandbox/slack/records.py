"""The things a small Slack remembers, as plain frozen values.

Owns their shapes and how Slack's API shows messages. Never changes anything: `workspace` does.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
"""One JSON object of Slack's wire: a block, a view, an answer."""

SCOPES = (
    "commands",
    "chat:write",
    "users:read",
    "usergroups:read",
    "channels:read",
    "groups:read",
)
"""The bot scopes an app gets when the workspace says nothing else."""


class Standing(enum.Enum):
    """What somebody is in their own workspace; who is an outsider follows from the team id."""

    MEMBER = "member"
    GUEST = "guest of several channels"
    SINGLE_CHANNEL_GUEST = "guest of one channel"
    INVITED = "invited, not joined yet"
    BOT = "bot"


class Source(enum.Enum):
    """How an ephemeral message came to be."""

    POST = "chat.postEphemeral"
    ACK = "ack"
    RESPONSE_URL = "response_url"
    SLACK = "Slack itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlashCommand:
    """A command of the app: declared by its manifest, offered to whoever types `/`."""

    command: str
    """With its slash."""
    description: str = ""
    usage_hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The installed app. Token and secret are made up: they open nothing outside the sandbox."""

    app_id: str = "A0CANCELALL"
    bot_id: str = "B0CANCELALL"
    bot_user_id: str = "U0CANCELALL"
    bot_token: str = field(default="xoxb-sandbox-token", repr=False)
    app_token: str = field(default="xapp-sandbox-token", repr=False)
    """Opens the sockets of Socket Mode, and nothing else."""
    signing_secret: str = field(default="sandbox-signing-secret", repr=False)
    scopes: tuple[str, ...] = SCOPES
    app_scopes: tuple[str, ...] = ("connections:write",)
    """Of the app-level token."""
    should_escape: bool = True
    """The manifest's setting: mentions in a command's text arrive as `<@U…|name>`."""
    commands: tuple[SlashCommand, ...] = ()
    """What Slack offers; `delivery` sends any command that it is told to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody Slack knows, in one workspace."""

    id: str
    name: str
    team_id: str
    standing: Standing = Standing.MEMBER
    is_deactivated: bool = False
    is_away: bool = False
    """Not looking: Slack accepts an ephemeral message for them and shows it to nobody."""
    enterprise_user_id: str | None = None
    """The same person's id in the Enterprise organisation, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroup:
    """A user group such as `@cancel-approvers`; the member list may hold guests and the gone."""

    id: str
    at_name: str
    members: tuple[str, ...] = ()
    is_disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A conversation, with the ids of everybody in it (the bot's own user too, if invited)."""

    id: str
    name: str
    members: frozenset[str] = frozenset()
    is_private: bool = False
    is_ext_shared: bool = False
    is_pending_ext_shared: bool = False
    is_archived: bool = False
    is_direct: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wants to post, before Slack gives it a `ts`."""

    text: str = ""
    blocks: tuple[Json, ...] = ()
    metadata: Json | None = None
    thread_ts: str | None = None
    is_broadcast: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One revision of a message; the last one is what people see."""

    channel: str
    ts: str
    author: str
    text: str
    blocks: tuple[Json, ...] = ()
    metadata: Json | None = None
    thread_ts: str | None = None
    """The parent's `ts` if this is a reply, otherwise nothing."""
    is_broadcast: bool = False
    is_marked_edited: bool = False
    """Whether "(edited)" stands beside it: Slack leaves that out when an edit carries blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ephemeral:
    """A message that one person saw, once."""

    channel: str
    ts: str
    user: str
    text: str
    source: Source
    blocks: tuple[Json, ...] = ()
    thread_ts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Modal:
    """An open modal: `view` holds title, blocks and metadata as the app sent them."""

    id: str
    user: str
    hash: str
    view: Json

    def shown(self, app: App, team_id: str) -> Json:
        """Return the view as Slack's API and payloads show it."""
        return self.view | {
            "id": self.id,
            "hash": self.hash,
            "team_id": team_id,
            "app_id": app.app_id,
            "app_installed_team_id": team_id,
            "bot_id": app.bot_id,
            "callback_id": self.view.get("callback_id", ""),
            "private_metadata": self.view.get("private_metadata", ""),
            "root_view_id": self.id,
        }


def shown_message(message: Message, app: App, team_id: str) -> Json:
    """Return a message as Slack's API shows it; metadata only where an app asks for it."""
    shown: Json = {
        "type": "message",
        "ts": message.ts,
        "user": message.author,
        "team": team_id,
        "text": message.text,
    }
    if message.author == app.bot_user_id:
        shown |= {"bot_id": app.bot_id, "app_id": app.app_id}
    if message.blocks:
        shown["blocks"] = list(message.blocks)
    if message.thread_ts is not None:
        shown["thread_ts"] = message.thread_ts
    if message.is_marked_edited:
        shown["edited"] = {"user": message.author, "ts": message.ts}
    return shown
