"""What Bybit's answers mean: every documented code, and what else may come back.

Owns the table of `retCode` and the meaning of HTTP statuses. Pure. An unknown code is an error that
is named as unknown, never anything better.

Sources: bybit-exchange/docs, `docs/v5/error.mdx` and `rate-limit.mdx`, 2026-07-24, read 2026-11-20;
codes marked (ccxt) are known to ccxt 4.5 and not listed there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from http import HTTPStatus

from adapters.contract import (
    VenueAuthRefused,
    VenueBanned,
    VenueError,
    VenueOutcomeUnknown,
    VenueRefused,
    VenueReplyInvalid,
    VenueThrottled,
)

BAN = timedelta(minutes=10)
"""Least length of a ban."""
TOO_FREQUENT = b"access too frequent"
"""What HTTP 403 says when it is a ban, in the words of the documentation."""
COUNTRY = b"from your country"
"""What the page of Bybit's CDN (CloudFront) says when it is closed to a country: no ban."""
RETRY_S = 1.0
"""When a throttled answer does not say how long."""


class Forbidden(VenueRefused):
    """HTTP 403 that does not say why: one call that some firewall stops, or a ban of our address.

    Taken for a ban it could silence every cancel, taken for less it could prolong one: so whoever
    meets it asks (`Timekeeper.ban_or`).
    """


class Kind(Enum):
    """What a code asks of us."""

    GONE = "the order is not there any more"
    UNKNOWN = "it may or may not have taken effect"
    CLOCK = "the timestamp was refused"
    AUTH = "key, signature or address refused"
    THROTTLED = "too fast"
    LATER = "refused now, perhaps not later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One line of the table."""

    kind: Kind
    message: str
    remedy: str = ""


_KEY = "Check the key and that it belongs to this environment."
_GONE = Meaning(Kind.GONE, "the order does not exist or is finished")
_TIMEOUT = Meaning(Kind.UNKNOWN, "Bybit's server timed out or failed")
_TOO_FAST = Meaning(Kind.THROTTLED, "Bybit says too many calls for this key")
_MODE = Meaning(Kind.REFUSED, "not for this account's mode", "Check the account's unified mode.")
_EXPIRED = Meaning(Kind.AUTH, "the key has expired", "Make a new key and store it.")
_LOCKED = Meaning(Kind.LATER, "the order is locked or being cancelled")

CODES: Mapping[str, Meaning] = {
    "10000": _TIMEOUT,
    "10016": _TIMEOUT,
    "170007": _TIMEOUT,
    "-1": Meaning(Kind.CLOCK, "the timestamp is outside Bybit's window"),
    "10002": Meaning(Kind.CLOCK, "the timestamp is outside Bybit's window", "Check NTP."),
    "10001": Meaning(Kind.REFUSED, "a parameter is wrong"),
    "10003": Meaning(Kind.AUTH, "the key is not valid here", _KEY),
    "10004": Meaning(Kind.AUTH, "the signature is wrong", "Check the secret of this key."),
    "10005": Meaning(
        Kind.AUTH, "the key lacks the permission", "Grant it, or switch the class off."
    ),
    "10006": _TOO_FAST,
    "10018": _TOO_FAST,
    "10007": Meaning(Kind.AUTH, "user authentication failed", _KEY),
    "10008": Meaning(Kind.AUTH, "the account is banned or in the wrong mode", "Ask Bybit."),
    "10009": Meaning(Kind.AUTH, "this region is restricted", "Check the base URL."),
    "10010": Meaning(
        Kind.AUTH, "our address is not in the key's list", "Add this host's egress address."
    ),
    "10014": Meaning(Kind.UNKNOWN, "Bybit took this for a duplicate"),
    "10017": Meaning(Kind.REFUSED, "this path does not exist", "Check the base URL."),
    "10024": Meaning(Kind.REFUSED, "refused for compliance", "Ask Bybit."),
    "10027": Meaning(Kind.REFUSED, "transactions are banned", "Ask Bybit."),
    "10028": _MODE,
    "10029": Meaning(Kind.REFUSED, "the symbol is not in the key's list"),
    "100028": _MODE,
    "33004": _EXPIRED,
    "-2015": _EXPIRED,
    "20001": _GONE,  # (ccxt)
    "30034": _GONE,  # (ccxt)
    "140001": _GONE,  # (ccxt)
    "110001": _GONE,
    "110008": _GONE,
    "110010": _GONE,
    "170139": _GONE,
    "170142": _GONE,
    "170190": _GONE,
    "170213": _GONE,
    "110079": Meaning(Kind.LATER, "the order is being processed"),
    "110095": Meaning(
        Kind.LATER, "cannot be cancelled during the call auction", "It stays until the next phase."
    ),
    "110097": _MODE,
    "110100": Meaning(Kind.REFUSED, "not available in demo trading"),
    "110115": Meaning(Kind.LATER, "a spread leg goes only with its spread order"),
    "170144": _LOCKED,
    "170145": _LOCKED,
    "170147": Meaning(Kind.UNKNOWN, "the cancel timed out at Bybit"),
    "170150": Meaning(Kind.LATER, "the cancel failed at Bybit"),
    "170191": _LOCKED,
    "170212": _LOCKED,
    "170201": Meaning(Kind.REFUSED, "the order filter is wrong"),
    "170222": _TOO_FAST,
    "30035": _TOO_FAST,
    "3100326": Meaning(Kind.REFUSED, "a base coin is required"),
}


def error_of(code: str, *, said: str, retry_after_s: float | None) -> VenueError | None:
    """Turn a `retCode` into an error; None if it means that there is nothing to do.

    `said` is Bybit's own message; it stands in the error only where the code is unknown, or a
    parameter is named, and never for a signature error, which echoes the key.
    """
    meaning = CODES.get(code)
    if meaning is None:
        return VenueRefused(
            user_message=f"Bybit answers a code unknown to cancelall: {tidy(said)}",
            remedy="Look the code up; tell the maintainers.",
            venue_code=code,
            is_retryable=True,
        )
    message = meaning.message
    if meaning.kind is Kind.REFUSED and said:
        message = f"{message}: {tidy(said)}"
    match meaning.kind:
        case Kind.GONE:
            return None
        case Kind.UNKNOWN:
            return VenueOutcomeUnknown(user_message=message, venue_code=code)
        case Kind.THROTTLED:
            wait_s = RETRY_S if retry_after_s is None else retry_after_s
            return VenueThrottled(user_message=message, venue_code=code, retry_after_s=wait_s)
        case Kind.CLOCK | Kind.AUTH:
            return VenueAuthRefused(
                user_message=message,
                remedy=meaning.remedy,
                venue_code=code,
                is_clock=meaning.kind is Kind.CLOCK,
            )
        case Kind.LATER | Kind.REFUSED:
            return VenueRefused(
                user_message=message,
                remedy=meaning.remedy,
                venue_code=code,
                is_retryable=meaning.kind is Kind.LATER,
            )


def tidy(said: str) -> str:
    """Cut Bybit's words and take out what looks like a key or a signature."""
    plain = re.sub(r"\[[^\]]*\]", "[…]", " ".join(said.split()))
    return re.sub(r"[A-Za-z0-9+/=]{16,}", "…", plain)[:200]


def error_of_status(status: int, body: bytes, *, now: datetime) -> VenueError:
    """Say what an answer without a readable envelope means, by its HTTP status."""
    code = f"HTTP {status}"
    if status == HTTPStatus.FORBIDDEN:
        return _forbidden(body, code, now)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = "Bybit protects itself from too many calls"
        return VenueThrottled(user_message=message, venue_code=code, retry_after_s=RETRY_S)
    if status == HTTPStatus.UNAUTHORIZED:
        message = "the key is of another environment"
        return VenueAuthRefused(user_message=message, remedy=_KEY, venue_code=code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return VenueOutcomeUnknown(user_message="Bybit's server failed", venue_code=code)
    if status in _BAD_CALL:
        return VenueRefused(user_message=_BAD_CALL[status], venue_code=code)
    message = "Bybit's answer is not what its documentation says"
    return VenueReplyInvalid(user_message=message, venue_code=code)


def _forbidden(body: bytes, code: str, now: datetime) -> VenueError:
    if COUNTRY in body:
        # True of one host only; taken for a ban it would silence the accounts on all others.
        return VenueRefused(
            user_message="this host is closed to the country of our address",
            remedy="Check base_url and the country of the egress address.",
            venue_code=code,
        )
    if TOO_FREQUENT in body.lower():
        return banned(code, now)
    return Forbidden(
        user_message="the call is forbidden to our address",
        remedy="See what stands between us and Bybit, and whether this host offers the call.",
        venue_code=code,
        is_retryable=True,
    )


def banned(code: str, now: datetime) -> VenueBanned:
    """Say that Bybit has shut out our address."""
    until = now + BAN
    return VenueBanned(
        user_message=f"BANNED until {until:%H:%M} UTC",
        remedy="Nothing is sent to Bybit until then; another egress address helps.",
        venue_code=code,
        until=until,
    )


_BAD_CALL: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "Bybit cannot read the call",
    HTTPStatus.NOT_FOUND: "wrong path, or not for this account's mode: check the base URL",
}
