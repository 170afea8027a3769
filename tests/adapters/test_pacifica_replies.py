"""What Pacifica's answers mean: acknowledgements, complaints, lists, counters, credits, clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import pacifica_codes as codes
from adapters import pacifica_lists as lists
from adapters import pacifica_replies as replies
from adapters.contract import (
    VenueAuthRefused,
    VenueError,
    VenueOutcomeUnknown,
    VenueRefused,
    VenueReplyInvalid,
    VenueThrottled,
)
from adapters.pacifica_codes import AgentUnbound, NoSuchCall
from adapters.pacifica_replies import Quota, Told

EMPTY: dict[str, Any] = {"error": None, "code": None}
UNAUTHORISED_AGENT = "Agent not authorized for account"
VERIFICATION = "Verification failed: signature does not match signer and canonical payload."


def judged(body: object, status: int = 200, **headers: str) -> Told | None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return replies.judge(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw)


def failure(body: object, status: int = 200, **headers: str) -> VenueError:
    with pytest.raises(VenueError) as caught:
        judged(body, status, **headers)
    return caught.value


def complaint(error: object, code: object = None, **more: object) -> dict[str, object]:
    return {"success": False, "data": None, "error": error, "code": code, **more}


@pytest.mark.parametrize(
    ("body", "payload", "is_explicit"),
    [
        ({"success": True, "data": {"cancelled_count": 5}, **EMPTY}, {"cancelled_count": 5}, True),
        ({"cancelled_count": 5}, {"cancelled_count": 5}, False),
        ({"success": True}, None, True),
        ({"success": True, "data": None, **EMPTY}, None, True),
        ({"success": None, "data": [], **EMPTY}, [], False),
        ([], [], False),
    ],
)
def test_envelope_and_bare_value_are_both_understood(
    body: object,
    payload: object,
    is_explicit: bool,  # noqa: FBT001
):
    assert judged(body) == Told(payload=payload, is_explicit=is_explicit)


@pytest.mark.parametrize(
    ("body", "status", "kind", "said"),
    [
        (complaint(VERIFICATION, 400), 400, VenueAuthRefused, "the signature is refused"),
        (
            complaint("no", 400, error_id="signature_verification_failed"),
            400,
            VenueAuthRefused,
            "the signature is refused",
        ),
        (complaint("Invalid signature", 400), 400, VenueAuthRefused, "the signature is refused"),
        (complaint("Invalid public key"), 400, VenueAuthRefused, "the key is refused"),
        (complaint(UNAUTHORISED_AGENT, 400), 400, AgentUnbound, "is not bound to this account"),
        (complaint("Who?", 401), 401, VenueAuthRefused, "the key is refused: Who?"),
        (
            complaint("Beta access required. Signer must redeem a valid beta code.", 403),
            403,
            VenueRefused,
            "has no access code",
        ),
        (complaint("Restricted", 403), 403, VenueRefused, "forbidden to this account or address"),
        (complaint("Order history not found", 404), 404, NoSuchCall, "not found: Order history"),
        (complaint("Bad field", 400), 400, VenueRefused, "cannot read the call: Bad field"),
        (complaint("busy", 409), 409, VenueRefused, "Pacifica refuses: busy"),
        (
            complaint("Failed to cancel order", 5),
            422,
            VenueRefused,
            "has gone, or something failed",
        ),
        (
            complaint("no", 5),
            422,
            VenueRefused,
            "Pacifica refuses: no; order not found, or insufficient balance",
        ),
        (complaint("no", 0), 422, VenueRefused, "no; unknown or internal error"),
        (complaint("", 999), 422, VenueRefused, "Pacifica refuses: no reason given"),
        (complaint("no", 26), 422, VenueOutcomeUnknown, "server failed"),
        (complaint("no", 27), 422, VenueOutcomeUnknown, "server failed"),
        (complaint("Internal server error", 500), 500, VenueOutcomeUnknown, "server failed"),
        (b"<html>", 503, VenueOutcomeUnknown, "server failed"),
        (b"", 504, VenueOutcomeUnknown, "server failed"),
        (b"", 408, VenueOutcomeUnknown, "server failed"),
        (complaint("no", 0), 200, VenueRefused, "no; unknown or internal error"),
        ({"success": True, "data": {}, "error": "no"}, 200, VenueRefused, "Pacifica refuses: no"),
        ({"success": True, "error": {"a": 1}}, 200, VenueRefused, 'Pacifica refuses: {"a": 1}'),
        (b"<html>hello</html>", 200, VenueReplyInvalid, "is not JSON"),
        (b"", 200, VenueReplyInvalid, "is not JSON"),
        (b'{"success":true,"data":"\\ud800"}', 200, VenueReplyInvalid, "is not JSON"),
        (b"", 302, VenueReplyInvalid, "not what its documentation says"),
        ({"success": True, "data": [], "has_more": True}, 200, VenueReplyInvalid, "further page"),
        ({"success": True, "data": [], "next_cursor": "x"}, 200, VenueReplyInvalid, "further page"),
    ],
)
def test_every_complaint_has_its_kind(body: object, status: int, kind: type[VenueError], said: str):
    error = failure(body, status)
    assert type(error) is kind
    assert said in error.user_message


def test_a_refused_timestamp_is_told_from_a_refused_key():
    clock = failure(complaint("Invalid message", 400), 400)
    assert (type(clock), clock.retryable) == (VenueAuthRefused, True)
    assert failure(complaint(VERIFICATION, 400), 400).retryable is False


@pytest.mark.parametrize("code", [37, 44, 47])
def test_a_cancel_of_what_is_gone_is_nothing_to_do(code: int):
    assert judged(complaint("unknown id", code), 422) is None


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_business_code_counts_under_its_own_status_alone(status: int):
    assert isinstance(failure(complaint("no", 37), status), VenueError)


def test_what_the_venue_says_is_shown_without_anything_like_a_key():
    signature = (
        "3jhhTxrwCfxR4kbyRYc6nVswcZGzcdvyQuenKsES6yUdBqY2rQWZ7xp9P2qkFoTsQgzJYz7oukyz7zjxTC8uVSWs"
    )
    error = failure(complaint(f"bad {signature} [1, 2]\n{'x ' * 200}", 400), 400)
    assert error.user_message.startswith("Pacifica cannot read the call: bad … […] x x")
    assert len(error.user_message) < 240


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, 1.0),
        ({"ratelimit": '"credits";r=0;t=3'}, 3.0),
        ({"ratelimit": '"credits";r=0;t=56'}, 5.0),
        ({"ratelimit": "nonsense"}, 1.0),
    ],
)
def test_a_429_waits_as_told_and_never_for_a_whole_minute(headers: dict[str, str], wait_s: float):
    error = failure(b"", 429, **headers)
    assert isinstance(error, VenueThrottled)
    assert error.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("told", "policy", "quota"),
    [
        (
            '"credits";r=1200;t=32',
            '"credits";q=1250;w=60',
            Quota(remaining=1200, limit=1250, reset_after_s=32.0),
        ),
        ('"credits";r=5', "", Quota(remaining=5, limit=0, reset_after_s=0.0)),
        (
            '"credits"; r=0; t=1',
            '"credits";q=1000',
            Quota(remaining=0, limit=1000, reset_after_s=1),
        ),
        ('"credits";r=1300;t=3', '"credits";q=1250;w=60', None),
        ('"credits";t=3', '"credits";q=1250;w=60', None),
        ("", "", None),
    ],
)
def test_credits_are_read_in_tenths(told: str, policy: str, quota: Quota | None):
    assert replies.parse_quota({"ratelimit": told, "ratelimit-policy": policy}) == quota


@pytest.mark.parametrize(
    ("told", "count"),
    [
        (Told(payload={"cancelled_count": 0}), 0),
        (Told(payload={"cancelled_count": 5}), 5),
        (Told(payload={"cancelled_count": "12"}), 12),
        (Told(payload=None, is_explicit=True), None),
    ],
)
def test_the_count_of_a_cancel_all_is_a_number_or_its_digits(told: Told, count: int | None):
    assert replies.parse_cancelled(told) == count


@pytest.mark.parametrize(
    "payload",
    [None, [], {}, "5", *({"cancelled_count": bad} for bad in (-1, 1.0, True, "x", None))],
)
def test_any_other_count_is_no_acknowledgement(payload: object):
    with pytest.raises(VenueReplyInvalid):
        replies.parse_cancelled(Told(payload=payload, is_explicit=payload is not None))


def test_one_cancel_must_be_acknowledged_in_words():
    with pytest.raises(VenueReplyInvalid, match="does not say that it is accepted"):
        replies.check_acknowledged(Told(payload={}), "cancel order 7")
    assert replies.check_acknowledged(Told(is_explicit=True), "cancel order 7") is None  # type: ignore[func-returns-value]


SUBSCRIBED = {"channel": "subscribe", "data": {"source": "prices"}}


@pytest.mark.parametrize(
    "text",
    [
        '{"channel":"pong"}',
        json.dumps(SUBSCRIBED),
        "hello",
        "[]",
        '{"code":true}',
        '{"id":"x"}',
        "",
    ],
)
def test_what_answers_no_call_is_no_answer(text: str):
    assert replies.parse_frame(text) is None


def test_the_documented_frames_are_read():
    text = (
        '{"code":200,"data":{"cancelled_count":10},"id":"b86b","t":1749221787291,'
        '"type":"cancel_all_orders"}'
    )
    frame = replies.parse_frame(text)
    assert frame is not None
    assert (frame.request_id, frame.complaint, frame.at_ms) == ("b86b", None, 1749221787291)
    assert replies.judge_frame(frame) == Told(payload={"cancelled_count": 10}, is_explicit=True)


def test_a_live_complaint_over_the_socket_is_read():
    frame = replies.parse_frame(
        '{"id":"64107e37","type":"cancel_order","code":420,"err":"Failed to cancel order",'
        '"t":1769474703073,"rl":{"r":1245,"q":1250,"t":56}}'
    )
    assert frame is not None
    assert frame.quota == Quota(remaining=1245, limit=1250, reset_after_s=56.0)
    with pytest.raises(VenueRefused, match="has gone, or something failed") as caught:
        replies.judge_frame(frame)
    assert (caught.value.venue_code, caught.value.retryable) == ("420", True)


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ({"code": 400, "err": "bad"}, VenueRefused),
        ({"code": 400, "err": "Invalid message"}, VenueAuthRefused),
        ({"code": 401, "err": "bad"}, VenueAuthRefused),
        ({"code": 402, "err": "bad"}, VenueAuthRefused),
        ({"code": 403, "err": "bad"}, VenueRefused),
        ({"code": 420, "err": "bad"}, VenueRefused),
        ({"code": 429, "err": "bad"}, VenueThrottled),
        ({"code": 500, "err": "bad"}, VenueOutcomeUnknown),
        ({"code": 26, "err": "bad"}, VenueOutcomeUnknown),
        ({"code": 200, "err": "bad"}, VenueRefused),
        ({"code": 200, "error": "bad"}, VenueRefused),
        ({"code": 7000, "err": "bad"}, VenueOutcomeUnknown),
    ],
)
def test_every_code_of_the_socket_has_its_kind(frame: dict[str, Any], kind: type[VenueError]):
    found = replies.parse_frame(json.dumps(frame))
    assert found is not None
    with pytest.raises(kind):
        replies.judge_frame(found)


def test_a_gone_order_is_nothing_to_do_over_the_socket_too():
    frame = replies.parse_frame('{"code":37,"err":"unused","id":"a"}')
    assert frame is not None
    assert replies.judge_frame(frame) is None


@pytest.mark.parametrize(
    ("date", "ms"),
    [
        ("Sat, 21 Nov 2026 03:00:00 GMT", 1795230000500.0),
        ("yesterday", None),
        ("", None),
    ],
)
def test_the_clock_is_read_from_the_middle_of_the_second_that_date_shows(
    date: str, ms: float | None
):
    assert replies.parse_date_ms({"Date": date}) == ms


ORDER = {
    "order_id": 315979358,
    "client_order_id": "add9a4b5-c7f7-4124-b57f-86982d86d479",
    "symbol": "ASTER",
    "side": "ask",
    "price": "1.836",
    "initial_amount": "85.33",
    "filled_amount": "0",
    "cancelled_amount": "0",
    "stop_price": None,
    "order_type": "limit",
    "stop_parent_order_id": None,
    "reduce_only": False,
    "created_at": 1759224706737,
    "updated_at": 1759224706737,
}


def listed(**more: object) -> Any:
    (order,) = lists.parse_orders(Told(payload=[{**ORDER, **more}]), offset_ms=737.0)
    return order


def test_the_documented_order_is_read_on_our_own_clock():
    order = listed()
    assert (order.order_class, order.symbol, order.order_id) == ("order", "ASTER", "315979358")
    assert order.client_id == "add9a4b5-c7f7-4124-b57f-86982d86d479"
    assert order.created == datetime(2025, 9, 30, 9, 31, 46, tzinfo=UTC)
    assert order.is_protective is False


@pytest.mark.parametrize(
    ("more", "order_class", "is_protective"),
    [
        ({}, "order", False),
        ({"order_type": "market"}, "order", False),
        ({"reduce_only": True}, "order", True),
        ({"stop_price": "1.5"}, "order", False),
        ({"order_type": "stop_limit"}, "stop", True),
        ({"order_type": "stop_market"}, "stop", True),
        ({"order_type": "take_profit_limit"}, "stop", True),
        ({"order_type": "stop_loss_limit"}, "stop", True),
        ({"order_type": "take_profit_market"}, "stop", True),
        ({"order_type": "stop_loss_market"}, "stop", True),
        ({"order_type": "something_new"}, "stop", True),
        ({"client_order_id": None, "created_at": None}, "order", False),
    ],
)
def test_the_type_alone_says_what_is_a_stop(
    more: dict[str, object],
    order_class: str,
    is_protective: bool,  # noqa: FBT001
):
    order = listed(**more)
    assert (order.order_class, order.is_protective) == (order_class, is_protective)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        "none",
        [None],
        *(
            [{key: value for key, value in ORDER.items() if key != missing}]
            for missing in ("order_id", "symbol", "order_type", "reduce_only")
        ),
        [{**ORDER, "symbol": ""}],
        [{**ORDER, "reduce_only": "false"}],
        [{**ORDER, "created_at": 10**18}],
    ],
)
def test_an_absent_list_or_field_is_never_no_orders(payload: object):
    with pytest.raises(VenueReplyInvalid):
        lists.parse_orders(Told(payload=payload), offset_ms=0.0)


TWAP = {"order_id": 13753364, "client_order_id": None, "symbol": "BTC", "reduce_only": True}


def test_twaps_are_read():
    (twap,) = lists.parse_twaps(Told(payload=[TWAP]), offset_ms=0.0)
    assert (twap.order_class, twap.symbol, twap.order_id) == ("twap", "BTC", "13753364")
    assert twap.is_protective is True
    with pytest.raises(VenueReplyInvalid):
        lists.parse_twaps(Told(payload=None), offset_ms=0.0)


def strategy(**more: object) -> Any:
    row = {"strategy_id": "0f8e7c2a", "revision": 1, "account": "42tr", **more}
    told = Told(payload={"strategies": [row]})
    (found,) = lists.parse_strategies(told, offset_ms=0.0)
    return found


CONDITIONAL = {
    "strategy_type": "conditional",
    "params": {
        "trigger_symbol": "BTC",
        "execution_symbol": "kBONK",
        "reduce_only": False,
        "take_profit": {"reduce_only": True},
    },
}


@pytest.mark.parametrize(
    ("more", "symbol", "is_protective"),
    [
        ({"strategy_type": "conditional", "definition": CONDITIONAL}, "kBONK", False),
        ({"strategy_type": "twap", "definition": {"params": {"symbol": "SOL"}}}, "SOL", False),
        ({"strategy_type": "twap", "symbol": "SOL", "reduce_only": True}, "SOL", True),
        ({"params": {"symbol": "SOL", "reduce_only": True}}, "SOL", True),
        (
            {"strategy_type": "oco", "params": {"legs": [{"symbol": "B"}, {"symbol": "A"}]}},
            "A+B",
            False,
        ),
        ({"strategy_type": "trailing_stop", "symbol": "SOL"}, "SOL", False),
        ({"strategy_type": "swarm"}, "", False),
        ({"strategy_type": "swarm", "params": {"symbol": 5}, "created_at": "soon"}, "", False),
    ],
)
def test_a_strategy_is_where_it_trades_and_not_what_it_watches(
    more: dict[str, object],
    symbol: str,
    is_protective: bool,  # noqa: FBT001
):
    found = strategy(**more)
    assert (found.symbol, found.is_protective) == (symbol, is_protective)
    assert (found.order_class, found.order_id) == ("strategy", "0f8e7c2a")


def test_the_legs_of_a_strategy_are_its_symbols():
    assert lists.legs(strategy(params=[{"symbol": "B"}, {"symbol": "A"}])) == {"A", "B"}
    assert lists.legs(strategy()) == frozenset()
    assert lists.legs(listed(symbol="SOL-USDC")) == {"SOL-USDC"}


@pytest.mark.parametrize("payload", [None, [], {}, {"strategies": None}, {"strategies": [{}]}])
def test_an_absent_list_of_strategies_is_never_none(payload: object):
    with pytest.raises(VenueReplyInvalid):
        lists.parse_strategies(Told(payload=payload), offset_ms=0.0)


COUNTS = {"orders_count": 3, "stop_orders_count": "2", "balance": "1.0"}


@pytest.mark.parametrize("payload", [COUNTS, [COUNTS]])
def test_counters_stand_in_an_object_or_in_a_list_of_one(payload: object):
    counters = lists.parse_counters(Told(payload=payload))
    assert (counters.orders, counters.stops) == (3, 2)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        [COUNTS, COUNTS],
        {"orders_count": 0},
        {"stop_orders_count": 0},
        {"orders_count": None, "stop_orders_count": 0},
        {"orders_count": -1, "stop_orders_count": 0},
        {"orders_count": 0.0, "stop_orders_count": 0},
        {"orders_count": False, "stop_orders_count": 0},
    ],
)
def test_an_absent_counter_is_never_zero(payload: object):
    with pytest.raises(VenueReplyInvalid):
        lists.parse_counters(Told(payload=payload))


def test_markets_keep_their_spelling():
    told = Told(payload=[{"symbol": "kBONK"}, {"symbol": "SOL-USDC", "instrument_type": "spot"}])
    assert lists.parse_markets(told) == {"kBONK", "SOL-USDC"}
    with pytest.raises(VenueReplyInvalid):
        lists.parse_markets(Told(payload=[]))


def test_the_two_tables_of_codes_are_both_named_where_they_differ():
    assert codes._BOTH[5] == "order not found, or insufficient balance"
    assert codes._BOTH[6] == "over-withdrawal, or order not found"
    assert {37, 44, 47} == codes.GONE
