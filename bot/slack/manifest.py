"""The app as Slack is told of it: what to paste where an app is created from a manifest.

Owns the manifest. Its scopes are those that start-up demands, so the two cannot part.

Source: https://docs.slack.dev/reference/app-manifest and the JSON schema, version 1, of
https://github.com/slackapi/manifest-schema, both read 2026-11-21.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from bot.domain.errors import UsageError
from bot.slack import connection

EVENTS = ("subteam_members_changed",)
"""What Slack tells us unasked: who left a role loses it at once, not at the next look."""
PATH = "/slack/events"
"""Where our HTTP server takes what Slack sends; of an address without a path it is meant."""
URL_CHARS_MAX = 3000
"""Slack's limit for the URL of a command; the others may be longer."""


def manifest(request_url: str | None = None) -> dict[str, Any]:
    """Return the manifest of an app by Socket Mode, or by HTTP if there is a URL for it.

    Args:
        request_url: such as `https://cancelall.example.com`, where Slack can reach our server.

    Raises:
        UsageError: Slack would take no such URL.
    """
    there = {} if request_url is None else {"request_url": _checked(request_url)}
    command = {
        "command": "/cancelall",
        "description": "Ask for all open orders to be cancelled (needs a second person)",
        "usage_hint": "[all | venue | account | tag=value] --reason why | status | help",
        "should_escape": True,
    }
    if there:
        command["url"] = there["request_url"]
    return {
        "_metadata": {"major_version": 1},
        "display_information": {
            "name": "cancelall",
            "description": "Cancels every open order once a second person agrees, and proves it.",
        },
        "features": {
            "app_home": {"home_tab_enabled": False, "messages_tab_enabled": False},
            "bot_user": {"display_name": "cancelall", "always_online": True},
            "slash_commands": [command],
        },
        "oauth_config": {"scopes": {"bot": sorted(connection.SCOPES)}},
        "settings": {
            "event_subscriptions": {**there, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **there},
            "org_deploy_enabled": False,
            "socket_mode_enabled": request_url is None,
            "token_rotation_enabled": False,
        },
    }


def _checked(url: str) -> str:
    """Return the URL with our path, if it names none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _unfit(url) from None
    is_more = "@" in parts.netloc or bool(parts.query or parts.fragment)
    is_long = len(url) + len(PATH) > URL_CHARS_MAX
    if parts.scheme != "https" or not parts.hostname or is_more or is_long or " " in url:
        raise _unfit(url)
    return url if parts.path.strip("/") else f"https://{parts.netloc}{PATH}"


def _unfit(url: str) -> UsageError:
    return UsageError(
        user_message=f'Slack cannot send to "{url[:80]}".',
        remedy=f"Name the server as Slack reaches it, such as https://cancelall.example.com{PATH}: "
        "https, and no user, query or fragment.",
    )
