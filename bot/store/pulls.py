"""Pulls in the database: what consoles recorded without one, and who closed them.

Owns their table, and the taking up of records. A record is taken up while its console still writes
it, so that the channel sees break glass at once; the same line never counts twice.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Select, insert, select, update

from bot.domain.event import Event, EventKind
from bot.domain.pull import Pull
from bot.domain.request import overlap
from bot.flow.ports import Entry
from bot.store import deliveries, events, lane, record, requests, rows, tables, targets
from bot.store.lane import Lane
from bot.store.record import Header
from bot.store.spool import Group

logger = logging.getLogger(__name__)

T = TypeVar("T")

FOLDER = "pulls"
"""Of the records, under the folder of the config's [state]."""
KEPT = timedelta(minutes=10)
"""After its consent ended, until a record that is not whole is put aside as it is."""
LOOK_S = 2.0
"""How long a look at the folder may take; a disk that hangs must not stop the tick."""


class Pulls:
    """Every pull. Each method is one transaction and may raise `StoreDown`."""

    def __init__(self, writer: Lane, reader: Lane) -> None:
        self._writer = writer
        self._reader = reader

    async def find(self, request_id: str) -> Pull | None:
        """Return who pulled; None if that request was no pull."""
        table = tables.pulls
        found = await self._read(select(table).where(table.c.request_id == request_id))
        return found[0] if found else None

    async def red(self) -> tuple[Pull, ...]:
        """Return every pull that nobody has closed, oldest first."""
        table = tables.pulls
        query = select(table).where(table.c.closed_by.is_(None))
        joined = query.join(tables.requests, tables.requests.c.id == table.c.request_id)
        return await self._read(joined.order_by(tables.requests.c.number))

    async def close(self, request_id: str, *, by: str, event: Event) -> bool:
        """Record who closed a pull; False if it was closed, or is none."""
        return await self._writer.run(lambda c: _close(c, request_id, by, event))

    async def take(self, header: Header, groups: tuple[Group, ...]) -> bool:
        """Take up a record as far as it goes; False if its id belongs to another request."""
        return await self._writer.run(lambda c: _take(c, header, groups))

    async def _read(self, query: Select[tuple[str, ...]]) -> tuple[Pull, ...]:
        def found(connection: Connection) -> tuple[Pull, ...]:
            return tuple(rows.unpack(Pull, dict(r)) for r in connection.execute(query).mappings())

        return await self._reader.run(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record as far as it goes."""

    path: Path
    header: Header
    groups: tuple[Group, ...]
    is_alive: bool
    """Its console still runs, here."""
    is_kept: bool
    """Nobody goes on with it: it has ended, or it is another host's, of whose console no lock
    tells."""

    @property
    def is_whole(self) -> bool:
        """Tell whether every target has its last verdict."""
        last = {e.status.account: e.status for g in self.groups for e in g.entries if e.status}
        named = {target.account for target in self.header.request.plan.targets}
        return all(name in last and last[name].is_final for name in named)


class Consoles:
    """The folder in which the consoles of this host leave their records."""

    def __init__(self, folder: Path, pulls: Pulls) -> None:
        self._folder = folder
        self._pulls = pulls
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="consoles")
        self._alive: frozenset[str] = frozenset()
        self._unread: frozenset[str] = frozenset()
        """Ids of records that the disk did not give: whether their consoles live is not known."""
        self.is_any_near = False
        """A console works here, or did a moment ago: it may have used up the budgets."""
        self._complained: int | None = None
        """The error that was logged last: it is met at every tick."""

    async def look(self) -> frozenset[str]:
        """Bring what consoles recorded into the store; return the ids that one still works on.

        Raises:
            StoreDown: the database did not answer; what is recorded waits.
        """
        reading = self._aside(self._read)
        done, _ = await asyncio.wait({reading}, timeout=LOOK_S)
        if not done:
            return self._alive  # The disk hangs; whoever pulls goes on without us.
        try:
            found = reading.result()
        except OSError as error:
            if error.errno != self._complained:
                logger.warning("records.unreadable", extra={"why": error.strerror})
            self._complained = error.errno
            return self._alive
        self.is_any_near = any(each.is_alive for each in found)
        held = [each.header.request.id for each in found if await self._take(each)]
        self._alive = frozenset(held) | self._unread
        return self._alive

    async def _take(self, found: Found) -> bool:
        """Take up one record; tell whether its run must be left alone.

        One that the database refuses is put aside: it must not keep others out, nor the tick.
        """
        try:
            is_taken = await self._pulls.take(found.header, found.groups)
        except lane.BUGS:
            logger.exception("record.refused", extra={"file": found.path.name})
            is_taken = False
        if found.is_alive or (found.is_kept and not found.is_whole and not self._is_old(found)):
            return is_taken
        ending = record.RECORDED if is_taken else record.REFUSED
        await self._aside(partial(record.put_aside, found.path, ending))
        return False

    def _is_old(self, found: Found) -> bool:
        """Tell whether nothing of a record can be missing any more: its consent ended long ago."""
        ends = found.header.request.consent_ends_at
        return ends is None or datetime.now(UTC) > ends + KEPT

    def _aside(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Let the thread go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _read(self) -> list[Found]:
        """Read every record that is not wholly in the database.

        Whether the console lives is asked first: what it wrote last must not be missed.
        """
        found, unread = [], set()
        for path in sorted(self._folder.glob(f"*{record.HEADER}")):
            try:
                found += self._read_one(path)
            except OSError as error:
                unread.add(path.stem)
                if path.stem not in self._unread:
                    extra = {"file": path.name, "why": str(error)}
                    logger.warning("record.unreadable", extra=extra)
        self._unread = frozenset(unread)
        return found

    def _read_one(self, path: Path) -> list[Found]:
        is_alive = record.is_alive(path)
        header = record.read_header(path)
        if header is None:  # It was written in one piece: it will not get better.
            if not is_alive:
                record.put_aside(path, record.REFUSED)
            return []
        groups = record.read_groups(path.with_suffix(record.ENTRIES))
        is_kept = record.has_ended(path) or header.host != socket.gethostname()
        return [Found(path=path, header=header, groups=groups, is_alive=is_alive, is_kept=is_kept)]


def _take(connection: Connection, header: Header, groups: tuple[Group, ...]) -> bool:
    request = header.request
    query = select(tables.requests.c.id).where(tables.requests.c.id == request.id)
    if connection.execute(query).scalar() is None:
        others = requests.entwined(connection, request)
        connection.execute(insert(tables.requests).values(rows.of_request(request)))
        values = {"request_id": request.id, "by": header.by, "host": header.host}
        connection.execute(insert(tables.pulls).values(values))
        for other in others:  # Neither waits for the other, and both cards name the other.
            requests.add_notes(connection, other, [overlap(other, request)])
        requests.add_notes(connection, request, [overlap(request, other) for other in others])
        targets.add(connection, request.id, request.plan)
        events.append(connection, header.event)
    elif not _is_pull(connection, request.id):
        logger.error("record.astray", extra={"request_id": request.id})
        return False
    for group in groups:
        if deliveries.is_first(connection, group.id, request.id):
            own = tuple(entry for entry in group.entries if _is_of(entry, request.id))
            if own != group.entries:
                logger.error("record.astray", extra={"request_id": request.id})
            targets.take(connection, own)
            for entry in own:
                _heed(connection, entry)
    return True


def _heed(connection: Connection, entry: Entry) -> None:
    """Remember that the chase was stopped: whoever goes on with the run sends nothing more."""
    if entry.event is not None and entry.event.kind is EventKind.CHASE_STOPPED:
        table = tables.requests
        stopping = update(table).where(table.c.id == entry.request_id)
        by = str(entry.event.facts.get("by_name", "console"))
        connection.execute(stopping.values(chase_stopped_by=by))


def _is_of(entry: Entry, request_id: str) -> bool:
    """Tell whether an entry speaks of this pull, and of nothing else."""
    of_event = request_id if entry.event is None else entry.event.request_id
    return entry.request_id == of_event == request_id


def _is_pull(connection: Connection, request_id: str) -> bool:
    query = select(tables.pulls.c.by).where(tables.pulls.c.request_id == request_id)
    return connection.execute(query).scalar() is not None


def _close(connection: Connection, request_id: str, by: str, event: Event) -> bool:
    table = tables.pulls
    closing = update(table).where(table.c.request_id == request_id, table.c.closed_by.is_(None))
    values = {"closed_by": by, "closed_at": event.at.isoformat()}
    if connection.execute(closing.values(values)).rowcount == 0:
        return False
    events.append(connection, event)
    return True
