"""What the simulated Bybit cancels, rule by documented rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.bybit_caller import (
    INVERSE_BTC,
    LINEAR_BTC,
    LINEAR_STOPS,
    LINEAR_USDT,
    OPTION_USDT,
    OTHER_UID,
    UID,
    Caller,
    caller,
    stocked,
)

ACK = {"retCode": 0, "retMsg": "OK"}


CANCELLED: list[tuple[dict[str, Any], set[str]]] = [
    ({"category": "linear", "settleCoin": "USDT"}, LINEAR_USDT),
    ({"category": "linear", "settleCoin": "USDC"}, {"linear:USDC"}),
    ({"category": "linear", "settleCoin": "BTC"}, set()),
    ({"category": "linear", "baseCoin": "ETH"}, {"linear ETHUSDT", "linear:USDC"}),
    ({"category": "linear", "baseCoin": "BTC"}, LINEAR_BTC),
    ({"category": "linear", "symbol": "ETHUSDT"}, {"linear ETHUSDT"}),
    # Only the first of symbol, base coin and settle coin counts.
    (
        {"category": "linear", "symbol": "ETHUSDT", "baseCoin": "BTC", "settleCoin": "USDC"},
        {"linear ETHUSDT"},
    ),
    ({"category": "linear", "baseCoin": "BTC", "settleCoin": "USDC"}, LINEAR_BTC),
    ({"category": "linear", "symbol": None, "settleCoin": "USDC"}, {"linear:USDC"}),
    (
        {"category": "linear", "settleCoin": "USDT", "orderFilter": "Order"},
        LINEAR_USDT - LINEAR_STOPS,
    ),
    ({"category": "linear", "settleCoin": "USDT", "orderFilter": "StopOrder"}, LINEAR_STOPS),
    (
        {
            "category": "linear",
            "settleCoin": "USDT",
            "orderFilter": "StopOrder",
            "stopOrderType": "Stop",
        },
        {"linear conditional"},
    ),
    # stopOrderType means nothing without orderFilter=StopOrder.
    ({"category": "linear", "settleCoin": "USDT", "stopOrderType": "Stop"}, LINEAR_USDT),
    ({"category": "inverse", "settleCoin": "BTC"}, INVERSE_BTC),
    ({"category": "inverse", "settleCoin": "ETH"}, {"inverse ETHUSD"}),
    # What ccxt does without being told: acknowledged, and nothing happens.
    ({"category": "inverse", "settleCoin": "USDT"}, set()),
    (
        {"category": "inverse", "settleCoin": "BTC", "orderFilter": "StopOrder"},
        {*INVERSE_BTC} - {"inverse"},
    ),
    ({"category": "option"}, {*OPTION_USDT, "option USDC"}),
    ({"category": "option", "settleCoin": "USDC"}, {"option USDC"}),
    ({"category": "option", "orderFilter": "StopOrder"}, {"option conditional"}),
    # Spot without a filter leaves four of its five kinds.
    ({"category": "spot"}, {"spot", "spot ETHUSDT"}),
    ({"category": "spot", "orderFilter": "Order"}, {"spot", "spot ETHUSDT"}),
    ({"category": "spot", "orderFilter": "tpslOrder"}, {"spot:tpslOrder"}),
    ({"category": "spot", "orderFilter": "StopOrder"}, {"spot:StopOrder"}),
    ({"category": "spot", "orderFilter": "OcoOrder"}, {"spot:OcoOrder"}),
    (
        {"category": "spot", "orderFilter": "BidirectionalTpslOrder"},
        {"spot:BidirectionalTpslOrder"},
    ),
    ({"category": "spot", "symbol": "ETHUSDT"}, {"spot ETHUSDT"}),
]


@pytest.mark.parametrize(
    ("body", "cancelled"), CANCELLED, ids=[str(number) for number in range(len(CANCELLED))]
)
def test_cancel_all_takes_what_the_documentation_says_and_nothing_else(
    body: dict[str, Any], cancelled: set[str]
):
    ours = stocked()
    before = ours.names()
    reply = ours.cancel_all(**body)
    assert reply.items() >= ACK.items()
    assert {row["orderLinkId"] for row in reply["result"]["list"]} == cancelled
    assert reply["result"]["success"] == "1"
    assert before - ours.names() == cancelled


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"category": "linear"}, 10001),
        ({"category": "inverse"}, 10001),
        ({"category": "linear", "orderFilter": "Order"}, 10001),
        ({"category": "futures", "settleCoin": "USDT"}, 10001),
        ({}, 10001),
        ({"category": "spot", "orderFilter": "OpenOrder"}, 170201),
        ({"category": "linear", "settleCoin": "USDT", "orderFilter": "tpslOrder"}, 10001),
        ({"category": "option", "orderFilter": "OpenOrder"}, 10001),
    ],
    ids=str,
)
def test_a_cancel_all_against_the_rules_is_refused_and_cancels_nothing(
    body: dict[str, Any], code: int
):
    ours = stocked()
    before = ours.names()
    assert ours.cancel_all(**body)["retCode"] == code
    assert ours.names() == before


def test_cancel_all_with_nothing_open_is_acknowledged():
    reply = caller().cancel_all(category="linear", settleCoin="USDT")
    assert reply.items() >= (ACK | {"result": {"list": [], "success": "1"}}).items()


def taken(ours: Caller, **body: Any) -> set[str]:
    return {row["orderId"] for row in ours.cancel_all(**body)["result"]["list"]}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("linear__USDT", {"category": "linear", "settleCoin": "USDT"}),
        ("inverse", {"category": "inverse", "settleCoin": "BTC"}),
    ],
)
def test_a_futures_cancel_all_takes_500_at_random(kind: str, body: dict[str, Any]):
    ours = caller()
    ours.seed(**{kind: 520})
    newest = [order.order_id for order in ours.venue.book.live(UID, now=ours.now)]
    first = taken(ours, **body)
    assert len(first) == 500
    assert first not in (set(newest[:500]), set(newest[20:]))
    assert sum(ours.open().values()) == 20
    assert len(taken(ours, **body)) == 20
    assert ours.open() == {}


def test_the_same_seed_picks_the_same_500():
    def picked(seed: int) -> list[bool]:
        ours = caller(seed=1)
        ours.seed(linear__USDT=600)
        before = [order.order_id for order in ours.venue.book.live(UID, now=ours.now)]
        ours.venue.rng.seed(seed)
        chosen = taken(ours, category="linear", settleCoin="USDT")
        return [order_id in chosen for order_id in before]

    assert picked(5) == picked(5)
    assert picked(5) != picked(6)


@pytest.mark.parametrize("category", ["spot", "option"])
def test_spot_and_option_know_no_cap(category: str):
    ours = caller()
    ours.seed(**{category: 700})
    assert len(taken(ours, category=category)) == 700
    assert ours.open() == {}


def test_an_account_never_touches_or_sees_another():
    ours = stocked()
    theirs = Caller(venue=ours.venue, uid=OTHER_UID)
    theirs.seed(spot=3)
    ours.cancel_all(category="spot")
    assert theirs.open() == {"spot": 3}
    assert len(theirs.read("category=spot")) == 3
    order_id = theirs.venue.book.live(OTHER_UID, now=ours.now)[0].order_id
    refused = ours.post("/v5/order/cancel", {"category": "spot", "orderId": order_id})
    assert refused["retCode"] == 170213


def test_an_accepted_cancel_takes_effect_later():
    ours = caller()
    ours.venue.book.cancel_delay_s = 2.0
    ours.seed(spot=40)
    assert len(taken(ours, category="spot")) == 40
    assert ours.open() == {"spot": 40}
    ours.now += 1.0
    assert 0 < ours.open()["spot"] < 40
    ours.now += 1.0
    assert ours.open() == {}


def test_a_second_cancel_does_not_put_the_first_one_off():
    ours = caller()
    ours.venue.book.cancel_delay_s = 2.0
    ours.seed(spot=40)
    taken(ours, category="spot")
    ours.now += 1.9
    taken(ours, category="spot")
    ours.now += 0.1
    assert ours.open() == {}


def test_what_cannot_be_cancelled_is_acknowledged_and_stays():
    ours = caller()
    stuck = ours.place("linear:USDT", "stuck", is_uncancellable=True)
    ours.place("linear:USDT", "free")
    assert stuck.order_id in taken(ours, category="linear", settleCoin="USDT")
    single = {"category": "linear", "symbol": "BTCUSDT", "orderId": stuck.order_id}
    assert ours.post("/v5/order/cancel", single)["retCode"] == 0
    assert ours.names() == {"stuck"}


def test_one_order_is_cancelled_by_either_of_its_ids():
    ours = caller()
    order = ours.place("option", "mine")
    ours.place("option", "yours")
    ours.place("option", "other")
    path, which = "/v5/order/cancel", {"category": "option", "symbol": order.symbol}
    # Where both are given and differ, orderId rules.
    both = which | {"orderId": order.order_id, "orderLinkId": "yours"}
    assert ours.post(path, both)["result"] == {"orderId": order.order_id, "orderLinkId": "mine"}
    assert ours.names() == {"yours", "other"}
    assert ours.post(path, which | {"orderLinkId": "yours"})["retCode"] == 0
    assert ours.names() == {"other"}
    assert ours.post(path, both)["retCode"] == 110001
    assert ours.post(path, which)["retCode"] == 110001
    assert ours.names() == {"other"}


@pytest.mark.parametrize(("category", "gone"), [("spot", 170213), ("linear", 110001)])
def test_a_batch_says_the_outcome_of_each_order_beside_its_list(category: str, gone: int):
    ours = caller()
    order = ours.place("spot" if category == "spot" else "linear:USDT", "mine")
    rows = [
        {"symbol": "BTCUSDT", "orderId": order.order_id},
        {"symbol": "ETHUSDT", "orderLinkId": "nobody"},
    ]
    reply = ours.post("/v5/order/cancel-batch", {"category": category, "request": rows})
    assert reply["retCode"] == 0
    where = {"category": category}
    assert reply["result"]["list"] == [
        where | {"symbol": "BTCUSDT", "orderId": order.order_id, "orderLinkId": "mine"},
        where | {"symbol": "ETHUSDT", "orderId": "", "orderLinkId": "nobody"},
    ]
    assert reply["retExtInfo"]["list"] == [
        {"code": 0, "msg": "OK"},
        {"code": gone, "msg": "Order does not exist."},
    ]
    assert ours.names() == set()


@pytest.mark.parametrize(
    ("category", "size", "code"),
    [
        ("spot", 10, 0),
        ("spot", 11, 10001),
        ("linear", 20, 0),
        ("linear", 21, 10001),
        ("option", 20, 0),
        ("option", 21, 10001),
        ("inverse", 0, 10001),
    ],
)
def test_a_batch_holds_20_orders_and_10_on_spot(category: str, size: int, code: int):
    ours = caller()
    rows = [{"symbol": "BTCUSDT", "orderLinkId": str(number)} for number in range(size)]
    reply = ours.post("/v5/order/cancel-batch", {"category": category, "request": rows})
    assert reply["retCode"] == code
    if code == 0:
        assert len(reply["retExtInfo"]["list"]) == size


def test_a_batch_without_orders_is_refused():
    assert caller().post("/v5/order/cancel-batch", {"category": "spot"})["retCode"] == 10001
