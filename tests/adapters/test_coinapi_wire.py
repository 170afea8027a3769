from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import adapters
from adapters import coinapi_replies, coinapi_reports
from adapters import coinapi_wire as wire
from adapters.coinapi_replies import CallInvalid
from adapters.coinapi_wire import Ask
from adapters.contract import (
    OpenOrder,
    Protective,
    Scope,
    VenueAuthRefused,
    VenueError,
    VenueOutcomeUnknown,
    VenueRefused,
    VenueReplyInvalid,
    VenueThrottled,
)
from tests.adapters.coinapi_world import (
    API_KEY,
    JOHN,
    REPLIES,
    VECTORS,
    failure,
    reply,
)

CLIENT_ID = "6ab36bc1-344d-432e-ac6d-0bf44ee64c2b"


def named(name: str, value: str) -> OpenOrder:
    return OpenOrder(
        order_class=wire.LIMIT, symbol="OXTUSD", order_id=value, route=((name, value),)
    )


BUILT: dict[str, tuple[Ask, bytes | None]] = {
    "cancel-all": (wire.build_cancel_all(JOHN), b'{"exchange_id":"KRAKEN/JOHN"}'),
    "cancel-all-untagged": (wire.build_cancel_all("KRAKEN"), b'{"exchange_id":"KRAKEN"}'),
    "open-orders-one": (wire.build_open_orders(JOHN), None),
    "cancel-one-by-client-id": (
        wire.build_cancel("KRAKEN", named("client_order_id", CLIENT_ID)),
        b'{"exchange_id":"KRAKEN","client_order_id":"6ab36bc1-344d-432e-ac6d-0bf44ee64c2b"}',
    ),
    "cancel-one-by-exchange-id": (
        wire.build_cancel("KRAKEN", named("exchange_order_id", "3456456754")),
        b'{"exchange_id":"KRAKEN","exchange_order_id":"3456456754"}',
    ),
}
NEVER_ASKED = {
    "cancel-all-docs-typo",  # A mistake of the quickstart.
    "open-orders-all",  # Shows other accounts.
    "order-status",
    "mgmt-endpoints",
    "mgmt-exchanges",
    "sor-list",
    "sor-cancel",
}


def test_every_documented_request_is_built_or_named_as_never_asked():
    assert BUILT.keys() | NEVER_ASKED == {each["id"] for each in VECTORS["requests"]}
    assert not BUILT.keys() & NEVER_ASKED


@pytest.mark.parametrize("name", BUILT)
def test_request_is_the_documented_one(name: str):
    (case,) = (each for each in VECTORS["requests"] if each["id"] == name)
    ask, body = BUILT[name]
    sent = wire.request(ask, key="K")
    target = urlsplit(case.get("url") or case["path"])
    assert (sent.method, sent.path, sent.query) == (case["method"], target.path, target.query)
    assert sent.body == body
    assert (json.loads(body) if body else None) == case.get("body")


def test_headers_are_the_documented_ones():
    (case,) = (each for each in VECTORS["requests"] if each["id"] == "cancel-all")
    assert dict(wire.request(BUILT["cancel-all"][0], key=API_KEY).headers) == case["headers"]
    assert dict(wire.request(BUILT["open-orders-one"][0], key="K").headers) == {
        "X-CoinAPI-Key": "K",
        "Accept": "application/json",
    }


def test_field_of_the_quickstart_with_a_blank_is_not_copied():
    (case,) = (each for each in VECTORS["requests"] if each["id"] == "cancel-all-docs-typo")
    assert list(case["body"]) == ["exchange_id "]
    assert json.loads(wire.build_cancel_all(JOHN).body or "") == {"exchange_id": JOHN}


@pytest.mark.parametrize(
    ("exchange_id", "query"),
    [
        ("KRAKEN", "exchange_id=KRAKEN"),
        ("KRAKEN#1&2", "exchange_id=KRAKEN%231%262"),
        ("KRAKEN+a%b;c", "exchange_id=KRAKEN%2Ba%25b%3Bc"),
        ("BITSTAMP/7c17-a.b_c~d", "exchange_id=BITSTAMP%2F7c17-a.b_c~d"),
    ],
)
def test_exchange_id_is_encoded_in_a_query(exchange_id: str, query: str):
    assert wire.build_open_orders(exchange_id).query == query


def test_only_three_paths_can_be_asked():
    assert sorted(wire.PATHS) == ["/v1/orders", "/v1/orders/cancel", "/v1/orders/cancel/all"]
    for path in ("/v1/accounts", "/v1/orders/", "/v1/endpoints", "/v1/sor/requests"):
        with pytest.raises(AssertionError):
            wire.request(Ask(name="x", path=path), key="K")


def test_no_other_path_stands_in_the_adapter():
    """The management API shows and removes exchange accounts, under the same key."""
    text = "".join(path.read_text() for path in Path(adapters.__path__[0]).glob("coinapi*.py"))
    assert set(re.findall(r"/v[0-9][a-z0-9_/{}-]*", text)) == wire.PATHS
    assert "WireRequest(" not in text.replace(_source("coinapi_wire.py"), "")


def _source(name: str) -> str:
    return (Path(adapters.__path__[0]) / name).read_text()


@pytest.mark.parametrize(
    ("name", "kind", "code", "retryable"),
    [
        ("cancel-all-200-as-documented-now", VenueRefused, "ORDER_ID_NOT_FOUND", False),
        ("cancel-all-200-as-documented-until-2021", None, "", False),
        ("cancel-all-200-empty-body", None, "", False),
        ("cancel-all-200-reject-inside", VenueRefused, "METHOD_NOT_SUPPORTED", False),
        ("cancel-all-400", CallInvalid, "d200e8b5-4271a5461ce5342f", False),
        ("cancel-all-400-errors-object", CallInvalid, "00-example-00", False),
        ("cancel-all-490", VenueOutcomeUnknown, "HTTP 490", True),
        ("open-orders-empty", None, "", False),
        ("open-orders-one-new", None, "", False),
        ("open-orders-pending-cancel", None, "", False),
        ("order-status-after-cancel-all", None, "", False),
        ("order-status-404", VenueRefused, "ORDER_ID_NOT_FOUND", False),
    ],
)
def test_documented_answer_means_what_it_says(
    name: str, kind: type[VenueError] | None, code: str, *, retryable: bool
):
    case = REPLIES[name]
    body = b"" if case["body"] is None else case["body"]
    error = failure(body, case["status"], Content_Type=case.get("content_type", "x/y"))
    assert (type(error) if error else None) is kind
    assert not error or (error.venue_code, error.retryable) == (code, retryable)


def test_every_documented_answer_is_judged_or_of_a_call_never_made():
    asked = {name for name, case in REPLIES.items() if case["for"] not in NEVER_ASKED}
    assert asked == {
        "cancel-all-200-as-documented-now",
        "cancel-all-200-as-documented-until-2021",
        "cancel-all-200-empty-body",
        "cancel-all-200-reject-inside",
        "cancel-all-400",
        "cancel-all-400-errors-object",
        "cancel-all-490",
    }


REASONS: dict[str, tuple[type[VenueError], bool]] = {
    "OTHER": (VenueRefused, True),
    "EXCHANGE_UNREACHABLE": (VenueOutcomeUnknown, True),
    "EXCHANGE_RESPONSE_TIMEOUT": (VenueOutcomeUnknown, True),
    "ORDER_ID_NOT_FOUND": (VenueRefused, False),
    "INVALID_TYPE": (VenueRefused, False),
    "METHOD_NOT_SUPPORTED": (VenueRefused, False),
    "JSON_ERROR": (VenueRefused, False),
    "SOMETHING_NEW": (VenueRefused, True),
}


def test_every_documented_reason_stands_in_the_table():
    assert set(VECTORS["enums"]["RejectReason"]) == coinapi_replies.REASONS.keys()


@pytest.mark.parametrize("status", [200, 202, 400, 404, 500, 504])
@pytest.mark.parametrize("reason", REASONS)
def test_reason_is_judged_before_the_status(reason: str, status: int):
    error = failure({"reject_reason": reason, "message": "Kraken says no"}, status)
    assert (type(error), error.retryable) == REASONS[reason]
    assert error.venue_code == reason
    assert error.user_message.endswith(": Kraken says no")


@pytest.mark.parametrize(
    ("body", "code", "retryable"),
    [
        ({"type": "message_reject", "message": "Ok"}, "MESSAGE_REJECT", False),
        ({"type": "Message_Reject", "reject_reason": None}, "MESSAGE_REJECT", False),
        ({"type": "message", "severity": "error", "message": "no"}, "ERROR", True),
        ({"type": "MESSAGE_REJECT", "severity": "ERROR"}, "ERROR", True),
        ({"reject_reason": "a b\n`<!here>`"}, "abhere", True),
        ({"reject_reason": ["OTHER"]}, "OTHER", True),
    ],
)
def test_body_that_looks_like_a_rejection_is_one(
    body: dict[str, object], code: str, *, retryable: bool
):
    error = failure(body)
    assert isinstance(error, VenueRefused)
    assert (error.venue_code, error.retryable) == (code, retryable)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"OK",
        b'"queued"',
        b"[1,2]",
        b"{}",
        b"{",
        b'\xef\xbb\xbf{"severity":"WARNING"}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b'{"type":"message","severity":"INFO","reject_reason":null}',
    ],
)
@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_2xx_is_an_acknowledgement_unless_it_refuses(body: bytes, status: int):
    assert failure(body, status) is None


def test_rejection_behind_a_byte_order_mark_is_still_one():
    assert failure(b'\xef\xbb\xbf{"reject_reason":"OTHER"}').venue_code == "OTHER"


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"\n <!DOCTYPE html>"])
def test_web_page_is_nobodys_acknowledgement(body: bytes):
    assert isinstance(failure(body), VenueReplyInvalid)


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (101, VenueReplyInvalid, True),
        (302, VenueReplyInvalid, True),
        (400, CallInvalid, False),
        (401, VenueAuthRefused, False),
        (403, VenueAuthRefused, False),
        (404, VenueRefused, False),
        (405, VenueRefused, False),
        (408, VenueOutcomeUnknown, True),
        (415, VenueRefused, True),
        (429, VenueThrottled, True),
        (490, VenueOutcomeUnknown, True),
        (491, VenueRefused, True),
        (500, VenueOutcomeUnknown, True),
        (503, VenueOutcomeUnknown, True),
        (504, VenueOutcomeUnknown, True),
        (599, VenueOutcomeUnknown, True),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"{}", b"[]"])
def test_status_is_judged_where_the_body_says_nothing(
    status: int, kind: type[VenueError], body: bytes, *, retryable: bool
):
    error = failure(body, status)
    assert (type(error), error.retryable) == (kind, retryable)


def test_490_is_judged_by_its_status_whatever_its_documented_example_says():
    """Taken for "no such order" it would not be tried again."""
    body = REPLIES["cancel-all-200-as-documented-now"]["body"]
    error = failure(body, 490, Content_Type="appliction/json")
    assert isinstance(error, VenueOutcomeUnknown)
    assert error.user_message == "EMS cannot reach the exchange"
    assert error.remedy.startswith("Cancel at the exchange itself")


def test_490_may_say_that_the_exchange_has_no_cancel_all():
    assert failure({"reject_reason": "METHOD_NOT_SUPPORTED"}, 490).venue_code == (
        "METHOD_NOT_SUPPORTED"
    )


@pytest.mark.parametrize("status", [401, 403, 429])
def test_door_is_believed_before_any_body(status: int):
    error = failure({"reject_reason": "ORDER_ID_NOT_FOUND"}, status)
    assert error.venue_code == f"HTTP {status}"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("3", 3.0), ("0", 1.0), ("999", 10.0), ("1e9", 1.0), ("Wed, 21 Oct", 1.0), ("", 1.0)],
)
def test_time_to_wait_is_believed_within_reason(told: str, seconds: float):
    error = failure(b"", 429, Retry_After=told)
    assert isinstance(error, VenueThrottled)
    assert error.retry_after_s == seconds


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ("string", "EMS cannot read the call: string"),
        ({"exchange_id": ["is required."]}, 'EMS cannot read the call: {"exchange_id": ["is'),
        (None, "EMS cannot read the call"),
        (7, "EMS cannot read the call: 7"),
    ],
)
def test_errors_of_a_validation_may_be_text_or_an_object(errors: object, said: str):
    assert failure({"errors": errors}, 400).user_message.startswith(said)


def test_neither_key_nor_what_looks_like_one_nor_a_flood_of_words_gets_into_an_error():
    said = f"key {API_KEY}\nis {'A1' * 20} wrong \ud800 " + "x " * 500
    error = failure(json.dumps({"reject_reason": "OTHER", "message": said}).encode())
    assert error.user_message.startswith("EMS refuses: key … is … wrong ? x x")
    assert len(error.user_message) < 220
    in_errors = failure({"errors": {"X-CoinAPI-Key": [API_KEY]}, "traceId": "t\n<!here>" * 50}, 400)
    assert API_KEY not in str(in_errors)
    assert in_errors.venue_code == ("there" * 50)[:64]


def row(**fields: object) -> dict[str, Any]:
    return {**REPLIES["open-orders-one-new"]["body"][0], **fields}


def listed(*rows: object) -> coinapi_reports.Listed:
    return coinapi_reports.parse_orders(list(rows), JOHN)


def test_documented_report_becomes_an_order():
    found = coinapi_reports.parse_orders(REPLIES["open-orders-one-new"]["body"], JOHN)
    assert found.error is None
    (only,) = found.rows
    assert only.symbols == {"OXTUSD", "KRAKEN_SPOT_OXT_USD"}
    assert only.order == OpenOrder(
        order_class=wire.LIMIT,
        symbol="OXTUSD",
        order_id="OJCPEO-PO7WD-VTPUF2",
        client_id="YOUR-UNIQUE-IDENTIFIER-FOR-ORDER-007",
        created=datetime(2024, 2, 23, 1, 13, 15, 609626, tzinfo=UTC),
        route=(("exchange_order_id", "OJCPEO-PO7WD-VTPUF2"),),
    )


def test_pending_cancel_is_open():
    found = coinapi_reports.parse_orders(REPLIES["open-orders-pending-cancel"]["body"], JOHN)
    assert [each.order.order_id for each in found.rows] == ["OJCPEO-PO7WD-VTPUF2"]


@pytest.mark.parametrize("status", VECTORS["enums"]["OrdStatus"]["open"])
def test_every_status_that_is_documented_as_open_is_open(status: str):
    assert len(listed(row(status=status)).rows) == 1


@pytest.mark.parametrize("status", ["SUSPENDED", "CANCELLED", "canceled", "0"])
def test_status_that_is_not_known_is_open(status: str):
    assert len(listed(row(status=status)).rows) == 1


@pytest.mark.parametrize("status", VECTORS["enums"]["OrdStatus"]["final"])
def test_every_final_status_is_gone(status: str):
    assert listed(row(status=status)) == coinapi_reports.Listed()


def test_order_without_the_exchanges_id_goes_by_the_clients():
    (only,) = listed(row(exchange_order_id=None, client_order_id="mine")).rows
    assert only.order.order_id == "mine"
    assert only.order.route == (("client_order_id", "mine"),)


def test_order_placed_elsewhere_may_lack_the_clients_id():
    (only,) = listed(row(client_order_id=None)).rows
    assert only.order.client_id == ""
    assert only.order.route == (("exchange_order_id", "OJCPEO-PO7WD-VTPUF2"),)


def test_id_that_is_a_number_is_read_as_its_digits():
    (only,) = listed(row(exchange_order_id=3456456754)).rows
    assert only.order.order_id == "3456456754"


def test_order_that_is_listed_twice_is_one():
    assert len(listed(row(), row(status="PENDING_CANCEL")).rows) == 1


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        (row(status=None), "status in a list of orders"),
        (row(status=""), "status in a list of orders"),
        ({k: v for k, v in row().items() if k != "status"}, "status in a list of orders"),
        (row(exchange_id=None), "exchange_id in a list of orders"),
        (row(exchange_order_id=[1]), "exchange_order_id in a list of orders"),
        (row(exchange_order_id=True), "exchange_order_id in a list of orders"),
        (row(client_order_id="\ud800"), "client_order_id in a list of orders"),
        (row(exchange_order_id="", client_order_id=None), "an order without any id"),
        (row(symbol_id_exchange=None, symbol_id_coinapi=""), "an order without any symbol"),
        ("NEW", "an order in a list of orders"),
        (None, "an order in a list of orders"),
    ],
)
def test_row_that_cannot_be_read_spoils_the_reading_and_hides_no_other(broken: object, where: str):
    found = listed(broken, row())
    assert len(found.rows) == 1
    assert found.error.user_message == f"EMS: the answer is not as documented: {where}"


@pytest.mark.parametrize("other", ["KRAKEN", "KRAKEN/ANN", "kraken/john", "KRAKEN/JOHN "])
def test_row_of_another_account_is_never_dropped_in_silence(other: str):
    found = listed(row(), row(exchange_id=other, exchange_order_id="X"))
    assert [each.order.order_id for each in found.rows] == ["OJCPEO-PO7WD-VTPUF2"]
    assert "another exchange_id" in found.error.user_message


def test_closed_order_of_another_account_shows_the_mix_up_too():
    assert listed(row(exchange_id="KRAKEN", status="FILLED")).error is not None


@pytest.mark.parametrize("found", [None, {}, {"data": []}, "", 0, {"KRAKEN": []}])
def test_whatever_is_no_list_is_never_no_orders(found: object):
    assert isinstance(coinapi_reports.parse_orders(found, JOHN).error, VenueReplyInvalid)


@pytest.mark.parametrize(
    ("history", "created"),
    [
        ([["NEW", "2020-05-27T11:16:20.1677709Z"]], datetime(2020, 5, 27, 11, 16, 20, 167770, UTC)),
        ([["NEW", "2020-05-27T11:16:20"]], datetime(2020, 5, 27, 11, 16, 20, 0, UTC)),
        ([["NEW", "2020-05-27T13:16:20+02:00"]], datetime(2020, 5, 27, 11, 16, 20, 0, UTC)),
        (
            [["NEW", "2020-05-27T11:16:21Z"], ["RECEIVED", "2020-05-27T11:16:20Z"]],
            datetime(2020, 5, 27, 11, 16, 20, 0, UTC),
        ),
        ([["NEW", "soon"], ["NEW", 7], "NEW", None], None),
        ([["NEW", "0001-01-01T00:00:00+14:00"]], None),
        ([], None),
        (None, None),
        ("NEW", None),
    ],
)
def test_age_of_an_order_is_told_where_its_history_can_be_read(
    history: object, created: datetime | None
):
    found = listed(row(status_history=history))
    assert found.error is None
    assert found.rows[0].order.created == created


@pytest.mark.parametrize(
    ("scope", "is_in"),
    [
        (Scope(), True),
        (Scope(symbols=("OXTUSD",)), True),
        (Scope(symbols=("KRAKEN_SPOT_OXT_USD",)), True),
        (Scope(symbols=("ADAUSD", "OXTUSD")), True),
        (Scope(symbols=("oxtusd",)), False),
        (Scope(symbols=("OXT",)), False),
        (Scope(symbols=("OXTUSD",), order_id="OJCPEO-PO7WD-VTPUF2"), True),
        (Scope(symbols=("OXTUSD",), order_id="YOUR-UNIQUE-IDENTIFIER-FOR-ORDER-007"), True),
        (Scope(symbols=("ADAUSD",), order_id="OJCPEO-PO7WD-VTPUF2"), False),
        (Scope(symbols=("OXTUSD",), order_id="OJCPEO"), False),
        (Scope(protective=Protective.KEEP), True),
    ],
)
def test_scope_names_an_order_by_either_symbol_and_to_the_letter(scope: Scope, *, is_in: bool):
    assert coinapi_reports.is_in_scope(listed(row()).rows[0], scope) is is_in


@pytest.mark.parametrize("kind", ["STOP_LIMIT", "TRAILING", "limit"])
def test_type_of_order_that_is_not_documented_is_kept_where_stops_stay(kind: str):
    (only,) = listed(row(order_type=kind)).rows
    assert not coinapi_reports.is_in_scope(only, Scope(protective=Protective.KEEP))
    assert coinapi_reports.is_in_scope(only, Scope())


@pytest.mark.parametrize(
    ("found", "accepted"),
    [
        (REPLIES["order-status-after-cancel-all"]["body"], 0),
        (row(status="PENDING_CANCEL"), 1),
        (row(status="NEW"), 1),
        (row(status=None), None),
        (None, None),
        ([], None),
    ],
)
def test_one_cancel_counts_unless_its_report_says_that_the_order_had_gone(
    found: object, accepted: int | None
):
    assert coinapi_reports.parse_accepted(found) == accepted


def test_media_type_is_never_asked():
    for media in ("appliction/json", "text/html", ""):
        body = REPLIES["open-orders-one-new"]["body"]
        judged = coinapi_replies.judge(reply(body, Content_Type=media), key="K")
        assert len(coinapi_reports.parse_orders(judged, JOHN).rows) == 1
