"""The journal while the database answers, while it does not, and after a crash."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.event import EventKind
from bot.flow.ports import Claim, StoreDown
from bot.store import engine, rows
from bot.store.engine import Store
from bot.store.spool import Group, Spool
from tests.store import values

CLAIM = Claim(key="keys/alpha", fence=1)
LIMIT_S = 0.4


def _put(store: Store, *rounds: int) -> None:
    for number in rounds:
        store.journal.put(values.entry(CLAIM, "alpha", rounds=number))


async def _told(store: Store) -> list[object]:
    """The rounds that the trail tells of, in its order."""
    trail = await store.trail.events("K7Q2M")
    return [fact.facts["rounds"] for fact in trail if fact.kind.value == "round.ended"]


def _spooled(folder: Path) -> list[int]:
    """The rounds that the whole lines of the spool tell of, in its order."""
    path = folder / "cancelall.db.spool"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    groups = [rows.from_line(Group, line) for line in lines]
    return [entry.status.rounds for group in groups for entry in group.entries if entry.status]


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 — a file and a thread announce nothing
            await asyncio.sleep(0.01)


async def _until_told(store: Store, rounds: list[int]) -> None:
    async with asyncio.timeout(10):
        while await _told(store) != rounds:
            pass


async def test_put_does_not_wait_for_the_database(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)) as store:
        await values.running(store)
        with closing(values.raw(tmp_path)) as rival:
            rival.execute("BEGIN IMMEDIATE")  # A put that waits would wait two seconds here.
            began = time.perf_counter()
            _put(store, *range(1000))
            assert time.perf_counter() - began < 1.0
        await _until_told(store, list(range(1000)))
        assert await store.trail.first_break() is None


async def test_leaving_the_store_makes_the_queue_durable(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)) as store:
        await values.running(store)
        _put(store, *range(500))
    async with engine.open_store(values.url(tmp_path)) as store:
        assert await _told(store) == list(range(500))


async def test_leaving_waits_for_a_slow_database(tmp_path: Path):
    with closing(values.raw(tmp_path)) as rival:
        async with engine.open_store(values.url(tmp_path)) as store:
            await values.running(store)
            rival.execute("BEGIN IMMEDIATE")
            _put(store, 1)
            asyncio.get_running_loop().call_later(0.3, rival.rollback)
    assert not (tmp_path / "cancelall.db.spool").exists()
    async with engine.open_store(values.url(tmp_path)) as store:
        assert await _told(store) == [1]


async def test_outage_goes_to_the_spool_and_is_replayed_in_order(tmp_path: Path):
    spool = tmp_path / "cancelall.db.spool"
    async with engine.open_store(values.url(tmp_path), limit_s=LIMIT_S) as store:
        await values.running(store)
        with closing(values.raw(tmp_path)) as rival:
            rival.execute("BEGIN IMMEDIATE")
            _put(store, 1, 2)
            await store.journal.flush()
            _put(store, 3)
            async with asyncio.timeout(0.6):  # Nothing waits for the next try at the database.
                await store.journal.flush()
            assert _spooled(tmp_path) == [1, 2, 3]
            assert await _told(store) == []
        _put(store, 4)
        await _until_told(store, [1, 2, 3, 4])
        await store.journal.flush()
        assert not spool.exists()
        assert await store.trail.first_break() is None


async def test_what_was_told_is_durable_at_once_while_the_database_stalls(tmp_path: Path):
    """Killed before that, a successor would say that no byte of a cancel had left."""
    async with engine.open_store(values.url(tmp_path), limit_s=20.0) as store:
        await values.running(store)
        with closing(values.raw(tmp_path)) as rival:
            rival.execute("BEGIN IMMEDIATE")
            _put(store, 1)
            await _until(lambda: _spooled(tmp_path) == [1])
            _put(store, 2)  # While the first is on its way.
            await _until(lambda: _spooled(tmp_path) == [1, 2])
            assert not store.journal.is_behind
        await _until_told(store, [1, 2])
        await store.journal.flush()
        assert _spooled(tmp_path) == []


async def test_journal_is_behind_from_the_first_failure_until_all_is_replayed(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path), limit_s=LIMIT_S) as store:
        await values.running(store)
        with closing(values.raw(tmp_path)) as rival:
            rival.execute("BEGIN IMMEDIATE")
            _put(store, 1)
            await _until(lambda: store.journal.is_behind)
            assert await _told(store) == []
        await _until(lambda: not store.journal.is_behind)
        assert await _told(store) == [1]


async def test_second_outage_is_spooled_like_the_first(tmp_path: Path):
    spool = tmp_path / "cancelall.db.spool"
    async with engine.open_store(values.url(tmp_path), limit_s=LIMIT_S) as store:
        await values.running(store)
        for number in (1, 2):
            with closing(values.raw(tmp_path)) as rival:
                rival.execute("BEGIN IMMEDIATE")
                _put(store, number)
                await store.journal.flush()
                assert _spooled(tmp_path) == [number]
            await _until_told(store, list(range(1, number + 1)))
            await store.journal.flush()
            assert not spool.exists()


async def test_spool_is_replayed_at_the_next_start(tmp_path: Path):
    spool = tmp_path / "cancelall.db.spool"
    with closing(values.raw(tmp_path)) as rival:
        async with engine.open_store(values.url(tmp_path), limit_s=LIMIT_S) as store:
            await values.running(store)
            rival.execute("BEGIN IMMEDIATE")
            _put(store, 1, 2)
        assert spool.exists()
    async with engine.open_store(values.url(tmp_path)) as store:
        assert await _told(store) == [1, 2]
        assert not spool.exists()


async def test_store_opens_only_when_a_long_spool_has_been_replayed(tmp_path: Path):
    """Else the first tick would call a run interrupted whose verdict lies in the spool."""
    async with engine.open_store(values.url(tmp_path)) as store:
        await values.running(store)
    groups = [
        Group(id=f"journal:{number}", entries=(values.entry(CLAIM, "alpha", rounds=number),))
        for number in range(300)
    ]
    Spool(tmp_path / "cancelall.db.spool").append(groups)
    async with engine.open_store(values.url(tmp_path)) as store:
        assert await _told(store) == list(range(300))


async def test_group_that_was_committed_and_spooled_counts_once(tmp_path: Path):
    """A crash between the commit and the removal of the spool leaves both."""
    spool = tmp_path / "cancelall.db.spool"
    group = Group(id="journal:g1", entries=(values.entry(CLAIM, "alpha", rounds=1),))
    for _ in range(2):
        Spool(spool).append([group])
        async with engine.open_store(values.url(tmp_path)) as store:
            if await store.requests.find("K7Q2M") is None:
                await values.running(store)
            assert len(await _told(store)) == 1
            assert not spool.exists()


async def test_line_that_a_crash_cut_is_kept_aside_and_the_rest_is_replayed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    spool = tmp_path / "cancelall.db.spool"
    whole = Group(id="journal:g1", entries=(values.entry(CLAIM, "alpha", rounds=1),))
    line = rows.to_line(whole)
    spool.write_bytes(line + b"\n" + line[:40])
    async with engine.open_store(values.url(tmp_path)) as store:
        assert await _told(store) == [1]
    assert not spool.exists()
    assert (tmp_path / "cancelall.db.spool.unreadable").read_bytes() == line + b"\n" + line[:40]
    assert [record.msg for record in caplog.records if record.levelno >= logging.WARNING] == [
        "spool.unreadable",
        "entry.refused",
    ]


def test_append_after_one_that_died_halfway_leaves_no_torn_line(tmp_path: Path):
    path = tmp_path / "spool"
    spool = Spool(path)
    groups = [
        Group(id=f"journal:{number}", entries=(values.entry(CLAIM, "alpha", rounds=number),))
        for number in range(2)
    ]
    spool.append(groups[:1])
    with path.open("ab") as file:
        file.write(b'{"id": "jour' * 1000)
    spool.append(groups[1:])
    assert Spool(path).read() == tuple(groups)
    assert not (tmp_path / "spool.unreadable").exists()


def test_line_that_cannot_be_read_costs_only_itself(tmp_path: Path):
    path = tmp_path / "spool"
    groups = [
        Group(id=f"journal:{number}", entries=(values.entry(CLAIM, "alpha", rounds=number),))
        for number in range(3)
    ]
    lines = [rows.to_line(group) for group in groups]
    path.write_bytes(b"\n".join([lines[0], lines[1][:50], lines[2]]) + b"\n")
    spool = Spool(path)
    assert spool.read() == (groups[0], groups[2])
    spool.append(groups[1:2])
    assert Spool(path).read() == (groups[0], groups[2], groups[1])


async def test_full_disk_and_no_database_keep_entries_until_one_of_them_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Flush must not claim that anything is durable before it is."""
    blocked = tmp_path / "cancelall.db.spool"
    async with engine.open_store(values.url(tmp_path), limit_s=LIMIT_S) as store:
        await values.running(store)
        with closing(values.raw(tmp_path)) as rival:
            rival.execute("BEGIN IMMEDIATE")
            blocked.mkdir()
            _put(store, 1)
            for _ in range(2):  # Whoever stops the process must not wait for ever.
                with pytest.raises(StoreDown, match="neither the database nor the disk"):
                    await store.journal.flush()
            blocked.rmdir()
            await store.journal.flush()
            assert _spooled(tmp_path) == [1]
        await _until_told(store, [1])
    refused = [record for record in caplog.records if record.msg == "spool.refused"]
    assert len(refused) == 1, "told once, not at every try"


async def test_entry_that_cannot_be_written_does_not_stop_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with engine.open_store(values.url(tmp_path)) as store:
        await values.running(store)
        broken = values.event(EventKind.ROUND_ENDED, seconds=float("nan"))
        store.journal.put(replace(values.entry(CLAIM, "alpha"), event=broken))
        _put(store, 2)
        await store.journal.flush()
        assert await _told(store) == [2]
    assert "entry.unwritable" in [record.msg for record in caplog.records]


async def test_status_is_kept_whatever_its_event_or_the_venues_words_hold(tmp_path: Path):
    """A cut emoji is half a surrogate pair: JSON can spell it, UTF-8 cannot."""
    alpha = values.entry(CLAIM, "alpha", rounds=7, is_final=True)
    beta = values.entry(Claim(key="keys/beta", fence=1), "beta", rounds=8)
    assert alpha.status is not None
    cut = replace(alpha.status, cause="half an emoji \ud83d")
    broken = values.event(EventKind.ROUND_ENDED, seconds=float("nan"))
    async with engine.open_store(values.url(tmp_path)) as store:
        await values.running(store)
        store.journal.put(replace(alpha, status=object()))  # type: ignore[arg-type]
        store.journal.put(replace(alpha, status=cut))
        store.journal.put(replace(beta, event=broken))
        await _until_told(store, [7])
        alphas, betas, _ = await store.requests.statuses("K7Q2M")
        assert (alphas.cause, alphas.is_final) == ("half an emoji ?", True)
        assert betas.rounds == 8


async def test_entry_that_the_database_refuses_is_lost_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with engine.open_store(values.url(tmp_path)) as store:
        await values.running(store)
        with closing(values.raw(tmp_path)) as saboteur:
            saboteur.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.body LIKE '%\"rounds\":1}%'"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        _put(store, 1)
        await store.journal.flush()
        _put(store, 2)
        await _until_told(store, [2])
        with closing(values.raw(tmp_path)) as rival:
            rival.execute("BEGIN IMMEDIATE")
            _put(store, 0, 1, 3)  # One group, while the database is held.
            await store.journal.flush()
            rival.execute("ROLLBACK")
        await _until_told(store, [2, 0, 3])
        await store.journal.flush()
        assert _spooled(tmp_path) == []
    assert "group.refused" in [record.msg for record in caplog.records]


async def test_what_follows_a_refused_entry_is_spooled_like_anything_else(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)) as store:
        await values.running(store)
        with closing(values.raw(tmp_path)) as rival:
            rival.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.body LIKE '%\"rounds\":1}%'"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
            rival.execute("BEGIN IMMEDIATE")
            _put(store, 1)
            await store.journal.flush()
            assert _spooled(tmp_path) == [1]
            rival.execute("ROLLBACK")
            await _until(lambda: _spooled(tmp_path) == [])
            rival.execute("BEGIN IMMEDIATE")
            _put(store, 2)
            await store.journal.flush()
            assert _spooled(tmp_path) == [2]
            rival.execute("ROLLBACK")
        await _until_told(store, [2])


async def test_journal_that_breaks_says_so_and_flushes_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async def feed() -> None:
        async with engine.open_store(values.url(tmp_path)) as store:
            store.journal.put("no entry")  # type: ignore[arg-type]
            with pytest.raises(StoreDown, match="ended"):
                await store.journal.flush()

    with pytest.raises(AttributeError):
        await feed()
    assert "journal.broken" in [record.msg for record in caplog.records]


async def test_flush_of_a_closed_journal_says_so(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)) as store:
        pass
    with pytest.raises(StoreDown, match="ended"):
        await store.journal.flush()


async def test_kill_in_mid_commit_leaves_a_whole_chain_with_all_that_was_flushed(tmp_path: Path):
    url = values.url(tmp_path)
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.store.victim", url), stdout=asyncio.subprocess.PIPE
    )
    assert victim.stdout is not None
    async with asyncio.timeout(30):
        flushed = [int(await victim.stdout.readline()) for _ in range(12)]
        victim.send_signal(signal.SIGKILL)
        rest, _ = await victim.communicate()
    flushed += [int(line) for line in rest.split(b"\n")[:-1]]
    async with engine.open_store(url) as store:
        told = await _told(store)
        assert told == list(range(len(told)))
        assert len(told) > flushed[-1]
        assert await store.trail.first_break() is None
