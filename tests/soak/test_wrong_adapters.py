"""Every adapter that is wrong is caught by the conformance kit of its venue."""

from pathlib import Path

import pytest

from tests.soak import trees
from tests.soak.wrong_adapters import WRONG, Wrong

KIT = "tests/adapters/conformance"
WRONG_LEAST = 20


def test_there_are_enough_wrong_adapters():
    assert len(WRONG) >= WRONG_LEAST


@pytest.mark.soak
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.venue} {wrong.name}")
def test_the_kit_catches_an_adapter_that(wrong: Wrong, tmp_path: Path):
    trees.copy(tmp_path)
    trees.edit(tmp_path / "adapters" / wrong.path, wrong.old, wrong.new)
    done = trees.run(tmp_path, KIT, "-k", wrong.venue)
    assert done.returncode == 1, f"the kit let it pass:\n{done.stdout[-1500:]}"
    assert "1 failed" in done.stdout
