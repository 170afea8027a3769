"""A carrier that asks a simulated venue without a network, on a clock that jumps.

What goes wrong on the way is told as `adapters.internet` would tell it; that it does is shown over
real sockets in `test_link.py` and in the conformance tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from multidict import CIMultiDict

from adapters.carrier import CarrierLimits, Reply, Socket, WireRequest
from adapters.contract import VenueNotReached, VenueOutcomeUnknown, VenueReplyInvalid
from bot.sandbox.venues.exchange import Answer, Request, Transport
from bot.sandbox.venues.server import AnsweringVenue
from tests.fakes.clock import VirtualClock

SILENT = (Transport.HANG, Transport.DRIP)


def broken() -> VenueOutcomeUnknown:
    return VenueOutcomeUnknown(user_message="the connection broke before the whole answer")


@dataclass
class PureCarrier:
    """Between an adapter and a simulated venue, a round trip of `latency_s` away."""

    venue: AnsweringVenue
    latency_s: float = 0.05
    limits: CarrierLimits = field(default_factory=CarrierLimits)
    clock: VirtualClock = field(default_factory=VirtualClock)
    address: str = "10.0.0.1"
    is_cut_off: bool = False
    """Nothing can be reached any more."""
    calls: list[tuple[float, str]] = field(default_factory=list)
    """(loop time, method and path) of all that left."""

    def now(self) -> datetime:
        return self.clock.now()

    async def exchange(self, request: WireRequest) -> Reply:
        if self.is_cut_off:
            await asyncio.sleep(self.limits.connect_s)
            raise VenueNotReached(user_message="the venue does not take connections in time")
        self.calls.append((asyncio.get_running_loop().time(), f"{request.method} {request.path}"))
        asked = Request(
            method=request.method,
            path=request.path,
            query=request.query,
            headers={name.lower(): value for name, value in request.headers},
            body=request.body or b"",
            address=self.address,
        )
        answer = await self._answer(asked)
        if answer.transport in SILENT:
            await asyncio.sleep(self.limits.call_s - self.latency_s)
            raise VenueOutcomeUnknown(user_message="the venue did not answer in time")
        if answer.transport is Transport.OVERSIZE:
            raise VenueReplyInvalid(user_message="the venue's answer is too large")
        if answer.transport is not Transport.WHOLE:
            raise broken()
        headers = CIMultiDict({"Content-Type": answer.content_type, **answer.headers})
        return Reply(status=answer.status, headers=headers, body=answer.body)

    @asynccontextmanager
    async def socket(
        self, url: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> AsyncIterator[Socket]:
        if self.is_cut_off:
            await asyncio.sleep(self.limits.connect_s)
            raise VenueNotReached(user_message="the venue does not take connections in time")
        path = urlsplit(url).path
        opening = Request(
            method="OPEN",
            path=path,
            query="",
            headers={name.lower(): value for name, value in headers},
            body=b"",
            address=self.address,
        )
        self.calls.append((asyncio.get_running_loop().time(), f"OPEN {path}"))
        answer = await self._answer(opening)
        if answer.status != 101:
            raise VenueNotReached(
                user_message="the venue refuses the WebSocket", venue_code=str(answer.status)
            )
        async with asyncio.TaskGroup() as group:
            talking = PureSocket(carrier=self, opening=opening, group=group)
            try:
                yield talking
            finally:
                talking.drop()

    async def _answer(self, request: Request) -> Answer:
        await asyncio.sleep(self.latency_s / 2)
        answer = self.venue.answer(request, self.clock.now().timestamp())
        await asyncio.sleep(self.latency_s / 2)
        return answer


@dataclass
class PureSocket:
    """One WebSocket to a simulated venue. `drop()` lets it die, as a network does."""

    carrier: PureCarrier
    opening: Request
    group: asyncio.TaskGroup
    frames: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    is_open: bool = True

    async def send(self, text: str) -> None:
        if not self.is_open or self.carrier.is_cut_off:
            raise broken()
        at = asyncio.get_running_loop().time()
        self.carrier.calls.append((at, f"FRAME {self.opening.path}"))
        self.tasks.append(self.group.create_task(self._reply(text)))

    async def receive(self) -> str:
        frame = await self.frames.get() if self.is_open or not self.frames.empty() else None
        if frame is None:
            raise VenueOutcomeUnknown(user_message="the venue closed the connection")
        return frame

    def drop(self) -> None:
        self.is_open = False
        self.frames.put_nowait(None)
        for task in self.tasks:
            task.cancel()

    async def _reply(self, text: str) -> None:
        frame = Request(
            method="FRAME",
            path=self.opening.path,
            query="",
            headers=self.opening.headers,
            body=text.encode(),
            address=self.carrier.address,
        )
        answer = await self.carrier._answer(frame)
        if self.carrier.is_cut_off:
            return
        match answer.transport:
            case Transport.WHOLE:
                self.frames.put_nowait(answer.body.decode())
            case Transport.HANG | Transport.DRIP:
                pass
            case _:
                self.is_open = False
                self.frames.put_nowait(None)
