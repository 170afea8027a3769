"""The journal: takes records from the venue loop and makes them durable behind its back.

Owns the port `Journal`: grouping, the spool while the database is down, replay in order. Never
makes the venue loop wait, and never loses what `flush` has answered for. It works in a thread of
its own, so that neither a full event loop nor a slow disk holds up the other.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import time
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.domain import event as events
from bot.flow.ports import Entry, StoreDown
from bot.store import deliveries, targets
from bot.store.lane import Lane
from bot.store.spool import Group, Spool

logger = logging.getLogger(__name__)

GROUP_MAX = 200
"""Entries in one transaction."""
AGAIN_S = 0.5
"""Between two tries while the database is down."""
CLOSE_S = 5.0
"""How long closing waits for what is queued."""


class StoreJournal:
    """Commits what is waiting in groups: while one is written, the next gathers."""

    def __init__(self, writer: Lane, spool: Spool) -> None:
        self._writer = writer
        self._spool = spool
        self._queue: queue.SimpleQueue[Entry | Future[None] | None] = queue.SimpleQueue()
        self._backlog = list(spool.read())
        """Groups that are not in the database, oldest first."""
        self._spooled = len(self._backlog)
        """How many of them, from the first, are in the spool."""
        self._again_at = 0.0
        """While the database is down: when to try it again (monotonic)."""
        self._marks: list[Future[None]] = []
        """Flushes that wait for what was queued before them."""
        self._is_closing = False
        self._put = sum(len(group.entries) for group in self._backlog)
        """Entries taken so far; written by the event loop alone."""
        self._settled = 0
        """Entries committed or refused so far; written by the thread alone."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="store-journal")
        self._thread = pool.submit(self._work)
        pool.shutdown(wait=False)

    def put(self, entry: Entry) -> None:
        """Queue an entry; it is committed in groups, or spooled while the database is down."""
        self._put += 1
        self._queue.put(entry)

    @property
    def is_behind(self) -> bool:
        """Tell whether the database still lacks something that was put, or that was spooled."""
        return self._settled < self._put

    async def flush(self) -> None:
        """Wait until everything queued so far is durable."""
        mark: Future[None] = Future()
        self._queue.put(mark)
        waiting = asyncio.wrap_future(mark)
        while not (await asyncio.wait({waiting}, timeout=AGAIN_S))[0]:
            if self._thread.done():
                raise StoreDown("the journal has ended")

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
        while not self._is_closing:
            self._turn()
        if lost := self._backlog[self._spooled :]:
            logger.error("journal.lost", extra={"entries": sum(len(g.entries) for g in lost)})

    def _turn(self) -> None:
        """Take what is queued to the database, or to the spool while the database is down."""
        self._gather()
        is_down = time.monotonic() < self._again_at
        if is_down:
            self._keep()
        if not is_down or self._is_closing:
            self._store()
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
                    case entry if _is_writable(entry):
                        entries.append(entry)
                    case _:
                        self._settled += 1
                pause_s = 0.0
        except queue.Empty:
            pass
        if entries:
            self._backlog.append(Group(id=f"journal:{uuid.uuid4().hex}", entries=tuple(entries)))

    def _store(self) -> None:
        """Commit the backlog, oldest first, until it is empty or the database fails."""
        while self._backlog:
            try:
                self._writer.run_blocking(partial(_record, group=self._backlog[0]))
            except (StoreDown, SQLAlchemyError) as error:
                if self._again_at == 0.0:
                    logger.warning("journal.spooling", extra={"why": str(error)})
                self._again_at = time.monotonic() + AGAIN_S
                return
            self._settled += len(self._backlog.pop(0).entries)
            self._spooled = max(0, self._spooled - 1)
        if self._again_at:
            logger.warning("journal.replayed")
        self._again_at = 0.0

    def _keep(self) -> None:
        """Bring the spool in step with the backlog, and answer the flushes if all is durable."""
        try:
            if self._backlog:
                self._spool.append(self._backlog[self._spooled :])
                self._spooled = len(self._backlog)
            else:
                self._spool.clear()
        except OSError as error:
            logger.warning("spool.refused", extra={"why": error.strerror})
            if self._backlog:
                return
        for mark in self._marks:
            if mark.set_running_or_notify_cancel():
                mark.set_result(None)
        self._marks.clear()


@asynccontextmanager
async def open_journal(writer: Lane, spool: Path) -> AsyncIterator[StoreJournal]:
    """Open the journal and replay what the spool holds; leaving flushes it."""
    journal = StoreJournal(writer, Spool(spool))
    try:
        await journal.flush()
        yield journal
    finally:
        await journal.close()


def _record(connection: Connection, *, group: Group) -> None:
    """Write a group once, however often it comes."""
    if deliveries.is_first(connection, group.id):
        targets.record(connection, group.entries)


def _is_writable(entry: Entry) -> bool:
    """Tell whether an entry's event can be written at all; a bug in one must not stop the rest."""
    try:
        if entry.event is not None:
            events.body(entry.event)
    except (TypeError, ValueError):
        logger.exception("entry.unwritable", extra={"request_id": entry.request_id})
        return False
    return True
