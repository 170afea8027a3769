"""One call to Synthetix: paced, signed, sent, judged.

Owns what every call has in common: tokens, nonce, signature, the venue's clock, and what an answer
teaches about each. Never decides what to ask. What may leave twice is a page of orders whose size
is refused, once more in the size that is documented, and `ask()`, which is no part of a run.

The clock costs no call: every answer carries the venue's time, which is believed where it is off by
more than it can be wrong, and two answers in a row agree: nonces that ran ahead stay ahead.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from adapters import synthetix_lists as lists
from adapters import synthetix_replies as replies
from adapters import synthetix_wire as wire
from adapters.carrier import WireRequest
from adapters.contract import (
    OpenOrder,
    Priority,
    Purpose,
    VenueNotReached,
    VenueThrottled,
    always,
)
from adapters.gate import Call
from adapters.link import Timed, VenueLink
from adapters.nonces import Counter, Turn
from adapters.pacing import SHARE, Window
from adapters.signers import TypedSigner
from adapters.synthetix_codes import CallInvalid, NonceMissing, NonceRefused
from adapters.synthetix_replies import Heard, Told
from adapters.synthetix_wire import ADDRESS, Ask

logger = logging.getLogger(__name__)

COARSE_MS = 2000.0
"""`timestamp` may show whole seconds, and its answer took a while: only more is a wrong clock."""
SLOW_MS = 1000.0
"""An answer that took longer tells the time too badly."""
OFFSET_MS_MAX = 86_400_000.0
"""A venue's clock that is further off than a day is not believed."""
FOREIGN_S = 2.0
"""How long the venue's count of tokens is remembered: they come back all the time."""
HEADERS = (("Content-Type", "application/json"), ("User-Agent", wire.USER_AGENT))


@dataclass(slots=True, kw_only=True)
class Lessons:
    """What the answers of one base URL have taught; shared by all adapters there."""

    page: int = wire.PAGE_MAX
    """Orders asked for in one page."""
    reads_with_nonce: bool = False
    """This server wants nonces for readings too."""
    clock_off_ms: float | None = None
    """How far the last answer had the venue's clock off, where that was not believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a public call was told, and when."""

    told: Told
    timed: Timed
    server_ms: float | None
    """The venue's clock, in epoch milliseconds; None: not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls for one subaccount with one key, for one purpose."""

    link: VenueLink
    signer: TypedSigner
    counter: Counter
    """The key's nonces."""
    uid: str
    purpose: Purpose
    lessons: Lessons
    may_send: Callable[[], bool] = always
    """Asked right before each call is signed: it may have waited long for room or its turn."""

    async def cancel(self, ask: Ask) -> Told | None:
        """Send a cancel; None: Synthetix says that nothing is there.

        Raises:
            VenueError: it was not acknowledged.
        """
        return await self._call(ask, Priority.CANCEL)

    async def ask(self, ask: Ask) -> Told:
        """Read something else of the subaccount, behind everything else and never in a run.

        Servers of before 2026 want a nonce even for that, and are then asked once more, with one.

        Raises:
            VenueError: Synthetix did not answer with it.
        """
        if not self.lessons.reads_with_nonce:
            try:
                return _needed(ask, await self._call(ask, Priority.OTHER))
            except NonceMissing:
                logger.info("nonce.wanted", extra={"venue": "synthetix", "call": ask.name})
        return _needed(ask, await self._call(replace(ask, has_nonce=True), Priority.OTHER))

    async def page(self, offset: int, priority: Priority) -> tuple[OpenOrder, ...]:
        """Read a page of open orders.

        Raises:
            VenueError: Synthetix did not answer with it.
        """
        size = self.lessons.page
        try:
            return await self._page(size, offset, priority)
        except CallInvalid:
            if size == wire.PAGE_LEAST:
                raise
        logger.info("page.refused", extra={"venue": "synthetix", "size": size})
        found = await self._page(wire.PAGE_LEAST, offset, priority)
        self.lessons.page = wire.PAGE_LEAST  # Only now: this account may be what was refused.
        return found

    async def _page(self, limit: int, offset: int, priority: Priority) -> tuple[OpenOrder, ...]:
        has_nonce = self.lessons.reads_with_nonce
        ask = wire.build_open_orders(limit=limit, offset=offset, has_nonce=has_nonce)
        told = await self._call(ask, priority)
        if told is None:
            raise replies.invalid("a reading is answered as if it had been a cancel")
        return lists.parse_orders(told, offset_ms=self.link.clock.offset_ms)

    async def _call(self, ask: Ask, priority: Priority) -> Told | None:
        call = Call(
            name=ask.name,
            windows=(self._window(ask),),
            priority=priority if self.purpose is Purpose.RUN else Priority.OTHER,
            address_cost=ask.tokens,
        )
        with self.counter.turn() as turn:
            heard = await self._heard(ask, call, turn)
            try:
                told = replies.judge(heard, address=self.signer.address)
            except VenueThrottled as error:
                self._hold(ask, heard, error)
                raise
            except NonceRefused:
                logger.warning("nonce.refused", extra={"venue": "synthetix", "call": ask.name})
                self.counter.refused(turn.nonce)
                raise
            except NonceMissing:
                self.lessons.reads_with_nonce |= not ask.has_nonce
                raise
            if ask.has_nonce:
                self.counter.accepted()
            return told

    async def _heard(self, ask: Ask, call: Call, turn: Turn) -> Heard:
        sent_ms: list[float] = []

        async def build(_: int) -> WireRequest:
            request = await self._signed(ask, turn)
            sent_ms.append(self.link.now_ms())
            return request

        reply = await self.link.call(call, build)
        heard = replies.hear(reply, venue_now_ms=self.link.venue_now_ms())
        self._heed_tokens(ask, heard)
        self._heed_clock(heard, sent_ms=sent_ms[0])
        return heard

    async def _signed(self, ask: Ask, turn: Turn) -> WireRequest:
        now_ms = self.link.venue_now_ms
        nonce = await turn.draw(now_ms) if ask.has_nonce else 0
        if not self.may_send():
            raise VenueNotReached(user_message="consent has ended: nothing is sent any more")
        expires_after = (nonce or now_ms()) + wire.LIFE_MS
        signature = await self.signer.sign(
            wire.typed(ask, uid=self.uid, nonce=nonce, expires_after=expires_after)
        )
        body = wire.body(
            ask,
            uid=self.uid,
            nonce=nonce,
            expires_after=expires_after,
            signature=signature,
        )
        return WireRequest(method="POST", path=ask.path, headers=HEADERS, body=body)

    def _window(self, ask: Ask) -> Window:
        return Window(
            name=f"sub-{self.uid}",
            calls=wire.ACCOUNT_TOKENS,
            per_s=wire.BUDGET_S,
            cost=ask.tokens,
        )

    def _heed_tokens(self, ask: Ask, heard: Heard) -> None:
        """Follow the venue's own count of tokens.

        We use 80 % of a bucket, so that what others take of the rest is no loss of ours: only what
        they take beyond it narrows our share.
        """
        gate = self.link.gate
        for name, window in (("rateLimit", self._window(ask)), ("ipRateLimit", ADDRESS)):
            quota = replies.parse_quota(heard, name)
            if quota is None:
                continue
            spare = quota.limit - math.floor(SHARE * quota.limit)
            left = min(quota.limit, quota.remaining + spare) if quota.remaining else 0
            gate.corrected(window, limit=quota.limit, remaining=left, reset_after_s=FOREIGN_S)

    def _hold(self, ask: Ask, heard: Heard, error: VenueThrottled) -> None:
        """Hold the bucket that is empty: the subaccount's, unless the address's is told to be."""
        quota = replies.parse_quota(heard, "ipRateLimit")
        is_address = quota is not None and quota.remaining < ask.tokens
        window = ADDRESS if is_address else self._window(ask)
        self.link.gate.throttled(window, error.retry_after_s)

    def _heed_clock(self, heard: Heard, *, sent_ms: float) -> None:
        """Measure the venue's clock, where it differs from what is known by over `COARSE_MS`."""
        link, received_ms, server_ms = self.link, self.link.now_ms(), replies.parse_time_ms(heard)
        if server_ms is None or received_ms - sent_ms > SLOW_MS:
            return
        off_ms, before_ms = server_ms - (sent_ms + received_ms) / 2, self.lessons.clock_off_ms
        is_known = abs(off_ms - link.clock.offset_ms) <= COARSE_MS
        self.lessons.clock_off_ms = None if is_known else off_ms
        is_agreed = before_ms is not None and abs(off_ms - before_ms) <= COARSE_MS
        if not is_known and is_agreed and abs(off_ms) <= OFFSET_MS_MAX:
            link.clock.measured(sent_ms=sent_ms, received_ms=received_ms, server_ms=server_ms)


async def ask_public(link: VenueLink, ask: Ask) -> Told:
    """Ask what needs no key, behind everything else.

    Raises:
        VenueError: Synthetix did not answer with it.
    """
    return (await time_public(link, ask)).told


async def time_public(link: VenueLink, ask: Ask) -> Looked:
    """Ask what needs no key, and take the time.

    Raises:
        VenueError: Synthetix did not answer with it.
    """

    async def build(_: int) -> WireRequest:
        body = wire.public_body(ask)
        return WireRequest(method="POST", path=ask.path, headers=HEADERS, body=body)

    call = Call(name=ask.name, windows=(), priority=Priority.OTHER, address_cost=ask.tokens)
    timed = await link.timed(call, build)
    heard = replies.hear(timed.reply, venue_now_ms=link.venue_now_ms())
    told = _needed(ask, replies.judge(heard, address=""))
    return Looked(told=told, timed=timed, server_ms=replies.parse_time_ms(heard))


def _needed(ask: Ask, told: Told | None) -> Told:
    """Refuse an answer that means that nothing is there to cancel: nothing was to be."""
    if told is None:
        raise replies.invalid(f"{ask.name} is answered as if it had been a cancel")
    return told
