"""Who else sees an event: once it is in the chain, or once the journal has it.

Owns `Seen`, and how a transaction keeps its events back until it is durable. Never knows what is
made of them: log lines and metrics are readings of an event, and the store imports neither.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from bot.domain.event import Event

logger = logging.getLogger(__name__)

Seen = Callable[[Event], None]
"""Sees each event of this process exactly once; a replay shows it nothing again."""
_TOLD = "cancelall.told"


def by_nobody(_: Event) -> None:
    """See nothing: the default."""


def guarded(seen: Seen) -> Seen:
    """Make of it one that never raises: its bug must break no run and no transaction."""

    def see(event: Event) -> None:
        try:
            seen(event)
        except Exception:
            facts = {"kind": event.kind.value, "request_id": event.request_id}
            logger.exception("event.unread", extra=facts)

    return see


def begin(connection: Connection) -> list[Event]:
    """Begin a transaction that has told nothing; returns what it will have told."""
    told: list[Event] = []
    connection.info[_TOLD] = told  # Replaced, so that nothing of one rolled back is left.
    return told


def later(connection: Connection, facts: Sequence[Event]) -> None:
    """Have events seen once the transaction is durable; of one rolled back nothing is seen."""
    connection.info[_TOLD] += facts
