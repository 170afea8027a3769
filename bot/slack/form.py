"""The form that asks for a denial's reason: what it says, and whether it is open.

Owns the view and what Slack's answer to it means. A trigger lives for three seconds and works once,
so one that is used up says that the form is open although the reply was lost.

Source: https://docs.slack.dev/reference/methods/views.open, read 2026-11-21.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from enum import Enum
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack import connection

logger = logging.getLogger(__name__)

OPEN_S, TRIES, PAUSE_S = 2.5, 4, 0.2
"""Seconds that Slack has to open it, how often it is asked, and the pause between."""


class Form(Enum):
    """What became of it."""

    OPEN = "it is open"
    LATE = "the click was too long ago"
    REFUSED = "Slack will not open it"
    UNKNOWN = "it may be open"


async def opened(client: AsyncWebClient, trigger: str, view: Mapping[str, Any]) -> Form:
    """Have Slack open the form, and ask again after each failure as long as the trigger lives."""
    outcome = Form.UNKNOWN
    try:
        async with asyncio.timeout(OPEN_S):
            for _ in range(TRIES):
                outcome = Form.UNKNOWN
                outcome = await _asked(client, trigger, view)
                if outcome in {Form.OPEN, Form.LATE}:
                    break
                await asyncio.sleep(PAUSE_S)
    except TimeoutError:
        logger.warning("form.lost", extra={"why": "no answer in time"})
    return outcome


async def _asked(client: AsyncWebClient, trigger: str, view: Mapping[str, Any]) -> Form:
    """Ask once, and say what that tells."""
    try:
        await client.api_call("views.open", json={"trigger_id": trigger, "view": view})
    except SlackApiError as error:
        word = connection.word_of(error)
        if "exchanged" in word:
            return Form.OPEN
        if "expired" in word:
            return Form.LATE
        logger.warning("form.lost", extra={"why": word or f"HTTP {connection.status_of(error)}"})
        return Form.REFUSED
    except connection.UNREADABLE as error:
        logger.warning("form.lost", extra={"why": type(error).__name__})
        return Form.UNKNOWN
    return Form.OPEN


def deny_form(callback_id: str, metadata: str, request_id: str) -> dict[str, Any]:
    """Draw the form that asks for a denial's reason."""
    return {
        "type": "modal",
        "callback_id": callback_id,
        "private_metadata": metadata,
        "title": {"type": "plain_text", "text": f"Deny {request_id}"},
        "submit": {"type": "plain_text", "text": "Deny"},
        "close": {"type": "plain_text", "text": "Go back"},
        "blocks": [
            {
                "type": "input",
                "block_id": "why",
                "label": {"type": "plain_text", "text": "Why? Everybody in the channel reads it."},
                "element": {"type": "plain_text_input", "action_id": "reason", "max_length": 500},
            }
        ],
    }


def reason(view: Mapping[str, Any]) -> str:
    """Return what was typed into the form, or an empty string."""
    values = (view.get("state") or {}).get("values") or {}
    return str(((values.get("why") or {}).get("reason") or {}).get("value") or "")
