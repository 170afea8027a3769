"""Bybit v5: the adapter and `connect()`.

Sources: bybit-exchange/docs, `docs/v5` (2026-07-24), read 2026-11-20. Limits: per UID and endpoint
as in `bybit_wire`, 600 calls per 5 s and address over all hosts. Oddities of the wire stand there.

How everything is cancelled, one round, side by side:

* `linear` by settle coin, from the instrument list; `inverse` by the settle coins of its open
  orders, read first, or of the whole list if that reading fails. At most 500 orders a call, picked
  at random.
* `option` in one call; `spot` in five, one for each order filter; `spread`, inquiries and quotes by
  calls of their own.
* Strategies are listed and stopped one by one, beside the rest: a hanging list must not delay the
  cancels. Orders that a strategy placed meanwhile are younger than the cancel: a new round.

With `protective = "keep"` no cancel-all is sent: its filters cannot tell a reduce-only order from
any other, so every order that protects nothing is cancelled by its id. So is a single order.

`blind_to`: trading bots, other sub-accounts, copy-trading followers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from adapters import bybit_codes as codes
from adapters import bybit_listing as listings
from adapters import bybit_replies as replies
from adapters import bybit_wire as wire
from adapters import link as links
from adapters import signing
from adapters.bybit_door import BybitSettings, Door
from adapters.bybit_reading import Reader, joined, side_by_side
from adapters.bybit_replies import Envelope
from adapters.bybit_wire import Ask
from adapters.contract import (
    ApiKeySigner,
    Capabilities,
    Instruments,
    KeyFacts,
    OpenOrder,
    OrderClass,
    Priority,
    Protective,
    Purpose,
    Reading,
    Receipt,
    Scope,
    VenueAdapter,
    VenueAuthRefused,
    VenueError,
    VenueRefused,
    VenueReplyInvalid,
)
from adapters.pacing import Window

CAPABILITIES = Capabilities(
    order_classes=wire.ORDER_CLASSES,
    symbol_classes=wire.SYMBOL_CLASSES,
    blind_to=(
        "trading bots (grid, DCA, martingale, combo)",
        "sub-accounts and copy-trading followers that the config does not list",
    ),
    reread_after_s=0.5,
    orders_per_cancel_max=20,
)


class BybitCredentials(BaseModel):
    """The secret document: an API key, and its secret or its RSA private key in PEM."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    api_key: SecretStr
    api_secret: SecretStr | None = None
    private_key: SecretStr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bybit:
    """Bybit at one base URL, for the life of the process."""

    door: Door

    @property
    def capabilities(self) -> Capabilities:
        """What every adapter of Bybit can do."""
        return CAPABILITIES

    async def instruments(self) -> Instruments:
        """Return every symbol that Bybit lists.

        Raises:
            VenueError: it is not known from disk and cannot be read now.
        """
        if self.door.listing is None:
            await self.door.refresh()
        assert self.door.listing is not None
        return self.door.listing.instruments()

    def signer(self, secret: SecretStr) -> ApiKeySigner:
        """Make the signer that a secret document describes.

        Raises:
            VenueAuthRefused: names the field that is wrong.
        """
        found = signing.read_document(secret, BybitCredentials)
        if found.private_key is not None and found.api_secret is None:
            return signing.RsaSigner(found.api_key, found.private_key)
        if found.api_secret is not None and found.private_key is None:
            return signing.HmacSigner(found.api_key, found.api_secret)
        raise VenueAuthRefused(
            user_message="the secret document needs api_secret or private_key, and not both",
            remedy="Seal it again.",
        )

    def adapter(self, signer: ApiKeySigner, *, purpose: Purpose) -> VenueAdapter:
        """Join this venue and a signer."""
        return BybitAdapter(reader=Reader(door=self.door, signer=signer, purpose=purpose))


@dataclass(slots=True, kw_only=True)
class BybitAdapter:
    """Bybit with one key, for one run, preview or check."""

    reader: Reader

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    async def cancel_all(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel every order class in scope once; see the module's docstring for the calls."""
        if scope.order_id is not None or scope.protective is Protective.KEEP:
            return await self._cancel_one_by_one(scope)
        parts = self._parts_by_symbol(scope) if scope.symbols else self._parts(scope)
        return await side_by_side(
            [part for order_class, part in parts if order_class not in scope.classes_off]
        )

    def _parts(self, scope: Scope) -> list[tuple[OrderClass, _Part]]:
        """List the calls of a round over everything."""
        asks = [
            *(
                wire.build_cancel_all(wire.LINEAR, {"settleCoin": coin})
                for coin in self.reader.door.linear_coins()
            ),
            wire.build_cancel_all(wire.OPTION, {}),
            *(wire.build_cancel_all(spot, {}) for spot in wire.SPOT_FILTERS),
            wire.build_cancel_all_spread(),
            wire.build_cancel_rfqs(wire.RFQ),
            wire.build_cancel_rfqs(wire.QUOTE),
        ]
        return [
            (wire.STRATEGY, partial(self._stop_strategies, scope)),
            (wire.INVERSE, partial(self._cancel_inverse, scope)),
            *((ask.order_class, partial(self._cancel, ask)) for ask in asks),
        ]

    def _parts_by_symbol(self, scope: Scope) -> list[tuple[OrderClass, _Part]]:
        """List the calls of a round over some symbols."""
        asks = [
            wire.build_cancel_all_spread(symbol)
            if order_class == wire.SPREAD
            else wire.build_cancel_all(order_class, {"symbol": symbol})
            for symbol in scope.symbols
            for order_class in self.reader.classes_of(symbol)
        ]
        return [
            (wire.STRATEGY, partial(self._stop_strategies, scope)),
            *((ask.order_class, partial(self._cancel, ask)) for ask in asks),
        ]

    async def _cancel(self, ask: Ask) -> tuple[Receipt, ...]:
        """Send one cancel-all and keep what Bybit says as a receipt."""
        try:
            answer = await self.reader.ask(ask, Priority.CANCEL)
            return (_receipt(ask, answer),)
        except VenueError as error:
            return (Receipt(order_class=ask.order_class, call=ask.name, error=error),)

    async def _cancel_inverse(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel inverse orders by the settle coins in use, or by all that are listed."""
        pages_max = 1 + wire.CAP // wire.PAGE
        found = joined(await self.reader.read_class(wire.INVERSE, scope, pages_max=pages_max))
        listing = self.reader.door.listing
        coins = {listings.inverse_coin(order.symbol, listing) for order in found.orders}
        if found.unread and listing is not None:
            coins |= listing.coins(wire.INVERSE)
        asks = [wire.build_cancel_all(wire.INVERSE, {"settleCoin": coin}) for coin in sorted(coins)]
        receipts = await side_by_side([partial(self._cancel, ask) for ask in asks])
        if found.unread and not receipts:
            error = found.unread[0].error
            return (Receipt(order_class=wire.INVERSE, call="read inverse", error=error),)
        return receipts

    async def _stop_strategies(self, scope: Scope) -> tuple[Receipt, ...]:
        """List every strategy that may still act or have orders, and stop each."""
        found = joined(
            await side_by_side(
                [
                    partial(
                        self.reader.read_series, wire.STRATEGY, scope, {"status": status}, wire.PAGE
                    )
                    for status in wire.STRATEGY_STATUSES
                ]
            )
        )
        receipts = await side_by_side([partial(self._stop, order) for order in found.orders])
        unread = tuple(
            Receipt(order_class=wire.STRATEGY, call="list strategies", error=entry.error)
            for entry in found.unread
        )
        return receipts + unread

    async def _cancel_one_by_one(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel exactly the orders in scope, by id, where no cancel-all can express them."""
        reading = await self.reader.open_orders(scope, pages_max=wire.PAGE)
        unread = tuple(
            Receipt(order_class=entry.order_class, call="list orders", error=entry.error)
            for entry in reading.unread
        )
        return unread + await self.cancel_orders(reading.orders)

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[Receipt, ...]:
        """Cancel these orders: in batches by category, spreads and strategies one by one."""
        by_category: dict[str, list[OpenOrder]] = {}
        for order in orders:
            category = wire.CATEGORY.get(order.order_class, order.order_class)
            by_category.setdefault(category, []).append(order)
        return await side_by_side(
            [partial(self._cancel_some, *pair) for pair in by_category.items()]
        )

    async def _cancel_some(self, category: str, orders: Sequence[OpenOrder]) -> tuple[Receipt, ...]:
        match category:
            case wire.SPREAD:
                return await side_by_side([partial(self._cancel_spread, o) for o in orders])
            case wire.STRATEGY:
                return await side_by_side([partial(self._stop, o) for o in orders])
            case wire.RFQ | wire.QUOTE:
                return await self._cancel(wire.build_cancel_rfqs(OrderClass(category)))
            case _:
                size = wire.BATCH[category]
                chunks = [orders[at : at + size] for at in range(0, len(orders), size)]
                return await side_by_side(
                    [partial(self._cancel_batch, category, some) for some in chunks]
                )

    async def _cancel_batch(
        self, category: str, orders: Sequence[OpenOrder]
    ) -> tuple[Receipt, ...]:
        """Send one batch; its outcome per order stands in `retExtInfo`, under `retCode` 0."""
        ask = wire.build_cancel_batch(category, orders)
        try:
            answer = await self.reader.ask(ask, Priority.CANCEL)
            items = replies.read(replies.BatchItems, answer.more, ask.name).items
            if len(items) != len(orders):
                raise VenueReplyInvalid(user_message=f"{ask.name} answers for other orders")
        except VenueError as error:
            return tuple(
                Receipt(order_class=order.order_class, call=ask.name, error=error)
                for order in orders
            )
        return tuple(_item_receipt(ask, *pair) for pair in zip(orders, items, strict=True))

    async def _cancel_spread(self, order: OpenOrder) -> tuple[Receipt, ...]:
        return await self._cancel(wire.build_cancel_spread(order))

    async def _stop(self, order: OpenOrder) -> tuple[Receipt, ...]:
        return await self._cancel(wire.build_stop(order.order_id))

    async def open_orders(self, scope: Scope, *, pages_max: int) -> Reading:
        """Read every order class in scope side by side, the first page of each first."""
        return await self.reader.open_orders(scope, pages_max=pages_max)

    async def check(self) -> KeyFacts:
        """Ask Bybit whose key this is.

        Raises:
            VenueError: Bybit did not say.
        """
        ask = wire.build_query_api()
        answer = await self.reader.ask(ask, Priority.CANCEL)
        return key_facts(replies.read(replies.KeyInfo, answer.result, ask.name))


_Part = Callable[[], Coroutine[Any, Any, tuple[Receipt, ...]]]


def _receipt(ask: Ask, answer: Envelope) -> Receipt:
    """Keep what Bybit says to a cancel-all: an acknowledgement, no more.

    Raises:
        VenueReplyInvalid: neither an object nor a list of orders.
        VenueRefused: `success` says "0".
    """
    if answer.code != 0:
        return Receipt(order_class=ask.order_class, call=ask.name, accepted=0)
    if isinstance(answer.result, list):  # the two calls for inquiries and quotes
        return Receipt(order_class=ask.order_class, call=ask.name, accepted=len(answer.result))
    found = replies.read(replies.Cancelled, answer.result, ask.name)
    if found.success == "0":
        raise VenueRefused(
            user_message="Bybit did not accept the cancel",
            is_retryable=True,
            venue_code="success 0",
        )
    accepted = None if found.rows is None else len(found.rows)
    is_capped = ask.order_class in {wire.LINEAR, wire.INVERSE} and (accepted or 0) >= wire.CAP
    return Receipt(order_class=ask.order_class, call=ask.name, accepted=accepted, capped=is_capped)


def _item_receipt(ask: Ask, order: OpenOrder, item: replies.BatchItem) -> Receipt:
    if item.code == 0:
        return Receipt(order_class=order.order_class, call=ask.name, accepted=1)
    error = codes.error_of(str(item.code), said=item.said, retry_after_s=None)
    return Receipt(order_class=order.order_class, call=ask.name, accepted=0, error=error)


TRADE = {"ContractTrade": "Order", "Spot": "SpotTrade", "Derivatives": "DerivativesTrade"}
MONEY = {"AccountTransfer", "SubMemberTransfer", "SubMemberTransferList"}


def key_facts(info: replies.KeyInfo) -> KeyFacts:
    """Say what `query-api` says of a key, and what an operator should know about it."""
    held = {group: set(names or ()) for group, names in info.permissions.items()}
    wallet = held.get("Wallet", set())
    can_trade = any(right in held.get(group, set()) for group, right in TRADE.items())
    warnings = []
    if wallet & MONEY:
        warnings.append("the key may move money between accounts")
    bound = tuple(address for address in info.ips if address != "*")
    if not bound:
        warnings.append("the key is not bound to an address and dies after 90 days")
    return KeyFacts(
        account_uid=info.user_id,
        can_cancel=can_trade and info.read_only == 0,
        can_withdraw="Withdraw" in wallet,
        is_read_only=info.read_only != 0,
        bound_addresses=bound,
        expires=_expiry(info),
        warnings=tuple(warnings),
    )


def _expiry(info: replies.KeyInfo) -> datetime | None:
    """Return when the key dies; a bound key shows 1970 and -2 days, which means never."""
    if info.deadline_day < 0 or not info.expired_at or info.expired_at.startswith("1970"):
        return None
    return datetime.fromisoformat(info.expired_at)


@asynccontextmanager
async def connect(settings: BybitSettings, *, state_dir: Path | None) -> AsyncIterator[Bybit]:
    """Open Bybit at one base URL; needs no answer to start: what is missing is read later."""
    host = urlsplit(settings.base_url).netloc
    window = Window(name=f"host {host}", calls=wire.HOST_CALLS, per_s=wire.HOST_S)
    path = None if state_dir is None else state_dir / f"bybit-{host.replace(':', '-')}.json"
    async with links.open_link(settings.base_url, host_window=window) as link:
        door = Door(link=link, settings=settings, path=path)
        door.listing = listings.load(path) if path else None
        async with asyncio.TaskGroup() as group:
            freshening = group.create_task(door.stay_fresh())
            try:
                yield Bybit(door=door)
            finally:
                freshening.cancel()
