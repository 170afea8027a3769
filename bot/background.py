"""Work beside the runs, kept alive: a bug in a card never cancels a venue.

Owns `Background` and `supervise()`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from bot.flow.ports import StoreDown

logger = logging.getLogger(__name__)

Factory = Callable[[], Coroutine[Any, Any, None]]


class Background:
    """Supervised work beside the runs: a bug in a card never cancels a venue."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(
        self,
        name: str,
        factory: Factory,
        *,
        again_s: float | None = None,
        mend_s: float | None = None,
    ) -> None:
        """Start work, and start it again as `supervise` says."""
        work = supervise(name, factory, again_s=again_s, mend_s=mend_s)
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def drop(self) -> None:
        """Cancel what still works."""
        for task in self._tasks:
            task.cancel()


async def supervise(
    name: str, factory: Factory, *, again_s: float | None = None, mend_s: float | None = None
) -> None:
    """Do the work and log a bug in it.

    With `again_s` it is started again whenever it ends or breaks, with `mend_s` only after it
    broke.
    """
    while True:
        wait_s = again_s
        try:
            await factory()
        except StoreDown:
            logger.warning("store.unreachable", extra={"part": name})
            wait_s = again_s or mend_s
        except Exception:
            logger.exception("part.failed", extra={"part": name})
            wait_s = again_s or mend_s
        if wait_s is None:
            return
        await asyncio.sleep(wait_s)


@asynccontextmanager
async def background() -> AsyncIterator[Background]:
    """Keep work alive while the context lasts; leaving it cancels what still works."""
    async with asyncio.TaskGroup() as group:
        beside = Background(group)
        try:
            yield beside
        finally:
            beside.drop()
