"""Whether the store can keep what it is told: asked of the database by writing.

Owns `Pulse`. Never mends anything, and never decides how often it is asked.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from bot.flow.ports import StoreDown
from bot.store.journal import StoreJournal
from bot.store.lane import Lane


class Pulse:
    """Asks the store for a sign of life, through the lane that every vote goes through."""

    def __init__(self, writer: Lane, journal: StoreJournal, path: Path) -> None:
        self._writer = writer
        self._journal = journal
        self._path = path
        self._place = _place(path)

    async def trouble(self) -> str:
        """Write to the database and look at the journal; say what is wrong, or nothing."""
        try:
            await self._writer.run(self._beat)
        except StoreDown as error:
            return str(error)
        return self._journal.trouble

    def _beat(self, connection: Connection) -> None:
        """Write a page, synced like a vote, that changes nothing: reading sees no full disk."""
        if _place(self._path) != self._place:
            # The open file would take every write, and be gone with the next start.
            raise StoreDown(f"{self._path.name} is not the file that was opened: it has gone")
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        connection.exec_driver_sql(f"PRAGMA user_version = {int(version)}")


def _place(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another of its name; None if it has gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
