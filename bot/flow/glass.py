"""Break glass, seen from the server: what a console left is gone on with, and somebody closes it.

Owns `may_go_on` and `close`. What a console sent is neither undone nor repeated from here.
"""

from __future__ import annotations

import logging

from bot.domain import plan as plans
from bot.domain.event import EventKind
from bot.domain.request import Request
from bot.flow import desk as desks
from bot.flow.desk import Click, Desk, Said
from policies import evaluate
from policies.model import Actor, Reason

logger = logging.getLogger(__name__)


async def may_go_on(desk: Desk, request: Request) -> bool:
    """Tell whether a run may be gone on with here; one that was approved always may.

    A record is a file: what it says somebody pulled, they must be allowed to pull, by today's
    policy, of accounts that are what the config says, and for no longer than consent lasts.
    """
    if await desk.pulls.find(request.id) is None:
        return True
    assert request.consent_ends_at is not None
    accounts = [target.for_policy() for target in request.plan.targets]
    why = [*plans.changes(request.plan, desk.directory)]
    why += [
        reason.text
        for account in accounts
        for reason in evaluate.may_break_glass(desk.policy, request.requester, account)
    ]
    if not why:
        _, consent_s = evaluate.clocks(desk.policy, accounts)
        if (request.consent_ends_at - desk.clock.now()).total_seconds() > consent_s:
            why.append("its consent ends later than the policy lets consent last")
    if why and request.id not in desk.distrusted:
        logger.warning("pull.distrusted", extra={"request_id": request.id, "why": why[0]})
        desk.distrusted.add(request.id)
    return not why


async def close(desk: Desk, click: Click) -> Said:
    """Let somebody who might have answered this, and did not pull it, close it.

    Raises:
        StoreDown: the database did not answer; it is not known whether it was closed.
    """
    request = await desk.store.find(click.request_id)
    pull = await desk.pulls.find(click.request_id)
    if request is None or pull is None:
        text = f"Request {click.request_id} was not pulled by break glass."
        return Said(code="unknown", text=text, is_refusal=True)
    if pull.closed_by is not None:
        text = f"{pull.closed_by} has closed {request.id} already."
        return Said(code="already", text=text, request=request, is_refusal=True)
    if not request.state.is_final:
        text = f"Request {request.id} still runs: it can be closed when it has ended."
        return Said(code="too_soon", text=text, request=request, is_refusal=True)
    groups = desks.voter_groups(desk, request) | desks.asker_groups(desk)
    actor = await desk.people.actor(click.user_id, team_id=click.team_id, groups=groups)
    if objections := _objections(desk, request, actor):
        text = " ".join(reason.text for reason in objections)
        return Said(code=objections[0].code, text=text, request=request, is_refusal=True)
    event = desks.event(desk, EventKind.GLASS_CLOSED, request, actor, {"pulled_by": pull.by})
    if not await desk.pulls.close(request.id, by=actor.name, event=event):
        return await desks.already(desk, request.id)
    desk.changed(request.id)
    return Said(code="closed", text=f"You closed {request.id}.", request=request)


def _objections(desk: Desk, request: Request, actor: Actor) -> tuple[Reason, ...]:
    """Say why somebody may not close a pull; where nobody need approve, who may ask may close."""
    puller = request.requester
    if puller.user_id == actor.user_id or puller.person_id == actor.person_id:
        text = f"{actor.name} pulled this: somebody else must close it."
        return (Reason(code="puller", text=text),)
    accounts = [target.for_policy() for target in request.plan.targets]
    rules = [rule for account in accounts for rule in evaluate.matching(desk.policy, account)]
    if any(rule.approve for rule in rules):
        return evaluate.may_answer(desk.policy, actor, accounts, puller)
    return tuple(
        reason for account in accounts for reason in evaluate.may_ask(desk.policy, actor, account)
    )
