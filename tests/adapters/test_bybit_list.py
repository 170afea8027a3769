"""The instrument list: what nobody could read is said, asked for, and never taken for absent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters import bybit, bybit_listing, bybit_wire
from adapters.beside import beside
from adapters.bybit_calls import Timekeeper
from adapters.bybit_lister import Lister
from adapters.bybit_listing import Listing
from adapters.contract import Scope, VenueError, VenueNotReached
from adapters.pacing import ClockOffset
from bot.sandbox.venues.faults import Wrong
from tests.adapters.bybit_world import world
from tests.fakes import clock

LISTS, COINS = "/v5/market/instruments-info", "/v5/market/option-base-coins"
XRP = "XRP-26DEC26-2-C-USDT"


async def test_without_the_list_a_reading_says_that_settle_coins_are_unknown():
    async with world(listed=False) as bybit_world:
        reading = await bybit_world.adapter.open_orders(Scope(), pages_max=1)
        (unread,) = reading.unread
        assert unread.order_class == "linear"
        assert str(unread.error) == "settle coins unknown: the instrument list was never read"
        assert unread.error.retryable
        assert not reading.is_clean


async def test_without_the_list_a_reading_asks_for_it_and_the_next_one_is_whole():
    async with world(listed=False) as bybit_world:
        wanted: list[int] = []
        adapter = replace(bybit_world.adapter, want_listing=lambda: wanted.append(1))
        await adapter.open_orders(Scope(), pages_max=1)
        assert wanted == [1]
        bybit_world.simulated.faults.clear()
        await bybit_world.relist()
        assert (await adapter.open_orders(Scope(), pages_max=1)).is_clean
        assert wanted == [1]


@pytest.mark.parametrize(("hours", "is_clean"), [(23, True), (25, False)])
async def test_an_old_list_does_not_vouch_for_being_all_of_the_settle_coins(
    hours: int,
    is_clean: bool,  # noqa: FBT001
):
    async with world() as bybit_world:
        bybit_world.fail(Wrong.SERVER, LISTS)
        lister = bybit_world.venue.lister
        read_at = datetime.now(UTC) - timedelta(hours=hours)
        lister.listing = replace(lister.listing, linear_at=read_at)
        reading = await bybit_world.adapter.open_orders(Scope(), pages_max=1)
        assert reading.is_clean is is_clean
        assert lister.wanted.is_set() is not is_clean
        said = f"settle coins unknown: the instrument list is of {read_at:%Y-%m-%d %H:%M} UTC"
        assert [str(each.error) for each in reading.unread] == ([] if is_clean else [said])


async def test_a_symbol_that_an_old_list_lacks_is_read_by_itself():
    async with world() as bybit_world:
        lister = bybit_world.venue.lister
        lister.listing = replace(lister.listing, linear_at=datetime.now(UTC) - timedelta(days=2))
        bybit_world.place("linear:USDT", symbol="FOOEUR", settle="EUR")
        scope = Scope(symbols=("FOOEUR",))
        reading = await bybit_world.adapter.open_orders(scope, pages_max=1)
        assert [order.symbol for order in reading.orders] == ["FOOEUR"]


async def test_a_list_that_is_kept_remembers_how_old_it_is(tmp_path: Path):
    async with world(state_dir=tmp_path) as bybit_world:
        lister = bybit_world.venue.lister
        assert lister.path is not None
        assert bybit_listing.load(lister.path) == lister.listing
        assert lister.listing.linear_at is not None


async def test_a_list_without_any_linear_contract_is_none():
    listing = Listing().joined({"linear": {}}, None, datetime.now(UTC))
    assert listing.linear_at is None


async def test_a_symbol_that_was_listed_a_moment_ago_is_looked_up_once_a_minute():
    async with world() as bybit_world:
        venue = bybit_world.venue
        bybit_world.simulated.listing.linear["NEWUSDT"] = "USDT"
        assert "NEWUSDT" not in (await venue.instruments(["NEWUSDT"])).symbols
        venue.lister.read_at -= 60.0
        assert "NEWUSDT" in (await venue.instruments(["NEWUSDT"])).symbols
        asked = len(bybit_world.sent(LISTS))
        assert "TYPO" not in (await venue.instruments(["TYPO"])).symbols
        assert len(bybit_world.sent(LISTS)) == asked


async def test_a_symbol_cannot_be_refused_while_a_part_of_the_list_is_unread():
    async with world() as bybit_world:
        bybit_world.fail(Wrong.SERVER, LISTS, containing="PreLaunch")
        bybit_world.venue.lister.read_at = float("-inf")
        for _ in range(2):
            with pytest.raises(VenueError):
                await bybit_world.venue.instruments(["NEWUSDT"])
        assert "BTCUSDT" in (await bybit_world.venue.instruments(["BTCUSDT"])).symbols


@pytest.mark.parametrize(
    "scope", [Scope(symbols=("BTCUSDT",)), Scope(classes_off=(bybit_wire.LINEAR,))]
)
async def test_a_reading_that_needs_no_settle_coins_does_not_miss_them(scope: Scope):
    async with world(listed=False) as bybit_world:
        bybit_world.place("linear:USDT", settle="EURX")
        reading = await bybit_world.adapter.open_orders(scope, pages_max=1)
        assert reading.unread == ()
        assert len(reading.orders) == len(scope.symbols)


async def test_an_error_of_linear_stands_before_its_settle_coins():
    async with world(listed=False) as bybit_world:
        bybit_world.fail(Wrong.HTML, "/v5/order/realtime", containing="category=linear")
        reading = await bybit_world.adapter.open_orders(Scope(), pages_max=1)
        assert ["settle coins" in str(each.error) for each in reading.unread] == [False]


async def test_options_of_every_coin_that_has_them_are_listed():
    async with world(listed=False) as bybit_world:
        bybit_world.simulated.faults.clear()
        bybit_world.simulated.listing.option[XRP] = "USDT"
        await bybit_world.relist()
        assert XRP in (await bybit_world.venue.instruments()).symbols
        assert [each for each in bybit_world.sent(LISTS) if "baseCoin=SOON" in each] == []


@pytest.mark.parametrize(
    ("path", "containing"), [(COINS, ""), (LISTS, "baseCoin=XRP")], ids=["coins", "options of one"]
)
async def test_while_some_options_were_never_read_no_symbol_can_be_refused(
    path: str, containing: str
):
    async with world(listed=False) as bybit_world:
        bybit_world.simulated.faults.clear()
        bybit_world.simulated.listing.option[XRP] = "USDT"
        bybit_world.fail(Wrong.SERVER, path, containing=containing)
        for _ in range(2):
            with pytest.raises(VenueError):
                await bybit_world.venue.instruments()
        assert bybit_world.venue.lister.listing.lists("linear", "BTCUSDT")


class Line:
    """A link whose calls break in a way that nobody foresaw."""

    def __init__(self, error: Exception) -> None:
        self.clock = ClockOffset(is_stale=False)
        self.error = error
        self.at: list[float] = []
        self.timed_at: list[float] = []

    async def call(self, call: Any, build: Any) -> Any:
        now = asyncio.get_running_loop().time()
        if now not in self.at:
            self.at.append(now)
        if call.name == "market time":
            self.timed_at.append(now)
        raise self.error

    async def timed(self, call: Any, build: Any) -> Any:
        return await self.call(call, build)


def kept_fresh(error: Exception, *, for_s: float, wanted_at: float | None = None) -> list[float]:
    """Return the moments at which a venue whose calls all fail tries to read its list."""
    return lived(error, for_s=for_s, wanted_at=wanted_at).at


def lived(error: Exception, *, for_s: float, wanted_at: float | None = None) -> Line:
    line: Any = Line(error)

    async def main() -> None:
        venue = bybit.Bybit(
            link=line,
            settings=bybit.BybitSettings(),
            timekeeper=Timekeeper(link=line),
            lister=Lister(timekeeper=Timekeeper(link=line), path=None, listing=Listing()),
        )
        if wanted_at is not None:
            asyncio.get_running_loop().call_later(wanted_at, venue.lister.wanted.set)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(for_s), beside(venue.stay_fresh()):
                await asyncio.Event().wait()

    clock.run(main())
    found: Line = line
    return found


def test_a_bug_in_reading_the_list_is_logged_and_reading_goes_on(
    caplog: pytest.LogCaptureFixture,
):
    assert kept_fresh(LookupError("a bug"), for_s=130.0) == [0.0, 60.0, 120.0]
    assert [record.message for record in caplog.records] == ["listing.broken"] * 3


def test_a_list_that_is_wanted_is_tried_soon_and_not_too_often():
    down = VenueNotReached(user_message="down")
    assert kept_fresh(down, for_s=50.0) == [0.0]
    assert kept_fresh(down, for_s=50.0, wanted_at=1.0) == [0.0, 5.0]
    assert kept_fresh(down, for_s=50.0, wanted_at=20.0) == [0.0, 20.0]


def test_the_clock_is_measured_anew_whenever_the_list_is_read():
    down = VenueNotReached(user_message="down")
    assert lived(down, for_s=130.0).timed_at == [0.0, 60.0, 120.0]
