"""The desk: what every decision needs, and what it says.

Owns `Desk`, `Click`, `Said` and the end of a request. "No" is a value here, never an exception.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from bot.domain.event import Event, EventKind, Fact
from bot.domain.limits import Limits
from bot.domain.plan import Directory
from bot.domain.request import Request, RequestState
from bot.flow.execute import Runner
from bot.flow.ports import (
    Bans,
    Clock,
    Consoles,
    Journal,
    People,
    PullStore,
    RequestStore,
    StoreDown,
    Venues,
)
from policies import evaluate
from policies import model as policies
from policies.model import Actor, Policy

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a door should say to whoever acted."""

    code: str
    """For tests and telemetry: `submitted`, `already_pending`, `yours_pending`, `started`, …"""
    text: str
    request: Request | None = None
    is_refusal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One signed act on a request."""

    request_id: str
    digest: str
    """As the button carries it; a vote counts for this plan only."""
    user_id: str
    team_id: str | None
    """The clicker's own workspace, from the signed payload."""
    delivery: str
    reason: str = ""
    name: str = ""
    """The clicker's name in the signed payload: for words only."""


@dataclass(slots=True, kw_only=True)
class Unsure:
    """A pending request that is decided again by and by, on the loop's clock."""

    until: float
    next_at: float = float("-inf")


@dataclass(slots=True, kw_only=True)
class Desk:
    """Everything that a decision needs."""

    store: RequestStore
    journal: Journal
    people: People
    venues: Venues
    runner: Runner
    clock: Clock
    limits: Limits
    directory: Directory
    policy: Policy
    policy_text: str
    owner: str
    """This process."""
    pulls: PullStore
    consoles: Consoles
    changed: Callable[[str], None]
    """Told the id of every request that changed, so that its messages follow."""
    unsure: dict[str, Unsure] = field(default_factory=dict)
    """Requests whose voters Slack could not vouch for, or whose start the store did not take."""
    bans: Bans = field(default_factory=dict)
    """As the last tick saw them."""
    on_console: frozenset[str] = frozenset()
    """Runs that a console still works on, as the last tick saw them."""
    distrusted: set[str] = field(default_factory=set)
    """Pulls that are not gone on with; told once each."""
    is_resumed: bool = False
    """False until the first tick: a last vote may have died with an earlier process."""

    def doubt(self, request_id: str, *, for_s: float | None = None) -> None:
        """Have a request decided again at each second, for as long as a vote may wait."""
        wait_s = self.limits.vote_wait_s if for_s is None else for_s
        known = self.unsure.setdefault(request_id, Unsure(until=0.0))
        known.until = self.clock.monotonic() + wait_s


async def written(desk: Desk, request_id: str, write: Awaitable[T]) -> T:
    """Wait for a write. If the store gives no answer it may have been made: so it is looked for.

    Raises:
        StoreDown: it is not known whether it was written.
    """
    try:
        return await write
    except StoreDown:
        desk.changed(request_id)
        desk.doubt(request_id)
        raise


_END_KINDS = {
    RequestState.DENIED: EventKind.REQUEST_DENIED,
    RequestState.WITHDRAWN: EventKind.REQUEST_WITHDRAWN,
    RequestState.EXPIRED: EventKind.REQUEST_EXPIRED,
    RequestState.FINISHED: EventKind.RUN_FINISHED,
    RequestState.INTERRUPTED: EventKind.RUN_INTERRUPTED,
}


async def end(
    desk: Desk, request: Request, *, to: RequestState, why: str, by: Actor | None = None
) -> Said:
    """Move a request to a final state; a rival that was first is a normal branch."""
    fact = event(desk, _END_KINDS[to], request, by, {"why": why})
    write = desk.store.end(request.id, expect=request.state, to=to, why=why, event=fact)
    ended = await written(desk, request.id, write)
    if ended is None:
        return await already(desk, request.id)
    desk.unsure.pop(request.id, None)
    desk.changed(request.id)
    return Said(code=to.value.lower(), text=f"Request {request.id}: {why}", request=ended)


async def already(desk: Desk, request_id: str) -> Said:
    """Say where a request stands that somebody else was faster with."""
    request = await desk.store.find(request_id)
    if request is None:
        return Said(code="unknown", text=f"There is no request {request_id}.", is_refusal=True)
    return ended(request)


def ended(request: Request) -> Said:
    """Say where a request stands that can no longer be answered."""
    if request.state is RequestState.PENDING:
        text = f"Request {request.id}: this click was already counted."
        return Said(code="seen", text=text, request=request)
    when = request.ended_at or request.decided_at
    at = f" since {when:%H:%M:%S} UTC" if when else ""
    text = f"Request {request.id} is already {request.state.value}{at}. {request.ended_why}".strip()
    return Said(code="already", text=text, request=request, is_refusal=True)


def bans(desk: Desk) -> Bans:
    """Return which venues have shut out our address, host by host, and until when."""
    places = {(account.venue, account.base_url) for account in desk.directory.accounts}
    links = {place: desk.venues.venue(*place) for place in places}
    return {place: until for place, link in links.items() if (until := link.banned_until)}


def asker_groups(desk: Desk) -> frozenset[str]:
    """Return the user groups that decide who may ask for anything."""
    policy = desk.policy
    return _groups(policy, [role for rule in policy.rules for role in rule.ask])


def voter_groups(desk: Desk, request: Request) -> frozenset[str]:
    """Return the user groups that decide whose vote on a request counts, then and now."""
    accounts = [target.for_policy() for target in request.plan.targets]
    found: frozenset[str] = frozenset()
    for policy in (desk.policy, policies.parse(request.policy_text)):
        rules = [rule for account in accounts for rule in evaluate.matching(policy, account)]
        roles = [role for rule in rules for seat in rule.approve for role in seat.roles]
        found |= _groups(policy, roles)
    return found


def _groups(policy: Policy, roles: Iterable[str]) -> frozenset[str]:
    known = [policy.roles[role] for role in roles if role in policy.roles]
    return frozenset(group for role in known for group in role.groups)


def sendable(request: Request) -> dict[str, Fact]:
    """Name all that the run may send: accounts, digest, scope."""
    return {
        "accounts": [target.account for target in request.plan.targets],
        "command": request.command,
        "digest": request.digest,
        "reason": request.reason,
    }


def event(
    desk: Desk, kind: EventKind, request: Request, by: Actor | None, facts: dict[str, Fact]
) -> Event:
    """Make an event of a request, naming who acted."""
    who: dict[str, Fact] = {} if by is None else {"by": by.user_id, "by_name": by.name}
    return Event(kind=kind, request_id=request.id, at=desk.clock.now(), facts=who | facts)
