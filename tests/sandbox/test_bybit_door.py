"""Who the simulated Bybit lets in: signatures to the byte, clocks, keys, addresses, permissions."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bot.sandbox.venues.bybit import PERMISSIONS, Key, SimulatedBybit
from bot.sandbox.venues.exchange import Request
from tests.sandbox.bybit_caller import HOME, KEYS, NOW, UID, caller, envelope, sign

VECTORS = json.loads((Path(__file__).parents[1] / "adapters" / "bybit_vectors.json").read_text())
"""Signed by pybit, ccxt and openssl, not by us; see `source` inside."""
GOLDEN = [
    pytest.param(case, variant, id=f"{case['id']}-{variant.get('serialization', 'query')}")
    for case in VECTORS["cases"]
    for variant in case["variants"]
]
QUERY_API = "/v5/user/query-api"


def golden_venue() -> SimulatedBybit:
    venue = SimulatedBybit(seed=1)
    hmac, rsa_key = VECTORS["credentials"]["hmac"], VECTORS["credentials"]["rsa"]
    venue.add_key(hmac["key"], Key(uid=UID, secret=hmac["secret"]))
    venue.add_key(rsa_key["key"], Key(uid=UID, public_pem=rsa_key["public_key_pem"]))
    return venue


def golden_request(case: dict[str, Any], variant: dict[str, Any]) -> Request:
    return Request(
        method=case["method"],
        path=case["path"],
        query=variant.get("query", case.get("query", "")),
        headers={name.lower(): value for name, value in variant["headers"].items()},
        body=variant.get("body", "").encode(),
        address=HOME,
    )


@pytest.mark.parametrize(("case", "variant"), GOLDEN)
def test_a_request_that_other_clients_signed_is_let_in(
    case: dict[str, Any], variant: dict[str, Any]
):
    venue = golden_venue()
    venue.answer(golden_request(case, variant), int(case["timestamp"]) / 1000)
    assert venue.log[-1].is_signed
    assert venue.log[-1].code not in {"10002", "10003", "10004"}


@pytest.mark.parametrize(("case", "variant"), GOLDEN)
def test_the_same_request_with_one_byte_changed_is_not(
    case: dict[str, Any], variant: dict[str, Any]
):
    venue = golden_venue()
    there = golden_request(case, variant)
    changed = Request(
        method=there.method,
        path=there.path,
        query=there.query + " " if there.method == "GET" else "",
        headers=there.headers,
        body=there.body + b" " if there.method == "POST" else b"",
        address=HOME,
    )
    venue.answer(changed, int(case["timestamp"]) / 1000)
    assert (venue.log[-1].is_signed, venue.log[-1].code) == (False, "10004")


def test_a_wrong_signature_is_told_what_should_have_been_signed():
    """The real one echoes it too, with the API key in it: what a log must not keep."""
    ours = caller()
    ours.headers = {"x-bapi-sign": "0" * 64}
    reply = ours.get("/v5/order/realtime", "category=spot")
    assert reply["retCode"] == 10004
    assert reply["retMsg"] == "error sign! origin_string[1763694000500KEYONE5000category=spot]"
    assert reply["result"] == {}


def test_a_cursor_signed_as_it_came_but_sent_requoted_is_refused():
    """What aiohttp does to `%3A` in a URL given as text: page one works, page two does not."""
    ours = caller()
    ours.seed(spot=30)
    cursor = ours.get("/v5/order/realtime", "category=spot")["result"]["nextPageCursor"]
    stamp = str(int(NOW * 1000))
    signed = f"{stamp}KEYONE5000category=spot&cursor={cursor}"
    ours.headers = {"x-bapi-sign": sign("secret-one", signed)}
    query = f"category=spot&cursor={cursor.replace('%3A', ':').replace('%2C', ',')}"
    assert ours.get("/v5/order/realtime", query)["retCode"] == 10004
    assert len(ours.read(f"category=spot&cursor={cursor}")) == 10


def test_the_path_is_not_signed_but_the_body_is_whole():
    ours = caller()
    assert (
        envelope(ours.send("POST", "/v5/order/cancel-all", '{"category":"spot"}'))["retCode"] == 0
    )
    spaced = '{ "category" : "spot" }'
    assert envelope(ours.send("POST", "/v5/order/cancel-all", spaced))["retCode"] == 0


@pytest.mark.parametrize(
    ("ahead_ms", "window", "code"),
    [
        (0, "5000", 0),
        (999, "5000", 0),
        (1000, "5000", 10002),
        (1002, "60000", 10002),  # A wider window does not cure a clock that is ahead.
        (-5000, "5000", 0),
        (-5001, "5000", 10002),
        (-5001, "6000", 0),
        (-1, "0", 10002),
    ],
)
def test_a_timestamp_may_be_a_window_old_and_less_than_a_second_ahead(
    ahead_ms: int, window: str, code: int
):
    ours = caller()
    ours.ahead_ms, ours.window = ahead_ms, window
    assert ours.get(QUERY_API)["retCode"] == code


def test_a_refused_clock_is_told_both_times():
    ours = caller()
    ours.ahead_ms = 1002
    reply = ours.get(QUERY_API)
    assert reply["retMsg"] == (
        "invalid request, please check your server timestamp or recv_window param. "
        "req_timestamp[1763694001502],server_timestamp[1763694000500],recv_window[5000]"
    )


def test_a_venue_whose_clock_is_wrong_says_its_own_time():
    ours = caller()
    ours.venue.skew_s = -7.0
    assert ours.get(QUERY_API)["retCode"] == 10002
    told = ours.get("/v5/market/time")
    assert told["time"] == 1763693993500
    assert told["result"]["timeSecond"] == "1763693993"
    assert int(told["result"]["timeNano"]) // 1_000_000 == 1763693993500
    ours.ahead_ms = -7000
    assert ours.get(QUERY_API)["retCode"] == 0


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-bapi-api-key": "NOBODY"}, 10003),
        ({"x-bapi-api-key": ""}, 10001),
        ({"x-bapi-timestamp": ""}, 10001),
        ({"x-bapi-timestamp": "yesterday"}, 10001),
        ({"x-bapi-sign": ""}, 10001),
        ({"x-bapi-recv-window": "long"}, 10001),
        ({"x-bapi-recv-window": "6000"}, 10004),  # It is signed as well.
        ({"x-bapi-sign": "é" * 64}, 10004),
    ],
)
def test_headers_that_are_wrong_are_refused(headers: dict[str, str], code: int):
    ours = caller()
    ours.place("spot")
    ours.headers = headers
    reply = ours.cancel_all(category="spot")
    assert (reply["retCode"], reply["result"]) == (code, {})
    assert ours.open() == {"spot": 1}
    assert not ours.venue.log[-1].is_signed


def test_no_key_is_needed_for_what_is_public():
    ours = caller()
    ours.headers = dict.fromkeys(("x-bapi-api-key", "x-bapi-sign", "x-bapi-timestamp"), "")
    assert ours.get("/v5/market/time")["retCode"] == 0
    assert ours.get("/v5/market/instruments-info", "category=spot")["retCode"] == 0
    assert ours.get("/v5/account/info")["retCode"] == 10001


def test_a_key_bound_to_addresses_is_refused_from_any_other():
    ours = caller()
    api_key, secret = KEYS[UID]
    ours.venue.add_key(api_key, Key(uid=UID, secret=secret, ips=("10.0.0.1",)))
    assert ours.get(QUERY_API)["result"]["ips"] == ["10.0.0.1"]
    ours.address = "10.0.0.2"
    assert ours.get(QUERY_API)["retCode"] == 10010


def test_a_read_only_key_reads_and_cancels_nothing():
    ours = caller()
    ours.seed(spot=2)
    api_key, secret = KEYS[UID]
    ours.venue.add_key(api_key, Key(uid=UID, secret=secret, is_read_only=True))
    assert ours.get(QUERY_API)["result"]["readOnly"] == 1
    assert len(ours.read("category=spot")) == 2
    assert ours.cancel_all(category="spot")["retCode"] == 10005
    assert ours.open() == {"spot": 2}


@pytest.mark.parametrize(
    ("group", "refused"),
    [("Spot", {"spot"}), ("ContractTrade", {"linear", "inverse"}), ("Derivatives", {"option"})],
)
def test_a_key_without_a_permission_cancels_nothing_of_that_category(group: str, refused: set[str]):
    ours = caller()
    api_key, secret = KEYS[UID]
    lacking = Key(uid=UID, secret=secret, permissions=dict(PERMISSIONS) | {group: []})
    ours.venue.add_key(api_key, lacking)
    assert ours.get(QUERY_API)["result"]["permissions"][group] == []
    codes = {
        category: ours.cancel_all(category=category, symbol="X")["retCode"]
        for category in ("linear", "inverse", "spot", "option")
    }
    assert {category for category, code in codes.items() if code == 10005} == refused
    assert {code for category, code in codes.items() if category not in refused} == {0}


def test_a_key_says_whose_it_is_and_what_it_may():
    result = caller().get(QUERY_API)["result"]
    assert result["userID"] == 1001
    assert result["apiKey"] == "KEYONE"
    assert result["readOnly"] == 0
    assert result["secret"] == ""
    assert result["uta"] == 1
    assert result["ips"] == ["*"]
    assert result["permissions"]["Wallet"] == []
    assert caller().get("/v5/account/info")["result"]["unifiedMarginStatus"] == 5


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v5/nowhere"), ("POST", "/v5/order/realtime"), ("POST", QUERY_API), ("GET", "/")],
)
def test_a_wrong_path_or_method_has_no_route(method: str, path: str):
    assert envelope(caller().send(method, path))["retCode"] == 10017


@pytest.mark.parametrize("body", ["{", "[]", "null", '"all"', "12"])
def test_a_signed_body_that_is_no_json_object_is_refused(body: str):
    assert envelope(caller().send("POST", "/v5/order/cancel-all", body))["retCode"] == 10001


def test_an_empty_body_counts_as_an_empty_object():
    assert envelope(caller().send("POST", "/v5/rfq/cancel-all-rfq", ""))["retCode"] == 0


def test_a_body_of_no_known_text_is_refused_and_not_fatal():
    ours = caller()
    request = Request(
        method="POST",
        path="/v5/order/cancel-all",
        query="",
        headers={
            "x-bapi-api-key": "KEYONE",
            "x-bapi-timestamp": str(int(NOW * 1000)),
            "x-bapi-sign": "0" * 64,
        },
        body=b"\xff\xfe",
        address=HOME,
    )
    assert envelope(ours.venue.answer(request, NOW))["retCode"] == 10004


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    ("pad", "code"),
    [
        (padding.PKCS1v15(), 0),
        (padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32), 10004),
    ],
    ids=["PKCS1v15", "PSS"],
)
def test_rsa_is_pkcs1_v15_and_not_pss(
    private: rsa.RSAPrivateKey, pad: padding.PKCS1v15 | padding.PSS, code: int
):
    ours = caller()
    public_pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    ours.venue.add_key("KEYONE", Key(uid=UID, public_pem=public_pem.decode()))
    text = f"{int(NOW * 1000)}KEYONE5000".encode()
    signature = private.sign(text, pad, hashes.SHA256())
    ours.headers = {"x-bapi-sign": base64.b64encode(signature).decode()}
    assert ours.get(QUERY_API)["retCode"] == code
    ours.headers = {"x-bapi-sign": "not base64!"}
    assert ours.get(QUERY_API)["retCode"] == 10004


def test_the_wire_log_keeps_every_call_and_no_key():
    ours = caller()
    ours.cancel_all(category="spot")
    ours.get(QUERY_API)
    ours.headers = {"x-bapi-sign": "0"}
    ours.get("/v5/order/realtime", "category=spot")
    seen = [(s.uid, s.method, s.path, s.is_signed, s.code) for s in ours.venue.log]
    assert seen == [
        ("1001", "POST", "/v5/order/cancel-all", True, "0"),
        ("1001", "GET", "/v5/user/query-api", True, "0"),
        ("1001", "GET", "/v5/order/realtime", False, "10004"),
    ]
    assert {(s.at, s.address) for s in ours.venue.log} == {(NOW, HOME)}
    text = repr(ours.venue.log)
    assert "KEYONE" not in text
    assert "secret-one" not in text
