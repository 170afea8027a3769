"""CoinAPI EMS for one exchange account: how its orders are cancelled and read.

EMS is a relay: it holds the keys of the exchange accounts and passes cancels on. An account here
is one whole `exchange_id`, such as `KRAKEN/JOHN`; whether a call for `KRAKEN` reaches it as well is
not documented, so each is asked for by itself.

Sources: OpenAPI "EMS - REST API" v1 as of 2025-05-23, the quickstart, starter guide and FAQ at
docs.coinapi.io, read 2026-11-20. Limits: none with a number; ten calls at once are assumed, of
which eight are used, and HTTP 429 holds all of them, longer each time.

* Everything is cancelled in one call. Where the exchange does not take that one
  (`METHOD_NOT_SUPPORTED`), the same round goes on one by one, and later rounds begin so.
* Symbols, one order, and `protective = "keep"` are read and cancelled one by one. EMS lists limit
  orders and nothing else, so stops stay because they are not named; a cancel-all might take them
  along at the exchange. Reduce-only limit orders cannot be told apart and go like the others.
* The call is acknowledged before the exchange has answered. Only a reading tells, and in it orders
  that are being cancelled are still open.
* A cancel carries no time and never expires. The one that we give up can only be aborted with its
  connection.

The WebSocket is not used: its path is not documented, and its answers name no request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters import coinapi_facts as facts_of
from adapters import coinapi_replies as replies
from adapters import coinapi_reports as reports
from adapters import coinapi_wire as wire
from adapters.coinapi_calls import KEY_WARNING, Caller
from adapters.coinapi_replies import CallInvalid
from adapters.coinapi_wire import LIMIT
from adapters.contract import (
    Capabilities,
    KeyFacts,
    OpenOrder,
    Priority,
    Protective,
    Reading,
    Receipt,
    Scope,
    Unread,
    VenueError,
)

logger = logging.getLogger(__name__)

CAPABILITIES = Capabilities(
    order_classes=(LIMIT,),
    symbol_classes=(LIMIT,),
    blind_to=(
        "stops, conditional and algo orders placed at the exchange: EMS lists limit orders only",
        "parents of the smart order router (TWAP and others): they run on and place new orders",
        "orders under other exchange_ids, also under another tag of the same exchange",
        "which limit orders are reduce-only: EMS does not say, so none of them is kept",
        "whether the exchange_id exists: what EMS lists for one that it does not know is not told",
    ),
    reread_after_s=1.0,
    has_upper_symbols=False,
)
FIND_ORDERS = 100
"""Orders cancelled one by one in a round, so that a reading comes in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinapiAdapter:
    """CoinAPI EMS with one key and one exchange account, for one run, preview or check."""

    caller: Caller
    tried: dict[str, int] = field(default_factory=dict)
    """How often each order was cancelled by its id: those that stay must not hide the others."""
    known: set[str] = field(default_factory=set)
    """Its exchange_id, once EMS has listed orders of it or taken a cancel-all for it: in this run
    alone, for an account may be renamed or removed at CoinAPI while this process lives."""

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    @property
    def exchange_id(self) -> str:
        """The account that it acts for."""
        return self.caller.exchange_id

    async def cancel_all(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel everything in one call, or what is in scope one by one."""
        if LIMIT in scope.classes_off:
            return ()
        one_by_one = self.caller.lessons.one_by_one
        is_swept = self.exchange_id not in one_by_one and not self._may_sweep_others()
        if _is_everything(scope) and is_swept:
            receipt = await self._cancel_everything()
            error = receipt.error
            if error is None or error.venue_code != replies.NOT_SUPPORTED:
                return (receipt,)
            one_by_one.add(self.exchange_id)
            logger.info("cancel_all.unsupported", extra={"exchange_id": self.exchange_id})
        return await self._cancel_listed(scope)

    def _may_sweep_others(self) -> bool:
        """Tell whether a cancel-all might take a tagged account's orders: nobody says it does not.

        For `KRAKEN`, where the key is also for `KRAKEN/JOHN`.
        """
        accounts = self.caller.signer.accounts
        after = [
            each[len(self.exchange_id) :]
            for each in accounts
            if each != self.exchange_id and each.startswith(self.exchange_id)
        ]
        return any(not rest[0].isalnum() for rest in after)

    async def _cancel_everything(self) -> Receipt:
        ask = wire.build_cancel_all(self.exchange_id)
        try:
            await self.caller.ask(ask, Priority.CANCEL)
        except VenueError as error:
            if isinstance(error, CallInvalid):
                self._doubt(error)
            return Receipt(order_class=LIMIT, call=ask.name, error=error)
        self._know()
        return Receipt(order_class=LIMIT, call=ask.name)

    def _know(self) -> None:
        self.known.add(self.exchange_id)
        self.caller.lessons.doubted.pop(self.exchange_id, None)

    def _doubt(self, error: VenueError) -> None:
        if self.exchange_id not in self.known:
            self.caller.lessons.doubted[self.exchange_id] = error

    async def _cancel_listed(self, scope: Scope) -> tuple[Receipt, ...]:
        """Read, then cancel exactly what is in scope by its id; say so where nothing is."""
        look = "look for orders"
        reading = await self._read(scope, Priority.CANCEL)
        orders = sorted(reading.orders, key=lambda order: self.tried.get(order.order_id, 0))
        receipts = await self.cancel_orders(orders[:FIND_ORDERS])
        if reading.unread:
            error = reading.unread[0].error
            return (*receipts, Receipt(order_class=LIMIT, call=look, error=error))
        if len(orders) > FIND_ORDERS:
            return (*receipts, Receipt(order_class=LIMIT, call=look, capped=True))
        return receipts or (Receipt(order_class=LIMIT, call=look, accepted=0),)

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[Receipt, ...]:
        """Cancel these orders one by one, side by side; receipts in the order they were given."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._cancel(order)) for order in orders]
        return tuple(task.result() for task in tasks)

    async def _cancel(self, order: OpenOrder) -> Receipt:
        ask = wire.build_cancel(self.exchange_id, order)
        self.tried[order.order_id] = self.tried.get(order.order_id, 0) + 1
        try:
            found = await self.caller.ask(ask, Priority.CANCEL)
        except VenueError as error:
            if error.venue_code == replies.NOT_FOUND:
                return Receipt(order_class=LIMIT, call=ask.name, accepted=0)
            return Receipt(order_class=LIMIT, call=ask.name, error=error)
        return Receipt(order_class=LIMIT, call=ask.name, accepted=reports.parse_accepted(found))

    async def open_orders(
        self,
        scope: Scope,
        *,
        pages_max: int,  # noqa: ARG002 - EMS has no pages
    ) -> Reading:
        """Read all open orders in scope: one call."""
        if LIMIT in scope.classes_off:
            return Reading()
        return await self._read(scope, Priority.READING)

    async def _read(self, scope: Scope, priority: Priority) -> Reading:
        try:
            found = await self.caller.ask(wire.build_open_orders(self.exchange_id), priority)
        except VenueError as error:
            return Reading(unread=(Unread(order_class=LIMIT, error=error),))
        listed = reports.parse_orders(found, self.exchange_id)
        if listed.rows:
            self._know()
        near = [row.order.symbol for row in listed.rows if reports.is_misspelt(row, scope)]
        why = listed.error or self.caller.lessons.doubted.get(self.exchange_id)
        why = why or (replies.misspelt(near[0]) if near else None)
        return Reading(
            orders=tuple(row.order for row in listed.rows if reports.is_in_scope(row, scope)),
            unread=(Unread(order_class=LIMIT, error=why),) if why else (),
        )

    async def check(self) -> KeyFacts:
        """Return what the key's document says: no call of EMS tells whose key it is.

        Two customers may both have a `KRAKEN`, and EMS refuses an exchange_id that is not the
        key's own. So whoever stores the key says what it is for, and nothing is asked here.
        """
        return KeyFacts(accounts=self.caller.signer.accounts, warnings=(KEY_WARNING,))

    async def inspect(self) -> KeyFacts:
        """Ask what EMS tells of the key; see `adapters.coinapi_facts`."""
        return await facts_of.inspect(self.caller)


def _is_everything(scope: Scope) -> bool:
    is_whole = not scope.symbols and scope.order_id is None
    return is_whole and scope.protective is Protective.CANCEL
