"""Smart orders of the simulated EMS: parents that keep placing children.

Owns `/v1/sor`. A cancel-all takes the children that are there; the parent goes on. Source:
CoinAPI's "SOR - WebSocket API" (2025), which does not name the host; here it is the same.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from bot.sandbox.venues.book import Order
from bot.sandbox.venues.coinapi_kinds import SMART, exchange_id_of
from bot.sandbox.venues.coinapi_orders import View
from bot.sandbox.venues.exchange import Answer


def listed(view: View) -> Answer:
    """`GET /v1/sor/requests`: every parent, running or cancelled."""
    rows = [_row(view, uid, order) for uid in view.accounts.values() for order in _seen(view, uid)]
    return Answer(status=200, body=json.dumps(rows).encode())


def _seen(view: View, uid: str) -> list[Order]:
    """Return the parents that a reading shows: the running ones as truly as a fault lets it."""
    book = view.lives.book
    running = book.shown(uid, now=view.now, fault=view.fault_of(uid))
    gone = [o for o in book.orders.get(uid, []) if o.gone_at is not None and o.gone_at <= view.now]
    return [order for order in [*running, *gone] if order.kind == SMART]


def children(view: View) -> Answer:
    """`GET /v1/sor/orders`: open child orders, an object keyed by exchange id."""
    found = {
        name: [
            view.report(uid, order, at=view.now)
            for order in view.lives.book.live(uid, now=view.now)
            if order.parent_id
        ]
        for name, uid in view.accounts.items()
    }
    return Answer(status=200, body=json.dumps(found).encode())


def cancel(view: View, order_id: str) -> Answer:
    """`POST /v1/sor/cancel/{id}`: the parent places no more children; those that rest stay."""
    book = view.lives.book
    for uid in view.accounts.values():
        live = book.live(uid, now=view.now)
        parents = [o for o in live if (o.kind, o.order_id) == (SMART, order_id)]
        if not parents:
            continue
        book.cancel(parents, now=view.now, fault=view.fault_of(uid))
        gone_at = parents[0].gone_at
        if gone_at is not None:
            orders = book.orders[uid]
            orders[:] = [o for o in orders if o.parent_id != order_id or o.placed_at <= gone_at]
        return Answer(status=200, body=b"")
    return Answer(status=400, body=b"")


def _row(view: View, uid: str, order: Order) -> dict[str, Any]:
    is_running = order.is_open(view.now)
    turns = {"Running": _american(order.placed_at + view.skew_s)}
    if not is_running and order.gone_at is not None:
        turns["Cancelled"] = _american(order.gone_at + view.skew_s)
    return {
        "id": order.order_id,
        "status": "Running" if is_running else "Cancelled",
        "statusInfo": "" if is_running else "User requested cancel",
        "symbol": order.symbol,
        "amount": 20,
        "algorithm": "TWAP",
        "side": "Sell",
        "duration": "5MIN",
        "interval": "30SEC",
        "exchanges": [exchange_id_of(uid)],
        "statusHistory": turns,
        "parametersUpdates": {},
        "fills": [],
    }


def _american(moment: float) -> str:
    """Write a moment as smart orders do: `07/24/2024 09:41:40`."""
    return f"{datetime.fromtimestamp(moment, UTC):%m/%d/%Y %H:%M:%S}"
