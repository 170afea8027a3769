"""What each call of the simulated Synthetix cancels, by every reading of its sources."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.venues.synthetix_shapes import (
    Element,
    Empty,
    Nothing,
    Told,
    Unlisted,
    Wildcard,
)
from tests.sandbox.synthetix_caller import (
    NOW,
    OTHER_UID,
    TRADE,
    UID,
    VECTORS,
    Caller,
    caller,
    error,
    invalid,
    response,
    stocked,
)


def names_of(ours: Caller, ids: list[str]) -> list[str]:
    known = {order.order_id: order.link_id for order in ours.venue.book.orders[ours.uid]}
    return sorted(known[order_id] for order_id in ids)


@pytest.mark.parametrize(
    ("symbols", "cancelled"),
    [
        (["*"], ["limit", "sol", "trigger"]),
        (["BTC-USDT"], ["limit", "trigger"]),
        (["SOL-USDT"], ["sol"]),
        (["SOL-USDT", "BTC-USDT"], ["limit", "sol", "trigger"]),
        (["ETH-USDT"], []),
    ],
)
def test_cancel_all_takes_limits_and_triggers_of_its_symbols(
    symbols: list[str], cancelled: list[str]
):
    ours = stocked()
    before = ours.open()
    found = response(ours.cancel_all(*symbols))
    assert names_of(ours, [row["orderId"] for row in found]) == cancelled
    assert ours.open() == [name for name in before if name not in cancelled]


@pytest.mark.parametrize("symbol", ["*", "ETH-USDT"])
def test_cancel_all_takes_twaps_by_a_switch(symbol: str):
    ours = stocked()
    ours.cancel_all(symbol)
    assert "twap" in ours.open()
    ours.choose(takes_twaps=True)
    assert len(response(ours.cancel_all(symbol))) == 1
    assert "twap" not in ours.open()


def test_cancel_all_touches_no_other_subaccount():
    ours = stocked()
    ours.venue.book.place(OTHER_UID, "limit", now=NOW)
    ours.cancel_all()
    assert len(ours.venue.book.live(OTHER_UID, now=NOW)) == 1


SYMBOLS: list[tuple[list[str], str]] = [
    ([], "symbols must be nonempty"),
    (["*", "ETH-USDT"], 'symbols[0]: wildcard "*" must be the only element in symbols'),
    (["ETH-USDT", "*"], 'symbols[1]: wildcard "*" must be the only element in symbols'),
    (["*", "*"], 'symbols[0]: wildcard "*" must be the only element in symbols'),
    (["BTC-USDT", " "], "symbols[1]: symbol cannot be empty or whitespace"),
    (["btc-usdt"], "symbols[0] must use canonical uppercase format"),
    (["BTC-USDT "], "symbols[0] must use canonical uppercase format"),
    (["BTCUSDT"], "symbols[0] must use canonical uppercase format"),
    (["BTC-USDTUSDTUSDTUSDTU"], "symbols[0] must use canonical uppercase format"),
]


@pytest.mark.parametrize(("symbols", "said"), SYMBOLS)
def test_symbols_that_break_a_rule_are_refused_and_cancel_nothing(symbols: list[str], said: str):
    ours = stocked()
    answer = ours.write("cancelAllOrders", ("CancelAllOrders", ("symbols", "string[]")), symbols)
    assert error(answer) == invalid(said)
    assert ours.open() == ["limit", "sol", "trigger", "twap"]


def test_no_symbols_at_all_mean_everything_by_a_switch_even_if_left_out():
    ours = stocked()
    body = {**VECTORS["s01"]["rest"]["body"]}
    body["params"] = {"action": "cancelAllOrders", "subAccountId": UID}
    assert error(ours.send(TRADE, body)) == invalid("symbols must be nonempty")
    ours = stocked()
    ours.choose(empty=Empty.EVERYTHING)
    assert len(response(ours.send(TRADE, body))) == 3
    assert ours.open() == ["twap"]


def test_a_server_may_skip_the_wildcard_as_a_market_that_is_not_listed():
    ours = stocked()
    ours.choose(wildcard=Wildcard.SKIPPED)
    assert response(ours.cancel_all("*")) == []
    assert ours.open() == ["limit", "sol", "trigger", "twap"]
    assert len(response(ours.cancel_all("*", "SOL-USDT"))) == 1


def test_an_old_server_does_not_know_the_wildcard():
    ours = stocked()
    ours.choose(wildcard=Wildcard.UNKNOWN)
    assert error(ours.cancel_all()) == invalid("symbols[0] must use canonical uppercase format")
    assert ours.open() == ["limit", "sol", "trigger", "twap"]


@pytest.mark.parametrize(
    ("unlisted", "left"),
    [
        (Unlisted.REFUSES_ALL, ["limit", "sol", "trigger", "twap"]),
        (Unlisted.SKIPPED, ["sol", "twap"]),
    ],
)
def test_what_a_symbol_that_is_not_listed_does_to_the_others_is_a_switch(
    unlisted: Unlisted, left: list[str]
):
    ours = stocked()
    ours.choose(unlisted=unlisted)
    answer = ours.cancel_all("BTC-USDT", "DOGE-USDT")
    if unlisted is Unlisted.REFUSES_ALL:
        assert error(answer) == (400, "MARKET_NOT_FOUND", "Invalid market symbol: DOGE-USDT")
    else:
        assert len(response(answer)) == 2
    assert ours.open() == left


@pytest.mark.parametrize("kinds", [(), ("twap",)])
def test_a_cancel_all_with_nothing_to_cancel_is_answered_by_a_switch(kinds: tuple[str, ...]):
    ours = caller()
    for kind in kinds:
        ours.place(kind)
    assert response(ours.cancel_all()) == []
    ours.choose(nothing=Nothing.ERROR)
    assert error(ours.cancel_all()) == invalid("No orders found")


@pytest.mark.parametrize(
    ("told", "of_the_cancelled", "of_the_other"),
    [
        (Told.WHEN_CANCELLED, "Order cancelled successfully", ""),
        (Told.WHEN_FAILED, "", "Failed to cancel order"),
    ],
)
def test_one_order_may_fail_and_what_the_message_then_says_is_a_switch(
    told: Told, of_the_cancelled: str, of_the_other: str
):
    ours = caller()
    ours.choose(told=told)
    first, second = ours.place("limit", "a"), ours.place("limit", "b")
    ours.venue.stubborn[first.order_id] = "CANCEL_FAILED"
    found = {row["orderId"]: row["message"] for row in response(ours.cancel_all())}
    assert found == {first.order_id: of_the_other, second.order_id: of_the_cancelled}
    assert ours.open() == ["a"]


def test_the_element_of_a_cancel_all_is_a_switch():
    ours = caller()
    order = ours.place("limit", "a")
    words = "Order cancelled successfully"
    assert response(ours.cancel_all()) == [
        {
            "order": {"venueId": order.order_id, "clientId": "a"},
            "orderId": order.order_id,
            "message": words,
            "symbol": "BTC-USDT",
        }
    ]
    ours.choose(element=Element.OLD)
    order = ours.place("limit", "b")
    assert response(ours.cancel_all()) == [{"orderId": order.order_id, "message": words}]


@pytest.mark.parametrize("kind", ["limit", "trigger", "twap"])
def test_every_kind_is_cancelled_by_its_id_and_by_its_clients_id(kind: str):
    ours = caller()
    first = ours.place(kind, "a")
    second = ours.place(kind, "b")
    assert response(ours.cancel(first)) == {
        "statuses": [
            {
                "canceled": {
                    "order": {"venueId": first.order_id, "clientId": "a"},
                    "id": first.order_id,
                }
            }
        ]
    }
    assert ours.open() == ["b"]
    (status,) = response(ours.cancel_named("b"))["statuses"]
    assert status["canceled"]["id"] == second.order_id
    assert ours.open() == []


def test_each_element_of_cancel_orders_stands_for_itself_under_http_200():
    ours = caller()
    first, second, third = (ours.place("limit", name) for name in "abc")
    ours.venue.stubborn = {second.order_id: "OPERATION_TIMEOUT"}
    found = response(ours.cancel(first, second, "1948058938469519399", first))["statuses"]
    assert [row.get("errorCode", "canceled") for row in found] == [
        "canceled",
        "OPERATION_TIMEOUT",
        "ORDER_NOT_FOUND",
        "ORDER_NOT_FOUND",
    ]
    assert found[2] == {
        "error": "Order not found",
        "errorCode": "ORDER_NOT_FOUND",
        "order": {"venueId": "1948058938469519399", "clientId": ""},
    }
    assert found[1]["order"] == {"venueId": second.order_id, "clientId": "b"}
    assert ours.open() == ["b", "c"]
    assert third.link_id == "c"


def test_a_clients_id_that_nobody_has_is_not_found():
    (status,) = response(caller().cancel_named("nobody"))["statuses"]
    assert status == {
        "error": "Order not found",
        "errorCode": "ORDER_NOT_FOUND",
        "order": {"venueId": "", "clientId": "nobody"},
    }


@pytest.mark.parametrize("name", ["", " a", "a ", "x" * 256])
def test_a_clients_id_has_no_blanks_around_it_and_at_most_255_characters(name: str):
    ours = caller()
    ours.place("limit", "a")
    assert error(ours.cancel_named(name)) == invalid("invalid client order ID")
    assert ours.open() == ["a"]


def test_a_clients_id_of_255_characters_is_taken():
    ours = caller()
    ours.place("limit", "x" * 255)
    ours.cancel_named("x" * 255)
    assert ours.open() == []


def test_ids_and_clients_ids_exclude_each_other():
    ours = caller()
    order = ours.place("limit", "a")
    body: dict[str, Any] = {**VECTORS["s11"]["rest"]["body"]}
    body["params"] = {**body["params"], "orderIds": [order.order_id]}
    said = "orderIds and clientOrderIds are mutually exclusive"
    assert error(ours.send(TRADE, body)) == invalid(said)
    assert error(ours.cancel()) == invalid("orderIds or clientOrderIds must be nonempty")
    assert ours.open() == ["a"]


def test_an_id_of_another_subaccount_is_not_found():
    ours = caller()
    theirs = ours.venue.book.place(OTHER_UID, "limit", now=NOW, link_id="a")
    for answer in (ours.cancel(theirs), ours.cancel_named("a")):
        assert response(answer)["statuses"][0]["errorCode"] == "ORDER_NOT_FOUND"
    assert len(ours.venue.book.live(OTHER_UID, now=NOW)) == 1


def test_order_ids_are_strings_of_19_digits_beyond_what_a_float_can_tell_apart():
    ours = caller()
    ids = [ours.place().order_id for _ in range(100)]
    assert {len(order_id) for order_id in ids} == {19}
    assert all(2**53 < int(order_id) < 2**63 for order_id in ids)
    assert len(set(ids)) == 100
