"""The payloads that Slack sends to an app: command, click, submitted modal, event.

Owns their shapes (https://docs.slack.dev/reference/interaction-payloads). The installing workspace
stands in `team`; whose the clicker is stands only in `user.team_id`. Pure but for the names that a
workspace knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.sandbox.slack.records import (
    Channel,
    Ephemeral,
    Json,
    Message,
    Modal,
    User,
    shown_message,
)
from bot.sandbox.slack.workspace import Workspace

DEAD_TOKEN = "unused-verification-token"  # noqa: S105 - Slack still sends the field; it proves nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who acts, with what Slack hands to the app for answering."""

    user: User
    trigger_id: str
    response_url: str = ""


def slash(
    workspace: Workspace, person: Person, channel: Channel, command: str, text: str
) -> dict[str, str]:
    """Return the form of a slash command."""
    fields = {
        "token": DEAD_TOKEN,
        "team_id": person.user.team_id,
        "team_domain": workspace.domain,
        "channel_id": channel.id,
        "channel_name": _channel_name(channel),
        "user_id": person.user.id,
        "user_name": person.user.name,
        "command": command,
        "text": escaped_text(workspace, text),
        "api_app_id": workspace.app.app_id,
        "is_enterprise_install": "false",
        "response_url": person.response_url,
        "trigger_id": person.trigger_id,
    }
    if workspace.enterprise_id is not None:
        fields |= {"enterprise_id": workspace.enterprise_id, "enterprise_name": "sandbox-org"}
    return fields


def escaped_text(workspace: Workspace, typed: str) -> str:
    """Return a command's text as it arrives: entities escaped, known @names and #names as ids."""
    text = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if not workspace.app.should_escape:
        return text

    def person(match: re.Match[str]) -> str:
        user = workspace.find_user(match[1])
        return f"<@{user.id}|{user.name}>" if user else match[0]

    def place(match: re.Match[str]) -> str:
        channel = workspace.find_channel(match[1])
        return f"<#{channel.id}|{channel.name}>" if channel else match[0]

    text = re.sub(r"(?<!\S)@([\w-]+(?:\.[\w-]+)*)", person, text)
    return re.sub(r"(?<!\S)#([\w-]+)", place, text)


def block_actions(
    workspace: Workspace,
    person: Person,
    channel: Channel,
    seen: Message | Ephemeral,
    action: Json,
) -> Json:
    """Return the payload of a click on a button of a message."""
    is_ephemeral = isinstance(seen, Ephemeral)
    container: Json = {
        "type": "message",
        "message_ts": seen.ts,
        "channel_id": channel.id,
        "is_ephemeral": is_ephemeral,
    }
    if seen.thread_ts is not None:
        container["thread_ts"] = seen.thread_ts
    payload = _interaction(workspace, person, "block_actions") | {
        "container": container,
        "channel": {"id": channel.id, "name": _channel_name(channel)},
        "state": {"values": {}},
        "response_url": person.response_url,
        "actions": [{**action, "action_ts": workspace.next_ts()}],
    }
    if isinstance(seen, Message):
        payload["message"] = shown_message(seen, workspace.app, workspace.team_id)
    return payload


def view_submission(
    workspace: Workspace, person: Person, modal: Modal, values: dict[str, dict[str, Json]]
) -> Json:
    """Return the payload of a submitted modal; `values` is block id, then action id."""
    view = modal.shown(workspace.app, workspace.team_id) | {"state": {"values": values}}
    return _interaction(workspace, person, "view_submission") | {"view": view, "response_urls": []}


def view_closed(workspace: Workspace, person: Person, modal: Modal) -> Json:
    """Return the payload of a modal closed without submitting."""
    payload = _interaction(workspace, person, "view_closed")
    del payload["trigger_id"]
    shown = modal.shown(workspace.app, workspace.team_id)
    return payload | {"view": shown, "is_cleared": False}


def event_callback(workspace: Workspace, event: Json) -> Json:
    """Return the envelope of an event, such as `{"type": "subteam_members_changed", …}`."""
    now = workspace.now()
    return {
        "token": DEAD_TOKEN,
        "team_id": workspace.team_id,
        "api_app_id": workspace.app.app_id,
        "event": {"event_ts": workspace.next_ts(), **event},
        "type": "event_callback",
        "event_id": f"Ev{workspace.next_ts().replace('.', '')}",
        "event_time": int(now),
        "authorizations": [
            {
                "enterprise_id": workspace.enterprise_id,
                "team_id": workspace.team_id,
                "user_id": workspace.app.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }


def _interaction(workspace: Workspace, person: Person, kind: str) -> Json:
    team: Json = {"id": workspace.team_id, "domain": workspace.domain}
    enterprise = None
    if workspace.enterprise_id is not None:
        team |= {"enterprise_id": workspace.enterprise_id, "enterprise_name": "sandbox-org"}
        enterprise = {"id": workspace.enterprise_id, "name": "sandbox-org"}
    user = person.user
    return {
        "type": kind,
        "team": team,
        "user": {
            "id": user.id,
            "username": user.name,
            "name": user.name,
            "team_id": user.team_id,
        },
        "api_app_id": workspace.app.app_id,
        "token": DEAD_TOKEN,
        "trigger_id": person.trigger_id,
        "enterprise": enterprise,
        "is_enterprise_install": False,
    }


def _channel_name(channel: Channel) -> str:
    """Name a channel as payloads do: a private one is not named."""
    return "privategroup" if channel.is_private and not channel.is_direct else channel.name
