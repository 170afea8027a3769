"""Every venue as the kit knows it: how to simulate it, who has an account, what orders there are.

Whoever adds a venue adds a `Subject` here; everything else in this folder runs over all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import base58
from eth_account import Account as Wallet
from nacl.signing import SigningKey

from adapters.contract import OrderClass
from bot.sandbox.venues.book import Book, Order
from bot.sandbox.venues.bybit import Key, SimulatedBybit
from bot.sandbox.venues.coinapi import Key as CustomerKey
from bot.sandbox.venues.coinapi import SimulatedCoinapi
from bot.sandbox.venues.coinapi_reports import exchange_order_id
from bot.sandbox.venues.exchange import Answer, Request, Seen
from bot.sandbox.venues.faults import Faults
from bot.sandbox.venues.pacifica import SimulatedPacifica
from bot.sandbox.venues.pacifica_kinds import public_id
from bot.sandbox.venues.synthetix import SimulatedSynthetix
from bot.sandbox.venues.synthetix_accounts import Account as Subaccount
from bot.sandbox.venues.synthetix_accounts import Delegate


class Simulated(Protocol):
    """What every simulated venue has."""

    book: Book
    faults: Faults
    log: list[Seen]
    skew_s: float

    def answer(self, request: Request, now: float) -> Answer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One more account of the same owner."""

    uid: str
    book: str
    secret: Mapping[str, object]


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
    """What the paths of all cancels begin with. Where cancels and readings share a path, the
    simulated venue puts the method before it in faults and log: `DELETE /orders`."""
    reads: tuple[str, ...]
    """The whole paths of readings."""
    looks_at: str
    """The path that a look at the venue asks."""
    inspects: tuple[str, ...]
    """The paths that the inspection of a key asks."""
    proves: str
    """That one of them where the venue judges the key; empty: it need not, and then says nothing
    of whether it may cancel."""
    shown_id: Callable[[Order], str] = lambda order: order.order_id
    """What the venue calls an order of the books."""
    settings: Mapping[str, object] = field(default_factory=dict)
    fast: Mapping[str, object] = field(default_factory=dict)
    """Settings of a desk that pays the venue for more calls."""
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
    more: tuple[Held, ...] = ()
    """Four further accounts that the simulated venue knows."""
    hopeless: tuple[str, ...] = ()
    """Conflicts that leave orders which no call shows or cancels: then it must not be FLAT."""
    stays: tuple[str, ...] = ()
    """Kinds that a single round leaves: they need a round more, or their ids."""


_BYBIT_MORE = tuple(
    Held(
        uid=f"200{number}",
        book=f"200{number}",
        secret={"api_key": f"KITKEY200{number}", "api_secret": f"kit-secret-200{number}"},
    )
    for number in range(4)
)


def _bybit(*, seed: int, has_limits: bool) -> Simulated:
    venue = SimulatedBybit(seed=seed, has_limits=has_limits)
    venue.add_key("KITKEY0001", Key(uid="1001", secret="kit-secret-1"))
    venue.add_key("KITKEY0002", Key(uid="1002", secret="kit-secret-2"))
    for held in _BYBIT_MORE:
        api_key, secret = held.secret["api_key"], held.secret["api_secret"]
        venue.add_key(str(api_key), Key(uid=held.uid, secret=str(secret)))
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
    looks_at="/v5/market/time",
    inspects=("/v5/user/query-api",),
    proves="/v5/user/query-api",
    nameless=("strategy",),
    more=_BYBIT_MORE,
)


_EMS_IDS = ("KRAKEN/JOHN", "KRAKEN/ANN", "BITSTAMP/2574", "DERIBIT", "GEMINI#1")
_EMS_SECRET = {"api_key": "kit-key-of-desk", "accounts": list(_EMS_IDS)}


def _coinapi(*, seed: int, has_limits: bool) -> Simulated:
    venue = SimulatedCoinapi(seed=seed, has_limits=has_limits)
    for customer in ("desk", "other"):  # Both have accounts of these names.
        key = CustomerKey(customer=customer, exchange_ids=_EMS_IDS)
        venue.add_key(f"kit-key-of-{customer}", key)
    return venue


COINAPI = Subject(
    name="coinapi",
    simulate=_coinapi,
    uid="KRAKEN/JOHN",
    book="desk:KRAKEN/JOHN",
    bystander="other:KRAKEN/JOHN",
    secret=_EMS_SECRET,
    stranger={"api_key": "kit-key-of-nobody", "accounts": ["KRAKEN/JOHN"]},
    kinds=dict.fromkeys(("limit", "partly filled", "outside"), OrderClass("limit")),
    symbols=("OXTUSD", "XBT/USDT"),
    symbol_kinds=("limit", "partly filled", "outside"),
    cancels=("/v1/orders/cancel",),
    reads=("/v1/orders",),
    looks_at="/v1/orders",
    inspects=("/v1/orders",),
    proves="/v1/orders",
    shown_id=exchange_order_id,
    is_paged=False,
    has_protective=False,
    stays=("outside",),
    more=tuple(Held(uid=uid, book=f"desk:{uid}", secret=_EMS_SECRET) for uid in _EMS_IDS[1:]),
)


def _pair(number: int) -> tuple[str, str]:
    """Make (address, private key) of an Ed25519 key, both in base58."""
    key = SigningKey(bytes([number]) * 32)
    public = key.verify_key.encode()
    return base58.b58encode(public).decode(), base58.b58encode(key.encode() + public).decode()


_PACIFICA = tuple(_pair(number)[0] for number in range(1, 6))
"""The owner's accounts; an agent is bound to each."""
_THEIRS = _pair(6)[0]
_AGENT, _AGENT_KEY = _pair(7)
_PACIFICA_SECRET = {"private_key": _AGENT_KEY, "accounts": list(_PACIFICA)}


def _pacifica(*, seed: int, has_limits: bool) -> Simulated:
    venue = SimulatedPacifica(seed=seed, has_limits=has_limits)
    venue.add_account(_PACIFICA[0])
    venue.add_account(_THEIRS)
    for address in _PACIFICA[1:]:
        venue.add_account(address, main=_PACIFICA[0])
    for address in _PACIFICA:
        venue.bind_agent(address, _AGENT)
    venue.add_config_key("kit-credits", _PACIFICA[0], quota=6000)
    return venue


PACIFICA = Subject(
    name="pacifica",
    simulate=_pacifica,
    uid=_PACIFICA[0],
    book=_PACIFICA[0],
    bystander=_THEIRS,
    secret=_PACIFICA_SECRET,
    stranger={"private_key": _pair(8)[1], "accounts": [_PACIFICA[0]]},
    kinds={
        "limit": OrderClass("order"),
        "stop": OrderClass("stop"),
        "twap": OrderClass("twap"),
        "strategy": OrderClass("strategy"),
    },
    symbols=("BTC", "ETH"),
    symbol_kinds=("limit", "stop", "twap", "strategy"),
    cancels=(
        "/ws/cancel_",
        "/api/v1/orders/cancel",
        "/api/v1/orders/stop/cancel",
        "/api/v1/orders/twap/cancel",
        "/api/v1/order_strategies/cancel",
    ),
    reads=(
        "/api/v1/orders",
        "/api/v1/account",
        "/api/v1/orders/twap",
        "/api/v1/order_strategies",
    ),
    looks_at="/api/v1/info",
    inspects=("/api/v1/account", "/api/v1/account/subaccount/list"),
    proves="",
    hopeless=("lists_stops", "has_strategies"),
    shown_id=public_id,
    is_paged=False,
    nameless=("strategy",),
    client_id="79f948fd-7556-4066-a128-083f3ea49322",
    signs_readings=False,
    fast={"credits_key": "kit-credits"},
    more=tuple(Held(uid=a, book=a, secret=_PACIFICA_SECRET) for a in _PACIFICA[1:]),
)


def _wallet(byte: str) -> tuple[str, str]:
    """Make (address, private key) of an Ethereum key."""
    key = f"0x{byte * 32}"
    return str(Wallet.from_key(key).address), key


_SUBACCOUNTS = tuple(str(1_867_542_890_123_456_789 + number) for number in range(5))
_DELEGATE, _DELEGATE_KEY = _wallet("47")
_SYNTHETIX_SECRET = {"private_key": _DELEGATE_KEY, "accounts": list(_SUBACCOUNTS)}


def _synthetix(*, seed: int, has_limits: bool) -> Simulated:
    venue = SimulatedSynthetix(seed=seed, has_limits=has_limits)
    for uid in _SUBACCOUNTS:
        delegates = {_DELEGATE: Delegate()}
        venue.add_account(Subaccount(uid=uid, owner=_wallet("46")[0], delegates=delegates))
    venue.add_account(Subaccount(uid="1900000000000000001", owner=_wallet("48")[0]))
    return venue


SYNTHETIX = Subject(
    name="synthetix",
    simulate=_synthetix,
    uid=_SUBACCOUNTS[0],
    book=_SUBACCOUNTS[0],
    bystander="1900000000000000001",
    secret=_SYNTHETIX_SECRET,
    stranger={"private_key": _wallet("49")[1], "accounts": [_SUBACCOUNTS[0]]},
    kinds={
        "limit": OrderClass("order"),
        "trigger": OrderClass("order"),
        "twap": OrderClass("twap"),
    },
    symbols=("BTC-USDT", "ETH-USDT"),
    symbol_kinds=("limit", "trigger", "twap"),
    cancels=("/v1/trade/cancel",),
    reads=("/v1/trade/getOpenOrders",),
    looks_at="/v1/info/getMarkets",
    inspects=(
        "/v1/info/getSubAccountIds",
        "/v1/trade/getDelegatedSigners",
        "/v1/trade/getSubAccounts",
    ),
    proves="/v1/trade/getDelegatedSigners",
    more=tuple(Held(uid=uid, book=uid, secret=_SYNTHETIX_SECRET) for uid in _SUBACCOUNTS[1:]),
)

SUBJECTS: Mapping[str, Subject] = {
    subject.name: subject for subject in (BYBIT, COINAPI, PACIFICA, SYNTHETIX)
}


def document(fields: Mapping[str, object]) -> str:
    """Write a secret document."""
    return json.dumps(fields)
