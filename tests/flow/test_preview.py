"""Counts for the card: read keys only, two seconds, and unknown is unknown."""

from dataclasses import replace

from adapters.contract import Capabilities, Protective, VenueOutcomeUnknown
from bot.domain.errors import SecretError
from bot.domain.limits import Limits
from bot.domain.plan import Plan, Target
from bot.domain.request import Count
from bot.flow.preview import Previewer
from tests.fakes import clock as clocks
from tests.fakes.run import Keys, OneVenue, target
from tests.fakes.venue import CAPABILITIES, Book, FakeAdapter, FakeVenue, order


def readable(account: str) -> Target:
    return replace(target(account), read_key=f"keys/{account}")


def count(
    *targets: Target, times: int = 1, limits: Limits | None = None, **books: Book
) -> tuple[tuple[Count, ...], Keys]:
    async def main() -> tuple[tuple[Count, ...], Keys]:
        keys = Keys(secrets={f"keys/{name}": name for name in books})
        keys.errors["keys/denied"] = [SecretError(user_message="no secret there")]
        for book in books.values():
            book.clock = clocks.VirtualClock()
        public = {name: FakeAdapter(book) for name, book in books.items() if name == "open"}
        venues = OneVenue(FakeVenue(books=books, public=public))
        previewer = Previewer(
            keys=keys, venues=venues, clock=clocks.VirtualClock(), limits=limits or Limits()
        )
        found: tuple[Count, ...] = ()
        for _ in range(times):
            found = await previewer.count(Plan(targets=targets))
        return found, keys

    assert isinstance(CAPABILITIES, Capabilities)
    return clocks.run(main())


def book(*ids: str, **more: object) -> Book:
    orders = [order(name, is_protective=name.startswith("stop")) for name in ids]
    return Book(clock=clocks.VirtualClock(), orders=orders, **more)  # type: ignore[arg-type]


def test_orders_and_protective_ones_are_counted():
    found, _ = count(readable("a"), a=book("1", "stop-1"))
    assert found == (Count(account="a", orders=2, protective=1),)


def test_protective_orders_that_stay_are_counted_beside_those_that_go():
    keeping = readable("a")
    keeping = replace(keeping, scope=replace(keeping.scope, protective=Protective.KEEP))
    found, _ = count(keeping, a=book("1", "stop-1", "stop-2"))
    assert found == (Count(account="a", orders=1, protective=2),)


def test_what_cannot_be_counted_is_unknown_with_its_reason():
    failing = book("1")
    failing.read_error = lambda _: VenueOutcomeUnknown(user_message="no answer")
    refused = book("1")
    refused.check_error = VenueOutcomeUnknown(user_message="not now")
    found, _ = count(
        target("none"),
        readable("denied"),
        readable("failing"),
        readable("refused"),
        readable("other"),
        readable("slow"),
        failing=failing,
        refused=refused,
        other=book("1", uid="9999"),
        slow=book("1", call_s=60.0),
    )
    assert [(entry.account, entry.orders, entry.why) for entry in found] == [
        ("none", None, "no read key"),
        ("denied", None, "no secret there"),
        ("failing", None, "no answer"),
        ("refused", None, "not now"),
        ("other", None, "read key belongs to UID 9999"),
        ("slow", None, "no answer within 2 s"),
    ]


def test_what_anybody_may_read_is_counted_without_a_key():
    found, keys = count(target("open", uid="open"), target("shut"), open=book("1", "stop-1"))
    assert [(entry.account, entry.orders, entry.why) for entry in found] == [
        ("open", 2, ""),
        ("shut", None, "no read key"),
    ]
    assert keys.reads == []


def test_bug_in_one_count_costs_no_other():
    def explode(_: int) -> None:
        raise RuntimeError("a bug")

    found, _ = count(readable("a"), readable("b"), a=book("1", on_read=explode), b=book("1"))
    assert [(entry.account, entry.orders, entry.why) for entry in found] == [
        ("a", None, "a bug in cancelall"),
        ("b", 1, ""),
    ]


def test_count_that_is_late_is_told_with_the_limit_it_missed():
    found, _ = count(readable("a"), limits=Limits(preview_s=0.5), a=book("1", call_s=60.0))
    assert found[0].why == "no answer within 0.5 s"


def test_count_under_ten_seconds_old_is_served_again():
    _, keys = count(readable("a"), times=3, a=book("1"))
    assert keys.reads == ["keys/a"]


def test_preview_never_reads_a_key_that_can_cancel():
    _, keys = count(replace(readable("a"), key="trade/a"), a=book("1"))
    assert keys.reads == ["keys/a"]
