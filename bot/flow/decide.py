"""From votes to the start of a run, or to its end.

Owns `vote`, `decide`, `withdraw` and `stop_chase`. Draws nothing, translates nothing. The standing
of every voter is read again before their vote counts; the swap in the store decides every race.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain import plan as plans
from bot.domain.event import EventKind, Fact
from bot.domain.request import Request, RequestState
from bot.flow import desk as desks
from bot.flow.desk import Click, Desk, Said
from bot.flow.ports import Start, StoreDown
from policies import evaluate
from policies import model as policy_model
from policies.evaluate import Ballot
from policies.model import Actor, Answer, Decision, Reason, Verdict, Vote

_TRIES = 5
"""How often a lost swap is decided again before the next tick takes over."""


async def vote(desk: Desk, click: Click, answer: Answer) -> Said:
    """Take one person's answer, and start or end the request if it decides.

    Raises:
        StoreDown: the database did not answer; it is not known whether the answer was stored.
    """
    request = await desk.store.find(click.request_id)
    if refused := _not_votable(request, click):
        return refused
    assert request is not None
    groups = desks.voter_groups(desk, request)
    voter, objections = _as_signed(click), _by_signature(desk, request, click)
    if not objections:
        voter = await desk.people.actor(click.user_id, team_id=click.team_id, groups=groups)
        objections = _objections(desk, request, voter) if voter.read_at is not None else ()
    if objections:
        event = desks.event(
            desk, EventKind.VOTE_IGNORED, request, voter, {"why": [r.code for r in objections]}
        )
        await desk.store.note(event, delivery=click.delivery)
        return _refused(request, objections)
    cast = Vote(
        request_id=request.id,
        digest=click.digest,
        actor=voter,
        answer=answer,
        at=desk.clock.now(),
        reason=click.reason,
    )
    event = desks.event(desk, EventKind.VOTE_CAST, request, voter, _facts(cast))
    write = desk.store.cast(cast, event=event, delivery=click.delivery)
    if not await desks.written(desk, request.id, write):
        return await desks.already(desk, request.id)
    desk.changed(request.id)
    desk.doubt(request.id)  # Until it is judged: whatever breaks now, the next tick judges it.
    try:
        return await decide(desk, request.id, just_read=voter)
    except StoreDown:
        text = "Your answer is stored, but the database stopped answering: it is tried again."
        return Said(code="stored", text=f"{text} The card will tell.", request=request)


async def refusal(desk: Desk, click: Click) -> Said | None:
    """Say what is known against a denial without asking Slack; None: nothing is.

    Raises:
        StoreDown: the database did not answer.
    """
    request = await desk.store.find(click.request_id)
    if refused := _not_votable(request, click):
        return refused
    assert request is not None
    objections = _by_signature(desk, request, click)
    if not objections:
        return None
    if objections[0].code == "requester":
        text = f"{click.name or click.user_id} asked for this: press Withdraw to take it back."
        return Said(code="requester", text=text, request=request, is_refusal=True)
    return _refused(request, objections)


def _refused(request: Request, objections: Sequence[Reason]) -> Said:
    text = " ".join(reason.text for reason in objections)
    return Said(code=objections[0].code, text=text, request=request, is_refusal=True)


def _facts(vote: Vote) -> dict[str, Fact]:
    return {"answer": vote.answer.value, "digest": vote.digest, "reason": vote.reason}


def _as_signed(click: Click) -> Actor:
    """Make an actor of what Slack signed, before anything is read of them."""
    name = click.name or click.user_id
    return Actor(user_id=click.user_id, person_id=click.user_id, name=name, team_id=click.team_id)


def _by_signature(desk: Desk, request: Request, click: Click) -> tuple[Reason, ...]:
    """Judge by signed facts alone: a stranger's clicks shall not use up our calls to Slack."""
    name = click.name or click.user_id
    if click.user_id == request.requester.user_id:
        text = f"{name} asked for this: somebody else must approve."
        return (Reason(code="requester", text=text),)
    if click.team_id not in desk.policy.workspaces:
        return (Reason(code="not_ours", text=f"{name} is not of our workspace."),)
    return ()


def _not_votable(request: Request | None, click: Click) -> Said | None:
    if request is None:
        return Said(
            code="unknown", text=f"There is no request {click.request_id}.", is_refusal=True
        )
    if request.state is not RequestState.PENDING:
        return desks.ended(request)
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
            return await desks.already(desk, request_id)
        if changed := plans.changes(request.plan, desk.directory):
            return await desks.end(desk, request, to=RequestState.EXPIRED, why="; ".join(changed))
        votes = await desk.store.votes(request_id)
        fresh, stood_in = await _read_again(desk, request, votes, just_read)
        await _keep_answers(desk, request, votes, fresh)
        decision = judge(desk, request, fresh)
        match decision.verdict:
            case Verdict.ALLOWED:
                judged = Judged(request=request, decision=decision, votes=fresh, stood_in=stood_in)
                said = await _alone(desk, judged) or await _stale(desk, judged)
                if said := said or await _start(desk, judged):
                    return said
            case Verdict.DENIED:
                why = " ".join(reason.text for reason in decision.reasons)
                return await desks.end(desk, request, to=RequestState.DENIED, why=why)
            case Verdict.PENDING:
                return _pending(desk, request, fresh, decision, just_read)
    desk.doubt(request_id)
    return Said(code="busy", text="Many people answered at once; it is decided again in a second.")


def judge(desk: Desk, request: Request, votes: Sequence[Vote]) -> Decision:
    """Judge votes under the policy at posting and the one of now: both must allow, one denies."""
    ballot = Ballot(
        request_id=request.id,
        digest=request.digest,
        accounts=tuple(target.for_policy() for target in request.plan.targets),
        requester=request.requester,
    )
    at_posting = evaluate.decision(policy_model.parse(request.policy_text), ballot, votes)
    now = evaluate.decision(desk.policy, ballot, votes)
    if now.verdict is Verdict.DENIED or at_posting.verdict is Verdict.ALLOWED:
        return now
    return at_posting


async def _read_again(
    desk: Desk, request: Request, votes: Sequence[Vote], just_read: Actor | None
) -> tuple[tuple[Vote, ...], tuple[Actor, ...]]:
    """Re-read every voter's standing, side by side; a fresh enough snapshot stands in.

    Returns:
        The votes with today's actors, and those actors whose snapshot stood in.
    """
    stood_in: list[Actor] = []
    groups = desks.voter_groups(desk, request)
    read: dict[str, Actor] = {}
    if just_read is not None:
        read[just_read.user_id] = just_read
    async with asyncio.TaskGroup() as group:
        for cast in votes:
            if _has_lapsed(desk, cast):
                read.setdefault(cast.actor.user_id, cast.actor)
            elif cast.actor.user_id not in read:
                read[cast.actor.user_id] = cast.actor
                group.create_task(_read_one(desk, cast.actor, groups, read, stood_in))
    return tuple(replace(cast, actor=read[cast.actor.user_id]) for cast in votes), tuple(stood_in)


def _has_lapsed(desk: Desk, cast: Vote) -> bool:
    """Tell whether Slack could not say in time who voted: the vote is void, a new click counts."""
    age_s = (desk.clock.now() - cast.at).total_seconds()
    return cast.actor.read_at is None and age_s > desk.limits.vote_wait_s


async def _keep_answers(
    desk: Desk, request: Request, stored: Sequence[Vote], fresh: Sequence[Vote]
) -> None:
    """Store who a voter is once Slack can say it, so that the card stops saying that it waits."""
    for before, now in zip(stored, fresh, strict=True):
        if before.actor.read_at is None and now.actor.read_at is not None:
            event = desks.event(desk, EventKind.VOTE_CONFIRMED, request, now.actor, _facts(now))
            await desk.store.confirm(before, now, event=event)


async def _read_one(
    desk: Desk,
    known: Actor,
    groups: frozenset[str],
    read: dict[str, Actor],
    stood_in: list[Actor],
) -> None:
    now = await desk.people.actor(known.user_id, team_id=known.team_id, groups=groups)
    if now.read_at is None and _may_stand_in(desk, known):
        stood_in.append(known)  # Slack cannot tell now; what it said a moment ago counts.
    else:
        read[known.user_id] = now


def _may_stand_in(desk: Desk, known: Actor) -> bool:
    if known.read_at is None:
        return False
    age_s = (desk.clock.now() - known.read_at).total_seconds()
    is_recent = age_s <= desk.policy.membership_max_age_s
    return is_recent and not desk.people.is_contradicted(known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was judged before the swap, so that the swap can tell whether it still holds."""

    request: Request
    decision: Decision
    votes: tuple[Vote, ...]
    stood_in: tuple[Actor, ...]
    """Counted by a snapshot, because Slack did not answer."""


async def _start(desk: Desk, judged: Judged) -> Said | None:
    """Swap PENDING for RUNNING; None if a vote came in between and all must be judged again."""
    now, request = desk.clock.now(), judged.request
    facts = desks.sendable(request) | {"approvers": list(judged.decision.counted)}
    start = Start(
        request_id=request.id,
        decided_at=now,
        verdict_at=now + timedelta(seconds=desk.limits.verdict_s),
        consent_ends_at=now + timedelta(seconds=request.consent_s),
        event=desks.event(desk, EventKind.RUN_STARTED, request, None, facts),
        owner=desk.owner,
        votes=judged.votes,
        notes=tuple(
            f"Membership of {actor.name} as of {actor.read_at:%H:%M:%S} UTC: "
            "Slack did not answer at the deciding vote."
            for actor in judged.stood_in
        ),
    )
    started = await desk.store.start(start)
    if started is None:
        found = await desk.store.find(request.id)
        if found is None or found.state is not RequestState.PENDING:
            return await desks.already(desk, request.id)
        if now >= request.expires_at:
            return await desks.end(
                desk, request, to=RequestState.EXPIRED, why="Nobody decided in time."
            )
        return None
    desk.unsure.pop(request.id, None)
    claims = {claim.key: claim for claim in started.claims}
    desk.runner.take(started.request, started.statuses, claims)
    desk.changed(request.id)
    text = f"Request {request.id} is running."
    return Said(code="started", text=text, request=started.request)


async def _alone(desk: Desk, judged: Judged) -> Said | None:
    """Read whoever asked again where nobody else decides; None if they may still ask."""
    if judged.decision.counted:
        return None
    request, asker = judged.request, judged.request.requester
    groups = desks.asker_groups(desk)
    now = await desk.people.actor(asker.user_id, team_id=asker.team_id, groups=groups)
    if now.read_at is None:
        desk.doubt(request.id)
        text = "Slack cannot say who you are right now: it is tried again for a minute."
        return Said(code="waiting", text=text, request=request)
    accounts = [target.for_policy() for target in request.plan.targets]
    objections = [why for each in accounts for why in evaluate.may_ask(desk.policy, now, each)]
    if not objections:
        return None
    why = objections[0].text
    return await desks.end(desk, request, to=RequestState.EXPIRED, why=why)


async def _stale(desk: Desk, judged: Judged) -> Said | None:
    """Start nothing on a click that is over a minute old: whoever clicked may have gone home."""
    request, counted = judged.request, judged.decision.counted
    clicks = [cast.at for cast in judged.votes if cast.actor.person_id in counted]
    newest = max(clicks, default=request.posted_at)
    if (desk.clock.now() - newest).total_seconds() <= desk.limits.vote_wait_s:
        return None
    desk.unsure.pop(request.id, None)
    if not clicks:
        why = "It could not be started within a minute of the command. Ask again."
        return await desks.end(desk, request, to=RequestState.EXPIRED, why=why)
    desk.changed(request.id)
    text = "Enough people approved, but over a minute ago: one of them must press Approve again."
    return Said(code="stale", text=text, request=request)


def _pending(
    desk: Desk,
    request: Request,
    votes: Sequence[Vote],
    decision: Decision,
    voter: Actor | None,
) -> Said:
    """Say what is needed; keep asking Slack while it cannot say who a voter is."""
    waiting = [cast for cast in votes if cast.actor.read_at is None and not _has_lapsed(desk, cast)]
    if waiting:
        age_s = (desk.clock.now() - max(cast.at for cast in waiting)).total_seconds()
        desk.doubt(request.id, for_s=desk.limits.vote_wait_s - age_s)
    else:
        desk.unsure.pop(request.id, None)
    if voter is not None and voter.read_at is None:
        text = "Slack cannot say who you are right now. Your answer waits up to 60 s, then lapses."
        return Said(code="waiting", text=text, request=request)
    need = "; ".join(decision.open_seats) or "one more person"
    return Said(code="counted", text=f"Your answer counts. Needed yet: {need}.", request=request)


async def withdraw(desk: Desk, click: Click) -> Said:
    """Let the requester take a pending request back."""
    request = await desk.store.find(click.request_id)
    if request is None:
        return Said(
            code="unknown", text=f"There is no request {click.request_id}.", is_refusal=True
        )
    if request.state is not RequestState.PENDING:
        return desks.ended(request)
    requester = request.requester
    if click.user_id != requester.user_id or click.team_id not in desk.policy.workspaces:
        text = f"Only {requester.name} can withdraw request {request.id}."
        return Said(code="not_yours", text=text, request=request, is_refusal=True)
    why = f"{requester.name} took it back."
    return await desks.end(desk, request, to=RequestState.WITHDRAWN, why=why, by=requester)


async def stop_chase(desk: Desk, click: Click) -> Said:
    """Let the requester or an eligible approver end the chase of a run."""
    request = await desk.store.find(click.request_id)
    if request is None or request.state is not RequestState.RUNNING:
        return await desks.already(desk, click.request_id)
    if request.chase_stopped_by is not None:
        text = f"{request.chase_stopped_by} has stopped the chase of {request.id} already."
        return Said(code="already", text=text, request=request, is_refusal=True)
    if request.id in desk.on_console:
        text = "It is chased from a console: Ctrl-C there ends it."
        return Said(code="on_console", text=text, request=request, is_refusal=True)
    actor = await desk.people.actor(
        click.user_id, team_id=click.team_id, groups=desks.voter_groups(desk, request)
    )
    reasons = evaluate.standing(desk.policy, actor)
    if click.user_id != request.requester.user_id:
        reasons = reasons or _objections(desk, request, actor)
    if reasons:
        return _refused(request, reasons)
    event = desks.event(desk, EventKind.CHASE_STOPPED, request, actor, {})
    if await desk.store.stop_chase(request.id, by=actor.name, event=event) is None:
        return await desks.already(desk, request.id)
    desk.runner.stop(request.id)
    desk.changed(request.id)
    return Said(code="stopped", text="Nothing more is sent. Orders may rest.", request=request)
