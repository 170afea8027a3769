"""The kinds of order at the simulated Bybit, and what its API calls them.

Owns `KINDS`. Source: bybit-exchange/docs, `docs/v5/enum`.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.sandbox.venues.book import Kind, Order

STOPS = ("", "", "", "Stop", "TakeProfit", "StopLoss", "TrailingStop")
KINDS: Mapping[str, Kind] = {
    "linear:USDT": Kind(symbol="BTCUSDT", settle="USDT", stop_types=STOPS),
    "linear:USDC": Kind(symbol="ETHPERP", settle="USDC", stop_types=STOPS),
    "inverse": Kind(symbol="BTCUSD", settle="BTC", stop_types=STOPS),
    "option": Kind(symbol="BTC-26DEC26-90000-C-USDT", settle="USDT", stop_types=STOPS),
    "spot": Kind(symbol="BTCUSDT"),
    "spot:StopOrder": Kind(symbol="BTCUSDT", stop_types=("Stop",)),
    "spot:tpslOrder": Kind(symbol="BTCUSDT", stop_types=("tpslOrder",)),
    "spot:OcoOrder": Kind(symbol="BTCUSDT", stop_types=("OcoOrder",)),
    "spot:BidirectionalTpslOrder": Kind(symbol="BTCUSDT", stop_types=("BidirectionalTpslOrder",)),
    "spread": Kind(symbol="SOLUSDT_SOL/USDT"),
    "rfq": Kind(symbol=""),
    "quote": Kind(symbol=""),
    "strategy": Kind(symbol="BTCUSDT"),
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
