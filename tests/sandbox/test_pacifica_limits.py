"""The credits of the simulated Pacifica: who pays for what, and how it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.sandbox.pacifica_caller import (
    EVERYTHING,
    MAIN,
    OTHER,
    STRANGER_KEY,
    SUB,
    Caller,
    caller,
    fields,
    key_of,
    told,
)

KEY = "AbCdEfGh_2mT8x"


def busy(*, config_key: str = "", quota: int = 300) -> Caller:
    ours = caller(has_limits=True)
    if config_key:
        ours.venue.add_config_key(config_key, MAIN, quota=quota)
        ours.config_key = config_key
    return ours


def spend(ours: Caller, readings: int) -> None:
    assert {ours.get("/orders").status for _ in range(readings)} <= {200}


def test_a_hundred_credits_a_minute_without_a_key():
    ours = busy()
    spend(ours, 100)
    assert told(ours.get("/orders")) == (429, "Rate limit exceeded")
    ours.wait(59.9)
    assert ours.get("/orders").status == 429
    ours.wait(0.2)
    assert ours.get("/orders").status == 200


def test_a_cancel_costs_half_a_credit_on_both_ways():
    ours = busy()
    assert {ours.cancel_all().status for _ in range(100)} == {200}
    assert {ours.frame("cancel_all_orders", **EVERYTHING).status for _ in range(100)} == {200}
    ours.place("limit")
    assert ours.cancel_all().status == 429
    reply = fields(ours.frame("cancel_all_orders", **EVERYTHING))
    assert (reply["code"], reply["err"]) == (429, "Rate limit exceeded")
    assert ours.open() == {"limit": 1}


def test_a_call_over_the_limit_costs_nothing():
    ours = busy()
    spend(ours, 99)
    ours.cancel_all()
    assert [ours.get("/orders").status for _ in range(3)] == [429] * 3
    assert ours.cancel_all().status == 200
    assert ours.cancel_all().status == 429


def test_the_window_rolls():
    ours = busy()
    spend(ours, 60)
    ours.wait(30.0)
    spend(ours, 40)
    ours.wait(30.1)
    spend(ours, 60)
    assert ours.get("/orders").status == 429


def test_headers_tell_tenths_of_credits_and_the_wait():
    ours = busy()
    told_now = ours.get("/orders").headers
    assert told_now["ratelimit"] == '"credits";r=990;t=60'
    assert told_now["ratelimit-policy"] == '"credits";q=1000;w=60'
    ours.wait(20.0)
    assert ours.cancel_all().headers["ratelimit"] == '"credits";r=985;t=40'
    spend(ours, 98)
    refused = ours.get("/orders")
    assert (refused.status, refused.headers["ratelimit"]) == (429, '"credits";r=5;t=40')


def test_the_wait_is_for_as_much_as_the_call_costs():
    ours = busy()
    ours.cancel_all()
    ours.wait(10.0)
    spend(ours, 99)
    ours.cancel_all()
    refused = ours.get("/orders")  # The first cancel frees half of it only.
    assert refused.headers["ratelimit"] == '"credits";r=0;t=60'
    assert ours.cancel_all().headers["ratelimit"] == '"credits";r=0;t=50'


def test_without_a_key_an_address_pays_whoever_calls():
    ours = busy()
    theirs = replace(ours, key=STRANGER_KEY, account=OTHER)
    spend(ours, 100)
    assert theirs.cancel_all().status == 429
    theirs.address = "10.0.0.2"
    assert theirs.cancel_all().status == 200


def test_with_a_key_the_main_account_pays_for_its_subaccounts():
    ours = busy(config_key=KEY)
    ours.venue.add_config_key("OfTheSub_key", SUB)
    sub = replace(ours, key=key_of("sub"), account=SUB, config_key="OfTheSub_key")
    assert ours.get("/orders").headers["ratelimit"] == '"credits";r=2990;t=60'
    assert sub.get("/orders").headers["ratelimit"] == '"credits";r=2980;t=60'
    spend(ours, 298)
    assert sub.cancel_all().status == 429
    ours.config_key = ""
    assert ours.cancel_all().status == 200


def test_a_key_does_not_authenticate_and_an_unknown_one_opens_nothing():
    ours = busy(config_key=KEY)
    theirs = replace(ours, key=STRANGER_KEY)
    assert theirs.cancel_all().status == 400
    ours.config_key = "nobody's"
    assert ours.get("/orders").headers["ratelimit-policy"] == '"credits";q=1000;w=60'


def test_a_fee_tier_raises_the_quota():
    ours = busy(config_key=KEY, quota=6000)
    assert ours.get("/orders").headers["ratelimit-policy"] == '"credits";q=60000;w=60'


def test_replies_over_the_socket_tell_the_credits_of_a_key():
    ours = busy(config_key=KEY)
    reply = fields(ours.frame("cancel_all_orders", **EVERYTHING))
    assert reply["rl"] == {"r": 2995, "q": 3000, "t": 60}
    refused = fields(ours.frame("cancel_order", symbol="BTC", order_id=1))
    assert refused["rl"] == {"r": 2990, "q": 3000, "t": 60}
    ours.config_key = ""
    assert "rl" not in fields(ours.frame("cancel_all_orders", **EVERYTHING))


def test_a_handshake_costs_a_credit_and_pings_are_free():
    ours = busy()
    assert {ours.send("OPEN", "/ws").status for _ in range(100)} == {101}
    assert ours.send("OPEN", "/ws").status == 429
    assert {ours.say('{"method":"ping"}').status for _ in range(200)} == {200}


@pytest.mark.parametrize("path", ["/orders", "/nowhere"])
def test_without_limits_nothing_is_counted_and_nothing_is_told(path: str):
    ours = caller()
    assert 429 not in {ours.get(path).status for _ in range(150)}
    assert "ratelimit" not in ours.get(path).headers
    assert "rl" not in fields(ours.frame("cancel_all_orders", **EVERYTHING))
