"""The shapes that the simulated EMS answers in, and where its documents leave them open.

Owns `Conflicts`, the refusals and the many bodies of a cancel-all that was accepted. Source:
CoinAPI's "EMS - REST API" v1 (2025-05-23), "OEML - REST API" (2021-01-13), the EMS FAQ (2025).
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from bot.sandbox.venues.exchange import Answer, as_json
from bot.sandbox.venues.faults import Fault, Wrong

UNREACHABLE_STATUS: Final = 490
MISSPELT: Final = "appliction/json"
CANCEL_ALL: Final = "ORDER_CANCEL_ALL_REQUEST"
CANCEL_ONE: Final = "ORDER_CANCEL_SINGLE_REQUEST"


class Accepted(Enum):
    """What the body of a cancel-all that was accepted looks like; all under HTTP 200."""

    MESSAGE = "the Message of 2021, severity INFO"
    MESSAGE_ERROR = "the Message of 2021, severity ERROR"
    REJECT = "the MessageReject of today's example, word for word but for the exchange id"
    RENAMED = "a MessageReject without a reason: Message, renamed"
    EMPTY = "no byte"
    UNKNOWN = "JSON of no documented shape"


class Unknown(Enum):
    """How a cancel for an exchange id that the key does not have is refused."""

    VALIDATION = "400 ValidationError"
    UNREACHABLE = "490 MessageReject"
    REJECT = "200 MessageReject, reason OTHER"


class Limited(Enum):
    """Which limit on calls a key has."""

    CONCURRENCY = "so many calls at once"
    PLAN = "so many calls a minute"
    NONE = "none"


class Reason(Enum):
    """Why EMS rejects what was well formed: `RejectReason` in the documents."""

    OTHER = "OTHER"
    EXCHANGE_UNREACHABLE = "EXCHANGE_UNREACHABLE"
    EXCHANGE_RESPONSE_TIMEOUT = "EXCHANGE_RESPONSE_TIMEOUT"
    ORDER_ID_NOT_FOUND = "ORDER_ID_NOT_FOUND"
    METHOD_NOT_SUPPORTED = "METHOD_NOT_SUPPORTED"


@dataclass(slots=True, kw_only=True)
class Hitch(Fault):
    """A fault between EMS and an exchange; its `wrong` means nothing.

    `EXCHANGE_UNREACHABLE` meets cancels and readings, every other reason cancels alone.
    """

    wrong: Wrong = Wrong.UNAVAILABLE
    reason: Reason | None
    """None: EMS takes the cancel, then the exchange refuses it, and orders go back to `NEW`."""
    is_applied: bool = False
    """The exchange made the cancel all the same: for `EXCHANGE_RESPONSE_TIMEOUT`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflicts:
    """What the documents leave open; each default is the most probable today."""

    accepted: Accepted = Accepted.MESSAGE
    """Which body an accepted cancel-all has. Today's document prints a rejection for it, that of
    2021 an "Ok"; it looks as if only the document was renamed."""
    errors_are_text: bool = False
    """`errors` of a ValidationError is a string, as the document types it; or an object of arrays,
    as the framework sends whose wording this is."""
    unknown: Unknown = Unknown.VALIDATION
    """How a cancel for an exchange id that the key does not have is refused."""
    unknown_reads_empty: bool = False
    """A reading of such an id shows `[]`; or is refused by 490."""
    untagged_covers_tagged: bool = False
    """Cancel-all for `KRAKEN` cancels for `KRAKEN/JOHN` too; or for `KRAKEN` alone."""
    takes_outside: bool = False
    """Cancel-all takes orders that were placed outside EMS; or leaves them."""
    transit_slips_past: bool = True
    """Cancel-all leaves orders that are not yet in the book of the exchange; or cancels them."""
    transit_s: float = 1.5
    """How long an order of the kind `transit` is on its way."""
    unfiltered_hides_unreachable: bool = True
    """A reading of all accounts leaves out those that cannot be reached, since 490 is documented
    for the filtered exchange; or is refused by 490 as a whole."""
    timeout_status: int = 504
    """`EXCHANGE_RESPONSE_TIMEOUT` comes under 504, as documented for a new order; or under 200."""
    unsupported_status: int = 200
    """`METHOD_NOT_SUPPORTED` comes under 200, the only status that a cancel-all is documented to
    have with a MessageReject and a reachable exchange; or under 400 or 490."""
    missing_status: int = 404
    """`ORDER_ID_NOT_FOUND` for a cancel comes under 404, as for a status; or under 200 or 490."""
    unreachable_type: str = MISSPELT
    """The media type of a 490: misspelt, as in the document; or `application/json`."""
    exec_inst_is_text: bool = False
    """`exec_inst` of a report is a string, as in the WebSocket's sample; or an array."""
    has_extras: bool = True
    """A report has `type` and `id`, as live samples have; or only what the schema lists."""
    refusals_are_empty: bool = False
    """401, 403 and 429 have no body; or JSON with an `error`, as CoinAPI's other products."""
    limited: Limited = Limited.CONCURRENCY
    """Which limit a key has: the limits page names simultaneous calls, the FAQ both a plan's limit
    and none at all. No number is known."""
    keeps_order_log: bool = False
    """Orders are logged, so that there is a history; else it is refused."""


class Refused(Exception):
    """The call is answered by something else than what it asked for."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


def error(conflicts: Conflicts, status: int, said: str) -> Refused:
    """Refuse at the door: 401, 403 or 429."""
    body = b"" if conflicts.refusals_are_empty else as_json({"error": said})
    return Refused(Answer(status=status, body=body))


def validation(conflicts: Conflicts, rng: random.Random, name: str, said: str) -> Refused:
    """Refuse what does not match the input model: 400 with a ValidationError."""
    fields = {
        "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "traceId": f"{rng.getrandbits(64):016x}",
        "errors": said if conflicts.errors_are_text else {name: [said]},
    }
    return Refused(Answer(status=400, body=as_json(fields)))


def reject(
    conflicts: Conflicts, reason: Reason, rejected: Mapping[str, Any], *, status: int, said: str
) -> Answer:
    """Write a MessageReject; `rejected` is the request with its `type`, and becomes a string."""
    fields = {
        "type": "MESSAGE_REJECT",
        "reject_reason": reason.value,
        "exchange_id": rejected.get("exchange_id"),
        "message": said,
        "rejected_message": json.dumps(dict(rejected), separators=(",", ":")),
    }
    is_unreachable = status == UNREACHABLE_STATUS
    content_type = conflicts.unreachable_type if is_unreachable else "application/json"
    return Answer(status=status, body=as_json(fields), content_type=content_type)


def unreachable(conflicts: Conflicts, rejected: Mapping[str, Any]) -> Answer:
    """Say that EMS cannot reach an exchange: 490."""
    return reject(
        conflicts,
        Reason.EXCHANGE_UNREACHABLE,
        rejected,
        status=UNREACHABLE_STATUS,
        said=f"Exchange {rejected.get('exchange_id')} is unreachable",
    )


def accepted(conflicts: Conflicts, exchange_id: str) -> Answer:
    """Answer a cancel-all that EMS has passed on."""
    message: dict[str, Any] = {"type": "message", "exchange_id": exchange_id}
    match conflicts.accepted:
        case Accepted.MESSAGE:
            return _ok(message | {"severity": "INFO", "message": "Ok"})
        case Accepted.MESSAGE_ERROR:
            return _ok(message | {"severity": "ERROR", "message": "Something went wrong"})
        case Accepted.REJECT:
            return _ok({**EXAMPLE, "exchange_id": exchange_id})
        case Accepted.RENAMED:
            return _ok({"type": "MESSAGE_REJECT", "exchange_id": exchange_id, "message": "Ok"})
        case Accepted.EMPTY:
            return Answer(status=200, body=b"")
        case Accepted.UNKNOWN:
            return Answer(status=200, body=b'["queued",1]')


def _ok(fields: Mapping[str, Any]) -> Answer:
    return Answer(status=200, body=as_json(fields))


EXAMPLE: Mapping[str, Any] = {
    "type": "MESSAGE_REJECT",
    "reject_reason": "ORDER_ID_NOT_FOUND",
    "message": "Order with ID: BINANCE-7d8a-4888 not found",
    "rejected_message": '{"client_order_id":"BINANCE-7d8a-4888","exchange_id":"BINANCE",'
    '"type":"ORDER_CANCEL_SINGLE_REQUEST"}',
}
"""The example that the document prints for a cancel-all under 200; about a single cancel."""
