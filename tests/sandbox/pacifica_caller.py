"""Signed calls on a simulated Pacifica at a moment of our choosing, over both transports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import base58
from nacl.signing import SigningKey

from bot.sandbox.venues.book import Order
from bot.sandbox.venues.exchange import Answer, Request, Seen
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.venues.pacifica import SimulatedPacifica
from bot.sandbox.venues.pacifica_kinds import give_children, strategy_id

NOW = 1_763_694_000.5
NOW_MS = 1_763_694_000_500
VECTORS: Mapping[str, Any] = json.loads(
    (Path(__file__).parent.parent / "adapters" / "pacifica_vectors.json").read_text("utf-8")
)


def key_of(name: str) -> SigningKey:
    """Return a key of the vectors: `main`, `agent` or `sub`."""
    return SigningKey(bytes.fromhex(VECTORS["keys"][name]["seed_hex"]))


def address_of(key: SigningKey) -> str:
    return base58.b58encode(bytes(key.verify_key)).decode()


STRANGER_KEY = SigningKey(b"\x07" * 32)
MAIN, AGENT, SUB = (address_of(key_of(name)) for name in ("main", "agent", "sub"))
OTHER = address_of(STRANGER_KEY)
REQUEST_ID = "4e9b4edb-b123-4759-9250-d19db61fabcb"
CLIENT_ID = "79f948fd-7556-4066-a128-083f3ea49322"
V1 = "/api/v1"
ALL, ONE = f"{V1}/orders/cancel_all", f"{V1}/orders/cancel"
STOP, TWAP = f"{V1}/orders/stop/cancel", f"{V1}/orders/twap/cancel"
STRATEGY, SUBACCOUNTS = f"{V1}/order_strategies/cancel", f"{V1}/account/subaccount/list"
TYPES = {
    ALL: "cancel_all_orders",
    ONE: "cancel_order",
    STOP: "cancel_stop_order",
    TWAP: "cancel_twap_order",
    STRATEGY: "cancel_order_strategy",
    SUBACCOUNTS: "list_subaccounts",
}
EVERYTHING = {"all_symbols": True, "exclude_reduce_only": False}


def signature(key: SigningKey, message: object) -> str:
    text = json.dumps(message, sort_keys=True, separators=(",", ":"))
    return base58.b58encode(key.sign(text.encode()).signature).decode()


@dataclass(slots=True, kw_only=True)
class Caller:
    """One account's program, with a clock that a test sets."""

    venue: SimulatedPacifica
    key: SigningKey
    account: str = MAIN
    now: float = NOW
    ahead_ms: int = 0
    """How far its own clock is ahead of the true one."""
    window_ms: int | None = 5000
    address: str = "10.0.0.1"
    config_key: str = ""
    sent: dict[str, Any] = field(default_factory=dict)
    """Sent instead of what it would have sent; never signed."""

    def wired(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return a signed body; null is sent and not signed."""
        header: dict[str, Any] = {"timestamp": int(self.now * 1000) + self.ahead_ms}
        if self.window_ms is not None:
            header["expiry_window"] = self.window_ms
        data = {name: value for name, value in payload.items() if value is not None}
        signed = signature(self.key, header | {"type": operation, "data": data})
        signer = address_of(self.key)
        agent = {} if signer == self.account else {"agent_wallet": signer}
        body = {"account": self.account, "signature": signed} | agent | header
        return body | dict(payload) | self.sent

    def send(self, method: str, path: str, *, query: str = "", body: bytes = b"") -> Answer:
        """Send a request just as it is."""
        headers = {"pf-api-key": self.config_key} if self.config_key else {}
        request = Request(
            method=method,
            path=path,
            query=query,
            headers=headers,
            body=body,
            address=self.address,
        )
        return self.venue.answer(request, self.now)

    def post(self, path: str, **payload: Any) -> Answer:
        """Send a signed body."""
        body = self.wired(TYPES[path], payload)
        return self.send("POST", path, body=json.dumps(body).encode())

    def frame(self, operation: str, *, request_id: Any = REQUEST_ID, **payload: Any) -> Answer:
        """Send a signed frame."""
        params = {operation: self.wired(operation, payload)}
        return self.say(json.dumps({"id": request_id, "params": params}))

    def say(self, text: str) -> Answer:
        """Send a frame just as it is."""
        return self.send("FRAME", "/ws", body=text.encode())

    def get(self, path: str, **query: Any) -> Answer:
        """Read, of this account unless told otherwise."""
        return self.send("GET", V1 + path, query=urlencode({"account": self.account} | query))

    def cancel_all(self, **more: Any) -> Answer:
        """Send a cancel-all over HTTP."""
        return self.post(ALL, **EVERYTHING | more)

    def ids(self, path: str = "/orders") -> list[int]:
        """Return the order ids that a reading shows."""
        return sorted(row["order_id"] for row in fields(self.get(path))["data"])

    def place(self, kind: str, name: str = "", **more: Any) -> Order:
        """Put an order on this account's book, a minute old."""
        return self.venue.book.place(self.account, kind, now=self.now - 60.0, link_id=name, **more)

    def strategy(self, *, children: int = 1, **more: Any) -> tuple[Order, str]:
        """Put a strategy on the book with what it has placed; returns its id too."""
        parent = self.place("strategy", **more)
        book = self.venue.book
        give_children(book, self.account, now=self.now - 50.0, count=children)
        return parent, strategy_id(parent)

    def open(self) -> dict[str, int]:
        """Return what is really open, by kind."""
        return self.venue.book.open_count(self.account, now=self.now)

    def names(self) -> list[str]:
        """Return the names of what is really open."""
        return sorted(o.link_id for o in self.venue.book.live(self.account, now=self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def choose(self, **conflicts: Any) -> None:
        """Turn switches."""
        self.venue.conflicts = replace(self.venue.conflicts, **conflicts)

    def fail(self, wrong: Wrong, **more: Any) -> Fault:
        """Let a fault begin."""
        return self.venue.faults.add(Fault(wrong=wrong, **more))

    def seen(self) -> Seen:
        """Return the last line of the wire log."""
        return self.venue.log[-1]


def fields(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer."""
    return dict(json.loads(answer.body))


def told(answer: Answer) -> tuple[int, str]:
    """Return status and words of an error over HTTP."""
    return answer.status, fields(answer)["error"]


def caller(*, seed: int = 7, has_limits: bool = False) -> Caller:
    """Return a main account's program, with an agent, a subaccount and a stranger around it."""
    venue = SimulatedPacifica(seed=seed, has_limits=has_limits)
    venue.add_account(MAIN)
    venue.add_account(SUB, main=MAIN)
    venue.add_account(OTHER)
    venue.bind_agent(MAIN, AGENT)
    return Caller(venue=venue, key=key_of("main"))


def agent_of(ours: Caller) -> Caller:
    """Return the same account's program with the agent's key."""
    return replace(ours, key=key_of("agent"))


def stocked() -> Caller:
    """One order of every sort that a rule tells apart, named after it."""
    ours = caller()
    ours.place("limit", "limit")
    ours.place("limit", "limit SOL", symbol="SOL")
    ours.place("limit", "limit spot", symbol="SOL-USDC")
    ours.place("limit", "limit reducing", is_reduce_only=True)
    ours.place("stop", "stop")
    ours.place("stop", "take profit", stop_type="take_profit_market")
    ours.place("twap", "twap")
    ours.place("twap", "twap SOL", symbol="SOL")
    parent = ours.place("strategy", "strategy")
    ours.place("limit", "child", parent_id=strategy_id(parent))
    return ours
