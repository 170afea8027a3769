"""What each cancel of the simulated Pacifica takes, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.sandbox.venues.pacifica_kinds import SEEDABLE, STOP_TYPES, STRATEGY_TYPES
from tests.sandbox.pacifica_caller import (
    ALL,
    CLIENT_ID,
    EVERYTHING,
    MAIN,
    NOW_MS,
    ONE,
    OTHER,
    REQUEST_ID,
    STOP,
    STRANGER_KEY,
    STRATEGY,
    TWAP,
    Caller,
    agent_of,
    caller,
    fields,
    stocked,
    told,
)

DONE = {"success": True, "data": None, "error": None, "code": None}
NAMES = {
    "limit",
    "limit SOL",
    "limit spot",
    "limit reducing",
    "stop",
    "take profit",
    "twap",
    "twap SOL",
    "strategy",
    "child",
}


def taken(ours: Caller, **payload: Any) -> set[str]:
    """Return the names of what a cancel-all has taken."""
    before = set(ours.names())
    count = fields(ours.cancel_all(**payload))["data"]["cancelled_count"]
    gone = before - set(ours.names())
    assert count == len(gone)
    return gone


@pytest.mark.parametrize(
    ("payload", "gone"),
    [
        ({}, {"limit", "limit SOL", "limit reducing", "twap", "twap SOL", "child"}),
        ({"exclude_reduce_only": True}, {"limit", "limit SOL", "twap", "twap SOL", "child"}),
        ({"all_symbols": False, "symbol": "SOL"}, {"limit SOL", "twap SOL"}),
        ({"all_symbols": False, "symbol": "SOL-USDC"}, {"limit spot"}),
        ({"all_symbols": False, "symbol": "ETH"}, set()),
    ],
)
def test_a_cancel_all_takes_what_it_is_known_to_cover(payload: dict[str, Any], gone: set[str]):
    ours = stocked()
    assert set(ours.names()) == NAMES
    assert taken(ours, **payload) == gone


def test_a_cancel_all_of_an_empty_account_counts_nothing():
    assert fields(caller().cancel_all()) == DONE | {"data": {"cancelled_count": 0}}


@pytest.mark.parametrize("symbol", ["btc", "BTC-PERP", "KBONK"])
def test_symbols_are_exact(symbol: str):
    ours = caller()
    answer = ours.cancel_all(all_symbols=False, symbol=symbol)
    assert told(answer) == (422, f"Book not found: {symbol}")
    assert fields(answer)["code"] == 3


def test_a_cancel_all_for_one_symbol_needs_the_symbol():
    assert caller().cancel_all(all_symbols=False).status == 400


def test_nobody_elses_orders_are_touched():
    ours = caller()
    theirs = replace(ours, key=STRANGER_KEY, account=OTHER)
    order = theirs.place("limit", CLIENT_ID)
    ours.cancel_all()
    assert ours.post(ONE, symbol="BTC", order_id=int(order.order_id)).status == 422
    assert theirs.open() == {"limit": 1}


@pytest.mark.parametrize(("path", "kind"), [(ONE, "limit"), (STOP, "stop"), (TWAP, "twap")])
@pytest.mark.parametrize("by_client", [False, True])
def test_a_single_cancel_takes_one_order_by_either_id(path: str, kind: str, *, by_client: bool):
    ours = agent_of(caller())
    order = ours.place(kind, CLIENT_ID, symbol="BTC")
    ours.place(kind, "stays", symbol="BTC")
    named = {"client_order_id": CLIENT_ID} if by_client else {"order_id": int(order.order_id)}
    assert fields(ours.post(path, symbol="BTC", **named)) == DONE
    assert ours.names() == ["stays"]


@pytest.mark.parametrize("path", [ONE, STOP])
@pytest.mark.parametrize("kind", ["limit", "stop", "twap"])
def test_a_single_cancel_knows_orders_of_its_own_kind_alone(path: str, kind: str):
    ours = caller()
    order = ours.place(kind, symbol="BTC")
    answer = ours.post(path, symbol="BTC", order_id=int(order.order_id))
    is_its_own = (path, kind) in {(ONE, "limit"), (STOP, "stop")}
    assert answer.status == (200 if is_its_own else 422)
    assert ours.open() == ({} if is_its_own else {kind: 1})


@pytest.mark.parametrize("path", [ONE, STOP])
@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"symbol": "BTC", "order_id": 42069}, 6),
        ({"symbol": "SOL", "order_id": 315000001}, 6),
        ({"symbol": "BTC", "client_order_id": REQUEST_ID}, 37),
    ],
)
def test_an_order_that_is_not_there_cannot_be_cancelled(
    path: str, payload: dict[str, Any], code: int
):
    ours = caller()
    ours.place("limit" if path == ONE else "stop", CLIENT_ID, symbol="BTC")
    assert fields(ours.post(path, **payload)) == {
        "success": False,
        "data": None,
        "error": "Failed to cancel order",
        "code": code,
        "error_id": "unspecified",
    }
    assert len(ours.names()) == 1


def test_an_order_that_has_gone_cannot_be_cancelled_again():
    ours = caller()
    order = ours.place("limit")
    named = {"symbol": "BTC", "order_id": int(order.order_id)}
    assert [ours.post(ONE, **named).status for _ in range(2)] == [200, 422]


def test_an_unknown_twap_id_is_accepted_and_an_unknown_client_id_is_not():
    ours = caller()
    ours.place("twap", CLIENT_ID)
    assert fields(ours.post(TWAP, symbol="BTC", order_id=1)) == DONE
    answer = ours.post(TWAP, symbol="BTC", client_order_id=REQUEST_ID)
    assert (answer.status, fields(answer)["code"]) == (422, 44)
    assert ours.open() == {"twap": 1}


def test_of_two_ids_the_clients_counts_for_a_twap_and_the_venues_elsewhere():
    ours = caller()
    for kind, path in (("twap", TWAP), ("limit", ONE)):
        first = ours.place(kind, f"{kind} by id")
        ours.place(kind, CLIENT_ID)
        both = {"order_id": int(first.order_id), "client_order_id": CLIENT_ID}
        assert ours.post(path, symbol="BTC", **both).status == 200
    assert ours.names() == [CLIENT_ID, "twap by id"]


def test_a_frame_cancels_all_and_says_how_many():
    ours = stocked()
    assert fields(ours.frame("cancel_all_orders", **EVERYTHING)) == {
        "code": 200,
        "data": {"cancelled_count": 6},
        "id": REQUEST_ID,
        "t": NOW_MS,
        "type": "cancel_all_orders",
    }
    assert len(ours.names()) == 4


def test_a_frame_cancels_one_order_and_gives_back_what_was_asked_for():
    ours = caller()
    order = ours.place("limit", CLIENT_ID)
    reply = fields(ours.frame("cancel_order", symbol="BTC", client_order_id=CLIENT_ID))
    assert reply["data"] == {"i": None, "I": CLIENT_ID, "s": "BTC"}
    again = ours.frame("cancel_order", symbol="BTC", order_id=int(order.order_id))
    assert fields(again) == {
        "code": 420,
        "err": "Failed to cancel order",
        "id": REQUEST_ID,
        "t": NOW_MS,
        "type": "cancel_order",
    }
    assert ours.open() == {}


@pytest.mark.parametrize(
    "operation", ["cancel_stop_order", "cancel_twap_order", "cancel_order_strategy"]
)
def test_stops_twaps_and_strategies_cannot_be_cancelled_by_frames(operation: str):
    ours = caller()
    order = ours.place("stop", symbol="BTC")
    reply = fields(ours.frame(operation, symbol="BTC", order_id=int(order.order_id)))
    assert (reply["code"], reply["err"]) == (400, "Invalid request")
    assert ours.open() == {"stop": 1}


def test_a_strategy_that_lives_places_again_what_is_cancelled():
    ours = caller()
    ours.strategy(children=2)
    ours.strategy(children=0)  # What places nothing has nothing to place again.
    assert ours.open() == {"strategy": 2, "limit": 2}
    before = ours.ids()
    assert fields(ours.cancel_all())["data"] == {"cancelled_count": 2}
    assert ours.open() == {"strategy": 2}
    ours.wait(0.3)
    assert ours.open() == {"strategy": 2}
    ours.wait(0.2)
    assert ours.open() == {"strategy": 2, "limit": 2}
    assert not set(before) & set(ours.ids())
    ours.cancel_all()
    ours.wait(1.0)
    assert ours.open() == {"strategy": 2, "limit": 2}


def test_a_child_cancelled_by_its_id_comes_back_once_for_every_cancel():
    ours = caller()
    ours.venue.book.cancel_delay_s = 5.0
    ours.strategy()
    (child,) = ours.ids()
    for _ in range(3):  # It is on its way out; only the first of these counts.
        ours.post(ONE, symbol="BTC", order_id=child)
    ours.wait(10.0)
    assert ours.open() == {"strategy": 1, "limit": 1}
    assert ours.ids() != [child]


def test_a_strategy_takes_its_open_orders_with_it_when_it_is_cancelled():
    ours = agent_of(caller())
    ours.place("limit", "not a child")
    _, name = ours.strategy(children=3)
    assert fields(ours.post(STRATEGY, strategy_id=name)) == DONE
    assert ours.names() == ["not a child"]
    ours.wait(5.0)
    assert ours.names() == ["not a child"]


def test_what_a_strategy_was_about_to_place_goes_with_it():
    ours = caller()
    _, name = ours.strategy()
    ours.cancel_all()
    assert ours.post(STRATEGY, strategy_id=name).status == 200
    ours.wait(5.0)
    assert ours.open() == {}


def test_nothing_outlives_a_strategy_that_is_slow_to_go():
    ours = caller()
    ours.venue.book.cancel_delay_s = 4.0
    ours.place("limit", "mine")
    _, name = ours.strategy(children=4)
    for _ in range(30):
        ours.cancel_all()
        ours.post(STRATEGY, strategy_id=name)
        ours.wait(0.2)
    ours.wait(8.0)
    assert ours.open() == {}


def test_one_cancel_of_a_strategy_that_is_slow_to_go_is_enough():
    ours = caller(seed=1)  # Which lets the strategy go later than some of its orders.
    ours.venue.book.cancel_delay_s = 6.0
    _, name = ours.strategy(children=8)
    ours.post(STRATEGY, strategy_id=name)
    ours.wait(1.0)
    assert ours.open()["strategy"] == 1
    placed = {order.order_id for order in ours.venue.book.orders[MAIN]}
    assert len(placed) > 9  # Some were placed again while it was going.
    ours.wait(6.0)
    assert ours.open() == {}


def test_a_strategy_that_cannot_be_cancelled_goes_on_placing():
    ours = caller()
    _, name = ours.strategy(is_uncancellable=True)
    assert ours.post(STRATEGY, strategy_id=name).status == 200
    ours.wait(1.0)
    assert ours.open() == {"strategy": 1, "limit": 1}


def test_a_strategy_that_is_not_there_is_404_and_no_twap_order_is_a_strategy():
    ours = caller()
    order = ours.place("twap")
    wrong = f"0f8e7c2a-4b1d-4e5f-9a3b-{int(order.order_id):012x}"
    answer = ours.post(STRATEGY, strategy_id=wrong)
    assert told(answer) == (404, "Order strategy not found")
    assert ours.post(STRATEGY, strategy_id="13753364").status == 400
    assert ours.open() == {"twap": 1}


def test_cancels_take_effect_within_the_delay_of_the_book():
    ours = caller()
    ours.venue.book.cancel_delay_s = 2.0
    ours.venue.book.seed(MAIN, {"limit": 40}, now=ours.now)
    ours.cancel_all()
    at_once = ours.open()["limit"]
    ours.wait(1.0)
    later = ours.open()["limit"]
    ours.wait(1.0)
    assert at_once > later > 0
    assert ours.open() == {}


def test_an_account_can_be_filled_with_everything():
    ours = caller()
    ours.venue.seed(MAIN, SEEDABLE, now=ours.now)
    assert ours.open() == {"limit": 63, "stop": 12, "twap": 4, "strategy": 3}
    found = ours.venue.book.live(MAIN, now=ours.now)
    assert {o.stop_type for o in found if o.kind == "stop"} <= set(STOP_TYPES)
    assert {o.stop_type for o in found if o.kind == "strategy"} <= set(STRATEGY_TYPES)
    assert sum(o.is_reduce_only for o in found) == 10
    assert sum(bool(o.parent_id) for o in found) == 3


def test_everything_can_be_cancelled_with_what_the_readings_show():
    ours = caller()
    ours.venue.seed(MAIN, SEEDABLE, now=ours.now)
    for row in fields(ours.get("/order_strategies"))["data"]["strategies"]:
        assert ours.post(STRATEGY, strategy_id=row["strategy_id"]).status == 200
    for row in fields(ours.get("/orders"))["data"]:
        path = ONE if row["order_type"] == "limit" else STOP
        named = {"symbol": row["symbol"], "order_id": row["order_id"]}
        assert ours.post(path, **named).status == 200
    assert ours.open() == {"twap": 4}
    assert ours.post(ALL, **EVERYTHING).status == 200
    assert ours.open() == {}


def test_filling_an_account_twice_gives_no_strategy_more_than_it_has():
    ours = caller()
    for _ in range(2):
        ours.venue.seed(MAIN, {"strategy": 2}, now=ours.now)
    assert ours.open() == {"strategy": 4, "limit": 4}
