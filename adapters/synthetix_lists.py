"""What Synthetix's acknowledgements hold: open orders, what became of a cancel, markets.

Owns `parse_*` from what was told to `OpenOrder` and `Receipt`. Pure; the same rules as in
`adapters.synthetix_replies`.

Old and new shapes count: an order's id in `order.venueId` or in `orderId`, `canceled` or
`cancelled`. The `message` beside an order of a cancel-all is good news in the docs and bad news in
the server's own client: it decides nothing.

Sources: developers.synthetix.io, cancelAllOrders, cancelOrders, getOpenOrders, getMarkets;
synthetix-sdk 0.7.0; read 2026-11-20 and 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from adapters import synthetix_codes as codes
from adapters import synthetix_wire as wire
from adapters.contract import OpenOrder, Receipt
from adapters.synthetix_codes import Complaint
from adapters.synthetix_replies import SECOND_MS, Told, Wire, invalid, moment, read, text_of
from adapters.synthetix_wire import ORDER, TWAP

TRIGGER = re.compile(r"trigger|stop|profit|trail|\btp\b|\bsl\b", re.IGNORECASE)
"""What `type` says of a trigger, which has a `triggerPrice` as well. It is text for a person, and
an order of a kind unknown is none: kept for its protection it would be neither cancelled nor shown.
"""
BY_CLIENT_ID = (("by", "clientOrderIds"),)
"""The route of an order that has no id of the venue's yet."""
ALSO = "orderId"
"""In a route: what the venue's older field calls the order, where that is another id."""


def _digits(value: object) -> str:
    """Read an id: digits as text or as a number, or nothing."""
    if value is None or value == "":
        return ""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else "?"
    if not wire.is_venue_id(text):
        raise ValueError("not an id")
    return text


Digits = Annotated[str, BeforeValidator(_digits)]


class _Ids(Wire):
    venue_id: Digits = Field(default="", alias="venueId")
    client_id: str | None = Field(default=None, alias="clientId")


class _Row(Wire):
    order: _Ids | None = None
    order_id: Digits = Field(default="", alias="orderId")
    symbol: str = Field(pattern=r"^[^\s*]+$")
    kind: str = Field(alias="type")
    is_reduce_only: bool | None = Field(default=None, alias="reduceOnly")
    closes_position: bool | None = Field(default=None, alias="closePosition")
    trigger_price: Any = Field(default=None, alias="triggerPrice")
    twap: Any = Field(default=None, alias="twapDetails")
    created: Any = Field(default=None, alias="createdTime")


class _Rows(Wire):
    rows: list[_Row] = Field(alias="response")


class _Touched(Wire):
    rows: list[dict[str, Any]] = Field(alias="response")


class _Status(Wire):
    canceled: Any = None
    cancelled: Any = None
    error: Any = None
    code: Any = Field(default=None, alias="errorCode")
    order: Any = None
    order_id: Any = Field(default=None, alias="id")


class _Statuses(Wire):
    rows: list[_Status] = Field(alias="statuses")


class _Market(Wire):
    symbol: str = Field(min_length=1)


class _Markets(Wire):
    rows: list[_Market] = Field(alias="response", min_length=1)


def parse_cancel_all(told: Told) -> int:
    """Count the orders that a cancel-all names: `[{"orderId":…,"message":…}]`."""
    return len(read(_Touched, {"response": told.payload}, "cancel-all").rows)


def parse_statuses(orders: Sequence[OpenOrder], told: Told, *, address: str) -> tuple[Receipt, ...]:
    """Read what became of each order of a batch.

    `{"statuses":[{"canceled":{"order":{…},"id":…}},{"error":…,"errorCode":…,"order":{…}}]}`. Each
    is found by the id that it names; one that names none, by its place, if none is missing.
    """
    rows = read(_Statuses, told.payload, "cancel").rows
    named = {_ids(row)[1]: row for row in rows} | {_ids(row)[0]: row for row in rows}
    is_whole = len(rows) == len(orders)
    receipts = []
    for place, order in enumerate(orders):
        row = named.get(order.order_id)
        if row is None and is_whole and _ids(rows[place]) == ("", ""):
            row = rows[place]
        receipts.append(_receipt(order, row, address))
    return tuple(receipts)


def _ids(row: _Status) -> tuple[str, str]:
    """Return the venue's and the client's id that a status names; empty: it names none."""
    inner = row.canceled or row.cancelled
    inner = inner if isinstance(inner, dict) else {}
    order = row.order or inner.get("order")
    order = order if isinstance(order, dict) else {}
    venue_id = text_of(order.get("venueId")) or text_of(row.order_id) or text_of(inner.get("id"))
    return venue_id, text_of(order.get("clientId"))


def _receipt(order: OpenOrder, row: _Status | None, address: str) -> Receipt:
    call = f"cancel {order.order_id}"
    if row is None or not (row.error or row.code or row.canceled or row.cancelled):
        error = invalid("it does not say what became of an order")
        return Receipt(order_class=order.order_class, call=call, error=error)
    if row.error or row.code:
        complaint = Complaint(code=text_of(row.code), said=text_of(row.error))
        refusal = codes.error_of(complaint, address=address)
        return Receipt(order_class=order.order_class, call=call, accepted=0, error=refusal)
    return Receipt(order_class=order.order_class, call=call, accepted=1)


def parse_orders(told: Told, *, offset_ms: float) -> tuple[OpenOrder, ...]:
    """Read a page of open orders: `[{"order":{"venueId":…},"symbol":…,"type":"limit",…}]`.

    `offset_ms` is how far the venue's clock is ahead of ours.
    """
    rows = read(_Rows, {"response": told.payload}, "read orders").rows
    return tuple(_order(row, offset_ms) for row in rows)


def _order(row: _Row, offset_ms: float) -> OpenOrder:
    ids = row.order or _Ids()
    venue_id, client_id = ids.venue_id or row.order_id, ids.client_id or ""
    if not (venue_id or client_id):
        raise invalid("an open order has no id")
    also = ((ALSO, row.order_id),) if venue_id and row.order_id not in ("", venue_id) else ()
    is_twap = bool(row.twap) or "twap" in row.kind.lower()
    is_trigger = _is_set(row.trigger_price) or TRIGGER.search(row.kind) is not None
    at = moment(row.created)
    return OpenOrder(
        order_class=TWAP if is_twap else ORDER,
        symbol=row.symbol,
        order_id=venue_id or client_id,
        client_id=client_id,
        created=None if at is None else _ours(at, offset_ms),
        is_protective=(is_trigger and not is_twap)
        or bool(row.is_reduce_only)
        or bool(row.closes_position),
        route=also if venue_id else BY_CLIENT_ID,
    )


def _is_set(price: object) -> bool:
    return re.fullmatch(r"[0.]*", text_of(price)) is None


def parse_markets(told: Told) -> frozenset[str]:
    """Read which markets there are: `[{"symbol":"BTC-USDT",…}]`."""
    return frozenset(
        row.symbol for row in read(_Markets, {"response": told.payload}, "markets").rows
    )


def _ours(at: datetime, offset_ms: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(at.timestamp() - offset_ms / SECOND_MS, UTC)
    except (ValueError, OverflowError, OSError):
        return None
