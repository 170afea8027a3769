"""What may go wrong with a call to Slack, on demand.

Owns the kinds of fault and short ways to name them. `traffic` decides which call meets one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class FaultKind(enum.Enum):
    """What the caller sees."""

    STATUS = "an HTTP status without a usable body"
    RATE_LIMITED = "429 with Retry-After"
    REFUSED = "ok: false with an error code"
    HANG = "no answer for ever"
    CUT = "the connection is cut without an answer"
    DELAY = "a late answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, for some calls of one method."""

    kind: FaultKind
    is_applied: bool = False
    """Whether Slack does what was asked although the caller does not hear of it."""
    status: int = 200
    error: str = ""
    delay_s: float = 0.0
    """DELAY: how late. RATE_LIMITED: the Retry-After, in seconds."""
    times: int | None = 1
    """How many calls meet it; None means all from now on."""
    share: float = 1.0
    """The chance, by the seeded dice, that a call meets it."""


def rate_limited(retry_after_s: float = 1.0, *, times: int | None = 1) -> Fault:
    """Answer 429."""
    return Fault(kind=FaultKind.RATE_LIMITED, delay_s=retry_after_s, times=times)


def server_error(status: int = 500, *, applied: bool = False, times: int | None = 1) -> Fault:
    """Answer 500, 502 and the like."""
    return Fault(kind=FaultKind.STATUS, status=status, is_applied=applied, times=times)


def refused(
    error: str = "internal_error", *, applied: bool = False, times: int | None = 1
) -> Fault:
    """Answer `ok: false` with a code; `internal_error` may have happened all the same."""
    return Fault(kind=FaultKind.REFUSED, error=error, is_applied=applied, times=times)


def hang(*, applied: bool = False, times: int | None = 1) -> Fault:
    """Never answer."""
    return Fault(kind=FaultKind.HANG, is_applied=applied, times=times)


def lost_reply(*, times: int | None = 1) -> Fault:
    """Do what was asked, then cut the connection: the caller cannot know."""
    return Fault(kind=FaultKind.CUT, is_applied=True, times=times)


def reset(*, times: int | None = 1) -> Fault:
    """Cut the connection and do nothing."""
    return Fault(kind=FaultKind.CUT, times=times)


def delayed(delay_s: float, *, times: int | None = 1) -> Fault:
    """Do what was asked and answer late."""
    return Fault(kind=FaultKind.DELAY, delay_s=delay_s, is_applied=True, times=times)
