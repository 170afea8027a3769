"""When the next call to Slack may go: one lane per method, or per method and channel.

Owns the turns. Pure. Slack counts `chat.update` per method, 50 a minute whatever the channel, and
`chat.postMessage` about once a second per channel (https://docs.slack.dev/apis/web-api/rate-limits,
read 2026-11-20); the former may come in a burst, so that a run's first news is not late.
"""

from __future__ import annotations

from dataclasses import dataclass

PER_METHOD = {"chat.update": (2.0, 15)}
"""Pauses between two calls once a burst is spent, and its size: 45 in the first minute, then 30."""


@dataclass(frozen=True, slots=True)
class _Lane:
    """The state of one lane, in seconds on the caller's clock."""

    even_at: float = 0.0
    """When the next call would go if none had ever gone ahead of its pause."""
    shut_until: float = 0.0


class Pace:
    """Gives each call its turn."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._lanes: dict[tuple[str, str], _Lane] = {}

    def turn(self, method: str, channel: str, *, now: float) -> float:
        """Take a turn; return when it is, not before `now`."""
        pauses, burst = PER_METHOD.get(method, (1.0, 1))
        pause_s, key = pauses * self._pause_s, _key(method, channel)
        lane = self._lanes.get(key, _Lane())
        even_at = max(now, lane.even_at, lane.shut_until)
        at = max(now, lane.shut_until, even_at - (burst - 1) * pause_s)
        self._lanes[key] = _Lane(even_at=even_at + pause_s, shut_until=lane.shut_until)
        return at

    def shut(self, method: str, channel: str, *, until: float) -> None:
        """Let nothing through until then: Slack said so."""
        key = _key(method, channel)
        even_at = self._lanes.get(key, _Lane()).even_at
        self._lanes[key] = _Lane(even_at=even_at, shut_until=until)


def _key(method: str, channel: str) -> tuple[str, str]:
    return method, "" if method in PER_METHOD else channel
