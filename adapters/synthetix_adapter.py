"""Synthetix for one subaccount: how its orders are cancelled and read.

Sources: developers.synthetix.io (changelog to 2026-04-28), synthetix-sdk 0.7.0, and the server's
validators as Fenway-snx/synthetix-mcp @64fe4ffd carries them; read 2026-11-20. Limits: tokens in
ten seconds, see `synthetix_wire`.

A round over everything: cancelAllOrders for all markets, `["*"]`, and beside it the list of open
orders. TWAPs in that list are cancelled by their ids, because no source says that cancelAllOrders
takes them. A scope by symbol sends one cancelAllOrders with those symbols that the list of markets
knows, and one for each other, as a symbol that is not known may spoil the call.

Where the venue refuses `["*"]`, which older servers may, or takes it and names none of the orders
that the list shows, the same round goes on with the markets of those orders, and where that does
nothing either, order by order. Where the list cannot be had, each symbol goes in a call of its own.
Nothing is learned from that: `["*"]` costs two tokens, and who refused it to one account or once
may take it from the next. `[]`, which once meant all markets, is never sent: refused it would look
like nothing to do.

What a cancelAllOrders might take beyond what is meant is done order by order: with
`protective = "keep"`, and where a class is switched off. One order is looked for and cancelled by
the venue's own id; what no list shows is cancelled all the same by the id that was given, for an
order on its way to the book stands in no list. An id names one order of the subaccount: given with
a wrong symbol, while the list cannot be had, it is cancelled in the market where it is.

No acknowledgement is believed, and "no orders found" least of all: the readings decide.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from adapters import synthetix_facts as facts_of
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
    VenueRefused,
)
from adapters.synthetix_calls import Caller
from adapters.synthetix_codes import NonceMissing, NonceRefused
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
WARNING = (
    "the key can also place orders, as Synthetix has none that may only cancel: use a delegated "
    "signer that nothing else signs with, never the owner's key"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One cancelAllOrders that was sent."""

    symbols: tuple[str, ...]
    receipt: Receipt

    def names(self, order: OpenOrder) -> bool:
        """Tell whether it is meant for an order."""
        return EVERYTHING in self.symbols or order.symbol in self.symbols


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
        async with asyncio.TaskGroup() as group:
            sweeping = group.create_task(self._sweep(self._calls(scope)))
            seeing = group.create_task(self._cancel_seen(scope))
        sweeps, (listed, seen) = sweeping.result(), seeing.result()
        return (*await self._mended(sweeps, listed), *seen)

    def _calls(self, scope: Scope) -> list[list[str]]:
        """Return the symbols of each cancelAllOrders that means nothing beyond the scope."""
        if not _can_sweep(scope):
            return []
        if not scope.symbols:
            return [[EVERYTHING]]
        symbols, known = [each for each in scope.symbols if each != EVERYTHING], self.markets()
        listed = [symbol for symbol in symbols if symbol in known]
        # One that is not known may spoil a call: each has one of its own.
        return [*wire.batches(listed), *([each] for each in symbols if each not in known)]

    async def _mended(self, sweeps: Sequence[Sweep], listed: Listed) -> tuple[Receipt, ...]:
        """Return the receipts of these calls, with what is done in place of those that missed."""
        missed = [each for each in sweeps if _has_missed(each, listed)]
        receipts = tuple(each.receipt for each in sweeps if each not in missed)
        if missed:
            receipts += await self._fall_back(missed, listed)
        return receipts

    async def _fall_back(self, missed: Sequence[Sweep], listed: Listed) -> tuple[Receipt, ...]:
        """Cancel what calls were meant for that did nothing: by finer ones, at last by ids."""
        logger.warning("cancel_all.missed", extra={"venue": "synthetix"})
        mine = [o for o in _of(ORDER, listed.orders) if any(each.names(o) for each in missed)]
        if finer := self._finer(missed, mine, listed):
            return await self._mended(await self._sweep(finer), listed)
        return await self._cancel_some(ORDER, mine, listed)

    def _finer(
        self, missed: Sequence[Sweep], mine: Sequence[OpenOrder], listed: Listed
    ) -> list[list[str]]:
        """Return the symbols of the calls to make instead; none: there are no finer ones."""
        # Where not all orders are seen, some may rest in any market.
        if any(EVERYTHING in each.symbols for each in missed):
            unseen = frozenset() if listed.is_whole else self.markets()
            return wire.batches(sorted({order.symbol for order in mine} | unseen))
        if listed.is_whole:
            return []
        return [[symbol] for each in missed if len(each.symbols) > 1 for symbol in each.symbols]

    async def _sweep(self, calls: Iterable[Sequence[str]]) -> tuple[Sweep, ...]:
        """Send these cancelAllOrders, each with its symbols."""
        return await side_by_side(partial(self._sweep_some, symbols) for symbols in calls)

    async def _sweep_some(self, symbols: Sequence[str]) -> tuple[Sweep, ...]:
        ask, accepted, refusal = wire.build_cancel_all(symbols), None, None
        try:
            told = await self.caller.cancel(ask)
            accepted = 0 if told is None else lists.parse_cancel_all(told)
        except VenueError as error:
            refusal = error
        receipt = Receipt(order_class=ORDER, call=ask.name, accepted=accepted, error=refusal)
        return (Sweep(symbols=tuple(symbols), receipt=receipt),)

    async def _cancel_seen(self, scope: Scope) -> tuple[Listed, tuple[Receipt, ...]]:
        """Look, and cancel by their ids what is in scope and no cancelAllOrders is sent for."""
        # Where a cancelAllOrders goes beside it, others' of those come before this look.
        is_swept = _can_sweep(scope)
        listed = await self._list(Priority.READING if is_swept else Priority.CANCEL)
        mine = [order for order in listed.orders if readings.is_in_scope(order, scope)]
        classes, parts = readings.classes_of(scope), list[Part[Receipt]]()
        if TWAP in classes:
            parts.append(partial(self._cancel_some, TWAP, _of(TWAP, mine), listed))
        if ORDER in classes and not is_swept:
            parts.append(partial(self._cancel_some, ORDER, _of(ORDER, mine), listed))
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
        is_seen = any(readings.is_named(each, order_id) for each in listed.orders)
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

    async def inspect(self) -> KeyFacts:
        """Ask all that Synthetix tells of the key; see `adapters.synthetix_facts`."""
        return await facts_of.inspect(self.caller)

    async def _list(self, priority: Priority = Priority.CANCEL) -> Listed:
        return await readings.list_orders(self.caller, pages_max=FIND_PAGES, priority=priority)


def _can_sweep(scope: Scope) -> bool:
    """Tell whether a cancelAllOrders takes nothing that the scope leaves out."""
    is_whole = not set(scope.classes_off) & set(ORDER_CLASSES)
    return is_whole and scope.protective is Protective.CANCEL


def _has_missed(sweep: Sweep, listed: Listed) -> bool:
    """Tell whether a call is refused, or taken and names no order though the list shows some.

    Whatever it is refused for: the venue may have no code for a symbol that it does not know, and
    may skip one without a word. A nonce that is refused says nothing of the call.
    """
    error = sweep.receipt.error
    if error is not None:
        return isinstance(error, VenueRefused) and not isinstance(
            error, NonceRefused | NonceMissing
        )
    return not sweep.receipt.accepted and any(map(sweep.names, _of(ORDER, listed.orders)))


def _same(orders: Iterable[OpenOrder], call: str, error: VenueError | None) -> tuple[Receipt, ...]:
    """Give each order of a batch the receipt of the whole call; no error: nothing was there."""
    accepted = 0 if error is None else None
    return tuple(
        Receipt(order_class=each.order_class, call=call, accepted=accepted, error=error)
        for each in orders
    )


def _of(order_class: OrderClass, orders: Iterable[OpenOrder]) -> list[OpenOrder]:
    return [order for order in orders if order.order_class == order_class]
