"""ccxt and the official SDK's way to sign drive the simulated Pacifica, on real sockets."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import base58
import pytest
from solders.keypair import Keypair

from bot.sandbox.venues import server
from bot.sandbox.venues.pacifica import SimulatedPacifica
from tests.sandbox.pacifica_caller import CLIENT_ID, EVERYTHING, VECTORS

OWNER = Keypair.from_base58_string(VECTORS["keys"]["main"]["private_key_base58"])
DELEGATE = Keypair.from_base58_string(VECTORS["keys"]["agent"]["private_key_base58"])
MAIN, AGENT = str(OWNER.pubkey()), str(DELEGATE.pubkey())


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[SimulatedPacifica, str]]:
    venue = SimulatedPacifica(seed=3)
    venue.add_account(MAIN)
    venue.bind_agent(MAIN, AGENT)
    async with server.serve(venue) as url:
        yield venue, url


def left(venue: SimulatedPacifica) -> dict[str, int]:
    return venue.book.open_count(MAIN, now=time.time())


def sorted_deeply(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: sorted_deeply(value[name]) for name in sorted(value)}
    return [sorted_deeply(each) for each in value] if isinstance(value, list) else value


def signed(pair: Keypair, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Sign as the official SDK does, and lay the fields flat beside the account."""
    header = {"timestamp": int(time.time() * 1000), "expiry_window": 5000}
    message = sorted_deeply({**header, "type": operation, "data": payload})
    text = json.dumps(message, separators=(",", ":"))
    name = base58.b58encode(bytes(pair.sign_message(text.encode()))).decode("ascii")
    agent = {} if pair == OWNER else {"agent_wallet": str(pair.pubkey())}
    return {"account": MAIN, "signature": name} | agent | header | payload


def ccxt_at(url: str, pair: Keypair) -> Any:
    import ccxt  # Half a second of work, for one of the suite's processes.

    keys = {"walletAddress": MAIN, "privateKey": str(pair)}
    client = ccxt.pacifica(keys | {"enableRateLimit": False})
    for name in client.urls["api"]:
        client.urls["api"][name] = url
    client.options["builderFee"] = False
    client.options["agentAddress"] = None if pair == OWNER else str(pair.pubkey())
    return client


async def test_ccxt_reads_and_cancels_with_the_owners_key_and_an_agents():
    async with serving() as (venue, url):
        now = time.time()
        named = [venue.book.place(MAIN, "limit", now=now, link_id=n) for n in (CLIENT_ID, "")]
        stop = venue.book.place(MAIN, "stop", now=now, stop_type="stop_market")
        for symbol in ("BTC", "SOL", "kBONK"):
            venue.book.place(MAIN, "limit", now=now, symbol=symbol)

        def drive() -> None:
            import ccxt

            owner, agent = ccxt_at(url, OWNER), ccxt_at(url, DELEGATE)
            btc, eth = "BTC/USDC:USDC", "ETH/USDC:USDC"
            owner.load_markets()
            agent.set_markets(list(owner.markets.values()))
            found = owner.fetch_open_orders()
            assert {order["symbol"] for order in found} == {
                btc,
                eth,
                "SOL/USDC:USDC",
                "KBONK/USDC:USDC",  # Its id stays kBONK.
            }
            assert owner.fetch_order(found[0]["id"])["status"] == "open"
            by_client = {"clientOrderId": CLIENT_ID}
            assert agent.cancel_order("", btc, by_client)["status"] == "canceled"
            owner.cancel_order(named[1].order_id, btc)
            assert left(venue) == {"limit": 3, "stop": 1}
            with pytest.raises(ccxt.OrderNotFound, match="Failed to cancel order"):
                owner.cancel_order(stop.order_id, eth)
            agent.cancel_order(stop.order_id, eth, {"stop": True})
            (answer,) = owner.cancel_all_orders(btc)
            assert answer["info"]["data"] == {"cancelled_count": 1}
            agent.cancel_all_orders("KBONK/USDC:USDC")
            assert left(venue) == {"limit": 1}
            agent.cancel_all_orders()
            assert owner.fetch_open_orders() == []
            venue.accounts[MAIN].agents.clear()
            with pytest.raises(ccxt.BadRequest, match="Agent not authorized"):
                agent.cancel_all_orders()
            agent.options["agentAddress"] = None
            with pytest.raises(ccxt.AuthenticationError, match="Verification failed"):
                agent.cancel_all_orders()

        await asyncio.to_thread(drive)
        assert left(venue) == {}


async def test_the_sdks_way_to_sign_opens_every_call_over_http():
    async with serving() as (venue, url), aiohttp.ClientSession(url) as session:
        venue.seed(MAIN, {"limit": 2, "stop": 1, "twap": 2, "strategy": 1}, now=time.time())
        live = {order.kind: order for order in venue.book.live(MAIN, now=time.time())}

        async def post(path: str, operation: str, pair: Keypair, **payload: Any) -> Any:
            body = signed(pair, operation, payload)
            async with session.post(f"/api/v1{path}", json=body) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.json()

        async def get(path: str) -> Any:
            async with session.get(f"/api/v1{path}", params={"account": MAIN}) as answer:
                return (await answer.json())["data"]

        listed = await post("/account/subaccount/list", "list_subaccounts", OWNER)
        assert listed["data"] == {"subaccounts": []}
        (strategy,) = (await get("/order_strategies"))["strategies"]
        await post(
            "/order_strategies/cancel",
            "cancel_order_strategy",
            DELEGATE,
            strategy_id=strategy["strategy_id"],
        )
        for kind, path, operation in (
            ("stop", "/orders/stop/cancel", "cancel_stop_order"),
            ("twap", "/orders/twap/cancel", "cancel_twap_order"),
            ("limit", "/orders/cancel", "cancel_order"),
        ):
            named = {"symbol": live[kind].symbol, "order_id": int(live[kind].order_id)}
            await post(path, operation, DELEGATE, **named)
        reply = await post("/orders/cancel_all", "cancel_all_orders", OWNER, **EVERYTHING)
        assert left(venue) == {}
        assert reply["data"]["cancelled_count"] >= 1
        assert await get("/orders") == []


async def test_the_sdks_way_to_sign_opens_both_operations_over_the_socket():
    async with serving() as (venue, url), aiohttp.ClientSession(url) as session:
        now = time.time()
        order = venue.book.place(MAIN, "limit", now=now, link_id=CLIENT_ID)
        venue.book.seed(MAIN, {"limit": 3, "stop": 1}, now=now)
        venue.add_config_key("AbCdEfGh_2mT8x", MAIN)
        headers = {"PF-API-KEY": "AbCdEfGh_2mT8x"}
        async with session.ws_connect("/ws", headers=headers) as talk:

            async def ask(pair: Keypair, operation: str, payload: dict[str, Any]) -> Any:
                request_id = str(uuid.uuid4())
                params = {operation: signed(pair, operation, payload)}
                await talk.send_json({"id": request_id, "params": params})
                reply = await talk.receive_json(timeout=5.0)
                assert (reply["id"], reply["type"]) == (request_id, operation)
                return reply

            await talk.send_json({"method": "ping"})
            assert await talk.receive_json(timeout=5.0) == {"channel": "pong"}
            one = {"symbol": "BTC", "client_order_id": CLIENT_ID}
            reply = await ask(OWNER, "cancel_order", one)
            assert reply["data"] == {"I": CLIENT_ID, "i": None, "s": "BTC"}
            gone = {"symbol": "BTC", "order_id": int(order.order_id)}
            reply = await ask(OWNER, "cancel_order", gone)
            assert (reply["code"], reply["err"]) == (420, "Failed to cancel order")
            reply = await ask(DELEGATE, "cancel_all_orders", EVERYTHING)
            assert reply["data"] == {"cancelled_count": 3}
            assert (reply["rl"]["r"], reply["rl"]["q"]) == (2975, 3000)
        assert left(venue) == {"stop": 1}
