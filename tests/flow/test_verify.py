"""The venue loop: rounds, readings, and when a target is FLAT."""

import itertools
from datetime import timedelta

import pytest

from adapters.contract import (
    Scope,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueThrottled,
)
from bot.domain.event import EventKind
from bot.domain.limits import Limits
from bot.flow import verify
from bot.flow.verify import Because, Pursuit, Sight
from tests.fakes import clock as clocks
from tests.fakes.venue import Book, FakeAdapter, order


def hidden(message: str = "no answer") -> VenueError:
    return VenueOutcomeUnknown(user_message=message)


async def _pursue(book: Book, *, limits: Limits | None = None, until_s: float = 29.0) -> Sight:
    """Pursue the book for a while and return what was seen."""
    import asyncio

    clock = clocks.VirtualClock()
    told: list[EventKind] = []
    pursuit = Pursuit(
        adapter=FakeAdapter(book),
        scope=Scope(),
        clock=clock,
        limits=limits or Limits(),
        verdict_at=clock.monotonic() + 30.0,
        tell=lambda kind, _: told.append(kind),
    )
    try:
        async with asyncio.timeout(until_s):
            await verify.until_flat(pursuit)
    except TimeoutError:
        pass
    assert told.count(EventKind.READING_TAKEN) in {book.readings, book.readings - 1}
    return pursuit.sight


def pursue(make: object, **more: object) -> tuple[Sight, Book]:
    async def main() -> tuple[Sight, Book]:
        book = Book(clock=clocks.VirtualClock())
        make(book)  # type: ignore[operator]
        return await _pursue(book, **more), book  # type: ignore[arg-type]

    return clocks.run(main())


def test_two_clean_readings_make_flat_and_five_more_follow():
    sight, book = pursue(lambda b: b.orders.extend([order("1"), order("2")]), until_s=60)
    assert sight.is_flat
    assert sight.flat_at is not None
    assert book.rounds == 1
    assert book.readings == 2 + 5
    reads = [at for at, name in book.log if name == "open_orders"]
    assert round(reads[1] - reads[0], 3) == 0.55
    assert [round(at - sight.flat_at, 1) for at in reads[2:]] == [2.0, 5.0, 10.0, 20.0, 30.0]


def test_one_clean_reading_is_not_flat():
    """A venue that forgets to show an order once must not earn a FLAT."""

    def lie(book: Book) -> None:
        book.orders.append(order("1"))
        book.stuck.add("1")
        kept = list(book.orders)

        def show(n: int) -> None:
            book.orders = [] if n in {1, 3, 5, 7} else list(kept)

        book.on_read = show

    sight, _ = pursue(lie)
    assert not sight.is_flat
    assert sight.flat_at is None
    assert sight.came_back == 0  # Nor must it have been FLAT in between.


def test_second_clean_reading_waits_for_the_venues_reread_time():
    sight, book = pursue(lambda b: None, until_s=1.0)
    reads = [at for at, name in book.log if name == "open_orders"]
    assert sight.is_flat
    assert round(reads[1] - reads[0], 3) == 0.55


def test_reading_that_could_not_read_a_class_starts_the_count_again():
    def fails_second(book: Book) -> None:
        book.read_error = lambda n: hidden() if n == 2 else None

    sight, book = pursue(fails_second, until_s=5)
    assert sight.is_flat
    assert book.readings == 5  # clean, failed, clean, clean, and one at +2 s


def test_no_reading_begins_before_every_cancel_has_ended():
    _, book = pursue(lambda b: b.orders.append(order("1")), until_s=2)
    names = [name for _, name in book.log]
    assert names[:2] == ["cancel_all", "open_orders"]
    assert book.log[1][0] >= book.log[0][0] + book.call_s


def test_unacknowledged_cancel_is_sent_again():
    def lost_once(book: Book) -> None:
        book.orders.append(order("1"))
        book.cancel_error = lambda n: hidden() if n == 1 else None

    sight, book = pursue(lost_once, until_s=5)
    assert sight.is_flat
    assert book.rounds == 2


def test_capped_round_is_followed_by_another():
    def capped(book: Book) -> None:
        book.orders.extend(order(str(n)) for n in range(5))
        book.stuck.update({"3", "4"})
        book.capped = lambda n: n == 1

        def free(n: int) -> None:
            if n == 2:
                book.stuck.clear()

        book.on_cancel = free

    sight, book = pursue(capped, until_s=5)
    assert sight.is_flat
    assert book.rounds == 2
    assert book.cancelled_ids == []


def test_order_younger_than_the_last_cancel_brings_a_round_at_once():
    def runaway(book: Book) -> None:
        def place(n: int) -> None:
            if n == 1:
                born = book.clock.now() + timedelta(seconds=0.01)
                book.orders.append(order("new", created=born))

        book.on_read = place

    sight, book = pursue(runaway, until_s=3)
    assert sight.is_flat
    assert book.rounds == 2


def test_older_order_is_given_time_to_go():
    """An accepted cancel takes effect later; hammering the venue would not make it faster."""

    def slow(book: Book) -> None:
        book.orders.append(order("1", created=clocks.EPOCH - timedelta(hours=1)))
        book.stuck.add("1")

        def fade(n: int) -> None:
            if n == 3:
                book.orders.clear()

        book.on_read = fade

    sight, book = pursue(slow, until_s=5)
    assert sight.is_flat
    assert book.rounds == 1


def test_stuck_order_is_cancelled_by_id_after_two_seconds():
    def stuck(book: Book) -> None:
        book.orders.append(order("9"))
        book.stuck.add("9")

    sight, book = pursue(stuck, until_s=12)
    assert not sight.is_flat
    assert set(book.cancelled_ids) == {"9"}
    rounds = [at for at, name in book.log if name == "cancel_all"]
    assert all(later - sooner >= 2.0 for sooner, later in itertools.pairwise(rounds))


def test_orders_cancelled_by_id_are_bounded_in_each_round():
    def many(book: Book) -> None:
        book.orders.extend(order(str(n)) for n in range(100))
        book.stuck.update(str(n) for n in range(100))

    _, book = pursue(many, until_s=5, limits=Limits(orders_by_id_max=7))
    assert len(book.cancelled_ids) == 7


def test_order_that_comes_back_after_flat_resumes_the_chase():
    def revive(book: Book) -> None:
        def place(n: int) -> None:
            if n == 3:
                book.orders.append(order("ghost", created=book.clock.now()))

        book.on_read = place

    sight, book = pursue(revive, until_s=60)
    assert sight.came_back == 1
    assert book.rounds == 2
    assert sight.is_flat
    assert book.orders == []


def test_reading_after_flat_that_failed_is_made_again():
    def fails_late(book: Book) -> None:
        book.read_error = lambda n: hidden() if n in {3, 4} else None

    sight, book = pursue(fails_late, until_s=60)
    assert sight.is_flat
    assert sight.checks == 5
    assert book.readings == 2 + 2 + 5


def test_throttled_round_waits_as_long_as_the_venue_says():
    def throttled(book: Book) -> None:
        book.orders.append(order("1"))
        book.cancel_error = lambda n: (
            VenueThrottled(user_message="too fast", retry_after_s=3.0) if n == 1 else None
        )

    _, book = pursue(throttled, until_s=8)
    rounds = [at for at, name in book.log if name == "cancel_all"]
    assert rounds[1] - rounds[0] >= 3.0


def test_cancel_that_never_left_is_remembered_as_not_sent():
    def unreachable(book: Book) -> None:
        book.cancel_error = lambda _: VenueNotReached(user_message="no route")
        book.read_error = lambda _: VenueNotReached(user_message="no route")

    sight, book = pursue(unreachable, until_s=5)
    assert not sight.is_sent
    assert book.rounds > 1


def test_byte_that_left_in_an_earlier_round_is_not_forgotten():
    def breaks(book: Book) -> None:
        book.orders.append(order("1"))
        book.stuck.add("1")
        book.cancel_error = lambda n: None if n == 1 else VenueNotReached(user_message="no route")

    sight, _ = pursue(breaks, until_s=8)
    assert sight.is_sent


def test_refused_class_alone_does_not_bring_endless_rounds():
    from adapters.contract import VenueRefused

    def refused(book: Book) -> None:
        book.read_error = lambda _: VenueRefused(user_message="permission missing")

    _, book = pursue(refused, until_s=20)
    assert book.rounds == 1


@pytest.mark.parametrize("because", list(Because))
def test_every_reason_for_a_round_has_words(because: Because):
    assert because.value


def test_clean_readings_too_close_together_are_one():
    """Two looks at the same stale cache prove no more than one."""

    async def main() -> Sight:
        from adapters.contract import Reading

        book = Book(clock=clocks.VirtualClock(), call_s=0.0)
        pursuit = Pursuit(
            adapter=FakeAdapter(book),
            scope=Scope(),
            clock=book.clock,
            limits=Limits(),
            verdict_at=30.0,
            tell=lambda kind, sight: None,
        )
        assert Reading().is_clean
        await verify._read(pursuit)
        await verify._read(pursuit)
        return pursuit.sight

    assert not clocks.run(main()).is_flat
