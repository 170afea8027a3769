"""What time alone makes happen, in one pass over the open requests.

Owns expiry, claiming of free or lapsed leases, deciding again, finishing and interrupting. Start-up
is the first tick. There is no other clockwork in the program.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from datetime import timedelta

from bot.domain import plan as plans
from bot.domain import result as results
from bot.domain.request import Request, RequestState
from bot.flow import decide, glass
from bot.flow import desk as desks
from bot.flow.desk import Desk
from bot.flow.ports import StoreDown

logger = logging.getLogger(__name__)

AGAIN_S = 1.0
"""Between two tries to decide a request whose voters Slack cannot vouch for."""
GRACE = timedelta(seconds=5)
"""After consent end: time for the last verdicts to reach the store before a run is interrupted."""


async def tick(desk: Desk) -> None:
    """Look once at every open request and do what is due, runs first.

    Raises:
        StoreDown: the database did not answer; the next tick tries again.
    """
    await _guarded("consoles", _consoles(desk))
    requests = await desk.store.open_requests()
    desk.runner.retain({request.id for request in requests})
    pending = [request for request in requests if request.state is RequestState.PENDING]
    if (bans := desks.bans(desk)) != desk.bans:
        desk.bans = bans
        for request in requests:
            desk.changed(request.id)
    known, now = {request.id for request in pending}, desk.clock.monotonic()
    desk.unsure = {id_: it for id_, it in desk.unsure.items() if id_ in known or now < it.until}
    if not desk.is_resumed:
        desk.is_resumed = True
        for request in pending:
            desk.doubt(request.id)
    for request in requests:
        if request.state is RequestState.RUNNING:
            await _guarded(request.id, _running(desk, request))
    async with asyncio.TaskGroup() as group:
        for request in pending:
            group.create_task(_guarded(request.id, _pending(desk, request)))


async def _guarded(about: str, look: Awaitable[None]) -> None:
    """Look at one request, or at the consoles; what goes wrong with it stops nothing else."""
    try:
        await look
    except StoreDown:
        logger.warning("store.unreachable", extra={"about": about})
    except Exception:
        logger.exception("tick.failed", extra={"about": about})


async def _consoles(desk: Desk) -> None:
    """See what consoles do, and which runs are theirs."""
    desk.on_console = await desk.consoles.look()


async def _pending(desk: Desk, request: Request) -> None:
    now = desk.clock.monotonic()
    if desk.clock.now() >= request.expires_at:
        why = "Nobody decided in time."
        await desks.end(desk, request, to=RequestState.EXPIRED, why=why)
        return
    unsure = desk.unsure.get(request.id)
    if unsure is not None and now >= unsure.until:
        desk.unsure.pop(request.id, None)  # The vote that waited for Slack has lapsed.
        desk.changed(request.id)
    elif unsure is not None and now >= unsure.next_at:
        unsure.next_at = now + AGAIN_S
        await decide.decide(desk, request.id)
    elif unsure is None and plans.changes(request.plan, desk.directory):
        await decide.decide(desk, request.id)


async def _running(desk: Desk, request: Request) -> None:
    assert request.consent_ends_at is not None
    # Asked first: what is told, or catches up, while the statuses are read must not be missed.
    is_watched = desk.journal.is_behind or desk.runner.is_at_work(request.id)
    statuses = await desk.store.statuses(request.id)
    desk.changed(request.id)  # The journal has moved the board meanwhile.
    now = desk.clock.now()
    if all(status.is_final for status in statuses):
        headline = results.summarise(statuses).headline
        await desks.end(desk, request, to=RequestState.FINISHED, why=headline)
    elif now < request.consent_ends_at:
        # A console sends and tells by itself; when it has gone, what is left is taken over.
        if request.id not in desk.on_console and await glass.may_go_on(desk, request):
            await _take(desk, request)
    elif not is_watched and now >= request.consent_ends_at + GRACE:
        why = "No process finished this run before its consent ended. Assume that orders are live."
        await desks.end(desk, request, to=RequestState.INTERRUPTED, why=why)


async def _take(desk: Desk, request: Request) -> None:
    """Claim what is free of a run and work on it, unless somebody has stopped it meanwhile."""
    keys = sorted({target.key for target in request.plan.targets})
    claims = await desk.store.claim(keys, owner=desk.owner, lease_s=desk.limits.lease_s)
    now = await desk.store.find(request.id)
    if now is None or now.state is not RequestState.RUNNING:
        return
    statuses = await desk.store.statuses(request.id)
    desk.runner.take(now, statuses, {claim.key: claim for claim in claims})
    if now.chase_stopped_by is not None:
        desk.runner.stop(request.id)
