"""What Bybit v5 says to a cancel, and of keys, clocks and instruments.

Owns the receipts of cancel calls and the smaller replies. Pure; the same rules as in
`adapters.bybit_replies`. An acknowledgement is evidence that a cancel was accepted, no more.

Sources: bybit-exchange/docs, `docs/v5` as of 2026-07-24, read 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from adapters.bybit_replies import Envelope, Whole, Wire, cursor_of, error_of, invalid, read
from adapters.bybit_wire import CAP, INVERSE, LINEAR, QUOTE, RFQ, SPREAD, Ask
from adapters.contract import KeyFacts, OpenOrder, OrderClass, Receipt, VenueRefused, VenueThrottled


class _Accepted(Wire):
    rows: list[dict[str, Any]] | None = Field(default=None, alias="list")
    verdict: str | None = Field(default=None, alias="success")


class _Coded(Wire):
    code: Whole
    said: str | None = Field(default="", alias="msg")


class _CodedList(Wire):
    rows: list[_Coded] = Field(alias="list")


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


class _Key(Wire):
    user_id: Whole = Field(alias="userID")
    read_only: Whole = Field(alias="readOnly")
    permissions: dict[str, list[str] | None]
    ips: list[str] | None = None
    deadline_days: Whole | None = Field(default=None, alias="deadlineDay")
    expires: str | None = Field(default=None, alias="expiredAt")


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
    """Read `[{"rfqId":…,"code":0,"msg":""}]`; the table calls it an object with `data`."""
    result = envelope.result
    if isinstance(result, dict):
        result = result.get("data", result.get("list"))
    rows = read(_CodedList, {"list": result}, ask.name).rows
    errors = [error_of(row.code, row.said, api_key="") for row in rows if row.code != 0]
    return Receipt(
        order_class=order_class,
        call=ask.name,
        accepted=sum(row.code == 0 for row in rows),
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


_WANTED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "linear and inverse": (("ContractTrade", "Order"),),
    "spot": (("Spot", "SpotTrade"),),
    "option": (("Options", "OptionsTrade"), ("Derivatives", "DerivativesTrade")),
}
"""Orders -> permissions of which one is needed to cancel them."""
_TRADING = frozenset(
    {"ContractTrade", "Spot", "Options", "Derivatives", "CopyTrading", "BlockTrade"}
)


def parse_key(result: object) -> KeyFacts:
    """Read `query-api`: whose key this is, what it may do, and what a person should know."""
    key = read(_Key, result, "query-api")
    held = {group: tuple(names or ()) for group, names in key.permissions.items()}
    lacking = [
        kind
        for kind, options in _WANTED.items()
        if not any(name in held.get(group, ()) for group, name in options)
    ]
    wallet = held.get("Wallet", ())
    return KeyFacts(
        account_uid=str(key.user_id),
        can_cancel=key.read_only == 0 and len(lacking) < len(_WANTED),
        can_withdraw="Withdraw" in wallet,
        is_read_only=key.read_only != 0,
        bound_addresses=tuple(each for each in key.ips or () if each not in ("", "*")),
        expires=_expiry(key),
        warnings=tuple(_warnings(key, held, lacking)),
    )


def _expiry(key: _Key) -> datetime | None:
    """Return when the key dies; keys bound to an address show 1970 and a negative `deadlineDay`."""
    try:
        moment = datetime.fromisoformat(key.expires or "")
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware if aware.timestamp() > 0 else None


def _warnings(key: _Key, held: Mapping[str, tuple[str, ...]], lacking: Sequence[str]) -> list[str]:
    warnings = ["the key is read-only and cannot cancel"] if key.read_only != 0 else []
    warnings += [f"the key has no permission to cancel {kind} orders" for kind in lacking]
    if not [each for each in key.ips or () if each not in ("", "*")]:
        warnings.append("the key is not bound to an address and expires 90 days after it was made")
    wallet = held.get("Wallet", ())
    if "Withdraw" in wallet:
        warnings.append("the key may withdraw: replace it by one that may only trade")
    if any(name != "Withdraw" for name in wallet):
        warnings.append("the key may transfer between wallets or accounts")
    extra = sorted(group for group in held if held[group] and group not in _TRADING | {"Wallet"})
    if extra:
        warnings.append(f"the key may do more than trade: {', '.join(extra)[:200]}")
    return warnings
