"""What CoinAPI EMS says.

Owns `judge()`, which says what an answer means, and the table of reasons. Lists of orders are in
`adapters.coinapi_reports`. Pure.

Sources: OpenAPI "EMS - REST API" v1 as of 2025-05-23, the quickstart, starter guide and FAQ at
docs.coinapi.io, read 2026-11-20. Oddities:

* The answer to a cancel-all has the model of a rejection, also where it is none; what is sent when
  all goes well is not documented. So any 2xx is an acknowledgement unless its body refuses.
* HTTP 490 says that the exchange cannot be reached, with the media type `appliction/json`. No media
  type is believed here: bodies are read as what they are.
* The examples of 490 and of 200 are one and the same, `ORDER_ID_NOT_FOUND`. So 490 is judged by its
  status: taken for "no such order" it would not be tried again. Only `METHOD_NOT_SUPPORTED` is
  believed there, as no example has it and the way round it costs nothing.
* A rejection without a reason may be what was called `Message` until 2021, and good news. It is
  told as it stands, and is no reason to try again: the readings are.
"""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from adapters.carrier import Reply
from adapters.contract import (
    VenueAuthRefused,
    VenueError,
    VenueOutcomeUnknown,
    VenueRefused,
    VenueReplyInvalid,
    VenueThrottled,
)

UNREACHABLE = 490
RETRY_S, RETRY_S_MAX = 1.0, 10.0
"""How long to wait after HTTP 429 that does not say, and the longest that is believed."""
NOT_FOUND = "ORDER_ID_NOT_FOUND"
NOT_SUPPORTED = "METHOD_NOT_SUPPORTED"


class CallInvalid(VenueRefused):
    """HTTP 400. All that is ours in a call is the exchange_id: EMS may not know it."""


class Kind(Enum):
    """What a refusal asks of us."""

    UNKNOWN = "it may or may not have taken effect"
    LATER = "refused now, perhaps not later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One line of the table."""

    kind: Kind
    message: str
    remedy: str = ""


_AT_EXCHANGE = "Cancel at the exchange itself; EMS cannot help until it reaches it again."
_UNREACHED = Meaning(Kind.UNKNOWN, "EMS cannot reach the exchange", _AT_EXCHANGE)
_OURS = "Tell the maintainers of cancelall."
_WRONG_KEY = "Check the key and the base URL; a key that also wants a JWT cannot be used."
REASONS: Mapping[str, Meaning] = {
    "OTHER": Meaning(Kind.LATER, "EMS refuses"),
    "EXCHANGE_UNREACHABLE": _UNREACHED,
    "EXCHANGE_RESPONSE_TIMEOUT": Meaning(Kind.UNKNOWN, "the exchange did not answer EMS in time"),
    # What the documentation shows as the answer to a cancel-all that went well. It proves nothing,
    # and a round more would change nothing: the readings tell.
    NOT_FOUND: Meaning(Kind.REFUSED, "EMS says that it found no order"),
    NOT_SUPPORTED: Meaning(
        Kind.REFUSED, "EMS cannot do this at that exchange", "Cancel at the exchange itself."
    ),
    "INVALID_TYPE": Meaning(Kind.REFUSED, "EMS does not know this kind of call", _OURS),
    "JSON_ERROR": Meaning(Kind.REFUSED, "EMS cannot read the call", _OURS),
}
_STRANGE = Meaning(Kind.LATER, "EMS refuses for a reason unknown to cancelall")
_NO_REASON = Meaning(Kind.REFUSED, "EMS answers as if it refused, and gives no reason")


def judge(reply: Reply, *, key: str) -> object:
    """Return the JSON of an answer that refuses nothing; None: 2xx without any JSON.

    `key` is what must not come back in an error's text; empty: none was sent.

    Raises:
        VenueError: the answer refuses, by its body or its status.
    """
    found = _parsed(reply.body)
    told = _refusal(found, key)
    is_unable = told is not None and told.venue_code == NOT_SUPPORTED
    if reply.status == UNREACHABLE and not is_unable:
        raise _error(_UNREACHED, f"HTTP {UNREACHABLE}", "")
    refusal = _of_status(reply) or told
    if refusal is not None:
        raise refusal
    if reply.status == HTTPStatus.BAD_REQUEST:
        raise _invalid_call(found, key)
    if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        raise _of_bare_status(reply.status)
    if reply.body.lstrip()[:1] == b"<":
        raise invalid("a web page, as if something stood between us and EMS")
    return found


def _of_status(reply: Reply) -> VenueError | None:
    """Say what a status means whatever the body says; None: the body comes first."""
    code = f"HTTP {reply.status}"
    if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        message = "EMS refuses the key"
        return VenueAuthRefused(user_message=message, remedy=_WRONG_KEY, venue_code=code)
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        message, told = "EMS says too many calls", reply.headers.get("Retry-After", "")
        wait_s = float(told) if re.fullmatch(r"[0-9]{1,3}", told) else RETRY_S
        wait_s = min(max(wait_s, RETRY_S), RETRY_S_MAX)
        return VenueThrottled(user_message=message, venue_code=code, retry_after_s=wait_s)
    return None


def _of_bare_status(status: int) -> VenueError:
    """Say what an answer means that is no 2xx and whose body does not say why."""
    code = f"HTTP {status}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return VenueOutcomeUnknown(user_message="EMS failed", venue_code=code)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        message = "this path does not exist there"
        return VenueRefused(user_message=message, remedy="Check the base URL.", venue_code=code)
    if status >= HTTPStatus.BAD_REQUEST:
        message = "EMS refuses the call and does not say why"
        return VenueRefused(user_message=message, venue_code=code, is_retryable=True)
    return invalid(f"HTTP {status}")


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _refusal(found: object, key: str) -> VenueError | None:
    """Read a body that refuses: `{"type":"MESSAGE_REJECT","reject_reason":…,"message":…}`.

    Until 2021 it was `{"type":"message","severity":"ERROR","message":…}`.
    """
    if not isinstance(found, dict):
        return None
    reason = found.get("reject_reason")
    is_reject = str(found.get("type", "")).upper() == "MESSAGE_REJECT"
    is_error = str(found.get("severity", "")).upper() == "ERROR"
    if not (reason or is_reject or is_error):
        return None
    said = tidy(found.get("message"), key)
    if reason:
        code = _code(reason, key)
        return _error(REASONS.get(code, _STRANGE), code, said)
    if is_error:
        return _error(REASONS["OTHER"], "ERROR", said)
    return _error(_NO_REASON, "MESSAGE_REJECT", said)


def _error(meaning: Meaning, code: str, said: str) -> VenueError:
    message = f"{meaning.message}: {said}" if said else meaning.message
    if meaning.kind is Kind.UNKNOWN:
        return VenueOutcomeUnknown(user_message=message, remedy=meaning.remedy, venue_code=code)
    return VenueRefused(
        user_message=message,
        remedy=meaning.remedy,
        venue_code=code,
        is_retryable=meaning.kind is Kind.LATER,
    )


def _invalid_call(found: object, key: str) -> CallInvalid:
    """Read `{"title":…,"status":400,"traceId":…,"errors":…}`.

    `errors` is text by the specification, and an object of lists as its framework writes it.
    """
    fields = found if isinstance(found, dict) else {}
    errors = fields.get("errors")
    said = errors if isinstance(errors, str) else json.dumps(errors) if errors else ""
    message = "EMS cannot read the call"
    return CallInvalid(
        user_message=f"{message}: {tidy(said, key)}" if said else message,
        remedy="Check the account's uid, the whole exchange_id as CoinAPI has it.",
        venue_code=_code(fields.get("traceId"), key) or "HTTP 400",
    )


def _code(told: object, key: str) -> str:
    said = re.sub(re.escape(key), "", str(told or ""), flags=re.IGNORECASE)
    return re.sub(r"[^A-Za-z0-9_.:-]", "", said)[:64]


def tidy(said: object, key: str) -> str:
    """Cut EMS's words, and take out the key and what looks like one."""
    if not isinstance(said, str):
        return ""
    safe = re.sub(re.escape(key), "…", said, flags=re.IGNORECASE) if key else said
    plain = " ".join(safe.encode(errors="replace").decode().split())
    return re.sub(r"[A-Za-z0-9+/=]{24,}", "…", plain)[:200]


def parse_date_ms(headers: Mapping[str, str]) -> float | None:
    """Read the clock from `Date`, in epoch ms: it shows whole seconds; None if it is not there."""
    if "Age" in headers:  # Then it is a cache's.
        return None
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    return moment.timestamp() * 1000 + 500


def invalid(what: str) -> VenueReplyInvalid:
    """Say that an answer does not match its model; `what` names the place, never a value."""
    return VenueReplyInvalid(user_message=f"EMS: the answer is not as documented: {what}")


def misspelt(symbol: str) -> VenueRefused:
    """Say that an order rests whose symbol differs from the typed one in capitals alone."""
    return VenueRefused(
        user_message=f"an order in {symbol} rests, which differs from what was typed in capitals",
        remedy=f"Ask again and type {symbol}.",
    )
