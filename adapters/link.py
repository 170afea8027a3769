"""One call to a venue, and the warm session that carries it.

Owns `VenueLink`: the signed moment, deadlines, byte limits, and turning what aiohttp raises into
`VenueError`. When a call may leave is the gate's to say. Never judges a status or a body (the
adapter does), never retries, never follows a redirect, never logs a body, a header or a query.

aiohttp's own errors are dropped (`from None`): they print request headers and queries, which carry
keys and signatures.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from typing_extensions import override
from yarl import URL

from adapters.contract import (
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueReplyInvalid,
)
from adapters.gate import Call, Gate, shut_out
from adapters.pacing import ClockOffset

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """Bounds of one call, in seconds and bytes."""

    connect_s: float = 2.0
    """Name, connection and handshake together: until then no byte has left."""
    call_s: float = 5.0
    """From the sending to the last byte of the answer, however slowly it drips."""
    reply_bytes_max: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """The exact bytes of one request."""

    method: str
    path: str
    query: str = ""
    """As signed, already percent-encoded, without `?`."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Case-insensitive."""
    body: bytes


Build = Callable[[int], Awaitable[WireRequest]]
"""Make the request, signed for this venue time in epoch milliseconds."""
ABORT = struct.pack("ii", 1, 0)
"""`SO_LINGER`: what the kernel has not sent when the socket is closed is dropped."""


def one_spelling(base_url: str) -> str:
    """Return the one spelling of a base URL, so that two accounts there share one link.

    Raises:
        ValueError: it is not one that a key may be sent to; says why.
    """
    parts = urlsplit(base_url.strip())
    host, port = (parts.hostname or "").rstrip("."), parts.port
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with https:// and name a host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must hold no user, no query and no fragment")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("plain http is for this machine alone: write https://")
    host = f"[{host}]" if ":" in host else host
    is_usual = port in (None, {"http": 80, "https": 443}[parts.scheme])
    return f"{parts.scheme}://{host}{'' if is_usual else f':{port}'}{parts.path.rstrip('/')}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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


class VenueLink:
    """A venue at one base URL for the life of the process: session, clock, and the venue's gate."""

    def __init__(
        self, base_url: str, gate: Gate, session: aiohttp.ClientSession, *, limits: LinkLimits
    ) -> None:
        connector = session.connector
        assert isinstance(connector, Connector)
        self.base_url = base_url.rstrip("/")
        self.gate = gate
        self.clock = ClockOffset()
        self._session = session
        self._connector = connector
        self._limits = limits
        self._shut: tuple[float, datetime] | None = None
        """Until when no call is made, as loop time and as told."""
        self.allowed_at = float("-inf")
        """Loop time of the last answer that was not HTTP 403: then nobody was banned."""

    @property
    def banned_until(self) -> datetime | None:
        """Until when the venue, or this host of it, has shut us out; None if it has not."""
        is_shut = self._shut is not None and asyncio.get_running_loop().time() < self._shut[0]
        shut = self._shut[1] if self._shut is not None and is_shut else None
        return max(filter(None, (shut, self.gate.banned_until)), default=None)

    def shut(self, until: datetime) -> None:
        """Make no call to this host until then; others of the venue are called as before."""
        left_s = (until - datetime.now(UTC)).total_seconds()
        self._shut = (asyncio.get_running_loop().time() + left_s, until)

    def _refuse_if_shut(self) -> None:
        if self._shut is not None and asyncio.get_running_loop().time() < self._shut[0]:
            raise shut_out(self._shut[1])

    async def call(self, call: Call, build: Build) -> Reply:
        """Make one call.

        Raises:
            VenueNotReached: nothing was sent.
            VenueBanned: nothing was sent, because the venue has shut us out.
            VenueOutcomeUnknown: it was sent, or may have been, and no whole answer came.
            VenueReplyInvalid: the answer is larger than `reply_bytes_max`.
        """
        self._refuse_if_shut()
        try:
            async with self.gate.passage(call):
                self._refuse_if_shut()  # It may have been shut while this call waited for room.
                request = await build(self.clock.timestamp_ms(time.time() * 1000))
                reply = await self._exchange(request)
        except VenueError as error:
            logger.info("call.failed", extra={"call": call.name, "code": error.code})
            raise
        if reply.status != HTTPStatus.FORBIDDEN:
            self.allowed_at = asyncio.get_running_loop().time()
        return reply

    async def _exchange(self, request: WireRequest) -> Reply:
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
        url = URL(f"{self.base_url}{request.path}{query}", encoded=True)
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
            return VenueNotReached(
                user_message="the venue cannot be reached", remedy="Check DNS and the network."
            )
        case TimeoutError():
            return VenueOutcomeUnknown(user_message="the venue did not answer in time")
        case _:
            return VenueOutcomeUnknown(user_message="the connection broke before the whole answer")


@asynccontextmanager
async def open_link(
    base_url: str, gate: Gate, *, limits: LinkLimits | None = None
) -> AsyncIterator[VenueLink]:
    """Open a link: one session without cookies, proxies from the environment or a limit of its own.

    aiohttp sends a GET again by itself when a pooled connection turns out dead, and no other
    method; our budgets would miss that call, so a reading counts as two at most there.
    """
    bounds = limits or LinkLimits()
    connector = Connector(
        connect_s=bounds.connect_s,
        limit=0,
        ttl_dns_cache=60,
        keepalive_timeout=30,
    )
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=True,
        headers={"Accept-Encoding": "identity"},
    ) as session:
        yield VenueLink(base_url, gate, session, limits=bounds)
