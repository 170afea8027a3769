"""Whom the simulated EMS lets in, what it refuses and how; and the trap beside the door."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.sandbox.venues.coinapi import Key, SimulatedCoinapi
from bot.sandbox.venues.coinapi_shapes import Limited, Unknown
from tests.sandbox.coinapi_caller import (
    CANCEL,
    CANCEL_ALL,
    JOHN,
    ORDERS,
    OURS,
    PLAIN,
    RESPONSES,
    STAMP,
    caller,
    fields,
    other,
)


@pytest.mark.parametrize("api_key", ["", "unknown"])
def test_a_key_that_is_missing_or_unknown_is_refused_and_cancels_nothing(api_key: str):
    ours = caller()
    ours.place("limit", "a")
    ours.api_key = api_key
    assert ours.cancel_all().status == 401
    assert ours.open() == ["a"]
    assert [seen.is_signed for seen in ours.venue.log] == [False]


def test_a_gateway_of_ones_own_asks_for_no_key():
    ours = caller()
    ours.place("limit", "a")
    ours.api_key = ""
    ours.venue.is_self_hosted = True
    assert ours.cancel_all().status == 200


@pytest.mark.parametrize(
    ("is_empty", "body"), [(False, b'{"error": "Invalid API key"}'), (True, b"")]
)
def test_the_body_of_a_refusal_is_a_switch(is_empty, body: bytes):
    ours = caller()
    ours.api_key = ""
    ours.choose(refusals_are_empty=is_empty)
    assert ours.cancel_all().body == body


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("Bearer second-factor", 200), ("second-factor", 200), ("Bearer other", 401), ("", 401)],
)
def test_a_key_with_a_second_factor_needs_it_too(authorization: str, status: int):
    ours = caller()
    ours.venue.add_key(OURS, Key(customer="desk", exchange_ids=(JOHN,), jwt="second-factor"))
    ours.headers["authorization"] = authorization
    assert ours.send("GET", ORDERS).status == status


@pytest.mark.parametrize(
    ("method", "target", "logged"),
    [
        ("GET", f"{ORDERS}?apikey={OURS}", "apikey=REDACTED"),
        ("GET", f"{ORDERS}?exchange_id=KRAKEN&apikey={OURS}", "exchange_id=KRAKEN&apikey=REDACTED"),
        ("POST", f"{CANCEL_ALL}?apikey={OURS}", '?apikey=REDACTED {"exchange_id":"KRAKEN"}'),
    ],
)
def test_a_key_in_the_query_is_accepted_and_noted_but_never_logged(
    method: str, target: str, logged: str
):
    ours = caller()
    ours.api_key = ""
    body = b'{"exchange_id":"KRAKEN"}' if method == "POST" else b""
    assert ours.send(method, target, body).status == 200
    assert ours.venue.keys_in_query == 1
    assert [seen.payload for seen in ours.venue.log] == [logged]


def test_the_wire_log_says_who_asked_what_and_never_a_key():
    ours = caller()
    ours.cancel_all(PLAIN)
    ours.read(None)
    ours.headers["authorization"] = "Bearer second-factor"
    ours.send("GET", "/v1/orders/status/none")
    assert [(seen.uid, seen.method, seen.path, seen.code) for seen in ours.venue.log] == [
        ("desk:KRAKEN", "POST", CANCEL_ALL, "200"),
        ("desk", "GET", ORDERS, "200"),
        ("desk", "GET", "/v1/orders/status/none", "404"),
    ]
    assert ours.venue.keys_in_query == 0
    assert OURS not in repr(ours.venue.log)
    assert "second-factor" not in repr(ours.venue.log)


def test_an_unknown_exchange_id_at_registration_is_an_error_of_the_test():
    with pytest.raises(ValueError, match="EMS knows no exchange id 'BYBIT/A'"):
        SimulatedCoinapi().add_key("k", Key(customer="desk", exchange_ids=("BYBIT/A",)))


BAD_BODIES: list[tuple[str, bytes, str]] = [
    (CANCEL_ALL, b"{}", "exchange_id"),
    (CANCEL_ALL, b'{"exchange_id ":"KRAKEN/JOHN"}', "exchange_id"),
    (CANCEL_ALL, b'{"exchange_id":null}', "exchange_id"),
    (CANCEL_ALL, b'{"exchange_id":""}', "exchange_id"),
    (CANCEL_ALL, b'{"exchange_id":["KRAKEN/JOHN"]}', "exchange_id"),
    (CANCEL_ALL, b'{"exchange_id":"BINANCE"}', "exchange_id"),
    (CANCEL_ALL, b"[]", "$"),
    (CANCEL_ALL, b"exchange_id=KRAKEN/JOHN", "$"),
    (CANCEL, b'{"exchange_id":"KRAKEN/JOHN"}', "client_order_id"),
    (CANCEL, b'{"client_order_id":"a"}', "exchange_id"),
]


@pytest.mark.parametrize(("path", "body", "name"), BAD_BODIES)
def test_a_body_that_breaks_the_model_is_refused_in_the_documented_shape(
    path: str, body: bytes, name: str
):
    ours = caller()
    ours.place("limit", "a")
    answer = ours.send("POST", path, body)
    found = fields(answer)
    documented = RESPONSES["cancel-all-400"]["body"]
    assert answer.status == 400
    assert found.keys() == documented.keys()
    assert [found[each] for each in ("type", "title", "status")] == [
        documented[each] for each in ("type", "title", "status")
    ]
    assert list(found["errors"]) == [name]
    assert ours.open() == ["a"]


def test_the_errors_of_a_refusal_may_be_text():
    ours = caller()
    ours.choose(errors_are_text=True)
    assert fields(ours.post(CANCEL_ALL))["errors"] == "The exchange_id field is required."


def test_a_body_that_is_not_called_json_is_not_looked_at():
    ours = caller()
    ours.headers["content-type"] = "text/plain"
    assert ours.cancel_all().status == 415


@pytest.mark.parametrize(
    ("unknown", "status", "reason"),
    [
        (Unknown.VALIDATION, 400, None),
        (Unknown.UNREACHABLE, 490, "EXCHANGE_UNREACHABLE"),
        (Unknown.REJECT, 200, "OTHER"),
    ],
)
@pytest.mark.parametrize(("path", "more"), [(CANCEL_ALL, {}), (CANCEL, {"client_order_id": "a"})])
def test_an_account_that_the_key_does_not_have_is_refused_as_a_switch_says(
    unknown: Unknown, status: int, reason: str | None, path: str, more: dict[str, str]
):
    ours = caller()
    ours.choose(unknown=unknown)
    answer = ours.post(path, exchange_id="BINANCE", **more)
    assert answer.status == status
    assert fields(answer).get("reject_reason") == reason


def test_a_reading_of_an_unknown_account_is_refused_or_by_a_switch_empty():
    ours = caller()
    assert ours.send("GET", f"{ORDERS}?exchange_id=KRAKEN%2FJOE").status == 490
    ours.choose(unknown_reads_empty=True)
    assert ours.read("KRAKEN/JOE") == []


@pytest.mark.parametrize("status", [404, 200, 490])
def test_an_order_that_cannot_be_found_is_refused_as_a_switch_says(status: int):
    ours = caller()
    ours.choose(missing_status=status)
    answer = ours.post(CANCEL, exchange_id=JOHN, client_order_id="none")
    assert answer.status == status
    assert fields(answer) == {
        "type": "MESSAGE_REJECT",
        "reject_reason": "ORDER_ID_NOT_FOUND",
        "exchange_id": JOHN,
        "message": "Order with ID: none not found",
        "rejected_message": '{"client_order_id":"none","exchange_id":"KRAKEN/JOHN",'
        '"type":"ORDER_CANCEL_SINGLE_REQUEST"}',
    }


def test_two_ids_of_two_orders_name_none():
    ours = caller()
    ours.place("limit", "a")
    ours.place("limit", "b")
    first = ours.read()[0]
    wrong = "b" if first["client_order_id"] == "a" else "a"
    ids = {"exchange_order_id": first["exchange_order_id"], "client_order_id": wrong}
    assert ours.post(CANCEL, exchange_id=JOHN, **ids).status == 404
    assert ours.open() == ["a", "b"]


def test_an_order_on_its_way_has_no_exchange_order_id_to_be_cancelled_by():
    ours = caller()
    ours.place("transit", "a")
    ours.wait(2)
    name = ours.read()[0]["exchange_order_id"]
    ours.wait(-2)
    assert ours.post(CANCEL, exchange_id=JOHN, exchange_order_id=name).status == 404


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", CANCEL_ALL, 405),
        ("POST", ORDERS, 405),
        ("GET", "/v1/orders/status/", 404),
        ("GET", "/v1/balances", 404),
        ("GET", "/v2/orders", 404),
        ("OPEN", "/", 404),
    ],
)
def test_other_places_and_methods_are_refused(method: str, target: str, status: int):
    assert caller().send(method, target).status == status


HISTORY = "/v1/orders/history?time_start=2025-11-21T00:00:00.0000000Z&time_end="


def test_there_is_no_history_unless_orders_are_logged():
    ours = caller()
    assert ours.send("GET", f"{HISTORY}2025-11-22T00:00:00Z").status == 400


@pytest.mark.parametrize(
    ("end", "names"),
    [("2025-11-22T00:00:00.1234567Z", ["open", "gone"]), ("2025-11-21T00:00:01", [])],
)
def test_a_history_holds_closed_orders_too(end: str, names: list[str]):
    ours = caller()
    ours.choose(keeps_order_log=True)
    ours.place("limit", "open")
    ours.place("limit", "gone").gone_at = ours.now
    rows = json.loads(ours.send("GET", HISTORY + end).body)
    assert [row["client_order_id"] for row in rows] == names


@pytest.mark.parametrize("end", ["", "yesterday"])
def test_a_history_without_an_end_is_refused(end: str):
    ours = caller()
    ours.choose(keeps_order_log=True)
    assert ours.send("GET", HISTORY + end).status == 400


@pytest.mark.parametrize(
    ("limited", "allowed", "later_s"),
    [(Limited.CONCURRENCY, 10, 0.005), (Limited.PLAN, 600, 60.0)],
)
def test_calls_beyond_a_limit_are_refused_until_later(
    limited: Limited, allowed: int, later_s: float
):
    ours = caller(has_limits=True)
    ours.choose(limited=limited)
    codes = [ours.send("GET", ORDERS).status for _ in range(allowed + 1)]
    assert codes == [200] * allowed + [429]
    assert other(ours).send("GET", ORDERS).status == 200
    ours.wait(later_s)
    assert ours.send("GET", ORDERS).status == 200


@pytest.mark.parametrize(("has_limits", "limited"), [(True, Limited.NONE), (False, Limited.PLAN)])
def test_there_may_be_no_limit_at_all(has_limits, limited: Limited):
    ours = caller(has_limits=has_limits)
    ours.choose(limited=limited)
    assert {ours.send("GET", ORDERS).status for _ in range(700)} == {200}


MANAGEMENT: list[tuple[str, str, int]] = [
    ("GET", "/v1/accounts", 200),
    ("POST", "/v1/accounts", 405),
    ("DELETE", "/v1/accounts", 200),
    ("DELETE", "/v1/accounts/all", 200),
    ("GET", "/v1/endpoints", 200),
    ("GET", "/v1/exchanges", 200),
    ("GET", "/v1/locations", 200),
    ("GET", "/v1/certificate/pem", 200),
    ("GET", "/v1/certificate", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), MANAGEMENT)
def test_every_call_of_the_management_api_is_counted_and_logged(
    method: str, path: str, status: int
):
    ours = caller()
    assert ours.send(method, path).status == status
    assert ours.venue.management_calls == 1
    assert [(seen.path, seen.code) for seen in ours.venue.log] == [(path, str(status))]


def test_a_management_call_with_a_wrong_key_counts_as_well():
    ours = caller()
    ours.api_key = "unknown"
    assert ours.send("GET", "/v1/accounts").status == 401
    assert ours.venue.management_calls == 1


def test_order_calls_are_no_management_calls():
    ours = caller()
    ours.cancel_all()
    ours.read()
    ours.send("GET", "/v1/accountsx")
    assert ours.venue.management_calls == 0


@pytest.mark.parametrize(
    ("query", "names"),
    [("", [JOHN, PLAIN, STAMP]), ("?filter_exchange_id=KRAKEN&filter_exchange_id=X", [PLAIN])],
)
def test_the_accounts_come_with_their_private_keys_in_clear(query: str, names: list[str]):
    rows = json.loads(caller().send("GET", f"/v1/accounts{query}").body)
    assert [row["exchange_id"] for row in rows] == names
    keys = {pair["key"]: pair["value"] for pair in rows[0]["parameters"]}
    assert keys["PrivateApiKey"] == f"PRIVATE KEY IN CLEAR of {names[0]}"


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("/v1/accounts/all", []),
        ("/v1/accounts?exchange_id=KRAKEN%2FJOHN", [PLAIN, STAMP]),
        ("/v1/accounts", [JOHN, PLAIN, STAMP]),
    ],
)
def test_a_deleted_account_is_unknown_and_its_orders_stay_open(target: str, left: list[str]):
    ours = caller()
    theirs = replace(other(ours))
    for each in (ours, theirs):
        each.place("limit", "a")
    ours.send("DELETE", target)
    found: list[dict[str, Any]] = json.loads(ours.send("GET", "/v1/endpoints").body)
    assert [row["exchange_id"] for row in found] == left
    assert ours.names(None) == (["a"] if JOHN in left else [])
    assert ours.open() == ["a"]
    assert theirs.names() == ["a"]
