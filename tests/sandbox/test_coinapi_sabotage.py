"""What the simulated EMS does wrong on demand, and to whom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.sandbox.venues.coinapi_shapes import Reason
from bot.sandbox.venues.exchange import Transport
from bot.sandbox.venues.faults import Wrong
from tests.sandbox.coinapi_caller import (
    CANCEL,
    CANCEL_ALL,
    JOHN,
    ORDERS,
    PLAIN,
    RESPONSES,
    STAMP,
    Caller,
    caller,
    fields,
    other,
)

READ = f"{ORDERS}?exchange_id=KRAKEN%2FJOHN"
UID = "desk:KRAKEN/JOHN"


def stricken(wrong: Wrong, **more: Any) -> Caller:
    ours = caller()
    for name in ("a", "b", "c", "d"):
        ours.place("limit", name)
    ours.fail(wrong, **more)
    return ours


@pytest.mark.parametrize(
    ("reason", "conflicts", "status"),
    [
        (Reason.EXCHANGE_UNREACHABLE, {}, 490),
        (Reason.EXCHANGE_RESPONSE_TIMEOUT, {}, 504),
        (Reason.EXCHANGE_RESPONSE_TIMEOUT, {"timeout_status": 200}, 200),
        (Reason.METHOD_NOT_SUPPORTED, {}, 200),
        (Reason.METHOD_NOT_SUPPORTED, {"unsupported_status": 490}, 490),
        (Reason.ORDER_ID_NOT_FOUND, {}, 404),
        (Reason.OTHER, {}, 200),
    ],
)
@pytest.mark.parametrize(("path", "more"), [(CANCEL_ALL, {}), (CANCEL, {"client_order_id": "a"})])
def test_a_cancel_that_does_not_reach_the_exchange_is_rejected_with_its_reason(
    reason: Reason, conflicts: dict[str, int], status: int, path: str, more: dict[str, str]
):
    ours = caller()
    ours.choose(**conflicts)
    ours.place("limit", "a")
    ours.hitch(reason, uid=UID)
    answer = ours.post(path, exchange_id=JOHN, **more)
    found = fields(answer)
    assert answer.status == status
    assert found.keys() == RESPONSES["cancel-all-490"]["body"].keys()
    assert (found["type"], found["reject_reason"]) == ("MESSAGE_REJECT", reason.value)
    assert json.loads(found["rejected_message"])["exchange_id"] == JOHN
    ours.wait(5)
    assert ours.open() == ["a"]


def test_a_cancel_that_timed_out_may_have_been_applied():
    ours = caller()
    ours.place("limit", "a")
    ours.hitch(Reason.EXCHANGE_RESPONSE_TIMEOUT, is_applied=True)
    assert ours.cancel_all().status == 504
    ours.wait(1)
    assert ours.open() == []


@pytest.mark.parametrize("content_type", ["appliction/json", "application/json"])
def test_an_unreachable_exchange_is_told_in_a_media_type_that_is_a_switch(content_type: str):
    ours = caller()
    ours.choose(unreachable_type=content_type)
    ours.hitch(Reason.EXCHANGE_UNREACHABLE)
    assert ours.cancel_all().content_type == content_type
    assert ours.send("GET", READ).content_type == content_type


def test_the_media_type_of_an_unreachable_exchange_is_misspelt_as_documented():
    ours = caller()
    ours.hitch(Reason.EXCHANGE_UNREACHABLE)
    assert ours.cancel_all().content_type == RESPONSES["cancel-all-490"]["content_type"]


def test_one_exchange_that_cannot_be_reached_does_not_concern_the_others():
    ours = caller()
    theirs = other(ours)
    for at in (JOHN, PLAIN):
        ours.place("limit", at, at=at)
    theirs.place("limit", "theirs")
    ours.hitch(Reason.EXCHANGE_UNREACHABLE, uid=UID)
    assert ours.send("GET", READ).status == 490
    assert (ours.cancel_all(PLAIN).status, ours.names(PLAIN)) == (200, [PLAIN])
    assert (theirs.cancel_all().status, theirs.names()) == (200, ["theirs"])


def test_a_reading_of_all_leaves_out_what_cannot_be_reached_or_is_refused():
    ours = caller()
    for at in (JOHN, PLAIN):
        ours.place("limit", at, at=at)
    ours.hitch(Reason.EXCHANGE_UNREACHABLE, uid=UID)
    assert ours.names(None) == [PLAIN]
    ours.choose(unfiltered_hides_unreachable=False)
    answer = ours.send("GET", ORDERS)
    assert (answer.status, fields(answer)["exchange_id"]) == (490, JOHN)


@pytest.mark.parametrize("reason", [Reason.EXCHANGE_RESPONSE_TIMEOUT, Reason.OTHER, None])
def test_only_an_unreachable_exchange_refuses_readings(reason: Reason | None):
    ours = caller()
    ours.place("limit", "a")
    ours.hitch(reason)
    assert ours.names() == ["a"]


def test_a_hitch_ends_after_so_many_calls():
    ours = caller()
    hitch = ours.hitch(Reason.EXCHANGE_UNREACHABLE, path=CANCEL_ALL, times=2)
    assert [ours.cancel_all().status for _ in range(3)] == [490, 490, 200]
    assert hitch.met == 2


def test_where_there_is_no_cancel_all_orders_are_cancelled_one_by_one():
    ours = caller()
    ours.venue.without_cancel_all.add("BITSTAMP")
    ours.place("limit", "a", at=STAMP)
    answer = ours.cancel_all(STAMP)
    documented = RESPONSES["cancel-all-200-reject-inside"]["body"]
    found = fields(answer)
    assert (answer.status, found.keys()) == (200, documented.keys())
    assert found["reject_reason"] == "METHOD_NOT_SUPPORTED"
    assert found["rejected_message"] == documented["rejected_message"].replace(JOHN, STAMP)
    assert fields(ours.cancel_all(JOHN))["message"] == "Ok"
    ours.post(CANCEL, exchange_id=STAMP, client_order_id="a")
    ours.wait(1)
    assert ours.open(STAMP) == []


@pytest.mark.parametrize(
    ("wrong", "status", "transport"),
    [
        (Wrong.TOO_MANY, 429, Transport.WHOLE),
        (Wrong.SERVER, 500, Transport.WHOLE),
        (Wrong.UNAVAILABLE, 503, Transport.WHOLE),
        (Wrong.HTML, 200, Transport.WHOLE),
        (Wrong.EMPTY, 200, Transport.WHOLE),
        (Wrong.REDIRECT, 302, Transport.WHOLE),
        (Wrong.HANG, 200, Transport.HANG),
        (Wrong.RESET, 200, Transport.RESET),
        (Wrong.REFUSED_KEY, 401, Transport.WHOLE),
        (Wrong.LACKS_PERMISSION, 403, Transport.WHOLE),
        (Wrong.WRONG_ADDRESS, 403, Transport.WHOLE),
    ],
)
def test_what_fails_before_it_is_looked_at_cancels_nothing(
    wrong: Wrong, status: int, transport: Transport
):
    ours = stricken(wrong)
    answer = ours.cancel_all()
    assert (answer.status, answer.transport) == (status, transport)
    ours.wait(30)
    assert ours.open() == ["a", "b", "c", "d"]
    assert [seen.code for seen in ours.venue.log] == [str(status)]


@pytest.mark.parametrize(
    ("wrong", "transport"),
    [
        (Wrong.CUT, Transport.CUT),
        (Wrong.DRIP, Transport.DRIP),
        (Wrong.LOST_REPLY, Transport.LOST),
        (Wrong.OVERSIZE, Transport.OVERSIZE),
    ],
)
def test_what_fails_on_the_way_back_has_been_applied(wrong: Wrong, transport: Transport):
    ours = stricken(wrong)
    assert ours.cancel_all().transport is transport
    ours.wait(1)
    assert ours.open() == []


def test_a_cancel_acknowledged_and_dropped_leaves_every_order_as_it_was():
    ours = stricken(Wrong.ACCEPT_AND_DROP, path=CANCEL_ALL)
    assert fields(ours.cancel_all())["message"] == "Ok"
    assert {row["status"] for row in ours.read()} == {"NEW"}


def test_a_cancel_made_by_half_leaves_every_other_order():
    ours = stricken(Wrong.HALF)
    ours.cancel_all()
    ours.wait(1)
    assert len(ours.open()) == 2


def test_a_late_cancel_is_pending_for_long_after_nobody_answered():
    ours = stricken(Wrong.LATE, times=1)
    assert ours.cancel_all().transport is Transport.HANG
    ours.wait(7.9)
    assert {row["status"] for row in ours.read()} == {"PENDING_CANCEL"}
    ours.wait(0.4)
    assert ours.read() == []


def test_revived_orders_are_gone_for_a_while_and_then_new_again():
    ours = stricken(Wrong.REVIVE, times=1)
    ours.cancel_all()
    ours.wait(0.5)
    assert ours.read() == []
    assert ours.status_of("a") == "CANCELED"
    ours.wait(1.5)
    assert {row["status"] for row in ours.read()} == {"NEW"}
    ours.cancel_all()
    ours.wait(1)
    assert ours.open() == []


@pytest.mark.parametrize(
    ("kind", "shown"), [("", []), ("limit", ["outside"]), ("outside", ["limit"])]
)
def test_hidden_orders_are_open_and_not_shown(kind: str, shown: list[str]):
    ours = caller()
    for each in ("limit", "outside"):
        ours.place(each, each)
    ours.fail(Wrong.HIDE, kind=kind)
    assert ours.names() == shown
    assert ours.open() == ["limit", "outside"]


def test_a_hidden_parent_is_not_listed():
    ours = caller()
    ours.place("smart", "parent")
    ours.fail(Wrong.HIDE)
    assert ours.send("GET", "/v1/sor/requests").body == b"[]"


def test_a_reading_that_lags_shows_what_was_and_how_it_was():
    ours = stricken(Wrong.LAG, path=ORDERS, containing="exchange_id=")
    ours.cancel_all()
    ours.wait(2)
    assert {row["status"] for row in ours.read()} == {"NEW"}
    ours.wait(2)
    assert ours.read() == []


def test_a_truncated_reading_shows_half():
    assert len(stricken(Wrong.TRUNCATE).read()) == 2


def test_a_reading_mixed_up_shows_another_account_under_its_own_name():
    ours = caller()
    ours.place("limit", "ours", at=JOHN)
    ours.place("limit", "plain", at=PLAIN)
    ours.fail(Wrong.OTHER_ACCOUNT, uid=UID)
    rows = [(row["client_order_id"], row["exchange_id"]) for row in ours.read()]
    assert rows == [("plain", PLAIN)]


@pytest.mark.parametrize("target", [ORDERS, READ, "/v1/sor/requests"])
def test_a_list_that_is_absent_is_null_under_200(target: str):
    ours = stricken(Wrong.NO_LIST)
    answer = ours.send("GET", target)
    assert (answer.status, answer.body) == (200, b"null")


def test_an_absent_list_does_not_concern_a_cancel():
    assert fields(stricken(Wrong.NO_LIST).cancel_all())["message"] == "Ok"


def test_a_fault_of_one_account_meets_readings_of_all_but_lies_about_that_account_alone():
    ours = caller()
    for at in (JOHN, PLAIN):
        ours.place("limit", at, at=at)
    fault = ours.fail(Wrong.HIDE, uid="desk:KRAKEN")
    assert ours.names(None) == [JOHN]
    assert (ours.names(JOHN), ours.names(PLAIN)) == ([JOHN], [])
    assert fault.met == 2


@pytest.mark.parametrize(
    ("meets", "first", "second"),
    [
        ({"uid": "other:KRAKEN/JOHN"}, 200, 200),
        ({"uid": UID}, 500, 500),
        ({"path": CANCEL_ALL}, 500, 200),
        ({"containing": "client_order_id"}, 200, 500),
        ({"times": 1}, 500, 200),
    ],
)
def test_a_fault_meets_the_calls_that_it_names(meets: dict[str, Any], first: int, second: int):
    ours = stricken(Wrong.SERVER, **meets)
    one = ours.post(CANCEL_ALL, exchange_id=JOHN).status
    two = ours.post(CANCEL, exchange_id=JOHN, client_order_id="a").status
    assert (one, two) == (first, second)
