"""A simulated venue on a real socket.

Owns the HTTP shell around a pure `answer(request, now)`. Never decides what is answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

from bot.sandbox.venues.exchange import Answer, Request, Transport


class AnsweringVenue(Protocol):
    """A venue without I/O."""

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request at a moment in epoch seconds."""
        ...


@asynccontextmanager
async def serve(venue: AnsweringVenue, *, latency_s: float = 0.0) -> AsyncIterator[str]:
    """Serve a venue on loopback; yields its base URL."""

    async def on_request(incoming: web.Request) -> web.StreamResponse:
        path, _, query = incoming.raw_path.partition("?")
        request = Request(
            method=incoming.method,
            path=path,
            query=query,
            headers={name.lower(): value for name, value in incoming.headers.items()},
            body=await incoming.read(),
            address=incoming.remote or "",
        )
        await asyncio.sleep(latency_s / 2)
        answer = venue.answer(request, time.time())
        await asyncio.sleep(latency_s / 2)
        return await _send(incoming, answer)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", on_request)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _send(incoming: web.Request, answer: Answer) -> web.StreamResponse:
    """Send an answer, or spoil it on its way."""
    headers = {"Content-Type": answer.content_type, **answer.headers}
    match answer.transport:
        case Transport.WHOLE:
            return web.Response(status=answer.status, body=answer.body, headers=headers)
        case Transport.HANG:
            await asyncio.sleep(3600)
        case Transport.CUT | Transport.DRIP:
            response = web.StreamResponse(status=answer.status, headers=headers)
            response.content_length = len(answer.body)
            await response.prepare(incoming)
            await _trickle(response, answer)
        case Transport.LOST | Transport.RESET:
            pass
    if incoming.transport is not None:
        incoming.transport.abort()
    return web.Response(status=500)


async def _trickle(response: web.StreamResponse, answer: Answer) -> None:
    """Send half of the body, or byte after byte for ever."""
    if answer.transport is Transport.CUT:
        await response.write(answer.body[: len(answer.body) // 2])
        return
    for byte in answer.body:
        await response.write(bytes([byte]))
        await asyncio.sleep(1.0)
