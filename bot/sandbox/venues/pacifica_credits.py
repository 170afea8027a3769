"""The credits of the simulated Pacifica: how many calls an address or a main account has left.

Owns budgets, costs and how they are told. Everything is counted in tenths of a credit, as Pacifica
tells them. Source: docs.pacifica.fi, rate limits (2025-12 and 2026).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bot.sandbox.venues.exchange import Rolling

WINDOW_S = 60.0
STANDARD, CANCEL = 10, 5
"""Tenths of a credit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is left of a budget after a call."""

    is_free: bool
    """The call was within it."""
    left: int
    quota: int
    wait_s: int
    """Whole seconds until more is free."""

    @property
    def headers(self) -> dict[str, str]:
        """Tell it over HTTP."""
        return {
            "ratelimit": f'"credits";r={self.left};t={self.wait_s}',
            "ratelimit-policy": f'"credits";q={self.quota};w={int(WINDOW_S)}',
        }

    @property
    def rl(self) -> dict[str, int]:
        """Tell it over the WebSocket."""
        return {"r": self.left, "q": self.quota, "t": self.wait_s}


@dataclass(slots=True, kw_only=True)
class Credits:
    """Every budget."""

    is_on: bool = True
    owners: dict[str, str] = field(default_factory=dict)
    """API config key -> the main account whose budget it opens."""
    quotas: dict[str, int] = field(default_factory=dict)
    """Main account -> credits a minute."""
    budgets: dict[str, Rolling] = field(default_factory=dict)

    def take(self, who: tuple[str, str], cost: int, *, anonymous: int, now: float) -> Standing:
        """Pay for a call in tenths of a credit.

        Args:
            who: From which address, and with which API config key; an unknown one is as good as
                none.
            cost: In tenths of a credit.
            anonymous: Credits a minute without a key.
            now: True epoch seconds.
        """
        address, config_key = who
        owner = self.owners.get(config_key, "")
        quota = 10 * (self.quotas[owner] if owner else anonymous)
        budget = self.budgets.setdefault(owner or address, Rolling(quota, WINDOW_S))
        budget.limit = quota
        is_free = budget.take(now, cost)
        return Standing(
            is_free=is_free,
            left=budget.left(),
            quota=quota,
            wait_s=_wait_s(budget, 0 if is_free else cost, now),
        )


def _wait_s(budget: Rolling, needed: int, now: float) -> int:
    """Return when the oldest call leaves the window, or as many as a refused call needs."""
    if not budget.taken:
        return 0
    missing = max(1, len(budget.taken) + needed - budget.limit)
    return max(1, math.ceil(budget.taken[missing - 1] + WINDOW_S - now))
