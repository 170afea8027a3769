"""What the simulated Synthetix shows: orders, markets, subaccounts and who may act."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.venues import synthetix_orders as orders
from bot.sandbox.venues.synthetix_accounts import Delegate
from bot.sandbox.venues.synthetix_shapes import (
    Above,
)
from tests.sandbox.synthetix_caller import (
    DELEGATE,
    NOW,
    OTHER_UID,
    OWNER,
    STRANGER,
    UID,
    caller,
    error,
    fields,
    invalid,
    response,
    stocked,
)


def test_a_reading_shows_every_kind_in_a_bare_array():
    ours = stocked()
    found = {row["order"]["clientId"]: row for row in ours.read()}
    assert {name: row["type"] for name, row in found.items()} == {
        "limit": "Limit",
        "sol": "Limit",
        "trigger": "Stop Market",
        "twap": "TWAP",
    }
    assert [name for name, row in found.items() if "twapDetails" in row] == ["twap"]
    assert {name: row["closePosition"] for name, row in found.items()} == {
        "limit": False,
        "sol": False,
        "trigger": True,
        "twap": False,
    }
    assert found["limit"] == {
        "order": {"venueId": found["limit"]["orderId"], "clientId": "limit"},
        "orderId": found["limit"]["orderId"],
        "symbol": "BTC-USDT",
        "side": "buy",
        "type": "Limit",
        "quantity": "0.1",
        "filledQuantity": "0",
        "price": "60000",
        "triggerPrice": "",
        "triggerPriceType": "",
        "timeInForce": "GTC",
        "reduceOnly": False,
        "postOnly": False,
        "closePosition": False,
        "createdTime": 1_704_067_200_500,
        "updatedTime": 1_704_067_200_500,
    }


def test_a_reading_tells_what_may_only_reduce():
    ours = caller()
    ours.place("trigger", "part", is_reduce_only=True, stop_type="Take Profit Market")
    (row,) = ours.read()
    assert (row["type"], row["reduceOnly"]) == ("Take Profit Market", True)
    assert row["closePosition"] is False


def test_a_reading_shows_fifty_unless_it_asks_for_more():
    ours = caller()
    ours.seed(limit=120)
    assert len(ours.read()) == 50
    assert len(ours.read(limit=0)) == 50
    assert len(ours.read(limit=1000)) == 120
    ids = [row["orderId"] for offset in (0, 70, 140) for row in ours.read(limit=70, offset=offset)]
    assert len(set(ids)) == len(ids) == 120


def test_a_reading_is_newest_first():
    ours = caller()
    for number in range(3):
        ours.place("limit", f"{number}")
        ours.now += 1.0
    assert [row["order"]["clientId"] for row in ours.read(limit=2)] == ["2", "1"]
    assert [row["order"]["clientId"] for row in ours.read(limit=2, offset=2)] == ["0"]


@pytest.mark.parametrize("above", list(Above))
def test_a_limit_above_the_largest_is_lowered_or_refused(above: Above):
    ours = caller()
    ours.seed(limit=30)
    ours.choose(limit_max=20, above=above)
    answer = ours.ask("getOpenOrders", limit=21)
    if above is Above.REFUSED:
        assert error(answer) == invalid("limit must not exceed 20")
    else:
        assert len(response(answer)) == 20
    assert len(ours.read(limit=20)) == 20


@pytest.mark.parametrize("filters", [{"limit": -1}, {"offset": -1}, {"limit": "5"}, {"limit": 1.5}])
def test_limit_and_offset_are_whole_numbers(filters: dict[str, Any]):
    (name,) = filters
    answer = caller().ask("getOpenOrders", **filters)
    assert error(answer) == invalid(f"{name} must be a non-negative integer")


def test_of_the_filters_only_the_symbol_does_anything():
    ours = stocked()
    idle = {"side": "sell", "type": "limit", "status": "filled"}
    assert len(ours.read(**idle)) == 4
    assert [row["order"]["clientId"] for row in ours.read(symbol="SOL-USDT")] == ["sol"]


def test_a_seeded_account_has_more_than_a_reading_shows_by_default():
    ours = caller()
    ours.seed(**orders.SEEDABLE)
    count = ours.venue.book.open_count(UID, now=NOW)
    assert count == {"limit": 60, "trigger": 8, "twap": 2}
    shown = ours.read(limit=1000)
    assert len(shown) == 70
    assert any(row["reduceOnly"] for row in shown)


def test_the_markets_are_listed_the_closed_ones_too():
    found = response(caller().public("getMarkets"))
    assert [(row["symbol"], row["isOpen"]) for row in found] == [
        ("BTC-USDT", True),
        ("ETH-USDT", True),
        ("SOL-USDT", False),
    ]


@pytest.mark.parametrize(
    ("address", "more", "ids"),
    [
        (OWNER, {}, [UID]),
        (DELEGATE, {}, []),
        (DELEGATE, {"includeDelegations": False}, []),
        (OWNER, {"includeDelegations": True}, ([UID], [])),
        (DELEGATE, {"includeDelegations": True}, ([], [UID])),
        (STRANGER, {}, [OTHER_UID]),
    ],
)
def test_the_subaccounts_of_an_address_are_those_that_it_owns_unless_it_asks_for_more(
    address: str, more: dict[str, Any], ids: Any
):
    found = response(caller().public("getSubAccountIds", walletAddress=address, **more))
    if more.get("includeDelegations"):
        assert found == {"subAccountIds": ids[0], "delegatedSubAccountIds": ids[1]}
    else:
        assert found == ids


def test_subaccounts_that_are_managed_are_named_by_a_switch():
    ours = caller()
    ours.choose(lists_managed=True)
    asked = {"walletAddress": OWNER, "includeDelegations": True}
    assert response(ours.public("getSubAccountIds", **asked))["managedSubAccountIds"] == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (OWNER.lower(), "walletAddress must be EIP-55 checksummed"),
        ("0x" + OWNER[2:].upper(), "walletAddress must be EIP-55 checksummed"),
        ("0x9D" + OWNER[4:], "walletAddress must be EIP-55 checksummed"),
        ("0x" + "ab" * 20, "walletAddress must be EIP-55 checksummed"),
        ("0x1234", "walletAddress must be a valid Ethereum address"),
        (None, "walletAddress must be a valid Ethereum address"),
    ],
)
def test_an_address_needs_its_checksum(address: object, said: str):
    assert error(caller().public("getSubAccountIds", walletAddress=address)) == invalid(said)


def test_an_address_without_letters_has_no_checksum_to_miss():
    assert response(caller().public("getSubAccountIds", walletAddress="0x" + "12" * 20)) == []


def test_a_signer_learns_who_else_may_act():
    ours = caller()
    ours.account.delegates[STRANGER] = Delegate(permission="delegate", expires_at=1_704_067_300.0)
    rows = [
        {
            "subAccountId": UID,
            "walletAddress": DELEGATE,
            "permissions": ["session"],
            "expiresAt": None,
        },
        {
            "subAccountId": UID,
            "walletAddress": STRANGER,
            "permissions": ["delegate"],
            "expiresAt": 1_704_067_300_000,
        },
    ]
    assert response(ours.ask("getDelegatedSigners")) == {"delegatedSigners": rows}
    found = response(ours.ask("getSubAccount"))
    assert (found["subAccountId"], found["delegatedSigners"]) == (UID, rows)


def test_a_signer_learns_how_much_of_the_limit_is_used():
    ours = caller(has_limits=True)
    ours.cancel_all()
    assert response(ours.ask("getRateLimits")) == {"requestsUsed": 22, "requestsCap": 1000}
    assert response(caller().ask("getRateLimits")) == {"requestsUsed": 0, "requestsCap": 1000}


def test_the_status_tells_of_maintenance_without_an_envelope():
    ours = caller()
    assert fields(ours.send("/v1/status", b"", "GET")) == {"maintenance": False}
    ours.venue.maintenance = "back at noon"
    assert fields(ours.send("/v1/status", b"", "GET")) == {
        "maintenance": True,
        "message": "back at noon",
    }
