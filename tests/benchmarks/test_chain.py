"""No run waits for a round trip that the venue does not force: asserted on virtual time."""

from __future__ import annotations

from tests.adapters.conformance.subjects import SUBJECTS
from tests.benchmarks import chain as chains
from tests.fakes import clock as clocks

WAVES = {
    # Whose key it is, the cancels, what had to be listed first, and two readings.
    "bybit": ["check", "cancel", "cancel", "read", "read"],
    # EMS cancels asynchronously: the first reading still finds orders.
    "coinapi": ["cancel", "read", "read", "read"],
    # Strategies are listed beside the cancel-all and go before what they may have placed.
    "pacifica": ["cancel", "cancel", "cancel", "read", "read"],
    "synthetix": ["cancel", "cancel", "read", "read"],
}


def test_every_venue_is_flat_after_what_it_forces():
    found = {chain.venue: chain for chain in clocks.run(chains.measured())}
    assert found.keys() == SUBJECTS.keys() == WAVES.keys()
    for venue, chain in found.items():
        assert (chain.accounts, chain.orders) == (5, 200)
        assert len(chain.waves) == len(WAVES[venue]), venue
        assert chain.waves[0].at == 0.0
        assert chain.flat_s <= 1.25 * chain.forced_s, venue
    assert round(found["bybit"].flat_s, 2) == 0.75
    assert round(found["pacifica"].flat_s, 2) == 1.25
    assert round(found["synthetix"].flat_s, 2) == 0.7
