"""Take out each safety check in turn; a named test must fail every time."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak import trees
from tests.soak.removal import Removal
from tests.soak.safety import REMOVALS


@pytest.mark.soak
@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.check)
def test_without_the_check_its_test_fails(removal: Removal, tmp_path: Path):
    trees.copy(tmp_path)
    trees.edit(tmp_path / removal.path, removal.old, removal.new)
    done = trees.run(tmp_path, removal.test)
    assert done.returncode == 1, f"{removal.test} did not notice:\n{done.stdout[-1500:]}"
    assert "1 failed" in done.stdout


@pytest.mark.soak
def test_with_every_check_in_place_the_named_tests_pass(tmp_path: Path):
    """Otherwise they would fail for another reason."""
    tests = sorted({removal.test for removal in REMOVALS})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=trees.ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
