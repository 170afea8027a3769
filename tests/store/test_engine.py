"""Opening the store: URLs, the lock, pragmas, migrations."""

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from bot.domain.errors import ConfigError
from bot.store import engine, tables
from tests.store import values


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://db/cancelall", "PostgreSQL comes later"),
        ("postgresql+psycopg://db/cancelall", "PostgreSQL comes later"),
        ("mysql://db/cancelall", "does not name an SQLite file"),
        ("sqlite://", "does not name an SQLite file"),
        ("sqlite:///:memory:", "does not name an SQLite file"),
        ("cancelall.db", "no URL"),
        ("sqlite:////proc/nowhere/cancelall.db", "cannot be opened"),
    ],
)
async def test_url_that_cannot_serve_is_refused_in_words(url: str, words: str):
    with pytest.raises(ConfigError, match=words):
        async with engine.open_store(url):
            pass


async def test_file_that_is_no_database_is_refused_in_words(tmp_path: Path):
    (tmp_path / "cancelall.db").write_bytes(b"not a database, " * 300)
    with pytest.raises(ConfigError, match="cannot be used"):
        async with engine.open_store(values.url(tmp_path)):
            pass


async def test_spool_that_cannot_be_read_is_named_with_what_it_holds(tmp_path: Path):
    (tmp_path / "x.db.spool").mkdir()
    with pytest.raises(ConfigError, match=r"The spool .*x\.db\.spool cannot be read: "):
        async with engine.open_store(f"sqlite:///{tmp_path / 'x.db'}"):
            pass


async def test_database_of_a_newer_version_is_refused_in_words(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)):
        pass
    with closing(values.raw(tmp_path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="newer version"):
        async with engine.open_store(values.url(tmp_path)):
            pass


async def test_second_process_on_the_same_file_is_refused(tmp_path: Path):
    url = values.url(tmp_path)
    async with engine.open_store(url):
        rival = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.store.victim", url), stderr=asyncio.subprocess.PIPE
        )
        _, said = await rival.communicate()
        assert rival.returncode == 1
        assert "Another process has the store" in said.decode()


async def test_file_may_be_opened_again_after_it_was_closed(tmp_path: Path):
    for _ in range(2):
        async with engine.open_store(values.url(tmp_path)) as store:
            assert await store.requests.open_requests() == ()


async def test_nobody_else_on_the_host_may_read_the_file(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)) as store:
        await values.submit(store)
        modes = _modes(tmp_path)
    assert modes == {
        "cancelall.db": 0o600,
        "cancelall.db-wal": 0o600,
        "cancelall.db-shm": 0o600,
        "cancelall.db.lock": 0o600,
    }


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_error_inside_the_store_comes_out_as_itself(tmp_path: Path):
    with pytest.raises(KeyError):
        async with engine.open_store(values.url(tmp_path)):
            raise KeyError


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
    )
    return {name: " ".join(sorted(_words(sql))) for name, sql in rows}


def _words(sql: str) -> list[str]:
    """The clauses of a CREATE in any order: constraints may be listed differently."""
    return [line.strip().rstrip(",") for line in sql.splitlines()]


async def test_tables_and_migrations_agree(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)):
        pass
    made = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    tables.metadata.create_all(made)
    made.dispose()
    with (
        closing(values.raw(tmp_path)) as migrated,
        closing(sqlite3.connect(tmp_path / "made.db")) as expected,
    ):
        assert _schema(migrated) == _schema(expected)
    migrated_engine = create_engine(values.url(tmp_path))
    with migrated_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    migrated_engine.dispose()


async def test_reader_cannot_write_and_writer_syncs_every_commit(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)) as store:
        reader, writer = store.requests._reader, store.requests._writer

        def pragma(name: str) -> Callable[[Connection], object]:
            return lambda c: c.exec_driver_sql(f"PRAGMA {name}").scalar()

        assert await reader.run(pragma("query_only")) == 1
        assert await writer.run(pragma("synchronous")) == 2
        assert await writer.run(pragma("journal_mode")) == "wal"
        assert await writer.run(pragma("foreign_keys")) == 1
