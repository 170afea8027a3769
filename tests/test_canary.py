"""The search for leaked secrets finds them."""

import subprocess
import sys
from pathlib import Path

from tests import canary

ROOT = Path(__file__).parents[1]


def test_planted_leak_turns_the_session_red(tmp_path: Path):
    """The whole chain: a test that leaves a secret behind, the finaliser, the exit status."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("tests.canary",)\n')
    (tmp_path / "test_leak.py").write_text(
        "def test_leaks(tmp_path):\n"
        f"    (tmp_path / 'bot.log').write_text('key={canary.CANARIES[0]}')\n"
    )
    where = [f"--basetemp={tmp_path / 'kept'}", str(tmp_path / "test_leak.py")]
    for numbers in ([], ["-n", "1"]):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *numbers, *where],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stdout
        assert "bot.log holds sandbox-" in done.stderr
        assert canary.CANARIES[0] not in done.stdout + done.stderr


def test_what_is_planted_in_a_database_is_found(tmp_path: Path):
    (tmp_path / "slack.token").write_text(canary.CANARIES[0])
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "cancelall.db").write_bytes(b"\x00" + canary.CANARIES[3].encode())
    assert canary.leaks(folder) == ["cancelall.db holds SANDBOXM…"]
