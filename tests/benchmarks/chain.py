"""The chain of calls of one run over every venue, on virtual time: what waits for what.

    make chain        4 venues x 5 accounts x 40 orders, each 50 ms away

Prints the waves of calls of each venue's first account, and how long FLAT took beside what the
venue forces: its round trips, one behind the other, and the time between two clean readings. Time
is virtual, so the figures are exact and the same on every machine.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from adapters.contract import AnyVenue, Scope
from bot.domain.limits import Limits
from bot.domain.plan import Target
from bot.domain.result import Outcome
from bot.flow import execute
from bot.flow.job import Means
from tests.adapters.conformance import bench as benches
from tests.adapters.conformance.bench import Bench
from tests.adapters.conformance.subjects import SUBJECTS, Held, Subject, document
from tests.fakes import clock as clocks
from tests.fakes.run import KeptJournal, Keys, claims, request, waiting

ROUND_TRIP_S = 0.05
ORDERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """Calls that left at one moment, in seconds after the deciding click."""

    at: float
    calls: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What one venue's accounts took."""

    venue: str
    accounts: int
    orders: int
    flat_s: float
    """Until the last account was FLAT."""
    forced_s: float
    """The waves that came before FLAT, a round trip each, and the time between two readings."""
    waves: tuple[Wave, ...]
    """Of an account alone there, until FLAT."""


@dataclass(frozen=True)
class _Many:
    links: dict[str, AnyVenue] = field(default_factory=dict)

    def venue(self, name: str, base_url: str) -> AnyVenue:
        return self.links[name]


def _held(subject: Subject) -> tuple[Held, ...]:
    return (Held(uid=subject.uid, book=subject.book, secret=subject.secret), *subject.more)


def _place(bench: Bench, held: Held) -> None:
    """Put 40 orders of all kinds on the books of an account."""
    kinds = [kind for kind in bench.subject.kinds if kind not in bench.subject.stays]
    for number in range(ORDERS):
        bench.place(kinds[number % len(kinds)], uid=held.book)


async def measured() -> list[Chain]:
    """Make one run over every venue; return each venue's chain."""
    async with AsyncExitStack() as stack:
        open_benches = {
            name: await stack.enter_async_context(
                benches.opened(
                    replace(subject, settings=subject.fast),
                    has_limits=True,
                    latency_s=ROUND_TRIP_S,
                )
            )
            for name, subject in SUBJECTS.items()
        }
        targets, secrets = [], {}
        for name, bench in open_benches.items():
            for held in _held(bench.subject):
                _place(bench, held)
                account = f"{name}-{held.uid}"
                secrets[f"keys/{account}"] = document(held.secret)
                targets.append(_target(bench, held, account))
        clock = next(iter(open_benches.values())).carrier.clock
        journal, began = KeptJournal(), clock.monotonic()
        for bench in open_benches.values():
            bench.carrier.calls.clear()
        running = benches.begun(request(*targets), clock.now())
        means = Means(
            journal=journal,
            keys=Keys(secrets=secrets),
            venues=_Many({name: bench.venue for name, bench in open_benches.items()}),
            clock=clock,
            limits=Limits(),
        )
        async with execute.open_runner(means) as runner:
            runner.take(running, waiting(*targets), claims(*targets))
            while runner.is_at_work(running.id):  # noqa: ASYNC110 - it tells nobody when it ends
                await asyncio.sleep(0.25)
        return [
            _chain(bench, [t.account for t in targets if t.venue == name], journal, began)
            for name, bench in open_benches.items()
        ]


def _target(bench: Bench, held: Held, account: str) -> Target:
    return Target(
        account=account,
        venue=bench.subject.name,
        base_url=benches.BASE_URL,
        uid=held.uid,
        scope=Scope(),
        order_classes=bench.venue.capabilities.order_classes,
        key=f"keys/{account}",
    )


def _chain(bench: Bench, accounts: list[str], journal: KeptJournal, began: float) -> Chain:
    results = [journal.statuses(account)[-1].result for account in accounts]
    assert all(result is not None and result.outcome is Outcome.FLAT for result in results), results
    assert not any(bench.simulated.book.live(h.book, now=bench.now) for h in _held(bench.subject))
    flat_s = max(result.seconds for result in results if result is not None)
    waves = tuple(_waves(bench, began, flat_s))
    reread_s = bench.venue.capabilities.reread_after_s
    return Chain(
        venue=bench.subject.name,
        accounts=len(accounts),
        orders=ORDERS * len(accounts),
        flat_s=flat_s,
        forced_s=len(waves) * ROUND_TRIP_S + reread_s,
        waves=waves,
    )


def _waves(bench: Bench, began: float, until_s: float) -> Iterator[Wave]:
    """Put calls that left together into one wave, until FLAT."""
    moments: dict[float, Counter[str]] = {}
    for at, call in bench.carrier.calls:
        if at - began < until_s:
            moments.setdefault(round(at - began, 3), Counter())[call] += 1
    for at, calls in sorted(moments.items()):
        yield Wave(at=at, calls=tuple(calls.items()))


def main() -> int:
    """Print every chain."""
    for chain in clocks.run(measured()):
        ratio = chain.flat_s / chain.forced_s
        sys.stdout.write(
            f"\n{chain.venue}: {chain.accounts} accounts, {chain.orders} orders, FLAT after "
            f"{chain.flat_s:.2f} s; forced {chain.forced_s:.2f} s; ratio {ratio:.2f}\n"
        )
        for wave in chain.waves:
            calls = ", ".join(f"{n} x {call}" if n > 1 else call for call, n in wave.calls)
            sys.stdout.write(f"  {wave.at:5.2f} s  {calls}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
