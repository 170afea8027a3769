"""`make demo` as a newcomer runs it; its exit status comes from the books."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def play(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Play it, and leave its files and what it printed for the canary search."""
    done = subprocess.run(
        [sys.executable, "-m", "bot", "demo", "--keep", str(folder / "demo"), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (folder / "printed.txt").write_text(done.stdout + done.stderr)
    return done


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_demo_tells_the_whole_story_and_ends_with_empty_books(tmp_path: Path, mode: str):
    done = play(tmp_path, "--seed", "7", "--mode", mode)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for line in (
        "2,376 orders rest on 12 accounts at 4 venues.",
        "seed 7: on pacifica-sub1, Pacifica's WebSocket stays silent, and HTTP has to do.",
        "1,413 open orders, 7 accounts unknown. No cancel was sent.",
        "alice asked for this: somebody else must approve.",
        "gina is a guest here.",
        "mallory is not of our workspace.",
        "pacifica-sub1: calls that went wrong as foretold: ",
        "│ FLAT: 12 of 12 accounts",
        "│ bybit: 3 of 3 accounts FLAT",
        "│ coinapi: 3 of 3 accounts FLAT",
        "│ pacifica: 3 of 3 accounts FLAT",
        "│ synthetix: 3 of 3 accounts FLAT",
        "The books, asked directly: 0 orders rest. Report: FLAT.",
        "Next: make demo SEED=8   make test",
    ):
        assert line in done.stdout, line
    assert done.stdout.count("Not seen by cancelall") == 4
    assert done.stdout.count('"Accepted" may exceed "before"') == 1
    assert len(done.stdout.splitlines()) <= 130
