"""What is said of every account: one line each, the worst first, within a limit.

Owns the lines of board, venue reply and final card, and what is told of accounts for which there is
no room: whoever is not FLAT is named, the rest is counted by outcome. Pure; escapes what it is
given. `bot.slack.blocks` puts the lines into messages.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.domain import result as results
from bot.domain.result import Outcome, TargetResult, TargetStatus
from bot.slack import text

LINES_MAX = 40
"""Accounts told in full in one message."""
NAMES_CHARS_MAX = 1_400
"""Characters of names in one line."""
NO_VERDICT = "no verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is said of one account."""

    account: str
    word: str
    """Its outcome, or that it has none: accounts without a line of their own go by it."""
    said: str


def board(statuses: Sequence[TargetStatus]) -> list[Line]:
    """Say where every target stands now."""
    return [_line(status, _status(status)) for status in results.worst_first(statuses)]


def found(statuses: Sequence[TargetStatus], before: Mapping[str, str]) -> list[Line]:
    """Say what was found of every target: before, after, outcome, cause, remedy."""
    return [
        _line(status, _result(status.result, before.get(status.account)))
        if status.result
        else _line(status, f"{text.escape(status.account)}: {NO_VERDICT}")
        for status in results.worst_first(statuses)
    ]


def fitted(lines: Sequence[Line], chars_max: int) -> list[str]:
    """Tell as many in full as fit beside the names of all the others that are not FLAT."""
    for shown in range(min(len(lines), LINES_MAX), 0, -1):
        told = [line.said for line in lines[:shown]]
        told += [said for group in _groups(lines[shown:]) for said in group.told(sys.maxsize)]
        if text.length(told) <= chars_max:
            return told
    groups = _groups(lines)
    share = chars_max // max(1, len(groups))
    return [said for group in groups for said in group.told(share)]


@dataclass(frozen=True, slots=True)
class _Group:
    """Accounts of one outcome for which there is no line of their own."""

    word: str
    accounts: list[str]

    def told(self, chars_max: int) -> list[str]:
        """Name those that are not FLAT, as far as that fits; count the rest."""
        if self.word == Outcome.FLAT.value:
            every = "all " if len(self.accounts) > 1 else ""
            return [f"and {text.plural(len(self.accounts), 'more account')}, {every}FLAT"]
        named: list[str] = []
        room = chars_max - len(self.word) - 40
        for account in self.accounts:
            room -= len(account) + 2
            if room < 0:
                break
            named.append(account)
        if left := len(self.accounts) - len(named):
            named.append(f"and {text.plural(left, 'more account')}")
        parts = textwrap.wrap(
            ", ".join(named), NAMES_CHARS_MAX, break_long_words=False, break_on_hyphens=False
        )
        return [f"*{self.word}*: {part}" for part in parts]


def _groups(lines: Sequence[Line]) -> list[_Group]:
    groups: dict[str, _Group] = {}
    for line in lines:
        groups.setdefault(line.word, _Group(line.word, [])).accounts.append(line.account)
    return list(groups.values())


def _line(status: TargetStatus, said: str) -> Line:
    word = status.result.outcome.value if status.result else NO_VERDICT
    return Line(account=text.escape(status.account), word=word, said=said)


def _status(status: TargetStatus) -> str:
    bound = "at least " if status.is_at_least else ""
    now = "unknown" if status.open_now is None else f"{bound}{status.open_now:,}"
    verdict = f"*{status.result.outcome.value}*" if status.result else status.phase.value
    words = [f"{text.escape(status.account)}: {verdict}", f"open {now}"]
    if status.accepted:
        words.append(f"{status.accepted:,} accepted")
    if status.rounds > 1:
        words.append(f"round {status.rounds}")
    if status.cause and not (status.result and status.result.outcome is Outcome.FLAT):
        words.append(text.cut(text.escape(status.cause), 200))
    return ", ".join(words)


def _result(result: TargetResult, before: str | None) -> str:
    bound = "at least " if result.is_at_least else ""
    after = "unknown" if result.open_after is None else f"{bound}{result.open_after:,}"
    words = [
        f"*{text.escape(result.account)}: {result.outcome.value}* after {result.seconds:.1f} s",
        f"before {before or 'unknown'}, accepted {result.accepted:,}, open now {after}",
    ]
    if result.cause:
        words.append(text.cut(text.escape(result.cause), 300))
    if result.remedy:
        words.append(text.cut(text.escape(result.remedy), 300))
    if result.residual:
        rest = [f"{order.order_class} {order.symbol} {order.order_id}" for order in result.residual]
        words.append(f"rests: {text.escape(text.names(rest, shown_max=5))}")
    return ". ".join(words)
