"""Nonces: numbers that only rise, one series for each key, across restarts.

Owns `Counter`, which draws them, `Turn`, which keeps their order on the wire where that matters,
and `Nonces`, all counters of one venue. Where two sources disagree about the venue's rule, that
each nonce must be above the last one and that it must merely be new, a counter satisfies both: it
never draws a number twice and never a lower one.

Nonces are the venue's time in milliseconds, or one more than the last where that is higher. So that
a restart, or a clock that was set back, draws none again, a counter reserves ahead: the file names
a number that none was drawn above. It is written in a thread that no draw waits for, as a disk may
stall: one that fails, or is too late for a crash, stops no cancel, and the clock alone counts then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

logger = logging.getLogger(__name__)

AHEAD_MS = 60_000
"""How far a counter reserves: one write to the disk a minute while calls are made."""
JUMP_MS, DOUBLINGS_MAX = 1000, 16
"""How far a counter jumps when the venue refuses a nonce: somebody else's may be higher, or our
clock be behind. Doubled each time in a row, up to 18 hours, and never farther than it takes, for
whoever shares the key is refused until he is there too."""
FAR_MS = 365 * 86_400_000
"""A last number further ahead of the clock was never drawn: the file is damaged."""
TURN_S = 1.0
"""How long a call keeps others of its key waiting for the answer, and how long a call waits."""
STRICT_MS = 300_000
"""How long after a refusal calls take turns."""
CLOSE_S = 1.0
"""How long the file is waited for at the end."""
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
    strict_until_ms: float = 0.0
    """The venue has refused one: until then calls take turns, so that none overtakes another."""
    refusals: int = 0
    """How often in a row."""
    jumped_over: int = 0
    """The highest number drawn before the last jump."""
    drawn_ms: int = 0
    """The venue's time at the last draw."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    writer: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "nonces"))
    """Has one thread, from the first write on: a later number is never written before another."""
    writing: Future[None] | None = None

    def draw(self, now_ms: int) -> int:
        """Return the next number: `now_ms`, or one more than the last."""
        if self.last > now_ms + FAR_MS:
            logger.warning("nonce.unreadable", extra={"file": self.path and self.path.name})
            self.last = self.reserved = self.jumped_over = 0
        self.drawn_ms = now_ms
        self.last = min(max(now_ms, self.last + 1), NONCE_MAX)
        if self.last > self.reserved:
            self.reserved = min(self.last + AHEAD_MS, NONCE_MAX)
            if self.path is not None:
                self.writing = self.writer.submit(_keep, self.path, self.reserved)
        return self.last

    def refused(self, nonce: int) -> None:
        """Jump ahead, once for all calls that were refused together, and take turns from now on."""
        if nonce > self.jumped_over:
            self.jumped_over = self.last
            jump_ms = JUMP_MS * 2**self.refusals
            self.last = max(self.last, nonce + jump_ms)
            self.refusals = min(self.refusals + 1, DOUBLINGS_MAX)
        self.strict_until_ms = self.drawn_ms + STRICT_MS

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


@dataclass(slots=True, kw_only=True)
class Turn:
    """One call that carries a nonce."""

    counter: Counter
    nonce: int = 0
    timer: asyncio.TimerHandle | None = None
    """Ends the turn by itself; None: it is not, or not any more, this call's turn alone."""

    async def draw(self, now_ms: Callable[[], int]) -> int:
        """Draw the number, after the calls before it where order matters; send it at once."""
        if now_ms() < self.counter.strict_until_ms:
            # No longer than one turn, however many wait: a nonce may be refused, a cancel not late.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TURN_S):
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

    def settle(self) -> None:
        """Wait until what was reserved is written, but not long."""
        wait([each.writing for each in self.counters.values() if each.writing], CLOSE_S)


def _keep(path: Path, reserved: int) -> None:
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(_Kept(reserved=reserved).model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        logger.warning("nonce.unkept", extra={"file": path.name})


def _load(path: Path) -> int:
    """Read what an earlier start reserved; 0 if that cannot be told."""
    try:
        return _Kept.model_validate_json(path.read_bytes()).reserved
    except FileNotFoundError:
        return 0
    except (OSError, ValidationError):
        logger.warning("nonce.unreadable", extra={"file": path.name})
        return 0
