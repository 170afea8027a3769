"""The real pybit and the real ccxt drive the simulated Bybit: it is not our own misreading."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pybit.exceptions
import pytest
from pybit.unified_trading import HTTP

from bot.sandbox.venues import server
from bot.sandbox.venues.bybit import PERMISSIONS, Key, SimulatedBybit
from bot.sandbox.venues.bybit_kinds import KINDS

UID = "1001"


@asynccontextmanager
async def serving(**orders: int) -> AsyncIterator[tuple[SimulatedBybit, str]]:
    venue = SimulatedBybit(seed=3)
    venue.add_key("K", Key(uid=UID, secret="s"))
    venue.book.seed(
        UID, {name.replace("__", ":"): n for name, n in orders.items()}, now=time.time()
    )
    async with server.serve(venue) as url:
        yield venue, url


def pybit_at(url: str, *, secret: str = "s", **more: Any) -> HTTP:
    client = HTTP(api_key="K", api_secret=secret, **more)
    client.endpoint = url
    return client


def left(venue: SimulatedBybit) -> dict[str, int]:
    return venue.book.open_count(UID, now=time.time())


async def test_pybit_reads_pages_with_their_encoded_cursors():
    async with serving(linear__USDT=70) as (_, url):
        client = pybit_at(url)

        def pages() -> list[str]:
            found, cursor = [], ""
            while True:
                reply = client.get_open_orders(
                    category="linear",
                    settleCoin="USDT",
                    limit=50,
                    **({"cursor": cursor} if cursor else {}),
                )
                found += [order["orderId"] for order in reply["result"]["list"]]
                cursor = reply["result"]["nextPageCursor"]
                if not cursor:
                    return found

        found = await asyncio.to_thread(pages)
        assert len(set(found)) == 70


async def test_pybit_cancels_each_category_as_documented():
    names = {kind.replace(":", "__"): 2 for kind in KINDS}
    async with serving(**names) as (venue, url):
        client = pybit_at(url)

        def cancel() -> None:
            client.cancel_all_orders(category="spot")
            assert "spot" not in left(venue)
            assert "spot:tpslOrder" in left(venue)
            for name in ("tpslOrder", "StopOrder", "OcoOrder", "BidirectionalTpslOrder"):
                client.cancel_all_orders(category="spot", orderFilter=name)
            client.cancel_all_orders(category="linear", settleCoin="USDT")
            client.cancel_all_orders(category="linear", settleCoin="USDC")
            client.cancel_all_orders(category="inverse", settleCoin="BTC")
            client.cancel_all_orders(category="option")
            client.spread_cancel_all_orders(cancelAll=True)
            client.cancel_all_rfq()
            client.cancel_all_quotes()

        await asyncio.to_thread(cancel)
        assert left(venue) == {"strategy": 2}


async def test_pybit_cancels_a_batch_and_single_orders():
    async with serving(spot=3, linear__USDT=1) as (venue, url):
        client = pybit_at(url)
        spot = [o for o in venue.book.live(UID, now=time.time()) if o.kind == "spot"]
        linear = next(o for o in venue.book.live(UID, now=time.time()) if o.kind == "linear:USDT")

        def cancel() -> dict[str, Any]:
            client.cancel_order(category="linear", symbol="BTCUSDT", orderId=linear.order_id)
            rows = [{"symbol": "BTCUSDT", "orderId": order.order_id} for order in spot[:2]]
            rows.append({"symbol": "BTCUSDT", "orderId": "nobody"})
            return dict(client.cancel_batch_order(category="spot", request=rows))

        reply = await asyncio.to_thread(cancel)
        assert [row["code"] for row in reply["retExtInfo"]["list"]] == [0, 0, 170213]
        assert left(venue) == {"spot": 1}


async def test_pybit_learns_whose_key_it_is():
    async with serving() as (_, url):
        reply = await asyncio.to_thread(pybit_at(url).get_api_key_information)
        assert reply["result"]["userID"] == 1001


TRANSFER = {**PERMISSIONS, "Wallet": ["SubMemberTransferList"]}


async def test_pybit_lists_the_sub_accounts_of_a_master_account():
    async with serving() as (venue, url):
        venue.add_key("K", Key(uid=UID, secret="s", permissions=TRANSFER))
        venue.members[UID] = ("2001", "2002")
        reply = await asyncio.to_thread(pybit_at(url).get_sub_uid_list)
        assert [row["uid"] for row in reply["result"]["subMembers"]] == ["2001", "2002"]


@pytest.mark.parametrize(
    "key",
    [
        Key(uid=UID, secret="s"),
        Key(uid=UID, secret="s", permissions=TRANSFER, master="1000"),
    ],
    ids=["may not transfer", "is of a sub-account"],
)
async def test_pybit_is_refused_the_sub_accounts(key: Key):
    async with serving() as (venue, url):
        venue.add_key("K", key)
        with pytest.raises(pybit.exceptions.InvalidRequestError, match="10005"):
            await asyncio.to_thread(pybit_at(url).get_sub_uid_list)


async def test_pybit_learns_what_kind_of_account_it_is():
    async with serving() as (venue, url):
        expires = "2026-12-04T03:00:00Z"
        key = Key(uid=UID, secret="s", expires=expires, master="1000", is_unified=False)
        venue.add_key("K", key)
        reply = await asyncio.to_thread(pybit_at(url).get_api_key_information)
        found = reply["result"]
        assert (found["isMaster"], found["parentUid"], found["uta"]) == (False, "1000", 0)
        assert found["expiredAt"] == expires


async def test_pybit_with_the_wrong_secret_is_refused():
    async with serving() as (_, url):
        with pytest.raises(pybit.exceptions.InvalidRequestError, match="error sign!"):
            await asyncio.to_thread(pybit_at(url, secret="wrong").get_api_key_information)


async def test_pybit_signs_with_rsa():
    from tests.adapters.test_signing import VECTORS

    found = VECTORS["credentials"]["rsa"]
    async with serving(spot=1) as (venue, url):
        venue.add_key(found["key"], Key(uid=UID, public_pem=found["public_key_pem"]))
        client = HTTP(api_key=found["key"], api_secret=found["secret"], rsa_authentication=True)
        client.endpoint = url
        await asyncio.to_thread(client.cancel_all_orders, category="spot")
        assert left(venue) == {}


@asynccontextmanager
async def ccxt_at(url: str) -> AsyncIterator[Any]:
    import ccxt.async_support as ccxt  # Half a second of work, for one of the suite's processes.

    exchange = ccxt.bybit({"apiKey": "K", "secret": "s", "enableRateLimit": False})
    for name in exchange.urls["api"]:
        exchange.urls["api"][name] = url
    exchange.options |= {
        "enableUnifiedAccount": True,
        "enableUnifiedMargin": False,
        "unifiedMarginStatus": 5,
    }
    market: dict[str, Any] = {
        "id": "BTCUSDT",
        "symbol": "BTC/USDT:USDT",
        "base": "BTC",
        "quote": "USDT",
    }
    market |= {"settle": "USDT", "settleId": "USDT", "baseId": "BTC", "quoteId": "USDT"}
    market |= {"type": "swap", "spot": False, "swap": True, "future": False, "option": False}
    market |= {
        "linear": True,
        "inverse": False,
        "contract": True,
        "contractSize": 1,
        "active": True,
    }
    market |= {"precision": {"amount": 0.001, "price": 0.1}, "limits": {}, "info": {}}
    exchange.set_markets([market])
    try:
        yield exchange
    finally:
        await exchange.close()


async def test_ccxt_reads_and_cancels_linear_orders():
    async with serving(linear__USDT=12, linear__USDC=1) as (venue, url), ccxt_at(url) as exchange:
        found = await exchange.fetch_open_orders("BTC/USDT:USDT")
        assert len(found) == 12
        await exchange.cancel_all_orders("BTC/USDT:USDT")
        assert left(venue) == {"linear:USDC": 1}


async def test_ccxt_asks_the_raw_endpoints_too():
    async with serving(option=1, spot__OcoOrder=1) as (venue, url), ccxt_at(url) as exchange:
        await exchange.private_post_v5_order_cancel_all({"category": "option"})
        await exchange.private_post_v5_order_cancel_all(
            {"category": "spot", "orderFilter": "OcoOrder"}
        )
        facts = await exchange.private_get_v5_user_query_api()
        assert str(facts["result"]["userID"]) == "1001"
        assert left(venue) == {}
