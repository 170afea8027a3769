"""Random schedules of what goes wrong, drawn from a seed, each in a whole run on virtual time.

Whatever is drawn, an order that was on the book before the last reading began, and still is, is
never FLAT, and nothing beyond the scope is touched. What no reading could tell (one that shows
nothing, twice, just when it counts) is not drawn: it stands among the lies.

Replay one with `SOAK_SEED=n make soak`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from adapters.contract import Scope
from bot.domain.result import Outcome
from bot.sandbox.venues.book import Order
from bot.sandbox.venues.faults import Wrong
from tests.adapters.conformance.bench import Bench, play
from tests.adapters.conformance.subjects import SUBJECTS, Subject

BREAKS = (
    Wrong.TOO_MANY,
    Wrong.SERVER,
    Wrong.UNAVAILABLE,
    Wrong.HTML,
    Wrong.EMPTY,
    Wrong.REDIRECT,
    Wrong.HANG,
    Wrong.RESET,
    Wrong.CUT,
    Wrong.DRIP,
    Wrong.LOST_REPLY,
    Wrong.OVERSIZE,
    Wrong.NO_LIST,
    Wrong.REFUSED_KEY,
    Wrong.LACKS_PERMISSION,
)
DROPS = (Wrong.ACCEPT_AND_DROP, Wrong.HALF, Wrong.LATE)
LASTS_S = 25.0
"""What goes wrong does so until then; afterwards the venue is well, and the run must end FLAT."""
UNTIL_S = 120.0


def draw(bench: Bench, rng: random.Random) -> None:
    """Let things go wrong, orders come, and the scope be what it may."""
    subject, book = bench.subject, bench.simulated.book
    for kind in subject.kinds:
        bench.place(kind, rng.choice((0, 0, 1, 3, 20)))
        bench.place(kind, 1, uid=subject.bystander)
    for number in range(rng.randrange(6)):
        paths = rng.choice((subject.cancels, subject.reads, ("",)))
        wrong = rng.choice(DROPS if paths is subject.cancels and number % 2 else BREAKS)
        since = bench.now + rng.uniform(0, LASTS_S * 0.8)
        until = min(since + rng.expovariate(0.2), bench.now + LASTS_S)
        fault = bench.fail(wrong, rng.choice(paths), share=rng.choice((0.3, 1.0)))
        fault.since, fault.until = since, until
    book.cancel_delay_s = rng.choice((0.0, 0.2, 1.5, 5.0))
    for order in bench.live():
        order.is_uncancellable = rng.random() < rng.choice((0.0, 0.0, 0.1))
    for _ in range(rng.choice((0, 0, 3, 12))):
        kind = rng.choice(list(subject.kinds))
        book.place(subject.book, kind, now=bench.now + rng.uniform(0, LASTS_S))
    if rng.random() < 0.2:
        asyncio.get_running_loop().call_later(rng.uniform(0, 10), _cut, bench, True)  # noqa: FBT003
        asyncio.get_running_loop().call_later(rng.uniform(10, 20), _cut, bench, False)  # noqa: FBT003
    asyncio.get_running_loop().call_later(LASTS_S, _free, bench)
    bench.simulated.skew_s = rng.choice((0.0, 0.0, 0.4, -0.4))
    if rng.random() < 0.25:
        bench.scope = Scope(symbols=(subject.symbols[0],))


def _cut(bench: Bench, is_cut_off: bool) -> None:  # noqa: FBT001
    bench.carrier.is_cut_off = is_cut_off


def _free(bench: Bench) -> None:
    for orders in bench.simulated.book.orders.values():
        for order in orders:
            order.is_uncancellable = False


async def broken(bench: Bench, rng: random.Random) -> str:
    """Make a run under a schedule; return what it broke, or nothing."""
    draw(bench, rng)
    kept = {order.order_id for order in _beyond(bench)}
    status = await bench.run(until_s=UNTIL_S)
    wrong = [v for v in bench.verdicts if v.outcome is Outcome.FLAT and v.open]
    if wrong:
        return f"FLAT over an order: {wrong[0]}"
    if lost := kept - {order.order_id for order in _beyond(bench)}:
        return f"{len(lost)} orders beyond the scope are gone"
    if status.result is None or status.result.outcome is not Outcome.FLAT or bench.in_scope():
        return f"the venue is well since {LASTS_S} s, and yet: {status.result}"
    return ""


def _beyond(bench: Bench) -> list[Order]:
    """Return the open orders that nobody may touch."""
    book, subject, scope = bench.simulated.book, bench.subject, bench.scope
    theirs = book.live(subject.bystander, now=bench.now)
    ours = [o for o in bench.live() if scope.symbols and o.symbol not in scope.symbols]
    return [*theirs, *ours]


def replayed(seed: int) -> str:
    """Play one seed; return what it broke, or nothing."""
    rng = random.Random(seed)
    subject: Subject = rng.choice(list(SUBJECTS.values()))
    latency_s, has_limits = rng.choice((0.01, 0.05, 0.3)), rng.random() < 0.5
    act: Callable[[Bench], object] = lambda bench: broken(bench, rng)  # noqa: E731
    told: str = play(subject, act, seed=seed, latency_s=latency_s, has_limits=has_limits)  # type: ignore[arg-type]
    return f"{subject.name}: {told}" if told else ""
