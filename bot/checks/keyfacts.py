"""What a venue tells of one key, as findings.

Owns the judgement: right account, may cancel, may withdraw, how long it lasts. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from adapters import registry
from adapters.contract import KeyFacts
from bot.checks.slate import Spot
from bot.domain.finding import Finding, listed
from bot.domain.plan import AccountEntry

SOON = timedelta(days=14)
"""A key that expires sooner is told: somebody needs a few days to replace it."""


class KeyUse(Enum):
    """What a key is for."""

    TRADE = "key"
    READ = "read key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """One key of one account, and what its venue tells of it."""

    account: AccountEntry
    use: KeyUse
    facts: KeyFacts
    now: datetime

    @property
    def spot(self) -> Spot:
        """Where its findings stand."""
        return spot_of(self.account)

    @property
    def remedy(self) -> str:
        """What to store instead."""
        if self.use is KeyUse.READ:
            return "Store one that may only read, or leave read_key out."
        return f"Store {registry.venues()[self.account.venue].key_should_be}."


def spot_of(account: AccountEntry) -> Spot:
    """Return where the findings of an account stand."""
    return Spot(part="account", about=account.name, accounts=(account.name,))


def findings(seen: Inspected) -> Iterator[Finding]:
    """Say what is to be said of a key; of one that is another's, nothing more than that."""
    facts, account, use = seen.facts, seen.account, seen.use.value
    if account.uid not in facts.accounts:
        whose = f"is of {listed(facts.accounts)}" if facts.accounts else "is of no account there"
        text = f"the {use} {whose}, and the config says {account.uid}"
        yield seen.spot.wrong(f"{use} owner", text, "Mend uid, or store the key of this account.")
        return
    yield from _rights(seen)
    yield from _expiry(seen)
    said = "" if seen.use is KeyUse.TRADE else f"{use}: "
    for warning in facts.warnings:
        if not _is_no_news(seen, warning):
            yield seen.spot.warning(f"{use} {warning}", f"{said}{warning}")
    bound = f", bound to {listed(facts.bound_addresses)}" if facts.bound_addresses else ""
    until = f", good until {facts.expires:%Y-%m-%d}" if facts.expires is not None else ""
    may = " and may cancel" if facts.can_cancel and seen.use is KeyUse.TRADE else ""
    yield seen.spot.fine(f"{use} owner", f"the {use} is of this account{may}{bound}{until}")


def _is_no_news(seen: Inspected, warning: str) -> bool:
    """Tell whether a venue warns that a key cannot cancel, which is said, or as it should be."""
    cannot = seen.use is KeyUse.READ or seen.facts.can_cancel is False
    return cannot and "cancel" in warning


def _rights(seen: Inspected) -> Iterator[Finding]:
    facts, spot, use = seen.facts, seen.spot, seen.use.value
    if seen.use is KeyUse.READ:
        if facts.can_cancel:
            text = f"the {use} may cancel, not only read"
            yield spot.warning(f"{use} cancel", text, seen.remedy)
    elif facts.can_cancel is None:
        yield spot.unknown(f"{use} cancel", f"the venue does not tell whether the {use} may cancel")
    elif not facts.can_cancel:
        yield spot.wrong(f"{use} cancel", f"the {use} cannot cancel", seen.remedy)
    # Most venues' own warning says more of a key that may withdraw.
    if facts.can_withdraw and not any("withdraw" in warning for warning in facts.warnings):
        yield spot.warning(f"{use} withdraw", f"the {use} may withdraw", seen.remedy)
    elif facts.can_withdraw is None and seen.use is KeyUse.TRADE:
        text = f"the venue does not tell whether the {use} may withdraw"
        yield spot.unknown(f"{use} withdraw", text)


def _expiry(seen: Inspected) -> Iterator[Finding]:
    expires, spot, use = seen.facts.expires, seen.spot, seen.use.value
    if expires is None:
        return
    if expires <= seen.now:
        text = f"the {use} expired on {expires:%Y-%m-%d}"
        yield spot.wrong(f"{use} expiry", text, seen.remedy)
    elif expires - seen.now < SOON:
        days = (expires - seen.now).days
        text = f"the {use} expires on {expires:%Y-%m-%d}, in {days} days"
        yield spot.warning(f"{use} expiry", text, seen.remedy)
