"""What Pacifica says, held to its documentation: which answer is an acknowledgement, and of what.

Owns `judge()` for HTTP and `parse_frame()` for the WebSocket, and what both tell of credits. The
lists are in `adapters.pacifica_lists`. Pure. An answer that differs from its model is
`VenueReplyInvalid`, also under HTTP 200, and names the field, never what stood there.

Two shapes of every answer are documented, the bare value and the envelope
`{"success":true,"data":…,"error":null,"code":null}`; live samples show the envelope. Both count.

Sources: docs.pacifica.fi as of 2026 and its mirror of 2025, ccxt 4.5.90; read 2026-11-20.
"""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adapters import pacifica_codes as codes
from adapters.contract import VenueReplyInvalid
from adapters.pacifica_codes import Complaint

WHOLE_MAX = 10**19
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""May be half a character: such text can be neither stored nor sent on."""


def _whole(value: object) -> int:
    """Read a whole number, or its digits: counts are documented as either."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < WHOLE_MAX:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        return int(value)
    raise ValueError("not a whole number")


Whole = Annotated[int, BeforeValidator(_whole)]
Model = TypeVar("Model", bound=BaseModel)


class Wire(BaseModel):
    """A part of a reply: unknown fields are ignored, known ones are strict."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What the venue says of our credits, in tenths."""

    remaining: int
    limit: int
    """0: not said."""
    reset_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an acknowledgement holds."""

    payload: object = None
    is_explicit: bool = False
    """It says itself that it is one."""
    last_order_id: int | None = None
    """How new the list is: a number that only rises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame that is, or may be, the answer to a call."""

    request_id: str | None
    """Old servers leave it out of complaints."""
    complaint: Complaint | None
    """None: an acknowledgement."""
    payload: object = None
    at_ms: int | None = None
    """The venue's clock, epoch milliseconds."""
    quota: Quota | None = None


class _Envelope(Wire):
    is_fine: Any = Field(default=None, alias="success")
    payload: Any = Field(default=None, alias="data")
    error: Any = None
    code: Any = None
    error_id: Any = None
    last_order_id: Any = None
    has_more: Any = None
    next_cursor: Any = None


class _Spent(Wire):
    remaining: Whole = Field(alias="r")
    limit: Whole = Field(default=0, alias="q")
    reset_after_s: Whole = Field(default=0, alias="t")


class _Answer(Wire):
    code: Whole
    request_id: str | None = Field(default=None, alias="id")
    payload: Any = Field(default=None, alias="data")
    err: Any = None
    error: Any = None
    at_ms: Any = Field(default=None, alias="t")
    spent: Any = Field(default=None, alias="rl")


class _Cancelled(Wire):
    count: Whole = Field(alias="cancelled_count", ge=0)


def judge(status: int, headers: Mapping[str, str], text: bytes) -> Told | None:
    """Judge an answer over HTTP by its status and what it says; None: nothing is there to cancel.

    Never by `code`, which is null, 0 or the status again.

    Raises:
        VenueError: every answer that is not an acknowledgement.
    """
    found = load(text)
    envelope = _envelope(found)
    is_2xx = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
    if is_2xx and envelope is None and isinstance(found, list | dict):
        return Told(payload=found)
    if is_2xx and envelope is None:
        raise invalid("the answer is not JSON")
    if is_2xx and envelope is not None and envelope.is_fine in (True, None) and not envelope.error:
        return _told(envelope)
    complaint = Complaint(
        status=status,
        code=_or_none(envelope.code) if envelope else None,
        said=_text(envelope.error) if envelope else "",
        error_id=_text(envelope.error_id) if envelope else "",
        retry_after_s=_retry_after_s(headers),
    )
    error = codes.error_of(complaint)
    if error is None:
        return None
    raise error


def load(text: bytes) -> object:
    """Read JSON; None if it is none, or holds what no text may."""
    try:
        found: object = json.loads(text)
        if SURROGATE.search(text):
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found


def _envelope(found: object) -> _Envelope | None:
    """Take an object for an envelope if it looks like one."""
    if not isinstance(found, dict) or not found.keys() & {"success", "data", "error"}:
        return None
    return read(_Envelope, found, "a call")


def _told(envelope: _Envelope) -> Told:
    if envelope.has_more or envelope.next_cursor:
        raise invalid("a list goes on at a further page, which is not documented for it")
    return Told(
        payload=envelope.payload,
        is_explicit=envelope.is_fine is True,
        last_order_id=_or_none(envelope.last_order_id),
    )


def parse_frame(text: str) -> Frame | None:
    """Read a frame; None if it is no answer to a call: a pong, a push, or not readable."""
    found = load(text.encode(errors="replace"))
    try:
        answer = _Answer.model_validate(found)
    except ValidationError:
        return None
    quota = _spent(answer.spent)
    said = _text(answer.err) or _text(answer.error)
    is_fine = answer.code == HTTPStatus.OK and not said
    complaint = Complaint(
        status=answer.code,
        said=said,
        retry_after_s=None if quota is None else quota.reset_after_s,
    )
    if answer.code < HTTPStatus.CONTINUE:  # A business code, as HTTP 422 carries it.
        complaint = Complaint(status=HTTPStatus.UNPROCESSABLE_ENTITY, code=answer.code, said=said)
    return Frame(
        request_id=answer.request_id,
        complaint=None if is_fine else complaint,
        payload=answer.payload,
        at_ms=_or_none(answer.at_ms),
        quota=quota,
    )


def judge_frame(frame: Frame) -> Told | None:
    """Judge the answer to a call over the WebSocket; None: nothing is there to cancel.

    Raises:
        VenueError: it is not an acknowledgement.
    """
    if frame.complaint is None:
        return Told(payload=frame.payload, is_explicit=True)
    error = codes.error_of(frame.complaint)
    if error is None:
        return None
    raise error


def parse_cancelled(told: Told) -> int | None:
    """Read how many orders a cancel-all has cancelled; None if an acknowledgement does not say."""
    if told.payload is None and told.is_explicit:
        return None
    return read(_Cancelled, told.payload, "cancel-all").count


def check_acknowledged(told: Told, what: str) -> None:
    """Hold the answer to one cancel to saying that it is accepted; `data` may be null.

    Raises:
        VenueReplyInvalid: it says nothing of the kind.
    """
    if not told.is_explicit:
        raise invalid(f"the answer to {what} does not say that it is accepted")


def parse_quota(headers: Mapping[str, str]) -> Quota | None:
    """Read `ratelimit: "credits";r=1200;t=32` and `ratelimit-policy: "credits";q=1250;w=60`."""
    now, policy = headers.get("ratelimit", ""), headers.get("ratelimit-policy", "")
    spent = {**_parameters(policy), **_parameters(now)}
    return _spent(spent)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    quota = parse_quota(headers)
    return None if quota is None else quota.reset_after_s


def _parameters(said: str) -> dict[str, str]:
    return dict(re.findall(r";\s*([a-z])=([0-9]{1,9})(?![0-9])", said))


def _spent(said: object) -> Quota | None:
    """Read what is told of credits; None unless it makes sense."""
    try:
        spent = _Spent.model_validate(said)
    except ValidationError:
        return None
    if spent.remaining < 0 or 0 < spent.limit < spent.remaining:
        return None
    return Quota(
        remaining=spent.remaining, limit=spent.limit, reset_after_s=float(spent.reset_after_s)
    )


def parse_date_ms(headers: Mapping[str, str]) -> float | None:
    """Read the venue's clock from `Date`, in epoch milliseconds: it shows whole seconds.

    None where it is missing, or shows when some cache took the answer from the venue.
    """
    if "Age" in headers:
        return None
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    return moment.timestamp() * 1000 + 500


def read(model: type[Model], value: object, what: str) -> Model:
    """Hold a value to its model.

    Raises:
        VenueReplyInvalid: names the field; never shows what stood there.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80] or "the whole"
        raise invalid(f"the answer to {what} is not as documented at {where}") from None


def invalid(message: str) -> VenueReplyInvalid:
    """Say what is wrong with an answer."""
    return VenueReplyInvalid(user_message=f"Pacifica: {message}")


def _or_none(value: object) -> int | None:
    try:
        return _whole(value)
    except ValueError:
        return None


def _text(value: object) -> str:
    """Read a text that a person may see; whatever else stands there is told as JSON, cut."""
    if value in (None, "", False):
        return ""
    return value if isinstance(value, str) else json.dumps(value)[:200]
