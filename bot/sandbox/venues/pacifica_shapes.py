"""The shapes that the simulated Pacifica answers in, and where its sources disagree.

Owns `Conflicts`, the business codes, the refusals and the envelopes of both transports. Source:
docs.pacifica.fi, error codes (2025-12) and REST pages (2026), and live bodies that ccxt 4.5.90 and
hummingbot quote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bot.sandbox.venues.faults import Fault, Wrong

Fields = dict[str, Any]


class Numbering(Enum):
    """Which business codes come with HTTP 422."""

    A = "the documents' page of December 2025"
    B = "ccxt 4.5.90"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflicts:
    """What the sources leave open; each default is the most probable today, or else the harsher."""

    is_enveloped: bool = True
    """A cancel is answered by the envelope, as live bodies show; or bare, as the documents do."""
    count_is_text: bool = False
    """`cancelled_count` is a digit string, as the field table says; or a number, as all show."""
    account_is_list: bool = False
    """`data` of `/account` is a list of one, as in the documents of 2025; or an object."""
    numbering: Numbering = Numbering.B
    """Which business codes: A has hummingbot's 5 for a cancel that failed, B ccxt's 33."""
    has_error_id: bool = True
    """Errors have an `error_id`, as ccxt quotes; or not, as the documents print them."""
    ws_errors_have_id: bool = True
    """An error over the WebSocket has the request's id, as ccxt quotes (2026); or none (2025)."""
    rl_always: bool = False
    """Replies over the WebSocket have `rl` always, or with an API config key only."""
    covers_stops: bool = False
    """Cancel-all takes stop, take-profit and stop-loss orders; no source says."""
    covers_twaps: bool = True
    """Cancel-all takes TWAP orders, as the page on cancelling TWAP orders says; or leaves them."""
    covers_children: bool = True
    """Cancel-all takes what strategies have placed; no source says."""
    covers_strategies: bool = False
    """Cancel-all takes strategies too; no source says."""
    covers_spot: bool = False
    """Cancel-all for all symbols takes spot orders; no source says."""
    symbol_narrows_all: bool = False
    """A `symbol` beside `all_symbols: true` narrows it; one example sends both."""
    lists_stops: bool = True
    """`/orders` shows stop orders, as its list of order types implies; or only counters do."""
    twaps_in_twaps_only: bool = False
    """TWAP orders are in `/twaps` alone, and `/orders/twap` is empty; or in both."""
    has_strategies: bool = True
    """`/order_strategies` and `/twaps` exist; or answer 404, on an older deployment."""
    gone_strategy_status: int = 404
    """Cancelling a strategy that is not there: 404, as its page says; or 422, or 200."""
    unknown_twap_is_refused: bool = False
    """Cancelling a TWAP order by an unknown id is refused; or answers 200, as its page says."""
    agents_may_list: bool = False
    """An agent may list subaccounts: its key is a field there, but the main account must sign."""
    agent_ws_code: int = 403
    """An agent that is not bound is unauthorised (403) over the WebSocket; or no signer (402)."""
    unlisted_ip_status: int = 403
    """How an agent from an address that is not on its list is refused: no source says."""
    signs_default_window: bool = False
    """Without `expiry_window`, its default is part of the signed text; or is not."""
    future_max_s: float | None = None
    """How far ahead a timestamp may be, if at all limited; no source says."""
    anonymous_credits: int = 100
    """Credits a minute without an API config key: 100 (2026) or 125 (2025)."""
    reading_credits: int = 1
    """What a list of an account costs: 1 as ccxt counts, or 3 as a heavy one."""
    last_order_id_is_shared: bool = True
    """`last_order_id` counts the whole exchange's events; or is the account's own highest id."""
    unknown_account_status: int = 404
    """`/account` of an address without an account: 404, or 422, or 200 with zeros."""
    missing_is_enveloped: bool = False
    """An unknown path answers 404 in the envelope; or without a body."""


@dataclass(slots=True, kw_only=True)
class Engine(Fault):
    """The engine refuses a cancel; its `wrong` means nothing."""

    wrong: Wrong = Wrong.UNAVAILABLE
    name: str
    """The business code: `TRADING_DISABLED`, `RESPONSE_DROPPED`, `CHANNEL_CLOSED`."""
    is_applied: bool = False
    """The cancel was made all the same."""


class Refused(Exception):
    """A request is answered by an error."""

    def __init__(self, status: int, said: str, *, ws: int = 400, code: int | None = None) -> None:
        super().__init__(said)
        self.status = status
        self.said = said
        self.ws_code = ws
        self.code = status if code is None else code
        self.error_id = ""


CODES: Mapping[Numbering, Mapping[str, int]] = {
    Numbering.A: {
        "ACCOUNT_NOT_FOUND": 1,
        "BOOK_NOT_FOUND": 2,
        "ORDER_NOT_FOUND": 5,
        "UNUSED_CLIENT_ORDER_ID": 5,
        "UNUSED_TWAP_CLIENT_ORDER_ID": 5,
        "TWAP_ORDER_NOT_FOUND": 5,
    },
    Numbering.B: {
        "ACCOUNT_NOT_FOUND": 1,
        "BOOK_NOT_FOUND": 3,
        "ORDER_NOT_FOUND": 6,
        "CHANNEL_CLOSED": 26,
        "RESPONSE_DROPPED": 27,
        "UNUSED_CLIENT_ORDER_ID": 37,
        "TRADING_DISABLED": 38,
        "UNUSED_TWAP_CLIENT_ORDER_ID": 44,
        "TWAP_ORDER_NOT_FOUND": 47,
    },
}
"""Table A ends at 10: what it does not know is its 0, UNKNOWN."""

NOT_CANCELLED = "Failed to cancel order"
UNVERIFIED = "Verification failed: signature does not match signer and canonical payload."
UNBOUND = "Agent not authorized for account"
NO_ACCESS = "Beta access required. Signer must redeem a valid beta code."
_ERROR_IDS: Mapping[str, str] = {UNVERIFIED: "signature_verification_failed"}


def business(conflicts: Conflicts, name: str, said: str = NOT_CANCELLED) -> Refused:
    """Refuse with a business code: HTTP 422, engine error 420 over the WebSocket."""
    refused = Refused(422, said, ws=420, code=CODES[conflicts.numbering].get(name, 0))
    refused.error_id = "unspecified"
    return refused


def malformed(said: str) -> Refused:
    """Refuse what cannot be read: 400."""
    return Refused(400, f"Failed to deserialize the request: {said}")


def unverified() -> Refused:
    """Refuse a signature: 400, but 401 over the WebSocket."""
    return Refused(400, UNVERIFIED, ws=401)


def envelope(found: object, **more: object) -> Fields:
    """Wrap what was asked for."""
    return {"success": True, "data": found, "error": None, "code": None} | more


def failure(conflicts: Conflicts, refused: Refused) -> Fields:
    """Write an error over HTTP."""
    fields = {"success": False, "data": None, "error": refused.said, "code": refused.code}
    error_id = _ERROR_IDS.get(refused.said, refused.error_id)
    return fields | ({"error_id": error_id} if error_id and conflicts.has_error_id else {})


def cancelled(conflicts: Conflicts, found: Fields | None) -> Fields:
    """Answer a cancel over HTTP; only a cancel-all has anything to tell."""
    if conflicts.is_enveloped:
        return envelope(found)
    return {"success": True} if found is None else found


def without_list(fields: Fields) -> Fields:
    """Leave out what was asked for, and say that all is well."""
    if "data" not in fields:
        return {}
    if isinstance(fields["data"], dict):
        return fields | {"data": {}}
    return {name: value for name, value in fields.items() if name != "data"}
