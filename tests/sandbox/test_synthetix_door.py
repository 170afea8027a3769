"""Whom the simulated Synthetix lets in, how often, and in which words it refuses the rest."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from bot.sandbox.venues.synthetix_accounts import Delegate
from bot.sandbox.venues.synthetix_shapes import Empty, Nonces, Traced, Unit
from tests.sandbox.synthetix_caller import (
    DELEGATE,
    DELEGATE_KEY,
    NOW,
    OTHER_UID,
    OWNER,
    STRANGER,
    STRANGER_KEY,
    TRADE,
    UID,
    VECTORS,
    caller,
    error,
    fields,
    response,
)

WRITES = ("s02", "s03", "s04", "s05", "s06", "s10", "s11", "s15", "s16", "s17")
READINGS = ("s07", "s08", "s09")


def body_of(vector: str) -> dict[str, Any]:
    return copy.deepcopy(VECTORS[vector]["rest"]["body"])


def unauthorised(said: str) -> tuple[int, str, str]:
    return 401, "UNAUTHORIZED", said


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
    assert error_code(ours.send(TRADE, body_of(vector))) is None
    assert [seen.is_signed for seen in ours.venue.log] == [True]


def error_code(answer: Any) -> str | None:
    found = fields(answer)
    return found["error"]["code"] if found["status"] == "error" else None


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


@pytest.mark.parametrize(
    ("unit", "expires_after", "is_expired"),
    [
        (Unit.SECONDS, 1_704_067_200, True),
        (Unit.SECONDS, 1_704_067_201, False),
        (Unit.SECONDS, 1_704_067_200_500, False),
        (Unit.SECONDS, 1_000_000_000_000, False),
        (Unit.MILLISECONDS, 1_704_067_200_500, True),
        (Unit.MILLISECONDS, 1_704_067_200_501, False),
        (Unit.MILLISECONDS, 1_704_067_260, True),
        (Unit.SECONDS, 0, False),
        (Unit.MILLISECONDS, 0, False),
        (Unit.MILLISECONDS, None, False),
    ],
)
def test_the_unit_of_the_expiry_is_a_switch(unit: Unit, expires_after: int, is_expired):
    ours = caller()
    ours.choose(expiry_unit=unit)
    ours.expires_after = expires_after
    for answer in (ours.cancel_all(), ours.ask("getOpenOrders")):
        if is_expired:
            assert error(answer) == unauthorised("request expired")
        else:
            assert response(answer) == []


def test_the_expiry_goes_by_the_venues_own_clock():
    ours = caller()
    ours.choose(expiry_unit=Unit.MILLISECONDS)
    ours.expires_after = int(NOW * 1000) + 60_000
    assert response(ours.cancel_all()) == []
    ours.venue.skew_s = 60.0
    assert error(ours.cancel_all()) == unauthorised("request expired")


def test_an_expired_request_leaves_its_nonce_free():
    ours = caller()
    ours.choose(expiry_unit=Unit.MILLISECONDS)
    ours.expires_after = 1_704_067_260
    ours.cancel_all()
    assert ours.venue.registry.nonces == {}


@pytest.mark.parametrize(("is_strict", "code"), [(True, "VALIDATION_ERROR"), (False, None)])
def test_an_expiry_before_the_nonce_is_refused_by_a_switch(is_strict, code: str | None):
    ours = caller()
    ours.choose(expiry_beyond_nonce=is_strict)
    ours.expires_after = int(NOW) + 60
    assert error_code(ours.cancel_all()) == code


def test_a_nonce_serves_once_per_signer_and_whatever_the_subaccount():
    ours = caller()
    ours.venue.registry.accounts[OTHER_UID].delegates[OWNER] = Delegate()
    delegate = replace(ours, key=DELEGATE_KEY)
    again = replace(ours, uid=OTHER_UID)
    assert response(ours.cancel_all()) == []
    assert error(again.cancel_all()) == unauthorised("nonce already used")
    assert response(delegate.cancel_all()) == []


@pytest.mark.parametrize(
    ("nonces", "refused"), [(Nonces.UNIQUE, [False, False]), (Nonces.RISING, [True, False])]
)
def test_whether_nonces_must_rise_is_a_switch(nonces: Nonces, refused: list[bool]):
    ours = caller()
    ours.choose(nonces=nonces)
    ours.cancel_all()
    ours.nonce -= 5
    found = [error_code(ours.cancel_all()) is not None]
    ours.nonce += 5
    assert [*found, error_code(ours.cancel_all()) is not None] == refused


def test_a_reading_uses_no_nonce_even_if_it_has_one():
    ours = caller()
    for _ in range(2):
        assert response(ours.ask("getOpenOrders", nonce=ours.nonce + 1)) == []
    assert response(ours.cancel_all()) == []


def test_a_request_refused_for_want_of_authority_has_used_its_nonce():
    ours = caller()
    stranger = replace(ours, key=STRANGER_KEY)
    said = f"wallet {STRANGER} is not authorized to act on this subaccount"
    assert error(stranger.cancel_all()) == unauthorised(said)
    stranger.nonce -= 1
    assert error(stranger.cancel_all()) == unauthorised("nonce already used")


def test_a_call_with_a_broken_rule_has_used_its_nonce_too():
    ours = caller()
    assert error(ours.cancel_all("*", "BTC-USDT"))[1] == "VALIDATION_ERROR"
    ours.nonce -= 1
    assert error(ours.cancel_all()) == unauthorised("nonce already used")


def test_nobody_owns_a_subaccount_that_there_is_not():
    ours = replace(caller(), uid="1867542890123456791")
    assert error(ours.cancel_all()) == unauthorised("address does not own subaccount")


@pytest.mark.parametrize("code", ["VALIDATION_ERROR", "FORBIDDEN"])
def test_the_code_of_what_has_no_code_of_its_own_is_a_switch(code: str):
    ours = caller()
    ours.choose(auth_code=code)
    ours.expires_after = 5
    assert error(ours.cancel_all())[1:] == (code, "request expired")
    ours.expires_after = 0
    ours.cancel_all()
    ours.nonce -= 1
    assert error(ours.cancel_all())[1:] == (code, "nonce already used")
    assert error(replace(ours, key=STRANGER_KEY).cancel_all())[1] == code


@pytest.mark.parametrize("permission", ["session", "delegate", "trading"])
def test_a_delegate_signs_and_acts_exactly_like_the_owner(permission: str):
    ours = caller()
    ours.account.delegates[DELEGATE] = Delegate(permission=permission, expires_at=NOW + 1)
    ours.place("limit", "a")
    delegate = replace(ours, key=DELEGATE_KEY)
    assert [row["order"]["clientId"] for row in delegate.read()] == ["a"]
    assert len(response(delegate.cancel_all())) == 1
    assert ours.open() == []


def test_a_delegate_with_another_permission_is_forbidden():
    ours = caller()
    ours.account.delegates[DELEGATE] = Delegate(permission="withdraw")
    said = "operation requires session or delegate permission"
    assert error(replace(ours, key=DELEGATE_KEY).cancel_all()) == (403, "FORBIDDEN", said)


def test_a_delegation_ends_at_its_moment_whatever_is_remembered():
    ours = caller()
    ours.account.delegates[DELEGATE] = Delegate(expires_at=NOW + 5)
    delegate = replace(ours, key=DELEGATE_KEY)
    assert response(delegate.cancel_all()) == []
    delegate.now += 4.9
    assert response(delegate.cancel_all()) == []
    delegate.now += 0.1
    assert error(delegate.cancel_all())[1] == "UNAUTHORIZED"


@pytest.mark.parametrize(("cached_s", "waits"), [(30.0, [True, True, False]), (0.0, [False] * 3)])
def test_a_fresh_delegate_waits_until_its_refusal_is_forgotten(cached_s, waits: list[bool]):
    ours = caller()
    ours.choose(denials_cached_s=cached_s)
    del ours.account.delegates[DELEGATE]
    delegate = replace(ours, key=DELEGATE_KEY)
    assert error_code(delegate.cancel_all()) == "UNAUTHORIZED"
    ours.account.delegates[DELEGATE] = Delegate()
    found = []
    for _ in range(3):
        found.append(error_code(delegate.cancel_all()) == "UNAUTHORIZED")
        delegate.now += 15.0
    assert found == waits


@pytest.mark.parametrize(("cached_s", "acts"), [(1800.0, True), (0.0, False)])
def test_a_removed_delegate_may_act_until_its_grant_is_forgotten(cached_s, acts):
    ours = caller()
    ours.choose(grants_cached_s=cached_s)
    delegate = replace(ours, key=DELEGATE_KEY)
    delegate.cancel_all()
    del ours.account.delegates[DELEGATE]
    delegate.now += 1799.0
    assert (error_code(delegate.cancel_all()) is None) is acts
    delegate.now += 1.0
    assert error_code(delegate.cancel_all()) == "UNAUTHORIZED"


def test_an_owner_reaches_its_own_subaccount_alone():
    ours = caller()
    theirs = replace(ours, uid=OTHER_UID)
    theirs.place("limit", "theirs")
    said = f"wallet {OWNER} is not authorized to act on this subaccount"
    assert error(theirs.cancel_all()) == unauthorised(said)
    assert error(theirs.ask("getOpenOrders")) == unauthorised(said)
    assert theirs.open() == ["theirs"]


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


def test_a_subaccount_and_an_address_pay_for_each_call_from_buckets_of_their_own():
    ours = caller(has_limits=True)
    found = fields(ours.cancel_all())
    assert found["rateLimit"] == {"requestsCap": 1000, "remainingTokens": 998}
    assert found["ipRateLimit"] == {"requestsCap": 10_000, "remainingTokens": 9998}
    found = fields(ours.ask("getOpenOrders"))
    assert found["rateLimit"]["remainingTokens"] == 988
    found = fields(replace(ours, key=STRANGER_KEY, uid=OTHER_UID, address="10.0.0.2").cancel_all())
    assert found["rateLimit"]["remainingTokens"] == 998
    assert found["ipRateLimit"]["remainingTokens"] == 9998


def test_an_empty_bucket_refuses_until_the_next_ten_seconds_and_uses_the_nonce():
    ours = caller(has_limits=True)
    ours.account.cap = 12
    assert fields(ours.cancel_all())["rateLimit"]["remainingTokens"] == 10
    assert fields(ours.ask("getOpenOrders"))["rateLimit"]["remainingTokens"] == 0
    ours.now = 1_704_067_209.999
    answer = ours.cancel_all()
    assert error(answer) == (429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded")
    assert fields(answer)["error"]["retryable"] is True
    assert fields(answer)["rateLimit"] == {"requestsCap": 12, "remainingTokens": 0}
    ours.now = 1_704_067_210.0
    ours.nonce -= 1
    assert error(ours.cancel_all()) == unauthorised("nonce already used")
    assert response(ours.cancel_all()) == []


def test_a_stranger_spends_the_bucket_of_its_address_and_not_of_the_subaccount():
    ours = caller(has_limits=True)
    found = fields(replace(ours, key=STRANGER_KEY).cancel_all())
    assert "rateLimit" not in found
    assert found["ipRateLimit"]["remainingTokens"] == 9998
    assert fields(ours.cancel_all())["rateLimit"]["remainingTokens"] == 998


def test_a_cancel_that_comes_too_late_costs_five_times_as_much():
    ours = caller(has_limits=True)
    ours.expires_after = 5
    assert fields(ours.cancel_all())["rateLimit"]["remainingTokens"] == 990
    assert "rateLimit" not in fields(ours.ask("getOpenOrders"))


def test_an_address_has_a_bucket_by_a_switch():
    ours = caller(has_limits=True)
    ours.public("getMarkets")
    ours.venue.buckets.by_name[ours.address].left = 0
    assert error(ours.public("getMarkets"))[:2] == (429, "RATE_LIMIT_EXCEEDED")
    ours.choose(has_address_limit=False)
    assert "ipRateLimit" not in fields(ours.public("getMarkets"))


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
