"""The kinds of order at the simulated Bybit, what its API calls them, and who sees which.

Owns `KINDS` and `View`. Source: bybit-exchange/docs, `docs/v5/enum`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.sandbox.venues.book import Book, Kind, Order
from bot.sandbox.venues.bybit_listing import Listing
from bot.sandbox.venues.faults import Fault, Wrong

STOPS = ("", "", "", "Stop", "TakeProfit", "StopLoss", "TrailingStop")
KINDS: Mapping[str, Kind] = {
    "linear:USDT": Kind(symbol="BTCUSDT", settle="USDT", stop_types=STOPS),
    "linear:USDC": Kind(symbol="ETHPERP", settle="USDC", stop_types=STOPS),
    "inverse": Kind(symbol="BTCUSD", settle="BTC", stop_types=STOPS),
    "option": Kind(symbol="BTC-26DEC26-90000-C-USDT", settle="USDT", stop_types=STOPS),
    "spot": Kind(symbol="BTCUSDT", can_reduce=False),
    "spot:StopOrder": Kind(symbol="BTCUSDT", can_reduce=False, stop_types=("Stop",)),
    "spot:tpslOrder": Kind(symbol="BTCUSDT", can_reduce=False, stop_types=("tpslOrder",)),
    "spot:OcoOrder": Kind(symbol="BTCUSDT", can_reduce=False, stop_types=("OcoOrder",)),
    "spot:BidirectionalTpslOrder": Kind(
        symbol="BTCUSDT", can_reduce=False, stop_types=("BidirectionalTpslOrder",)
    ),
    "spread": Kind(symbol="SOLUSDT_SOL/USDT", can_reduce=False),
    "rfq": Kind(symbol="", can_reduce=False),
    "quote": Kind(symbol="", can_reduce=False),
    "strategy": Kind(symbol="BTCUSDT", can_reduce=False),
}
"""`category`, or `category:` and settle coin or order filter."""


def category_of(order: Order) -> str:
    """Return the API's category: several kinds share `spot`."""
    return order.kind.partition(":")[0]


def filter_of(order: Order) -> str:
    """Return what `orderFilter` selects an order."""
    if order.kind.startswith("spot:"):
        return order.kind.removeprefix("spot:")
    return "StopOrder" if order.stop_type else "Order"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One account's book at one moment, seen through what goes wrong."""

    book: Book
    uid: str
    now: float
    listing: Listing
    fault: Fault | None = None

    def live(self, category: str) -> list[Order]:
        """Return the open orders of a category."""
        return [o for o in self.book.live(self.uid, now=self.now) if category_of(o) == category]

    def shown(self, category: str) -> list[Order]:
        """Return what a reading of a category shows."""
        found = self.book.shown(self.uid, now=self.now, fault=self.fault)
        return [order for order in found if category_of(order) == category]

    def cancel(self, orders: Sequence[Order]) -> list[Order]:
        """Accept cancels."""
        return self.book.cancel(orders, now=self.now, fault=self.fault)

    @property
    def is_repeating(self) -> bool:
        """Tell whether every page names itself as the next."""
        return self.fault is not None and self.fault.wrong is Wrong.REPEAT_CURSOR
