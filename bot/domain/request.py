"""A request and the one table of its states.

Everything that decides which state may follow which lives in this file. Owns `Request`,
`RequestState` and `TRANSITIONS`, the one table of steps. Never stores, never reads a clock.

    PENDING ──► RUNNING ──► FINISHED
       │           └──────► INTERRUPTED
       └──► DENIED | WITHDRAWN | EXPIRED

A request is PENDING until enough people agreed. The deciding vote moves it to RUNNING by one
compare-and-swap in the store; whoever loses that swap finds it RUNNING, which is a normal branch.
All states but PENDING and RUNNING are final.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from bot.domain.plan import Plan
from policies.model import Actor


class RequestState(Enum):
    """Where a request stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    INTERRUPTED = "INTERRUPTED"
    DENIED = "DENIED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"

    @property
    def is_final(self) -> bool:
        """Tell whether nothing can follow."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[RequestState, frozenset[RequestState]] = MappingProxyType(
    {
        RequestState.PENDING: frozenset(
            {
                RequestState.RUNNING,
                RequestState.DENIED,
                RequestState.WITHDRAWN,
                RequestState.EXPIRED,
            }
        ),
        RequestState.RUNNING: frozenset({RequestState.FINISHED, RequestState.INTERRUPTED}),
        RequestState.FINISHED: frozenset(),
        RequestState.INTERRUPTED: frozenset(),
        RequestState.DENIED: frozenset(),
        RequestState.WITHDRAWN: frozenset(),
        RequestState.EXPIRED: frozenset(),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What a preview knows of one target, at posting."""

    account: str
    orders: int | None
    """How many would be cancelled; None: unknown."""
    is_at_least: bool = False
    protective: int = 0
    """How many are stops, TP/SL, trailing or reduce-only; they stay if the plan keeps them."""
    why: str = ""
    """Why it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A plan that someone asked for. Times are aware UTC."""

    id: str
    """4 to 6 Crockford characters, sayable on a call."""
    state: RequestState
    plan: Plan
    digest: str
    requester: Actor
    command: str
    """Canonical form."""
    reason: str
    policy_text: str
    """The policy at posting: the request must satisfy it and the one at the deciding vote."""
    channel: str
    """Where the card goes."""
    posted_at: datetime
    expires_at: datetime
    consent_s: float
    """Seconds from the deciding click to consent end."""
    counts: tuple[Count, ...] | None = None
    """None: not counted yet."""
    notes: tuple[str, ...] = ()
    """Warnings for the card, such as a rule that nobody can fill."""
    decided_at: datetime | None = None
    verdict_at: datetime | None = None
    """Every target has its first verdict by then."""
    consent_ends_at: datetime | None = None
    """Nothing is sent after this."""
    chase_stopped_by: str | None = None
    """Name of whoever stopped the chase."""
    ended_at: datetime | None = None
    ended_why: str = ""
    """A sentence for the card: who denied and why, what changed in the config."""


class IllegalTransition(AssertionError):
    """A state was asked to follow one that it cannot follow: a bug."""


def overlap(request: Request, other: Request) -> str:
    """Say for the card of `request` which of its accounts `other` works on too; empty if none."""
    theirs = {target.account for target in other.plan.targets}
    shared = [target.account for target in request.plan.targets if target.account in theirs]
    return f"Run {other.id} works on the same accounts: {', '.join(shared)}." if shared else ""
