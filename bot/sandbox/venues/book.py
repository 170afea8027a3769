"""The books of a simulated venue: what is really open, whatever its API says.

Owns orders per account, their kinds, when a cancel takes effect, and what a reading that lies
shows. Knows no venue: each brings its own kinds. Time is an argument.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.sandbox.venues.faults import Fault, Wrong

LAG_S = 3.0
"""How old a reading that lags is."""
LATE_S = 8.0
"""How long after its call a late cancel takes effect: nobody waits for it any more."""
REVIVED_S = 1.5
"""How long after it has gone an order that is revived comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of order, as those look that `seed()` places."""

    symbol: str
    settle: str = ""
    stop_types: tuple[str, ...] = ("",)
    """The venue's words for what guards a position, of which each order draws one."""
    can_reduce: bool = True
    """Orders of it may be reduce-only."""


@dataclass(slots=True, kw_only=True)
class Order:
    """One order on the book; times in true epoch seconds, but for `created_ms`."""

    order_id: str
    kind: str
    """A key of the book's kinds."""
    symbol: str
    settle: str
    created_ms: int
    """As the venue's clock showed."""
    placed_at: float
    """In the future: a bot will place it then."""
    link_id: str = ""
    """The client's own id."""
    stop_type: str = ""
    is_reduce_only: bool = False
    is_uncancellable: bool = False
    """Every cancel is acknowledged, none takes effect."""
    parent_id: str = ""
    """The strategy that placed it."""
    gone_at: float | None = None
    """When an accepted cancel takes effect."""
    back_at: float | None = None
    """When an order that had gone is on the book again."""

    def is_open(self, now: float) -> bool:
        """Tell whether it rests on the book at a moment."""
        if self.placed_at > now:
            return False
        has_gone = self.gone_at is not None and self.gone_at <= now
        return not has_gone or (self.back_at is not None and self.back_at <= now)


def uuid_name(rng: random.Random, number: int) -> str:
    """Name an order with what looks like a UUID."""
    digits = f"{rng.getrandbits(64):016x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{number:012d}"


@dataclass(slots=True, kw_only=True)
class Book:
    """Every order of every account."""

    rng: random.Random
    kinds: Mapping[str, Kind]
    name: Callable[[random.Random, int], str] = uuid_name
    """Makes the id of an order from chance and its number."""
    cancel_delay_s: float = 0.0
    """An accepted cancel takes effect up to this much later."""
    orders: dict[str, list[Order]] = field(default_factory=dict)
    """By account, oldest first; those that have gone too."""
    placed: int = 0

    def place(self, uid: str, kind: str, *, now: float, symbol: str = "", **more: object) -> Order:
        """Put an order on the book, now or at a moment to come."""
        usual = self.kinds[kind]
        self.placed += 1
        order = Order(
            order_id=self.name(self.rng, self.placed),
            kind=kind,
            symbol=symbol or usual.symbol,
            settle=str(more.pop("settle", usual.settle)),
            created_ms=int(now * 1000),
            placed_at=now,
            stop_type=str(more.pop("stop_type", usual.stop_types[0])),
            **more,  # type: ignore[arg-type]
        )
        self.orders.setdefault(uid, []).append(order)
        return order

    def seed(self, uid: str, counts: Mapping[str, int], *, now: float) -> None:
        """Fill an account with orders of the last hour, some of which guard a position."""
        for kind, count in counts.items():
            for number in range(count):
                stop = self.rng.choice(self.kinds[kind].stop_types)
                moment = now - 3600 * self.rng.random()
                reduces = self.kinds[kind].can_reduce and number % 9 == 1
                self.place(uid, kind, now=moment, stop_type=stop, is_reduce_only=reduces)

    def live(self, uid: str, *, now: float) -> list[Order]:
        """Return what is open on an account, newest first."""
        found = [order for order in self.orders.get(uid, []) if order.is_open(now)]
        return sorted(found, key=lambda order: (-order.created_ms, order.order_id))

    def shown(self, uid: str, *, now: float, fault: Fault | None = None) -> list[Order]:
        """Return what a reading shows: the truth, unless a fault has it lie."""
        match fault.wrong if fault else None:
            case Wrong.HIDE:
                hidden = fault.kind if fault else ""
                return [o for o in self.live(uid, now=now) if hidden and o.kind != hidden]
            case Wrong.LAG:
                return self.live(uid, now=now - LAG_S)
            case Wrong.TRUNCATE:
                found = self.live(uid, now=now)
                return found[: (len(found) + 1) // 2]
            case Wrong.OTHER_ACCOUNT:
                others = [other for other in self.orders if other != uid]
                return self.live(others[0], now=now) if others else []
            case _:
                return self.live(uid, now=now)

    def cancel(
        self, orders: Iterable[Order], *, now: float, fault: Fault | None = None
    ) -> list[Order]:
        """Accept cancels; each takes effect within `cancel_delay_s`, unless a fault has it not.

        Returns:
            What the venue says it has accepted.
        """
        accepted = list(orders)
        wrong = fault.wrong if fault else None
        for order in self._heard(accepted, wrong):
            if order.is_uncancellable or (order.gone_at is not None and order.back_at is None):
                continue
            order.gone_at = now + self.cancel_delay_s * self.rng.random()
            order.gone_at += LATE_S if wrong is Wrong.LATE else 0.0
            order.back_at = order.gone_at + REVIVED_S if wrong is Wrong.REVIVE else None
        return accepted

    def _heard(self, orders: Sequence[Order], wrong: Wrong | None) -> Sequence[Order]:
        """Return which of the accepted cancels will take effect."""
        if wrong is Wrong.ACCEPT_AND_DROP:
            return ()
        return orders[::2] if wrong is Wrong.HALF else orders

    def open_count(self, uid: str, *, now: float) -> dict[str, int]:
        """Count what is really open on an account, by kind."""
        found: dict[str, int] = {}
        for order in self.orders.get(uid, []):
            if order.is_open(now):
                found[order.kind] = found.get(order.kind, 0) + 1
        return found

    def total(self, *, now: float) -> int:
        """Count what is really open on all accounts."""
        return sum(len(self.live(uid, now=now)) for uid in list(self.orders))
