"""Bybit v5 on the wire: requests to the byte.

Owns order classes, endpoints with their documented limits, and `build_*`. Pure: time, key and
signature are arguments. What comes back is in `bybit_replies`.

Sources: bybit-exchange/docs, `docs/v5` (2026-07-24), read 2026-11-20. Oddities that matter here:

* `nextPageCursor` comes percent-encoded; it goes back and is signed exactly as it came.
* For spot, a cancel-all without `orderFilter` cancels plain orders only; a reading shows all kinds.
* `success` is the *string* "0" or "1", or absent. Business errors come under HTTP 200.
* `rfq-realtime` shows our own inquiries only with `traderType=request`, and `quote-realtime` our
  own quotes with `traderType=quote`; the other way round they show other people's, which nobody
  here could cancel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.contract import OpenOrder, OrderClass

LINEAR = OrderClass("linear")
INVERSE = OrderClass("inverse")
OPTION = OrderClass("option")
SPOT = OrderClass("spot")
SPOT_STOP = OrderClass("spot stop")
SPOT_TPSL = OrderClass("spot tp/sl")
SPOT_OCO = OrderClass("spot oco")
SPOT_BOTH_WAYS = OrderClass("spot bidirectional tp/sl")
SPREAD = OrderClass("spread")
RFQ = OrderClass("rfq")
QUOTE = OrderClass("quote")
STRATEGY = OrderClass("strategy")

SPOT_FILTERS: Mapping[OrderClass, str] = {
    SPOT: "Order",
    SPOT_STOP: "StopOrder",
    SPOT_TPSL: "tpslOrder",
    SPOT_OCO: "OcoOrder",
    SPOT_BOTH_WAYS: "BidirectionalTpslOrder",
}
SYMBOL_CLASSES = (LINEAR, INVERSE, OPTION, *SPOT_FILTERS, SPREAD, STRATEGY)
ORDER_CLASSES = (*SYMBOL_CLASSES, RFQ, QUOTE)
CATEGORY: Mapping[OrderClass, str] = {
    LINEAR: "linear",
    INVERSE: "inverse",
    OPTION: "option",
    **dict.fromkeys(SPOT_FILTERS, "spot"),
}
PAGE = 50
"""Orders a page at most; the default is 20."""
CAP = 500
"""Orders that one cancel-all of linear or inverse takes, picked at random."""
STRATEGY_LIVE = ("2", "5", "6")
"""Running, paused, not yet triggered: what a reading counts as open."""
STRATEGY_STATUSES = (*STRATEGY_LIVE, "4")
"""4 is ended with unfilled orders: stopped too, but not open; its orders are read as orders."""
BATCH: Mapping[str, int] = {"linear": 8, "inverse": 8, "option": 20, "spot": 10}
"""Orders a cancel-batch: documented 20, 20, 20, 10, but linear and inverse count each order against
10 a second, of which we use 80 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A documented limit per UID and second."""

    name: str
    calls: int


CANCEL_ALL: Mapping[str, Limit] = {
    "linear": Limit(name="cancel-all derivatives", calls=10),
    "inverse": Limit(name="cancel-all derivatives", calls=10),
    "option": Limit(name="cancel-all option", calls=1),
    "spot": Limit(name="cancel-all spot", calls=20),
}
"""Whether linear and inverse share theirs is not documented: shared is the careful reading."""
CANCEL_BATCH: Mapping[str, Limit] = {
    "linear": Limit(name="cancel-batch derivatives", calls=10),
    "inverse": Limit(name="cancel-batch derivatives", calls=10),
    "option": Limit(name="cancel-batch option", calls=10),
    "spot": Limit(name="cancel-batch spot", calls=20),
}
SPREAD_CANCEL = Limit(name="spread cancel", calls=5)
RFQ_CALL = Limit(name="rfq", calls=50)
STRATEGY_STOP = Limit(name="strategy stop", calls=100)
STRATEGY_LIST = Limit(name="strategy list", calls=200)
QUERY_API = Limit(name="query-api", calls=10)
HOST_CALLS, HOST_S = 600, 5.0
"""Calls per address over all of Bybit's hosts, per seconds; beyond it HTTP 403 for ten minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request before it is signed."""

    order_class: OrderClass
    name: str
    """For a person, such as `cancel-all linear USDT`."""
    method: str
    path: str
    limit: Limit
    query: str = ""
    body: bytes | None = None
    cost: int = 1

    @property
    def payload(self) -> bytes:
        """The part of the request that is signed: query or body, to the byte."""
        return self.query.encode() if self.body is None else self.body


def prehash(timestamp_ms: int, api_key: str, recv_window_ms: int, payload: bytes) -> bytes:
    """Return the string that v5 signs: timestamp, key, window and payload without separators."""
    return f"{timestamp_ms}{api_key}{recv_window_ms}".encode() + payload


def auth_headers(
    timestamp_ms: int, api_key: str, recv_window_ms: int, signature: str
) -> tuple[tuple[str, str], ...]:
    """Return the headers of a signed request."""
    return (
        ("X-BAPI-API-KEY", api_key),
        ("X-BAPI-TIMESTAMP", str(timestamp_ms)),
        ("X-BAPI-RECV-WINDOW", str(recv_window_ms)),
        ("X-BAPI-SIGN", signature),
        ("Content-Type", "application/json"),
    )


def _json(fields: Mapping[str, object]) -> bytes:
    """Write a body once; these very bytes are signed and sent."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def build_cancel_all(order_class: OrderClass, selector: Mapping[str, str]) -> Ask:
    """Cancel all of a category: `{"category":"linear","settleCoin":"USDT"}`.

    `selector` holds `settleCoin` or `symbol`; the spot classes add their filter.
    """
    category = CATEGORY[order_class]
    fields: dict[str, str] = {"category": category, **selector}
    if order_class in SPOT_FILTERS:
        fields["orderFilter"] = SPOT_FILTERS[order_class]
    words = " ".join(["cancel-all", order_class, *selector.values()])
    return Ask(
        order_class=order_class,
        name=words,
        method="POST",
        path="/v5/order/cancel-all",
        limit=CANCEL_ALL[category],
        body=_json(fields),
    )


def build_cancel_all_spread(symbol: str | None = None) -> Ask:
    """Cancel all spread orders, or those of one combination."""
    fields: dict[str, object] = {"cancelAll": True} if symbol is None else {"symbol": symbol}
    return Ask(
        order_class=SPREAD,
        name=f"cancel-all spread {symbol or ''}".strip(),
        method="POST",
        path="/v5/spread/order/cancel-all",
        limit=SPREAD_CANCEL,
        body=_json(fields),
    )


def build_cancel_rfqs(order_class: OrderClass) -> Ask:
    """Cancel all of our inquiries, or all of our quotes."""
    what = "cancel-all-rfq" if order_class == RFQ else "cancel-all-quotes"
    return Ask(
        order_class=order_class,
        name=what,
        method="POST",
        path=f"/v5/rfq/{what}",
        limit=RFQ_CALL,
        body=b"{}",
    )


def build_stop(strategy_id: str) -> Ask:
    """Stop one strategy: it cancels what it placed and places no more."""
    return Ask(
        order_class=STRATEGY,
        name="stop strategy",
        method="POST",
        path="/v5/strategy/stop",
        limit=STRATEGY_STOP,
        body=_json({"strategyId": strategy_id}),
    )


def build_cancel_batch(category: str, orders: Sequence[OpenOrder]) -> Ask:
    """Cancel orders of one category: `{"category":…,"request":[{"symbol":…,"orderId":…}]}`."""
    rows = [{"symbol": order.symbol, "orderId": order.order_id} for order in orders]
    return Ask(
        order_class=orders[0].order_class,
        name=f"cancel-batch {category}",
        method="POST",
        path="/v5/order/cancel-batch",
        limit=CANCEL_BATCH[category],
        body=_json({"category": category, "request": rows}),
        cost=1 if category == "option" else len(rows),
    )


def build_cancel_spread(order: OpenOrder) -> Ask:
    """Cancel one spread order."""
    return Ask(
        order_class=SPREAD,
        name="cancel spread",
        method="POST",
        path="/v5/spread/order/cancel",
        limit=SPREAD_CANCEL,
        body=_json({"orderId": order.order_id}),
    )


def build_realtime(order_class: OrderClass, selector: Mapping[str, str], cursor: str) -> Ask:
    """Read a page of open orders; `cursor` goes out as it came in."""
    category = CATEGORY[order_class]
    fields = {"category": category, **selector, "limit": str(PAGE)}
    return Ask(
        order_class=order_class,
        name=" ".join(["read", category, *selector.values()]),
        method="GET",
        path="/v5/order/realtime",
        limit=Limit(name=f"realtime {category}", calls=50),
        query=_query(fields, cursor),
    )


def build_spread_realtime(symbol: str | None, cursor: str) -> Ask:
    """Read a page of open spread orders."""
    fields = {"symbol": symbol.replace("/", "%2F")} if symbol else {}
    return Ask(
        order_class=SPREAD,
        name="read spread",
        method="GET",
        path="/v5/spread/order/realtime",
        limit=Limit(name="realtime spread", calls=50),
        query=_query({**fields, "limit": str(PAGE)}, cursor),
    )


def build_rfq_realtime(order_class: OrderClass) -> Ask:
    """Read our own inquiries or quotes; neither is paged."""
    what, side = ("rfq", "request") if order_class == RFQ else ("quote", "quote")
    return Ask(
        order_class=order_class,
        name=f"read {order_class}",
        method="GET",
        path=f"/v5/rfq/{what}-realtime",
        limit=RFQ_CALL,
        query=f"traderType={side}",
    )


def build_strategies(status: str, cursor: str) -> Ask:
    """Read a page of strategies in one status."""
    return Ask(
        order_class=STRATEGY,
        name="read strategy",
        method="GET",
        path="/v5/strategy/list",
        limit=STRATEGY_LIST,
        query=_query({"status": status, "pageSize": str(PAGE)}, cursor),
    )


def build_query_api() -> Ask:
    """Ask whose key this is and what it may do."""
    return Ask(
        order_class=OrderClass("key"),
        name="query-api",
        method="GET",
        path="/v5/user/query-api",
        limit=QUERY_API,
    )


def _query(fields: Mapping[str, str], cursor: str) -> str:
    found = "&".join(f"{key}={value}" for key, value in fields.items())
    return f"{found}&cursor={cursor}" if cursor else found
