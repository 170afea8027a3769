"""A simulated CoinAPI EMS: a pure `answer(request, now)`, written from CoinAPI's documents alone.

Owns keys, the door, the paths, the faults and the wire log. It imports nothing of cancelall, so
that a misreading there shows here. EMS signs nothing: who holds the key may do everything, also on
the management API, whose calls are answered and counted. No order can be placed and no WebSocket is
offered, as the documents do not name its path.

`Fault.uid` is `customer:exchange id` (`coinapi_kinds.uid_of`), `Fault.path` the HTTP path. A call
without an exchange id is about every account of its key, and meets a fault of any of them.

Source: CoinAPI's "EMS - REST API" v1 (2025-05-23), "EMS Authentication" and FAQ (2025).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from bot.sandbox.venues import coinapi_management as management
from bot.sandbox.venues import coinapi_orders as orders
from bot.sandbox.venues import coinapi_shapes as shapes
from bot.sandbox.venues import coinapi_sor as sor
from bot.sandbox.venues import exchange, faults
from bot.sandbox.venues.book import Book
from bot.sandbox.venues.coinapi_kinds import KINDS, exchange_of, uid_of
from bot.sandbox.venues.coinapi_orders import Args, View
from bot.sandbox.venues.coinapi_reports import Lives
from bot.sandbox.venues.coinapi_shapes import Conflicts, Hitch, Limited, Refused
from bot.sandbox.venues.exchange import Answer, Request, Rolling, Seen
from bot.sandbox.venues.faults import Fault, Faults, Wrong

CANCEL_DELAY_S = 0.196
"""From `PENDING_CANCEL` to `CANCELED` in the quickstart's sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One API key of a customer, and the exchange accounts it reaches."""

    customer: str
    exchange_ids: tuple[str, ...]
    jwt: str = ""
    """A second factor, where one was switched on: it must come in `Authorization`."""


@dataclass(slots=True, kw_only=True)
class Budgets:
    """How many calls a customer may make; invented numbers, as none are documented."""

    at_once: int = 10
    call_s: float = 0.005
    """How long a call counts as being in flight."""
    a_minute: int = 600
    taken: dict[str, Rolling] = field(default_factory=dict)

    def take(self, customer: str, limited: Limited, now: float) -> bool:
        """Count a call; False if it is one too many."""
        if limited is Limited.NONE:
            return True
        is_plan = limited is Limited.PLAN
        fresh = Rolling(self.a_minute, 60.0) if is_plan else Rolling(self.at_once, self.call_s)
        return self.taken.setdefault(f"{customer} {limited.name}", fresh).take(now)


class SimulatedCoinapi:
    """CoinAPI EMS with the books of the exchanges behind it."""

    def __init__(self, *, seed: int = 0, has_limits: bool = True) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.book = Book(rng=self.rng, kinds=KINDS, cancel_delay_s=CANCEL_DELAY_S)
        self.lives = Lives(book=self.book)
        self.faults = Faults()
        self.conflicts = Conflicts()
        self.has_limits = has_limits
        self.budgets = Budgets()
        self.keys: dict[str, Key] = {}
        self.without_cancel_all: set[str] = set()
        """Exchanges (`BITSTAMP`) that answer `METHOD_NOT_SUPPORTED` to a cancel-all."""
        self.deleted: set[str] = set()
        """The uids of accounts that the management API has deleted; their orders stay open."""
        self.management_calls = 0
        """How often the management API was called, with whatever key."""
        self.keys_in_query = 0
        """How often a key came in a query, where logs and proxies see it."""
        self.is_self_hosted = False
        """It asks for no key, and takes every call for one of its first customer's."""
        self.skew_s = 0.0
        """How far this clock is ahead of the true one; it shows in reports only."""
        self.log: list[Seen] = []

    def add_key(self, api_key: str, key: Key) -> None:
        """Let a customer have an API key.

        Raises:
            ValueError: One of its exchange ids is none that EMS has.
        """
        for exchange_id in key.exchange_ids:
            exchange_of(exchange_id)
        self.keys[api_key] = key

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request; `now` is true epoch seconds."""
        key = self._key(request)
        self.management_calls += management.is_management(request.path)
        uids = self._uids(request, key)
        fault = self._fault(request, uids, now)
        unseen = None if isinstance(fault, Hitch) else faults.unseen(fault)
        if unseen is not None:
            return self._seen(request, key, now, unseen)
        try:
            self._admit(request, key, fault, now)
            assert key is not None
            answer = _after(self._act(request, key, fault, now), request, fault)
        except Refused as refused:
            is_whole = isinstance(fault, Hitch)
            answer = refused.answer if is_whole else faults.spoilt(refused.answer, fault)
        return self._seen(request, key, now, answer)

    def _key(self, request: Request) -> Key | None:
        """Return the key that came in the header, or else in the query."""
        in_query = dict(parse_qsl(request.query)).get("apikey", "")
        self.keys_in_query += bool(in_query)
        anybody = next(iter(self.keys.values()), None) if self.is_self_hosted else None
        return self.keys.get(request.headers.get("x-coinapi-key", in_query), anybody)

    def _accounts(self, key: Key) -> dict[str, str]:
        """Return the accounts of a key: exchange id -> uid."""
        named = {name: uid_of(key.customer, name) for name in key.exchange_ids}
        return {name: uid for name, uid in named.items() if uid not in self.deleted}

    def _uids(self, request: Request, key: Key | None) -> list[str]:
        """Return the accounts that a call is about."""
        if key is None:
            return [""]
        meant = _meant(request)
        if meant is None:
            return list(self._accounts(key).values()) or [""]
        return [uid_of(key.customer, meant)]

    def _fault(self, request: Request, uids: list[str], now: float) -> Fault | None:
        """Return the first fault that meets one of the accounts."""
        chance = self.rng.random()
        for uid in uids:
            found = self.faults.meet(
                uid=uid, path=request.path, payload=request.payload, now=now, chance=chance
            )
            if found is not None:
                return found
        return None

    def _admit(self, request: Request, key: Key | None, fault: Fault | None, now: float) -> None:
        """Check key, second factor, and whether there are too many calls."""
        refusal = _REFUSALS.get(fault.wrong) if fault and not isinstance(fault, Hitch) else None
        if refusal is not None:
            raise shapes.error(self.conflicts, *refusal)
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if key is None or (key.jwt and sent != key.jwt):
            raise shapes.error(self.conflicts, *_REFUSALS[Wrong.REFUSED_KEY])
        if self.has_limits and not self.budgets.take(key.customer, self.conflicts.limited, now):
            raise shapes.error(self.conflicts, 429, "Too many requests")

    def _act(self, request: Request, key: Key, fault: Fault | None, now: float) -> Answer:
        """Answer a call that was let in."""
        accounts = self._accounts(key)
        if management.is_management(request.path):
            return management.answered(
                request, accounts, lambda name: self.deleted.add(uid_of(key.customer, name))
            )
        view = View(
            lives=self.lives,
            conflicts=self.conflicts,
            rng=self.rng,
            now=now,
            skew_s=self.skew_s,
            accounts=accounts,
            without_cancel_all=frozenset(self.without_cancel_all),
            fault=fault,
        )
        route = ROUTES.get((request.method, request.path))
        if route is not None:
            return route(view, _args(view, request))
        for (method, start), named in NAMED.items():
            name = request.path.removeprefix(start)
            if method == request.method and name not in {"", request.path}:
                return named(view, unquote(name))
        is_place = any(path == request.path for _, path in ROUTES)
        return Answer(status=405 if is_place else 404, body=b"")

    def _seen(self, request: Request, key: Key | None, now: float, answer: Answer) -> Answer:
        """Write the wire log."""
        meant = _meant(request)
        customer = key.customer if key else ""
        uid = uid_of(customer, meant) if key and meant is not None else customer
        self.log.append(
            Seen(
                at=now,
                address=request.address,
                uid=uid,
                method=request.method,
                path=request.path,
                payload=_without_key(request),
                is_signed=key is not None,
                code=str(answer.status),
                fate=exchange.fate(answer),
            )
        )
        return answer


def _without_key(request: Request) -> str:
    """Return what was sent; that a key was in a query shows, the key does not."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    if "apikey" not in dict(pairs):
        return request.payload
    shown = urlencode([(name, "REDACTED" if name == "apikey" else value) for name, value in pairs])
    return shown if request.method == "GET" else f"?{shown} {request.payload}"


def _meant(request: Request) -> str | None:
    """Return the exchange id that a call names, whatever else is wrong with it."""
    if request.method == "GET":
        return dict(parse_qsl(request.query)).get("exchange_id")
    try:
        found = json.loads(request.body or b"{}")
    except ValueError:
        return None
    name = found.get("exchange_id") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


def _args(view: View, request: Request) -> Args:
    """Read the arguments of a call, from query or body."""
    if request.method == "GET":
        return dict(parse_qsl(request.query, keep_blank_values=True))
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(Answer(status=415, body=b""))
    try:
        found: Any = json.loads(request.body)
    except ValueError:
        raise view.invalid("$", "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise view.invalid("$", "The body is not a JSON object.")
    return found


def _after(answer: Answer, request: Request, fault: Fault | None) -> Answer:
    """Spoil an answer that was made in earnest."""
    if isinstance(fault, Hitch):
        return answer
    if fault is not None and fault.wrong is Wrong.NO_LIST and request.method == "GET":
        return replace(answer, body=b"null")
    return faults.spoilt(answer, fault)


_REFUSALS: Mapping[Wrong, tuple[int, str]] = {
    Wrong.REFUSED_KEY: (401, "Invalid API key"),
    Wrong.LACKS_PERMISSION: (403, "API key has no access to this resource"),
    Wrong.WRONG_ADDRESS: (403, "API key may not be used from this address"),
}

ROUTES: Mapping[tuple[str, str], Callable[[View, Args], Answer]] = {
    ("POST", "/v1/orders/cancel/all"): orders.cancel_all,
    ("POST", "/v1/orders/cancel"): orders.cancel_one,
    ("GET", "/v1/orders"): orders.open_orders,
    ("GET", "/v1/orders/history"): orders.history,
    ("GET", "/v1/sor/requests"): lambda view, _: sor.listed(view),
    ("GET", "/v1/sor/orders"): lambda view, _: sor.children(view),
}
NAMED: Mapping[tuple[str, str], Callable[[View, str], Answer]] = {
    ("GET", "/v1/orders/status/"): orders.status,
    ("POST", "/v1/sor/cancel/"): sor.cancel,
}
"""Paths that go on with the id of an order."""
