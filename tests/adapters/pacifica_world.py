"""A Pacifica that answers by a script, with our adapter connected to it without a network.

It has no rules and no book: what it says is what a test has put there. The simulated venue has
both; it is met in the conformance tests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import SecretStr

from adapters import pacifica, pacifica_calls
from adapters.contract import OpenOrder, OrderClass, Purpose, Reading, Receipt
from adapters.gate import Gate
from adapters.pacifica_adapter import PacificaAdapter
from bot.sandbox.venues.exchange import Answer, Request, Transport
from tests.adapters.pure import PureCarrier
from tests.fakes import clock as clocks

VECTORS = json.loads(Path(__file__).with_name("pacifica_vectors.json").read_text())
KEYS = VECTORS["keys"]
MAIN, AGENT = KEYS["main"]["public_key_base58"], KEYS["agent"]["public_key_base58"]
ALL = "/api/v1/orders/cancel_all"
CANCEL = "/api/v1/orders/cancel"
STOP = "/api/v1/orders/stop/cancel"
TWAP = "/api/v1/orders/twap/cancel"
STRATEGY = "/api/v1/order_strategies/cancel"
ORDERS, ACCOUNT, TWAPS = "/api/v1/orders", "/api/v1/account", "/api/v1/orders/twap"
STRATEGIES, MARKETS = "/api/v1/order_strategies", "/api/v1/info"
SOCKET = "/ws"
OPERATIONS = {"cancel_all_orders": ALL, "cancel_order": CANCEL}
T = TypeVar("T")


def row(order_id: int, symbol: str = "BTC", kind: str = "limit", **more: Any) -> dict[str, Any]:
    """Make one order as the venue lists it."""
    usual = {"client_order_id": None, "reduce_only": False, "created_at": 1795230000000}
    return {"order_id": order_id, "symbol": symbol, "order_type": kind} | usual | more


def strategy(strategy_id: str, *symbols: str, **more: Any) -> dict[str, Any]:
    """Make one strategy as the venue lists it."""
    params = {"legs": [{"symbol": symbol} for symbol in symbols]}
    return {"strategy_id": strategy_id, "definition": {"params": params}} | more


def fine(payload: object, **more: object) -> Answer:
    """Acknowledge, in the envelope."""
    told = {"success": True, "data": payload, "error": None, "code": None, **more}
    return Answer(status=200, body=json.dumps(told).encode())


def failing(status: int, error: str = "no", code: object = None) -> Answer:
    """Complain."""
    told = {"success": False, "data": None, "error": error, "code": code}
    return Answer(status=status, body=json.dumps(told).encode())


def silent() -> Answer:
    """Never answer."""
    return Answer(status=200, body=b"", transport=Transport.HANG)


@dataclass
class Script:
    """What the venue says, and what it was asked."""

    orders: list[dict[str, Any]] = field(default_factory=list)
    twaps: list[dict[str, Any]] = field(default_factory=list)
    strategies: list[dict[str, Any]] = field(default_factory=list)
    counters: dict[str, Any] | None = None
    """None: what the list of orders says."""
    says: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    """By path (`FRAME` and path for frames, `OPEN` for the handshake): what is answered instead."""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(path, or `FRAME` and path; what was asked) of every call in turn."""
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)
    """The headers of every call."""
    frames: Callable[[dict[str, Any], float], dict[str, Any]] | None = None
    """Edits the frame that answers."""

    def paths(self) -> list[str]:
        """Return what was asked, without pings and handshakes."""
        return [path for path, _ in self.asked if path not in ("OPEN", "PING")]

    def cancels(self) -> list[str]:
        """Return which cancels were sent, and how."""
        return [path for path in self.paths() if "cancel" in path]

    def fields(self, path: str) -> list[dict[str, Any]]:
        """Return what was asked on a path."""
        return [asked for each, asked in self.asked if each == path]

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request, a handshake or a frame."""
        self.seen.append(dict(request.headers))
        if request.method == "OPEN":
            return self._say("OPEN", {}, lambda: Answer(status=101, body=b""))
        if request.method == "FRAME":
            return self._frame(json.loads(request.body), now)
        if request.method == "POST":
            return self._say(request.path, json.loads(request.body), self._accepting(request.path))
        asked = dict(parse_qsl(request.query))
        return self._say(request.path, asked, lambda: self._list(request.path, asked))

    def _say(self, path: str, asked: dict[str, Any], usual: Callable[[], Answer]) -> Answer:
        self.asked.append((path, asked))
        found = self.says.get(path, usual)()
        return Answer(
            status=found.status,
            body=found.body,
            headers={**self.headers, **found.headers},
            transport=found.transport,
        )

    def _frame(self, frame: dict[str, Any], now: float) -> Answer:
        if frame.get("method") == "ping":
            pong = Answer(status=200, body=b'{"channel":"pong"}')
            return self._say("PING", {}, lambda: pong)
        ((operation, asked),) = frame["params"].items()
        path = f"FRAME {OPERATIONS[operation]}"
        found = self._say(path, asked, self._accepting(OPERATIONS[operation]))
        if found.transport is not Transport.WHOLE:
            return found
        told = json.loads(found.body)
        reply = {"id": frame["id"], "type": operation, "t": int(now * 1000)}
        if told["error"] is None:
            reply |= {"code": 200, "data": told["data"]}
        else:
            reply |= {"code": told["code"] or found.status, "err": told["error"]}
        edited = reply if self.frames is None else self.frames(reply, now)
        return Answer(status=200, body=json.dumps(edited).encode())

    def _accepting(self, path: str) -> Callable[[], Answer]:
        return lambda: fine({"cancelled_count": len(self.orders)} if path == ALL else None)

    def _list(self, path: str, asked: dict[str, Any]) -> Answer:
        stops = sum(each["order_type"] not in ("limit", "market") for each in self.orders)
        counted = {"orders_count": len(self.orders) - stops, "stop_orders_count": stops}
        match path:
            case "/api/v1/orders":
                return fine(self.orders, last_order_id=len(self.asked))
            case "/api/v1/account":
                return fine(self.counters if self.counters is not None else counted)
            case "/api/v1/orders/twap":
                return fine(self.twaps)
            case "/api/v1/order_strategies":
                offset = int(asked["offset"])
                page = self.strategies[offset : offset + 100]
                return fine({"strategies": page})
            case "/api/v1/info":
                return fine([{"symbol": "BTC"}, {"symbol": "kBONK"}])
            case _:
                return failing(404, "no such path")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The script, and what is connected to it."""

    script: Script
    carrier: PureCarrier
    venue: pacifica.Pacifica
    adapter: PacificaAdapter

    def joined(self, name: str = "main", uid: str = MAIN, **more: Any) -> PacificaAdapter:
        """Join another key or account."""
        signer = self.venue.signer(document(name, uid))
        made = self.venue.adapter(signer, uid=uid, **{"purpose": Purpose.RUN} | more)
        assert isinstance(made, PacificaAdapter)
        return made


def document(name: str = "main", *accounts: str) -> SecretStr:
    """Write a secret document."""
    told: dict[str, Any] = {"private_key": KEYS[name]["private_key_base58"]}
    return SecretStr(json.dumps(told | ({"accounts": accounts} if accounts else {})))


@asynccontextmanager
async def connected(script: Script | None = None, **settings: Any) -> AsyncIterator[World]:
    """Connect, and wait until the socket is open, or was refused."""
    told = script or Script()
    carrier = PureCarrier(told)
    made = pacifica.PacificaSettings.model_validate({"base_url": "http://127.0.0.1:9"} | settings)
    gate = Gate(pacifica_calls.ADDRESS)
    async with pacifica.connect(made, gate=gate, state_dir=None, carrier=carrier) as venue:
        await asyncio.sleep(0.2)  # On a clock that jumps.
        signer = venue.signer(document())
        adapter = venue.adapter(signer, uid=MAIN, purpose=Purpose.RUN)
        assert isinstance(adapter, PacificaAdapter)
        yield World(script=told, carrier=carrier, venue=venue, adapter=adapter)


def play(act: Callable[[World], Awaitable[T]], script: Script | None = None, **settings: Any) -> T:
    """Act in a world, on virtual time."""

    async def main() -> T:
        async with connected(script, **settings) as world:
            return await act(world)

    return clocks.run(main())


def told(receipts: tuple[Receipt, ...]) -> list[tuple[str, object]]:
    """Return each receipt's call with what was accepted, or the kind of its error."""
    return [
        (receipt.call, receipt.accepted if receipt.error is None else type(receipt.error).__name__)
        for receipt in receipts
    ]


def found(reading: Reading) -> list[tuple[OrderClass, str]]:
    """Return class and id of each order that a reading shows."""
    return [(order.order_class, order.order_id) for order in reading.orders]


def unread(reading: Reading) -> list[tuple[OrderClass, str]]:
    """Return what a reading could not read, and why."""
    return [(each.order_class, each.error.user_message) for each in reading.unread]


def an_order(order_class: str, order_id: str, symbol: str = "BTC") -> OpenOrder:
    """Make an order as a reading would show it."""
    return OpenOrder(order_class=OrderClass(order_class), symbol=symbol, order_id=order_id)
