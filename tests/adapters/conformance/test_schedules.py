"""A hundred seeded fault schedules: never FLAT over an order, nothing beyond the scope."""

from __future__ import annotations

import pytest

from tests.adapters.conformance import schedules

pytestmark = pytest.mark.no_cover  # The gates hold without it.

SHARES = 4
"""The seeds are dealt out, so that workers share them."""


@pytest.mark.parametrize("share", range(SHARES))
def test_no_schedule_earns_a_false_flat(share: int):
    for seed in range(share, 100, SHARES):
        told = schedules.replayed(seed)
        assert not told, f"{told}\nReplay: SOAK_SEED={seed} make soak"
