"""One Socket Mode handler of slack_bolt: opened on one ticket, listened to, and ended for good.

Owns what is odd about slack_sdk's client. When it is replaced is `bot.slack.socket`'s to say.

Source: slack_sdk 3.47.0 and slack_bolt 1.30.0 as installed, read 2026-11-21.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

logger = logging.getLogger(__name__)

UNREACHED = (SlackClientError, aiohttp.ClientError, OSError)
"""What slack_sdk meets on the way to Slack; anything else is a bug of ours, and keeps its trace."""
RENEWALS = frozenset({"warning", "refresh_requested"})
"""Reasons with which Slack ends a socket every few hours; any other is news to an operator."""


@dataclass(slots=True)
class Heard:
    """What Slack said that was for the socket itself."""

    greeted: object = None
    """The websocket in which it said hello."""
    connections: int = 0
    """How many the app had then, over all its processes."""
    dismissal: str = ""
    """Why it sent us away, if not for a renewal."""
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Line:
    """A handler and what it heard."""

    handler: AsyncSocketModeHandler
    heard: Heard

    async def connect(self, ticket: str, *, limit_s: float) -> bool:
        """Open it with a ticket; tell whether Slack said hello within so many seconds.

        A handshake that fails slack_sdk repeats for ever, with the same ticket.
        """
        self.handler.client.wss_uri = ticket
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self.handler.connect_async()  # type: ignore[no-untyped-call]
                while self.heard.greeted is None and not self.heard.dismissal:
                    await self.news(limit_s)
        return self.heard.greeted is not None

    async def is_alive(self) -> bool:
        """Tell whether Slack reaches us: pings are answered, and it said hello in this socket."""
        client = self.handler.client
        return await client.is_connected() and self.heard.greeted is client.current_session

    async def news(self, longest_s: float) -> None:
        """Wait for a hello or a dismissal, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self.heard.news.wait()
        self.heard.news.clear()


@asynccontextmanager
async def line(
    app: AsyncApp, client: AsyncWebClient, *, ping_s: float, close_s: float
) -> AsyncIterator[Line]:
    """Make a handler that is not connected yet, and end it with all of its tasks.

    Args:
        app: whose listeners are called.
        client: has the app-level token.
        ping_s: between pings; a peer without an answer for half of that is dead.
        close_s: how long a peer may take to close.
    """
    handler = AsyncSocketModeHandler(
        app, app_token=client.token, logger=_log(), web_client=client, ping_interval=ping_s
    )
    handler.client.proxy = None  # No argument keeps it from reading the environment.
    heard = Heard()

    async def listen(frame: aiohttp.WSMessage) -> None:
        _take(frame, handler.client.current_session, heard)

    handler.client.on_message_listeners.append(listen)
    try:
        yield Line(handler, heard)
    finally:
        try:
            async with asyncio.timeout(close_s):
                await handler.close_async()  # type: ignore[no-untyped-call]
        except UNREACHED:  # Such as TimeoutError: from a silent peer it waits for a goodbye.
            logger.debug("socket.abandoned")
        finally:
            await _end(handler.client)


async def _end(client: SocketModeClient) -> None:
    """End what `close()` has not come to."""
    running = (
        client.message_processor,
        client.current_session_monitor,
        client.message_receiver,
    )
    for task in running:
        if task is not None:
            task.cancel()
    await client.aiohttp_client_session.close()


def _take(frame: aiohttp.WSMessage, session: object, heard: Heard) -> None:
    """Read what is for the socket itself.

    Shape: `{"type":"hello","num_connections":2,…}` or `{"type":"disconnect","reason":"warning",…}`.
    """
    try:
        said = json.loads(frame.data)
    except ValueError:
        return
    match said:
        case {"type": "hello"}:
            heard.greeted = session
            heard.connections = int(said.get("num_connections") or 0)
        case {"type": "disconnect"}:
            reason = str(said.get("reason"))
            heard.dismissal = "" if reason in RENEWALS else reason
        case _:
            return
    heard.news.set()


def _log() -> logging.Logger:
    """Return a logger for slack_sdk, which else logs whole commands, and URLs with their ticket."""
    found = logging.getLogger("slack_sdk.socket_mode.ours")
    found.setLevel(logging.WARNING)
    found.addFilter(_shorten)
    return found


def _shorten(record: logging.LogRecord) -> bool:
    """Make one short line of trouble on the way."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None or isinstance(error, UNREACHED):
        why = type(error).__name__ if error else record.funcName
        short = {"levelno": logging.WARNING, "levelname": "WARNING", "msg": "socket.troubled"}
        vars(record).update(short, args=(), exc_info=None, why=why)
    return True
