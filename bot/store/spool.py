"""A file that takes the journal's groups while the database is down.

Owns `Group` and `Spool`: JSON lines, one group each, synced to the disk before they count. Never
decides when to replay.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.flow.ports import Entry
from bot.store import rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Entries that are committed together."""

    id: str
    """Unique; the database remembers it, so that a replayed group changes nothing twice."""
    entries: tuple[Entry, ...]

    def parts(self) -> tuple[Group, ...]:
        """Return a group for each entry; none if it holds only one."""
        if len(self.entries) == 1:
            return ()
        return tuple(
            Group(id=f"{self.id}:{number}", entries=(entry,))
            for number, entry in enumerate(self.entries)
        )


class Spool:
    """One spool file; it exists only while it holds something."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._length = path.stat().st_size if path.exists() else 0

    def read(self) -> tuple[Group, ...]:
        """Return every whole group, oldest first; a line cut by a crash was never durable.

        Where a line cannot be read, a copy of the file is kept aside and the log says so.
        """
        if not self._path.exists():
            return ()
        groups, is_whole = [], True
        for number, line in enumerate(self._path.read_bytes().split(b"\n"), start=1):
            try:
                groups += [rows.from_line(Group, line)] if line else []
            except ValueError:
                logger.warning("spool.unreadable", extra={"line": number, "file": str(self._path)})
                is_whole = False
        if not is_whole:
            self._rewrite(groups)
        return tuple(groups)

    def _rewrite(self, groups: Sequence[Group]) -> None:
        """Copy the file aside, then put one in its place that holds only what can be read."""
        shutil.copyfile(self._path, self._path.with_name(f"{self._path.name}.unreadable"))
        fresh = Spool(self._path.with_name(f"{self._path.name}.new"))
        fresh.clear()
        fresh.append(groups)
        if groups:
            fresh._path.replace(self._path)
        else:
            self._path.unlink()
        self._length = fresh._length

    def append(self, groups: Sequence[Group]) -> None:
        """Write groups behind the others; they are on the disk when this returns.

        Raises:
            OSError: the disk refuses; nothing of them counts.
        """
        text = b"".join(rows.to_line(group) + b"\n" for group in groups)
        if not text:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, self._length)  # An earlier append may have died halfway.
            written = 0
            while written < len(text):
                written += os.pwrite(descriptor, text[written:], self._length + written)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if self._length == 0:
            sync_folder(self._path.parent)
        self._length += len(text)

    def clear(self) -> None:
        """Remove the file: everything in it is in the database."""
        self._path.unlink(missing_ok=True)
        self._length = 0


def sync_folder(folder: Path) -> None:
    """Make the name of a new file durable too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
