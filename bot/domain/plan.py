"""What would be done: a command made concrete against the accounts that exist.

Owns `AccountEntry`, `Directory`, `Target`, `Plan`, `resolve()` and the digest. Pure: no clock, no
I/O. Never guesses: a word that names nothing is refused with the nearest spellings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from adapters.contract import Capabilities, OrderClass, Protective, Scope
from bot.domain import command as commands
from bot.domain import event
from bot.domain.command import Cancel
from bot.domain.errors import UsageError
from policies import evaluate
from policies.explain import listed, near, nearest
from policies.model import UNKNOWN, Account, Actor, Policy, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEntry:
    """One account of the config: our name for one set of credentials at a venue."""

    name: str
    venue: str
    base_url: str
    uid: str
    """The venue's own id of this account; the key must match it."""
    key: str
    """Where the key source finds the key that can cancel."""
    capabilities: Capabilities
    read_key: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    protective: Protective = Protective.CANCEL
    classes_off: tuple[OrderClass, ...] = ()

    @property
    def place(self) -> tuple[str, str]:
        """The venue and the base URL there: what shares a link."""
        return self.venue, self.base_url

    def for_policy(self) -> Account:
        """Return what policies need to know of it."""
        return Account(name=self.name, venue=self.venue, tags=self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Every account of the config, in its order."""

    accounts: tuple[AccountEntry, ...]

    def find(self, name: str) -> AccountEntry | None:
        """Return the account of that name, or None."""
        return next((account for account in self.accounts if account.name == name), None)

    @property
    def words(self) -> frozenset[str]:
        """Every word that names accounts: their names and venues."""
        return frozenset(
            word for account in self.accounts for word in (account.name, account.venue)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One account with the scope that a plan names there."""

    account: str
    venue: str
    base_url: str
    uid: str
    scope: Scope
    order_classes: tuple[OrderClass, ...]
    """The classes that the run cancels and reads."""
    key: str
    read_key: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    not_covered: tuple[str, ...] = ()
    """Classes that exist at the venue and are not in this target, in words."""
    blind_to: tuple[str, ...] = ()

    def for_policy(self) -> Account:
        """Return what policies need to know of it."""
        return Account(name=self.account, venue=self.venue, tags=self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a request would do. Stored with the request; the digest binds votes to it."""

    targets: tuple[Target, ...]
    left_out: tuple[str, ...] = ()
    """Accounts that the words name and the requester may not ask for."""
    is_symbols_checked: bool = True
    """False: a venue's instrument list could not be had, so symbols may be mistyped."""


def digest(plan: Plan, *, request_id: str) -> str:
    """Bind a plan to one request: SHA-256 over canonical JSON, 64 hex digits.

    With an empty `request_id` it tells whether two plans would do the same.
    """
    targets = [
        {
            "account": target.account,
            "venue": target.venue,
            "base_url": target.base_url,
            "uid": target.uid,
            "symbols": list(target.scope.symbols),
            "order_id": target.scope.order_id,
            "order_classes": list(target.order_classes),
            "protective": target.scope.protective.value,
        }
        for target in plan.targets
    ]
    text = event.canonical({"request_id": request_id, "targets": targets})
    return hashlib.sha256(text).hexdigest()


def changes(plan: Plan, directory: Directory) -> tuple[str, ...]:
    """Say what the config has changed under a plan since it was made; empty if nothing."""
    found = []
    for target in plan.targets:
        entry = directory.find(target.account)
        if entry is None:
            found.append(f"{target.account} is gone from the config")
            continue
        now = {
            "venue": (target.venue, entry.venue),
            "base URL": (target.base_url, entry.base_url),
            "uid": (target.uid, entry.uid),
            "key path": (target.key, entry.key),
            "tags": (target.tags, entry.tags),
            "protective orders": (
                target.scope.protective,
                _protective(entry, target.scope.order_id),
            ),
            "order classes": (
                target.order_classes,
                _reach(entry, is_partial=bool(target.scope.symbols)),
            ),
        }
        found += [f"{target.account}: {what} changed" for what, (a, b) in now.items() if a != b]
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What a command is resolved against."""

    directory: Directory
    policy: Policy
    requester: Actor
    targets_max: int
    may: Callable[[Policy, Actor, Account], tuple[Reason, ...]] = evaluate.may_ask
    """Says why somebody may not have an account cancelled; empty if they may."""
    symbols: Mapping[tuple[str, str], frozenset[str] | None] = field(default_factory=dict)
    """Per (venue, base URL) the symbols that the venue lists; None: could not be had."""


def spelled(command: Cancel, grounds: Grounds) -> Cancel:
    """Spell the symbols of a command as the venues that it names list them, in all their ways.

    What is listed nowhere stays as it was typed, to be refused by that name.

    Raises:
        UsageError: a word names nothing.
    """
    if not (command.symbols or command.order):
        return command
    named = _named(command, grounds.directory)
    lists = [grounds.symbols.get(place) for place in {account.place for account in named}]
    symbols = {way for symbol in command.symbols for way in _ways(symbol, lists)}
    order = command.order
    if order is not None and len(ways := _ways(order[0], lists)) == 1:
        order = (ways.pop(), order[1])
    return replace(command, symbols=tuple(sorted(symbols)), order=order)


def _ways(symbol: str, lists: Iterable[frozenset[str] | None]) -> set[str]:
    """Return how each venue spells a symbol: exactly so, else in other capitals.

    What is typed may also be how a venue spells it whose list could not be had.
    """
    found: set[str] = set()
    for known in lists:
        if known is None or symbol in known:
            found.add(symbol)
        else:
            found |= {each for each in known if each.casefold() == symbol.casefold()}
    return found or {symbol}


def resolve(command: Cancel, grounds: Grounds) -> Plan:
    """Make a plan from a command.

    Raises:
        UsageError: a word names nothing, an account named outright may not be asked for, Slack
            cannot say who asks, a symbol is not listed, or the scope cannot be expressed there
            or reaches nothing that the config has not switched off.
    """
    named = _named(command, grounds.directory)
    allowed = [account for account in named if not _objections(account, grounds)]
    refused = [account for account in named if account not in allowed]
    outright = [account for account in refused if account.name in command.words]
    if outright or not allowed:
        account = (outright or refused)[0]
        raise _refusal(account, _objections(account, grounds)[0])
    if command.order and len(named) > 1:
        raise UsageError(
            user_message='"--order" needs exactly one account; these words name more.',
            remedy=f"Name one of them: {listed([account.name for account in allowed])}",
        )
    if len(allowed) > grounds.targets_max:
        raise UsageError(
            user_message=f"{len(allowed)} accounts are more than {grounds.targets_max}, the limit.",
            remedy="Narrow the command by venue or tag.",
        )
    is_checked = _check_symbols(command, allowed, grounds.symbols)
    targets = tuple(_target(command, account) for account in allowed)
    _check_reach(targets)
    return Plan(
        targets=tuple(sorted(targets, key=lambda target: (target.venue, target.account))),
        left_out=tuple(sorted(account.name for account in refused)),
        is_symbols_checked=is_checked,
    )


def _objections(account: AccountEntry, grounds: Grounds) -> tuple[Reason, ...]:
    return grounds.may(grounds.policy, grounds.requester, account.for_policy())


def _refusal(account: AccountEntry, why: Reason) -> UsageError:
    """Tell an outage of Slack from a prohibition."""
    if why.code == UNKNOWN:
        return UsageError(
            user_message="Slack cannot say who you are right now, so nothing was asked for.",
            remedy="Try again in a moment.",
        )
    verb = "pull" if why.code == "not_listed" else "ask for"
    return UsageError(user_message=f"You may not {verb} {account.name}.", remedy=why.text)


def _named(command: Cancel, directory: Directory) -> list[AccountEntry]:
    if command.is_all:
        return list(directory.accounts)
    for word in command.words:
        if word not in directory.words:
            raise UsageError(
                user_message=f'"{word}" is not an account or a venue.',
                remedy=near(word, {*directory.words, *commands.VERBS, *commands.OPTIONS})
                or f'"all" means every account. {nearest(word, directory.words)}',
            )
    named = [
        account
        for account in directory.accounts
        if not command.words or account.name in command.words or account.venue in command.words
    ]
    for key, value in command.tags:
        _check_tag(key, value, directory)
        _check_outright(command, named, (key, value))
        named = [account for account in named if (key, value) in account.tags]
    if not named:
        raise UsageError(
            user_message="No account matches all of these words and tags.",
            remedy="All tags must match one account; try fewer.",
        )
    return named


def _check_tag(key: str, value: str, directory: Directory) -> None:
    known = {f"{k}={v}" for account in directory.accounts for k, v in account.tags}
    if f"{key}={value}" not in known:
        raise UsageError(
            user_message=f'No account has the tag "{key}={value}".',
            remedy=nearest(f"{key}={value}", known),
        )


def _check_outright(
    command: Cancel, accounts: Iterable[AccountEntry], tag: tuple[str, str]
) -> None:
    """Refuse a tag that would silently drop an account that is named beside it."""
    for account in accounts:
        if account.name in command.words and tag not in account.tags:
            raise UsageError(
                user_message=f"{account.name} has not {tag[0]}={tag[1]}.",
                remedy="Leave out the account or the tag.",
            )


def _check_symbols(
    command: Cancel,
    accounts: Iterable[AccountEntry],
    listed: Mapping[tuple[str, str], frozenset[str] | None],
) -> bool:
    """Refuse a symbol that no named venue lists; tell whether every list could be had."""
    wanted = command.symbols or ((command.order[0],) if command.order else ())
    if not wanted:
        return True
    lists = [listed.get(account.place) for account in accounts]
    if any(symbols is None for symbols in lists):
        return False
    known = frozenset[str]().union(*(symbols for symbols in lists if symbols is not None))
    for symbol in wanted:
        if symbol not in known:
            raise UsageError(
                user_message=f'No venue named here lists the symbol "{symbol}".',
                remedy=near(symbol, known) or "Check its spelling.",
            )
    return True


def _check_reach(targets: Iterable[Target]) -> None:
    """Refuse a target of no class: nothing cancelled and nothing read would come out as FLAT."""
    if empty := [target.account for target in targets if not target.order_classes]:
        raise UsageError(
            user_message="Every order class that this command reaches is switched off in the "
            f"config at {', '.join(empty)}.",
            remedy="Leave out --symbol or --order, or name other accounts.",
        )


def _target(command: Cancel, account: AccountEntry) -> Target:
    known, off = account.capabilities, account.classes_off
    classes = _reach(account, is_partial=bool(command.symbols or command.order))
    order_id = command.order[1] if command.order else None
    not_covered = [f"{name} (switched off in the config)" for name in off]
    unreached = [name for name in known.order_classes if name not in (*classes, *off)]
    not_covered += [f"{name} (cannot be told apart by symbol)" for name in unreached]
    wanted = command.symbols or ((command.order[0],) if command.order else ())
    symbols = [symbol.upper() for symbol in wanted] if known.has_upper_symbols else wanted
    return Target(
        account=account.name,
        venue=account.venue,
        base_url=account.base_url,
        uid=account.uid,
        scope=Scope(
            symbols=tuple(sorted(set(symbols))),
            order_id=order_id,
            protective=_protective(account, order_id),
            classes_off=account.classes_off,
        ),
        order_classes=classes,
        key=account.key,
        read_key=account.read_key,
        tags=account.tags,
        not_covered=tuple(not_covered),
        blind_to=known.blind_to,
    )


def _reach(account: AccountEntry, *, is_partial: bool) -> tuple[OrderClass, ...]:
    """Return the classes that are on and that a whole account, or symbols alone, can reach."""
    known = account.capabilities
    reach = known.symbol_classes if is_partial else known.order_classes
    return tuple(name for name in reach if name not in account.classes_off)


def _protective(account: AccountEntry, order_id: str | None) -> Protective:
    """Return what becomes of protective orders; one that is named by its id is meant."""
    return account.protective if order_id is None else Protective.CANCEL
