"""One call to a venue, and the warm session that carries it.

Owns `VenueLink`: waiting for a budget, the signed moment, deadlines, byte limits, and turning what
aiohttp raises into `VenueError`. Never judges a status or a body (the adapter does), never retries,
never follows a redirect, never logs a body, a header or a query.

aiohttp's own errors are dropped (`from None`): they print request headers and queries, which carry
keys and signatures.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
from yarl import URL

from adapters.contract import (
    Priority,
    VenueBanned,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueReplyInvalid,
)
from adapters.pacing import ClockOffset, Pacer, Ticket, Window

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """Bounds of one call, in seconds and bytes."""

    connect_s: float = 2.0
    call_s: float = 5.0
    """From the sending to the last byte of the answer, however slowly it drips."""
    reply_bytes_max: int = 4 * 1024 * 1024
    budget_wait_s: float = 30.0


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
class Call:
    """What a call is, for budgets and logs."""

    name: str
    """For a person, such as `cancel-all linear USDT`."""
    windows: tuple[Window, ...]
    """The key's own limits; the link adds the host's."""
    priority: Priority
    cost: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Case-insensitive."""
    body: bytes


@dataclass(order=True, slots=True)
class _Waiter:
    """A call that waits for its budgets, in order of priority and arrival."""

    priority: Priority
    number: int
    windows: tuple[Window, ...] = field(compare=False)
    cost: int = field(compare=False)
    ticket: asyncio.Future[Ticket] = field(compare=False)


Build = Callable[[int], Awaitable[WireRequest]]
"""Make the request, signed for this venue time in epoch milliseconds."""


class VenueLink:
    """A venue host for the life of the process: session, budgets, clock."""

    def __init__(
        self,
        base_url: str,
        session: aiohttp.ClientSession,
        *,
        host_window: Window,
        limits: LinkLimits,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.pacer = Pacer()
        self.clock = ClockOffset()
        self._session = session
        self._host_window = host_window
        self._limits = limits
        self._waiting: list[_Waiter] = []
        self._numbers = itertools.count()
        self._pump_timer: asyncio.TimerHandle | None = None

    async def call(self, call: Call, build: Build) -> Reply:
        """Make one call.

        Raises:
            VenueNotReached: nothing was sent.
            VenueBanned: nothing was sent, because the host has shut us out.
            VenueOutcomeUnknown: it was sent, or may have been, and no whole answer came.
            VenueReplyInvalid: the answer is larger than `reply_bytes_max`.
        """
        ticket = await self._admitted(call)
        try:
            request = await build(self.clock.timestamp_ms(time.time() * 1000))
            return await self._exchange(request)
        except VenueError as error:
            logger.info("call.failed", extra={"call": call.name, "code": error.code})
            raise
        finally:
            self.pacer.answered(_now(), ticket)
            self._pump()

    def banned(self, until: datetime) -> None:
        """Stop every call to this host until then; whoever waits is told at once."""
        self.pacer.banned(_now(), (until - datetime.now(UTC)).total_seconds())
        self._pump()

    def throttled(self, window: Window, retry_after_s: float) -> None:
        """Hold one window."""
        self.pacer.throttled(_now(), window, retry_after_s)

    def corrected(
        self, window: Window, *, limit: int, remaining: int, reset_after_s: float
    ) -> None:
        """Follow the venue's own numbers for one window."""
        self.pacer.corrected(
            _now(), window, limit=limit, remaining=remaining, reset_after_s=reset_after_s
        )

    async def _admitted(self, call: Call) -> Ticket:
        """Wait for a place in every budget that the call needs, cancels before all others."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(
            priority=call.priority,
            number=next(self._numbers),
            windows=(self._host_window, *call.windows),
            cost=call.cost,
            ticket=loop.create_future(),
        )
        self._waiting.append(waiter)
        self._pump()
        ticket: Ticket | None = None
        try:
            async with asyncio.timeout(self._limits.budget_wait_s):
                ticket = await waiter.ticket
                return ticket
        except TimeoutError:
            raise VenueNotReached(
                user_message="the budget of calls had no room in time",
                remedy="Other calls from this address or key use it up.",
            ) from None
        finally:
            if ticket is None:
                self._withdraw(waiter)

    def _withdraw(self, waiter: _Waiter) -> None:
        """Take a waiter out; a ticket that came too late to be used gives its slots back."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif (
            waiter.ticket.done() and not waiter.ticket.cancelled() and not waiter.ticket.exception()
        ):
            self.pacer.answered(_now(), waiter.ticket.result())

    def _pump(self) -> None:
        """Let every waiter go whose budgets have room, in order; wake again when more have."""
        now = _now()
        if (ban_s := self.pacer.banned_for_s(now)) > 0:
            self._refuse_all(ban_s)
            return
        soonest = float("inf")
        for waiter in sorted(self._waiting):
            wait_s = self.pacer.wait_s(now, waiter.windows, waiter.priority, cost=waiter.cost)
            if wait_s <= 0 and not waiter.ticket.done():
                waiter.ticket.set_result(self.pacer.sent(waiter.windows, cost=waiter.cost))
                self._waiting.remove(waiter)
            soonest = min(soonest, wait_s) if wait_s > 0 else soonest
        self._wake_after(soonest)

    def _wake_after(self, seconds: float) -> None:
        if self._pump_timer is not None:
            self._pump_timer.cancel()
            self._pump_timer = None
        if self._waiting and seconds < float("inf"):
            loop = asyncio.get_running_loop()
            self._pump_timer = loop.call_later(seconds, self._pump)

    def _refuse_all(self, ban_s: float) -> None:
        until = datetime.now(UTC) + timedelta(seconds=ban_s)
        for waiter in self._waiting:
            if not waiter.ticket.done():
                waiter.ticket.set_exception(banned(until))
        self._waiting.clear()

    async def _exchange(self, request: WireRequest) -> Reply:
        """Send the bytes and read the whole answer; an answer we gave up on is never read later.

        Leaving the `async with` before the body ended closes the connection, so no later call can
        meet the rest of this answer on a pooled connection.
        """
        query = f"?{request.query}" if request.query else ""
        url = URL(f"{self.base_url}{request.path}{query}", encoded=True)
        try:
            async with (
                asyncio.timeout(self._limits.call_s),
                self._session.request(
                    request.method,
                    url,
                    data=request.body,
                    headers=request.headers,
                    allow_redirects=False,
                ) as response,
            ):
                body = await self._body(response)
                return Reply(status=response.status, headers=response.headers, body=body)
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise translate(error) from None

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        chunks = bytearray()
        async for chunk in response.content.iter_any():
            chunks += chunk
            if len(chunks) > self._limits.reply_bytes_max:
                response.close()
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


def banned(until: datetime) -> VenueBanned:
    """Say that the host has shut out our address."""
    return VenueBanned(
        user_message=f"BANNED until {until:%H:%M} UTC",
        remedy="Nothing is sent to this host until then; only another egress address would help.",
        until=until,
    )


def _now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def open_link(
    base_url: str, *, host_window: Window, limits: LinkLimits | None = None
) -> AsyncIterator[VenueLink]:
    """Open a link: one session without cookies, proxies from the environment or a limit of its own.

    aiohttp sends a GET again by itself when a pooled connection turns out dead, and no other
    method; our budgets would miss that call, so a reading counts as two at most there.
    """
    bounds = limits or LinkLimits()
    connector = aiohttp.TCPConnector(
        limit=0, ttl_dns_cache=60, keepalive_timeout=30, ssl=ssl.create_default_context()
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=bounds.connect_s)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=True,
        headers={"Accept-Encoding": "identity"},
    ) as session:
        yield VenueLink(base_url, session, host_window=host_window, limits=bounds)
