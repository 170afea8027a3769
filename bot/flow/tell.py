"""What is told of a target while it is pursued: where it stands, its verdicts, its events.

Owns what goes into the journal, and when a verdict that was told is told anew. Never judges
(`bot.flow.judge`) and never waits for the store.
"""

from __future__ import annotations

from bot.domain.event import Event, EventKind, Fact
from bot.domain.result import Outcome, Phase, TargetResult, TargetStatus
from bot.flow import judge
from bot.flow.job import Job
from bot.flow.judge import Moment
from bot.flow.ports import Entry


def verdict(job: Job) -> TargetResult:
    """Judge a target by what is known now, by this process or by the one before it."""
    sight, now = job.sight, job.means.clock.monotonic()
    if job.before is not None and _stands(job, job.before):
        return judge.stands(job.before, job.trouble)
    ended = sight.flat_at if sight.is_flat and sight.flat_at is not None else now
    return judge.verdict(
        job.target,
        sight,
        Moment(at=job.means.clock.now(), seconds=ended - job.run.started),
        trouble=job.trouble,
        limits=job.means.limits,
    )


def _stands(job: Job, before: TargetResult) -> bool:
    """Tell whether an earlier process still knows more than this one."""
    if job.sight.is_flat or job.sight.reading is not None:
        return False
    return before.outcome is not Outcome.NOT_SENT or not (job.sight.is_sent or any(job.trouble))


def at_verdict_time(job: Job) -> None:
    """Tell the verdict that is owed, unless one that was told still holds."""
    is_kept = job.before is not None and job.sight.reading is None
    if not is_kept and not (job.was_flat and job.sight.is_flat):
        status(job, EventKind.TARGET_JUDGED, result=verdict(job))


def last(job: Job) -> None:
    """Tell the last verdict."""
    status(job, EventKind.TARGET_JUDGED, result=verdict(job), is_final=True)


def bug(job: Job, *, is_final: bool) -> None:
    """Tell the verdict on a target whose pursuit broke, with nothing that may have broken.

    It stands until the pursuit, begun anew, has read something; the same bug is told only once.
    """
    target, clock = job.target, job.means.clock
    moment = Moment(at=clock.now(), seconds=clock.monotonic() - job.run.started)
    result = judge.bug(target, moment)
    is_told = job.result is not None and job.result.cause == result.cause
    job.before = job.result = result
    if is_told and not is_final:
        return
    stands = TargetStatus(
        account=target.account,
        venue=target.venue,
        phase=Phase.ENDED if is_final else Phase.CHASING,
        rounds=job.sight.rounds,
        accepted=job.sight.accepted,
        cause=result.cause,
        key_note=job.run.key_notes.get(target.key, ""),
        result=result,
        is_final=is_final,
    )
    _put(job, EventKind.TARGET_JUDGED, stands)


def step(job: Job, kind: EventKind) -> None:
    """Tell a round or a reading, and the verdict when it changed."""
    job.phase = job.sight.phase
    status(job, kind)
    if _is_news(job, kind):
        status(job, EventKind.TARGET_JUDGED, result=verdict(job))


def _is_news(job: Job, kind: EventKind) -> bool:
    """Tell whether the verdict became, or ceases to be, FLAT, or more is known than was told."""
    sight, told = job.sight, job.result
    if sight.is_flat or told is None or job.was_flat:
        return sight.is_flat != job.was_flat
    is_late = told.outcome is Outcome.NOT_SENT and sight.is_sent
    is_seen = told.outcome is Outcome.UNVERIFIED and judge.outcome(sight) is Outcome.RESIDUAL
    return (is_late or is_seen) and kind is EventKind.READING_TAKEN


def trouble(job: Job, cause: str, remedy: str) -> None:
    """Tell at once what keeps this process from the venue; the same cause only once."""
    is_told = job.trouble[0] == cause
    job.trouble = (cause, remedy)
    if not is_told:
        status(job, EventKind.KEY_REFUSED, cause=cause)


def status(
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
    stands = TargetStatus(
        account=target.account,
        venue=target.venue,
        phase=Phase.ENDED if is_final else job.phase,
        rounds=sight.rounds,
        accepted=sight.accepted,
        open_now=sight.open_known,
        is_at_least=bool(reading and (reading.unread or reading.has_more)),
        cause=cause or job.trouble[0] or judge.explain(sight)[0],
        key_note=job.run.key_notes.get(target.key, ""),
        result=job.result,
        is_final=is_final,
    )
    _put(job, kind, stands)


def _put(job: Job, kind: EventKind, stands: TargetStatus) -> None:
    request_id = job.run.request.id
    at = job.means.clock.now()
    event = Event(kind=kind, request_id=request_id, at=at, facts=_facts(kind, stands))
    entry = Entry(request_id=request_id, claim=job.claim, status=stands, event=event)
    job.means.journal.put(entry)


def _facts(kind: EventKind, stands: TargetStatus) -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        "account": stands.account,
        "venue": stands.venue,
        "rounds": stands.rounds,
    }
    if kind in {EventKind.ROUND_ENDED, EventKind.READING_TAKEN}:
        facts |= {"accepted": stands.accepted, "open": stands.open_now, "cause": stands.cause}
    if kind is EventKind.KEY_READ and stands.key_note:
        facts["note"] = stands.key_note
    if kind is EventKind.KEY_REFUSED:
        facts["cause"] = stands.cause
    if kind is EventKind.TARGET_JUDGED and stands.result is not None:
        facts |= {
            "outcome": stands.result.outcome.value,
            "open": stands.result.open_after,
            "seconds": round(stands.result.seconds, 3),
            "cause": stands.result.cause,
            "is_final": stands.is_final,
        }
    return facts
