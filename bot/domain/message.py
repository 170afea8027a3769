"""What Slack last took of one message.

Owns `Kind`, `Place` and `Sent`: the words that presenter and store share. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The kinds of message."""

    CARD = "card"
    BOARD = "board"
    VENUE_REPLY = "venue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one message is: of which request, which kind, for which venue."""

    request_id: str
    kind: Kind
    slot: str = ""
    """The venue of a venue reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What Slack last took of one message."""

    place: Place
    channel: str
    ts: str
    revision: str
    """Digest of the content that Slack took last."""
