"""The end of break glass: somebody else looks at what one person pulled alone, and closes it.

Owns `close`. What a console sent is neither undone nor repeated from here.
"""

from __future__ import annotations

from bot.domain.event import EventKind
from bot.domain.request import Request
from bot.flow import desk as desks
from bot.flow.desk import Click, Desk, Said
from policies import evaluate
from policies.model import Actor, Reason


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
