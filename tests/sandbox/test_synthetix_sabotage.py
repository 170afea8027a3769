"""What the simulated Synthetix does wrong on demand, and to whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.sandbox.venues.exchange import Answer, Transport
from bot.sandbox.venues.faults import Wrong
from tests.sandbox.synthetix_caller import (
    DELEGATE_KEY,
    NOW,
    OTHER_UID,
    OWNER,
    STRANGER_KEY,
    UID,
    Caller,
    caller,
    error,
    fields,
    response,
)


def stricken(wrong: Wrong, **more: str) -> Caller:
    """Four orders, named a (the oldest) to d."""
    ours = caller()
    for number, name in enumerate("abcd"):
        ours.venue.book.place(UID, "limit", now=NOW - 100 + number, link_id=name)
    ours.fail(wrong, **more)
    return ours


@pytest.mark.parametrize(
    ("wrong", "status", "content_type", "transport"),
    [
        (Wrong.TOO_MANY, 429, "text/plain", Transport.WHOLE),
        (Wrong.SERVER, 500, "text/plain", Transport.WHOLE),
        (Wrong.UNAVAILABLE, 503, "text/html", Transport.WHOLE),
        (Wrong.HTML, 200, "text/html", Transport.WHOLE),
        (Wrong.EMPTY, 200, "text/plain", Transport.WHOLE),
        (Wrong.REDIRECT, 302, "text/plain", Transport.WHOLE),
        (Wrong.HANG, 200, "text/plain", Transport.HANG),
        (Wrong.RESET, 200, "text/plain", Transport.RESET),
    ],
)
def test_what_is_never_looked_at_cancels_nothing_and_leaves_the_nonce_free(
    wrong: Wrong, status: int, content_type: str, transport: Transport
):
    ours = stricken(wrong)
    answer = ours.cancel_all()
    assert (answer.status, answer.content_type) == (status, content_type)
    assert answer.transport is transport
    assert ours.open() == ["a", "b", "c", "d"]
    assert ours.venue.registry.nonces == {}
    assert [(seen.code, seen.is_signed) for seen in ours.venue.log] == [(str(status), False)]


@pytest.mark.parametrize(
    ("wrong", "transport"),
    [
        (Wrong.CUT, Transport.CUT),
        (Wrong.DRIP, Transport.DRIP),
        (Wrong.LOST_REPLY, Transport.LOST),
        (Wrong.OVERSIZE, Transport.OVERSIZE),
    ],
)
def test_what_fails_on_its_way_back_has_been_applied_and_has_used_its_nonce(
    wrong: Wrong, transport: Transport
):
    ours = stricken(wrong)
    assert ours.cancel_all().transport is transport
    assert ours.open() == []
    ours.venue.faults.clear()
    ours.nonce -= 1
    assert error(ours.cancel_all())[2] == "nonce already used"


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        (
            Wrong.REFUSED_KEY,
            (401, "UNAUTHORIZED", f"wallet {OWNER} is not authorized to act on this subaccount"),
        ),
        (
            Wrong.LACKS_PERMISSION,
            (403, "FORBIDDEN", "operation requires account owner, delegates are not permitted"),
        ),
        (Wrong.WRONG_ADDRESS, (403, "FORBIDDEN", "Forbidden")),
    ],
)
def test_a_signer_refused_on_demand_cancels_nothing_and_is_refused_no_longer_than_that(
    wrong: Wrong, refusal: tuple[int, str, str]
):
    ours = stricken(wrong)
    assert error(ours.cancel_all()) == refusal
    assert error(ours.ask("getOpenOrders")) == refusal
    assert ours.open() == ["a", "b", "c", "d"]
    ours.venue.faults.clear()
    assert len(response(ours.cancel_all())) == 4


def test_who_asks_what_anybody_may_is_not_refused():
    ours = stricken(Wrong.REFUSED_KEY)
    assert len(response(ours.public("getMarkets"))) == 3


@pytest.mark.parametrize(
    ("wrong", "left"),
    [(Wrong.ACCEPT_AND_DROP, ["a", "b", "c", "d"]), (Wrong.HALF, ["a", "c"])],
)
def test_a_cancel_that_lies_names_every_order_and_takes_less(wrong: Wrong, left: list[str]):
    ours = stricken(wrong)
    everything = ours.read()
    assert len(response(ours.cancel_all())) == 4
    assert ours.open() == left
    ours = stricken(wrong)
    statuses = response(ours.cancel(*[row["orderId"] for row in everything]))["statuses"]
    assert [list(status) for status in statuses] == [["canceled"]] * 4
    assert ours.open() == left


def test_a_late_cancel_is_never_answered_and_takes_effect_after_eight_seconds():
    ours = stricken(Wrong.LATE)
    assert ours.cancel_all().transport is Transport.HANG
    ours.now += 7.9
    assert ours.open() == ["a", "b", "c", "d"]
    ours.now += 0.1
    assert ours.open() == []


def test_orders_may_come_back():
    ours = stricken(Wrong.REVIVE)
    ours.cancel_all()
    assert ours.open() == []
    ours.now += 1.5
    assert ours.open() == ["a", "b", "c", "d"]


def test_a_reading_may_hide_everything_or_one_kind():
    ours = stricken(Wrong.HIDE, kind="twap")
    ours.place("twap", "t")
    assert len(ours.read()) == 4
    ours.venue.faults.clear()
    ours.fail(Wrong.HIDE)
    assert ours.read() == []
    assert ours.open() == ["a", "b", "c", "d", "t"]


def test_a_reading_may_show_what_was_three_seconds_ago():
    ours = stricken(Wrong.LAG, path="/v1/trade/getOpenOrders")
    ours.cancel_all()
    assert len(ours.read()) == 4
    ours.now += 3.0
    assert ours.read() == []


def test_a_reading_may_show_half_or_another_subaccount():
    ours = stricken(Wrong.TRUNCATE)
    assert len(ours.read()) == 2
    ours.venue.faults.clear()
    theirs = ours.venue.book.place(OTHER_UID, "limit", now=NOW)
    ours.fail(Wrong.OTHER_ACCOUNT)
    assert [row["orderId"] for row in ours.read()] == [theirs.order_id]


def test_the_same_page_may_come_for_ever():
    ours = stricken(Wrong.REPEAT_CURSOR)
    first = ours.read(limit=2)
    assert len(first) == 2
    assert ours.read(limit=2, offset=2) == ours.read(limit=2, offset=400) == first


def test_a_reply_may_lack_its_response_and_still_say_ok():
    ours = stricken(Wrong.NO_LIST)
    for answer in (ours.ask("getOpenOrders"), ours.cancel_all(), ours.public("getMarkets")):
        assert answer.status == 200
        found = fields(answer)
        assert found["status"] == "ok"
        assert "response" not in found


def met(answers: list[Answer]) -> list[bool]:
    return [answer.status == 500 for answer in answers]


def test_a_fault_meets_only_the_subaccount_the_action_and_the_words_it_is_meant_for():
    ours = caller()
    theirs = replace(ours, uid=OTHER_UID, key=STRANGER_KEY)
    ours.fail(Wrong.SERVER, uid=UID, path="/v1/trade/cancel", containing="BTC-USDT")
    assert met([ours.cancel_all("BTC-USDT"), ours.cancel_all("ETH-USDT")]) == [True, False]
    assert met([theirs.cancel_all("BTC-USDT")]) == [False]
    assert met([ours.ask("getOpenOrders", symbol="BTC-USDT")]) == [False]
    delegate = replace(ours, key=DELEGATE_KEY)
    assert met([delegate.cancel_named("BTC-USDT")]) == [True]


def test_a_fault_of_a_whole_path_leaves_longer_ones_alone():
    ours = caller()
    ours.fail(Wrong.SERVER, path="/v1/trade/cancelAll", is_whole_path=True)
    ours.fail(Wrong.SERVER, path="/v1/info")
    assert met([ours.cancel_all(), ours.public("getMarkets")]) == [False, True]


def test_the_same_seed_plays_the_same_run():
    def run() -> list[bytes]:
        ours = caller()
        ours.seed(limit=3, trigger=3)
        ours.fail(Wrong.SERVER, share=0.5)
        return [ours.cancel_all().body for _ in range(8)]

    assert run() == run()
    assert len(set(run())) > 1
