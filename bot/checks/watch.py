"""The check that `serve` makes by itself, every hour: only what changed is posted.

Owns `Watch`. Reads no key that can cancel. What was posted last is kept in a file, so that a
restart repeats nothing; what Slack did not take is posted after the next check.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from bot.checks import everything
from bot.checks import ground as grounds
from bot.checks.ground import Ground
from bot.domain import finding as findings
from bot.domain.finding import Change, Checkup, Grade
from bot.store import checks

logger = logging.getLogger(__name__)

FIRST_S = 60.0
"""After a start: whoever starts us watches something else first, and a crash loop asks nobody."""
AGAIN_S = 3600.0

Announce = Callable[[Change], Awaitable[bool]]
"""Posts what changed; tells whether Slack took it."""


class Watch:
    """Checks again and again."""

    def __init__(self, ground: Ground, announce: Announce) -> None:
        assert not ground.is_with_keys, "only a person's check reads keys that can cancel"
        self._ground = ground
        self._folder: Path = ground.config.file.state.dir
        self._announce = announce
        self._told: Checkup | None = None
        """What the channel knows."""
        self.last: Checkup | None = None
        """What was found last; None: nothing was checked yet."""

    async def keep(self, *, first_s: float = FIRST_S, again_s: float = AGAIN_S) -> None:
        """Check for ever, the first time soon: a restart may have brought another config."""
        await self.resume()
        wait_s = first_s
        while True:
            await asyncio.sleep(wait_s)
            await self.look()
            wait_s = again_s

    async def resume(self) -> None:
        """Take up what an earlier process found and told."""
        self._told = await grounds.aside(lambda: checks.read_result(self._folder))
        self.last = self.last or self._told

    async def look(self) -> None:
        """Check once, and post what is other than the channel knows."""
        now = findings.following(self._told, await everything.examine(self._ground))
        self.last = now
        counts = {grade.value: sum(f.grade is grade for f in now.findings) for grade in Grade}
        logger.info("check.ended", extra=counts)
        change = findings.change(self._told, now)
        if (change.new or change.gone) and not await self._announce(change):
            return
        self._told = now
        try:
            await grounds.aside(lambda: checks.keep_result(self._folder, now))
        except OSError as error:
            logger.warning("check.unkept", extra={"why": error.strerror})
