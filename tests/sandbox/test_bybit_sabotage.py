"""What the simulated Bybit does wrong on demand, and to whom; on the wire too."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from bot.sandbox.venues import server
from bot.sandbox.venues.exchange import Answer, Transport
from bot.sandbox.venues.faults import Wrong
from tests.sandbox.bybit_caller import KEYS, OTHER_UID, UID, Caller, caller, sign

ALL, REALTIME = "/v5/order/cancel-all", "/v5/order/realtime"


def stricken(wrong: Wrong, **orders: int) -> Caller:
    ours = caller()
    ours.seed(**(orders or {"spot": 30}))
    ours.fail(wrong)
    return ours


def cancel(ours: Caller) -> Answer:
    return ours.send("POST", ALL, '{"category":"spot"}')


@pytest.mark.parametrize(
    ("wrong", "status", "content_type", "transport"),
    [
        (Wrong.TOO_MANY, 429, "text/plain", Transport.WHOLE),
        (Wrong.SERVER, 500, "text/plain", Transport.WHOLE),
        (Wrong.HTML, 200, "text/html", Transport.WHOLE),
        (Wrong.HANG, 200, "text/plain", Transport.HANG),
        (Wrong.RESET, 200, "text/plain", Transport.RESET),
    ],
)
def test_what_fails_before_it_is_looked_at_cancels_nothing(
    wrong: Wrong, status: int, content_type: str, transport: Transport
):
    ours = stricken(wrong)
    answer = cancel(ours)
    assert (answer.status, answer.content_type) == (status, content_type)
    assert answer.transport is transport
    assert ours.open() == {"spot": 30}
    assert [seen.code for seen in ours.venue.log] == [str(status)]


@pytest.mark.parametrize(
    ("wrong", "transport"),
    [
        (Wrong.CUT, Transport.CUT),
        (Wrong.DRIP, Transport.DRIP),
        (Wrong.LOST_REPLY, Transport.LOST),
    ],
)
def test_what_fails_on_the_way_back_has_been_applied(wrong: Wrong, transport: Transport):
    ours = stricken(wrong)
    assert cancel(ours).transport is transport
    assert ours.open() == {}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [(Wrong.REFUSED_KEY, 10003), (Wrong.LACKS_PERMISSION, 10005), (Wrong.WRONG_ADDRESS, 10010)],
)
def test_a_key_refused_on_demand_cancels_nothing(wrong: Wrong, code: int):
    ours = stricken(wrong)
    assert ours.cancel_all(category="spot")["retCode"] == code
    assert ours.open() == {"spot": 30}


def test_a_cancel_acknowledged_and_dropped_names_the_orders_it_leaves():
    ours = stricken(Wrong.ACCEPT_AND_DROP)
    reply = ours.cancel_all(category="spot")
    assert reply["retCode"] == 0
    assert len(reply["result"]["list"]) == 30
    assert ours.open() == {"spot": 30}
    assert len(ours.read("category=spot&limit=50")) == 30


@pytest.mark.parametrize(
    ("kind", "path", "query"),
    [
        ("spot", REALTIME, "category=spot"),
        ("spread", "/v5/spread/order/realtime", ""),
        ("rfq", "/v5/rfq/rfq-realtime", "traderType=request"),
        ("quote", "/v5/rfq/quote-realtime", "traderType=quote"),
        ("strategy", "/v5/strategy/list", "status=2"),
    ],
)
def test_hidden_orders_are_open_and_nowhere_to_be_seen(kind: str, path: str, query: str):
    ours = caller()
    ours.seed(**{kind: 3})
    assert len(ours.get(path, query)["result"]["list"]) == 3
    ours.fail(Wrong.HIDE)
    assert ours.get(path, query)["result"]["list"] == []
    assert ours.open() == {kind: 3}


def test_a_repeated_cursor_leads_back_to_the_first_page():
    ours = stricken(Wrong.REPEAT_CURSOR)
    first = ours.get(REALTIME, "category=spot")["result"]
    cursor = first["nextPageCursor"]
    again = ours.get(REALTIME, f"category=spot&cursor={cursor}")["result"]
    assert cursor
    assert again == first


def test_a_reply_without_its_list_still_says_ok():
    ours = stricken(Wrong.NO_LIST)
    reply = ours.get(REALTIME, "category=spot")
    assert reply["retCode"] == 0
    assert "list" not in reply["result"]
    assert reply["result"]["category"] == "spot"


def test_a_fault_meets_only_the_calls_it_is_meant_for():
    ours = caller()
    theirs = Caller(venue=ours.venue, uid=OTHER_UID)
    fault = ours.fail(Wrong.SERVER, uid=OTHER_UID, path="/v5/order/", containing="linear")
    linear = ("GET", REALTIME, "category=linear&settleCoin=USDT")
    assert theirs.send(*linear).status == 500
    assert ours.send(*linear).status == 200
    assert theirs.send("GET", REALTIME, "category=spot").status == 200
    assert theirs.send("GET", "/v5/spread/order/realtime", "symbol=linear").status == 200
    assert fault.met == 1


def test_a_fault_ends_after_its_calls_or_at_its_moment_or_when_cleared():
    ours = caller()
    ours.fail(Wrong.SERVER, times=2)
    assert [cancel(ours).status for _ in range(3)] == [500, 500, 200]
    ours.fail(Wrong.SERVER, until=ours.now + 3.0)
    assert cancel(ours).status == 500
    ours.now += 3.0
    assert cancel(ours).status == 200
    ours.fail(Wrong.SERVER)
    assert cancel(ours).status == 500
    ours.venue.faults.clear()
    assert cancel(ours).status == 200


def test_of_two_faults_the_older_strikes_until_it_is_spent():
    ours = caller()
    ours.fail(Wrong.TOO_MANY, times=1)
    ours.fail(Wrong.SERVER)
    assert [cancel(ours).status for _ in range(2)] == [429, 500]


def test_a_share_of_the_calls_is_met_and_the_seed_says_which():
    def statuses(seed: int) -> list[int]:
        ours = caller(seed=seed)
        ours.fail(Wrong.SERVER, share=0.25)
        return [cancel(ours).status for _ in range(400)]

    assert statuses(1) == statuses(1)
    assert statuses(1) != statuses(2)
    assert 60 < statuses(1).count(500) < 140


@asynccontextmanager
async def wire(ours: Caller, *, local: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
    """Serve a venue and connect to it from an address of its own."""
    connector = aiohttp.TCPConnector(local_addr=(local, 0))
    async with (
        server.serve(ours.venue) as url,
        aiohttp.ClientSession(url, connector=connector) as session,
    ):
        yield session


def headers(payload: str) -> dict[str, str]:
    api_key, secret = KEYS[UID]
    stamp = str(time.time_ns() // 1_000_000)
    return {
        "X-BAPI-API-KEY": api_key,
        "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": sign(secret, f"{stamp}{api_key}5000{payload}"),
    }


async def post(session: aiohttp.ClientSession) -> bytes:
    body = '{"category":"spot"}'
    async with session.post(ALL, data=body, headers=headers(body)) as answer:
        return await answer.read()


async def test_a_whole_answer_crosses_the_wire():
    ours = caller()
    ours.seed(spot=2)
    async with wire(ours) as session:
        assert json.loads(await post(session))["retCode"] == 0
    assert ours.venue.book.total(now=time.time()) == 0


async def test_a_query_is_taken_from_the_wire_as_it_was_written():
    ours = caller()
    query = "category=spot&cursor=a%3A1%2Ca%3A1&orderLinkId=%7E%20+x"
    async with wire(ours) as session:
        url = URL(f"{REALTIME}?{query}", encoded=True)
        async with session.get(url, headers=headers(query)) as answer:
            assert (await answer.json())["retCode"] == 0
    assert (ours.venue.log[0].payload, ours.venue.log[0].is_signed) == (query, True)


async def test_a_venue_knows_its_callers_by_their_address():
    ours = caller(has_limits=True)
    ours.venue.door.per_address = 2
    async with wire(ours, local="127.0.0.7") as session:
        statuses = []
        for _ in range(3):
            async with session.get("/v5/market/time") as answer:
                statuses.append(answer.status)
    assert statuses == [200, 200, 403]
    assert {seen.address for seen in ours.venue.log} == {"127.0.0.7"}
    assert set(ours.venue.door.banned_until) == {"127.0.0.7"}


@pytest.mark.parametrize(
    ("wrong", "error", "remaining"),
    [
        (Wrong.CUT, aiohttp.ClientPayloadError, 0),
        (Wrong.LOST_REPLY, aiohttp.ServerDisconnectedError, 0),
        (Wrong.RESET, aiohttp.ServerDisconnectedError, 2),
    ],
)
async def test_a_broken_answer_breaks_on_the_wire(
    wrong: Wrong, error: type[Exception], remaining: int
):
    ours = stricken(wrong, spot=2)
    async with wire(ours) as session:
        with pytest.raises((error, aiohttp.ClientOSError)):
            await post(session)
    assert ours.venue.book.total(now=time.time()) == remaining


@pytest.mark.parametrize(("wrong", "remaining"), [(Wrong.HANG, 2), (Wrong.DRIP, 0)])
async def test_an_answer_that_never_ends_holds_the_caller_and_not_the_server(
    wrong: Wrong, remaining: int
):
    ours = stricken(wrong, spot=2)
    async with wire(ours) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await post(session)
        ours.venue.faults.clear()
        async with session.get("/v5/market/time") as answer:
            assert answer.status == 200
    assert ours.venue.book.total(now=time.time()) == remaining


async def test_an_answer_takes_as_long_as_the_way_there_and_back():
    async with (
        server.serve(caller().venue, latency_s=0.1) as url,
        aiohttp.ClientSession(url) as session,
    ):
        began = time.monotonic()
        async with session.get("/v5/market/time") as answer:
            assert answer.status == 200
        assert time.monotonic() - began >= 0.1
