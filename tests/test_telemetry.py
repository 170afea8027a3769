"""Every log line is one JSON object that holds no secret."""

import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from bot import telemetry
from bot.domain.event import Event, EventKind, Fact
from tests.fakes.clock import EPOCH

log = logging.getLogger("tests.telemetry")


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Catch what the process logs, and give logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure(stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def only_line(out: io.StringIO) -> dict[str, Any]:
    (line,) = out.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_says_what_happened_where_and_when(out: io.StringIO):
    log.warning("target.judged", extra={"venue": "bybit", "orders": 3, "flat": False, "why": None})

    line = only_line(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "target.judged",
        "level": "warning",
        "logger": "tests.telemetry",
        "venue": "bybit",
        "orders": 3,
        "flat": False,
        "why": None,
    }


@pytest.mark.parametrize("name", ["slack_bolt.AsyncApp", "slack_sdk.web", "aiohttp.access"])
def test_libraries_do_not_chat_whatever_level_they_give_themselves(out: io.StringIO, name: str):
    library = logging.getLogger(name)
    library.setLevel(logging.DEBUG)
    library.info("a whole body")
    assert out.getvalue() == ""
    library.warning("trouble")
    assert only_line(out)["event"] == "trouble"
    library.setLevel(logging.NOTSET)


def test_what_strangers_send_does_not_fill_the_log(out: io.StringIO):
    log.warning("call.refused", extra={"body": "x" * 1_000_000})
    assert only_line(out)["body"] == "x" * 4_000 + "… (cut)"


def test_a_secret_path_is_no_secret(out: io.StringIO):
    """An operator must see which key was refused."""
    log.info("key.read", extra={"key": "venues/bybit-mm", "path": "venues/bybit-mm"})

    line = only_line(out)
    assert (line["key"], line["path"]) == ("venues/bybit-mm", "venues/bybit-mm")


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "bot_token",
        "secret",
        "api_secret",
        "signing_secret",
        "signature",
        "sign",
        "api_key",
        "apiKey",
        "private_key",
        "passphrase",
        "authorization",
        "X-BAPI-SIGN",
        "X-BAPI-API-KEY",
        "X-Slack-Signature",
        "X-Vault-Token",
    ],
)
def test_a_value_is_redacted_by_the_name_it_stands_under_however_deep(out: io.StringIO, name: str):
    log.info("call.failed", extra={name: "canary", "calls": [{"headers": {name: "canary"}}]})

    line = only_line(out)
    assert line[name] == "[redacted]"
    assert line["calls"] == [{"headers": {name: "[redacted]"}}]
    assert "canary" not in out.getvalue()


SPOKEN = [
    ("sent xoxb-12-canary to them", "sent [redacted] to them"),
    ("sent xapp-1-canary to them", "sent [redacted] to them"),
    ("held hvs.CAESIJ-canary_9 then", "held [redacted] then"),
    ("held s.abcdefghijklmnopqrstuvwx then", "held [redacted] then"),
    ("at 3 s. and is.not", "at 3 s. and is.not"),
    ("X-BAPI-SIGN: canary", "X-BAPI-[redacted]"),
    ("{'X-BAPI-API-KEY': 'canary'}", "{'X-BAPI-[redacted]'}"),
    ('{"api_secret": "canary"}', '{"api_[redacted]"}'),
    ("GET /v5/order?api_key=1&signature=canary", "GET /v5/order?[redacted]"),
    ("Authorization: Bearer canary", "Authorization: [redacted]"),
    (
        "a -----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY----- b",
        "a [redacted] b",
    ),
    ("-----BEGIN RSA PRIVATE KEY-----\ncanary, cut sho", "[redacted]"),
]


@pytest.mark.parametrize(("text", "shown"), SPOKEN)
def test_what_looks_like_a_secret_is_redacted_in_any_text(out: io.StringIO, text: str, shown: str):
    log.info("call.failed", extra={"why": text, "seen": [text, (text,)]})

    line = only_line(out)
    assert line["why"] == shown
    assert line["seen"] == [shown, [shown]]


def test_arguments_of_a_foreign_message_are_redacted(out: io.StringIO):
    logging.getLogger("foreign").info("sending %s", {"api_secret": "canary"})

    assert only_line(out)["event"] == "sending {'api_[redacted]'}"


@pytest.mark.parametrize(
    "value",
    [
        ValueError("https://h/p?signature=canary"),
        SecretStr("canary"),
        b"xoxb-1-canary",
        frozenset({"xoxb-1-canary"}),
    ],
)
def test_what_the_renderer_would_turn_into_text_is_redacted_first(out: io.StringIO, value: object):
    log.info("call.failed", extra={"error": value, "errors": {1: [value]}})

    assert "canary" not in out.getvalue()
    assert "error" in only_line(out)


def test_an_exception_is_logged_without_its_local_variables(out: io.StringIO):
    def sign() -> None:
        key = "canary"
        raise RuntimeError(f"cannot sign, {len(key)} bytes, token={key}")

    try:
        sign()
    except RuntimeError:
        log.exception("part.failed")

    (failure,) = only_line(out)["exception"]
    assert failure["exc_type"] == "RuntimeError"
    assert failure["exc_value"] == "cannot sign, 6 bytes, [redacted]"
    assert [set(frame) for frame in failure["frames"]] == [{"filename", "lineno", "name"}] * 2
    assert "canary" not in out.getvalue()


def test_an_exception_that_was_cut_off_with_from_none_stays_out(out: io.StringIO):
    """Parts cut off the causes that print headers and queries; the log must not dig them up."""

    def call() -> None:
        try:
            int("canary")
        except ValueError:
            raise RuntimeError("the venue was not reached") from None

    try:
        call()
    except RuntimeError:
        log.exception("part.failed")

    (failure,) = only_line(out)["exception"]
    assert failure["exc_value"] == "the venue was not reached"
    assert "canary" not in out.getvalue()


def test_a_line_below_the_level_is_not_written(out: io.StringIO):
    log.debug("call.sent")
    telemetry.configure(out, level=logging.DEBUG)
    log.debug("call.answered")

    assert only_line(out)["event"] == "call.answered"


def told(kind: EventKind, facts: dict[str, Fact]) -> Event:
    return Event(kind=kind, request_id="K7Q2M", at=EPOCH, facts=facts)


def test_an_event_is_one_line_that_says_what_the_audit_trail_says(out: io.StringIO):
    telemetry.read(told(EventKind.VOTE_CAST, {"by": "U0BOB", "answer": "approve", "reason": "ok"}))

    line = only_line(out)
    assert line.pop("timestamp")
    assert line == {
        "event": "vote.cast",
        "level": "info",
        "logger": "events",
        "request_id": "K7Q2M",
        "at": "2026-11-21T03:00:00+00:00",
        "by": "U0BOB",
        "answer": "approve",
        "reason": "ok",
    }


LEVELS: list[tuple[EventKind, dict[str, Fact], str]] = [
    (EventKind.REQUEST_SUBMITTED, {}, "info"),
    (EventKind.RUN_STARTED, {}, "info"),
    (EventKind.RUN_FINISHED, {}, "info"),
    (EventKind.KEY_READ, {}, "info"),
    (EventKind.KEY_REFUSED, {}, "warning"),
    (EventKind.TARGET_JUDGED, {"outcome": "FLAT"}, "info"),
    (EventKind.TARGET_JUDGED, {"outcome": "RESIDUAL"}, "warning"),
    (EventKind.TARGET_JUDGED, {"outcome": "UNVERIFIED"}, "warning"),
    (EventKind.TARGET_JUDGED, {"outcome": "NOT_SENT"}, "warning"),
    (EventKind.REQUEST_EXPIRED, {}, "warning"),
    (EventKind.RUN_INTERRUPTED, {}, "warning"),
    (EventKind.CHASE_STOPPED, {}, "warning"),
    (EventKind.GLASS_BROKEN, {}, "warning"),
    (EventKind.GLASS_CLOSED, {}, "info"),
]


@pytest.mark.parametrize(("kind", "facts", "level"), LEVELS)
def test_an_event_that_a_human_should_look_at_is_a_warning(
    out: io.StringIO, kind: EventKind, facts: dict[str, Fact], level: str
):
    telemetry.read(told(kind, facts))

    assert only_line(out)["level"] == level


def test_a_fact_never_stands_where_the_line_says_something_else(out: io.StringIO):
    """Logging itself refuses some names, and the formatter would give others away."""
    names = ("name", "args", "msg", "message", "event", "level", "timestamp")
    taken: dict[str, Fact] = dict.fromkeys(names, "fact")
    telemetry.read(told(EventKind.KEY_READ, taken))

    line = only_line(out)
    assert (line["event"], line["level"], line["logger"]) == ("key.read", "info", "events")
    assert {f"{name}_": line[f"{name}_"] for name in taken} == {
        "name_": "fact",
        "args_": "fact",
        "msg_": "fact",
        "message_": "fact",
        "event_": "fact",
        "level_": "fact",
        "timestamp_": "fact",
    }


def test_what_people_say_in_an_event_is_redacted_too(out: io.StringIO):
    reason = "the bot's token=canary leaked"
    telemetry.read(told(EventKind.REQUEST_SUBMITTED, {"reason": reason}))

    assert only_line(out)["reason"] == "the bot's [redacted] leaked"


def test_nobody_waits_for_a_log_that_nobody_reads(out: io.StringIO):
    """The pipe is full: lines are lost, and once somebody reads again the log says how many."""
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as read, os.fdopen(writer, "w") as stream:  # noqa: PTH123
        telemetry.configure(stream)
        began = time.perf_counter()
        for number in range(2_000):
            log.info("call.sent", extra={"number": number, "why": "x" * 500})
        assert time.perf_counter() - began < 2.0
        first = read.read(1 << 20)
        log.info("call.answered")
        rest = read.read(1 << 20)

    kept = [json.loads(line) for line in first.splitlines()]
    assert [line["number"] for line in kept] == list(range(len(kept)))
    dropped, last = [json.loads(line) for line in rest.splitlines()]
    assert dropped.pop("timestamp")
    assert dropped == {
        "event": "log.dropped",
        "level": "warning",
        "logger": "bot.telemetry",
        "lines": 2_000 - len(kept),
    }
    assert last["event"] == "call.answered"


def test_a_line_cut_by_a_reader_that_stopped_ends_before_the_next(out: io.StringIO):
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as read, os.fdopen(writer, "w") as stream:  # noqa: PTH123
        telemetry.configure(stream)
        log.info("call.failed", extra={"whys": ["x" * 4_000] * 40})  # More than a pipe holds.
        cut = read.read(1 << 20)
        log.info("call.answered")
        end, dropped, last = read.read(1 << 20).splitlines()

    assert cut.startswith(b'{"event": "call.failed"')
    assert not cut.endswith(b"\n")
    assert end == b""
    assert json.loads(dropped)["lines"] == 1
    assert json.loads(last)["event"] == "call.answered"


def test_nobody_waits_for_a_terminal_that_stands_still(out: io.StringIO):
    script = (
        "import logging, os, pty, time\n"
        "from bot import telemetry\n"
        "master, slave = pty.openpty()\n"
        "telemetry.configure(os.fdopen(slave, 'w'))\n"
        "[logging.getLogger('x').info('call.sent', extra={'w': 'x' * 900}) for _ in range(300)]\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=10).returncode == 0


def test_log_whose_reader_has_gone_breaks_nothing(out: io.StringIO):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        telemetry.configure(stream)
        log.warning("call.failed")
        log.warning("call.failed")
        (handler,) = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        assert handler.stream._lost == 2


def test_the_program_can_leave_no_core_dump():
    """In a process of its own, which could never switch them on again."""
    script = (
        "import ctypes, resource; from bot import telemetry; telemetry.harden(); "
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout == "(0, 0) 0\n"
