from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest
from pydantic import SecretStr, ValidationError

from adapters import bybit, bybit_wire
from adapters.bybit_adapter import BybitAdapter
from adapters.carrier import Reply
from adapters.contract import (
    Priority,
    Purpose,
    Scope,
    VenueAuthRefused,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueReplyInvalid,
    VenueThrottled,
)
from adapters.gate import Call, Gate
from adapters.link import VenueLink
from bot.sandbox.venues.bybit import Key
from bot.sandbox.venues.faults import Wrong
from tests.adapters.bybit_world import API_KEY, SECRET, UID, VECTORS, credentials, world

ALL = Scope()
KIND_OF_CLASS = {
    "linear": "linear:USDT",
    "inverse": "inverse",
    "option": "option",
    "spot": "spot",
    "spot tp/sl": "spot:tpslOrder",
    "spot stop": "spot:StopOrder",
    "spot oco": "spot:OcoOrder",
    "spot bidirectional tp/sl": "spot:BidirectionalTpslOrder",
    "spread": "spread",
    "rfq": "rfq",
    "quote": "quote",
    "strategy": "strategy",
}
CLASSES = list(KIND_OF_CLASS)
REALTIME = "/v5/order/realtime"
CANCEL_ALL = "/v5/order/cancel-all"


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (Wrong.TOO_MANY, VenueThrottled),
        (Wrong.SERVER, VenueOutcomeUnknown),
        (Wrong.HTML, VenueReplyInvalid),
        (Wrong.CUT, VenueOutcomeUnknown),
        (Wrong.RESET, VenueOutcomeUnknown),
        (Wrong.LOST_REPLY, VenueOutcomeUnknown),
        (Wrong.REFUSED_KEY, VenueAuthRefused),
        (Wrong.LACKS_PERMISSION, VenueAuthRefused),
        (Wrong.WRONG_ADDRESS, VenueAuthRefused),
    ],
)
async def test_a_fault_is_an_error_in_every_class_and_never_raised(
    wrong: Wrong, kind: type[VenueError]
):
    async with world() as bybit_world:
        for path in ("/v5/order", "/v5/spread", "/v5/rfq", "/v5/strategy"):
            bybit_world.fail(wrong, path)
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert {r.order_class for r in receipts} == set(CLASSES)
        assert {type(r.error) for r in receipts} == {kind}
        reading = await bybit_world.adapter.open_orders(ALL, pages_max=1)
        assert {u.order_class for u in reading.unread} == set(CLASSES)
        assert {type(u.error) for u in reading.unread} == {kind}


async def test_a_strategy_list_that_hangs_delays_no_cancel():
    async with world() as bybit_world:
        for kind in KIND_OF_CLASS.values():
            bybit_world.place(kind)
        bybit_world.fail(Wrong.HANG, "/v5/strategy/list")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(bybit_world.adapter.cancel_all(ALL))
            async with asyncio.timeout(2.0):
                while bybit_world.open() != {"strategy": 1}:  # noqa: ASYNC110 - a book, no event
                    await asyncio.sleep(0.01)
            assert not task.done()
            task.cancel()


async def test_a_clock_that_cannot_be_had_delays_no_call_for_long():
    async with world() as bybit_world:
        bybit_world.venue.link.clock.is_stale = True
        bybit_world.fail(Wrong.HANG, "/v5/market/time")
        bybit_world.place("linear:USDT")
        began = time.monotonic()
        await bybit_world.adapter.cancel_all(ALL)
        await bybit_world.adapter.open_orders(ALL, pages_max=1)
        assert time.monotonic() - began < 3.0
        assert bybit_world.open() == {}


async def test_a_refused_timestamp_has_the_clock_measured_before_the_next_call():
    async with world() as bybit_world:
        bybit_world.simulated.skew_s = 9.0
        bybit_world.place("linear:USDT")
        receipts = await bybit_world.adapter.cancel_all(ALL)
        errors = {str(r.order_class): r.error for r in receipts if r.error}
        assert isinstance(errors["linear"], VenueAuthRefused)
        assert errors["linear"].is_clock
        assert errors["linear"].retryable
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert [r.error for r in receipts if r.error] == []
        assert bybit_world.open() == {}
        assert bybit_world.venue.link.clock.offset_ms == pytest.approx(9000, abs=500)


async def test_creation_times_are_told_on_our_own_clock():
    async with world() as bybit_world:
        bybit_world.simulated.skew_s = 60.0
        bybit_world.venue.link.clock.is_stale = True
        order = bybit_world.simulated.book.place(UID, "linear:USDT", now=time.time())
        order.created_ms += 60_000
        (read,) = (await bybit_world.adapter.open_orders(ALL, pages_max=1)).orders
        assert read.created is not None
        assert read.created.timestamp() == pytest.approx(time.time(), abs=3)


@pytest.mark.parametrize("wrong", [Wrong.TOO_MANY, Wrong.SERVER])
async def test_trouble_of_one_account_holds_no_call_of_another(wrong: Wrong):
    async with world() as bybit_world:
        bybit_world.fail(wrong, times=3)
        for _ in range(3):
            with pytest.raises(VenueError):
                await bybit_world.adapter.check()
        began = time.monotonic()
        gate = bybit_world.venue.link.gate
        async with gate.passage(Call(name="other", windows=(), priority=Priority.CANCEL)):
            assert time.monotonic() - began < 0.1


async def test_http_429_holds_the_calls_of_its_kind_under_this_key():
    async with world() as bybit_world:
        await bybit_world.adapter.check()
        bybit_world.fail(Wrong.TOO_MANY, REALTIME, times=1)
        await bybit_world.adapter.open_orders(Scope(symbols=("BTCUSDT",)), pages_max=1)
        began = time.monotonic()
        await bybit_world.adapter.open_orders(Scope(symbols=("BTCUSDT",)), pages_max=1)
        assert time.monotonic() - began > 0.5


async def test_complaint_of_speed_inside_a_batch_holds_the_next_one():
    async with world() as bybit_world:
        bybit_world.place("linear:USDT")
        (order,) = (await bybit_world.adapter.open_orders(ALL, pages_max=1)).orders
        said = {
            "retCode": 0,
            "retMsg": "OK",
            "result": {"list": [{"orderId": order.order_id}]},
            "retExtInfo": {"list": [{"code": 10006, "msg": "Too many visits"}]},
        }
        bybit_world.answer("/v5/order/cancel-batch", 200, json.dumps(said).encode())
        (receipt,) = await bybit_world.adapter.cancel_orders([order])
        assert isinstance(receipt.error, VenueThrottled)
        began = time.monotonic()
        await bybit_world.adapter.cancel_orders([order])
        assert time.monotonic() - began > 0.5


async def test_keys_of_one_account_share_its_limits_once_they_are_known():
    async with world() as bybit_world:
        bybit_world.simulated.add_key("READKEY", Key(uid=UID, secret=SECRET, is_read_only=True))
        secret = credentials(api_key="READKEY")
        reader = bybit_world.venue.adapter(
            bybit_world.venue.signer(secret), uid=UID, purpose=Purpose.LOOK
        )
        assert isinstance(reader, BybitAdapter)
        callers = [bybit_world.adapter.caller, reader.caller]
        ask = bybit_wire.build_cancel_all(bybit_wire.OPTION, {})
        assert len({window.name for each in callers for window in each._windows(ask)}) == 2
        await bybit_world.adapter.check()
        await reader.check()
        names = {window.name for each in callers for window in each._windows(ask)}
        assert names == {"uid-1234567 cancel-all option"}


async def test_documented_limits_are_kept_by_many_cancels_by_id():
    async with world() as bybit_world:
        bybit_world.simulated.door.is_on = True
        for _ in range(24):
            bybit_world.place("linear:USDT")
        orders = (await bybit_world.adapter.open_orders(ALL, pages_max=1)).orders
        receipts = await bybit_world.adapter.cancel_orders(orders)
        assert [r.error for r in receipts if r.error] == []
        assert {seen.code for seen in bybit_world.simulated.log} == {"0"}
        assert bybit_world.open() == {}


async def test_a_signature_over_other_bytes_is_refused_and_the_key_not_shown():
    class Forger:
        api_key = API_KEY
        budget_id = "key-forger"

        def __init__(self, honest):
            self.honest = honest

        async def sign(self, message: bytes) -> str:
            return str(await self.honest.sign(message[:-1] + b"!"))

    async with world() as bybit_world:
        forger = Forger(bybit_world.venue.signer(credentials()))
        adapter = bybit_world.venue.adapter(forger, uid=UID, purpose=Purpose.RUN)
        receipts = await adapter.cancel_all(ALL)
        assert {r.error.venue_code for r in receipts} == {"10004"}
        assert not [r for r in receipts if API_KEY in r.error.user_message + r.error.remedy]


async def test_an_rsa_key_is_accepted():
    rsa = VECTORS["credentials"]["rsa"]
    secret = SecretStr(json.dumps({"api_key": "RSAKEY", "private_key": rsa["secret"]}))
    async with world() as bybit_world:
        bybit_world.simulated.add_key("RSAKEY", Key(uid="77", public_pem=rsa["public_key_pem"]))
        adapter = bybit_world.venue.adapter(
            bybit_world.venue.signer(secret), uid=UID, purpose=Purpose.LOOK
        )
        assert (await adapter.check()).accounts == ("77",)


async def test_check_says_whose_key_this_is_and_what_it_may_do():
    async with world() as bybit_world:
        facts = await bybit_world.adapter.check()
        assert facts.accounts == (UID,)
        assert facts.can_cancel is True
        assert facts.can_withdraw is False
        assert facts.bound_addresses == ()


async def test_check_of_a_refused_key_raises():
    async with world() as bybit_world:
        bybit_world.fail(Wrong.REFUSED_KEY, "/v5/user")
        with pytest.raises(VenueAuthRefused):
            await bybit_world.adapter.check()


@pytest.mark.parametrize(
    "document",
    [
        "{}",
        "not json",
        '{"api_key": "K"}',
        '{"api_key": "K", "api_secret": "S3CRET", "private_key": "S3CRET"}',
        '{"api_key": "K", "api_secret": "S3CRET", "extra": "S3CRET"}',
        '{"api_key": "K", "private_key": "S3CRET"}',
    ],
)
async def test_a_wrong_secret_document_is_refused_without_showing_it(document: str):
    async with world() as bybit_world:
        with pytest.raises(VenueAuthRefused) as caught:
            bybit_world.venue.signer(SecretStr(document))
        assert "S3CRET" not in repr(caught.value) + caught.value.remedy


async def test_an_error_of_the_caller_leaves_connect_as_it_is():
    with pytest.raises(VenueNotReached):
        async with world():
            raise VenueNotReached(user_message="from inside")


async def test_connect_needs_no_answer():
    connection = bybit.BybitSettings(base_url="http://127.0.0.1:1")
    async with bybit.connect(connection, gate=Gate(bybit.ADDRESS), state_dir=None) as venue:
        adapter = venue.adapter(venue.signer(credentials()), uid=UID, purpose=Purpose.RUN)
        receipts = await adapter.cancel_all(ALL)
        assert {type(r.error) for r in receipts} == {VenueNotReached}


def test_settings_refuse_what_they_do_not_know():
    for wrong in (
        {"settle_coin": "X"},
        {"settle_coins": ["usdt"]},
        {"recv_window_ms": 0},
        {"recv_window_ms": 10_001},
        {"base_url": "http://api.bybit.com"},
    ):
        with pytest.raises(ValidationError):
            bybit.BybitSettings.model_validate(wrong)


def test_two_spellings_of_a_base_url_are_one():
    wild = bybit.BybitSettings(base_url="HTTPS://API.bybit.com:443/")
    assert wild == bybit.BybitSettings(base_url="https://api.bybit.com")


def _page(rows: int, cursor: str) -> Reply:
    order = {"symbol": "BTCUSD", "orderStatus": "New", "reduceOnly": False}
    listed = [order | {"orderId": f"id{n}"} for n in range(rows)]
    result = {"list": listed, "nextPageCursor": cursor, "category": "inverse"}
    body = json.dumps({"retCode": 0, "retMsg": "OK", "result": result}).encode()
    return Reply(status=200, headers={}, body=body)


async def _read(pages: list[Reply], *, pages_max: int = 9):
    """Read inverse orders from scripted pages, through a link that is not there."""

    class Link(VenueLink):
        def __init__(self, link):
            super().__init__(link.base_url, link.gate, link.carrier)

        async def call(self, call, build):
            return pages.pop(0)

    async with world() as bybit_world:
        link = Link(bybit_world.venue.link)
        caller = replace(bybit_world.adapter.caller, link=link)
        adapter = replace(bybit_world.adapter, caller=caller)
        off = tuple(each for each in bybit_wire.ORDER_CLASSES if each != "inverse")
        return await adapter.open_orders(Scope(classes_off=off), pages_max=pages_max)


async def test_an_empty_page_with_a_new_cursor_is_followed():
    reading = await _read([_page(0, "a"), _page(1, "")], pages_max=1)
    assert len(reading.orders) == 1


async def test_an_empty_page_with_an_old_cursor_is_the_end():
    reading = await _read([_page(1, "a"), _page(0, "a")])
    assert (len(reading.orders), reading.unread, reading.has_more) == (1, (), ())


async def test_empty_pages_without_end_are_not_clean():
    reading = await _read([_page(0, "a"), _page(0, "b"), _page(0, "c"), _page(0, "d")])
    assert reading.has_more == ("inverse",)


async def test_an_order_on_two_pages_is_one_order():
    reading = await _read([_page(2, "a"), _page(2, "b"), _page(0, "")])
    assert len(reading.orders) == 2
