"""What `cancelall check` leaves: the record of one that read keys, and the last result.

Owns the record (a synced file, which `serve` takes into the chain), its taking up, and the file of
the last result. `bot.store.look` looks at the database.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from bot.domain.errors import ConfigError
from bot.domain.event import Event
from bot.domain.finding import Checkup
from bot.flow.ports import Claim, Entry
from bot.store import deliveries, events, record, rows, spool
from bot.store.lane import Lane
from bot.store.spool import Group

logger = logging.getLogger(__name__)

CHECK = "CHECK"
"""Stands where events name a request: a check is of none."""
RECORD = ".check"
UNREADABLE = ".unreadable"
"""What is added to the name of a record in which nothing can be read; the log says so too."""
RESULT = "check.json"


def write_record(folder: Path, event: Event) -> None:
    """Record a check before it reads a key that can cancel: on the disk when this returns.

    Raises:
        ConfigError: the folder takes no record.
    """
    entry = Entry(request_id=CHECK, claim=Claim(key="", fence=0), event=event)
    name = uuid.uuid4().hex
    group = Group(id=f"check:{name}", entries=(entry,))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = folder / f"{name}.new"
        spool.Spool(fresh).append([group])
        fresh.replace(folder / f"{name}{RECORD}")
        spool.sync_folder(folder)
    except OSError as error:
        raise ConfigError(
            user_message=f"No record of this check can be written to {folder}: {error.strerror}, "
            "so no key that can cancel is read.",
            remedy="Point dir under [state] at a folder that this user may write.",
        ) from None


class Checks:
    """Takes up what consoles recorded of their checks."""

    def __init__(self, writer: Lane) -> None:
        self._writer = writer
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checks")

    async def take_up(self, folder: Path) -> None:
        """Bring every record in the folder into the chain; the same one never counts twice.

        Raises:
            StoreDown: the database did not answer; what is recorded waits.
        """
        loop = asyncio.get_running_loop()
        for path, groups in await loop.run_in_executor(self._pool, _records, folder):
            await self._writer.run(partial(_take, groups))
            ending = record.RECORDED if groups else UNREADABLE
            await loop.run_in_executor(self._pool, path.replace, f"{path}{ending}")

    def close(self) -> None:
        """Let the thread go."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _records(folder: Path) -> list[tuple[Path, tuple[Group, ...]]]:
    return [(path, record.read_groups(path)) for path in sorted(folder.glob(f"*{RECORD}"))]


def _take(groups: tuple[Group, ...], connection: Connection) -> None:
    for group in groups:
        if deliveries.is_first(connection, group.id, CHECK):
            told = (entry.event for entry in group.entries)
            events.append(connection, *(event for event in told if event is not None))


def read_result(folder: Path) -> Checkup | None:
    """Read what the last check found; None if there was none, or nobody can read it."""
    try:
        return rows.from_line(Checkup, (folder / RESULT).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.warning("check.unreadable", extra={"why": type(error).__name__})
        return None


def keep_result(folder: Path, checkup: Checkup) -> None:
    """Keep what a check found, in the place of the one before it.

    Raises:
        OSError: the disk refuses.
    """
    fresh = folder / f"{RESULT}.new"
    fresh.touch(mode=0o600)
    fresh.write_bytes(rows.to_line(checkup))
    fresh.replace(folder / RESULT)
