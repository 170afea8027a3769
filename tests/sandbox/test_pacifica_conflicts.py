"""Where the sources disagree: each switch of the simulated Pacifica, both ways."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.venues.pacifica_shapes import Conflicts, Engine, Numbering
from tests.sandbox.pacifica_caller import (
    CLIENT_ID,
    EVERYTHING,
    MAIN,
    NOW_MS,
    ONE,
    STOP,
    STRATEGY,
    SUBACCOUNTS,
    TWAP,
    Caller,
    agent_of,
    caller,
    fields,
    stocked,
    told,
)


def choosing(**conflicts: Any) -> Caller:
    ours = caller()
    ours.choose(**conflicts)
    return ours


def test_every_switch_is_tried_here():
    text = Path(__file__).read_text("utf-8")
    names = [each.name for each in dataclasses.fields(Conflicts)]
    assert [name for name in names if f"{name}=" not in text and f'"{name}"' not in text] == []


@pytest.mark.parametrize(
    ("conflicts", "body"),
    [
        ({}, {"success": True, "data": {"cancelled_count": 1}, "error": None, "code": None}),
        (
            {"count_is_text": True},
            {"success": True, "data": {"cancelled_count": "1"}, "error": None, "code": None},
        ),
        ({"is_enveloped": False}, {"cancelled_count": 1}),
        ({"is_enveloped": False, "count_is_text": True}, {"cancelled_count": "1"}),
    ],
)
def test_a_cancel_all_is_answered_in_one_of_four_ways(
    conflicts: dict[str, Any], body: dict[str, Any]
):
    ours = choosing(**conflicts)
    ours.place("limit")
    assert fields(ours.cancel_all()) == body


def test_single_cancels_are_bare_with_it():
    ours = choosing(is_enveloped=False)
    order = ours.place("limit")
    named = {"symbol": "BTC", "order_id": int(order.order_id)}
    assert fields(ours.post(ONE, **named)) == {"success": True}


def test_a_digit_string_is_counted_over_the_socket_too():
    ours = choosing(count_is_text=True)
    reply = fields(ours.frame("cancel_all_orders", **EVERYTHING))
    assert reply["data"] == {"cancelled_count": "0"}


def test_an_account_is_an_object_or_a_list_of_one():
    one = fields(caller().get("/account"))["data"]
    listed = fields(choosing(account_is_list=True).get("/account"))["data"]
    assert listed == [one]


@pytest.mark.parametrize(
    ("numbering", "codes"),
    [(Numbering.A, [5, 5, 5, 2, 1]), (Numbering.B, [6, 37, 44, 3, 1])],
)
def test_business_codes_have_two_numberings(numbering: Numbering, codes: list[int]):
    ours = choosing(numbering=numbering, unknown_account_status=422)
    symbol = {"symbol": "BTC"}
    answers = [
        ours.post(ONE, order_id=1, **symbol),
        ours.post(STOP, client_order_id=CLIENT_ID, **symbol),
        ours.post(TWAP, client_order_id=CLIENT_ID, **symbol),
        ours.cancel_all(all_symbols=False, symbol="btc"),
        ours.get("/account", account="42trU9A5sC1vZC2WJ8q4uYkQh7bFQv5Dq9YhJkYw3n9x"),
    ]
    assert {answer.status for answer in answers} == {422}
    assert [fields(answer)["code"] for answer in answers] == codes


def test_the_older_numbering_has_zero_for_what_it_does_not_know():
    ours = choosing(numbering=Numbering.A)
    ours.venue.faults.add(Engine(name="TRADING_DISABLED"))
    answer = ours.cancel_all()
    assert (answer.status, fields(answer)["code"]) == (422, 0)


def test_an_error_has_an_id_or_none():
    sent = {"symbol": "BTC", "order_id": 1}
    assert fields(caller().post(ONE, **sent))["error_id"] == "unspecified"
    assert "error_id" not in fields(choosing(has_error_id=False).post(ONE, **sent))


def test_an_error_over_the_socket_has_the_requests_id_or_none():
    sent = {"symbol": "BTC", "order_id": 1}
    assert "id" in fields(caller().frame("cancel_order", **sent))
    ours = choosing(ws_errors_have_id=False)
    assert fields(ours.frame("cancel_order", **sent)) == {
        "code": 420,
        "err": "Failed to cancel order",
        "t": NOW_MS,
        "type": "cancel_order",
    }
    assert "id" in fields(ours.frame("cancel_all_orders", **EVERYTHING))


def test_credits_are_told_always_or_with_a_key_only():
    ours = caller(has_limits=True)
    assert "rl" not in fields(ours.frame("cancel_all_orders", **EVERYTHING))
    ours.choose(rl_always=True)
    reply = fields(ours.frame("cancel_all_orders", **EVERYTHING))
    assert reply["rl"] == {"r": 990, "q": 1000, "t": 60}


@pytest.mark.parametrize(
    ("conflicts", "stays"),
    [
        ({}, {"limit spot", "stop", "take profit", "strategy"}),
        ({"covers_stops": True}, {"limit spot", "strategy"}),
        (
            {"covers_twaps": False},
            {"limit spot", "stop", "take profit", "twap", "twap SOL", "strategy"},
        ),
        ({"covers_children": False}, {"limit spot", "stop", "take profit", "strategy", "child"}),
        ({"covers_strategies": True}, {"limit spot", "stop", "take profit"}),
        (
            {"covers_strategies": True, "covers_children": False},
            {"limit spot", "stop", "take profit"},
        ),
        ({"covers_spot": True}, {"stop", "take profit", "strategy"}),
    ],
)
def test_a_cancel_all_covers_more_or_less(conflicts: dict[str, Any], stays: set[str]):
    ours = stocked()
    ours.choose(**conflicts)
    before = len(ours.names())
    count = fields(ours.cancel_all())["data"]["cancelled_count"]
    assert set(ours.names()) == stays
    assert count == before - len(stays)


def test_reduce_only_stops_stay_where_stops_are_covered():
    ours = stocked()
    ours.choose(covers_stops=True)
    ours.cancel_all(exclude_reduce_only=True)
    assert set(ours.names()) == {"limit spot", "limit reducing", "take profit", "strategy"}


def test_a_symbol_beside_all_symbols_means_nothing_or_narrows():
    ours = stocked()
    ours.choose(symbol_narrows_all=True)
    assert fields(ours.cancel_all(symbol="SOL"))["data"] == {"cancelled_count": 2}
    ours.choose(symbol_narrows_all=False)
    assert fields(ours.cancel_all(symbol="SOL"))["data"] == {"cancelled_count": 4}


def test_stop_orders_are_listed_or_only_counted():
    ours = choosing(lists_stops=False)
    ours.place("stop")
    assert ours.ids() == []
    assert fields(ours.get("/account"))["data"]["stop_orders_count"] == 1


def test_twap_orders_may_be_in_one_list_alone():
    ours = choosing(twaps_in_twaps_only=True)
    ours.place("twap")
    assert ours.ids("/orders/twap") == []
    assert len(fields(ours.get("/twaps"))["data"]) == 1


def test_an_older_deployment_has_no_strategies_and_no_twap_records():
    ours = choosing(has_strategies=False)
    ours.place("twap")
    for answer in (
        ours.get("/order_strategies"),
        ours.get("/twaps"),
        ours.post(STRATEGY, strategy_id=CLIENT_ID),
    ):
        assert (answer.status, answer.body) == (404, b"")
    assert len(ours.ids("/orders/twap")) == 1
    stop = ours.place("stop", symbol="BTC")
    assert ours.post(STOP, symbol="BTC", order_id=int(stop.order_id)).status == 200
    assert ours.cancel_all().status == 200


@pytest.mark.parametrize("status", [404, 422, 200])
def test_a_strategy_that_has_gone_is_refused_or_not(status: int):
    ours = choosing(gone_strategy_status=status)
    answer = ours.post(STRATEGY, strategy_id=CLIENT_ID)
    assert answer.status == status
    assert fields(answer)["success"] is (status == 200)


def test_an_unknown_twap_id_is_accepted_or_refused():
    ours = choosing(unknown_twap_is_refused=True)
    answer = ours.post(TWAP, symbol="BTC", order_id=1)
    assert (answer.status, fields(answer)["code"]) == (422, 47)
    ours.choose(unknown_twap_is_refused=False)
    assert ours.post(TWAP, symbol="BTC", order_id=1).status == 200


def test_an_agent_may_list_subaccounts_or_not():
    ours = agent_of(choosing(agents_may_list=True))
    assert len(fields(ours.post(SUBACCOUNTS))["data"]["subaccounts"]) == 1
    ours.choose(agents_may_list=False)
    assert told(ours.post(SUBACCOUNTS))[1].startswith("Verification failed")


@pytest.mark.parametrize("code", [402, 403])
def test_an_agent_that_is_not_bound_has_one_of_two_codes_over_the_socket(code: int):
    ours = agent_of(choosing(agent_ws_code=code))
    ours.venue.accounts[MAIN].agents.clear()
    assert fields(ours.frame("cancel_all_orders", **EVERYTHING))["code"] == code


@pytest.mark.parametrize("status", [400, 403])
def test_an_agent_from_elsewhere_is_refused_in_one_of_two_ways(status: int):
    ours = agent_of(choosing(unlisted_ip_status=status))
    (agent,) = ours.venue.accounts[MAIN].agents
    ours.venue.bind_agent(MAIN, agent, ips=("10.9.9.9",))
    assert ours.cancel_all().status == status


def test_the_default_window_is_signed_or_not():
    ours = choosing(signs_default_window=True)
    ours.window_ms = None
    assert ours.cancel_all().status == 400
    ours.window_ms, ours.sent = 30_000, {"expiry_window": None}
    assert ours.cancel_all().status == 200


def test_a_timestamp_may_be_any_time_ahead_or_only_a_little():
    ours = choosing(future_max_s=None)
    ours.ahead_ms = 3_600_000
    assert ours.cancel_all().status == 200
    ours.choose(future_max_s=1.0)
    ours.ahead_ms = 1001
    assert told(ours.cancel_all()) == (400, "Invalid message")
    ours.ahead_ms = 1000
    assert ours.cancel_all().status == 200


@pytest.mark.parametrize("allowed", [100, 125])
def test_without_a_key_there_are_a_hundred_credits_or_more(allowed: int):
    ours = caller(has_limits=True)
    ours.choose(anonymous_credits=allowed)
    assert [ours.get("/orders").status for _ in range(allowed + 1)].count(200) == allowed


def test_a_list_is_cheap_or_heavy():
    ours = caller(has_limits=True)
    ours.choose(reading_credits=3)
    assert ours.get("/orders").headers["ratelimit"] == '"credits";r=970;t=60'
    assert ours.get("/account").headers["ratelimit"] == '"credits";r=960;t=60'


def test_the_last_order_id_is_the_exchanges_or_the_accounts():
    ours = choosing(last_order_id_is_shared=False)
    order = ours.place("limit")
    found = []
    for _ in range(2):
        found.append(fields(ours.get("/orders"))["last_order_id"])
        ours.wait(5.0)
    assert found == [int(order.order_id)] * 2


@pytest.mark.parametrize("status", [404, 422, 200])
def test_an_unknown_account_is_an_error_or_has_nothing(status: int):
    ours = choosing(unknown_account_status=status)
    answer = ours.get("/account", account="42trU9A5sC1vZC2WJ8q4uYkQh7bFQv5Dq9YhJkYw3n9x")
    assert answer.status == status
    if status == 200:
        assert fields(answer)["data"]["orders_count"] == 0


def test_an_unknown_path_has_an_envelope_or_no_body():
    answer = choosing(missing_is_enveloped=True).get("/nowhere")
    assert told(answer) == (404, "Not found")
    assert fields(answer)["code"] == 404
