"""The chat.* methods: post, update, whisper, link.

Owns what Slack refuses to post or edit and what an edit does to the parts it leaves out
(https://docs.slack.dev/reference/methods/chat.update). One refused block and nothing is posted.
"""

from __future__ import annotations

from dataclasses import replace

from bot.sandbox.slack import blocks as block_kit
from bot.sandbox.slack import directory
from bot.sandbox.slack.records import Channel, Draft, Json, Message, Source, shown_message
from bot.sandbox.slack.refusal import Refused
from bot.sandbox.slack.workspace import Workspace

POST_TEXT_MAX = 40_000
UPDATE_TEXT_MAX = 4_000


def post_message(workspace: Workspace, args: Json) -> Json:
    """Answer chat.postMessage."""
    channel = _place(workspace, args)
    draft = checked_draft(workspace, args)
    if not draft.text and not draft.blocks:
        raise Refused("no_text")
    if draft.thread_ts is not None:
        parent = workspace.message(channel.id, draft.thread_ts)
        if parent is None:
            raise Refused("thread_not_found")
        if parent.thread_ts is not None:
            raise Refused("cannot_reply_to_message")
    message = workspace.post(channel.id, workspace.app.bot_user_id, draft)
    shown = shown_message(message, workspace.app, workspace.team_id)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


def update(workspace: Workspace, args: Json) -> Json:
    """Answer chat.update: text alone takes the blocks away, blocks alone keep the text."""
    channel = _place(workspace, args)
    known = workspace.message(channel.id, str(args.get("ts", "")))
    if known is None:
        raise Refused("message_not_found")
    if known.author != workspace.app.bot_user_id:
        raise Refused("cant_update_message")
    if len(str(args.get("text") or "")) > UPDATE_TEXT_MAX:
        raise Refused("msg_too_long")
    draft = checked_draft(workspace, args)
    fresh = _edited(known, args, draft)
    if not fresh.text and not fresh.blocks:
        raise Refused("no_text")
    workspace.revise(fresh)
    shown = shown_message(fresh, workspace.app, workspace.team_id)
    return {"channel": channel.id, "ts": fresh.ts, "text": fresh.text, "message": shown}


def _edited(known: Message, args: Json, draft: Draft) -> Message:
    has_text = args.get("text") is not None
    has_blocks = args.get("blocks") is not None
    if not has_text and not has_blocks:
        raise Refused("no_text")
    metadata = known.metadata if args.get("metadata") is None else draft.metadata
    return replace(
        known,
        text=draft.text if has_text else known.text,
        blocks=draft.blocks,
        metadata=metadata,
        is_marked_edited=known.is_marked_edited or not draft.blocks,
    )


def post_ephemeral(workspace: Workspace, args: Json) -> Json:
    """Answer chat.postEphemeral; somebody away never sees it, and Slack does not say so."""
    channel = _place(workspace, args)
    user = workspace.user(str(args.get("user", "")))
    if user is None or user.is_deactivated or user.id not in channel.members:
        raise Refused("user_not_in_channel")
    draft = checked_draft(workspace, args)
    if not draft.text and not draft.blocks:
        raise Refused("no_text")
    if user.is_away:
        return {"message_ts": workspace.next_ts()}
    seen = workspace.whisper(user.id, channel.id, draft, Source.POST)
    return {"message_ts": seen.ts}


def get_permalink(workspace: Workspace, args: Json) -> Json:
    """Answer chat.getPermalink."""
    channel = directory.visible_channel(workspace, str(args.get("channel", "")))
    message = workspace.message(channel.id, str(args.get("message_ts", "")))
    if message is None:
        raise Refused("message_not_found")
    link = f"https://{workspace.domain}.slack.com/archives/{channel.id}/p"
    link += message.ts.replace(".", "")
    if message.thread_ts is not None:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def checked_draft(workspace: Workspace, args: Json) -> Draft:
    """Read text, blocks and metadata from a call.

    Raises:
        Refused: `invalid_blocks` and its kin; nothing may be posted then.
    """
    text = str(args.get("text") or "")[:POST_TEXT_MAX]
    given = args.get("blocks")
    blocks: tuple[Json, ...] = ()
    if given is not None:
        if not isinstance(given, list):
            raise Refused("invalid_blocks_format")
        if found := block_kit.complaints(given):
            raise Refused("invalid_blocks", found)
        if block_kit.chars_together(given) > block_kit.CHARS_TOGETHER_MAX:
            raise Refused("msg_blocks_too_long")
        blocks = block_kit.with_ids(given, prefix=workspace.next_ts().replace(".", ""))
    thread_ts = args.get("thread_ts")
    return Draft(
        text=text,
        blocks=blocks,
        metadata=_checked_metadata(args.get("metadata")),
        thread_ts=None if thread_ts is None else str(thread_ts),
        is_broadcast=directory.is_true(args.get("reply_broadcast")),
    )


def _checked_metadata(metadata: object) -> Json | None:
    if metadata is None or metadata == {}:
        return None
    if not isinstance(metadata, dict):
        raise Refused("invalid_metadata_format")
    event_type, payload = metadata.get("event_type"), metadata.get("event_payload")
    if not isinstance(event_type, str) or not isinstance(payload, dict):
        raise Refused("invalid_metadata_format")
    return metadata


def _place(workspace: Workspace, args: Json) -> Channel:
    """Return the channel to write to; a person's id means the conversation with them."""
    wanted = str(args.get("channel", ""))
    if wanted[:1] in {"U", "W"} and (user := workspace.user(wanted)) is not None:
        return workspace.open_direct(user)
    channel = directory.visible_channel(workspace, wanted)
    if workspace.app.bot_user_id not in channel.members:
        raise Refused("not_in_channel")
    if channel.is_archived:
        raise Refused("is_archived")
    return channel
