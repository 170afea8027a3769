"""Each event is seen once: of a request when it is durable, of a run when it is told."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bot.domain.event import Event, EventKind
from bot.domain.request import IllegalTransition, RequestState
from bot.flow.ports import Claim, StoreDown
from bot.store import engine, events
from policies.model import Answer
from tests.store import values

CLAIM = Claim(key="keys/alpha", fence=1)
LIMIT_S = 0.4


class Sight:
    """Whoever looks; with its words for what it saw."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def see(self, event: Event) -> None:
        self.seen.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event.kind.value for event in self.seen]


async def test_what_a_request_goes_through_is_seen_once_each_in_order(tmp_path: Path):
    sight = Sight()
    async with engine.open_store(values.url(tmp_path), seen=sight.see) as store:
        await values.submit(store)
        await values.submit(store, delivery="d-1")  # Delivered again: nothing happens.
        assert await values.cast(store, values.BOB)
        assert not await values.cast(store, values.BOB)
        started = await store.requests.start(values.start("K7Q2M", values.vote(values.BOB)))
        assert started is not None
        ended = values.event(EventKind.RUN_FINISHED, why="FLAT")
        for _ in range(2):
            await store.requests.end(
                "K7Q2M",
                expect=RequestState.RUNNING,
                to=RequestState.FINISHED,
                why="FLAT",
                event=ended,
            )
        assert sight.kinds == ["request.submitted", "vote.cast", "run.started", "run.finished"]
        assert tuple(sight.seen) == await store.trail.events("K7Q2M")


async def test_what_was_rolled_back_was_never_seen(tmp_path: Path):
    sight = Sight()
    async with engine.open_store(values.url(tmp_path), seen=sight.see) as store:

        def broken(connection: Connection) -> None:
            events.append(connection, values.event(EventKind.RUN_STARTED))
            raise LookupError("a bug")

        with pytest.raises(LookupError):
            await store.requests._writer.run(broken)
        await values.submit(store)
        with pytest.raises(IllegalTransition):
            await store.requests.end(
                "K7Q2M",
                expect=RequestState.PENDING,
                to=RequestState.FINISHED,
                why="",
                event=values.event(EventKind.RUN_FINISHED),
            )
        assert sight.kinds == ["request.submitted"]


async def test_what_the_database_did_not_take_is_not_seen(tmp_path: Path):
    sight = Sight()
    async with engine.open_store(values.url(tmp_path), limit_s=LIMIT_S, seen=sight.see) as store:
        await values.submit(store)
        with closing(values.raw(tmp_path)) as rival:
            rival.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreDown):
                await values.cast(store, values.BOB, Answer.DENY)
        await asyncio.sleep(LIMIT_S)
        assert sight.kinds == ["request.submitted"]


async def test_a_run_is_seen_at_once_while_the_database_is_down_and_not_again_when_replayed(
    tmp_path: Path,
):
    sight = Sight()
    with closing(values.raw(tmp_path)) as rival:
        async with engine.open_store(
            values.url(tmp_path), limit_s=LIMIT_S, seen=sight.see
        ) as store:
            await values.running(store)
            rival.execute("BEGIN IMMEDIATE")
            store.journal.put(values.entry(CLAIM, "alpha", rounds=1))
            assert sight.kinds[-1] == "round.ended"  # The venue loop has not even let go.
            await store.journal.flush()
            rival.rollback()
            async with asyncio.timeout(5):
                while await values.kinds(store) != sight.kinds:
                    pass
            rival.execute("BEGIN IMMEDIATE")
            store.journal.put(values.entry(CLAIM, "alpha", rounds=2))
    assert (tmp_path / "cancelall.db.spool").exists()
    seen = ["request.submitted", "run.started", "round.ended", "round.ended"]
    assert sight.kinds == seen
    after = Sight()
    async with engine.open_store(values.url(tmp_path), seen=after.see) as store:
        assert await values.kinds(store) == seen
    assert after.kinds == []


async def test_a_bug_of_whoever_looks_breaks_neither_a_transaction_nor_a_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    def blind(_: Event) -> None:
        raise LookupError("a bug")

    async with engine.open_store(values.url(tmp_path), seen=blind) as store:
        await values.running(store)
        store.journal.put(values.entry(CLAIM, "alpha"))
        await store.journal.flush()
        told = ["request.submitted", "run.started", "round.ended"]
        async with asyncio.timeout(5):
            while await values.kinds(store) != told:
                pass
    unread = [r.__dict__["kind"] for r in caplog.records if r.message == "event.unread"]
    assert unread == told
