"""A venue on the bench: simulated, connected, and driven by the program's own loop on virtual time.

Owns `Bench` and what a whole run there looks like from outside: every verdict, and the truth of the
books at that moment.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from adapters import registry
from adapters.contract import AnyVenue, OrderClass, Purpose, Reading, Receipt, Scope, VenueAdapter
from adapters.gate import Gate
from bot.domain.event import EventKind
from bot.domain.limits import Limits
from bot.domain.plan import Target
from bot.domain.request import Request as Asked
from bot.domain.result import Outcome, TargetStatus
from bot.flow import execute
from bot.flow.job import Means
from bot.flow.ports import Entry
from bot.sandbox.venues.book import Order
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Fault, Wrong
from tests.adapters.conformance.subjects import Simulated, Subject, document
from tests.adapters.pure import PureCarrier
from tests.fakes import clock as clocks
from tests.fakes.run import KeptJournal, Keys, claims, request, waiting

BASE_URL = "http://127.0.0.1:9"
"""Where nothing listens: a call that went round the carrier would fail."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One verdict that was told, and the truth at that moment."""

    at: float
    """Seconds since the deciding click."""
    outcome: Outcome
    open: int
    """Orders in scope that were on the book, and were so before the last reading can have begun."""
    cause: str


@dataclass(slots=True, kw_only=True)
class Bench:
    """One venue, one account that is acted for, and a bystander."""

    subject: Subject
    simulated: Simulated
    venue: AnyVenue
    carrier: PureCarrier
    rng: random.Random
    scope: Scope = field(default_factory=Scope)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def now(self) -> float:
        """True epoch seconds."""
        return self.carrier.now().timestamp()

    def adapter(self, secret: Mapping[str, object] | None = None, **more: Any) -> VenueAdapter:
        """Join the venue and a key, the account's own unless told otherwise."""
        signer = self.venue.signer(SecretStr(document(secret or self.subject.secret)))
        how = {"purpose": Purpose.RUN} | more
        made: VenueAdapter = self.venue.adapter(signer, uid=self.subject.uid, **how)
        return made

    def place(self, kind: str, count: int = 1, *, uid: str = "", **more: Any) -> list[Order]:
        """Put orders on a book, a second old unless told otherwise."""
        at = self.now - more.pop("age_s", 1.0)
        uid = uid or self.subject.book
        book = self.simulated.book
        return [book.place(uid, kind, now=at, **more) for _ in range(count)]

    def fill(self, count: int = 3, *, with_children: bool = True) -> None:
        """Put orders of every kind on the account's book, and on the bystander's.

        Where strategies place orders of their own, they have.
        """
        seed = self.simulated.book.seed
        if with_children:
            seed = getattr(self.simulated, "seed", seed)
        for uid in (self.subject.book, self.subject.bystander):
            seed(uid, dict.fromkeys(self.subject.kinds, count), now=self.now)

    def fail(self, wrong: Wrong, path: str = "", **more: Any) -> Fault:
        """Let a fault begin; `for_s` says for how long."""
        for_s = more.pop("for_s", None)
        until = None if for_s is None else self.now + for_s
        more.setdefault("uid", self.subject.book)
        whole = (*self.subject.reads, *self.subject.inspects)
        more.setdefault("is_whole_path", path in whole)
        return self.simulated.faults.add(Fault(wrong=wrong, path=path, until=until, **more))

    def fail_each(self, wrong: Wrong, paths: tuple[str, ...], **more: Any) -> list[Fault]:
        """Let a fault begin on each of these paths."""
        return [self.fail(wrong, path, **more) for path in paths]

    def open(self, uid: str = "") -> dict[str, int]:
        """Ask the books directly."""
        return self.simulated.book.open_count(uid or self.subject.book, now=self.now)

    def live(self) -> list[Order]:
        """Return the account's open orders, from the books."""
        return self.simulated.book.live(self.subject.book, now=self.now)

    def in_scope(self, *, placed_until: float = math.inf) -> int:
        """Count the open orders that the run is to cancel, of those placed by then."""
        scope = self.scope
        return sum(
            _since(order, self.now) <= placed_until
            and (not scope.symbols or order.symbol in scope.symbols)
            and (
                scope.order_id is None
                or scope.order_id in (self.subject.shown_id(order), order.link_id)
            )
            and self.subject.kinds[order.kind] not in scope.classes_off
            for order in self.live()
        )

    async def settle(self, seconds: float = 5.0) -> None:
        """Let what was accepted take effect."""
        await asyncio.sleep(seconds)

    async def read(self, scope: Scope | None = None, *, pages_max: int = 40) -> Reading:
        """Take one reading."""
        return await self.adapter().open_orders(scope or self.scope, pages_max=pages_max)

    async def cancel(self, scope: Scope | None = None) -> tuple[Receipt, ...]:
        """Make one round."""
        return await self.adapter().cancel_all(scope or self.scope)

    def doctor(self, path: str, edit: Callable[[Any], Any], *, times: int | None = None) -> None:
        """Have the venue's JSON answers on a path edited before they leave.

        `edit` gets what was parsed, and returns what to send: JSON, or bytes as they are.
        """
        honest, left, reads = self.simulated.answer, [times], self.subject.reads

        def spoilt(request: Request, now: float) -> Answer:
            answer = honest(request, now)
            asked = self.simulated.log[-1].path
            is_meant = asked == path if path in reads else asked.startswith(path)
            if not is_meant or left[0] == 0 or not answer.body:
                return answer
            if left[0] is not None:
                left[0] -= 1
            made = edit(json.loads(answer.body))
            body = made if isinstance(made, bytes) else json.dumps(made).encode()
            return Answer(
                status=answer.status,
                body=body,
                headers=answer.headers,
                content_type=answer.content_type,
                transport=answer.transport,
            )

        self.simulated.answer = spoilt  # type: ignore[method-assign]

    async def run(self, *, until_s: float = 75.0, limits: Limits | None = None) -> TargetStatus:
        """Make a whole run of it and return where it ended; `verdicts` has what was told."""
        journal = _Watching(bench=self, began=self.carrier.clock.monotonic())
        target = Target(
            account="kit",
            venue=self.subject.name,
            base_url=BASE_URL,
            uid=self.subject.uid,
            scope=self.scope,
            order_classes=self.venue.capabilities.order_classes,
            key="keys/kit",
        )
        running = begun(request(target, consent_s=until_s), self.carrier.now())
        means = Means(
            journal=journal,
            keys=Keys(secrets={"keys/kit": document(self.subject.secret)}),
            venues=_One(self.venue),
            clock=self.carrier.clock,
            limits=limits or Limits(),
        )
        async with execute.open_runner(means) as runner:
            runner.take(running, waiting(target), claims(target))
            while runner.is_at_work(running.id):  # noqa: ASYNC110 - it tells nobody when it ends
                await asyncio.sleep(0.25)
        return journal.statuses("kit")[-1]


@dataclass(frozen=True)
class _One:
    link: AnyVenue

    def venue(self, name: str, base_url: str) -> AnyVenue:
        return self.link


@dataclass(kw_only=True)
class _Watching(KeptJournal):
    """Keeps what is told, with the truth at that moment."""

    bench: Bench
    began: float
    readings: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """When they ended; each began after the one before it had."""

    def put(self, entry: Entry) -> None:
        super().put(entry)
        bench, status = self.bench, entry.status
        if entry.event is None or status is None:
            return
        if entry.event.kind is EventKind.READING_TAKEN:
            self.readings.append(bench.now)
        if entry.event.kind is not EventKind.TARGET_JUDGED or status.result is None:
            return
        told = Verdict(
            at=bench.carrier.clock.monotonic() - self.began,
            outcome=status.result.outcome,
            open=bench.in_scope(placed_until=self.readings[-2]),
            cause=status.result.cause,
        )
        bench.verdicts.append(told)


@asynccontextmanager
async def opened(
    subject: Subject,
    *,
    seed: int = 0,
    has_limits: bool = False,
    latency_s: float = 0.05,
    state_dir: Path | None = None,
) -> AsyncIterator[Bench]:
    """Connect to a simulated venue without a network; its instrument list has been read."""
    kind = registry.venues()[subject.name]
    simulated = subject.simulate(seed=seed, has_limits=has_limits)
    carrier = PureCarrier(simulated, latency_s=latency_s)
    settings = kind.settings.model_validate({"base_url": BASE_URL} | dict(subject.settings))
    gate = Gate(kind.address)
    async with kind.connect(settings, gate=gate, state_dir=state_dir, carrier=carrier) as venue:
        await asyncio.sleep(1.0)  # What is read at start is there; the clock was measured.
        carrier.calls.clear()
        yield Bench(
            subject=subject,
            simulated=simulated,
            venue=venue,
            carrier=carrier,
            rng=random.Random(seed),
        )


def _since(order: Order, now: float) -> float:
    """Return since when an open order rests: one that was revived, since then."""
    is_back = order.back_at is not None and order.back_at <= now
    return order.back_at if is_back and order.back_at is not None else order.placed_at


def begun(running: Asked, now: datetime) -> Asked:
    """Have a request decided just now."""
    decided, verdict, consent = running.decided_at, running.verdict_at, running.consent_ends_at
    assert decided
    assert verdict
    assert consent
    return replace(
        running,
        decided_at=now,
        verdict_at=now + (verdict - decided),
        consent_ends_at=now + (consent - decided),
    )


def play(
    subject: Subject, act: Callable[[Bench], Awaitable[T]], *, limit_s: float = 900.0, **how: Any
) -> T:
    """Act on a bench, on virtual time."""

    async def main() -> T:
        async with asyncio.timeout(limit_s), opened(subject, **how) as bench:
            return await act(bench)

    return clocks.run(main())


def classes(orders: Reading) -> dict[OrderClass, int]:
    """Count a reading's orders by class."""
    found: dict[OrderClass, int] = {}
    for order in orders.orders:
        found[order.order_class] = found.get(order.order_class, 0) + 1
    return found
