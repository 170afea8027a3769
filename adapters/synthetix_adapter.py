"""Synthetix for one subaccount: how its orders are cancelled and read.

Sources: developers.synthetix.io (changelog to 2026-04-28), synthetix-sdk 0.7.0, and the server's
validators as Fenway-snx/synthetix-mcp @64fe4ffd carries them; read 2026-11-20. Limits: tokens in
ten seconds, see `synthetix_wire`.

A round over everything: cancelAllOrders for all markets, `["*"]`, and beside it the list of open
orders. TWAPs in that list are cancelled by their ids, because no source says that cancelAllOrders
takes them. A scope by symbol sends one cancelAllOrders with those symbols that the list of markets
knows, as a symbol that is not known may spoil the call; in all others, orders are cancelled by
their ids as the list shows them.

Where the venue does not take `["*"]`, which older servers may not, the same round goes on with the
markets of the orders that the list shows, and where it does not take those, order by order. `[]`,
which once meant all markets, is never sent: refused it would look like nothing to do.

What a cancelAllOrders might take beyond what is meant is done order by order: with
`protective = "keep"`, and where a class is switched off. One order is looked for and cancelled by
the venue's own id; what no list shows is cancelled all the same by the id that was given, for an
order on its way to the book stands in no list.

No acknowledgement is believed, and "no orders found" least of all: the readings decide.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from adapters import synthetix_lists as lists
from adapters import synthetix_reading as readings
from adapters import synthetix_wire as wire
from adapters.beside import Part, side_by_side
from adapters.contract import (
    Capabilities,
    KeyFacts,
    OpenOrder,
    OrderClass,
    Priority,
    Protective,
    Reading,
    Receipt,
    Scope,
    VenueError,
)
from adapters.synthetix_calls import Caller
from adapters.synthetix_codes import CallInvalid
from adapters.synthetix_lists import BY_CLIENT_ID
from adapters.synthetix_reading import Listed
from adapters.synthetix_wire import EVERYTHING, ORDER, ORDER_CLASSES, TWAP

logger = logging.getLogger(__name__)

T = TypeVar("T")
CAPABILITIES = Capabilities(
    order_classes=ORDER_CLASSES,
    symbol_classes=ORDER_CLASSES,
    blind_to=(
        "subaccounts that are not in the config: each has orders of its own",
        "orders of the on-chain Synthetix, V2 and V3",
    ),
    reread_after_s=0.5,
)
FIND_PAGES = 20
"""Pages read inside a cancel: 1,000 orders where the venue gives 50 a page."""
FIND_ORDERS = 1000
"""Orders that are cancelled by id in one round: five calls."""
WILDCARD_AGAIN_S = 3600.0
"""How long a refused `["*"]` is not tried again."""
WARNING = (
    "the key can also place orders, as Synthetix has none that may only cancel: use a delegated "
    "signer that nothing else signs with, never the owner's key"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthetixAdapter:
    """One subaccount at Synthetix, for one run, preview or check."""

    caller: Caller
    markets: Callable[[], frozenset[str]]
    """The symbols that the venue lists, as far as known."""

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    async def cancel_all(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel every order class in scope once: one round."""
        if not readings.classes_of(scope):
            return ()
        if scope.order_id is not None:
            return await self._cancel_named(scope, scope.order_id)
        swept = self._swept(scope)
        async with asyncio.TaskGroup() as group:
            sweeping = group.create_task(self._sweep(swept))
            seeing = group.create_task(self._cancel_seen(scope, swept))
        receipts, (listed, seen) = sweeping.result(), seeing.result()
        if _is_refused(receipts) or (_is_everything(scope) and not swept):
            receipts = await self._fall_back(scope, swept, listed)
        return (*receipts, *seen)

    async def _fall_back(
        self, scope: Scope, swept: Sequence[str], listed: Listed
    ) -> tuple[Receipt, ...]:
        """Cancel what a cancelAllOrders was meant for, once the venue does not take that one."""
        mine = _of(ORDER, listed.orders)
        if not _is_everything(scope):
            return await self._cancel_some(ORDER, [o for o in mine if o.symbol in swept], listed)
        if swept:
            self.caller.lessons.no_wildcard_until = _now() + WILDCARD_AGAIN_S
            logger.warning("wildcard.refused", extra={"venue": "synthetix"})
        # Where not all orders are seen, some may rest in any market.
        unseen = frozenset() if listed.is_whole else self.markets()
        receipts = await self._sweep(sorted({order.symbol for order in mine} | unseen))
        if receipts and not _is_refused(receipts):
            return receipts
        return await self._cancel_some(ORDER, mine, listed)

    def _swept(self, scope: Scope) -> tuple[str, ...]:
        """Return the symbols of one cancelAllOrders that means nothing beyond the scope."""
        if not _can_sweep(scope):
            return ()
        if scope.symbols:
            known = self.markets()
            return tuple(symbol for symbol in scope.symbols if symbol in known)
        return (EVERYTHING,) if _now() >= self.caller.lessons.no_wildcard_until else ()

    async def _sweep(self, symbols: Sequence[str]) -> tuple[Receipt, ...]:
        """Send cancelAllOrders; one call, unless there are more symbols than a body holds."""
        return await side_by_side(partial(self._sweep_some, some) for some in wire.batches(symbols))

    async def _sweep_some(self, symbols: Sequence[str]) -> tuple[Receipt, ...]:
        ask = wire.build_cancel_all(symbols)
        try:
            told = await self.caller.cancel(ask)
            accepted = 0 if told is None else lists.parse_cancel_all(told)
        except VenueError as error:
            return (Receipt(order_class=ORDER, call=ask.name, error=error),)
        return (Receipt(order_class=ORDER, call=ask.name, accepted=accepted),)

    async def _cancel_seen(
        self, scope: Scope, swept: Sequence[str]
    ) -> tuple[Listed, tuple[Receipt, ...]]:
        """Look, and cancel by their ids what is in scope and no cancelAllOrders is sent for."""
        # Where a cancelAllOrders goes beside it, others' of those come before this look.
        listed = await self._list(Priority.READING if swept else Priority.CANCEL)
        mine = [order for order in listed.orders if readings.is_in_scope(order, scope)]
        classes, parts = readings.classes_of(scope), list[Part[Receipt]]()
        if TWAP in classes:
            parts.append(partial(self._cancel_some, TWAP, _of(TWAP, mine), listed))
        if ORDER in classes and not (_is_everything(scope) or _is_all(scope.symbols, swept)):
            rest = [order for order in _of(ORDER, mine) if order.symbol not in swept]
            parts.append(partial(self._cancel_some, ORDER, rest, listed))
        return listed, await side_by_side(parts)

    async def _cancel_some(
        self, order_class: OrderClass, orders: Sequence[OpenOrder], listed: Listed
    ) -> tuple[Receipt, ...]:
        """Cancel so many orders of a class as one round may, and say whether more may rest."""
        look, is_cut = f"look for {order_class}", len(orders) > FIND_ORDERS
        receipts = await self.cancel_orders(orders[:FIND_ORDERS])
        if listed.error is not None:
            error = listed.error
            return (*receipts, Receipt(order_class=order_class, call=look, error=error))
        if is_cut or listed.has_more:
            # Where others' orders fill every page, looking again would find no more.
            return (*receipts, Receipt(order_class=order_class, call=look, capped=bool(orders)))
        return receipts or (Receipt(order_class=order_class, call=look, accepted=0),)

    async def _cancel_named(self, scope: Scope, order_id: str) -> tuple[Receipt, ...]:
        """Look for the one order and cancel it; unseen, by the id that was given."""
        listed = await self._list()
        mine = [order for order in listed.orders if readings.is_in_scope(order, scope)]
        is_seen = any(order_id in (each.order_id, each.client_id) for each in listed.orders)
        if not mine and not is_seen and _can_sweep(scope):
            by = () if wire.is_venue_id(order_id) else BY_CLIENT_ID
            mine = [
                OpenOrder(order_class=ORDER, symbol=scope.symbols[0], order_id=order_id, route=by)
            ]
        receipts = await self.cancel_orders(mine)
        if is_seen and mine:
            return receipts
        return (*receipts, *await self._cancel_some(ORDER, (), listed))

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[Receipt, ...]:
        """Cancel these orders by their ids, one receipt each, in the order they were given.

        In batches; those without an id of the venue's yet one by one, by the client's.
        """
        # A client's id that breaks a rule of today would have all of its call refused.
        chunks = [[place] for place, order in enumerate(orders) if order.route == BY_CLIENT_ID]
        places = [place for place, order in enumerate(orders) if order.route != BY_CLIENT_ID]
        for batch in wire.batches(orders[place].order_id for place in places):
            chunks.append(places[: len(batch)])
            places = places[len(batch) :]
        pairs = await side_by_side(partial(self._cancel_batch, orders, chunk) for chunk in chunks)
        return tuple(receipt for _, receipt in sorted(pairs, key=lambda pair: pair[0]))

    async def _cancel_batch(
        self, orders: Sequence[OpenOrder], places: Sequence[int]
    ) -> tuple[tuple[int, Receipt], ...]:
        some = [orders[place] for place in places]
        ids = [order.order_id for order in some]
        is_named = some[0].route == BY_CLIENT_ID
        ask = wire.build_cancel_client_ids(ids) if is_named else wire.build_cancel_orders(ids)
        try:
            told = await self.caller.cancel(ask)
            receipts = (
                _same(some, ask.name, None)
                if told is None
                else lists.parse_statuses(some, told, address=self.caller.signer.address)
            )
        except VenueError as error:
            receipts = _same(some, ask.name, error)
        return tuple(zip(places, receipts, strict=True))

    async def open_orders(self, scope: Scope, *, pages_max: int) -> Reading:
        """Read every order class in scope."""
        return await readings.read_all(self.caller, scope, pages_max=pages_max)

    async def check(self) -> KeyFacts:
        """Tell which subaccounts the key is for; no call is made.

        Every call names its subaccount, and the venue itself judges whether its signer may act for
        it.
        """
        return KeyFacts(accounts=self.caller.signer.accounts, warnings=(WARNING,))

    async def _list(self, priority: Priority = Priority.CANCEL) -> Listed:
        return await readings.list_orders(self.caller, pages_max=FIND_PAGES, priority=priority)


def _can_sweep(scope: Scope) -> bool:
    """Tell whether a cancelAllOrders takes nothing that the scope leaves out."""
    is_whole = not set(scope.classes_off) & set(ORDER_CLASSES)
    return is_whole and scope.protective is Protective.CANCEL


def _is_everything(scope: Scope) -> bool:
    """Tell whether all markets are meant, and all that a cancelAllOrders takes there."""
    return not scope.symbols and _can_sweep(scope)


def _is_all(symbols: Sequence[str], swept: Sequence[str]) -> bool:
    return bool(swept) and set(symbols) <= set(swept)


def _is_refused(receipts: Iterable[Receipt]) -> bool:
    """Tell whether the venue could not read a call: then another one may do."""
    return any(isinstance(receipt.error, CallInvalid) for receipt in receipts)


def _same(orders: Iterable[OpenOrder], call: str, error: VenueError | None) -> tuple[Receipt, ...]:
    """Give each order of a batch the receipt of the whole call; no error: nothing was there."""
    accepted = 0 if error is None else None
    return tuple(
        Receipt(order_class=each.order_class, call=call, accepted=accepted, error=error)
        for each in orders
    )


def _of(order_class: OrderClass, orders: Iterable[OpenOrder]) -> list[OpenOrder]:
    return [order for order in orders if order.order_class == order_class]


def _now() -> float:
    return asyncio.get_running_loop().time()
