"""Signed calls on a simulated Synthetix at a moment of our choosing; no socket, no clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eth_account import Account as Ethereum
from eth_account.messages import encode_typed_data

from bot.sandbox.venues.book import Order
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.venues.synthetix import SimulatedSynthetix
from bot.sandbox.venues.synthetix_accounts import Account, Delegate

VECTORS: Mapping[str, Mapping[str, Any]] = {
    each["id"]: each
    for each in json.loads(
        (Path(__file__).parent.parent / "adapters" / "synthetix_vectors.json").read_text("utf-8")
    )["vectors"]
}
# Throw-away keys, those of the vectors and one more.
OWNER_KEY = VECTORS["s02"]["private_key"]
DELEGATE_KEY = VECTORS["s15"]["private_key"]
STRANGER_KEY = "0x" + "51" * 32
OWNER, DELEGATE = VECTORS["s02"]["signer_address"], VECTORS["s15"]["signer_address"]
STRANGER = "0xfA17c5B66A985F44Bc249C8E8faBD64767f414B1"
UID, OTHER_UID = "1867542890123456789", "1867542890123456790"
"""Both beyond 2^53, where a float takes one for the other."""
NOW = 1_704_067_200.5
"""Just after the nonces of the vectors."""
TRADE, PUBLIC = "/v1/trade", "/v1/info"
CANCEL_ALL = ("CancelAllOrders", ("symbols", "string[]"))
BY_ID = ("CancelOrders", ("orderIds", "uint256[]"))
BY_NAME = ("CancelOrdersByCloid", ("clientOrderIds", "string[]"))


def signed(key: str, primary: str, fields: list[tuple[str, str]], values: Any) -> dict[str, Any]:
    """Sign a typed message as the documents say."""
    domain = VECTORS["s02"]["domain"]
    types = {primary: [{"name": name, "type": kind} for name, kind in fields]}
    made: Any = Ethereum.sign_message(encode_typed_data(domain, types, values), key)
    return {"v": made.v, "r": f"0x{made.r:064x}", "s": f"0x{made.s:064x}"}


@dataclass(slots=True, kw_only=True)
class Caller:
    """One signer's program, with a clock that a test sets."""

    venue: SimulatedSynthetix
    key: str = OWNER_KEY
    uid: str = UID
    now: float = NOW
    nonce: int = 1_704_067_300_000
    """The next."""
    expires_after: int | None = 0
    """None: left out, and signed as 0."""
    address: str = "10.0.0.1"
    overrides: dict[str, Any] = field(default_factory=dict)
    """Sent instead of what was signed, in the envelope or in `params`."""

    def send(self, path: str, body: object, method: str = "POST") -> Answer:
        """Send bytes just as they are, or JSON."""
        wire = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(
            method=method, path=path, query="", headers={}, body=wire, address=self.address
        )
        return self.venue.answer(request, self.now)

    def write(self, action: str, what: tuple[str, tuple[str, str]], value: list[Any]) -> Answer:
        """Send a signed write of one field."""
        primary, (name, kind) = what
        self.nonce += 1
        values = {"subAccountId": int(self.uid), name: value, "nonce": self.nonce}
        values["expiresAfter"] = self.expires_after or 0
        fields = [("subAccountId", "uint256"), (name, kind)]
        fields += [("nonce", "uint256"), ("expiresAfter", "uint256")]
        as_text = [str(each) for each in value]
        params = {"action": action, "subAccountId": self.uid, name: as_text}
        body = self._body(params, signed(self.key, primary, fields, values))
        return self.send(TRADE, body | {"nonce": self.nonce} | self._overridden(body))

    def ask(self, action: str, nonce: int = 0, **filters: Any) -> Answer:
        """Send a signed reading, with a nonce or without."""
        values = {"subAccountId": int(self.uid), "action": action, "nonce": nonce}
        values["expiresAfter"] = self.expires_after or 0
        fields = [("subAccountId", "uint256"), ("action", "string"), ("nonce", "uint256")]
        fields = [each for each in fields if nonce or each[0] != "nonce"]
        fields.append(("expiresAfter", "uint256"))
        if not nonce:
            del values["nonce"]
        params = {"action": action, "subAccountId": self.uid, **filters}
        body = self._body(params, signed(self.key, "SubAccountAction", fields, values))
        return self.send(TRADE, body | ({"nonce": nonce} if nonce else {}))

    def _body(self, params: dict[str, Any], signature: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {"params": params, "signature": signature}
        if self.expires_after is not None:
            body["expiresAfter"] = self.expires_after
        return body

    def _overridden(self, body: dict[str, Any]) -> dict[str, Any]:
        inner = {k: v for k, v in self.overrides.items() if k in body["params"]}
        outer = {k: v for k, v in self.overrides.items() if k not in body["params"]}
        return outer | {"params": body["params"] | inner}

    def cancel_all(self, *symbols: str) -> Answer:
        """Send `cancelAllOrders`, for `*` unless told otherwise."""
        return self.write("cancelAllOrders", CANCEL_ALL, list(symbols or ("*",)))

    def cancel(self, *orders: Order | str) -> Answer:
        """Send `cancelOrders` for ids."""
        ids = [int(each if isinstance(each, str) else each.order_id) for each in orders]
        return self.write("cancelOrders", BY_ID, ids)

    def cancel_named(self, *names: str) -> Answer:
        """Send `cancelOrders` for client ids."""
        return self.write("cancelOrders", BY_NAME, list(names))

    def read(self, **filters: Any) -> list[dict[str, Any]]:
        """Return what `getOpenOrders` shows."""
        return list(response(self.ask("getOpenOrders", **filters)))

    def public(self, action: str, **params: Any) -> Answer:
        """Ask what anybody may ask."""
        return self.send(PUBLIC, {"params": {"action": action, **params}})

    def place(self, kind: str = "limit", name: str = "", **more: Any) -> Order:
        """Put an order on this subaccount's book."""
        return self.venue.book.place(self.uid, kind, now=self.now, link_id=name, **more)

    def seed(self, **counts: int) -> None:
        """Fill this subaccount's book."""
        self.venue.book.seed(self.uid, counts, now=self.now)

    def open(self) -> list[str]:
        """Return the names of what is really open."""
        return sorted(order.link_id for order in self.venue.book.live(self.uid, now=self.now))

    def choose(self, **conflicts: Any) -> None:
        """Turn switches."""
        self.venue.conflicts = replace(self.venue.conflicts, **conflicts)

    def fail(self, wrong: Wrong, **more: Any) -> Fault:
        """Let a fault begin."""
        return self.venue.faults.add(Fault(wrong=wrong, **more))

    @property
    def account(self) -> Account:
        """What the venue knows of this subaccount."""
        return self.venue.registry.accounts[self.uid]


def fields(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer."""
    return dict(json.loads(answer.body))


def response(answer: Answer) -> Any:
    """Return the result of a call that was granted."""
    assert answer.status == 200, answer
    found = fields(answer)
    assert found["status"] == "ok", found
    return found["response"]


def error(answer: Answer) -> tuple[int, str, str]:
    """Return HTTP status, code and words of a call that was refused."""
    found = fields(answer)
    assert found["status"] == "error", found
    return answer.status, found["error"]["code"], found["error"]["message"]


def code_of(answer: Answer) -> str | None:
    """Return the code of a refusal; None: the call was granted."""
    return dict(fields(answer).get("error") or {}).get("code")


def unauthorised(said: str) -> tuple[int, str, str]:
    """Return what `error` finds when authority is refused."""
    return 401, "UNAUTHORIZED", said


def invalid(said: str) -> tuple[int, str, str]:
    """Return what `error` finds when a rule is broken."""
    return 400, "VALIDATION_ERROR", said


def caller(*, has_limits: bool = False) -> Caller:
    """Return the owner's program at a venue of its own, where somebody else has a subaccount too.

    A delegate may act for ours.
    """
    venue = SimulatedSynthetix(seed=7, has_limits=has_limits)
    venue.add_account(Account(uid=UID, owner=OWNER, delegates={DELEGATE: Delegate()}))
    venue.add_account(Account(uid=OTHER_UID, owner=STRANGER))
    return Caller(venue=venue)


def stocked() -> Caller:
    """Return such a program with one order of every kind, each named after itself."""
    ours = caller()
    for kind in ("limit", "trigger", "twap"):
        ours.place(kind, kind)
    ours.place("limit", "sol", symbol="SOL-USDT")
    return ours
