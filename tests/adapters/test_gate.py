"""Who leaves when: order, room, bans and givers-up, on virtual time."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from adapters.contract import Priority, VenueBanned, VenueNotReached
from adapters.gate import Call, Gate
from adapters.pacing import Window
from tests.fakes import clock

MUCH = Window(name="address", calls=1000, per_s=1.0)
ONE = Window(name="one", calls=1, per_s=60.0)
KEY = Window(name="key", calls=1, per_s=0.02)


def call(name: str = "read", *windows: Window, priority: Priority = Priority.READING) -> Call:
    return Call(name=name, windows=windows, priority=priority)


def now() -> float:
    return asyncio.get_running_loop().time()


async def pass_through(gate: Gate, leaving: Call, order: list[str], *, answer_s: float = 0) -> None:
    async with gate.passage(leaving):
        order.append(leaving.name)
        await asyncio.sleep(answer_s)


def test_a_call_without_room_in_time_is_given_up_unsent():
    async def main() -> None:
        gate = Gate(MUCH, wait_s=30.0)
        await pass_through(gate, call("first", ONE), [])
        order: list[str] = []
        with pytest.raises(VenueNotReached, match="no room in time"):
            await pass_through(gate, call("second", ONE), order)
        assert (now(), order) == (30.0, [])

    clock.run(main())


def test_cancels_leave_before_readings_and_readings_before_the_rest():
    async def main() -> None:
        gate = Gate(MUCH)
        order: list[str] = []
        async with asyncio.TaskGroup() as group:
            for name, priority in (
                ("first", Priority.OTHER),
                ("look", Priority.OTHER),
                ("reading", Priority.READING),
                ("cancel", Priority.CANCEL),
            ):
                leaving = call(name, KEY, priority=priority)
                group.create_task(pass_through(gate, leaving, order, answer_s=0.1))
        assert order == ["cancel", "reading", "first", "look"]

    clock.run(main())


def test_equals_leave_in_the_order_of_their_coming():
    async def main() -> None:
        gate = Gate(MUCH)
        order: list[str] = []
        async with asyncio.TaskGroup() as group:
            for number in range(9):
                group.create_task(pass_through(gate, call(str(number), KEY), order))
        assert order == [str(number) for number in range(9)]

    clock.run(main())


def test_the_address_is_counted_for_every_call():
    async def main() -> None:
        gate = Gate(Window(name="address", calls=10, per_s=5.0))
        order: list[str] = []
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(pass_through(gate, call(str(number)), order))
            await asyncio.sleep(4.9)
            assert len(order) == 8
        assert now() == 10.0

    clock.run(main())


def test_a_batch_is_one_call_to_the_address():
    async def main() -> None:
        gate = Gate(Window(name="address", calls=10, per_s=5.0))
        order: list[str] = []
        for number in range(8):
            batch = Window(name=f"key {number}", calls=10, per_s=1.0, cost=8)
            await pass_through(gate, call(str(number), batch), order)
        assert (len(order), now()) == (8, 0.0)

    clock.run(main())


def test_a_ban_refuses_whoever_waits_and_whoever_comes():
    async def main() -> None:
        gate = Gate(MUCH)
        await pass_through(gate, call("first", ONE), [])
        until = datetime.now(UTC) + timedelta(minutes=10)
        assert gate.banned_until is None
        asyncio.get_running_loop().call_later(1.0, partial(gate.banned, until, for_s=600.0))
        with pytest.raises(VenueBanned, match="BANNED until"):
            await pass_through(gate, call("waits", ONE), [])
        assert now() == 1.0
        with pytest.raises(VenueBanned):
            await pass_through(gate, call(priority=Priority.CANCEL), [])
        gate.banned(until - timedelta(minutes=9), for_s=60.0)
        assert gate.banned_until == until
        await asyncio.sleep(601)
        assert gate.banned_until is None
        await pass_through(gate, call(), [])

    clock.run(main())


def test_whoever_goes_away_gives_its_place_back():
    async def main() -> None:
        gate = Gate(MUCH)
        order: list[str] = []
        await pass_through(gate, call("first", KEY), order)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await pass_through(gate, call("gone", KEY), order)
        await pass_through(gate, call("next", KEY), order)
        assert order == ["first", "next"]
        assert now() == pytest.approx(0.025)

    clock.run(main())


def test_a_ticket_that_came_too_late_gives_its_slots_back():
    """Admitted, and given up in the same turn of the loop."""

    async def main() -> None:
        gate = Gate(MUCH)
        order: list[str] = []
        await pass_through(gate, call("first", KEY), order)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(0.025 + 1e-10):
                await pass_through(gate, call("late", KEY), order)
        await pass_through(gate, call("next", KEY), order)
        assert order == ["first", "next"]

    clock.run(main())


def test_a_held_window_waits_as_long_as_the_venue_says():
    async def main() -> None:
        gate = Gate(MUCH)
        gate.throttled(KEY, 2.5)
        await pass_through(gate, call("first", KEY), [])
        assert now() == 2.5
        gate.corrected(KEY, limit=20, remaining=9, reset_after_s=0.0)
        for _ in range(7):
            await pass_through(gate, call("more", KEY), [])
        assert now() == 2.5

    clock.run(main())


def test_whoever_waits_for_its_own_window_delays_nobody_once_the_address_is_free_again():
    async def main() -> None:
        gate = Gate(Window(name="address", calls=5, per_s=5.0))
        slow = Window(name="slow", calls=1, per_s=20.0)
        order: list[str] = []
        async with asyncio.TaskGroup() as group:
            for name in ("slow", "a", "b", "c"):  # All that the address allows in five seconds.
                window = slow if name == "slow" else Window(name=name, calls=10, per_s=1.0)
                group.create_task(pass_through(gate, call(name, window), order))
            await asyncio.sleep(0.01)
            group.create_task(pass_through(gate, call("slow again", slow), order))
            last = group.create_task(pass_through(gate, call("last", MUCH), order))
            await last
            assert now() == pytest.approx(5.0, abs=0.1)
        assert order[-1] == "slow again"

    clock.run(main())


def test_ticket_that_comes_to_somebody_who_has_just_gone_is_given_back():
    async def main() -> None:
        gate = Gate(MUCH)
        only = Window(name="only", calls=1, per_s=1.0)
        async with asyncio.TaskGroup() as group:
            gone = group.create_task(pass_through(gate, call("gone", only), []))
            await asyncio.sleep(0)  # It waits.
            await asyncio.sleep(0)  # The gate has let it go; it does not know yet.
            gone.cancel()
        order: list[str] = []
        await pass_through(gate, call("next", only), order)
        assert order == ["next"]
        assert gone.cancelled()
        assert now() < 3.0

    clock.run(main())


def cpu_s(accounts: int) -> float:
    """CPU seconds until every call of so many accounts has left, 17 endpoint classes each."""

    async def main() -> float:
        gate = Gate(Window(name="address", calls=600, per_s=5.0), wait_s=600.0)
        began = time.process_time()
        async with asyncio.TaskGroup() as group:
            for number in range(accounts * 17):
                window = Window(name=f"key {number}", calls=10, per_s=1.0)
                group.create_task(pass_through(gate, call("x", window), [], answer_s=0.05))
        return time.process_time() - began

    return clock.run(main())


def least_cpu_s(accounts: int) -> float:
    """The least of three: what else the machine does can only add."""
    return min(cpu_s(accounts) for _ in range(3))


@pytest.mark.soak
def test_four_times_the_accounts_cost_about_four_times_the_work():
    """Looking at every waiter at every answer cost 70 times as much for three times as many."""
    assert least_cpu_s(400) / least_cpu_s(100) < 12


def test_what_the_address_does_not_count_waits_behind_nobody_who_is_counted():
    async def main() -> None:
        gate = Gate(Window(name="address", calls=1, per_s=60.0), wait_s=100.0)
        order: list[str] = []
        await pass_through(gate, call("first"), order)
        async with asyncio.TaskGroup() as group:
            counted = call("counted", priority=Priority.CANCEL)
            group.create_task(pass_through(gate, counted, order))
            await asyncio.sleep(0.01)
            free = replace(call("free"), address_cost=0)
            await pass_through(gate, free, order)
            assert (order, now() < 1.0) == (["first", "free"], True)
        assert order == ["first", "free", "counted"]

    clock.run(main())


def test_an_address_is_charged_what_a_call_costs_and_nothing_for_what_it_does_not_count():
    async def main() -> None:
        gate = Gate(Window(name="address", calls=10, per_s=60.0), wait_s=100.0)
        order: list[str] = []
        dear = replace(call("dear"), address_cost=8)
        await pass_through(gate, dear, order)
        free = replace(call("free"), address_cost=0)
        await pass_through(gate, free, order)
        assert (order, now()) == (["dear", "free"], 0.0)
        await pass_through(gate, replace(call("cheap"), address_cost=1), order)
        assert (order, now()) == (["dear", "free", "cheap"], 60.0)

    clock.run(main())
