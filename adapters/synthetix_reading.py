"""Reading a subaccount's open orders: page after page, and when they can be believed.

Owns what a scope names, and `read_all()`. Never cancels, never raises: what could not be read is
told. One list shows all classes and all markets; its filters by kind do nothing, and what its
filter by symbol says to a symbol that it does not know is not documented: so all of it is read, and
filtered here.

Pages are counted by offset, and come at most `PAGE_LEAST` long unless more is asked for; how much
more the venue gives is not documented. So only a page shorter than that is the last one. While
orders vanish, an offset skips some: each page therefore begins with the last order of the one
before it, and where it does not, the list has moved and the reading is not whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters import synthetix_lists as lists
from adapters import synthetix_replies as replies
from adapters import synthetix_wire as wire
from adapters.contract import (
    OpenOrder,
    OrderClass,
    Priority,
    Protective,
    Reading,
    Scope,
    Unread,
    VenueError,
)
from adapters.synthetix_calls import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One look at all open orders of the subaccount, in scope or not."""

    orders: tuple[OpenOrder, ...] = ()
    error: VenueError | None = None
    """Why it was not read to its end."""
    has_more: bool = False
    """There are further pages, or the list moved while it was read."""

    @property
    def is_whole(self) -> bool:
        """Tell whether all orders are here."""
        return self.error is None and not self.has_more


def classes_of(scope: Scope) -> tuple[OrderClass, ...]:
    """Return the classes that a scope reaches."""
    return tuple(each for each in wire.ORDER_CLASSES if each not in scope.classes_off)


def is_in_scope(order: OpenOrder, scope: Scope) -> bool:
    """Tell whether a scope names an order."""
    if order.order_class in scope.classes_off:
        return False
    if scope.protective is Protective.KEEP and order.is_protective:
        return False
    if scope.symbols and order.symbol not in scope.symbols:
        return False
    return scope.order_id is None or is_named(order, scope.order_id)


def is_named(order: OpenOrder, order_id: str) -> bool:
    """Tell whether this is one of an order's names."""
    return order_id in (order.order_id, order.client_id) or (lists.ALSO, order_id) in order.route


async def list_orders(caller: Caller, *, pages_max: int, priority: Priority) -> Listed:
    """Read at most `pages_max` pages, each order once."""
    found: dict[_Key, OpenOrder] = {}
    offset, has_moved = 0, False
    try:
        for _ in range(pages_max):
            page = await caller.page(offset, priority)
            fresh = {_key(order): order for order in page if _key(order) not in found}
            has_moved |= offset > 0 and not _follows(page, found)
            found |= fresh
            if len(page) < wire.PAGE_LEAST:
                return Listed(orders=tuple(found.values()), has_more=has_moved)
            if not fresh:
                raise replies.invalid("the list of orders shows a page twice")
            offset += len(page) - 1
    except VenueError as error:
        return Listed(orders=tuple(found.values()), error=error)
    return Listed(orders=tuple(found.values()), has_more=True)


_Key = tuple[bool, str]


def _key(order: OpenOrder) -> _Key:
    """Tell orders apart: one known by its client's id may have another's number for it."""
    return order.route == lists.BY_CLIENT_ID, order.order_id


def _follows(page: tuple[OpenOrder, ...], found: Mapping[_Key, OpenOrder]) -> bool:
    """Tell whether nothing can stand between a page and those before it."""
    return bool(page) and _key(page[0]) in found


async def read_all(caller: Caller, scope: Scope, *, pages_max: int) -> Reading:
    """Read every class in scope."""
    classes = classes_of(scope)
    if not classes:
        return Reading()
    listed = await list_orders(caller, pages_max=pages_max, priority=Priority.READING)
    error = listed.error
    return Reading(
        orders=tuple(order for order in listed.orders if is_in_scope(order, scope)),
        unread=tuple(Unread(order_class=each, error=error) for each in classes if error),
        has_more=classes if listed.has_more else (),
    )
