"""Bybit's door: one signed call and its judgement, the clock, and the instrument list.

Owns `Door` and `judge()`. Lives as long as the process; holds no key: a signer comes with a call.
Source: bybit-exchange/docs, `docs/v5/guide.mdx` and `rate-limit.mdx` (2026-07-24), read 2026-11-20.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from adapters import bybit_codes as codes
from adapters import bybit_listing as listings
from adapters import bybit_replies as replies
from adapters import bybit_wire as wire
from adapters.bybit_listing import Listing
from adapters.bybit_replies import Envelope
from adapters.bybit_wire import Ask
from adapters.contract import (
    ApiKeySigner,
    OrderClass,
    Priority,
    VenueAuthRefused,
    VenueBanned,
    VenueError,
    VenueReplyInvalid,
    VenueThrottled,
)
from adapters.link import Call, Reply, VenueLink, WireRequest
from adapters.pacing import Window

logger = logging.getLogger(__name__)

LISTING_EVERY_S = 3600.0


class BybitSettings(BaseModel):
    """Settings of an account at Bybit."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_url: str = "https://api.bybit.com"
    settle_coins: tuple[str, ...] = ()
    """Linear settle coins to cancel beside those that Bybit lists; can only add."""
    recv_window_ms: int = Field(default=5000, ge=1000, le=60000)


@dataclass(slots=True, kw_only=True)
class Door:
    """Bybit at one base URL: link, clock and instrument list."""

    link: VenueLink
    settings: BybitSettings
    path: Path | None
    """Where the instrument list is kept."""
    listing: Listing | None = None
    measuring: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, ask: Ask, *, priority: Priority, signer: ApiKeySigner | None) -> Envelope:
        """Make one call and judge its answer, by its body first, then by its status.

        Raises:
            VenueError: anything but `retCode` 0, or a code that means "nothing to do".
        """
        who = "public" if signer is None else signer.budget_id
        window = Window(name=f"{who} {ask.limit.name}", calls=ask.limit.calls, per_s=1.0)
        if signer is not None and self.link.clock.is_stale:
            await self._measure()
        call = Call(name=ask.name, windows=(window,), priority=priority, cost=ask.cost)
        reply = await self.link.call(call, self._signed(ask, signer))
        self._follow(reply, window)
        try:
            return judge(reply, ask.name)
        except VenueBanned as error:
            self.link.banned(error.until)
            raise
        except VenueThrottled as error:
            self.link.throttled(window, error.retry_after_s)
            raise
        except VenueAuthRefused as error:
            self.link.clock.is_stale = self.link.clock.is_stale or error.is_clock
            raise

    def _signed(
        self, ask: Ask, signer: ApiKeySigner | None
    ) -> Callable[[int], Awaitable[WireRequest]]:
        async def build(timestamp_ms: int) -> WireRequest:
            headers: tuple[tuple[str, str], ...] = ()
            if signer is not None:
                recv_ms = self.settings.recv_window_ms
                text = wire.prehash(timestamp_ms, signer.api_key, recv_ms, ask.payload)
                signature = await signer.sign(text)
                headers = wire.auth_headers(timestamp_ms, signer.api_key, recv_ms, signature)
            return WireRequest(
                method=ask.method, path=ask.path, query=ask.query, headers=headers, body=ask.body
            )

        return build

    def _follow(self, reply: Reply, window: Window) -> None:
        """Correct a budget by the headers, where they are there: a 10006 may lack them."""
        try:
            limit = int(reply.headers["X-Bapi-Limit"])
            remaining = int(reply.headers["X-Bapi-Limit-Status"])
            reset_ms = float(reply.headers["X-Bapi-Limit-Reset-Timestamp"])
        except (KeyError, ValueError):
            return
        wait_s = (self.link.clock.local_ms(reset_ms) - time.time() * 1000) / 1000
        self.link.corrected(window, limit=limit, remaining=remaining, reset_after_s=max(0, wait_s))

    async def _measure(self) -> None:
        """Measure the clock; a failure is tolerated, the next call will say 10002 if it matters."""
        async with self.measuring:
            if not self.link.clock.is_stale:
                return
            window = Window(name="public time", calls=50, per_s=1.0)
            call = Call(name="time", windows=(window,), priority=Priority.CANCEL)
            sent: list[float] = []

            async def build(_: int) -> WireRequest:
                sent.append(time.time() * 1000)
                return WireRequest(method="GET", path="/v5/market/time")

            try:
                reply = await self.link.call(call, build)
                received_ms = time.time() * 1000
                result = judge(reply, "time").result
                server_ms = int(result["timeNano"]) / 1_000_000
            except (VenueError, KeyError, TypeError, ValueError):
                logger.warning("clock.unmeasured", extra={"venue": "bybit"})
                return
            self.link.clock.measured(sent_ms=sent[0], received_ms=received_ms, server_ms=server_ms)

    async def refresh(self) -> None:
        """Read the instrument list again and keep it.

        Raises:
            VenueError: no category could be read to its end.
        """
        pages: dict[OrderClass, dict[str, str]] = {}
        failed: list[VenueError] = []
        for order_class, query in listings.QUERIES:
            try:
                found = await self._list(order_class, query)
            except VenueError as error:
                failed.append(error)
                continue
            pages[order_class] = pages.get(order_class, {}) | found
        if failed and (self.listing is None and wire.LINEAR not in pages):
            raise failed[0]
        self.listing = listings.collected(pages, self.listing)
        if self.path is not None:
            listings.keep(self.path, self.listing)

    async def _list(self, order_class: OrderClass, query: str) -> dict[str, str]:
        found: dict[str, str] = {}
        cursor, seen = "", set[str]()
        while cursor not in seen:
            seen.add(cursor)
            ask = listings.build_page(order_class, query, cursor)
            answer = await self.ask(ask, priority=Priority.OTHER, signer=None)
            page = replies.read(listings.Page, answer.result, ask.name)
            found |= {row.symbol: row.settle for row in page.rows}
            cursor = page.cursor or ""
        return found

    async def stay_fresh(self) -> None:
        """Read the instrument list at start and every hour; a failure is tried again sooner."""
        while True:
            try:
                await self.refresh()
                await asyncio.sleep(LISTING_EVERY_S)
            except (VenueError, OSError):
                logger.warning("listing.unread", extra={"venue": "bybit"})
                await asyncio.sleep(LISTING_EVERY_S / 60)

    def linear_coins(self) -> tuple[str, ...]:
        """Return every linear settle coin that is known."""
        listed = self.listing.coins(wire.LINEAR) if self.listing else frozenset[str]()
        return tuple(sorted(listed.union(listings.ALWAYS, self.settings.settle_coins)))


def judge(reply: Reply, what: str) -> Envelope:
    """Judge an answer: by its body if it is one of Bybit's, else by its HTTP status.

    Raises:
        VenueError: it states an error, or it is not what Bybit documents.
    """
    try:
        envelope = Envelope.model_validate_json(reply.body)
    except ValueError:
        if reply.status == HTTPStatus.OK:  # HTML or half a body under HTTP 200
            raise VenueReplyInvalid(
                user_message=f"Bybit's answer to {what} is not JSON as documented"
            ) from None
        raise codes.error_of_status(reply.status, now=datetime.now(UTC)) from None
    if envelope.code == 0 and reply.status == HTTPStatus.OK:
        return envelope
    if envelope.code == 0:
        raise codes.error_of_status(reply.status, now=datetime.now(UTC))
    error = codes.error_of(
        str(envelope.code), said=envelope.said, retry_after_s=_reset_after_s(reply)
    )
    if error is not None:
        raise error
    return Envelope(retCode=envelope.code, retMsg=envelope.said)


def _reset_after_s(reply: Reply) -> float | None:
    try:
        reset_ms = float(reply.headers["X-Bapi-Limit-Reset-Timestamp"])
    except (KeyError, ValueError):
        return None
    return min(5.0, max(0.1, reset_ms / 1000 - time.time()))
