"""Budgets: the venue never counts more than its limit, and runs go first."""

import math
import random
from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Priority
from adapters.pacing import ClockOffset, Pacer, Window

TEN = Window(name="ten", calls=10, per_s=1.0)
ONE = Window(name="one", calls=1, per_s=1.0)
HOST = Window(name="host", calls=600, per_s=5.0)


def taken(pacer: Pacer, window: Window, priority: Priority, *, now: float = 0.0) -> int:
    """Send until the pacer says wait."""
    sent = 0
    while pacer.wait_s(now, [window], priority) == 0.0:
        pacer.sent([window])
        sent += 1
    return sent


def test_a_budget_is_eighty_percent_of_the_documented_limit():
    assert taken(Pacer(), TEN, Priority.CANCEL) == 8
    assert taken(Pacer(), HOST, Priority.CANCEL) == 480


def test_thirty_percent_of_a_budget_is_kept_for_runs():
    pacer = Pacer()
    assert taken(pacer, TEN, Priority.OTHER) == 5
    assert taken(pacer, TEN, Priority.CANCEL) == 3


@pytest.mark.parametrize(
    ("kept", "readings", "others"), [(0, 8, 5), (2, 6, 5), (4, 4, 4), (7, 4, 4)]
)
def test_what_is_kept_for_cancels_nothing_else_takes(kept: int, readings: int, others: int):
    window = replace(TEN, kept=kept)
    assert taken(Pacer(), window, Priority.OTHER) == others
    pacer = Pacer()
    assert taken(pacer, window, Priority.READING) == readings
    assert taken(pacer, window, Priority.CANCEL) == 8 - readings


def test_one_call_a_second_is_held_to_one_in_1_25_seconds():
    pacer = Pacer()
    ticket = pacer.sent([ONE])
    assert pacer.wait_s(0.0, [ONE], Priority.CANCEL) == math.inf
    pacer.answered(0.2, ticket)
    assert pacer.wait_s(0.2, [ONE], Priority.CANCEL) == pytest.approx(1.25)
    assert pacer.wait_s(1.46, [ONE], Priority.CANCEL) == 0.0


def test_slots_are_counted_from_the_answer_not_from_the_sending():
    pacer = Pacer()
    tickets = [pacer.sent([TEN]) for _ in range(8)]
    assert pacer.wait_s(30.0, [TEN], Priority.CANCEL) == math.inf
    for ticket in tickets:
        pacer.answered(30.0, ticket)
    assert pacer.wait_s(30.5, [TEN], Priority.CANCEL) == pytest.approx(0.5)


def test_a_call_that_is_larger_than_the_budget_leaves_when_the_budget_is_empty():
    pacer = Pacer()
    large = replace(TEN, cost=20)
    assert pacer.wait_s(0.0, [large], Priority.CANCEL) == 0.0
    pacer.answered(0.0, pacer.sent([large]))
    assert pacer.wait_s(0.5, [large], Priority.CANCEL) == pytest.approx(0.5)


def test_a_batch_counts_its_orders_where_the_venue_does_and_as_one_call_elsewhere():
    pacer = Pacer()
    batch = replace(TEN, cost=8)
    pacer.sent([HOST, batch])
    assert pacer.wait_s(0.0, [batch], Priority.CANCEL) == math.inf
    assert taken(pacer, HOST, Priority.CANCEL) == 479


def test_headers_correct_a_budget_as_far_as_they_are_plausible():
    pacer = Pacer()
    pacer.corrected(0.0, TEN, limit=20, remaining=5, reset_after_s=0.0)
    assert taken(pacer, TEN, Priority.CANCEL) == 16
    liar = Pacer()
    liar.corrected(0.0, TEN, limit=10**9, remaining=5, reset_after_s=0.0)
    assert taken(liar, TEN, Priority.CANCEL) == 80
    zero = Pacer()
    zero.corrected(0.0, TEN, limit=0, remaining=1, reset_after_s=0.0)
    assert taken(zero, TEN, Priority.CANCEL) == 8


def test_nothing_remaining_holds_until_the_reset_but_no_longer_than_a_window():
    pacer = Pacer()
    pacer.corrected(0.0, TEN, limit=10, remaining=0, reset_after_s=0.4)
    assert pacer.wait_s(0.1, [TEN], Priority.CANCEL) == pytest.approx(0.3)
    pacer.corrected(0.0, TEN, limit=10, remaining=0, reset_after_s=9999.0)
    assert pacer.wait_s(0.1, [TEN], Priority.CANCEL) == pytest.approx(0.9)


@pytest.mark.parametrize("remaining", [0, 1])
def test_limit_that_is_told_to_be_far_below_the_documented_one_is_not_believed(remaining: int):
    pacer, window = Pacer(), replace(TEN, calls=1000)
    pacer.corrected(0.0, window, limit=99, remaining=remaining, reset_after_s=1.0)
    assert taken(pacer, window, Priority.CANCEL) == 800
    pacer.corrected(9.0, TEN, limit=1, remaining=1, reset_after_s=1.0)
    pacer.sent([TEN])
    assert pacer.wait_s(9.0, [TEN], Priority.CANCEL) > 0.0


def test_throttled_window_waits_as_told():
    pacer = Pacer()
    pacer.throttled(0.0, TEN, 2.5)
    assert pacer.wait_s(1.0, [TEN], Priority.CANCEL) == pytest.approx(1.5)
    assert pacer.wait_s(1.0, [ONE], Priority.CANCEL) == 0.0


def test_a_ban_is_never_shortened():
    pacer = Pacer()
    pacer.banned(0.0, 600.0)
    pacer.banned(1.0, 5.0)
    assert pacer.banned_for_s(100.0) == 500.0
    assert pacer.banned_for_s(601.0) == 0.0


@given(st.integers(min_value=0, max_value=10_000), st.integers(min_value=1, max_value=30))
def test_venue_never_counts_more_than_its_limit(seed: int, limit: int):
    """The venue may count a call at any moment between its sending and its answer."""
    rng = random.Random(seed)
    window = Window(name="w", calls=limit, per_s=1.0)
    pacer, now = Pacer(), 0.0
    counted: list[float] = []
    on_the_way: deque[tuple[float, object]] = deque()
    for _ in range(200):
        now += rng.random() * 0.2
        while on_the_way and on_the_way[0][0] <= now:
            answered_at, ticket = on_the_way.popleft()
            pacer.answered(answered_at, ticket)  # type: ignore[arg-type]
        if pacer.wait_s(now, [window], Priority.CANCEL) <= 0.0:
            slow = rng.random()
            counted.append(now + slow * rng.random())
            on_the_way.append((now + slow, pacer.sent([window])))
            on_the_way = deque(sorted(on_the_way, key=lambda entry: entry[0]))
    counted.sort()
    for index, start in enumerate(counted):
        in_window = [at for at in counted[index:] if at < start + window.per_s]
        assert len(in_window) <= limit


def test_clock_offset_is_measured_at_half_way():
    assert ClockOffset().is_stale
    clock = ClockOffset()
    clock.measured(sent_ms=1000.0, received_ms=1200.0, server_ms=4100.0)
    assert not clock.is_stale
    assert clock.timestamp_ms(2000.0) == 5000


def test_what_others_use_of_a_limit_is_left_to_them_until_its_window_is_over():
    """The venue says that 3 of 10 are left though we have made one call."""
    pacer = Pacer()
    pacer.answered(0.0, pacer.sent([TEN]))
    pacer.corrected(0.0, TEN, limit=10, remaining=3, reset_after_s=0.5)
    tickets = 0
    while pacer.wait_s(0.1, [TEN], Priority.CANCEL) <= 0.0:
        pacer.sent([TEN])
        tickets += 1
    assert tickets == 1  # 8 slots, one taken by us, six by others.
    assert pacer.wait_s(0.1, [TEN], Priority.CANCEL) == pytest.approx(0.4)
    assert pacer.wait_s(0.6, [TEN], Priority.CANCEL) == 0.0


def test_our_own_calls_are_not_taken_for_those_of_others():
    pacer = Pacer()
    for _ in range(4):
        pacer.answered(0.0, pacer.sent([TEN]))
    pacer.corrected(0.0, TEN, limit=10, remaining=6, reset_after_s=1.0)
    assert pacer.wait_s(0.1, [replace(TEN, cost=4)], Priority.CANCEL) == 0.0


def test_a_window_without_time_limits_how_many_calls_are_on_their_way():
    pacer, few = Pacer(), Window(name="at once", calls=2, per_s=0.0)
    ticket = pacer.sent([few])
    assert pacer.wait_s(0.0, [few], Priority.CANCEL) == math.inf
    pacer.answered(5.0, ticket)
    assert pacer.wait_s(5.0, [few], Priority.CANCEL) == 0.0
