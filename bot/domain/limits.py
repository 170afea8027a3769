"""Every limit of the program in one place.

Owns `Limits`. A loop or a wait that is bounded by none of these does not pass review.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of commands, requests, runs and readings; seconds on the monotonic clock."""

    command_chars_max: int = 2000
    targets_max: int = 500
    vote_wait_s: float = 60.0
    """How long a vote waits for Slack to say who the voter is (design: no later start)."""
    people_call_s: float = 2.0
    """Cap on reading one person's standing."""
    key_read_s: float = 3.0
    key_retry_s: float = 0.5
    preview_s: float = 2.0
    preview_fresh_s: float = 10.0
    verdict_s: float = 30.0
    """Every target has a verdict this long after the deciding click."""
    reading_waits_s: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    chase_wait_s: float = 5.0
    """Between readings once verdict time has passed."""
    stuck_after_s: float = 2.0
    """No order has gone for this long: another round."""
    flat_checks_s: tuple[float, ...] = (2.0, 5.0, 10.0, 20.0, 30.0)
    """Readings after FLAT, counted from FLAT."""
    orders_by_id_max: int = 40
    """Orders cancelled one by one in one round."""
    residual_shown_max: int = 20
    pages_max: int = 40
    lease_s: float = 6.0
    tick_s: float = 0.5
    slack_pause_s: float = 1.0
    """Least time between two passes over one request's messages, and two posts to a channel."""
    check_first_s: float = 60.0
    """From the start until `serve` checks everything for the first time; then hourly."""
