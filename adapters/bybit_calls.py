"""One call to Bybit: signed, sent, judged.

Owns what every call has in common: the key's budgets, the measured clock, the signature, and what
an answer teaches about limits and bans. Never decides what to ask, never asks twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from adapters import bybit_codes as codes
from adapters import bybit_receipts as receipts
from adapters import bybit_replies as replies
from adapters import bybit_wire as wire
from adapters import gate as gates
from adapters.bybit_codes import Forbidden
from adapters.bybit_replies import Envelope, Heard
from adapters.bybit_wire import Ask
from adapters.carrier import Reply, WireRequest
from adapters.contract import (
    Priority,
    Purpose,
    VenueAuthRefused,
    VenueBanned,
    VenueError,
    VenueNotReached,
    VenueRefused,
    VenueThrottled,
    always,
)
from adapters.gate import Call
from adapters.link import Build, Timed, VenueLink
from adapters.pacing import Window
from adapters.signers import ApiKeySigner

logger = logging.getLogger(__name__)

CLOCK_WAIT_S = 1.0
"""No call waits longer than this for the clock: Bybit judges the timestamp, not we."""
UNDECIDED_S = 1.0
"""How long a call that is forbidden asks no more, after the clock gave no answer."""
CLOCK_AGAIN_S = 10.0
"""How long a failed measurement is not tried again."""


@dataclass(slots=True, kw_only=True)
class Timekeeper:
    """Measures how far Bybit's clock is from ours, for all adapters of one link."""

    link: VenueLink
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    failed_at: float = float("-inf")
    doubting: asyncio.Lock = field(default_factory=asyncio.Lock)
    undecided_at: float = float("-inf")
    """Until when nobody asks again, because Bybit would not say: loop time."""

    async def fresh(self) -> None:
        """Measure if the last measurement is stale; a failure is tolerated and not repeated soon.

        A cancel under a slightly wrong clock beats a cancel that waits for the right one.
        """
        if not self._is_due():
            return
        async with self.lock:
            if not self._is_due():
                return
            try:
                async with asyncio.timeout(CLOCK_WAIT_S):
                    await self._measure()
            except (VenueError, TimeoutError):
                self.failed_at = asyncio.get_running_loop().time()
                logger.warning("clock.unmeasured", extra={"venue": "bybit"})

    async def renewed(self) -> None:
        """Measure, whether the last measurement is stale or not; a failure is tolerated."""
        self.link.clock.is_stale = True
        await self.fresh()

    async def ban_or(self, error: Forbidden, *, sent_at: float) -> VenueError:
        """Tell a ban of our address from a call that is merely forbidden: a ban forbids all calls.

        So it is none if any call was answered since this one was sent, and perhaps one if Bybit
        will not even tell the time. What the page does not call a ban shuts this host alone: an
        address that is banned in truth is told so by the others.

        Args:
            error: what the call met.
            sent_at: loop time before it was sent.

        Returns:
            What it met in truth.
        """
        async with self.doubting:
            if (until := self.link.banned_until) is not None:
                return gates.shut_out(until)
            if sent_at <= max(self.link.allowed_at, self.undecided_at):
                return error
            try:
                async with asyncio.timeout(CLOCK_WAIT_S):
                    await self._measure()
            except Forbidden:
                if sent_at <= self.link.allowed_at:
                    return error
                ban = codes.banned(error.venue_code, self.link.now())
                self.link.shut(ban.until)
                return ban
            except VenueBanned as ban:
                return ban
            except (VenueError, TimeoutError):
                self.undecided_at = asyncio.get_running_loop().time() + UNDECIDED_S
                logger.warning("ban.undecided", extra={"venue": "bybit"})
            return error

    def _is_due(self) -> bool:
        failed_lately = asyncio.get_running_loop().time() - self.failed_at < CLOCK_AGAIN_S
        return self.link.clock.is_stale and not failed_lately

    async def _measure(self) -> None:
        ask = wire.build_time()
        sent_ms: list[float] = []

        async def build(_: int) -> WireRequest:
            sent_ms.append(self.link.now_ms())
            return WireRequest(method=ask.method, path=ask.path)

        call = Call(name=ask.name, windows=(), priority=Priority.CANCEL)
        reply = await self.link.call(call, build)
        received_ms = self.link.now_ms()
        envelope = _judged(self.link, reply, api_key="")
        server_ms = receipts.parse_time_ms(envelope.result if envelope else None)
        self.link.clock.measured(sent_ms=sent_ms[0], received_ms=received_ms, server_ms=server_ms)


async def ask_public(timekeeper: Timekeeper, ask: Ask) -> object:
    """Ask what needs no key, behind everything else; returns `result`.

    Raises:
        VenueError: Bybit did not answer with it.
    """
    return (await time_public(timekeeper, ask))[0]


async def time_public(timekeeper: Timekeeper, ask: Ask) -> tuple[object, Timed]:
    """Ask what needs no key and take the time; returns `result` and the answer.

    Raises:
        VenueError: Bybit did not answer with it.
    """

    async def build(_: int) -> WireRequest:
        return WireRequest(method=ask.method, path=ask.path, query=ask.query)

    link, sent_at = timekeeper.link, asyncio.get_running_loop().time()
    timed = await link.timed(Call(name=ask.name, windows=(), priority=Priority.OTHER), build)
    try:
        return _result(ask, _judged(link, timed.reply, api_key="")), timed
    except Forbidden as error:
        raise await timekeeper.ban_or(error, sent_at=sent_at) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls under one key for one purpose."""

    link: VenueLink
    timekeeper: Timekeeper
    signer: ApiKeySigner
    purpose: Purpose
    recv_window_ms: int
    may_send: Callable[[], bool] = always
    """Asked right before each call is signed: it may have waited long for room."""
    uids: dict[str, str] = field(default_factory=dict)
    """Budget id of a key -> the account that it was seen to belong to; shared by all callers."""

    def belongs_to(self, uid: str) -> None:
        """Count this key's calls with those of every other key of the account from now on.

        Bybit counts per UID, so a key that reads and one that cancels use up the same limits.
        """
        self.uids[self.signer.budget_id] = uid

    async def cancel(self, ask: Ask) -> Envelope | None:
        """Send a cancel, or what a cancel needs first; None: Bybit says there is nothing there.

        Raises:
            VenueError: it was not acknowledged.
        """
        return await self._call(ask, Priority.CANCEL)

    async def read(self, ask: Ask, *, priority: Priority = Priority.READING) -> object:
        """Read something; returns `result`.

        Raises:
            VenueError: Bybit did not answer with it.
        """
        return _result(ask, await self._call(ask, priority))

    def throttled(self, ask: Ask, error: VenueThrottled) -> None:
        """Hold the window of a call that was refused for its speed inside an answer."""
        for window in self._windows(ask):
            self.link.gate.throttled(window, error.retry_after_s)

    async def _call(self, ask: Ask, priority: Priority) -> Envelope | None:
        await self.timekeeper.fresh()
        call = Call(
            name=ask.name,
            windows=self._windows(ask),
            priority=priority if self.purpose is Purpose.RUN else Priority.OTHER,
        )
        sent_at = asyncio.get_running_loop().time()
        reply = await self.link.call(call, self._signed(ask))
        self._follow(ask, reply)
        try:
            return _judged(self.link, reply, api_key=self.signer.api_key)
        except VenueThrottled as error:
            self.throttled(ask, error)
            raise
        except Forbidden as error:
            raise await self.timekeeper.ban_or(error, sent_at=sent_at) from None
        except VenueAuthRefused as error:
            if error.is_clock:
                self.link.clock.is_stale = True
                self.timekeeper.failed_at = float("-inf")
            raise

    def _windows(self, ask: Ask) -> tuple[Window, ...]:
        if ask.limit is None:
            return ()
        uid = self.uids.get(self.signer.budget_id)
        owner = f"uid-{uid}" if uid else self.signer.budget_id
        name = f"{owner} {ask.limit.name}"
        return (Window(name=name, calls=ask.limit.calls, per_s=1.0, cost=ask.cost),)

    def _signed(self, ask: Ask) -> Build:
        async def build(timestamp_ms: int) -> WireRequest:
            if not self.may_send():
                raise VenueNotReached(user_message="consent has ended: nothing is sent any more")
            api_key, recv_window_ms = self.signer.api_key, self.recv_window_ms
            message = wire.prehash(
                ask.payload,
                timestamp_ms=timestamp_ms,
                api_key=api_key,
                recv_window_ms=recv_window_ms,
            )
            headers = wire.auth_headers(
                await self.signer.sign(message),
                timestamp_ms=timestamp_ms,
                api_key=api_key,
                recv_window_ms=recv_window_ms,
            )
            if ask.body is None:
                return WireRequest(
                    method=ask.method, path=ask.path, query=ask.query, headers=headers
                )
            return WireRequest(
                method=ask.method,
                path=ask.path,
                headers=(*headers, ("Content-Type", "application/json")),
                body=ask.body.encode(),
            )

        return build

    def _follow(self, ask: Ask, reply: Reply) -> None:
        """Correct the window by the venue's own numbers, where they are there and make sense."""
        quota = replies.parse_quota(_heard(self.link, reply))
        if quota is None:
            return
        for window in self._windows(ask):
            self.link.gate.corrected(
                window,
                limit=quota.limit,
                remaining=quota.remaining,
                reset_after_s=quota.reset_after_s,
            )


def _heard(link: VenueLink, reply: Reply) -> Heard:
    return Heard(
        status=reply.status,
        headers=reply.headers,
        body=reply.body,
        now=link.now(),
        venue_now_ms=link.venue_now_ms(),
    )


def _judged(link: VenueLink, reply: Reply, *, api_key: str) -> Envelope | None:
    """Judge an answer, and tell the gate of a ban; `api_key` is empty for a public call."""
    try:
        return replies.judge(_heard(link, reply), api_key=api_key)
    except VenueBanned as error:
        link.banned(error.until)
        raise


def _result(ask: Ask, envelope: Envelope | None) -> object:
    if envelope is None:
        raise VenueRefused(
            user_message=f"Bybit answers {ask.name} as if it had been a cancel", is_retryable=True
        )
    return envelope.result
