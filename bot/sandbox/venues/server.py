"""A simulated venue on a real socket.

Owns the HTTP and WebSocket shell around a pure `answer(request, now)`. Never decides what is
answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from aiohttp import WSMsgType, web

from bot.sandbox.venues.exchange import Answer, Request, Transport

ENDLESS = b" " * 65_536
"""What an answer without end goes on with."""


class AnsweringVenue(Protocol):
    """A venue without I/O."""

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request at a moment in epoch seconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shell:
    """A venue and how far away it is."""

    venue: AnsweringVenue
    latency_s: float
    idle_s: float

    async def on_request(self, incoming: web.Request) -> web.StreamResponse:
        """Answer one request, or talk until a WebSocket closes."""
        if incoming.headers.get("Upgrade", "").lower() == "websocket":
            return await self._talk(incoming)
        request = _request(incoming, incoming.method, await incoming.read())
        answer = await self._answer(request)
        return await _send(incoming, answer)

    async def _answer(self, request: Request) -> Answer:
        await asyncio.sleep(self.latency_s / 2)
        answer = self.venue.answer(request, time.time())
        await asyncio.sleep(self.latency_s / 2)
        return answer

    async def _talk(self, incoming: web.Request) -> web.StreamResponse:
        """Answer frame after frame, side by side; an idle peer is shown out."""
        granted = await self._answer(_request(incoming, "OPEN", b""))
        if granted.status != HTTPStatus.SWITCHING_PROTOCOLS:
            return await _send(incoming, granted)
        socket = web.WebSocketResponse()
        await socket.prepare(incoming)
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    frame = await socket.receive(timeout=self.idle_s)
                except TimeoutError:
                    await socket.close()
                    break
                if frame.type is not WSMsgType.TEXT:
                    break
                group.create_task(self._reply(incoming, socket, frame.data))
        return socket

    async def _reply(self, incoming: web.Request, socket: web.WebSocketResponse, text: str) -> None:
        answer = await self._answer(_request(incoming, "FRAME", text.encode()))
        match answer.transport:
            case Transport.WHOLE:
                await _say(socket, answer.body.decode())
            case Transport.HANG | Transport.DRIP:
                pass
            case Transport.CUT | Transport.LOST | Transport.RESET:
                if incoming.transport is not None:
                    incoming.transport.abort()
            case Transport.OVERSIZE:
                await _say(socket, answer.body.decode() + ENDLESS.decode() * 100)


async def _say(socket: web.WebSocketResponse, text: str) -> None:
    if not socket.closed:
        await socket.send_str(text)


@asynccontextmanager
async def serve(
    venue: AnsweringVenue, *, latency_s: float = 0.0, idle_s: float = 60.0, port: int = 0
) -> AsyncIterator[str]:
    """Serve a venue on loopback; yields its base URL, whose WebSockets are at any path.

    Raises:
        OSError: somebody else listens on that port; 0 is any that is free.
    """
    shell = _Shell(venue=venue, latency_s=latency_s, idle_s=idle_s)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", shell.on_request)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _request(incoming: web.Request, method: str, body: bytes) -> Request:
    path, _, query = incoming.raw_path.partition("?")
    return Request(
        method=method,
        path=path,
        query=query,
        headers={name.lower(): value for name, value in incoming.headers.items()},
        body=body,
        address=incoming.remote or "",
    )


async def _send(incoming: web.Request, answer: Answer) -> web.StreamResponse:
    """Send an answer, or spoil it on its way."""
    headers = {"Content-Type": answer.content_type, **answer.headers}
    match answer.transport:
        case Transport.WHOLE:
            return web.Response(status=answer.status, body=answer.body, headers=headers)
        case Transport.HANG:
            await asyncio.sleep(3600)
        case Transport.CUT | Transport.DRIP | Transport.OVERSIZE:
            response = web.StreamResponse(status=answer.status, headers=headers)
            if answer.transport is not Transport.OVERSIZE:
                response.content_length = len(answer.body)
            await response.prepare(incoming)
            await _trickle(response, answer)
        case Transport.LOST | Transport.RESET:
            pass
    if incoming.transport is not None:
        incoming.transport.abort()
    return web.Response(status=500)


async def _trickle(response: web.StreamResponse, answer: Answer) -> None:
    """Send half of the body, or byte after byte for ever, or more than anybody wants."""
    if answer.transport is Transport.CUT:
        await response.write(answer.body[: len(answer.body) // 2])
        return
    if answer.transport is Transport.OVERSIZE:
        await response.write(answer.body)
        for _ in range(200):
            await response.write(ENDLESS)
        return
    for byte in answer.body:
        await response.write(bytes([byte]))
        await asyncio.sleep(1.0)
