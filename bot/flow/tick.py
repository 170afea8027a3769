"""What time alone makes happen, in one pass over the open requests.

Owns expiry, claiming of free or lapsed leases, deciding again, finishing and interrupting. Start-up
is the first tick. There is no other clockwork in the program.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from bot.domain import plan as plans
from bot.domain import result as results
from bot.domain.request import Request, RequestState
from bot.flow import decide
from bot.flow import desk as desks
from bot.flow.desk import Desk

logger = logging.getLogger(__name__)

GRACE = timedelta(seconds=5)
"""After consent end: time for the last verdicts to reach the store before a run is interrupted."""


async def tick(desk: Desk) -> None:
    """Look once at every open request and do what is due.

    Raises:
        StoreDown: the database did not answer; the next tick tries again.
    """
    for request in await desk.store.open_requests():
        match request.state:
            case RequestState.PENDING:
                await _pending(desk, request)
            case _:
                await _running(desk, request)


async def resume(desk: Desk) -> None:
    """Have every pending request decided once more: its last vote may have died with a process.

    Raises:
        StoreDown: the database did not answer.
    """
    until = desk.clock.monotonic() + desk.limits.vote_wait_s
    for request in await desk.store.open_requests():
        if request.state is RequestState.PENDING:
            desk.unsure[request.id] = until


async def _pending(desk: Desk, request: Request) -> None:
    if desk.clock.now() >= request.expires_at:
        why = "Nobody decided in time."
        await desks.end(desk, request, to=RequestState.EXPIRED, why=why)
        return
    until = desk.unsure.get(request.id)
    is_unsure = until is not None and desk.clock.monotonic() < until
    if is_unsure or plans.changes(request.plan, desk.directory):
        await decide.decide(desk, request.id)
    elif until is not None:
        desk.unsure.pop(request.id, None)  # The vote that waited for Slack has lapsed.
        desk.changed(request.id)


async def _running(desk: Desk, request: Request) -> None:
    assert request.consent_ends_at is not None
    statuses = await desk.store.statuses(request.id)
    desk.changed(request.id)  # The journal has moved the board meanwhile.
    now = desk.clock.now()
    if all(status.is_final for status in statuses):
        headline = results.summarise(statuses).headline
        await desks.end(desk, request, to=RequestState.FINISHED, why=headline)
    elif now < request.consent_ends_at:
        await decide.take(desk, request)
        if request.chase_stopped_by is not None:
            desk.runner.stop(request.id)
    elif now >= request.consent_ends_at + GRACE:
        why = "No process finished this run before its consent ended. Assume that orders are live."
        await desks.end(desk, request, to=RequestState.INTERRUPTED, why=why)
