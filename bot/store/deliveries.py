"""What was delivered before: a redelivery changes nothing.

Owns the ids of deliveries, recorded in the transaction of their effect. Slack's, the doors', and
the journal's own groups are all the same here: something that may come twice.
"""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert as upsert

from bot.store import tables


def led_to(connection: Connection, delivery: str) -> str | None:
    """Return the id of the request that a delivery led to; None if it was never seen."""
    table = tables.deliveries
    found: str | None = connection.execute(
        select(table.c.request_id).where(table.c.id == delivery)
    ).scalar()
    return found


def is_first(connection: Connection, delivery: str, request_id: str | None = None) -> bool:
    """Record a delivery; False if it was seen before."""
    recording = upsert(tables.deliveries).values(id=delivery, request_id=request_id)
    return connection.execute(recording.on_conflict_do_nothing()).rowcount == 1
