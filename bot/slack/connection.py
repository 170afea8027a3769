"""The connection to Slack: client, bolt app, and what the token may do.

Owns how we reach Slack and how Slack reaches us over HTTP. Never decides, never draws.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import ConfigError

SCOPES = frozenset(
    {"commands", "chat:write", "users:read", "usergroups:read", "channels:read", "groups:read"}
)
"""What this program calls: nothing else is asked for."""
CALL_S = 8.0
"""Total seconds of one Slack call; slack_sdk ignores its own timeout once a session is shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who we are at Slack, as `auth.test` says."""

    team_id: str
    bot_user_id: str
    bot_id: str
    url: str
    """Of the workspace, such as `https://desk.slack.com/`: messages are linked under it."""


def word_of(error: SlackApiError) -> str:
    """Return Slack's word for an error, such as `invalid_auth`; empty if its body is not JSON."""
    found = error.response.data
    return str(found.get("error", "")) if isinstance(found, dict) else ""


@asynccontextmanager
async def open_client(token: str, api_url: str) -> AsyncIterator[AsyncWebClient]:
    """Open a client on one shared session, without slack_sdk's own retries.

    Its connection-error retry posts a message twice when only the reply was lost.
    """
    timeout = aiohttp.ClientTimeout(total=CALL_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        yield AsyncWebClient(token=token, base_url=api_url, session=session, retry_handlers=[])


async def identify(client: AsyncWebClient) -> Identity:
    """Ask Slack who we are, and whether the token's scopes suffice.

    Raises:
        ConfigError: the token is refused, or scopes are missing; names them.
    """
    try:
        reply = await client.api_call("auth.test")
    except SlackApiError as error:
        raise ConfigError(
            user_message=f"Slack refuses the bot token: {word_of(error)}.",
            remedy="Install the app again and store its Bot User OAuth Token.",
        ) from None
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise ConfigError(
            user_message="Slack's API cannot be reached.",
            remedy="Check slack.api_url and the way out to it.",
        ) from None
    granted = {scope.strip() for scope in str(reply.headers.get("x-oauth-scopes", "")).split(",")}
    if missing := sorted(SCOPES - granted):
        raise ConfigError(
            user_message=f"The bot token lacks the scope {', '.join(missing)}.",
            remedy="Add it to the app's bot scopes and install the app again.",
        )
    return Identity(
        team_id=str(reply["team_id"]),
        bot_user_id=str(reply["user_id"]),
        bot_id=str(reply["bot_id"]),
        url=str(reply.get("url", "")),
    )


def build_app(client: AsyncWebClient, signing_secret: str, me: Identity, token: str) -> AsyncApp:
    """Build the bolt app. Its authorisation is fixed: no call to Slack inside its three seconds."""
    known = AuthorizeResult(
        enterprise_id=None,
        team_id=me.team_id,
        bot_user_id=me.bot_user_id,
        bot_id=me.bot_id,
        bot_token=token,
    )

    async def authorize(**_: object) -> AuthorizeResult:
        return known

    return AsyncApp(client=client, signing_secret=signing_secret, authorize=authorize)
