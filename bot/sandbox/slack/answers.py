"""What an app answers outside the Web API: an ack's body, or a post to a response_url.

Owns where such an answer lands: with one person, in the channel, or in place of the original.
"""

from __future__ import annotations

from dataclasses import replace

from bot.sandbox.slack import chat
from bot.sandbox.slack.directory import is_true
from bot.sandbox.slack.records import Draft, Json, Source
from bot.sandbox.slack.refusal import Refused
from bot.sandbox.slack.tickets import ResponseUrl
from bot.sandbox.slack.workspace import Workspace


def give(workspace: Workspace, where: ResponseUrl, body: Json, source: Source) -> None:
    """Bring one answer to where it belongs; the bot need not be in that channel.

    Raises:
        Refused: Slack takes no such answer; nothing is shown then.
    """
    if is_true(body.get("delete_original")):
        _change_original(workspace, where, None)
        return
    draft = chat.checked_draft(workspace, body)
    if not draft.text and not draft.blocks:
        raise Refused("no_text")
    if is_true(body.get("replace_original")) and where.message_ts is not None:
        _change_original(workspace, where, draft)
    elif body.get("response_type") == "in_channel":
        workspace.post(where.channel, workspace.app.bot_user_id, draft)
    else:
        workspace.whisper(where.user, where.channel, draft, source)


def _change_original(workspace: Workspace, where: ResponseUrl, draft: Draft | None) -> None:
    ts = where.message_ts
    if ts is None:
        raise Refused("invalid_request")
    if (message := workspace.message(where.channel, ts)) is not None:
        if draft is None:
            workspace.delete(where.channel, ts)
        else:
            workspace.revise(replace(message, text=draft.text, blocks=draft.blocks))
        return
    seen = next((one for one in workspace.ephemerals(where.user) if one.ts == ts), None)
    if seen is None:
        raise Refused("message_not_found")
    fresh = None if draft is None else replace(seen, text=draft.text, blocks=draft.blocks)
    workspace.replace_ephemeral(ts, fresh)
