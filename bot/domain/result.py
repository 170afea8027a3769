"""What a run found: outcomes per target and the report over all of them.

Owns `Outcome`, `TargetResult`, `TargetStatus`, `Report` and `summarise()`. Never decides whether a
target is FLAT: `bot.flow.verify` does, from readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Outcome(Enum):
    """What is on the book of a target, as far as readings tell."""

    FLAT = "FLAT"
    """Two clean readings, far enough apart."""
    RESIDUAL = "RESIDUAL"
    """Orders rest."""
    UNVERIFIED = "UNVERIFIED"
    """Cannot tell: assume that every order is live."""
    NOT_SENT = "NOT_SENT"
    """No byte of a cancel left."""


class Phase(Enum):
    """What a target is at right now."""

    WAITING = "waiting"
    READING_KEY = "reading key"
    CANCELLING = "cancelling"
    READING = "reading"
    WATCHING = "watching"
    """FLAT, and read again for a while."""
    CHASING = "chasing"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """One order that rests, for the report."""

    order_class: str
    symbol: str
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """The verdict on one target."""

    account: str
    venue: str
    outcome: Outcome
    at: datetime
    seconds: float
    """From the deciding click to this outcome; for FLAT, to the second clean reading."""
    accepted: int = 0
    """How many orders the venue says it accepted for cancelling: a receipt, not a count."""
    open_after: int | None = None
    """Open orders in the last reading; None: not known."""
    is_at_least: bool = False
    """`open_after` is a lower bound: a class or a page was not read."""
    cause: str = ""
    remedy: str = ""
    residual: tuple[Residual, ...] = ()
    """The first orders that rest, `Limits.residual_shown_max` at most."""
    came_back: int = 0
    """Orders found after an earlier FLAT."""
    blind_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """Where one target stands now; what the store keeps and the board shows."""

    account: str
    venue: str
    phase: Phase = Phase.WAITING
    rounds: int = 0
    accepted: int = 0
    open_now: int | None = None
    is_at_least: bool = False
    cause: str = ""
    """The latest trouble, in words; empty if none."""
    key_note: str = ""
    """Why its key came from elsewhere than it should; empty if it did not."""
    result: TargetResult | None = None
    """The latest verdict."""
    is_final: bool = False
    """No process will work on this target any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer to "are we flat?", the worst outcome first."""

    headline: str
    """Such as `FLAT: 3 of 3 accounts` or `NOT FLAT: 2 of 20 accounts, 37 orders`."""
    is_flat: bool
    seconds: float | None
    """Deciding click to the last FLAT; None unless everything is FLAT."""
    results: tuple[TargetResult, ...]
    """Worst first, then by account."""
    missing: tuple[str, ...]
    """Accounts without a verdict yet."""


_URGENCY = {
    Outcome.NOT_SENT: 0,
    Outcome.UNVERIFIED: 1,
    Outcome.RESIDUAL: 2,
    None: 3,
    Outcome.FLAT: 4,
}
"""None: no verdict."""


def worst_first(statuses: Sequence[TargetStatus]) -> tuple[TargetStatus, ...]:
    """Sort by what needs a person first, then by account; without a verdict goes before FLAT."""
    return tuple(sorted(statuses, key=_urgency))


def _urgency(status: TargetStatus) -> tuple[int, str]:
    return _URGENCY[status.result.outcome if status.result else None], status.account


def summarise(statuses: Sequence[TargetStatus], *, is_over: bool = False) -> Report:
    """Make the report of a run from where its targets stand.

    With `is_over` nobody works on it any more: what has no verdict will get none.
    """
    ordered = worst_first(statuses)
    results = tuple(status.result for status in ordered if status.result is not None)
    missing = tuple(status.account for status in ordered if status.result is None)
    not_flat = [result for result in results if result.outcome is not Outcome.FLAT]
    is_flat = bool(results) and not not_flat and not missing
    return Report(
        headline=_headline(len(statuses), not_flat, len(missing), is_over=is_over),
        is_flat=is_flat,
        seconds=max(result.seconds for result in results) if is_flat else None,
        results=results,
        missing=missing,
    )


def _headline(total: int, not_flat: Sequence[TargetResult], missing: int, *, is_over: bool) -> str:
    if total and not not_flat and not missing:
        return f"FLAT: {total} of {total} accounts"
    if not not_flat and not is_over:
        return f"RUNNING: {total - missing} of {total} accounts FLAT so far"
    count = len(not_flat) + (missing if is_over else 0)
    words = [f"NOT FLAT: {count} of {total} accounts"]
    orders = sum(result.open_after or 0 for result in not_flat)
    unsent = sum(result.outcome is Outcome.NOT_SENT for result in not_flat)
    blind = [result for result in not_flat if result.outcome is not Outcome.NOT_SENT]
    unknown = sum(result.open_after is None for result in blind)
    if orders or len(blind) > unknown:
        bound = "at least " if any(result.is_at_least for result in not_flat) else ""
        words.append(f"{bound}{orders} {'order' if orders == 1 else 'orders'}")
    if unsent:
        words.append(f"{unsent} not sent")
    if unknown:
        words.append(f"{unknown} cannot be told")
    if missing:
        words.append(f"{missing} {'' if is_over else 'still '}without a verdict")
    return ", ".join(words)
