"""What this host would not let us do: keep state, record a pull, keep keys out of core dumps.

Owns these findings, and those of the database. Leaves nothing behind: what it tries, it takes away.

Sources, read 2026-11-21: https://man7.org/linux/man-pages/man5/core.5.html (a pattern that begins
with `|` is given each dump, whatever its size) and man2/PR_SET_DUMPABLE.2const.html.
"""

from __future__ import annotations

import ctypes
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bot.checks import ground as grounds
from bot.checks.ground import Ground
from bot.checks.slate import Slate, Spot
from bot.domain.errors import ConfigError
from bot.domain.finding import Finding
from bot.store import look as store_look
from bot.store import pulls
from bot.store.look import StoreFacts

FREE_BYTES_MIN = 100_000_000
"""Below it a long night may fill the disk."""
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
PR_GET_DUMPABLE = 3


async def look(ground: Ground, slate: Slate) -> None:
    """Look at folders, the disk and core dumps."""
    state = ground.config.file.state.dir
    slate.add(*await grounds.aside(lambda: [*folders(state), _core()]))


async def look_at_store(ground: Ground, slate: Slate) -> None:
    """Look at the database, and prove its chain."""
    spot = Spot(part="store")
    try:
        facts = await grounds.aside(lambda: store_look.look(ground.config.file.store.url))
    except ConfigError as error:
        slate.add(spot.wrong("opens", error.user_message, error.remedy))
        return
    slate.add(_of_store(spot, facts))


def _of_store(spot: Spot, facts: StoreFacts) -> Finding:
    if facts.trouble:
        text = f"{facts.path} cannot be used: {facts.trouble}"
        remedy = "Mend url under [store], or the file and its folder: serve does not start so."
        return spot.wrong("opens", text, remedy)
    if facts.first_break is not None:
        return spot.wrong(
            "chain",
            f"event {facts.first_break} does not follow from the one before it: somebody has "
            "changed what is recorded",
            "Keep a copy of the file, and find out who had access to it.",
        )
    if not facts.is_there:
        return spot.fine("opens", f"{facts.path} is made at the first start")
    used = ", in use by serve" if facts.is_in_use else ""
    return spot.fine("opens", f"every event follows from the one before it{used}")


def folders(state: Path) -> Iterator[Finding]:
    """Try the folders that serve and a pull write to."""
    for topic, folder, what in (
        ("state", state, "what venues list and nonces are not kept"),
        ("pulls", state / pulls.FOLDER, "cancelall pull records nothing there and refuses"),
    ):
        spot = Spot(part="host", about=str(folder))
        if why := _refusal(folder):
            remedy = "Let this user write there, or point dir under [state] elsewhere."
            yield spot.wrong(topic, f"it cannot be written ({why}): {what}", remedy)
    spot = Spot(part="host", about=str(state))
    free = shutil.disk_usage(_existing(state)).free
    if free < FREE_BYTES_MIN:
        text = f"{free // 1_000_000} MB are free on its disk"
        yield spot.warning("disk", text, "Free some: records of a run need room.")
    else:
        yield spot.fine("disk", "it can be written, and its disk has room")


def _refusal(folder: Path) -> str:
    """Write a file there, or where the folder would be made; say why that is refused."""
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)) as file:
            file.write(b"?")
            file.flush()
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _core() -> Finding:
    """Ask the kernel what it would do with a crash of this process."""
    try:
        pattern = CORE_PATTERN.read_text()
    except OSError:
        pattern = "|"  # Nobody tells: so the limit alone is not relied on.
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    return of_core(pattern, limit=soft, is_dumpable=_is_dumpable())


def of_core(pattern: str, *, limit: int, is_dumpable: bool) -> Finding:
    """Say whether a crash could write keys to a disk."""
    spot = Spot(part="host", about="core dumps")
    if not is_dumpable or (limit == 0 and not pattern.startswith("|")):
        return spot.fine("core", "off")
    if limit == 0:
        text = f"{CORE_PATTERN} hands them to a program, which the limit of 0 does not stop"
        remedy = "Write a file name there, such as core, or make sure that it keeps none."
        return spot.warning("core", text, remedy)
    text = "a crash would write keys to the disk"
    return spot.wrong("core", text, "Set ulimit -c 0 for the process.")


def _is_dumpable() -> bool:
    try:
        return bool(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
    except (AttributeError, OSError):
        return True
