"""The network: HTTP and WebSockets over aiohttp, with deadlines, byte limits and our own errors.

Owns `Internet`, the carrier of the program. Never judges a status or a body, never retries, never
follows a redirect, never logs a body, a header or a query.

aiohttp's own errors are dropped (`from None`): they print request headers and queries, which carry
keys and signatures.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
from typing_extensions import override
from yarl import URL

from adapters.carrier import CarrierLimits, Reply, Socket, WireRequest
from adapters.contract import (
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueReplyInvalid,
)

ABORT = struct.pack("ii", 1, 0)
"""`SO_LINGER`: what the kernel has not sent when the socket is closed is dropped."""


class Connector(aiohttp.TCPConnector):
    """Knows which transport carries the call of each task, so that a call can be aborted.

    aiohttp only closes, and a TLS connection being closed waits for the other side: what we gave up
    could still be delivered by a network that heals.
    """

    def __init__(self, *, connect_s: float, **settings: Any) -> None:
        super().__init__(**settings)
        self._connect_s = connect_s
        self._carrying: dict[asyncio.Task[Any] | None, asyncio.Transport | None] = {}

    @override
    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        """Connect, and note which transport it is."""
        async with asyncio.timeout(self._connect_s):  # aiohttp's own limit leaves the name out.
            connection = await super().connect(req, traces, timeout)
        self._carrying[asyncio.current_task()] = connection.transport
        return connection

    def carrier(self) -> asyncio.Transport | None:
        """Give up what is known of this task's call: its transport, if it came so far."""
        return self._carrying.pop(asyncio.current_task(), None)


def _abort(transport: asyncio.Transport) -> None:
    """Drop a connection, with all that has not left yet."""
    carrier = transport.get_extra_info("socket")
    if carrier is not None and carrier.fileno() >= 0:
        carrier.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    transport.abort()


class Internet:
    """The carrier of one base URL, for the life of the process."""

    def __init__(
        self, base_url: str, session: aiohttp.ClientSession, *, limits: CarrierLimits
    ) -> None:
        connector = session.connector
        assert isinstance(connector, Connector)
        self._at = base_url.rstrip("/")
        self._session = session
        self._connector = connector
        self._limits = limits

    def now(self) -> datetime:
        """Return wall time."""
        return datetime.now(UTC)

    async def exchange(self, request: WireRequest) -> Reply:
        """Send the bytes and read the whole answer.

        A call that ends without one, by time-out, error or cancellation, has its connection
        aborted: nothing more of it is sent, and no later call can meet its answer.
        """
        try:
            async with asyncio.timeout(self._limits.call_s):
                return await self._answer(request)
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise translate(error) from None

    async def _answer(self, request: WireRequest) -> Reply:
        query = f"?{request.query}" if request.query else ""
        url = URL(f"{self._at}{request.path}{query}", encoded=True)
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._session.request(
                request.method,
                url,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
            )
            body = await self._body(response)
            return Reply(status=response.status, headers=response.headers, body=body)
        finally:
            transport = self._connector.carrier()
            # A connection whose answer is whole was given back, and may carry another call by now.
            if transport is not None and (response is None or response.connection is not None):
                _abort(transport)
            if response is not None:
                response.release()

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        chunks = bytearray()
        async for chunk in response.content.iter_any():
            chunks += chunk
            if len(chunks) > self._limits.reply_bytes_max:
                raise VenueReplyInvalid(user_message="the venue's answer is too large")
        return bytes(chunks)

    @asynccontextmanager
    async def socket(
        self, url: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> AsyncIterator[Socket]:
        """Open a WebSocket; leaving the context aborts its connection."""
        opened: aiohttp.ClientWebSocketResponse | None = None
        try:
            async with asyncio.timeout(self._limits.connect_s):  # aiohttp waits for ever.
                opened = await self._session.ws_connect(
                    url,
                    headers=headers,
                    max_msg_size=self._limits.reply_bytes_max,
                    timeout=aiohttp.ClientWSTimeout(ws_close=0.1),
                )
        except aiohttp.WSServerHandshakeError as error:
            raise VenueNotReached(
                user_message="the venue refuses the WebSocket", venue_code=str(error.status)
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            known = translate(error)
            raise VenueNotReached(user_message=known.user_message, remedy=known.remedy) from None
        finally:
            transport = self._connector.carrier()
            if opened is None and transport is not None:
                _abort(transport)
        try:
            yield _TextSocket(opened)
        finally:
            if transport is not None:
                _abort(transport)
            await opened.close()  # Sends nothing any more; unclosed, aiohttp complains of it.


class _TextSocket:
    """One WebSocket of aiohttp."""

    def __init__(self, opened: aiohttp.ClientWebSocketResponse) -> None:
        self._opened = opened

    async def send(self, text: str) -> None:
        """Send one frame."""
        try:
            await self._opened.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error) from None

    async def receive(self) -> str:
        """Wait for the next frame of text; anything else is the end of it."""
        message = await self._opened.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        if isinstance(message.data, aiohttp.WebSocketError):
            raise VenueReplyInvalid(user_message="the venue's frame is too large or broken")
        raise VenueOutcomeUnknown(user_message="the venue closed the connection")


def translate(error: Exception) -> VenueError:
    """Turn what aiohttp or the system raised into our own error, without its text."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return VenueNotReached(user_message="the venue does not take connections in time")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return VenueNotReached(
                user_message="the venue's TLS certificate or handshake is refused",
                remedy="Check the base URL and what stands between us and the venue.",
            )
        case aiohttp.ClientConnectorError() | aiohttp.InvalidURL():
            return _unreached(error)
        case TimeoutError():
            return VenueOutcomeUnknown(user_message="the venue did not answer in time")
        case _:
            return VenueOutcomeUnknown(user_message="the connection broke before the whole answer")


def _unreached(error: aiohttp.ClientConnectorError | aiohttp.InvalidURL) -> VenueNotReached:
    """Say where nothing could be sent, and why."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            said, remedy = f"no address is known of {error.host}", "Check DNS, and the base URL."
        case aiohttp.ClientConnectorError():
            why = (error.os_error.strerror or "the connection fails").lower()
            said = f"{error.host}:{error.port} cannot be reached: {why}"
            remedy = "Check the network, and the base URL."
        case _:
            said, remedy = "the base URL is none", "Mend it."
    return VenueNotReached(user_message=said, remedy=remedy)


async def _refuse_redirect(*_: object) -> None:
    """Follow no redirect of a WebSocket's handshake, which aiohttp does of itself."""
    raise VenueNotReached(user_message="the venue sends the WebSocket elsewhere")


@asynccontextmanager
async def open_internet(
    base_url: str, *, limits: CarrierLimits | None = None
) -> AsyncIterator[Internet]:
    """Open a session without cookies, proxies from the environment or a limit of its own.

    aiohttp sends a GET again by itself when a pooled connection turns out dead, and no other
    method; our budgets would miss that call, so a reading counts as two at most there.
    """
    bounds = limits or CarrierLimits()
    connector = Connector(
        connect_s=bounds.connect_s,
        limit=0,
        ttl_dns_cache=60,
        keepalive_timeout=30,
    )
    timeout = aiohttp.ClientTimeout(total=None)
    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(_refuse_redirect)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        trace_configs=[tracing],
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=True,
        headers={"Accept-Encoding": "identity"},
    ) as session:
        yield Internet(base_url, session, limits=bounds)
