"""A thread of its own for one database connection, with time limits.

Owns `Lane`. Never knows a table. A thread cannot be interrupted: a caller that has waited long
enough goes away, and what it asked for is rolled back unless its commit has begun.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from bot.flow.ports import StoreDown
from bot.store import seen as seens
from bot.store.seen import Seen

T = TypeVar("T")

BUGS = (DataError, IntegrityError, ProgrammingError)
"""The database answered, and the statement was wrong: waiting does not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A transaction on its way."""

    future: Future[None]
    right: threading.Lock
    """The right to commit: the thread takes it at the end, or whoever gives up takes it away."""
    until: float
    """When it is given up (monotonic)."""


class Lane:
    """Runs one transaction after the other on one engine, in one thread.

    `seen` is shown, in that thread, each event of a transaction that was committed, even if its
    caller had gone by then.
    """

    def __init__(
        self, name: str, engine: Engine, *, limit_s: float, seen: Seen = seens.by_nobody
    ) -> None:
        self._engine = engine
        self._limit_s = limit_s
        self._seen = seen
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"store-{name}")
        self._stuck: Future[Any] | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction; return what it returns, after the commit.

        Raises:
            StoreDown: no answer within the limit, or the database cannot be used.
        """
        right, future = self._submit(work)
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(_look)
        done, _ = await asyncio.wait({waiting}, timeout=self._limit_s)
        if not done:
            self._give_up(right, future)
        return future.result()

    def begin(self, work: Callable[[Connection], None]) -> Begun:
        """Begin a transaction for a caller in another thread, who asks `is_done` of it later.

        Raises:
            StoreDown: the database is still busy with a call that was given up.
        """
        right, future = self._submit(work)
        return Begun(future=future, right=right, until=time.monotonic() + self._limit_s)

    def is_done(self, begun: Begun, *, until: float) -> bool:
        """Wait for a commit, no longer than until then (monotonic); False if it takes longer.

        Raises:
            StoreDown: no answer within the limit, or the database cannot be used.
        """
        wait_s = min(until, begun.until) - time.monotonic()
        if not concurrent.futures.wait({begun.future}, timeout=max(0.0, wait_s)).done:
            if until < begun.until:
                return False
            self._give_up(begun.right, begun.future)
        begun.future.result()
        return True

    async def close(self) -> None:
        """Close the connection once the thread is free; give up after the limit."""
        closing = asyncio.wrap_future(self._pool.submit(self._engine.dispose))
        closing.add_done_callback(_look)
        await asyncio.wait({closing}, timeout=self._limit_s)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, work: Callable[[Connection], T]) -> tuple[threading.Lock, Future[T]]:
        if self._stuck is not None and not self._stuck.done():
            raise StoreDown("the database is still busy with an earlier call")
        right = threading.Lock()
        return right, self._pool.submit(self._transact, work, right)

    def _give_up(self, right: threading.Lock, future: Future[Any]) -> None:
        """Leave the thread alone, and take from it the right to commit what nobody waits for."""
        if future.done():
            return
        right.acquire(blocking=False)
        if not future.cancel():
            self._stuck = future
        raise StoreDown(f"the database did not answer within {self._limit_s} s")

    def _transact(self, work: Callable[[Connection], T], right: threading.Lock) -> T:
        try:
            with self._engine.begin() as connection:
                told = seens.begin(connection)
                outcome = work(connection)
                if not right.acquire(blocking=False):
                    raise StoreDown("the caller has gone: rolled back")
        except BUGS:
            raise
        except DBAPIError as error:
            raise StoreDown(f"the database cannot be used: {error.orig}") from error
        for event in told:
            self._seen(event)
        return outcome


def _look(future: asyncio.Future[Any]) -> None:
    """Retrieve the exception of a call whose caller may have gone, so that nobody warns of it."""
    if not future.cancelled():
        future.exception()
