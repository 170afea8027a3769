"""What the simulated Pacifica's signed calls do to the books.

Owns the rules of `cancel_all`, of the single cancels of orders, stop orders, TWAP orders and
strategies, and what each says. Source: docs.pacifica.fi, REST pages of orders, TWAP and order
strategies (2026), WebSocket trading operations (2025, 2026).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.venues import pacifica_shapes as shapes
from bot.sandbox.venues import pacifica_signing as signing
from bot.sandbox.venues.book import Order
from bot.sandbox.venues.pacifica_kinds import (
    LIMIT,
    LISTED,
    STOP,
    STRATEGY,
    TWAP,
    View,
    reduces,
    strategy_id,
)
from bot.sandbox.venues.pacifica_shapes import Refused
from bot.sandbox.venues.pacifica_signing import Operation

Payload = Mapping[str, Any]


def cancel_all(view: View, payload: Payload) -> dict[str, Any]:
    """Cancel what a cancel-all covers; says how many it has taken."""
    symbol = _symbol_of(view, payload)
    if symbol and symbol not in LISTED:
        raise shapes.business(view.conflicts, "BOOK_NOT_FOUND", f"Book not found: {symbol}")
    taken: list[Order] = []
    for order in view.live(LIMIT, STOP, TWAP, STRATEGY):
        is_kept = payload["exclude_reduce_only"] and reduces(order)
        if not is_kept and _is_covered(view, order, symbol):
            taken += view.family(order) if order.kind == STRATEGY else [order]
    accepted = view.cancel(list({order.order_id: order for order in taken}.values()))
    count = len(accepted)
    return {"cancelled_count": str(count) if view.conflicts.count_is_text else count}


def _symbol_of(view: View, payload: Payload) -> str:
    """Return the only symbol that is meant; empty: all of them."""
    symbol = str(payload.get("symbol", ""))
    if payload["all_symbols"]:
        return symbol if view.conflicts.symbol_narrows_all else ""
    if not symbol:
        raise shapes.malformed("symbol is required unless all_symbols is true")
    return symbol


def _is_covered(view: View, order: Order, symbol: str) -> bool:
    """Tell whether a cancel-all for a symbol, or for all, takes an order."""
    conflicts = view.conflicts
    is_meant = order.symbol == symbol if symbol else _is_perpetual(order) or conflicts.covers_spot
    is_free = conflicts.covers_children or not order.parent_id
    by_kind = {
        STOP: conflicts.covers_stops,
        TWAP: conflicts.covers_twaps,
        STRATEGY: conflicts.covers_strategies,
    }
    return is_meant and is_free and by_kind.get(order.kind, True)


def _is_perpetual(order: Order) -> bool:
    return LISTED.get(order.symbol) != "spot"


def cancel_order(view: View, payload: Payload) -> dict[str, Any]:
    """Cancel one resting order; the WebSocket gives back the ids that were asked for."""
    _cancel_one(view, LIMIT, payload)
    return {
        "i": payload.get("order_id"),
        "I": payload.get("client_order_id"),
        "s": payload["symbol"],
    }


def cancel_stop(view: View, payload: Payload) -> None:
    """Cancel one stop, take-profit or stop-loss order."""
    _cancel_one(view, STOP, payload)


def _cancel_one(view: View, kind: str, payload: Payload) -> None:
    found = _find(view, kind, payload, first="order_id")
    if found is None:
        by_client = "order_id" not in payload
        name = "UNUSED_CLIENT_ORDER_ID" if by_client else "ORDER_NOT_FOUND"
        raise shapes.business(view.conflicts, name)
    view.cancel([found])


def cancel_twap(view: View, payload: Payload) -> None:
    """Cancel one TWAP order; that an id is unknown does not show, that a client's id is does."""
    found = _find(view, TWAP, payload, first="client_order_id")
    if found is not None:
        view.cancel([found])
    elif "client_order_id" in payload:
        raise shapes.business(view.conflicts, "UNUSED_TWAP_CLIENT_ORDER_ID")
    elif view.conflicts.unknown_twap_is_refused:
        raise shapes.business(view.conflicts, "TWAP_ORDER_NOT_FOUND")


def _find(view: View, kind: str, payload: Payload, *, first: str) -> Order | None:
    """Find the order that is meant; of two ids, the one named `first` counts."""
    named = [name for name in ("order_id", "client_order_id") if name in payload]
    if not named:
        raise shapes.malformed("order_id or client_order_id is required")
    counting = first if first in named else named[0]
    for order in view.live(kind):
        known = order.order_id if counting == "order_id" else order.link_id
        if known == str(payload[counting]) and order.symbol == payload["symbol"]:
            return order
    return None


def cancel_strategy(view: View, payload: Payload) -> None:
    """Cancel a strategy with what it has open."""
    for order in view.live(STRATEGY):
        if strategy_id(order) == payload["strategy_id"].lower():
            view.cancel(view.family(order))
            return
    match view.conflicts.gone_strategy_status:
        case 200:
            return
        case 422:
            raise shapes.business(view.conflicts, "ORDER_NOT_FOUND", "Order strategy not found")
        case status:
            raise Refused(status, "Order strategy not found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One signed call: what is signed and what it does."""

    operation: Operation
    act: Callable[[View, Payload], dict[str, Any] | None]
    tells: bool = False
    """What it returns is told over HTTP too."""
    is_on_socket: bool = False
    is_new: bool = False
    """Older deployments do not have it."""


CALLS: Mapping[str, Call] = {
    "/api/v1/orders/cancel_all": Call(
        operation=signing.CANCEL_ALL, act=cancel_all, tells=True, is_on_socket=True
    ),
    "/api/v1/orders/cancel": Call(operation=signing.CANCEL, act=cancel_order, is_on_socket=True),
    "/api/v1/orders/stop/cancel": Call(operation=signing.CANCEL_STOP, act=cancel_stop),
    "/api/v1/orders/twap/cancel": Call(operation=signing.CANCEL_TWAP, act=cancel_twap),
    "/api/v1/order_strategies/cancel": Call(
        operation=signing.CANCEL_STRATEGY, act=cancel_strategy, is_new=True
    ),
}
ON_SOCKET: Mapping[str, Call] = {
    call.operation.name: call for call in CALLS.values() if call.is_on_socket
}
