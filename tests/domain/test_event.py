"""Canonical JSON and the chain."""

import pytest

from bot.domain import event as events
from bot.domain.event import Event, EventKind
from tests.fakes.clock import EPOCH

FIRST = Event(
    kind=EventKind.RUN_STARTED, request_id="K7Q2M", at=EPOCH, facts={"b": 1, "a": "grün", "c": None}
)


def test_an_event_has_one_text():
    assert (
        events.body(FIRST)
        == (
            '{"at":"2026-11-21T03:00:00+00:00","facts":{"a":"grün","b":1,"c":null},'
            '"kind":"run.started","request_id":"K7Q2M"}'
        ).encode()
    )


def test_the_first_hash_is_the_known_one():
    """Pinned: another hash means that every chain out there would seem broken."""
    assert events.chain(events.GENESIS, events.body(FIRST)) == (
        "41b04ac9db484e3b1ced82b701989f8521d80c61903f58d69e21b92727d277e5"
    )


def test_an_unbroken_chain_has_no_break():
    rows, previous = [], events.GENESIS
    for number in range(4):
        text = events.canonical({"n": number})
        previous = events.chain(previous, text)
        rows.append((text, previous))
    assert events.first_break(rows) is None
    assert events.first_break([]) is None


@pytest.mark.parametrize("index", [0, 1, 3])
def test_a_changed_event_breaks_the_chain_where_it_was_changed(index: int):
    rows, previous = [], events.GENESIS
    for number in range(4):
        text = events.canonical({"n": number})
        previous = events.chain(previous, text)
        rows.append((text, previous))
    rows[index] = (b'{"n":99}', rows[index][1])
    assert events.first_break(rows) == index


def test_a_removed_event_breaks_the_chain():
    rows, previous = [], events.GENESIS
    for number in range(3):
        text = events.canonical({"n": number})
        previous = events.chain(previous, text)
        rows.append((text, previous))
    assert events.first_break([rows[0], rows[2]]) == 1


def test_a_number_that_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="Out of range float"):
        events.canonical({"seconds": float("nan")})
