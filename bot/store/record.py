"""The record of a pull: files that a console writes without a database, and `serve` takes up.

Owns their shape, the console's journal, and the rule of one pull a person in ten minutes. Two files
a pull in one folder: `ID.pull`, written whole before any key is read, and `ID.spool`, which grows
by what happens. Whoever pulls holds a lock on the first: when the lock is gone, so is the console.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import queue
import stat
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.domain.errors import ConfigError, UsageError
from bot.domain.event import Event
from bot.domain.request import Request
from bot.domain.result import TargetStatus
from bot.flow.ports import Entry, StoreDown
from bot.store import rows
from bot.store.spool import Group, Spool

logger = logging.getLogger(__name__)

HEADER, ENTRIES = ".pull", ".spool"
RECORDED, REFUSED = ".recorded", ".refused"
"""What is added to the names of files that are in the database, or that it will not take."""
BETWEEN = timedelta(minutes=10)
"""From one pull of a person to their next."""
AGAIN_S = 0.5
"""Between two tries while the disk refuses."""
CLOSE_S = 5.0
ALONE_S = 2.0
"""How long one console waits for another to begin."""
ENDED = 0o400
"""Mode of the header of a pull that came to its end by itself: nobody goes on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a pull begins with."""

    request: Request
    """RUNNING from the start."""
    by: str
    host: str
    event: Event


class RecordJournal:
    """The journal of a console: one file, synced, behind the back of the venue loop."""

    def __init__(self, path: Path, told: Callable[[Entry], None]) -> None:
        self._spool = Spool(path)
        self._told = told
        self._queue: queue.SimpleQueue[Entry | Future[None] | None] = queue.SimpleQueue()
        self._backlog: list[Entry] = []
        """What the disk has refused so far."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="record")
        self._thread = pool.submit(self._work)
        pool.shutdown(wait=False)

    def put(self, entry: Entry) -> None:
        """Queue an entry, and tell whoever watches."""
        self._queue.put(entry)
        self._told(entry)

    @property
    def is_behind(self) -> bool:
        """Tell whether the disk refuses what was put."""
        return bool(self._backlog)

    async def flush(self) -> None:
        """Wait until everything queued so far is on the disk.

        Raises:
            StoreDown: the disk refuses it.
        """
        mark: Future[None] = Future()
        self._queue.put(mark)
        await asyncio.wrap_future(mark)

    async def close(self) -> None:
        """Write what is queued and end the thread."""
        self._queue.put(None)
        await asyncio.wait({asyncio.wrap_future(self._thread)}, timeout=CLOSE_S)

    def _work(self) -> None:
        is_open = True
        while is_open:
            marks: list[Future[None]] = []
            is_open = self._gather(marks)
            self._keep(marks)
        if self._backlog:
            logger.error("record.lost", extra={"entries": len(self._backlog)})

    def _gather(self, marks: list[Future[None]]) -> bool:
        """Wait for entries and take what is there; False once the console closes."""
        pause_s = AGAIN_S if self._backlog else None
        try:
            while True:
                match self._queue.get(timeout=pause_s):
                    case None:
                        return False
                    case Future() as mark:
                        marks.append(mark)
                    case entry:
                        self._backlog.append(rows.mended(entry))
                pause_s = 0.0
        except queue.Empty:
            return True

    def _keep(self, marks: list[Future[None]]) -> None:
        error: StoreDown | None = None
        try:
            if self._backlog:
                group = Group(id=f"record:{uuid.uuid4().hex}", entries=tuple(self._backlog))
                self._spool.append([group])
                self._backlog.clear()
        except OSError as refusal:
            logger.error("record.refused", extra={"why": refusal.strerror})  # noqa: TRY400 - a full disk is no bug
            error = StoreDown("the disk refuses the record of this pull")
        for mark in marks:
            if error:
                mark.set_exception(error)
            else:
                mark.set_result(None)


@asynccontextmanager
async def begin(
    folders: Sequence[Path], header: Header, told: Callable[[Entry], None]
) -> AsyncIterator[RecordJournal]:
    """Begin the record of a pull: its header is on the disk once this is entered.

    Args:
        folders: where it goes, and where else earlier pulls are looked for.
        header: what it begins with.
        told: sees every entry.

    Raises:
        ConfigError: the folder cannot be written.
        UsageError: the same person has pulled a moment ago.
    """
    descriptor = _begin(folders, header)
    journal = RecordJournal(folders[0] / f"{header.request.id}{ENTRIES}", told)
    try:
        yield journal
        _mark_ended(descriptor)  # A full disk may have refused the entries that say so.
    finally:
        await journal.close()
        os.close(descriptor)  # And with it the lock: `serve` takes up what is left.


def _mark_ended(descriptor: int) -> None:
    try:
        os.fchmod(descriptor, ENDED)
    except OSError as error:  # What is known must be told all the same.
        logger.error("record.refused", extra={"why": error.strerror})  # noqa: TRY400 - no bug


def _begin(folders: Sequence[Path], header: Header) -> int:
    folder = folders[0]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(folder):
            for each in dict.fromkeys(folders):
                _check_pace(each, header)
            return _write(folder / f"{header.request.id}{HEADER}", header)
    except OSError as error:
        raise refusal(folder, error) from None


def refusal(folder: Path, error: OSError) -> ConfigError:
    """Say that a folder takes no record of a pull, and what to do."""
    return ConfigError(
        user_message=f"No record of a pull can be written to {folder}: {error.strerror}.",
        remedy="Name a folder that takes one: --state FOLDER.",
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep every other console out while one looks for earlier pulls and adds its own.

    Whoever stands still with it (a disk that hangs) must not hold up a pull.

    Raises:
        OSError: another has kept it too long.
    """
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + ALONE_S
        while not _locked(descriptor):
            if time.monotonic() >= until:
                raise OSError(errno.EBUSY, "another console stands still with it")
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def has_ended(path: Path) -> bool:
    """Tell whether a pull came to its end by itself."""
    return stat.S_IMODE(path.stat().st_mode) == ENDED


def _write(path: Path, header: Header) -> int:
    """Write a header under its lock, whole and synced; return the descriptor that holds it."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with os.fdopen(descriptor, "wb", closefd=False) as out:
            out.write(rows.to_line(header) + b"\n")
        os.fsync(descriptor)
        fresh.replace(path)
        place = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(place)
        finally:
            os.close(place)
    except OSError:
        for left in (fresh, path):  # serve would go on with what is refused here.
            with suppress(OSError):
                left.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return descriptor


def _check_pace(folder: Path, header: Header) -> None:
    """Refuse a second pull of one person within minutes, unless the first came to nothing.

    One that died on the way, or of which no byte of a cancel left, keeps nobody waiting.
    """
    person, now = header.request.requester.person_id, header.request.posted_at
    for path in sorted(folder.glob(f"*{HEADER}*")):
        known = _known(path)
        if known is None or known.request.requester.person_id != person:
            continue
        since = now - known.request.posted_at
        # By its distance: a clock that was set back must not lock anybody out for a day.
        if abs(since) < BETWEEN and (is_alive(path) or _has_sent(path, known)):
            left_s = (BETWEEN - since).total_seconds()
            raise UsageError(
                user_message=f"{header.by} pulled {known.request.id} "
                f"{max(0.0, since.total_seconds()):.0f} s ago: one pull a person in ten minutes.",
                remedy=f"Wait {left_s:.0f} s, or have somebody else pull whom the policy lists.",
            )


def _known(path: Path) -> Header | None:
    """Read an earlier pull; what the disk or its owner keeps from us keeps nobody from pulling."""
    try:
        return read_header(path)
    except OSError:
        return None


def _has_sent(path: Path, header: Header) -> bool:
    """Tell whether a pull came to its end, and a cancel has left or may have."""
    name = path.name.replace(HEADER, ENTRIES)
    last: dict[str, TargetStatus] = {}
    for group in read_groups(path.with_name(name)):
        last |= {entry.status.account: entry.status for entry in group.entries if entry.status}
    known = [last.get(target.account) for target in header.request.plan.targets]
    is_over = all(status is not None and status.is_final for status in known)
    return is_over and any(status is not None and status.rounds > 0 for status in known)


def read_header(path: Path) -> Header | None:
    """Read what a pull began with; None if it is no such thing.

    Raises:
        OSError: the disk does not give it, now.
    """
    content = path.read_bytes()
    try:
        return rows.from_line(Header, content)
    except ValueError:
        logger.warning("record.unreadable", extra={"file": path.name})
        return None


def read_groups(path: Path) -> tuple[Group, ...]:
    """Read what happened so far; a last line without its end is still being written."""
    try:
        *lines, _ = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ()
    groups = []
    for number, line in enumerate(lines, start=1):
        try:
            groups.append(rows.from_line(Group, line))
        except ValueError:
            logger.warning("record.unreadable", extra={"file": path.name, "line": number})
    return tuple(groups)


def is_alive(path: Path) -> bool:
    """Tell whether the console that wrote this header still runs, on this host."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def put_aside(path: Path, ending: str) -> None:
    """Rename the files of a pull that nobody need look at again; they stay as a copy."""
    for name in (path.name.replace(HEADER, ENTRIES), path.name):
        found = path.with_name(name)
        if found.exists():
            found.replace(found.with_name(f"{found.name}{ending}"))
