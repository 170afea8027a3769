"""What Pacifica's complaints mean: HTTP status, WebSocket code, business code and text.

Owns `error_of()`. Pure. Whether an answer is a complaint at all is judged by `pacifica_replies`,
never by `code` alone: it can be 0 on an error.

Sources: docs.pacifica.fi error codes of 2025-12 (table A below), ccxt 4.5.90 (table B), live
samples in ccxt and hummingbot; read 2026-11-20. The tables number the same errors differently from
2 on, and live samples speak for either; so codes 0 to 10 are named in both readings and decide
nothing.
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

RETRY_S = 1.0
"""When a throttled answer does not say how long."""
HOLD_S_MAX = 5.0
"""Longest that a call waits on the venue's word: credits come back all the time in a rolling
minute, nothing punishes who asks too early, and a kill does not sit a minute out."""
ENGINE = 420
"""A WebSocket code that HTTP does not know; there, 402 is an invalid signer."""
UNKNOWN_OUTCOME = frozenset({26, 27})
"""Table B: CHANNEL_CLOSED, RESPONSE_DROPPED."""
GONE = frozenset({37, 44, 47})
"""Table B: no order and no TWAP with this client id, no TWAP with this id."""
_BOTH: Mapping[int, str] = {
    0: "unknown or internal error",
    1: "account not found",
    2: "book not found, or account exists",
    3: "invalid tick, or book not found",
    4: "insufficient balance, or invalid tick",
    5: "order not found, or insufficient balance",
    6: "over-withdrawal, or order not found",
    7: "invalid leverage, or amount too low",
    8: "margin cannot be changed, or amount too high",
    9: "position not found, or over-withdrawal",
    10: "limit of TP/SL, or of open orders",
    38: "trading is disabled",
}


class NoSuchCall(VenueRefused):
    """HTTP 404: this deployment lacks the path, or what it names."""


class AgentUnbound(VenueAuthRefused):
    """HTTP 400: the account does not know the agent key that signed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What an answer that is no acknowledgement says."""

    status: int
    """HTTP status, or the WebSocket's code, which follows HTTP's numbers."""
    code: int | None = None
    """The business code under HTTP 422; else an echo of the status, or 0, or nothing."""
    said: str = ""
    error_id: str = ""
    """Not documented, but sent."""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phrase:
    """Words in a complaint that say more than its numbers."""

    words: str
    message: str
    remedy: str
    is_clock: bool = False
    kind: type[VenueAuthRefused] = VenueAuthRefused


_KEY = "Check private_key, and that it belongs to this environment."
_REFUSED_KEYS = (
    _Phrase(
        words="invalid message",
        message="the signed call was refused as expired or malformed",
        remedy="Check NTP.",
        is_clock=True,
    ),
    _Phrase(
        words="agent not authorized",
        message="the agent key is not bound to this account",
        remedy="Bind it there (each subaccount needs its own binding), or mend accounts or uid.",
        kind=AgentUnbound,
    ),
    _Phrase(words="verification failed", message="the signature is refused", remedy=_KEY),
    _Phrase(words="signature_verification", message="the signature is refused", remedy=_KEY),
    _Phrase(words="invalid signature", message="the signature is refused", remedy=_KEY),
    _Phrase(words="invalid public key", message="the key is refused", remedy=_KEY),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """What a status says where neither words nor code say more."""

    message: str
    remedy: str = ""
    is_passing: bool = False
    """Asking again may help."""


_PASSING = _Refusal(message="Pacifica refuses", is_passing=True)
_REFUSALS: Mapping[int, _Refusal] = {
    HTTPStatus.BAD_REQUEST: _Refusal(message="Pacifica cannot read the call"),
    HTTPStatus.FORBIDDEN: _Refusal(
        message="forbidden to this account or address",
        remedy="Access code, region, or the agent key's list of addresses: see which.",
    ),
    HTTPStatus.CONFLICT: _PASSING,
    HTTPStatus.UNPROCESSABLE_ENTITY: _PASSING,
    ENGINE: _PASSING,
}


def error_of(complaint: Complaint) -> VenueError | None:
    """Turn a complaint into an error; None if it means that nothing is there to cancel."""
    status = complaint.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = RETRY_S if complaint.retry_after_s is None else complaint.retry_after_s
        return VenueThrottled(
            user_message="Pacifica says that the credits are used up",
            remedy="Give cancelall a credits_key of its own.",
            venue_code=_name(complaint),
            retry_after_s=min(max(wait_s, 0.0), HOLD_S_MAX),
        )
    is_server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if is_server or status == HTTPStatus.REQUEST_TIMEOUT or _code(complaint) in UNKNOWN_OUTCOME:
        return VenueOutcomeUnknown(
            user_message="Pacifica's server failed", venue_code=_name(complaint)
        )
    return _by_words(complaint) or _by_code(complaint)


def _by_words(complaint: Complaint) -> VenueError | None:
    words = f"{complaint.said} {complaint.error_id}".lower()
    for phrase in _REFUSED_KEYS:
        if phrase.words in words:
            return phrase.kind(
                user_message=phrase.message,
                remedy=phrase.remedy,
                venue_code=_name(complaint),
                is_clock=phrase.is_clock,
            )
    if "beta access" in words or "beta code" in words:
        return VenueRefused(
            user_message="the account has no access code for this environment",
            remedy="Redeem one with the account's own key; check base_url.",
            venue_code=_name(complaint),
        )
    if "failed to cancel" in words:
        # Said of an order that has gone and of a cancel that broke: the next reading tells.
        return VenueRefused(
            user_message="Pacifica could not cancel: it has gone, or something failed",
            venue_code=_name(complaint),
            is_retryable=True,
        )
    return None


def _by_code(complaint: Complaint) -> VenueError | None:
    if _code(complaint) in GONE:
        return None
    status, name, said = complaint.status, _name(complaint), tidy(complaint.said)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED):
        return VenueAuthRefused(
            user_message=f"the key is refused: {said}", remedy=_KEY, venue_code=name
        )
    if status == HTTPStatus.NOT_FOUND:
        return NoSuchCall(
            user_message=f"not found: {said}", remedy="Check base_url.", venue_code=name
        )
    is_2xx = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
    refusal = _REFUSALS.get(HTTPStatus.UNPROCESSABLE_ENTITY if is_2xx else status)
    if refusal is None:
        return VenueReplyInvalid(
            user_message="Pacifica's answer is not what its documentation says", venue_code=name
        )
    both = _BOTH.get(complaint.code, "") if complaint.code is not None else ""
    reason = "; ".join(filter(None, (said, both))) or "no reason given"
    return VenueRefused(
        user_message=f"{refusal.message}: {reason}",
        remedy=refusal.remedy,
        venue_code=name,
        is_retryable=refusal.is_passing,
    )


def _code(complaint: Complaint) -> int | None:
    """Return the business code; under any other status the number is an echo."""
    is_business = complaint.status == HTTPStatus.UNPROCESSABLE_ENTITY
    return complaint.code if is_business else None


def _name(complaint: Complaint) -> str:
    code = "" if complaint.code in (None, complaint.status) else f" code {complaint.code}"
    return f"{complaint.status}{code}"


def tidy(said: str) -> str:
    """Cut the venue's words and take out what looks like a key, a signature or an address."""
    plain = re.sub(r"\[[^\]]*\]", "[…]", " ".join(said.split()))
    return re.sub(r"[A-Za-z0-9+/=]{24,}", "…", plain)[:200]
