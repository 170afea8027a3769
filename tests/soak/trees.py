"""Copies of the tree, each with one change, and what the tests say there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CARRIED = ("adapters", "bot", "policies", "tests")


def copy(into: Path) -> None:
    """Copy what tests need."""
    for name in CARRIED:
        shutil.copytree(ROOT / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", into)


def edit(path: Path, old: str, new: str) -> None:
    """Make the one change; it must still be there to be made."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} no longer has: {old}"
    path.write_text(text.replace(old, new))


def run(tree: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests there, up to the first that fails."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=tree,
        env=plain | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
