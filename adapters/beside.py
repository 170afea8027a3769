"""Doing things at once: all calls of a round, and what goes on beside everything else.

Owns `side_by_side()` and `beside()`. Pure: no I/O of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")
Part = Callable[[], Coroutine[Any, Any, tuple[T, ...]]]
"""One thing to do, begun when it is called."""


async def side_by_side(parts: Iterable[Part[T]]) -> tuple[T, ...]:
    """Do all parts at once and join what they return, in their order."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part()) for part in parts]
    return tuple(entry for task in tasks for entry in task.result())


@asynccontextmanager
async def beside(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Let work that never fails go on while the context lasts.

    The group is left by hand and without the exception, for it would wrap the caller's own error.
    """
    group = asyncio.TaskGroup()
    await group.__aenter__()
    task = group.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await group.__aexit__(None, None, None)
