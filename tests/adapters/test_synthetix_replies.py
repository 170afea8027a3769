"""What answers mean: every documented code, every text, every shape, and what matches none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from multidict import CIMultiDict

from adapters import synthetix_codes as codes
from adapters import synthetix_lists as lists
from adapters import synthetix_replies as replies
from adapters.carrier import Reply
from adapters.contract import (
    OpenOrder,
    VenueAuthRefused,
    VenueError,
    VenueOutcomeUnknown,
    VenueRefused,
    VenueReplyInvalid,
    VenueThrottled,
)
from adapters.synthetix_codes import CallInvalid, NonceMissing, NonceRefused
from adapters.synthetix_replies import Heard, Quota, Told
from adapters.synthetix_wire import ORDER, TWAP

OURS = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"
STRANGER = "0x71F3D945F2239e172E99958173a2f64c2aBb3248"
NOW_MS = 1_704_067_203_000.0


def heard(body: object, status: int = 200, **headers: str) -> Heard:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    dashed = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return replies.hear(Reply(status=status, headers=dashed, body=raw), venue_now_ms=NOW_MS)


def failure(body: object, status: int = 200, **headers: str) -> VenueError | None:
    """Return what an answer means, None: nothing is there to cancel."""
    try:
        told = replies.judge(heard(body, status, **headers), address=OURS)
    except VenueError as error:
        return error
    assert told is None
    return None


def error(code: str = "", said: str = "", category: str = "") -> dict[str, Any]:
    return {
        "status": "error",
        "error": {"code": code, "category": category, "message": said, "retryable": False},
        "request_id": "5ccf215d37e3ae6d",
        "timestamp": int(NOW_MS),
    }


def told(payload: object) -> Told:
    return Told(payload=payload)


@pytest.mark.parametrize(
    ("code", "category", "status", "kind", "retryable"),
    [
        ("VALIDATION_ERROR", "REQUEST", 400, CallInvalid, False),
        ("MISSING_REQUIRED_FIELD", "REQUEST", 400, CallInvalid, False),
        ("INVALID_FORMAT", "REQUEST", 400, CallInvalid, False),
        ("INVALID_VALUE", "REQUEST", 400, CallInvalid, False),
        ("MARKET_NOT_FOUND", "TRADING", 400, CallInvalid, False),
        ("ASSET_NOT_FOUND", "MARKET", 400, CallInvalid, False),
        ("UNAUTHORIZED", "AUTH", 401, VenueAuthRefused, False),
        ("FORBIDDEN", "AUTH", 403, VenueAuthRefused, False),
        ("MARKET_ALREADY_EXISTS", "", 400, VenueRefused, False),
        ("INVALID_MARKET_CONFIG", "", 400, VenueRefused, False),
        ("CANCEL_FAILED", "TRADING", 200, VenueRefused, True),
        ("MARKET_CLOSED", "TRADING", 200, VenueRefused, True),
        ("WICK_INSURANCE_ACTIVE", "TRADING", 200, VenueRefused, True),
        ("ORDER_REJECTED_BY_ENGINE", "TRADING", 200, VenueRefused, True),
        ("OPERATION_TIMEOUT", "TRADING", 200, VenueOutcomeUnknown, True),
        ("RATE_LIMIT_EXCEEDED", "RATE_LIMIT", 429, VenueThrottled, True),
        ("INTERNAL_ERROR", "SYSTEM", 500, VenueOutcomeUnknown, True),
        ("DATABASE_ERROR", "SYSTEM", 500, VenueOutcomeUnknown, True),
        ("CACHE_ERROR", "SYSTEM", 500, VenueOutcomeUnknown, True),
        ("REQUEST_TIMEOUT", "SYSTEM", 503, VenueOutcomeUnknown, True),
        ("SERVICE_UNAVAILABLE", "SYSTEM", 503, VenueOutcomeUnknown, True),
        ("SERVICE_DRAINING", "", 200, VenueOutcomeUnknown, True),
        ("SOMETHING_NEW", "SYSTEM", 200, VenueOutcomeUnknown, True),
        ("SOMETHING_NEW", "RATE_LIMIT", 200, VenueThrottled, True),
        ("SOMETHING_NEW", "REQUEST", 200, CallInvalid, False),
        ("SOMETHING_NEW", "AUTH", 200, VenueAuthRefused, False),
        ("SOMETHING_NEW", "", 200, VenueRefused, True),
        ("METHOD_NOT_ALLOWED", "", 405, VenueRefused, False),
        ("NOT_FOUND", "REQUEST", 404, VenueRefused, False),
        ("UNKNOWN_ERROR", "", 400, VenueRefused, True),
    ],
)
def test_every_code_means_what_is_documented_under_any_status(
    code: str, category: str, status: int, kind: type[VenueError], *, retryable: bool
):
    for under in (status, 200):
        found = failure(error(code, "something", category), under)
        assert type(found) is kind
        assert (found.venue_code, found.retryable) == (code, retryable)


def test_call_refused_for_a_code_unknown_may_be_asked_again_and_another_call_may_do():
    found = failure(error("INVALID_SYMBOL", "symbols[0]"), 400)
    assert type(found) is CallInvalid
    assert found.retryable


def test_all_known_codes_are_sorted_somewhere():
    """The whole list that the server's own library holds."""
    known = (
        codes.INVALID | codes.AUTH | codes.MARKET | codes.UNKNOWN_OUTCOME | codes.PASSING
    ) | codes.FINAL.keys()
    assert len(known | {codes.NOT_FOUND, "RATE_LIMIT_EXCEEDED"}) == 46


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        ("UNAUTHORIZED", "nonce already used", NonceRefused),
        ("VALIDATION_ERROR", "Nonce must be greater than previous value", NonceRefused),
        ("", "nonce already used", NonceRefused),
        ("MISSING_REQUIRED_FIELD", "nonce is required for this operation", NonceMissing),
        ("UNAUTHORIZED", "request expired", VenueAuthRefused),
        ("VALIDATION_ERROR", "expiresAfter timestamp has passed", VenueAuthRefused),
        ("VALIDATION_ERROR", "address does not own subaccount", VenueAuthRefused),
        ("", "operation requires account owner, delegates are not permitted", VenueAuthRefused),
        ("", "Invalid signature", VenueAuthRefused),
        ("", "Invalid market symbol", CallInvalid),
        ("INVALID_FORMAT", "Failed to unmarshal cancel all orders request", CallInvalid),
        ("VALIDATION_ERROR", "symbols must be nonempty", CallInvalid),
        ("VALIDATION_ERROR", 'symbols[0]: wildcard "*" must be the only element', CallInvalid),
    ],
)
def test_text_says_what_has_no_code_of_its_own(code: str, said: str, kind: type[VenueError]):
    assert type(failure(error(code, said), 400)) is kind


@pytest.mark.parametrize(
    ("said", "is_clock"),
    [
        ("request expired", True),
        ("expiresAfter must be in the future", True),
        ("expiresAfter must be greater than nonce", True),
        ("delegated signer has expired", False),
        ("delegation expired at 5", False),
    ],
)
def test_expired_call_is_a_matter_of_clocks_and_an_expired_delegate_is_not(
    said: str, *, is_clock: bool
):
    found = failure(error("UNAUTHORIZED", said), 401)
    assert isinstance(found, VenueAuthRefused)
    assert (found.is_clock, found.retryable) == (is_clock, is_clock)
    assert ("NTP" in found.remedy) is is_clock


@pytest.mark.parametrize(
    "body",
    [
        error("ORDER_NOT_FOUND", "Order not found"),
        error("", "No orders found"),
        error("VALIDATION_ERROR", "No open orders to cancel"),
        error("", "No orders found — No open orders to cancel"),
        {"status": "error", "error": "no open orders found"},
    ],
)
@pytest.mark.parametrize("status", [200, 400, 404])
def test_nothing_to_cancel_is_no_error(body: dict[str, Any], status: int):
    assert failure(body, status) is None


@pytest.mark.parametrize("said", ["found no orders", "order book not found", "no such orders"])
def test_other_words_are_not_taken_for_nothing_to_cancel(said: str):
    assert isinstance(failure(error("", said), 400), CallInvalid)


def test_strangers_wallet_means_that_our_typed_data_is_wrong():
    said = "wallet {} is not authorized to act on this subaccount"
    stranger = failure(error("UNAUTHORIZED", said.format(STRANGER)), 401)
    ours = failure(error("UNAUTHORIZED", said.format(OURS.lower())), 401)
    assert isinstance(stranger, VenueAuthRefused)
    assert isinstance(ours, VenueAuthRefused)
    assert stranger.user_message == (
        "Synthetix finds another wallet in our signature: what it thinks was signed is not what "
        "we signed"
    )
    assert ours.user_message == (
        "the key is refused: wallet … is not authorized to act on this subaccount"
    )
    assert "30 s" in ours.remedy


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (200, b"<html>", VenueReplyInvalid, True),
        (200, b"", VenueReplyInvalid, True),
        (200, b"[]", VenueReplyInvalid, True),
        (200, b"{}", VenueReplyInvalid, True),
        (200, b'{"status":"success","response":[]}', VenueReplyInvalid, True),
        (200, b'{"status":"ok","response":["\\ud800"]}', VenueReplyInvalid, True),
        (200, b"[" * 100_000, VenueReplyInvalid, True),
        (302, b"", VenueReplyInvalid, True),
        (400, b"", CallInvalid, False),
        (401, b"<html>", VenueRefused, True),
        (403, b"<html>", VenueRefused, True),
        (404, b"", VenueRefused, False),
        (405, b"", VenueRefused, False),
        (408, b"", VenueOutcomeUnknown, True),
        (413, b"", CallInvalid, False),
        (418, b"", VenueRefused, True),
        (429, b"", VenueThrottled, True),
        (500, b'{"status":"ok","response":[]}', VenueOutcomeUnknown, True),
        (503, b"<html>", VenueOutcomeUnknown, True),
    ],
)
def test_answer_that_says_nothing_is_judged_by_its_status(
    status: int, body: bytes, kind: type[VenueError], *, retryable: bool
):
    found = failure(body, status)
    assert type(found) is kind
    assert found.retryable is retryable


def test_page_of_a_firewall_is_not_taken_for_a_refused_key():
    found = failure(b"<html>", 403)
    assert not isinstance(found, VenueAuthRefused)
    assert found.venue_code == "HTTP 403"
    assert "the key is not what was refused" in found.remedy


def test_error_beside_an_ok_is_an_error():
    body = {"status": "ok", "response": [], "error": {"code": "INTERNAL_ERROR"}}
    assert isinstance(failure(body), VenueOutcomeUnknown)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, 2.0),
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "0"}, 0.5),
        ({"Retry_After": "9999"}, 10.0),
        ({"Retry_After": "Sat, 21 Nov 2026 03:00:00 GMT"}, 2.0),
    ],
)
def test_throttled_call_waits_two_seconds_or_as_long_as_it_is_told(
    headers: dict[str, str], wait_s: float
):
    found = failure(error("RATE_LIMIT_EXCEEDED", "slow down", "RATE_LIMIT"), 429, **headers)
    assert isinstance(found, VenueThrottled)
    assert found.retry_after_s == wait_s


def test_throttled_call_waits_no_longer_than_until_the_next_window():
    answer = Reply(status=429, headers=CIMultiDict(), body=b"")
    found = replies.hear(answer, venue_now_ms=1_704_067_209_100)
    assert found.retry_after_s == pytest.approx(0.9)


def test_no_secret_looking_text_and_no_request_id_is_shown():
    said = f"bad signature 0x{'ab' * 32} of {OURS} in request"
    found = failure(error("CANCEL_FAILED", f"{said} {'x ' * 300}"))
    assert found is not None
    assert "abab" not in found.user_message
    assert OURS not in found.user_message
    assert "5ccf215d37e3ae6d" not in found.user_message
    assert len(found.user_message) < 250


def test_odd_codes_cannot_carry_markup():
    found = failure(error("<@U123> *boo*", "x"))
    assert found is not None
    assert found.venue_code == "U123boo"


@pytest.mark.parametrize("payload", [None, {}, "none", 0])
def test_absent_list_is_never_an_empty_one(payload: object):
    for parse in (
        lists.parse_cancel_all,
        lambda given: lists.parse_orders(given, offset_ms=0),
        lists.parse_markets,
    ):
        with pytest.raises(VenueReplyInvalid):
            parse(told(payload))


def test_cancel_all_counts_orders_of_either_shape_and_no_message_decides():
    old = [{"orderId": "1", "message": "Order cancelled successfully"}, {"orderId": "2"}]
    new = [{"order": {"venueId": "3", "clientId": ""}, "message": "failed", "symbol": None}]
    assert lists.parse_cancel_all(told([*old, *new])) == 3
    assert lists.parse_cancel_all(told([])) == 0
    with pytest.raises(VenueReplyInvalid):
        lists.parse_cancel_all(told(["1"]))


def row(**fields: object) -> dict[str, object]:
    return {
        "order": {"venueId": "1948058938469519360", "clientId": "mine"},
        "symbol": "BTC-USDT",
        "type": "limit",
        "triggerPrice": "",
        "reduceOnly": False,
        "closePosition": False,
        "createdTime": 1704067200000,
    } | fields


def order(**fields: object) -> OpenOrder:
    (found,) = lists.parse_orders(told([row(**fields)]), offset_ms=1500.0)
    return found


def test_open_order_is_read_on_our_own_clock():
    assert order() == OpenOrder(
        order_class=ORDER,
        symbol="BTC-USDT",
        order_id="1948058938469519360",
        client_id="mine",
        created=datetime(2023, 12, 31, 23, 59, 58, 500000, UTC),
    )


@pytest.mark.parametrize(
    ("fields", "order_id", "route"),
    [
        ({"order": {"venueId": 1948058938469519361}}, "1948058938469519361", ()),
        ({"order": None, "orderId": "77"}, "77", ()),
        ({"order": {"venueId": "", "clientId": None}, "orderId": "77"}, "77", ()),
        ({"order": {"venueId": "", "clientId": "mine"}}, "mine", (("by", "clientOrderIds"),)),
    ],
)
def test_order_is_named_by_the_venues_id_or_else_by_the_clients(
    fields: dict[str, object], order_id: str, route: tuple[tuple[str, str], ...]
):
    found = order(**fields)
    assert (found.order_id, found.route) == (order_id, route)


@pytest.mark.parametrize(
    ("fields", "is_protective"),
    [
        ({"type": "Limit"}, False),
        ({"type": "LIMIT"}, False),
        ({"type": "market"}, False),
        ({"type": "limitGtc"}, False),
        ({"type": "Limit IOC"}, False),
        ({"triggerPrice": "0.000"}, False),
        ({"triggerPrice": None}, False),
        ({"triggerPrice": "45000.5"}, True),
        ({"type": "Stop Market"}, True),
        ({"type": "triggerSl"}, True),
        ({"type": "Take Profit Limit"}, True),
        ({"type": "Trailing"}, True),
        ({"type": "TP"}, True),
        ({"type": "limitless novelty"}, False),
        ({"type": ""}, False),
        ({"reduceOnly": True}, True),
        ({"closePosition": True}, True),
        ({"type": "twap", "twapDetails": {}}, False),
        ({"type": "twap", "twapDetails": {"totalTrades": 5}, "reduceOnly": True}, True),
    ],
)
def test_order_protects_if_anything_says_so(fields: dict[str, object], *, is_protective: bool):
    assert order(**fields).is_protective is is_protective


@pytest.mark.parametrize(
    ("fields", "order_class"),
    [
        ({}, ORDER),
        ({"twapDetails": None}, ORDER),
        ({"type": "Stop Market", "triggerPrice": "5"}, ORDER),
        ({"twapDetails": {"totalTrades": 5}}, TWAP),
        ({"type": "TWAP"}, TWAP),
    ],
)
def test_twap_is_a_class_of_its_own(fields: dict[str, object], order_class: str):
    assert order(**fields).order_class == order_class


@pytest.mark.parametrize(
    ("created", "at"),
    [
        ("1704067200000", datetime(2023, 12, 31, 23, 59, 58, 500000, UTC)),
        ("2024-01-01T00:00:00Z", datetime(2023, 12, 31, 23, 59, 58, 500000, UTC)),
        ("2024-01-01T00:00:00.123456789Z", datetime(2023, 12, 31, 23, 59, 58, 623456, UTC)),
        ("2024-01-01T00:00:00", None),
        ("yesterday", None),
        (None, None),
        (True, None),
        (10**16, None),
        (999_999_999_999_999, None),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_time_of_creation_is_read_in_any_form_or_not_told(created: object, at: datetime | None):
    assert order(createdTime=created).created == at


@pytest.mark.parametrize(
    "fields",
    [
        {"symbol": None},
        {"symbol": ""},
        {"symbol": "*"},
        {"symbol": "BTC USDT"},
        {"type": None},
        {"order": {"venueId": "abc"}},
        {"order": {"venueId": True}},
        {"order": {"venueId": str(2**64)}},
        {"order": {}},
        {"order": None},
        {"reduceOnly": "no"},
    ],
)
def test_row_that_is_not_as_documented_spoils_the_page_and_is_not_shown(
    fields: dict[str, object],
):
    with pytest.raises(VenueReplyInvalid) as caught:
        lists.parse_orders(told([row(), row(**fields)]), offset_ms=0)
    assert "BTC" not in caught.value.user_message


def some(*ids: str) -> list[OpenOrder]:
    return [OpenOrder(order_class=ORDER, symbol="BTC-USDT", order_id=each) for each in ids]


def canceled(order_id: str, client_id: str = "") -> dict[str, object]:
    inner = {"order": {"venueId": order_id, "clientId": client_id}, "id": order_id}
    return {"canceled": inner}


def statuses(orders: list[OpenOrder], rows: list[Any]) -> list[tuple[int | None, str]]:
    found = lists.parse_statuses(orders, told({"statuses": rows}), address=OURS)
    return [(each.accepted, each.error.code if each.error else "") for each in found]


def test_each_order_of_a_batch_has_a_receipt_of_its_own():
    rows = [
        {"error": "Order not found", "errorCode": "ORDER_NOT_FOUND", "order": {"venueId": "3"}},
        {"error": "engine is busy", "errorCode": "OPERATION_TIMEOUT", "order": {"venueId": "2"}},
        {"cancelled": {"order": {"venueId": "4", "clientId": ""}}},
        canceled("1"),
        {"error": "no", "errorCode": "CANCEL_FAILED", "order": {"venueId": "5"}},
        {"errorCode": "CANCEL_FAILED", "canceled": {"order": {"venueId": "6"}}},
    ]
    assert statuses(some("1", "2", "3", "4", "5", "6"), rows) == [
        (1, ""),
        (0, "venue_outcome_unknown"),
        (0, ""),
        (1, ""),
        (0, "venue_refused"),
        (0, "venue_refused"),
    ]


def test_status_without_an_id_is_found_by_its_place():
    rows = [{"error": "Order not found"}, {"canceled": True}]
    assert statuses(some("1", "2"), rows) == [(0, ""), (1, "")]


def test_missing_status_is_an_invalid_answer_for_that_order():
    assert statuses(some("1", "2"), [canceled("2")]) == [
        (None, "venue_reply_invalid"),
        (1, ""),
    ]
    assert statuses(some("1", "2"), [{"canceled": True}]) == [(None, "venue_reply_invalid")] * 2
    assert statuses(some("1"), [{}]) == [(None, "venue_reply_invalid")]


def test_status_of_another_order_is_not_taken_for_ours():
    assert statuses(some("1"), [canceled("9")]) == [(None, "venue_reply_invalid")]


def test_client_id_that_looks_like_anothers_venue_id_does_not_take_its_status():
    rows = [canceled("1"), {"error": "no", "errorCode": "CANCEL_FAILED",
                            "order": {"venueId": "2", "clientId": "1"}}]  # fmt: skip
    assert statuses(some("1", "2"), rows) == [(1, ""), (0, "venue_refused")]


def test_orders_cancelled_by_client_id_are_found_by_it():
    rows = [{"canceled": {"order": {"venueId": "7", "clientId": "mine"}, "id": "mine"}}]
    assert statuses(some("mine"), rows) == [(1, "")]


def test_markets_are_their_symbols():
    rows = [{"symbol": "BTC-USDT", "isOpen": True}, {"symbol": "ETH-USDT", "isOpen": False}]
    assert lists.parse_markets(told(rows)) == {"BTC-USDT", "ETH-USDT"}
    with pytest.raises(VenueReplyInvalid):
        lists.parse_markets(told([]))


@pytest.mark.parametrize(
    ("bucket", "quota"),
    [
        ({"requestsCap": 1000, "remainingTokens": 998}, Quota(limit=1000, remaining=998)),
        ({"requestsCap": 1000, "remainingTokens": -5}, Quota(limit=1000, remaining=0)),
        ({"requestsCap": 1000, "remainingTokens": 5000}, Quota(limit=1000, remaining=1000)),
        ({"requestsCap": 0, "remainingTokens": 0}, None),
        ({"requestsCap": "1000", "remainingTokens": 998}, None),
        ({"requestsCap": 1000}, None),
        (None, None),
        ("full", None),
    ],
)
def test_tokens_are_told_beside_any_answer_or_not_at_all(bucket: object, quota: Quota | None):
    body = error("INTERNAL_ERROR") | {"rateLimit": bucket}
    assert replies.parse_quota(heard(body, 500), "rateLimit") == quota
    assert replies.parse_quota(heard(b"<html>", 500), "rateLimit") is None


@pytest.mark.parametrize(
    ("timestamp", "at_ms"),
    [
        (1704067203000, 1704067203000.0),
        ("2024-01-01T00:00:03Z", 1704067203000.0),
        ("2024-01-01T01:00:03.5+01:00", 1704067203500.0),
        (None, None),
        ("soon", None),
    ],
)
def test_every_answer_tells_the_time_in_one_of_two_forms(timestamp: object, at_ms: float | None):
    assert replies.parse_time_ms(heard({"status": "ok", "timestamp": timestamp})) == at_ms
