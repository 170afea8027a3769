"""The books of a simulated venue: what is really open, whatever its API says.

Owns orders per account, their classes and when a cancel takes effect. Time is an argument.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

KINDS: Mapping[str, tuple[str, str, str]] = {
    "linear:USDT": ("linear", "BTCUSDT", "USDT"),
    "linear:USDC": ("linear", "ETHPERP", "USDC"),
    "inverse": ("inverse", "BTCUSD", "BTC"),
    "option": ("option", "BTC-26DEC26-90000-C-USDT", "USDT"),
    "spot": ("spot", "BTCUSDT", ""),
    "spot:StopOrder": ("spot", "BTCUSDT", ""),
    "spot:tpslOrder": ("spot", "BTCUSDT", ""),
    "spot:OcoOrder": ("spot", "BTCUSDT", ""),
    "spot:BidirectionalTpslOrder": ("spot", "BTCUSDT", ""),
    "spread": ("spread", "SOLUSDT_SOL/USDT", ""),
    "rfq": ("rfq", "", ""),
    "quote": ("quote", "", ""),
    "strategy": ("strategy", "BTCUSDT", ""),
}
"""Class of order: category, an example symbol, settle coin."""
STOPS = ("", "", "", "Stop", "TakeProfit", "StopLoss", "TrailingStop")
"""What seeded derivatives orders are: some guard a position."""


@dataclass(slots=True, kw_only=True)
class Order:
    """One order on the book."""

    order_id: str
    kind: str
    """A key of `KINDS`."""
    symbol: str
    settle: str
    created_ms: int
    link_id: str = ""
    stop_type: str = ""
    is_reduce_only: bool = False
    is_uncancellable: bool = False
    """Every cancel is acknowledged, none takes effect."""
    gone_at: float | None = None
    """When an accepted cancel takes effect, in epoch seconds."""

    @property
    def category(self) -> str:
        """The API's category: several kinds share `spot`."""
        return KINDS[self.kind][0]

    @property
    def order_filter(self) -> str:
        """What `orderFilter` selects this order."""
        if self.kind.startswith("spot:"):
            return self.kind.removeprefix("spot:")
        return "StopOrder" if self.stop_type else "Order"


@dataclass(slots=True, kw_only=True)
class Book:
    """Every order of every account."""

    rng: random.Random
    cancel_delay_s: float = 0.0
    """An accepted cancel takes effect up to this much later."""
    orders: dict[str, list[Order]] = field(default_factory=dict)
    """By uid, oldest first."""
    placed: int = 0

    def place(self, uid: str, kind: str, *, now: float, symbol: str = "", **more: object) -> Order:
        """Put an order on the book."""
        _, usual, settle = KINDS[kind]
        self.placed += 1
        digits = f"{self.rng.getrandbits(64):016x}"
        order = Order(
            order_id=f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{self.placed:012d}",
            kind=kind,
            symbol=symbol or usual,
            settle=str(more.pop("settle", settle)),
            created_ms=int(now * 1000),
            stop_type=str(more.pop("stop_type", _stop_of(kind))),
            **more,  # type: ignore[arg-type]
        )
        self.orders.setdefault(uid, []).append(order)
        return order

    def seed(self, uid: str, counts: Mapping[str, int], *, now: float) -> None:
        """Fill an account with orders of the last hour, derivatives with some stops among them."""
        for kind, count in counts.items():
            for number in range(count):
                is_future = kind.startswith("linear") or kind in {"inverse", "option"}
                stop = self.rng.choice(STOPS) if is_future else _stop_of(kind)
                moment = now - 3600 * self.rng.random()
                self.place(uid, kind, now=moment, stop_type=stop, is_reduce_only=number % 9 == 1)

    def live(self, uid: str, *, now: float) -> list[Order]:
        """Return what is open on an account, newest first, and drop what has gone."""
        kept = [o for o in self.orders.get(uid, []) if o.gone_at is None or o.gone_at > now]
        self.orders[uid] = kept
        return sorted(kept, key=lambda order: (-order.created_ms, order.order_id))

    def cancel(self, orders: Iterable[Order], *, now: float) -> list[Order]:
        """Accept cancels; each takes effect within `cancel_delay_s`."""
        accepted = list(orders)
        for order in accepted:
            if order.gone_at is None and not order.is_uncancellable:
                order.gone_at = now + self.cancel_delay_s * self.rng.random()
        return accepted

    def open_count(self, uid: str, *, now: float) -> dict[str, int]:
        """Count what is really open on an account, by kind."""
        found: dict[str, int] = {}
        for order in self.live(uid, now=now):
            found[order.kind] = found.get(order.kind, 0) + 1
        return found

    def total(self, *, now: float) -> int:
        """Count what is really open on all accounts."""
        return sum(len(self.live(uid, now=now)) for uid in list(self.orders))


def _stop_of(kind: str) -> str:
    if kind == "spot:StopOrder":
        return "Stop"
    return kind.removeprefix("spot:") if kind.startswith("spot:") else ""
