"""Time limits around a thread that cannot be interrupted."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bot.flow.ports import StoreDown
from bot.store import engine
from bot.store.engine import Store
from bot.store.lane import Lane
from tests.store import values

LIMIT_S = 0.4
INSERT = "INSERT INTO deliveries (id) VALUES ('late')"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with engine.open_store(values.url(tmp_path), limit_s=LIMIT_S) as opened:
        yield opened


async def _free(lane: Lane) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                return await lane.run(lambda _: None)
            except StoreDown:
                await asyncio.sleep(0.01)


async def test_call_that_takes_too_long_is_given_up_and_rolled_back(store: Store):
    lane, go_on = store.requests._writer, threading.Event()

    def slow(connection: Connection) -> None:
        connection.exec_driver_sql(INSERT)
        go_on.wait(5)

    with pytest.raises(StoreDown, match=r"within 0\.4 s"):
        await lane.run(slow)
    go_on.set()
    await _free(lane)
    found = "SELECT count(*) FROM deliveries"
    assert await lane.run(lambda c: c.exec_driver_sql(found).scalar()) == 0


async def test_nobody_queues_behind_a_call_that_is_stuck(store: Store):
    lane, go_on = store.requests._writer, threading.Event()
    with pytest.raises(StoreDown, match="within"):
        await lane.run(lambda _: go_on.wait(5))
    with pytest.raises(StoreDown, match="still busy"):
        await lane.run(lambda _: None)
    go_on.set()
    await _free(lane)


async def test_call_that_gave_up_in_the_queue_never_runs(store: Store):
    lane, go_on = store.requests._writer, threading.Event()
    ran = []
    async with asyncio.TaskGroup() as group:
        first = group.create_task(_outcome(lane, lambda _: go_on.wait(5)))
        second = group.create_task(_outcome(lane, lambda _: ran.append(1)))
    go_on.set()
    await _free(lane)
    assert (first.result(), second.result(), ran) == ("down", "down", [])


async def _outcome(lane: Lane, work) -> str:
    try:
        await lane.run(work)
    except StoreDown:
        return "down"
    return "answered"


async def test_locked_database_is_down_not_a_bug(store: Store, tmp_path: Path):
    with closing(values.raw(tmp_path)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreDown):
            await values.submit(store)
        assert await store.requests.find("K7Q2M") is None
    await _free(store.requests._writer)
    await values.submit(store)


async def test_event_loop_goes_on_while_the_database_hangs(store: Store, tmp_path: Path):
    with closing(values.raw(tmp_path)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_outcome(store.requests._writer, lambda _: None))
            turns = 0
            while not waiting.done():
                await asyncio.sleep(0)
                turns += 1
    assert waiting.result() == "down"
    assert turns > 20


async def test_wrong_statement_is_a_bug_not_an_outage(store: Store):
    def twice(connection: Connection) -> None:
        connection.exec_driver_sql(INSERT)
        connection.exec_driver_sql(INSERT)

    with pytest.raises(IntegrityError):
        await store.requests._writer.run(twice)
    assert await _outcome(store.requests._writer, lambda _: None) == "answered"
