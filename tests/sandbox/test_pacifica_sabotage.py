"""What the simulated Pacifica does wrong on demand, over both transports."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.venues.exchange import Transport
from bot.sandbox.venues.faults import Wrong
from bot.sandbox.venues.pacifica_shapes import Engine
from tests.sandbox.pacifica_caller import (
    ALL,
    EVERYTHING,
    MAIN,
    OTHER,
    STRATEGY,
    SUB,
    SUBACCOUNTS,
    V1,
    Caller,
    caller,
    fields,
    told,
)

CANCELS = ("http", "frame")


def stricken(wrong: Wrong, **more: Any) -> Caller:
    ours = caller()
    ours.venue.book.seed(MAIN, {"limit": 4}, now=ours.now)
    ours.fail(wrong, **more)
    return ours


def cancel(ours: Caller, way: str) -> Any:
    if way == "http":
        return ours.cancel_all()
    return ours.frame("cancel_all_orders", **EVERYTHING)


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
def test_what_fails_before_it_is_looked_at_cancels_nothing(
    wrong: Wrong, status: int, content_type: str, transport: Transport
):
    ours = stricken(wrong)
    answer = ours.cancel_all()
    assert (answer.status, answer.content_type) == (status, content_type)
    assert answer.transport is transport
    assert ours.open() == {"limit": 4}
    assert (ours.seen().code, ours.seen().is_signed) == (str(status), False)


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [(Wrong.TOO_MANY, 429, "Rate limit exceeded"), (Wrong.SERVER, 500, "Internal server error")],
)
def test_a_frame_is_refused_in_the_protocols_own_words(wrong: Wrong, code: int, said: str):
    ours = stricken(wrong)
    reply = fields(cancel(ours, "frame"))
    assert (reply["code"], reply["err"], reply["type"]) == (code, said, "cancel_all_orders")
    assert ours.open() == {"limit": 4}


@pytest.mark.parametrize(
    ("wrong", "transport", "text"),
    [
        (Wrong.UNAVAILABLE, Transport.RESET, None),
        (Wrong.REDIRECT, Transport.RESET, None),
        (Wrong.RESET, Transport.RESET, None),
        (Wrong.HANG, Transport.HANG, None),
        (Wrong.HTML, Transport.WHOLE, b"<html>hello</html>"),
        (Wrong.EMPTY, Transport.WHOLE, b""),
    ],
)
def test_what_has_no_word_in_frames_closes_or_breaks_them(
    wrong: Wrong, transport: Transport, text: bytes | None
):
    ours = stricken(wrong)
    answer = cancel(ours, "frame")
    assert answer.transport is transport
    assert text is None or answer.body == text
    assert ours.open() == {"limit": 4}


@pytest.mark.parametrize("way", CANCELS)
@pytest.mark.parametrize(
    ("wrong", "transport"),
    [
        (Wrong.CUT, Transport.CUT),
        (Wrong.DRIP, Transport.DRIP),
        (Wrong.LOST_REPLY, Transport.LOST),
        (Wrong.OVERSIZE, Transport.OVERSIZE),
    ],
)
def test_what_fails_on_the_way_back_has_been_applied(wrong: Wrong, transport: Transport, way: str):
    ours = stricken(wrong)
    assert cancel(ours, way).transport is transport
    assert ours.open() == {}


@pytest.mark.parametrize(
    ("wrong", "status", "ws_code", "said"),
    [
        (
            Wrong.REFUSED_KEY,
            400,
            401,
            "Verification failed: signature does not match signer and canonical payload.",
        ),
        (Wrong.LACKS_PERMISSION, 400, 403, "Agent not authorized for account"),
        (Wrong.WRONG_ADDRESS, 403, 403, "IP address not whitelisted"),
    ],
)
def test_a_key_refused_on_demand_cancels_nothing(
    wrong: Wrong, status: int, ws_code: int, said: str
):
    ours = stricken(wrong)
    assert told(ours.cancel_all()) == (status, said)
    reply = fields(cancel(ours, "frame"))
    assert (reply["code"], reply["err"]) == (ws_code, said)
    assert ours.post(SUBACCOUNTS).status == status
    assert ours.open() == {"limit": 4}


@pytest.mark.parametrize(
    ("wrong", "status"),
    [(Wrong.REFUSED_KEY, 200), (Wrong.LACKS_PERMISSION, 200), (Wrong.WRONG_ADDRESS, 403)],
)
def test_readings_need_no_key_but_a_region(wrong: Wrong, status: int):
    ours = stricken(wrong)
    assert ours.get("/orders").status == status
    assert ours.send("GET", f"{V1}/info").status == status


@pytest.mark.parametrize("way", CANCELS)
@pytest.mark.parametrize(
    ("wrong", "at_once", "later"),
    [(Wrong.ACCEPT_AND_DROP, 4, 4), (Wrong.HALF, 2, 2), (Wrong.REVIVE, 0, 4)],
)
def test_a_cancel_that_lies_counts_what_it_leaves(wrong: Wrong, at_once: int, later: int, way: str):
    ours = stricken(wrong)
    assert fields(cancel(ours, way))["data"] == {"cancelled_count": 4}
    assert sum(ours.open().values()) == at_once
    ours.wait(2.0)
    assert sum(ours.open().values()) == later


@pytest.mark.parametrize("way", CANCELS)
def test_a_late_cancel_is_not_answered_and_works_when_nobody_waits(way: str):
    ours = stricken(Wrong.LATE)
    assert cancel(ours, way).transport is Transport.HANG
    ours.wait(7.9)
    assert ours.open() == {"limit": 4}
    ours.wait(0.2)
    assert ours.open() == {}


def test_children_go_when_a_late_cancel_of_their_strategy_works():
    ours = caller()
    _, name = ours.strategy()
    ours.fail(Wrong.LATE, path=STRATEGY)
    ours.post(STRATEGY, strategy_id=name)
    ours.cancel_all()
    ours.wait(9.0)
    assert ours.open() == {}


def test_half_a_cancelled_strategy_leaves_children_without_it():
    ours = caller()
    _, name = ours.strategy(children=3)
    ours.fail(Wrong.HALF)
    assert ours.post(STRATEGY, strategy_id=name).status == 200
    ours.wait(2.0)
    assert ours.open() == {"limit": 2}


def shown(ours: Caller) -> list[int]:
    """Count what every reading shows: four lists and two counters."""
    counters = fields(ours.get("/account"))["data"]
    return [
        len(fields(ours.get("/orders"))["data"]),
        len(fields(ours.get("/orders/twap"))["data"]),
        len(fields(ours.get("/twaps"))["data"]),
        len(fields(ours.get("/order_strategies"))["data"]["strategies"]),
        counters["orders_count"],
        counters["stop_orders_count"],
    ]


def full() -> Caller:
    ours = caller()
    for kind in ("limit", "stop", "twap", "strategy"):
        ours.place(kind)
        ours.place(kind)
    return ours


@pytest.mark.parametrize(
    ("fault", "counts"),
    [
        ({"wrong": Wrong.HIDE}, [0, 0, 0, 0, 0, 0]),
        ({"wrong": Wrong.HIDE, "kind": "stop"}, [2, 2, 2, 2, 2, 0]),
        ({"wrong": Wrong.HIDE, "kind": "strategy"}, [4, 2, 2, 0, 2, 2]),
        ({"wrong": Wrong.HIDE, "path": "/api/v1/account"}, [4, 2, 2, 2, 0, 0]),
        ({"wrong": Wrong.OTHER_ACCOUNT}, [0, 0, 0, 0, 0, 0]),
        ({"wrong": Wrong.TRUNCATE}, [2, 1, 2, 1, 1, 1]),
    ],
)
def test_a_reading_lies(fault: dict[str, Any], counts: list[int]):
    ours = full()
    assert shown(ours) == [4, 2, 2, 2, 2, 2]
    ours.fail(**fault)
    assert shown(ours) == counts
    assert ours.open() == {"limit": 2, "stop": 2, "twap": 2, "strategy": 2}


def test_a_reading_shows_another_account():
    ours = full()
    ours.fail(Wrong.OTHER_ACCOUNT)
    order = ours.venue.book.place(OTHER, "limit", now=ours.now)
    assert ours.ids() == [int(order.order_id)]


def test_a_reading_that_lags_shows_what_was_three_seconds_ago_and_tells_so():
    ours = full()
    fresh = fields(ours.get("/orders"))["last_order_id"]
    ours.cancel_all()
    ours.fail(Wrong.LAG)
    stale = fields(ours.get("/orders"))
    assert len(stale["data"]) == 4
    assert stale["last_order_id"] == fresh - 30
    ours.wait(3.1)
    assert len(fields(ours.get("/orders"))["data"]) == 2


def test_what_is_asked_for_is_absent_and_all_is_said_to_be_well():
    ours = full()
    ours.fail(Wrong.NO_LIST)
    done = {"success": True, "error": None, "code": None}
    for path in ("/orders", "/orders/twap"):
        reply = fields(ours.get(path))
        assert "data" not in reply
        assert reply.items() >= done.items()
    for path in ("/account", "/order_strategies"):
        assert fields(ours.get(path)) == done | {"data": {}}
    assert fields(ours.post(SUBACCOUNTS)) == done | {"data": {}}
    assert fields(cancel(ours, "frame"))["data"] == {}
    assert fields(ours.cancel_all()) == done | {"data": {}}
    assert fields(ours.cancel_all(all_symbols=False))["success"] is False


def test_the_same_page_comes_for_ever():
    ours = caller()
    ours.venue.book.seed(MAIN, {"twap": 3, "strategy": 3}, now=ours.now)
    ours.fail(Wrong.REPEAT_CURSOR)
    first = fields(ours.get("/twaps", limit=2))
    assert len(first["data"]) == 2
    assert first["has_more"] is True
    assert fields(ours.get("/twaps", limit=2, cursor=first["next_cursor"])) == first
    pages = [fields(ours.get("/order_strategies", limit=2, offset=n))["data"] for n in (0, 2)]
    assert pages[0] == pages[1]
    assert len(pages[0]["strategies"]) == 2


@pytest.mark.parametrize(
    ("name", "is_applied", "code", "said"),
    [
        ("TRADING_DISABLED", False, 38, "Trading disabled"),
        ("CHANNEL_CLOSED", False, 26, "Channel closed"),
        ("RESPONSE_DROPPED", True, 27, "Response dropped"),
    ],
)
@pytest.mark.parametrize("way", CANCELS)
def test_the_engine_refuses_and_may_have_cancelled_all_the_same(
    name: str, *, is_applied: bool, code: int, said: str, way: str
):
    ours = full()
    ours.venue.faults.add(Engine(name=name, is_applied=is_applied))
    answer = cancel(ours, way)
    reply = fields(answer)
    if way == "http":
        assert (answer.status, reply["code"], reply["error"]) == (422, code, said)
    else:
        assert (reply["code"], reply["err"]) == (420, said)
    assert (ours.open().get("limit") is None) is is_applied
    assert ours.get("/orders").status == 200


def test_a_fault_meets_an_account_a_path_and_a_word():
    ours = full()
    fault = ours.fail(Wrong.SERVER, uid=MAIN, path="/ws/cancel_all_orders", containing="BTC")
    assert fields(cancel(ours, "frame"))["code"] == 200
    narrow = {"all_symbols": False, "symbol": "BTC", "exclude_reduce_only": False}
    assert fields(ours.frame("cancel_all_orders", **narrow))["code"] == 500
    assert ours.cancel_all(all_symbols=False, symbol="BTC").status == 200
    assert fields(ours.say('{"method":"ping"}')) == {"channel": "pong"}
    ours.account = SUB
    assert fields(ours.frame("cancel_all_orders", **narrow))["code"] == 403
    assert fault.met == 1


def test_pings_fail_as_other_frames_do():
    ours = stricken(Wrong.HANG, path="/ws/ping", times=1)
    assert ours.say('{"method":"ping"}').transport is Transport.HANG
    assert ours.say('{"method":"ping"}').transport is Transport.WHOLE
    ours.fail(Wrong.LAG)
    assert fields(ours.say('{"method":"ping"}')) == {"channel": "pong"}


def test_a_handshake_is_refused_on_demand():
    ours = stricken(Wrong.UNAVAILABLE, path="/ws", is_whole_path=True)
    assert ours.send("OPEN", "/ws").status == 503
    assert fields(cancel(ours, "frame"))["code"] == 200


def test_the_path_of_a_frame_is_in_the_wire_log():
    ours = caller()
    cancel(ours, "frame")
    assert (ours.seen().method, ours.seen().path) == ("FRAME", "/ws/cancel_all_orders")
    assert (ours.seen().code, ours.seen().uid) == ("200", MAIN)
    ours.cancel_all()
    assert (ours.seen().method, ours.seen().path) == ("POST", ALL)
