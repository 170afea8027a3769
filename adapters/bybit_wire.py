"""What is asked of Bybit v5, to the byte.

Owns the order classes, the endpoints with their documented limits, and `build_*`: values in, the
exact text to sign and send out. Pure: time, key and signature are arguments. Never reads a reply
(`adapters.bybit_replies` does) and never sends.

Sources: bybit-exchange/docs, `docs/v5` as of 2026-07-24, read 2026-11-20. Oddities:

* `nextPageCursor` comes percent-encoded and goes back, and is signed, exactly as it came.
* For spot, a cancel-all without `orderFilter` cancels plain orders only; a reading shows all kinds.
* For spot, a cancel by id without `orderFilter` finds plain orders only; `cancel-batch` takes none.
* Both RFQ readings show one side only, that of the quoter, unless `traderType` says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from adapters.contract import OpenOrder, OrderClass

LINEAR = OrderClass("linear")
INVERSE = OrderClass("inverse")
OPTION = OrderClass("option")
SPOT = OrderClass("spot")
SPOT_TPSL = OrderClass("spot tp/sl")
SPOT_STOP = OrderClass("spot stop")
SPOT_OCO = OrderClass("spot oco")
SPOT_BOTH_WAYS = OrderClass("spot bidirectional tp/sl")
SPREAD = OrderClass("spread")
RFQ = OrderClass("rfq")
QUOTE = OrderClass("quote")
STRATEGY = OrderClass("strategy")

DERIVATIVES = (LINEAR, INVERSE, OPTION)
SPOT_FILTERS: Mapping[OrderClass, str] = {
    SPOT: "Order",
    SPOT_TPSL: "tpslOrder",
    SPOT_STOP: "StopOrder",
    SPOT_OCO: "OcoOrder",
    SPOT_BOTH_WAYS: "BidirectionalTpslOrder",
}
SYMBOL_CLASSES = (*DERIVATIVES, *SPOT_FILTERS, SPREAD, STRATEGY)
ORDER_CLASSES = (*DERIVATIVES, *SPOT_FILTERS, SPREAD, RFQ, QUOTE, STRATEGY)
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
"""Running, paused, not yet triggered: what counts as open."""
STRATEGY_STATUSES = (*STRATEGY_LIVE, "4")
"""4 is ended with unfilled orders: stopped too, but not open; its orders are read as orders."""
RFQ_SIDE: Mapping[OrderClass, str] = {RFQ: "request", QUOTE: "quote"}
"""The `traderType` that shows our own; the other one shows what other people sent us, which nobody
here could cancel, so that no market maker would ever be flat."""
BATCH: Mapping[str, int] = {"linear": 8, "inverse": 8, "option": 20, "spot": 10}
"""Orders of one cancel-batch. Documented are 20, 20, 20 and 10; but linear and inverse count each
order against 10 a second, of which we use 80 %, so a larger batch would be refused in part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A documented limit of one account (UID): calls, or orders, in any second."""

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
CANCEL_SPOT = Limit(name="cancel spot", calls=20)
SPREAD_CANCEL_ALL = Limit(name="cancel-all spread", calls=5)
SPREAD_CANCEL = Limit(name="cancel spread", calls=5)
SPREAD_READ = Limit(name="realtime spread", calls=50)
RFQ_CALLS = 50
STRATEGY_STOP = Limit(name="strategy stop", calls=100)
STRATEGY_LIST = Limit(name="strategy list", calls=200)
QUERY_API = Limit(name="query-api", calls=10)
SUB_MEMBERS = Limit(name="query-sub-members", calls=10)
ADDRESS_CALLS, ADDRESS_S = 600, 5.0
"""Calls per address over all of Bybit's hosts, in seconds; beyond it HTTP 403 for ten minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request before it is signed."""

    name: str
    """For a person, such as `cancel-all linear USDT`."""
    path: str
    limit: Limit | None = None
    """None: public, bounded by the address alone."""
    query: str = ""
    body: str | None = None
    """None: a GET."""
    cost: int = 1

    @property
    def method(self) -> str:
        """`GET` without a body (with one it is answered by HTTP 403), else `POST`."""
        return "GET" if self.body is None else "POST"

    @property
    def payload(self) -> str:
        """The part of the request that is signed: query or body, to the byte."""
        return self.query if self.body is None else self.body


def prehash(payload: str, *, timestamp_ms: int, api_key: str, recv_window_ms: int) -> bytes:
    """Return what v5 signs: timestamp, key, window and payload without separators."""
    return f"{timestamp_ms}{api_key}{recv_window_ms}{payload}".encode()


def auth_headers(
    signature: str, *, timestamp_ms: int, api_key: str, recv_window_ms: int
) -> tuple[tuple[str, str], ...]:
    """Return the headers of a signed request, the same strings that were signed."""
    return (
        ("X-BAPI-API-KEY", api_key),
        ("X-BAPI-TIMESTAMP", str(timestamp_ms)),
        ("X-BAPI-RECV-WINDOW", str(recv_window_ms)),
        ("X-BAPI-SIGN", signature),
    )


def build_cancel_all(order_class: OrderClass, selector: Mapping[str, str]) -> Ask:
    """Cancel all of a class: `{"category":"linear","settleCoin":"USDT"}`.

    `selector` holds `settleCoin`, `baseCoin` or `symbol`; spot classes add their own filter.
    """
    category = CATEGORY[order_class]
    fields: dict[str, object] = {"category": category, **selector}
    if order_class in SPOT_FILTERS:
        fields["orderFilter"] = SPOT_FILTERS[order_class]
    return Ask(
        name=" ".join(["cancel-all", order_class, *selector.values()]),
        path="/v5/order/cancel-all",
        limit=CANCEL_ALL[category],
        body=_json(fields),
    )


def build_cancel_all_spread(selector: Mapping[str, str]) -> Ask:
    """Cancel all spread orders, or those of one combination (`symbol`)."""
    fields: dict[str, object] = {**selector} if selector else {"cancelAll": True}
    return Ask(
        name=" ".join(["cancel-all spread", *selector.values()]),
        path="/v5/spread/order/cancel-all",
        limit=SPREAD_CANCEL_ALL,
        body=_json(fields),
    )


def build_cancel_all_rfq(order_class: OrderClass) -> Ask:
    """Cancel all of our inquiries, or all of our quotes; no body is sent and signed as `{}`."""
    what = "cancel-all-rfq" if order_class == RFQ else "cancel-all-quotes"
    return Ask(name=what, path=f"/v5/rfq/{what}", limit=_rfq_limit(what), body="{}")


def build_stop(strategy_id: str) -> Ask:
    """Stop one strategy for good: it cancels what it placed and places no more."""
    return Ask(
        name=f"stop strategy {strategy_id}",
        path="/v5/strategy/stop",
        limit=STRATEGY_STOP,
        body=_json({"strategyId": strategy_id}),
    )


def build_cancel_batch(category: str, orders: Sequence[OpenOrder]) -> Ask:
    """Cancel orders of one category: `{"category":"linear","request":[{"symbol":…,"orderId":…}]}`.

    Linear, inverse and spot count every order of the batch against the limit; option counts one.
    """
    rows = [{"symbol": order.symbol, "orderId": order.order_id} for order in orders]
    return Ask(
        name=f"cancel-batch {category}",
        path="/v5/order/cancel-batch",
        limit=CANCEL_BATCH[category],
        body=_json({"category": category, "request": rows}),
        cost=1 if category == "option" else len(rows),
    )


def build_cancel_one(order: OpenOrder) -> Ask:
    """Cancel one order of a class that no batch takes."""
    order_id, call = order.order_id, f"cancel {order.order_class} {order.order_id}"
    match order.order_class:
        case "spread":
            path, limit = "/v5/spread/order/cancel", SPREAD_CANCEL
            fields = {"orderId": order_id}
        case "rfq":
            path, limit = "/v5/rfq/cancel-rfq", _rfq_limit("cancel-rfq")
            fields = {"rfqId": order_id}
        case "quote":
            path, limit = "/v5/rfq/cancel-quote", _rfq_limit("cancel-quote")
            fields = {"quoteId": order_id}
        case "strategy":
            return build_stop(order_id)
        case _:
            path, limit = "/v5/order/cancel", CANCEL_SPOT
            fields = {"category": "spot", "symbol": order.symbol, "orderId": order_id}
            fields |= dict(order.route)
    return Ask(name=call, path=path, limit=limit, body=_json(fields))


def build_realtime(category: str, selector: Mapping[str, str], cursor: str = "") -> Ask:
    """Read a page of open orders; linear needs `settleCoin`, `baseCoin` or `symbol`."""
    fields = {"category": category, **selector, "limit": str(PAGE), "openOnly": "0"}
    return Ask(
        name=" ".join(["read", category, *selector.values()]),
        path="/v5/order/realtime",
        limit=Limit(name=f"realtime {category}", calls=50),
        query=_query(fields, cursor),
    )


def build_spread_realtime(selector: Mapping[str, str], cursor: str = "") -> Ask:
    """Read a page of open spread orders."""
    return Ask(
        name=" ".join(["read spread", *selector.values()]),
        path="/v5/spread/order/realtime",
        limit=SPREAD_READ,
        query=_query({**selector, "limit": str(PAGE)}, cursor),
    )


def build_rfq_realtime(order_class: OrderClass, side: str) -> Ask:
    """Read inquiries or quotes as seen by one side, `request` or `quote`; neither is paged."""
    what = "rfq-realtime" if order_class == RFQ else "quote-realtime"
    return Ask(
        name=f"read {order_class} as {side}",
        path=f"/v5/rfq/{what}",
        limit=_rfq_limit(what),
        query=_query({"traderType": side}, ""),
    )


def build_strategies(selector: Mapping[str, str], cursor: str = "") -> Ask:
    """Read a page of strategies; `selector` holds `status` and perhaps `symbol`."""
    return Ask(
        name=" ".join(["list strategies", *selector.values()]),
        path="/v5/strategy/list",
        limit=STRATEGY_LIST,
        query=_query({**selector, "pageSize": str(PAGE)}, cursor),
    )


def build_query_api() -> Ask:
    """Ask whose key this is and what it may do."""
    return Ask(name="query-api", path="/v5/user/query-api", limit=QUERY_API)


def build_sub_members() -> Ask:
    """Ask for the sub-accounts of a master account, 10,000 at most; there are no pages.

    Only a master account's key that may transfer or withdraw is told them. No limit of this call is
    documented: that of `query-api` is assumed.
    """
    return Ask(name="sub-accounts", path="/v5/user/query-sub-members", limit=SUB_MEMBERS)


def build_time() -> Ask:
    """Ask for Bybit's clock; public."""
    return Ask(name="market time", path="/v5/market/time")


def build_option_coins() -> Ask:
    """Ask which base coins have options; public."""
    return Ask(name="option base coins", path="/v5/market/option-base-coins")


def build_instruments(path: str, selector: Mapping[str, str], cursor: str = "") -> Ask:
    """Read a page of instruments; public."""
    return Ask(
        name=" ".join(["instruments", *selector.values()]),
        path=path,
        query=_query(selector, cursor),
    )


def _rfq_limit(endpoint: str) -> Limit:
    return Limit(name=f"rfq {endpoint}", calls=RFQ_CALLS)


def _json(fields: Mapping[str, object]) -> str:
    """Write a body once, compactly; this very text is signed and sent."""
    return json.dumps(fields, separators=(",", ":"))


def _query(fields: Mapping[str, str], cursor: str) -> str:
    """Write a query once, keys sorted; the cursor goes out untouched, all else is encoded."""
    encoded = {key: quote(value, safe="", errors="replace") for key, value in fields.items()}
    if cursor:
        encoded["cursor"] = cursor
    return "&".join(f"{key}={value}" for key, value in sorted(encoded.items()))
