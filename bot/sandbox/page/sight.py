"""What one person sees of the workspace, cut into parts that a page draws one by one.

Owns the names and shapes of those parts, and which of them are news. Pure. A part is one JSON
object under a name such as `message/C0INCIDENT/1700000000.000001`; what the app sent stands in it
as Slack stored it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.sandbox.slack.records import Channel, Ephemeral, Json, Message, Source, Standing, User
from bot.sandbox.slack.workspace import SLACKBOT, Workspace

Parts = Mapping[str, Json]
"""By name; a value that has not changed compares equal."""
STANDINGS = {
    Standing.GUEST: "guest",
    Standing.SINGLE_CHANNEL_GUEST: "guest of one channel",
}


def actors(workspace: Workspace) -> tuple[User, ...]:
    """Return everybody who can sign in and act."""
    return tuple(
        user
        for user in workspace.users()
        if user.standing not in {Standing.BOT, Standing.INVITED}
        and user.id != SLACKBOT
        and not user.is_deactivated
    )


def seen(workspace: Workspace, who: User) -> Parts:
    """Return all that a person's client shows: people, channels, messages, whispers, a modal."""
    found: dict[str, Json] = {"me": {"id": who.id}, "workspace": _workspace(workspace, who)}
    for channel in workspace.channels():
        if who.id not in channel.members:
            continue
        found[f"channel/{channel.id}"] = _channel(workspace, channel)
        for message in workspace.everything(channel.id):
            found[f"message/{channel.id}/{message.ts}"] = _message(message)
    for whisper in workspace.ephemerals(who.id):
        found[f"message/{whisper.channel}/{whisper.ts}"] = _whisper(whisper, workspace)
    if (modal := workspace.modals.on_screen(who.id)) is not None:
        found["modal"] = {"id": modal.id, "hash": modal.hash, "view": modal.view}
    return found


def _workspace(workspace: Workspace, who: User) -> Json:
    """Name all that a message may mention, and the app's commands: outsiders have none."""
    able = {user.id for user in actors(workspace)}
    return {
        "name": workspace.domain,
        "people": [
            {
                "id": user.id,
                "name": user.name,
                "note": ", ".join(_notes(workspace, user)),
                "is_app": user.standing is Standing.BOT,
                "can_act": user.id in able,
            }
            for user in workspace.users()
        ],
        "groups": [{"id": group.id, "name": group.at_name} for group in workspace.groups()],
        "commands": [
            {"command": one.command, "description": one.description, "hint": one.usage_hint}
            for one in workspace.app.commands
            if who.team_id == workspace.team_id
        ],
    }


def _notes(workspace: Workspace, user: User) -> Iterator[str]:
    """Say what sets somebody apart: where they are of, and their user groups."""
    if user.team_id != workspace.team_id:
        yield "another company"
    if user.standing in STANDINGS:
        yield STANDINGS[user.standing]
    yield from (f"@{group.at_name}" for group in workspace.groups() if user.id in group.members)


def _channel(workspace: Workspace, channel: Channel) -> Json:
    home = {user.id for user in workspace.users() if user.team_id == workspace.team_id}
    return {
        "id": channel.id,
        "name": channel.name,
        "members": len(channel.members),
        "is_direct": channel.is_direct,
        "is_private": channel.is_private,
        "is_shared": bool(channel.is_ext_shared and channel.members - home),
    }


def _message(message: Message) -> Json:
    return {
        "channel": message.channel,
        "ts": message.ts,
        "author": message.author,
        "text": message.text,
        "blocks": message.blocks,
        "thread": message.thread_ts,
        "is_broadcast": message.is_broadcast,
        "is_edited": message.is_marked_edited,
        "is_whisper": False,
    }


def _whisper(whisper: Ephemeral, workspace: Workspace) -> Json:
    by_slack = whisper.source is Source.SLACK
    return {
        "channel": whisper.channel,
        "ts": whisper.ts,
        "author": SLACKBOT if by_slack else workspace.app.bot_user_id,
        "text": whisper.text,
        "blocks": whisper.blocks,
        "thread": whisper.thread_ts,
        "is_broadcast": False,
        "is_edited": False,
        "is_whisper": True,
    }


class Told:
    """What one open page was told already."""

    def __init__(self) -> None:
        self._known: dict[str, Json] | None = None

    def news(self, parts: Parts) -> Json | None:
        """Return what has changed since the last call, None if nothing has.

        The first news is `fresh`: whoever hears it forgets all that it knew before.
        """
        is_fresh, known = self._known is None, self._known or {}
        changed = {
            name: part
            for name, part in parts.items()
            if known.get(name) is not part and known.get(name) != part
        }
        gone = [name for name in known if name not in parts]
        self._known = dict(parts)
        if not (is_fresh or changed or gone):
            return None
        return {"fresh": is_fresh, "set": changed, "gone": gone}
