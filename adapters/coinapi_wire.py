"""What is asked of CoinAPI EMS, to the byte.

Owns the paths (three, and no other is ever called) and `build_*`. Pure: the key is an argument.
Never reads an answer (`adapters.coinapi_replies` does) and never sends.

Sources: OpenAPI "EMS - REST API" v1 as of 2025-05-23, the quickstart, starter guide and FAQ at
docs.coinapi.io, read 2026-11-20. Oddities:

* There is no signature, no time and no expiry in a request: who holds the key can trade.
* The quickstart's own sample writes `"exchange_id "`, with a blank at its end. It is a mistake.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from adapters.carrier import WireRequest
from adapters.contract import OpenOrder, OrderClass
from adapters.pacing import Window

LIMIT = OrderClass("limit")
ORDERS = "/v1/orders"
CANCEL = "/v1/orders/cancel"
CANCEL_ALL = "/v1/orders/cancel/all"
PATHS = frozenset({ORDERS, CANCEL, CANCEL_ALL})
"""All that is ever called. The management API shows the exchanges' own keys in clear and removes
accounts, under the same key: it has no business here."""
ADDRESS = Window(name="address", calls=10, per_s=0.0)
"""Calls at once. That there is such a limit is documented, and no number: this one is ours."""


def account(exchange_id: str) -> Window:
    """Limit the calls at once of one account: where its exchange hangs, others still have room."""
    return Window(name=f"exchange {exchange_id}", calls=3, per_s=0.0)


def holder(budget_id: str) -> Window:
    """Limit those of one key: that is what a plan's limit is about."""
    return Window(name=f"key {budget_id}", calls=10, per_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request before the key is put in."""

    name: str
    """For a person, such as `cancel-all KRAKEN/JOHN`."""
    path: str
    query: str = ""
    body: str | None = None
    """None: a GET."""


def build_cancel_all(exchange_id: str) -> Ask:
    """Cancel all orders of one exchange account: `{"exchange_id":"KRAKEN/JOHN"}`."""
    body = _json({"exchange_id": exchange_id})
    return Ask(name=f"cancel-all {exchange_id}", path=CANCEL_ALL, body=body)


def build_cancel(exchange_id: str, order: OpenOrder) -> Ask:
    """Cancel one order, by the id that its `route` names."""
    body = _json({"exchange_id": exchange_id, **dict(order.route)})
    return Ask(name=f"cancel {order.order_id}", path=CANCEL, body=body)


def build_open_orders(exchange_id: str) -> Ask:
    """Read the open orders of one exchange account; there are no pages."""
    query = f"exchange_id={quote(exchange_id, safe='')}"
    return Ask(name=f"read {exchange_id}", path=ORDERS, query=query)


def keyless() -> WireRequest:
    """Ask for orders without a key: a gateway of CoinAPI's refuses, and so shows that it is there.

    A self-hosted one asks for no key; then this reads orders, and nothing is made of them.
    """
    return WireRequest(method="GET", path=ORDERS, headers=(("Accept", "application/json"),))


def request(ask: Ask, *, key: str) -> WireRequest:
    """Put the key into a request: in its header, never in the query, which others log."""
    assert ask.path in PATHS
    headers = (("X-CoinAPI-Key", key), ("Accept", "application/json"))
    if ask.body is None:
        return WireRequest(method="GET", path=ask.path, query=ask.query, headers=headers)
    return WireRequest(
        method="POST",
        path=ask.path,
        headers=(*headers, ("Content-Type", "application/json")),
        body=ask.body.encode(),
    )


def _json(fields: Mapping[str, str]) -> str:
    return json.dumps(fields, separators=(",", ":"))
