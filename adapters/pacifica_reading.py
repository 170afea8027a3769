"""Reading Pacifica's open orders: which list shows which classes, and when it can be believed.

Owns what a scope names, and `read_all()`. Never cancels and never raises for a class: what could
not be read is an `Unread`.

Every list is of the whole account and needs no key; a scope by symbol is filtered here. That stop
orders all stand in the list of orders is not documented, so the account's own counters are read
beside it: a list that shows fewer orders than the account counts has not been read to its end. The
counters hold what is kept, or out of scope, too; so they are compared with the whole list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from adapters import pacifica_lists as lists
from adapters import pacifica_wire as wire
from adapters.beside import Part, side_by_side
from adapters.contract import (
    OpenOrder,
    OrderClass,
    Priority,
    Protective,
    Reading,
    Scope,
    Unread,
    VenueError,
    VenueRefused,
    VenueReplyInvalid,
)
from adapters.pacifica_calls import Caller
from adapters.pacifica_codes import NoSuchCall
from adapters.pacifica_lists import Counters
from adapters.pacifica_replies import Told, invalid
from adapters.pacifica_wire import ORDER, ORDER_CLASSES, STOP, STRATEGY, TWAP

JUST_S = 1.0
"""How long a round needs no lists of its own after a reading: it follows at once, if at all."""
T = TypeVar("T")


class NotMeant(VenueRefused):
    """The one order that is named rests, and is not what the scope means."""


@dataclass(slots=True, kw_only=True)
class Memory:
    """What one run has read last."""

    last_order_id: int = -1
    """How new the newest list of orders was."""
    guards: frozenset[str] = frozenset()
    """Ids of the strategies listed last that only reduce."""
    scope: Scope | None = None
    reading: Reading = field(default_factory=Reading)
    began_at: float = float("-inf")
    """Loop time."""

    def keep(self, scope: Scope, reading: Reading, *, began_at: float) -> None:
        """Remember a reading."""
        self.scope, self.reading, self.began_at = scope, reading, began_at

    def open_of(self, classes: Sequence[OrderClass], scope: Scope) -> tuple[OpenOrder, ...] | None:
        """Return the open orders of these classes; None unless just read, and to their end."""
        age_s = asyncio.get_running_loop().time() - self.began_at
        doubtful = {entry.order_class for entry in self.reading.unread} | {*self.reading.has_more}
        if scope != self.scope or age_s > JUST_S or doubtful & set(classes):
            return None
        return tuple(order for order in self.reading.orders if order.order_class in classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads one account's lists."""

    caller: Caller
    priority: Priority = Priority.READING
    memory: Memory = field(default_factory=Memory)

    async def orders(self) -> tuple[OpenOrder, ...]:
        """Read all open orders, stops among them.

        Raises:
            VenueError: the list cannot be had, or is older than one that was seen before.
        """
        told = await self._read(wire.build_orders(self.caller.account))
        found = lists.parse_orders(told, offset_ms=self._offset_ms)
        if told.last_order_id is not None:
            if told.last_order_id < self.memory.last_order_id:
                raise invalid("the list of orders is older than the one read before it")
            self.memory.last_order_id = told.last_order_id
        return found

    async def counters(self) -> Counters:
        """Read how many orders the account says it has.

        Raises:
            VenueError: it does not say.
        """
        return lists.parse_counters(await self._read(wire.build_account(self.caller.account)))

    async def twaps(self) -> tuple[OpenOrder, ...]:
        """Read all TWAPs that the engine runs.

        Raises:
            VenueError: the list cannot be had.
        """
        told = await self._read(wire.build_twaps(self.caller.account))
        return lists.parse_twaps(told, offset_ms=self._offset_ms)

    async def strategies(self, *, pages_max: int) -> tuple[tuple[OpenOrder, ...], bool]:
        """Read the strategies, and whether there are more than `pages_max` pages of them.

        A page as long as the one that comes unasked may have been cut there: the next one tells.

        Raises:
            VenueError: the list cannot be had.
        """
        found: dict[str, OpenOrder] = {}
        offset, has_more = 0, True
        for _ in range(pages_max):
            try:
                told = await self._read(wire.build_strategies(self.caller.account, offset))
            except NoSuchCall:
                if self.caller.known.has_strategies:
                    raise
                return (), False  # An older deployment has no strategies.
            self.caller.known.has_strategies = True
            page = lists.parse_strategies(told, offset_ms=self._offset_ms)
            if page and page[0].order_id in found:
                raise invalid("the list of strategies shows a page twice")
            found |= {order.order_id: order for order in page}
            offset += len(page)
            has_more = len(page) >= wire.STRATEGIES_LEAST
            if not has_more:
                break
        self.memory.guards = frozenset(each for each in found if found[each].is_protective)
        return tuple(found.values()), has_more

    async def _read(self, ask: wire.Ask) -> Told:
        return await self.caller.read(ask, priority=self.priority)

    @property
    def _offset_ms(self) -> float:
        return self.caller.link.clock.offset_ms


def classes_of(scope: Scope) -> tuple[OrderClass, ...]:
    """Return the classes that a scope reaches; where stops stay, theirs is none of them."""
    kept = {STOP} if scope.protective is Protective.KEEP else set()
    return tuple(each for each in ORDER_CLASSES if each not in kept | set(scope.classes_off))


def is_in_scope(order: OpenOrder, scope: Scope) -> bool:
    """Tell whether a scope names an order.

    A strategy is in a scope by symbol if it trades nothing else; one that is named by its id need
    not say what it trades. What a strategy placed is as much off as the strategy.
    """
    if order.order_class in scope.classes_off:
        return False
    if STRATEGY in scope.classes_off and lists.parent(order):
        return False
    if scope.protective is Protective.KEEP and order.is_protective:
        return False
    if scope.order_id is not None and not _is_named(order, scope.order_id):
        return False
    if not scope.symbols or (order.order_class == STRATEGY and scope.order_id is not None):
        return True
    legs = lists.legs(order)
    return bool(legs) and legs <= set(scope.symbols)


def _is_named(order: OpenOrder, name: str) -> bool:
    """Tell whether a name is an order's, by either id."""
    return _one_spelling(name) in map(_one_spelling, (order.order_id, order.client_id))


def _one_spelling(name: str) -> str:
    """Spell an id in the one way: a call takes `007` for 7, and a UUID in capitals."""
    return name.lstrip("0") if name.isdecimal() else name.casefold()


def without_kept(
    orders: Sequence[OpenOrder], scope: Scope, guards: Collection[str]
) -> tuple[OpenOrder, ...]:
    """Leave out what a strategy placed that is kept: cancelled, it would only be placed again."""
    kept = guards if scope.protective is Protective.KEEP else ()
    return tuple(order for order in orders if lists.parent(order) not in kept)


def beyond_reach(listed: Sequence[OpenOrder], scope: Scope) -> tuple[Unread, ...]:
    """Say so where the one order that is named rests, and is not what the scope means."""
    if scope.order_id is None:
        return ()
    return tuple(
        Unread(
            order_class=order.order_class,
            error=NotMeant(
                user_message=f"{order.order_class} {order.order_id} of {order.symbol} rests, and "
                "its symbol, its class or what it protects is not covered",
                remedy="Name it under its own symbol, or cover its class.",
            ),
        )
        for order in listed
        if _is_named(order, scope.order_id) and not is_in_scope(order, scope)
    )


def straddling(strategies: Sequence[OpenOrder], scope: Scope) -> VenueRefused | None:
    """Say which strategy trades in a scope by symbol and elsewhere, or will not say where.

    To cancel it would widen the scope, to leave it out would call flat what is not.
    """
    if not scope.symbols or scope.order_id is not None:
        return None
    for order in strategies:
        legs = lists.legs(order)
        is_partly = not legs or (legs & set(scope.symbols) and not legs <= set(scope.symbols))
        is_kept = scope.protective is Protective.KEEP and order.is_protective
        if is_partly and not is_kept:
            where = order.symbol or "symbols that Pacifica does not name"
            return VenueRefused(
                user_message=f"strategy {order.order_id} trades {where}: more than the scope",
                remedy="Cancel the whole account, or this strategy by its id.",
            )
    return None


async def read_all(reader: Reader, scope: Scope, *, pages_max: int) -> Reading:
    """Read every class in scope side by side, and the counters beside them."""
    return await _joined(partial(_read_book, reader, scope), reader, scope, pages_max)


async def read_lists(reader: Reader, scope: Scope, *, pages_max: int) -> Reading:
    """Read the lists alone: enough to find what is to be cancelled, too little to call it gone."""
    return await _joined(partial(_read_orders, reader, scope), reader, scope, pages_max)


async def _joined(book: Part[Reading], reader: Reader, scope: Scope, pages_max: int) -> Reading:
    # One that is named may turn up in a class that is off: that is no proof that it is gone.
    classes = classes_of(scope) if scope.order_id is None else ORDER_CLASSES
    parts: list[Part[Reading]] = [book] if {ORDER, STOP} & set(classes) else []
    if TWAP in classes:
        parts.append(partial(_read_twaps, reader, scope))
    if STRATEGY in classes:
        parts.append(partial(_read_strategies, reader, scope, pages_max))
    found = await side_by_side(parts)
    listed = [order for reading in found for order in reading.orders]
    orders = without_kept(listed, scope, reader.memory.guards)
    return Reading(
        orders=tuple({(o.order_class, o.order_id): o for o in orders}.values()),
        unread=tuple(entry for reading in found for entry in reading.unread),
        has_more=tuple(each for reading in found for each in reading.has_more),
    )


async def _read_book(reader: Reader, scope: Scope) -> tuple[Reading, ...]:
    """Read the list of orders beside the counters, and hold one against the other."""
    async with asyncio.TaskGroup() as group:
        listing = group.create_task(_or_error(reader.orders()))
        counting = group.create_task(_or_error(reader.counters()))
    listed, counted = listing.result(), counting.result()
    if isinstance(listed, VenueError):
        return (Reading(unread=_unread_book(listed, scope)),)
    orders = tuple(order for order in listed if is_in_scope(order, scope))
    beyond = beyond_reach(listed, scope)
    if isinstance(counted, VenueError):
        return (Reading(orders=orders, unread=(*_unread_book(counted, scope), *beyond)),)
    short = [
        Unread(order_class=each, error=error)
        for each in _book_classes(scope)
        if (error := _shortfall(each, listed, counted)) is not None
    ]
    return (Reading(orders=orders, unread=(*short, *beyond)),)


async def _read_orders(reader: Reader, scope: Scope) -> tuple[Reading, ...]:
    try:
        listed = await reader.orders()
    except VenueError as error:
        return (Reading(unread=_unread_book(error, scope)),)
    return (_in_scope(listed, scope),)


def _in_scope(listed: Sequence[OpenOrder], scope: Scope) -> Reading:
    orders = tuple(order for order in listed if is_in_scope(order, scope))
    return Reading(orders=orders, unread=beyond_reach(listed, scope))


def _book_classes(scope: Scope) -> tuple[OrderClass, ...]:
    return tuple(each for each in classes_of(scope) if each in (ORDER, STOP))


def _unread_book(error: VenueError, scope: Scope) -> tuple[Unread, ...]:
    return tuple(Unread(order_class=each, error=error) for each in _book_classes(scope))


def _shortfall(
    order_class: OrderClass, listed: Sequence[OpenOrder], counted: Counters
) -> VenueReplyInvalid | None:
    """Say so where the account counts more orders of a class than the list shows."""
    shown = len({order.order_id for order in listed if order.order_class == order_class})
    count = counted.orders if order_class == ORDER else counted.stops
    if count <= shown:
        return None
    return invalid(f"the account counts {count} {order_class} orders and lists {shown}")


async def _read_twaps(reader: Reader, scope: Scope) -> tuple[Reading, ...]:
    try:
        listed = await reader.twaps()
    except VenueError as error:
        return (Reading(unread=(Unread(order_class=TWAP, error=error),)),)
    return (_in_scope(listed, scope),)


async def _read_strategies(reader: Reader, scope: Scope, pages_max: int) -> tuple[Reading, ...]:
    try:
        listed, has_more = await reader.strategies(pages_max=pages_max)
    except VenueError as error:
        return (Reading(unread=(Unread(order_class=STRATEGY, error=error),)),)
    shown, beyond = _in_scope(listed, scope), straddling(listed, scope)
    return (
        Reading(
            orders=shown.orders,
            unread=shown.unread
            if beyond is None
            else (Unread(order_class=STRATEGY, error=beyond),),
            has_more=(STRATEGY,) if has_more else (),
        ),
    )


async def _or_error(work: Awaitable[T]) -> T | VenueError:
    try:
        return await work
    except VenueError as error:
        return error
