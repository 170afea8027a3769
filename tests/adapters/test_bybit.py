from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import bybit, bybit_adapter, bybit_listing
from adapters.contract import (
    OpenOrder,
    OrderClass,
    Protective,
    Purpose,
    Scope,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueReplyInvalid,
)
from adapters.gate import Gate
from bot.sandbox.venues import server
from bot.sandbox.venues.bybit import Key, SimulatedBybit
from bot.sandbox.venues.faults import Fault, Wrong
from tests.adapters.bybit_world import API_KEY, SECRET, UID, credentials, world

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


def test_every_class_has_a_kind_of_order_here():
    assert set(bybit_adapter.CAPABILITIES.order_classes) == set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
async def test_cancel_all_takes_the_class(name: str):
    async with world() as bybit_world:
        bybit_world.place(KIND_OF_CLASS[name])
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert bybit_world.open() == {}
        assert [r.error for r in receipts] == [None] * len(receipts)
        assert {r.order_class for r in receipts} == set(CLASSES)
        assert sum(r.accepted or 0 for r in receipts if r.order_class == name) == 1


@pytest.mark.parametrize("name", CLASSES)
async def test_reading_shows_the_class(name: str):
    async with world() as bybit_world:
        placed = bybit_world.place(KIND_OF_CLASS[name])
        reading = await bybit_world.adapter.open_orders(ALL, pages_max=1)
        assert [(o.order_class, o.order_id) for o in reading.orders] == [(name, placed)]
        assert reading.unread == ()
        assert not reading.is_clean


@pytest.mark.parametrize("name", CLASSES)
async def test_cancel_by_id_takes_only_the_order_of_the_class(name: str):
    async with world() as bybit_world:
        for _ in range(2):
            bybit_world.place(KIND_OF_CLASS[name])
        first, second = (await bybit_world.adapter.open_orders(ALL, pages_max=1)).orders
        (receipt,) = await bybit_world.adapter.cancel_orders([first])
        assert (receipt.accepted, receipt.error) == (1, None)
        assert bybit_world.ids() == {second.order_id}


@pytest.mark.parametrize("name", CLASSES)
async def test_a_class_switched_off_is_neither_cancelled_nor_read(name: str):
    async with world() as bybit_world:
        for kind in KIND_OF_CLASS.values():
            bybit_world.place(kind)
        scope = Scope(classes_off=(OrderClass(name),))
        reading = await bybit_world.adapter.open_orders(scope, pages_max=1)
        assert {o.order_class for o in reading.orders} == set(CLASSES) - {name}
        receipts = await bybit_world.adapter.cancel_all(scope)
        assert {r.order_class for r in receipts} == set(CLASSES) - {name}
        assert bybit_world.open() == {KIND_OF_CLASS[name]: 1}


@pytest.mark.parametrize("name", CLASSES)
async def test_a_failed_class_is_unread_and_the_others_are_read(name: str):
    paths = {"spread": "/v5/spread", "rfq": "/v5/rfq/rfq-realtime", "strategy": "/v5/strategy"}
    paths |= {"quote": "/v5/rfq/quote-realtime"}
    category = name.split(" ")[0]
    async with world() as bybit_world:
        path = paths.get(name, REALTIME)
        containing = "" if name in paths else f"category={category}"
        bybit_world.fail(Wrong.HTML, path, containing=containing)
        reading = await bybit_world.adapter.open_orders(ALL, pages_max=1)
        hit = {each for each in CLASSES if path == REALTIME and each.split(" ")[0] == category}
        assert {u.order_class for u in reading.unread} == hit | {name}
        assert {type(u.error) for u in reading.unread} == {VenueReplyInvalid}
        assert not reading.is_clean


async def test_nothing_open_is_a_clean_reading_and_receipts_of_nothing():
    async with world() as bybit_world:
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert {r.accepted for r in receipts} == {0}
        assert (await bybit_world.adapter.open_orders(ALL, pages_max=1)).is_clean


async def test_more_than_500_orders_hit_the_cap_and_a_second_round_ends_it():
    async with world() as bybit_world:
        bybit_world.simulated.book.seed(UID, {"linear:USDT": 730}, now=time.time())
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert [r.call for r in receipts if r.capped] == ["cancel-all linear USDT"]
        assert bybit_world.open() == {"linear:USDT": 230}
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert not any(r.capped for r in receipts)
        assert bybit_world.open() == {}


async def test_cursors_go_back_as_they_came_until_every_page_is_read():
    async with world() as bybit_world:
        bybit_world.simulated.book.seed(UID, {"linear:USDT": 160, "spot": 55}, now=time.time())
        first = await bybit_world.adapter.open_orders(ALL, pages_max=1)
        assert len(first.orders) == 100
        assert set(first.has_more) == {"linear", *(n for n in CLASSES if n.startswith("spot"))}
        whole = await bybit_world.adapter.open_orders(ALL, pages_max=9)
        assert {o.order_id for o in whole.orders} == bybit_world.ids()
        assert len(whole.orders) == 215
        assert whole.has_more == ()
        assert all(seen.is_signed for seen in bybit_world.simulated.log if seen.path == REALTIME)


async def test_a_page_that_names_itself_as_the_next_is_no_end():
    async with world() as bybit_world:
        bybit_world.place("inverse")
        bybit_world.fail(Wrong.REPEAT_CURSOR, REALTIME)
        reading = await bybit_world.adapter.open_orders(ALL, pages_max=9)
        assert [u.order_class for u in reading.unread] == ["inverse"]
        assert isinstance(reading.unread[0].error, VenueReplyInvalid)
        assert len(reading.orders) == 1


async def test_an_absent_list_is_never_an_empty_one():
    async with world() as bybit_world:
        bybit_world.fail(Wrong.NO_LIST)
        reading = await bybit_world.adapter.open_orders(ALL, pages_max=1)
        assert {u.order_class for u in reading.unread} == set(CLASSES)
        assert {type(u.error) for u in reading.unread} == {VenueReplyInvalid}


async def test_inverse_coins_come_from_the_open_orders():
    async with world() as bybit_world:
        bybit_world.place("inverse", symbol="ETHUSD", settle="ETH")
        bybit_world.place("inverse", symbol="XYZUSDZ26", settle="XYZ")
        await bybit_world.adapter.cancel_all(ALL)
        assert bybit_world.open() == {}
        sent = [json.loads(body) for body in bybit_world.sent(CANCEL_ALL)]
        coins = {each["settleCoin"] for each in sent if each["category"] == "inverse"}
        assert coins == {"ETH", "XYZ"}


async def test_if_inverse_orders_cannot_be_read_every_known_coin_is_cancelled():
    async with world() as bybit_world:
        bybit_world.place("inverse", symbol="ETHUSD", settle="ETH")
        bybit_world.fail(Wrong.SERVER, REALTIME)
        receipts = await bybit_world.adapter.cancel_all(ALL)
        calls = {r.call for r in receipts if r.order_class == "inverse"}
        assert calls == {"cancel-all inverse BTC", "cancel-all inverse ETH"}
        assert bybit_world.open() == {}


async def test_unreadable_inverse_orders_without_any_known_coin_are_an_error():
    async with world(listed=False) as bybit_world:
        bybit_world.fail(Wrong.SERVER, REALTIME)
        receipts = await bybit_world.adapter.cancel_all(ALL)
        (receipt,) = [r for r in receipts if r.order_class == "inverse"]
        assert isinstance(receipt.error, VenueOutcomeUnknown)


async def test_linear_coins_are_the_usual_two_the_listed_and_the_configured():
    async with world(settle_coins=("EURX",)) as bybit_world:
        bybit_world.simulated.listing.pre_launch["NEWPERP"] = "NEWC"
        await bybit_world.relist()
        bybit_world.place("linear:USDT", symbol="NEWPERP", settle="NEWC")
        receipts = await bybit_world.adapter.cancel_all(ALL)
        assert {r.call for r in receipts if r.order_class == "linear"} == {
            "cancel-all linear EURX",
            "cancel-all linear NEWC",
            "cancel-all linear USDC",
            "cancel-all linear USDT",
        }
        assert bybit_world.open() == {}


async def test_a_coin_once_listed_is_kept_on_disk_and_cancelled_after_a_restart(tmp_path: Path):
    simulated = SimulatedBybit(has_limits=False)
    simulated.add_key(API_KEY, Key(uid=UID, secret=SECRET))
    simulated.listing.linear["NEWPERP"] = "NEWC"
    async with server.serve(simulated) as url:
        connection = bybit.BybitSettings(base_url=url)
        async with bybit.connect(connection, gate=Gate(bybit.ADDRESS), state_dir=tmp_path) as venue:
            known = await venue.instruments()
            await venue.lister.read()
            assert "NEWPERP" in known.symbols
            assert "SOONUSDT" in known.symbols
        simulated.faults.add(Fault(wrong=Wrong.SERVER, path="/v5/market/instruments-info"))
        async with bybit.connect(connection, gate=Gate(bybit.ADDRESS), state_dir=tmp_path) as venue:
            assert "NEWPERP" in (await venue.instruments()).symbols
            adapter = venue.adapter(venue.signer(credentials()), uid=UID, purpose=Purpose.RUN)
            receipts = await adapter.cancel_all(ALL)
            assert "cancel-all linear NEWC" in {r.call for r in receipts}


async def test_nothing_is_signed_once_consent_has_ended():
    async with world() as bybit_world:
        bybit_world.place("linear:USDT")
        venue = bybit_world.venue
        signer = venue.signer(credentials())
        adapter = venue.adapter(signer, uid=UID, purpose=Purpose.RUN, may_send=lambda: False)
        calls = len(bybit_world.simulated.log)
        errors = [receipt.error for receipt in await adapter.cancel_all(ALL)]
        assert {type(error) for error in errors} == {VenueNotReached}
        assert {str(error) for error in errors} == {"consent has ended: nothing is sent any more"}
        with pytest.raises(VenueNotReached):
            await adapter.check()
        assert len(bybit_world.simulated.log) == calls


async def test_a_broken_file_of_instruments_is_as_good_as_none(tmp_path: Path):
    async with world(state_dir=tmp_path) as bybit_world:
        await bybit_world.relist()
        assert bybit_world.venue.lister.path is not None
        bybit_world.venue.lister.path.write_text('{"series": 7')
        broken = bybit_world.venue.lister.path
        assert bybit_listing.load(broken) == bybit_listing.Listing()
    async with world(state_dir=tmp_path) as bybit_world:
        assert "BTCUSDT" in (await bybit_world.venue.instruments()).symbols


async def test_without_any_list_symbols_stay_unchecked_with_an_error():
    async with world(listed=False) as bybit_world:
        with pytest.raises(VenueError):
            await bybit_world.venue.instruments()


async def test_stops_that_stay_are_neither_cancelled_nor_read():
    async with world() as bybit_world:
        kept = {
            bybit_world.place("linear:USDT", stop_type="StopLoss"),
            bybit_world.place("linear:USDT", is_reduce_only=True),
            bybit_world.place("linear:USDC", stop_type="TrailingStop", is_reduce_only=True),
            bybit_world.place("inverse", is_reduce_only=True),
            bybit_world.place("option", is_reduce_only=True),
            bybit_world.place("option", stop_type="TakeProfit"),
            bybit_world.place("spot:StopOrder"),
            bybit_world.place("spot:tpslOrder"),
            bybit_world.place("spot:OcoOrder"),
            bybit_world.place("spot:BidirectionalTpslOrder"),
        }
        for kind in ("linear:USDT", "linear:USDC", "inverse", "option", "spot", "spread"):
            bybit_world.place(kind)
        scope = Scope(protective=Protective.KEEP)
        before = await bybit_world.adapter.open_orders(scope, pages_max=1)
        assert len(before.orders) == 6
        receipts = await bybit_world.adapter.cancel_all(scope)
        assert [r.error for r in receipts if r.error] == []
        assert bybit_world.ids() == kept
        assert (await bybit_world.adapter.open_orders(scope, pages_max=1)).is_clean


async def test_what_a_round_that_keeps_stops_could_not_take_is_capped():
    async with world() as bybit_world:
        for _ in range(150):
            bybit_world.place("option")
        receipts = await bybit_world.adapter.cancel_all(Scope(protective=Protective.KEEP))
        assert [r.order_class for r in receipts if r.capped] == ["option"]
        assert bybit_world.open() == {"option": 50}


@pytest.mark.parametrize("name", [n for n in CLASSES if n not in ("rfq", "quote")])
async def test_a_scope_by_symbol_takes_only_that_symbol(name: str):
    other = {
        "linear": "ETHUSDT",
        "inverse": "ETHUSD",
        "option": "ETH-26DEC26-4000-C-USDT",
        "spread": "ETHUSDT_ETH/USDT",
    }
    async with world() as bybit_world:
        kind = KIND_OF_CLASS[name]
        bybit_world.place(kind)
        kept = bybit_world.place(kind, symbol=other.get(name, "ETHUSDT"))
        bystanders = {bybit_world.place("rfq"), bybit_world.place("quote")}
        symbol = {
            "inverse": "BTCUSD",
            "option": "BTC-26DEC26-90000-C-USDT",
            "spread": "SOLUSDT_SOL/USDT",
        }.get(name, "BTCUSDT")
        scope = Scope(symbols=(symbol,))
        reading = await bybit_world.adapter.open_orders(scope, pages_max=1)
        assert [(o.order_class, o.symbol) for o in reading.orders] == [(name, symbol)]
        receipts = await bybit_world.adapter.cancel_all(scope)
        assert [r.error for r in receipts if r.error] == []
        assert bybit_world.ids() == {kept} | bystanders


@pytest.mark.parametrize("by_client_id", [False, True], ids=["order id", "client id"])
async def test_a_scope_by_id_takes_only_that_order(by_client_id: bool):  # noqa: FBT001
    async with world() as bybit_world:
        wanted = bybit_world.place("linear:USDT", link_id="mine-7")
        kept = {
            bybit_world.place("linear:USDT", link_id="mine-8"),
            bybit_world.place("linear:USDT", symbol="ETHUSDT", link_id="mine-7"),
            bybit_world.place("spot"),
        }
        scope = Scope(symbols=("BTCUSDT",), order_id="mine-7" if by_client_id else wanted)
        receipts = await bybit_world.adapter.cancel_all(scope)
        assert sum(r.accepted or 0 for r in receipts) == 1
        assert [r.error for r in receipts if r.error] == []
        assert bybit_world.ids() == kept


async def test_an_id_that_is_not_there_is_nothing_to_do():
    async with world() as bybit_world:
        kept = bybit_world.place("linear:USDT")
        scope = Scope(symbols=("BTCUSDT",), order_id="nobody")
        receipts = await bybit_world.adapter.cancel_all(scope)
        assert {(r.accepted, r.error) for r in receipts} == {(0, None)}
        assert bybit_world.ids() == {kept}


KINDS = [*KIND_OF_CLASS.values(), "linear:USDC"]
SYMBOLS = ("BTCUSDT", "ETHUSDT", "BTCUSD", "BTC-26DEC26-90000-C-USDT", "SOLUSDT_SOL/USDT")


@given(
    book=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(SYMBOLS)), max_size=12),
    symbols=st.sets(st.sampled_from(SYMBOLS), min_size=1, max_size=2),
    protective=st.sampled_from(Protective),
)
@settings(max_examples=15)
def test_a_scope_by_symbol_never_widens(
    book: list[tuple[str, str]], symbols: set[str], protective: Protective
):
    async def play() -> None:
        async with world() as bybit_world:
            for number, (kind, symbol) in enumerate(book):
                stop = "StopLoss" if number % 3 == 0 and not kind.startswith("spot") else ""
                more = {} if kind.startswith("spot") else {"stop_type": stop}
                bybit_world.place(kind, symbol=symbol, **more)
            now = time.time()
            before = bybit_world.simulated.book.live(UID, now=now)
            scope = Scope(symbols=tuple(sorted(symbols)), protective=protective)
            await bybit_world.adapter.cancel_all(scope)
            gone = {order.order_id for order in before} - bybit_world.ids()
            for order in before:
                if order.order_id in gone:
                    assert order.symbol in symbols
                    if protective is Protective.KEEP:
                        assert order.stop_type in ("", "UNKNOWN") or order.kind == "strategy"

    asyncio.run(play())


async def test_cancels_by_id_come_back_in_order_one_receipt_each():
    async with world() as bybit_world:
        for kind in ("spot", "linear:USDT", "spot:OcoOrder", "spread", "strategy"):
            for _ in range(11):
                bybit_world.place(kind)
        orders = (await bybit_world.adapter.open_orders(ALL, pages_max=2)).orders
        ghost = OpenOrder(order_class=OrderClass("linear"), symbol="BTCUSDT", order_id="ghost")
        mixed = [*orders[::2], ghost, *orders[1::2]]
        receipts = await bybit_world.adapter.cancel_orders(mixed)
        assert [r.order_class for r in receipts] == [o.order_class for o in mixed]
        at = mixed.index(ghost)
        assert (receipts[at].accepted, receipts[at].error) == (0, None)
        assert bybit_world.open() == {}
        sizes = [len(json.loads(b)["request"]) for b in bybit_world.sent("/v5/order/cancel-batch")]
        assert max(sizes) == 10


async def test_a_failed_batch_is_an_error_for_each_of_its_orders():
    async with world() as bybit_world:
        for _ in range(3):
            bybit_world.place("linear:USDT")
        orders = (await bybit_world.adapter.open_orders(ALL, pages_max=1)).orders
        bybit_world.fail(Wrong.LOST_REPLY, "/v5/order/cancel-batch")
        receipts = await bybit_world.adapter.cancel_orders(orders)
        assert [type(r.error) for r in receipts] == [VenueOutcomeUnknown] * 3
