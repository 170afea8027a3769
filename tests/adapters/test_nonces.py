"""Nonces rise: for each key, over all its calls, across restarts and clocks that were set back."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.gate import Gate
from adapters.nonces import AHEAD_MS, FAR_MS, NONCE_MAX, STRICT_MS, Counter, Nonces
from adapters.pacing import Window
from tests.fakes import clock as clocks

NOW = 1_704_067_200_000


def counter(state_dir: Path | None = None) -> Counter:
    return Nonces().counter("key-1", state_dir)


def settle(series: Counter) -> None:
    Nonces(counters={"key-1": series}).settle()


def test_nonce_is_the_time_or_one_more_than_the_last():
    series = counter()
    assert [series.draw(now) for now in (NOW, NOW, NOW + 5, NOW - 1000)] == [
        NOW,
        NOW + 1,
        NOW + 5,
        NOW + 6,
    ]


@given(st.lists(st.one_of(st.integers(0, 10**6), st.just("refused"), st.just("restart"))))
def test_no_nonce_is_ever_drawn_twice_or_below_another(steps: list[int | str]):
    """Whatever the clock does, whatever is refused, and whenever the process dies."""
    series, drawn = counter(), [0]
    for step in steps:
        if step == "refused":
            series.refused(drawn[-1])
        elif step == "restart":
            series = Counter(path=None, last=series.reserved, reserved=series.reserved)
        else:
            drawn.append(series.draw(NOW + int(step)))
    assert drawn == sorted(set(drawn))


def test_restart_goes_on_above_every_nonce_that_was_drawn(tmp_path: Path):
    before = counter(tmp_path)
    drawn = [before.draw(NOW + step) for step in (0, 30_000, AHEAD_MS, AHEAD_MS + 1)]
    settle(before)
    after = counter(tmp_path)
    assert after.draw(NOW) > drawn[-1]
    assert after.draw(NOW + 10 * AHEAD_MS) == NOW + 10 * AHEAD_MS


def test_one_write_serves_a_minute_of_nonces(tmp_path: Path):
    series = counter(tmp_path)
    file = tmp_path / "nonce-key-1.json"
    series.draw(NOW)
    settle(series)
    assert json.loads(file.read_bytes()) == {"reserved": NOW + 60_000}
    file.unlink()
    for step in range(0, 60_001, 500):
        series.draw(NOW + step)
    settle(series)
    assert not file.exists()
    series.draw(NOW + 60_001)
    settle(series)
    assert json.loads(file.read_bytes()) == {"reserved": NOW + 120_001}


def test_key_without_a_state_dir_still_rises():
    series = counter(None)
    assert series.draw(NOW) < series.draw(NOW)


def test_disk_that_refuses_stops_no_cancel(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    series = counter(tmp_path / "gone")
    with caplog.at_level(logging.WARNING):
        assert series.draw(NOW) == NOW
        settle(series)
    assert [record.message for record in caplog.records] == ["nonce.unkept"]


def test_no_draw_waits_for_a_disk_that_stalls(tmp_path: Path):
    series, disk = counter(tmp_path), threading.Event()
    series.writer.submit(disk.wait, 10.0)  # What the disk has not written yet.
    assert series.draw(NOW) == NOW
    assert list(tmp_path.iterdir()) == []
    disk.set()
    settle(series)
    assert [file.name for file in tmp_path.iterdir()] == ["nonce-key-1.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"reserved": "7"}', '{"reserved": -1}', "{}", '{"reserved": 1e3}',
     f'{{"reserved": {2**53}}}', '{"reserved": true}', '{"reserved": 7, "more": 1}'],
)  # fmt: skip
def test_broken_file_is_told_and_ignored(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "nonce-key-1.json").write_text(text)
    with caplog.at_level(logging.WARNING):
        assert counter(tmp_path).draw(NOW) == NOW
    assert [record.message for record in caplog.records] == ["nonce.unreadable"]


def test_missing_file_is_no_news(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert counter(tmp_path).draw(NOW) == NOW
    assert caplog.records == []


def test_all_hosts_of_a_venue_share_the_counter_of_a_key(tmp_path: Path):
    gate = Gate(Window(name="address", calls=1, per_s=1.0))
    assert gate.nonces.counter("key-1", tmp_path) is gate.nonces.counter("key-1", tmp_path)
    assert gate.nonces.counter("key-1", tmp_path) is not gate.nonces.counter("key-2", tmp_path)


def test_refused_nonce_makes_the_series_jump_further_each_time():
    series = counter()
    last = series.draw(NOW)
    jumps = []
    for _ in range(9):
        series.refused(last)
        jumps.append(series.draw(NOW) - last)
        last += jumps[-1]
    assert jumps == [
        each + 1 for each in (1000, 2000, 4000, 8000, 16000, 32000, 64000, 128_000, 256_000)
    ]


def test_no_jump_is_longer_than_eighteen_hours_and_a_bit():
    series, last = counter(), 0
    for _ in range(30):
        last = series.draw(NOW)
        series.refused(last)
    assert series.draw(NOW) - last == 65_536_001


def test_accepted_nonce_makes_the_next_jump_small_again():
    series = counter()
    series.refused(series.draw(NOW))
    series.refused(series.draw(NOW))
    series.accepted()
    last = series.draw(NOW)
    series.refused(last)
    assert series.draw(NOW) == last + 1001


def test_calls_refused_together_jump_once():
    series = counter()
    drawn = [series.draw(NOW) for _ in range(5)]
    for nonce in drawn:
        series.refused(nonce)
    assert series.draw(NOW) == NOW + 1001


def test_nonce_stays_what_json_can_carry():
    series = Counter(path=None, last=NONCE_MAX - 1)
    assert series.draw(NONCE_MAX - 10) == NONCE_MAX == 2**53 - 1
    assert series.draw(NONCE_MAX - 10) == NONCE_MAX


@pytest.mark.parametrize("reserved", [NONCE_MAX, NOW + FAR_MS + 1])
def test_file_with_a_number_nobody_drew_is_told_and_ignored(
    tmp_path: Path, reserved: int, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "nonce-key-1.json").write_text(json.dumps({"reserved": reserved}))
    series = counter(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert [series.draw(NOW), series.draw(NOW)] == [NOW, NOW + 1]
    assert [record.message for record in caplog.records] == ["nonce.unreadable"]
    settle(series)
    assert json.loads((tmp_path / "nonce-key-1.json").read_bytes()) == {"reserved": NOW + 60_000}


async def answered_in_order(series: Counter, answer_s: float) -> list[tuple[str, int, float]]:
    """Make three calls at once; return when each was sent and answered."""
    seen: list[tuple[str, int, float]] = []
    loop = asyncio.get_running_loop()

    async def call() -> None:
        with series.turn() as turn:
            nonce = await turn.draw(lambda: NOW)
            seen.append(("sent", nonce - NOW, loop.time()))
            await asyncio.sleep(answer_s)
            seen.append(("answered", nonce - NOW, loop.time()))

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(call())
    return seen


def test_calls_of_a_key_go_side_by_side_until_a_nonce_is_refused():
    seen = clocks.run(answered_in_order(counter(), 0.1))
    assert seen[:3] == [("sent", 0, 0.0), ("sent", 1, 0.0), ("sent", 2, 0.0)]


def test_calls_of_a_key_take_turns_once_a_nonce_was_refused():
    series = counter()
    series.strict_until_ms = math.inf
    assert clocks.run(answered_in_order(series, 0.25)) == [
        ("sent", 0, 0.0),
        ("answered", 0, 0.25),
        ("sent", 1, 0.25),
        ("answered", 1, 0.5),
        ("sent", 2, 0.5),
        ("answered", 2, 0.75),
    ]


def test_call_without_an_answer_keeps_the_others_for_a_second_however_many_they_are():
    series = counter()
    series.strict_until_ms = math.inf
    seen = clocks.run(answered_in_order(series, 5.0))
    assert [(nonce, at) for what, nonce, at in seen if what == "sent"] == [(0, 0), (1, 1), (2, 1)]
    assert not series.lock.locked()


def test_call_that_is_given_up_while_it_waits_its_turn_hinders_nobody():
    series = counter()
    series.strict_until_ms = math.inf

    async def main() -> int:
        with series.turn() as first:
            await first.draw(lambda: NOW)
            with series.turn() as second, pytest.raises(TimeoutError):
                await asyncio.wait_for(second.draw(lambda: NOW), 0.5)
        with series.turn() as third:
            return await third.draw(lambda: NOW)

    assert clocks.run(main()) == NOW + 1
    assert not series.lock.locked()


def test_calls_go_side_by_side_again_some_minutes_after_the_last_refusal():
    series = counter()
    series.refused(series.draw(NOW - STRICT_MS + 1))
    assert clocks.run(answered_in_order(series, 0.1))[1][0] == "answered"
    series = counter()
    series.refused(series.draw(NOW - STRICT_MS))
    assert [what for what, _, _ in clocks.run(answered_in_order(series, 0.1))[:3]] == ["sent"] * 3
