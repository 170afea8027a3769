"""A simulated Synthetix: a pure `answer(request, now)`, written from its sources' facts alone.

Owns the paths, the order of the checks, the faults and the wire log. It imports nothing of
cancelall, so that a misreading there shows here; the official SDK drives it in the tests. This is
the exchange at papi.synthetix.io, not the contracts that had the name before.

Every call is a POST to one of two paths, with its action inside. `Fault.path` and `Seen.path`
therefore go on with the action: `/v1/trade/cancelAllOrders`, `/v1/info/getMarkets`; `Fault.uid` is
the subaccount id that a call claims, in decimal. No order can be placed, no delegate be added over
the wire, no dead man's switch be set, and no WebSocket is offered.

Source: developers.synthetix.io (crawls of 2025 to 2026-04), synthetix-sdk 0.7.0 (2026-08-17), the
exchange's libraries for authentication and validation (2026-05-02). Where they disagree, and in
what they leave open, `conflicts` decides.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from bot.sandbox.venues import exchange, faults
from bot.sandbox.venues import synthetix_calls as calls
from bot.sandbox.venues import synthetix_facts as facts
from bot.sandbox.venues import synthetix_orders as orders
from bot.sandbox.venues.book import Book
from bot.sandbox.venues.exchange import Answer, Request, Seen, as_json
from bot.sandbox.venues.faults import Fault, Faults, Wrong
from bot.sandbox.venues.synthetix_accounts import (
    ADDRESS_CAP,
    STALE_FACTOR,
    TOKENS,
    Account,
    Buckets,
    Delegate,
    Registry,
)
from bot.sandbox.venues.synthetix_calls import Call
from bot.sandbox.venues.synthetix_orders import View
from bot.sandbox.venues.synthetix_shapes import Conflicts, Envelope, Refused


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request on its way through the checks."""

    request: Request
    call: Call
    now: float
    """True epoch seconds."""
    fault: Fault | None
    envelope: Envelope
    is_signed: bool = False
    """Somebody signed it who may act for the subaccount."""


class SimulatedSynthetix:
    """Synthetix with its books."""

    def __init__(self, *, seed: int = 0, has_limits: bool = True) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.book = Book(rng=self.rng, kinds=orders.KINDS, name=orders.order_name)
        self.faults = Faults()
        self.conflicts = Conflicts()
        self.has_limits = has_limits
        self.registry = Registry()
        self.buckets = Buckets()
        self.markets: dict[str, bool] = {"BTC-USDT": True, "ETH-USDT": True, "SOL-USDT": False}
        """Every listed symbol, and whether its market is open."""
        self.stubborn: dict[str, str] = {}
        """Ids of orders whose cancel is refused, each by itself, and the code that says so:
        CANCEL_FAILED or OPERATION_TIMEOUT."""
        self.maintenance = ""
        """What `/v1/status` says of maintenance; empty: there is none."""
        self.skew_s = 0.0
        """How far this clock is ahead of the true one."""
        self.log: list[Seen] = []

    def add_account(self, account: Account) -> None:
        """Let there be a subaccount, with its owner and delegates."""
        self.registry.accounts[account.uid] = account

    def add_delegate(self, uid: str, address: str, delegate: Delegate) -> None:
        """Let a signer act for a subaccount; who was just refused waits until that is stale."""
        self.registry.accounts[uid].delegates[address] = delegate

    def remove_delegate(self, uid: str, address: str) -> None:
        """End a delegation; who was just let in may act until that is stale."""
        del self.registry.accounts[uid].delegates[address]

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request; `now` is true epoch seconds."""
        call = calls.read(request)
        chance = self.rng.random()
        fault = self.faults.meet(
            uid=call.uid, path=call.path, payload=request.payload, now=now, chance=chance
        )
        envelope = Envelope(
            conflicts=self.conflicts,
            request_id=f"{self.rng.getrandbits(64):016x}",
            venue_now=now + self.skew_s,
            budgets={},
        )
        asked = Asked(request=request, call=call, now=now, fault=fault, envelope=envelope)
        answer = faults.unseen(fault)
        if answer is None:
            try:
                answer = self._granted(asked)
            except Refused as refused:
                answer = envelope.refused(refused)
            answer = faults.spoilt(answer, fault)
        return self._seen(asked, answer)

    def _granted(self, asked: Asked) -> Answer:
        """Answer a call that breaks no rule.

        Raises:
            Refused: It breaks one.
        """
        request, call = asked.request, asked.call
        if request.path == calls.STATUS:
            return self._status(request)
        if request.path not in {calls.TRADE, calls.PUBLIC}:
            raise Refused("NOT_FOUND", "Not found")
        if request.method != "POST":
            raise Refused("METHOD_NOT_ALLOWED", "Method not allowed")
        if len(request.body) > self.conflicts.body_bytes_max:
            said = "Request body too large"
            raise Refused("VALIDATION_ERROR", said, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self.conflicts.has_address_limit:
            self._charge(asked, None)
        if call.envelope is None:
            raise Refused("INVALID_FORMAT", "Failed to unmarshal request")
        if not call.action:
            raise Refused("MISSING_REQUIRED_FIELD", "action is required")
        response = self._publish(call) if request.path == calls.PUBLIC else self._trade(asked)
        is_bare = asked.fault is not None and asked.fault.wrong is Wrong.NO_LIST
        return asked.envelope.without_response() if is_bare else asked.envelope.granted(response)

    def _status(self, request: Request) -> Answer:
        """Tell of maintenance, without an envelope."""
        if request.method != "GET":
            raise Refused("METHOD_NOT_ALLOWED", "Method not allowed")
        fields: dict[str, object] = {"maintenance": bool(self.maintenance)}
        if self.maintenance:
            fields["message"] = self.maintenance
        return Answer(status=200, body=as_json(fields))

    def _publish(self, call: Call) -> object:
        """Answer what anybody may ask."""
        match call.action:
            case "getMarkets":
                return facts.markets(self.markets)
            case "getSubAccountIds":
                is_managed = self.conflicts.lists_managed
                return facts.subaccount_ids(self.registry.accounts, call, is_managed=is_managed)
            case _:
                raise Refused("INVALID_VALUE", f"Unsupported action: {call.action}")

    def _trade(self, asked: Asked) -> object:
        """Answer what only the owner and delegates may ask."""
        call = asked.call
        route = ROUTES.get(call.action)
        if route is None and call.action not in {*FACTS, SIBLINGS}:
            raise Refused("INVALID_VALUE", f"Unsupported action: {call.action}")
        self._authenticate(asked)
        account = self.registry.accounts[call.uid]
        self._charge(asked, account)
        if call.action == SIBLINGS:
            return facts.siblings(self.registry.accounts, account)
        if route is None:
            return FACTS[call.action](account, asked.envelope.budgets)
        view = View(
            book=self.book,
            uid=call.uid,
            now=asked.now,
            conflicts=self.conflicts,
            markets=self.markets,
            stubborn=self.stubborn,
            fault=asked.fault,
        )
        return route(view, call)

    def _authenticate(self, asked: Asked) -> None:
        """Check form, expiry, signer, nonce and authority, in the libraries' order.

        So whoever is refused for want of authority has used that nonce.
        """
        call, conflicts = asked.call, self.conflicts
        signature = calls.signature(call)
        message = calls.message(call)
        nonce = call.number("nonce")
        if not nonce and not call.is_reading:
            said = "nonce is required for this operation"
            raise Refused("MISSING_REQUIRED_FIELD", said)
        self._check_expiry(asked, nonce)
        signer = calls.signer(message, signature, conflicts.auth_code)
        if not call.is_reading:
            self.registry.reserve(signer, nonce, conflicts)
        if asked.fault is not None and asked.fault.wrong in _REFUSALS:
            code, said = _REFUSALS[asked.fault.wrong]
            raise Refused(code, said.format(signer=signer))
        self.registry.admit(signer, call.uid, asked.envelope.venue_now, conflicts)
        asked.is_signed = True

    def _check_expiry(self, asked: Asked, nonce: int) -> None:
        expires_after = asked.call.number("expiresAfter")
        if not expires_after:
            return
        if self.conflicts.expiry_beyond_nonce and expires_after <= nonce:
            raise Refused("VALIDATION_ERROR", "expiresAfter must be greater than nonce")
        if asked.envelope.venue_now * self.conflicts.expiry_unit.value < expires_after:
            return
        account = self.registry.accounts.get(asked.call.uid)
        if account is not None and not asked.call.is_reading:
            self._charge(asked, account, factor=STALE_FACTOR)
        raise Refused(self.conflicts.auth_code, "request expired")

    def _charge(self, asked: Asked, account: Account | None, *, factor: int = 1) -> None:
        """Have a subaccount pay for a call, or else the address, and tell what it has left.

        Raises:
            Refused: It has too little.
        """
        if not self.has_limits:
            return
        cost = TOKENS.get(asked.call.action, 1) * factor
        if account is None:
            shown_as, name, cap = "ipRateLimit", asked.request.address, ADDRESS_CAP
        else:
            shown_as, name, cap = "rateLimit", account.uid, account.cap
        is_enough, left = self.buckets.take(name, cap, asked.now, cost)
        asked.envelope.budgets[shown_as] = left
        if not is_enough:
            raise Refused("RATE_LIMIT_EXCEEDED", "Rate limit exceeded")

    def _seen(self, asked: Asked, answer: Answer) -> Answer:
        """Write the wire log."""
        self.log.append(
            Seen(
                at=asked.now,
                address=asked.request.address,
                uid=asked.call.uid,
                method=asked.request.method,
                path=asked.call.path,
                payload=asked.request.payload,
                is_signed=asked.is_signed,
                code=_code(answer),
                fate=exchange.fate(answer),
            )
        )
        return answer


def _code(answer: Answer) -> str:
    """Return the code of an error, or the HTTP status."""
    if answer.content_type != "application/json":
        return str(answer.status)
    error = json.loads(answer.body).get("error") or {}
    return str(error.get("code", answer.status))


_REFUSALS: Mapping[Wrong, tuple[str, str]] = {
    Wrong.REFUSED_KEY: (
        "UNAUTHORIZED",
        "wallet {signer} is not authorized to act on this subaccount",
    ),
    Wrong.LACKS_PERMISSION: (
        "FORBIDDEN",
        "operation requires account owner, delegates are not permitted",
    ),
    Wrong.WRONG_ADDRESS: ("FORBIDDEN", "Forbidden"),
}
"""Nothing is known of lists of addresses; the third is what an edge would say."""

ROUTES: Mapping[str, Callable[[View, Call], object]] = {
    "cancelAllOrders": orders.cancel_all,
    "cancelOrders": orders.cancel_orders,
    "getOpenOrders": orders.open_orders,
}
SIBLINGS = "getSubAccounts"
FACTS: Mapping[str, Callable[[Account, Mapping[str, Mapping[str, int]]], object]] = {
    "getSubAccount": lambda account, _: facts.subaccount(account),
    "getDelegatedSigners": lambda account, _: facts.delegated_signers(account),
    "getRateLimits": facts.rate_limits,
}
