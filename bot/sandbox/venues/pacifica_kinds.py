"""The kinds of order at the simulated Pacifica, what it calls them, and what it lists.

Owns `KINDS`, the ids and `View`: one account's book at one moment, in which a strategy that lives
re-places what is cancelled. Source: docs.pacifica.fi, orders, TWAP, order strategies (2026).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.sandbox.venues.book import LAG_S, Book, Kind, Order
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.venues.pacifica_shapes import Conflicts, Engine

LIMIT: Final = "limit"
STOP: Final = "stop"
TWAP: Final = "twap"
STRATEGY: Final = "strategy"

STOP_TYPES = (
    "stop_limit",
    "stop_market",
    "take_profit_limit",
    "stop_loss_limit",
    "take_profit_market",
    "stop_loss_market",
)
STRATEGY_TYPES = (
    "oco",
    "conditional",
    "trailing_stop",
    "auto_chase",
    "swarm",
    "trigger_swarm",
    "twap",
)
KINDS: Mapping[str, Kind] = {
    LIMIT: Kind(symbol="BTC"),
    STOP: Kind(symbol="ETH", stop_types=STOP_TYPES),
    TWAP: Kind(symbol="BTC"),
    STRATEGY: Kind(symbol="BTC", stop_types=STRATEGY_TYPES, can_reduce=False),
}
"""What is listed and cancelled in a way of its own; `stop_type` of a strategy is its type.

What a strategy places is a `limit` or a `stop` whose `parent_id` is the strategy's id.
"""

SEEDABLE: Mapping[str, int] = {LIMIT: 60, STOP: 12, TWAP: 4, STRATEGY: 3}
"""A full account for a demo."""

LISTED: Mapping[str, str] = {
    "BTC": "perpetual",
    "ETH": "perpetual",
    "SOL": "perpetual",
    "ASTER": "perpetual",
    "kBONK": "perpetual",
    "SOL-USDC": "spot",
}
"""Symbol -> `instrument_type`; symbols are case-sensitive."""

REPLACED_S: Final = 0.4
"""How long a living strategy takes to place again what was cancelled."""


def order_name(_: random.Random, number: int) -> str:
    """Name an order: ids are whole numbers."""
    return str(315_000_000 + number)


def strategy_id(order: Order) -> str:
    """Return the id of a strategy, which is a UUID."""
    return f"0f8e7c2a-4b1d-4e5f-9a3b-{int(order.order_id):012x}"


def public_id(order: Order) -> str:
    """Return what Pacifica calls an order of the books, as text."""
    return strategy_id(order) if order.kind == STRATEGY else order.order_id


def reduces(order: Order) -> bool:
    """Tell whether an order can only reduce; what takes profit or stops a loss always does."""
    guards = order.kind == STOP and order.stop_type.startswith(("take_profit", "stop_loss"))
    return order.is_reduce_only or guards


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One account's book at one moment, seen through what goes wrong."""

    book: Book
    conflicts: Conflicts
    uid: str
    now: float
    skew_s: float
    fault: Fault | None = None

    @property
    def wrong(self) -> Wrong | None:
        """What goes wrong, if it is nothing of the engine's own."""
        return self.lie.wrong if self.lie else None

    @property
    def lie(self) -> Fault | None:
        """The fault, if it is nothing of the engine's own."""
        return None if isinstance(self.fault, Engine) else self.fault

    @property
    def as_of(self) -> float:
        """The true moment that a reading shows."""
        return self.now - LAG_S if self.wrong is Wrong.LAG else self.now

    def live(self, *kinds: str) -> list[Order]:
        """Return the open orders of some kinds, newest first."""
        return [o for o in self.book.live(self.uid, now=self.now) if o.kind in kinds]

    def shown(self, *kinds: str) -> list[Order]:
        """Return what a reading of some kinds shows; half of it is half of every list."""
        if self.wrong is Wrong.TRUNCATE:
            listed = self.live(*kinds)
            return listed[: (len(listed) + 1) // 2]
        found = self.book.shown(self.uid, now=self.now, fault=self.lie)
        return [order for order in found if order.kind in kinds]

    def family(self, strategy: Order) -> list[Order]:
        """Return a strategy and what it has placed or is about to place."""
        name = strategy_id(strategy)
        orders = self.book.orders.get(self.uid, [])
        children = [o for o in orders if o.parent_id == name and not self._has_gone(o)]
        return [strategy, *children]

    def cancel(self, orders: Sequence[Order]) -> list[Order]:
        """Accept cancels; what belongs to a strategy that lives on is placed again."""
        staying = [order for order in orders if order.gone_at is None]
        accepted = self.book.cancel(orders, now=self.now, fault=self.lie)
        for order in staying:
            if order.gone_at is not None and order.back_at is None:
                self._place_again(order, order.gone_at + REPLACED_S)
        return accepted

    def _has_gone(self, order: Order) -> bool:
        return order.placed_at <= self.now and not order.is_open(self.now)

    def _place_again(self, order: Order, moment: float) -> None:
        siblings = self.book.orders[self.uid]
        owned = bool(order.parent_id)
        parents = [o for o in siblings if o.kind == STRATEGY and strategy_id(o) == order.parent_id]
        if not owned or not parents or not parents[0].is_open(moment):
            return
        again = self.book.place(
            self.uid,
            order.kind,
            now=moment,
            symbol=order.symbol,
            stop_type=order.stop_type,
            is_reduce_only=order.is_reduce_only,
            parent_id=order.parent_id,
        )
        if parents[0].back_at is None:  # It may be going already; what it places goes with it.
            again.gone_at = parents[0].gone_at


def give_children(book: Book, uid: str, *, now: float, count: int = 1) -> list[Order]:
    """Let every strategy of an account that has placed nothing yet place limit orders."""
    placed: list[Order] = []
    orders = list(book.orders.get(uid, []))
    parents = {order.parent_id for order in orders}
    for order in orders:
        name = strategy_id(order) if order.kind == STRATEGY else ""
        if name and name not in parents:
            placed += [
                book.place(uid, LIMIT, now=now, symbol=order.symbol, parent_id=name)
                for _ in range(count)
            ]
    return placed
