"""The official SDK drives the simulated Synthetix: it is not our own misreading.

Its `cancel_all_orders` takes one symbol; its `get_open_orders` passes no limit and so sees fifty.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from synthetix.client import Synthetix
from synthetix.rest.api import ClientError

from bot.sandbox.venues import server
from bot.sandbox.venues.book import Order
from bot.sandbox.venues.synthetix import SimulatedSynthetix
from bot.sandbox.venues.synthetix_accounts import Account
from bot.sandbox.venues.synthetix_shapes import Unit
from tests.sandbox.synthetix_caller import (
    DELEGATE,
    DELEGATE_KEY,
    OWNER,
    OWNER_KEY,
    STRANGER,
    STRANGER_KEY,
    UID,
    caller,
)


def client(url: str, key: str = OWNER_KEY, uid: int | None = int(UID)) -> Any:
    return Synthetix(key, uid, rest_url=f"{url}/v1", ws_url=f"{url}/v1/ws", timeout=5.0)


def left(venue: SimulatedSynthetix) -> list[str]:
    return sorted(order.link_id for order in venue.book.live(UID, now=time.time()))


def placed(venue: SimulatedSynthetix, kind: str, name: str, symbol: str) -> Order:
    return venue.book.place(UID, kind, now=time.time(), link_id=name, symbol=symbol)


def used(snx: Any, venue: SimulatedSynthetix) -> None:
    """Go through all that a desk does with the SDK, in its own thread."""
    orders = [placed(venue, "limit", f"n{number:02}", "BTC-USDT") for number in range(60)]
    placed(venue, "trigger", "stop", "BTC-USDT")
    twap = placed(venue, "twap", "twap", "ETH-USDT")
    placed(venue, "limit", "eth", "ETH-USDT")
    assert len(snx.get_open_orders()) == 50

    reply = snx.cancel_orders([int(orders[0].order_id), 1_948_058_938_469_519_399])
    first, second = reply["statuses"]
    assert first["canceled"]["order"] == {"venueId": orders[0].order_id, "clientId": "n00"}
    assert second["errorCode"] == "ORDER_NOT_FOUND"
    assert snx.cancel_order_by_cloid("n01")["statuses"][0]["canceled"]["id"] == orders[1].order_id

    assert len(snx.cancel_all_orders("BTC-USDT")) == 59
    assert left(venue) == ["eth", "twap"]
    shown = {row["order"]["venueId"]: row for row in snx.get_open_orders()}
    assert len(shown) == 2
    assert "twapDetails" in shown[twap.order_id]

    limit = snx.last_rate_limits["rest"]["rateLimit"]
    assert limit["requestsCap"] == 1000
    assert limit["remainingTokens"] <= 990
    assert snx.get_exchange_status()["rest"] == {"maintenance": False}
    assert [row["symbol"] for row in snx.get_markets()] == ["BTC-USDT", "ETH-USDT", "SOL-USDT"]
    assert snx.get_delegated_signers()["delegatedSigners"][0]["permissions"] == ["session"]


@pytest.mark.parametrize("key", [OWNER_KEY, DELEGATE_KEY])
@pytest.mark.parametrize("unit", list(Unit))
async def test_the_sdk_reads_and_cancels_as_owner_and_as_delegate(key: str, unit: Unit):
    ours = caller(has_limits=True)
    ours.choose(expiry_unit=unit)
    async with server.serve(ours.venue) as url:
        await asyncio.to_thread(used, client(url, key), ours.venue)
    assert left(ours.venue) == ["eth", "twap"]
    assert all(seen.is_signed for seen in ours.venue.log if seen.path.startswith("/v1/trade"))


async def test_the_sdk_finds_the_subaccount_of_its_owner_and_not_that_of_a_delegate():
    async with server.serve(caller().venue) as url:
        owner = await asyncio.to_thread(client, url, OWNER_KEY, None)
        delegate = await asyncio.to_thread(client, url, DELEGATE_KEY, None)
    assert owner.subaccount_id == 1_867_542_890_123_456_789
    assert delegate.subaccount_id is None


@pytest.mark.parametrize("key", [OWNER_KEY, DELEGATE_KEY])
async def test_the_sdk_lists_all_subaccounts_of_the_owner_to_its_delegates_too(key: str):
    venue = caller().venue
    venue.add_account(Account(uid="1867542890123456999", owner=OWNER))
    async with server.serve(venue) as url:
        found = await asyncio.to_thread(client(url, key).get_sub_accounts)
    rows = {row["subAccountId"]: row["delegatedSigners"] for row in found["subAccounts"]}
    assert list(rows) == [UID, "1867542890123456999"]
    assert [row["walletAddress"] for row in rows[UID]] == [DELEGATE]


async def test_the_sdk_with_a_strangers_key_is_told_its_own_address():
    ours = caller()
    placed(ours.venue, "limit", "a", "BTC-USDT")
    async with server.serve(ours.venue) as url:
        with pytest.raises(ClientError, match=f"HTTP 401: .*wallet {STRANGER} is not authorized"):
            await asyncio.to_thread(client(url, STRANGER_KEY).cancel_all_orders, "BTC-USDT")
    assert left(ours.venue) == ["a"]


async def test_the_sdk_without_symbols_signs_none_and_leaves_them_out():
    """Its signer can do what its client does not offer; today's server refuses that."""
    ours = caller()
    async with server.serve(ours.venue) as url:
        snx = client(url)
        body = snx._signer.sign_cancel_all_orders(int(UID))
        assert "symbols" not in body["params"]
        with pytest.raises(ClientError, match="symbols must be nonempty"):
            await asyncio.to_thread(snx._api.post, "/trade", body)
    assert ours.venue.log[0].is_signed
