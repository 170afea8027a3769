"""Bybit's order endpoints over a book: what a cancel takes, what a reading shows.

Owns the rules of `cancel-all`, `cancel-batch`, `realtime` and their cousins for spreads, inquiries,
quotes and strategies. Source: bybit-exchange/docs, `docs/v5/order`, `spread`, `rfq`, `strategy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from bot.sandbox.venues import bybit_listing
from bot.sandbox.venues.book import Order
from bot.sandbox.venues.bybit_kinds import View, filter_of
from bot.sandbox.venues.bybit_listing import Args, BadCall

CAP = 500
FILTERS: Mapping[str, tuple[str, ...]] = {
    "linear": ("Order", "StopOrder", "OpenOrder"),
    "inverse": ("Order", "StopOrder", "OpenOrder"),
    "spot": ("Order", "tpslOrder", "StopOrder", "OcoOrder", "BidirectionalTpslOrder"),
    "option": ("Order", "StopOrder"),
}


PER_SECOND: Mapping[str, int] = {
    "/v5/order/cancel-all": 10,
    "/v5/order/cancel": 10,
    "/v5/order/cancel-batch": 10,
    "/v5/spread/order/cancel-all": 5,
    "/v5/spread/order/cancel": 5,
    "/v5/user/query-api": 10,
    "/v5/strategy/list": 200,
    "/v5/strategy/stop": 100,
}
SPECIAL: Mapping[tuple[str, str], int] = {
    ("/v5/order/cancel-all", "option"): 1,
    ("/v5/order/cancel-all", "spot"): 20,
    ("/v5/order/cancel", "spot"): 20,
    ("/v5/order/cancel-batch", "spot"): 20,
}


NEEDED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "linear": (("ContractTrade", "Order"),),
    "inverse": (("ContractTrade", "Order"),),
    "spot": (("Spot", "SpotTrade"),),
    "option": (("Options", "OptionsTrade"), ("Derivatives", "DerivativesTrade")),
}
"""Any of these permissions lets a key cancel in a category; which one options need is not said."""


def may_cancel(permissions: Mapping[str, Sequence[str]], args: Args) -> bool:
    """Return whether a key may cancel; spreads, inquiries and strategies ask for nothing known."""
    needed = NEEDED.get(str(args.get("category")), ())
    return not needed or any(name in permissions.get(group, ()) for group, name in needed)


def limit_of(path: str, args: Args) -> tuple[str, int, int]:
    """Return (name, calls a second, cost) of a call, as documented per UID."""
    category = str(args.get("category", ""))
    group = "derivatives" if category in {"linear", "inverse"} else category
    per_second = SPECIAL.get((path, category), PER_SECOND.get(path, 50))
    counts_orders = path == "/v5/order/cancel-batch" and category != "option"
    return f"{path} {group}", per_second, len(args.get("request") or ()) if counts_orders else 1


def cancel_all(view: View, args: Args) -> dict[str, Any]:
    """`POST /v5/order/cancel-all`."""
    category = args.get("category")
    if category not in {"linear", "inverse", "spot", "option"}:
        raise BadCall(10001, "params error: category")
    orders = _selected(view.live(str(category)), args)
    if category in {"linear", "inverse"}:
        if not any(args.get(name) for name in ("symbol", "baseCoin", "settleCoin")):
            raise BadCall(10001, "params error: symbol, baseCoin or settleCoin is required")
        if len(orders) > CAP:
            orders = view.book.rng.sample(orders, CAP)
    accepted = view.cancel(orders)
    rows = [{"orderId": order.order_id, "orderLinkId": order.link_id} for order in accepted]
    return {"result": {"list": rows, "success": "1"}}


def _selected(orders: list[Order], args: Args) -> list[Order]:
    """Apply the selectors and the order filter of a cancel-all."""
    category = str(args["category"])
    wanted = args.get("orderFilter") or ("Order" if category == "spot" else "")
    if wanted and wanted not in FILTERS[category]:
        raise BadCall(170201 if category == "spot" else 10001, "Invalid orderFilter.")
    orders = _chosen(orders, args)
    if wanted:
        orders = [order for order in orders if filter_of(order) == wanted]
    if args.get("stopOrderType") == "Stop" and wanted == "StopOrder":
        orders = [order for order in orders if order.stop_type == "Stop"]
    return orders


def _chosen(orders: list[Order], args: Args) -> list[Order]:
    """Apply symbol, base coin or settle coin, of which only the first that is given counts."""
    if symbol := args.get("symbol"):
        return [order for order in orders if order.symbol == symbol]
    if args.get("category") == "spot":
        return orders
    if coin := args.get("baseCoin"):
        return [order for order in orders if bybit_listing.coin_of(order.symbol) == coin]
    if settle := args.get("settleCoin"):
        return [order for order in orders if order.settle == settle]
    return orders


def cancel_one(view: View, args: Args) -> dict[str, Any]:
    """`POST /v5/order/cancel`."""
    found = _find(view.live(str(args.get("category"))), args)
    if found is None:
        gone = 170213 if args.get("category") == "spot" else 110001
        raise BadCall(gone, "Order does not exist.")
    view.cancel([found])
    return {"result": {"orderId": found.order_id, "orderLinkId": found.link_id}}


def cancel_batch(view: View, args: Args) -> dict[str, Any]:
    """`POST /v5/order/cancel-batch`: its outcome per order is in `retExtInfo`."""
    category = str(args.get("category"))
    rows = args.get("request") or []
    if not rows or len(rows) > (10 if category == "spot" else 20):
        raise BadCall(10001, "params error: request size")
    live = view.live(category)
    listed, outcomes = [], []
    for row in rows:
        found = _find(live, row)
        if found is not None:
            view.cancel([found])
        gone = 170213 if category == "spot" else 110001
        listed.append({"category": category, "symbol": row.get("symbol")} | _ids(found, row))
        outcomes.append(
            {"code": 0, "msg": "OK"} if found else {"code": gone, "msg": "Order does not exist."}
        )
    return {"result": {"list": listed}, "retExtInfo": {"list": outcomes}}


def _ids(order: Order | None, row: Args) -> dict[str, str]:
    """Name an order that was found; else give back what was asked for."""
    if order is None:
        return {"orderId": "", "orderLinkId": str(row.get("orderLinkId", ""))}
    return {"orderId": order.order_id, "orderLinkId": order.link_id}


def _find(orders: Sequence[Order], args: Args) -> Order | None:
    for order in orders:
        if args.get("orderId"):
            if order.order_id == args["orderId"]:
                return order
        elif args.get("orderLinkId") and order.link_id == args["orderLinkId"]:
            return order
    return None


def realtime(view: View, args: Args) -> dict[str, Any]:
    """`GET /v5/order/realtime`: all kinds of a category, newest first, paged."""
    category = str(args.get("category"))
    if category not in {"linear", "inverse", "spot", "option"}:
        raise BadCall(10001, "params error: category")
    selectors = ("symbol", "baseCoin", "settleCoin")
    if category == "linear" and not any(args.get(name) for name in selectors):
        raise BadCall(10001, "params error: Missing some parameters that must be filled in")
    orders = _chosen(view.shown(category), args)
    if wanted := args.get("orderFilter"):
        orders = [order for order in orders if filter_of(order) == wanted]
    return {"result": _page(view, orders, args) | {"category": category}}


def spread_realtime(view: View, args: Args) -> dict[str, Any]:
    """`GET /v5/spread/order/realtime`."""
    orders = view.shown("spread")
    if symbol := args.get("symbol"):
        orders = [order for order in orders if order.symbol == symbol]
    return {"result": _page(view, orders, args)}


def _page(view: View, orders: list[Order], args: Args) -> dict[str, Any]:
    """Cut a page; its cursor is percent-encoded and must come back to the byte."""
    limit = min(max(bybit_listing.whole_number(args, "limit", 20), 1), 50)
    start = _start(orders, args)
    if view.is_repeating:
        start = 0
    rows = orders[start : start + limit]
    is_last = start + limit >= len(orders) and not view.is_repeating
    cursor = "" if is_last or not rows else _cursor(rows[-1])
    return {"list": [_row(order) for order in rows], "nextPageCursor": cursor}


def _cursor(order: Order) -> str:
    return quote(
        f"{order.order_id}:{order.created_ms},{order.order_id}:{order.created_ms}", safe=""
    )


def _start(orders: Sequence[Order], args: Args) -> int:
    """Find where a page begins: after the order that the cursor names."""
    raw = dict(part.partition("=")[::2] for part in str(args.get("_raw", "")).split("&"))
    if not raw.get("cursor"):
        return 0
    if ":" in raw["cursor"] or "," in raw["cursor"]:
        raise BadCall(10001, "params error: cursor")
    order_id, _, created = unquote(raw["cursor"]).split(",")[0].partition(":")
    if not created.isdecimal():
        raise BadCall(10001, "params error: cursor")
    after = (-int(created), order_id)
    return sum((-order.created_ms, order.order_id) <= after for order in orders)


def _row(order: Order) -> dict[str, Any]:
    return {
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "symbol": order.symbol,
        "price": "1600.00",
        "qty": "0.10",
        "side": "Buy",
        "orderStatus": "Untriggered" if order.stop_type else "New",
        "cancelType": "UNKNOWN",
        "leavesQty": "0.10",
        "cumExecQty": "0.00",
        "timeInForce": "GTC",
        "orderType": "Limit",
        "stopOrderType": order.stop_type,
        "reduceOnly": order.is_reduce_only,
        "closeOnTrigger": False,
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.created_ms),
    }


def spread_cancel_all(view: View, args: Args) -> dict[str, Any]:
    """`POST /v5/spread/order/cancel-all`: `cancelAll` must be a JSON boolean."""
    orders = view.live("spread")
    if args.get("symbol"):  # It counts whatever `cancelAll` says.
        orders = [order for order in orders if order.symbol == args["symbol"]]
    elif args.get("cancelAll") is not True:
        raise BadCall(10001, "params error: symbol or cancelAll is required")
    rows = [{"orderId": order.order_id, "orderLinkId": ""} for order in view.cancel(orders)]
    return {"result": {"list": rows, "success": "1"}}


def spread_cancel(view: View, args: Args) -> dict[str, Any]:
    """`POST /v5/spread/order/cancel`."""
    found = _find(view.live("spread"), args)
    if found is None:
        raise BadCall(110001, "Order does not exist.")
    view.cancel([found])
    return {"result": {"orderId": found.order_id, "orderLinkId": ""}}


def cancel_rfqs(view: View, _: Args) -> dict[str, Any]:
    """`POST /v5/rfq/cancel-all-rfq`: the result is a list."""
    return _cancel_rfq_kind(view, "rfq")


def cancel_quotes(view: View, _: Args) -> dict[str, Any]:
    """`POST /v5/rfq/cancel-all-quotes`."""
    return _cancel_rfq_kind(view, "quote")


def cancel_rfq(view: View, args: Args) -> dict[str, Any]:
    """`POST /v5/rfq/cancel-rfq`."""
    return _cancel_one_of(view, "rfq", args)


def cancel_quote(view: View, args: Args) -> dict[str, Any]:
    """`POST /v5/rfq/cancel-quote`."""
    return _cancel_one_of(view, "quote", args)


def _cancel_one_of(view: View, kind: str, args: Args) -> dict[str, Any]:
    found = [o for o in view.live(kind) if o.order_id == args.get(f"{kind}Id")]
    if not found:
        raise BadCall(110001, "Order does not exist.")
    view.cancel(found)
    return {"result": {f"{kind}Id": found[0].order_id, f"{kind}LinkId": ""}}


def _cancel_rfq_kind(view: View, kind: str) -> dict[str, Any]:
    rows = [
        {f"{kind}Id": order.order_id, f"{kind}LinkId": "", "code": 0, "msg": ""}
        for order in view.cancel(view.live(kind))
    ]
    return {"result": rows}


def rfq_realtime(view: View, args: Args) -> dict[str, Any]:
    """`GET /v5/rfq/rfq-realtime`: our own inquiries only as `traderType=request`."""
    return _rfq_rows(view, "rfq", is_ours=args.get("traderType", "quote") == "request")


def quote_realtime(view: View, args: Args) -> dict[str, Any]:
    """`GET /v5/rfq/quote-realtime`: our own quotes as `traderType=quote`, the default."""
    return _rfq_rows(view, "quote", is_ours=args.get("traderType", "quote") == "quote")


def _rfq_rows(view: View, kind: str, *, is_ours: bool) -> dict[str, Any]:
    orders = view.shown(kind) if is_ours else []
    rows = [
        {
            "rfqId": order.order_id,
            "rfqLinkId": "",
            "status": "Active",
            "createdAt": str(order.created_ms),
            "updatedAt": str(order.created_ms),
            "expiresAt": str(order.created_ms + 600_000),
        }
        | ({"quoteId": order.order_id} if kind == "quote" else {})
        for order in orders
    ]
    return {"result": {"list": rows}}


def strategies(view: View, args: Args) -> dict[str, Any]:
    """`GET /v5/strategy/list`; every seeded strategy is running."""
    is_shown = args.get("status", "2") == "2"
    size = min(bybit_listing.whole_number(args, "pageSize", 20), 50)
    start = bybit_listing.whole_number(args, "cursor", 0)
    found = view.shown("strategy") if is_shown else []
    rows = [
        {
            "strategyId": order.order_id,
            "category": "UTA_USDT",
            "symbol": order.symbol,
            "side": "Buy",
            "strategyType": "twap",
            "status": 2,
            "reduceOnly": False,
            "createdTimeE3": str(order.created_ms),
            "updatedTimeE3": str(order.created_ms),
        }
        for order in found[start : start + size]
    ]
    more = str(start + size) if start + size < len(found) else ""
    return {"result": {"list": rows, "nextCursor": more, "prevCursor": ""}}


def stop_strategy(view: View, args: Args) -> dict[str, Any]:
    """`POST /v5/strategy/stop`."""
    found = [o for o in view.live("strategy") if o.order_id == args.get("strategyId")]
    if not found:
        raise BadCall(10001, "params error: strategy does not exist")
    view.cancel(found)
    return {"result": {"strategyId": found[0].order_id}}


def account_facts(_: View, __: Args) -> dict[str, Any]:
    """`GET /v5/account/info`: a unified account 2.0."""
    return {"result": {"marginMode": "REGULAR_MARGIN", "unifiedMarginStatus": 5}}


Route = Callable[[View, Args], dict[str, Any]]
ROUTES: Mapping[tuple[str, str], Route] = {
    ("POST", "/v5/order/cancel-all"): cancel_all,
    ("POST", "/v5/order/cancel"): cancel_one,
    ("POST", "/v5/order/cancel-batch"): cancel_batch,
    ("GET", "/v5/order/realtime"): realtime,
    ("GET", "/v5/spread/order/realtime"): spread_realtime,
    ("POST", "/v5/spread/order/cancel-all"): spread_cancel_all,
    ("POST", "/v5/spread/order/cancel"): spread_cancel,
    ("GET", "/v5/rfq/rfq-realtime"): rfq_realtime,
    ("GET", "/v5/rfq/quote-realtime"): quote_realtime,
    ("POST", "/v5/rfq/cancel-rfq"): cancel_rfq,
    ("POST", "/v5/rfq/cancel-quote"): cancel_quote,
    ("POST", "/v5/rfq/cancel-all-rfq"): cancel_rfqs,
    ("POST", "/v5/rfq/cancel-all-quotes"): cancel_quotes,
    ("GET", "/v5/strategy/list"): strategies,
    ("POST", "/v5/strategy/stop"): stop_strategy,
    ("GET", "/v5/account/info"): account_facts,
}
