"""A simulated Bybit on a socket with our adapter connected to it, for the tests of this folder."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters import bybit, bybit_replies
from adapters.bybit_adapter import BybitAdapter
from adapters.bybit_replies import Envelope, Heard
from adapters.contract import Purpose, VenueError
from adapters.gate import Gate
from bot.sandbox.venues import server
from bot.sandbox.venues.bybit import Key, SimulatedBybit
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Fault, Wrong

UID = "1234567"
API_KEY = "TESTKEYTESTKEY0001"
SECRET = "not-a-secret-0123456789"
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
REPLIES_AT = Path(__file__).parent / "replies" / "bybit"
VECTORS = json.loads((Path(__file__).parent / "bybit_vectors.json").read_text())


def credentials(**fields: str) -> SecretStr:
    return SecretStr(json.dumps({"api_key": API_KEY, "api_secret": SECRET} | fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    simulated: SimulatedBybit
    venue: bybit.Bybit
    adapter: BybitAdapter

    def place(self, kind: str, **more: Any) -> str:
        moment = time.time() - more.pop("age_s", 0.0)
        return self.simulated.book.place(UID, kind, now=moment, **more).order_id

    def fail(self, wrong: Wrong, path: str = "", **more: Any) -> None:
        self.simulated.faults.add(Fault(wrong=wrong, path=path, **more))

    def answer(self, path: str, status: int, body: bytes) -> None:
        """Answer every call of a path with this page."""
        honest, page = self.simulated.answer, Answer(status=status, body=body, content_type="x/y")

        def spoilt(request: Request, now: float) -> Answer:
            return page if request.path.startswith(path) else honest(request, now)

        self.simulated.answer = spoilt  # type: ignore[method-assign]

    async def relist(self) -> None:
        """Have the instrument list read again."""
        await self.venue.lister.read()

    def open(self) -> dict[str, int]:
        return self.simulated.book.open_count(UID, now=time.time())

    def ids(self) -> set[str]:
        live = self.simulated.book.live(UID, now=time.time())
        return {order.order_id for order in live}

    def sent(self, path: str) -> list[str]:
        return [seen.payload for seen in self.simulated.log if seen.path == path]


@asynccontextmanager
async def world(
    *, state_dir: Path | None = None, settle_coins: tuple[str, ...] = (), listed: bool = True
) -> AsyncIterator[World]:
    """Connect to a simulated Bybit; with `listed` its instrument list has been read."""
    simulated = SimulatedBybit(has_limits=False)
    simulated.add_key(API_KEY, Key(uid=UID, secret=SECRET))
    if not listed:
        simulated.faults.add(Fault(wrong=Wrong.SERVER, path="/v5/market/instruments-info"))
    async with server.serve(simulated) as url:
        settings = bybit.BybitSettings(base_url=url, settle_coins=settle_coins)
        async with bybit.connect(settings, gate=Gate(bybit.ADDRESS), state_dir=state_dir) as venue:
            if listed:
                await venue.instruments()
            signer = venue.signer(credentials())
            adapter = venue.adapter(signer, uid=UID, purpose=Purpose.RUN)
            assert isinstance(adapter, BybitAdapter)
            yield World(simulated=simulated, venue=venue, adapter=adapter)


def heard(body: object, status: int = 200, **headers: str) -> Heard:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    dashed = {name.replace("_", "-"): value for name, value in headers.items()}
    return Heard(status=status, headers=dashed, body=raw, now=NOW, venue_now_ms=1_000_000.0)


def judged(body: object, status: int = 200, **headers: str) -> Envelope | None:
    return bybit_replies.judge(heard(body, status, **headers), api_key="MYKEY12345")


def failure(body: object, status: int = 200, **headers: str) -> VenueError:
    with pytest.raises(VenueError) as caught:
        judged(body, status, **headers)
    return caught.value


def envelope(code: object, said: str = "") -> dict[str, object]:
    return {"retCode": code, "retMsg": said, "result": {}, "retExtInfo": {}}


REPLIES = {reply["id"]: reply for reply in VECTORS["response_examples"]}
