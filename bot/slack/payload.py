"""What Slack's deliveries say: who acted, from where, on what, and under which name.

Owns the reading of command, click and form payloads. The clicker's workspace is taken from
`body["user"]["team_id"]` and nowhere else: bolt's context holds the workspace that installed the
app, also for an outsider's click in a shared channel.

Shapes: Slack's pages on slash commands and interaction payloads, read 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.flow.desk import Click

Body = Mapping[str, Any]


def metadata(body: Body) -> tuple[str, str, str]:
    """Return request id, digest and channel of the card, as the form carries them."""
    parts = str((body.get("view") or {}).get("private_metadata", "")).split(":")
    return (*parts, "", "", "")[:3]  # type: ignore[return-value]


def user_id(body: Body) -> str:
    """Return who acts."""
    user = body.get("user")
    return str(user.get("id")) if isinstance(user, dict) else str(body.get("user_id"))


def team_id(body: Body) -> str | None:
    """Return the workspace of whoever acts, as Slack signed it."""
    user = body.get("user")
    if isinstance(user, dict):
        found = user.get("team_id")
        return str(found) if found else None
    return str(body["team_id"]) if body.get("team_id") else None


def channel(body: Body) -> str | None:
    """Return where somebody acted: in a channel, or in a form that a card of one opened."""
    channel = body.get("channel")
    if isinstance(channel, dict):
        return str(channel.get("id"))
    return body.get("channel_id") or metadata(body)[2] or None


def delivery(body: Body) -> str:
    """Name a delivery so that its duplicate is known: the trigger of it, else act and actor."""
    if trigger := body.get("trigger_id"):
        return f"trigger:{trigger}"
    acts = body.get("actions") or [{}]
    return f"act:{user_id(body)}:{acts[0].get('action_id')}:{acts[0].get('action_ts')}"


def as_click(body: Body, request_id: str, digest: str = "") -> Click:
    """Make one signed act on a request of a delivery."""
    user = body.get("user")
    names = user if isinstance(user, dict) else {"name": body.get("user_name")}
    return Click(
        request_id=request_id,
        digest=digest,
        user_id=user_id(body),
        team_id=team_id(body),
        delivery=delivery(body),
        name=str(names.get("username") or names.get("name") or ""),
    )
