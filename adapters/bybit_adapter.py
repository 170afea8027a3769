"""Bybit v5 for one key: how its orders are cancelled and read.

Sources: bybit-exchange/docs, `docs/v5` as of 2026-07-24, read 2026-11-20. Limits: per UID and
endpoint as in `bybit_wire`; 600 calls per 5 s and address, over all of Bybit's hosts.

A round over everything, all side by side:

* `linear`: cancel-all by settle coin: USDT, USDC, and whatever the instrument list or the config
  adds. `inverse`: its open orders are read for the settle coins in use; if that fails, every
  inverse coin of the list is taken. Both take 500 orders a call, picked at random.
* `option` in one call; spot in five, one for each order filter; spreads, inquiries and quotes by
  calls of their own.
* Strategies (TWAP, iceberg, chase, POV) are listed and stopped one by one, beside the rest: a list
  that hangs delays no cancel. What a strategy places meanwhile, the next reading finds.

With `protective = "keep"`, linear, inverse and option orders are read and cancelled by their ids,
without those that protect: `orderFilter=Order` would leave stops alone and yet take reduce-only
limit orders. That costs time: 8 orders a second, at most `FIND_ORDERS` of each series and round.
Spot has no reduce-only orders, so there the filter `Order` says exactly what is meant, and its
other four classes are not touched. Reduce-only strategies run on. Readings leave out what is kept.

A scope by symbol sends one call per symbol and category that lists it. Elsewhere it looks, and
cancels by id what is there: the instrument list, which may be old or partial, says where to look
first and never where not to. A reading asks for the symbol where the list has it, else for the
whole category: what Bybit answers to a symbol of another category is not documented. Inquiries and
quotes have legs rather than a symbol and are not reached. A scope by id reads like one by symbol
and cancels the one order by its id.

Linear orders are read and cancelled by settle coin. While the instrument list was never read, no
reading of all linear orders is whole, and each says so and asks for the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from adapters import bybit_facts as facts_of
from adapters import bybit_keys as keys
from adapters import bybit_reading as readings
from adapters import bybit_receipts as receipts_of
from adapters import bybit_wire as wire
from adapters.beside import Part, side_by_side
from adapters.bybit_calls import Caller
from adapters.bybit_listing import Listing
from adapters.bybit_reading import Look, Series
from adapters.bybit_wire import (
    DERIVATIVES,
    INVERSE,
    LINEAR,
    OPTION,
    QUOTE,
    RFQ,
    SPOT,
    SPOT_FILTERS,
    SPREAD,
    STRATEGY,
    Ask,
)
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
    Unread,
    VenueError,
    VenueNotReached,
    VenueReplyInvalid,
)

CAPABILITIES = Capabilities(
    order_classes=wire.ORDER_CLASSES,
    symbol_classes=wire.SYMBOL_CLASSES,
    blind_to=(
        "trading bots (grid, DCA, martingale, combo): they run on and place orders of their own",
        "sub-accounts that are not in the config, and copy-trading followers",
        "orders of a classic or separate derivatives account",
    ),
    reread_after_s=0.5,
)
FIND_PAGES = 20
"""Pages read inside a cancel to learn coins, strategies or ids: 1,000 orders of each series."""
FIND_ORDERS = 100
"""Orders of a series that are cancelled by id in one round: 12 s at 8 orders a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BybitAdapter:
    """Bybit with one key, for one run, preview or check."""

    caller: Caller
    listing: Callable[[], Listing]
    linear_coins: Callable[[], tuple[str, ...]]
    want_listing: Callable[[], None]
    """Ask for the instrument list to be read soon; waits for nothing."""

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    async def cancel_all(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel every order class in scope once, side by side."""
        if scope.order_id is not None:
            return await self._cancel_listed(self._series(scope), scope)
        return await side_by_side([*self._parts(scope), *self._unlisted_parts(scope)])

    def _parts(self, scope: Scope) -> Iterable[Part[Receipt]]:
        """Yield one part per call, or per class that has to be looked at first."""
        for order_class in readings.classes_of(scope):
            if order_class == STRATEGY:
                series = self._strategies(wire.STRATEGY_STATUSES)
                yield partial(self._cancel_listed, series, scope)
            elif order_class in DERIVATIVES and scope.protective is Protective.KEEP:
                series = self._category_series(order_class, scope)
                yield partial(self._cancel_listed, series, scope)
            elif order_class == INVERSE and not scope.symbols:
                yield self._cancel_inverse
            else:
                for ask in self._cancel_asks(order_class, scope):
                    yield partial(self._cancel, order_class, ask)

    def _cancel_asks(self, order_class: OrderClass, scope: Scope) -> list[Ask]:
        """List the cancel-all calls of a class; for symbols, one each and nothing wider."""
        if order_class in (RFQ, QUOTE):
            return [wire.build_cancel_all_rfq(order_class)]
        category = SPREAD if order_class == SPREAD else wire.CATEGORY[order_class]
        if scope.symbols:
            listing = self.listing()
            mine = [each for each in scope.symbols if category in listing.categories(each)]
            selectors = [{"symbol": symbol} for symbol in mine]
        elif order_class == LINEAR:
            selectors = [{"settleCoin": coin} for coin in self.linear_coins()]
        else:
            selectors = [{}]
        if order_class == SPREAD:
            return [wire.build_cancel_all_spread(selector) for selector in selectors]
        return [wire.build_cancel_all(order_class, selector) for selector in selectors]

    def _unlisted_parts(self, scope: Scope) -> Iterable[Part[Receipt]]:
        """Yield a look at each category for the symbols that are not cancelled there at once."""
        listing = self.listing()
        classes = readings.classes_of(scope)
        for category in (*DERIVATIVES, SPOT, SPREAD):
            rest = tuple(each for each in scope.symbols if category not in listing.categories(each))
            is_done = category in DERIVATIVES and scope.protective is Protective.KEEP
            if rest and not is_done and any(_category(each) == category for each in classes):
                narrow = replace(scope, symbols=rest)
                yield partial(self._cancel_listed, self._category_series(category, narrow), narrow)

    async def _cancel(self, order_class: OrderClass, ask: Ask) -> tuple[Receipt, ...]:
        """Send one cancel-all and keep what Bybit says as a receipt."""
        try:
            envelope = await self.caller.cancel(ask)
            if envelope is None:
                return (Receipt(order_class=order_class, call=ask.name, accepted=0),)
            return (receipts_of.parse_cancel_all(order_class, ask, envelope),)
        except VenueError as error:
            return (Receipt(order_class=order_class, call=ask.name, error=error),)

    async def _cancel_inverse(self) -> tuple[Receipt, ...]:
        """Cancel inverse orders by the settle coins in use; by all known if those stay unknown."""
        listing = self.listing()
        look = Look(scope=Scope(), pages_max=FIND_PAGES, priority=Priority.CANCEL)
        reading = await readings.read_series(self.caller, readings.realtime(INVERSE, {}), look)
        selectors = {_inverse_selector(listing, order.symbol) for order in reading.orders}
        if reading.unread or reading.has_more:
            selectors |= {("settleCoin", coin) for coin in listing.coins("inverse")}
        if not selectors:
            call = "look for inverse orders"
            error = reading.unread[0].error if reading.unread else None
            accepted = None if error else 0
            receipt = Receipt(order_class=INVERSE, call=call, accepted=accepted, error=error)
            return (receipt,)
        asks = [wire.build_cancel_all(INVERSE, dict([pair])) for pair in sorted(selectors)]
        return await side_by_side(partial(self._cancel, INVERSE, ask) for ask in asks)

    async def _cancel_listed(self, series: Sequence[Series], scope: Scope) -> tuple[Receipt, ...]:
        """Read, then cancel exactly what is in scope by its id; say so where nothing is."""
        look = Look(
            scope=scope,
            pages_max=FIND_PAGES,
            orders_max=FIND_ORDERS,
            priority=Priority.CANCEL,
        )
        reading = await readings.read_all(self.caller, series, look)
        receipts = list(await self.cancel_orders(reading.orders))
        # Where others' orders fill every page, looking again would find no more.
        found = {order.order_class for order in reading.orders}
        receipts += [
            Receipt(order_class=each.order_class, call="look for orders", error=each.error)
            for each in reading.unread
        ]
        receipts += [
            Receipt(order_class=each, call="look for orders", capped=each in found)
            for each in reading.has_more
        ]
        told = {receipt.order_class for receipt in receipts}
        quiet = [each for each in readings.shown(series, scope) if each not in told]
        receipts += [
            Receipt(order_class=each, call="look for orders", accepted=0) for each in quiet
        ]
        return tuple(receipts)

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[Receipt, ...]:
        """Cancel these orders, one receipt each, in the order they were given.

        Linear, inverse, option and plain spot orders go in batches; the other kinds of spot order,
        spreads, inquiries, quotes and strategies one by one, because no batch takes them.
        """
        batches: dict[str, list[int]] = {}
        chunks: list[list[int]] = []
        for place, order in enumerate(orders):
            if order.order_class in (LINEAR, INVERSE, OPTION, SPOT):
                batches.setdefault(wire.CATEGORY[order.order_class], []).append(place)
            else:
                chunks.append([place])
        for category, places in batches.items():
            size = wire.BATCH[category]
            chunks += [places[start : start + size] for start in range(0, len(places), size)]
        pairs = await side_by_side(partial(self._cancel_some, orders, chunk) for chunk in chunks)
        return tuple(receipt for _, receipt in sorted(pairs, key=lambda pair: pair[0]))

    async def _cancel_some(
        self, orders: Sequence[OpenOrder], places: Sequence[int]
    ) -> tuple[tuple[int, Receipt], ...]:
        some = [orders[place] for place in places]
        category = wire.CATEGORY.get(some[0].order_class, "")
        if some[0].order_class in (LINEAR, INVERSE, OPTION, SPOT):
            receipts = await self._cancel_batch(category, some)
        else:
            receipts = await self._cancel_one(some[0])
        return tuple(zip(places, receipts, strict=True))

    async def _cancel_batch(
        self, category: str, orders: Sequence[OpenOrder]
    ) -> tuple[Receipt, ...]:
        ask = wire.build_cancel_batch(category, orders)
        try:
            envelope = await self.caller.cancel(ask)
            if envelope is None:
                raise VenueReplyInvalid(user_message=f"Bybit answers {ask.name} as one order")
            receipts = receipts_of.parse_batch(
                orders, ask, envelope, api_key=self.caller.signer.api_key
            )
        except VenueError as error:
            return tuple(
                Receipt(order_class=each.order_class, call=ask.name, error=error) for each in orders
            )
        if complaint := receipts_of.throttled(receipts):
            self.caller.throttled(ask, complaint)
        return receipts

    async def _cancel_one(self, order: OpenOrder) -> tuple[Receipt, ...]:
        ask = wire.build_cancel_one(order)
        try:
            accepted = 0 if await self.caller.cancel(ask) is None else 1
        except VenueError as error:
            return (Receipt(order_class=order.order_class, call=ask.name, error=error),)
        return (Receipt(order_class=order.order_class, call=ask.name, accepted=accepted),)

    async def open_orders(self, scope: Scope, *, pages_max: int) -> Reading:
        """Read every order class in scope side by side, the first page of each first."""
        listing = self.listing()
        series, look = self._series(scope), Look(scope=scope, pages_max=pages_max)
        reading = await readings.read_all(self.caller, series, look)
        is_sure = listing.vouches_for_coins(self.caller.link.now())
        if is_sure or LINEAR not in readings.classes_of(scope):
            return reading
        self.want_listing()
        is_told = any(each.order_class == LINEAR for each in reading.unread)
        if scope.symbols or is_told:
            return reading
        return replace(reading, unread=(*reading.unread, _coins_unknown(listing.linear_at)))

    def _series(self, scope: Scope) -> list[Series]:
        """List the series of pages that together show every class in scope."""
        classes = readings.classes_of(scope)
        found: list[Series] = []
        for category in (*DERIVATIVES, SPOT, SPREAD):
            if any(_category(each) == category for each in classes):
                found += self._category_series(category, scope)
        for order_class in (RFQ, QUOTE):
            if order_class in classes:
                found.append(readings.rfqs(order_class, wire.RFQ_SIDE[order_class]))
        if STRATEGY in classes:
            found += self._strategies(wire.STRATEGY_LIVE)
        assert set(classes) <= {each for series in found for each in series.classes}
        return found

    def _category_series(self, category: OrderClass, scope: Scope) -> list[Series]:
        """Read a category by symbol where the list has them all, else as a whole.

        Without the settle coins there is no whole of linear: then by symbol, come what may.
        """
        listing = self.listing()
        if category == SPREAD:
            return [readings.spreads({})]
        is_listed = all(listing.lists(category, each) for each in scope.symbols)
        knows_coins = category != LINEAR or listing.vouches_for_coins(self.caller.link.now())
        if scope.symbols and (is_listed or not knows_coins):
            return [readings.realtime(category, {"symbol": each}) for each in scope.symbols]
        if category == LINEAR:
            return [readings.realtime(LINEAR, {"settleCoin": coin}) for coin in self.linear_coins()]
        return [readings.realtime(category, {})]

    def _strategies(self, statuses: Sequence[str]) -> list[Series]:
        return [readings.strategy_list({"status": status}) for status in statuses]

    async def check(self) -> KeyFacts:
        """Ask Bybit whose key this is and what it may do.

        Raises:
            VenueError: Bybit did not say.
        """
        result = await self.caller.read(wire.build_query_api(), priority=Priority.CANCEL)
        facts = keys.parse_key(result)
        self.caller.belongs_to(facts.accounts[0])
        return facts

    async def inspect(self) -> KeyFacts:
        """Ask all that Bybit tells of the key; see `adapters.bybit_facts`."""
        return await facts_of.inspect(self.caller)


def _category(order_class: OrderClass) -> OrderClass:
    return SPOT if order_class in SPOT_FILTERS else order_class


def _coins_unknown(read_at: datetime | None) -> Unread:
    known = f"is of {read_at:%Y-%m-%d %H:%M} UTC" if read_at else "was never read"
    error = VenueNotReached(
        user_message=f"settle coins unknown: the instrument list {known}",
        remedy="Find out why Bybit's public calls fail; linear orders in other coins may rest.",
    )
    return Unread(order_class=LINEAR, error=error)


def _inverse_selector(listing: Listing, symbol: str) -> tuple[str, str]:
    """Select by settle coin; by the symbol itself where its coin cannot be told."""
    coin = listing.settle_coin(symbol)
    return ("settleCoin", coin) if coin else ("symbol", symbol)
