"""Signed calls on a simulated Bybit at a moment of our choosing; no socket, no clock."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.venues.book import Order
from bot.sandbox.venues.bybit import Key, SimulatedBybit
from bot.sandbox.venues.bybit_kinds import KINDS
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Fault, Wrong

NOW = 1_763_694_000.5
UID, OTHER_UID = "1001", "1002"
KEYS = {UID: ("KEYONE", "secret-one"), OTHER_UID: ("KEYTWO", "secret-two")}
HOME = "10.0.0.1"


def sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass(slots=True, kw_only=True)
class Caller:
    """One account's program, with a clock that a test sets."""

    venue: SimulatedBybit
    uid: str = UID
    now: float = NOW
    ahead_ms: int = 0
    """How far its own clock is ahead of the true one."""
    window: str = "5000"
    address: str = HOME
    headers: dict[str, str] = field(default_factory=dict)
    """Sent instead of what it would have sent; in lower case."""

    def send(self, method: str, path: str, payload: str = "") -> Answer:
        """Send a query (GET) or a body (POST) just as it is."""
        api_key, secret = KEYS[self.uid]
        stamp = str(int(self.now * 1000) + self.ahead_ms)
        headers = {
            "x-bapi-api-key": api_key,
            "x-bapi-timestamp": stamp,
            "x-bapi-recv-window": self.window,
            "x-bapi-sign": sign(secret, f"{stamp}{api_key}{self.window}{payload}"),
        }
        request = Request(
            method=method,
            path=path,
            query=payload if method == "GET" else "",
            headers=headers | self.headers,
            body=payload.encode() if method == "POST" else b"",
            address=self.address,
        )
        return self.venue.answer(request, self.now)

    def get(self, path: str, query: str = "") -> dict[str, Any]:
        """Return the envelope of a GET."""
        return envelope(self.send("GET", path, query))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the envelope of a POST."""
        return envelope(self.send("POST", path, json.dumps(body or {})))

    def cancel_all(self, **body: Any) -> dict[str, Any]:
        """Return the envelope of `/v5/order/cancel-all`."""
        return self.post("/v5/order/cancel-all", body)

    def read(self, query: str) -> list[dict[str, Any]]:
        """Return the first page of `/v5/order/realtime`."""
        found = self.get("/v5/order/realtime", query)
        assert found["retCode"] == 0, found
        return list(found["result"]["list"])

    def read_all(self, query: str) -> list[str]:
        """Return every order id behind `/v5/order/realtime`, each cursor sent back as it came."""
        ids: list[str] = []
        cursor = ""
        for _ in range(100):
            page = self.get("/v5/order/realtime", query + (f"&cursor={cursor}" if cursor else ""))
            ids += [row["orderId"] for row in page["result"]["list"]]
            cursor = page["result"]["nextPageCursor"]
            if not cursor:
                return ids
        raise AssertionError("this paging has no end")

    def place(self, kind: str, name: str = "", **more: Any) -> Order:
        """Put an order on this account's book."""
        return self.venue.book.place(self.uid, kind, now=self.now, link_id=name, **more)

    def seed(self, **counts: int) -> None:
        """Fill this account's book; `spot__StopOrder` stands for `spot:StopOrder`."""
        named = {kind.replace("__", ":"): count for kind, count in counts.items()}
        self.venue.book.seed(self.uid, named, now=self.now)

    def open(self) -> dict[str, int]:
        """Return what is really open, by kind."""
        return self.venue.book.open_count(self.uid, now=self.now)

    def names(self) -> set[str]:
        """Return the names of what is really open."""
        return {order.link_id for order in self.venue.book.live(self.uid, now=self.now)}

    def fail(self, wrong: Wrong, **more: Any) -> Fault:
        """Let a fault begin."""
        return self.venue.faults.add(Fault(wrong=wrong, **more))


def envelope(answer: Answer) -> dict[str, Any]:
    """Return the JSON of an answer under HTTP 200."""
    assert answer.status == 200, answer
    return dict(json.loads(answer.body))


def caller(*, seed: int = 7, has_limits: bool = False) -> Caller:
    """Return a program with a key at a venue of its own; a second account is there too."""
    venue = SimulatedBybit(seed=seed, has_limits=has_limits)
    for uid, (api_key, secret) in KEYS.items():
        venue.add_key(api_key, Key(uid=uid, secret=secret))
    return Caller(venue=venue)


def stocked() -> Caller:
    """One order of every sort that a rule tells apart, named after it."""
    ours = caller()
    for kind in KINDS:
        ours.place(kind, kind)
    ours.place("linear:USDT", "linear conditional", stop_type="Stop")
    ours.place("linear:USDT", "linear take-profit", stop_type="TakeProfit")
    ours.place("linear:USDT", "linear trailing", stop_type="TrailingStop")
    ours.place("linear:USDT", "linear ETHUSDT", symbol="ETHUSDT")
    ours.place("linear:USDT", "linear ETHWUSDT", symbol="ETHWUSDT")
    ours.place("inverse", "inverse ETHUSD", symbol="ETHUSD", settle="ETH")
    ours.place("inverse", "inverse conditional", stop_type="Stop")
    ours.place("option", "option USDC", symbol="ETH-26DEC26-4000-P", settle="USDC")
    ours.place("option", "option conditional", stop_type="Stop")
    ours.place("spot", "spot ETHUSDT", symbol="ETHUSDT")
    return ours


LINEAR_STOPS = {"linear conditional", "linear take-profit", "linear trailing"}
LINEAR_BTC = {"linear:USDT", *LINEAR_STOPS}
LINEAR_USDT = {*LINEAR_BTC, "linear ETHUSDT", "linear ETHWUSDT"}
INVERSE_BTC = {"inverse", "inverse conditional"}
OPTION_USDT = {"option", "option conditional"}
