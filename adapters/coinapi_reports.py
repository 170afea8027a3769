"""Reading CoinAPI EMS's open orders out of its order execution reports.

Owns `parse_orders()` and which orders a scope names. Pure. An error names the field that is wrong,
never what stood there; an absent list is never an empty one.

Sources: OpenAPI "EMS - REST API" v1 as of 2025-05-23 and the quickstart at docs.coinapi.io, read
2026-11-20. Oddities:

* An order that the exchange has not named yet has the client's own id only.
* An order may have two symbols, the exchange's own and CoinAPI's: `OXTUSD`, `KRAKEN_SPOT_OXT_USD`.
* Times have seven digits after the point. `datetime` keeps six.
* Amounts and prices are JSON numbers; none is read here, so none can lose digits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adapters.coinapi_replies import invalid
from adapters.coinapi_wire import LIMIT
from adapters.contract import OpenOrder, Protective, Scope, VenueReplyInvalid

FINAL = frozenset({"FILLED", "CANCELED", "REJECTED"})
"""Order states that mean gone. `PENDING_CANCEL` may go back to `NEW`, so it is open, and so is
every state that is not known."""


def _id(told: object) -> object:
    """Read a name; half a character can be neither stored nor sent back."""
    if isinstance(told, str):
        told.encode()
    is_number = isinstance(told, int) and not isinstance(told, bool)
    return str(told) if is_number else (told or None)


Id = Annotated[str | None, BeforeValidator(_id)]


class _Report(BaseModel):
    """An order execution report, as far as it is needed."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)
    exchange_id: str
    status: str = Field(min_length=1)
    exchange_order_id: Id = None
    client_order_id: Id = None
    symbol_id_exchange: Id = None
    symbol_id_coinapi: Id = None
    order_type: str | None = None
    status_history: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An open order, with all that its symbol is called."""

    order: OpenOrder
    symbols: frozenset[str]


def is_in_scope(row: Row, scope: Scope) -> bool:
    """Tell whether a scope names an order; either of its symbols will do, to the letter."""
    order = row.order
    if scope.protective is Protective.KEEP and order.is_protective:
        return False
    if scope.symbols and row.symbols.isdisjoint(scope.symbols):
        return False
    return scope.order_id is None or scope.order_id in (order.order_id, order.client_id)


def is_misspelt(row: Row, scope: Scope) -> bool:
    """Tell whether a scope names an order but for capitals: no list says how symbols are spelt."""
    wanted = {symbol.casefold() for symbol in scope.symbols}
    is_like = not wanted.isdisjoint(symbol.casefold() for symbol in row.symbols)
    meant = replace(scope, symbols=())
    return is_like and row.symbols.isdisjoint(scope.symbols) and is_in_scope(row, meant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a reading shows."""

    rows: tuple[Row, ...] = ()
    """Open orders of the account that was asked for."""
    error: VenueReplyInvalid | None = None
    """Why that cannot be all, or not of this account alone; None: it is all."""


def parse_orders(found: object, exchange_id: str) -> Listed:
    """Read an array of execution reports; one that cannot be read hides none of the others.

    Whoever answers for another exchange account than was asked for may lack orders of ours.
    """
    if not isinstance(found, list):
        return Listed(error=invalid("no list of orders"))
    rows: dict[Row, None] = {}
    error: VenueReplyInvalid | None = None
    for place in found:
        try:
            report = _report(place)
        except VenueReplyInvalid as complaint:
            error = error or complaint
            continue
        if report.exchange_id != exchange_id:
            error = error or invalid("orders of another exchange_id than was asked for")
        elif report.status not in FINAL:
            rows.setdefault(_row(report))
    return Listed(rows=_told_apart(tuple(rows)), error=error)


def _told_apart(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Let orders that share an exchange's id be cancelled by the client's: one is meant, not two.

    Some exchanges count their ids by symbol, and a cancel of EMS names no symbol.
    """
    ids = Counter(row.order.order_id for row in rows)
    return tuple(
        replace(row, order=replace(row.order, route=(("client_order_id", row.order.client_id),)))
        if ids[row.order.order_id] > 1 and row.order.client_id
        else row
        for row in rows
    )


def _report(place: object) -> _Report:
    try:
        report = _Report.model_validate(place)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "an order"
        raise invalid(f"{where} in a list of orders") from None
    if not (report.exchange_order_id or report.client_order_id):
        raise invalid("an order without any id")
    if not (report.symbol_id_exchange or report.symbol_id_coinapi):
        raise invalid("an order without any symbol")
    return report


def _row(report: _Report) -> Row:
    """Make an order; while the exchange has not named it yet, it goes by the client's own id.

    EMS documents limit orders only. Should it list another type one day, that may be a stop, and is
    left alone where stops stay.
    """
    by_exchange, by_client = report.exchange_order_id, report.client_order_id
    order_id, name = (
        (by_exchange, "exchange_order_id") if by_exchange else (by_client, "client_order_id")
    )
    assert order_id is not None
    symbols = [each for each in (report.symbol_id_exchange, report.symbol_id_coinapi) if each]
    order = OpenOrder(
        order_class=LIMIT,
        symbol=symbols[0],
        order_id=order_id,
        client_id=by_client or "",
        created=min(_moments(report.status_history), default=None),
        is_protective=report.order_type not in (None, "", "LIMIT"),
        route=((name, order_id),),
    )
    return Row(order=order, symbols=frozenset(symbols))


def _moments(history: object) -> Iterator[datetime]:
    """Read the times of `[["RECEIVED","2020-05-27T11:16:20.1677709Z"],…]`, in UTC."""
    for entry in history if isinstance(history, list) else ():
        for told in entry if isinstance(entry, list) else ():
            try:
                found = datetime.fromisoformat(told)
                yield found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
            except (TypeError, ValueError, OverflowError):
                continue


def parse_accepted(found: object) -> int | None:
    """Read what one cancel accepted from the order's last report; None if it does not say."""
    status = found.get("status") if isinstance(found, dict) else None
    return None if not isinstance(status, str) else int(status not in FINAL)
