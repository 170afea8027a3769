"""The journal: takes records from the venue loop and makes them durable behind its back.

Owns the port `Journal`: grouping, the spool while the database is slow or down, replay in order.
Never makes the venue loop wait, never loses what `flush` has answered for, and leaves nothing in
memory alone for long: bytes that may have left must not be forgotten when the process is killed.
It works in a thread of its own, so that neither a full event loop nor a slow disk holds up the
other.
"""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import time
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.domain import event as events
from bot.flow.ports import Entry, StoreDown
from bot.store import deliveries, rows, targets
from bot.store import seen as seens
from bot.store.lane import BUGS, Begun, Lane
from bot.store.seen import Seen
from bot.store.spool import Group, Spool

logger = logging.getLogger(__name__)

GROUP_MAX = 200
"""Entries in one transaction."""
QUICK_S = 0.05
"""How long the database may take before what waits for it is spooled."""
AGAIN_S = 0.5
"""Between two tries while the database is down."""
CLOSE_S = 5.0
"""How long closing waits for what is queued."""


class StoreJournal:
    """Commits what is waiting in groups: while one is written, the next gathers."""

    def __init__(self, writer: Lane, spool: Spool, seen: Seen) -> None:
        self._writer = writer
        self._spool = spool
        self._seen = seen
        self._queue: queue.SimpleQueue[Entry | Future[None] | None] = queue.SimpleQueue()
        self._backlog = list(spool.read())
        """Groups that are not in the database, oldest first."""
        self._spooled = len(self._backlog)
        """How many of them, from the first, are in the spool."""
        self._begun: Begun | None = None
        """The commit of the oldest group, while it is on its way."""
        self._again_at = 0.0
        """While the database is down: when to try it again (monotonic)."""
        self._is_refused = False
        """The disk has refused the spool."""
        self._marks: list[Future[None]] = []
        """Flushes that wait for what was queued before them."""
        self._is_closing = False
        pool = ThreadPoolExecutor(1, thread_name_prefix="store-journal")
        self._thread = pool.submit(self._work)
        self._thread.add_done_callback(_tell_of_bug)
        pool.shutdown(wait=False)

    def put(self, entry: Entry) -> None:
        """Queue an entry; it is committed in groups, or spooled while the database is down."""
        self._queue.put(entry)
        if entry.event is not None:  # Seen here: neither database nor disk may silence a run.
            self._seen(entry.event)

    @property
    def is_behind(self) -> bool:
        """Tell whether the database has failed, and lacks something since then."""
        return self._again_at > 0.0

    @property
    def trouble(self) -> str:
        """Say why what a run tells does not reach the database; empty if it does."""
        if self._thread.done():
            return "the journal has ended"
        if self.is_behind:
            where = "in memory only" if self._is_refused else "in the spool"
            return f"what runs told is not in the database yet: it is {where}"
        return ""

    async def flush(self) -> None:
        """Wait until everything queued so far is durable.

        Raises:
            StoreDown: neither the database nor the disk takes it, or the journal has ended.
        """
        mark: Future[None] = Future()
        self._queue.put(mark)
        waiting = asyncio.wrap_future(mark)
        while not (await asyncio.wait({waiting}, timeout=AGAIN_S))[0]:
            if self._thread.done():
                raise StoreDown("the journal has ended")
        await waiting

    async def close(self) -> None:
        """Make what is queued durable, and end the thread."""
        self._queue.put(None)
        thread = asyncio.wrap_future(self._thread)
        done, _ = await asyncio.wait({thread}, timeout=CLOSE_S)
        if not done:
            logger.error("journal.abandoned", extra={"groups": len(self._backlog)})
        else:
            self._thread.result()

    def _work(self) -> None:
        self._store(math.inf)  # Before the first tick looks at what a run told.
        while not self._is_closing:
            self._turn()
        self._store(math.inf)
        self._keep()
        if lost := self._backlog[self._spooled :]:
            logger.error("journal.lost", extra={"entries": sum(len(g.entries) for g in lost)})

    def _turn(self) -> None:
        """Take what is queued to the database, and to the spool if that is slow or down."""
        self._gather()
        if time.monotonic() >= self._again_at:
            self._store(QUICK_S)
        self._keep()

    def _gather(self) -> None:
        """Wait for entries, and make a group of what is there."""
        entries: list[Entry] = []
        pause_s = max(0.0, self._again_at - time.monotonic()) if self._backlog else None
        try:
            while len(entries) < GROUP_MAX:
                match self._queue.get(timeout=pause_s):
                    case None:
                        self._is_closing = True
                        break
                    case Future() as mark:
                        self._marks.append(mark)
                    case entry:
                        entries += _writable(entry)
                pause_s = 0.0
        except queue.Empty:
            pass
        if entries:
            self._backlog.append(Group(id=f"journal:{uuid.uuid4().hex}", entries=tuple(entries)))

    def _store(self, within_s: float) -> None:
        """Commit the backlog, oldest first, until it is empty, time is up or the database fails."""
        until = time.monotonic() + within_s
        while self._backlog:
            try:
                record = partial(_record, group=self._backlog[0])
                self._begun = self._begun or self._writer.begin(record)
                if not self._writer.is_done(self._begun, until=until):
                    return
            except BUGS:  # It would be refused again, and nothing behind it would ever be stored.
                logger.exception("group.refused", extra={"group": self._backlog[0].id})
                self._begun = None
                self._backlog[:1] = self._backlog[0].parts()  # Only the one at fault is lost.
                self._spooled = 0  # All goes to the spool anew: what is stored twice counts once.
                continue
            except (StoreDown, SQLAlchemyError) as error:
                self._begun = None
                if self._again_at == 0.0:
                    logger.warning("journal.spooling", extra={"why": str(error)})
                self._again_at = time.monotonic() + AGAIN_S
                return
            self._begun = None
            self._backlog.pop(0)
            self._spooled = max(0, self._spooled - 1)
        if self._again_at:
            logger.warning("journal.replayed")
        self._again_at = 0.0

    def _keep(self) -> None:
        """Bring the spool in step with the backlog, and answer the flushes."""
        try:
            if self._backlog:
                self._spool.append(self._backlog[self._spooled :])
                self._spooled = len(self._backlog)
            else:
                self._spool.clear()
            self._is_refused = False
        except OSError as error:
            if not self._is_refused:
                logger.warning("spool.refused", extra={"why": error.strerror})
            self._is_refused = True
        if self._spooled == len(self._backlog):
            self._answer(None)
        elif self._again_at:
            self._answer(StoreDown("neither the database nor the disk takes what was told"))

    def _answer(self, error: StoreDown | None) -> None:
        for mark in self._marks:
            if mark.set_running_or_notify_cancel():
                if error:
                    mark.set_exception(error)
                else:
                    mark.set_result(None)
        self._marks.clear()


def _tell_of_bug(work: Future[None]) -> None:
    if error := work.exception():
        logger.error("journal.broken", exc_info=error)


@asynccontextmanager
async def open_journal(
    writer: Lane, spool: Path, *, seen: Seen = seens.by_nobody
) -> AsyncIterator[StoreJournal]:
    """Open the journal and replay what the spool holds; leaving flushes it.

    `seen` is shown each event as it is put; what is replayed was seen when it was put.
    """
    journal = StoreJournal(writer, Spool(spool), seen)
    try:
        await journal.flush()
        yield journal
    finally:
        await journal.close()


def _record(connection: Connection, *, group: Group) -> None:
    """Write a group once, however often it comes."""
    if deliveries.is_first(connection, group.id):
        targets.record(connection, group.entries)


def _writable(entry: Entry) -> list[Entry]:
    """Return an entry as it can be written; a bug or an odd letter in one must not stop the rest.

    An event that cannot be written at all leaves its status behind.
    """
    for change in (_as_it_is, rows.mended, _without_event):
        try:
            changed = change(entry)
            rows.to_line(changed)
            if changed.event is not None:
                events.body(changed.event)
        except (TypeError, ValueError):
            logger.exception("entry.unwritable", extra={"request_id": entry.request_id})
        else:
            return [changed]
    return []


def _as_it_is(entry: Entry) -> Entry:
    return entry


def _without_event(entry: Entry) -> Entry:
    return rows.mended(replace(entry, event=None))
