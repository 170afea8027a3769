"""What Synthetix's refusals mean: every documented code, and the texts that say more than theirs.

Owns `error_of()`. Pure. An unknown code is an error that is named as unknown, never anything
better.

A used nonce, an expired call, a stranger's wallet and "no orders found" have no code of their own:
they are told by their texts, which therefore come first. Nothing that is told by a text alone ends
a run: the readings do.

Sources: developers.synthetix.io, error handling and cancelAllOrders, and the list of codes that
Fenway-snx/synthetix-mcp @64fe4ffd carries from the server; read 2026-11-20.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from adapters.contract import (
    VenueAuthRefused,
    VenueError,
    VenueOutcomeUnknown,
    VenueRefused,
    VenueReplyInvalid,
    VenueThrottled,
)

NOT_FOUND = "ORDER_NOT_FOUND"
UNKNOWN_OUTCOME = frozenset(
    {
        "INTERNAL_ERROR",
        "DATABASE_ERROR",
        "CACHE_ERROR",
        "REQUEST_TIMEOUT",
        "SERVICE_UNAVAILABLE",
        "SERVICE_DRAINING",
        "OPERATION_TIMEOUT",
    }
)
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
INVALID = frozenset(
    {"VALIDATION_ERROR", "MISSING_REQUIRED_FIELD", "INVALID_FORMAT", "INVALID_VALUE"}
)
MARKET = frozenset({"MARKET_NOT_FOUND", "ASSET_NOT_FOUND"})
AUTH = frozenset({"UNAUTHORIZED", "FORBIDDEN"})
FINAL: Mapping[str, str] = {
    "METHOD_NOT_ALLOWED": "Check base_url.",
    "NOT_FOUND": "Check base_url.",
    "INVALID_MARKET_CONFIG": "",
    "MARKET_ALREADY_EXISTS": "",
}
"""What asking again does not change -> the remedy. Whatever is not named here may pass."""
PASSING = frozenset(
    {
        "CANCEL_FAILED",
        "FOK_NOT_FILLED",
        "IDEMPOTENCY_CONFLICT",
        "INSUFFICIENT_MARGIN",
        "INVALID_ORDER_SIDE",
        "INVALID_TRIGGER_PRICE",
        "IOC_NOT_FILLED",
        "MARKET_CLOSED",
        "MAX_ORDERS_PER_MARKET",
        "MAX_SUB_ACCOUNTS_EXCEEDED",
        "MAX_TOTAL_ORDERS",
        "NO_LIQUIDITY",
        "OI_CAP_EXCEEDED",
        "ORDER_REJECTED_BY_ENGINE",
        "POSITION_NOT_FOUND",
        "POST_ONLY_WOULD_TRADE",
        "PRICE_OUT_OF_BOUNDS",
        "QUANTITY_BELOW_FILLED",
        "QUANTITY_TOO_SMALL",
        "REDUCE_ONLY_NO_POSITION",
        "REDUCE_ONLY_SAME_SIDE",
        "REDUCE_ONLY_WOULD_INCREASE",
        "SELF_TRADE_PREVENTED",
        "UNKNOWN_ERROR",
        "WICK_INSURANCE_ACTIVE",
    }
)
"""Known, and refused for now; most of them say nothing of a cancel. The answer's own `retryable` is
not asked: it says whether the same call may be sent again, and no call is ever sent twice."""
WALLET = re.compile(r"0x[0-9a-fA-F]{40}\b")
_EXPIRY = re.compile(r"expires[ _]?after")
_NOTHING = re.compile(r"\bno (open )?orders? (were )?(found|to cancel)\b|\border not found\b")


class CallInvalid(VenueRefused):
    """The venue cannot read the call, or does not know a market in it: another call may do."""


class NonceRefused(VenueRefused):
    """The nonce was used before, or is not above the last one."""


class NonceMissing(VenueRefused):
    """The call needs a nonce. Readings do, on servers of before 2026."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What an answer says that refuses."""

    status: int = HTTPStatus.OK
    """HTTP's; 200 for an order of a batch."""
    code: str = ""
    category: str = ""
    said: str = ""
    retry_after_s: float = 1.0
    """How long to wait, should it be about speed."""


def error_of(complaint: Complaint, *, address: str) -> VenueError | None:
    """Turn a complaint into an error; None if it means that nothing is there to cancel.

    `address` is our signer's; empty: nothing was signed.
    """
    code, status = complaint.code, complaint.status
    is_too_fast = code == "RATE_LIMIT_EXCEEDED" or complaint.category == "RATE_LIMIT"
    if is_too_fast or status == HTTPStatus.TOO_MANY_REQUESTS:
        return VenueThrottled(
            user_message="Synthetix says that the tokens are used up",
            remedy="The trading bots of a subaccount spend the same tokens.",
            venue_code=_code(complaint),
            retry_after_s=complaint.retry_after_s,
        )
    is_server = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT
    if is_server or code in UNKNOWN_OUTCOME or complaint.category == "SYSTEM":
        return VenueOutcomeUnknown(
            user_message="Synthetix's server failed or timed out", venue_code=_code(complaint)
        )
    if code == NOT_FOUND or _NOTHING.search(complaint.said.lower()):
        return None
    return _by_text(complaint, address) or _by_code(complaint, address)


def _by_text(complaint: Complaint, address: str) -> VenueError | None:
    """Know what has no code of its own."""
    said, code = complaint.said.lower(), _code(complaint)
    if "nonce is required" in said:
        return NonceMissing(
            user_message="Synthetix wants a nonce for this call", venue_code=code, is_retryable=True
        )
    # An older validator names the nonce as well where it refuses the expiry.
    if "nonce" in said and not _EXPIRY.search(said):
        return NonceRefused(
            user_message=f"the nonce is refused: {tidy(complaint.said)}",
            remedy="Another program may sign with this key: give cancelall one of its own.",
            venue_code=code,
            is_retryable=True,
        )
    if "expire" in said and "deleg" not in said:
        return VenueAuthRefused(
            user_message="the signed call was refused as expired",
            remedy="Check NTP.",
            venue_code=code,
            is_clock=True,
        )
    is_auth = complaint.code in AUTH or complaint.status == HTTPStatus.UNAUTHORIZED
    hints = ("not authorized", "does not own", "not permitted", "invalid signature", "expire")
    if is_auth or any(hint in said for hint in hints):
        return _refused_key(complaint, address)
    return None


def _refused_key(complaint: Complaint, address: str) -> VenueError:
    """Tell a key that may not from a digest that is not the venue's.

    The venue recovers whoever signed from the digest that it computes. Where that is not the one
    that we signed it names a stranger, each time another.
    """
    named = {each.lower() for each in WALLET.findall(complaint.said)}
    if named and address and address.lower() not in named:
        return VenueAuthRefused(
            user_message="Synthetix finds another wallet in our signature: what it thinks was "
            "signed is not what we signed",
            remedy="Tell the maintainers of cancelall: its typed data is out of date.",
            venue_code=_code(complaint),
        )
    return VenueAuthRefused(
        user_message=f"the key is refused: {tidy(complaint.said) or 'no reason given'}",
        remedy="Delegate it to this subaccount, with permission session, or mend the uid. "
        "A key that was just added may have to wait 30 s.",
        venue_code=_code(complaint),
    )


def _by_code(complaint: Complaint, address: str) -> VenueError:
    code, said = complaint.code, tidy(complaint.said) or "no reason given"
    if code in PASSING or code in FINAL:
        return VenueRefused(
            user_message=f"Synthetix refuses: {said}",
            remedy=FINAL.get(code, ""),
            venue_code=code,
            is_retryable=code in PASSING,
        )
    if complaint.status == HTTPStatus.FORBIDDEN or complaint.category == "AUTH":
        return _refused_key(complaint, address)
    is_market = code in MARKET or "invalid market symbol" in said.lower()
    is_invalid = is_market or code in INVALID or complaint.category == "REQUEST"
    if is_invalid or complaint.status in (HTTPStatus.BAD_REQUEST, _TOO_LARGE):
        return CallInvalid(
            user_message=f"Synthetix cannot use the call: {said}",
            venue_code=_code(complaint),
            is_retryable=bool(code) and not is_invalid,
        )
    return VenueRefused(
        user_message=f"Synthetix refuses for a reason unknown to cancelall: {said}",
        venue_code=_code(complaint),
        is_retryable=True,
    )


def error_of_status(status: int, *, retry_after_s: float) -> VenueError:
    """Say what an answer means that refuses without saying why: a proxy's, or the venue's edge."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return VenueRefused(
            user_message="the call is stopped on its way to Synthetix, without a reason",
            remedy="See which firewall or region stops it; the key is not what was refused.",
            venue_code=f"HTTP {status}",
            is_retryable=True,
        )
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return VenueRefused(
            user_message="this path does not exist there",
            remedy="Check base_url.",
            venue_code=f"HTTP {status}",
        )
    if status < HTTPStatus.BAD_REQUEST:
        return VenueReplyInvalid(
            user_message="Synthetix: the answer is not what its documentation says",
            venue_code=f"HTTP {status}",
        )
    error = error_of(Complaint(status=status, retry_after_s=retry_after_s), address="")
    assert error is not None
    return error


def _code(complaint: Complaint) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "", complaint.code)[:40]
    return plain or f"HTTP {complaint.status}"


def tidy(said: str) -> str:
    """Cut the venue's words and take out what looks like a key, a signature or an address."""
    return re.sub(r"[A-Za-z0-9+/=]{24,}", "…", " ".join(said.split()))[:200]
