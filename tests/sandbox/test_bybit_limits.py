"""How often one may knock at the simulated Bybit: per account and second, per address and ban."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sandbox.bybit_caller import OTHER_UID, Caller, caller, envelope

GET, POST = "GET", "POST"
LINEAR = '{"category":"linear","settleCoin":"USDT"}'
INVERSE = '{"category":"inverse","settleCoin":"BTC"}'
SPOT, OPTION = '{"category":"spot"}', '{"category":"option"}'
ALL, ONE, BATCH = "/v5/order/cancel-all", "/v5/order/cancel", "/v5/order/cancel-batch"
REALTIME = "/v5/order/realtime"


def batch(category: str, orders: int) -> str:
    rows = [{"symbol": "BTCUSDT", "orderLinkId": str(number)} for number in range(orders)]
    return json.dumps({"category": category, "request": rows})


DOCUMENTED: list[tuple[str, str, str, int]] = [
    (POST, ALL, LINEAR, 10),
    (POST, ALL, INVERSE, 10),
    (POST, ALL, SPOT, 20),
    (POST, ALL, OPTION, 1),
    (POST, ONE, LINEAR, 10),
    (POST, ONE, SPOT, 20),
    (POST, ONE, OPTION, 10),
    (POST, BATCH, batch("linear", 2), 5),  # Ten orders a second,
    (POST, BATCH, batch("spot", 10), 2),  # twenty,
    (POST, BATCH, batch("option", 20), 10),  # and for options ten requests of any size.
    (GET, REALTIME, "category=linear&settleCoin=USDT", 50),
    (GET, REALTIME, "category=option", 50),
    (GET, REALTIME, "category=spot", 50),
    (POST, "/v5/spread/order/cancel-all", '{"cancelAll":true}', 5),
    (GET, "/v5/rfq/rfq-realtime", "", 50),
    (POST, "/v5/rfq/cancel-all-quotes", "{}", 50),
    (GET, "/v5/user/query-api", "", 10),
    (GET, "/v5/account/info", "", 50),
    (GET, "/v5/strategy/list", "", 200),
    (POST, "/v5/strategy/stop", '{"strategyId":"x"}', 100),
]


def busy() -> Caller:
    return caller(has_limits=True)


def code(ours: Caller, call: tuple[str, str, str]) -> int:
    return int(envelope(ours.send(*call))["retCode"])


@pytest.mark.parametrize(("method", "path", "payload", "allowed"), DOCUMENTED)
def test_the_documented_number_of_calls_a_second_and_no_more(
    method: str, path: str, payload: str, allowed: int
):
    ours = busy()
    call = (method, path, payload)
    assert 10006 not in [code(ours, call) for _ in range(allowed)]
    assert code(ours, call) == 10006
    ours.now += 0.99
    assert code(ours, call) == 10006
    ours.now += 0.02
    assert code(ours, call) != 10006


def test_a_call_over_the_limit_does_nothing():
    ours = busy()
    code(ours, (POST, ALL, OPTION))
    ours.place("option", "late")
    reply = ours.cancel_all(category="option")
    assert reply["retCode"] == 10006
    assert reply["retMsg"] == "Too many visits. Exceeded the API Rate Limit."
    assert reply["result"] == {}
    assert ours.names() == {"late"}


def test_the_second_rolls_and_does_not_start_anew():
    ours = busy()
    linear = (POST, ALL, LINEAR)
    assert [code(ours, linear) for _ in range(5)] == [0] * 5
    ours.now += 0.6
    assert [code(ours, linear) for _ in range(5)] == [0] * 5
    ours.now += 0.41
    assert [code(ours, linear) for _ in range(6)] == [0] * 5 + [10006]


def test_refused_calls_do_not_put_off_the_next_one():
    ours = busy()
    option = (POST, ALL, OPTION)
    code(ours, option)
    for _ in range(9):
        ours.now += 0.1
        assert code(ours, option) == 10006
    ours.now += 0.11
    assert code(ours, option) == 0


def test_linear_and_inverse_share_a_budget_and_spot_has_its_own():
    ours = busy()
    mixed = [code(ours, (POST, ALL, body)) for body in (LINEAR, INVERSE) * 5]
    assert mixed == [0] * 10
    assert code(ours, (POST, ALL, INVERSE)) == 10006
    assert code(ours, (POST, ALL, SPOT)) == 0
    assert code(ours, (POST, ALL, OPTION)) == 0
    assert code(ours, (POST, ONE, LINEAR)) == 110001


def test_each_account_has_its_own_budget_whatever_key_it_uses():
    ours = busy()
    theirs = Caller(venue=ours.venue, uid=OTHER_UID)
    option = (POST, ALL, OPTION)
    assert [code(ours, option), code(theirs, option)] == [0, 0]
    assert [code(ours, option), code(theirs, option)] == [10006, 10006]


def test_headers_say_what_is_left_and_when_it_is_free_again():
    ours = busy()

    def told() -> list[str]:
        headers = ours.send(POST, ALL, LINEAR).headers
        names = ("X-Bapi-Limit", "X-Bapi-Limit-Status", "X-Bapi-Limit-Reset-Timestamp")
        return [headers[name] for name in names]

    assert told() == ["10", "9", "1763694000500"]
    for _ in range(8):
        told()
    assert told() == ["10", "0", "1763694000500"]
    assert told() == ["10", "0", "1763694001500"]


def test_the_reset_is_told_in_the_time_of_the_venue():
    ours = busy()
    ours.venue.skew_s = -0.5
    ours.ahead_ms = -500
    ours.send(POST, ALL, OPTION)
    refused = ours.send(POST, ALL, OPTION)
    assert refused.headers["X-Bapi-Limit-Reset-Timestamp"] == "1763694001000"


def test_without_limits_everything_is_let_through():
    ours = caller(has_limits=False)
    assert {code(ours, (POST, ALL, OPTION)) for _ in range(700)} == {0}
    assert "X-Bapi-Limit" not in ours.send(POST, ALL, OPTION).headers
    assert ours.venue.door.bans == 0


def knock(ours: Caller, times: int = 1) -> list[int]:
    """Ask the time, which no account limit holds back."""
    return [ours.send(GET, "/v5/market/time").status for _ in range(times)]


def test_the_601st_call_of_an_address_in_five_seconds_bans_it_for_ten_minutes():
    ours = busy()
    assert set(knock(ours, 600)) == {200}
    assert knock(ours) == [403]
    assert ours.venue.door.bans == 1
    ours.now += 599.9
    assert knock(ours) == [403]
    ours.now += 0.2
    assert knock(ours) == [200]
    assert ours.venue.door.bans == 1


def test_600_calls_in_any_five_seconds_are_let_through():
    ours = busy()
    for _ in range(4):
        assert set(knock(ours, 600)) == {200}
        ours.now += 5.0


def test_a_ban_is_a_page_of_the_content_network_and_no_envelope():
    ours = busy()
    knock(ours, 600)
    ours.place("spot")
    answer = ours.send(POST, ALL, SPOT)
    assert (answer.status, answer.content_type) == (403, "text/html")
    assert answer.body.startswith(b"<HTML>")
    assert b"access too frequent" in answer.body
    assert ours.open() == {"spot": 1}
    assert ours.venue.log[-1].code == "403"


def test_a_ban_meets_the_address_and_not_the_account():
    ours = busy()
    theirs = Caller(venue=ours.venue, uid=OTHER_UID)
    knock(ours, 601)
    assert knock(theirs) == [403]
    ours.address = "10.0.0.2"
    assert knock(ours) == [200]


def test_calls_refused_with_10006_and_calls_of_strangers_count_for_the_ban():
    ours = busy()
    ours.headers = {"x-bapi-api-key": "NOBODY"}
    codes = [ours.cancel_all(category="option")["retCode"] for _ in range(300)]
    ours.headers = {}
    codes += [ours.cancel_all(category="option")["retCode"] for _ in range(300)]
    assert codes == [10003] * 300 + [0] + [10006] * 299
    assert knock(ours) == [403]


@pytest.mark.parametrize(
    ("field", "value", "let_through"), [("per_address", 3, 3), ("is_on", False, 10)]
)
def test_the_door_can_be_set(field: str, value: Any, let_through: int):
    ours = busy()
    setattr(ours.venue.door, field, value)
    assert knock(ours, 10).count(200) == let_through
