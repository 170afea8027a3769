"""The one venue loop: rounds of cancels and readings, until two clean readings say FLAT.

Owns when a round is sent, how long to wait, and when a target is FLAT. Never reads a key, never
stores, never ends by itself while orders rest: `bot.flow.execute` ends it at consent end.

The rule of the house, in the order in which it is applied:

1. A round cancels every order class once. An acknowledgement is a receipt, never a result.
2. A reading is clean if every class was read to its end and nothing was found.
3. Two clean readings in a row, at least `reread_after_s` apart, both begun after every cancel was
   answered or its connection aborted: FLAT. A reading that found or missed anything starts again.
4. Another round only for a reason: see `round_reason()`. Rounds that fail come slower and slower.
   Orders that cancel-all has left for a while are cancelled by their ids as well, in every round.
5. After FLAT come readings at +2, 5, 10, 20 and 30 s. Whatever they find resumes the chase.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from adapters.contract import (
    OpenOrder,
    Reading,
    Receipt,
    Scope,
    VenueAdapter,
    VenueAuthRefused,
    VenueBanned,
    VenueError,
    VenueNotReached,
    VenueThrottled,
)
from bot.domain.event import EventKind
from bot.domain.limits import Limits
from bot.domain.result import Phase
from bot.flow.ports import Clock


@dataclass(slots=True, kw_only=True)
class Sight:
    """What the loop has seen of one target so far. Times are monotonic seconds unless noted."""

    phase: Phase = Phase.WAITING
    rounds: int = 0
    """Those of which a byte left, or may have; the one on its way counts."""
    is_sent: bool = False
    """A byte of a cancel has left, or may have."""
    accepted: int = 0
    receipts: tuple[Receipt, ...] = ()
    """Of the last round."""
    round_at: float | None = None
    round_wall: datetime | None = None
    """Wall time of the last round's start: an order created later is younger than it."""
    reading: Reading | None = None
    """The last one."""
    open_known: int | None = None
    """Open orders in the last reading that could read anything at all."""
    clean_at: float | None = None
    """When the clean reading that waits for its second one ended."""
    has_seen_any: bool = False
    """A reading has found an order, if only one that has gone since."""
    left: Mapping[str, OpenOrder] = field(default_factory=dict)
    """By id: the orders that were open when their class was last read."""
    fell_at: float = 0.0
    """When `left` last lost an order, or got its first."""
    flat_at: float | None = None
    checks: int = 0
    """Readings since FLAT."""
    came_back: int = 0
    is_flat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pursuit:
    """One target being made flat."""

    adapter: VenueAdapter
    scope: Scope
    clock: Clock
    limits: Limits
    verdict_at: float
    """Monotonic: from here on the chase is slow."""
    tell: Callable[[EventKind, Sight], None]
    """Told before and after every round and after every reading; never waits."""
    sight: Sight = field(default_factory=Sight)


async def until_flat(pursuit: Pursuit) -> bool:
    """Cancel and read until FLAT has held through every later reading.

    The caller bounds it by consent end and may cancel it at any await; `pursuit.sight` always holds
    what is known. A sight that is FLAT already is only read again.

    Returns:
        False if it ended because the venue refuses the key for every cancel: another may do.
    """
    sight, limits = pursuit.sight, pursuit.limits
    if not sight.is_flat:
        await _round(pursuit, ())
    waits = 0
    while not (sight.is_flat and sight.checks >= len(limits.flat_checks_s)):
        await asyncio.sleep(_wait_s(pursuit, waits))
        waits += 1
        await _read(pursuit)
        if _is_key_refused(pursuit):
            return False
        if not sight.is_flat and sight.clean_at is None and round_reason(pursuit):
            await _round(pursuit, _by_id(pursuit) if _is_stuck(pursuit) else ())
            waits = waits if _is_failing(sight) else 0
    return True


def _is_key_refused(pursuit: Pursuit) -> bool:
    """Tell whether the last round met nothing but refusals of the key, a while ago."""
    sight = pursuit.sight
    if sight.is_flat or sight.round_at is None or not sight.receipts:
        return False
    errors = _refusals(sight)
    is_refused = len(errors) == len(sight.receipts) and all(
        isinstance(error, VenueAuthRefused) and not error.is_clock for error in errors
    )
    waited_s = pursuit.clock.monotonic() - sight.round_at
    return is_refused and waited_s >= pursuit.limits.chase_wait_s


class Because(Enum):
    """Why another round is due."""

    FIRST = "nothing was cancelled yet"
    UNACKNOWLEDGED = "a cancel was not acknowledged"
    CAPPED = "the venue's cap was hit"
    YOUNGER = "an order is younger than the last cancel"
    STUCK = "no order has gone"


def round_reason(pursuit: Pursuit) -> Because | None:
    """Say why another round is due; None while the last one may still take effect."""
    sight, now = pursuit.sight, pursuit.clock.monotonic()
    if sight.round_at is None:
        return Because.FIRST
    is_slow = now >= pursuit.verdict_at
    due = sight.round_at + (pursuit.limits.chase_wait_s if is_slow else 0.0)
    if now < max(due, _asked_until(pursuit, _refusals(sight), since=sight.round_at)):
        return None
    return _because(pursuit, is_slow=is_slow)


def _because(pursuit: Pursuit, *, is_slow: bool) -> Because | None:
    sight, now = pursuit.sight, pursuit.clock.monotonic()
    assert sight.round_at is not None
    if any(_may_change(error, is_slow=is_slow) for error in _refusals(sight)):
        return Because.UNACKNOWLEDGED
    if any(receipt.capped for receipt in sight.receipts):
        return Because.CAPPED
    orders = sight.reading.orders if sight.reading else ()
    if any(_is_younger(order, sight.round_wall) for order in orders):
        return Because.YOUNGER
    worth = bool(orders) or any(_may_change(error, is_slow=is_slow) for error in _errors(sight))
    if worth and now - max(sight.fell_at, sight.round_at) >= pursuit.limits.stuck_after_s:
        return Because.STUCK
    return None


def _is_younger(order: OpenOrder, than: datetime | None) -> bool:
    return order.created is not None and than is not None and order.created > than


def _may_change(error: VenueError, *, is_slow: bool) -> bool:
    """Tell whether trying again may help. In the slow chase anything may: people mend keys."""
    return is_slow or error.retryable or isinstance(error, VenueBanned)


def _is_failing(sight: Sight) -> bool:
    """Tell whether the last round met errors that pass: then the next waits longer, not less."""
    return any(_may_change(error, is_slow=False) for error in _refusals(sight))


async def _round(pursuit: Pursuit, by_id: Sequence[OpenOrder]) -> None:
    sight = pursuit.sight
    sight.phase = Phase.CANCELLING if not sight.came_back else Phase.CHASING
    sight.rounds += 1
    sight.round_wall = pursuit.clock.now()
    was_sent, sight.is_sent = sight.is_sent, True  # A round that is cut short may have left.
    pursuit.tell(EventKind.ROUND_BEGAN, sight)
    receipts = await pursuit.adapter.cancel_all(pursuit.scope)
    if by_id:
        receipts += await pursuit.adapter.cancel_orders(by_id)
    sight.round_at = pursuit.clock.monotonic()
    sight.receipts = receipts
    sight.is_sent = was_sent or _left(receipts, unless=VenueNotReached)
    if not _left(receipts, unless=(VenueNotReached, VenueBanned)):
        sight.rounds -= 1
    sight.accepted += sum(receipt.accepted or 0 for receipt in receipts)
    pursuit.tell(EventKind.ROUND_ENDED, sight)


def _left(
    receipts: Sequence[Receipt], *, unless: type[VenueError] | tuple[type[VenueError], ...]
) -> bool:
    """Tell whether any of these cancels left the process; `unless` says which errors mean no.

    A ban is told by the venue once, to a call that left, and then by our own gate to all others.
    """
    return any(not isinstance(receipt.error, unless) for receipt in receipts)


def _is_stuck(pursuit: Pursuit) -> bool:
    """Tell whether orders are left and none has gone for a while, whatever the reason may be."""
    sight, now = pursuit.sight, pursuit.clock.monotonic()
    return bool(sight.left) and now - sight.fell_at >= pursuit.limits.stuck_after_s


def _by_id(pursuit: Pursuit) -> tuple[OpenOrder, ...]:
    """Pick the orders that a cancel-all has left, a bounded number of them."""
    return tuple(pursuit.sight.left.values())[: pursuit.limits.orders_by_id_max]


async def _read(pursuit: Pursuit) -> None:
    sight, clock = pursuit.sight, pursuit.clock
    if not sight.is_flat:
        sight.phase = Phase.READING if clock.monotonic() < pursuit.verdict_at else Phase.CHASING
    began = clock.monotonic()
    reading = await pursuit.adapter.open_orders(pursuit.scope, pages_max=_pages(pursuit, began))
    sight.reading = reading
    sight.has_seen_any |= bool(reading.orders)
    _note_left(sight, reading, clock.monotonic())
    if reading.orders or not reading.unread:
        sight.open_known = len(reading.orders)
    if sight.is_flat:
        _check_flat(sight, reading)
    elif reading.is_clean:
        _count_clean(pursuit, began)
    else:
        sight.clean_at = None
    pursuit.tell(EventKind.READING_TAKEN, sight)


def _note_left(sight: Sight, reading: Reading, now: float) -> None:
    """Note which orders are left; an order whose class was not read has not gone."""
    unread = {entry.order_class for entry in reading.unread}
    hidden = {key: order for key, order in sight.left.items() if order.order_class in unread}
    left = hidden | {order.order_id: order for order in reading.orders}
    if sight.left.keys() - left.keys() or (left and not sight.left):
        sight.fell_at = now
    sight.left = left


def _pages(pursuit: Pursuit, now: float) -> int:
    """Read one page of each class while racing, and all of them once a count is owed.

    Where the last reading found nothing there is nothing to race for, and orders that are not ours
    may fill the first page: only all pages can be clean.
    """
    wait, last = pursuit.limits.reading_waits_s[-1], pursuit.sight.reading
    is_racing = now + 2 * wait < pursuit.verdict_at and (last is None or bool(last.orders))
    return 1 if is_racing else pursuit.limits.pages_max


def _count_clean(pursuit: Pursuit, began: float) -> None:
    sight = pursuit.sight
    if sight.clean_at is None:
        sight.clean_at = pursuit.clock.monotonic()
        return
    if began - sight.clean_at >= pursuit.adapter.capabilities.reread_after_s:
        sight.flat_at = pursuit.clock.monotonic()
        sight.is_flat = True
        sight.checks = 0
        sight.phase = Phase.WATCHING


def _check_flat(sight: Sight, reading: Reading) -> None:
    """Judge a reading after FLAT: found orders end it; one that failed is made again."""
    if reading.orders:
        sight.came_back += len(reading.orders)
        sight.is_flat = False
        sight.clean_at = None
        sight.flat_at = None
        sight.phase = Phase.CHASING
    elif reading.is_clean:
        sight.checks += 1


def _wait_s(pursuit: Pursuit, waits: int) -> float:
    """Seconds until the next reading."""
    sight, limits, now = pursuit.sight, pursuit.limits, pursuit.clock.monotonic()
    if sight.is_flat and sight.flat_at is not None:
        due = sight.flat_at + limits.flat_checks_s[sight.checks]
        is_again = sight.reading is not None and not sight.reading.is_clean
        return max(limits.reading_waits_s[-1] if is_again else 0.0, due - now)
    if sight.clean_at is not None:
        due = sight.clean_at + pursuit.adapter.capabilities.reread_after_s
        return max(0.0, due - now)
    if now >= pursuit.verdict_at:
        backoff = limits.chase_wait_s
    elif waits == 0:
        return 0.0  # The first reading follows its round at once: it may already be clean.
    else:
        backoff = limits.reading_waits_s[min(waits - 1, len(limits.reading_waits_s) - 1)]
    return max(backoff, _asked_until(pursuit, _errors(sight), since=now) - now)


def _errors(sight: Sight) -> tuple[VenueError, ...]:
    """Return why classes were not read in the last reading."""
    return tuple(unread.error for unread in sight.reading.unread) if sight.reading else ()


def _refusals(sight: Sight) -> tuple[VenueError, ...]:
    """Return why cancels of the last round were not acknowledged."""
    return tuple(receipt.error for receipt in sight.receipts if receipt.error is not None)


def _asked_until(pursuit: Pursuit, errors: Sequence[VenueError], *, since: float) -> float:
    """Return until when the venue asked us to wait, monotonic; at least `since`."""
    clock, until = pursuit.clock, [since]
    for error in errors:
        if isinstance(error, VenueThrottled):
            until.append(since + error.retry_after_s)
        elif isinstance(error, VenueBanned):
            left_s = (error.until - clock.now()).total_seconds()
            until.append(clock.monotonic() + left_s)
    return max(until)
