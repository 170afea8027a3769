"""A thousand seeded fault schedules at the simulated venues, or as many as are asked for."""

import itertools
import os
import time
from collections.abc import Iterator, Mapping

import pytest

from tests.adapters.conformance import schedules

SHARES = 4
"""The seeds are dealt out, so that workers share them."""


def seeds(told: Mapping[str, str], *, share: int = 0, shares: int = 1) -> Iterator[int]:
    """Yield the one seed to replay, or a share of the seeds of so many seconds, or of so many."""
    if only := told.get("SOAK_SEED"):
        yield from [int(only)] if share == 0 else []
    elif seconds := told.get("SOAK_SECONDS"):
        end = time.monotonic() + float(seconds)
        yield from itertools.takewhile(
            lambda _: time.monotonic() < end, itertools.count(share, shares)
        )
    else:
        yield from range(share, int(told.get("SOAK_RUNS", "1000")), shares)


def test_environment_says_how_long_the_soak_is():
    assert list(seeds({"SOAK_SEED": "7", "SOAK_RUNS": "3"})) == [7]
    assert list(seeds({"SOAK_RUNS": "5"}, share=1, shares=2)) == [1, 3]
    assert list(seeds({"SOAK_RUNS": "3"})) == [0, 1, 2]
    began = time.monotonic()
    played = list(seeds({"SOAK_SECONDS": "0.05"}, share=1, shares=2))
    assert 0.05 <= time.monotonic() - began < 5
    assert played == list(range(1, 2 * len(played), 2))
    assert len(played) > 1000  # Each was yielded at once; a schedule takes longer.


@pytest.mark.soak
@pytest.mark.parametrize("share", range(SHARES))
def test_no_schedule_earns_a_false_flat(share: int):
    """Replay one with SOAK_SEED=n make soak."""
    for seed in seeds(os.environ, share=share, shares=SHARES):
        told = schedules.replayed(seed)
        assert not told, f"{told}\nReplay: SOAK_SEED={seed} make soak"
