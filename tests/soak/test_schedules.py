"""Seeded fault schedules on virtual time: never FLAT on a book that is not empty."""

import asyncio
import itertools
import os
import random
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest

from adapters.contract import (
    Scope,
    VenueAuthRefused,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueThrottled,
)
from bot.domain.event import EventKind
from bot.domain.limits import Limits
from bot.flow import verify
from bot.flow.verify import Pursuit, Sight
from tests.fakes import clock as clocks
from tests.fakes.venue import Book, FakeAdapter, order

ERRORS = (
    VenueOutcomeUnknown(user_message="no answer"),
    VenueThrottled(user_message="too fast", retry_after_s=0.7),
    VenueNotReached(user_message="no route"),
    VenueAuthRefused(user_message="refused"),
)


def schedule(book: Book, rng: random.Random) -> None:
    """Draw what this venue does wrong: errors, slow cancels, orders that come and come back."""
    fails, places = rng.random() * 0.5, rng.random() * 0.3
    until = rng.uniform(0, 40)

    def broken(_: int) -> VenueError | None:
        is_over = book.clock.monotonic() > until
        return None if is_over or rng.random() > fails else rng.choice(ERRORS)

    def place(number: int) -> None:
        if book.clock.monotonic() < until and rng.random() < places:
            born = book.clock.now() + timedelta(milliseconds=1)
            book.orders.append(order(f"new-{number}-{rng.random()}", created=born))
        if rng.random() < 0.2:
            book.stuck.clear()

    book.orders = [order(str(n)) for n in range(rng.randrange(30))]
    book.stuck = {o.order_id for o in book.orders if rng.random() < 0.3}
    book.cancel_error = book.read_error = broken
    book.on_read = place
    book.capped = lambda _: rng.random() < 0.1
    book.call_s = rng.uniform(0.01, 0.4)


async def _play(seed: int) -> None:
    book = Book(clock=clocks.VirtualClock())
    schedule(book, random.Random(seed))
    flats: list[int] = []
    was_flat = False

    def tell(_: EventKind, sight: Sight) -> None:
        nonlocal was_flat
        if sight.is_flat and not was_flat:
            flats.append(len(book.orders))
        was_flat = sight.is_flat

    pursuit = Pursuit(
        adapter=FakeAdapter(book),
        scope=Scope(),
        clock=book.clock,
        limits=Limits(),
        verdict_at=30.0,
        tell=tell,
    )
    async with asyncio.timeout(600):
        await verify.until_flat(pursuit)
    assert book.orders == []
    assert flats
    assert not any(flats), f"FLAT with {flats} orders on the book"


def seeds(told: Mapping[str, str]) -> Iterator[int]:
    """Yield the one seed to replay, or seeds for so many seconds, or so many seeds."""
    if only := told.get("SOAK_SEED"):
        yield int(only)
    elif seconds := told.get("SOAK_SECONDS"):
        end = time.monotonic() + float(seconds)
        yield from itertools.takewhile(lambda _: time.monotonic() < end, itertools.count())
    else:
        yield from range(int(told.get("SOAK_RUNS", "200")))


def test_environment_says_how_long_the_soak_is():
    assert list(seeds({"SOAK_SEED": "7", "SOAK_RUNS": "3"})) == [7]
    assert list(seeds({"SOAK_RUNS": "3"})) == [0, 1, 2]
    began = time.monotonic()
    played = list(seeds({"SOAK_SECONDS": "0.05"}))
    assert 0.05 <= time.monotonic() - began < 5
    assert played == list(range(len(played)))
    assert len(played) > 1000  # Each was yielded at once; a schedule takes longer.


@pytest.mark.soak
def test_no_schedule_earns_a_false_flat():
    """Replay one with SOAK_SEED=n make soak."""
    for seed in seeds(os.environ):
        wrong = _what_is_wrong(seed)
        assert wrong is None, f"SOAK_SEED={seed} make soak: {wrong!r}"


def _what_is_wrong(seed: int) -> Exception | None:
    """Play one schedule; return what it broke."""
    try:
        clocks.run(_play(seed))
    except (AssertionError, TimeoutError) as error:
        return error
    return None
