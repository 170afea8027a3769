"""Pacifica for one account: how its orders are cancelled and read.

Sources: docs.pacifica.fi as of 2026, its mirror of 2025, python-sdk @583661a, ccxt 4.5.90; read
2026-11-20. Limits: credits in a rolling minute, see `pacifica_wire`.

A round over everything: one cancel-all over the warm socket, and beside it the lists of strategies,
stops and TWAPs, unless a reading has just shown them. Then, by their own calls and their ids:

* strategies first, because they place orders again; after the last of them one more cancel-all;
* stops and spot orders, which no page says that a cancel-all takes, and TWAPs, which one says it
  does.

A list that hangs delays no cancel-all, and the others not beyond `PARENTS_S`. Scopes by symbol send
one cancel-all each. What a cancel-all might take beyond what is meant is done order by order: where
a class is switched off, because it takes TWAPs, and perhaps stops.

With `protective = "keep"` the cancel-all spares reduce-only orders (`exclude_reduce_only`), no stop
is cancelled, nor are strategies and TWAPs that only reduce; readings leave all of them out. Whether
that cancel-all takes stops that are not reduce-only is not documented.

A scope by id looks first, then cancels with the class's own call. What no list shows is cancelled
as an order all the same: one that is just on its way to the book stands in no list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from adapters import pacifica_facts as facts_of
from adapters import pacifica_reading as readings
from adapters import pacifica_replies as replies
from adapters import pacifica_wire as wire
from adapters.beside import Part, side_by_side
from adapters.contract import (
    Capabilities,
    KeyFacts,
    OpenOrder,
    OrderClass,
    Priority,
    Reading,
    Receipt,
    Scope,
    VenueError,
)
from adapters.pacifica_calls import Caller
from adapters.pacifica_reading import Memory, Reader
from adapters.pacifica_wire import ORDER, ORDER_CLASSES, STOP, STRATEGY, TWAP, Ask

CAPABILITIES = Capabilities(
    order_classes=ORDER_CLASSES,
    symbol_classes=ORDER_CLASSES,
    blind_to=(
        "subaccounts that are not in the config: each is an account with orders of its own",
        "market and IOC orders that wait 0.2 s for the book: they may fill after the last cancel",
        "TWAPs that Pacifica shows in no list but /twaps, which is late and has no counter",
        "spot orders, should Pacifica keep them out of its lists: it does not say",
    ),
    reread_after_s=1.0,
    has_upper_symbols=False,
)
LISTS = ((ORDER, STOP), (TWAP,))
"""Classes that one list shows."""
FIND_PAGES = 3
"""Pages of strategies read inside a cancel; an account may have 100 strategies, which is one."""
FIND_ORDERS, FIND_LEAST = 100, 10
"""Orders that are cancelled by id in one round: of all classes together, and of each in any case,
or one that will not go would keep the others waiting. They take 650 of the 700 tenths of credits
that an address has for what is no cancel-all."""
SPOT_MARK = "-"
"""In `SOL-USDC`; no perpetual has it."""
PARENTS_S = 1.0
"""How long stops and TWAPs wait for the strategies that may have placed them."""


@dataclass(slots=True, kw_only=True)
class _Round:
    """What the parts of one round share."""

    scope: Scope
    parents: asyncio.Event = field(default_factory=asyncio.Event)
    """The strategies have been cancelled, or there is nothing to wait for."""
    left: int = FIND_ORDERS

    def taken(self, orders: Sequence[OpenOrder]) -> Sequence[OpenOrder]:
        """Take so many orders of a class as the round may still cancel by their ids."""
        mine = orders[: max(self.left, FIND_LEAST)]
        self.left -= len(mine)
        return mine


@dataclass(frozen=True, slots=True, kw_only=True)
class PacificaAdapter:
    """One account at Pacifica, for one run, preview or check."""

    caller: Caller
    memory: Memory = field(default_factory=Memory)

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    async def cancel_all(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel every order class in scope once: one round."""
        if scope.order_id is not None:
            return await self._cancel_named(scope)
        this, wanted = _Round(scope=scope), readings.classes_of(scope)
        parts: list[Part[Receipt]] = [partial(self._sweep, scope)]
        if STRATEGY in wanted:
            parts.append(partial(self._cancel_strategies, this))
        else:
            this.parents.set()
        parts += [
            partial(self._cancel_listed, this, classes)
            for shown in LISTS
            if (classes := [each for each in shown if each in wanted])
        ]
        return await side_by_side(parts)

    async def _sweep(self, scope: Scope) -> tuple[Receipt, ...]:
        """Send the cancel-alls that mean exactly the scope; none where nothing does."""
        if not _can_sweep(scope):
            return ()
        if not scope.symbols:  # No task of its own: nothing may reach the gate before it.
            return await self._cancel_symbol("", scope)
        return await side_by_side(
            partial(self._cancel_symbol, symbol, scope) for symbol in scope.symbols
        )

    async def _cancel_symbol(self, symbol: str, scope: Scope) -> tuple[Receipt, ...]:
        name = f"cancel-all {symbol}".rstrip()
        try:
            ask = wire.build_cancel_all(symbol, scope.protective)
            told = await self.caller.cancel(ask, priority=Priority.CANCEL)
            accepted = 0 if told is None else replies.parse_cancelled(told)
        except VenueError as error:
            return (Receipt(order_class=ORDER, call=name, error=error),)
        return (Receipt(order_class=ORDER, call=name, accepted=accepted),)

    async def _cancel_strategies(self, this: _Round) -> tuple[Receipt, ...]:
        """Cancel what places orders, then sweep again after it."""
        scope = this.scope
        try:
            listed, has_more = self.memory.open_of((STRATEGY,), scope), False
            if listed is None:
                listed, has_more = await self._reader().strategies(pages_max=FIND_PAGES)
            mine = [order for order in listed if readings.is_in_scope(order, scope)]
            receipts = await self._cancel_some(this, STRATEGY, mine)
        except VenueError as error:
            return (_look(STRATEGY, error),)
        finally:
            this.parents.set()
        beyond = readings.straddling(listed, scope)
        if beyond is not None:
            receipts += (_look(STRATEGY, beyond),)
        if has_more:
            receipts = (*receipts[:-1], replace(receipts[-1], capped=True))
        return receipts + (await self._sweep(scope) if mine else ())

    async def _cancel_listed(
        self, this: _Round, classes: Sequence[OrderClass]
    ) -> tuple[Receipt, ...]:
        """Look for orders of these classes, which one list shows, and cancel them by their ids."""
        scope, reader = this.scope, self._reader()
        try:
            listed = self.memory.open_of(classes, scope)
            if listed is None:
                listed = await (reader.twaps() if TWAP in classes else reader.orders())
        except VenueError as error:
            return tuple(_look(each, error) for each in classes)
        mine = [
            order
            for order in listed
            if order.order_class in classes
            and readings.is_in_scope(order, scope)
            and _goes_by_id(order, scope)
        ]
        if mine:
            with suppress(TimeoutError):
                async with asyncio.timeout(PARENTS_S):
                    await this.parents.wait()
        mine = [*readings.without_kept(mine, scope, self.memory.guards)]
        swept = {ORDER} if _can_sweep(scope) else set()  # Its receipt comes with the cancel-all.
        found = {order.order_class for order in mine}
        return await side_by_side(
            partial(self._cancel_some, this, each, [o for o in mine if o.order_class == each])
            for each in classes
            if each in found or each not in swept
        )

    async def _cancel_some(
        self, this: _Round, order_class: OrderClass, orders: Sequence[OpenOrder]
    ) -> tuple[Receipt, ...]:
        """Cancel so many orders of a class as one round may, and say whether more are left."""
        if not orders:
            return (Receipt(order_class=order_class, call=f"look for {order_class}", accepted=0),)
        mine = this.taken(orders)
        receipts = await self._cancel_each(mine)
        if len(orders) > len(mine):
            receipts = (*receipts[:-1], replace(receipts[-1], capped=True))
        return receipts

    async def _cancel_each(self, orders: Iterable[OpenOrder]) -> tuple[Receipt, ...]:
        return await side_by_side(partial(self._cancel_by_id, order) for order in orders)

    async def _cancel_by_id(self, order: OpenOrder) -> tuple[Receipt, ...]:
        name = f"cancel {order.order_class} {order.order_id}"
        try:
            ask = wire.build_cancel(order)
        except VenueError as error:
            return (Receipt(order_class=order.order_class, call=name, error=error),)
        return (await self._cancel_one(order.order_class, ask),)

    async def _cancel_one(self, order_class: OrderClass, ask: Ask) -> Receipt:
        try:
            # Behind every cancel-all: one account's many must not stand before another's one.
            told = await self.caller.cancel(ask, priority=Priority.READING)
            if told is not None:
                replies.check_acknowledged(told, ask.name)
        except VenueError as error:
            return Receipt(order_class=order_class, call=ask.name, error=error)
        return Receipt(order_class=order_class, call=ask.name, accepted=0 if told is None else 1)

    async def _cancel_named(self, scope: Scope) -> tuple[Receipt, ...]:
        """Look for the one order and cancel it with its own call; unseen, as a plain order."""
        reader = self._reader()
        reading = await readings.read_lists(reader, scope, pages_max=FIND_PAGES)
        receipts = await self.cancel_orders(reading.orders)
        receipts += tuple(
            Receipt(
                order_class=each.order_class, call=f"look for {each.order_class}", error=each.error
            )
            for each in reading.unread
        )
        is_elsewhere = any(isinstance(each.error, readings.NotMeant) for each in reading.unread)
        if reading.orders or is_elsewhere or ORDER in scope.classes_off:
            return receipts
        assert scope.order_id is not None
        try:
            ask = wire.build_cancel_unseen(scope.symbols[0], scope.order_id)
        except VenueError as error:
            return (*receipts, Receipt(order_class=ORDER, call="cancel order", error=error))
        return (*receipts, await self._cancel_one(ORDER, ask))

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[Receipt, ...]:
        """Cancel these orders by their ids, one receipt each, in the order they were given.

        Strategies go before what they may have placed.
        """
        parents = [order for order in orders if order.order_class == STRATEGY]
        others = [order for order in orders if order.order_class != STRATEGY]
        told = iter(await self._cancel_each(parents))
        rest = iter(await self._cancel_each(others))
        return tuple(next(told if each.order_class == STRATEGY else rest) for each in orders)

    async def open_orders(self, scope: Scope, *, pages_max: int) -> Reading:
        """Read every order class in scope side by side, and the account's own counters."""
        reader, began_at = Reader(caller=self.caller, memory=self.memory), _now()
        reading = await readings.read_all(reader, scope, pages_max=pages_max)
        self.memory.keep(scope, reading, began_at=began_at)
        return reading

    async def check(self) -> KeyFacts:
        """Tell which accounts the key is for; no call is made.

        Every cancel names its account and Pacifica itself judges whether the key may act for it.
        """
        signer = self.caller.signer
        if signer is None:
            return KeyFacts(accounts=(self.caller.account,), can_cancel=False, is_read_only=True)
        return KeyFacts(
            accounts=signer.accounts,
            can_withdraw=True,
            warnings=(facts_of.MAY_WITHDRAW,),
        )

    async def inspect(self) -> KeyFacts:
        """Ask all that Pacifica tells of the key; see `adapters.pacifica_facts`."""
        return await facts_of.inspect(self.caller)

    def _reader(self) -> Reader:
        """Return what looks inside a cancel."""
        return Reader(caller=self.caller, memory=self.memory)


def _can_sweep(scope: Scope) -> bool:
    """Tell whether a cancel-all takes nothing that the scope leaves out."""
    return not set(scope.classes_off) & set(ORDER_CLASSES)


def _goes_by_id(order: OpenOrder, scope: Scope) -> bool:
    """Tell whether an order is cancelled by its id: it is of no class that a cancel-all takes.

    Whether a cancel-all of everything takes spot orders is not documented; their symbols alone have
    a dash.
    """
    is_spot = SPOT_MARK in order.symbol and not scope.symbols
    return order.order_class != ORDER or is_spot or not _can_sweep(scope)


def _look(order_class: OrderClass, error: VenueError) -> Receipt:
    return Receipt(order_class=order_class, call=f"look for {order_class}", error=error)


def _now() -> float:
    return asyncio.get_running_loop().time()
