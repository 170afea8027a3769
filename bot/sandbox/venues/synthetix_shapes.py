"""The shapes that the simulated Synthetix answers in, and where its sources disagree.

Owns `Conflicts`, the refusals and the envelope around every answer. Source: developers.synthetix.io
(crawls of 2025 to 2026-04), synthetix-sdk 0.7.0 (2026-08-17), and the exchange's Go libraries for
authentication and validation as of 2026-05-02 ("the libraries"), a copy and not the live server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from bot.sandbox.venues.exchange import Answer, as_json

Args = Mapping[str, Any]


class Unit(Enum):
    """What `expiresAfter` counts since the epoch, and how many of them a second has."""

    SECONDS = 1
    MILLISECONDS = 1000


class Nonces(Enum):
    """Which nonces of a signer are taken."""

    UNIQUE = "each once, in any order"
    RISING = "each greater than the last"


class Wildcard(Enum):
    """What the server makes of `*` among the symbols."""

    ALONE = "all markets, if it is the only element"
    UNKNOWN = "no symbol, as before it was introduced"
    SKIPPED = "a symbol like any other that is not listed, and skipped"


class Empty(Enum):
    """What the server makes of no symbols, be they `[]` or left out."""

    REFUSED = "refused"
    EVERYTHING = "all markets"


class Unlisted(Enum):
    """What a symbol that is not listed does to the others in the call."""

    REFUSES_ALL = "the call is refused"
    SKIPPED = "the others are cancelled"


class Nothing(Enum):
    """How a cancel-all with nothing to cancel is answered."""

    EMPTY_LIST = "an empty array"
    ERROR = "the error `No orders found`"


class Element(Enum):
    """What an order looks like in the answer to a cancel-all."""

    NEW = "order, orderId, message, symbol"
    OLD = "orderId, message"


class Told(Enum):
    """When the `message` of such an element is filled."""

    WHEN_CANCELLED = "the order was cancelled"
    WHEN_FAILED = "the order was not cancelled"


class Above(Enum):
    """What happens to a `limit` above the largest."""

    CLAMPED = "the largest is taken"
    REFUSED = "the call is refused"


class Traced(Enum):
    """What the id of a request is called."""

    BOTH = ("request_id", "requestId")
    SNAKE = ("request_id",)
    CAMEL = ("requestId",)
    TRACE = ("traceId",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflicts:
    """What the sources leave open; each default is the most probable today."""

    expiry_unit: Unit = Unit.SECONDS
    """The libraries compare `expiresAfter` with seconds, so that milliseconds never expire; most
    pages and the SDK say milliseconds, so that seconds have expired long ago."""
    expiry_beyond_nonce: bool = False
    """An `expiresAfter` must be greater than the nonce, as in an older validator; or need not."""
    nonces: Nonces = Nonces.UNIQUE
    """The libraries want a nonce once per signer; the pages want it greater than the last."""
    empty: Empty = Empty.REFUSED
    """The newest pages and the libraries refuse `[]`; the oldest page says that it cancels all."""
    wildcard: Wildcard = Wildcard.ALONE
    """The newest pages and the libraries know `["*"]`; older pages do not."""
    unlisted: Unlisted = Unlisted.REFUSES_ALL
    """Whether the other symbols are still looked at is not said."""
    takes_twaps: bool = False
    """Cancel-all takes TWAP orders; or leaves them, as the page lists limit, market and trigger."""
    nothing: Nothing = Nothing.EMPTY_LIST
    """The oldest page lists an error, the libraries have no code for it."""
    element: Element = Element.NEW
    """The oldest page prints the short form, every newer client reads the long one."""
    told: Told = Told.WHEN_CANCELLED
    """The oldest page prints a message for what was cancelled; one client takes any message for a
    failure."""
    limit_max: int = 1000
    """The largest `limit`: 1000 for the sister calls, not stated for open orders."""
    above: Above = Above.CLAMPED
    """A `limit` above it is lowered; or refused."""
    auth_code: str = "UNAUTHORIZED"
    """The code of an expired request, a used nonce and a wallet that may not act. None has one of
    its own; UNAUTHORIZED and FORBIDDEN are the authorisation codes, VALIDATION_ERROR is possible.
    """
    denials_cached_s: float = 30.0
    """How long a wallet that may not act is refused without another look; 0: no time."""
    grants_cached_s: float = 1800.0
    """The same for one that may: a delegate that was removed may act for so long. 0: the server
    drops the entry at once."""
    old_errors: bool = False
    """An error has `code` and `message` alone and its time is RFC 3339; or all of it, in ms."""
    errors_under_200: bool = False
    """Errors come under HTTP 200; or under their own status."""
    traced: Traced = Traced.BOTH
    """What the id of a request is called."""
    has_address_limit: bool = True
    """There is a bucket per address; an earlier crawl has none."""
    body_bytes_max: int = 20_000
    """The "20 kB" of the changelog of 2026-03-17; or 20 480."""
    lists_managed: bool = False
    """`getSubAccountIds` with delegations names `managedSubAccountIds` too, as a script expects."""


_STATUS: Mapping[str, tuple[str, int]] = {
    "VALIDATION_ERROR": ("REQUEST", 400),
    "MISSING_REQUIRED_FIELD": ("REQUEST", 400),
    "INVALID_FORMAT": ("REQUEST", 400),
    "INVALID_VALUE": ("REQUEST", 400),
    "UNAUTHORIZED": ("AUTH", 401),
    "FORBIDDEN": ("AUTH", 403),
    "MARKET_NOT_FOUND": ("TRADING", 400),
    "RATE_LIMIT_EXCEEDED": ("RATE_LIMIT", 429),
    "NOT_FOUND": ("REQUEST", 404),
    "METHOD_NOT_ALLOWED": ("REQUEST", 405),
}
"""Code -> category and HTTP status."""


class Refused(Exception):
    """Synthetix answers an error."""

    def __init__(self, code: str, said: str, *, status: int = 0) -> None:
        super().__init__(said)
        self.code = code
        self.said = said
        self.status = status or _STATUS[code][1]


@dataclass(slots=True, kw_only=True)
class Envelope:
    """What stands around the answer to one request."""

    conflicts: Conflicts
    request_id: str
    venue_now: float
    """Epoch seconds by the venue's clock."""
    budgets: dict[str, Mapping[str, int]]
    """`rateLimit` and `ipRateLimit`, as far as these limiters ran."""

    def granted(self, response: object) -> Answer:
        """Wrap a result."""
        return self._answer(200, {"status": "ok", "response": response}, is_old=False)

    def without_response(self) -> Answer:
        """Wrap nothing."""
        return self._answer(200, {"status": "ok"}, is_old=False)

    def refused(self, refused: Refused) -> Answer:
        """Wrap an error."""
        error: dict[str, Any] = {"code": refused.code, "message": refused.said}
        if not self.conflicts.old_errors:
            error["category"] = _STATUS[refused.code][0]
            error["retryable"] = refused.code == "RATE_LIMIT_EXCEEDED"
            error["details"] = {}
        status = 200 if self.conflicts.errors_under_200 else refused.status
        fields = {"status": "error", "error": error}
        return self._answer(status, fields, is_old=self.conflicts.old_errors)

    def _answer(self, status: int, fields: Args, *, is_old: bool) -> Answer:
        moment = datetime.fromtimestamp(self.venue_now, UTC).isoformat(timespec="seconds")
        wrapped = {
            **fields,
            **dict.fromkeys(self.conflicts.traced.value, self.request_id),
            "timestamp": moment.replace("+00:00", "Z") if is_old else int(self.venue_now * 1000),
            **self.budgets,
        }
        return Answer(status=status, body=as_json(wrapped))
