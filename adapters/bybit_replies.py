"""What Bybit v5 says, held to its documentation.

Owns `judge()`, which says what an answer means, and the pages of open orders. What cancels, clocks
and instrument lists answer is in `adapters.bybit_receipts`, what is said of keys in `bybit_keys`.
Pure. A reply that differs from its model is `VenueReplyInvalid`, also under HTTP 200, and names the
field, never what stood there; an absent list is never an empty one.

Sources: bybit-exchange/docs, `docs/v5` as of 2026-07-24, read 2026-11-20.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adapters import bybit_codes
from adapters.bybit_wire import (
    RFQ,
    SPOT,
    SPOT_BOTH_WAYS,
    SPOT_FILTERS,
    SPOT_OCO,
    SPOT_STOP,
    SPOT_TPSL,
    SPREAD,
    STRATEGY,
)
from adapters.contract import (
    OpenOrder,
    OrderClass,
    VenueError,
    VenueReplyInvalid,
)

IP_LIMIT = "10018"
"""Struck out in the documentation, where HTTP 403 took its place; both mean a ban."""
HOLD_S_MAX = 10.0
"""A reset time further away than this is not believed."""
CLOSED = frozenset({"Rejected", "PartiallyFilledCanceled", "Filled", "Cancelled", "Deactivated"})
"""Order states that mean gone. `Triggered`, on its way to the book, and every unknown state count
as open."""
RFQ_CLOSED = frozenset({"Canceled", "Filled", "Expired", "Failed"})
STRATEGY_ENDED = 3
_PLAIN = frozenset({"", "UNKNOWN"})
"""`stopOrderType` of an order that is no stop."""
_SPOT_BY_STOP: Mapping[str, OrderClass] = {
    "tpslOrder": SPOT_TPSL,
    "OcoOrder": SPOT_OCO,
    "BidirectionalTpslOrder": SPOT_BOTH_WAYS,
}


WHOLE_MAX = 10**19
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""May be half a character: such text can be neither stored nor sent on."""


def _whole(value: object) -> int:
    """Read a whole number; some samples show `retCode` and times as strings."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < WHOLE_MAX:
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        return int(value)
    raise ValueError("not a whole number")


Whole = Annotated[int, BeforeValidator(_whole)]
Model = TypeVar("Model", bound=BaseModel)


class Wire(BaseModel):
    """A part of a reply: unknown fields are ignored, known ones are strict."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Envelope(Wire):
    """`{"retCode":0,"retMsg":"OK","result":{},"retExtInfo":{},"time":1671017382656}`."""

    code: Whole = Field(alias="retCode")
    said: str | None = Field(default="", alias="retMsg")
    result: Any = None
    extra: Any = Field(default=None, alias="retExtInfo")


class _OrderRow(Wire):
    order_id: str = Field(alias="orderId", min_length=1)
    client_id: str | None = Field(default="", alias="orderLinkId")
    symbol: str = Field(min_length=1)
    status: str = Field(alias="orderStatus", min_length=1)
    stop_type: str | None = Field(default="", alias="stopOrderType")
    created_ms: str | int | None = Field(default=None, alias="createdTime")
    is_reduce_only: bool | None = Field(default=None, alias="reduceOnly")
    is_closing: bool = Field(default=False, alias="closeOnTrigger")


class _OrderPage(Wire):
    rows: list[_OrderRow] = Field(alias="list")
    cursor: str | None = Field(default="", alias="nextPageCursor")
    category: str | None = None


class _Leg(Wire):
    symbol: str


class _RfqRow(Wire):
    rfq_id: str = Field(alias="rfqId", min_length=1)
    rfq_link_id: str | None = Field(default="", alias="rfqLinkId")
    quote_id: str = Field(default="", alias="quoteId")
    quote_link_id: str | None = Field(default="", alias="quoteLinkId")
    status: str = Field(min_length=1)
    created_ms: str | int | None = Field(default=None, alias="createdAt")
    legs: list[_Leg] | None = None
    buys: list[_Leg] | None = Field(default=None, alias="quoteBuyList")
    sells: list[_Leg] | None = Field(default=None, alias="quoteSellList")


class _RfqPage(Wire):
    rows: list[_RfqRow] = Field(alias="list")


class _StrategyRow(Wire):
    strategy_id: str = Field(alias="strategyId", min_length=1)
    symbol: str = Field(min_length=1)
    status: Whole
    created_ms: str | int | None = Field(default=None, alias="createdTimeE3")
    is_reduce_only: bool = Field(default=False, alias="reduceOnly")


class _StrategyPage(Wire):
    rows: list[_StrategyRow] = Field(alias="list")
    cursor: str | None = Field(default="", alias="nextCursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A whole answer, before anything in it is believed."""

    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    body: bytes
    now: datetime
    """Our clock, aware UTC."""
    venue_now_ms: float
    """Bybit's clock, epoch milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What the headers say of one limit."""

    limit: int
    remaining: int
    reset_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a reading."""

    orders: tuple[OpenOrder, ...]
    """Open ones only."""
    rows: int
    """How many entries the page held, closed ones too."""
    cursor: str = ""


def judge(heard: Heard, *, api_key: str) -> Envelope | None:
    """Judge an answer by its body, then its status; None: there was nothing to cancel.

    `api_key` is what must not come back in an error's text.

    Raises:
        VenueError: every other answer than `retCode` 0 under HTTP 2xx.
    """
    envelope = _envelope(heard.body)
    by_status = bybit_codes.error_of_status(heard.status, heard.body, now=heard.now)
    is_2xx = HTTPStatus.OK <= heard.status < HTTPStatus.MULTIPLE_CHOICES
    if envelope is None:
        raise by_status
    if envelope.code == 0:
        if not is_2xx:
            raise by_status
        return envelope
    if str(envelope.code) == IP_LIMIT:
        raise bybit_codes.banned(IP_LIMIT, heard.now)
    if not is_2xx and str(envelope.code) not in bybit_codes.CODES:
        raise by_status
    error = error_of(envelope.code, envelope.said, api_key=api_key, wait_s=_reset_after_s(heard))
    if error is None:
        return None
    raise error


def _envelope(body: bytes) -> Envelope | None:
    try:
        found = json.loads(body)
        if SURROGATE.search(body):
            json.dumps(found, ensure_ascii=False).encode()
        return Envelope.model_validate(found)
    except (ValueError, RecursionError):
        return None


def error_of(
    code: int, said: str | None, *, api_key: str, wait_s: float | None = None
) -> VenueError | None:
    """Turn a code into an error without the key; the signature error echoes what we signed."""
    safe = (said or "").replace(api_key, "…") if api_key else said or ""
    safe = "" if "origin_string" in safe else safe
    return bybit_codes.error_of(str(code), said=safe, retry_after_s=wait_s)


def parse_quota(heard: Heard) -> Quota | None:
    """Read the limit headers; None unless all are there and make sense."""
    limit, remaining = _header(heard, "X-Bapi-Limit"), _header(heard, "X-Bapi-Limit-Status")
    if limit is None or remaining is None or not 0 <= remaining <= limit or limit == 0:
        return None
    wait_s = _reset_after_s(heard)
    return Quota(limit=limit, remaining=remaining, reset_after_s=wait_s or 0.0)


def _reset_after_s(heard: Heard) -> float | None:
    """Return seconds until the limit resets; None where the header is missing or past."""
    reset_ms = _header(heard, "X-Bapi-Limit-Reset-Timestamp")
    wait_s = 0.0 if reset_ms is None else (reset_ms - heard.venue_now_ms) / 1000
    return wait_s if 0.0 < wait_s <= HOLD_S_MAX else None


def _header(heard: Heard, name: str) -> int | None:
    try:
        return _whole(heard.headers.get(name))
    except ValueError:
        return None


def read(model: type[Model], value: object, what: str) -> Model:
    """Hold a value to its model.

    Raises:
        VenueReplyInvalid: names the field; never shows what stood there.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80] or "the whole"
        raise invalid(f"the answer to {what} is not as documented at {where}") from None


def invalid(message: str) -> VenueReplyInvalid:
    """Say what is wrong with an answer."""
    return VenueReplyInvalid(user_message=f"Bybit: {message}")


def parse_orders(order_class: OrderClass, result: object, *, offset_ms: float) -> Page:
    """Read a page of `realtime`: `{"list":[…],"nextPageCursor":"…","category":"linear"}`.

    `offset_ms` is how far Bybit's clock is ahead of ours. Any spot class stands for all of spot:
    each order says itself which it is. The category must be the one that was asked for.
    """
    category = "spot" if order_class in SPOT_FILTERS else order_class
    what = f"read {category}"
    page = read(_OrderPage, result, what)
    if order_class != SPREAD and page.category != category:
        raise invalid(f"the answer to {what} is about another category")
    if order_class not in SPOT_FILTERS and order_class != SPREAD:
        for row in page.rows:
            if row.is_reduce_only is None:
                raise invalid(f"the answer to {what} is not as documented at reduceOnly")
    orders = [
        _open_order(order_class, row, offset_ms) for row in page.rows if row.status not in CLOSED
    ]
    return Page(orders=tuple(orders), rows=len(page.rows), cursor=cursor_of(page.cursor))


def _open_order(order_class: OrderClass, row: _OrderRow, offset_ms: float) -> OpenOrder:
    stop = row.stop_type or ""
    is_stop = stop not in _PLAIN or row.status == "Untriggered"
    found = order_class
    if order_class in SPOT_FILTERS:
        found = _spot_class(stop) if is_stop else SPOT
    is_filtered = found in SPOT_FILTERS and found != SPOT
    return OpenOrder(
        order_class=found,
        symbol=row.symbol,
        order_id=row.order_id,
        client_id=row.client_id or "",
        created=_moment(row.created_ms, offset_ms),
        is_protective=is_stop or bool(row.is_reduce_only) or row.is_closing,
        route=(("orderFilter", SPOT_FILTERS[found]),) if is_filtered else (),
    )


def _spot_class(stop: str) -> OrderClass:
    by_name = SPOT_TPSL if re.search("TakeProfit|StopLoss", stop) else SPOT_STOP
    return _SPOT_BY_STOP.get(stop, by_name)


def cursor_of(said: str | None) -> str:
    """Take a cursor as it came; one that would change the rest of a query is not one."""
    cursor = said or ""
    if not re.fullmatch(r"[A-Za-z0-9%._~:,=+/!*-]{0,2000}", cursor):
        raise invalid("the cursor is not one that can be sent back as it came")
    return cursor


def _moment(venue_ms: str | int | None, offset_ms: float) -> datetime | None:
    """Turn venue milliseconds into a moment on our own clock."""
    if venue_ms is None or venue_ms == "":
        return None
    try:
        return datetime.fromtimestamp((_whole(venue_ms) - offset_ms) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise invalid("a time of creation is not a time") from None


def parse_rfqs(order_class: OrderClass, result: object, *, offset_ms: float) -> Page:
    """Read inquiries or quotes: `{"list":[{"rfqId":…,"status":"Active",…}]}`; never paged."""
    page = read(_RfqPage, result, f"read {order_class}")
    orders = [
        OpenOrder(
            order_class=order_class,
            symbol="+".join(sorted({leg.symbol for leg in _legs(row)})) or "unknown",
            order_id=_rfq_id(order_class, row),
            client_id=(row.rfq_link_id if order_class == RFQ else row.quote_link_id) or "",
            created=_moment(row.created_ms, offset_ms),
        )
        for row in page.rows
        if row.status not in RFQ_CLOSED
    ]
    return Page(orders=tuple(orders), rows=len(page.rows))


def _legs(row: _RfqRow) -> list[_Leg]:
    return [*(row.legs or ()), *(row.buys or ()), *(row.sells or ())]


def _rfq_id(order_class: OrderClass, row: _RfqRow) -> str:
    if order_class == RFQ:
        return row.rfq_id
    if not row.quote_id:
        raise invalid("the answer to read quote is not as documented at quoteId")
    return row.quote_id


def parse_strategies(result: object, *, offset_ms: float) -> Page:
    """Read a page of strategies: `{"list":[{"strategyId":…,"status":2,…}],"nextCursor":""}`."""
    page = read(_StrategyPage, result, "list strategies")
    orders = [
        OpenOrder(
            order_class=STRATEGY,
            symbol=row.symbol,
            order_id=row.strategy_id,
            created=_moment(row.created_ms, offset_ms),
            is_protective=row.is_reduce_only,
        )
        for row in page.rows
        if row.status != STRATEGY_ENDED
    ]
    return Page(orders=tuple(orders), rows=len(page.rows), cursor=cursor_of(page.cursor))
