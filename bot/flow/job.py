"""What a run is while it runs: its means, its clocks, its keys, and one job per target.

Owns the state that lives and dies with a run in this process. Never acts on it: `bot.flow.execute`
pursues, `bot.flow.prove` reads keys, `bot.flow.tell` tells.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from adapters.signers import Signer
from bot.domain.limits import Limits
from bot.domain.plan import Target
from bot.domain.request import Request
from bot.domain.result import Outcome, Phase, TargetResult
from bot.flow.ports import Claim, Clock, Journal, KeySource, Venues
from bot.flow.verify import Sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a run works with."""

    journal: Journal
    keys: KeySource
    venues: Venues
    clock: Clock
    limits: Limits


@dataclass(slots=True, kw_only=True)
class Run:
    """One run in this process; gone when its last target ends, and its keys with it."""

    request: Request
    started: float
    """Deciding click, monotonic seconds."""
    verdict_at: float
    consent_end: float
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    working: dict[str, tuple[Claim, asyncio.Task[None]]] = field(default_factory=dict)
    """By account: who pursues it, and under which lease."""
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    signers: dict[str, Signer] = field(default_factory=dict)
    """By key path: each distinct path is read once, unless the venue refuses what it holds."""
    key_notes: dict[str, str] = field(default_factory=dict)
    """By key path: why its key came from elsewhere than it should."""


@dataclass(slots=True, kw_only=True)
class Job:
    """One target of a run."""

    run: Run
    target: Target
    claim: Claim
    means: Means
    sight: Sight
    phase: Phase
    before: TargetResult | None
    """The verdict that an earlier process told."""
    result: TargetResult | None
    """The verdict that was told last."""
    trouble: tuple[str, str] = ("", "")
    """Cause and remedy of what keeps this process from the venue."""

    def left_s(self) -> float:
        """Return the seconds of consent that are left on the clock that is further on.

        A machine that slept has a monotonic clock that stood still; one whose wall clock was set
        back has a wall clock that would let us go on.
        """
        run, clock = self.run, self.means.clock
        assert run.request.consent_ends_at is not None
        wall_s = (run.request.consent_ends_at - clock.now()).total_seconds()
        return min(run.consent_end - clock.monotonic(), wall_s)

    def may_send(self) -> bool:
        """Tell whether consent holds; asked before every call, for a machine may have slept."""
        return self.left_s() > 0

    @property
    def was_flat(self) -> bool:
        """Tell whether the verdict that was told last is FLAT."""
        return self.result is not None and self.result.outcome is Outcome.FLAT
