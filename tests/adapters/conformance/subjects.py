"""Every venue as the kit knows it: how to simulate it, who has an account, what orders there are.

Whoever adds a venue adds a `Subject` here; everything else in this folder runs over all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from adapters.contract import OrderClass
from bot.sandbox.venues.book import Book, Order
from bot.sandbox.venues.bybit import Key, SimulatedBybit
from bot.sandbox.venues.coinapi import Key as CustomerKey
from bot.sandbox.venues.coinapi import SimulatedCoinapi
from bot.sandbox.venues.coinapi_reports import exchange_order_id
from bot.sandbox.venues.exchange import Answer, Request, Seen
from bot.sandbox.venues.faults import Faults


class Simulated(Protocol):
    """What every simulated venue has."""

    book: Book
    faults: Faults
    log: list[Seen]
    skew_s: float

    def answer(self, request: Request, now: float) -> Answer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One venue on the bench."""

    name: str
    """Its name in the registry."""
    simulate: Callable[..., Simulated]
    """(seed=, has_limits=) -> the venue, with both accounts and their keys."""
    uid: str
    """The account that the kit acts for, as the config names it."""
    book: str
    """The same in the simulated books."""
    bystander: str
    """Another account in the books, whose orders nobody may touch."""
    secret: Mapping[str, object]
    """The secret document of a key of `uid`."""
    stranger: Mapping[str, object]
    """A document that claims `uid` with a key that is not its own."""
    kinds: Mapping[str, OrderClass]
    """Kind in the simulated book -> order class in the adapter: all of them."""
    symbols: tuple[str, str]
    """Two symbols that orders of `symbol_kinds` can have."""
    symbol_kinds: tuple[str, ...]
    cancels: tuple[str, ...]
    """What the paths of all cancels begin with."""
    reads: tuple[str, ...]
    """The whole paths of readings."""
    shown_id: Callable[[Order], str] = lambda order: order.order_id
    """What the venue calls an order of the books."""
    settings: Mapping[str, object] = field(default_factory=dict)
    is_paged: bool = True
    """It shows long lists in pages."""
    has_protective: bool = True
    """It tells orders that guard a position from others."""
    nameless: tuple[str, ...] = ()
    """Kinds whose orders have no client's id."""
    client_id: str = "mine-7"
    """What a client's id may look like."""
    signs_readings: bool = True
    """Readings need a key."""
    stays: tuple[str, ...] = ()
    """Kinds that a single round leaves: they need a round more, or their ids."""


def _bybit(*, seed: int, has_limits: bool) -> Simulated:
    venue = SimulatedBybit(seed=seed, has_limits=has_limits)
    venue.add_key("KITKEY0001", Key(uid="1001", secret="kit-secret-1"))
    venue.add_key("KITKEY0002", Key(uid="1002", secret="kit-secret-2"))
    return venue


BYBIT = Subject(
    name="bybit",
    simulate=_bybit,
    uid="1001",
    book="1001",
    bystander="1002",
    secret={"api_key": "KITKEY0001", "api_secret": "kit-secret-1"},
    stranger={"api_key": "KITKEY0001", "api_secret": "kit-secret-2"},
    kinds={
        kind: OrderClass(order_class)
        for kind, order_class in {
            "linear:USDT": "linear",
            "linear:USDC": "linear",
            "inverse": "inverse",
            "option": "option",
            "spot": "spot",
            "spot:StopOrder": "spot stop",
            "spot:tpslOrder": "spot tp/sl",
            "spot:OcoOrder": "spot oco",
            "spot:BidirectionalTpslOrder": "spot bidirectional tp/sl",
            "spread": "spread",
            "rfq": "rfq",
            "quote": "quote",
            "strategy": "strategy",
        }.items()
    },
    symbols=("BTCUSDT", "ETHUSDT"),
    symbol_kinds=("linear:USDT", "spot", "spot:StopOrder", "strategy"),
    cancels=("/v5/order/cancel", "/v5/spread/order/cancel", "/v5/rfq/cancel", "/v5/strategy/stop"),
    reads=(
        "/v5/order/realtime",
        "/v5/spread/order/realtime",
        "/v5/rfq/rfq-realtime",
        "/v5/rfq/quote-realtime",
        "/v5/strategy/list",
    ),
    nameless=("strategy",),
)


def _coinapi(*, seed: int, has_limits: bool) -> Simulated:
    venue = SimulatedCoinapi(seed=seed, has_limits=has_limits)
    for customer in ("desk", "other"):  # Both have an account of this name.
        key = CustomerKey(customer=customer, exchange_ids=("KRAKEN/JOHN",))
        venue.add_key(f"kit-key-of-{customer}", key)
    return venue


COINAPI = Subject(
    name="coinapi",
    simulate=_coinapi,
    uid="KRAKEN/JOHN",
    book="desk:KRAKEN/JOHN",
    bystander="other:KRAKEN/JOHN",
    secret={"api_key": "kit-key-of-desk", "accounts": ["KRAKEN/JOHN"]},
    stranger={"api_key": "kit-key-of-nobody", "accounts": ["KRAKEN/JOHN"]},
    kinds=dict.fromkeys(("limit", "partly filled", "outside"), OrderClass("limit")),
    symbols=("OXTUSD", "XBT/USDT"),
    symbol_kinds=("limit", "partly filled", "outside"),
    cancels=("/v1/orders/cancel",),
    reads=("/v1/orders",),
    shown_id=exchange_order_id,
    is_paged=False,
    has_protective=False,
    stays=("outside",),
)

SUBJECTS: Mapping[str, Subject] = {subject.name: subject for subject in (BYBIT, COINAPI)}


def document(fields: Mapping[str, object]) -> str:
    """Write a secret document."""
    return json.dumps(fields)
