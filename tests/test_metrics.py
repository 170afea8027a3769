"""What events move, as Prometheus' own parser reads it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from bot.domain.errors import SecretError
from bot.domain.event import Event, EventKind, Fact
from bot.domain.request import Request, RequestState
from bot.domain.result import Outcome, TargetResult, TargetStatus
from bot.flow.ports import StoreDown
from bot.metrics import Metrics, Sources
from tests.fakes.clock import EPOCH
from tests.fakes.run import Scene, play, request, target
from tests.store import values

CALM = Sources(parts=dict, is_behind=lambda: False, bans=dict, now=lambda: EPOCH)


def scrape(metrics: Metrics, sources: Sources = CALM) -> dict[str, float]:
    """Every sample by name and labels: `cancelall_rounds_total{venue=bybit}`."""
    found = {}
    for family in text_string_to_metric_families(metrics.text(sources).decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def moved(metrics: Metrics, events: Iterable[Event]) -> dict[str, float]:
    """What events have moved of the bot's own counters, and by how much."""
    before = scrape(metrics)
    for event in events:
        metrics.read(event)
    return {
        name.removeprefix("cancelall_"): value
        for name, value in scrape(metrics).items()
        if name.startswith("cancelall_") and "_bucket" not in name and value != before.get(name, 0)
    }


def event(kind: EventKind, **facts: Fact) -> Event:
    return values.event(kind, **{"account": "alpha", "venue": "bybit", **facts})  # type: ignore[arg-type]


JUDGED: dict[str, Fact] = {"seconds": 2.5, "open": 0, "cause": ""}
MOVES: list[tuple[Event, dict[str, float]]] = [
    (event(EventKind.REQUEST_SUBMITTED), {"requests_total{state=PENDING}": 1}),
    (
        event(EventKind.RUN_STARTED),
        {"requests_total{state=RUNNING}": 1, "runs_started_total": 1},
    ),
    (event(EventKind.RUN_FINISHED), {"requests_total{state=FINISHED}": 1}),
    (event(EventKind.RUN_INTERRUPTED), {"requests_total{state=INTERRUPTED}": 1}),
    (event(EventKind.REQUEST_DENIED), {"requests_total{state=DENIED}": 1}),
    (event(EventKind.REQUEST_WITHDRAWN), {"requests_total{state=WITHDRAWN}": 1}),
    (event(EventKind.REQUEST_EXPIRED), {"requests_total{state=EXPIRED}": 1}),
    (event(EventKind.VOTE_CAST, answer="approve"), {"votes_total{answer=approve}": 1}),
    (event(EventKind.VOTE_CAST, answer="deny"), {"votes_total{answer=deny}": 1}),
    (event(EventKind.VOTE_CONFIRMED, answer="deny"), {}),
    (event(EventKind.VOTE_IGNORED), {"votes_ignored_total": 1}),
    (event(EventKind.KEY_READ), {"keys_read_total{venue=bybit}": 1}),
    (event(EventKind.KEY_REFUSED), {"key_refusals_total{venue=bybit}": 1}),
    (event(EventKind.ROUND_BEGAN), {"rounds_total{venue=bybit}": 1}),
    (event(EventKind.READING_TAKEN), {"readings_total{venue=bybit}": 1}),
    (
        event(EventKind.TARGET_JUDGED, outcome="RESIDUAL", is_final=False, **JUDGED),
        {"verdicts_total{outcome=RESIDUAL,venue=bybit}": 1},
    ),
    (
        event(EventKind.TARGET_JUDGED, outcome="FLAT", is_final=True, **JUDGED),
        {
            "verdicts_total{outcome=FLAT,venue=bybit}": 1,
            "targets_total{outcome=FLAT,venue=bybit}": 1,
            "target_duration_seconds_count{outcome=FLAT,venue=bybit}": 1,
            "target_duration_seconds_sum{outcome=FLAT,venue=bybit}": 2.5,
        },
    ),
]


@pytest.mark.parametrize(("told", "expected"), MOVES)
def test_an_event_moves_what_it_says_and_nothing_else(told: Event, expected: dict[str, float]):
    kind = {f"events_total{{kind={told.kind.value}}}": 1}
    assert moved(Metrics(["bybit"]), [told]) == kind | expected


def test_any_other_kind_of_event_is_counted_as_itself():
    others = set(EventKind) - {told.kind for told, _ in MOVES}
    for kind in others:
        assert moved(Metrics(["bybit"]), [event(kind)]) == {f"events_total{{kind={kind.value}}}": 1}
    assert EventKind.GLASS_BROKEN in others


def test_a_run_is_read_from_what_the_runner_itself_tells():
    def make(scene: Scene) -> Request:
        scene.book("a", "1", "2")
        scene.book("b", "3")
        error = SecretError(user_message="no secret at keys/b", remedy="Seal it.")
        scene.keys.errors["keys/b"] = [error]
        return request(target("a"), target("b"))

    entries = play(make).journal.entries
    seen = moved(Metrics(["bybit", "pacifica"]), [e.event for e in entries if e.event])
    assert round(seen.pop("target_duration_seconds_sum{outcome=FLAT,venue=bybit}"), 2) == 0.70
    assert seen == {
        "events_total{kind=key.read}": 1,
        "events_total{kind=key.refused}": 1,
        "events_total{kind=round.began}": 1,
        "events_total{kind=round.ended}": 1,
        "events_total{kind=reading.taken}": 7,  # Two to be FLAT, five to see that it holds.
        "events_total{kind=target.judged}": 3,
        "keys_read_total{venue=bybit}": 1,
        "key_refusals_total{venue=bybit}": 1,
        "rounds_total{venue=bybit}": 1,
        "readings_total{venue=bybit}": 7,
        "verdicts_total{outcome=FLAT,venue=bybit}": 2,
        "verdicts_total{outcome=NOT_SENT,venue=bybit}": 1,
        "targets_total{outcome=FLAT,venue=bybit}": 1,
        "targets_total{outcome=NOT_SENT,venue=bybit}": 1,
        "target_duration_seconds_count{outcome=FLAT,venue=bybit}": 1,
        "target_duration_seconds_count{outcome=NOT_SENT,venue=bybit}": 1,
    }


def test_counters_stand_at_zero_before_anything_happens():
    """An alert on the increase of one that appears with its first event never sees that event."""
    found = scrape(Metrics(["pacifica", "bybit"]))
    for name in (
        "events_total{kind=run.interrupted}",
        "requests_total{state=INTERRUPTED}",
        "votes_total{answer=deny}",
        "votes_ignored_total",
        "runs_started_total",
        "rounds_total{venue=bybit}",
        "key_refusals_total{venue=pacifica}",
        "targets_total{outcome=UNVERIFIED,venue=bybit}",
        "verdicts_total{outcome=NOT_SENT,venue=pacifica}",
        "residual_orders{venue=bybit}",
        "venue_ban_seconds{venue=bybit}",
        "open_requests{state=RUNNING}",
        "journal_behind",
    ):
        assert found[f"cancelall_{name}"] == 0


def test_labels_name_no_account_no_person_and_no_request():
    metrics = Metrics(["bybit"])
    for told, _ in MOVES:
        metrics.read(replace(told, facts={**told.facts, "by": "U0BOB", "by_name": "bob"}))
    families = list(text_string_to_metric_families(metrics.text(CALM).decode()))
    labels = {name for each in families for sample in each.samples for name in sample.labels}
    assert labels == {"venue", "outcome", "kind", "state", "answer", "le"}
    text = metrics.text(CALM).decode()
    assert not any(word in text for word in ("alpha", "U0BOB", "bob", "K7Q2M", "_created"))
    assert all(each.documentation for each in families)


def test_two_bots_in_one_process_share_nothing():
    one, other = Metrics(["bybit"]), Metrics(["bybit"])
    one.read(event(EventKind.VOTE_IGNORED))
    assert scrape(one)["cancelall_votes_ignored_total"] == 1
    assert scrape(other)["cancelall_votes_ignored_total"] == 0
    assert not any(family.name.startswith("cancelall") for family in REGISTRY.collect())


def test_what_stands_now_is_read_at_each_scrape():
    parts, behind, at = {"slack": "", "store": "locked"}, [True], [EPOCH]
    bans: dict[tuple[str, str], datetime] = {
        ("bybit", "https://one"): EPOCH + timedelta(seconds=90),
        ("bybit", "https://other"): EPOCH + timedelta(seconds=30),
    }
    sources = Sources(
        parts=lambda: parts,
        is_behind=lambda: behind[0],
        bans=lambda: bans,
        now=lambda: at[0],
    )
    metrics = Metrics(["bybit", "pacifica"])
    first = scrape(metrics, sources)
    assert first["cancelall_part_ready{part=slack}"] == 1
    assert first["cancelall_part_ready{part=store}"] == 0
    assert first["cancelall_journal_behind"] == 1
    assert first["cancelall_venue_ban_seconds{venue=bybit}"] == 90
    assert first["cancelall_venue_ban_seconds{venue=pacifica}"] == 0
    parts["store"], behind[0], at[0] = "", False, EPOCH + timedelta(seconds=100)
    later = scrape(metrics, sources)
    assert later["cancelall_part_ready{part=store}"] == 1
    assert later["cancelall_journal_behind"] == 0
    assert later["cancelall_venue_ban_seconds{venue=bybit}"] == 0


class Shelf:
    """A store of open requests and of where their targets stand."""

    def __init__(self, *requests: Request, statuses: tuple[TargetStatus, ...] = ()) -> None:
        self.requests = requests
        self.targets = statuses
        self.is_down = False

    async def open_requests(self) -> tuple[Request, ...]:
        if self.is_down:
            raise StoreDown("the database did not answer")
        return self.requests

    async def statuses(self, request_id: str) -> tuple[TargetStatus, ...]:
        assert request_id == "RUN01"
        return self.targets


def status(account: str, outcome: Outcome | None, left: int | None) -> TargetStatus:
    result = outcome and TargetResult(
        account=account, venue="bybit", outcome=outcome, at=EPOCH, seconds=30.0
    )
    return TargetStatus(account=account, venue="bybit", open_now=left, result=result)


async def test_open_requests_and_the_orders_that_rest_are_counted_beside():
    running = replace(values.pending("RUN01"), state=RequestState.RUNNING)
    shelf = Shelf(
        running,
        values.pending("PEND1"),
        values.pending("PEND2"),
        statuses=(
            status("a", Outcome.RESIDUAL, 30),
            status("b", Outcome.RESIDUAL, 7),
            status("c", Outcome.FLAT, 0),
            status("d", Outcome.UNVERIFIED, None),
            status("e", None, 500),  # No verdict yet: it may still become FLAT.
        ),
    )
    metrics = Metrics(["bybit", "pacifica"])
    await metrics.take_stock(shelf)
    counted = {
        "cancelall_open_requests{state=PENDING}": 2,
        "cancelall_open_requests{state=RUNNING}": 1,
        "cancelall_residual_orders{venue=bybit}": 37,
        "cancelall_residual_orders{venue=pacifica}": 0,
    }
    assert {name: scrape(metrics)[name] for name in counted} == counted
    shelf.requests, shelf.is_down = (), True
    await metrics.take_stock(shelf)
    assert {name: scrape(metrics)[name] for name in counted} == counted
    shelf.is_down = False
    await metrics.take_stock(shelf)
    assert {name: scrape(metrics)[name] for name in counted} == dict.fromkeys(counted, 0)


def test_lag_of_the_loop_and_the_process_itself_are_measured():
    metrics = Metrics([])
    metrics.lagged(0.3)
    found = scrape(metrics)
    assert found["cancelall_loop_lag_seconds_bucket{le=0.25}"] == 0
    assert found["cancelall_loop_lag_seconds_bucket{le=0.5}"] == 1
    assert found["process_start_time_seconds"] > 0
