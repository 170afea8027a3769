"""Socket Mode: Slack reaches us through sockets that we open, so that no port of ours is open.

Owns the sockets, the tickets that open them, and the watchdog. Never decides, never draws.

slack_sdk 3.47.0 mends most losses by itself, with a gap: it closes the old socket before it opens
the next. Three it does not mend: it offers a ticket that has died again for ever, it trusts a
handshake that no `hello` follows, and nothing limits how long it waits. So each socket has a
watchdog that throws the whole handler away, and there are two: while one is renewed, the other
hears. What Slack sends into a socket that is dead without notice is lost all the same.

Sources, read 2026-11-21: https://docs.slack.dev/apis/events-api/using-socket-mode,
https://docs.slack.dev/reference/methods/apps.connections.open, and the source of slack_sdk and
slack_bolt.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from yarl import URL

from bot.domain.errors import ConfigError
from bot.slack import connection, websocket
from bot.slack.connection import Token
from bot.slack.websocket import Heard, Line

logger = logging.getLogger(__name__)

APP_TOKEN = Token(
    key="slack.app_token",
    name="app-level token",
    form="xapp-…",
    mend="Make one with the scope connections:write under Basic Information of the app, store it, "
    "and switch Socket Mode on.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often and how long, in seconds; a test is in more of a hurry."""

    sockets: int = 2
    """Slack allows an app ten, over all its processes; each payload goes to any one of them."""
    ping_s: float = 4.0
    """Between pings. A peer without an answer for half as long again is dead: after 6 s."""
    watch_s: float = 1.0
    connect_s: float = 6.0
    """For one ticket: from the first try until Slack has said hello."""
    patience_s: float = 12.0
    """How long slack_sdk may mend a socket that was alive, before the handler is replaced."""
    close_s: float = 2.0
    again_s: float = 1.0
    again_s_max: float = 8.0
    """Until the next ticket: doubled each time that one came to nothing, up to the second."""
    refused_again_s: float = 60.0
    """Until a token is tried again that Slack has refused while we run."""
    stagger_s: float = 4.0
    """Within which the second socket is opened: many at once Slack has been seen to refuse."""


PACE = Pace()


class Supervise(Protocol):
    """Starts work again when a bug broke it: `bot.background.supervise`."""

    def __call__(
        self, name: str, factory: Callable[[], Coroutine[Any, Any, None]], *, mend_s: float
    ) -> Coroutine[Any, Any, None]:
        """Do the work."""


class Ear:
    """Whether Slack reaches us, asked of the sockets themselves."""

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        """When that last changed, aware UTC."""
        self._live: set[int] = set()
        self._opened = asyncio.Event()
        self._level = logging.WARNING

    @property
    def is_connected(self) -> bool:
        """Whether one socket at least is alive; up to `ping_s` * 1.5 + `watch_s` late."""
        return bool(self._live)

    @property
    def sockets(self) -> int:
        """How many sockets are alive."""
        return len(self._live)

    async def opened(self) -> None:
        """Wait until Slack reaches us for the first time."""
        await self._opened.wait()

    def leave(self) -> None:
        """Take note that the sockets will now be closed by us: no reason to warn."""
        self._level = logging.INFO

    def note(self, number: int, state: Heard | None) -> None:
        """Take note that one socket is alive, or with None that it is not."""
        before = self.is_connected
        if (state is not None) == (number in self._live):
            return
        facts = {"socket": number}
        if state is None:
            self._live.discard(number)
            logger.log(self._level, "socket.lost", extra=facts | {"left": self.sockets})
        else:
            self._live.add(number)
            self._opened.set()
            logger.info("socket.opened", extra=facts | {"connections": state.connections})
        if self.is_connected != before:
            self.since = datetime.now(UTC)


@asynccontextmanager
async def listening(
    app: AsyncApp, client: AsyncWebClient, supervise: Supervise, *, pace: Pace = PACE
) -> AsyncIterator[Ear]:
    """Hear Slack until the context ends; it is entered once one socket is open.

    Args:
        app: whose listeners are called.
        client: one of its own, with the app-level token (`connection.open_client(…,
            kind=APP_TOKEN)`).
        supervise: starts a socket's watchdog again if it breaks.
        pace: how often and how long.

    Raises:
        ConfigError: Slack refuses the token at start. Later that is logged, and tried again: runs
            must go on.
    """
    ear, ticket = Ear(), await _ticket(client, pace)
    async with asyncio.TaskGroup() as group:
        sockets = [_Socket(n, app, client, pace, ear) for n in range(1, pace.sockets + 1)]
        sockets[0].ticket = ticket
        tasks = [
            group.create_task(supervise("socket", partial(_keep, each), mend_s=pace.again_s))
            for each in sockets
        ]
        try:
            await ear.opened()
            yield ear
        finally:
            ear.leave()
            for task in tasks:
                task.cancel()


@dataclass(slots=True)
class _Socket:
    """One of the sockets, over all the handlers that it takes."""

    number: int
    app: AsyncApp
    client: AsyncWebClient
    pace: Pace
    ear: Ear
    ticket: str = ""
    """In hand for the next handler."""


async def _keep(socket: _Socket) -> None:
    """Keep one socket open: a new handler on a new ticket, as often as it takes."""
    pace = socket.pace
    again_s = pace.again_s
    if not socket.ticket:
        await asyncio.sleep(_up_to(pace.stagger_s))
    while True:
        try:
            socket.ticket = socket.ticket or await _ticket(socket.client, pace)
            was_alive = await _live(socket)
        except ConfigError as error:
            facts = {"why": error.user_message, "remedy": error.remedy}
            logger.error("socket.refused", extra=facts)  # noqa: TRY400 - nothing broke here.
            await asyncio.sleep(pace.refused_again_s)
            continue
        again_s = pace.again_s if was_alive else min(pace.again_s_max, 2 * again_s)
        await asyncio.sleep(_up_to(again_s))


def _up_to(longest_s: float) -> float:
    """Draw a wait, so that processes that lost Slack together do not come back together."""
    return random.SystemRandom().uniform(longest_s / 2, longest_s)


async def _ticket(client: AsyncWebClient, pace: Pace) -> str:
    """Ask for the URL of one socket, good for one handshake, until Slack gives one.

    Shape: `{"ok":true,"url":"wss://wss-primary.slack.com/link/?ticket=…&app_id=…"}`.

    Raises:
        ConfigError: Slack refuses the token.
    """
    while True:
        reply = await connection.ask(
            client, "apps.connections.open", APP_TOKEN, again_s=pace.again_s
        )
        url = str(reply.get("url", ""))
        if _is_private(url, client.base_url):
            return url
        logger.warning("slack.unreachable", extra={"why": "no wss URL", "again_s": pace.again_s})
        await asyncio.sleep(pace.again_s)


def _is_private(url: str, api_url: str) -> bool:
    """Tell whether a socket is encrypted, if the API is: commands and answers go through it."""
    with suppress(ValueError):
        wanted = {"https": "wss", "http": "ws"}
        return URL(url).scheme in {"wss", wanted.get(URL(api_url).scheme)}
    return False


async def _live(socket: _Socket) -> bool:
    """Hear Slack through one handler until it is beyond mending; tell whether it ever heard."""
    pace = socket.pace
    ticket, socket.ticket = socket.ticket, ""
    opened = websocket.line(socket.app, socket.client, ping_s=pace.ping_s, close_s=pace.close_s)
    async with opened as line:
        was_alive = await line.connect(ticket, limit_s=pace.connect_s)
        try:
            if was_alive:
                await _watch(socket, line)
        finally:
            socket.ear.note(socket.number, None)
    if line.heard.dismissal:
        logger.warning("socket.dismissed", extra={"why": line.heard.dismissal})
    return was_alive and not line.heard.dismissal


async def _watch(socket: _Socket, line: Line) -> None:
    """Ask a handler again and again whether it hears, until it has not for too long."""
    pace, deaf_s = socket.pace, 0.0
    while deaf_s < pace.patience_s and not line.heard.dismissal:
        is_alive = await line.is_alive()
        socket.ear.note(socket.number, line.heard if is_alive else None)
        deaf_s = 0.0 if is_alive else deaf_s + pace.watch_s
        await line.news(pace.watch_s)
