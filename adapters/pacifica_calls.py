"""One call to Pacifica: signed, sent over socket or HTTP, judged.

Owns what every call has in common: the credits, the signature, the venue's clock, and what an
answer teaches about both. Never decides what to ask. The one call that may leave twice is a cancel
to which the socket gave no answer: it goes once more over HTTP, signed afresh, because cancels may
be repeated.

The clock costs no call: frames carry the venue's time, and the header `Date` is believed where it
is off by more than it can be wrong.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import base58
from pydantic import SecretStr

from adapters import pacifica_replies as replies
from adapters import pacifica_socket as sockets
from adapters import pacifica_wire as wire
from adapters import signing
from adapters.carrier import Reply, WireRequest
from adapters.contract import (
    Priority,
    Purpose,
    VenueAuthRefused,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueThrottled,
    always,
)
from adapters.gate import Call
from adapters.link import Build, Timed, VenueLink
from adapters.pacifica_codes import RETRY_S
from adapters.pacifica_replies import Frame, Quota, Told
from adapters.pacifica_socket import WarmSocket
from adapters.pacifica_wire import Ask, Stamp
from adapters.pacing import Window
from adapters.signers import MessageSigner

logger = logging.getLogger(__name__)

ADDRESS = Window(name="address", calls=wire.ADDRESS_TENTHS, per_s=wire.CREDITS_S, kept=100)
COARSE_MS = 2000.0
"""`Date` shows whole seconds, and its answer took a while: only more than this is a wrong clock."""
SLOW_MS = 1000.0
"""An answer that took longer tells the time too badly."""
OFFSET_MS_MAX = 86_400_000.0
"""A venue's clock that is further off than a day is not believed."""
FOREIGN_S_MAX = 2.0
"""How long the venue's count of our credits is remembered: others give theirs back all the time,
and a cancel that is sent too early costs no more than a 429."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Whose credits calls use up: those of an API config key, or our address's."""

    key: SecretStr | None = None

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What names the key in a call and in the socket's handshake; it gives no access."""
        return () if self.key is None else (signing.header(wire.KEY_HEADER, self.key),)

    @property
    def window(self) -> Window:
        """The budget, in tenths of credits."""
        if self.key is None:
            return ADDRESS
        name = f"credits {signing.budget_id(self.key)}"
        return Window(name=name, calls=wire.KEY_TENTHS, per_s=wire.CREDITS_S, kept=300)

    def call(self, ask: Ask, priority: Priority) -> Call:
        """Say what a call takes of which budget."""
        if self.key is None:
            return Call(name=ask.name, windows=(), priority=priority, address_cost=ask.tenths)
        window = replace(self.window, cost=ask.tenths)
        return Call(name=ask.name, windows=(window,), priority=priority, address_cost=0)


class _SocketGone(Exception):
    """It is not open any more, and nothing was sent."""


@dataclass(slots=True, kw_only=True)
class Known:
    """What Pacifica at one base URL has shown that it can do, for the life of the process."""

    has_strategies: bool = False
    """It has shown a list of them: from then on, that there is no such call is a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls for one account, for one purpose."""

    link: VenueLink
    socket: WarmSocket
    credit: Credits
    known: Known
    account: str
    """Its address in base58; empty: what is asked is of no account."""
    signer: MessageSigner | None
    """None: only what is public can be read."""
    purpose: Purpose
    expiry_window_ms: int
    may_send: Callable[[], bool] = always
    """Asked right before each call is signed: it may have waited long for room."""

    async def cancel(self, ask: Ask, *, priority: Priority) -> Told | None:
        """Send a cancel; None: Pacifica says that nothing is there.

        Raises:
            VenueError: it was not acknowledged.
        """
        if not (ask.is_for_socket and self.socket.is_open):
            return await self._over_http(ask, priority)
        try:
            frame = await self._over_socket(ask, priority)
        except _SocketGone:
            return await self._over_http(ask, priority)
        if frame is not None:
            return self._judged_frame(frame)
        logger.info("socket.unanswered", extra={"venue": "pacifica", "call": ask.name})
        try:
            return await self._over_http(ask, priority)
        except VenueNotReached as error:
            # True of the second sending alone.
            raise VenueOutcomeUnknown(
                user_message=f"no answer over the socket; then {error.user_message}",
                remedy=error.remedy,
            ) from None

    async def read(self, ask: Ask, *, priority: Priority = Priority.READING) -> Told:
        """Read something; a signature is not needed.

        Raises:
            VenueError: Pacifica did not answer with it.
        """
        fresh = (("Cache-Control", "no-cache"),) if self.account else ()

        async def build(_: int) -> WireRequest:
            self._check_consent()
            return WireRequest(
                method="GET", path=ask.path, query=ask.query, headers=(*fresh, *self.credit.headers)
            )

        reply = (await self._exchanged(ask, priority, build)).reply
        told = self._judged(reply, hold_s_max=RETRY_S)
        if self.account and reply.headers.get("Age", "0") != "0":
            raise replies.invalid("the answer comes from a cache, not from the account")
        return _needed(ask, told)

    async def look(self, ask: Ask) -> tuple[Told, Timed]:
        """Read what is the same for all, past caches if they let us; returns the answer too.

        Raises:
            VenueError: Pacifica did not answer with it.
        """

        async def build(_: int) -> WireRequest:
            headers = (("Cache-Control", "no-cache"), *self.credit.headers)
            return WireRequest(method="GET", path=ask.path, query=ask.query, headers=headers)

        timed = await self._exchanged(ask, Priority.OTHER, build)
        return _needed(ask, self._judged(timed.reply, hold_s_max=RETRY_S)), timed

    async def ask(self, ask: Ask) -> Told:
        """Ask what has to be signed, over HTTP, behind everything else.

        Raises:
            VenueError: Pacifica did not answer with it.
        """
        return _needed(ask, await self._over_http(ask, Priority.OTHER))

    async def _over_socket(self, ask: Ask, priority: Priority) -> Frame | None:
        """Send a cancel over the socket; None: no answer came.

        Raises:
            _SocketGone: it died while the call waited for room; nothing was sent.
            VenueError: it could not be signed or sent, and must not be.
        """
        async with self.link.gate.passage(self._call(ask, priority)):
            fields = await self._signed(ask, self.link.venue_now_ms())
            request_id = sockets.new_id()
            sent_ms = self.link.now_ms()
            try:
                frame = await self.socket.ask(request_id, wire.frame(request_id, ask, fields))
            except VenueNotReached:
                raise _SocketGone from None
            except VenueError:
                return None
        self._heed_clock(frame.at_ms, sent_ms=sent_ms, coarse_ms=0.0)
        self._heed_quota(frame.quota)
        return frame

    async def _over_http(self, ask: Ask, priority: Priority) -> Told | None:
        async def build(timestamp_ms: int) -> WireRequest:
            fields = await self._signed(ask, timestamp_ms)
            headers = (("Content-Type", "application/json"), *self.credit.headers)
            return WireRequest(
                method="POST", path=ask.path, headers=headers, body=wire.body(fields)
            )

        return self._judged((await self._exchanged(ask, priority, build)).reply)

    async def _exchanged(self, ask: Ask, priority: Priority, build: Build) -> Timed:
        timed = await self.link.timed(self._call(ask, priority), build)
        headers = timed.reply.headers
        if self.account:  # What is the same for all may come from a cache, with its time.
            date_ms = replies.parse_date_ms(headers)
            self._heed_clock(date_ms, sent_ms=timed.sent_ms, coarse_ms=COARSE_MS)
        self._heed_quota(replies.parse_quota(headers))
        return timed

    def _call(self, ask: Ask, priority: Priority) -> Call:
        own = priority if self.purpose is Purpose.RUN else Priority.OTHER
        return self.credit.call(ask, own)

    def _check_consent(self) -> None:
        if not self.may_send():
            raise VenueNotReached(user_message="consent has ended: nothing is sent any more")

    async def _signed(self, ask: Ask, timestamp_ms: int) -> dict[str, object]:
        self._check_consent()
        if self.signer is None:
            raise VenueAuthRefused(user_message="there is no key: this can only read")
        address = base58.b58encode(self.signer.public_key).decode()
        stamp = Stamp(
            account=self.account,
            agent=None if address == self.account else address,
            timestamp_ms=timestamp_ms,
            expiry_window_ms=self.expiry_window_ms,
        )
        signature = await self.signer.sign(wire.message(ask, stamp))
        return wire.signed_fields(ask, stamp, signature)

    def _judged(self, reply: Reply, *, hold_s_max: float = math.inf) -> Told | None:
        try:
            return replies.judge(reply.status, reply.headers, reply.body)
        except VenueThrottled as error:
            self._hold(error, hold_s_max)
            raise

    def _judged_frame(self, frame: Frame) -> Told | None:
        try:
            return replies.judge_frame(frame)
        except VenueThrottled as error:
            self._hold(error, math.inf)
            raise

    def _hold(self, error: VenueThrottled, s_max: float) -> None:
        """Hold all calls; for a reading not long: a cancel costs half a credit, that up to 12."""
        self.link.gate.throttled(self.credit.window, min(error.retry_after_s, s_max))

    def _heed_quota(self, quota: Quota | None) -> None:
        """Follow the venue's own count of our credits."""
        if quota is not None:
            self.link.gate.corrected(
                self.credit.window,
                limit=quota.limit,
                remaining=quota.remaining,
                reset_after_s=min(quota.reset_after_s, FOREIGN_S_MAX),
            )

    def _heed_clock(self, server_ms: float | None, *, sent_ms: float, coarse_ms: float) -> None:
        """Measure the clock, where what is known of it differs by more than `coarse_ms`."""
        received_ms = self.link.now_ms()
        if server_ms is None or received_ms - sent_ms > SLOW_MS:
            return
        off_ms = server_ms - (sent_ms + received_ms) / 2
        if abs(off_ms) > OFFSET_MS_MAX or abs(off_ms - self.link.clock.offset_ms) <= coarse_ms:
            return
        self.link.clock.measured(sent_ms=sent_ms, received_ms=received_ms, server_ms=server_ms)


def _needed(ask: Ask, told: Told | None) -> Told:
    """Refuse an answer that means that nothing is there to cancel: nothing was to be."""
    if told is None:
        raise replies.invalid(f"{ask.name} is answered as if it had been a cancel")
    return told
