"""HTTP 403: a ban silences the venue, a firewall's page no more than what it stands before."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from adapters import bybit
from adapters.bybit_codes import Forbidden
from adapters.contract import Scope, VenueBanned, VenueError, VenueNotReached, VenueRefused
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Wrong
from tests.adapters.bybit_world import failure, world

ALL = Scope()
PAGE_403 = b"<html><h1>403 Forbidden</h1></html>"
TOO_FREQUENT = b"<html><h1>403 ERROR</h1>Access too frequent</html>"
TIME, REALTIME, LISTS = "/v5/market/time", "/v5/order/realtime", "/v5/market/instruments-info"


async def test_a_ban_stops_every_further_call():
    async with world() as bybit_world:
        bybit_world.simulated.door.is_on = True
        bybit_world.simulated.door.banned_until["127.0.0.1"] = time.time() + 600
        first = await bybit_world.adapter.open_orders(ALL, pages_max=1)
        assert {type(u.error) for u in first.unread} <= {VenueBanned, VenueNotReached}
        calls = len(bybit_world.simulated.log)
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert {type(r.error) for r in receipts} == {VenueBanned}
        assert len(bybit_world.simulated.log) == calls


@pytest.mark.parametrize("path", [LISTS, TIME, "/v5/user/query-api", REALTIME])
async def test_a_page_before_one_call_shuts_out_nothing(path: str):
    async with world() as bybit_world:
        bybit_world.place("linear:USDT")
        bybit_world.answer(path, 403, PAGE_403)
        bybit_world.venue.link.clock.is_stale = True
        with suppress(VenueRefused):
            await bybit_world.relist()
            await bybit_world.adapter.check()
        await bybit_world.adapter.open_orders(ALL, pages_max=1)
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert not any(isinstance(r.error, VenueBanned) for r in receipts)
        assert bybit_world.open() == {}
        assert bybit_world.venue.banned_until is None


@pytest.mark.parametrize("path", [LISTS, TIME])
async def test_a_ban_in_bybits_own_words_is_a_ban_for_every_host(path: str):
    async with world() as bybit_world:
        bybit_world.answer(path, 403, TOO_FREQUENT)
        bybit_world.venue.link.clock.is_stale = True
        with suppress(VenueBanned):
            await bybit_world.relist()
            await bybit_world.adapter.check()
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert {type(r.error) for r in receipts} == {VenueBanned}
        assert bybit_world.venue.link.gate.banned_until is not None


async def test_a_ban_without_words_is_found_by_asking_the_time_once_and_shuts_this_host_alone():
    async with world() as bybit_world:
        bybit_world.answer("/", 403, PAGE_403)
        reading = await bybit_world.adapter.open_orders(ALL, pages_max=1)
        assert {type(u.error) for u in reading.unread} == {VenueBanned}
        link = bybit_world.venue.link
        assert link.banned_until == bybit_world.venue.banned_until
        assert link.gate.banned_until is None
        assert link.banned_until is not None
        left_s = (link.banned_until - datetime.now(UTC)).total_seconds()
        assert left_s == pytest.approx(600, abs=5)


async def test_the_time_is_asked_once_for_all_calls_that_are_forbidden():
    async with world() as bybit_world:
        asked: list[str] = []

        def counted(request: Request, now: float) -> Answer:
            asked.append(request.path)
            return spoilt(request, now)

        bybit_world.answer("/", 403, PAGE_403)
        spoilt = bybit_world.simulated.answer
        bybit_world.simulated.answer = counted  # type: ignore[method-assign]
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert {type(r.error) for r in receipts} == {VenueBanned}
        assert asked.count(TIME) == 1
        await bybit_world.adapter.cancel_all(ALL)
        assert asked.count(TIME) == 1


async def test_a_ban_without_words_is_found_by_public_calls_too():
    async with world() as bybit_world:
        bybit_world.answer("/", 403, PAGE_403)
        with pytest.raises(VenueError):
            await bybit_world.relist()
        assert bybit_world.venue.banned_until is not None


async def test_a_forbidden_clock_is_no_ban_while_other_calls_are_answered():
    async with world() as bybit_world:
        bybit_world.place("linear:USDT")
        bybit_world.answer("/v5/rfq", 403, PAGE_403)
        bybit_world.answer(TIME, 403, PAGE_403)
        for _ in range(2):
            await bybit_world.adapter.cancel_all(ALL)
            await bybit_world.adapter.open_orders(ALL, pages_max=1)
        assert bybit_world.venue.banned_until is None
        assert bybit_world.open() == {}


async def test_a_clock_that_hangs_holds_nobody_up_for_long():
    async with world() as bybit_world:
        bybit_world.answer("/v5/order", 403, PAGE_403)
        bybit_world.fail(Wrong.HANG, TIME)
        began = time.monotonic()
        await bybit_world.adapter.cancel_all(ALL)
        reading = await bybit_world.adapter.open_orders(ALL, pages_max=1)
        assert time.monotonic() - began < 6
        assert Forbidden in {type(u.error) for u in reading.unread}


async def test_whoever_waits_for_room_is_not_sent_once_the_host_is_shut():
    async with world() as bybit_world:
        link, gate = bybit_world.venue.link, bybit_world.venue.link.gate
        await bybit_world.adapter.check()
        calls = len(bybit_world.simulated.log)
        gate.throttled(bybit.ADDRESS, 0.5)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(bybit_world.adapter.cancel_all(ALL))
            await asyncio.sleep(0.1)
            link.shut(datetime.now(UTC) + timedelta(minutes=10))
        assert {type(receipt.error) for receipt in waiting.result()} == {VenueBanned}
        assert len(bybit_world.simulated.log) == calls


async def test_a_clock_that_tells_nothing_leaves_a_forbidden_call_forbidden():
    async with world() as bybit_world:
        bybit_world.answer(REALTIME, 403, PAGE_403)
        bybit_world.fail(Wrong.SERVER, TIME)
        reading = await bybit_world.adapter.open_orders(Scope(symbols=("BTCUSDT",)), pages_max=1)
        assert {type(u.error) for u in reading.unread} == {Forbidden}
        assert bybit_world.venue.banned_until is None


async def test_a_clock_that_says_banned_is_believed():
    async with world() as bybit_world:
        bybit_world.answer(REALTIME, 403, PAGE_403)
        bybit_world.answer(TIME, 403, TOO_FREQUENT)
        reading = await bybit_world.adapter.open_orders(ALL, pages_max=1)
        assert VenueBanned in {type(u.error) for u in reading.unread}
        assert bybit_world.venue.link.gate.banned_until is not None


def test_a_forbidden_call_may_be_tried_again_and_says_what_to_look_at():
    error = failure(PAGE_403, 403)
    assert isinstance(error, VenueRefused)
    assert error.retryable
    assert (error.user_message, error.venue_code) == (
        "the call is forbidden to our address",
        "HTTP 403",
    )
    assert error.remedy.startswith("See what stands between us and Bybit")


async def test_many_at_once_learn_the_same():
    async with world() as bybit_world:
        bybit_world.answer("/v5/user/query-api", 403, PAGE_403)

        async def meet() -> None:
            with pytest.raises(Forbidden):
                await bybit_world.adapter.check()

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(meet())
        assert len(bybit_world.sent(TIME)) == 2  # At the start, and for all of them.
