"""Bybit v5: the adapter and `connect()`.

Sources: bybit-exchange/docs, `docs/v5` (2026-07-24), read 2026-11-20. Limits: per UID and endpoint
as in `bybit_wire`, 600 calls per 5 s and address over all hosts. Oddities of the wire stand there.

How everything is cancelled, one round, side by side:

* `linear` by settle coin, from the instrument list; `inverse` by the settle coins of its open
  orders, read first, or of the whole list if that reading fails. At most 500 orders a call, picked
  at random.
* `option` in one call; `spot` in five, one for each order filter; `spread`, inquiries and quotes by
  calls of their own.
* Strategies are listed and stopped one by one, beside the rest: a hanging list must not delay the
  cancels. Orders that a strategy placed meanwhile are younger than the cancel: a new round.

With `protective = "keep"` no cancel-all is sent: its filters cannot tell a reduce-only order from
any other, so every order that protects nothing is cancelled by its id. So is a single order.

`blind_to`: trading bots, other sub-accounts, copy-trading followers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters import bybit_codes as codes
from adapters import bybit_listing as listings
from adapters import bybit_wire as wire
from adapters import link as links
from adapters import signing
from adapters.bybit_listing import Listing
from adapters.bybit_wire import Ask, Envelope
from adapters.contract import (
    ApiKeySigner,
    Capabilities,
    Instruments,
    KeyFacts,
    OpenOrder,
    OrderClass,
    Priority,
    Protective,
    Purpose,
    Reading,
    Receipt,
    Scope,
    Unread,
    VenueAdapter,
    VenueAuthRefused,
    VenueBanned,
    VenueError,
    VenueRefused,
    VenueReplyInvalid,
    VenueThrottled,
)
from adapters.link import Call, Reply, VenueLink, WireRequest
from adapters.pacing import Window

logger = logging.getLogger(__name__)

CAPABILITIES = Capabilities(
    order_classes=wire.ORDER_CLASSES,
    symbol_classes=wire.SYMBOL_CLASSES,
    blind_to=(
        "trading bots (grid, DCA, martingale, combo)",
        "sub-accounts and copy-trading followers that the config does not list",
    ),
    reread_after_s=0.5,
    orders_per_cancel_max=20,
)
LISTING_EVERY_S = 3600.0


class BybitSettings(BaseModel):
    """Settings of an account at Bybit."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_url: str = "https://api.bybit.com"
    settle_coins: tuple[str, ...] = ()
    """Linear settle coins to cancel beside those that Bybit lists; can only add."""
    recv_window_ms: int = Field(default=5000, ge=1000, le=60000)


class BybitCredentials(BaseModel):
    """The secret document: an API key, and its secret or its RSA private key in PEM."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    api_key: SecretStr
    api_secret: SecretStr | None = None
    private_key: SecretStr | None = None


@dataclass(slots=True, kw_only=True)
class Bybit:
    """Bybit at one base URL, for the life of the process."""

    link: VenueLink
    settings: BybitSettings
    path: Path | None
    """Where the instrument list is kept."""
    listing: Listing | None = None
    measuring: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def capabilities(self) -> Capabilities:
        """What every adapter of Bybit can do."""
        return CAPABILITIES

    async def instruments(self) -> Instruments:
        """Return every symbol that Bybit lists.

        Raises:
            VenueError: it is not known from disk and cannot be read now.
        """
        if self.listing is None:
            await self.refresh()
        assert self.listing is not None
        return self.listing.instruments()

    def signer(self, secret: SecretStr) -> ApiKeySigner:
        """Make the signer that a secret document describes.

        Raises:
            VenueAuthRefused: names the field that is wrong.
        """
        found = signing.read_document(secret, BybitCredentials)
        if found.private_key is not None and found.api_secret is None:
            return signing.RsaSigner(found.api_key, found.private_key)
        if found.api_secret is not None and found.private_key is None:
            return signing.HmacSigner(found.api_key, found.api_secret)
        raise VenueAuthRefused(
            user_message="the secret document needs api_secret or private_key, and not both",
            remedy="Seal it again.",
        )

    def adapter(self, signer: ApiKeySigner, *, purpose: Purpose) -> VenueAdapter:
        """Join this venue and a signer."""
        return BybitAdapter(venue=self, signer=signer, purpose=purpose)

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
            page = wire.read(listings.Page, answer.result, ask.name)
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
        if reply.status == 200:  # noqa: PLR2004 - HTML or half a body under HTTP 200
            raise VenueReplyInvalid(
                user_message=f"Bybit's answer to {what} is not JSON as documented"
            ) from None
        raise codes.error_of_status(reply.status, now=datetime.now(UTC)) from None
    if envelope.code == 0 and reply.status == 200:  # noqa: PLR2004
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


@dataclass(slots=True, kw_only=True)
class BybitAdapter:
    """Bybit with one key, for one run, preview or check."""

    venue: Bybit
    signer: ApiKeySigner
    purpose: Purpose

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    async def cancel_all(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel every order class in scope once; see the module's docstring for the calls."""
        if scope.order_id is not None or scope.protective is Protective.KEEP:
            return await self._cancel_one_by_one(scope)
        parts = self._parts_by_symbol(scope) if scope.symbols else self._parts(scope)
        return await _side_by_side(
            [part for order_class, part in parts if order_class not in scope.classes_off]
        )

    def _parts(self, scope: Scope) -> list[tuple[OrderClass, _Part]]:
        """List the calls of a round over everything."""
        asks = [
            *(
                wire.build_cancel_all(wire.LINEAR, {"settleCoin": coin})
                for coin in self.venue.linear_coins()
            ),
            wire.build_cancel_all(wire.OPTION, {}),
            *(wire.build_cancel_all(spot, {}) for spot in wire.SPOT_FILTERS),
            wire.build_cancel_all_spread(),
            wire.build_cancel_rfqs(wire.RFQ),
            wire.build_cancel_rfqs(wire.QUOTE),
        ]
        return [
            (wire.STRATEGY, partial(self._stop_strategies, scope)),
            (wire.INVERSE, partial(self._cancel_inverse, scope)),
            *((ask.order_class, partial(self._cancel, ask)) for ask in asks),
        ]

    def _parts_by_symbol(self, scope: Scope) -> list[tuple[OrderClass, _Part]]:
        """List the calls of a round over some symbols."""
        asks = [
            wire.build_cancel_all_spread(symbol)
            if order_class == wire.SPREAD
            else wire.build_cancel_all(order_class, {"symbol": symbol})
            for symbol in scope.symbols
            for order_class in self._classes_of(symbol)
        ]
        return [
            (wire.STRATEGY, partial(self._stop_strategies, scope)),
            *((ask.order_class, partial(self._cancel, ask)) for ask in asks),
        ]

    def _classes_of(self, symbol: str) -> list[OrderClass]:
        """Return the classes that a symbol may have orders in; all if the list does not know it."""
        listing = self.venue.listing
        known = listing.classes_of(symbol) if listing else frozenset[str]()
        category = {**wire.CATEGORY, wire.SPREAD: "spread"}
        return [name for name, where in category.items() if not known or where in known]

    async def _cancel(self, ask: Ask) -> tuple[Receipt, ...]:
        """Send one cancel-all and keep what Bybit says as a receipt."""
        try:
            answer = await self._ask(ask, Priority.CANCEL)
            return (_receipt(ask, answer),)
        except VenueError as error:
            return (Receipt(order_class=ask.order_class, call=ask.name, error=error),)

    async def _cancel_inverse(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel inverse orders by the settle coins in use, or by all that are listed."""
        pages_max = 1 + wire.CAP // wire.PAGE
        found = _joined(await self._read_class(wire.INVERSE, scope, pages_max=pages_max))
        listing = self.venue.listing
        coins = {listings.inverse_coin(order.symbol, listing) for order in found.orders}
        if found.unread and listing is not None:
            coins |= listing.coins(wire.INVERSE)
        asks = [wire.build_cancel_all(wire.INVERSE, {"settleCoin": coin}) for coin in sorted(coins)]
        receipts = await _side_by_side([partial(self._cancel, ask) for ask in asks])
        if found.unread and not receipts:
            error = found.unread[0].error
            return (Receipt(order_class=wire.INVERSE, call="read inverse", error=error),)
        return receipts

    async def _stop_strategies(self, scope: Scope) -> tuple[Receipt, ...]:
        """List every strategy that may still act or have orders, and stop each."""
        found = _joined(
            await _side_by_side(
                [
                    partial(self._read_series, wire.STRATEGY, scope, {"status": status}, wire.PAGE)
                    for status in wire.STRATEGY_STATUSES
                ]
            )
        )
        receipts = await _side_by_side([partial(self._stop, order) for order in found.orders])
        unread = tuple(
            Receipt(order_class=wire.STRATEGY, call="list strategies", error=entry.error)
            for entry in found.unread
        )
        return receipts + unread

    async def _cancel_one_by_one(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel exactly the orders in scope, by id, where no cancel-all can express them."""
        reading = await self.open_orders(scope, pages_max=wire.PAGE)
        unread = tuple(
            Receipt(order_class=entry.order_class, call="list orders", error=entry.error)
            for entry in reading.unread
        )
        return unread + await self.cancel_orders(reading.orders)

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[Receipt, ...]:
        """Cancel these orders: in batches by category, spreads and strategies one by one."""
        by_category: dict[str, list[OpenOrder]] = {}
        for order in orders:
            category = wire.CATEGORY.get(order.order_class, order.order_class)
            by_category.setdefault(category, []).append(order)
        return await _side_by_side(
            [partial(self._cancel_some, *pair) for pair in by_category.items()]
        )

    async def _cancel_some(self, category: str, orders: Sequence[OpenOrder]) -> tuple[Receipt, ...]:
        match category:
            case wire.SPREAD:
                return await _side_by_side([partial(self._cancel_spread, o) for o in orders])
            case wire.STRATEGY:
                return await _side_by_side([partial(self._stop, o) for o in orders])
            case wire.RFQ | wire.QUOTE:
                return await self._cancel(wire.build_cancel_rfqs(OrderClass(category)))
            case _:
                size = wire.BATCH[category]
                chunks = [orders[at : at + size] for at in range(0, len(orders), size)]
                return await _side_by_side(
                    [partial(self._cancel_batch, category, some) for some in chunks]
                )

    async def _cancel_batch(
        self, category: str, orders: Sequence[OpenOrder]
    ) -> tuple[Receipt, ...]:
        """Send one batch; its outcome per order stands in `retExtInfo`, under `retCode` 0."""
        ask = wire.build_cancel_batch(category, orders)
        try:
            answer = await self._ask(ask, Priority.CANCEL)
            items = wire.read(wire.BatchItems, answer.more, ask.name).items
            if len(items) != len(orders):
                raise VenueReplyInvalid(user_message=f"{ask.name} answers for other orders")
        except VenueError as error:
            return tuple(
                Receipt(order_class=order.order_class, call=ask.name, error=error)
                for order in orders
            )
        return tuple(_item_receipt(ask, *pair) for pair in zip(orders, items, strict=True))

    async def _cancel_spread(self, order: OpenOrder) -> tuple[Receipt, ...]:
        return await self._cancel(wire.build_cancel_spread(order))

    async def _stop(self, order: OpenOrder) -> tuple[Receipt, ...]:
        return await self._cancel(wire.build_stop(order.order_id))

    async def open_orders(self, scope: Scope, *, pages_max: int) -> Reading:
        """Read every order class in scope side by side, the first page of each first."""
        classes = [name for name in self._read_classes(scope) if name not in scope.classes_off]
        readings = await _side_by_side(
            [partial(self._read_class, name, scope, pages_max=pages_max) for name in classes]
        )
        found = _joined(readings)
        by_id = {(order.order_class, order.order_id): order for order in found.orders}
        orders = [o for o in by_id.values() if o.order_class not in scope.classes_off]
        return replace(found, orders=tuple(orders))

    def _read_classes(self, scope: Scope) -> tuple[OrderClass, ...]:
        """Return the classes that have a reading of their own; one of spot shows all five kinds."""
        spots_off = set(wire.SPOT_FILTERS) <= set(scope.classes_off)
        spot = () if spots_off else (wire.SPOT,)
        books = (wire.LINEAR, wire.INVERSE, wire.OPTION, *spot, wire.SPREAD, wire.STRATEGY)
        if scope.symbols:
            return books
        return (*books, wire.RFQ, wire.QUOTE)

    async def _read_class(
        self, order_class: OrderClass, scope: Scope, *, pages_max: int
    ) -> tuple[Reading, ...]:
        """Read one class, in as many series of pages as it takes."""
        return await _side_by_side(
            [
                partial(self._read_series, order_class, scope, selector, pages_max)
                for selector in self._series(order_class, scope)
            ]
        )

    def _series(self, order_class: OrderClass, scope: Scope) -> list[dict[str, str]]:
        """List the series of pages that together show the whole class."""
        if order_class == wire.STRATEGY:
            return [{"status": status} for status in wire.STRATEGY_LIVE]
        if order_class in {wire.RFQ, wire.QUOTE}:
            return [{}]
        if scope.symbols:
            mine = [s for s in scope.symbols if order_class in self._classes_of(s)]
            return [{"symbol": symbol} for symbol in mine]
        if order_class == wire.LINEAR:
            return [{"settleCoin": coin} for coin in self.venue.linear_coins()]
        return [{}]

    async def _read_series(
        self, order_class: OrderClass, scope: Scope, selector: dict[str, str], pages_max: int
    ) -> tuple[Reading, ...]:
        """Read page after page; a cursor that comes twice on a full page is a lie, not an end."""
        orders: list[OpenOrder] = []
        cursor, seen = "", set[str]()
        try:
            for _ in range(pages_max):
                seen.add(cursor)
                page, cursor = await self._page(order_class, selector, cursor)
                orders += [order for order in page if _in_scope(order, scope)]
                if not cursor or (not page and cursor in seen):
                    return (Reading(orders=tuple(orders)),)
                if cursor in seen:
                    raise VenueReplyInvalid(user_message=f"Bybit repeats a page of {order_class}")
        except VenueError as error:
            unread = (Unread(order_class=order_class, error=error),)
            return (Reading(orders=tuple(orders), unread=unread),)
        return (Reading(orders=tuple(orders), has_more=(order_class,)),)

    async def _page(
        self, order_class: OrderClass, selector: dict[str, str], cursor: str
    ) -> tuple[list[OpenOrder], str]:
        """Read one page; returns its open orders and the cursor of the next one."""
        match order_class:
            case wire.STRATEGY:
                return await self._strategy_page(selector["status"], cursor)
            case wire.RFQ | wire.QUOTE:
                return await self._rfq_page(order_class), ""
            case wire.SPREAD:
                ask = wire.build_spread_realtime(selector.get("symbol"), cursor)
            case _:
                ask = wire.build_realtime(order_class, selector, cursor)
        answer = await self._ask(ask, Priority.READING)
        page = wire.read(wire.OrderPage, answer.result, ask.name)
        wanted = wire.CATEGORY.get(order_class)
        if wanted is not None and page.category not in {None, wanted}:
            raise VenueReplyInvalid(user_message=f"Bybit answers {ask.name} for another category")
        offset_ms = self.venue.link.clock.offset_ms
        found = [wire.open_order(order_class, row, offset_ms=offset_ms) for row in page.rows]
        return [order for order in found if order is not None], page.cursor or ""

    async def _strategy_page(self, status: str, cursor: str) -> tuple[list[OpenOrder], str]:
        ask = wire.build_strategies(status, cursor)
        answer = await self._ask(ask, Priority.READING)
        page = wire.read(wire.StrategyPage, answer.result, ask.name)
        found = [
            OpenOrder(
                order_class=wire.STRATEGY,
                symbol=row.symbol,
                order_id=row.strategy_id,
                created=wire.moment(row.created_ms, self.venue.link.clock.offset_ms),
                is_protective=row.is_reduce_only,
            )
            for row in page.rows
        ]
        return found, page.cursor or ""

    async def _rfq_page(self, order_class: OrderClass) -> list[OpenOrder]:
        ask = wire.build_rfq_realtime(order_class)
        answer = await self._ask(ask, Priority.READING)
        page = wire.read(wire.RfqPage, answer.result, ask.name)
        return [
            OpenOrder(
                order_class=order_class,
                symbol="",
                order_id=row.quote_id or row.rfq_id,
                created=wire.moment(row.created_ms, self.venue.link.clock.offset_ms),
            )
            for row in page.rows
            if row.status not in RFQ_CLOSED
        ]

    async def check(self) -> KeyFacts:
        """Ask Bybit whose key this is.

        Raises:
            VenueError: Bybit did not say.
        """
        ask = wire.build_query_api()
        answer = await self._ask(ask, Priority.CANCEL)
        return key_facts(wire.read(wire.KeyInfo, answer.result, ask.name))

    async def _ask(self, ask: Ask, priority: Priority) -> Envelope:
        first = priority if self.purpose is Purpose.RUN else Priority.OTHER
        return await self.venue.ask(ask, priority=first, signer=self.signer)


_Part = Callable[[], Coroutine[Any, Any, tuple[Receipt, ...]]]
T = TypeVar("T")
RFQ_CLOSED = frozenset({"Canceled", "Filled", "Expired", "Failed"})


async def _side_by_side(
    parts: Sequence[Callable[[], Coroutine[Any, Any, tuple[T, ...]]]],
) -> tuple[T, ...]:
    """Do all parts at once and join what they return, in order."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part()) for part in parts]
    return tuple(entry for task in tasks for entry in task.result())


def _joined(readings: Sequence[Reading]) -> Reading:
    return Reading(
        orders=tuple(order for reading in readings for order in reading.orders),
        unread=tuple(entry for reading in readings for entry in reading.unread),
        has_more=tuple(dict.fromkeys(name for r in readings for name in r.has_more)),
    )


def _in_scope(order: OpenOrder, scope: Scope) -> bool:
    """Tell whether a scope names an order; inquiries and quotes have no symbol."""
    if scope.protective is Protective.KEEP and order.is_protective:
        return False
    if scope.symbols and order.symbol not in scope.symbols:
        return False
    return scope.order_id is None or scope.order_id in {order.order_id, order.client_id}


def _receipt(ask: Ask, answer: Envelope) -> Receipt:
    """Keep what Bybit says to a cancel-all: an acknowledgement, no more.

    Raises:
        VenueReplyInvalid: neither an object nor a list of orders.
        VenueRefused: `success` says "0".
    """
    if answer.code != 0:
        return Receipt(order_class=ask.order_class, call=ask.name, accepted=0)
    if isinstance(answer.result, list):  # the two calls for inquiries and quotes
        return Receipt(order_class=ask.order_class, call=ask.name, accepted=len(answer.result))
    found = wire.read(wire.Cancelled, answer.result, ask.name)
    if found.success == "0":
        raise VenueRefused(
            user_message="Bybit did not accept the cancel",
            is_retryable=True,
            venue_code="success 0",
        )
    accepted = None if found.rows is None else len(found.rows)
    is_capped = ask.order_class in {wire.LINEAR, wire.INVERSE} and (accepted or 0) >= wire.CAP
    return Receipt(order_class=ask.order_class, call=ask.name, accepted=accepted, capped=is_capped)


def _item_receipt(ask: Ask, order: OpenOrder, item: wire.BatchItem) -> Receipt:
    if item.code == 0:
        return Receipt(order_class=order.order_class, call=ask.name, accepted=1)
    error = codes.error_of(str(item.code), said=item.said, retry_after_s=None)
    return Receipt(order_class=order.order_class, call=ask.name, accepted=0, error=error)


TRADE = {"ContractTrade": "Order", "Spot": "SpotTrade", "Derivatives": "DerivativesTrade"}
MONEY = {"AccountTransfer", "SubMemberTransfer", "SubMemberTransferList"}


def key_facts(info: wire.KeyInfo) -> KeyFacts:
    """Say what `query-api` says of a key, and what an operator should know about it."""
    held = {group: set(names or ()) for group, names in info.permissions.items()}
    wallet = held.get("Wallet", set())
    can_trade = any(right in held.get(group, set()) for group, right in TRADE.items())
    warnings = []
    if wallet & MONEY:
        warnings.append("the key may move money between accounts")
    bound = tuple(address for address in info.ips if address != "*")
    if not bound:
        warnings.append("the key is not bound to an address and dies after 90 days")
    return KeyFacts(
        account_uid=info.user_id,
        can_cancel=can_trade and info.read_only == 0,
        can_withdraw="Withdraw" in wallet,
        is_read_only=info.read_only != 0,
        bound_addresses=bound,
        expires=_expiry(info),
        warnings=tuple(warnings),
    )


def _expiry(info: wire.KeyInfo) -> datetime | None:
    """Return when the key dies; a bound key shows 1970 and -2 days, which means never."""
    if info.deadline_day < 0 or not info.expired_at or info.expired_at.startswith("1970"):
        return None
    return datetime.fromisoformat(info.expired_at)


@asynccontextmanager
async def connect(settings: BybitSettings, *, state_dir: Path | None) -> AsyncIterator[Bybit]:
    """Open Bybit at one base URL; needs no answer to start: what is missing is read later."""
    host = urlsplit(settings.base_url).netloc
    window = Window(name=f"host {host}", calls=wire.HOST_CALLS, per_s=wire.HOST_S)
    path = None if state_dir is None else state_dir / f"bybit-{host.replace(':', '-')}.json"
    async with links.open_link(settings.base_url, host_window=window) as link:
        venue = Bybit(link=link, settings=settings, path=path)
        venue.listing = listings.load(path) if path else None
        async with asyncio.TaskGroup() as group:
            freshening = group.create_task(venue.stay_fresh())
            try:
                yield venue
            finally:
                freshening.cancel()
