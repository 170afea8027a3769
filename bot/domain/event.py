"""What happened, as facts that are chained by hash.

Owns the kinds of `Event`, canonical JSON and the chain. Log lines, metrics and the audit trail are
readings of the same event. Never stores, never logs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

GENESIS = "0" * 64
"""The hash before the first event."""


class EventKind(Enum):
    """The kinds of fact, `noun.past_verb`."""

    REQUEST_SUBMITTED = "request.submitted"
    VOTE_CAST = "vote.cast"
    VOTE_CONFIRMED = "vote.confirmed"
    VOTE_IGNORED = "vote.ignored"
    REQUEST_DENIED = "request.denied"
    REQUEST_WITHDRAWN = "request.withdrawn"
    REQUEST_EXPIRED = "request.expired"
    RUN_STARTED = "run.started"
    RUN_INTERRUPTED = "run.interrupted"
    RUN_FINISHED = "run.finished"
    CHASE_STOPPED = "chase.stopped"
    KEY_READ = "key.read"
    KEY_REFUSED = "key.refused"
    ROUND_BEGAN = "round.began"
    ROUND_ENDED = "round.ended"
    READING_TAKEN = "reading.taken"
    TARGET_JUDGED = "target.judged"
    GLASS_BROKEN = "glass.broken"
    GLASS_CLOSED = "glass.closed"
    KEYS_CHECKED = "keys.checked"


Fact = str | int | float | bool | None | list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact. `facts` holds names, counts and words; never a secret, never a body."""

    kind: EventKind
    request_id: str
    at: datetime
    """Aware UTC."""
    facts: Mapping[str, Fact]


def canonical(value: object) -> bytes:
    """Write `value` as the one JSON text that it has: sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: a float that JSON cannot express (NaN, infinity).
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def body(event: Event) -> bytes:
    """Write an event as canonical JSON: `{"at":…,"facts":{…},"kind":…,"request_id":…}`."""
    return canonical(
        {
            "at": event.at.isoformat(),
            "facts": dict(event.facts),
            "kind": event.kind.value,
            "request_id": event.request_id,
        }
    )


def chain(previous: str, event_body: bytes) -> str:
    """Return the hash of an event that follows `previous` (64 hex digits)."""
    return hashlib.sha256(previous.encode() + b"\n" + event_body).hexdigest()


def first_break(rows: Iterable[tuple[bytes, str]], *, previous: str = GENESIS) -> int | None:
    """Find the first row (body, hash) that does not follow from the one before it.

    Returns:
        Its index, or None if the chain holds.
    """
    for index, (event_body, stored) in enumerate(rows):
        previous = chain(previous, event_body)
        if previous != stored:
            return index
    return None
