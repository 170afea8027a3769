"""What a check of everything found: one finding a line, with its remedy.

Owns `Finding`, `Checkup`, their order, and what is new between two checks. Pure: asks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import NamedTuple

PARTS = ("config", "host", "store", "keys", "venue", "account", "policy", "slack")
"""What a finding may be of, in the order of a check's lines."""
SHOWN_MAX = 6
"""Names that one line holds; the others are counted."""


class Grade(Enum):
    """How bad a finding is."""

    WRONG = "wrong"
    """It would fail tonight."""
    WARNING = "warning"
    UNKNOWN = "unknown"
    """Nobody who was asked can tell; what only would not answer is WRONG."""
    FINE = "fine"


ORDER = tuple(Grade)
"""The worst first."""


class Topic(NamedTuple):
    """What a finding is about, whatever is found: it is how two checks are compared."""

    part: str
    about: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact, in a sentence for a person. Never a secret, never a body."""

    grade: Grade
    part: str
    """One of `PARTS`."""
    topic: str
    """A word that stays while numbers in the text change, such as `clock`."""
    text: str
    about: str = ""
    """An account, venue, channel, rule or path; empty for the part as a whole."""
    remedy: str = ""
    accounts: tuple[str, ...] = ()
    """Those that it concerns; empty where it concerns none in particular."""
    is_blind: bool = False
    """Whatever else there is to know about this could not be looked at."""

    @property
    def key(self) -> Topic:
        """What it is about."""
        return Topic(self.part, self.about, self.topic)

    @property
    def line(self) -> str:
        """The finding in a line: grade, part, what it is about, why, and what to do."""
        return f"{self.grade.value:<7}  {self.part:<7}  {self.words}"

    @property
    def words(self) -> str:
        """The same without grade and part."""
        about = f"{self.about}: " if self.about else ""
        return " ".join(f"{about}{self.text.rstrip('. ')}. {self.remedy}".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """All that one check found."""

    at: datetime
    findings: tuple[Finding, ...]
    kept: tuple[Finding, ...] = ()
    """Found by an earlier check, of what this one could not look at."""

    def of_account(self, name: str) -> Finding | None:
        """Return the worst that concerns an account, its own first; None if nothing does."""
        mine = [finding for finding in self.findings if name in finding.accounts]
        return min(mine, key=lambda f: (ORDER.index(f.grade), len(f.accounts)), default=None)


def lines(findings: Iterable[Finding]) -> list[str]:
    """Return the lines of findings, the worst first, and what they come to at the end."""
    ordered = arranged(findings)
    counts = {grade: sum(finding.grade is grade for finding in ordered) for grade in ORDER}
    nouns = {Grade.WARNING: "warning" if counts[Grade.WARNING] == 1 else "warnings"}
    told = [f"{n} {nouns.get(grade, grade.value)}" for grade, n in counts.items() if n]
    verdict = "it would fail tonight" if counts[Grade.WRONG] else "nothing is known to be wrong"
    return [*(finding.line for finding in ordered), "", f"{', '.join(told)}: {verdict}."]


def arranged(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings, the worst first; what is the same of several accounts becomes one line."""
    alike: dict[tuple[Grade, str, str, str, str], list[Finding]] = {}
    for each in findings:
        alike.setdefault((each.grade, each.part, each.topic, each.text, each.remedy), []).append(
            each
        )
    joined = [_joined(group) for group in alike.values()]
    return sorted(
        joined, key=lambda f: (ORDER.index(f.grade), PARTS.index(f.part), f.about, f.topic)
    )


def _joined(group: Sequence[Finding]) -> Finding:
    names = sorted({finding.about for finding in group} - {""})
    accounts = dict.fromkeys(name for finding in group for name in finding.accounts)
    return replace(group[0], about=listed(names), accounts=tuple(accounts))


def listed(names: Sequence[str]) -> str:
    """Join names, cut to the first few: `a, b and 3 more`."""
    left = len(names) - SHOWN_MAX
    if left <= 1:
        return ", ".join(names)
    return f"{', '.join(names[:SHOWN_MAX])} and {left} more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is other than it was; findings that are fine are no news."""

    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]


def following(before: Checkup | None, now: Checkup) -> Checkup:
    """Return a check with what the one before it found of that which it could not look at."""
    if before is None:
        return now
    blind = [finding for finding in now.findings if finding.is_blind]
    known = {finding.key for finding in now.findings}
    kept = [
        finding
        for finding in (*before.findings, *before.kept)
        if finding.key not in known and not finding.is_blind and _is_hidden(finding, blind)
    ]
    return replace(now, kept=tuple({finding.key: finding for finding in kept}.values()))


def _is_hidden(finding: Finding, blind: Sequence[Finding]) -> bool:
    """Tell whether nothing was seen of what a finding is about."""
    unseen = {account for each in blind for account in each.accounts}
    same = any((each.part, each.about) == (finding.part, finding.about) for each in blind)
    return same or bool(finding.accounts and unseen.issuperset(finding.accounts))


def change(before: Checkup | None, now: Checkup) -> Change:
    """Compare two checks by what they say of each topic, whatever the numbers."""
    was, is_now = _known(before), _known(now)
    return Change(
        new=tuple(f for key, f in is_now.items() if key not in was or was[key].grade != f.grade),
        gone=tuple(f for key, f in was.items() if key not in is_now),
    )


def _known(checkup: Checkup | None) -> dict[Topic, Finding]:
    if checkup is None:
        return {}
    found = (*checkup.findings, *checkup.kept)
    return {finding.key: finding for finding in found if finding.grade is not Grade.FINE}
