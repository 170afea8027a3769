"""Opening the store: one SQLite file, one process, one writer.

Owns the URL, the lock against a second process, pragmas, migrations, and the life of the threads.
Never runs a query of the program's own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alembic.command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from bot.domain.errors import ConfigError
from bot.domain.limits import Limits
from bot.flow.ports import StoreDown
from bot.store import journal as journals
from bot.store import seen as seens
from bot.store.checks import Checks
from bot.store.events import Trail
from bot.store.journal import StoreJournal
from bot.store.lane import Lane
from bot.store.messages import Messages
from bot.store.pulls import Pulls
from bot.store.pulse import Pulse
from bot.store.requests import Requests
from bot.store.seen import Seen

MIGRATIONS = Path(__file__).with_name("migrations")
LIMIT_S = 2.0
OPEN_LIMIT_S = 30.0
"""How long migrations may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Everything that is kept, by what it is for."""

    requests: Requests
    messages: Messages
    journal: StoreJournal
    trail: Trail
    pulse: Pulse
    pulls: Pulls
    checks: Checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """How a connection is prepared, and how each of its transactions begins."""

    begin: str
    pragmas: tuple[str, ...]


@asynccontextmanager
async def open_store(
    url: str, *, limit_s: float = LIMIT_S, seen: Seen = seens.by_nobody
) -> AsyncIterator[Store]:
    """Open the database, bring its schema up to date, and replay what an outage left in the spool.

    `limit_s` is how long a caller waits for one transaction. `seen` is shown each event once: of a
    request when it is durable, of a run when it is told; from any thread, and it must not wait.
    Leaving the context makes the journal durable, then closes the database.

    Raises:
        ConfigError: the URL names no SQLite file, the file cannot be used, or another process has
            it open.
    """
    path, seen = path_of(url), seens.guarded(seen)
    async with AsyncExitStack() as stack:
        stack.enter_context(_locked(path))
        await _migrate(path)
        writer = Lane("writer", _engine(path, _writing(limit_s)), limit_s=limit_s, seen=seen)
        stack.push_async_callback(writer.close)
        reader = Lane("reader", _engine(path, _reading(limit_s)), limit_s=limit_s)
        stack.push_async_callback(reader.close)
        checks = Checks(writer)
        stack.callback(checks.close)
        spool = path.with_name(f"{path.name}.spool")
        try:
            opening = journals.open_journal(writer, spool, seen=seen)
            journal = await stack.enter_async_context(opening)
        except OSError as error:
            raise ConfigError(
                user_message=f"The spool {spool} cannot be read: {error.strerror}.",
                remedy="It holds what runs told: free the disk or mend its mode, then start again.",
            ) from None
        yield Store(
            requests=Requests(writer, reader, lease_s=Limits().lease_s),
            messages=Messages(writer, reader),
            journal=journal,
            trail=Trail(reader),
            pulse=Pulse(writer, journal, path),
            pulls=Pulls(writer, reader),
            checks=checks,
        )


def path_of(url: str) -> Path:
    """Return the file that a URL names.

    Raises:
        ConfigError: it names no SQLite file.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(
            user_message="The store's URL is no URL.", remedy='Write "sqlite:///cancelall.db".'
        ) from None
    if parsed.get_backend_name() == "postgresql":
        raise ConfigError(
            user_message="This version keeps its state in SQLite; PostgreSQL comes later.",
            remedy='Write url = "sqlite:///cancelall.db" under [store].',
        )
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise ConfigError(
            user_message="The store's URL does not name an SQLite file.",
            remedy='Write url = "sqlite:///cancelall.db" under [store].',
        )
    assert parsed.database is not None
    return Path(parsed.database).absolute()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep every other process off this file; the kernel lets go when this one dies."""
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Made here so that nobody else on the host can read it; SQLite would ask the umask.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ConfigError(
            user_message=f"The store {path} cannot be opened: {error.strerror}.",
            remedy="Its folder must exist and be writable by this user.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ConfigError(
            user_message=f"Another process has the store {path} open.",
            remedy="Stop it first: an SQLite store serves one process. Replicas need PostgreSQL.",
        ) from None
    finally:
        os.close(descriptor)


def _engine(path: Path, session: Session) -> Engine:
    """Make an engine of one connection."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _: object) -> None:
        dbapi_connection.isolation_level = None  # SQLAlchemy says BEGIN, not the driver.
        for pragma in session.pragmas:
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(session.begin)

    return engine


def _writing(limit_s: float) -> Session:
    # A transaction that may write takes its lock first: one that reads and then writes would be
    # refused in between. FULL: what was answered for survives a power cut.
    return Session(
        begin="BEGIN IMMEDIATE",
        pragmas=(
            _busy(limit_s),
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ),
    )


def _reading(limit_s: float) -> Session:
    return Session(begin="BEGIN", pragmas=(_busy(limit_s), "query_only = ON"))


def _busy(limit_s: float) -> str:
    """Let SQLite wait for a lock for less than the caller does, so that the thread comes free."""
    return f"busy_timeout = {int(limit_s * 750)}"


async def _migrate(path: Path) -> None:
    """Bring the schema up to date, in one transaction."""
    lane = Lane("migrate", _engine(path, _writing(OPEN_LIMIT_S)), limit_s=OPEN_LIMIT_S)
    try:
        await lane.run(upgrade)
    except CommandError:
        raise ConfigError(
            user_message=f"The store {path} was made by a newer version.",
            remedy="Run that version, or point [store] at another file.",
        ) from None
    except (StoreDown, SQLAlchemyError) as error:
        raise ConfigError(
            user_message=f"The store {path} cannot be used: {error}.",
            remedy="Is it an SQLite file of this program, on a healthy disk?",
        ) from error
    finally:
        await lane.close()


def upgrade(connection: Connection) -> None:
    """Run every revision that this database lacks."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")
