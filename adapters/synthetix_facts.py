"""What Synthetix tells of a key and of itself when it is asked at leisure: for `cancelall check`.

Owns `look()`, `inspect()` and the models of what they read. Nothing here is called in a run.

Sources: developers.synthetix.io, getSubAccountIds, getSubAccounts, getDelegatedSigners and
addDelegatedSigner (crawls of 2026), synthetix-sdk 0.7.0; read 2026-11-21. Oddities, and what
Synthetix does not tell:

* `expiresAt` is in milliseconds where it is set; how the lists spell it is not said. Null and 0
  mean that it never ends; a number too small for milliseconds is read as seconds.
* Who may sign is remembered for half an hour: a delegation that has been removed goes on until
  then, and is in no list any more.
* Account-level managers are in no list but, by one client, `managedSubAccountIds`.
* From which addresses a key may call: keys are not bound to addresses there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from adapters import synthetix_calls as calls
from adapters import synthetix_lists as lists
from adapters import synthetix_replies as replies
from adapters import synthetix_wire as wire
from adapters.contract import KeyFacts, VenueAuthRefused, VenueFacts, VenueRefused
from adapters.link import VenueLink
from adapters.synthetix_calls import Caller
from adapters.synthetix_replies import SECOND_MS, Told, Wire, read, text_of

SKEW_S_MAX = wire.LIFE_MS / SECOND_MS
"""A call is good for so long after its signing, and refused after it; ahead, nothing is known."""
GRAIN_S = 0.5
"""A `timestamp` without parts of a second may show whole ones."""
SECONDS_BELOW = 10**11
"""In milliseconds this was in 1973."""
TRADING = frozenset({"session", "delegate", "trading"})
OWNER = (
    "the key owns the subaccount and may withdraw: delegate a signer to it with permission session "
    "and store that one"
)
MAY_DELEGATE = "the key may let further signers trade (permission delegate): session is enough"
LINGERS = (
    "Synthetix lists this signer neither as owner nor as delegate of the subaccount, and yet lets "
    "it ask: a delegation that was removed ends within half an hour"
)
NO_SIBLINGS = (
    "Synthetix does not list the owner's subaccounts to this key: compare the config by hand"
)


class _Ids(Wire):
    owned: list[Any] = Field(alias="subAccountIds")
    delegated: list[Any] = Field(alias="delegatedSubAccountIds")
    managed: list[Any] | None = Field(default=None, alias="managedSubAccountIds")


class _Delegate(Wire):
    address: str = Field(alias="walletAddress")
    permissions: list[str]
    expires: Any = Field(default=None, alias="expiresAt")


class _Delegates(Wire):
    rows: list[_Delegate] = Field(alias="delegatedSigners")


class _Sibling(Wire):
    uid: Any = Field(alias="subAccountId")


class _Siblings(Wire):
    rows: list[_Sibling] = Field(alias="subAccounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """The subaccounts that an address may act for, as Synthetix lists them."""

    owned: frozenset[str]
    delegated: frozenset[str] = frozenset()
    """With those that it manages."""


@dataclass(slots=True, kw_only=True)
class _Delegation:
    """What one subaccount says of our signer."""

    permissions: tuple[str, ...] | None = None
    """None: it is no delegate."""
    expires: datetime | None = None
    warnings: list[str] = field(default_factory=list)


async def look(link: VenueLink) -> VenueFacts:
    """Ask for the markets, and the time that stands in every answer.

    Raises:
        VenueError: Synthetix did not answer with them.
    """
    looked = await calls.time_public(link, wire.build_markets())
    lists.parse_markets(looked.told)
    server_ms, grain_s = looked.server_ms, 0.0
    if server_ms is not None and server_ms % SECOND_MS == 0:
        server_ms, grain_s = server_ms + GRAIN_S * SECOND_MS, GRAIN_S
    return looked.timed.facts(server_ms, skew_max_s=SKEW_S_MAX, grain_s=grain_s)


async def inspect(caller: Caller) -> KeyFacts:
    """Ask whether the key is an owner's or a delegate's, until when, and for which subaccounts.

    Raises:
        VenueError: Synthetix did not say, or does not let the key act for the subaccount.
    """
    signer, uid = caller.signer, caller.uid
    ids = parse_ids(await calls.ask_public(caller.link, wire.build_subaccount_ids(signer.address)))
    told = await caller.ask(wire.build_delegates())  # Signed: who may not act is refused it.
    mine = _delegation(told, signer.address)
    siblings, warnings = await _siblings(caller)
    is_owner = uid in ids.owned
    is_delegate = uid in ids.delegated or mine.permissions is not None
    if is_owner:
        warnings.append(OWNER)
    elif not is_delegate:
        warnings.append(LINGERS)
    listed = ids.owned | ids.delegated | ({uid} if is_delegate else set())
    return KeyFacts(
        accounts=tuple(each for each in signer.accounts if each in listed),
        can_cancel=is_owner or _can_trade(mine.permissions),
        can_withdraw=is_owner,
        expires=None if is_owner else mine.expires,
        warnings=(*mine.warnings, *warnings),
        subaccounts=tuple(sorted(ids.owned | ids.delegated | siblings)),
    )


async def _siblings(caller: Caller) -> tuple[frozenset[str], list[str]]:
    """Return all subaccounts of the owner, and a warning where this key is not told them."""
    try:
        found = read(_Siblings, (await caller.ask(wire.build_siblings())).payload, "subaccounts")
    except (VenueAuthRefused, VenueRefused) as error:
        if error.retryable:
            raise
        return frozenset(), [NO_SIBLINGS]
    return _uids((row.uid for row in found.rows), "subaccounts"), []


def parse_ids(told: Told) -> Ids:
    """Read `{"subAccountIds":["1867…"],"delegatedSubAccountIds":[…]}`, or the owned ones alone.

    Raises:
        VenueReplyInvalid: it is neither.
    """
    what = "subaccount ids"
    if isinstance(told.payload, list):
        return Ids(owned=_uids(told.payload, what))
    found = read(_Ids, told.payload, what)
    delegated = _uids([*found.delegated, *(found.managed or ())], what)
    return Ids(owned=_uids(found.owned, what), delegated=delegated)


def _uids(told: Iterable[object], what: str) -> frozenset[str]:
    """Take ids as the digits that they are written in; a JSON number is kept whole, too."""
    found = [text_of(each) for each in told]
    if not all(wire.UID.fullmatch(each) for each in found):
        raise replies.invalid(f"{what}, an id is not a whole number")
    return frozenset(found)


def _delegation(told: Told, address: str) -> _Delegation:
    """Find our signer in `{"delegatedSigners":[{"walletAddress":…,"permissions":["session"],…}]}`.

    Raises:
        VenueReplyInvalid: it is no such list.
    """
    mine = _Delegation()
    for row in read(_Delegates, told.payload, "delegated signers").rows:
        if row.address.lower() != address.lower():
            continue
        mine.permissions = (*(mine.permissions or ()), *row.permissions)
        mine.expires = _expiry(row.expires, mine.warnings)
        if "delegate" in row.permissions:
            mine.warnings.append(MAY_DELEGATE)
    return mine


def _expiry(told: object, warnings: list[str]) -> datetime | None:
    if told in (None, "", 0, "0"):
        return None
    text = text_of(told)
    if re.fullmatch(r"[0-9]{1,11}", text) and int(text) < SECONDS_BELOW:
        return datetime.fromtimestamp(int(text), UTC)
    at = replies.moment(told)
    if at is None:
        warnings.append("when the delegation ends could not be read: ask its owner")
    return at


def _can_trade(permissions: tuple[str, ...] | None) -> bool | None:
    """Tell whether a delegate may cancel; None: it is not among those that are listed."""
    return None if permissions is None else not TRADING.isdisjoint(permissions)
