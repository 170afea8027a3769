"""What the config itself shows: what it leaves uncovered, what hangs on one key, who hears us.

Owns these findings. Pure: `bot.config` has read and refused whatever cannot be right.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from bot.checks.slate import Spot, named
from bot.config import Config
from bot.domain.finding import Finding, listed
from bot.domain.plan import AccountEntry

SHARED_MAX = 5
"""Accounts that one key may be for before that is worth a line."""


def findings(config: Config) -> Iterator[Finding]:
    """Say what the config leaves open."""
    spot = Spot(part="config")
    venues = {account.venue for account in config.accounts}
    accounts, rules = named(config.accounts, "account"), named(config.policy.rules, "rule")
    yield spot.fine("loads", f"{accounts} at {named(venues, 'venue')}, {rules}")
    yield from _shared(config.accounts)
    for account in config.accounts:
        if account.classes_off:
            mine = Spot(part="config", about=account.name, accounts=(account.name,))
            off = ", ".join(account.classes_off)
            remedy = "Take them out of classes_off, unless that is meant."
            yield mine.warning("classes_off", f"not covered: {off}", remedy)
    if not _is_loopback(config.file.web.host):
        where = config.file.web.host
        yield spot.warning(
            "web",
            f"whoever reaches {where} port {config.file.web.port} reads health and metrics",
            'Write host = "127.0.0.1" under [web], or let a firewall keep others out.',
        )


def _shared(accounts: Sequence[AccountEntry]) -> Iterator[Finding]:
    """Name keys on which many accounts hang: one leak, one refusal or one slip takes them all."""
    by_key: dict[tuple[str, str], list[str]] = {}
    for account in accounts:
        by_key.setdefault((account.venue, account.key), []).append(account.name)
    for (venue, key), names in by_key.items():
        if len(names) > SHARED_MAX:
            spot = Spot(part="config", about=key, accounts=tuple(names))
            text = f"{named(names, 'account')} at {venue} hang on this one key: {listed(names)}"
            remedy = "Give each desk a key of its own: they are refused, leaked and paced together."
            yield spot.warning("shared", text, remedy)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
