"""Requests, votes and the swap, on real SQLite files."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.event import EventKind
from bot.domain.request import TRANSITIONS, Count, IllegalTransition, Request, RequestState
from bot.domain.result import Phase, TargetStatus
from bot.flow.ports import Claim
from bot.store import engine
from bot.store.engine import Store
from policies.model import Answer, Vote
from tests.fakes import run
from tests.fakes.clock import EPOCH
from tests.store import values
from tests.store.values import BOB, CAROL

S = RequestState


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with engine.open_store(values.url(tmp_path)) as opened:
        yield opened


async def test_request_comes_back_as_it_was_stored(store: Store):
    request = replace(values.pending(), requester=BOB, notes=("nobody can fill rule prod",))
    assert await values.submit(store, request) == request
    assert await store.requests.find("K7Q2M") == request
    assert await store.requests.find("NONE0") is None


async def test_requests_and_events_outlive_the_process(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)) as first:
        request = await values.submit(first)
        head = await first.requests.chain_head()
    async with engine.open_store(values.url(tmp_path)) as second:
        assert await second.requests.find("K7Q2M") == request
        assert await second.requests.chain_head() == head
        assert await values.kinds(second) == ["request.submitted"]


async def test_redelivered_command_makes_no_second_request(store: Store):
    first = await values.submit(store, delivery="d-1")
    told = values.event(EventKind.REQUEST_SUBMITTED, "ABCDE")
    again = await store.requests.submit(values.pending("ABCDE"), event=told, delivery="d-1")
    assert (again.request, again.is_new) == (first, False)
    assert await store.requests.find("ABCDE") is None
    assert await values.kinds(store, "ABCDE") == []


async def test_one_person_has_one_pending_request(store: Store):
    first = await values.submit(store)
    other_plan = values.pending("ABCDE", targets=(run.target("delta"),))
    assert await values.submit(store, other_plan, delivery="d-2") == first
    assert await store.requests.find("ABCDE") is None


async def test_one_plan_is_pending_once_whoever_asks(store: Store):
    first = await values.submit(store)
    same_plan = values.pending("ABCDE", requester=BOB)
    assert await values.submit(store, same_plan, delivery="d-2") == first


async def test_own_request_stands_in_the_way_before_the_same_plan(store: Store):
    await values.submit(store)
    bobs = values.pending("BBBBB", targets=(run.target("delta"),), requester=BOB)
    await values.submit(store, bobs, delivery="d-2")
    again = values.pending("CCCCC", requester=BOB)
    assert await values.submit(store, again, delivery="d-3") == bobs


async def test_database_itself_refuses_a_second_pending_request(store: Store, tmp_path: Path):
    await values.submit(store)
    copied = (
        "INSERT INTO requests SELECT 99, 'ZZZZZ', state, {person}, {plan}, plan, digest, requester,"
        " command, reason, policy_text, channel, posted_at, expires_at, consent_s, counts, notes,"
        " decided_at, verdict_at, consent_ends_at, chase_stopped_by, ended_at, ended_why"
        " FROM requests"
    )
    with closing(values.raw(tmp_path)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="person_id"):
            connection.execute(copied.format(person="person_id", plan="'other'"))
        with pytest.raises(sqlite3.IntegrityError, match="fingerprint"):
            connection.execute(copied.format(person="'other'", plan="fingerprint"))
        with pytest.raises(sqlite3.IntegrityError, match="request_state_is_known"):
            connection.execute("UPDATE requests SET state = 'DONE', ended_at = 'now'")
        with pytest.raises(sqlite3.IntegrityError, match="run_has_its_clocks"):
            connection.execute("UPDATE requests SET state = 'RUNNING'")


async def test_next_request_may_come_once_the_first_has_ended(store: Store):
    await values.submit(store)
    gone = values.event(EventKind.REQUEST_WITHDRAWN)
    await store.requests.end("K7Q2M", expect=S.PENDING, to=S.WITHDRAWN, why="", event=gone)
    second = values.pending("ABCDE")
    assert await values.submit(store, second, delivery="d-2") == second
    assert [request.id for request in await store.requests.open_requests()] == ["ABCDE"]


async def test_open_requests_are_pending_and_running_ones_oldest_first(store: Store):
    await values.running(store)
    later = values.pending("AAAAA", targets=(run.target("delta"),), requester=BOB)
    await values.submit(store, later, delivery="d-2")
    found = await store.requests.open_requests()
    assert [(request.id, request.state) for request in found] == [
        ("K7Q2M", S.RUNNING),
        ("AAAAA", S.PENDING),
    ]


async def test_request_that_cannot_be_read_hides_no_other_and_is_told_once(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    await values.running(store)
    later = values.pending("QQQQQ", targets=(run.target("delta"),), requester=BOB)
    await values.submit(store, later, delivery="d-2")
    with closing(values.raw(tmp_path)) as database:
        database.execute("UPDATE requests SET plan = '{}' WHERE id = 'QQQQQ'")
    for _ in range(2):
        assert [request.id for request in await store.requests.open_requests()] == ["K7Q2M"]
    told = [record for record in caplog.records if record.msg == "request.unreadable"]
    assert [record.__dict__["request_id"] for record in told] == ["QQQQQ"]


async def test_request_that_cannot_be_read_expires_when_it_stands_in_the_way(
    store: Store, tmp_path: Path
):
    """Else nobody could ask for the same plan again, as after a step back to an older version."""
    await values.submit(store)
    with closing(values.raw(tmp_path)) as database:
        database.execute("UPDATE requests SET requester = '{}'")
    second = values.pending("ABCDE")
    assert await values.submit(store, second, delivery="d-2") == second
    assert await store.requests.open_requests() == (second,)
    assert await values.kinds(store) == ["request.submitted", "request.expired"]
    assert await store.trail.first_break() is None


async def test_redelivered_vote_counts_once(store: Store):
    await values.submit(store)
    assert await values.cast(store, BOB, delivery="v-1") is True
    assert await values.cast(store, BOB, Answer.DENY, delivery="v-1") is False
    assert await store.requests.votes("K7Q2M") == (values.vote(BOB),)
    assert await values.kinds(store) == ["request.submitted", "vote.cast"]


async def test_newest_vote_of_a_person_replaces_the_older(store: Store):
    await values.submit(store)
    await values.cast(store, BOB, delivery="v-1")
    await values.cast(store, CAROL, delivery="v-2")
    await values.cast(store, BOB, Answer.DENY, delivery="v-3")
    assert await store.requests.votes("K7Q2M") == (
        values.vote(CAROL),
        values.vote(BOB, Answer.DENY),
    )


async def test_vote_on_an_ended_or_unknown_request_is_not_stored(store: Store):
    assert await values.cast(store, BOB) is False
    await values.running(store)
    assert await values.cast(store, BOB) is False
    assert await store.requests.votes("K7Q2M") == ()
    assert await values.kinds(store) == ["request.submitted", "run.started"]


async def test_note_of_a_seen_delivery_is_not_written_again(store: Store):
    ignored = values.event(EventKind.VOTE_IGNORED)
    assert await store.requests.note(ignored, delivery="v-1") is True
    assert await store.requests.note(ignored, delivery="v-1") is False
    assert await values.kinds(store) == ["vote.ignored"]


async def test_two_deciding_votes_start_one_run(store: Store):
    """Sixty rivals swap at once; all but one find that somebody was faster."""
    await values.submit(store)
    async with asyncio.TaskGroup() as group:
        rivals = [
            group.create_task(store.requests.start(values.start(owner=f"p{number}")))
            for number in range(60)
        ]
    started = [rival.result() for rival in rivals if rival.result() is not None]
    assert [run.request.state for run in started] == [S.RUNNING]
    assert await values.kinds(store) == ["request.submitted", "run.started"]


async def test_start_stores_the_clocks_the_targets_and_the_leases(store: Store):
    request = await values.running(store)
    assert request == await store.requests.find("K7Q2M")
    assert request.decided_at == EPOCH + timedelta(seconds=10)
    assert request.verdict_at == EPOCH + timedelta(seconds=40)
    assert request.consent_ends_at == EPOCH + timedelta(seconds=610)
    assert await store.requests.statuses("K7Q2M") == tuple(
        TargetStatus(account=name, venue="bybit", phase=Phase.WAITING)
        for name in ("alpha", "beta", "gamma")
    )
    keys = ["keys/alpha", "keys/beta"]
    assert await store.requests.claim(keys, owner="p2", lease_s=6) == ()
    assert await store.requests.claim(keys, owner="p1", lease_s=6) == (
        Claim(key="keys/alpha", fence=1),
        Claim(key="keys/beta", fence=1),
    )


async def test_start_loses_when_a_vote_has_come_since(store: Store):
    await values.submit(store)
    await values.cast(store, BOB)
    assert await _after_lost_start(store) is S.PENDING
    judged = values.start("K7Q2M", values.vote(BOB))
    assert await store.requests.start(judged) is not None


async def test_start_loses_when_an_approver_has_changed_their_mind(store: Store):
    await values.submit(store)
    await values.cast(store, BOB)
    await values.cast(store, BOB, Answer.DENY, delivery="v-2")
    assert await _after_lost_start(store, values.vote(BOB)) is S.PENDING


async def test_start_loses_when_a_vote_was_cast_anew(store: Store):
    """The same answer of the same person, but another click than the one that was judged."""
    await values.submit(store)
    await values.cast(store, BOB)
    earlier = values.vote(BOB)
    assert (
        await _after_lost_start(store, replace(earlier, at=earlier.at - timedelta(seconds=1)))
        is S.PENDING
    )


async def test_start_loses_when_as_many_votes_stand_but_others(store: Store):
    """A count would not notice: a lapsed approval went, a denial came."""
    await values.submit(store)
    await values.cast(store, BOB)
    await values.cast(store, CAROL, Answer.DENY, delivery="v-2")
    assert await _after_lost_start(store, values.vote(BOB), values.vote(CAROL)) is S.PENDING


async def test_start_returns_all_that_the_runner_needs(store: Store):
    await values.submit(store)
    started = await store.requests.start(values.start())
    assert started is not None
    assert started.statuses == await store.requests.statuses("K7Q2M")
    assert {claim.key for claim in started.claims} == {"keys/alpha", "keys/beta"}


async def test_runs_on_the_same_accounts_name_each_other(store: Store):
    await values.running(store)
    both = (run.target("beta"), run.target("delta"))
    later = values.pending("AAAAA", targets=both, requester=BOB)
    await values.submit(store, later, delivery="d-2")
    started = await store.requests.start(values.start("AAAAA"))
    assert started is not None
    assert started.request.notes == ("Run K7Q2M works on the same accounts: beta.",)
    first = await store.requests.find("K7Q2M")
    assert first.notes == ("Run AAAAA works on the same accounts: beta.",)


async def test_id_that_was_drawn_before_stores_nothing(store: Store):
    await values.running(store)
    told = values.event(EventKind.REQUEST_SUBMITTED)
    again = values.pending(targets=(run.target("delta"),), requester=BOB)
    assert await store.requests.submit(again, event=told, delivery="d-2") is None
    assert (await store.requests.find("K7Q2M")).state is S.RUNNING
    other = values.pending("AAAAA", targets=(run.target("delta"),), requester=BOB)
    submitted = await store.requests.submit(other, event=told, delivery="d-2")
    assert submitted is not None
    assert submitted.is_new


async def _confirm(store: Store, before: Vote, now: Vote) -> bool:
    told = values.event(EventKind.VOTE_CONFIRMED)
    return await store.requests.confirm(before, now, event=told)


async def test_confirmed_vote_takes_the_place_of_the_unknown_one(store: Store):
    """Also under another person id: in an Enterprise organisation Slack gives one of its own."""
    await values.submit(store)
    unknown = values.vote(replace(BOB, person_id=BOB.user_id, read_at=None))
    known = replace(unknown, actor=replace(BOB, person_id="W0BOB"))
    told = values.event(EventKind.VOTE_CAST)
    await store.requests.cast(unknown, event=told, delivery="v-1")
    assert await _confirm(store, unknown, known) is True
    assert await store.requests.votes("K7Q2M") == (known,)
    assert await _confirm(store, unknown, known) is True  # Known again: nothing changes.
    assert (await values.kinds(store))[-1] == "vote.confirmed"


async def test_confirming_never_brings_back_what_somebody_has_answered_before(store: Store):
    await values.submit(store)
    unknown = values.vote(replace(BOB, read_at=None))
    told = values.event(EventKind.VOTE_CAST)
    await store.requests.cast(unknown, event=told, delivery="v-1")
    denial = replace(unknown, answer=Answer.DENY, at=unknown.at + timedelta(seconds=1))
    await store.requests.cast(denial, event=told, delivery="v-2")
    assert await _confirm(store, unknown, replace(unknown, actor=BOB)) is False
    assert await store.requests.votes("K7Q2M") == (denial,)


async def test_confirming_an_older_click_leaves_the_newer_one_of_the_same_person(store: Store):
    await values.submit(store)
    unknown = values.vote(replace(BOB, person_id=BOB.user_id, read_at=None))
    known = replace(BOB, person_id="W0BOB")
    later = replace(unknown, actor=known, answer=Answer.DENY, at=unknown.at + timedelta(seconds=1))
    told = values.event(EventKind.VOTE_CAST)
    await store.requests.cast(unknown, event=told, delivery="v-1")
    await store.requests.cast(later, event=told, delivery="v-2")
    assert await _confirm(store, unknown, replace(unknown, actor=known)) is False
    assert await store.requests.votes("K7Q2M") == (later,)


async def test_vote_on_a_request_that_has_ended_is_not_confirmed(store: Store):
    await values.running(store)
    vote = values.vote(BOB)
    assert await _confirm(store, vote, vote) is False


@pytest.mark.parametrize("at_s", [600.0, 601.0])
async def test_expired_request_cannot_start(store: Store, at_s: float):
    await values.submit(store)
    assert await store.requests.start(values.start(at_s=at_s)) is None
    assert await store.requests.start(values.start(at_s=599.9)) is not None


async def _after_lost_start(store: Store, *judged: Vote) -> S:
    """Lose a start that must change nothing; return the state of the request."""
    before = await store.requests.chain_head()
    assert await store.requests.start(values.start("K7Q2M", *judged)) is None
    assert await store.requests.statuses("K7Q2M") == ()
    assert await store.requests.chain_head() == before
    assert await store.requests.claim(["keys/alpha"], owner="p2", lease_s=0) != ()
    return (await store.requests.find("K7Q2M")).state


LEGAL = {
    (S.PENDING, S.RUNNING),
    (S.PENDING, S.DENIED),
    (S.PENDING, S.WITHDRAWN),
    (S.PENDING, S.EXPIRED),
    (S.RUNNING, S.FINISHED),
    (S.RUNNING, S.INTERRUPTED),
}


async def test_every_illegal_transition_is_refused_and_changes_nothing(store: Store):
    await values.submit(store)
    told = values.event(EventKind.REQUEST_DENIED)
    for expect in S:
        for to in S:
            if (expect, to) in LEGAL:
                continue
            with pytest.raises(IllegalTransition, match=f"{expect.value} cannot become {to.value}"):
                await store.requests.end("K7Q2M", expect=expect, to=to, why="", event=told)
    assert (await store.requests.find("K7Q2M")).state is S.PENDING
    assert await values.kinds(store) == ["request.submitted"]
    assert {(a, b) for a in S for b in TRANSITIONS[a]} == LEGAL


async def _end(store: Store, expect: S, to: S) -> Request | None:
    told = replace(values.event(EventKind.REQUEST_DENIED), at=EPOCH + timedelta(seconds=20))
    return await store.requests.end("K7Q2M", expect=expect, to=to, why="bob: no", event=told)


async def test_end_is_swapped_once(store: Store):
    await values.submit(store)
    ended = await _end(store, S.PENDING, S.DENIED)
    assert ended.state is S.DENIED
    assert (ended.ended_at, ended.ended_why) == (EPOCH + timedelta(seconds=20), "bob: no")
    assert await _end(store, S.PENDING, S.EXPIRED) is None
    assert await _end(store, S.RUNNING, S.FINISHED) is None
    assert await store.requests.find("K7Q2M") == ended
    assert await values.kinds(store) == ["request.submitted", "request.denied"]


async def test_denied_request_cannot_start(store: Store):
    await values.submit(store)
    await _end(store, S.PENDING, S.DENIED)
    assert await store.requests.start(values.start()) is None


async def test_preview_is_stored_until_the_request_has_ended(store: Store):
    await values.submit(store)
    counts = (
        Count(account="alpha", orders=3, is_at_least=True, protective=2),
        Count(account="beta", orders=None, why="no read key"),
    )
    counted = await store.requests.counted("K7Q2M", counts, notes=["!"])
    assert counted.counts == counts
    assert counted.notes == ("!",)
    await _end(store, S.PENDING, S.DENIED)
    assert await store.requests.counted("K7Q2M", [Count(account="alpha", orders=9)]) is None
    assert (await store.requests.find("K7Q2M")).counts == counts


async def test_count_that_comes_after_the_start_is_no_count_of_before(store: Store):
    await values.running(store)
    counts = [Count(account="alpha", orders=3)]
    counted = await store.requests.counted("K7Q2M", counts, notes=["!"])
    assert (counted.counts, counted.notes) == (None, ("!",))


async def test_chase_is_stopped_once_and_only_while_running(store: Store):
    told = values.event(EventKind.CHASE_STOPPED)
    await values.submit(store)
    assert await store.requests.stop_chase("K7Q2M", by="alice", event=told) is None
    await store.requests.start(values.start())
    stopped = await store.requests.stop_chase("K7Q2M", by="alice", event=told)
    assert stopped.chase_stopped_by == "alice"
    assert await store.requests.stop_chase("K7Q2M", by="bob", event=told) is None
    assert await values.kinds(store) == ["request.submitted", "run.started", "chase.stopped"]
