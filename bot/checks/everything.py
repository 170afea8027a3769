"""The check as a whole: every part side by side, in bounded time.

Owns `examine()`. Sends no cancel, and reads no key that can cancel unless the ground says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from bot.checks import accounts, host, keys, policy, settings, slack, venues
from bot.checks.ground import Ground
from bot.checks.slate import Slate, Spot
from bot.domain.finding import Checkup, Finding

LIMIT_S = 30.0
"""For all of it; who stands at a console at 3 a.m. does not wait longer."""


async def _settings(ground: Ground, slate: Slate) -> None:
    slate.add(*settings.findings(ground.config))


async def _consoles(ground: Ground, slate: Slate) -> None:
    config = ground.config
    listed = [account.for_policy() for account in config.accounts]
    slate.add(*policy.of_consoles(config.policy, config.file.console.people, listed))


PARTS: Mapping[str, Callable[[Ground, Slate], Awaitable[None]]] = {
    "config": _settings,
    "host": host.look,
    "store": host.look_at_store,
    "keys": keys.look,
    "venue": venues.look,
    "account": accounts.look,
    "policy": _consoles,
    "slack": slack.look,
}


async def examine(
    ground: Ground, *, limit_s: float = LIMIT_S, already: tuple[Finding, ...] = ()
) -> Checkup:
    """Ask every part what would fail tonight.

    Args:
        ground: what is asked; what it lacks is not.
        limit_s: after so many seconds, what has not answered is a finding.
        already: what was found while the ground was laid.
    """
    slate = Slate(findings=list(already))
    try:
        async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
            for part, look in PARTS.items():
                work = partial(look, ground, slate)
                group.create_task(slate.guarded(Spot(part=part), work))
    except TimeoutError:
        slate.give_up(limit_s)
    return Checkup(at=ground.clock.now(), findings=tuple(slate.findings))
