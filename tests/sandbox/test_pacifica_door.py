"""Whom the simulated Pacifica lets in: signatures, clocks, agents, subaccounts; golden vectors."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import base58
import pytest

from tests.sandbox.pacifica_caller import (
    ALL,
    CLIENT_ID,
    EVERYTHING,
    MAIN,
    NOW_MS,
    ONE,
    OTHER,
    REQUEST_ID,
    STRANGER_KEY,
    STRATEGY,
    SUB,
    SUBACCOUNTS,
    TYPES,
    VECTORS,
    Caller,
    address_of,
    agent_of,
    caller,
    fields,
    key_of,
    signature,
    told,
)

UNVERIFIED = "Verification failed: signature does not match signer and canonical payload."
CASES = {each["id"]: each for each in VECTORS["vectors"]}


def at_vectors() -> Caller:
    """A second after the vectors were signed."""
    ours = caller()
    ours.now = 1_716_200_001.0
    return ours


def test_there_are_twelve_vectors_and_six_wrong_ones():
    assert len(CASES) == 12
    assert len(VECTORS["negatives"]["cases"]) == 6


@pytest.mark.parametrize("name", CASES)
def test_a_golden_request_is_let_in(name: str):
    ours = at_vectors()
    wire = CASES[name]["rest"]
    answer = ours.send(wire["method"], wire["path"], body=json.dumps(wire["body"]).encode())
    assert ours.seen().is_signed
    assert ours.seen().uid == CASES[name]["account"]
    assert answer.status in {200, 404, 422}


@pytest.mark.parametrize("name", [name for name, each in CASES.items() if each.get("ws_frame")])
def test_a_golden_frame_is_let_in(name: str):
    ours = at_vectors()
    answer = ours.say(json.dumps(CASES[name]["ws_frame"]))
    assert ours.seen().is_signed
    assert answer.status in {200, 420}
    assert fields(answer)["id"] == CASES[name]["ws_frame"]["id"]


@pytest.mark.parametrize("name", CASES)
def test_a_golden_request_with_one_bit_changed_is_refused(name: str):
    ours = at_vectors()
    wire = CASES[name]["rest"]
    raw = bytearray.fromhex(CASES[name]["signature_hex"])
    raw[5] ^= 1
    body = wire["body"] | {"signature": base58.b58encode(bytes(raw)).decode()}
    answer = ours.send("POST", wire["path"], body=json.dumps(body).encode())
    assert told(answer) == (400, UNVERIFIED)
    assert not ours.seen().is_signed


@pytest.mark.parametrize("case", VECTORS["negatives"]["cases"], ids=lambda c: c["why_wrong"][:30])
def test_a_signature_over_the_wrong_text_is_refused(case: dict[str, str]):
    ours = at_vectors()
    ours.place("limit")
    wire = CASES["p01"]["rest"]
    body = wire["body"] | {"signature": case["signature_base58"]}
    answer = ours.send("POST", wire["path"], body=json.dumps(body).encode())
    assert fields(answer) == {
        "success": False,
        "data": None,
        "error": UNVERIFIED,
        "code": 400,
        "error_id": "signature_verification_failed",
    }
    assert ours.open() == {"limit": 1}


@pytest.mark.parametrize(
    "changed",
    [
        {"all_symbols": False, "symbol": "BTC"},
        {"exclude_reduce_only": True},
        {"symbol": "BTC"},
        {"timestamp": NOW_MS + 1},
        {"expiry_window": 6000},
        {"expiry_window": None},
        {"account": OTHER},
        {"agent_wallet": OTHER},
    ],
)
def test_what_was_signed_cannot_be_changed_on_its_way(changed: dict[str, Any]):
    ours = caller()
    ours.sent = changed
    assert told(ours.cancel_all()) == (400, UNVERIFIED)


def test_what_is_not_signed_may_be_added_or_null():
    ours = caller()
    ours.sent = {"agent_wallet": None, "symbol": None, "note": "unknown fields are ignored"}
    assert ours.cancel_all().status == 200


def test_null_must_not_be_signed():
    ours = caller()
    body = ours.wired("cancel_all_orders", EVERYTHING)
    header = {"timestamp": NOW_MS, "expiry_window": 5000, "type": "cancel_all_orders"}
    with_null = EVERYTHING | {"symbol": None}
    body["signature"] = signature(ours.key, header | {"data": with_null})
    answer = ours.send("POST", ALL, body=json.dumps(body).encode())
    assert told(answer) == (400, UNVERIFIED)


@pytest.mark.parametrize("path", TYPES)
def test_a_signature_for_one_operation_opens_no_other(path: str):
    ours = caller()
    other = STRATEGY if path != STRATEGY else ONE
    payload = {"symbol": "BTC", "order_id": 1, "strategy_id": CLIENT_ID} | EVERYTHING
    body = ours.wired(TYPES[other], payload)
    answer = ours.send("POST", path, body=json.dumps(body).encode())
    assert told(answer) == (400, UNVERIFIED)


@pytest.mark.parametrize(
    ("window_ms", "late_ms", "status"),
    [
        (5000, 5000, 200),
        (5000, 5001, 400),
        (0, 0, 200),
        (0, 1, 400),
        (None, 30_000, 200),
        (None, 30_001, 400),
        (60_000, 59_000, 200),
    ],
)
def test_a_message_lives_for_its_window(window_ms: int | None, late_ms: int, status: int):
    ours = caller()
    ours.window_ms, ours.ahead_ms = window_ms, -late_ms
    answer = ours.cancel_all()
    assert answer.status == status
    if status == 400:
        assert told(answer) == (400, "Invalid message")


def test_the_window_is_judged_by_the_venues_clock():
    ours = caller()
    ours.venue.skew_s = 6.0
    assert told(ours.cancel_all()) == (400, "Invalid message")
    ours.ahead_ms = 6000
    assert ours.cancel_all().status == 200
    assert ours.cancel_all().headers["Date"] == "Fri, 21 Nov 2025 03:00:06 GMT"


def test_a_message_can_be_played_again_while_it_lives():
    ours = caller()
    body = json.dumps(ours.wired("cancel_all_orders", EVERYTHING)).encode()
    assert ours.send("POST", ALL, body=body).status == 200
    ours.place("limit")
    assert ours.send("POST", ALL, body=body).status == 200
    assert ours.open() == {}


@pytest.mark.parametrize(
    ("sent", "said", "ws_code"),
    [
        ({"signature": "0OIl"}, "Invalid signature", 401),
        ({"signature": "abc"}, "Invalid signature", 401),
        ({"account": "abc"}, "Invalid public key", 402),
        ({"agent_wallet": "abc"}, "Invalid public key", 402),
        ({"timestamp": 1}, "Invalid message", 400),
        # Of two faults the one that the documents list first is told.
        ({"signature": "abc", "timestamp": 1, "account": "abc"}, "Invalid signature", 401),
        ({"timestamp": 1, "account": "abc"}, "Invalid message", 400),
    ],
)
def test_what_is_wrong_is_told_in_the_documented_words(
    sent: dict[str, Any], said: str, ws_code: int
):
    ours = caller()
    ours.sent = sent
    assert told(ours.cancel_all()) == (400, said)
    reply = fields(ours.frame("cancel_all_orders", **EVERYTHING))
    assert (reply["code"], reply["err"]) == (ws_code, said)


@pytest.mark.parametrize(
    "payload",
    [
        {"order_id": "42069", "symbol": "BTC"},
        {"order_id": 42069.0, "symbol": "BTC"},
        {"order_id": -1, "symbol": "BTC"},
        {"order_id": True, "symbol": "BTC"},
        {"order_id": 42069},
        {"symbol": "BTC"},
        {"symbol": 5, "order_id": 42069},
        {"symbol": "BTC", "client_order_id": "79f948fd"},
        {"symbol": "BTC", "client_order_id": 7},
    ],
)
def test_ids_must_be_whole_numbers_and_whole_uuids(payload: dict[str, Any]):
    ours = caller()
    answer = ours.post(ONE, **payload)
    assert answer.status == 400
    assert fields(answer)["error"].startswith("Failed to deserialize the request: ")
    assert fields(ours.frame("cancel_order", **payload))["code"] == 400


@pytest.mark.parametrize(
    "sent",
    [
        {"all_symbols": "true"},
        {"all_symbols": None},
        {"exclude_reduce_only": 0},
        {"timestamp": "1763694000500"},
        {"timestamp": None},
        {"expiry_window": "5000"},
        {"signature": None},
        {"signature": {"type": "hardware", "value": "…"}},
        {"account": None},
    ],
)
def test_fields_of_another_type_cannot_be_read(sent: dict[str, Any]):
    ours = caller()
    ours.sent = sent
    answer = ours.cancel_all()
    assert answer.status == 400
    assert fields(answer)["error"].startswith("Failed to deserialize the request: ")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_object_cannot_be_read(body: bytes):
    ours = caller()
    answer = ours.send("POST", ALL, body=body)
    assert answer.status == 400
    assert fields(answer)["success"] is False


@pytest.mark.parametrize(("size", "status"), [(4096, 200), (4097, 400)])
def test_a_body_has_four_kilobytes_at_most(size: int, status: int):
    ours = caller()
    body = json.dumps(ours.wired("cancel_all_orders", EVERYTHING)).encode()
    assert ours.send("POST", ALL, body=body.ljust(size)).status == status


def test_an_agent_signs_for_the_account_that_it_is_bound_to_and_for_no_other():
    ours = agent_of(caller())
    ours.place("limit")
    assert ours.cancel_all().status == 200
    assert ours.open() == {}
    sub = replace(ours, account=SUB)
    assert told(sub.cancel_all()) == (400, "Agent not authorized for account")
    assert fields(sub.frame("cancel_all_orders", **EVERYTHING))["code"] == 403
    ours.venue.bind_agent(SUB, address_of(ours.key))
    assert sub.cancel_all().status == 200


def test_an_agent_in_the_place_of_the_account_has_no_account():
    ours = agent_of(caller())
    ours.account = address_of(ours.key)
    answer = ours.cancel_all()
    assert told(answer) == (
        403,
        "Beta access required. Signer must redeem a valid beta code.",
    )


def test_an_account_without_a_beta_code_is_refused_on_both_ways():
    ours = caller()
    ours.venue.accounts[MAIN].has_access = False
    assert ours.cancel_all().status == 403
    assert fields(ours.frame("cancel_all_orders", **EVERYTHING))["code"] == 403
    assert ours.get("/orders").status == 200


def test_a_stranger_with_a_good_signature_is_no_agent():
    ours = replace(caller(), key=STRANGER_KEY)
    assert told(ours.cancel_all()) == (400, "Agent not authorized for account")


def test_an_agent_with_a_list_of_addresses_calls_from_these_alone():
    ours = agent_of(caller())
    ours.venue.bind_agent(MAIN, address_of(ours.key), ips=("10.0.0.2",))
    assert told(ours.cancel_all()) == (403, "IP address not whitelisted")
    ours.address = "10.0.0.2"
    assert ours.cancel_all().status == 200


def test_the_main_key_lists_the_subaccounts():
    ours = caller()
    reply = fields(ours.post(SUBACCOUNTS))
    (row,) = reply["data"]["subaccounts"]
    assert (reply["success"], row["address"], row["balance"]) == (True, SUB, "1000.50")
    sub = replace(ours, key=key_of("sub"), account=SUB)
    assert fields(sub.post(SUBACCOUNTS))["data"] == {"subaccounts": []}


def test_a_subaccount_is_an_account_of_its_own():
    ours = caller()
    sub = replace(ours, key=key_of("sub"), account=SUB)
    ours.place("limit")
    sub.place("limit")
    assert fields(ours.cancel_all())["data"] == {"cancelled_count": 1}
    assert sub.open() == {"limit": 1}
    assert sub.cancel_all().status == 200
    assert sub.open() == {}
    main_key_for_sub = replace(ours, account=SUB)
    assert told(main_key_for_sub.cancel_all())[1] == "Agent not authorized for account"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", ALL),
        ("GET", "/api/v1/time"),
        ("POST", "/api/v1/orders"),
        ("DELETE", ALL),
        ("POST", "/orders/cancel_all"),
    ],
)
def test_what_is_not_there_is_404_without_a_body(method: str, path: str):
    answer = caller().send(method, path)
    assert (answer.status, answer.body) == (404, b"")


def test_the_wire_log_never_holds_what_could_be_played_again():
    ours = agent_of(caller())
    ours.config_key = "AbCdEfGh_2mT8x"
    signed = ours.wired("cancel_all_orders", EVERYTHING)["signature"]
    ours.cancel_all()
    ours.frame("cancel_all_orders", **EVERYTHING)
    ours.sent = {"timestamp": 1}
    ours.cancel_all()
    ours.get("/orders")
    lines = [repr(line) for line in ours.venue.log]
    assert len(lines) == 4
    assert not [line for line in lines if signed in line or "AbCdEfGh" in line]
    assert [line.is_signed for line in ours.venue.log] == [True, True, False, False]
    assert json.loads(ours.venue.log[0].payload)["all_symbols"] is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "{}",
        json.dumps({"id": REQUEST_ID}),
        json.dumps({"id": REQUEST_ID, "params": {}}),
        json.dumps({"id": REQUEST_ID, "params": {"cancel_all_orders": 1}}),
        json.dumps({"id": REQUEST_ID, "params": {"cancel_all_orders": {}, "cancel_order": {}}}),
        json.dumps({"id": REQUEST_ID, "params": {"cancel_stop_order": {}}}),
        json.dumps({"op": "ping"}),
    ],
)
def test_a_frame_that_asks_for_nothing_known_is_an_invalid_request(text: str):
    reply = fields(caller().say(text))
    assert (reply["code"], reply["err"]) == (400, "Invalid request")


@pytest.mark.parametrize("request_id", ["", "1", 7, None, REQUEST_ID[:-1]])
def test_the_id_of_a_frame_is_a_whole_uuid(request_id: object):
    ours = caller()
    ours.place("limit")
    reply = fields(ours.frame("cancel_all_orders", request_id=request_id, **EVERYTHING))
    assert reply["code"] == 400
    assert "id" not in reply
    assert ours.open() == {"limit": 1}


def test_the_handshake_is_granted_at_one_path():
    ours = caller()
    assert ours.send("OPEN", "/ws").status == 101
    assert ours.send("OPEN", "/").status == 404


def test_a_ping_is_answered_and_a_bad_subscription_is_not():
    ours = caller()
    assert fields(ours.say('{"method":"ping"}')) == {"channel": "pong"}
    good = {"source": "account_order_updates", "account": MAIN}
    answer = ours.say(json.dumps({"method": "subscribe", "params": good}))
    assert fields(answer) == {"channel": "subscribe", "data": good}
    bad = ours.say('{"method":"subscribe","params":{"source":"acount_orders"}}')
    assert bad.transport.name == "HANG"
