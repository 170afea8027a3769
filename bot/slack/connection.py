"""The connection to Slack: client, bolt app, and what the token may do.

Owns how we reach Slack and how Slack reaches us over HTTP, and what of an answer is none. Never
decides, never draws.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.domain.errors import ConfigError

logger = logging.getLogger(__name__)

SCOPES = frozenset(
    {"commands", "chat:write", "users:read", "usergroups:read", "channels:read", "groups:read"}
)
"""What this program calls: nothing else is asked for."""
UNREADABLE = (
    *(SlackClientError, aiohttp.ClientError, OSError),
    *(ValueError, TypeError, AttributeError, LookupError),
)
"""What a call raises when no answer came, or one that slack_sdk trips over, such as plain text."""
RETRY_AFTER_S_MAX = 60.0
"""Slack counts by the minute: a longer rest is a slip that must not disarm us for a day."""
CALL_S = 8.0
"""Total seconds of one Slack call; slack_sdk ignores its own timeout once a session is shared."""
REFUSED = frozenset(
    {
        "access_denied",
        "account_inactive",
        "forbidden_team",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "token_expired",
        "token_revoked",
    }
)
"""What Slack says of a token that no waiting mends; after any other word it is asked again.

https://docs.slack.dev/reference/methods/auth.test#errors and apps.connections.open#errors, read
2026-11-21.
"""
AGAIN_S, AGAIN_S_MAX = 1.0, 10.0
"""Seconds until Slack is asked again who we are: doubled each time, up to the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One of the two tokens that Slack gives an app, as an operator knows it."""

    key: str
    """Where the config says what it is."""
    name: str
    form: str
    mend: str
    """What to do once Slack refuses it."""


BOT_TOKEN = Token(
    key="slack.bot_token",
    name="bot token",
    form="xoxb-…",
    mend="Install the app again and store its Bot User OAuth Token.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who we are at Slack, as `auth.test` says."""

    team_id: str
    bot_user_id: str
    bot_id: str
    url: str
    """Of the workspace, such as `https://desk.slack.com/`: messages are linked under it."""
    scopes: frozenset[str] = frozenset()
    """What the token may do: all that we need, and perhaps more."""


def word_of(error: SlackApiError) -> str:
    """Return Slack's word for an error, such as `invalid_auth`; empty if its body is not JSON."""
    found = getattr(error.response, "data", None)  # A body cut short: aiohttp's own response.
    return str(found.get("error", "")) if isinstance(found, dict) else ""


def status_of(error: SlackApiError) -> int:
    """Return the HTTP status of an error."""
    reply = error.response
    return getattr(reply, "status_code", None) or getattr(reply, "status", None) or 0


def is_throttled(error: SlackApiError) -> bool:
    """Tell whether Slack wants this method left alone for a while."""
    return status_of(error) == HTTPStatus.TOO_MANY_REQUESTS or word_of(error) == "ratelimited"


def retry_after_s(error: SlackApiError, *, otherwise: float) -> float:
    """Return how long Slack wants to be left alone, bounded; `otherwise` if it does not say."""
    told = str(error.response.headers.get("Retry-After", ""))
    return min(float(told), RETRY_AFTER_S_MAX) if told.isdecimal() else otherwise


@asynccontextmanager
async def open_client(
    token: str, api_url: str, *, kind: Token = BOT_TOKEN, call_s: float = CALL_S
) -> AsyncIterator[AsyncWebClient]:
    """Open a client on one shared session, without slack_sdk's own retries and proxies.

    Its connection-error retry posts a message twice when only the reply was lost; whatever
    HTTPS_PROXY names it would use even for an address that NO_PROXY excludes.

    Args:
        token: empty if it is not known yet; then `arm()` gives it later.
        api_url: with its slash, such as `https://slack.com/api/`.
        kind: which of Slack's tokens it is.
        call_s: how long one call may take in all.

    Raises:
        ConfigError: no HTTP header can carry such a token.
    """
    timeout = aiohttp.ClientTimeout(total=call_s)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        client = AsyncWebClient(base_url=api_url, session=session, retry_handlers=[])
        client.proxy = None  # No argument keeps it from reading the environment.
        arm(client, token, kind=kind)
        yield client


def arm(client: AsyncWebClient, token: str, *, kind: Token = BOT_TOKEN) -> None:
    """Give a client its token.

    Raises:
        ConfigError: no HTTP header can carry such a token.
    """
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigError(
            user_message=f"{kind.key} holds a blank, a line break or another odd character.",
            remedy=f"Store the token alone: one word, such as {kind.form}.",
        )
    client.token = token


def hook(client: AsyncWebClient, url: str) -> AsyncWebhookClient:
    """Make what answers by a response URL, on the client's session and by its rules."""
    found = AsyncWebhookClient(url=url, session=client.session, retry_handlers=[])
    found.proxy = None
    return found


async def identify(client: AsyncWebClient, *, again_s: float = AGAIN_S) -> Identity:
    """Ask Slack who we are, and whether the token's scopes suffice, until it answers.

    Raises:
        ConfigError: the token is refused, or scopes are missing; names them.
    """
    return _identity(await ask(client, "auth.test", BOT_TOKEN, again_s=again_s))


async def ask(
    client: AsyncWebClient, method: str, kind: Token, *, again_s: float = AGAIN_S
) -> AsyncSlackResponse:
    """Call a method without arguments until Slack answers, ever more rarely.

    Raises:
        ConfigError: Slack refuses the token, or there can be no Slack at the API's address.
    """
    while True:
        try:
            return await client.api_call(method)
        except SlackApiError as error:
            why, told_s = _judged(error, kind)
        except aiohttp.InvalidURL:
            raise ConfigError(
                user_message=f'slack.api_url "{client.base_url}" is no URL.',
                remedy="Write https://slack.com/api/, or leave it out.",
            ) from None
        except UNREADABLE as error:
            why, told_s = type(error).__name__, 0.0
        wait_s = max(told_s, again_s)
        facts = {"api_url": client.base_url, "why": why, "again_s": wait_s}
        logger.warning("slack.unreachable", extra=facts)
        await asyncio.sleep(wait_s)
        again_s = min(AGAIN_S_MAX, 2 * again_s)


def _judged(error: SlackApiError, kind: Token) -> tuple[str, float]:
    """Return why Slack did not answer, and the seconds that it wants to be left alone.

    Raises:
        ConfigError: it did answer: the token is refused.
    """
    word = word_of(error)
    if word in REFUSED:
        raise ConfigError(
            user_message=f"Slack refuses the {kind.name} ({word}).", remedy=kind.mend
        ) from None
    return word or f"HTTP {status_of(error)}", retry_after_s(error, otherwise=0.0)


def _identity(reply: AsyncSlackResponse) -> Identity:
    granted = _granted(reply.headers)
    if missing := sorted(SCOPES - granted):
        raise ConfigError(
            user_message=f"The bot token lacks the scope {', '.join(missing)}.",
            remedy="Add it to the app's bot scopes and install the app again.",
        )
    if not reply.get("bot_id"):
        raise ConfigError(
            user_message="slack.bot_token is not a bot's token.",
            remedy="Store the app's Bot User OAuth Token, xoxb-….",
        )
    if unused := sorted(granted - SCOPES):
        logger.warning("scopes.unused", extra={"scopes": unused})
    return Identity(
        team_id=str(reply["team_id"]),
        bot_user_id=str(reply["user_id"]),
        bot_id=str(reply["bot_id"]),
        url=str(reply.get("url", "")),
        scopes=granted,
    )


def _granted(headers: Mapping[str, str]) -> frozenset[str]:
    told = str(headers.get("x-oauth-scopes", "")).split(",")
    return frozenset(scope.strip() for scope in told) - {""}


async def check_channel(client: AsyncWebClient, channel: str) -> None:
    """Warn if no card can stand in the incident channel; that may be mended while we run."""
    try:
        reply = await client.api_call("conversations.info", params={"channel": channel})
    except SlackApiError as error:
        why = word_of(error) or "no answer"
    except UNREADABLE as error:
        why = type(error).__name__
    else:
        found = reply.get("channel") or {}
        is_member = "" if found.get("is_member") else "not_in_channel"
        why = "is_archived" if found.get("is_archived") else is_member
    if why:
        logger.warning("channel.unusable", extra={"channel": channel, "why": why})


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

    logging.getLogger(f"slack_bolt.{AsyncApp.__name__}").addFilter(_is_news)
    return AsyncApp(
        name="cancelall",  # Else bolt asks the source of every frame on the stack for one.
        client=client,
        signing_secret=signing_secret,
        authorize=authorize,
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Keep back bolt's warning that a token "will be ignored": `authorize` has the same one."""
    return not record.getMessage().endswith(("will be ignored.", "will be unused."))
