"""A look at the database that changes nothing in it, whether or not a server has it open.

Owns `look()`. Never opens the store: that would take its lock, and bring its schema up to date.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from bot.domain.errors import ConfigError
from bot.store import engine, events

LOCKS = Path("/proc/locks")
"""Every lock that the kernel knows: `1: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF`.

https://man7.org/linux/man-pages/man5/proc_locks.5.html, read 2026-11-21."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What was seen of the database."""

    path: Path
    is_there: bool = True
    is_in_use: bool = False
    """A server has it open."""
    first_break: int | None = None
    """Number of the first event that does not follow from the one before it."""
    trouble: str = ""
    """Why it cannot be used, if it cannot."""


def look(url: str) -> StoreFacts:
    """Look whether the database could be used, and prove its chain of events; it may block.

    Raises:
        ConfigError: the URL names no database of this version.
    """
    path = engine.path_of(url)
    if not path.exists() or not path.stat().st_size:  # Or it was made a moment ago.
        return StoreFacts(path=path, is_there=False, trouble=_unfit_folder(path.parent))
    if not os.access(path, os.W_OK):
        return StoreFacts(path=path, trouble="this user may not write it")
    reading = create_engine("sqlite://", creator=lambda: _open(path))
    try:
        with reading.connect() as connection:
            revision = connection.exec_driver_sql(
                "SELECT version_num FROM alembic_version"
            ).scalar()
            if not any(engine.MIGRATIONS.glob(f"versions/{revision}_*.py")):
                return StoreFacts(path=path, trouble="a newer version of cancelall made it")
            first_break = events.first_break(connection)
    except DBAPIError as error:
        return StoreFacts(path=path, trouble=str(error.orig))
    finally:
        reading.dispose()
    return StoreFacts(path=path, is_in_use=_is_locked(path), first_break=first_break)


def is_in_use(url: str) -> bool:
    """Tell whether a server has the database open; none has what is no database. It may block."""
    try:
        return _is_locked(engine.path_of(url))
    except ConfigError:
        return False


def _open(path: Path) -> sqlite3.Connection:
    where = f"file:{quote(str(path))}?mode=ro"
    return sqlite3.connect(where, uri=True, check_same_thread=False)


def _unfit_folder(folder: Path) -> str:
    if not folder.is_dir():
        return f"its folder {folder} does not exist"
    return "" if os.access(folder, os.W_OK) else f"this user may not write its folder {folder}"


def _is_locked(path: Path) -> bool:
    """Tell whether a server holds its lock; to try that lock could keep one from starting."""
    try:
        number = Path(f"{path}.lock").stat().st_ino
        held = LOCKS.read_text().splitlines()
    except OSError:
        return False
    locks = [line.split() for line in held if " FLOCK " in line]
    return any(word.endswith(f":{number}") for words in locks for word in words)
