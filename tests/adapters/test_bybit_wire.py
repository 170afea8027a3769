from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from adapters import bybit_codes, bybit_replies, bybit_wire, signing
from adapters.bybit_codes import Forbidden
from adapters.bybit_wire import (
    INVERSE,
    LINEAR,
    OPTION,
    QUOTE,
    RFQ,
    SPOT,
    SPOT_BOTH_WAYS,
    SPOT_OCO,
    SPOT_STOP,
    SPOT_TPSL,
    Ask,
)
from adapters.contract import (
    VenueAuthRefused,
    VenueBanned,
    VenueError,
    VenueOutcomeUnknown,
    VenueRefused,
    VenueReplyInvalid,
    VenueThrottled,
)
from tests.adapters.bybit_world import REPLIES, VECTORS, envelope, failure, heard, judged

CASES = {case["id"]: case for case in VECTORS["cases"]}
EQ = "page_args%3Dfd4300ae-7847-404e-b947-b46980a4d140%26symbol%3D6%26"
COLON = (
    "f5f2d355-9a11-4af3-9b83-aa1d6ab6ddfe%3A1757837618905%2C"
    "aee7453a-a100-465f-857a-3db780e9329a%3A1757837580469"
)
STRATEGY_ID = "119b6211-2611-461b-be5e-5ac557099e82"
cancel_all = bybit_wire.build_cancel_all
realtime = bybit_wire.build_realtime
BUILT: dict[str, Ask] = {
    "post-linear-settle-usdt": cancel_all(LINEAR, {"settleCoin": "USDT"}),
    "post-linear-settle-usdc": cancel_all(LINEAR, {"settleCoin": "USDC"}),
    "post-linear-active-only": cancel_all(LINEAR, {"settleCoin": "USDT", "orderFilter": "Order"}),
    "post-linear-symbol": cancel_all(LINEAR, {"symbol": "BTCUSDT"}),
    "post-inverse-settle": cancel_all(INVERSE, {"settleCoin": "BTC"}),
    "post-inverse-base": cancel_all(INVERSE, {"baseCoin": "ETH"}),
    "post-option-all": cancel_all(OPTION, {}),
    "post-option-usdc": cancel_all(OPTION, {"settleCoin": "USDC"}),
    "post-spot-Order": cancel_all(SPOT, {}),
    "post-spot-tpslOrder": cancel_all(SPOT_TPSL, {}),
    "post-spot-StopOrder": cancel_all(SPOT_STOP, {}),
    "post-spot-OcoOrder": cancel_all(SPOT_OCO, {}),
    "post-spot-BidirectionalTpslOrder": cancel_all(SPOT_BOTH_WAYS, {}),
    "post-spot-symbol-stop": cancel_all(SPOT_STOP, {"symbol": "ETHUSDC"}),
    "post-spread-all": bybit_wire.build_cancel_all_spread({}),
    "post-rfq-cancel-all-rfq": bybit_wire.build_cancel_all_rfq(RFQ),
    "post-rfq-cancel-all-quotes": bybit_wire.build_cancel_all_rfq(QUOTE),
    "post-strategy-stop": bybit_wire.build_stop(STRATEGY_ID),
    "get-realtime-linear-usdt-p1": realtime("linear", {"settleCoin": "USDT"}),
    "get-realtime-linear-usdt-cursor-eq": realtime("linear", {"settleCoin": "USDT"}, EQ),
    "get-realtime-linear-usdc-cursor-colon": realtime("linear", {"settleCoin": "USDC"}, COLON),
    "get-realtime-spot": realtime("spot", {}),
    "get-realtime-spot-tpsl": realtime("spot", {"orderFilter": "tpslOrder"}),
    "get-realtime-inverse": realtime("inverse", {}),
    "get-realtime-option": realtime("option", {}),
    "get-spread-realtime": bybit_wire.build_spread_realtime({}),
    "get-query-api": bybit_wire.build_query_api(),
    "get-strategy-list": bybit_wire.build_strategies({"status": "2"}),
    "rsa-post-linear-settle-usdt": cancel_all(LINEAR, {"settleCoin": "USDT"}),
    "rsa-post-spot-oco": cancel_all(SPOT_OCO, {}),
    "rsa-get-realtime-cursor": realtime("linear", {"settleCoin": "USDT"}, COLON),
    "rsa-get-query-api": bybit_wire.build_query_api(),
}
NEVER_ASKED = {"post-spot-default", "get-account-info"}


def test_every_golden_vector_is_built_or_named_as_never_asked():
    assert BUILT.keys() | NEVER_ASKED == CASES.keys()


@pytest.mark.parametrize("name", BUILT)
async def test_request_has_the_bytes_and_signature_of_the_golden_vector(name: str):
    case, ask = CASES[name], BUILT[name]
    compact = case["variants"][0]
    message = bybit_wire.prehash(
        ask.payload,
        timestamp_ms=int(case["timestamp"]),
        api_key=case["key"],
        recv_window_ms=int(case["recv_window"]),
    )
    secret = SecretStr(VECTORS["credentials"][case["credential"]]["secret"])
    is_rsa = case["credential"] == "rsa"
    signer_of = signing.RsaSigner if is_rsa else signing.HmacSigner
    signer = signer_of(SecretStr(case["key"]), secret)

    assert (ask.method, ask.path) == (case["method"], case["path"])
    assert ask.payload == compact["body" if case["method"] == "POST" else "query"]
    assert message == compact["prehash"].encode()
    assert await signer.sign(message) == compact["signature"]


def test_headers_carry_the_very_strings_that_were_signed():
    headers = bybit_wire.auth_headers(
        "abc", timestamp_ms=1700000000123, api_key="KEY", recv_window_ms=5000
    )
    assert dict(headers) == {
        "X-BAPI-API-KEY": "KEY",
        "X-BAPI-TIMESTAMP": "1700000000123",
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": "abc",
    }


def test_a_spread_symbol_is_encoded_in_a_query():
    ask = bybit_wire.build_spread_realtime({"symbol": "SOLUSDT_SOL/USDT"})
    assert ask.query == "limit=50&symbol=SOLUSDT_SOL%2FUSDT"


GONE = "110001 170213 20001 30034 140001 110008 110010 170139 170142 170190"
KINDS = {
    VenueOutcomeUnknown: "10000 10016 170007 10014 170147",
    VenueAuthRefused: "-1 10002 10003 10004 10005 10007 10008 10009 10010 33004 -2015",
    VenueThrottled: "10006 170222 30035",
    VenueBanned: "10018",
    VenueRefused: "10001 10017 10024 10027 10028 10029 100028 110079 110095 110097 110100 110115 "
    "170144 170145 170150 170191 170201 170212 3100326",
}


@pytest.mark.parametrize(
    ("code", "kind"), [(code, kind) for kind, codes in KINDS.items() for code in codes.split()]
)
def test_documented_code_is_the_error_it_means(code: str, kind: type[VenueError]):
    error = failure(envelope(int(code), "words"))
    assert type(error) is kind
    assert error.venue_code == code or kind is VenueBanned
    assert error.user_message


def test_the_table_has_no_code_that_these_tests_leave_out():
    named = {code for codes in KINDS.values() for code in codes.split()}
    assert set(bybit_codes.CODES) == named.union(GONE.split())


@pytest.mark.parametrize("code", GONE.split(" "))
def test_an_order_that_is_gone_is_nothing_to_cancel(code: str):
    assert judged(envelope(int(code), "Order does not exist.")) is None


LATER = "110079 110095 110115 170144 170145 170150 170191 170212"


@pytest.mark.parametrize("code", LATER.split(" "))
def test_a_refusal_that_may_pass_is_tried_again(code: str):
    assert failure(envelope(int(code))).retryable


def test_an_unknown_code_is_an_error_that_says_so():
    error = failure(envelope(987654, "something new"))
    assert isinstance(error, VenueRefused)
    assert error.venue_code == "987654"
    assert "unknown" in error.user_message


def test_a_code_may_be_a_string():
    found = judged({"retCode": "0", "retMsg": "OK", "result": {"a": 1}})
    assert found is not None
    assert found.result == {"a": 1}
    assert isinstance(failure(envelope("10003")), VenueAuthRefused)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, VenueReplyInvalid),
        (302, VenueReplyInvalid),
        (400, VenueRefused),
        (401, VenueAuthRefused),
        (403, Forbidden),
        (404, VenueRefused),
        (429, VenueThrottled),
        (500, VenueOutcomeUnknown),
        (503, VenueOutcomeUnknown),
    ],
)
@pytest.mark.parametrize(
    "body", [b"<HTML>no</HTML>", b"", b"[]", b'{"a":1}', b'{"retCode":[]}', b"[" * 100_000]
)
def test_an_answer_without_envelope_is_judged_by_its_status(
    status: int, kind: type[VenueError], body: bytes
):
    assert type(failure(body, status)) is kind


def test_half_a_character_makes_an_answer_unreadable_and_a_whole_one_does_not():
    assert isinstance(failure(rb'{"retCode":10005,"retMsg":"\ud83d"}'), VenueReplyInvalid)
    assert isinstance(failure(rb'{"retCode":10005,"retMsg":"\ud83d\ude00"}'), VenueAuthRefused)
    row = rb'{"retCode":0,"retMsg":"","result":{"list":[{"symbol":"\uDC00"}]}}'
    assert isinstance(failure(row), VenueReplyInvalid)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_code_0_under_an_error_status_acknowledges_nothing(status: int):
    assert type(failure(envelope(0), status)) is type(failure(b"", status))


def test_a_known_code_counts_before_the_status():
    assert failure(envelope(10005), 403).venue_code == "10005"
    assert isinstance(failure(envelope(424242), 403), Forbidden)


def test_a_ban_lasts_ten_minutes():
    error = failure(b"<HTML>Access too frequent</HTML>", 403)
    assert isinstance(error, VenueBanned)
    assert error.until == datetime(2026, 11, 21, 3, 10, tzinfo=UTC)


def test_a_country_block_is_no_ban():
    """Words of CloudFront's page; taken for a ban it would silence every other host."""
    page = (
        b"<TITLE>ERROR: The request could not be satisfied</TITLE><H1>403 ERROR</H1>"
        b"The Amazon CloudFront distribution is configured to block access from your country."
    )
    error = failure(page, 403)
    assert type(error) is VenueRefused
    assert not error.retryable
    assert error.user_message == "this host is closed to the country of our address"
    assert error.remedy == "Check base_url and the country of the egress address."


def test_the_signature_error_shows_nothing_of_what_we_signed():
    for code in (10004, 10001, 55):
        said = 'error sign! origin_string[1700000000123MYKEY123455000{"a":1}]'
        error = failure(envelope(code, said))
        assert "MYKEY" not in f"{error.user_message} {error.remedy}"
        assert "origin_string" not in error.user_message


def test_outside_text_is_short_and_without_the_key():
    error = failure(envelope(10001, "bad MYKEY12345 " + "word " * 200))
    assert "MYKEY12345" not in error.user_message
    assert len(error.user_message) < 260


def test_throttling_waits_for_the_reset_or_one_second():
    def wait_s(**headers: str) -> float:
        error = failure(envelope(10006), 200, **headers)
        assert isinstance(error, VenueThrottled)
        return error.retry_after_s

    assert wait_s(X_Bapi_Limit_Reset_Timestamp="1000400") == pytest.approx(0.4)
    assert wait_s() == 1.0
    assert wait_s(X_Bapi_Limit_Reset_Timestamp="999000") == 1.0
    assert wait_s(X_Bapi_Limit_Reset_Timestamp="99999999999") == 1.0
    assert wait_s(X_Bapi_Limit_Reset_Timestamp="soon") == 1.0


def test_limit_headers_count_only_when_they_make_sense():
    def quota(limit: str, status: str) -> object:
        return bybit_replies.parse_quota(heard({}, X_Bapi_Limit=limit, X_Bapi_Limit_Status=status))

    assert quota("10", "3") == bybit_replies.Quota(limit=10, remaining=3, reset_after_s=0.0)
    for limit, status in [("0", "0"), ("10", "11"), ("-5", "0"), ("ten", "1"), ("10", "")]:
        assert quota(limit, status) is None
    assert bybit_replies.parse_quota(heard({})) is None


@pytest.mark.parametrize("name", REPLIES)
def test_recorded_reply_is_judged_as_documented(name: str):
    reply = REPLIES[name]
    body = reply["body"] if "body" in reply else reply["body_text"].encode()
    codes = {
        "rate-limit": "10006",
        "rate-limit-no-reset-header": "10006",
        "clock-ahead": "10002",
        "bad-key-or-wrong-environment": "10003",
        "bad-signature": "10004",
        "missing-auth-headers": "10001",
        "server-timeout": "10016",
        "forbidden-html": "HTTP 403",
        "unauthorized": "HTTP 401",
    }
    if name in codes:
        assert failure(body, reply["status"]).venue_code == codes[name]
    else:
        found = judged(body, reply["status"])
        assert found is not None
        assert found.code == 0
