"""What Bybit lists: symbols and settle coins, kept on disk between starts.

Owns the instrument list and what can be told from a symbol. A cancel-all of `linear` needs a settle
coin, so a coin that we do not know is one whose orders we do not cancel: the list holds every
status, a coin that was once seen stays, and what could not be read keeps what was known. Never asks
Bybit itself (`adapters.bybit` does); reads and writes one file.

What the list lacks may still have orders: it was read up to an hour ago, perhaps in part. So it may
say where to look first, and never where not to look.

Sources: bybit-exchange/docs, `docs/v5/market/instrument.mdx` and the same under `spread`, as of
2026-07-24, read 2026-11-20: without `status` only contracts in trading are listed, and without
`baseCoin` options of BTC only. `docs/v5/market/option-base-coins.mdx`, read 2026-11-21: newer.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.contract import Instruments

logger = logging.getLogger(__name__)

ALWAYS = frozenset({"USDT", "USDC"})
"""Linear settle coins that are cancelled even if no list could ever be read."""
OPTION_COINS = ("BTC", "ETH", "SOL")
"""Base coins of options that are asked for while nobody has told us which there are."""
COINS_GOOD = timedelta(days=1)
"""How long a list vouches for being all of the linear settle coins. Bybit adds one in years."""
_MARKET, _SPREAD = "/v5/market/instruments-info", "/v5/spread/instrument"
_OPTION = re.compile(r"[A-Z0-9]+-\d{1,2}[A-Z]{3}\d{2}-[0-9.]+-[CP](-[A-Z0-9]+)?")
_INVERSE = re.compile(r"([A-Z0-9]+?)USD([FGHJKMNQUVXZ]\d{2})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One series of pages of the list."""

    category: str
    path: str
    selector: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """Name of the series on disk."""
        return " ".join([self.category, *(value for _, value in self.selector)])


def questions() -> tuple[Question, ...]:
    """Return every series but the options'; the first of a category is its core."""
    contracts = [
        Question(
            category=category,
            path=_MARKET,
            selector=(("category", category), ("limit", "1000"), *status),
        )
        for category in ("linear", "inverse")
        for status in ((), *((("status", each),) for each in ("PreLaunch", "Delivering", "Closed")))
    ]
    spot = Question(category="spot", path=_MARKET, selector=(("category", "spot"),))
    spread = Question(category="spread", path=_SPREAD, selector=(("limit", "500"),))
    return (*contracts, spot, spread)


def option_questions(coins: Iterable[str]) -> tuple[Question, ...]:
    """Return the series of these base coins' options; every one is core."""
    return tuple(
        Question(
            category="option",
            path=_MARKET,
            selector=(("baseCoin", coin), ("category", "option"), ("limit", "1000")),
        )
        for coin in coins
    )


def core_keys(option_coins: Iterable[str]) -> frozenset[str]:
    """Return the series without which a symbol cannot be said not to exist."""
    first: dict[str, str] = {}
    for question in questions():
        first.setdefault(question.category, question.key)
    return frozenset(first.values()) | {each.key for each in option_questions(option_coins)}


_LINEAR = next(each.key for each in questions() if each.category == "linear")
"""The series of linear contracts in trading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The list as last known: series -> symbol -> settle coin ("" where it has none)."""

    series: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    read_at: datetime | None = None
    """When every core series had been read."""
    linear_at: datetime | None = None
    """When the linear contracts in trading, and so their settle coins, were last read."""
    coins_seen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Category -> settle coins ever seen there; for `option` the base coins last told."""

    def coins(self, category: str) -> frozenset[str]:
        """Return the settle coins of `linear` or `inverse`."""
        return frozenset(self.coins_seen.get(category, ()))

    @property
    def option_coins(self) -> tuple[str, ...]:
        """Return the base coins that have options, as far as we know."""
        return self.coins_seen.get("option") or OPTION_COINS

    def vouches_for_coins(self, now: datetime) -> bool:
        """Tell whether there can hardly be a linear settle coin that it lacks."""
        return self.linear_at is not None and now - self.linear_at <= COINS_GOOD

    def lists(self, category: str, symbol: str) -> bool:
        """Tell whether a symbol was seen in a category. False proves nothing."""
        mine = [symbols for key, symbols in self.series.items() if _category(key) == category]
        return any(symbol in symbols for symbols in mine)

    def settle_coin(self, symbol: str) -> str:
        """Return the settle coin of an inverse contract, listed or told from its name; else ""."""
        for key, symbols in self.series.items():
            if _category(key) == "inverse" and symbols.get(symbol):
                return symbols[symbol]
        named = _INVERSE.fullmatch(symbol)
        return named[1] if named else ""

    def categories(self, symbol: str) -> tuple[str, ...]:
        """Return the categories where a symbol is cancelled at once, before anyone looks.

        Those that list it; for one that no list knows, those that its spelling allows.
        """
        listed = {_category(key) for key, symbols in self.series.items() if symbol in symbols}
        return tuple(sorted(listed)) or _by_spelling(symbol)

    def instruments(self) -> Instruments | None:
        """Return every symbol; None while a core series was never read."""
        if self.read_at is None:
            return None
        found = frozenset(symbol for symbols in self.series.values() for symbol in symbols)
        return Instruments(symbols=found, read_at=self.read_at)

    def joined(
        self,
        found: Mapping[str, Mapping[str, str]],
        option_coins: tuple[str, ...] | None,
        now: datetime,
    ) -> Listing:
        """Put newly read series in the place of old ones; what was not read stays.

        `option_coins`: None where they could not be read; then an option that no list knows may
        still exist, so the list is not whole.
        """
        series = {**self.series, **found}
        is_whole = option_coins is not None and core_keys(option_coins) <= found.keys()
        coins = {
            category: tuple(sorted(self.coins(category) | _coins(series, category)))
            for category in ("linear", "inverse")
        }
        coins["option"] = option_coins or self.coins_seen.get("option", ())
        read_at = now if is_whole else self.read_at
        linear_at = now if found.get(_LINEAR) else self.linear_at
        return Listing(series=series, read_at=read_at, linear_at=linear_at, coins_seen=coins)


def _category(key: str) -> str:
    return key.split(" ")[0]


def _coins(series: Mapping[str, Mapping[str, str]], category: str) -> set[str]:
    mine = [symbols for key, symbols in series.items() if _category(key) == category]
    return {coin for symbols in mine for coin in symbols.values() if coin}


def _by_spelling(symbol: str) -> tuple[str, ...]:
    if "_" in symbol or "/" in symbol:
        return ("spread",)
    if _OPTION.fullmatch(symbol):
        return ("option",)
    return ("inverse", "linear", "spot")


class _Kept(BaseModel):
    """The file: `{"read_at":…,"linear_at":…,"series":{…},"coins_seen":{…}}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    read_at: datetime | None
    linear_at: datetime | None = None
    series: dict[str, dict[str, str]]
    coins_seen: dict[str, tuple[str, ...]]


def load(path: Path) -> Listing:
    """Read what an earlier start kept; an empty list if there is none that can be read."""
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Listing()
    except (OSError, ValidationError):
        logger.warning("listing.unreadable", extra={"file": path.name})
        return Listing()
    return Listing(
        series=kept.series,
        read_at=_utc(kept.read_at),
        linear_at=_utc(kept.linear_at),
        coins_seen=kept.coins_seen,
    )


def _utc(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC) if at else None


def keep(path: Path, listing: Listing) -> None:
    """Write the list so that a crash leaves the old file or the new one.

    Raises:
        OSError: the disk refuses.
    """
    kept = {
        "read_at": listing.read_at.isoformat() if listing.read_at else None,
        "linear_at": listing.linear_at.isoformat() if listing.linear_at else None,
        "series": listing.series,
        "coins_seen": listing.coins_seen,
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(kept, sort_keys=True), encoding="utf-8")
    fresh.replace(path)
