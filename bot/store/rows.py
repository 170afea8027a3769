"""Between the program's values and what a row holds.

Owns serialisation: values become JSON-ready Python and JSON text, and come back validated by
pydantic. Never touches a connection.
"""

from __future__ import annotations

import json
import logging
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from bot.domain import plan as plans
from bot.domain.request import Request

logger = logging.getLogger(__name__)

T = TypeVar("T")

_STORE_ONLY = frozenset({"number", "person_id", "fingerprint"})
"""Columns of a request that its value does not have."""


@cache
def _made(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return _made(kind)


def pack(value: object) -> Any:
    """Turn a dataclass into what JSON can express: enums by value, times as ISO text."""
    return _adapter(type(value)).dump_python(value, mode="json")


def unpack(kind: type[T], packed: object) -> T:
    """Turn what `pack` made back into a value.

    Raises:
        ValueError: it is no such value (pydantic's ValidationError).
    """
    value: T = _adapter(kind).validate_python(packed)
    return value


def to_line(value: object) -> bytes:
    """Write a dataclass as one line of JSON, without the line's end."""
    return _adapter(type(value)).dump_json(value)


def from_line(kind: type[T], line: bytes) -> T:
    """Read what `to_line` wrote.

    Raises:
        ValueError: the line is cut or is no such value.
    """
    value: T = _adapter(kind).validate_json(line)
    return value


def mended(value: T) -> T:
    """Put a question mark for whatever UTF-8 lacks: a venue's words may be cut inside a letter.

    Raises:
        ValueError: something else about it cannot be written.
    """
    text = json.dumps(pack(value), ensure_ascii=False)
    return from_line(type(value), text.encode(errors="replace"))


def of_request(request: Request) -> dict[str, Any]:
    """Make the row of a request, by column."""
    row: dict[str, Any] = pack(request)
    row["person_id"] = request.requester.person_id
    row["fingerprint"] = plans.digest(request.plan, request_id="")
    return row


def to_request(row: RowMapping) -> Request:
    """Make a request of its row."""
    return unpack(Request, {key: value for key, value in row.items() if key not in _STORE_ONLY})


def readable_request(row: RowMapping) -> Request | None:
    """Make a request of its row, or complain: one that nobody can read must not hide the others."""
    try:
        return to_request(row)
    except ValueError:
        _complain(str(row["id"]))
        return None


@cache
def _complain(request_id: str) -> None:
    """Log once, for this is met at every tick."""
    logger.error("request.unreadable", extra={"request_id": request_id})
