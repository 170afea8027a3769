"""WebSockets over the network: opened in time, text only, and aborted rather than closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from adapters import internet
from adapters.carrier import CarrierLimits
from adapters.contract import VenueNotReached, VenueOutcomeUnknown, VenueReplyInvalid
from adapters.internet import Internet

FAST = CarrierLimits(connect_s=0.3, call_s=0.3, reply_bytes_max=1000)
Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


@asynccontextmanager
async def venue(
    talk: Talk, *, seen: dict[str, str] | None = None
) -> AsyncIterator[tuple[Internet, str]]:
    """A WebSocket server on loopback and a carrier; yields it and the URL."""

    async def on_request(request: web.Request) -> web.StreamResponse:
        if request.path == "/refused":
            return web.Response(status=403)
        if request.path == "/elsewhere":
            raise web.HTTPFound("/ws")
        if request.path == "/slow":
            await asyncio.sleep(60)
        if seen is not None:
            seen.update(request.headers)
        opened = web.WebSocketResponse()
        await opened.prepare(request)
        await talk(opened)
        return opened

    app = web.Application()
    app.router.add_get("/{tail:.*}", on_request)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        at = f"127.0.0.1:{runner.addresses[0][1]}"
        async with internet.open_internet(f"http://{at}", limits=FAST) as carrier:
            yield carrier, f"ws://{at}/ws"
    finally:
        await runner.cleanup()


async def echo(opened: web.WebSocketResponse) -> None:
    async for message in opened:
        await opened.send_str(f"echo {message.data}")


async def test_frames_go_out_and_come_back_under_the_headers_of_the_handshake():
    seen: dict[str, str] = {}
    async with (
        venue(echo, seen=seen) as (carrier, url),
        carrier.socket(url, (("PF-API-KEY", "k"),)) as socket,
    ):
        await socket.send("hello")
        assert await socket.receive() == "echo hello"
    assert seen["PF-API-KEY"] == "k"


@pytest.mark.parametrize(("path", "code"), [("/refused", "403"), ("/slow", "")])
async def test_a_handshake_that_fails_sent_nothing(path: str, code: str):
    async with venue(echo) as (carrier, url):
        with pytest.raises(VenueNotReached) as caught:
            async with asyncio.timeout(5), carrier.socket(url.replace("/ws", path, 1)):
                pass
        assert caught.value.venue_code == code


async def test_a_handshake_follows_no_redirect_with_its_key_and_its_calls():
    seen: dict[str, str] = {}
    async with venue(echo, seen=seen) as (carrier, url):
        with pytest.raises(VenueNotReached) as caught:
            async with carrier.socket(url.replace("/ws", "/elsewhere", 1), (("PF-API-KEY", "k"),)):
                pass
    assert caught.value.user_message == "the venue sends the WebSocket elsewhere"
    assert seen == {}


async def test_a_port_where_nobody_listens_is_not_reached():
    async with venue(echo) as (carrier, _):
        with pytest.raises(VenueNotReached):
            async with carrier.socket("ws://127.0.0.1:9/ws"):
                pass


async def shut(opened: web.WebSocketResponse) -> None:
    await opened.close()


async def shout(opened: web.WebSocketResponse) -> None:
    await opened.send_str("x" * 2000)
    await opened.receive()


async def bytes_only(opened: web.WebSocketResponse) -> None:
    await opened.send_bytes(b"\x00")
    await opened.receive()


@pytest.mark.parametrize(
    ("talk", "kind"),
    [
        (shut, VenueOutcomeUnknown),
        (shout, VenueReplyInvalid),
        (bytes_only, VenueOutcomeUnknown),
    ],
)
async def test_what_is_no_text_is_the_end_of_a_socket(talk: Talk, kind: type[Exception]):
    async with venue(talk) as (carrier, url), carrier.socket(url) as socket:
        with pytest.raises(kind):
            await socket.receive()


async def test_a_closed_socket_takes_no_frame():
    async with venue(shut) as (carrier, url), carrier.socket(url) as socket:
        with pytest.raises(VenueOutcomeUnknown):
            await socket.receive()
        with pytest.raises(VenueOutcomeUnknown):
            await socket.send("too late")


async def test_leaving_a_socket_leaves_nothing_that_aiohttp_complains_of():
    """Of what dies in a ring of references, the connection may die before who would release it."""
    async with venue(echo) as (carrier, url):
        async with carrier.socket(url) as socket:
            await socket.send("hello")
            assert await socket.receive() == "echo hello"
        assert isinstance(socket, internet._TextSocket)
        connection = socket._opened._conn
    assert connection is None or connection.protocol is None


async def test_leaving_a_socket_aborts_it_and_waits_for_nobody():
    ended = asyncio.Event()

    async def deaf(opened: web.WebSocketResponse) -> None:
        try:
            async for _ in opened:
                await asyncio.sleep(0)
        finally:
            ended.set()

    async with venue(deaf) as (carrier, url):
        async with carrier.socket(url) as socket:
            await socket.send("hello")
        async with asyncio.timeout(5):
            await ended.wait()
    assert ended.is_set()
