"""What the simulated Pacifica's readings show. Nothing here is signed: any address may be read.

Owns the rows and the pages of `/orders`, `/orders/twap`, `/twaps`, `/order_strategies`, `/account`,
`/info` and of histories by id. Source: docs.pacifica.fi, REST pages (2025, 2026), and live bodies
that ccxt 4.5.90 quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import base58

from bot.sandbox.venues import pacifica_shapes as shapes
from bot.sandbox.venues import pacifica_signing as signing
from bot.sandbox.venues.book import Order
from bot.sandbox.venues.faults import Wrong
from bot.sandbox.venues.pacifica_kinds import (
    LIMIT,
    LISTED,
    STOP,
    STRATEGY,
    STRATEGY_TYPES,
    TWAP,
    View,
    reduces,
    strategy_id,
)
from bot.sandbox.venues.pacifica_shapes import Fields, Refused

Query = Mapping[str, str]
PAGE, PAGE_MAX = 100, 500


def open_orders(view: View, _: Query) -> Fields:
    """`GET /orders`: everything at once, strategies' orders too."""
    kinds = (LIMIT, STOP) if view.conflicts.lists_stops else (LIMIT,)
    return shapes.envelope([_order(o) for o in view.shown(*kinds)], **_sequence(view))


def open_twaps(view: View, _: Query) -> Fields:
    """`GET /orders/twap`: TWAP orders, no strategies."""
    is_elsewhere = view.conflicts.twaps_in_twaps_only
    orders = [] if is_elsewhere else view.shown(TWAP)
    return shapes.envelope([_twap(o) for o in orders], **_sequence(view))


def twap_records(view: View, query: Query) -> Fields:
    """`GET /twaps`: TWAP orders and TWAP strategies, newest first, paged by cursor."""
    limit = min(max(_number(query, "limit", PAGE), 1), PAGE_MAX)
    start = 0 if view.wrong is Wrong.REPEAT_CURSOR else _start(query)
    found = [o for o in view.shown(TWAP, STRATEGY) if o.kind == TWAP or o.stop_type == "twap"]
    more = start + limit < len(found) or view.wrong is Wrong.REPEAT_CURSOR
    cursor = base58.b58encode(f"twaps:{start + limit}").decode() if more else None
    rows = [_record(order) for order in found[start : start + limit]]
    return shapes.envelope(rows, next_cursor=cursor, has_more=more)


def strategies(view: View, query: Query) -> Fields:
    """`GET /order_strategies`: those that have not finished, paged by number."""
    limit, offset = _number(query, "limit", PAGE), _number(query, "offset", 0)
    wanted = query.get("type", "")
    if not 1 <= limit <= PAGE_MAX or (wanted and wanted not in STRATEGY_TYPES):
        raise Refused(400, "Invalid query: limit is 1 to 500, type a strategy type")
    start = 0 if view.wrong is Wrong.REPEAT_CURSOR else offset
    found = [o for o in view.shown(STRATEGY) if not wanted or o.stop_type == wanted]
    rows = [_strategy(view, order) for order in found[start : start + limit]]
    return shapes.envelope({"strategies": rows})


def account(view: View, _: Query) -> Fields:
    """`GET /account`: counters of limit orders and of stop orders, apart."""
    fields = {
        "balance": "2000.000000",
        "fee_level": 0,
        "maker_fee": "0.00015",
        "taker_fee": "0.0004",
        "account_equity": "2150.250000",
        "available_to_spend": "1800.750000",
        "available_to_withdraw": "1500.850000",
        "pending_balance": "0.000000",
        "total_margin_used": "349.500000",
        "cross_mmr": "420.690000",
        "positions_count": 2,
        "orders_count": len(view.shown(LIMIT)),
        "stop_orders_count": len(view.shown(STOP)),
        "updated_at": _venue_ms(view),
    }
    return shapes.envelope([fields] if view.conflicts.account_is_list else fields)


def no_account(view: View, query: Query) -> Fields:
    """`GET /account` of an address that has no account."""
    match view.conflicts.unknown_account_status:
        case 200:
            return account(view, query)
        case 422:
            raise shapes.business(view.conflicts, "ACCOUNT_NOT_FOUND", "Account not found")
        case status:
            raise Refused(status, "Account not found")


def instruments() -> Fields:
    """`GET /info`: every symbol."""
    rows = [
        {
            "symbol": symbol,
            "tick_size": "1",
            "min_tick": "0",
            "max_tick": "1000000",
            "lot_size": "0.00001",
            "max_leverage": 1 if kind == "spot" else 50,
            "isolated_only": False,
            "min_order_size": "10",
            "max_order_size": "5000000",
            "funding_rate": "0.0000125",
            "next_funding_rate": "0.0000125",
            "created_at": 1748881333944,
            "instrument_type": kind,
            "base_asset": symbol.partition("-")[0],
        }
        for symbol, kind in LISTED.items()
    ]
    return shapes.envelope(rows)


def history(view: View, query: Query) -> Fields:
    """`GET /orders/history_by_id`: its events, newest first; unknown ids are 404."""
    found = _by_id(view, query, LIMIT, STOP)
    if found is None:
        raise Refused(404, f"Order history not found for order ID: {query['order_id']}")
    return shapes.envelope(_events(view, found, _order(found), "make"))


def twap_history(view: View, query: Query) -> Fields:
    """`GET /orders/twap/history_by_id`: the same for a TWAP order; unknown ids have none."""
    found = _by_id(view, query, TWAP)
    return shapes.envelope(_events(view, found, _twap(found), "make") if found else [])


def _by_id(view: View, query: Query, *kinds: str) -> Order | None:
    wanted = str(_number(query, "order_id", None))
    for orders in view.book.orders.values():
        for order in orders:
            is_placed = order.placed_at <= view.now
            if order.order_id == wanted and order.kind in kinds and is_placed:
                return order
    return None


def _events(view: View, order: Order, row: Fields, made: str) -> list[Fields]:
    number = int(order.order_id) * 2
    found = [{"history_id": number, "event_type": made, "order_status": "open"}]
    if not order.is_open(view.now):
        found += [{"history_id": number + 1, "event_type": "cancel", "order_status": "cancelled"}]
    return [row | event for event in reversed(found)]


def _order(order: Order) -> Fields:
    is_stop = order.kind == STOP
    row: Fields = {
        "order_id": int(order.order_id),
        "client_order_id": order.link_id or None,
        "symbol": order.symbol,
        "side": "ask",
        "price": "1.836",
        "initial_amount": "85.33",
        "filled_amount": "0",
        "cancelled_amount": "0",
        "stop_price": "1.700" if is_stop else None,
        "order_type": order.stop_type if is_stop else "limit",
        "stop_parent_order_id": None,
        "reduce_only": reduces(order),
        "created_at": order.created_ms,
        "updated_at": order.created_ms,
    }
    return row | ({"parent_id": order.parent_id} if order.parent_id else {})


def _twap(order: Order) -> Fields:
    return {
        "order_id": int(order.order_id),
        "client_order_id": order.link_id or None,
        "symbol": order.symbol,
        "side": "bid",
        "initial_amount": "0.121",
        "filled_amount": "0.04",
        "reduce_only": order.is_reduce_only,
        "slippage_percent": "0.500000000000",
        "planned_sub_order_amount": "0.001",
        "planned_sub_order_count": 121,
        "past_sub_order_count": 40,
        "total_filled_value": "3496.5",
        "expiration": order.created_ms + 3_630_000,
        "created_at": order.created_ms,
        "updated_at": order.created_ms,
    }


def _record(order: Order) -> Fields:
    identity: Fields = {"kind": "order", "order_id": int(order.order_id)}
    if order.kind == STRATEGY:
        identity = {"kind": "strategy", "strategy_id": strategy_id(order), "revision": 1}
    return {
        "identity": identity,
        "symbol": order.symbol,
        "side": "bid",
        "initial_amount": "0.121",
        "filled_amount": "0",
        "average_fill_price": None,
        "reduce_only": order.is_reduce_only,
        "duration_seconds": 3630,
        "randomize": order.kind == STRATEGY,
        "created_at": order.created_ms,
    }


def _strategy(view: View, order: Order) -> Fields:
    params = {"symbol": order.symbol, "side": "bid", "amount": "0.01"}
    return {
        "strategy_id": strategy_id(order),
        "revision": 1,
        "account": view.uid,
        "strategy_type": order.stop_type,
        "definition": {"strategy_type": order.stop_type, "params": params},
        "lifecycle": ("open", "pending", "paused")[int(order.order_id) % 3],
        "created_at": order.created_ms,
        "updated_at": order.created_ms,
    }


def _sequence(view: View) -> Fields:
    """Count the exchange's events; an account that never had an order is told nothing."""
    known = view.book.orders.get(view.uid, [])
    if not known:
        return {}
    if view.conflicts.last_order_id_is_shared:
        return {"last_order_id": int(view.as_of * 10)}
    return {"last_order_id": max(int(order.order_id) for order in known)}


def _venue_ms(view: View) -> int:
    return int((view.as_of + view.skew_s) * 1000)


def _number(query: Query, name: str, default: int | None) -> int:
    text = query.get(name, "")
    if not text and default is not None:
        return default
    if not text.isdecimal():
        raise Refused(400, f"Invalid query: {name}")
    return int(text)


def _start(query: Query) -> int:
    cursor = query.get("cursor", "")
    if not cursor:
        return 0
    try:
        found = base58.b58decode(cursor).decode()
    except ValueError:
        found = ""
    if not found.startswith("twaps:"):
        raise Refused(400, "Invalid query: cursor")
    return int(found.removeprefix("twaps:"))


Reading = Callable[[View, Query], Fields]
READINGS: Mapping[str, Reading] = {
    "/api/v1/orders": open_orders,
    "/api/v1/orders/twap": open_twaps,
    "/api/v1/twaps": twap_records,
    "/api/v1/order_strategies": strategies,
    "/api/v1/account": account,
}
"""Of one account, which `account` in the query names."""
NEW = {"/api/v1/twaps", "/api/v1/order_strategies"}
"""Older deployments do not have them."""
HISTORIES: Mapping[str, Reading] = {
    "/api/v1/orders/history_by_id": history,
    "/api/v1/orders/twap/history_by_id": twap_history,
}
INSTRUMENTS = "/api/v1/info"


def subaccounts(accounts: Mapping[str, signing.Account], main: str) -> Fields:
    """`POST /account/subaccount/list`: those of a main account."""
    rows = [
        {"address": address, "balance": "1000.50", "fee_mode": "auto", "created_at": 1748881333944}
        for address, known in accounts.items()
        if known.main == main
    ]
    return {"subaccounts": rows}
