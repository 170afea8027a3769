"""What Synthetix says: which answer is an acknowledgement, and what stands beside it.

Owns `judge()` and the shapes that all answers share; what an acknowledgement holds is read in
`adapters.synthetix_lists`. Pure. An answer that differs from its model is `VenueReplyInvalid`,
also under HTTP 200, and names the field, never what stood there. An absent list is never an empty
one.

Answers changed over time, so old and new shapes count: an error with or without a category,
`timestamp` as milliseconds or as text. An error may come under HTTP 200.

Sources: developers.synthetix.io, error handling, rate limits and cancelAllOrders, read 2026-11-20.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters import synthetix_codes as codes
from adapters import synthetix_wire as wire
from adapters.carrier import Reply
from adapters.contract import VenueReplyInvalid
from adapters.synthetix_codes import Complaint

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""May be half a character: such text can be neither signed nor stored."""
RETRY_S, RETRY_S_MAX = 2.0, wire.BUDGET_S
"""The longest wait of our own choice, and the longest that is believed."""
SECOND_MS = 1000

Model = TypeVar("Model", bound=BaseModel)


class Wire(BaseModel):
    """A part of a reply: unknown fields are ignored, known ones are strict."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Bucket(Wire):
    limit: int = Field(alias="requestsCap", gt=0)
    remaining: int = Field(alias="remainingTokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer's JSON, before it is judged."""

    status: int
    fields: Mapping[str, Any] | None
    """None: it is no JSON object."""
    retry_after_s: float
    """How long to wait, should it be about speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an acknowledgement holds."""

    payload: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The venue's own count of tokens."""

    limit: int
    remaining: int


def hear(reply: Reply, *, venue_now_ms: float) -> Heard:
    """Read an answer, and how long to wait should it be about speed.

    Tokens "refill over time" by the docs, and others say to wait for the next ten seconds: so until
    those begin, and no longer than `RETRY_S`. Whoever asks too early is only told so again.
    """
    told = reply.headers.get("Retry-After", "")
    window_ms = wire.BUDGET_S * SECOND_MS
    wait_s = min((window_ms - venue_now_ms % window_ms) / SECOND_MS, RETRY_S)
    if re.fullmatch(r"[0-9]{1,4}", told):
        wait_s = min(float(told), RETRY_S_MAX)
    return Heard(status=reply.status, fields=_load(reply.body), retry_after_s=max(wait_s, 0.5))


def _load(text: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(text)
        if SURROGATE.search(text):
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def judge(heard: Heard, *, address: str) -> Told | None:
    """Judge an answer by what it says, then by its status; None: nothing is there to cancel.

    `address` is our signer's; empty: nothing was signed.

    Raises:
        VenueError: every answer that is not an acknowledgement.
    """
    fields, is_2xx = heard.fields, HTTPStatus.OK <= heard.status < HTTPStatus.MULTIPLE_CHOICES
    if fields is not None and (fields.get("error") or fields.get("status") == "error"):
        error = codes.error_of(_complaint(heard, fields.get("error")), address=address)
        if error is None:
            return None
        raise error
    if not is_2xx:
        raise codes.error_of_status(heard.status, retry_after_s=heard.retry_after_s)
    if fields is None:
        raise invalid("the answer is no JSON object")
    if fields.get("status") != "ok":
        raise invalid("the answer does not say that it is ok")
    return Told(payload=fields.get("response"))


def _complaint(heard: Heard, told: object) -> Complaint:
    """Read `{"code":…,"category":…,"message":…}`, or plain text."""
    error = told if isinstance(told, dict) else {"message": told}
    return Complaint(
        status=heard.status,
        code=text_of(error.get("code")),
        category=text_of(error.get("category")),
        said=text_of(error.get("message")),
        retry_after_s=heard.retry_after_s,
    )


def parse_quota(heard: Heard, name: str) -> Quota | None:
    """Read `{"requestsCap":1000,"remainingTokens":998}`; None where it is not told."""
    try:
        bucket = _Bucket.model_validate((heard.fields or {}).get(name))
    except ValidationError:
        return None
    return Quota(limit=bucket.limit, remaining=min(max(bucket.remaining, 0), bucket.limit))


def parse_time_ms(heard: Heard) -> float | None:
    """Read the venue's clock, in epoch milliseconds; None where it is not told."""
    at = moment((heard.fields or {}).get("timestamp"))
    return None if at is None else at.timestamp() * SECOND_MS


def read(model: type[Model], found: object, what: str) -> Model:
    """Hold an answer to its model.

    Raises:
        VenueReplyInvalid: it does not match; names the field, never a value.
    """
    try:
        return model.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its top"
        raise invalid(f"{what}, at {where}") from None


def moment(told: object) -> datetime | None:
    """Read a moment: epoch milliseconds, as a number or its digits, or RFC 3339."""
    text = text_of(told)
    try:
        if re.fullmatch(r"[0-9]{1,15}", text):
            return datetime.fromtimestamp(int(text) / SECOND_MS, UTC)
        # Python 3.11 reads at most six digits of a second's parts, and Go writes nine.
        at = datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text))
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo is not None else None


def text_of(told: object) -> str:
    """Take text, or a number as its digits; anything else is no text."""
    is_plain = isinstance(told, str | int | float) and not isinstance(told, bool)
    return str(told) if is_plain else ""


def invalid(what: str) -> VenueReplyInvalid:
    """Say that an answer does not match its model; `what` names the place, never a value."""
    return VenueReplyInvalid(user_message=f"Synthetix: the answer is not as documented: {what}")
