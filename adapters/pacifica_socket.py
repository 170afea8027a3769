"""The WebSocket to Pacifica: one warm connection, always open, and never waited for.

Owns `WarmSocket`, which opens connections, keeps them awake and replaces them, and matches answers
to calls. Never signs, never judges an answer, never sends a call twice: whoever gets none from here
asks over HTTP.

Pacifica closes a connection on which nothing was sent for 60 s, and each after 24 h. So a ping goes
every 20 s, and a connection is replaced after 23 h, when it died, when a ping brought no sign of
life, and when it left a call unanswered. The new one is open before the old one goes.

Sources: docs.pacifica.fi, WebSocket, as of 2026; python-sdk @583661a; read 2026-11-20.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from adapters import pacifica_replies as replies
from adapters.beside import beside
from adapters.carrier import Carrier, Socket
from adapters.contract import VenueError, VenueNotReached, VenueOutcomeUnknown
from adapters.pacifica_replies import Frame
from adapters.pacifica_wire import PING

logger = logging.getLogger(__name__)

OPEN_S = 5.0
"""Name, connection, TLS and handshake together."""
SILENT_S = 1.0
"""How long a call waits for its answer here."""
PING_S = 20.0
PONG_S = 5.0
"""How long after a ping nothing at all may come before the connection counts as dead."""
AGE_S = 23 * 3600.0
AGAIN_S, AGAIN_S_MAX = 0.5, 30.0
"""Pauses before another connection is tried: the first, doubled with each failure, and the last."""
STEADY_S = 10.0
"""A connection that lived so long was no failure."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Line:
    """One connection."""

    socket: Socket | None = None
    """None until it is open, and when it is closed."""
    is_doubted: bool = False
    """It left a call unanswered: no other is given to it."""
    heard_at: float = float("-inf")
    """Loop time of the last frame."""
    waiting: dict[str, asyncio.Future[Frame]] = field(default_factory=dict)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    """It is open, or will never be."""
    worn: asyncio.Event = field(default_factory=asyncio.Event)
    """Another one is wanted in its place."""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """It is not needed any more."""

    @property
    def is_usable(self) -> bool:
        """Tell whether a call may be given to it."""
        return self.socket is not None and not self.is_doubted

    async def listen(self, socket: Socket) -> None:
        """Take every frame until the connection dies."""
        with suppress(VenueError):
            while True:
                text = await socket.receive()
                self.heard_at = _now()
                frame = replies.parse_frame(text)
                if frame is not None:
                    self.heard(frame)
        self.close()

    def heard(self, frame: Frame) -> None:
        """Give a frame to the call that it answers.

        A complaint without an id may be about the one call that waits, or about a ping: the call is
        asked over HTTP at once. Where several wait it is left open whose it is, and all go on
        waiting.
        """
        if frame.request_id is None and frame.complaint is not None and len(self.waiting) == 1:
            self._give_up("the socket complains without saying of what")
        mine = self.waiting.get(frame.request_id) if frame.request_id is not None else None
        if mine is not None and not mine.done():
            mine.set_result(frame)

    def _give_up(self, why: str) -> None:
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(VenueOutcomeUnknown(user_message=why))

    async def stay_awake(self, socket: Socket) -> None:
        """Ping, and close what shows no sign of life."""
        with suppress(VenueError):
            while True:
                await asyncio.sleep(PING_S)
                pinged_at = _now()
                await socket.send(PING)
                await asyncio.sleep(PONG_S)
                if self.heard_at < pinged_at:
                    logger.info("socket.silent", extra={"venue": "pacifica"})
                    break
        self.close()

    def doubt(self) -> None:
        """Give it no further call; those that wait on it may still be answered."""
        self.is_doubted = True
        self.worn.set()
        asyncio.get_running_loop().call_later(SILENT_S, self.released.set)

    def close(self) -> None:
        """Give up the connection and every call on it."""
        self.socket = None
        self._give_up("the socket closed before the answer")
        self.opened.set()
        self.worn.set()
        self.released.set()


@dataclass(slots=True, kw_only=True)
class WarmSocket:
    """The WebSocket to one Pacifica for the life of the process."""

    carrier: Carrier
    url: str
    headers: Callable[[], tuple[tuple[str, str], ...]] = field(repr=False)
    """Of the handshake; they may hold a key."""
    line: _Line = field(default_factory=_Line)

    @property
    def is_open(self) -> bool:
        """Tell whether a call can be sent now."""
        return self.line.is_usable

    async def ask(self, request_id: str, text: str) -> Frame:
        """Send one call and wait for its answer, at most `SILENT_S`.

        Raises:
            VenueNotReached: it is not open; nothing was sent.
            VenueOutcomeUnknown: it was sent, or may have been, and no answer came. A late one is
                dropped.
        """
        line = self.line
        if not line.is_usable or line.socket is None:
            raise VenueNotReached(user_message="the socket is not open")
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        line.waiting[request_id] = answer
        try:
            async with asyncio.timeout(SILENT_S):
                await line.socket.send(text)
                return await answer
        except TimeoutError:
            line.doubt()
            raise VenueOutcomeUnknown(user_message="the socket did not answer in time") from None
        except (VenueError, asyncio.CancelledError):
            line.doubt()
            raise
        finally:
            del line.waiting[request_id]
            if answer.done() and not answer.cancelled():
                answer.exception()  # Looked at, or asyncio complains that nobody did.

    @asynccontextmanager
    async def kept_open(self) -> AsyncIterator[None]:
        """Open connections and replace them for as long as the context lasts; waits for none."""
        async with beside(self._stay_open()):
            yield

    async def _stay_open(self) -> None:
        """Never ends and never raises: a bug in it is logged, and it goes on."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    await self._replace_for_ever(group)
            except ExceptionGroup:
                logger.exception("socket.broken", extra={"venue": "pacifica"})
            await asyncio.sleep(AGAIN_S_MAX)

    async def _replace_for_ever(self, group: asyncio.TaskGroup) -> None:
        failures = 0
        while True:
            began, line = _now(), _Line()
            group.create_task(self._live(line))
            await line.opened.wait()
            if line.socket is not None:
                before, self.line = self.line, line
                before.released.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(AGE_S):
                    await line.worn.wait()
            failures = 0 if _now() - began >= STEADY_S else failures + 1
            await asyncio.sleep(_pause_s(failures))

    async def _live(self, line: _Line) -> None:
        """Open one connection and hold it until it dies or is released."""
        try:
            async with asyncio.timeout(OPEN_S) as opening:
                async with self.carrier.socket(self.url, self.headers()) as socket:
                    opening.reschedule(None)
                    line.socket = socket
                    line.opened.set()
                    await _talk(line, socket)
        except (VenueError, TimeoutError) as error:
            code = error.code if isinstance(error, VenueError) else "timeout"
            logger.info("socket.unopened", extra={"venue": "pacifica", "code": code})
        finally:
            line.close()


async def _talk(line: _Line, socket: Socket) -> None:
    """Listen and ping until the line is released; then let the calls on it have their answers."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(line.listen(socket)),
            group.create_task(line.stay_awake(socket)),
        ]
        await line.released.wait()
        if line.waiting:
            await asyncio.sleep(SILENT_S)
        for task in tasks:
            task.cancel()


def _pause_s(failures: int) -> float:
    return min(AGAIN_S_MAX, AGAIN_S * 2 ** min(failures - 1, 9)) if failures else 0.0


def new_id() -> str:
    """Name a call: a UUID in full, as the venue wants it."""
    return str(uuid.uuid4())


def _now() -> float:
    return asyncio.get_running_loop().time()
