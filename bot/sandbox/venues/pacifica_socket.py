"""The WebSocket of the simulated Pacifica: what a frame asks for, and what replies look like.

Owns the reading of frames and their replies. Nothing is pushed: a subscription is acknowledged and
stays silent. Source: docs.pacifica.fi, WebSocket (2025, 2026), and a reply that ccxt 4.5.90 quotes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bot.sandbox.venues import faults
from bot.sandbox.venues.exchange import Answer, Transport, as_json
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.venues.pacifica_shapes import Conflicts, Fields, Refused

PATH: Final = "/ws"
PING: Final = "ping"
SUBSCRIBE: Final = "subscribe"
SOURCES = frozenset(
    {
        "account_orders",
        "account_order_updates",
        "account_positions",
        "account_trades",
        "account_twap_orders",
        "account_twap_order_updates",
        "book",
        "prices",
        "trades",
    }
)
SILENCE = Answer(status=200, body=b"", transport=Transport.HANG)
"""A frame that is never answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame as it was understood."""

    name: str = ""
    """`ping`, `subscribe`, or the operation; empty: it cannot be read."""
    request_id: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """What a fault's path is compared with."""
        return f"{PATH}/{self.name}"


def read(body: bytes) -> Frame:
    """Understand a frame: the operation's name is the only key inside `params`."""
    try:
        found = json.loads(body)
    except ValueError:
        return Frame()
    if not isinstance(found, dict):
        return Frame()
    params = found.get("params")
    if found.get("method") in {PING, SUBSCRIBE}:
        return Frame(name=str(found["method"]), params=params if isinstance(params, dict) else {})
    request_id = found.get("id") if _is_uuid(found.get("id")) else ""
    if isinstance(params, dict) and len(params) == 1:
        ((name, args),) = params.items()
        if isinstance(args, dict):
            return Frame(name=name, request_id=str(request_id), params=args)
    return Frame(request_id=str(request_id))


def _is_uuid(text: object) -> bool:
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def control(frame: Frame) -> Answer:
    """Answer what is no operation; a bad subscription is answered by silence."""
    if frame.name == PING:
        return Answer(status=200, body=as_json({"channel": "pong"}))
    if frame.params.get("source") in SOURCES:
        return Answer(status=200, body=as_json({"channel": SUBSCRIBE, "data": dict(frame.params)}))
    return SILENCE


def replied(frame: Frame, found: object, *, venue_ms: int) -> Fields:
    """Write what an operation has done."""
    return {
        "code": 200,
        "data": found,
        "id": frame.request_id,
        "t": venue_ms,
        "type": frame.name,
    }


def failed(frame: Frame, refused: Refused, conflicts: Conflicts, *, venue_ms: int) -> Fields:
    """Write an error: its words are in `err`."""
    fields: Fields = {"code": refused.ws_code, "err": refused.said, "t": venue_ms}
    if frame.name:
        fields["type"] = frame.name
    if frame.request_id and conflicts.ws_errors_have_id:
        fields["id"] = frame.request_id
    return fields


def unseen(
    frame: Frame, fault: Fault | None, conflicts: Conflicts, *, venue_ms: int
) -> Answer | None:
    """Return what a frame gets that is never looked at: what a frame can get instead of a status.

    Too many calls and a failing server are errors of the protocol; what has no word there closes
    the connection.
    """
    plain = faults.unseen(fault)
    if plain is None or fault is None:
        return None
    if fault.wrong in _REFUSALS:
        code, said = _REFUSALS[fault.wrong]
        fields = failed(frame, Refused(code, said, ws=code), conflicts, venue_ms=venue_ms)
        return Answer(status=code, body=as_json(fields))
    return replace(plain, transport=Transport.RESET) if fault.wrong in _CLOSING else plain


_REFUSALS: Mapping[Wrong, tuple[int, str]] = {
    Wrong.TOO_MANY: (429, "Rate limit exceeded"),
    Wrong.SERVER: (500, "Internal server error"),
}
_CLOSING = {Wrong.UNAVAILABLE, Wrong.REDIRECT, Wrong.BANNED}
