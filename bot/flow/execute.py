"""A run: every target pursued at once, under verdict time and consent end.

Owns the runs of this process, the keys while they are needed, the proof of whose key it is, and
when a verdict is told. Never decides that a run may start (`bot.flow.decide`), never judges
readings (`bot.flow.verify`), never waits for the store: what happens goes to the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from adapters.contract import ApiKeySigner, KeyFacts, Purpose, VenueAdapter, VenueError
from bot.domain.errors import SecretError
from bot.domain.event import Event, EventKind, Fact
from bot.domain.limits import Limits
from bot.domain.plan import Target
from bot.domain.request import Request
from bot.domain.result import Outcome, Phase, TargetResult, TargetStatus
from bot.flow import judge, verify
from bot.flow.ports import Claim, Clock, Entry, Journal, KeySource, Venues

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a run works with."""

    journal: Journal
    keys: KeySource
    venues: Venues
    clock: Clock
    limits: Limits


@dataclass(slots=True, kw_only=True)
class Run:
    """One run in this process; gone when its last target ends, and its keys with it."""

    request: Request
    started: float
    """Deciding click, monotonic seconds."""
    verdict_at: float
    consent_end: float
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    working: set[str] = field(default_factory=set)
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    signers: dict[str, ApiKeySigner] = field(default_factory=dict)
    """By key path: each distinct path is read once."""


@dataclass(slots=True, kw_only=True)
class Job:
    """One target of a run."""

    run: Run
    target: Target
    claim: Claim
    means: Means
    sight: verify.Sight
    phase: Phase = Phase.WAITING
    trouble: tuple[str, str] = ("", "")
    """Cause and remedy while no cancel could be sent yet."""
    result: TargetResult | None = None


class Runner:
    """Every run of this process."""

    def __init__(self, means: Means, group: asyncio.TaskGroup) -> None:
        self._means = means
        self._group = group
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(
        self,
        request: Request,
        statuses: tuple[TargetStatus, ...],
        claims: Mapping[str, Claim],
    ) -> None:
        """Work on each target that is not final, whose key is claimed, and that nobody works on.

        May be called again at every tick.
        """
        before = {status.account: status for status in statuses}
        for target in request.plan.targets:
            claim, status = claims.get(target.key), before[target.account]
            run = self._runs.get(request.id)
            if claim is None or status.is_final or (run and target.account in run.working):
                continue
            run = self._runs.setdefault(request.id, _begin(request, self._means.clock))
            run.working.add(target.account)
            job = _job(run, target, claim, self._means, status)
            task = self._group.create_task(self._work(job), name=f"{request.id} {target.account}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def stop(self, request_id: str) -> None:
        """End the chase of a run now: calls on their way are aborted, what is known is told."""
        if run := self._runs.get(request_id):
            run.stopped.set()

    def drop(self) -> None:
        """Let go of every run without a verdict, so that another process may take it over."""
        for task in self._tasks:
            task.cancel()

    async def _work(self, job: Job) -> None:
        run = job.run
        try:
            result = await run_target(job)
            _tell(job, EventKind.TARGET_JUDGED, result=result, is_final=True)
        finally:
            run.working.discard(job.target.account)
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
    sight = verify.Sight(rounds=status.rounds, is_sent=status.rounds > 0, accepted=status.accepted)
    return Job(
        run=run,
        target=target,
        claim=claim,
        means=means,
        sight=sight,
        result=status.result,
    )


async def run_target(job: Job) -> TargetResult:
    """Pursue one target until FLAT has held, consent ends, or the chase is stopped.

    Returns:
        Its last verdict; always one, whatever happens inside.
    """
    try:
        async with asyncio.TaskGroup() as group:
            clocks = [group.create_task(_at_verdict_time(job))]
            try:
                await _until_consent_end(job, group, clocks)
            finally:
                for clock in clocks:
                    clock.cancel()
    except Exception:
        logger.exception("target.failed")
        job.trouble = ("a bug in cancelall", "Send the log of this run to its maintainers.")
        job.sight.is_flat = False
        job.sight.is_sent = True
        return _bug(job)
    return _verdict(job)


async def _until_consent_end(
    job: Job, group: asyncio.TaskGroup, clocks: list[asyncio.Task[None]]
) -> None:
    """Work on the target; at consent end, or when stopped, every call on its way is aborted."""
    if job.run.stopped.is_set():
        return
    consent = asyncio.timeout_at(job.run.consent_end)
    try:
        async with consent:
            clocks.append(group.create_task(_when_stopped(job, consent)))
            adapter = await _proven_adapter(job)
            if adapter is not None:
                await _pursue(job, adapter)
    except TimeoutError:
        if not consent.expired():
            raise


async def _when_stopped(job: Job, consent: asyncio.Timeout) -> None:
    await job.run.stopped.wait()
    consent.reschedule(job.means.clock.monotonic())


async def _at_verdict_time(job: Job) -> None:
    await asyncio.sleep(max(0.0, job.run.verdict_at - job.means.clock.monotonic()))
    if job.result is None or job.result.outcome is not Outcome.FLAT or not job.sight.is_flat:
        _tell(job, EventKind.TARGET_JUDGED, result=_verdict(job))


async def _pursue(job: Job, adapter: VenueAdapter) -> None:
    means = job.means
    pursuit = verify.Pursuit(
        adapter=adapter,
        scope=job.target.scope,
        clock=means.clock,
        limits=means.limits,
        verdict_at=job.run.verdict_at,
        tell=lambda kind, _: _tell_step(job, kind),
        sight=job.sight,
    )
    was_flat = job.result is not None and job.result.outcome is Outcome.FLAT
    await verify.until_flat(pursuit, first_round=not was_flat)


async def _proven_adapter(job: Job) -> VenueAdapter | None:
    """Join venue and key once the venue itself has said that the key is this account's.

    Returns:
        None if it is not, or if the key source said no: then no byte of a cancel may leave.
    """
    while True:
        try:
            signer = await _signer(job)
            venue = job.means.venues.venue(job.target.venue, job.target.base_url)
            adapter = venue.adapter(signer, purpose=Purpose.RUN)
            job.trouble = (f"{job.target.venue} has not said yet whose key this is", "")
            facts = await adapter.check()
        except VenueError as error:
            code = f" ({error.venue_code})" if error.venue_code else ""
            _trouble(job, f"{error.user_message}{code}", error.remedy)
            await asyncio.sleep(_patience_s(job, is_retryable=error.retryable))
        except SecretError as error:
            _trouble(job, error.user_message, error.remedy)
            if not error.retryable:
                return None
            await asyncio.sleep(_patience_s(job, is_retryable=True))
        else:
            return adapter if _is_of_account(job, facts) else None


def _is_of_account(job: Job, facts: KeyFacts) -> bool:
    """Tell whether the venue's own id of the key's account is the one in the plan."""
    if facts.account_uid == job.target.uid:
        job.trouble = ("", "")
        return True
    _trouble(
        job,
        f"key belongs to UID {facts.account_uid}, plan says {job.target.uid}",
        f"Put the key of {job.target.account} at {job.target.key}.",
    )
    return False


def _patience_s(job: Job, *, is_retryable: bool) -> float:
    """Return how long to wait before asking again: people mend keys, but not in half a second."""
    is_slow = not is_retryable or job.means.clock.monotonic() >= job.run.verdict_at
    return job.means.limits.chase_wait_s if is_slow else job.means.limits.key_retry_s


def _trouble(job: Job, cause: str, remedy: str) -> None:
    """Tell at once that no cancel could be sent, and why."""
    if job.trouble != (cause, remedy):
        job.trouble = (cause, remedy)
        _tell(job, EventKind.KEY_REFUSED, cause=cause)


async def _signer(job: Job) -> ApiKeySigner:
    """Read the target's key, each distinct path once per run.

    Raises:
        SecretError: the key source cannot or will not give it.
        VenueAuthRefused: the document at that path is not a key of this venue.
    """
    run, path = job.run, job.target.key
    async with run.locks.setdefault(path, asyncio.Lock()):
        if path not in run.signers:
            job.phase = Phase.READING_KEY
            try:
                async with asyncio.timeout(job.means.limits.key_read_s):
                    secret = await job.means.keys.read(path)
            except TimeoutError:
                raise SecretError(
                    user_message=f"the key at {path} could not be read in time", is_retryable=True
                ) from None
            venue = job.means.venues.venue(job.target.venue, job.target.base_url)
            run.signers[path] = venue.signer(secret)
            _tell(job, EventKind.KEY_READ)
        return run.signers[path]


def _verdict(job: Job) -> TargetResult:
    means, now = job.means, job.means.clock.monotonic()
    if any(job.trouble) and not job.sight.is_sent:
        return judge.not_sent(
            job.target, at=means.clock.now(), seconds=now - job.run.started, why=job.trouble
        )
    ended = job.sight.flat_at if job.sight.is_flat and job.sight.flat_at is not None else now
    return judge.verdict(
        job.target,
        job.sight,
        at=means.clock.now(),
        seconds=ended - job.run.started,
        limits=means.limits,
    )


def _bug(job: Job) -> TargetResult:
    """Make the verdict of a target whose pursuit broke: never FLAT."""
    result = _verdict(job)
    return judge.unverified(result, cause=job.trouble[0], remedy=job.trouble[1])


def _tell_step(job: Job, kind: EventKind) -> None:
    """Tell a round or a reading, and the verdict when it changed."""
    sight = job.sight
    job.phase = sight.phase
    _tell(job, kind)
    was_flat = job.result is not None and job.result.outcome is Outcome.FLAT
    if sight.is_flat != was_flat and (sight.is_flat or job.result is not None):
        _tell(job, EventKind.TARGET_JUDGED, result=_verdict(job))


def _tell(
    job: Job,
    kind: EventKind,
    *,
    cause: str = "",
    result: TargetResult | None = None,
    is_final: bool = False,
) -> None:
    """Put where the target stands, and the event that says so, into the journal."""
    job.result = result or job.result
    sight, target = job.sight, job.target
    reading = sight.reading
    status = TargetStatus(
        account=target.account,
        venue=target.venue,
        phase=Phase.ENDED if is_final else job.phase,
        rounds=sight.rounds,
        accepted=sight.accepted,
        open_now=sight.open_known,
        is_at_least=bool(reading and (reading.unread or reading.has_more)),
        cause=cause or job.trouble[0] or judge.explain(sight)[0],
        result=job.result,
        is_final=is_final,
    )
    event = Event(
        kind=kind,
        request_id=job.run.request.id,
        at=job.means.clock.now(),
        facts=_facts(kind, status),
    )
    entry = Entry(request_id=job.run.request.id, claim=job.claim, status=status, event=event)
    job.means.journal.put(entry)


def _facts(kind: EventKind, status: TargetStatus) -> dict[str, Fact]:
    facts: dict[str, Fact] = {"account": status.account, "rounds": status.rounds}
    if kind in {EventKind.ROUND_ENDED, EventKind.READING_TAKEN}:
        facts |= {"accepted": status.accepted, "open": status.open_now, "cause": status.cause}
    if kind is EventKind.KEY_REFUSED:
        facts["cause"] = status.cause
    if kind is EventKind.TARGET_JUDGED and status.result is not None:
        facts |= {
            "outcome": status.result.outcome.value,
            "open": status.result.open_after,
            "seconds": round(status.result.seconds, 3),
            "cause": status.result.cause,
            "is_final": status.is_final,
        }
    return facts
