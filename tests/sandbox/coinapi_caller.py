"""Calls on a simulated EMS at a moment of our choosing, and the documents' own calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from bot.sandbox.venues import coinapi_kinds as kinds
from bot.sandbox.venues.book import Order
from bot.sandbox.venues.coinapi import Key, SimulatedCoinapi
from bot.sandbox.venues.coinapi_shapes import Hitch, Reason
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Fault, Wrong

NOW = 1_763_694_000.5
JOHN, PLAIN, STAMP = "KRAKEN/JOHN", "KRAKEN", "BITSTAMP/2574"
OURS, THEIRS = "73034021-THIS-IS-SAMPLE-KEY", "another-customer's-key"
VECTORS: Mapping[str, Any] = json.loads(
    (Path(__file__).parent.parent / "adapters" / "coinapi_vectors.json").read_text("utf-8")
)
REQUESTS: Mapping[str, Mapping[str, Any]] = {each["id"]: each for each in VECTORS["requests"]}
RESPONSES: Mapping[str, Mapping[str, Any]] = {each["id"]: each for each in VECTORS["responses"]}
CANCEL_ALL, CANCEL, ORDERS = "/v1/orders/cancel/all", "/v1/orders/cancel", "/v1/orders"


@dataclass(slots=True, kw_only=True)
class Caller:
    """One customer's program, with a clock that a test sets."""

    venue: SimulatedCoinapi
    customer: str = "desk"
    api_key: str = OURS
    now: float = NOW
    headers: dict[str, str] = field(default_factory=dict)
    """Sent instead of what it would have sent; in lower case."""

    def send(self, method: str, target: str, body: bytes = b"") -> Answer:
        """Send a request just as it is; `target` is the path with its query."""
        path, _, query = target.partition("?")
        headers = {"x-coinapi-key": self.api_key} if self.api_key else {}
        if body:
            headers["content-type"] = "application/json"
        request = Request(
            method=method,
            path=path,
            query=query,
            headers=headers | self.headers,
            body=body,
            address="10.0.0.1",
        )
        return self.venue.answer(request, self.now)

    def post(self, path: str, **body: Any) -> Answer:
        """Send a JSON body."""
        return self.send("POST", path, json.dumps(body).encode())

    def cancel_all(self, exchange_id: str = JOHN) -> Answer:
        """Send a cancel-all."""
        return self.post(CANCEL_ALL, exchange_id=exchange_id)

    def read(self, exchange_id: str | None = JOHN) -> list[dict[str, Any]]:
        """Return the reports of the open orders; None: of every account."""
        query = "" if exchange_id is None else f"?exchange_id={quote(exchange_id, safe='')}"
        answer = self.send("GET", ORDERS + query)
        assert answer.status == 200, answer
        return list(json.loads(answer.body))

    def names(self, exchange_id: str | None = JOHN) -> list[str]:
        """Return the client ids of what a reading shows."""
        return [row["client_order_id"] for row in self.read(exchange_id)]

    def status_of(self, name: str) -> str:
        """Return the last status of an order, by its client id."""
        answer = self.send("GET", f"/v1/orders/status/{quote(name, safe='')}")
        assert answer.status == 200, answer
        return str(json.loads(answer.body)["status"])

    def place(
        self,
        kind: str = "limit",
        name: str = "",
        *,
        at: str = JOHN,
        ago_s: float = 60.0,
        **more: Any,
    ) -> Order:
        """Put an order on the book of one of this customer's accounts."""
        uid = kinds.uid_of(self.customer, at)
        moment = self.now - (0.0 if kind == "transit" else ago_s)
        return self.venue.book.place(uid, kind, now=moment, link_id=name, **more)

    def open(self, exchange_id: str = JOHN) -> list[str]:
        """Return the names of what is really open at an account."""
        uid = kinds.uid_of(self.customer, exchange_id)
        return sorted(order.link_id for order in self.venue.book.live(uid, now=self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def choose(self, **conflicts: Any) -> None:
        """Turn switches."""
        self.venue.conflicts = replace(self.venue.conflicts, **conflicts)

    def fail(self, wrong: Wrong, **more: Any) -> Fault:
        """Let a fault begin."""
        return self.venue.faults.add(Fault(wrong=wrong, **more))

    def hitch(self, reason: Reason | None, **more: Any) -> Fault:
        """Let something go wrong between EMS and an exchange."""
        return self.venue.faults.add(Hitch(reason=reason, **more))

    def documented(self, name: str) -> Answer:
        """Send a request of the documents to the letter, with our key."""
        method, target, body = wired(REQUESTS[name])
        return self.send(method, target, body)


def wired(example: Mapping[str, Any]) -> tuple[str, str, bytes]:
    """Return method, target and body of a documented request."""
    parts = urlsplit(example.get("url") or example["path"])
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    body = json.dumps(example["body"]).encode() if example.get("body") else b""
    return example["method"], target, body


def fields(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer."""
    return dict(json.loads(answer.body))


def caller(*, has_limits: bool = False) -> Caller:
    """Return a program at a venue of its own, where another customer has `KRAKEN/JOHN` too."""
    venue = SimulatedCoinapi(seed=7, has_limits=has_limits)
    venue.add_key(OURS, Key(customer="desk", exchange_ids=(JOHN, PLAIN, STAMP)))
    venue.add_key(THEIRS, Key(customer="other", exchange_ids=(JOHN,)))
    return Caller(venue=venue)


def other(ours: Caller) -> Caller:
    """Return the other customer's program at the same venue."""
    return replace(ours, customer="other", api_key=THEIRS)


def stocked() -> Caller:
    """One order of every kind, named after it, and a child of the smart one."""
    ours = caller()
    for kind in kinds.KINDS:
        ours.place(kind, kind)
    (parent,) = (o for o in ours.venue.book.orders["desk:KRAKEN/JOHN"] if o.kind == "smart")
    ours.place("limit", "child", parent_id=parent.order_id)
    return ours
