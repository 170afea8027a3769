"""From a command to a stored request.

Owns `resolve` and `submit`. Nothing is posted before it is stored; nothing is sent from here.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Protocol

from adapters.contract import VenueError
from bot.domain import command as commands
from bot.domain import plan as plans
from bot.domain.command import Cancel
from bot.domain.event import EventKind
from bot.domain.limits import Limits
from bot.domain.plan import Directory, Plan
from bot.domain.request import Request, RequestState
from bot.flow import decide
from bot.flow import desk as desks
from bot.flow.desk import Desk, Said
from bot.flow.ports import StoreDown, Submitted, Venues
from policies import evaluate
from policies.model import Account, Actor, Policy, Reason

logger = logging.getLogger(__name__)

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
May = Callable[[Policy, Actor, Account], tuple[Reason, ...]]


class Ground(Protocol):
    """What a command is resolved on: a desk, or a console."""

    @property
    def directory(self) -> Directory:
        """Every account."""
        ...

    @property
    def policy(self) -> Policy:
        """Who may do what."""
        ...

    @property
    def venues(self) -> Venues:
        """The venues that are open."""
        ...

    @property
    def limits(self) -> Limits:
        """Bounds of time and number."""
        ...


async def resolve(
    desk: Ground, command: Cancel, requester: Actor, *, may: May = evaluate.may_ask
) -> tuple[Cancel, Plan]:
    """Make the plan of a command for this requester, with its symbols spelt as venues list them.

    Raises:
        UsageError: see `bot.domain.plan.resolve`.
    """
    listed: dict[tuple[str, str], frozenset[str] | None] = {}
    wanted = (*command.symbols, *(command.order or ())[:1])
    if wanted:
        async with asyncio.TaskGroup() as group:
            for place in {entry.place for entry in desk.directory.accounts}:
                group.create_task(_list_symbols(desk, place, wanted, listed))
    grounds = plans.Grounds(
        directory=desk.directory,
        policy=desk.policy,
        requester=requester,
        targets_max=desk.limits.targets_max,
        may=may,
        symbols=listed,
    )
    command = plans.spelled(command, grounds)
    return command, plans.resolve(command, grounds)


async def _list_symbols(
    desk: Ground,
    place: tuple[str, str],
    wanted: Collection[str],
    listed: dict[tuple[str, str], frozenset[str] | None],
) -> None:
    listed[place] = None
    try:
        async with asyncio.timeout(desk.limits.preview_s):
            listed[place] = (await desk.venues.venue(*place).instruments(wanted)).symbols
    except (VenueError, TimeoutError):
        logger.warning("symbols.unchecked", extra={"venue": place[0]})


async def submit(
    desk: Desk, command: Cancel, requester: Actor, *, channel: str, delivery: str
) -> Said:
    """Store a request for what the command names; start it at once if nobody need approve.

    Raises:
        UsageError: the command names what does not exist or may not be asked for.
        StoreDown: the database did not answer; it is not known whether it was stored.
    """
    command, plan = await resolve(desk, command, requester)
    submitted: Submitted | None = None
    while submitted is None:  # Until an id is drawn that no earlier request has.
        request = _draft(desk, command, requester, plan, channel)
        event = desks.event(
            desk, EventKind.REQUEST_SUBMITTED, request, requester, desks.sendable(request)
        )
        write = desk.store.submit(request, event=event, delivery=delivery)
        submitted = await desks.written(desk, request.id, write)
    request = submitted.request
    if not submitted.is_new:
        return _in_the_way(desk, request, requester)
    try:
        said = await decide.decide(desk, request.id)
    except StoreDown:
        desk.doubt(request.id)
    else:
        if said.code == "started":
            return said
    finally:
        desk.changed(request.id)  # Not before: a card must not ask for what is decided already.
    return Said(code="submitted", text=f"Request {request.id} is stored.", request=request)


def _draft(desk: Desk, command: Cancel, requester: Actor, plan: Plan, channel: str) -> Request:
    now = desk.clock.now()
    request_id = "".join(secrets.choice(CROCKFORD) for _ in range(5))
    accounts = [target.for_policy() for target in plan.targets]
    ttl_s, consent_s = evaluate.clocks(desk.policy, accounts)
    return Request(
        id=request_id,
        state=RequestState.PENDING,
        plan=plan,
        digest=plans.digest(plan, request_id=request_id),
        requester=requester,
        command=commands.canonical(command),
        reason=command.reason,
        policy_text=desk.policy_text,
        channel=channel,
        posted_at=now,
        expires_at=now + timedelta(seconds=ttl_s),
        consent_s=consent_s,
    )


def _in_the_way(desk: Desk, request: Request, requester: Actor) -> Said:
    if request.state is not RequestState.PENDING:
        return desks.ended(request)  # This very command was delivered before.
    ago = int((desk.clock.now() - request.posted_at).total_seconds())
    who = request.requester.name
    if request.requester.person_id == requester.person_id:
        text = f"Your request {request.id} is still pending: wait for its approval or withdraw it."
        return Said(code="yours_pending", text=text, request=request, is_refusal=True)
    text = f"{who} asked for the same {ago} s ago: request {request.id}. You can answer it here."
    return Said(code="already_pending", text=text, request=request, is_refusal=True)
