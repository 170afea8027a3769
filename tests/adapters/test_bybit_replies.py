from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters import bybit_receipts, bybit_replies, bybit_wire
from adapters.bybit_replies import Envelope
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
    SPREAD,
)
from adapters.contract import (
    OpenOrder,
    OrderClass,
    VenueReplyInvalid,
)
from tests.adapters.bybit_world import REPLIES, REPLIES_AT, envelope, judged

cancel_all = bybit_wire.build_cancel_all
LINEAR_USDT = cancel_all(LINEAR, {"settleCoin": "USDT"})
SPREAD_ALL = bybit_wire.build_cancel_all_spread({})
RFQ_ALL = bybit_wire.build_cancel_all_rfq(RFQ)
EQ = "page_args%3Dfd4300ae-7847-404e-b947-b46980a4d140%26symbol%3D6%26"


def recorded(name: str) -> Envelope:
    return Envelope.model_validate(REPLIES[name]["body"])


@pytest.mark.parametrize(
    ("name", "accepted", "refusal"),
    [
        ("cancel-all-ok", 2, None),
        ("cancel-all-ok-no-success-field", 1, None),
        ("cancel-all-ok-no-list-field", None, None),
        ("cancel-all-nothing-open", 0, None),
        ("cancel-all-success-0", 0, "success 0"),
    ],
)
def test_cancel_all_reply_becomes_a_receipt(name: str, accepted: int | None, refusal: str | None):
    ask = LINEAR_USDT
    receipt = bybit_receipts.parse_cancel_all(LINEAR, ask, recorded(name))
    assert receipt.accepted == accepted
    assert (receipt.error.venue_code if receipt.error else None) == refusal
    assert receipt.call == "cancel-all linear USDT"
    assert not receipt.capped


@pytest.mark.parametrize(
    ("order_class", "count", "calls_capped"),
    [(LINEAR, 500, 1), (LINEAR, 499, 0), (INVERSE, 500, 1), (OPTION, 500, 0)],
)
def test_only_linear_and_inverse_are_capped_at_500(
    order_class: OrderClass, count: int, calls_capped: int
):
    result = {"list": [{"orderId": str(n)} for n in range(count)], "success": "1"}
    found = Envelope.model_validate(envelope(0) | {"result": result})
    ask = cancel_all(order_class, {})
    assert bybit_receipts.parse_cancel_all(order_class, ask, found).capped == calls_capped


@pytest.mark.parametrize("result", [None, [], "OK", {"list": 5}, {"list": None, "success": 0}])
def test_an_odd_cancel_all_result_is_no_acknowledgement(result: object):
    found = Envelope.model_validate(envelope(0) | {"result": result})
    with pytest.raises(VenueReplyInvalid):
        bybit_receipts.parse_cancel_all(LINEAR, LINEAR_USDT, found)


def test_success_0_is_ignored_for_spreads_as_documented():
    found = Envelope.model_validate(envelope(0) | {"result": {"list": [], "success": "0"}})
    receipt = bybit_receipts.parse_cancel_all(SPREAD, SPREAD_ALL, found)
    assert receipt.error is None
    assert (
        bybit_receipts.parse_cancel_all(SPREAD, SPREAD_ALL, recorded("spread-cancel-all")).accepted
        == 1
    )


def test_rfq_cancel_all_reports_what_was_refused():
    ask = RFQ_ALL
    assert bybit_receipts.parse_cancel_all(RFQ, ask, recorded("rfq-cancel-all")).accepted == 1
    rows = [{"rfqId": "1", "code": "0"}, {"rfqId": "2", "code": "110079", "msg": "busy"}]
    found = Envelope.model_validate(envelope(0) | {"result": rows})
    receipt = bybit_receipts.parse_cancel_all(RFQ, ask, found)
    assert receipt.accepted == 1
    assert receipt.error is not None
    assert receipt.error.venue_code == "110079"


@pytest.mark.parametrize("result", [{}, None, {"list": None}, {"data": None}])
def test_absent_rows_of_an_rfq_cancel_all_are_a_count_that_is_not_told(result: object):
    found = Envelope.model_validate(envelope(0) | {"result": result})
    receipt = bybit_receipts.parse_cancel_all(RFQ, RFQ_ALL, found)
    assert (receipt.accepted, receipt.error) == (None, None)


@pytest.mark.parametrize("result", ["OK", 5, [{"code": "x"}], {"list": {}}])
def test_odd_rows_of_an_rfq_cancel_all_are_no_acknowledgement(result: object):
    found = Envelope.model_validate(envelope(0) | {"result": result})
    with pytest.raises(VenueReplyInvalid):
        bybit_receipts.parse_cancel_all(RFQ, RFQ_ALL, found)


def spot_order(order_id: str, symbol: str = "BTCUSDT") -> OpenOrder:
    return OpenOrder(order_class=SPOT, symbol=symbol, order_id=order_id)


def test_batch_has_one_receipt_per_order():
    orders = [spot_order("1666800494330512128"), spot_order("1666800494330512129", "ATOMUSDT")]
    ask = bybit_wire.build_cancel_batch("spot", orders)
    first, second = bybit_receipts.parse_batch(
        orders, ask, recorded("batch-cancel-partial"), api_key="K"
    )
    assert (first.accepted, first.error) == (1, None)
    assert (second.accepted, second.error) == (0, None)


@pytest.mark.parametrize("orders", [["1666800494330512128"], ["x", "y"], ["a", "b", "c"]])
def test_a_batch_reply_about_other_orders_is_invalid(orders: list[str]):
    named = [spot_order(each) for each in orders]
    ask = bybit_wire.build_cancel_batch("spot", named)
    with pytest.raises(VenueReplyInvalid):
        bybit_receipts.parse_batch(named, ask, recorded("batch-cancel-partial"), api_key="K")


def row(**fields: object) -> dict[str, object]:
    first = REPLIES["realtime-page"]["body"]["result"]["list"][0]
    return dict(first) | fields


def page(*rows: object, category: str | None = "linear", **more: object) -> dict[str, object]:
    return {"list": list(rows), "nextPageCursor": "", "category": category} | more


def test_recorded_page_is_read_with_its_cursor_untouched():
    result = REPLIES["realtime-page"]["body"]["result"]
    found = bybit_replies.parse_orders(LINEAR, result, offset_ms=1000.0)
    assert found.cursor == EQ
    assert found.orders == (
        OpenOrder(
            order_class=LINEAR,
            symbol="ETHUSDT",
            order_id="fd4300ae-7847-404e-b947-b46980a4d140",
            client_id="test-000005",
            created=datetime(2023, 5, 22, 6, 55, 39, 559000, tzinfo=UTC),
        ),
    )


@pytest.mark.parametrize("state", ["New", "PartiallyFilled", "Untriggered", "Triggered", "Newish"])
def test_open_and_unknown_states_count_as_open(state: str):
    found = bybit_replies.parse_orders(LINEAR, page(row(orderStatus=state)), offset_ms=0)
    assert len(found.orders) == 1


@pytest.mark.parametrize(
    "state", ["Rejected", "PartiallyFilledCanceled", "Filled", "Cancelled", "Deactivated"]
)
def test_closed_states_do_not_count(state: str):
    found = bybit_replies.parse_orders(LINEAR, page(row(orderStatus=state)), offset_ms=0)
    assert (found.orders, found.rows) == ((), 1)


@pytest.mark.parametrize(
    "result",
    [
        None,
        [],
        {"category": "linear"},
        {"category": "linear", "list": None},
        {"category": "linear", "list": {}},
        page(category="inverse"),
        page(category=None),
        page(row(orderId="")),
        page(row(orderId=5)),
        page(row(orderStatus=None)),
        page(row(createdTime="yesterday")),
        page(row(reduceOnly="no")),
        page({key: value for key, value in row().items() if key != "reduceOnly"}),
        page(row(), nextPageCursor="a&symbol=BTCUSDT"),
        page(row(), nextPageCursor=7),
    ],
)
def test_a_page_that_is_not_as_documented_is_never_an_empty_one(result: object):
    with pytest.raises(VenueReplyInvalid):
        bybit_replies.parse_orders(LINEAR, result, offset_ms=0)


@pytest.mark.parametrize(
    ("stop", "order_class", "filter_name"),
    [
        ("", SPOT, None),
        ("UNKNOWN", SPOT, None),
        ("tpslOrder", SPOT_TPSL, "tpslOrder"),
        ("PartialTakeProfit", SPOT_TPSL, "tpslOrder"),
        ("Stop", SPOT_STOP, "StopOrder"),
        ("SomethingNew", SPOT_STOP, "StopOrder"),
        ("OcoOrder", SPOT_OCO, "OcoOrder"),
        ("BidirectionalTpslOrder", SPOT_BOTH_WAYS, "BidirectionalTpslOrder"),
    ],
)
def test_a_spot_order_says_itself_which_class_it_is(
    stop: str, order_class: OrderClass, filter_name: str | None
):
    result = page(row(stopOrderType=stop), category="spot")
    (order,) = bybit_replies.parse_orders(SPOT, result, offset_ms=0).orders
    assert order.order_class == order_class
    assert order.is_protective is (order_class != SPOT)
    assert order.route == ((("orderFilter", filter_name),) if filter_name else ())


@pytest.mark.parametrize(
    "fields", [{"stopOrderType": "TrailingStop"}, {"reduceOnly": True}, {"closeOnTrigger": True}]
)
def test_stops_and_reduce_only_orders_are_protective(fields: dict[str, object]):
    (order,) = bybit_replies.parse_orders(LINEAR, page(row(**fields)), offset_ms=0).orders
    assert order.is_protective


def test_cancels_by_id_go_where_each_class_wants_them():
    def sent(order_class: str, **more: object) -> tuple[str, str]:
        order = OpenOrder(
            order_class=OrderClass(order_class),
            symbol="S",
            order_id="7",
            **more,  # type: ignore[arg-type]
        )
        ask = bybit_wire.build_cancel_one(order)
        return ask.path, ask.payload

    assert sent("spread") == ("/v5/spread/order/cancel", '{"orderId":"7"}')
    assert sent("rfq") == ("/v5/rfq/cancel-rfq", '{"rfqId":"7"}')
    assert sent("quote") == ("/v5/rfq/cancel-quote", '{"quoteId":"7"}')
    assert sent("strategy") == ("/v5/strategy/stop", '{"strategyId":"7"}')
    assert sent("spot oco", route=(("orderFilter", "OcoOrder"),)) == (
        "/v5/order/cancel",
        '{"category":"spot","symbol":"S","orderId":"7","orderFilter":"OcoOrder"}',
    )


def test_recorded_time_is_read():
    result = recorded("server-time").result
    assert bybit_receipts.parse_time_ms(result) == pytest.approx(1688639403423.213947)


def test_time_that_no_clock_shows_is_no_time():
    with pytest.raises(VenueReplyInvalid):
        bybit_receipts.parse_time_ms({"timeNano": 10**400})


def documented(name: str) -> object:
    path = REPLIES_AT / f"http_get_{name}.json"
    found = judged(path.read_bytes())
    assert found is not None
    return found.result


def test_documented_readings_of_the_other_classes_are_read():
    (spread,) = bybit_replies.parse_orders(
        SPREAD, documented("spread_order_realtime"), offset_ms=0
    ).orders
    assert (spread.symbol, spread.order_class) == ("SOLUSDT_SOL/USDT", SPREAD)
    (inquiry,) = bybit_replies.parse_rfqs(RFQ, documented("rfq_realtime"), offset_ms=0).orders
    assert inquiry.order_id == "1756885055799241492396882271696580"
    assert inquiry.symbol == "BTCUSDT"
    (quote,) = bybit_replies.parse_rfqs(QUOTE, documented("quote_realtime"), offset_ms=0).orders
    assert quote.order_id == "1757405933130044334361923221559805"
    ended = bybit_replies.parse_strategies(documented("strategy_list"), offset_ms=0)
    assert (ended.orders, ended.rows) == ((), 1)
    pairs, cursor = bybit_receipts.parse_instruments(documented("spread_instrument"))
    assert pairs == (("SOLUSDT_SOL/USDT", "USDT"),)
    assert cursor == "first%3D100008%26last%3D100008"


def test_base_coins_of_options_are_those_that_have_some():
    result = documented("option_base_coins")
    assert bybit_receipts.parse_option_coins(result) == ("BTC", "ETH", "SPCX")
    rows = [{"baseCoin": "btc", "hasSymbol": "1"}, {"baseCoin": "SOON", "hasSymbol": 0}]
    assert bybit_receipts.parse_option_coins({"list": rows}) == ("BTC",)


@pytest.mark.parametrize("result", [None, {}, {"list": None}, {"list": [{"baseCoin": "BTC"}]}])
def test_odd_base_coins_of_options_are_not_none(result: object):
    with pytest.raises(VenueReplyInvalid):
        bybit_receipts.parse_option_coins(result)
