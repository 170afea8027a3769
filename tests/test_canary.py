"""The search for leaked secrets finds them."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from bot.sandbox import world as worlds
from bot.sandbox.accounts import PREMISES
from bot.sandbox.slack.records import App
from tests import canary
from tests.fakes import desk as desks

ROOT = Path(__file__).parents[1]


def test_planted_leak_turns_the_session_red(tmp_path: Path):
    """The whole chain: a test that leaves a secret behind, the finaliser, the exit status."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("tests.canary",)\n')
    (tmp_path / "test_leak.py").write_text(
        "def test_leaks(tmp_path):\n"
        f"    (tmp_path / 'bot.log').write_text('key={canary.CANARIES[0]}')\n"
    )
    where = [f"--basetemp={tmp_path / 'kept'}", str(tmp_path / "test_leak.py")]
    for numbers in ([], ["-p", "xdist", "-n", "1"]):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *numbers, *where],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
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


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_planted_leak_in_a_raw_log_record_is_found(tmp_path: Path, level: int):
    """As a part would log it, in a field that no redaction knows."""
    with desks.kept_log(tmp_path):
        log = logging.getLogger("bot.flow.execute")
        log.log(level, "key.read", extra={"doc": canary.CANARIES[0]})
    assert canary.leaks(tmp_path) == ["bot.log holds sandbox-…"]


def test_planted_leak_in_what_a_process_logs_is_found(tmp_path: Path):
    script = (
        "import logging, sys; from bot import telemetry; telemetry.configure(sys.stderr); "
        f"logging.getLogger('bot.x').info('key.read', extra={{'doc': '{canary.CANARIES[0]}'}})"
    )
    with (tmp_path / "serve-0.log").open("wb") as log:
        subprocess.run([sys.executable, "-c", script], stderr=log, check=True)
    assert canary.leaks(tmp_path) == ["serve-0.log holds sandbox-…"]


def test_each_planted_secret_of_the_sandbox_is_found(tmp_path: Path):
    secrets = [worlds.PASSPHRASE, App().bot_token, App().signing_secret]
    for account in (account for each in PREMISES.values() for account in each.accounts):
        for document in filter(None, (account.key, account.read_key)):
            secrets += [str(value) for name, value in document.items() if name != "accounts"]
    for secret in secrets:
        (tmp_path / "x.txt").write_text(secret)
        assert canary.leaks(tmp_path), secret
