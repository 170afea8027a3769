"""Take out each safety check in turn; a named test must fail every time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.removal import Removal
from tests.soak.safety import REMOVALS

ROOT = Path(__file__).parents[2]
CARRIED = ("adapters", "bot", "policies", "tests")


def _copy(into: Path) -> None:
    for name in CARRIED:
        shutil.copytree(ROOT / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", into)


def _run(tree: Path, test: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test],
        cwd=tree,
        env=plain | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.soak
@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.check)
def test_without_the_check_its_test_fails(removal: Removal, tmp_path: Path):
    _copy(tmp_path)
    path = tmp_path / removal.path
    text = path.read_text()
    assert text.count(removal.old) == 1, f"{removal.path} no longer has: {removal.old}"
    path.write_text(text.replace(removal.old, removal.new))
    done = _run(tmp_path, removal.test)
    assert done.returncode == 1, f"{removal.test} did not notice:\n{done.stdout[-1500:]}"
    assert "1 failed" in done.stdout


@pytest.mark.soak
def test_with_every_check_in_place_the_named_tests_pass(tmp_path: Path):
    """Otherwise they would fail for another reason."""
    tests = sorted({removal.test for removal in REMOVALS})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
