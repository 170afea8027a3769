"""The audit trail: events chained by hash, in the transaction of what they tell.

Owns `append` and `write`, the chain's head and its proof. Never changes or deletes an event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, insert, select

from bot.domain import event as events
from bot.domain.event import GENESIS, Event, EventKind
from bot.store import seen, tables
from bot.store.lane import Lane


def append(connection: Connection, *facts: Event) -> None:
    """Add events to the chain in the caller's transaction; they are seen once it is durable."""
    write(connection, *facts)
    seen.later(connection, facts)


def write(connection: Connection, *facts: Event) -> None:
    """Add events to the end of the chain in their order; they were seen when they were told."""
    if not facts:
        return
    previous, written = head(connection), []
    for event in facts:
        body = events.body(event)
        previous = events.chain(previous, body)
        row = {"request_id": event.request_id, "kind": event.kind.value, "hash": previous}
        written.append(row | {"body": body.decode()})
    connection.execute(insert(tables.events), written)


def head(connection: Connection) -> str:
    """Return the hash of the newest event, 64 hex digits."""
    newest = select(tables.events.c.hash).order_by(tables.events.c.seq.desc()).limit(1)
    return connection.execute(newest).scalar() or GENESIS


_ENDS = (
    EventKind.REQUEST_DENIED,
    EventKind.REQUEST_WITHDRAWN,
    EventKind.REQUEST_EXPIRED,
    EventKind.RUN_INTERRUPTED,
    EventKind.RUN_FINISHED,
)


def end_hash(connection: Connection, request_id: str) -> str:
    """Return the hash of the event that ended a request: it never changes; empty while open."""
    table = tables.events
    kinds = [kind.value for kind in _ENDS]
    query = select(table.c.hash).where(table.c.request_id == request_id, table.c.kind.in_(kinds))
    return connection.execute(query.order_by(table.c.seq.desc()).limit(1)).scalar() or ""


def approvers(connection: Connection, request_id: str) -> frozenset[str] | None:
    """Return the person ids whose approvals started a run; None if it has not started."""
    table = tables.events
    is_start = table.c.kind == EventKind.RUN_STARTED.value
    query = select(table.c.body).where(table.c.request_id == request_id, is_start)
    body = connection.execute(query.order_by(table.c.seq).limit(1)).scalar()
    if body is None:
        return None
    named = _event(body).facts.get("approvers")
    return frozenset(named) if isinstance(named, list) else None


class Trail:
    """Reads the audit trail. Each method is one transaction and may raise `StoreDown`."""

    def __init__(self, reader: Lane) -> None:
        self._reader = reader

    async def events(self, request_id: str) -> tuple[Event, ...]:
        """Return what happened to a request, oldest first."""
        return await self._reader.run(lambda connection: _events(connection, request_id))

    async def first_break(self) -> int | None:
        """Find the number of the first event that does not follow from the one before it.

        Returns:
            Its `seq`, or None if the whole chain holds.
        """
        return await self._reader.run(first_break)


def _events(connection: Connection, request_id: str) -> tuple[Event, ...]:
    table = tables.events
    rows = connection.execute(
        select(table.c.body).where(table.c.request_id == request_id).order_by(table.c.seq)
    )
    return tuple(_event(body) for body in rows.scalars())


def _event(body: str) -> Event:
    fields = json.loads(body)
    return Event(
        kind=EventKind(fields["kind"]),
        request_id=fields["request_id"],
        at=datetime.fromisoformat(fields["at"]),
        facts=fields["facts"],
    )


def first_break(connection: Connection) -> int | None:
    """Find the number of the first event that does not follow; see `Trail.first_break`."""
    table = tables.events
    rows = connection.execute(select(table.c.seq, table.c.body, table.c.hash).order_by(table.c.seq))
    last = 0

    def chained() -> Iterator[tuple[bytes, str]]:
        nonlocal last
        for seq, body, stored in rows:
            last = seq
            yield body.encode(), stored

    return None if events.first_break(chained()) is None else last
