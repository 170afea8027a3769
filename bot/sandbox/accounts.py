"""What the desk holds at each simulated venue: accounts, keys, orders, and what may go wrong there.

Owns `Account` and `PREMISES`, one entry a venue. Every key here opens nothing but the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.sandbox.venues import pacifica_kinds, synthetix_orders
from bot.sandbox.venues.book import Book
from bot.sandbox.venues.bybit import Key, SimulatedBybit
from bot.sandbox.venues.coinapi import Key as CustomerKey
from bot.sandbox.venues.coinapi import SimulatedCoinapi
from bot.sandbox.venues.exchange import Answer, Request, Seen
from bot.sandbox.venues.faults import Fault, Faults, Wrong
from bot.sandbox.venues.pacifica import SimulatedPacifica
from bot.sandbox.venues.synthetix import SimulatedSynthetix
from bot.sandbox.venues.synthetix_accounts import Account as Subaccount
from bot.sandbox.venues.synthetix_accounts import Delegate

Document = Mapping[str, object]
CREDITS_FILE = "credits.key"
"""Where the demo's config finds `CREDITS`."""


class Simulated(Protocol):
    """What every simulated venue has."""

    book: Book
    faults: Faults
    log: list[Seen]
    skew_s: float
    """How far its clock is ahead of the true one."""

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request at a moment in epoch seconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account of the desk."""

    name: str
    venue: str
    uid: str
    """As the venue calls it."""
    key: Document
    """The secret document of the key that can cancel."""
    read_key: Document | None = None
    """None: the desk has none, so a preview counts it only where anybody may read."""
    book: str = ""
    """Its name in the simulated books, where that is not the uid."""

    @property
    def place(self) -> str:
        """Its name in the simulated books."""
        return self.book or self.uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """A venue as the desk finds it."""

    title: str
    simulate: Callable[[int, tuple[Account, ...]], Simulated]
    """(seed, accounts) -> the venue, which knows their keys."""
    accounts: tuple[Account, ...]
    orders: Mapping[str, int]
    """Orders on each account, by kind."""
    settings: str = ""
    """Further lines of the config of each account there."""
    faults: tuple[tuple[str, Fault], ...]
    """What may go wrong on one account, in words; a seed draws one."""


def _bybit(seed: int, accounts: tuple[Account, ...]) -> SimulatedBybit:
    venue = SimulatedBybit(seed=seed)
    venue.book.cancel_delay_s = 0.4
    for account in accounts:
        for document in filter(None, (account.key, account.read_key)):
            key = Key(
                uid=account.uid,
                secret=str(document["api_secret"]),
                is_read_only=document is account.read_key,
            )
            venue.add_key(str(document["api_key"]), key)
    return venue


def _bybit_account(name: str, uid: str, tag: str, *, has_read_key: bool = True) -> Account:
    number = f"{int(uid) - 1000:04d}"
    api_key, secret = f"SANDBOX{tag}{number}", f"sandbox-{tag.lower()}-secret-{number}"
    return Account(
        name=name,
        venue="bybit",
        uid=uid,
        key={"api_key": api_key, "api_secret": secret},
        read_key={"api_key": f"{api_key}RO", "api_secret": f"{secret}-ro"}
        if has_read_key
        else None,
    )


BYBIT = Premises(
    title="Bybit",
    simulate=_bybit,
    accounts=(
        _bybit_account("bybit-mm", "1001", "MM"),
        _bybit_account("bybit-arb", "1002", "ARB"),
        _bybit_account("bybit-opt", "1003", "OPT", has_read_key=False),
    ),
    orders={
        "linear:USDT": 300,
        "linear:USDC": 60,
        "inverse": 40,
        "option": 40,
        "spot": 60,
        "spot:StopOrder": 15,
        "spot:tpslOrder": 15,
        "spot:OcoOrder": 10,
        "spot:BidirectionalTpslOrder": 10,
        "spread": 25,
        "rfq": 5,
        "quote": 5,
        "strategy": 3,
    },
    faults=(
        (
            "Bybit accepts the first cancel of linear USDT and drops it",
            Fault(
                wrong=Wrong.ACCEPT_AND_DROP,
                path="/v5/order/cancel-all",
                containing="linear",
                times=2,
            ),
        ),
        (
            "Bybit's server fails on the first six cancels",
            Fault(wrong=Wrong.SERVER, path="/v5/order/cancel-all", times=6),
        ),
        (
            "the replies to two cancels are lost on the way",
            Fault(wrong=Wrong.LOST_REPLY, path="/v5/order/cancel-all", times=2),
        ),
        (
            "Bybit answers the first four readings with HTML under HTTP 200",
            Fault(wrong=Wrong.HTML, path="/v5/order/realtime", times=4),
        ),
        (
            "Bybit protects itself with HTTP 429 for eight calls",
            Fault(wrong=Wrong.TOO_MANY, path="/v5/order/", times=8),
        ),
    ),
)


def _coinapi(seed: int, accounts: tuple[Account, ...]) -> SimulatedCoinapi:
    venue = SimulatedCoinapi(seed=seed)
    for account in accounts:
        ids = tuple(each.uid for each in accounts if each.key == account.key)
        venue.add_key(str(account.key["api_key"]), CustomerKey(customer="desk", exchange_ids=ids))
    return venue


_EMS_IDS = ("KRAKEN/JOHN", "KRAKEN/ANN", "BITSTAMP/2574")
_EMS_KEY = {"api_key": "sandbox-ems-key-0001", "accounts": list(_EMS_IDS)}
COINAPI = Premises(
    title="CoinAPI EMS",
    simulate=_coinapi,
    accounts=tuple(
        Account(name=name, venue="coinapi", uid=uid, book=f"desk:{uid}", key=_EMS_KEY)
        for name, uid in zip(("ems-john", "ems-ann", "ems-stamp"), _EMS_IDS, strict=True)
    ),
    orders={"limit": 40, "partly filled": 10, "outside": 5},
    faults=(
        (
            "EMS accepts the first cancel-all and drops it",
            Fault(wrong=Wrong.ACCEPT_AND_DROP, path="/v1/orders/cancel/all", times=1),
        ),
        (
            "EMS fails on the first two cancel-alls",
            Fault(wrong=Wrong.SERVER, path="/v1/orders/cancel/all", times=2),
        ),
        (
            "the reply to the first cancel-all is lost on the way",
            Fault(wrong=Wrong.LOST_REPLY, path="/v1/orders/cancel/all", times=1),
        ),
        (
            "EMS answers the first two readings with HTML under HTTP 200",
            Fault(wrong=Wrong.HTML, path="/v1/orders", is_whole_path=True, times=2),
        ),
    ),
)


_MAIN = "9C6hybhQ6Aycep9jaUnP6uL9ZYvDjUp1aSkFWPUFJtpj"
_MAIN_KEY = (
    "2Ana1pUpv2ZbMVkwF5FXapYeBEjdxDatLn7nvJkhgTSdZd8hbDHTd21as7EAsg7ypityqfsw2pMQKJcVDVcAEsd"
)
_AGENT = "3F5qRPtKg8GhGNnbd3qCj6nVJxWsGxq7pvH84okYLAqf"
_AGENT_KEY = (
    "2KqNxgmhsAH91zr5iAty4FrUwjhEAcu22kj5htCEMTWVpzJUoQBuuR51fCrJeu3wnoNFpMDZMowXVYYmoLgzv2c9"
)
_SUBS = (
    "mPczwpCpH4LvSE2fdZbxtbprHaDC7KwpfeLUhA3VYi4",
    "J2xccRtuG43drESLYznHhLhQkLTdfepcKYbiQ9BsJVaf",
)
CREDITS = "sandbox-credits-key-0001"
"""An API config key of the desk's: more calls a minute, and no right to anything."""


def _pacifica(seed: int, accounts: tuple[Account, ...]) -> SimulatedPacifica:
    venue = SimulatedPacifica(seed=seed)
    venue.book.cancel_delay_s = 0.3
    for account in accounts:
        venue.add_account(account.uid, main="" if account.uid == _MAIN else _MAIN)
        if account.key["private_key"] == _AGENT_KEY:
            venue.bind_agent(account.uid, _AGENT)
    venue.add_config_key(CREDITS, _MAIN, quota=1200)
    return venue


PACIFICA = Premises(
    title="Pacifica",
    simulate=_pacifica,
    settings=f'credits_key = {{ file = "{CREDITS_FILE}" }}\n',
    accounts=(
        Account(name="pacifica-main", venue="pacifica", uid=_MAIN, key={"private_key": _MAIN_KEY}),
        *(
            Account(
                name=f"pacifica-sub{number}",
                venue="pacifica",
                uid=uid,
                key={"private_key": _AGENT_KEY, "accounts": list(_SUBS)},
            )
            for number, uid in enumerate(_SUBS, start=1)
        ),
    ),
    orders=pacifica_kinds.SEEDABLE,
    faults=(
        (
            "Pacifica accepts the first cancel-all and drops it",
            Fault(wrong=Wrong.ACCEPT_AND_DROP, path="/ws/cancel_all_orders", times=1),
        ),
        (
            "Pacifica's WebSocket stays silent, and HTTP has to do",
            Fault(wrong=Wrong.HANG, path="/ws/cancel_all_orders"),
        ),
        (
            "Pacifica's WebSocket breaks under the first cancel-all",
            Fault(wrong=Wrong.RESET, path="/ws/cancel_all_orders", times=1),
        ),
        (
            "Pacifica answers the first four readings with HTML under HTTP 200",
            Fault(wrong=Wrong.HTML, path="/api/v1/orders", is_whole_path=True, times=4),
        ),
    ),
)

_OWNER, _DELEGATE, _DELEGATE_KEY = (
    "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F",
    "0xb595B18c88b1f651cA387489067f855b5C8E6720",
    "0x" + "47" * 32,
)
_SUBACCOUNTS = tuple(str(1_867_542_890_123_456_789 + number) for number in range(3))
_SESSION = {"private_key": _DELEGATE_KEY, "accounts": list(_SUBACCOUNTS)}


def _synthetix(seed: int, accounts: tuple[Account, ...]) -> SimulatedSynthetix:
    venue = SimulatedSynthetix(seed=seed)
    venue.book.cancel_delay_s = 0.3
    for account in accounts:
        delegates = {_DELEGATE: Delegate()}
        venue.add_account(Subaccount(uid=account.uid, owner=_OWNER, delegates=delegates))
    return venue


SYNTHETIX = Premises(
    title="Synthetix",
    simulate=_synthetix,
    accounts=tuple(
        Account(name=name, venue="synthetix", uid=uid, key=_SESSION)
        for name, uid in zip(("snx-mm", "snx-arb", "snx-hedge"), _SUBACCOUNTS, strict=True)
    ),
    orders=synthetix_orders.SEEDABLE,
    faults=(
        (
            "Synthetix accepts the first cancel-all and drops it",
            Fault(wrong=Wrong.ACCEPT_AND_DROP, path="/v1/trade/cancelAllOrders", times=1),
        ),
        (
            "Synthetix fails on the first two cancel-alls",
            Fault(wrong=Wrong.SERVER, path="/v1/trade/cancelAllOrders", times=2),
        ),
        (
            "the reply to the first cancel-all is lost on the way",
            Fault(wrong=Wrong.LOST_REPLY, path="/v1/trade/cancelAllOrders", times=1),
        ),
        (
            "Synthetix answers the first three readings with HTML under HTTP 200",
            Fault(wrong=Wrong.HTML, path="/v1/trade/getOpenOrders", times=3),
        ),
    ),
)

PREMISES: Mapping[str, Premises] = {
    "bybit": BYBIT,
    "coinapi": COINAPI,
    "pacifica": PACIFICA,
    "synthetix": SYNTHETIX,
}
