"""What is really open at each venue, and what was called there, as parts for the page.

Owns the counts per account and order class and the lines of the wire log. It asks the books
directly: never what the venue's API says, and never the app. No key is in the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.sandbox.accounts import PREMISES, Account, Simulated
from bot.sandbox.page.sight import Parts
from bot.sandbox.slack.records import Json
from bot.sandbox.venues.exchange import Seen

AGE_S = 0.2
"""How old counts may be: several pages look at one board."""
CALLS_MAX = 300
"""Newest calls of each venue that are shown: a run with all its readings."""
SENT_MAX = 400
"""Characters of what was sent."""
GOOD = frozenset({"0", "200", "101"})
"""Codes of the venues' that say yes."""


class Board:
    """The board of a desk's venues."""

    def __init__(self, venues: Mapping[str, Simulated], accounts: Sequence[Account]) -> None:
        self._venues = venues
        self._accounts = accounts
        self._names = {(account.venue, account.place): account.name for account in accounts}
        self._peaks: dict[str, int] = {}
        self._classes: dict[str, dict[str, None]] = {
            venue: dict.fromkeys(PREMISES[venue].orders) for venue in venues
        }
        """The order classes of each venue: those that are seeded, then those met since."""
        self._calls: dict[str, dict[str, Json]] = {venue: {} for venue in venues}
        """The newest of each venue, oldest first."""
        self._read = dict.fromkeys(venues, 0)
        """How many lines of each wire log were."""
        self._counted: tuple[float, Parts] = (0.0, {})

    def parts(self, now: float) -> Parts:
        """Return a part for each venue and each of its last calls; `now` is epoch seconds."""
        at, found = self._counted
        if not at <= now < at + AGE_S:
            found = {
                name: part
                for venue in self._venues
                for name, part in (
                    (f"venue/{venue}", self._venue(venue, now)),
                    *self._newest(venue).items(),
                )
            }
            self._counted = now, found
        return found

    def _venue(self, venue: str, now: float) -> Json:
        accounts = [self._account(each, now) for each in self._accounts if each.venue == venue]
        for account in accounts:
            self._classes[venue] |= dict.fromkeys(account["by_class"])
        return {
            "name": venue,
            "title": PREMISES[venue].title,
            "open": sum(account["open"] for account in accounts),
            "calls": len(self._venues[venue].log),
            "accounts": accounts,
            "classes": list(self._classes[venue]),
        }

    def _account(self, account: Account, now: float) -> Json:
        """Count one account; `peak` is the most that was open since it was last empty."""
        classes = self._venues[account.venue].book.open_count(account.place, now=now)
        total = sum(classes.values())
        peak = max(total, self._peaks.get(account.name, 0)) if total else 0
        self._peaks[account.name] = peak
        return {
            "name": account.name,
            "open": total,
            "peak": peak,
            "by_class": classes,
        }

    def _newest(self, venue: str) -> Parts:
        """Read on in the wire log, which only grows, and forget what is too old to be shown."""
        log, known = self._venues[venue].log, self._calls[venue]
        first = max(self._read[venue], len(log) - CALLS_MAX)
        for number, call in enumerate(log[first:], start=first):
            known[f"call/{venue}/{number:09d}"] = self._call(venue, call)
        self._read[venue] = len(log)
        for name in list(known)[:-CALLS_MAX]:
            del known[name]
        return known

    def _call(self, venue: str, call: Seen) -> Json:
        return {
            "venue": venue,
            "at": call.at,
            "account": self._names.get((venue, call.uid), ""),
            "method": call.method,
            "path": call.path,
            "sent": call.payload[:SENT_MAX],
            "is_signed": call.is_signed,
            "is_good": not call.fate and call.code in GOOD,
            "code": call.fate or call.code,
        }
