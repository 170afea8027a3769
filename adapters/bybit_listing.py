"""What Bybit lists: symbols and settle coins, kept on disk between starts.

Owns the instrument list. A cancel-all of `linear` needs a settle coin, so a coin that we do not
know is a class that we do not cancel: the list includes pre-market contracts, is read again every
hour, and the config can only add to it.

Source: bybit-exchange/docs, `docs/v5/market/instrument.mdx`, read 2026-11-20: `linear` and
`inverse` are paged, at most 1,000 a page; `status=PreLaunch` lists what the default leaves out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from adapters import bybit_wire as wire
from adapters.contract import Instruments, OrderClass

logger = logging.getLogger(__name__)

ALWAYS = ("USDC", "USDT")
"""Linear settle coins that are cancelled even if no list could ever be read."""
QUERIES: tuple[tuple[OrderClass, str], ...] = (
    (wire.LINEAR, "category=linear&limit=1000"),
    (wire.LINEAR, "category=linear&status=PreLaunch&limit=1000"),
    (wire.INVERSE, "category=inverse&limit=1000"),
    (wire.INVERSE, "category=inverse&status=PreLaunch&limit=1000"),
    (wire.SPOT, "category=spot"),
    (wire.OPTION, "category=option&limit=1000"),
    (wire.SPREAD, "limit=500"),
)


class Row(BaseModel):
    """One instrument."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    symbol: str = Field(min_length=1)
    settle: str = Field(default="", alias="settleCoin")


class Page(BaseModel):
    """`{"category":"linear","list":[…],"nextPageCursor":""}`."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    rows: list[Row] = Field(alias="list")
    cursor: str | None = Field(default="", alias="nextPageCursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Symbols by category, each with its settle coin (empty where it has none)."""

    read_at: datetime
    linear: Mapping[str, str] = field(default_factory=dict)
    inverse: Mapping[str, str] = field(default_factory=dict)
    option: Mapping[str, str] = field(default_factory=dict)
    spot: Mapping[str, str] = field(default_factory=dict)
    spread: Mapping[str, str] = field(default_factory=dict)

    def coins(self, order_class: OrderClass) -> frozenset[str]:
        """Return the settle coins of `linear` or `inverse`."""
        known = self.linear if order_class == wire.LINEAR else self.inverse
        return frozenset(coin for coin in known.values() if coin)

    def classes_of(self, symbol: str) -> frozenset[str]:
        """Return the categories that list a symbol; empty if none does."""
        return frozenset(name for name in CATEGORIES if symbol in getattr(self, name))

    def instruments(self) -> Instruments:
        """Return every symbol, for checking what was typed."""
        found = frozenset[str]().union(*(getattr(self, name) for name in CATEGORIES))
        return Instruments(symbols=found, read_at=self.read_at)


CATEGORIES = ("linear", "inverse", "option", "spot", "spread")


def build_page(order_class: OrderClass, query: str, cursor: str) -> wire.Ask:
    """Read a page of the instrument list; public, so nothing is signed."""
    path = "/v5/spread/instrument" if order_class == wire.SPREAD else "/v5/market/instruments-info"
    return wire.Ask(
        order_class=order_class,
        name=f"list {order_class}",
        method="GET",
        path=path,
        limit=wire.Limit(name="market", calls=50),
        query=f"{query}&cursor={cursor}" if cursor else query,
    )


def inverse_coin(symbol: str, listing: Listing | None) -> str:
    """Return the settle coin of an inverse symbol: its base coin, listed or not."""
    known = listing.inverse.get(symbol, "") if listing else ""
    return known or symbol.partition("USD")[0]


def load(path: Path) -> Listing | None:
    """Read the list that an earlier start kept; None if there is none that can be read."""
    try:
        return TypeAdapter(Listing).validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        logger.warning("listing.unreadable", extra={"path": path.name})
        return None


def keep(path: Path, listing: Listing) -> None:
    """Write the list so that a crash leaves the old one or the new one."""
    text = json.dumps(TypeAdapter(Listing).dump_python(listing, mode="json"), sort_keys=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def collected(pages: Mapping[OrderClass, Mapping[str, str]], before: Listing | None) -> Listing:
    """Join what was read with what was known: a coin that disappeared is still cancelled."""
    old = {name: dict(getattr(before, name)) if before else {} for name in CATEGORIES}
    new = {name: old[name] | dict(pages.get(OrderClass(name), {})) for name in CATEGORIES}
    return Listing(read_at=datetime.now(UTC), **new)
