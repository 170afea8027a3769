"""What the simulated EMS cancels and shows, rule by documented rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.sandbox.venues import coinapi_kinds as kinds
from bot.sandbox.venues.coinapi_reports import stamp
from tests.sandbox.coinapi_caller import (
    CANCEL,
    JOHN,
    NOW,
    PLAIN,
    RESPONSES,
    STAMP,
    Caller,
    caller,
    fields,
    other,
    stocked,
)

SHOWN = {"limit", "partly filled", "transit", "outside", "child"}


@pytest.mark.parametrize(
    ("conflicts", "left"),
    [
        ({}, ["outside", "smart", "transit", "unseen stop"]),
        ({"takes_outside": True}, ["smart", "transit", "unseen stop"]),
        ({"transit_slips_past": False}, ["outside", "smart", "unseen stop"]),
    ],
)
def test_cancel_all_takes_what_rests_and_was_sent_through_ems(
    conflicts: dict[str, Any], left: list[str]
):
    ours = stocked()
    ours.choose(**conflicts)
    assert ours.cancel_all().status == 200
    ours.wait(5)
    assert ours.open() == left


def test_a_reading_shows_every_kind_but_parents_and_unseen_stops():
    assert set(stocked().names()) == SHOWN


def test_an_unseen_stop_is_out_of_reach_of_every_call():
    ours = caller()
    ours.place("unseen stop", "stop")
    assert ours.read() == []
    assert ours.send("GET", "/v1/orders/status/stop").status == 404
    assert ours.post(CANCEL, exchange_id=JOHN, client_order_id="stop").status == 404
    ours.cancel_all()
    ours.wait(5)
    assert ours.open() == ["stop"]


def test_a_cancelled_order_is_pending_and_still_shown_until_it_is_gone():
    ours = caller()
    ours.venue.book.cancel_delay_s = 10.0
    order = ours.place("limit", "a")
    ours.cancel_all()
    assert [(row["client_order_id"], row["status"]) for row in ours.read()] == [
        ("a", "PENDING_CANCEL")
    ]
    assert order.gone_at is not None
    assert NOW < order.gone_at <= NOW + 10
    ours.now = order.gone_at
    assert ours.read() == []
    assert ours.status_of("a") == "CANCELED"


@pytest.mark.parametrize("flags", [{}, {"is_uncancellable": True}])
def test_a_second_cancel_does_not_put_off_the_first(flags: dict[str, Any]):
    ours = caller()
    ours.venue.book.cancel_delay_s = 10.0
    order = ours.place("limit", "a", **flags)
    ours.cancel_all()
    gone_at = order.gone_at
    ours.wait(0.1)
    ours.cancel_all()
    assert order.gone_at == gone_at
    statuses = [name for name, _ in ours.read()[0]["status_history"]]
    assert statuses.count("PENDING_CANCEL") == 1


@pytest.mark.parametrize(
    ("kind", "back"), [("limit", "NEW"), ("outside", "NEW"), ("partly filled", "PARTIALLY_FILLED")]
)
def test_an_order_whose_cancel_the_exchange_refuses_goes_back_to_what_it_was(kind: str, back: str):
    ours = caller()
    ours.choose(takes_outside=True)
    ours.place(kind, "a")
    ours.hitch(None)
    assert ours.cancel_all().status == 200
    assert ours.status_of("a") == "PENDING_CANCEL"
    ours.wait(1)
    assert ours.status_of("a") == back
    assert ours.open() == ["a"]


def test_an_order_that_cannot_be_cancelled_is_pending_each_time_and_comes_back():
    ours = caller()
    ours.place("limit", "a", is_uncancellable=True)
    for _ in range(2):
        ours.cancel_all()
        assert ours.status_of("a") == "PENDING_CANCEL"
        ours.wait(1)
        assert ours.status_of("a") == "NEW"


@pytest.mark.parametrize(
    ("after_s", "status", "exchange_id_is"),
    [
        (0.0, "RECEIVED", "NoneType"),
        (0.6, "ROUTING", "NoneType"),
        (1.1, "ROUTED", "str"),
        (1.6, "NEW", "str"),
    ],
)
def test_an_order_on_its_way_is_shown_with_each_status(
    after_s: float, status: str, exchange_id_is: str
):
    ours = caller()
    ours.place("transit", "a")
    ours.wait(after_s)
    (row,) = ours.read()
    assert row["status"] == status
    assert type(row["exchange_order_id"]).__name__ == exchange_id_is


def test_an_order_that_slipped_past_is_taken_by_the_next_cancel_all():
    ours = caller()
    ours.place("transit", "a")
    ours.cancel_all()
    ours.wait(2)
    assert ours.status_of("a") == "NEW"
    ours.cancel_all()
    ours.wait(1)
    assert ours.open() == []


def test_an_order_on_its_way_is_cancelled_by_its_client_id_once_it_has_arrived():
    ours = caller()
    ours.place("transit", "a")
    answer = ours.post(CANCEL, exchange_id=JOHN, client_order_id="a")
    assert fields(answer)["status"] == "RECEIVED"
    ours.wait(1.4)
    assert ours.status_of("a") == "ROUTED"
    ours.wait(1)
    assert ours.status_of("a") == "CANCELED"


def test_cancel_all_is_for_one_exchange_id_of_one_customer():
    ours = caller()
    theirs = other(ours)
    for at in (JOHN, PLAIN, STAMP):
        ours.place("limit", at, at=at)
    theirs.place("limit", "theirs")
    ours.cancel_all(PLAIN)
    ours.wait(1)
    assert (ours.open(PLAIN), ours.open(JOHN), ours.open(STAMP)) == ([], [JOHN], [STAMP])
    ours.cancel_all(JOHN)
    ours.wait(1)
    assert (ours.open(JOHN), theirs.open(JOHN)) == ([], ["theirs"])


def test_an_untagged_name_covers_tagged_accounts_only_by_a_switch():
    ours = caller()
    ours.choose(untagged_covers_tagged=True)
    for at in (JOHN, PLAIN, STAMP):
        ours.place("limit", at, at=at)
    assert ours.cancel_all("KRAKEN").status == 200
    ours.wait(1)
    assert (ours.open(PLAIN), ours.open(JOHN), ours.open(STAMP)) == ([], [], [STAMP])


def test_readings_are_of_one_account_or_of_all_of_the_key():
    ours = caller()
    theirs = other(ours)
    ours.place("limit", "tagged", at=JOHN)
    ours.place("limit", "plain", at=PLAIN)
    theirs.place("limit", "theirs")
    assert ours.names(JOHN) == ["tagged"]
    assert ours.names(PLAIN) == ["plain"]
    assert sorted(ours.names(None)) == ["plain", "tagged"]
    assert theirs.names(None) == ["theirs"]


@pytest.mark.parametrize("separator", "~/.,:;\\!@#$%^&*-_+=.")
def test_every_separator_of_a_tag_survives_a_percent_encoded_query(separator: str):
    ours = caller()
    name = f"BINANCEFTS{separator}7"
    key = next(iter(ours.venue.keys.values()))
    ours.venue.add_key("tagged", type(key)(customer="desk", exchange_ids=(name,)))
    ours.api_key = "tagged"
    ours.place("limit", "a", at=name)
    assert ours.names(name) == ["a"]


def test_a_plus_that_is_not_encoded_is_a_space_and_names_another_account():
    ours = caller()
    key = next(iter(ours.venue.keys.values()))
    ours.venue.add_key("tagged", type(key)(customer="desk", exchange_ids=("KRAKEN+A",)))
    ours.api_key = "tagged"
    assert ours.send("GET", "/v1/orders?exchange_id=KRAKEN+A").status == 490
    assert ours.send("GET", "/v1/orders?exchange_id=KRAKEN%2BA").status == 200


@pytest.mark.parametrize("name", ["BYBIT", "kraken", "KRAKEN/", "KRAKEN JOHN", ""])
def test_an_exchange_that_ems_does_not_have_cannot_be_registered(name: str):
    with pytest.raises(ValueError, match="EMS knows no exchange id"):
        kinds.exchange_of(name)


def test_orders_are_cancelled_one_by_one_by_either_id():
    ours = caller()
    for name in ("a", "b", "c"):
        ours.place("limit", name)
    ours.place("outside", "d")
    by_name = {row["client_order_id"]: row for row in ours.read()}
    first = ours.post(CANCEL, exchange_id=JOHN, client_order_id="a")
    assert fields(first)["status"] == "PENDING_CANCEL"
    for name in ("b", "d"):
        found = by_name[name]["exchange_order_id"]
        answer = ours.post(CANCEL, exchange_id=JOHN, exchange_order_id=found)
        assert fields(answer)["client_order_id"] == name
    ours.wait(1)
    assert ours.open() == ["c"]


@pytest.mark.parametrize("flags", [{}, {"is_uncancellable": True}])
def test_a_cancel_of_an_order_that_has_gone_answers_its_last_report(flags: dict[str, Any]):
    ours = caller()
    order = ours.place("limit", "a", **flags)
    order.gone_at = NOW - 1
    answer = ours.post(CANCEL, exchange_id=JOHN, client_order_id="a")
    assert (answer.status, fields(answer)["status"]) == (200, "FILLED")
    assert fields(answer)["amount_open"] == 0.0


def test_a_cancel_of_one_order_is_for_the_exchange_id_that_has_it():
    ours = caller()
    ours.place("limit", "a", at=PLAIN)
    assert ours.post(CANCEL, exchange_id=JOHN, client_order_id="a").status == 404
    assert ours.open(PLAIN) == ["a"]


def test_a_report_has_the_fields_of_the_documented_sample_and_no_other():
    (sample,) = RESPONSES["open-orders-one-new"]["body"]
    ours = caller()
    ours.place("limit", "a")
    (row,) = ours.read()
    assert row.keys() == sample.keys()
    assert [name for name, _ in row["status_history"]] == ["RECEIVED", "ROUTING", "ROUTED", "NEW"]
    told = (row["status"], row["order_type"], row["exec_inst"], row["error_message"])
    assert told == ("NEW", "LIMIT", ["MAKER_OR_CANCEL"], None)
    assert (row["exchange_id"], row["symbol_id_coinapi"]) == (JOHN, "KRAKEN_SPOT_OXT_USD")


@pytest.mark.parametrize(
    ("conflicts", "lacks", "exec_inst"),
    [
        ({"has_extras": False}, {"type", "id"}, ["MAKER_OR_CANCEL"]),
        ({"exec_inst_is_text": True}, set(), "MAKER_OR_CANCEL"),
    ],
)
def test_a_report_may_lack_extras_and_have_text_for_exec_inst(
    conflicts: dict[str, Any], lacks: set[str], exec_inst: object
):
    ours = caller()
    ours.place("limit", "a")
    before = ours.read()[0].keys()
    ours.choose(**conflicts)
    (row,) = ours.read()
    assert before - row.keys() == lacks
    assert row["exec_inst"] == exec_inst


def test_a_cancelled_order_is_reported_like_the_sample_after_a_cancel_all():
    sample = RESPONSES["order-status-after-cancel-all"]["body"]
    ours = caller()
    ours.place("limit", "a")
    ours.cancel_all()
    ours.wait(1)
    row = fields(ours.send("GET", "/v1/orders/status/a"))
    assert [turn[0] for turn in row["status_history"]] == [
        turn[0] for turn in sample["status_history"]
    ]
    assert row["status"] == sample["status"] == "CANCELED"


def test_an_order_from_outside_has_no_way_through_ems_in_its_history():
    ours = caller()
    ours.place("outside", "a")
    (row,) = ours.read()
    assert [name for name, _ in row["status_history"]] == ["NEW"]


def test_amounts_are_json_numbers_even_very_small_ones():
    ours = caller()
    for number in range(4):
        ours.place("partly filled", f"{number}").created_ms = number
    text = ours.send("GET", "/v1/orders").body.decode()
    assert '"amount_order": 5e-15' in text
    rows = json.loads(text)
    assert {type(row[name]) for row in rows for name in ("amount_open", "price")} == {float}
    assert all(row["amount_open"] + row["amount_filled"] == row["amount_order"] for row in rows)
    assert all(row["fills"][0]["amount"] == row["amount_filled"] > 0 for row in rows)


def test_some_orders_expire_and_some_do_not():
    ours = caller()
    ours.venue.book.seed("desk:KRAKEN/JOHN", {"limit": 60}, now=NOW)
    pairs = {(row["time_in_force"], row["expire_time"] is None) for row in ours.read()}
    assert pairs == {("GOOD_TILL_CANCEL", True), ("GOOD_TILL_TIME_EXCHANGE", False)}


def test_times_have_seven_digits_and_are_of_the_venues_clock():
    assert stamp(1_590_578_180.0625) == "2020-05-27T11:16:20.0625000Z"
    ours = caller()
    ours.place("outside", "a", ago_s=0.0)
    ours.venue.skew_s = 3600.0
    assert ours.read()[0]["status_history"] == [["NEW", "2025-11-21T04:00:00.5000000Z"]]


def test_a_full_account_for_the_demo_is_shown_but_for_its_parent():
    ours = caller()
    ours.venue.book.seed("desk:KRAKEN/JOHN", kinds.SEEDABLE, now=NOW)
    assert len(ours.read()) == 55
    assert len(ours.open()) == 56


def running() -> tuple[Caller, str]:
    ours = caller()
    parent = ours.place("smart", "parent")
    ours.place("limit", "now", parent_id=parent.order_id)
    ours.place("limit", "soon", parent_id=parent.order_id, ago_s=-3.0)
    return ours, parent.order_id


def test_a_parent_places_on_after_a_cancel_all():
    ours, _ = running()
    ours.cancel_all()
    ours.wait(5)
    assert ours.names() == ["soon"]


def test_a_cancelled_parent_places_no_more_and_leaves_what_rests():
    ours, parent = running()
    (row,) = json.loads(ours.send("GET", "/v1/sor/requests").body)
    assert (row["id"], row["status"], row["exchanges"]) == (parent, "Running", [JOHN])
    answer = ours.send("POST", f"/v1/sor/cancel/{parent}")
    assert (answer.status, answer.body) == (200, b"")
    ours.wait(5)
    assert ours.names() == ["now"]
    (row,) = json.loads(ours.send("GET", "/v1/sor/requests").body)
    assert (row["status"], list(row["statusHistory"])) == (
        "Cancelled",
        ["Running", "Cancelled"],
    )


def test_children_are_listed_by_exchange():
    ours, _ = running()
    found = fields(ours.send("GET", "/v1/sor/orders"))
    named = {name: [row["client_order_id"] for row in rows] for name, rows in found.items()}
    assert named == {JOHN: ["now"], PLAIN: [], STAMP: []}


def test_a_parent_of_another_customer_is_refused():
    ours, parent = running()
    assert other(ours).send("POST", f"/v1/sor/cancel/{parent}").status == 400
    assert len(ours.open()) == 2
