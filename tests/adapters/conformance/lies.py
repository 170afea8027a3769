"""Written ways in which a venue, or the way to it, lies or breaks.

Owns `GENERAL`, what every venue can do. A lie is installed on a bench, and then a whole run is made
there. What must hold for each is in `test_lies.py`: never FLAT over an order that rests, unless it
says so itself a little later where nothing could have told before; nothing beyond the scope; the
right end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum

from adapters.carrier import Reply, WireRequest
from bot.sandbox.venues.faults import Wrong
from tests.adapters.conformance.bench import Bench
from tests.adapters.conformance.subjects import SUBJECTS
from tests.adapters.conformance.ways import (
    Install,
    constant,
    doubled_rows,
    each_row,
    edited,
    edited_cancels,
    emptied_rows,
    later,
    of_cancels,
    of_readings,
    replaced_rows,
    together,
    with_odd_types,
    with_riddles,
    without_ids,
)


class End(Enum):
    """How the run must end, a minute after the deciding click."""

    FLAT = "FLAT, and the books are empty"
    NOT_FLAT = "orders rest, and it says so"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """One way to lie."""

    name: str
    install: Install
    end: End = End.FLAT
    is_seen_late: bool = False
    """No reading could have told in time: a FLAT that was wrong must be taken back."""
    venues: tuple[str, ...] = tuple(SUBJECTS)


def places(bench: Bench, *, times: tuple[float, ...]) -> None:
    """Let a bot of the account place orders at these seconds from now."""
    kinds = list(bench.subject.kinds)
    for number, at in enumerate(times):
        kind = kinds[number % len(kinds)]
        bench.simulated.book.place(bench.subject.book, kind, now=bench.now + at)


def runaway(bench: Bench) -> None:
    places(bench, times=tuple(0.37 * number for number in range(1, 50)))


def between_readings(bench: Bench) -> None:
    """An order for every moment at which a first clean reading may just be over."""
    places(bench, times=tuple(0.3 + 0.1 * number for number in range(12)))


def after_flat(bench: Bench) -> None:
    places(bench, times=(6.0,))


def uncancellable(bench: Bench) -> None:
    for order in bench.live()[::7]:
        order.is_uncancellable = True


def uncancellable_for_a_while(bench: Bench) -> None:
    orders = bench.live()[::5]
    for order in orders:
        order.is_uncancellable = True

    def free() -> None:
        for order in orders:
            order.is_uncancellable = False

    later(8.0, free)


def slow_cancels(bench: Bench) -> None:
    bench.simulated.book.cancel_delay_s = 4.0


def cut_off(bench: Bench) -> None:
    later(0.12, unreachable, bench)
    later(12.0, reachable, bench)


def unreachable(bench: Bench) -> None:
    bench.carrier.is_cut_off = True


def reachable(bench: Bench) -> None:
    bench.carrier.is_cut_off = False


def half_of_all(bench: Bench) -> None:
    """Every second call meets something, for twenty seconds; each fault as often as the others.

    A call draws one number, and the first fault whose share is above it meets the call.
    """
    wrongs = (Wrong.SERVER, Wrong.LOST_REPLY, Wrong.HTML, Wrong.CUT, Wrong.TOO_MANY)
    for number, wrong in enumerate(wrongs, 1):
        bench.fail(wrong, "", share=0.5 * number / len(wrongs), for_s=20.0)


def overtaking(bench: Bench) -> None:
    """Calls take up to 0.3 s to the venue, so that a later one may be there before an earlier."""
    straight = bench.carrier.exchange

    async def delayed(request: WireRequest) -> Reply:
        await asyncio.sleep(0.3 * bench.rng.random())
        return await straight(request)

    bench.carrier.exchange = delayed  # type: ignore[method-assign]


def skewed(by_s: float) -> Install:
    def install(bench: Bench) -> None:
        bench.simulated.skew_s = by_s

    return install


HIDDEN_S = 0.4
"""How long each kind is hidden: shorter than any `reread_after_s`, so that two readings tell."""


def each_kind_hidden(bench: Bench) -> None:
    """One kind after the other is missing from all readings; the cancels of a while do nothing."""
    bench.fail_each(Wrong.ACCEPT_AND_DROP, bench.subject.cancels, for_s=3.0)
    for number, kind in enumerate(bench.subject.kinds):
        for fault in bench.fail_each(Wrong.HIDE, bench.subject.reads, kind=kind):
            fault.since = bench.now + number * HIDDEN_S
            fault.until = fault.since + HIDDEN_S


DEEP = b"[" * 60_000
GENERAL: tuple[Lie, ...] = (
    # A cancel is acknowledged and not made.
    Lie(
        name="accepts the first cancels and drops them",
        install=of_cancels(Wrong.ACCEPT_AND_DROP, times=2),
    ),
    Lie(
        name="accepts every cancel and drops it",
        install=of_cancels(Wrong.ACCEPT_AND_DROP),
        end=End.NOT_FLAT,
    ),
    Lie(name="cancels every other order and acknowledges all", install=of_cancels(Wrong.HALF)),
    Lie(name="applies a cancel after we gave up", install=of_cancels(Wrong.LATE, times=1)),
    Lie(
        name="revives what was cancelled",
        install=of_cancels(Wrong.REVIVE, times=1),
    ),
    Lie(name="takes 4 s to cancel", install=slow_cancels),
    Lie(name="acknowledges and never cancels some orders", install=uncancellable, end=End.NOT_FLAT),
    Lie(name="cannot cancel some orders for 8 s", install=uncancellable_for_a_while),
    # A cancel's answer is no answer.
    Lie(name="applies cancels and never answers", install=of_cancels(Wrong.LOST_REPLY, times=3)),
    Lie(name="resets the connection under a cancel", install=of_cancels(Wrong.RESET, times=3)),
    Lie(name="fails on cancels with 500", install=of_cancels(Wrong.SERVER, times=4)),
    Lie(name="fails on cancels with 503 and HTML", install=of_cancels(Wrong.UNAVAILABLE, times=4)),
    Lie(
        name="answers cancels with HTML under 200 and drops them",
        install=of_cancels(Wrong.HTML, times=4),
    ),
    Lie(
        name="answers cancels with nothing under 200 and drops them",
        install=of_cancels(Wrong.EMPTY, times=4),
    ),
    Lie(name="redirects cancels", install=of_cancels(Wrong.REDIRECT, times=3)),
    Lie(name="hangs on cancels", install=of_cancels(Wrong.HANG, times=2)),
    Lie(name="cuts the answers to cancels", install=of_cancels(Wrong.CUT, times=3)),
    Lie(name="drips the answers to cancels", install=of_cancels(Wrong.DRIP, times=2)),
    Lie(name="answers cancels without end", install=of_cancels(Wrong.OVERSIZE, times=2)),
    Lie(name="throttles cancels", install=of_cancels(Wrong.TOO_MANY, times=3)),
    Lie(
        name="refuses the key for the first cancels",
        install=of_cancels(Wrong.REFUSED_KEY, for_s=15.0),
    ),
    Lie(
        name="refuses every cancel for lack of permission",
        install=of_cancels(Wrong.LACKS_PERMISSION),
        end=End.NOT_FLAT,
    ),
    Lie(
        name="refuses our address for cancels",
        install=of_cancels(Wrong.WRONG_ADDRESS),
        end=End.NOT_FLAT,
    ),
    Lie(
        name="answers cancels with a riddle", install=edited_cancels(constant(b'{"ok":"perhaps"}'))
    ),
    Lie(name="answers cancels with brackets without end", install=edited_cancels(constant(DEEP))),
    # A reading is no reading.
    Lie(name="hangs on readings", install=of_readings(Wrong.HANG, times=2)),
    Lie(name="hangs on every reading", install=of_readings(Wrong.HANG), end=End.NOT_FLAT),
    Lie(name="drips the readings", install=of_readings(Wrong.DRIP, times=2)),
    Lie(name="cuts the readings", install=of_readings(Wrong.CUT, times=3)),
    Lie(name="answers readings with HTML under 200", install=of_readings(Wrong.HTML, for_s=6.0)),
    Lie(
        name="answers every reading with HTML under 200",
        install=of_readings(Wrong.HTML),
        end=End.NOT_FLAT,
    ),
    Lie(
        name="answers every reading with nothing under 200",
        install=of_readings(Wrong.EMPTY),
        end=End.NOT_FLAT,
    ),
    Lie(
        name="fails on every reading with 500", install=of_readings(Wrong.SERVER), end=End.NOT_FLAT
    ),
    Lie(name="redirects every reading", install=of_readings(Wrong.REDIRECT), end=End.NOT_FLAT),
    Lie(name="reads without end", install=of_readings(Wrong.OVERSIZE), end=End.NOT_FLAT),
    Lie(name="throttles readings", install=of_readings(Wrong.TOO_MANY, for_s=5.0)),
    Lie(
        name="leaves the list out of every reading",
        install=of_readings(Wrong.NO_LIST),
        end=End.NOT_FLAT,
    ),
    Lie(name="loses readings on the way", install=of_readings(Wrong.LOST_REPLY, times=3)),
    # A reading lies.
    Lie(name="reads blank for the first half second", install=of_readings(Wrong.HIDE, for_s=0.45)),
    Lie(
        name="drops cancels and reads blank for 3 s",
        install=together(
            of_cancels(Wrong.ACCEPT_AND_DROP, for_s=3.0), of_readings(Wrong.HIDE, for_s=3.0)
        ),
        is_seen_late=True,
    ),
    Lie(name="hides each kind of order for a moment", install=each_kind_hidden),
    Lie(name="reads 3 s late", install=of_readings(Wrong.LAG)),
    Lie(name="shows half of every list", install=of_readings(Wrong.TRUNCATE)),
    Lie(
        name="shows another account's orders",
        install=of_readings(Wrong.OTHER_ACCOUNT),
        end=End.NOT_FLAT,
    ),
    Lie(
        name="names the same page for ever",
        install=together(slow_cancels, of_readings(Wrong.REPEAT_CURSOR, for_s=5.0)),
        venues=("bybit",),
    ),
    Lie(
        name="sends null for the list",
        install=edited(replaced_rows(None), times=None),
        end=End.NOT_FLAT,
    ),
    Lie(
        name="sends an object for the list",
        install=edited(replaced_rows({}), times=None),
        end=End.NOT_FLAT,
    ),
    Lie(
        name="sends a text for the list",
        install=edited(replaced_rows(""), times=None),
        end=End.NOT_FLAT,
    ),
    Lie(name="sends nulls for the rows", install=edited(emptied_rows)),
    Lie(name="leaves the ids out of the rows", install=edited(each_row(without_ids))),
    Lie(name="sends objects for every field", install=edited(each_row(with_odd_types))),
    Lie(name="adds fields that nobody knows", install=edited(each_row(with_riddles), times=None)),
    Lie(name="shows every order twice", install=edited(doubled_rows, times=None)),
    Lie(
        name="sends bytes that are no text",
        install=edited(constant(b"\xff\xfe\x00"), times=None),
        end=End.NOT_FLAT,
    ),
    Lie(
        name="sends half of a JSON text",
        install=edited(constant(b'{"success":true,"data":['), times=None),
        end=End.NOT_FLAT,
    ),
    Lie(
        name="sends brackets without end",
        install=edited(constant(DEEP), times=None),
        end=End.NOT_FLAT,
    ),
    Lie(
        name="sends a number for everything",
        install=edited(constant(b"0"), times=None),
        end=End.NOT_FLAT,
    ),
    # The books move.
    Lie(name="lets a bot place orders for 18 s", install=runaway),
    Lie(name="lets orders arrive between two readings", install=between_readings),
    Lie(name="lets an order arrive after FLAT", install=after_flat),
    # The way there.
    Lie(name="cannot be reached for 12 s in mid-run", install=cut_off),
    Lie(name="cannot be reached at all", install=unreachable, end=End.NOT_FLAT),
    Lie(name="breaks every second call for 20 s", install=half_of_all),
    Lie(name="lets calls overtake each other", install=overtaking),
    Lie(name="has a clock 40 s ahead", install=skewed(40.0)),
    Lie(name="has a clock 40 s behind", install=skewed(-40.0)),
)
