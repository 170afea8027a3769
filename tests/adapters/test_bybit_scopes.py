"""Scopes by symbol and stops that stay: nothing in scope escapes behind a list or a page."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest

from adapters import bybit_wire
from adapters.contract import OrderClass, Protective, Scope, VenueError
from bot.sandbox.venues.faults import Wrong
from tests.adapters.bybit_world import World, world

pytestmark = pytest.mark.no_cover  # The gates hold without it.

REALTIME, BATCH = "/v5/order/realtime", "/v5/order/cancel-batch"
KEEP = Scope(protective=Protective.KEEP)
KINDS = [
    "linear:USDT",
    "linear:USDC",
    "inverse",
    "option",
    "spot",
    "spot:StopOrder",
    "spot:tpslOrder",
    "spot:OcoOrder",
    "spot:BidirectionalTpslOrder",
    "spread",
    "strategy",
]
LISTED_ONCE = ("BTCUSDT", "ETHPERP", "BTCUSD", "BTC-26DEC26-90000-C-USDT", "SOLUSDT_SOL/USDT")


def asked(bybit_world: World) -> list[tuple[str, str]]:
    """Return category and symbol ("": all of it) of every reading of orders."""
    fields = [dict(parse_qsl(query)) for query in bybit_world.sent(REALTIME)]
    return [(each["category"], each.get("symbol", "")) for each in fields]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_order_of_a_symbol_escapes_wherever_the_list_has_it(kind: str):
    async with world() as bybit_world:
        bystander = bybit_world.place(kind, symbol="OTHER")
        for symbol in (*LISTED_ONCE, "NEWUSDT"):
            bybit_world.place(kind, symbol=symbol)
            scope = Scope(symbols=(symbol,))
            assert len((await bybit_world.adapter.open_orders(scope, pages_max=1)).orders) == 1
            receipts = await bybit_world.adapter.cancel_all(scope)
            assert [r.error for r in receipts if r.error] == []
            assert bybit_world.ids() == {bystander}, symbol
            assert (await bybit_world.adapter.open_orders(scope, pages_max=1)).is_clean


async def test_a_list_that_was_read_in_part_hides_nothing():
    async with world(listed=False) as bybit_world:
        bybit_world.simulated.faults.clear()
        bybit_world.fail(Wrong.SERVER, "/v5/market/instruments-info", containing="category=spot")
        with pytest.raises(VenueError):
            await bybit_world.relist()
        bybit_world.place("spot")
        bybit_world.place("linear:USDT")
        scope = Scope(symbols=("BTCUSDT",))
        reading = await bybit_world.adapter.open_orders(scope, pages_max=1)
        assert {order.order_class for order in reading.orders} == {"spot", "linear"}
        await bybit_world.adapter.cancel_all(scope)
        assert bybit_world.open() == {}


async def test_a_symbol_is_asked_for_only_where_it_is_listed():
    """What Bybit answers to a symbol of another category is not documented."""
    async with world() as bybit_world:
        scope = Scope(symbols=("BTCUSDT",))
        await bybit_world.adapter.open_orders(scope, pages_max=1)
        wanted = [("inverse", ""), ("linear", "BTCUSDT"), ("option", ""), ("spot", "BTCUSDT")]
        assert sorted(asked(bybit_world)) == wanted


async def test_a_listed_symbol_is_cancelled_in_one_call_and_looked_for_elsewhere():
    async with world() as bybit_world:
        for _ in range(3):
            bybit_world.place("linear:USDT")
        await bybit_world.adapter.cancel_all(Scope(symbols=("BTCUSDT",)))
        assert bybit_world.sent(BATCH) == []
        assert sorted(asked(bybit_world)) == [("inverse", ""), ("option", "")]


async def test_a_symbol_that_the_venue_writes_in_small_letters_is_in_scope():
    async with world() as bybit_world:
        bybit_world.place("spot", symbol="xAAPLUSDT")
        scope = Scope(symbols=("XAAPLUSDT",))
        (order,) = (await bybit_world.adapter.open_orders(scope, pages_max=1)).orders
        await bybit_world.adapter.cancel_orders([order])
        assert bybit_world.open() == {}


@pytest.mark.parametrize(
    ("kind", "scope", "others"),
    [
        ("linear:USDT", Scope(symbols=("NEWUSDT",)), {}),
        ("spot", Scope(symbols=("NEWUSDT",)), {}),
        ("option", KEEP, {"is_reduce_only": True}),
    ],
    ids=["symbol linear", "symbol spot", "keep"],
)
async def test_orders_out_of_scope_that_fill_the_first_page_do_not_make_it_clean(
    kind: str, scope: Scope, others: dict[str, object]
):
    async with world() as bybit_world:
        symbol = scope.symbols[0] if scope.symbols else ""
        wanted = bybit_world.place(kind, symbol=symbol, age_s=60.0)
        for _ in range(51):
            bybit_world.place(kind, **others)
        first = await bybit_world.adapter.open_orders(scope, pages_max=1)
        assert (first.orders, first.unread) == ((), ())
        assert OrderClass(kind.split(":")[0]) in first.has_more
        assert not first.is_clean
        whole = await bybit_world.adapter.open_orders(scope, pages_max=2)
        assert [order.order_id for order in whole.orders] == [wanted]


async def test_a_plain_order_behind_many_stops_that_stay_is_cancelled():
    async with world() as bybit_world:
        plain = bybit_world.place("linear:USDT", age_s=60.0)
        for _ in range(110):
            bybit_world.place("linear:USDT", is_reduce_only=True)
        await bybit_world.adapter.cancel_all(KEEP)
        assert plain not in bybit_world.ids()
        assert bybit_world.open() == {"linear:USDT": 110}


async def test_a_round_that_keeps_stops_reads_no_further_than_it_can_cancel():
    async with world() as bybit_world:
        for _ in range(250):
            bybit_world.place("option")
        receipts = await bybit_world.adapter.cancel_all(KEEP)
        assert [r.order_class for r in receipts if r.capped] == ["option"]
        assert [category for category, _ in asked(bybit_world)].count("option") == 2
        assert sum(len(json.loads(body)["request"]) for body in bybit_world.sent(BATCH)) == 100


async def test_a_look_at_orders_of_others_alone_is_no_reason_for_another_round():
    async with world() as bybit_world:
        for _ in range(1001):
            bybit_world.place("option")
        receipts = await bybit_world.adapter.cancel_all(Scope(symbols=("BTCUSDT",)))
        assert [r for r in receipts if r.capped or r.error] == []
        assert [category for category, _ in asked(bybit_world)].count("option") == 20


async def test_a_class_that_nobody_has_told_us_how_to_cancel_is_an_error():
    unknown = OrderClass("moon")
    async with world() as bybit_world:
        for scope in (Scope(), Scope(symbols=("BTCUSDT",)), KEEP):
            with pytest.raises(KeyError, match="moon"):
                bybit_world.adapter._cancel_asks(unknown, scope)
    assert unknown not in bybit_wire.ORDER_CLASSES
