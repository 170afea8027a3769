"""Bybit v5's replies, to the field.

Owns the wire models, `read()` and `open_order()`. Pure. A reply that does not match its model is
`VenueReplyInvalid`, also under HTTP 200; an absent list is never an empty one; an order in a state
that nobody documented counts as open.
Source: bybit-exchange/docs, `docs/v5` (2026-07-24), read 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adapters import bybit_wire as wire
from adapters.contract import OpenOrder, OrderClass, VenueReplyInvalid


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


Number = Annotated[int, BeforeValidator(int)]
"""Some samples show `retCode` and times as strings."""
Model = TypeVar("Model", bound=BaseModel)


class Envelope(_Wire):
    """`{"retCode":0,"retMsg":"OK","result":{},"retExtInfo":{},"time":1671017382656}`."""

    code: Number = Field(alias="retCode")
    said: str = Field(default="", alias="retMsg")
    result: Any = None
    more: Any = Field(default=None, alias="retExtInfo")


class OrderRow(_Wire):
    """One order of `realtime`."""

    order_id: str = Field(alias="orderId", min_length=1)
    client_id: str = Field(default="", alias="orderLinkId")
    symbol: str = Field(min_length=1)
    status: str = Field(alias="orderStatus", min_length=1)
    stop_type: str | None = Field(default="", alias="stopOrderType")
    created_ms: Number = Field(alias="createdTime")
    is_reduce_only: bool = Field(default=False, alias="reduceOnly")


class OrderPage(_Wire):
    """`{"list":[…],"nextPageCursor":"…","category":"linear"}`; the list must be there."""

    rows: list[OrderRow] = Field(alias="list")
    cursor: str | None = Field(default="", alias="nextPageCursor")
    category: str | None = None


class RfqRow(_Wire):
    """One inquiry or quote."""

    rfq_id: str = Field(alias="rfqId", min_length=1)
    quote_id: str = Field(default="", alias="quoteId")
    status: str = Field(min_length=1)
    created_ms: Number = Field(alias="createdAt")


class RfqPage(_Wire):
    """`{"list":[…]}`."""

    rows: list[RfqRow] = Field(alias="list")


class StrategyRow(_Wire):
    """One strategy."""

    strategy_id: str = Field(alias="strategyId", min_length=1)
    symbol: str
    created_ms: Number = Field(alias="createdTimeE3")
    is_reduce_only: bool = Field(default=False, alias="reduceOnly")


class StrategyPage(_Wire):
    """`{"list":[…],"nextCursor":""}`."""

    rows: list[StrategyRow] = Field(alias="list")
    cursor: str | None = Field(default="", alias="nextCursor")


class Cancelled(_Wire):
    """The result of a cancel-all: both fields may be absent."""

    rows: list[Any] | None = Field(default=None, alias="list")
    success: str | None = None


class BatchItem(_Wire):
    """What became of one order of a batch."""

    code: Number
    said: str = Field(default="", alias="msg")


class BatchItems(_Wire):
    """`retExtInfo` of a batch, in the order of the request."""

    items: list[BatchItem] = Field(alias="list")


class KeyInfo(_Wire):
    """The result of `query-api`, as far as it matters here."""

    user_id: Annotated[str, BeforeValidator(str)] = Field(alias="userID", min_length=1)
    read_only: Number = Field(alias="readOnly")
    permissions: dict[str, list[str] | None]
    ips: list[str] = Field(default_factory=list)
    expired_at: str = Field(default="", alias="expiredAt")
    deadline_day: int = Field(default=0, alias="deadlineDay")


def read(model: type[Model], value: object, what: str) -> Model:
    """Hold a value to its model.

    Raises:
        VenueReplyInvalid: names the field; never shows what stood there.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise VenueReplyInvalid(
            user_message=f"Bybit's answer to {what} is not as documented at {where}"
        ) from None


OPEN_STATES = frozenset({"New", "PartiallyFilled", "Untriggered"})
CLOSED_STATES = frozenset(
    {"Rejected", "PartiallyFilledCanceled", "Filled", "Cancelled", "Deactivated"}
)
"""An order in any other state, known or not, counts as open."""
_SPOT_BY_STOP: Mapping[str, OrderClass] = {
    "tpslOrder": wire.SPOT_TPSL,
    "OcoOrder": wire.SPOT_OCO,
    "BidirectionalTpslOrder": wire.SPOT_BOTH_WAYS,
}
_NO_STOP = frozenset({"", "UNKNOWN"})


def open_order(order_class: OrderClass, row: OrderRow, *, offset_ms: float) -> OpenOrder | None:
    """Turn a row into an open order; None if the row says that it is closed.

    `offset_ms` is how far Bybit's clock is ahead of ours.
    """
    if row.status in CLOSED_STATES:
        return None
    stop = row.stop_type or ""
    is_stop = stop not in _NO_STOP
    if order_class in wire.SPOT_FILTERS:
        order_class = _SPOT_BY_STOP.get(stop, wire.SPOT_STOP if is_stop else wire.SPOT)
    return OpenOrder(
        order_class=order_class,
        symbol=row.symbol,
        order_id=row.order_id,
        client_id=row.client_id,
        created=moment(row.created_ms, offset_ms),
        is_protective=is_stop or row.is_reduce_only,
    )


def moment(venue_ms: float, offset_ms: float) -> datetime:
    """Turn venue milliseconds into a moment on our own clock."""
    return datetime.fromtimestamp((venue_ms - offset_ms) / 1000, UTC)
