"""What Pacifica lists: open orders, TWAPs, strategies, an account's counters, markets.

Owns `parse_*` from an acknowledged answer to `OpenOrder`s. Pure; the same rules as in
`adapters.pacifica_replies`. An absent list is never an empty one.

Two readings of `stop_price`: the fact that an order of type `limit` has one makes it a stop, or it
is the price of the stop that will guard its position (docs.pacifica.fi, open orders). Only the
second fits the list of types, so the type alone decides what is a stop.

Sources: docs.pacifica.fi, open orders, open TWAP orders, order strategies, as of 2026; read
2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from adapters.contract import OpenOrder
from adapters.pacifica_replies import Told, Whole, Wire, invalid, read
from adapters.pacifica_wire import ORDER, STOP, STRATEGY, TWAP

PLAIN_TYPES = frozenset({"limit", "market"})
"""`order_type` of what is no stop; every other type, known or not, is one."""
PARENT = "parent_id"
LEGS = "+"
"""Joins the symbols of a strategy that trades several; no symbol has it."""


class _Order(Wire):
    order_id: Whole
    client_id: str | None = Field(default=None, alias="client_order_id")
    symbol: str = Field(min_length=1)
    order_type: str = Field(min_length=1)
    is_reduce_only: bool = Field(alias="reduce_only")
    parent_id: str | None = None
    created_ms: Whole | None = Field(default=None, alias="created_at")


class _Orders(Wire):
    rows: list[_Order] = Field(alias="data")


class _Twap(Wire):
    order_id: Whole
    client_id: str | None = Field(default=None, alias="client_order_id")
    symbol: str = Field(min_length=1)
    is_reduce_only: bool | None = Field(default=None, alias="reduce_only")
    created_ms: Whole | None = Field(default=None, alias="created_at")


class _Twaps(Wire):
    rows: list[_Twap] = Field(alias="data")


class _Strategy(Wire):
    strategy_id: str = Field(min_length=1)
    symbol: str | None = None
    is_reduce_only: bool | None = Field(default=None, alias="reduce_only")
    definition: Any = None
    params: Any = None
    created_ms: Any = Field(default=None, alias="created_at")


class _Strategies(Wire):
    rows: list[_Strategy] = Field(alias="strategies")


class _Counts(Wire):
    orders: Whole = Field(alias="orders_count", ge=0)
    stops: Whole = Field(alias="stop_orders_count", ge=0)


class _Market(Wire):
    symbol: str = Field(min_length=1)


class _Subaccount(Wire):
    address: str = Field(min_length=1)


class _Subaccounts(Wire):
    rows: list[_Subaccount] = Field(alias="subaccounts")


class _Markets(Wire):
    rows: list[_Market] = Field(alias="data", min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """How many open orders the account itself says it has."""

    orders: int
    """Without stops."""
    stops: int


def parse_orders(told: Told, *, offset_ms: float) -> tuple[OpenOrder, ...]:
    """Read open orders: `[{"order_id":1,"symbol":"BTC","order_type":"limit",…}]`.

    `offset_ms` is how far the venue's clock is ahead of ours.
    """
    return tuple(
        OpenOrder(
            order_class=ORDER if row.order_type in PLAIN_TYPES else STOP,
            symbol=row.symbol,
            order_id=str(row.order_id),
            client_id=row.client_id or "",
            created=_moment(row.created_ms, offset_ms),
            is_protective=row.order_type not in PLAIN_TYPES or row.is_reduce_only,
            route=((PARENT, row.parent_id),) if row.parent_id else (),
        )
        for row in read(_Orders, {"data": told.payload}, "read orders").rows
    )


def parse_twaps(told: Told, *, offset_ms: float) -> tuple[OpenOrder, ...]:
    """Read the TWAPs that the engine runs: `[{"order_id":1,"symbol":"BTC",…}]`."""
    return tuple(
        OpenOrder(
            order_class=TWAP,
            symbol=row.symbol,
            order_id=str(row.order_id),
            client_id=row.client_id or "",
            created=_moment(row.created_ms, offset_ms),
            is_protective=bool(row.is_reduce_only),
        )
        for row in read(_Twaps, {"data": told.payload}, "read twaps").rows
    )


def parse_strategies(told: Told, *, offset_ms: float) -> tuple[OpenOrder, ...]:
    """Read a page of strategies: `{"strategies":[{"strategy_id":…,"strategy_type":"oco",…}]}`.

    Where one trades stands in its definition, which each type words in its own way; the symbols
    found are joined, and none at all is an empty symbol. What it watches is not what it trades.
    """
    return tuple(
        OpenOrder(
            order_class=STRATEGY,
            symbol=LEGS.join(_symbols(row)),
            order_id=row.strategy_id,
            created=_moment(_whole_or_none(row.created_ms), offset_ms),
            is_protective=_is_guard(row),
        )
        for row in read(_Strategies, told.payload, "read strategies").rows
    )


def parent(order: OpenOrder) -> str:
    """Return the id of the strategy that placed an order; empty: none did."""
    return dict(order.route).get(PARENT, "")


def legs(order: OpenOrder) -> frozenset[str]:
    """Return the symbols that an order is about; none where the venue does not say."""
    several = order.symbol.split(LEGS) if order.order_class == STRATEGY else [order.symbol]
    return frozenset(filter(None, several))


def _symbols(row: _Strategy) -> list[str]:
    found = {row.symbol} if row.symbol else set()
    for part in _parts([row.definition, row.params]):
        found |= {part[key] for key in ("symbol", "execution_symbol") if _is_text(part.get(key))}
    return sorted(found)


def _is_guard(row: _Strategy) -> bool:
    """Tell whether a strategy only ever reduces.

    Its type does not say so: an OCO or a trailing stop that may open a position protects nothing,
    and what it places would be cancelled and placed again for ever.
    """
    parts = _parts([row.definition, row.params])
    said = [row.is_reduce_only] if row.is_reduce_only is not None else []
    said += [part["reduce_only"] for part in parts if "reduce_only" in part]
    return bool(said) and all(each is True for each in said)


def _parts(value: object) -> Iterator[dict[str, Any]]:
    """Yield every object inside a value, the outer ones first."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from _parts(each)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def parse_counters(told: Told) -> Counters:
    """Read the counters of an account: an object, or a list with that one object.

    Raises:
        VenueReplyInvalid: a counter is absent, which is not zero.
    """
    payload = told.payload
    if isinstance(payload, list):
        if len(payload) != 1:
            raise invalid("the answer to read account is not about one account")
        payload = payload[0]
    counts = read(_Counts, payload, "read account")
    return Counters(orders=counts.orders, stops=counts.stops)


def parse_subaccounts(told: Told) -> tuple[str, ...]:
    """Read the subaccounts of a main account: `{"subaccounts":[{"address":"69tx…",…}]}`.

    Raises:
        VenueReplyInvalid: it is no such list; none at all is an empty one.
    """
    rows = read(_Subaccounts, told.payload, "list subaccounts").rows
    return tuple(sorted({row.address for row in rows}))


def parse_markets(told: Told) -> frozenset[str]:
    """Read every symbol, spelt as the venue spells it: `[{"symbol":"kBONK",…}]`."""
    rows = read(_Markets, {"data": told.payload}, "read markets").rows
    return frozenset(row.symbol for row in rows)


def _whole_or_none(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(venue_ms: int | None, offset_ms: float) -> datetime | None:
    """Turn venue milliseconds into a moment on our own clock."""
    if venue_ms is None:
        return None
    try:
        return datetime.fromtimestamp((venue_ms - offset_ms) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise invalid("a time of creation is not a time") from None
