"""One call: deadlines, limits, and every failure in our own words."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_reqrep import ConnectionKey

from adapters import internet
from adapters import link as links
from adapters.carrier import CarrierLimits, WireRequest
from adapters.contract import (
    Priority,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueReplyInvalid,
)
from adapters.gate import Call, Gate
from adapters.internet import Internet
from adapters.link import VenueLink
from adapters.pacing import Window

MUCH = Window(name="address", calls=1000, per_s=1.0)
READ = Call(name="read", windows=(), priority=Priority.READING)
FAST = CarrierLimits(connect_s=0.5, call_s=0.3, reply_bytes_max=1000)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def opened(url: str) -> AbstractAsyncContextManager[VenueLink]:
    return links.open_link(url, Gate(MUCH), limits=FAST)


@asynccontextmanager
async def venue(handler: Handler) -> AsyncIterator[VenueLink]:
    """A raw server on loopback and a link to it."""

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with opened(f"http://127.0.0.1:{port}") as link:
        try:
            yield link
        finally:
            server.close()


async def head(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode()


async def plain(_: int) -> WireRequest:
    return WireRequest(method="GET", path="/x")


async def test_query_goes_out_to_the_byte():
    seen: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        writer.write(OK)
        await writer.drain()

    async def build(_: int) -> WireRequest:
        return WireRequest(method="GET", path="/v5/x", query="cursor=a%3A1%2Cb%3D%26&limit=50")

    async with venue(handler) as link:
        reply = await link.call(READ, build)
    assert (reply.status, reply.body) == (200, b"hi")
    assert seen[0].startswith("GET /v5/x?cursor=a%3A1%2Cb%3D%26&limit=50 HTTP/1.1")


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    await reader.read()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
    for _ in range(500):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf")
    await writer.drain()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    writer.transport.abort()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    writer.write(b"\x00\x01 not HTTP\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (hang, "the venue did not answer in time"),
        (drip, "the venue did not answer in time"),
        (cut, "the connection broke before the whole answer"),
        (reset, "the connection broke before the whole answer"),
        (garbage, "the connection broke before the whole answer"),
    ],
    ids=["hang", "drip", "cut", "reset", "garbage"],
)
async def test_broken_answer_is_an_unknown_outcome(handler: Handler, said: str):
    async with venue(handler) as link:
        with pytest.raises(VenueOutcomeUnknown) as caught:
            await link.call(READ, plain)
    assert caught.value.user_message == said
    assert caught.value.__cause__ is None


async def test_answer_that_is_too_large_is_invalid():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
        await writer.drain()

    async with venue(handler) as link:
        with pytest.raises(VenueReplyInvalid, match="too large"):
            await link.call(READ, plain)


async def test_redirect_is_not_followed():
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        )
        await writer.drain()

    async with venue(handler) as link:
        assert (await link.call(READ, plain)).status == 302


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1"])
async def test_refused_connection_sent_nothing(url: str):
    async with opened(url) as link:
        with pytest.raises(VenueNotReached):
            await link.call(READ, plain)


class NoName(AbstractResolver):
    async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
        await asyncio.sleep(60)
        return []

    async def close(self) -> None:
        return


async def test_name_that_nobody_resolves_sent_nothing():
    limits = CarrierLimits(connect_s=0.1, call_s=2.0)
    async with links.open_link("https://venue.example", Gate(MUCH), limits=limits) as link:
        assert isinstance(link.carrier, Internet)
        link.carrier._connector._resolver = NoName()
        with pytest.raises(VenueNotReached, match="does not take connections in time"):
            await link.call(READ, plain)


async def test_plain_server_where_tls_is_expected_sent_nothing():
    async with venue(hang) as plain_link:
        url = plain_link.base_url.replace("http:", "https:")
        async with opened(url) as link:
            with pytest.raises((VenueNotReached, VenueOutcomeUnknown)):
                await link.call(READ, plain)


async def test_late_answer_of_a_call_given_up_is_never_read_by_the_next():
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            await head(reader)
            await asyncio.sleep(0.5)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
            await writer.drain()
            return
        await head(reader)
        writer.write(OK)
        await writer.drain()

    async with venue(handler) as link:
        with pytest.raises(VenueOutcomeUnknown):
            await link.call(READ, plain)
        await asyncio.sleep(0.3)
        assert (await link.call(READ, plain)).body == b"hi"
    assert connections == 2


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["time-out", "cancelled"])
async def test_a_call_without_an_answer_is_aborted_not_closed(is_cancelled: bool):  # noqa: FBT001
    asked, ended = asyncio.Event(), asyncio.Queue[str]()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        asked.set()
        try:
            await reader.read()
            ended.put_nowait("closed")
        except ConnectionResetError:
            ended.put_nowait("aborted")

    async def ask(link: VenueLink) -> None:
        with pytest.raises(VenueOutcomeUnknown):
            await link.call(READ, plain)

    async with venue(handler) as link, asyncio.TaskGroup() as group:
        task = group.create_task(ask(link))
        await asked.wait()
        if is_cancelled:
            task.cancel()
        async with asyncio.timeout(2.0):
            assert await ended.get() == "aborted"


async def test_a_call_with_its_whole_answer_keeps_its_connection_for_the_next():
    connections: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        while True:
            await head(reader)
            writer.write(OK)
            await writer.drain()

    async with venue(handler) as link:
        for _ in range(3):
            assert (await link.call(READ, plain)).body == b"hi"
    assert connections == [1]


@pytest.mark.parametrize(
    ("written", "spelling"),
    [
        ("HTTPS://API.Bybit.COM/", "https://api.bybit.com"),
        ("https://api.bybit.com.:443", "https://api.bybit.com"),
        (" https://api.bybit.com:8443/v/ ", "https://api.bybit.com:8443/v"),
        ("http://LOCALHOST:80", "http://localhost"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_a_base_url_has_one_spelling(written: str, spelling: str):
    assert links.one_spelling(written) == spelling
    assert links.one_spelling(spelling) == spelling


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("api.bybit.com", "must begin with https:// and name a host"),
        ("ftp://api.bybit.com", "must begin with https:// and name a host"),
        ("https:///v5", "must begin with https:// and name a host"),
        ("https://key:secret@api.bybit.com", "must hold no user"),
        ("https://api.bybit.com?a=1", "must hold no user, no query"),
        ("https://api.bybit.com:99999", "Port out of range"),
        ("http://api.bybit.com", "plain http is for this machine alone"),
        ("http://127.0.0.1.example.com", "plain http is for this machine alone"),
    ],
)
def test_a_base_url_that_no_key_may_be_sent_to_is_refused(written: str, why: str):
    with pytest.raises(ValueError, match=why):
        links.one_spelling(written)


PLACE = ConnectionKey(
    host="venue.example",
    port=443,
    is_ssl=True,
    ssl=True,
    proxy=None,
    proxy_auth=None,
    proxy_headers_hash=None,
)


def _every(base: type[BaseException]) -> set[type[BaseException]]:
    return {base}.union(*(_every(kind) for kind in base.__subclasses__()))


@pytest.mark.parametrize(
    "kind",
    sorted(_every(aiohttp.ClientError), key=str),
    ids=str,
)
def test_every_error_of_aiohttp_becomes_one_of_ours_without_its_text(kind: type[Exception]):
    made = kind.__new__(kind)
    if isinstance(made, aiohttp.ClientConnectorError):
        aiohttp.ClientConnectorError.__init__(made, PLACE, OSError(111, "Canary"))
    translated = internet.translate(made)
    assert isinstance(translated, VenueError)
    assert inspect.getmodule(type(translated)) is inspect.getmodule(VenueError)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            aiohttp.ClientConnectorError(PLACE, OSError(111, "Connection refused")),
            "venue.example:443 cannot be reached: connection refused",
        ),
        (
            aiohttp.ClientConnectorError(PLACE, OSError("odd")),
            "venue.example:443 cannot be reached: the connection fails",
        ),
        (
            aiohttp.ClientConnectorDNSError(PLACE, OSError(-2, "Name or service not known")),
            "no address is known of venue.example",
        ),
    ],
    ids=["refused", "of no name", "no such name"],
)
def test_a_venue_that_cannot_be_reached_is_told_with_its_address(made: Exception, said: str):
    assert internet.translate(made).user_message == said
