"""Requests, their votes, and every change of state.

Owns the port `RequestStore` and the one compare-and-swap through which a state moves. Never reads
the wall clock: times come with the events. Each method is one transaction and returns after its
commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from bot.domain.event import Event, EventKind
from bot.domain.request import (
    TRANSITIONS,
    Count,
    IllegalTransition,
    Request,
    RequestState,
    overlap,
)
from bot.domain.result import TargetStatus
from bot.flow.ports import Claim, Start, Started, Submitted
from bot.store import deliveries, events, rows, tables, targets
from bot.store.lane import Lane
from policies.model import Answer, Vote

_OPEN = (RequestState.PENDING.value, RequestState.RUNNING.value)


class Requests:
    """The request store. Every method may raise `StoreDown`: then nothing was changed.

    The one exception to that: a commit that had begun when the limit passed. Whoever reads again
    sees what became of it.
    """

    def __init__(self, writer: Lane, reader: Lane, *, lease_s: float) -> None:
        self._writer = writer
        self._reader = reader
        self._lease_s = lease_s

    async def submit(self, request: Request, *, event: Event, delivery: str) -> Submitted | None:
        """Store a PENDING request; a pending one of the same plan or person stands in its way.

        Returns:
            None if its id was drawn before: nothing is stored.
        """
        return await self._writer.run(lambda c: _submit(c, request, event, delivery))

    async def find(self, request_id: str) -> Request | None:
        """Return a request by its id."""
        return await self._reader.run(lambda c: _find(c, request_id))

    async def open_requests(self) -> tuple[Request, ...]:
        """Return every PENDING and RUNNING request, oldest first."""
        return await self._reader.run(_open_requests)

    async def votes(self, request_id: str) -> tuple[Vote, ...]:
        """Return the newest vote of each person, oldest first."""
        return await self._reader.run(lambda c: _votes(c, request_id))

    async def cast(self, vote: Vote, *, event: Event, delivery: str) -> bool:
        """Store a vote on a PENDING request; False if this delivery was seen or it has ended."""
        return await self._writer.run(lambda c: _cast(c, vote, event, delivery))

    async def confirm(self, before: Vote, now: Vote, *, event: Event) -> bool:
        """Put a vote whose caster is known now in the place of the unknown one.

        Returns:
            False if `before` no longer stands: whoever cast it has answered anew.
        """
        return await self._writer.run(lambda c: _confirm(c, before, now, event))

    async def note(self, event: Event, *, delivery: str) -> bool:
        """Append an event that changes no state; False if this delivery was seen."""
        return await self._writer.run(lambda c: _note(c, event, delivery))

    async def start(self, start: Start) -> Started | None:
        """Swap PENDING for RUNNING and claim its keys; None if the swap is lost."""
        return await self._writer.run(lambda c: _start(c, start, self._lease_s))

    async def end(
        self, request_id: str, *, expect: RequestState, to: RequestState, why: str, event: Event
    ) -> Request | None:
        """Swap `expect` for a final state; None if the request was not in `expect`.

        Raises:
            IllegalTransition: `to` cannot follow `expect`; nothing happens.
        """
        values = {"ended_at": event.at.isoformat(), "ended_why": why}
        swap = (expect, to)
        return await self._writer.run(lambda c: _move(c, request_id, swap, values, event))

    async def counted(
        self,
        request_id: str,
        counts: Sequence[Count],
        *,
        notes: Sequence[str] = (),
    ) -> Request | None:
        """Store the preview of a request, and add what its card warns of; None if it ended.

        Counts that come after the start are dropped: the run may have cancelled what they missed.
        """
        return await self._writer.run(lambda c: _counted(c, request_id, counts, notes))

    async def stop_chase(self, request_id: str, *, by: str, event: Event) -> Request | None:
        """Record who stopped the chase; None if the request is not RUNNING or it was stopped."""
        return await self._writer.run(lambda c: _stop_chase(c, request_id, by, event))

    async def statuses(self, request_id: str) -> tuple[TargetStatus, ...]:
        """Return where the targets of a run stand, in the plan's order."""
        return await self._reader.run(lambda c: targets.statuses(c, request_id))

    async def claim(self, keys: Sequence[str], *, owner: str, lease_s: float) -> tuple[Claim, ...]:
        """Take or renew the leases on these keys; those held by others are left out."""
        return await self._writer.run(
            lambda c: targets.claim(c, keys, owner=owner, lease_s=lease_s)
        )

    async def release(self, *, owner: str) -> None:
        """Give every lease of this owner back."""
        await self._writer.run(lambda c: targets.release(c, owner=owner))

    async def chain_head(self) -> str:
        """Return the hash of the newest event."""
        return await self._reader.run(events.head)


def swap(
    connection: Connection,
    request_id: str,
    states: tuple[RequestState, RequestState],
    values: dict[str, Any],
) -> bool:
    """Move a request from one state to the next if it is still there; the only way a state moves.

    Raises:
        IllegalTransition: the table of states does not know this step; nothing happens.
    """
    expect, to = states
    if to not in TRANSITIONS[expect]:
        raise IllegalTransition(f"{request_id}: {expect.value} cannot become {to.value}")
    table = tables.requests
    moving = (
        update(table)
        .where(table.c.id == request_id, table.c.state == expect.value)
        .values(state=to.value, **values)
    )
    return connection.execute(moving).rowcount == 1


def _move(
    connection: Connection,
    request_id: str,
    states: tuple[RequestState, RequestState],
    values: dict[str, Any],
    event: Event,
) -> Request | None:
    """Swap the state and append the event that says so."""
    if not swap(connection, request_id, states, values):
        return None
    events.append(connection, event)
    return _find(connection, request_id)


def _submit(
    connection: Connection, request: Request, event: Event, delivery: str
) -> Submitted | None:
    seen = deliveries.led_to(connection, delivery)
    if seen is not None:
        before = _find(connection, seen)
        assert before is not None
        return Submitted(request=before, is_new=False)
    assert request.state is RequestState.PENDING
    if _find(connection, request.id) is not None:
        return None
    row = rows.of_request(request)
    in_the_way = _in_the_way(connection, row, event.at)
    deliveries.is_first(connection, delivery, in_the_way.id if in_the_way else request.id)
    if in_the_way is not None:
        return Submitted(request=in_the_way, is_new=False)
    connection.execute(insert(tables.requests).values(row))
    events.append(connection, event)
    return Submitted(request=request, is_new=True)


def _in_the_way(connection: Connection, row: dict[str, Any], now: datetime) -> Request | None:
    """Find a pending request of the same person, else one of the same plan.

    One that cannot be read expires: nobody can answer it, and it must not block the asker for ever.
    """
    table = tables.requests
    is_theirs = table.c.person_id == row["person_id"]
    query = (
        select(table)
        .where(
            table.c.state == RequestState.PENDING.value,
            or_(is_theirs, table.c.fingerprint == row["fingerprint"]),
        )
        .order_by(is_theirs.desc())
    )
    for found in connection.execute(query).mappings().all():
        request = rows.readable_request(found)
        if request is not None:
            return request
        why = "It could not be read."
        values = {"ended_at": now.isoformat(), "ended_why": why}
        swap(connection, found["id"], (RequestState.PENDING, RequestState.EXPIRED), values)
        kind, facts = EventKind.REQUEST_EXPIRED, {"why": why}
        events.append(connection, Event(kind=kind, request_id=found["id"], at=now, facts=facts))
    return None


def _find(connection: Connection, request_id: str) -> Request | None:
    table = tables.requests
    row = connection.execute(select(table).where(table.c.id == request_id)).mappings().first()
    return rows.to_request(row) if row else None


def _open_requests(connection: Connection) -> tuple[Request, ...]:
    table = tables.requests
    query = select(table).where(table.c.state.in_(_OPEN)).order_by(table.c.number)
    found = (rows.readable_request(row) for row in connection.execute(query).mappings())
    return tuple(request for request in found if request is not None)


def _votes(connection: Connection, request_id: str) -> tuple[Vote, ...]:
    table = tables.votes
    query = select(table.c.vote).where(table.c.request_id == request_id).order_by(table.c.number)
    return tuple(rows.unpack(Vote, row) for row in connection.execute(query).scalars())


def _cast(connection: Connection, vote: Vote, event: Event, delivery: str) -> bool:
    request = _find(connection, vote.request_id)
    if request is None or request.state is not RequestState.PENDING:
        return False
    if not deliveries.is_first(connection, delivery, vote.request_id):
        return False
    _remove(connection, vote)  # Inserted anew, so that the newest vote has the highest number.
    _insert(connection, vote)
    events.append(connection, event)
    return True


def _confirm(connection: Connection, before: Vote, now: Vote, event: Event) -> bool:
    request = _find(connection, now.request_id)
    if request is None or request.state is not RequestState.PENDING:
        return False
    standing = {_key(vote): vote for vote in _votes(connection, now.request_id)}
    if _key(before) not in standing:
        return False
    _remove(connection, before)
    others = [vote for vote in standing.values() if vote.actor.person_id == now.actor.person_id]
    if any(vote.at > now.at for vote in others):
        return False  # Under another user id this person has answered since: that one counts.
    _remove(connection, now)
    _insert(connection, now)
    events.append(connection, event)
    return True


def _key(vote: Vote) -> tuple[str, Answer, datetime]:
    """Name one click: knowing its person better does not change it."""
    return vote.actor.user_id, vote.answer, vote.at


def _remove(connection: Connection, vote: Vote) -> None:
    """Take out whatever this person has answered to this request."""
    table = tables.votes
    connection.execute(
        delete(table).where(
            table.c.request_id == vote.request_id, table.c.person_id == vote.actor.person_id
        )
    )


def _insert(connection: Connection, vote: Vote) -> None:
    connection.execute(
        insert(tables.votes).values(
            request_id=vote.request_id,
            person_id=vote.actor.person_id,
            answer=vote.answer.value,
            vote=rows.pack(vote),
        )
    )


def _note(connection: Connection, event: Event, delivery: str) -> bool:
    if not deliveries.is_first(connection, delivery, event.request_id):
        return False
    events.append(connection, event)
    return True


def _start(connection: Connection, start: Start, lease_s: float) -> Started | None:
    request = _find(connection, start.request_id)
    if request is None or start.decided_at >= request.expires_at:
        return None
    judged = {_key(vote) for vote in start.votes}
    if judged != {_key(vote) for vote in _votes(connection, start.request_id)}:
        return None
    others = entwined(connection, request)
    values = {
        "decided_at": start.decided_at.isoformat(),
        "verdict_at": start.verdict_at.isoformat(),
        "consent_ends_at": start.consent_ends_at.isoformat(),
        "notes": [*request.notes, *start.notes, *(overlap(request, other) for other in others)],
    }
    states = (RequestState.PENDING, RequestState.RUNNING)
    running = _move(connection, start.request_id, states, values, start.event)
    if running is None:
        return None
    for other in others:
        add_notes(connection, other, [overlap(other, request)])
    targets.add(connection, running.id, running.plan)
    keys = targets.keys_of(running.plan)
    return Started(
        request=running,
        statuses=targets.statuses(connection, running.id),
        claims=targets.claim(connection, keys, owner=start.owner, lease_s=lease_s),
    )


def entwined(connection: Connection, request: Request) -> list[Request]:
    """Return the runs that work on an account of this request right now."""
    running = [r for r in _open_requests(connection) if r.state is RequestState.RUNNING]
    return [other for other in running if overlap(request, other)]


def add_notes(connection: Connection, request: Request, notes: Sequence[str]) -> None:
    """Add what the card of a request warns of."""
    table = tables.requests
    values = {"notes": [*request.notes, *notes]}
    connection.execute(update(table).where(table.c.id == request.id).values(values))


def _counted(
    connection: Connection, request_id: str, counts: Sequence[Count], notes: Sequence[str]
) -> Request | None:
    request = _find(connection, request_id)
    if request is None or request.state.value not in _OPEN:
        return None
    add_notes(connection, request, notes)
    if request.state is RequestState.PENDING:
        table = tables.requests
        values = {"counts": [rows.pack(count) for count in counts]}
        connection.execute(update(table).where(table.c.id == request_id).values(values))
    return _find(connection, request_id)


def _stop_chase(connection: Connection, request_id: str, by: str, event: Event) -> Request | None:
    table = tables.requests
    stopping = update(table).where(
        table.c.id == request_id,
        table.c.state == RequestState.RUNNING.value,
        table.c.chase_stopped_by.is_(None),
    )
    if connection.execute(stopping.values(chase_stopped_by=by)).rowcount == 0:
        return None
    events.append(connection, event)
    return _find(connection, request_id)
