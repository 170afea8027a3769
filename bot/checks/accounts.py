"""What each account's keys are, as the venues tell.

Owns the reading of keys for a check. A key that can cancel is read only where the ground says so,
which only a person's recorded `cancelall check --keys` does. It goes to its signer and no further:
nothing here is ever asked to cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from adapters.contract import AnyVenue, Purpose, VenueAdapter, VenueError
from bot.checks import keyfacts
from bot.checks import keys as sources
from bot.checks.ground import Ground
from bot.checks.keyfacts import Inspected, KeyUse
from bot.checks.slate import Look, Slate, Spot, named
from bot.domain.errors import SecretError
from bot.domain.finding import Finding, listed
from bot.domain.plan import AccountEntry
from bot.flow.ports import KeyDocument, KeySource, Venues

Place = tuple[str, str]
"""(venue, base URL)."""


@dataclass(slots=True, kw_only=True)
class _Round:
    """One look at all keys, and what only all of them together show."""

    ground: Ground
    slate: Slate
    keys: KeySource
    venues: Venues
    holders: dict[tuple[Place, str], set[str]] = field(default_factory=dict)
    """(place, name of a signer that can cancel) -> the paths that hold it."""
    siblings: dict[Place, set[str]] = field(default_factory=dict)
    """Accounts of the owner that a venue lists."""
    listing: dict[Place, set[str]] = field(default_factory=dict)
    """Our accounts to whose keys it listed them."""

    def venue(self, account: AccountEntry) -> AnyVenue:
        """Return where an account is."""
        return self.venues.venue(account.venue, account.base_url)

    async def at_account(self, account: AccountEntry, work: Look) -> None:
        """Look at one account; a bug in that hides no other."""
        await self.slate.guarded(keyfacts.spot_of(account), work, within=HERE)


HERE = Spot(part="account")


async def look(ground: Ground, slate: Slate) -> None:
    """Look at the keys of every account, side by side; each path is read once."""
    if ground.venues is None or ground.keys is None:
        return
    this = _Round(ground=ground, slate=slate, keys=ground.keys, venues=ground.venues)
    async with asyncio.TaskGroup() as group:
        for (path, use), accounts in _paths(ground).items():
            group.create_task(_look_at_path(this, path, use, accounts))
        for account in ground.config.accounts:
            if account.read_key is None:
                group.create_task(
                    this.at_account(account, partial(_look_without_key, this, account))
                )
    slate.add(*_held_twice(this), *_left_out(this))


def _paths(ground: Ground) -> dict[tuple[str, KeyUse], list[AccountEntry]]:
    """Return what is read, and for whom; trade keys only where that was recorded."""
    found: dict[tuple[str, KeyUse], list[AccountEntry]] = {}
    for account in ground.config.accounts:
        if account.read_key is not None:
            found.setdefault((account.read_key, KeyUse.READ), []).append(account)
        if ground.is_with_keys:
            found.setdefault((account.key, KeyUse.TRADE), []).append(account)
    return found


async def _look_at_path(
    this: _Round, path: str, use: KeyUse, accounts: Sequence[AccountEntry]
) -> None:
    found: list[KeyDocument] = []
    spot = Spot(part="keys", about=path, accounts=tuple(account.name for account in accounts))
    await this.slate.guarded(spot, partial(_read, this, path, found), within=HERE)
    async with asyncio.TaskGroup() as group:
        for document in found:
            for account in accounts:
                work = partial(_look_at_key, this, (path, document), use, account)
                group.create_task(this.at_account(account, work))


async def _read(this: _Round, path: str, into: list[KeyDocument]) -> None:
    try:
        into.append(await this.keys.read(path))
    except SecretError as error:
        this.slate.add(*sources.of_paths(this.ground.config, {path: error}))


async def _look_at_key(
    this: _Round, held: tuple[str, KeyDocument], use: KeyUse, account: AccountEntry
) -> None:
    path, document = held
    spot, venue = keyfacts.spot_of(account), this.venue(account)
    if document.note:
        this.slate.add(spot.warning(f"{use.value} note", f"{use.value} from the {document.note}"))
    try:
        signer = venue.signer(document.text)
        if use is KeyUse.TRADE:
            place = (account.venue, account.base_url)
            this.holders.setdefault((place, signer.budget_id), set()).add(path)
        adapter = venue.adapter(signer, uid=account.uid, purpose=Purpose.LOOK)
        await _inspect(this, account, use, adapter)
    except VenueError as error:
        why = f"{use.value}: {error.user_message}"
        this.slate.add(spot.blind(f"{use.value} look", why, error.remedy))


async def _inspect(this: _Round, account: AccountEntry, use: KeyUse, adapter: VenueAdapter) -> None:
    facts = await adapter.inspect()
    place = (account.venue, account.base_url)
    if facts.subaccounts:
        this.siblings.setdefault(place, set()).update(facts.subaccounts)
        this.listing.setdefault(place, set()).add(account.name)
    seen = Inspected(account=account, use=use, facts=facts, now=this.ground.clock.now())
    this.slate.add(*keyfacts.findings(seen))


async def _look_without_key(this: _Round, account: AccountEntry) -> None:
    """Look at an account as anybody may; where nobody may, its orders are not counted."""
    spot, reader = keyfacts.spot_of(account), this.venue(account).reader(account.uid)
    if reader is None:
        text = "no read_key: how many orders are open is unknown before a run"
        this.slate.add(
            spot.unknown("counts", text, "Add one if the venue has keys that only read.")
        )
        return
    try:
        await reader.inspect()
    except VenueError as error:
        this.slate.add(spot.blind("look", error.user_message, error.remedy))
    else:
        this.slate.add(spot.fine("look", "the venue knows the account"))


def _held_twice(this: _Round) -> Iterator[Finding]:
    """Name signers under two names: two runs would sign with one key and not know of each other."""
    for ((venue, _), _), paths in this.holders.items():
        if len(paths) > 1:
            spot = Spot(part="keys", about=venue, accounts=_users(this, paths))
            text = f"{listed(sorted(paths))} hold one and the same key"
            remedy = "Name it alike in every account: else their nonces and budgets clash."
            yield spot.warning(f"twice {min(paths)}", text, remedy)


def _users(this: _Round, paths: set[str]) -> tuple[str, ...]:
    accounts = this.ground.config.accounts
    return tuple(a.name for a in accounts if a.key in paths or a.read_key in paths)


def _left_out(this: _Round) -> Iterator[Finding]:
    """Name accounts that a venue lists and the config lacks: their orders would stay."""
    for place, listed_there in this.siblings.items():
        ours = {a.uid for a in this.ground.config.accounts if (a.venue, a.base_url) == place}
        if missing := sorted(listed_there - ours):
            accounts = tuple(sorted(this.listing[place]))
            spot = Spot(part="account", about=place[0], accounts=accounts)
            text = f"{named(missing, 'account')} there that the config lacks: {listed(missing)}"
            remedy = "Add those that trade: nothing here cancels their orders."
            yield spot.warning(f"left out {' '.join(missing)}", text, remedy)
