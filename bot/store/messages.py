"""What Slack last took: channel, ts and revision of every message, and what is settled.

Owns their table; reads of the events what a card says of them. Never talks to Slack.

A request is settled once Slack has taken every message of its final state: a row of kind `settled`
with no `ts`. What ended and is not settled may be behind, however long Slack was away.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, case, exists, func, or_, select
from sqlalchemy.dialects.sqlite import insert as upsert

from bot.domain.message import Place, Sent
from bot.domain.request import RequestState
from bot.store import events, tables
from bot.store.lane import Lane

_OPEN = (RequestState.PENDING.value, RequestState.RUNNING.value)
_SETTLED = "settled"
_DAYS_MAX = 7.0
"""How long after its end a request's messages are still brought to their state."""


class Messages:
    """The messages of every request. Every method is one transaction and may raise `StoreDown`."""

    def __init__(self, writer: Lane, reader: Lane) -> None:
        self._writer = writer
        self._reader = reader

    async def find(self, place: Place) -> Sent | None:
        """Return what Slack last took; None if no post was ever answered."""
        return await self._reader.run(lambda c: _find(c, place))

    async def intend(self, place: Place, channel: str) -> None:
        """Record that a post is about to be sent."""
        await self._writer.run(lambda c: _intend(c, place, channel))

    async def taken(self, sent: Sent) -> None:
        """Record what Slack took; replaces what was recorded before."""
        await self._writer.run(lambda c: _taken(c, sent))

    async def behind(self) -> tuple[str, ...]:
        """Return ids of requests whose messages may be behind: open, or ended and not settled."""
        return await self._reader.run(_behind)

    async def settled(self, request_id: str) -> None:
        """Record that Slack has taken every message of a request that has ended."""
        await self._writer.run(lambda c: _settled(c, request_id))

    async def chain_head(self, request_id: str) -> str:
        """Return the hash of the event that ended a request; empty while it is open."""
        return await self._reader.run(lambda c: events.end_hash(c, request_id))

    async def approvers(self, request_id: str) -> frozenset[str] | None:
        """Return the person ids whose approvals started a run; None if it has not started."""
        return await self._reader.run(lambda c: events.approvers(c, request_id))


def _key(place: Place) -> dict[str, str]:
    return {"request_id": place.request_id, "kind": place.kind.value, "slot": place.slot}


def _find(connection: Connection, place: Place) -> Sent | None:
    table = tables.messages
    query = select(table.c.channel, table.c.ts, table.c.revision).where(
        table.c.ts.is_not(None), *(table.c[name] == value for name, value in _key(place).items())
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return Sent(place=place, channel=row.channel, ts=row.ts, revision=row.revision)


def _intend(connection: Connection, place: Place, channel: str) -> None:
    """Keep channel and ts of a message that Slack once took until it takes another."""
    table = tables.messages
    first = upsert(table).values(**_key(place), channel=channel, revision="", state="intended")
    again = first.on_conflict_do_update(
        index_elements=list(_key(place)),
        set_={
            "state": "intended",
            "channel": case((table.c.ts.is_(None), channel), else_=table.c.channel),
        },
    )
    connection.execute(again)


def _taken(connection: Connection, sent: Sent) -> None:
    values = {
        "channel": sent.channel,
        "ts": sent.ts,
        "revision": sent.revision,
        "state": "taken",
    }
    taking = upsert(tables.messages).values(**_key(sent.place), **values)
    connection.execute(
        taking.on_conflict_do_update(index_elements=list(_key(sent.place)), set_=values)
    )


def _settled(connection: Connection, request_id: str) -> None:
    table = tables.messages
    row = {"request_id": request_id, "kind": _SETTLED, "slot": "", "channel": ""}
    settling = upsert(table).values(**row, revision="", state="taken")
    connection.execute(settling.on_conflict_do_nothing())


def _behind(connection: Connection) -> tuple[str, ...]:
    table, messages = tables.requests, tables.messages
    age = func.julianday("now") - func.julianday(table.c.ended_at)
    is_settled = exists().where(messages.c.request_id == table.c.id, messages.c.kind == _SETTLED)
    is_unsettled = and_(table.c.ended_at.is_not(None), age < _DAYS_MAX, ~is_settled)
    query = (
        select(table.c.id)
        .where(or_(table.c.state.in_(_OPEN), is_unsettled))
        .order_by(table.c.number)
    )
    return tuple(connection.execute(query).scalars())
