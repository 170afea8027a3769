"""Whether the store says itself that it cannot keep what it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.flow.ports import Claim
from bot.store import engine
from bot.store.engine import Store
from tests.store import values

LIMIT_S = 0.3
WAL = "cancelall.db-wal"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with engine.open_store(values.url(tmp_path), limit_s=LIMIT_S) as opened:
        yield opened


async def test_store_that_takes_votes_has_no_trouble(store: Store):
    assert await store.pulse.trouble() == ""


async def test_beat_is_written_like_a_vote_and_changes_nothing(store: Store, tmp_path: Path):
    """Only a write finds a full disk, or one that was mounted read-only."""
    await values.submit(store)
    head, size = await store.requests.chain_head(), (tmp_path / WAL).stat().st_size
    await store.pulse.trouble()
    assert (tmp_path / WAL).stat().st_size > size
    assert await store.requests.chain_head() == head
    with closing(values.raw(tmp_path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)


async def test_database_that_somebody_else_holds_is_trouble_until_they_let_go(
    store: Store, tmp_path: Path
):
    with closing(values.raw(tmp_path)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        assert (await store.pulse.trouble()).startswith("the database ")  # Locked, or too late.
    assert await store.pulse.trouble() == ""


async def test_file_that_was_moved_away_is_trouble_until_it_is_back(store: Store, tmp_path: Path):
    """Everything would still be written, into a file that the next start does not find."""
    path = tmp_path / "cancelall.db"
    assert await store.pulse.trouble() == ""
    moved = path.rename(tmp_path / "moved.db")
    said = "cancelall.db is not the file that was opened: it has gone"
    assert await store.pulse.trouble() == said
    moved.rename(path)
    assert await store.pulse.trouble() == ""


async def test_file_that_was_put_in_the_place_of_ours_is_trouble(store: Store, tmp_path: Path):
    path = tmp_path / "cancelall.db"
    assert await store.pulse.trouble() == ""
    path.rename(tmp_path / "moved.db")
    path.write_bytes(b"")
    assert await store.pulse.trouble() != ""


async def test_run_whose_record_is_not_in_the_database_is_trouble(store: Store, tmp_path: Path):
    await values.running(store)
    spool = tmp_path / "cancelall.db.spool"
    with closing(values.raw(tmp_path)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        store.journal.put(values.entry(Claim(key="keys/alpha", fence=1), "alpha"))
        async with asyncio.timeout(5):
            while not store.journal.is_behind:  # noqa: ASYNC110 — a thread announces nothing
                await asyncio.sleep(0.01)
        await store.journal.flush()
        lacks = "what runs told is not in the database yet: it is "
        assert store.journal.trouble == f"{lacks}in the spool"
        spool.unlink()
        spool.mkdir()
        store.journal.put(values.entry(Claim(key="keys/alpha", fence=1), "alpha", rounds=2))
        async with asyncio.timeout(5):
            while store.journal.trouble != f"{lacks}in memory only":  # noqa: ASYNC110 — as above
                await asyncio.sleep(0.01)
        spool.rmdir()
    async with asyncio.timeout(5):
        while await store.pulse.trouble():
            pass


async def test_journal_that_has_ended_is_trouble(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)) as store:
        await store.journal.close()
        assert await store.pulse.trouble() == "the journal has ended"
