"""Where a check writes what it finds, and the fence around each thing that it looks at.

Owns `Slate`. A part that breaks, hangs or has a bug is a line, and costs no other part its own.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sized
from dataclasses import dataclass, field

from bot.domain.finding import Finding, Grade

logger = logging.getLogger(__name__)

Look = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One thing that is looked at."""

    part: str
    about: str = ""
    accounts: tuple[str, ...] = ()

    def wrong(self, topic: str, text: str, remedy: str = "") -> Finding:
        """Make a finding of what would fail tonight."""
        return self._found(Grade.WRONG, topic, text, remedy)

    def warning(self, topic: str, text: str, remedy: str = "") -> Finding:
        """Make a finding of what somebody should look at."""
        return self._found(Grade.WARNING, topic, text, remedy)

    def unknown(self, topic: str, text: str, remedy: str = "") -> Finding:
        """Make a finding of what nobody tells."""
        return self._found(Grade.UNKNOWN, topic, text, remedy)

    def fine(self, topic: str, text: str) -> Finding:
        """Make a finding of what is as it should be."""
        return self._found(Grade.FINE, topic, text, "")

    def blind(self, topic: str, text: str, remedy: str = "") -> Finding:
        """Make a finding of what must work tonight and could not be looked at."""
        return Finding(
            grade=Grade.WRONG,
            part=self.part,
            about=self.about,
            topic=topic,
            text=text,
            remedy=remedy,
            accounts=self.accounts,
            is_blind=True,
        )

    def _found(self, grade: Grade, topic: str, text: str, remedy: str) -> Finding:
        return Finding(
            grade=grade,
            part=self.part,
            about=self.about,
            topic=topic,
            text=text,
            remedy=remedy,
            accounts=self.accounts,
        )


@dataclass(slots=True, kw_only=True)
class Slate:
    """What was found so far, and what is still being looked at."""

    findings: list[Finding] = field(default_factory=list)
    looking: list[tuple[Spot, Spot | None]] = field(default_factory=list)
    """What is being looked at, and what waits for that."""

    def add(self, *findings: Finding) -> None:
        """Write findings down."""
        self.findings += findings

    async def guarded(self, spot: Spot, look: Look, *, within: Spot | None = None) -> None:
        """Look at one thing; a bug in that is a finding, and ends nothing else.

        Args:
            spot: what is looked at.
            look: the work.
            within: what waits for this; if time runs out, it is this that did not answer.
        """
        self.looking.append((spot, within))
        try:
            await look()
        except Exception:
            logger.exception("check.failed", extra={"part": spot.part, "about": spot.about})
            why = "a bug in cancelall kept this from being looked at"
            self.add(spot.blind("look", why, "Show the log to whoever mends cancelall."))
        self.looking.remove((spot, within))

    def give_up(self, limit_s: float) -> None:
        """Write down what did not answer in time."""
        waiting = {within for _, within in self.looking}
        for spot, _ in self.looking:
            if spot not in waiting:
                text = f"no answer within {limit_s:g} s"
                self.add(spot.blind("look", text, "Look again; if it stays, look there by hand."))


def named(names: Sized, noun: str) -> str:
    """Count names: `1 account`, `3 accounts`."""
    return f"{len(names):,} {noun}{'' if len(names) == 1 else 's'}"
