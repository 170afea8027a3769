"""What is asked of Synthetix, to the byte: which fields go out, and what of them is signed.

Owns the order classes, the EIP-712 types, the documented limits and `build_*`. Pure: account, nonce
and signature are arguments. Never reads an answer (`adapters.synthetix_replies` does), never sends.

This is the off-chain exchange at papi.synthetix.io, not the contracts called V2 and V3.

Sources: developers.synthetix.io (REST trade, rate limits, changelog to 2026-04-28), synthetix-sdk
0.7.0, Fenway-snx/synthetix-go-sdk, and the server's own validators as Fenway-snx/synthetix-mcp
@64fe4ffd carries them; read 2026-11-20. Oddities:

* All calls are POSTs to one path; `params.action` says which. No address is sent: the venue
  recovers the signer, so that a wrong digest looks like a stranger's key.
* The venue rebuilds what was signed from what was sent: lists must stand in the same order, and
  what filters a reading (`limit`, `offset`) is not signed at all.
* Ids exceed what JSON readers keep exact: they are signed as numbers and sent as their digits.
* `r` and `s` have 64 hex digits, leading zeros too: without them every sixth call is refused.
* `expiresAfter` is in milliseconds by the docs' notation page and in seconds by others. Sent in
  milliseconds, nonce + 60,000, it passes every rule that is known; where the venue reads seconds
  the call never expires, so nothing here relies on it.
* All markets are `["*"]` today and were `[]` once; `[]` is refused today, and never sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.contract import OrderClass
from adapters.pacing import Window
from adapters.signers import Signature, TypedMessage

ORDER = OrderClass("order")
"""Limit, market and trigger orders: cancelAllOrders takes them."""
TWAP = OrderClass("twap")
"""Whether cancelAllOrders takes them is not documented: they are cancelled by their ids."""
ORDER_CLASSES = (ORDER, TWAP)

TRADE, PUBLIC = "/v1/trade", "/v1/info"
EVERYTHING = "*"
"""Stands for all markets, alone in its list."""
PAGE_MAX = 1000
"""What is asked for a page: documented for the history of orders, not for this list."""
PAGE_LEAST = 50
"""What comes unasked. A shorter page is the last one, whatever the venue cuts pages to."""
ID_MAX = 2**64 - 1
UID_MAX = 2**63 - 1
"""The venue reads subaccounts as signed numbers."""
UID = re.compile(
    "(?!0)(?:[0-9]{1,18}|"
    + "|".join(
        f"{str(UID_MAX)[:place]}[0-{int(digit) - 1}][0-9]{{{18 - place}}}"
        for place, digit in enumerate(str(UID_MAX))
        if digit != "0"
    )
    + f"|{UID_MAX})"
)
"""The one spelling of a subaccount: a whole number of at most `UID_MAX`, and not 0."""
LIFE_MS = 60_000
"""`expiresAfter` beyond the moment of signing."""
BATCH = 200
"""Orders of one call; how many are allowed is not documented."""
LIST_BYTES_MAX = 16_000
"""Of a list in a call: bodies above 20 kB are refused."""
BUDGET_S = 10.0
"""Tokens come back within this time."""
ACCOUNT_TOKENS, ADDRESS_TOKENS = 1000, 10_000
"""In `BUDGET_S`, for a subaccount of the lowest tier and for an address. An earlier crawl of the
page knows no limit of addresses over REST; the newest one does, and to count costs nothing."""
ADDRESS = Window(name="address", calls=ADDRESS_TOKENS, per_s=BUDGET_S)
CANCEL_TOKENS, READ_TOKENS, PUBLIC_TOKENS = 2, 10, 10
"""What a cancel, a reading and the markets cost; the last one is our guess."""
FACT_TOKENS = 20
"""What a question about subaccounts and their signers costs."""
USER_AGENT = "cancelall"
"""Every known client names itself; whether the venue's edge asks for it is not documented."""

DOMAIN: Mapping[str, str | int] = {
    "name": "Synthetix",
    "version": "1",
    "chainId": 1,
    "verifyingContract": "0x0000000000000000000000000000000000000000",
}
"""The same on every net: a key for tests must be good for nothing else."""
_ACCOUNT = ("subAccountId", "uint256")
_NONCE = ("nonce", "uint256")
_EXPIRY = ("expiresAfter", "uint256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call before it is signed."""

    name: str
    """For a person, such as `cancel-all *`."""
    action: str
    path: str = TRADE
    tokens: int
    struct: str = ""
    """What is signed; empty: nothing is."""
    signed: tuple[tuple[str, str, object], ...] = ()
    """((name, Solidity type, value), …) between account and nonce."""
    sent: Mapping[str, object] = field(default_factory=dict)
    """The further `params`."""
    has_nonce: bool = False
    """Carries a nonce: it changes something. Reads burn none."""


def build_cancel_all(symbols: Sequence[str]) -> Ask:
    """Cancel all orders in these markets, or in all of them: `["*"]`."""
    assert symbols
    listed = list(symbols)
    assert listed == [EVERYTHING] or EVERYTHING not in listed
    return Ask(
        name="cancel-all " + " ".join(listed[:3]) + (" …" if len(listed) > 3 else ""),  # noqa: PLR2004
        action="cancelAllOrders",
        tokens=CANCEL_TOKENS,
        struct="CancelAllOrders",
        signed=(("symbols", "string[]", listed),),
        sent={"symbols": listed},
        has_nonce=True,
    )


def build_cancel_orders(order_ids: Sequence[str]) -> Ask:
    """Cancel orders by the venue's own ids, decimal digits: `{"orderIds":["1948…",…]}`."""
    assert order_ids
    numbers = [int(each) for each in order_ids]
    assert all(0 <= each <= ID_MAX for each in numbers)
    return Ask(
        name=f"cancel {_named(order_ids)}",
        action="cancelOrders",
        tokens=CANCEL_TOKENS,
        struct="CancelOrders",
        signed=(("orderIds", "uint256[]", numbers),),
        sent={"orderIds": [str(each) for each in numbers]},
        has_nonce=True,
    )


def build_cancel_client_ids(client_ids: Sequence[str]) -> Ask:
    """Cancel orders by the client's own ids: the same action, signed as another struct."""
    assert client_ids
    listed = list(client_ids)
    return Ask(
        name=f"cancel {_named(client_ids)}",
        action="cancelOrders",
        tokens=CANCEL_TOKENS,
        struct="CancelOrdersByCloid",
        signed=(("clientOrderIds", "string[]", listed),),
        sent={"clientOrderIds": listed},
        has_nonce=True,
    )


def build_open_orders(*, limit: int, offset: int, has_nonce: bool = False) -> Ask:
    """Read a page of open orders of the whole subaccount; its filters by kind do nothing.

    `has_nonce` is for servers of before 2026, whose documentation asks for one.
    """
    action = "getOpenOrders"
    return Ask(
        name=f"read orders from {offset}",
        action=action,
        tokens=READ_TOKENS,
        struct="SubAccountAction",
        signed=(("action", "string", action),),
        sent={"limit": limit, "offset": offset},
        has_nonce=has_nonce,
    )


def build_subaccount_ids(address: str) -> Ask:
    """Ask which subaccounts an address owns, and which it is a delegate of; public.

    The address needs its EIP-55 checksum.
    """
    return Ask(
        name="subaccount ids",
        action="getSubAccountIds",
        path=PUBLIC,
        tokens=PUBLIC_TOKENS,
        sent={"walletAddress": address, "includeDelegations": True},
    )


def build_delegates() -> Ask:
    """Ask who may sign for the subaccount beside its owner; both may ask."""
    return _fact("getDelegatedSigners", "delegated signers")


def build_siblings() -> Ask:
    """Ask for all subaccounts of the same owner; its delegates may ask too."""
    return _fact("getSubAccounts", "subaccounts")


def _fact(action: str, name: str) -> Ask:
    return Ask(
        name=name,
        action=action,
        tokens=FACT_TOKENS,
        struct="SubAccountAction",
        signed=(("action", "string", action),),
    )


def build_markets() -> Ask:
    """Ask which markets there are; public."""
    return Ask(name="markets", action="getMarkets", path=PUBLIC, tokens=PUBLIC_TOKENS)


def typed(ask: Ask, *, uid: str, nonce: int, expires_after: int) -> TypedMessage:
    """Return what is signed; `nonce` counts only where the call carries one."""
    fields = [_ACCOUNT, *((name, kind) for name, kind, _ in ask.signed)]
    values: dict[str, object] = {"subAccountId": int(uid)}
    values |= {name: value for name, _, value in ask.signed}
    if ask.has_nonce:
        fields.append(_NONCE)
        values["nonce"] = nonce
    values["expiresAfter"] = expires_after
    return TypedMessage(domain=DOMAIN, struct=ask.struct, fields=(*fields, _EXPIRY), values=values)


def body(ask: Ask, *, uid: str, nonce: int, expires_after: int, signature: Signature) -> bytes:
    """Return the body of a signed call."""
    fields: dict[str, object] = {
        "params": {"action": ask.action, "subAccountId": str(int(uid)), **ask.sent}
    }
    if ask.has_nonce:
        fields["nonce"] = nonce
    fields["signature"] = {
        "v": signature.v,
        "r": f"0x{signature.r:064x}",
        "s": f"0x{signature.s:064x}",
    }
    fields["expiresAfter"] = expires_after
    return _json(fields)


def public_body(ask: Ask) -> bytes:
    """Return the body of a call that is not signed."""
    return _json({"params": {"action": ask.action, **ask.sent}})


def is_venue_id(text: str) -> bool:
    """Tell whether this can be an order id of the venue's own.

    It is sent as the number: with leading zeros, which a client's id may have, it would name
    another order.
    """
    return re.fullmatch(r"0|[1-9][0-9]{0,19}", text) is not None and int(text) <= ID_MAX


def batches(entries: Iterable[str]) -> list[list[str]]:
    """Split ids or symbols into lists that one call takes, in their order."""
    found: list[list[str]] = []
    room = 0
    for entry in entries:
        size = len(json.dumps(entry)) + 1
        if size > room or len(found[-1]) >= BATCH:
            found.append([])
            room = LIST_BYTES_MAX
        found[-1].append(entry)
        room -= size
    return found


def _named(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{len(ids)} orders"


def _json(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
