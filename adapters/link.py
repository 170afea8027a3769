"""One call to a venue: when it may leave, and at which moment it is signed.

Owns `VenueLink`, a venue at one base URL for the life of the process: its gate, its clock, and
whether this host has shut us out. How bytes travel is the carrier's; never judges a status or a
body (the adapter does), never retries.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from adapters import internet
from adapters.carrier import Carrier, CarrierLimits, Reply, WireRequest
from adapters.contract import VenueError, VenueFacts
from adapters.gate import Call, Gate, shut_out
from adapters.pacing import ClockOffset

logger = logging.getLogger(__name__)


Build = Callable[[int], Awaitable[WireRequest]]
"""Make the request, signed for this venue time in epoch milliseconds."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A whole answer, and when its call left and it was there, by our clock in epoch ms."""

    reply: Reply
    sent_ms: float
    received_ms: float

    def facts(
        self, server_ms: float | None, *, skew_max_s: float, grain_s: float = 0.0
    ) -> VenueFacts:
        """Say what it tells of the venue; its clock was read half-way between both moments.

        Args:
            server_ms: what that clock showed; None: the answer does not say.
            skew_max_s: what the venue tolerates.
            grain_s: how far that clock may be off for its own coarseness, either way.
        """
        rtt_s = max(self.received_ms - self.sent_ms, 0.0) / 1000
        if server_ms is None:
            return VenueFacts(rtt_s=rtt_s, skew_s=None, skew_max_s=skew_max_s)
        return VenueFacts(
            rtt_s=rtt_s,
            skew_s=(server_ms - (self.sent_ms + self.received_ms) / 2) / 1000,
            skew_error_s=rtt_s / 2 + grain_s,
            skew_max_s=skew_max_s,
        )


class VenueLink:
    """A venue at one base URL for the life of the process: session, clock, and the venue's gate."""

    def __init__(self, base_url: str, gate: Gate, carrier: Carrier) -> None:
        self.base_url = base_url.rstrip("/")
        self.gate = gate
        self.clock = ClockOffset()
        self.carrier = carrier
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

    def now(self) -> datetime:
        """Return wall time, aware UTC."""
        return self.carrier.now()

    def now_ms(self) -> float:
        """Return wall time in epoch milliseconds."""
        return self.carrier.now().timestamp() * 1000

    def venue_now_ms(self) -> int:
        """Return what the venue's clock shows now, in epoch milliseconds."""
        return self.clock.timestamp_ms(self.now_ms())

    def banned(self, until: datetime) -> None:
        """Stop every call to the venue until then: it has shut out our address."""
        self.gate.banned(until, for_s=(until - self.carrier.now()).total_seconds())

    def shut(self, until: datetime) -> None:
        """Make no call to this host until then; others of the venue are called as before."""
        left_s = (until - self.carrier.now()).total_seconds()
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
                request = await build(self.venue_now_ms())
                reply = await self.carrier.exchange(request)
        except VenueError as error:
            logger.info("call.failed", extra={"call": call.name, "code": error.code})
            raise
        if reply.status != HTTPStatus.FORBIDDEN:
            self.allowed_at = asyncio.get_running_loop().time()
        return reply

    async def timed(self, call: Call, build: Build) -> Timed:
        """Make one call, and take the time from its sending.

        Raises:
            VenueError: as `call()`.
        """
        sent_ms: list[float] = []

        async def timed_build(timestamp_ms: int) -> WireRequest:
            request = await build(timestamp_ms)
            sent_ms.append(self.now_ms())
            return request

        reply = await self.call(call, timed_build)
        return Timed(reply=reply, sent_ms=sent_ms[0], received_ms=self.now_ms())


@asynccontextmanager
async def open_link(
    base_url: str,
    gate: Gate,
    *,
    carrier: Carrier | None = None,
    limits: CarrierLimits | None = None,
) -> AsyncIterator[VenueLink]:
    """Open a link, over the network unless another carrier is given."""
    if carrier is not None:
        yield VenueLink(base_url, gate, carrier)
        return
    async with internet.open_internet(base_url, limits=limits) as network:
        yield VenueLink(base_url, gate, network)
