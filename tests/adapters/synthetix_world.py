"""A simulated Synthetix with our adapter connected to it, without a network, on virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from adapters import synthetix
from adapters.contract import OpenOrder, Purpose, Reading, Scope
from adapters.gate import Gate
from adapters.synthetix_adapter import SynthetixAdapter
from adapters.synthetix_wire import ORDER
from bot.domain.event import EventKind
from bot.domain.limits import Limits
from bot.flow import verify
from bot.flow.verify import Pursuit, Sight
from bot.sandbox.venues.book import Order
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.venues.synthetix import SimulatedSynthetix
from bot.sandbox.venues.synthetix_accounts import Account, Delegate
from tests.adapters.pure import PureCarrier
from tests.fakes import clock as clocks

T = TypeVar("T")
MINE, BESIDE, ELSE = "1867542890123456789", "1867542890123456790", "1867542890123456999"
"""Two subaccounts of ours, and somebody else's."""
KEY, OTHER_KEY = "0x" + "46" * 32, "0x" + "47" * 32
OWNER = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"
STRANGER = "0x71F3D945F2239e172E99958173a2f64c2aBb3248"
CANCEL_ALL, CANCEL = "/v1/trade/cancelAllOrders", "/v1/trade/cancelOrders"
READ, MARKETS = "/v1/trade/getOpenOrders", "/v1/info/getMarkets"
ALL = Scope()


def credentials(**fields: object) -> SecretStr:
    return SecretStr(json.dumps({"private_key": KEY, "accounts": [MINE, BESIDE]} | fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    simulated: SimulatedSynthetix
    carrier: PureCarrier
    venue: synthetix.Synthetix
    adapter: SynthetixAdapter

    @property
    def now(self) -> float:
        return self.carrier.now().timestamp()

    def place(self, kind: str = "limit", *, at: str = MINE, **more: Any) -> Order:
        return self.simulated.book.place(at, kind, now=self.now - more.pop("age_s", 60.0), **more)

    def fail(self, wrong: Wrong, path: str = "", **more: Any) -> None:
        self.simulated.faults.add(Fault(wrong=wrong, path=path, **more))

    def choose(self, **conflicts: Any) -> None:
        """Decide what the sources leave open."""
        self.simulated.conflicts = replace(self.simulated.conflicts, **conflicts)

    def doctor(self, path: str, edit: Callable[[Any], Any], *, times: int = 10**6) -> None:
        """Have the venue's answers to an action edited before they leave."""
        honest, left = self.simulated.answer, [times]

        def spoilt(request: Request, now: float) -> Answer:
            answer = honest(request, now)
            action = json.loads(request.body)["params"]["action"]
            if not path.endswith(f"/{action}") or left[0] == 0:
                return answer
            left[0] -= 1
            body = json.dumps(edit(json.loads(answer.body))).encode()
            return Answer(status=answer.status, body=body, headers=answer.headers)

        self.simulated.answer = spoilt  # type: ignore[method-assign]

    def open(self, at: str = MINE) -> list[str]:
        """Return the kinds of what is really open."""
        return sorted(order.kind for order in self.simulated.book.live(at, now=self.now))

    def ids(self, at: str = MINE) -> set[str]:
        return {order.order_id for order in self.simulated.book.live(at, now=self.now)}

    def joined(self, uid: str = MINE, **more: Any) -> SynthetixAdapter:
        """Join the account's own key, or another, to a subaccount."""
        signer = more.pop("signer", None) or self.venue.signer(credentials())
        made = self.venue.adapter(signer, uid=uid, **{"purpose": Purpose.RUN} | more)
        assert isinstance(made, SynthetixAdapter)
        return made

    def sent(self, path: str = "") -> list[dict[str, Any]]:
        """Return the bodies of all calls of an action."""
        seen = [each for each in self.simulated.log if each.path.startswith(path)]
        return [json.loads(each.payload) for each in seen]

    def actions(self) -> list[str]:
        """Return the last word of each call's path, in the order of arrival."""
        return [each.path.rpartition("/")[2] for each in self.simulated.log]

    async def read(self, scope: Scope = ALL, *, pages_max: int = 40) -> Reading:
        return await self.adapter.open_orders(scope, pages_max=pages_max)

    async def chase(self, scope: Scope = ALL) -> Sight:
        """Drive the adapter with the program's own loop; return what it saw when it was FLAT."""
        is_flat = asyncio.Event()

        def tell(_: EventKind, sight: Sight) -> None:
            if sight.is_flat:
                is_flat.set()

        clock = self.carrier.clock
        pursuit = Pursuit(
            adapter=self.adapter,
            scope=scope,
            clock=clock,
            limits=Limits(),
            verdict_at=clock.monotonic() + 30.0,
            tell=tell,
        )
        async with asyncio.timeout(60.0), asyncio.TaskGroup() as group:
            task = group.create_task(verify.until_flat(pursuit))
            await is_flat.wait()
            task.cancel()
        return pursuit.sight


def named(order: Order) -> OpenOrder:
    """Name a simulated limit order as a reading does, as far as a cancel needs it."""
    return OpenOrder(order_class=ORDER, symbol=order.symbol, order_id=order.order_id)


def simulate(*, has_limits: bool = False) -> SimulatedSynthetix:
    simulated = SimulatedSynthetix(seed=3, has_limits=has_limits)
    for uid, owner in ((MINE, OWNER), (BESIDE, OWNER), (ELSE, STRANGER)):
        simulated.add_account(Account(uid=uid, owner=owner))
    return simulated


def delegate(world: World, uid: str, address: str) -> None:
    """Let a signer act for a subaccount."""
    world.simulated.registry.accounts[uid].delegates[address] = Delegate()


def play(
    act: Callable[[World], Awaitable[T]],
    *,
    has_limits: bool = False,
    state_dir: Path | None = None,
) -> T:
    """Act on a world of its own, on virtual time."""

    async def main() -> T:
        simulated = simulate(has_limits=has_limits)
        carrier = PureCarrier(simulated)
        settings = synthetix.SynthetixSettings(base_url="http://127.0.0.1:9")
        gate = Gate(synthetix.ADDRESS)
        how: dict[str, Any] = {"gate": gate, "state_dir": state_dir, "carrier": carrier}
        async with synthetix.connect(settings, **how) as venue:
            adapter = venue.adapter(venue.signer(credentials()), uid=MINE, purpose=Purpose.RUN)
            assert isinstance(adapter, SynthetixAdapter)
            return await act(
                World(simulated=simulated, carrier=carrier, venue=venue, adapter=adapter)
            )

    return clocks.run(main())
