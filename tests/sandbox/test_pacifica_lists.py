"""What the simulated Pacifica's readings show."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.venues.pacifica_kinds import strategy_id
from tests.sandbox.pacifica_caller import (
    CLIENT_ID,
    MAIN,
    NOW_MS,
    ONE,
    OTHER,
    SUB,
    TWAP,
    caller,
    fields,
    stocked,
    told,
)


def test_open_orders_are_limit_and_stop_orders_with_the_children_of_strategies():
    ours = stocked()
    rows = fields(ours.get("/orders"))["data"]
    assert sorted(row["client_order_id"] for row in rows) == [
        "child",
        "limit",
        "limit SOL",
        "limit reducing",
        "limit spot",
        "stop",
        "take profit",
    ]
    by_name = {row["client_order_id"]: row for row in rows}
    assert by_name["child"]["parent_id"].startswith("0f8e7c2a-4b1d-4e5f-9a3b-")
    assert "parent_id" not in by_name["limit"]
    assert [row["client_order_id"] for row in rows if row["reduce_only"]] == [
        "limit reducing",
        "take profit",
    ]


def test_a_row_has_what_the_live_sample_has():
    ours = caller()
    order = ours.place("limit", symbol="ASTER")
    reply = fields(ours.get("/orders"))
    assert reply == {
        "success": True,
        "data": [
            {
                "order_id": int(order.order_id),
                "client_order_id": None,
                "symbol": "ASTER",
                "side": "ask",
                "price": "1.836",
                "initial_amount": "85.33",
                "filled_amount": "0",
                "cancelled_amount": "0",
                "stop_price": None,
                "order_type": "limit",
                "stop_parent_order_id": None,
                "reduce_only": False,
                "created_at": NOW_MS - 60_000,
                "updated_at": NOW_MS - 60_000,
            }
        ],
        "error": None,
        "code": None,
        "last_order_id": 17_636_940_005,
    }


@pytest.mark.parametrize(
    ("stop_type", "reduce_only"),
    [
        ("stop_limit", False),
        ("stop_market", False),
        ("take_profit_limit", True),
        ("take_profit_market", True),
        ("stop_loss_limit", True),
        ("stop_loss_market", True),
    ],
)
def test_a_stop_order_says_its_type_and_price(stop_type: str, *, reduce_only: bool):
    ours = caller()
    ours.place("stop", stop_type=stop_type)
    (row,) = fields(ours.get("/orders"))["data"]
    assert (row["order_type"], row["reduce_only"]) == (stop_type, reduce_only)
    assert row["stop_price"] == "1.700"


def test_all_open_orders_come_at_once():
    ours = caller()
    ours.venue.book.seed(MAIN, {"limit": 1200}, now=ours.now)
    assert len(ours.ids()) == 1200


def test_last_order_id_rises_and_is_absent_where_there_never_was_an_order():
    ours = caller()
    assert "last_order_id" not in fields(ours.get("/orders"))
    ours.place("limit")
    ours.cancel_all()
    found = []
    for _ in range(3):
        reply = fields(ours.get("/orders"))
        assert reply["data"] == []
        found.append(reply["last_order_id"])
        ours.wait(0.1)
    assert found == sorted(set(found))


def test_readings_need_no_signature_and_show_any_account():
    ours = caller()
    ours.place("limit")
    theirs = fields(ours.get("/orders", account=OTHER))
    assert theirs["data"] == []
    assert not ours.seen().is_signed
    assert ours.seen().uid == OTHER


@pytest.mark.parametrize(
    "path", ["/orders", "/orders/twap", "/twaps", "/order_strategies", "/account"]
)
@pytest.mark.parametrize("address", ["", "abc", "0OIl"])
def test_a_reading_needs_a_public_key(path: str, address: str):
    assert caller().get(path, account=address).status == 400


def test_twap_orders_are_in_two_lists_and_twap_strategies_in_two_others():
    ours = caller()
    order = ours.place("twap", CLIENT_ID)
    strategy, name = ours.strategy(children=0, stop_type="twap")
    ours.strategy(children=0, stop_type="oco")
    assert ours.ids() == []
    ours.place("twap", symbol="SOL")
    rows = fields(ours.get("/orders/twap"))["data"]
    assert {(row["symbol"], row["client_order_id"]) for row in rows} == {
        ("BTC", CLIENT_ID),
        ("SOL", None),
    }
    assert int(order.order_id) in ours.ids("/orders/twap")
    records = fields(ours.get("/twaps"))
    assert sorted(row["identity"]["kind"] for row in records["data"]) == [
        "order",
        "order",
        "strategy",
    ]
    assert {row["identity"].get("strategy_id") for row in records["data"]} == {None, name}
    assert (records["has_more"], records["next_cursor"]) == (False, None)
    found = fields(ours.get("/order_strategies", type="twap"))["data"]["strategies"]
    assert [row["strategy_id"] for row in found] == [strategy_id(strategy)]


def test_twap_records_are_paged_by_cursor():
    ours = caller()
    ours.venue.book.seed(MAIN, {"twap": 7}, now=ours.now)
    found, cursor = [], ""
    for _ in range(4):
        page = fields(ours.get("/twaps", limit=2, cursor=cursor))
        found += [row["identity"]["order_id"] for row in page["data"]]
        cursor = page["next_cursor"] or ""
        if not page["has_more"]:
            break
    assert sorted(found) == ours.ids("/orders/twap")
    assert len(fields(ours.get("/twaps", limit=0))["data"]) == 1
    assert len(fields(ours.get("/twaps", limit=9999))["data"]) == 7
    assert ours.get("/twaps", cursor="3vQB7B6M").status == 400


def test_a_hundred_strategies_are_shown_unless_more_are_asked_for():
    ours = caller()
    ours.venue.book.seed(MAIN, {"strategy": 130}, now=ours.now)

    def shown(**query: Any) -> list[str]:
        rows = fields(ours.get("/order_strategies", **query))["data"]["strategies"]
        return [row["strategy_id"] for row in rows]

    assert len(shown()) == 100
    assert len(shown(limit=500)) == 130
    assert shown(limit=50) + shown(limit=50, offset=50) == shown()
    assert len(shown(offset=120)) == 10
    assert len(shown(limit=1)) == 1
    assert shown(offset=130) == []


def test_a_strategy_says_type_and_lifecycle():
    ours = caller()
    for stop_type in ("oco", "swarm", "auto_chase"):
        ours.strategy(children=0, stop_type=stop_type)
    rows = fields(ours.get("/order_strategies"))["data"]["strategies"]
    assert sorted(row["strategy_type"] for row in rows) == ["auto_chase", "oco", "swarm"]
    assert sorted(row["lifecycle"] for row in rows) == ["open", "paused", "pending"]
    assert {(row["revision"], row["account"]) for row in rows} == {(1, MAIN)}


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 501}, {"limit": "x"}, {"offset": -1}, {"type": "grid"}]
)
def test_a_page_of_strategies_must_be_asked_for_rightly(query: dict[str, Any]):
    assert caller().get("/order_strategies", **query).status == 400


def test_the_counters_of_an_account_count_stops_apart():
    ours = stocked()
    reply = fields(ours.get("/account"))["data"]
    assert (reply["orders_count"], reply["stop_orders_count"]) == (5, 2)
    ours.cancel_all()
    reply = fields(ours.get("/account"))["data"]
    assert (reply["orders_count"], reply["stop_orders_count"]) == (1, 2)
    ours.venue.skew_s = 2.0
    assert fields(ours.get("/account"))["data"]["updated_at"] == NOW_MS + 2000


def test_an_address_without_an_account_has_no_orders_and_no_account():
    ours = caller()
    stranger = "42trU9A5sC1vZC2WJ8q4uYkQh7bFQv5Dq9YhJkYw3n9x"
    ours.account = stranger
    assert fields(ours.get("/orders"))["data"] == []
    assert told(ours.get("/account")) == (404, "Account not found")
    ours.account = SUB
    assert ours.get("/account").status == 200


def test_every_symbol_is_listed_with_its_kind_of_instrument():
    rows = fields(caller().send("GET", "/api/v1/info"))["data"]
    kinds = {row["symbol"]: row["instrument_type"] for row in rows}
    assert [row["base_asset"] for row in rows if row["symbol"] == "SOL-USDC"] == ["SOL"]
    assert kinds == {
        "BTC": "perpetual",
        "ETH": "perpetual",
        "SOL": "perpetual",
        "ASTER": "perpetual",
        "kBONK": "perpetual",
        "SOL-USDC": "spot",
    }


def test_the_history_of_an_order_says_what_became_of_it():
    ours = caller()
    order = int(ours.place("limit").order_id)

    def events() -> list[tuple[str, str]]:
        rows = fields(ours.get("/orders/history_by_id", order_id=order))["data"]
        return [(row["event_type"], row["order_status"]) for row in rows]

    assert events() == [("make", "open")]
    ours.post(ONE, symbol="BTC", order_id=order)
    assert events() == [("cancel", "cancelled"), ("make", "open")]
    unknown = ours.get("/orders/history_by_id", order_id=1)
    assert told(unknown) == (404, "Order history not found for order ID: 1")
    assert ours.get("/orders/history_by_id").status == 400


def test_the_history_of_a_twap_confirms_its_cancel():
    ours = caller()
    order = int(ours.place("twap").order_id)
    ours.post(TWAP, symbol="BTC", order_id=order)
    rows = fields(ours.get("/orders/twap/history_by_id", order_id=order))["data"]
    assert [row["order_status"] for row in rows] == ["cancelled", "open"]
    assert fields(ours.get("/orders/twap/history_by_id", order_id=1))["data"] == []
    assert ours.get("/orders/history_by_id", order_id=order).status == 404
