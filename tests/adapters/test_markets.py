"""A list of markets, from memory while that is fresh and has what is wanted."""

from __future__ import annotations

import asyncio

import pytest

from adapters.contract import Instruments, VenueOutcomeUnknown
from adapters.markets import Markets
from tests.fakes import clock
from tests.fakes.clock import EPOCH


class Venue:
    """Lists what it has, and counts how often it is asked."""

    def __init__(self, *symbols: str) -> None:
        self.symbols = symbols
        self.asked = 0
        self.is_down = False

    async def read(self) -> Instruments:
        self.asked += 1
        if self.is_down:
            raise VenueOutcomeUnknown(user_message="no answer")
        return Instruments(symbols=frozenset(self.symbols), read_at=EPOCH)


def test_a_list_is_asked_for_again_when_it_is_old_or_lacks_what_is_wanted():
    async def main() -> None:
        venue = Venue("BTC", "kBONK")
        markets = Markets(read=venue.read)
        assert markets.symbols == frozenset()
        await markets.instruments()
        await markets.instruments(["BTC"])
        await markets.instruments(["NEW"])  # It was just read: NEW is not listed.
        assert venue.asked == 1
        await asyncio.sleep(61)
        venue.symbols = ("BTC", "kBONK", "NEW")
        assert "NEW" in (await markets.instruments(["NEW"])).symbols
        await markets.instruments(["BTC"])
        assert venue.asked == 2
        await asyncio.sleep(3601)
        await markets.instruments()
        assert venue.asked == 3

    clock.run(main())


def test_a_list_that_is_there_spells_what_is_typed_though_the_venue_is_down():
    async def main() -> None:
        venue = Venue("BTC", "kBONK")
        markets = Markets(read=venue.read)
        await markets.instruments()
        venue.is_down = True
        await asyncio.sleep(61)
        assert "kBONK" in (await markets.instruments(["kbonk"])).symbols
        with pytest.raises(VenueOutcomeUnknown):
            await markets.instruments(["QQQ"])

    clock.run(main())
