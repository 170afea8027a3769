"""What the simulated Bybit lists, and how it reads arguments.

Owns `instruments-info`, `option-base-coins` and `BadCall`. Source: bybit-exchange/docs,
`docs/v5/market/instrument` and `option-base-coins`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Args = Mapping[str, Any]
_COIN = re.compile(r"(.+?)(USDT|USDC|USD|PERP|-)")


class BadCall(Exception):
    """The call breaks a documented rule."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code
        self.said = said


def whole_number(args: Args, name: str, default: int) -> int:
    """Read a number from a query; what is none is refused."""
    text = str(args.get(name) or default)
    if not text.isdecimal():
        raise BadCall(10001, f"params error: {name}")
    return int(text)


def coin_of(symbol: str) -> str:
    """Return the base coin: `ETHW` of `ETHWUSDT`, `BTC` of `BTC-26DEC26-90000-C`."""
    found = _COIN.match(symbol)
    return found[1] if found else symbol


@dataclass(slots=True, kw_only=True)
class Listing:
    """What Bybit lists: symbol -> settle coin."""

    linear: dict[str, str] = field(
        default_factory=lambda: {"BTCUSDT": "USDT", "ETHUSDT": "USDT", "ETHPERP": "USDC"}
    )
    pre_launch: dict[str, str] = field(default_factory=lambda: {"SOONUSDT": "USDT"})
    inverse: dict[str, str] = field(default_factory=lambda: {"BTCUSD": "BTC", "ETHUSD": "ETH"})
    option: dict[str, str] = field(default_factory=lambda: {"BTC-26DEC26-90000-C-USDT": "USDT"})
    spot: dict[str, str] = field(default_factory=lambda: {"BTCUSDT": "", "ETHUSDT": ""})
    spread: dict[str, str] = field(default_factory=lambda: {"SOLUSDT_SOL/USDT": ""})

    def page(self, args: Args) -> dict[str, Any]:
        """Answer `instruments-info`: paged but for spot; pre-market contracts only if asked for."""
        category = args.get("category")
        if category not in {"linear", "inverse", "option", "spot"}:
            raise BadCall(10001, "params error: category")
        status = str(args.get("status") or "Trading")
        known = self._known(str(category), status)
        if category == "option":  # Bitcoin's, unless another coin is asked for.
            coin = args.get("baseCoin") or "BTC"
            known = {symbol: known[symbol] for symbol in known if coin_of(symbol) == coin}
        limit = min(whole_number(args, "limit", 500), 1000)
        start = whole_number(args, "cursor", 0)
        if category == "spot":
            limit, start = len(known), 0
        symbols = sorted(known)[start : start + limit]
        rows = [{"symbol": s, "settleCoin": known[s], "status": status} for s in symbols]
        more = str(start + limit) if start + limit < len(known) else ""
        return {"category": category, "list": rows, "nextPageCursor": more}

    def option_coins(self) -> list[dict[str, Any]]:
        """Answer `option-base-coins`; the last coin has been announced and has no options yet."""
        coins = sorted({coin_of(symbol) for symbol in self.option})
        rows = [{"baseCoin": coin, "hasSymbol": 1, "underlyingType": 0} for coin in coins]
        return [*rows, {"baseCoin": "SOON", "hasSymbol": 0, "underlyingType": 0}]

    def _known(self, category: str, status: str) -> dict[str, str]:
        """Return the symbols of a category in a status."""
        match category, status:
            case "linear", "PreLaunch":
                return self.pre_launch
            case _, "Trading":
                return dict(getattr(self, category))
            case _:
                return {}
