"""What is asked of Pacifica, to the byte.

Owns the order classes, the endpoints and what they cost, the text that is signed, and the bodies
and frames that carry it. Pure: time and signature are arguments. Never reads a reply
(`adapters.pacifica_replies` does) and never sends.

Sources: docs.pacifica.fi as of 2026 and its mirror of 2025, the venue's python-sdk @583661a,
ccxt 4.5.90; read 2026-11-20. Oddities:

* What is signed is neither body nor frame: a header (`type`, `timestamp`, `expiry_window`) and the
  call's own fields under `data`, keys sorted at every level, compact. `account`, `agent_wallet` and
  the frame's `id` are not signed; `type` and `data` are not sent.
* A field that is not used is absent; `null` would be signed and refused.
* `order_id` is a JSON integer; symbols are exact strings, `kBONK` too.
* There is no nonce: within its window a signed call can be sent again by whoever holds it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import base58

from adapters.contract import OpenOrder, OrderClass, Protective, VenueRefused

ORDER = OrderClass("order")
"""A resting limit order."""
STOP = OrderClass("stop")
"""A stop, take-profit or stop-loss order: another endpoint, another counter."""
TWAP = OrderClass("twap")
"""A TWAP that the matching engine runs."""
STRATEGY = OrderClass("strategy")
"""A rule that Pacifica runs: OCO, conditional, trailing stop, chase, swarm, TWAP of that kind."""
ORDER_CLASSES = (ORDER, STOP, TWAP, STRATEGY)

ADDRESS_TENTHS, KEY_TENTHS, CREDITS_S = 1000, 3000, 60.0
"""Tenths of credits in any 60 s: of an address (documented as 100 and as 125), of a key's account
at the lowest tier; the venue's own numbers correct both."""
CANCEL_TENTHS = 5
READ_TENTHS = 10
"""A plain request. Which reads are "heavy" (3 to 12 credits without a key) is not documented;
counted too low, the venue's `ratelimit` header puts it right with the first answer and nothing
worse than 429 can come of it; counted too high, nothing would ever put it right."""
STRATEGIES_LIMIT = 500
STRATEGIES_LEAST = 100
"""The page that one gets without asking: one at least so long may have been cut there."""
KEY_HEADER = "PF-API-KEY"
PING = '{"method":"ping"}'
VENUE_ID = re.compile(r"[0-9]{1,19}")
CLIENT_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request before it is signed."""

    name: str
    """For a person, such as `cancel-all BTC`."""
    path: str
    query: str = ""
    operation: str = ""
    """The signed `type`; empty: a public GET."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """What the operation takes, as signed under `data` and sent flat."""
    tenths: int = READ_TENTHS
    """Its cost in tenths of credits."""
    is_for_socket: bool = False
    """The WebSocket takes it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Whose call it is, and until when it is good."""

    account: str
    agent: str | None
    """The address of the signing key, where that is not the account's own."""
    timestamp_ms: int
    """The venue's time."""
    expiry_window_ms: int


def message(ask: Ask, stamp: Stamp) -> bytes:
    """Return what is signed: `{"data":{…},"expiry_window":5000,"timestamp":…,"type":"…"}`."""
    signed = {
        "type": ask.operation,
        "timestamp": stamp.timestamp_ms,
        "expiry_window": stamp.expiry_window_ms,
        "data": ask.fields,
    }
    return json.dumps(signed, sort_keys=True, separators=(",", ":")).encode("ascii")


def signed_fields(ask: Ask, stamp: Stamp, signature: bytes) -> dict[str, object]:
    """Return what is sent: the call's own fields beside account, signature and times."""
    agent = {} if stamp.agent is None else {"agent_wallet": stamp.agent}
    return {
        "account": stamp.account,
        **agent,
        "signature": base58.b58encode(signature).decode(),
        "timestamp": stamp.timestamp_ms,
        "expiry_window": stamp.expiry_window_ms,
        **ask.fields,
    }


def body(fields: Mapping[str, object]) -> bytes:
    """Write the body of a POST."""
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def frame(request_id: str, ask: Ask, fields: Mapping[str, object]) -> str:
    """Write the same call as a frame: `{"id":"<uuid>","params":{"cancel_order":{…}}}`."""
    told = {"id": request_id, "params": {ask.operation: fields}}
    return json.dumps(told, separators=(",", ":"))


def build_cancel_all(symbol: str, protective: Protective) -> Ask:
    """Cancel all orders of a symbol; an empty one stands for all of them.

    Raises:
        VenueRefused: the symbol cannot be signed.
    """
    fields: dict[str, object] = {
        "all_symbols": not symbol,
        "exclude_reduce_only": protective is Protective.KEEP,
    }
    if symbol:
        fields["symbol"] = _plain(symbol)
    return Ask(
        name=f"cancel-all {symbol}".rstrip(),
        path="/api/v1/orders/cancel_all",
        operation="cancel_all_orders",
        fields=fields,
        tenths=CANCEL_TENTHS,
        is_for_socket=True,
    )


def build_cancel(order: OpenOrder) -> Ask:
    """Cancel one order by the venue's id, with its class's own call.

    Raises:
        VenueRefused: the symbol cannot be signed.
    """
    if order.order_class == STRATEGY:
        return Ask(
            name=f"cancel strategy {order.order_id}",
            path="/api/v1/order_strategies/cancel",
            operation="cancel_order_strategy",
            fields={"strategy_id": order.order_id},
            tenths=CANCEL_TENTHS,
        )
    path, operation = _CANCEL[order.order_class]
    return Ask(
        name=f"cancel {order.order_class} {order.order_id}",
        path=path,
        operation=operation,
        fields={"symbol": _plain(order.symbol), "order_id": int(order.order_id)},
        tenths=CANCEL_TENTHS,
        is_for_socket=order.order_class == ORDER,
    )


def build_cancel_unseen(symbol: str, order_id: str) -> Ask:
    """Cancel an order that no list shows by what a person calls it: its id or the client's own.

    Raises:
        VenueRefused: this is no id of an order, or the symbol cannot be signed.
    """
    if not VENUE_ID.fullmatch(order_id) and not CLIENT_ID.fullmatch(order_id):
        raise VenueRefused(user_message="an id at Pacifica is a number, the client's own a UUID")
    is_venue_id = VENUE_ID.fullmatch(order_id) is not None
    name: dict[str, object] = (
        {"order_id": int(order_id)} if is_venue_id else {"client_order_id": order_id}
    )
    path, operation = _CANCEL[ORDER]
    return Ask(
        name=f"cancel order {order_id}",
        path=path,
        operation=operation,
        fields={"symbol": _plain(symbol), **name},
        tenths=CANCEL_TENTHS,
        is_for_socket=True,
    )


def build_orders(account: str) -> Ask:
    """Read the open orders of an account, stops among them; not paged."""
    return Ask(name="read orders", path="/api/v1/orders", query=f"account={account}")


def build_account(account: str) -> Ask:
    """Read an account, for its counters of open orders."""
    return Ask(name="read account", path="/api/v1/account", query=f"account={account}")


def build_twaps(account: str) -> Ask:
    """Read every TWAP that the engine runs for an account.

    `/api/v1/twaps` shows both kinds, but not those placed outside the API, and late; the kind that
    is a strategy stands in the list of strategies.
    """
    return Ask(name="read twaps", path="/api/v1/orders/twap", query=f"account={account}")


def build_strategies(account: str, offset: int) -> Ask:
    """Read a page of the strategies that have not finished."""
    return Ask(
        name="read strategies",
        path="/api/v1/order_strategies",
        query=f"account={account}&limit={STRATEGIES_LIMIT}&offset={offset}",
    )


def build_subaccounts() -> Ask:
    """Ask for the subaccounts of a main account; signed, without fields of its own."""
    return Ask(
        name="list subaccounts",
        path="/api/v1/account/subaccount/list",
        operation="list_subaccounts",
    )


def build_markets() -> Ask:
    """Read every market."""
    return Ask(name="read markets", path="/api/v1/info")


_CANCEL: Mapping[OrderClass, tuple[str, str]] = {
    ORDER: ("/api/v1/orders/cancel", "cancel_order"),
    STOP: ("/api/v1/orders/stop/cancel", "cancel_stop_order"),
    TWAP: ("/api/v1/orders/twap/cancel", "cancel_twap_order"),
}


def _plain(text: str) -> str:
    """Refuse what two implementations would sign differently."""
    if not text.isascii():
        raise VenueRefused(user_message="Pacifica has no symbol of other than ASCII letters")
    return text
