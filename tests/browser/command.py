"""The sandbox's own command, started as a person starts it and ended as a person ends it."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
URL = re.compile(r"(http://127\.0\.0\.1:\d+/[\w/-]*)\S*\s")
START_S = 75.0
END_S = 15.0
POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A sandbox that runs: its page, and what its command has printed so far."""

    url: str
    running: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path


@contextmanager
def started(words: Sequence[str], folder: Path) -> Iterator[Sandbox]:
    """Start a command, wait for the URL that it prints, and end it with Ctrl-C.

    What it prints stays in the folder, where the search for leaked secrets finds it.
    """
    stdout, stderr = folder / "sandbox.out", folder / "sandbox.err"
    with (
        stdout.open("wb") as out,
        stderr.open("wb") as err,
        subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=err) as running,
    ):
        try:
            url = _url(running, stdout, stderr)
            yield Sandbox(url=url, running=running, stdout=stdout, stderr=stderr)
            _end(running)
        finally:
            running.kill()  # Nothing, if it has ended.
    if running.returncode or stderr.stat().st_size:
        told = stderr.read_text()
        pytest.fail(f"The sandbox ended with status {running.returncode} and complains:\n{told}")


def _url(running: subprocess.Popen[bytes], stdout: Path, stderr: Path) -> str:
    deadline = time.monotonic() + START_S
    while not (found := URL.search(stdout.read_text())):
        ended = running.poll()
        if ended is not None or time.monotonic() > deadline:
            why = "still runs" if ended is None else f"ended with status {ended}"
            printed = stdout.read_text() + stderr.read_text()
            pytest.fail(f"The sandbox printed no URL and {why}:\n{printed}")
        time.sleep(POLL_S)
    return found[1]


def _end(running: subprocess.Popen[bytes]) -> None:
    running.send_signal(signal.SIGINT)
    try:
        running.wait(END_S)
    except subprocess.TimeoutExpired:
        pytest.fail(f"The sandbox still runs {END_S:g} s after Ctrl-C.")
