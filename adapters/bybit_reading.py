"""Reading Bybit's open orders: which pages show which classes, and when a series of pages ends.

Owns `Series`, what of it a scope names, and `read_all()`. Never cancels and never raises for a
class: what could not be read is an `Unread`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from adapters import bybit_replies as replies
from adapters import bybit_wire as wire
from adapters.beside import side_by_side
from adapters.bybit_calls import Caller
from adapters.bybit_replies import Page
from adapters.bybit_wire import SPOT, SPOT_FILTERS, SPREAD, STRATEGY, Ask
from adapters.contract import (
    OpenOrder,
    OrderClass,
    Priority,
    Protective,
    Reading,
    Scope,
    Unread,
    VenueError,
    VenueReplyInvalid,
)

EMPTY_PAGES = 3
"""Empty pages that are followed, beyond `pages_max`, to learn whether anything comes after them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a reading looks for, and how far."""

    scope: Scope
    pages_max: int
    """Pages of each series, whoever's orders fill them."""
    orders_max: int | None = None
    """Orders in scope after which a series is not followed further; None: follow it anyway."""
    priority: Priority = Priority.READING


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Pages that follow each other, and the classes whose orders they show."""

    classes: tuple[OrderClass, ...]
    build: Callable[[str], Ask]
    """Cursor -> request."""
    parse: Callable[[object, float], Page]
    """(`result`, clock offset in ms) -> page."""


def classes_of(scope: Scope) -> tuple[OrderClass, ...]:
    """Return the classes that a scope reaches."""
    reached = wire.SYMBOL_CLASSES if scope.symbols else wire.ORDER_CLASSES
    off = set(scope.classes_off) | kept_classes(scope)
    return tuple(each for each in reached if each not in off)


def kept_classes(scope: Scope) -> set[OrderClass]:
    """Return the classes that are protective as a whole, where stops stay."""
    return set(SPOT_FILTERS) - {SPOT} if scope.protective is Protective.KEEP else set()


def shown(series: Sequence[Series], scope: Scope) -> list[OrderClass]:
    """Return the classes in scope whose orders some series show."""
    classes = classes_of(scope)
    shown = dict.fromkeys(each for one in series for each in one.classes)
    return [each for each in shown if each in classes]


def is_in_scope(order: OpenOrder, scope: Scope) -> bool:
    """Tell whether a scope names an order."""
    if order.order_class in scope.classes_off:
        return False
    if scope.protective is Protective.KEEP and order.is_protective:
        return False
    if scope.symbols and order.symbol.upper() not in scope.symbols:
        return False
    return scope.order_id is None or scope.order_id in (order.order_id, order.client_id)


def realtime(order_class: OrderClass, selector: Mapping[str, str]) -> Series:
    """Read a category; one reading of spot shows all five of its classes."""
    return Series(
        classes=tuple(SPOT_FILTERS) if order_class == SPOT else (order_class,),
        build=lambda cursor: wire.build_realtime(wire.CATEGORY[order_class], selector, cursor),
        parse=lambda result, offset_ms: replies.parse_orders(
            order_class, result, offset_ms=offset_ms
        ),
    )


def spreads(selector: Mapping[str, str]) -> Series:
    """Read spread orders."""
    return Series(
        classes=(SPREAD,),
        build=lambda cursor: wire.build_spread_realtime(selector, cursor),
        parse=lambda result, offset_ms: replies.parse_orders(SPREAD, result, offset_ms=offset_ms),
    )


def rfqs(order_class: OrderClass, side: str) -> Series:
    """Read inquiries or quotes as seen by one side."""
    return Series(
        classes=(order_class,),
        build=lambda _: wire.build_rfq_realtime(order_class, side),
        parse=lambda result, offset_ms: replies.parse_rfqs(
            order_class, result, offset_ms=offset_ms
        ),
    )


def strategy_list(selector: Mapping[str, str]) -> Series:
    """Read strategies in one status."""
    return Series(
        classes=(STRATEGY,),
        build=lambda cursor: wire.build_strategies(selector, cursor),
        parse=lambda result, offset_ms: replies.parse_strategies(result, offset_ms=offset_ms),
    )


async def read_all(caller: Caller, series: Sequence[Series], look: Look) -> Reading:
    """Read all series, each order once and each class's first error."""
    readings = await side_by_side(partial(_read_part, caller, each, look) for each in series)
    orders = {
        (order.order_class, order.order_id): order
        for reading in readings
        for order in reading.orders
    }
    off = set(look.scope.classes_off) | kept_classes(look.scope)
    unread: dict[OrderClass, Unread] = {}
    for entry in (entry for reading in readings for entry in reading.unread):
        unread.setdefault(entry.order_class, entry)
    has_more = dict.fromkeys(each for reading in readings for each in reading.has_more)
    return Reading(
        orders=tuple(orders.values()),
        unread=tuple(entry for entry in unread.values() if entry.order_class not in off),
        has_more=tuple(each for each in has_more if each not in off),
    )


async def _read_part(caller: Caller, series: Series, look: Look) -> tuple[Reading, ...]:
    return (await read_series(caller, series, look),)


async def read_series(caller: Caller, series: Series, look: Look) -> Reading:
    """Read page after page, and keep what is in scope.

    A cursor that comes twice with orders is a lie, not an end. An empty page with a new cursor
    proves nothing: it is followed, beyond `pages_max` too.
    """
    orders: list[OpenOrder] = []
    orders_max = math.inf if look.orders_max is None else look.orders_max
    cursor, seen, pages, empty = "", {""}, 0, 0
    try:
        while pages < look.pages_max and empty < EMPTY_PAGES and len(orders) < orders_max:
            result = await caller.read(series.build(cursor), priority=look.priority)
            page = series.parse(result, caller.link.clock.offset_ms)
            orders += [order for order in page.orders if is_in_scope(order, look.scope)]
            cursor = page.cursor
            if not cursor or (cursor in seen and not page.rows):
                return Reading(orders=tuple(orders))
            if cursor in seen:
                raise VenueReplyInvalid(
                    user_message="Bybit: a page of orders names itself as the next one"
                )
            seen.add(cursor)
            pages, empty = pages + (page.rows > 0), empty + (page.rows == 0)
    except VenueError as error:
        unread = tuple(Unread(order_class=each, error=error) for each in series.classes)
        return Reading(orders=tuple(orders), unread=unread)
    return Reading(orders=tuple(orders), has_more=series.classes)
