"""What Bybit v5 says of a key: whose it is, what it may do, and what a person should know.

Owns `parse_key()`, and what only `bybit_facts` asks beyond that. Pure. Only whose key it is must be
told as documented: that is what a run is refused for. Whatever else cannot be read is unknown and a
warning, because a field that Bybit adds or changes must not disarm every account at once.

Sources: bybit-exchange/docs, `docs/v5/user/apikey-info.mdx` as of 2026-07-24, read 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from adapters.bybit_replies import Whole, Wire, read
from adapters.contract import KeyFacts

_WANTED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "linear and inverse": (("ContractTrade", "Order"),),
    "spot": (("Spot", "SpotTrade"),),
    "option": (("Options", "OptionsTrade"), ("Derivatives", "DerivativesTrade")),
}
"""Orders -> permissions of which one is needed to cancel them."""
LACKS_PERMISSION = "10005"
SUB_MEMBERS_MAX = 10_000
"""Sub-accounts that are listed at most."""
MORE_MEMBERS = "Bybit lists 10,000 sub-accounts at once: there may be more"
NOT_UNIFIED = (
    "Bybit does not call this a unified account: orders of a classic or separate derivatives "
    "account are not seen"
)
_LISTING = frozenset({"AccountTransfer", "SubMemberTransfer", "SubMemberTransferList", "Withdraw"})
"""Permissions of which one lets a master account's key list sub-accounts; the documentation gives
their titles, of which `Subaccount Transfer` may be either of two."""
_TRADING = frozenset(
    {"ContractTrade", "Spot", "Options", "Derivatives", "CopyTrading", "BlockTrade"}
)


class _Key(Wire):
    user_id: Whole = Field(alias="userID")
    read_only: Any = Field(default=None, alias="readOnly")
    permissions: Any = None
    ips: Any = None
    expires: Any = Field(default=None, alias="expiredAt")
    is_master: Any = Field(default=None, alias="isMaster")
    uta: Any = None


class _SubMember(Wire):
    uid: Whole


class _SubMembers(Wire):
    rows: list[_SubMember] = Field(alias="subMembers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What kind of account a key is of."""

    may_list: bool
    """It is a master account's and may list the sub-accounts, as far as Bybit tells."""
    is_unified: bool | None
    """None: not said."""


@dataclass(slots=True, kw_only=True)
class _Told:
    """What could be read of a key."""

    unreadable: list[str] = field(default_factory=list)
    """Fields that are not as documented."""
    is_read_only: bool | None = None
    held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Permissions by group."""
    ips: tuple[str, ...] | None = None
    """Addresses that the key is bound to; None: not known."""
    expires: datetime | None = None

    def is_unreadable(self, group: str) -> bool:
        """Tell whether a group of permissions is unknown."""
        return not {"permissions", f"permissions.{group}"}.isdisjoint(self.unreadable)


def parse_key(result: object) -> KeyFacts:
    """Read `query-api`.

    Raises:
        VenueReplyInvalid: it does not say whose key this is.
    """
    key = read(_Key, result, "query-api")
    told = _Told()
    _read_permissions(key.permissions, told)
    told.is_read_only = {0: False, "0": False, 1: True, "1": True}.get(_plain(key.read_only))
    if told.is_read_only is None:
        told.unreadable.append("readOnly")
    ips = _texts(key.ips)
    if ips is None:
        told.unreadable.append("ips")
    else:
        told.ips = tuple(each for each in ips if each not in ("", "*"))
    _read_expiry(key.expires, told)
    lacking = [kind for kind in _WANTED if _may_cancel(kind, told) is False]
    wallet = told.held.get("Wallet", ())
    return KeyFacts(
        accounts=(str(key.user_id),),
        can_cancel=_can_cancel(told),
        can_withdraw=None if told.is_unreadable("Wallet") else "Withdraw" in wallet,
        is_read_only=told.is_read_only,
        bound_addresses=told.ips or (),
        expires=told.expires,
        warnings=tuple(_warnings(told, lacking)),
    )


def parse_standing(result: object) -> Standing:
    """Read from `query-api` what kind of account it is: `{"isMaster":true,"uta":1,…}`.

    Raises:
        VenueReplyInvalid: it does not say whose key this is.
    """
    key, told = read(_Key, result, "query-api"), _Told()
    _read_permissions(key.permissions, told)
    held = told.held.get("Wallet", ())
    return Standing(
        may_list=key.is_master is True and not _LISTING.isdisjoint(held),
        is_unified={0: False, "0": False, 1: True, "1": True}.get(_plain(key.uta)),
    )


def parse_sub_members(result: object) -> tuple[str, ...]:
    """Read the sub-accounts: `{"subMembers":[{"uid":"106314365","status":1,…}]}`.

    Raises:
        VenueReplyInvalid: it is no such list; none at all is an empty one.
    """
    rows = read(_SubMembers, result, "sub-accounts").rows
    return tuple(sorted({str(row.uid) for row in rows}))


def _plain(value: object) -> int | str | None:
    return value if isinstance(value, int | str) else None


def _texts(value: object) -> tuple[str, ...] | None:
    """Read names: a list, one alone, or nothing; None where it is something else."""
    if value is None:
        return ()
    found: list[object] = value if isinstance(value, list) else [value]
    names = tuple(each for each in found if isinstance(each, str))
    return names if len(names) == len(found) else None


def _read_permissions(said: object, told: _Told) -> None:
    if not isinstance(said, dict):
        told.unreadable.append("permissions")
        return
    names = {str(group)[:40]: _texts(value) for group, value in said.items()}
    told.held = {group: found for group, found in names.items() if found is not None}
    told.unreadable += [f"permissions.{group}" for group in sorted(names.keys() - told.held.keys())]


def _read_expiry(said: object, told: _Told) -> None:
    """Read when the key dies; keys bound to an address show 1970 and a negative `deadlineDay`."""
    if said in (None, ""):
        return
    try:
        moment = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        moment = None
    if moment is None:
        told.unreadable.append("expiredAt")
        return
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    told.expires = aware if aware.timestamp() > 0 else None


def _may_cancel(kind: str, told: _Told) -> bool | None:
    """Tell whether the key may cancel a kind of order; None: not known."""
    if any(name in told.held.get(group, ()) for group, name in _WANTED[kind]):
        return True
    return None if any(told.is_unreadable(group) for group, _ in _WANTED[kind]) else False


def _can_cancel(told: _Told) -> bool | None:
    """Tell whether the key may cancel anything; None: not known."""
    if told.is_read_only is not False:
        return False if told.is_read_only else None
    may = {_may_cancel(kind, told) for kind in _WANTED}
    return True if True in may else None if None in may else False


def _warnings(told: _Told, lacking: Sequence[str]) -> list[str]:
    warnings = ["the key is read-only and cannot cancel"] if told.is_read_only else []
    warnings += [f"the key has no permission to cancel {kind} orders" for kind in lacking]
    if told.ips == ():
        warnings.append("the key is not bound to an address and expires 90 days after it was made")
    wallet = told.held.get("Wallet", ())
    if "Withdraw" in wallet:
        warnings.append("the key may withdraw: replace it by one that may only trade")
    if any(name != "Withdraw" for name in wallet):
        warnings.append("the key may transfer between wallets or accounts")
    extra = sorted(group for group in told.held if told.held[group])
    extra = [group for group in extra if group not in _TRADING | {"Wallet"}]
    if extra:
        warnings.append(f"the key may do more than trade: {', '.join(extra)[:200]}")
    if told.unreadable:
        fields = ", ".join(told.unreadable)[:200]
        warnings.append(f"what Bybit says of the key could not be read in full: {fields}")
    return warnings
