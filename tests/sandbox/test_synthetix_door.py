"""What the simulated Synthetix takes for a signed call, and in which shapes it answers."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bot.sandbox.venues.synthetix_shapes import Empty, Traced
from tests.sandbox.synthetix_caller import (
    OTHER_UID,
    OWNER,
    TRADE,
    UID,
    VECTORS,
    caller,
    code_of,
    error,
    fields,
    response,
    unauthorised,
)

WRITES = ("s02", "s03", "s04", "s05", "s06", "s10", "s11", "s15", "s16", "s17")
READINGS = ("s07", "s08", "s09")


def body_of(vector: str) -> dict[str, Any]:
    return copy.deepcopy(VECTORS[vector]["rest"]["body"])


def is_strange(answer: Any) -> bool:
    """A wrong digest recovers to an address that nobody has."""
    status, code, said = error(answer)
    assert (status, code) == (401, "UNAUTHORIZED")
    assert OWNER not in said
    return said.startswith("wallet 0x") and said.endswith(
        "is not authorized to act on this subaccount"
    )


@pytest.mark.parametrize("vector", [*WRITES, *READINGS])
def test_every_golden_vector_is_accepted_as_signed(vector: str):
    ours = caller()
    assert code_of(ours.send(TRADE, body_of(vector))) is None
    assert [seen.is_signed for seen in ours.venue.log] == [True]


def test_the_vector_without_symbols_is_signed_well_and_refused_as_empty():
    ours = caller()
    assert error(ours.send(TRADE, body_of("s01"))) == (
        400,
        "VALIDATION_ERROR",
        "symbols must be nonempty",
    )
    assert ours.venue.log[0].is_signed
    ours = caller()
    ours.choose(empty=Empty.EVERYTHING)
    assert response(ours.send(TRADE, body_of("s01"))) == []


@pytest.mark.parametrize("vector", ["s16", "s17"])
def test_a_signature_without_its_leading_zeros_is_refused(vector: str):
    ours = caller()
    body = body_of(vector)
    name = "r" if vector == "s16" else "s"
    body["signature"][name] = VECTORS[vector]["unpadded_wrong_form"]
    said = f"signature {name} field must be a 64-character hex string with 0x prefix"
    assert error(ours.send(TRADE, body)) == (400, "VALIDATION_ERROR", said)


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("r", "ab" * 32),
        ("r", "0x" + "0" * 65),
        ("s", "0x" + "g" * 64),
        ("s", 5),
        ("v", 29),
        ("v", "27"),
        ("v", True),
        ("v", None),
    ],
)
def test_a_signature_of_another_form_is_refused_before_it_is_looked_at(part: str, wrong: object):
    ours = caller()
    body = body_of("s02")
    body["signature"][part] = wrong
    status, code, said = error(ours.send(TRADE, body))
    assert (status, code) == (400, "VALIDATION_ERROR")
    assert said.startswith(f"signature {part} field must be ")
    assert ours.venue.registry.nonces == {}


@pytest.mark.parametrize(("written", "known_as"), [(27, 27), (0, 27)])
def test_v_counts_from_27_or_from_nought(written: int, known_as: int):
    ours = caller()
    body = body_of("s02")
    assert body["signature"]["v"] == known_as
    body["signature"]["v"] = written
    assert response(ours.send(TRADE, body)) == []


@pytest.mark.parametrize("r", ["0x" + "0" * 63 + "5", "0x" + "f" * 64])
def test_a_signature_that_nobody_can_have_made_is_invalid(r: str):
    ours = caller()
    body = body_of("s02")
    body["signature"]["r"] = r
    assert error(ours.send(TRADE, body)) == unauthorised("Invalid signature")


CHANGED: list[tuple[str, dict[str, Any]]] = [
    ("s04", {"params": {"symbols": ["ETH-USDT", "BTC-USDT"]}}),
    ("s04", {"params": {"symbols": ["BTC-USDT"]}}),
    ("s04", {"params": {"subAccountId": OTHER_UID}}),
    ("s04", {"nonce": 1704067200004}),
    ("s04", {"expiresAfter": 1704067300001}),
    ("s04", {"expiresAfter": 0}),
    ("s10", {"params": {"orderIds": ["1948058938469519361", "1948058938469519360"]}}),
    ("s11", {"params": {"clientOrderIds": ["cli-2024-06-01-001"]}}),
    ("s07", {"nonce": 0}),
    ("s07", {"params": {"action": "getSubAccount"}}),
    ("s08", {"nonce": 1704067200005}),
]


@pytest.mark.parametrize(("vector", "change"), CHANGED)
def test_whatever_differs_from_what_was_signed_makes_it_a_strangers(
    vector: str, change: dict[str, Any]
):
    ours = caller()
    body = body_of(vector)
    body["params"] |= change.get("params", {})
    assert is_strange(ours.send(TRADE, body | {k: v for k, v in change.items() if k != "params"}))
    assert not ours.venue.log[0].is_signed


def test_what_a_reading_filters_by_is_not_signed():
    ours = caller()
    body = body_of("s08")
    body["params"] |= {"symbol": "ETH-USDT", "limit": 3, "offset": 1, "side": "buy"}
    assert response(ours.send(TRADE, body)) == []


def test_the_account_may_be_spelt_as_the_sdk_does():
    ours = caller()
    body = body_of("s02")
    body["params"]["subaccountId"] = body["params"].pop("subAccountId")
    body["params"]["walletAddress"] = OWNER
    assert response(ours.send(TRADE, body)) == []
    assert ours.venue.log[0].uid == UID


BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"signature": None}, "MISSING_REQUIRED_FIELD", "signature is required"),
    ({"nonce": None}, "MISSING_REQUIRED_FIELD", "nonce is required for this operation"),
    ({"nonce": 0}, "MISSING_REQUIRED_FIELD", "nonce is required for this operation"),
    ({"nonce": "1704067200001"}, "INVALID_FORMAT", "Failed to unmarshal request: nonce"),
    ({"nonce": 2**63}, "INVALID_FORMAT", "Failed to unmarshal request: nonce"),
    ({"nonce": 1.5}, "INVALID_FORMAT", "Failed to unmarshal request: nonce"),
    ({"expiresAfter": -1}, "INVALID_FORMAT", "Failed to unmarshal request: expiresAfter"),
    ({"params": {}}, "MISSING_REQUIRED_FIELD", "action is required"),
    ({"params": {"action": "dropEverything"}}, "INVALID_VALUE", "Unsupported action"),
]
BROKEN_PARAMS: list[tuple[dict[str, Any], str]] = [
    ({"subAccountId": int(UID)}, "subAccountId must be a valid integer string"),
    ({"subAccountId": str(2**63)}, "subAccountId must be a valid integer string"),
    ({"subAccountId": "0x19"}, "subAccountId must be a valid integer string"),
    ({"subAccountId": None}, "subAccountId must be a valid integer string"),
    ({"symbols": "*"}, "Failed to unmarshal cancel all orders request"),
    ({"symbols": ["*", 1]}, "Failed to unmarshal cancel all orders request"),
]


@pytest.mark.parametrize(("change", "code", "said"), BROKEN)
def test_an_envelope_that_lacks_something_says_what(change: dict[str, Any], code: str, said: str):
    ours = caller()
    answer = ours.send(TRADE, body_of("s02") | change)
    assert error(answer)[:2] == (400, code)
    assert error(answer)[2].startswith(said)


@pytest.mark.parametrize(("change", "said"), BROKEN_PARAMS)
def test_params_that_cannot_be_read_are_of_an_invalid_format(change: dict[str, Any], said: str):
    ours = caller()
    body = body_of("s02")
    body["params"] |= change
    assert error(ours.send(TRADE, body)) == (400, "INVALID_FORMAT", said)


@pytest.mark.parametrize("ids", [["x"], [1948058938469519360], [str(2**63)], [""]])
def test_order_ids_are_decimal_strings_of_63_bits(ids: list[Any]):
    ours = caller()
    body = body_of("s10")
    body["params"]["orderIds"] = ids
    said = "Failed to unmarshal cancel orders request"
    assert error(ours.send(TRADE, body)) == (400, "INVALID_FORMAT", said)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/trades", b"{}", 404, "NOT_FOUND"),
        ("OPEN", "/v1/ws/trade", b"", 404, "NOT_FOUND"),
        ("GET", "/v1/trade", b"", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/v1/status", b"", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/v1/trade", b"[]", 400, "INVALID_FORMAT"),
        ("POST", "/v1/trade", b"\xff", 400, "INVALID_FORMAT"),
        ("POST", "/v1/trade", b"x" * 20_000, 400, "INVALID_FORMAT"),
        ("POST", "/v1/trade", b"x" * 20_001, 413, "VALIDATION_ERROR"),
        ("POST", "/v1/info", b'{"params":{"action":"cancelAllOrders"}}', 400, "INVALID_VALUE"),
    ],
)
def test_a_call_that_goes_nowhere_is_refused_at_the_door(
    method: str, path: str, body: bytes, status: int, code: str
):
    answer = caller().send(path, body, method)
    assert error(answer)[:2] == (status, code)


def test_an_answer_says_when_and_under_which_id():
    found = fields(caller().cancel_all())
    assert found["timestamp"] == 1_704_067_200_500
    assert found["request_id"] == found["requestId"]
    assert len(found["request_id"]) == 16
    assert found.keys() == {"status", "response", "request_id", "requestId", "timestamp"}


@pytest.mark.parametrize("traced", list(Traced))
def test_the_name_of_the_id_is_a_switch(traced: Traced):
    ours = caller()
    ours.choose(traced=traced)
    names = {"request_id", "requestId", "traceId"}
    found = fields(ours.cancel_all()).keys() & names
    assert (
        found
        == {
            Traced.BOTH: {"request_id", "requestId"},
            Traced.SNAKE: {"request_id"},
            Traced.CAMEL: {"requestId"},
            Traced.TRACE: {"traceId"},
        }[traced]
    )


def test_a_new_error_has_category_details_and_milliseconds():
    found = fields(caller().cancel_all(""))
    assert found["error"] == {
        "code": "VALIDATION_ERROR",
        "message": "symbols[0]: symbol cannot be empty or whitespace",
        "category": "REQUEST",
        "retryable": False,
        "details": {},
    }
    assert found["timestamp"] == 1_704_067_200_500


def test_an_old_error_has_code_and_message_and_rfc_3339():
    ours = caller()
    ours.choose(old_errors=True)
    found = fields(ours.cancel_all(""))
    assert found["error"] == {
        "code": "VALIDATION_ERROR",
        "message": "symbols[0]: symbol cannot be empty or whitespace",
    }
    assert found["timestamp"] == "2024-01-01T00:00:00Z"


def test_an_error_may_come_under_http_200():
    ours = caller()
    ours.choose(errors_under_200=True)
    assert error(ours.cancel_all("")) == (
        200,
        "VALIDATION_ERROR",
        "symbols[0]: symbol cannot be empty or whitespace",
    )


def test_the_wire_log_says_what_was_called_for_whom_and_holds_no_key():
    ours = caller()
    ours.cancel_all()
    ours.cancel_all("")
    ours.public("getMarkets")
    ours.send("/v1/status", b"", "GET")
    assert [(seen.uid, seen.method, seen.path, seen.code) for seen in ours.venue.log] == [
        (UID, "POST", "/v1/trade/cancelAllOrders", "200"),
        (UID, "POST", "/v1/trade/cancelAllOrders", "VALIDATION_ERROR"),
        ("", "POST", "/v1/info/getMarkets", "200"),
        ("", "GET", "/v1/status", "200"),
    ]
    assert ours.key.removeprefix("0x") not in repr(ours.venue.log)
