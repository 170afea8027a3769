"""What happens to calls on their way into the small Slack: rates, faults, the log.

Owns rate windows per (method, channel), the faults a test asked for, and the list of calls. The log
holds method, time and outcome: never a token, never a body.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.sandbox.slack.faults import Fault

EVERY_METHOD = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One call that reached the server."""

    method: str
    channel: str
    at_s: float
    """On the clock that `Traffic` was given."""
    outcome: str
    """`ok`, Slack's error code, or the fault's words."""
    is_applied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A token bucket: `burst` calls at once, then `per_s` a second."""

    per_s: float
    burst: int
    is_per_channel: bool = False


SLACK_RATES = {
    "chat.postMessage": Rate(per_s=1.0, burst=5, is_per_channel=True),
    "chat.update": Rate(per_s=50 / 60, burst=50),
    "chat.postEphemeral": Rate(per_s=100 / 60, burst=100),
    "users.info": Rate(per_s=100 / 60, burst=100),
    "usergroups.users.list": Rate(per_s=20 / 60, burst=20),
    "usergroups.list": Rate(per_s=20 / 60, burst=20),
    "conversations.info": Rate(per_s=50 / 60, burst=50),
    "conversations.members": Rate(per_s=100 / 60, burst=100),
    "views.open": Rate(per_s=100 / 60, burst=100),
    "views.update": Rate(per_s=100 / 60, burst=100),
}
"""https://docs.slack.dev/apis/web-api/rate-limits: a tier's calls a minute; posts 1/s a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bucket:
    tokens: float
    at_s: float
    blocked_until_s: float = 0.0


class Traffic:
    """Rates, faults and the log of one server; nothing is limited or broken unless asked for."""

    def __init__(self, *, seed: int = 0, now: Callable[[], float] = time.monotonic) -> None:
        self.calls: list[ApiCall] = []
        self._now = now
        self._dice = random.Random(seed)  # noqa: S311 - repeatable faults, no secret
        self._faults: list[tuple[str, Fault]] = []
        self._rates: dict[str, Rate] = {}
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def add(self, method: str, fault: Fault) -> None:
        """Let the next calls of a method (`*` for any) meet a fault; those added first go first."""
        self._faults.append((method, fault))

    def clear(self) -> None:
        """Forget all faults: Slack is well again."""
        self._faults.clear()

    def limit(self, method: str, rate: Rate) -> None:
        """Limit one method."""
        self._rates[method] = rate

    def limit_as_slack(self) -> None:
        """Limit every method as Slack documents it."""
        self._rates |= SLACK_RATES

    def take_fault(self, method: str) -> Fault | None:
        """Return the fault this call meets, counted down, or nothing."""
        for place, (wanted, fault) in enumerate(self._faults):
            if wanted in {method, EVERY_METHOD} and self._dice.random() < fault.share:
                if fault.times == 1:
                    del self._faults[place]
                elif fault.times is not None:
                    self._faults[place] = (wanted, replace(fault, times=fault.times - 1))
                return fault
        return None

    def retry_after_s(self, method: str, channel: str) -> int | None:
        """Count a call against its rate; return whole seconds to wait if it is over.

        Once told to wait, a caller that asks again too early is refused again, as Slack does.
        """
        rate = self._rates.get(method)
        if rate is None:
            return None
        key = (method, channel if rate.is_per_channel else "")
        now = self._now()
        bucket = self._buckets.get(key) or _Bucket(tokens=rate.burst, at_s=now)
        if now < bucket.blocked_until_s:
            return math.ceil(bucket.blocked_until_s - now)
        tokens = min(rate.burst, bucket.tokens + (now - bucket.at_s) * rate.per_s)
        if tokens >= 1.0:
            self._buckets[key] = _Bucket(tokens=tokens - 1.0, at_s=now)
            return None
        wait_s = max(1, math.ceil((1.0 - tokens) / rate.per_s))
        self._buckets[key] = _Bucket(tokens=tokens, at_s=now, blocked_until_s=now + wait_s)
        return wait_s

    def log(self, method: str, channel: str, outcome: str, *, applied: bool) -> None:
        """Note one call, with what came of it."""
        self.calls.append(
            ApiCall(
                method=method,
                channel=channel,
                at_s=self._now(),
                outcome=outcome,
                is_applied=applied,
            )
        )

    def count(self, method: str) -> int:
        """Return how many calls of a method reached the server."""
        return sum(call.method == method for call in self.calls)
