"""Time that jumps: an event loop whose clock moves to the next timer when nothing else is ready."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


class _Jumping(selectors.DefaultSelector):
    """Polls instead of waiting, and adds the wait to the loop's clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout is None or timeout <= 0:
            return ready if ready or timeout is not None else super().select(None)
        self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumping = _Jumping()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now


class VirtualClock:
    """Both clocks of the program, on the running virtual loop."""

    skew_s = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic() + self.skew_s)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
