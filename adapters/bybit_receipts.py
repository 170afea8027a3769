"""What Bybit v5 says to a cancel, and of clocks and instruments.

Owns the receipts of cancel calls and the smaller replies. Pure; the same rules as in
`adapters.bybit_replies`. An acknowledgement is evidence that a cancel was accepted, no more.

Sources: bybit-exchange/docs, `docs/v5` as of 2026-07-24, read 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from adapters.bybit_replies import Envelope, Whole, Wire, cursor_of, error_of, invalid, read
from adapters.bybit_wire import CAP, INVERSE, LINEAR, QUOTE, RFQ, SPREAD, Ask
from adapters.contract import OpenOrder, OrderClass, Receipt, VenueRefused, VenueThrottled


class _Accepted(Wire):
    rows: list[dict[str, Any]] | None = Field(default=None, alias="list")
    verdict: str | None = Field(default=None, alias="success")


class _Coded(Wire):
    code: Whole
    said: str | None = Field(default="", alias="msg")


class _CodedList(Wire):
    rows: list[_Coded] = Field(alias="list")


class _RfqAccepted(Wire):
    rows: list[_Coded] | None = Field(default=None, alias="list")


class _BatchRow(Wire):
    order_id: str = Field(default="", alias="orderId")


class _BatchList(Wire):
    rows: list[_BatchRow] = Field(alias="list")


class _Time(Wire):
    nanoseconds: Whole = Field(alias="timeNano")


class _Instrument(Wire):
    symbol: str = Field(min_length=1)
    settle_coin: str = Field(default="", alias="settleCoin")


class _InstrumentPage(Wire):
    rows: list[_Instrument] = Field(alias="list")
    cursor: str | None = Field(default="", alias="nextPageCursor")


class _OptionCoin(Wire):
    coin: str = Field(alias="baseCoin", min_length=1)
    has_symbol: Whole = Field(alias="hasSymbol")


class _OptionCoinList(Wire):
    rows: list[_OptionCoin] = Field(alias="list")


def parse_cancel_all(order_class: OrderClass, ask: Ask, envelope: Envelope) -> Receipt:
    """Read what a cancel-all accepted; `list` and `success` may both be absent.

    `success` "0" is no acknowledgement; for spreads the documentation says to ignore it.
    """
    if order_class in (RFQ, QUOTE):
        return _rfq_receipt(order_class, ask, envelope)
    found = read(_Accepted, envelope.result, ask.name)
    count = None if found.rows is None else len(found.rows)
    is_refused = found.verdict == "0" and order_class != SPREAD
    refusal = VenueRefused(
        user_message="Bybit answered without an error, yet says that it failed (success 0)",
        venue_code="success 0",
        is_retryable=True,
    )
    return Receipt(
        order_class=order_class,
        call=ask.name,
        accepted=count,
        capped=order_class in (LINEAR, INVERSE) and (count or 0) >= CAP,
        error=refusal if is_refused else None,
    )


def _rfq_receipt(order_class: OrderClass, ask: Ask, envelope: Envelope) -> Receipt:
    """Read `[{"rfqId":…,"code":0,"msg":""}]`; the table calls it an object with `data`.

    What is answered where nothing is open is not documented: absent rows are no rows told.
    """
    result = envelope.result
    if isinstance(result, dict):
        result = result.get("data", result.get("list"))
    rows = read(_RfqAccepted, {"list": result}, ask.name).rows
    errors = [error_of(row.code, row.said, api_key="") for row in rows or () if row.code != 0]
    return Receipt(
        order_class=order_class,
        call=ask.name,
        accepted=None if rows is None else sum(row.code == 0 for row in rows),
        error=next((error for error in errors if error is not None), None),
    )


def parse_batch(
    orders: Sequence[OpenOrder], ask: Ask, envelope: Envelope, *, api_key: str
) -> tuple[Receipt, ...]:
    """Read what became of each order of a batch: codes stand in `retExtInfo.list`, in order."""
    codes = read(_CodedList, envelope.extra, ask.name).rows
    echoes = read(_BatchList, envelope.result, ask.name).rows
    if not len(codes) == len(echoes) == len(orders):
        raise invalid(f"the answer to {ask.name} is not about the orders that were named")
    for order, echo in zip(orders, echoes, strict=True):
        if echo.order_id not in ("", order.order_id):
            raise invalid(f"the answer to {ask.name} is not about the orders that were named")
    return tuple(
        _batch_receipt(order, ask, row, api_key) for order, row in zip(orders, codes, strict=True)
    )


def _batch_receipt(order: OpenOrder, ask: Ask, row: _Coded, api_key: str) -> Receipt:
    error = None if row.code == 0 else error_of(row.code, row.said, api_key=api_key)
    return Receipt(
        order_class=order.order_class,
        call=f"{ask.name} {order.order_id}",
        accepted=1 if row.code == 0 else 0,
        error=error,
    )


def throttled(receipts: Sequence[Receipt]) -> VenueThrottled | None:
    """Return the first complaint of speed inside a batch, if there is one."""
    errors = [each.error for each in receipts if isinstance(each.error, VenueThrottled)]
    return errors[0] if errors else None


def parse_time_ms(result: object) -> float:
    """Read Bybit's clock in epoch milliseconds from `timeNano`; `timeSecond` is too coarse."""
    return read(_Time, result, "market time").nanoseconds / 1e6


def parse_instruments(result: object) -> tuple[tuple[tuple[str, str], ...], str]:
    """Read a page of instruments as ((symbol, settle coin or ""), …) and the next cursor."""
    page = read(_InstrumentPage, result, "instruments")
    pairs = tuple((row.symbol.upper(), row.settle_coin.upper()) for row in page.rows)
    return pairs, cursor_of(page.cursor)


def parse_option_coins(result: object) -> tuple[str, ...]:
    """Read the base coins that have options now: `{"list":[{"baseCoin":"BTC","hasSymbol":1}]}`."""
    rows = read(_OptionCoinList, result, "option base coins").rows
    return tuple(sorted({row.coin.upper() for row in rows if row.has_symbol != 0}))
