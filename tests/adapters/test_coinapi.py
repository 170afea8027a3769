"""The adapter of CoinAPI EMS against the simulated one, on virtual time and once over a socket."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters import coinapi, coinapi_reports
from adapters.coinapi_adapter import FIND_ORDERS
from adapters.coinapi_wire import LIMIT
from adapters.contract import (
    AnyVenue,
    KeyFacts,
    OpenOrder,
    Protective,
    Purpose,
    Reading,
    Receipt,
    Scope,
    VenueOutcomeUnknown,
    VenueRefused,
    VenueReplyInvalid,
)
from adapters.gate import Gate
from bot.domain.event import EventKind
from bot.domain.limits import Limits
from bot.flow import verify
from bot.flow.verify import Pursuit, Sight
from bot.sandbox.venues import server
from bot.sandbox.venues.coinapi import Key, SimulatedCoinapi
from bot.sandbox.venues.coinapi_shapes import Accepted, Hitch, Reason, Unknown
from bot.sandbox.venues.faults import Wrong
from tests.adapters.coinapi_world import (
    ANN,
    API_KEY,
    CANCEL,
    CANCEL_ALL,
    JOHN,
    ORDERS,
    STAMP,
    World,
    credentials,
    play,
)

ALL = Scope()
SHOWN = ("limit", "partly filled", "transit", "outside")
"""Kinds that EMS lists; it is blind to stops and to parents of its router."""


async def read(world: World, scope: Scope = ALL) -> Reading:
    return await world.adapter.open_orders(scope, pages_max=1)


async def settle() -> None:
    await asyncio.sleep(1.0)


async def chase(world: World, scope: Scope = ALL) -> Sight:
    """Drive the adapter with the program's own loop; return what it saw when it was FLAT."""
    is_flat = asyncio.Event()

    def tell(_: EventKind, sight: Sight) -> None:
        if sight.is_flat:
            is_flat.set()

    clock = world.carrier.clock
    pursuit = Pursuit(
        adapter=world.adapter,
        scope=scope,
        clock=clock,
        limits=Limits(),
        verdict_at=clock.monotonic() + 30.0,
        tell=tell,
    )
    async with asyncio.timeout(30.0), asyncio.TaskGroup() as group:
        task = group.create_task(verify.until_flat(pursuit))
        await is_flat.wait()
        task.cancel()
    return pursuit.sight


def test_everything_of_one_exchange_id_goes_in_one_call():
    async def act(world: World) -> None:
        for at in (JOHN, ANN, STAMP):
            world.place(at=at)
        (receipt,) = await world.adapter.cancel_all(ALL)
        await settle()
        assert receipt == Receipt(order_class=LIMIT, call="cancel-all KRAKEN/JOHN")
        assert [world.open(at) for at in (JOHN, ANN, STAMP)] == [[], ["limit"], ["limit"]]
        assert world.sent(CANCEL_ALL) == ['{"exchange_id":"KRAKEN/JOHN"}']
        assert len(world.simulated.log) == 1

    play(act)


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        (Accepted.MESSAGE, None),
        (Accepted.EMPTY, None),
        (Accepted.UNKNOWN, None),
        (Accepted.REJECT, "ORDER_ID_NOT_FOUND"),
        (Accepted.RENAMED, "MESSAGE_REJECT"),
        (Accepted.MESSAGE_ERROR, "ERROR"),
    ],
)
def test_answer_to_a_cancel_all_claims_no_count_and_a_rejection_is_told(
    accepted: Accepted, code: str | None
):
    async def act(world: World) -> None:
        world.choose(accepted=accepted)
        (receipt,) = await world.adapter.cancel_all(ALL)
        assert receipt.accepted is None
        assert (receipt.error.venue_code if receipt.error else None) == code

    play(act)


@pytest.mark.parametrize("accepted", Accepted)
def test_no_answer_to_a_cancel_all_delays_flat(accepted: Accepted):
    """Whatever the body looks like, the readings decide, and at the same moment."""

    async def act(world: World) -> None:
        world.choose(accepted=accepted)
        world.place()
        sight = await chase(world)
        assert sight.flat_at == pytest.approx(1.45, abs=0.2)
        assert world.open() == []

    play(act)


def test_order_that_is_being_cancelled_is_still_open():
    async def act(world: World) -> None:
        world.place()
        await world.adapter.cancel_all(ALL)
        assert [o.order_class for o in (await read(world)).orders] == [LIMIT]
        await settle()
        assert (await read(world)).is_clean

    play(act)


def test_cancel_that_the_exchange_refuses_after_all_is_no_flat():
    async def act(world: World) -> None:
        world.place()
        world.hitch(None)
        (receipt,) = await world.adapter.cancel_all(ALL)
        await settle()
        assert receipt.error is None
        assert len((await read(world)).orders) == 1

    play(act)


def test_orders_on_their_way_and_from_elsewhere_are_chased_until_flat():
    """A cancel-all may pass them by; they are found and cancelled one by one."""

    async def act(world: World) -> None:
        for kind in SHOWN:
            world.place(kind, age_s=0.0)
        sight = await chase(world)
        assert sight.rounds > 1
        assert world.open() == []

    play(act)


@pytest.mark.parametrize("status", [200, 400, 490])
def test_exchange_without_cancel_all_is_cleared_one_by_one_in_the_same_round(status: int):
    async def act(world: World) -> None:
        world.choose(unsupported_status=status)
        world.simulated.without_cancel_all.add("KRAKEN")
        orders = [world.place(), world.place("partly filled")]
        receipts = await world.adapter.cancel_all(ALL)
        await settle()
        assert [(r.accepted, r.error) for r in receipts] == [(1, None), (1, None)]
        assert world.open() == []
        assert len(world.sent(CANCEL)) == len(orders)

    play(act)


def test_exchange_without_cancel_all_is_remembered_for_that_exchange_id_alone():
    async def act(world: World) -> None:
        world.simulated.without_cancel_all.add("KRAKEN")
        await world.adapter.cancel_all(ALL)
        receipts = await world.joined(JOHN).cancel_all(ALL)
        assert receipts == (Receipt(order_class=LIMIT, call="look for orders", accepted=0),)
        assert world.sent(CANCEL_ALL) == ['{"exchange_id":"KRAKEN/JOHN"}']
        await world.joined(STAMP).cancel_all(ALL)
        assert world.sent(CANCEL_ALL)[1:] == ['{"exchange_id":"BITSTAMP/2574"}']

    play(act)


def test_one_cancel_that_the_exchange_cannot_make_is_told_and_not_repeated():
    async def act(world: World) -> None:
        world.place()
        world.hitch(Reason.METHOD_NOT_SUPPORTED)
        (receipt,) = await world.adapter.cancel_all(ALL)
        assert isinstance(receipt.error, VenueRefused)
        assert not receipt.error.retryable
        assert receipt.error.remedy == "Cancel at the exchange itself."

    play(act)


@pytest.mark.parametrize("symbol", ["OXTUSD", "KRAKEN_SPOT_OXT_USD"])
def test_symbol_is_cancelled_order_by_order_and_nothing_else(symbol: str):
    async def act(world: World) -> None:
        for kind in ("limit", "partly filled", "outside"):
            world.place(kind)
        world.place("limit", at=ANN)
        scope = Scope(symbols=(symbol,))
        assert [o.symbol for o in (await read(world, scope)).orders] == ["OXTUSD"]
        (receipt,) = await world.adapter.cancel_all(scope)
        await settle()
        assert (receipt.accepted, receipt.error) == (1, None)
        assert world.open() == ["outside", "partly filled"]
        assert world.open(ANN) == ["limit"]
        assert world.sent(CANCEL_ALL) == []
        assert (await read(world, scope)).is_clean

    play(act)


def test_order_whose_symbol_differs_in_capitals_alone_is_neither_cancelled_nor_overlooked():
    """No list says how symbols are spelt there: FLAT would be a lie, and a guess would widen."""

    async def act(world: World) -> None:
        world.place()
        scope = Scope(symbols=("oxtusd",))
        (receipt,) = await world.adapter.cancel_all(scope)
        reading = await world.adapter.open_orders(scope, pages_max=1)
        assert str(receipt.error).startswith("an order in OXTUSD rests, which differs")
        assert (reading.orders, len(reading.unread)) == ((), 1)
        assert world.sent(CANCEL) == []

    play(act)


def test_order_that_the_exchange_has_not_named_is_cancelled_by_the_clients_id():
    async def act(world: World) -> None:
        world.place("transit", age_s=0.0, link_id="mine-1")
        (receipt,) = await world.adapter.cancel_all(Scope(symbols=("OXTUSD",)))
        assert receipt.accepted == 1
        assert json.loads(world.sent(CANCEL)[0]) == {
            "exchange_id": "KRAKEN/JOHN",
            "client_order_id": "mine-1",
        }

    play(act)


def test_order_is_cancelled_by_the_exchanges_id_where_it_has_one():
    async def act(world: World) -> None:
        world.place(link_id="mine-1")
        world.place(link_id="mine-2")
        (order,) = [o for o in (await read(world)).orders if o.client_id == "mine-2"]
        await world.adapter.cancel_orders([order])
        await settle()
        assert json.loads(world.sent(CANCEL)[0]) == {
            "exchange_id": "KRAKEN/JOHN",
            "exchange_order_id": order.order_id,
        }
        assert [o.client_id for o in (await read(world)).orders] == ["mine-1"]

    play(act)


@pytest.mark.parametrize("by_client_id", [True, False])
def test_one_order_goes_alone(by_client_id):
    async def act(world: World) -> None:
        world.place(link_id="mine-1")
        world.place(link_id="mine-2")
        (order,) = [o for o in (await read(world)).orders if o.client_id == "mine-2"]
        order_id = "mine-2" if by_client_id else order.order_id
        scope = Scope(symbols=("OXTUSD",), order_id=order_id)
        assert [o.client_id for o in (await read(world, scope)).orders] == ["mine-2"]
        (receipt,) = await world.adapter.cancel_all(scope)
        await settle()
        assert receipt.accepted == 1
        assert [o.client_id for o in (await read(world)).orders] == ["mine-1"]

    play(act)


def test_one_order_under_another_symbol_is_left_alone():
    async def act(world: World) -> None:
        world.place(link_id="mine-1")
        scope = Scope(symbols=("XBT/USDT",), order_id="mine-1")
        (receipt,) = await world.adapter.cancel_all(scope)
        assert receipt.accepted == 0
        assert world.open() == ["limit"]

    play(act)


def test_where_stops_stay_no_cancel_all_is_sent_and_limit_orders_go_one_by_one():
    """A cancel-all might take along at the exchange what EMS does not list."""

    async def act(world: World) -> None:
        for kind in ("limit", "outside", "unseen stop"):
            world.place(kind)
        scope = Scope(protective=Protective.KEEP)
        receipts = await world.adapter.cancel_all(scope)
        await settle()
        assert [r.accepted for r in receipts] == [1, 1]
        assert world.open() == ["unseen stop"]
        assert world.sent(CANCEL_ALL) == []
        assert (await read(world, scope)).is_clean

    play(act)


def test_what_ems_does_not_list_is_named_beside_every_flat():
    async def act(world: World) -> None:
        world.place("unseen stop")
        world.place("smart")
        assert (await read(world)).is_clean
        told = " ".join(world.venue.capabilities.blind_to)
        assert "EMS lists limit orders only" in told
        assert "smart order router" in told
        assert "under another tag" in told
        assert "reduce-only" in told
        assert world.adapter.capabilities is world.venue.capabilities

    play(act)


def test_only_class_switched_off_is_neither_cancelled_nor_read():
    async def act(world: World) -> None:
        world.place()
        scope = Scope(classes_off=(LIMIT,))
        assert await world.adapter.cancel_all(scope) == ()
        assert (await read(world, scope)).is_clean
        assert world.simulated.log == []

    play(act)


def test_orders_that_stay_do_not_hide_the_others_from_later_rounds():
    async def act(world: World) -> None:
        scope = Scope(symbols=("OXTUSD",))
        for number in range(FIND_ORDERS + 20):
            world.place(age_s=float(number), is_uncancellable=number < FIND_ORDERS)
        for _ in range(2):
            receipts = await world.adapter.cancel_all(scope)
            assert len(receipts) == FIND_ORDERS + 1
            assert receipts[-1] == Receipt(order_class=LIMIT, call="look for orders", capped=True)
            await settle()
        assert len(world.open()) == FIND_ORDERS
        assert not any(r.capped for r in await world.adapter.cancel_all(scope))

    play(act)


def test_order_that_has_gone_meanwhile_is_nothing_to_worry_about():
    async def act(world: World) -> None:
        world.place()
        (order,) = (await read(world)).orders
        ghost = OpenOrder(
            order_class=LIMIT,
            symbol="OXTUSD",
            order_id="GHOST",
            route=(("exchange_order_id", "GHOST"),),
        )
        await world.adapter.cancel_orders([order])
        await settle()
        receipts = await world.adapter.cancel_orders([ghost, order])
        assert [(r.call, r.accepted, r.error) for r in receipts] == [
            ("cancel GHOST", 0, None),
            (f"cancel {order.order_id}", 0, None),
        ]

    play(act)


def test_490_on_a_reading_means_unknown_and_never_empty():
    async def act(world: World) -> None:
        world.hitch(Reason.EXCHANGE_UNREACHABLE)
        reading = await read(world)
        assert not reading.is_clean
        assert isinstance(reading.unread[0].error, VenueOutcomeUnknown)
        for scope in (ALL, Scope(symbols=("OXTUSD",))):
            (receipt,) = await world.adapter.cancel_all(scope)
            assert isinstance(receipt.error, VenueOutcomeUnknown)
            assert receipt.error.retryable
            assert receipt.error.remedy.startswith("Cancel at the exchange itself")

    play(act)


@pytest.mark.parametrize("status", [200, 504])
def test_exchange_that_does_not_answer_leaves_the_outcome_unknown(status: int):
    async def act(world: World) -> None:
        world.choose(timeout_status=status)
        world.place()
        world.hitch(Reason.EXCHANGE_RESPONSE_TIMEOUT, is_applied=True)
        (receipt,) = await world.adapter.cancel_all(ALL)
        assert isinstance(receipt.error, VenueOutcomeUnknown)
        assert receipt.error.venue_code == "EXCHANGE_RESPONSE_TIMEOUT"
        await settle()
        assert (await read(world)).is_clean

    play(act)


def test_reading_that_ignores_the_account_is_never_clean_and_still_shows_ours():
    async def act(world: World) -> None:
        world.place()
        (mine,) = (await read(world)).orders
        world.place(at=ANN)
        world.answer(ORDERS, 200, [*world.rows(ANN), *world.rows(JOHN)])
        reading = await read(world)
        assert reading.orders == (mine,)
        assert isinstance(reading.unread[0].error, VenueReplyInvalid)
        receipts = await world.adapter.cancel_all(Scope(symbols=("OXTUSD",)))
        assert [r.accepted for r in receipts] == [1, None]
        assert isinstance(receipts[1].error, VenueReplyInvalid)
        await settle()
        assert (world.open(), world.open(ANN)) == ([], ["limit"])

    play(act)


def test_exchange_id_that_ems_calls_invalid_is_not_flat_for_its_empty_list():
    """A mistyped exchange_id would be FLAT at once, and the real account not touched."""

    async def act(world: World) -> None:
        world.choose(unknown=Unknown.VALIDATION, unknown_reads_empty=True)
        stranger = world.joined("KRAKEN/JON")
        (receipt,) = await stranger.cancel_all(ALL)
        assert "exchange_id" in receipt.error.user_message
        reading = await stranger.open_orders(ALL, pages_max=1)
        assert reading.unread[0].error is receipt.error
        assert (await read(world)).is_clean

    play(act)


def test_exchange_id_that_ems_has_shown_orders_of_is_not_doubted():
    async def act(world: World) -> None:
        world.place()
        world.answer(CANCEL_ALL, 400, {"errors": "no", "traceId": "t-1"})
        (receipt,) = await world.adapter.cancel_all(ALL)
        assert receipt.error.venue_code == "t-1"
        reading = await read(world)
        assert len(reading.orders) == 1
        assert reading.unread == ()
        await world.adapter.cancel_all(ALL)
        await world.adapter.cancel_orders(reading.orders)
        await settle()
        assert (await read(world)).is_clean

    play(act)


def test_doubt_ends_with_a_cancel_all_that_is_taken():
    async def act(world: World) -> None:
        honest = world.simulated.answer
        world.answer(CANCEL_ALL, 400, {})
        await world.adapter.cancel_all(ALL)
        assert not (await read(world)).is_clean
        world.simulated.answer = honest  # type: ignore[method-assign]
        await world.adapter.cancel_all(ALL)
        assert (await read(world)).is_clean

    play(act)


def test_whose_key_it_is_says_its_document_and_no_call_is_made():
    async def act(world: World) -> None:
        facts = await world.adapter.check()
        assert facts == KeyFacts(accounts=(JOHN, ANN, STAMP), warnings=facts.warnings)
        assert "no weaker one" in facts.warnings[0]
        assert world.simulated.log == []

    play(act)


def test_venue_has_no_symbols_to_check_and_no_reading_without_a_key():
    async def act(world: World) -> None:
        with pytest.raises(VenueRefused, match="no list of symbols"):
            await world.venue.instruments(["OXTUSD"])
        venue: AnyVenue = world.venue
        assert venue.reader(JOHN) is None
        assert world.venue.banned_until is None
        assert not world.venue.capabilities.has_upper_symbols
        assert world.simulated.log == []

    play(act)


def test_age_of_an_order_is_told():
    async def act(world: World) -> None:
        world.place("outside", age_s=0.0)
        (order,) = (await read(world)).orders
        assert order.created == datetime(2026, 11, 21, 3, 0, tzinfo=UTC)

    play(act)


async def test_over_a_real_socket_an_account_becomes_flat_and_490_is_read_with_its_media_type():
    simulated = SimulatedCoinapi(has_limits=False)
    simulated.add_key(API_KEY, Key(customer="desk", exchange_ids=(JOHN,)))
    async with server.serve(simulated) as url:
        settings = coinapi.CoinapiSettings(base_url=url)
        gate = Gate(coinapi.ADDRESS)
        async with coinapi.connect(settings, gate=gate, state_dir=None) as venue:
            signer = venue.signer(credentials(accounts=[JOHN]))
            adapter = venue.adapter(signer, uid=JOHN, purpose=Purpose.RUN)
            hitch = Hitch(reason=Reason.EXCHANGE_UNREACHABLE)
            simulated.faults.add(hitch)
            (receipt,) = await adapter.cancel_all(ALL)
            assert receipt.error.venue_code == "HTTP 490"
            simulated.faults.clear()
            simulated.book.cancel_delay_s = 0.0
            simulated.book.place("desk:KRAKEN/JOHN", "limit", now=time.time() - 5)
            assert len((await adapter.open_orders(ALL, pages_max=1)).orders) == 1
            (receipt,) = await adapter.cancel_all(ALL)
            assert receipt.error is None
            assert (await adapter.open_orders(ALL, pages_max=1)).is_clean
    assert simulated.management_calls == 0


@pytest.mark.parametrize("covers", [False, True])
def test_an_exchange_account_without_a_tag_is_cancelled_one_by_one_beside_tagged_ones(
    covers,
):
    """Whether a cancel-all for KRAKEN takes KRAKEN/JOHN's orders is not documented."""

    async def act(world: World) -> None:
        world.choose(untagged_covers_tagged=covers)
        key = next(iter(world.simulated.keys.values()))
        ids = (*key.exchange_ids, "KRAKEN")
        world.simulated.add_key(API_KEY, replace(key, exchange_ids=ids))
        world.place(at="KRAKEN")
        world.place()
        signer = world.venue.signer(credentials(accounts=list(ids)))
        (receipt,) = await world.joined("KRAKEN", signer=signer).cancel_all(ALL)
        await asyncio.sleep(1)
        assert receipt.accepted == 1
        assert (world.open("KRAKEN"), world.open()) == ([], ["limit"])
        assert world.sent(CANCEL_ALL) == []

    play(act)


def test_an_account_whose_exchange_hangs_keeps_no_other_waiting():
    async def act(world: World) -> None:
        for _ in range(20):
            world.place(at=STAMP)
        world.place()
        world.fail(Wrong.HANG, CANCEL, uid=f"desk:{STAMP}")
        stuck = world.joined(STAMP)
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            hanging = group.create_task(stuck.cancel_all(Scope(protective=Protective.KEEP)))
            await asyncio.sleep(1)
            await world.adapter.cancel_all(ALL)
            assert asyncio.get_running_loop().time() - began < 1.5
            hanging.cancel()

    play(act)


def test_orders_of_two_symbols_that_share_an_id_are_two_orders():
    rows = [
        {
            "exchange_id": JOHN,
            "exchange_order_id": "28",
            "client_order_id": f"mine-{name}",
            "symbol_id_exchange": name,
            "status": "NEW",
        }
        for name in ("BTCUSDT", "ETHUSDT")
    ]
    listed = coinapi_reports.parse_orders(rows, JOHN)
    assert [row.order.symbol for row in listed.rows] == ["BTCUSDT", "ETHUSDT"]
    assert [row.order.route for row in listed.rows] == [
        (("client_order_id", "mine-BTCUSDT"),),
        (("client_order_id", "mine-ETHUSDT"),),
    ]
    assert listed.error is None
