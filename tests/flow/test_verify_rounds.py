"""The venue loop: when another round is due, what it names, and how failing rounds slow down."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.contract import (
    Scope,
    VenueBanned,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
)
from bot.domain.event import EventKind
from bot.domain.limits import Limits
from bot.flow import verify
from bot.flow.verify import Pursuit, Sight
from tests.fakes import clock as clocks
from tests.fakes.venue import Book, FakeAdapter, order

LOST = VenueOutcomeUnknown(user_message="no answer")
UNREACHED = VenueNotReached(user_message="no route")


def pursue(
    make: object, *, until_s: float = 29.0, verdict_s: float = 30.0, sight: Sight | None = None
) -> tuple[Sight, Book, list[EventKind]]:
    """Pursue a book for a while; return what was seen, the book, and what was told."""

    async def main() -> tuple[Sight, Book, list[EventKind]]:
        book = Book(clock=clocks.VirtualClock())
        make(book)  # type: ignore[operator]
        told: list[EventKind] = []
        pursuit = Pursuit(
            adapter=FakeAdapter(book),
            scope=Scope(),
            clock=book.clock,
            limits=Limits(),
            verdict_at=verdict_s,
            tell=lambda kind, _: told.append(kind),
            sight=sight or Sight(),
        )
        try:
            async with asyncio.timeout(until_s):
                await verify.until_flat(pursuit)
        except TimeoutError:
            pass
        return pursuit.sight, book, told

    return clocks.run(main())


def calls(book: Book, name: str) -> list[float]:
    return [at for at, each in book.log if each == name]


def _unacknowledged(book: Book) -> None:
    book.cancel_error = lambda _: LOST


def _capped(book: Book) -> None:
    book.capped = lambda _: True


def _joined_by_younger(book: Book) -> None:
    def place(number: int) -> None:
        born = book.clock.now() + timedelta(milliseconds=1)
        young = [order("young", created=born)] if number < 20 else []
        book.orders = [o for o in book.orders if o.order_id != "young"] + young

    book.on_read = place


@pytest.mark.parametrize("hides", [_unacknowledged, _capped, _joined_by_younger])
@pytest.mark.parametrize("verdict_s", [30.0, 0.0], ids=["racing", "chasing"])
def test_order_that_stays_is_cancelled_by_id_whatever_else_brings_rounds(hides, verdict_s):
    def stays(book: Book) -> None:
        book.orders = [order("old", created=clocks.EPOCH - timedelta(hours=1))]
        book.stuck = {"old"}
        book.is_by_id_heard = True
        hides(book)

    sight, book, _ = pursue(stays, until_s=20, verdict_s=verdict_s)
    assert "old" in book.cancelled_ids
    assert "old" not in sight.left


def test_order_of_a_class_that_cannot_be_read_has_not_gone():
    """Every second reading fails: that must not look like orders going."""

    def flickers(book: Book) -> None:
        book.orders = [order("old")]
        book.stuck = {"old"}
        book.is_by_id_heard = True
        book.cancel_error = lambda _: LOST
        book.read_error = lambda n: LOST if n % 2 == 0 else None

    _, book, _ = pursue(flickers, until_s=10)
    assert "old" in book.cancelled_ids


def test_order_last_seen_before_its_class_went_dark_is_cancelled_by_id():
    def goes_dark(book: Book) -> None:
        book.orders = [order("old")]
        book.stuck = {"old"}
        book.is_by_id_heard = True
        book.cancel_error = lambda _: LOST
        book.read_error = lambda n: LOST if n > 1 else None

    _, book, _ = pursue(goes_dark, until_s=10)
    assert book.orders == []


def test_order_that_just_came_is_not_yet_stuck():
    """However long the book was empty while cancels failed."""

    def comes_late(book: Book) -> None:
        book.cancel_error = lambda _: LOST
        book.read_error = lambda _: LOST if book.clock.monotonic() < 5 else None

        def place(_: int) -> None:
            if book.clock.monotonic() >= 5 and not book.orders:
                book.orders = [order("late")]
                book.stuck = {"late"}

        book.on_read = place

    _, book, _ = pursue(comes_late, until_s=15)
    seen = next(at for at in calls(book, "open_orders") if at >= 5)
    assert [at for at in calls(book, "cancel_all") if seen < at < seen + 2]
    assert calls(book, "cancel_orders")[0] >= seen + 2


def _banned(book: Book, until_s: float) -> None:
    """Shut our address out from the start, at no cost of time: our own gate says so."""
    book.orders = [order("1")]
    book.call_s = 0.0
    until = clocks.EPOCH + timedelta(seconds=until_s)
    error = VenueBanned(user_message="BANNED", until=until)

    def ban(_: int) -> VenueError | None:
        return None if book.clock.monotonic() >= until_s else error

    book.cancel_error = book.read_error = ban


@pytest.mark.parametrize("verdict_s", [30.0, 8.0])
def test_ban_is_waited_out_and_the_round_after_it_makes_flat(verdict_s):
    sight, book, _ = pursue(lambda b: _banned(b, 24.0), until_s=40, verdict_s=verdict_s)
    assert sight.flat_at is not None
    assert 24.0 <= sight.flat_at < 36.0
    assert book.orders == []
    assert len([at for at in calls(book, "cancel_all") if at < 24.0]) == 1
    assert len([at for at in calls(book, "open_orders") if at < 24.0]) == 1
    assert sight.rounds == 1  # Those that our gate kept back are none.


def test_round_after_a_ban_comes_as_soon_as_it_ends():
    sight, _, _ = pursue(lambda b: _banned(b, 12.0), until_s=20)
    assert sight.flat_at is not None
    assert sight.flat_at < 14.0


def test_rounds_that_fail_at_once_come_slower_and_slower_and_never_end():
    def unreachable(book: Book) -> None:
        book.orders = [order("1")]
        book.call_s = 0.0

        def down(_: int) -> VenueError | None:
            return UNREACHED if book.clock.monotonic() < 300 else None

        book.cancel_error = book.read_error = down

    sight, book, _ = pursue(unreachable, until_s=400)
    rounds = calls(book, "cancel_all")
    assert len([at for at in rounds if at < 30]) <= 20
    assert len([at for at in rounds if at < 300]) <= 80
    assert sight.flat_at is not None
    assert 300 <= sight.flat_at < 312
    assert sight.rounds == 1


def test_reading_follows_an_acknowledged_round_at_once_again():
    def heals(book: Book) -> None:
        book.orders = [order("1")]
        book.cancel_error = lambda n: LOST if n < 6 else None

    _, book, _ = pursue(heals)
    names = [name for _, name in book.log]
    last = max(place for place, name in enumerate(names) if name.startswith("cancel"))
    (cancelled, _), (read, name) = book.log[last : last + 2]
    assert name == "open_orders"
    assert round(read - cancelled - book.call_s, 6) == 0


def test_orders_out_of_scope_that_fill_the_first_page_do_not_delay_flat():
    def crowded(book: Book) -> None:
        book.orders = [order("1")]
        book.others = 60

    sight, book, _ = pursue(crowded, until_s=60)
    assert sight.flat_at is not None
    assert sight.flat_at < 1.5
    assert len([at for at in calls(book, "open_orders") if at >= sight.flat_at]) == 5


def test_no_round_falls_between_two_clean_readings():
    """A capped receipt asks for a round; a clean reading says that nothing is there to cancel."""
    sight, book, _ = pursue(_capped, until_s=5)
    assert sight.is_flat
    assert book.rounds == 1
    assert sight.flat_at is not None
    assert sight.flat_at < 1.0


def test_round_is_told_before_its_first_byte():
    def hangs(book: Book) -> None:
        book.slow["cancel_all"] = 3600.0

    sight, _, told = pursue(hangs, until_s=1)
    assert told == [EventKind.ROUND_BEGAN]
    assert sight.is_sent
    assert sight.rounds == 1


def test_failed_reading_of_a_flat_that_was_found_so_sends_nothing():
    """After a restart a FLAT is read again: only orders bring a round."""
    before = Sight(is_flat=True, flat_at=0.0, is_sent=True, rounds=1)

    def fails(book: Book) -> None:
        book.read_error = lambda n: LOST if n < 4 else None

    sight, book, _ = pursue(fails, until_s=60, sight=replace(before))
    assert book.rounds == 0
    assert sight.is_flat
    assert sight.checks == 5


def test_orders_found_after_a_flat_that_was_found_so_bring_a_round_at_once():
    before = Sight(is_flat=True, flat_at=0.0, is_sent=True, rounds=1)
    sight, book, _ = pursue(lambda b: b.orders.append(order("ghost")), until_s=60, sight=before)
    assert book.rounds == 1
    assert sight.came_back == 1
    assert sight.is_flat
    assert book.orders == []
