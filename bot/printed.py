"""What a console prints of a pull: progress, the verdicts, and what is left to others.

Owns the words and when they are said. Decides nothing but the exit status, which is read off the
verdicts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.domain import result as results
from bot.domain.request import Request
from bot.domain.result import Outcome, Phase, TargetResult, TargetStatus
from bot.flow.ports import Clock, Entry

FLAT, RESIDUAL, UNVERIFIED = 0, 1, 2
"""Exit status: all FLAT; orders rest; for some account nobody can tell, or nothing was sent."""
SHOWN_MAX = 5
"""Residual orders that are named beside a verdict."""

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Watch:
    """What the console has been told of each account, and what it prints of it."""

    request: Request
    clock: Clock
    say: Say
    watched_s: float
    """How long FLAT is read again."""
    statuses: dict[str, TargetStatus] = field(default_factory=dict)
    is_flat: bool = False
    """Every account is FLAT, and that was said."""
    said: dict[str, str] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self, entry: Entry) -> None:
        """Take an entry of the journal, and print it if it is news."""
        if entry.status is None:
            return
        self.statuses[entry.status.account] = entry.status
        line = _line(entry.status)
        if self.said.get(entry.status.account) != line:
            self.said[entry.status.account] = line
            self._say(f"{entry.status.account}: {line}")
        self._say_if_flat()
        self.changed.set()

    @property
    def is_over(self) -> bool:
        """Tell whether every account has its last verdict."""
        known = [self.statuses.get(target.account) for target in self.request.plan.targets]
        return all(status is not None and status.is_final for status in known)

    def _say(self, words: str) -> None:
        assert self.request.decided_at is not None
        passed = self.clock.now() - self.request.decided_at
        self.say(f"{passed.total_seconds():6.1f}  {words}")

    def _say_if_flat(self) -> None:
        """Say once that all is FLAT: whoever waits on need not, and should know what for."""
        found = [status.result for status in self.statuses.values()]
        is_whole = len(found) == len(self.request.plan.targets)
        was_flat = self.is_flat
        self.is_flat = is_whole and all(
            result is not None and result.outcome is Outcome.FLAT for result in found
        )
        if self.is_flat and not was_flat and not self.is_over:
            self._say(
                f"every account FLAT. Watching {self.watched_s:.0f} s for orders that come back; "
                "Ctrl-C ends here, and FLAT stands."
            )


def announce(request: Request, by: str, say: Say) -> None:
    """Say what begins."""
    count = len(request.plan.targets)
    assert request.consent_ends_at is not None
    say(
        f"BREAK GLASS by {by}: pull {request.id}, {count} account{'' if count == 1 else 's'}, "
        f"chased until {request.consent_ends_at:%H:%M:%S} UTC. Ctrl-C ends the chase."
    )
    if request.plan.left_out:
        say(f"Not yours to pull: {', '.join(request.plan.left_out)}")
    if not request.plan.is_symbols_checked:
        say("Symbols unchecked: a venue's list could not be had. Check the spelling.")


def report(watch: Watch, recorded: str) -> int:
    """Print the verdict over all, and what this program cannot see; return the exit status."""
    request, say = watch.request, watch.say
    statuses = [watch.statuses[target.account] for target in request.plan.targets]
    found = results.summarise(statuses, is_over=True)
    say("")
    say(found.headline)
    for result in found.results:
        say(f"{result.account}: {_verdict(result)}")
    for venue, blind in {each.venue: each.blind_to for each in request.plan.targets}.items():
        say(f"Not seen by cancelall at {venue}: {'; '.join(blind)}.")
    say("Nothing here stops a bot from placing new orders.")
    say(recorded)
    if request.plan.left_out:
        say(
            f"NOT TOUCHED, not yours to pull: {', '.join(request.plan.left_out)}. "
            "Assume that every order there is live."
        )
    outcomes = {result.outcome for result in found.results}
    is_dark = outcomes & {Outcome.UNVERIFIED, Outcome.NOT_SENT}
    if is_dark or found.missing or request.plan.left_out:
        return UNVERIFIED
    return FLAT if outcomes == {Outcome.FLAT} else RESIDUAL


def _line(status: TargetStatus) -> str:
    """Say in a line where an account stands."""
    if status.result is not None:
        return _verdict(status.result)
    words = [status.phase.value]
    if status.rounds and status.phase is not Phase.READING_KEY:
        words.append(f"round {status.rounds}")
    if status.open_now is not None:
        words.append(f"{'at least ' if status.is_at_least else ''}{status.open_now:,} open")
    if status.cause:
        words.append(status.cause)
    if status.key_note:
        words.append(f"key from the {status.key_note}")
    return ", ".join(words)


def _verdict(result: TargetResult) -> str:
    after = "unknown" if result.open_after is None else f"{result.open_after:,}"
    bound = "at least " if result.is_at_least else ""
    words = [f"{result.outcome.value} after {result.seconds:.1f} s, open {bound}{after}"]
    words += [part.rstrip(".") for part in (result.cause, result.remedy) if part]
    if result.residual:
        rest = [f"{each.symbol} {each.order_id}" for each in result.residual[:SHOWN_MAX]]
        words.append(f"rests: {', '.join(rest)}")
    return ". ".join(words)
