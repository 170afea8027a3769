"""Where the targets of runs stand, and who may send for them.

Owns leases per key with their fence, and the status of each target. Never decides who should hold a
lease: whoever asks first has it until it lapses by the database's clock.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, case, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from bot.domain.event import Event
from bot.domain.plan import Plan
from bot.domain.result import TargetStatus
from bot.flow.ports import Claim, Entry
from bot.store import events, rows, tables

logger = logging.getLogger(__name__)


def db_now() -> ColumnElement[float]:
    """Return the database's own clock as SQL: Unix seconds, good to a millisecond."""
    # SQLite before 3.42 has no unixepoch('subsec').
    return (func.julianday("now") - 2440587.5) * 86400.0


def keys_of(plan: Plan) -> list[str]:
    """Return the distinct keys of a plan: the units of a lease."""
    return sorted({target.key for target in plan.targets})


def add(connection: Connection, request_id: str, plan: Plan) -> None:
    """Insert one waiting target for each of a plan."""
    waiting = [
        {
            "request_id": request_id,
            "account": target.account,
            "place": place,
            "key": target.key,
            "status": rows.pack(TargetStatus(account=target.account, venue=target.venue)),
            "is_final": False,
        }
        for place, target in enumerate(plan.targets)
    ]
    if waiting:
        connection.execute(insert(tables.targets), waiting)


def statuses(connection: Connection, request_id: str) -> tuple[TargetStatus, ...]:
    """Return where the targets of a run stand, in the plan's order."""
    table = tables.targets
    query = select(table.c.status).where(table.c.request_id == request_id).order_by(table.c.place)
    return tuple(rows.unpack(TargetStatus, row) for row in connection.execute(query).scalars())


def claim(
    connection: Connection, keys: Sequence[str], *, owner: str, lease_s: float
) -> tuple[Claim, ...]:
    """Take or renew the leases on these keys; those that others hold are left out."""
    if not keys:
        return ()
    table = tables.leases
    until = db_now() + lease_s
    first = upsert(table).values(
        [
            {"key": key, "owner": owner, "lease_until": until, "fence": 1}
            for key in sorted(set(keys))
        ]
    )
    is_ours = func.coalesce(table.c.owner, "") == owner
    is_free = or_(table.c.owner.is_(None), table.c.lease_until <= db_now())
    taking = first.on_conflict_do_update(
        index_elements=[table.c.key],
        set_={
            "owner": owner,
            "lease_until": until,
            "fence": case((is_ours, table.c.fence), else_=table.c.fence + 1),
        },
        where=or_(is_ours, is_free),
    ).returning(table.c.key, table.c.fence)
    fences = sorted((row.key, row.fence) for row in connection.execute(taking))
    return tuple(Claim(key=key, fence=fence) for key, fence in fences)


def release(connection: Connection, *, owner: str) -> None:
    """Give every lease of this owner back."""
    table = tables.leases
    connection.execute(
        update(table).where(table.c.owner == owner).values(owner=None, lease_until=0.0)
    )


def record(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write what the journal took, in its order.

    The fence alone says who wrote: it rises with every change of holder. Where a key has passed to
    another holder, or a target is final, the status is refused; the event stays, marked, because a
    cancel that was sent was sent, whoever held the lease.
    """
    fences = _fences(connection, {entry.claim.key for entry in entries})
    facts = []
    for entry in entries:
        is_refused = fences.get(entry.claim.key) != entry.claim.fence
        if entry.status is not None and not is_refused:
            is_refused = not _write(connection, entry, entry.status)
        if is_refused:
            extra = {"request_id": entry.request_id, "fence": entry.claim.fence}
            logger.warning("entry.refused", extra=extra)
        if entry.event is not None:
            facts.append(_marked(entry.event) if is_refused else entry.event)
    events.write(connection, *facts)  # The journal showed them when it was told.


def take(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write what a console recorded: it held no lease, and nobody else works on its targets."""
    for entry in entries:
        if entry.status is not None:
            _write(connection, entry, entry.status)
    events.append(connection, *(entry.event for entry in entries if entry.event is not None))


def _fences(connection: Connection, keys: set[str]) -> dict[str, int]:
    """Return the fence of each key; nobody else can raise one during this transaction."""
    table = tables.leases
    found = select(table.c.key, table.c.fence).where(table.c.key.in_(keys))
    return {row.key: row.fence for row in connection.execute(found)}


def _write(connection: Connection, entry: Entry, status: TargetStatus) -> bool:
    """Write a status unless the target has its final one; tell whether it was written."""
    table = tables.targets
    writing = (
        update(table)
        .where(
            table.c.request_id == entry.request_id,
            table.c.account == status.account,
            table.c.key == entry.claim.key,
            table.c.is_final.is_(False),
        )
        .values(status=rows.pack(status), is_final=status.is_final)
    )
    return connection.execute(writing).rowcount == 1


def _marked(event: Event) -> Event:
    return replace(event, facts={**event.facts, "is_refused": True})
