"""A simulated CoinAPI EMS with our adapter connected to it, without a network, on virtual time."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from multidict import CIMultiDict
from pydantic import SecretStr

from adapters import coinapi, coinapi_replies
from adapters import coinapi_wire as wire
from adapters.carrier import Reply
from adapters.coinapi_adapter import CoinapiAdapter
from adapters.contract import Purpose, VenueError
from adapters.gate import Gate
from bot.sandbox.venues import coinapi_kinds as kinds
from bot.sandbox.venues.book import Order
from bot.sandbox.venues.coinapi import Key, SimulatedCoinapi
from bot.sandbox.venues.coinapi_shapes import Hitch, Reason
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Fault, Wrong
from tests.adapters.pure import PureCarrier
from tests.fakes import clock as clocks

T = TypeVar("T")
API_KEY = "73034021-THIS-IS-SAMPLE-KEY"
JOHN, ANN, STAMP = "KRAKEN/JOHN", "KRAKEN/ANN", "BITSTAMP/2574"
CANCEL_ALL, CANCEL, ORDERS = "/v1/orders/cancel/all", "/v1/orders/cancel", "/v1/orders"
VECTORS = json.loads((Path(__file__).parent / "coinapi_vectors.json").read_text())
REPLIES: Mapping[str, Mapping[str, Any]] = {each["id"]: each for each in VECTORS["responses"]}


def credentials(**fields: object) -> SecretStr:
    return SecretStr(json.dumps({"api_key": API_KEY, "accounts": [JOHN, ANN, STAMP]} | fields))


def reply(body: object, status: int = 200, **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    dashed = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Reply(status=status, headers=dashed, body=raw)


def failure(body: object, status: int = 200, **headers: str) -> VenueError | None:
    """Return what a body means, None: it refuses nothing."""
    try:
        coinapi_replies.judge(reply(body, status, **headers), key=API_KEY)
    except VenueError as error:
        return error
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    simulated: SimulatedCoinapi
    carrier: PureCarrier
    venue: coinapi.Coinapi
    adapter: CoinapiAdapter

    @property
    def now(self) -> float:
        return self.carrier.now().timestamp()

    def place(self, kind: str = "limit", *, at: str = JOHN, **more: Any) -> Order:
        moment = self.now - more.pop("age_s", 60.0)
        return self.simulated.book.place(kinds.uid_of("desk", at), kind, now=moment, **more)

    def fail(self, wrong: Wrong, path: str = "", **more: Any) -> None:
        self.simulated.faults.add(Fault(wrong=wrong, path=path, **more))

    def hitch(self, reason: Reason | None, **more: Any) -> None:
        """Let something go wrong between EMS and the exchange."""
        self.simulated.faults.add(Hitch(reason=reason, **more))

    def choose(self, **conflicts: Any) -> None:
        """Decide what the documents leave open."""
        self.simulated.conflicts = replace(self.simulated.conflicts, **conflicts)

    def answer(
        self, path: str, status: int, body: object, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer every call of a path with this."""
        honest = self.simulated.answer
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        page = Answer(status=status, body=raw, content_type="x/y", headers=headers or {})

        def spoilt(request: Request, now: float) -> Answer:
            return page if request.path == path else honest(request, now)

        self.simulated.answer = spoilt  # type: ignore[method-assign]

    def rows(self, exchange_id: str) -> list[dict[str, Any]]:
        """Ask the venue itself for an account's open orders."""
        asked = wire.request(wire.build_open_orders(exchange_id), key=API_KEY)
        request = Request(
            method=asked.method,
            path=asked.path,
            query=asked.query,
            headers={"x-coinapi-key": API_KEY},
            body=b"",
            address="10.0.0.2",
        )
        return list(json.loads(self.simulated.answer(request, self.now).body))

    def open(self, at: str = JOHN) -> list[str]:
        """Return the kinds of what is really open."""
        live = self.simulated.book.live(kinds.uid_of("desk", at), now=self.now)
        return sorted(order.kind for order in live)

    def joined(self, uid: str, **more: Any) -> CoinapiAdapter:
        """Join the account's own key, or another, to an account."""
        signer = more.pop("signer", None) or self.venue.signer(credentials())
        made = self.venue.adapter(signer, uid=uid, **{"purpose": Purpose.RUN} | more)
        assert isinstance(made, CoinapiAdapter)
        return made

    def sent(self, path: str) -> list[str]:
        return [seen.payload for seen in self.simulated.log if seen.path == path]


def play(act: Callable[[World], Awaitable[T]], *, has_limits: bool = False) -> T:
    """Act on a world of its own, on virtual time."""

    async def main() -> T:
        simulated = SimulatedCoinapi(seed=3, has_limits=has_limits)
        simulated.add_key(API_KEY, Key(customer="desk", exchange_ids=(JOHN, ANN, STAMP)))
        carrier = PureCarrier(simulated)
        settings = coinapi.CoinapiSettings(base_url="http://127.0.0.1:9")
        gate = Gate(coinapi.ADDRESS)
        how: dict[str, Any] = {"gate": gate, "state_dir": None, "carrier": carrier}
        async with coinapi.connect(settings, **how) as venue:
            signer = venue.signer(credentials())
            adapter = venue.adapter(signer, uid=JOHN, purpose=Purpose.RUN)
            assert isinstance(adapter, CoinapiAdapter)
            world = World(simulated=simulated, carrier=carrier, venue=venue, adapter=adapter)
            found = await act(world)
        assert simulated.management_calls == 0
        assert simulated.keys_in_query == 0
        assert {seen.path for seen in simulated.log} <= {CANCEL_ALL, CANCEL, ORDERS}
        return found

    return clocks.run(main())
