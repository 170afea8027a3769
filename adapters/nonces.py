"""Nonces: numbers that only rise, one series for each key, across restarts.

Owns `Counter`, which draws them, `Turn`, which keeps their order on the wire where that matters,
and `Nonces`, all counters of one venue. Where two sources disagree about the venue's rule, that
each nonce must be above the last one and that it must merely be new, a counter satisfies both: it
never draws a number twice and never a lower one.

Nonces are the venue's time in milliseconds, or one more than the last where that is higher. So that
a restart, or a clock that was set back, draws none again, a counter reserves ahead: the file names
a number that none was drawn above. A disk that fails is logged and stops no cancel.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

logger = logging.getLogger(__name__)

AHEAD_MS = 60_000
"""How far a counter reserves: one write to the disk a minute while calls are made."""
JUMP_MS, JUMP_MS_MAX = 1000, 64_000
"""How far a counter jumps when the venue refuses a nonce: somebody else's may be higher. Doubled
each time, and never far, for whoever shares the key is refused until he is there too."""
TURN_S = 1.0
"""How long a call keeps others of its key waiting for the answer."""
NONCE_MAX = 2**53 - 1
"""Above it some reader of JSON would round."""


class _Kept(BaseModel):
    """The file of a counter."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    reserved: int = Field(ge=0, le=NONCE_MAX)


@dataclass(slots=True, kw_only=True)
class Counter:
    """The series of one key."""

    path: Path | None
    """Where it is kept; None: nowhere."""
    last: int = 0
    """The highest number drawn, or reserved by an earlier start."""
    reserved: int = 0
    """No number above it has been drawn."""
    is_strict: bool = False
    """The venue has refused one: calls take turns, so that none overtakes another."""
    refusals: int = 0
    """How often in a row."""
    jumped_over: int = 0
    """The highest number drawn before the last jump."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def draw(self, now_ms: int) -> int:
        """Return the next number: `now_ms`, or one more than the last."""
        self.last = min(max(now_ms, self.last + 1), NONCE_MAX)
        if self.last > self.reserved:
            self.reserved = min(self.last + AHEAD_MS, NONCE_MAX)
            self._keep()
        return self.last

    def refused(self, nonce: int) -> None:
        """Jump ahead, once for all calls that were refused together, and take turns from now on."""
        if nonce > self.jumped_over:
            self.jumped_over = self.last
            jump_ms = min(JUMP_MS * 2**self.refusals, JUMP_MS_MAX)
            self.last = max(self.last, nonce + jump_ms)
            self.refusals = min(self.refusals + 1, 10)
        self.is_strict = True

    def accepted(self) -> None:
        """Note that the venue took a number."""
        self.refusals = 0

    @contextlib.contextmanager
    def turn(self) -> Iterator[Turn]:
        """Make one call: it draws its number when its turn comes."""
        turn = Turn(counter=self)
        try:
            yield turn
        finally:
            turn.end()

    def _keep(self) -> None:
        if self.path is None:
            return
        fresh = self.path.with_suffix(".new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(_Kept(reserved=self.reserved).model_dump_json())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError:
            logger.warning("nonce.unkept", extra={"file": self.path.name})


@dataclass(slots=True, kw_only=True)
class Turn:
    """One call that carries a nonce."""

    counter: Counter
    nonce: int = 0
    timer: asyncio.TimerHandle | None = None
    """Ends the turn by itself; None: it is not, or not any more, this call's turn alone."""

    async def draw(self, now_ms: Callable[[], int]) -> int:
        """Draw the number, after the calls before it where order matters; send it at once."""
        if self.counter.is_strict:
            await self.counter.lock.acquire()
            self.timer = asyncio.get_running_loop().call_later(TURN_S, self.end)
        self.nonce = self.counter.draw(now_ms())
        return self.nonce

    def end(self) -> None:
        """Let the next call go."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            self.counter.lock.release()


@dataclass(slots=True, kw_only=True)
class Nonces:
    """All counters of one venue: a key's series is one over all of its hosts."""

    counters: dict[str, Counter] = field(default_factory=dict)

    def counter(self, key: str, state_dir: Path | None) -> Counter:
        """Return the one counter of a key; `key` names its file and reveals nothing."""
        known = self.counters.get(key)
        if known is None:
            path = None if state_dir is None else state_dir / f"nonce-{key}.json"
            reserved = 0 if path is None else _load(path)
            known = self.counters[key] = Counter(path=path, last=reserved, reserved=reserved)
        return known


def _load(path: Path) -> int:
    """Read what an earlier start reserved; 0 if that cannot be told."""
    try:
        return _Kept.model_validate_json(path.read_bytes()).reserved
    except FileNotFoundError:
        return 0
    except (OSError, ValidationError):
        logger.warning("nonce.unreadable", extra={"file": path.name})
        return 0
