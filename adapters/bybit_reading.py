"""Reading Bybit's books: every order class, page by page, side by side.

Owns `Reader`. A class that could not be read to its end is an `Unread`, never an empty list. Orders
that a scope does not name are left out here, so that nothing downstream can widen it.
Source: bybit-exchange/docs, `docs/v5/order/open-order.mdx`, `spread`, `rfq`, `strategy` (2026-07-24).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from adapters import bybit_replies as replies
from adapters import bybit_wire as wire
from adapters.bybit_door import Door
from adapters.bybit_replies import Envelope
from adapters.bybit_wire import Ask
from adapters.contract import (
    ApiKeySigner,
    OpenOrder,
    OrderClass,
    Priority,
    Protective,
    Purpose,
    Reading,
    Scope,
    Unread,
    VenueError,
    VenueReplyInvalid,
)

T = TypeVar("T")
RFQ_CLOSED = frozenset({"Canceled", "Filled", "Expired", "Failed"})


@dataclass(slots=True, kw_only=True)
class Reader:
    """Bybit's books as one key sees them."""

    door: Door
    signer: ApiKeySigner
    purpose: Purpose

    async def ask(self, ask: Ask, priority: Priority) -> Envelope:
        """Make one signed call; whatever is not for a run waits behind every run."""
        first = priority if self.purpose is Purpose.RUN else Priority.OTHER
        return await self.door.ask(ask, priority=first, signer=self.signer)

    async def open_orders(self, scope: Scope, *, pages_max: int) -> Reading:
        """Read every order class in scope side by side, the first page of each first."""
        classes = [name for name in self._read_classes(scope) if name not in scope.classes_off]
        readings = await side_by_side(
            [partial(self.read_class, name, scope, pages_max=pages_max) for name in classes]
        )
        found = joined(readings)
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

    async def read_class(
        self, order_class: OrderClass, scope: Scope, *, pages_max: int
    ) -> tuple[Reading, ...]:
        """Read one class, in as many series of pages as it takes."""
        return await side_by_side(
            [
                partial(self.read_series, order_class, scope, selector, pages_max)
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
            mine = [s for s in scope.symbols if order_class in self.classes_of(s)]
            return [{"symbol": symbol} for symbol in mine]
        if order_class == wire.LINEAR:
            return [{"settleCoin": coin} for coin in self.door.linear_coins()]
        return [{}]

    async def read_series(
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
        answer = await self.ask(ask, Priority.READING)
        page = replies.read(replies.OrderPage, answer.result, ask.name)
        wanted = wire.CATEGORY.get(order_class)
        if wanted is not None and page.category not in {None, wanted}:
            raise VenueReplyInvalid(user_message=f"Bybit answers {ask.name} for another category")
        offset_ms = self.door.link.clock.offset_ms
        found = [replies.open_order(order_class, row, offset_ms=offset_ms) for row in page.rows]
        return [order for order in found if order is not None], page.cursor or ""

    async def _strategy_page(self, status: str, cursor: str) -> tuple[list[OpenOrder], str]:
        ask = wire.build_strategies(status, cursor)
        answer = await self.ask(ask, Priority.READING)
        page = replies.read(replies.StrategyPage, answer.result, ask.name)
        found = [
            OpenOrder(
                order_class=wire.STRATEGY,
                symbol=row.symbol,
                order_id=row.strategy_id,
                created=replies.moment(row.created_ms, self.door.link.clock.offset_ms),
                is_protective=row.is_reduce_only,
            )
            for row in page.rows
        ]
        return found, page.cursor or ""

    async def _rfq_page(self, order_class: OrderClass) -> list[OpenOrder]:
        ask = wire.build_rfq_realtime(order_class)
        answer = await self.ask(ask, Priority.READING)
        page = replies.read(replies.RfqPage, answer.result, ask.name)
        return [
            OpenOrder(
                order_class=order_class,
                symbol="",
                order_id=row.quote_id or row.rfq_id,
                created=replies.moment(row.created_ms, self.door.link.clock.offset_ms),
            )
            for row in page.rows
            if row.status not in RFQ_CLOSED
        ]

    def classes_of(self, symbol: str) -> list[OrderClass]:
        """Return the classes that a symbol may have orders in; all if the list does not know it."""
        listing = self.door.listing
        known = listing.classes_of(symbol) if listing else frozenset[str]()
        category = {**wire.CATEGORY, wire.SPREAD: "spread"}
        return [name for name, where in category.items() if not known or where in known]


async def side_by_side(
    parts: Sequence[Callable[[], Coroutine[Any, Any, tuple[T, ...]]]],
) -> tuple[T, ...]:
    """Do all parts at once and join what they return, in order."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part()) for part in parts]
    return tuple(entry for task in tasks for entry in task.result())


def joined(readings: Sequence[Reading]) -> Reading:
    """Join readings of different classes, or of different parts of one."""
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
