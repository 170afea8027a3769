"""A run: every target pursued at once, under verdict time and consent end.

Owns the runs of this process: who is worked on, and what ends it. Never decides that a run may
start (`bot.flow.decide`), never judges readings (`bot.flow.verify`), never waits for the store:
what happens goes to the journal (`bot.flow.tell`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from bot.domain.plan import Target
from bot.domain.request import Request
from bot.domain.result import Outcome, Phase, TargetStatus
from bot.flow import prove, tell, verify
from bot.flow.job import Job, Means, Run
from bot.flow.ports import Claim, Clock

logger = logging.getLogger(__name__)

UNSENT = (Phase.WAITING, Phase.READING_KEY)
"""Phases in which no byte of a cancel has left."""


class Runner:
    """Every run of this process."""

    def __init__(self, means: Means, group: asyncio.TaskGroup) -> None:
        self._means = means
        self._group = group
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: dict[tuple[str, str], int] = {}
        """The fence under which each (request, account) ended here; the store may not know yet."""
        self._stopped: set[str] = set()
        """Requests whose chase was stopped; a tick may still hold them as they were before."""

    def take(
        self,
        request: Request,
        statuses: tuple[TargetStatus, ...],
        claims: Mapping[str, Claim],
    ) -> None:
        """Work on each target that is not final, whose key is claimed, and that nobody works on.

        May be called again at every tick: a target whose lease is no longer ours is let go.
        """
        before = {status.account: status for status in statuses}
        for target in request.plan.targets:
            claim, status = claims.get(target.key), before[target.account]
            run = self._runs.get(request.id)
            if run and target.account in run.working:
                self._keep(run.working[target.account], claim)
                continue
            if claim is None or status.is_final:
                continue
            if self._ended.get((request.id, target.account)) == claim.fence:
                continue  # Its last status is on its way to the store.
            run = self._runs.setdefault(request.id, _begin(request, self._means.clock))
            if request.id in self._stopped:
                run.stopped.set()
            job = _job(run, target, claim, self._means, status)
            task = self._group.create_task(self._work(job), name=f"{request.id} {target.account}")
            run.working[target.account] = (claim, task)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def is_at_work(self, request_id: str) -> bool:
        """Tell whether a target of a run has still to be given its last verdict here."""
        run = self._runs.get(request_id)
        return run is not None and bool(run.working)

    def stop(self, request_id: str) -> None:
        """End the chase of a run now: calls on their way are aborted, what is known is told."""
        self._stopped.add(request_id)
        if run := self._runs.get(request_id):
            run.stopped.set()

    def retain(self, request_ids: Collection[str]) -> None:
        """Remember what ended or was stopped of these requests only: the others are over."""
        self._ended = {place: at for place, at in self._ended.items() if place[0] in request_ids}
        self._stopped.intersection_update(request_ids)

    def drop(self) -> None:
        """Let go of every run without a verdict, so that another process may take it over."""
        for task in self._tasks:
            task.cancel()

    def _keep(self, work: tuple[Claim, asyncio.Task[None]], claim: Claim | None) -> None:
        """Go on only under the lease that the work began with: another may pursue it now."""
        begun_with, task = work
        if claim != begun_with:
            task.cancel()

    async def _work(self, job: Job) -> None:
        run = job.run
        try:
            await run_target(job)
            self._ended[run.request.id, job.target.account] = job.claim.fence
        finally:
            run.working.pop(job.target.account, None)
            if not run.working:
                self._runs.pop(run.request.id, None)
                run.signers.clear()


@asynccontextmanager
async def open_runner(means: Means) -> AsyncIterator[Runner]:
    """Open the runner; leaving the context drops every run of this process."""
    async with asyncio.TaskGroup() as group:
        runner = Runner(means, group)
        try:
            yield runner
        finally:
            runner.drop()


def _begin(request: Request, clock: Clock) -> Run:
    """Put the stored wall times of a run on this process's monotonic clock."""
    assert request.decided_at is not None
    assert request.verdict_at is not None
    assert request.consent_ends_at is not None
    now, wall = clock.monotonic(), clock.now()
    stopped = asyncio.Event()
    if request.chase_stopped_by is not None:
        stopped.set()
    return Run(
        stopped=stopped,
        request=request,
        started=now + (request.decided_at - wall).total_seconds(),
        verdict_at=now + (request.verdict_at - wall).total_seconds(),
        consent_end=now + (request.consent_ends_at - wall).total_seconds(),
    )


def _job(run: Run, target: Target, claim: Claim, means: Means, status: TargetStatus) -> Job:
    """Go on where a target stands; what may have been sent before counts as sent."""
    sight = verify.Sight(
        rounds=status.rounds,
        is_sent=status.rounds > 0 or status.phase not in UNSENT,
        accepted=status.accepted,
    )
    if status.result is not None and status.result.outcome is Outcome.FLAT:
        waits = means.limits.flat_checks_s
        sight.phase, sight.is_flat = Phase.WATCHING, True
        sight.came_back = status.result.came_back
        sight.flat_at = run.started + status.result.seconds
        past_s = means.clock.monotonic() - sight.flat_at
        # It is read at least once more, however long nobody watched.
        sight.checks = min(sum(wait <= past_s for wait in waits), max(0, len(waits) - 1))
    return Job(
        run=run,
        target=target,
        claim=claim,
        means=means,
        sight=sight,
        phase=status.phase,
        before=status.result,
        result=status.result,
    )


async def run_target(job: Job) -> None:
    """Pursue one target until FLAT has held, consent ends, or the chase is stopped.

    A bug is told and the pursuit begun anew, as after a restart: what broke it may be one answer
    of the venue. The last verdict is told, whatever happens inside.
    """
    is_over = False
    while not is_over:
        try:
            await _until_ended(job)
            tell.last(job)
            is_over = True
        except Exception:
            logger.exception("target.failed")
            if _is_dropped():
                raise asyncio.CancelledError from None
            is_over = job.run.stopped.is_set() or job.left_s() <= 0
            tell.bug(job, is_final=is_over)
            known = job.sight
            job.sight = verify.Sight(
                rounds=known.rounds, is_sent=known.is_sent, accepted=known.accepted
            )
            await _pause(job)


def _is_dropped() -> bool:
    """Tell whether this task was cancelled: a TaskGroup shows an error in it instead (3.11)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _pause(job: Job) -> None:
    """Wait a while, but not past consent end or a stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(min(job.means.limits.chase_wait_s, job.left_s())):
            await job.run.stopped.wait()


async def _until_ended(job: Job) -> None:
    """Work on the target; at consent end, or when stopped, every call on its way is aborted."""
    if job.run.stopped.is_set() or job.left_s() <= 0:
        return
    async with asyncio.TaskGroup() as group:
        work = group.create_task(_pursue(job))
        stop = group.create_task(_stopped(job))
        end = group.create_task(_consent_ended(job))
        verdict = group.create_task(_at_verdict_time(job))
        await asyncio.wait({work, stop, end}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, stop, end, verdict):
            task.cancel()


async def _stopped(job: Job) -> None:
    await job.run.stopped.wait()


async def _consent_ended(job: Job) -> None:
    while (left_s := job.left_s()) > 0:  # noqa: ASYNC110 — a clock that jumps announces nothing
        await asyncio.sleep(min(left_s, job.means.limits.tick_s))


async def _at_verdict_time(job: Job) -> None:
    await asyncio.sleep(max(0.0, job.run.verdict_at - job.means.clock.monotonic()))
    tell.at_verdict_time(job)


async def _pursue(job: Job) -> None:
    """Prove whose key it is, then make the target flat; a key that is refused is read again."""
    means = job.means
    while (adapter := await prove.adapter_of(job)) is not None:
        pursuit = verify.Pursuit(
            adapter=adapter,
            scope=job.target.scope,
            clock=means.clock,
            limits=means.limits,
            verdict_at=job.run.verdict_at,
            tell=lambda kind, _: tell.step(job, kind),
            sight=job.sight,
        )
        if await verify.until_flat(pursuit):
            return
        job.run.signers.pop(job.target.key, None)  # Somebody may put a better key there.
