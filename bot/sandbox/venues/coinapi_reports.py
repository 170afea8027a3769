"""What the simulated EMS knows of an order: its life, and the report of it.

Owns `Lives`: the statuses an order has had, and `report()`, an order execution report. Source:
CoinAPI's "EMS - REST API" v1 (2025-05-23) and "Trading Essentials: Quickstart" (2025).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from bot.sandbox.venues.book import Book, Order
from bot.sandbox.venues.coinapi_kinds import OUTSIDE, PARTLY, TRANSIT, exchange_of
from bot.sandbox.venues.coinapi_shapes import Conflicts
from bot.sandbox.venues.faults import Fault

TICKS: Final = 10_000_000
"""Times have seven digits after the point."""

_ROUTE: Final = (("RECEIVED", 0.1980767), ("ROUTING", 0.1974193), ("ROUTED", 0.0304532))
"""How long before it rested an order had each status, in seconds; from the quickstart's sample."""
_AMOUNTS: Final = ((100.0, 0.11), (0.045, 0.0783), (5e-15, 61_234.5), (1_234_567.8901, 1e-07))
_PAIRS: Mapping[str, str] = {"OXTUSD": "OXT_USD", "XBT/USDT": "BTC_USDT", "BTC-USD": "BTC_USD"}

Turn = tuple[str, float]
"""A status, and since when; in true epoch seconds."""


@dataclass(slots=True, kw_only=True)
class Lives:
    """What has become of orders, beyond what a book knows."""

    book: Book
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    """By order id: what cancels have brought, and will."""

    def history(self, order: Order, conflicts: Conflicts, *, at: float) -> list[Turn]:
        """Return every status that an order has had by a moment, oldest first."""
        turns = [*_route(order, conflicts), *self.turns.get(order.order_id, ())]
        if order.gone_at is not None and not any(turn[0] == "CANCELED" for turn in turns):
            turns.append(("FILLED", order.gone_at))
        return sorted((turn for turn in turns if turn[1] <= at), key=lambda turn: turn[1])

    def is_in_transit(self, order: Order, conflicts: Conflicts, *, at: float) -> bool:
        """Tell whether an order is not yet in the book of its exchange."""
        return order.kind == TRANSIT and at < rests_at(order, conflicts)

    def cancel(
        self,
        orders: Iterable[Order],
        conflicts: Conflicts,
        *,
        now: float,
        fault: Fault | None = None,
    ) -> None:
        """Ask for cancels that the exchange will make, or that a fault spoils.

        An order on its way is cancelled once it has arrived.
        """
        fresh = [o for o in orders if not self.is_pending(o, at=now)]
        before = [order.gone_at for order in fresh]
        self.book.cancel(fresh, now=now, fault=fault)
        for order, was in zip(fresh, before, strict=True):
            asked = max(now, rests_at(order, conflicts))
            if order.is_uncancellable:
                self._refuse(order, asked)
            elif order.gone_at is not None and order.gone_at != was:
                order.gone_at += asked - now
                self._note(order, [("PENDING_CANCEL", asked), ("CANCELED", order.gone_at)])
                if order.back_at is not None:
                    order.back_at += asked - now
                    self._note(order, [(_resting(order), order.back_at)])

    def refuse(self, orders: Iterable[Order], conflicts: Conflicts, *, now: float) -> None:
        """Ask for cancels that the exchange will refuse: each order goes back to what it was."""
        for order in orders:
            if not self.is_pending(order, at=now):
                self._refuse(order, max(now, rests_at(order, conflicts)))

    def is_pending(self, order: Order, *, at: float) -> bool:
        """Tell whether a cancel has been asked for whose outcome is still to come."""
        return any(turn[1] > at for turn in self.turns.get(order.order_id, ()))

    def _refuse(self, order: Order, asked: float) -> None:
        back = asked + self.book.cancel_delay_s
        self._note(order, [("PENDING_CANCEL", asked), (_resting(order), back)])

    def _note(self, order: Order, turns: Sequence[Turn]) -> None:
        self.turns.setdefault(order.order_id, []).extend(turns)


def rests_at(order: Order, conflicts: Conflicts) -> float:
    """Return since when an order is in the book of its exchange."""
    return order.placed_at + (conflicts.transit_s if order.kind == TRANSIT else 0.0)


def _resting(order: Order) -> str:
    return "PARTIALLY_FILLED" if order.kind == PARTLY else "NEW"


def _route(order: Order, conflicts: Conflicts) -> list[Turn]:
    """Return how an order came into the book: through EMS, or from elsewhere."""
    resting = (_resting(order), order.placed_at)
    if order.kind == OUTSIDE:
        return [resting]
    if order.kind == TRANSIT:
        third = conflicts.transit_s / 3
        names = ("RECEIVED", "ROUTING", "ROUTED", "NEW")
        return [(name, order.placed_at + n * third) for n, name in enumerate(names)]
    route = [(name, order.placed_at - before_s) for name, before_s in _ROUTE]
    middle = [("NEW", order.placed_at - 0.01)] if order.kind == PARTLY else []
    return [*route, *middle, resting]


def client_id(order: Order) -> str:
    """Return `client_order_id`: the client's own, or one that EMS has made."""
    return order.link_id or order.order_id


def exchange_order_id(order: Order) -> str:
    """Return the id that the exchange gave to an order."""
    digest = hashlib.sha256(order.order_id.encode()).hexdigest().upper()
    return f"O{digest[:5]}-{digest[5:10]}-{digest[10:16]}"


def stamp(moment: float) -> str:
    """Write a moment as EMS does: `2020-05-27T11:16:20.1677709Z`."""
    whole, ticks = divmod(round(moment * TICKS), TICKS)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{ticks:07d}Z"


def report(
    order: Order, exchange_id: str, history: Sequence[Turn], conflicts: Conflicts, *, skew_s: float
) -> dict[str, Any]:
    """Write an order execution report; its times are those of the venue's clock."""
    status = history[-1][0] if history else "RECEIVED"
    amounts = _amounts(order, status)
    is_known = any(name not in {"RECEIVED", "ROUTING"} for name, _ in history)
    is_timed = order.order_id[0] in "01"
    expires = stamp(order.placed_at + 86_400 + skew_s)
    pair = _PAIRS.get(order.symbol, order.symbol)
    extras = {"type": "ORDER_EXEC_REPORT_UPDATE", "id": client_id(order)}
    return (extras if conflicts.has_extras else {}) | {
        "client_order_id_format_exchange": str(int(order.created_ms) % 10_000_000_000),
        "exchange_order_id": exchange_order_id(order) if is_known else None,
        "amount_open": amounts["open"],
        "amount_filled": amounts["filled"],
        "status": status,
        "status_history": [[name, stamp(at + skew_s)] for name, at in history],
        "error_message": None,
        "fills": _fills(order, amounts, skew_s),
        "exchange_id": exchange_id,
        "client_order_id": client_id(order),
        "symbol_id_exchange": order.symbol,
        "symbol_id_coinapi": f"{exchange_of(exchange_id)}_SPOT_{pair}",
        "amount_order": amounts["order"],
        "price": amounts["price"],
        "avg_px": amounts["price"] if amounts["filled"] else 0.0,
        "side": "SELL" if order.created_ms % 2 else "BUY",
        "order_type": "LIMIT",
        "time_in_force": "GOOD_TILL_TIME_EXCHANGE" if is_timed else "GOOD_TILL_CANCEL",
        "expire_time": expires if is_timed else None,
        "exec_inst": "MAKER_OR_CANCEL" if conflicts.exec_inst_is_text else ["MAKER_OR_CANCEL"],
    }


def _amounts(order: Order, status: str) -> dict[str, float]:
    """Return amounts and price: JSON numbers, some of them very small.

    What was open stays so in the report of an order that was cancelled, as in the sample.
    """
    ordered, price = _AMOUNTS[order.created_ms % len(_AMOUNTS)]
    filled = ordered if status == "FILLED" else ordered / 4 if order.kind == PARTLY else 0.0
    return {"order": ordered, "price": price, "filled": filled, "open": ordered - filled}


def _fills(order: Order, amounts: Mapping[str, float], skew_s: float) -> list[dict[str, Any]]:
    if not amounts["filled"]:
        return []
    time = stamp(order.placed_at + skew_s)
    return [{"time": time, "price": amounts["price"], "amount": amounts["filled"]}]
