"""From a command to a request, and from votes to the start of a run.

Owns `submit`, `vote`, `decide`, `withdraw` and `stop_chase`. Translates nothing and draws nothing:
doors such as Slack call it and show what it says. "No" is a value here, never an exception; only a
wrong command is (`UsageError`), and a database that does not answer (`StoreDown`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from adapters.contract import VenueError
from bot.domain import command as commands
from bot.domain import plan as plans
from bot.domain.command import Cancel
from bot.domain.event import Event, EventKind, Fact
from bot.domain.limits import Limits
from bot.domain.plan import Directory, Plan
from bot.domain.request import Request, RequestState
from bot.flow.execute import Runner
from bot.flow.ports import Clock, People, RequestStore, Start, Venues
from policies import evaluate
from policies import model as policy_model
from policies.model import Actor, Answer, Decision, Policy, Reason, Verdict, Vote

logger = logging.getLogger(__name__)

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TRIES = 5
"""How often a lost swap is decided again before the next tick takes over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a door should say to whoever acted."""

    code: str
    """For tests and telemetry: `submitted`, `already_pending`, `not_you`, `started`, …"""
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


@dataclass(slots=True, kw_only=True)
class Desk:
    """Everything that a decision needs."""

    store: RequestStore
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
    changed: Callable[[str], None]
    """Told the id of every request that changed, so that its messages follow."""
    unsure: dict[str, float] = field(default_factory=dict)
    """Requests whose voters Slack could not vouch for, and when to stop asking (monotonic)."""


async def resolve(desk: Desk, command: Cancel, requester: Actor) -> Plan:
    """Make the plan of a command for this requester.

    Raises:
        UsageError: see `bot.domain.plan.resolve`.
    """
    listed: dict[tuple[str, str], frozenset[str] | None] = {}
    if command.symbols or command.order:
        async with asyncio.TaskGroup() as group:
            for place in {(entry.venue, entry.base_url) for entry in desk.directory.accounts}:
                group.create_task(_list_symbols(desk, place, listed))
    grounds = plans.Grounds(
        directory=desk.directory,
        policy=desk.policy,
        requester=requester,
        targets_max=desk.limits.targets_max,
        symbols=listed,
    )
    return plans.resolve(command, grounds)


async def _list_symbols(
    desk: Desk, place: tuple[str, str], listed: dict[tuple[str, str], frozenset[str] | None]
) -> None:
    listed[place] = None
    try:
        async with asyncio.timeout(desk.limits.preview_s):
            listed[place] = (await desk.venues.venue(*place).instruments()).symbols
    except (VenueError, TimeoutError):
        logger.warning("symbols.unchecked", extra={"venue": place[0]})


async def submit(
    desk: Desk, command: Cancel, requester: Actor, *, channel: str, delivery: str
) -> Said:
    """Store a request for what the command names; start it at once if nobody need approve.

    Raises:
        UsageError: the command names what does not exist or may not be asked for.
        StoreDown: the database did not answer.
    """
    plan = await resolve(desk, command, requester)
    request = _draft(desk, command, requester, plan, channel)
    event = _event(desk, EventKind.REQUEST_SUBMITTED, request, requester, _sendable(request))
    submitted = await desk.store.submit(request, event=event, delivery=delivery)
    request = submitted.request
    if not submitted.is_new:
        return _in_the_way(desk, request, requester)
    desk.changed(request.id)
    said = await decide(desk, request.id)
    if said.code == "started":
        return said
    return Said(code="submitted", text=f"Request {request.id} is posted.", request=request)


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
    ago = int((desk.clock.now() - request.posted_at).total_seconds())
    who = request.requester.name
    if request.requester.person_id == requester.person_id:
        text = f"Your request {request.id} is still pending: approve, wait for it or withdraw it."
    else:
        text = f"{who} asked for the same {ago} s ago: request {request.id}. You can answer it."
    return Said(code="already_pending", text=text, request=request, is_refusal=True)


async def vote(desk: Desk, click: Click, answer: Answer) -> Said:
    """Take one person's answer, and start or end the request if it decides.

    Raises:
        StoreDown: the database did not answer; nothing was decided.
    """
    request = await desk.store.find(click.request_id)
    if refusal := _not_votable(request, click):
        return refusal
    assert request is not None
    voter = await desk.people.actor(click.user_id, team_id=click.team_id)
    objections = _objections(desk, request, voter) if voter.read_at is not None else ()
    if objections:
        event = _event(
            desk, EventKind.VOTE_IGNORED, request, voter, {"why": [r.code for r in objections]}
        )
        await desk.store.note(event, delivery=click.delivery)
        text = " ".join(reason.text for reason in objections)
        return Said(code=objections[0].code, text=text, request=request, is_refusal=True)
    cast = Vote(
        request_id=request.id,
        digest=click.digest,
        actor=voter,
        answer=answer,
        at=desk.clock.now(),
        reason=click.reason,
    )
    event = _event(desk, EventKind.VOTE_CAST, request, voter, {"answer": answer.value})
    if not await desk.store.cast(cast, event=event, delivery=click.delivery):
        return await _already(desk, request.id)
    desk.changed(request.id)
    return await decide(desk, request.id, just_read=voter)


def _not_votable(request: Request | None, click: Click) -> Said | None:
    if request is None:
        return Said(code="unknown", text=f"There is no request {click.request_id}.", is_refusal=True)
    if request.state is not RequestState.PENDING:
        return _ended(request)
    if click.digest != request.digest:
        text = "This button belongs to another plan. Use the buttons of the newest card."
        return Said(code="other_plan", text=text, request=request, is_refusal=True)
    return None


def _objections(desk: Desk, request: Request, voter: Actor) -> tuple[Reason, ...]:
    """Say why this person's answer cannot count under today's policy."""
    accounts = [target.for_policy() for target in request.plan.targets]
    return evaluate.may_answer(desk.policy, voter, accounts, request.requester)


async def decide(desk: Desk, request_id: str, *, just_read: Actor | None = None) -> Said:
    """Judge the votes of a pending request afresh, and start or end it if they suffice."""
    for _ in range(_TRIES):
        request = await desk.store.find(request_id)
        if request is None or request.state is not RequestState.PENDING:
            return await _already(desk, request_id)
        if changed := plans.changes(request.plan, desk.directory):
            return await _end(desk, request, RequestState.EXPIRED, "; ".join(changed))
        votes = await desk.store.votes(request_id)
        fresh = await _read_again(desk, votes, just_read)
        decision = judge(desk, request, fresh)
        match decision.verdict:
            case Verdict.ALLOWED:
                if started := await _start(desk, request, decision, votes_seen=len(votes)):
                    return started
            case Verdict.DENIED:
                why = " ".join(reason.text for reason in decision.reasons)
                return await _end(desk, request, RequestState.DENIED, why)
            case Verdict.PENDING:
                return _pending(desk, request, fresh)
    return Said(code="busy", text="Many people answered at once; deciding again.", request=request)


def judge(desk: Desk, request: Request, votes: Sequence[Vote]) -> Decision:
    """Judge votes under the policy at posting and the one of now; both must allow."""
    accounts = [target.for_policy() for target in request.plan.targets]
    decision = None
    for policy in (policy_model.parse(request.policy_text), desk.policy):
        decision = evaluate.decision(
            policy,
            accounts=accounts,
            requester=request.requester,
            request_id=request.id,
            digest=request.digest,
            votes=votes,
        )
        if decision.verdict is not Verdict.ALLOWED:
            return decision
    assert decision is not None
    return decision


async def _read_again(
    desk: Desk, votes: Sequence[Vote], just_read: Actor | None
) -> tuple[Vote, ...]:
    """Re-read every voter's standing, side by side; a fresh enough snapshot stands in."""
    read: dict[str, Actor] = {}
    if just_read is not None:
        read[just_read.user_id] = just_read
    async with asyncio.TaskGroup() as group:
        for cast in votes:
            if cast.actor.user_id not in read:
                read[cast.actor.user_id] = cast.actor
                group.create_task(_read_one(desk, cast.actor, read))
    return tuple(replace(cast, actor=read[cast.actor.user_id]) for cast in votes)


async def _read_one(desk: Desk, known: Actor, read: dict[str, Actor]) -> None:
    now = await desk.people.actor(known.user_id, team_id=known.team_id)
    if now.read_at is None and known.read_at is not None:
        age_s = (desk.clock.now() - known.read_at).total_seconds()
        if age_s <= desk.policy.membership_max_age_s:
            return  # Slack cannot tell now; what it said a moment ago counts.
    read[known.user_id] = now


async def _start(desk: Desk, request: Request, decision: Decision, votes_seen: int) -> Said | None:
    """Swap PENDING for RUNNING; None if a vote came in between and all must be judged again."""
    now = desk.clock.now()
    facts = _sendable(request) | {"approvers": list(decision.counted)}
    start = Start(
        request_id=request.id,
        decided_at=now,
        verdict_at=now + timedelta(seconds=desk.limits.verdict_s),
        consent_ends_at=now + timedelta(seconds=request.consent_s),
        event=_event(desk, EventKind.RUN_STARTED, request, None, facts),
        owner=desk.owner,
    )
    started = await desk.store.start(start, votes_seen=votes_seen)
    if started is None:
        found = await desk.store.find(request.id)
        if found is None or found.state is not RequestState.PENDING:
            return await _already(desk, request.id)
        if now >= request.expires_at:
            return await _end(desk, request, RequestState.EXPIRED, "Nobody decided in time.")
        return None
    desk.unsure.pop(request.id, None)
    await take(desk, started)
    desk.changed(request.id)
    return Said(code="started", text=f"Request {request.id} is running.", request=started)


async def take(desk: Desk, request: Request) -> None:
    """Claim what is free of a run and work on it."""
    keys = sorted({target.key for target in request.plan.targets})
    claims = await desk.store.claim(keys, owner=desk.owner, lease_s=desk.limits.lease_s)
    statuses = await desk.store.statuses(request.id)
    desk.runner.take(request, statuses, {claim.key: claim for claim in claims})


def _pending(desk: Desk, request: Request, votes: Sequence[Vote]) -> Said:
    """Say that more is needed; keep asking Slack while it cannot say who a voter is."""
    unknown = [cast for cast in votes if cast.actor.read_at is None]
    newest = max((cast.at for cast in unknown), default=None)
    if newest is None:
        desk.unsure.pop(request.id, None)
        return Said(code="counted", text="Your answer counts; more are needed.", request=request)
    age_s = (desk.clock.now() - newest).total_seconds()
    desk.unsure[request.id] = desk.clock.monotonic() + desk.limits.vote_wait_s - age_s
    text = "Slack cannot say who you are right now. Your answer waits up to 60 s, then lapses."
    return Said(code="waiting", text=text, request=request)


async def withdraw(desk: Desk, click: Click) -> Said:
    """Let the requester take a pending request back."""
    request = await desk.store.find(click.request_id)
    if request is None:
        return Said(code="unknown", text=f"There is no request {click.request_id}.", is_refusal=True)
    if request.state is not RequestState.PENDING:
        return _ended(request)
    actor = await desk.people.actor(click.user_id, team_id=click.team_id)
    if click.user_id != request.requester.user_id:
        text = f"Only {request.requester.name} can withdraw request {request.id}. You can deny it."
        return Said(code="not_yours", text=text, request=request, is_refusal=True)
    return await _end(desk, request, RequestState.WITHDRAWN, f"{actor.name} took it back.", actor)


async def stop_chase(desk: Desk, click: Click) -> Said:
    """Let the requester or an eligible approver end the chase of a run."""
    request = await desk.store.find(click.request_id)
    if request is None or request.state is not RequestState.RUNNING:
        return await _already(desk, click.request_id)
    actor = await desk.people.actor(click.user_id, team_id=click.team_id)
    reasons = evaluate.standing(desk.policy, actor)
    if click.user_id != request.requester.user_id:
        reasons = reasons or _objections(desk, request, actor)
    if reasons:
        text = " ".join(reason.text for reason in reasons)
        return Said(code=reasons[0].code, text=text, request=request, is_refusal=True)
    event = _event(desk, EventKind.CHASE_STOPPED, request, actor, {})
    if await desk.store.stop_chase(request.id, by=actor.name, event=event) is None:
        return await _already(desk, request.id)
    desk.runner.stop(request.id)
    desk.changed(request.id)
    return Said(code="stopped", text="Nothing more is sent. Orders may rest.", request=request)


_END_KINDS = {
    RequestState.DENIED: EventKind.REQUEST_DENIED,
    RequestState.WITHDRAWN: EventKind.REQUEST_WITHDRAWN,
    RequestState.EXPIRED: EventKind.REQUEST_EXPIRED,
    RequestState.FINISHED: EventKind.RUN_FINISHED,
    RequestState.INTERRUPTED: EventKind.RUN_INTERRUPTED,
}


async def _end(
    desk: Desk, request: Request, to: RequestState, why: str, by: Actor | None = None
) -> Said:
    return await end(desk, request, to=to, why=why, by=by)


async def end(
    desk: Desk, request: Request, *, to: RequestState, why: str, by: Actor | None = None
) -> Said:
    """Move a request to a final state; a rival that was first is a normal branch."""
    event = _event(desk, _END_KINDS[to], request, by, {"why": why})
    ended = await desk.store.end(request.id, expect=request.state, to=to, why=why, event=event)
    if ended is None:
        return await _already(desk, request.id)
    desk.unsure.pop(request.id, None)
    desk.changed(request.id)
    return Said(code=to.value.lower(), text=f"Request {request.id}: {why}", request=ended)


async def _already(desk: Desk, request_id: str) -> Said:
    request = await desk.store.find(request_id)
    if request is None:
        return Said(code="unknown", text=f"There is no request {request_id}.", is_refusal=True)
    return _ended(request)


def _ended(request: Request) -> Said:
    """Say where a request stands that can no longer be answered."""
    if request.state is RequestState.PENDING:
        text = f"Request {request.id}: this click was already counted."
        return Said(code="seen", text=text, request=request)
    when = request.decided_at or request.ended_at
    at = f" since {when:%H:%M:%S} UTC" if when else ""
    text = f"Request {request.id} is already {request.state.value}{at}. {request.ended_why}".strip()
    return Said(code="already", text=text, request=request, is_refusal=True)


def _sendable(request: Request) -> dict[str, Fact]:
    """Name all that the run may send: accounts, digest, scope."""
    return {
        "accounts": [target.account for target in request.plan.targets],
        "command": request.command,
        "digest": request.digest,
        "reason": request.reason,
    }


def _event(
    desk: Desk, kind: EventKind, request: Request, by: Actor | None, facts: dict[str, Fact]
) -> Event:
    who: dict[str, Fact] = {} if by is None else {"by": by.user_id, "by_name": by.name}
    return Event(kind=kind, request_id=request.id, at=desk.clock.now(), facts=who | facts)
