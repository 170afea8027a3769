"""Synthetix's orders over a book: what a cancel takes, what a reading shows.

Owns the kinds of order, `View`, and the rules of `cancelAllOrders`, `cancelOrders` and
`getOpenOrders`. Source: developers.synthetix.io, the pages of these actions (2025 to 2026-04), the
libraries (`synthetix_shapes`), synthetix-sdk 0.7.0 for the fields of a TWAP order.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.sandbox.venues.book import Book, Kind, Order
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.venues.synthetix_calls import Call
from bot.sandbox.venues.synthetix_shapes import (
    Above,
    Conflicts,
    Element,
    Empty,
    Nothing,
    Refused,
    Told,
    Unlisted,
    Wildcard,
)

LIMIT: Final = "limit"
TRIGGER: Final = "trigger"
TWAP: Final = "twap"
KINDS: Mapping[str, Kind] = {
    LIMIT: Kind(symbol="BTC-USDT"),
    TRIGGER: Kind(symbol="BTC-USDT", stop_types=("Stop Market", "Take Profit Market")),
    TWAP: Kind(symbol="ETH-USDT"),
}
"""What rests: limit orders, take-profits and stop-losses, and TWAP orders. Of the words for `type`
only "Stop Market" is documented."""
SEEDABLE: Mapping[str, int] = {LIMIT: 60, TRIGGER: 8, TWAP: 2}
"""A full account for a demo: more than a reading shows unless it asks for more."""

SHOWN_BY_DEFAULT: Final = 50
SYMBOL_CHARS_MAX: Final = 20
CLIENT_ID_CHARS_MAX: Final = 255
_SYMBOL = re.compile(r"[A-Z0-9]+-[A-Z0-9]+")
_FIRST_ID: Final = 1_948_058_938_469_519_360


def order_name(rng: random.Random, number: int) -> str:
    """Name an order with 19 digits, beyond 2^53."""
    return str(_FIRST_ID + number * 65_536 + rng.getrandbits(16))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One subaccount's book at one moment, seen through what goes wrong."""

    book: Book
    uid: str
    now: float
    conflicts: Conflicts
    markets: Mapping[str, bool]
    stubborn: Mapping[str, str]
    fault: Fault | None = None

    def live(self) -> list[Order]:
        """Return what is open."""
        return self.book.live(self.uid, now=self.now)

    def cancel(self, orders: Sequence[Order]) -> list[Order]:
        """Accept the cancels that are not refused order by order; returns the accepted."""
        willing = [order for order in orders if order.order_id not in self.stubborn]
        return self.book.cancel(willing, now=self.now, fault=self.fault)


def cancel_all(view: View, call: Call) -> list[dict[str, Any]]:
    """`cancelAllOrders`: each order of the subaccount and symbols, one after the other."""
    symbols = _asked(view, call.texts("symbols"))
    orders = [
        order
        for order in view.live()
        if (symbols is None or order.symbol in symbols)
        and (order.kind != TWAP or view.conflicts.takes_twaps)
    ]
    if not orders and view.conflicts.nothing is Nothing.ERROR:
        raise Refused("VALIDATION_ERROR", "No orders found")
    cancelled = {order.order_id for order in view.cancel(orders)}
    return [_element(view, order, is_gone=order.order_id in cancelled) for order in orders]


def _asked(view: View, symbols: Sequence[str]) -> set[str] | None:
    """Return the symbols that a cancel-all is about; None: all of them."""
    if not symbols:
        if view.conflicts.empty is Empty.EVERYTHING:
            return None
        raise Refused("VALIDATION_ERROR", "symbols must be nonempty")
    if view.conflicts.wildcard is Wildcard.ALONE and "*" in symbols:
        if len(symbols) == 1:
            return None
        said = f'symbols[{symbols.index("*")}]: wildcard "*" must be the only element in symbols'
        raise Refused("VALIDATION_ERROR", said)
    if view.conflicts.wildcard is Wildcard.SKIPPED:
        symbols = [symbol for symbol in symbols if symbol != "*"]
    for number, symbol in enumerate(symbols):
        _check_symbol(number, symbol)
    unlisted = [symbol for symbol in symbols if symbol not in view.markets]
    if unlisted and view.conflicts.unlisted is Unlisted.REFUSES_ALL:
        raise Refused("MARKET_NOT_FOUND", f"Invalid market symbol: {unlisted[0]}")
    return set(symbols)


def _check_symbol(number: int, symbol: str) -> None:
    if not symbol.strip():
        said = f"symbols[{number}]: symbol cannot be empty or whitespace"
        raise Refused("VALIDATION_ERROR", said)
    if len(symbol) > SYMBOL_CHARS_MAX or not _SYMBOL.fullmatch(symbol):
        said = f"symbols[{number}] must use canonical uppercase format"
        raise Refused("VALIDATION_ERROR", said)


def _element(view: View, order: Order, *, is_gone: bool) -> dict[str, Any]:
    is_told = is_gone is (view.conflicts.told is Told.WHEN_CANCELLED)
    words = "Order cancelled successfully" if is_gone else "Failed to cancel order"
    short: dict[str, Any] = {"orderId": order.order_id, "message": words if is_told else ""}
    if view.conflicts.element is Element.OLD:
        return short
    return {"order": _ids(order), **short, "symbol": order.symbol}


def cancel_orders(view: View, call: Call) -> dict[str, Any]:
    """`cancelOrders`: what became of each order is in its own element, all under HTTP 200."""
    by_venue, by_client = _named(call)
    live = view.live()
    known = {order.order_id if by_venue else order.link_id: order for order in live}
    asked = [(name, known.pop(name, None)) for name in by_venue or by_client]
    cancelled = {o.order_id for o in view.cancel([order for _, order in asked if order])}
    statuses = []
    for name, order in asked:
        if order is None:
            named = {"venueId": name, "clientId": ""}
            named = named if by_venue else {"venueId": "", "clientId": name}
            statuses.append(_failed(named, "Order not found", "ORDER_NOT_FOUND"))
        elif order.order_id in cancelled:
            statuses.append({"canceled": {"order": _ids(order), "id": order.order_id}})
        else:
            code = view.stubborn[order.order_id]
            statuses.append(_failed(_ids(order), "Failed to cancel order", code))
    return {"statuses": statuses}


def _named(call: Call) -> tuple[list[str], list[str]]:
    """Return the ids, or else the client's ids, that a `cancelOrders` names."""
    by_venue, by_client = call.texts("orderIds"), call.texts("clientOrderIds")
    if by_venue and by_client:
        said = "orderIds and clientOrderIds are mutually exclusive"
        raise Refused("VALIDATION_ERROR", said)
    if not by_venue and not by_client:
        raise Refused("VALIDATION_ERROR", "orderIds or clientOrderIds must be nonempty")
    for name in by_client:
        if not name or name != name.strip() or len(name) > CLIENT_ID_CHARS_MAX:
            raise Refused("VALIDATION_ERROR", "invalid client order ID")
    return by_venue, by_client


def _failed(named: Mapping[str, str], said: str, code: str) -> dict[str, Any]:
    return {"error": said, "errorCode": code, "order": dict(named)}


def open_orders(view: View, call: Call) -> list[dict[str, Any]]:
    """`getOpenOrders`: all kinds, newest first; its other documented filters do nothing."""
    limit = _whole_number(call, "limit") or SHOWN_BY_DEFAULT
    offset = _whole_number(call, "offset")
    if limit > view.conflicts.limit_max:
        if view.conflicts.above is Above.REFUSED:
            said = f"limit must not exceed {view.conflicts.limit_max}"
            raise Refused("VALIDATION_ERROR", said)
        limit = view.conflicts.limit_max
    if view.fault is not None and view.fault.wrong is Wrong.REPEAT_CURSOR:
        offset = 0
    shown = view.book.shown(view.uid, now=view.now, fault=view.fault)
    symbol = call.params.get("symbol")
    if symbol:
        shown = [order for order in shown if order.symbol == symbol]
    return [_row(order) for order in shown[offset : offset + limit]]


def _whole_number(call: Call, name: str) -> int:
    value = call.params.get(name, 0)
    if type(value) is not int or value < 0:
        raise Refused("VALIDATION_ERROR", f"{name} must be a non-negative integer")
    return value


def _ids(order: Order) -> dict[str, str]:
    return {"venueId": order.order_id, "clientId": order.link_id}


def _row(order: Order) -> dict[str, Any]:
    shown_as = {LIMIT: "Limit", TWAP: "TWAP"}.get(order.kind, order.stop_type)
    is_trigger = order.kind == TRIGGER
    row: dict[str, Any] = {
        "order": _ids(order),
        "orderId": order.order_id,
        "symbol": order.symbol,
        "side": "sell" if is_trigger else "buy",
        "type": shown_as,
        "quantity": "0.1",
        "filledQuantity": "0",
        "price": "" if is_trigger else "60000",
        "triggerPrice": "55000" if is_trigger else "",
        "triggerPriceType": "mark" if is_trigger else "",
        "timeInForce": "GTC",
        "reduceOnly": order.is_reduce_only,
        "postOnly": False,
        "closePosition": is_trigger and not order.is_reduce_only,
        "createdTime": order.created_ms,
        "updatedTime": order.created_ms,
    }
    if order.kind == TWAP:
        row["twapDetails"] = {
            "averagePrice": "0",
            "intervalMs": 30_000,
            "intervalVarianceBps": 0,
            "sizeVarianceBps": 0,
            "totalTrades": 120,
            "tradesFilled": 0,
            "totalFees": "0",
            "startedAtMs": order.created_ms,
            "totalDurationMs": 3_600_000,
        }
    return row
