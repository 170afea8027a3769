"""Metrics: numbers that events move, and those that are read of the process at each scrape.

Owns their names. Labels are venues, outcomes and kinds out of fixed sets: never an account, a
person or a request. Never waits: what has to be asked for is asked for beside (`take_stock`).

Source: https://prometheus.io/docs/practices/naming/, read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from bot.domain.event import Event, EventKind
from bot.domain.request import Request, RequestState
from bot.domain.result import Outcome, TargetStatus
from bot.flow.ports import Bans, StoreDown
from policies.model import Answer

NAMESPACE = "cancelall"
DURATIONS_S = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Up to verdict time, 30 s, in steps that tell a good night; then up to consent end."""
LAGS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
OPEN = (RequestState.PENDING, RequestState.RUNNING)
REACHED = {
    EventKind.REQUEST_SUBMITTED: RequestState.PENDING,
    EventKind.RUN_STARTED: RequestState.RUNNING,
    EventKind.RUN_FINISHED: RequestState.FINISHED,
    EventKind.RUN_INTERRUPTED: RequestState.INTERRUPTED,
    EventKind.REQUEST_DENIED: RequestState.DENIED,
    EventKind.REQUEST_WITHDRAWN: RequestState.WITHDRAWN,
    EventKind.REQUEST_EXPIRED: RequestState.EXPIRED,
}
"""The state that a request has come to, by the event that says so."""


class Stock(Protocol):
    """What the store can tell of the requests that are open."""

    async def open_requests(self) -> tuple[Request, ...]:
        """Return every PENDING and RUNNING request."""
        ...

    async def statuses(self, request_id: str) -> tuple[TargetStatus, ...]:
        """Return where the targets of a run stand."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is read at each scrape; none of it waits."""

    parts: Callable[[], Mapping[str, str]]
    """Why each part is not ready; empty if it is."""
    is_behind: Callable[[], bool]
    bans: Callable[[], Bans]
    now: Callable[[], datetime]
    """Aware UTC."""


class Metrics:
    """Every metric of one bot, in a registry of its own; safe to move from any thread.

    Every counter stands at 0 from the start for each label that it can have: an alert on its
    increase must not miss the first.
    """

    def __init__(self, venues: Iterable[str]) -> None:
        # It would write a second series beside each, of when it was made.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._venues = sorted(set(venues))
        ProcessCollector(registry=registry)
        counter = partial(Counter, namespace=NAMESPACE, registry=registry)
        gauge = partial(Gauge, namespace=NAMESPACE, registry=registry)
        timer = partial(Histogram, namespace=NAMESPACE, registry=registry)
        by_venue, by_outcome = ["venue"], ["venue", "outcome"]
        self._events = counter("events", "Facts that were recorded.", ["kind"])
        self._requests = counter("requests", "Requests that came to a state.", ["state"])
        self._runs = counter("runs_started", "Runs that were started.")
        self._votes = counter("votes", "Votes that were stored.", ["answer"])
        self._ignored = counter("votes_ignored", "Clicks of people who may not answer.")
        self._verdicts = counter("verdicts", "Verdicts each time they are told.", by_outcome)
        self._targets = counter("targets", "Targets by their last verdict.", by_outcome)
        self._by_venue = {
            EventKind.ROUND_BEGAN: counter("rounds", "Rounds of cancels, as begun.", by_venue),
            EventKind.READING_TAKEN: counter("readings", "Readings of open orders.", by_venue),
            EventKind.KEY_READ: counter("keys_read", "Keys that were read for a run.", by_venue),
            EventKind.KEY_REFUSED: counter(
                "key_refusals", "Causes that kept a target from its key, each once.", by_venue
            ),
        }
        self._durations = timer(
            "target_duration_seconds",
            "Deciding click to FLAT, or to the last verdict of a target that was not.",
            by_outcome,
            buckets=DURATIONS_S,
        )
        self._lag = timer("loop_lag_seconds", "How late the event loop wakes.", buckets=LAGS_S)
        self._open = gauge("open_requests", "Requests that are open, by state.", ["state"])
        self._residual = gauge(
            "residual_orders", "Orders open at targets of runs whose verdict is not FLAT.", by_venue
        )
        self._ready = gauge("part_ready", "1 if a part is ready, else 0.", ["part"])
        self._behind = gauge("journal_behind", "1 while runs tell what the database lacks.")
        self._bans = gauge("venue_ban_seconds", "Left of a venue's ban of our address.", by_venue)
        self._stand_at_zero()

    def _stand_at_zero(self) -> None:
        for kind in EventKind:
            self._events.labels(kind.value)
        for state in RequestState:
            self._requests.labels(state.value)
        for state in OPEN:
            self._open.labels(state.value)
        for answer in Answer:
            self._votes.labels(answer.value)
        for venue in self._venues:
            for each in self._by_venue.values():
                each.labels(venue)
            self._residual.labels(venue)
            for outcome in Outcome:
                self._verdicts.labels(venue, outcome.value)
                self._targets.labels(venue, outcome.value)

    def read(self, event: Event) -> None:
        """Move what an event moves."""
        kind, facts = event.kind, event.facts
        self._events.labels(kind.value).inc()
        if kind in REACHED:
            self._requests.labels(REACHED[kind].value).inc()
        if kind in self._by_venue:
            self._by_venue[kind].labels(str(facts["venue"])).inc()
        match kind:
            case EventKind.RUN_STARTED:
                self._runs.inc()
            case EventKind.VOTE_CAST:
                self._votes.labels(str(facts["answer"])).inc()
            case EventKind.VOTE_IGNORED:
                self._ignored.inc()
            case EventKind.TARGET_JUDGED:
                self._judged(str(facts["venue"]), facts)
            case _:
                pass

    def _judged(self, venue: str, facts: Mapping[str, object]) -> None:
        outcome = str(facts["outcome"])
        self._verdicts.labels(venue, outcome).inc()
        if facts["is_final"]:
            self._targets.labels(venue, outcome).inc()
            self._durations.labels(venue, outcome).observe(float(str(facts["seconds"])))

    def lagged(self, seconds: float) -> None:
        """Note how late the event loop was."""
        self._lag.observe(seconds)

    async def take_stock(self, store: Stock) -> None:
        """Count what is open; while the database does not answer, the last count stands."""
        try:
            requests = await store.open_requests()
            runs = [request for request in requests if request.state is RequestState.RUNNING]
            statuses = [status for run in runs for status in await store.statuses(run.id)]
        except StoreDown:
            return
        for state in OPEN:
            self._open.labels(state.value).set(sum(each.state is state for each in requests))
        for venue in self._venues:
            self._residual.labels(venue).set(sum(map(_left, _at(statuses, venue))))

    def text(self, sources: Sources) -> bytes:
        """Write everything as Prometheus reads it (text format, `CONTENT_TYPE_LATEST`)."""
        for name, why in sources.parts().items():
            self._ready.labels(name).set(0 if why else 1)
        self._behind.set(sources.is_behind())
        now, bans = sources.now(), sources.bans()
        for venue in self._venues:
            left = [(until - now).total_seconds() for (at, _), until in bans.items() if at == venue]
            self._bans.labels(venue).set(max([0.0, *left]))
        return prometheus_client.generate_latest(self._registry)


def _at(statuses: Iterable[TargetStatus], venue: str) -> list[TargetStatus]:
    return [status for status in statuses if status.venue == venue]


def _left(status: TargetStatus) -> int:
    """Count the orders that were last seen at a target whose verdict says that some rest."""
    is_flat = status.result is None or status.result.outcome is Outcome.FLAT
    return 0 if is_flat else status.open_now or 0
