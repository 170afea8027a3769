"""Log lines: JSON, without secrets and without local variables.

Owns the format and the redaction. Parts log with the standard library; a message is a constant
`noun.past_verb`, facts stand in `extra`.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import logging
import os
import re
import resource
import select
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from bot.domain.event import Event, EventKind, Fact
from bot.domain.result import Outcome

HIDDEN = re.compile(
    r"xox[a-z]-[\w-]+|xapp-[\w-]+|\bhv[sbr]\.[\w-]+|\b[sb]\.\w{24,}|-----BEGIN[^-]+-----.*?(-----END[^-]+-----|$)"
    r"|(?i:bearer\s+)[^\s\"',}]+"
    r"|(?i:(sign(ature)?|secret|token|api[_-]?key|passphrase)[\"']?\s*[=:]\s*)[\"']?[^\s\"',}]+",
    re.DOTALL,
)
LOUD = ("slack_bolt", "slack_sdk", "aiohttp.access", "alembic")
"""Libraries that say more than anybody wants to read."""
CHARS_MAX = 4_000
"""Of one value in a line: what strangers send us must not fill the disk."""
SECRET_KEY = re.compile(
    r"(token|secret|sign|signature|(api|private)[_-]?key|passphrase|password|authorization)$",
    re.IGNORECASE,
)
"""How the name of a secret ends: `bot_token`, `api_secret`, `X-BAPI-SIGN`."""
LOOK_AT = frozenset(
    {
        EventKind.KEY_REFUSED,
        EventKind.REQUEST_EXPIRED,
        EventKind.RUN_INTERRUPTED,
        EventKind.CHASE_STOPPED,
        EventKind.GLASS_BROKEN,
    }
)
"""Events that a human should look at; so is a verdict that is not FLAT."""
PR_SET_DUMPABLE = 4
TAKEN = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime"}
    | {"event", "level", "logger", "timestamp", "exception"}
)
"""Names in a line that mean something else: a fact of such a name gets an underscore."""

events = logging.getLogger("events")


PIECE_BYTES = select.PIPE_BUF
"""What a pipe that says it can be written to takes without making the writer wait."""
PATIENCE_S = 0.05
"""How long one line may wait for whoever reads the log; the lines after it do not wait."""


class Outlet:
    """Where lines go. While nobody reads them they are lost and counted: no run waits for its log.

    A pipe into a program that stands still would stop this process at the first line that does not
    fit, in the middle of a run.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._lost = 0
        """Lines, since the last that was written whole."""
        self._is_cut = False
        """The last line was written in part."""

    def write(self, line: str) -> None:
        """Write a line with its end, whole or not at all unless the reader stops within it."""
        if self._descriptor is None:
            self._stream.write(line)
        elif self._put(self._lead() + line.encode(errors="replace"), self._descriptor):
            self._lost, self._is_cut = 0, False
        else:
            self._lost += 1

    def flush(self) -> None:
        """Hand on what the stream itself holds back: nothing, if lines go past it."""
        if self._descriptor is None:
            self._stream.flush()

    def _lead(self) -> bytes:
        """Write what has to stand before the next line: the end of one cut, and what was lost."""
        end = b"\n" if self._is_cut else b""
        if not self._lost:
            return end
        now = datetime.now(UTC).isoformat()
        told = {"event": "log.dropped", "level": "warning", "logger": __name__, "timestamp": now}
        return end + json.dumps(told | {"lines": self._lost}).encode() + b"\n"

    def _put(self, line: bytes, descriptor: int) -> bool:
        """Write in pieces, each only once it is taken; tell whether all of them were."""
        poll, patience_s = select.poll(), 0.0 if self._lost else PATIENCE_S
        poll.register(descriptor, select.POLLOUT)
        try:
            while line and poll.poll(patience_s * 1000):
                line = line[os.write(descriptor, line[:PIECE_BYTES]) :]
                self._is_cut = True
        except OSError:  # Nobody will ever read it.
            return False
        return not line


def _descriptor(stream: TextIO) -> int | None:
    """Return where lines are written past the stream; None if it has no descriptor.

    A terminal that says it can be written to takes a byte, and keeps whoever writes a line until it
    is read: stopped by Ctrl-S, for ever. So it is opened anew, without waiting; the descriptor that
    was given is shared with the shell and is left as it is.
    """
    try:
        number = stream.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None
    if os.isatty(number):
        with contextlib.suppress(OSError):  # It may have no name here, as in some containers.
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            return os.open(os.ttyname(number), flags)
    return number


def configure(stream: TextIO, *, level: int = logging.INFO) -> None:
    """Send every log line of the process to `stream`, one JSON object a line."""
    handler = logging.StreamHandler(Outlet(stream))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
                redact,
                structlog.processors.JSONRenderer(sort_keys=True, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    handler.addFilter(_is_ours_or_serious)


def read(event: Event) -> None:
    """Write the one line that says of an event what the audit trail says of it."""
    line: dict[str, Fact] = {
        f"{name}_" if name in TAKEN else name: fact for name, fact in event.facts.items()
    }
    line |= {"request_id": event.request_id, "at": event.at.isoformat()}
    level = logging.WARNING if _is_to_be_looked_at(event) else logging.INFO
    events.log(level, event.kind.value, extra=line)


def _is_to_be_looked_at(event: Event) -> bool:
    if event.kind is EventKind.TARGET_JUDGED:
        return event.facts.get("outcome") != Outcome.FLAT.value
    return event.kind in LOOK_AT


def _is_ours_or_serious(record: logging.LogRecord) -> bool:
    """Let no library chat: bolt logs whole bodies, and gives its loggers levels of their own."""
    return record.levelno >= logging.WARNING or not record.name.startswith(LOUD)


def redact(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out what looks like a secret, wherever in the line it stands; runs last."""
    for key, value in line.items():
        line[key] = _clean_at(key, value)
    return line


def _clean_at(key: Any, value: Any) -> Any:
    return "[redacted]" if SECRET_KEY.search(str(key)) else _clean(value)


def _clean(value: Any) -> Any:
    match value:
        case str():
            shown = HIDDEN.sub("[redacted]", value)
            return shown if len(shown) <= CHARS_MAX else f"{shown[:CHARS_MAX]}… (cut)"
        case dict():
            return {str(key): _clean_at(key, inner) for key, inner in value.items()}
        case list() | tuple():
            return [_clean(inner) for inner in value]
        case bool() | int() | float() | None:
            return value
        case _:  # The renderer would make text of it after us.
            return _clean(str(value))


def harden() -> None:
    """Switch core dumps off: they would hold keys.

    The limit alone does not hold where the kernel pipes them into a program (apport,
    systemd-coredump): such a process must be marked as not to be dumped. That also keeps other
    processes of this user from reading its memory.

    Source: https://man7.org/linux/man-pages/man2/pr_set_dumpable.2const.html, read 2026-11-21.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
