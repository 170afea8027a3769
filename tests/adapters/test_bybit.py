"""The Bybit adapter against the simulated Bybit: every class, every lie, over real sockets."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters import bybit, bybit_listing
from adapters.bybit_door import BybitSettings
from adapters.contract import (
    OrderClass,
    Protective,
    Purpose,
    Scope,
    VenueAdapter,
    VenueAuthRefused,
    VenueBanned,
    VenueError,
    VenueOutcomeUnknown,
    VenueReplyInvalid,
    VenueThrottled,
)
from bot.sandbox.venues import server
from bot.sandbox.venues.book import KINDS
from bot.sandbox.venues.bybit import Key, SimulatedBybit
from bot.sandbox.venues.faults import Fault, Wrong

UID = "1001"
SECRET = SecretStr(json.dumps({"api_key": "K", "api_secret": "s"}))
CLASS_OF = {
    "linear:USDT": "linear",
    "linear:USDC": "linear",
    "inverse": "inverse",
    "option": "option",
    "spot": "spot",
    "spot:StopOrder": "spot stop",
    "spot:tpslOrder": "spot tp/sl",
    "spot:OcoOrder": "spot oco",
    "spot:BidirectionalTpslOrder": "spot bidirectional tp/sl",
    "spread": "spread",
    "rfq": "rfq",
    "quote": "quote",
    "strategy": "strategy",
}
KIND = pytest.mark.parametrize("kind", sorted(KINDS))


@asynccontextmanager
async def opened(
    orders: Mapping[str, int],
    *,
    venue: SimulatedBybit | None = None,
    state: Path | None = None,
    **more: object,
) -> AsyncIterator[tuple[VenueAdapter, SimulatedBybit, bybit.Bybit]]:
    """An adapter for one account with these orders."""
    simulated = venue or SimulatedBybit(seed=1)
    simulated.add_key("K", Key(uid=UID, secret="s"))
    simulated.book.seed(UID, orders, now=time.time())
    async with (
        server.serve(simulated) as url,
        bybit.connect(BybitSettings(base_url=url, **more), state_dir=state) as connected,  # type: ignore[arg-type]
    ):
        await connected.instruments()
        adapter = connected.adapter(connected.signer(SECRET), purpose=Purpose.RUN)
        yield adapter, simulated, connected


def left(venue: SimulatedBybit) -> dict[str, int]:
    return venue.book.open_count(UID, now=time.time())


@KIND
async def test_one_round_cancels_the_class(kind: str):
    async with opened({kind: 2}) as (adapter, venue, _):
        receipts = await adapter.cancel_all(Scope())
        assert left(venue) == {}
        assert not any(receipt.error for receipt in receipts)
        assert sum(
            receipt.accepted or 0 for receipt in receipts if receipt.order_class == CLASS_OF[kind]
        ) in {0, 2}


@KIND
async def test_a_reading_shows_the_class(kind: str):
    async with opened({kind: 2}) as (adapter, _, _):
        reading = await adapter.open_orders(Scope(), pages_max=5)
        assert [order.order_class for order in reading.orders] == [CLASS_OF[kind]] * 2
        assert not reading.is_clean


async def test_empty_books_read_clean_in_every_class():
    async with opened({}) as (adapter, venue, _):
        reading = await adapter.open_orders(Scope(), pages_max=1)
        assert reading.is_clean
        asked = Counter((s.path, s.payload.split("&")[0]) for s in venue.log if s.is_signed)
        assert asked[("/v5/order/realtime", "category=linear")] == 2


@KIND
async def test_class_that_cannot_be_read_is_never_clean(kind: str):
    path = {
        "spread": "/v5/spread",
        "rfq": "/v5/rfq/rfq",
        "quote": "/v5/rfq/quote",
        "strategy": "/v5/strategy",
    }.get(kind, "/v5/order/realtime")
    part = f"category={KINDS[kind][0]}" if path == "/v5/order/realtime" else ""
    async with opened({}) as (adapter, venue, _):
        venue.faults.add(Fault(wrong=Wrong.SERVER, path=path, containing=part))
        reading = await adapter.open_orders(Scope(), pages_max=1)
        assert not reading.is_clean
        assert {entry.order_class for entry in reading.unread} == {CLASS_OF[kind].split(" ")[0]}


async def test_more_than_500_orders_take_rounds_and_the_receipt_says_capped():
    async with opened({"linear:USDT": 730}) as (adapter, venue, _):
        first = await adapter.cancel_all(Scope())
        assert [r.accepted for r in first if r.capped] == [500]
        assert left(venue) == {"linear:USDT": 230}
        second = await adapter.cancel_all(Scope())
        assert not any(r.capped for r in second)
        assert left(venue) == {}


async def test_pages_follow_percent_encoded_cursors_to_the_end():
    async with opened({"linear:USDT": 170, "spread": 60}) as (adapter, venue, _):
        first = await adapter.open_orders(Scope(), pages_max=1)
        assert set(first.has_more) == {"linear", "spread"}
        assert len(first.orders) == 100
        whole = await adapter.open_orders(Scope(), pages_max=40)
        assert len({order.order_id for order in whole.orders}) == 230
        assert whole.has_more == ()
        assert whole.unread == ()
        cursors = [s.payload for s in venue.log if "cursor=" in s.payload and s.is_signed]
        assert cursors
        assert all("%3A" in cursor and "%2C" in cursor for cursor in cursors)


async def test_stops_and_reduce_only_orders_are_told_apart():
    async with opened({"linear:USDT": 40, "spot:tpslOrder": 2}) as (adapter, venue, _):
        reading = await adapter.open_orders(Scope(), pages_max=5)
        truth = sum(
            bool(o.stop_type) or o.is_reduce_only for o in venue.book.live(UID, now=time.time())
        )
        assert sum(order.is_protective for order in reading.orders) == truth
        assert 0 < truth < 42


async def test_keep_leaves_every_protective_order_and_no_other():
    orders = {"linear:USDT": 30, "inverse": 10, "spot": 3, "spot:tpslOrder": 3, "rfq": 1}
    async with opened(orders) as (adapter, venue, _):
        scope = Scope(protective=Protective.KEEP)
        await adapter.cancel_all(scope)
        rest = venue.book.live(UID, now=time.time())
        assert rest
        assert all(order.stop_type or order.is_reduce_only for order in rest)
        assert (await adapter.open_orders(scope, pages_max=5)).is_clean
        assert not any("cancel-all" in s.path and "order" in s.path for s in venue.log)


@pytest.mark.parametrize("kind", sorted(kind for kind, facts in KINDS.items() if facts[1]))
async def test_scope_by_symbol_takes_that_symbol_and_no_other(kind: str):
    symbol = KINDS[kind][1]
    async with opened(dict.fromkeys(KINDS, 2)) as (adapter, venue, _):
        before = left(venue)
        await adapter.cancel_all(Scope(symbols=(symbol,)))
        gone = {name for name in before if name not in left(venue)}
        assert gone == {name for name, facts in KINDS.items() if facts[1] == symbol}
        assert (await adapter.open_orders(Scope(symbols=(symbol,)), pages_max=5)).is_clean


async def test_unknown_symbol_is_looked_for_in_every_class():
    async with opened({}) as (adapter, venue, _):
        await adapter.cancel_all(Scope(symbols=("NEWUSDT",)))
        bodies = [json.loads(s.payload) for s in venue.log if s.path == "/v5/order/cancel-all"]
        assert {body["category"] for body in bodies} == {"linear", "inverse", "option", "spot"}
        assert all(body["symbol"] == "NEWUSDT" for body in bodies)


@KIND
async def test_single_orders_are_cancelled_by_id(kind: str):
    async with opened({kind: 25}) as (adapter, venue, _):
        reading = await adapter.open_orders(Scope(), pages_max=5)
        some = reading.orders[:3]
        receipts = await adapter.cancel_orders(some)
        assert not any(receipt.error for receipt in receipts)
        if kind in {"rfq", "quote"}:  # Bybit lists no id call that we use: all of ours go.
            assert left(venue) == {}
        else:
            assert left(venue) == {kind: 22}


async def test_one_order_by_its_own_or_the_clients_id():
    async with opened({"inverse": 3}) as (adapter, venue, _):
        wanted = venue.book.live(UID, now=time.time())[1]
        wanted.link_id = "mine-7"
        for name in ("mine-7", wanted.order_id):
            scope = Scope(symbols=(wanted.symbol,), order_id=name)
            assert [o.order_id for o in (await adapter.open_orders(scope, pages_max=5)).orders] in (
                [wanted.order_id],
                [],
            )
            await adapter.cancel_all(scope)
        assert left(venue) == {"inverse": 2}


async def test_order_that_is_gone_already_is_nothing_to_do():
    async with opened({"spot": 1, "linear:USDT": 1}) as (adapter, _, _):
        reading = await adapter.open_orders(Scope(), pages_max=5)
        await adapter.cancel_all(Scope())
        receipts = await adapter.cancel_orders(reading.orders)
        assert [(r.accepted, r.error) for r in receipts] == [(0, None), (0, None)]


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (Wrong.TOO_MANY, VenueThrottled),
        (Wrong.SERVER, VenueOutcomeUnknown),
        (Wrong.HTML, VenueReplyInvalid),
        (Wrong.CUT, VenueOutcomeUnknown),
        (Wrong.LOST_REPLY, VenueOutcomeUnknown),
        (Wrong.RESET, VenueOutcomeUnknown),
        (Wrong.REFUSED_KEY, VenueAuthRefused),
        (Wrong.LACKS_PERMISSION, VenueAuthRefused),
        (Wrong.WRONG_ADDRESS, VenueAuthRefused),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_fault_of_one_cancel_is_a_receipt_and_hurts_no_other(
    wrong: Wrong, kind: type[VenueError]
):
    async with opened(dict.fromkeys(KINDS, 1)) as (adapter, venue, _):
        venue.faults.add(Fault(wrong=wrong, path="/v5/order/cancel-all", containing='"option"'))
        receipts = await adapter.cancel_all(Scope())
        failed = [receipt for receipt in receipts if receipt.error]
        assert [type(receipt.error) for receipt in failed] == [kind]
        assert failed[0].order_class == "option"
        assert set(left(venue)) <= {"option"}


@pytest.mark.parametrize(
    "wrong", [Wrong.NO_LIST, Wrong.HTML, Wrong.REPEAT_CURSOR], ids=lambda w: w.name
)
async def test_reading_that_lies_about_its_shape_is_unread(wrong: Wrong):
    async with opened({"linear:USDT": 60}) as (adapter, venue, _):
        venue.faults.add(
            Fault(
                wrong=wrong, path="/v5/order/realtime", containing="category=linear&settleCoin=USDT"
            )
        )
        reading = await adapter.open_orders(Scope(), pages_max=40)
        assert [type(entry.error) for entry in reading.unread] == [VenueReplyInvalid]


async def test_inverse_coins_come_from_the_list_if_the_orders_cannot_be_read():
    async with opened({"inverse": 2}) as (adapter, venue, _):
        venue.faults.add(Fault(wrong=Wrong.SERVER, path="/v5/order/realtime", containing="inverse"))
        await adapter.cancel_all(Scope())
        assert left(venue) == {}


async def test_hanging_strategy_list_does_not_delay_the_cancels():
    async with opened({"linear:USDT": 2, "strategy": 1}) as (adapter, venue, _):
        venue.faults.add(Fault(wrong=Wrong.HANG, path="/v5/strategy/list"))
        began = time.time()
        await adapter.cancel_all(Scope())
        cancels = [s.at for s in venue.log if s.path == "/v5/order/cancel-all"]
        assert max(cancels) - began < 1.0
        assert left(venue) == {"strategy": 1}


async def test_new_settle_coin_is_found_in_the_list_and_kept_on_disk(tmp_path: Path):
    venue = SimulatedBybit(seed=1)
    venue.listing.pre_launch["NEWUSDE"] = "USDE"
    async with opened({}, venue=venue, state=tmp_path) as (_, _, connected):
        assert connected.door.linear_coins() == ("USDC", "USDE", "USDT")
        assert connected.door.path is not None
        found = bybit_listing.load(connected.door.path)
    assert found is not None
    assert found.linear["NEWUSDE"] == "USDE"


async def test_config_only_adds_settle_coins():
    async with opened({}, settle_coins=("BRL",)) as (_, _, connected):
        assert connected.door.linear_coins() == ("BRL", "USDC", "USDT")


async def test_list_that_was_cut_on_disk_is_read_anew(tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_text('{"linear": {')
    assert bybit_listing.load(path) is None


async def test_whose_key_it_is_and_what_it_may_do():
    async with opened({}) as (adapter, _, _):
        facts = await adapter.check()
        assert facts.account_uid == UID
        assert facts.can_cancel
        assert not facts.can_withdraw
        assert facts.warnings == ("the key is not bound to an address and dies after 90 days",)
        assert facts.expires is not None


async def test_read_only_bound_key_with_a_withdrawal_right_is_described():
    venue = SimulatedBybit(seed=1)
    async with opened({}, venue=venue) as (_, _, connected):
        rights = {"Wallet": ["Withdraw", "AccountTransfer"]}
        key = Key(uid=UID, secret="r", is_read_only=True, permissions=rights, ips=("127.0.0.1",))
        venue.add_key("R", key)
        document = SecretStr(json.dumps({"api_key": "R", "api_secret": "r"}))
        adapter = connected.adapter(connected.signer(document), purpose=Purpose.LOOK)
        facts = await adapter.check()
        assert (facts.can_cancel, facts.can_withdraw, facts.is_read_only) == (False, True, True)
        assert facts.bound_addresses == ("127.0.0.1",)
        assert facts.expires is None
        assert facts.warnings == ("the key may move money between accounts",)


async def test_wrong_secret_never_shows_the_key():
    async with opened({}) as (_, _, connected):
        document = SecretStr(json.dumps({"api_key": "K", "api_secret": "canary"}))
        adapter = connected.adapter(connected.signer(document), purpose=Purpose.RUN)
        with pytest.raises(VenueAuthRefused) as caught:
            await adapter.check()
        assert caught.value.venue_code == "10004"
        assert caught.value.user_message == "the signature is wrong"
        assert "origin_string" not in repr(caught.value)


async def test_rsa_key_is_accepted():
    from tests.adapters.test_signing import VECTORS

    found = VECTORS["credentials"]["rsa"]
    async with opened({"spot": 1}) as (_, venue, connected):
        venue.add_key(found["key"], Key(uid=UID, public_pem=found["public_key_pem"]))
        document = SecretStr(json.dumps({"api_key": found["key"], "private_key": found["secret"]}))
        adapter = connected.adapter(connected.signer(document), purpose=Purpose.RUN)
        assert (await adapter.check()).account_uid == UID
        assert len((await adapter.open_orders(Scope(), pages_max=1)).orders) == 1


@pytest.mark.parametrize(
    "document", ['{"api_key":"K"}', '{"api_key":"K","api_secret":"a","private_key":"b"}']
)
async def test_document_needs_exactly_one_secret(document: str):
    async with opened({}) as (_, _, connected):
        with pytest.raises(VenueAuthRefused, match="api_secret or private_key, and not both"):
            connected.signer(SecretStr(document))


@pytest.mark.parametrize("skew_s", [-30.0, 30.0])
async def test_clock_that_is_off_is_measured_and_corrected(skew_s: float):
    venue = SimulatedBybit(seed=1)
    venue.skew_s = skew_s
    async with opened({"spot": 1}, venue=venue) as (adapter, _, connected):
        assert (await adapter.check()).account_uid == UID
        assert abs(connected.door.link.clock.offset_ms - skew_s * 1000) < 500


async def test_clock_that_jumps_is_measured_again_after_the_refusal():
    async with opened({}) as (adapter, venue, _):
        await adapter.check()
        venue.skew_s = 60.0
        with pytest.raises(VenueAuthRefused) as caught:
            await adapter.check()
        assert caught.value.is_clock
        assert (await adapter.check()).account_uid == UID


async def test_ban_stops_every_call_to_the_host():
    async with opened({"spot": 1}) as (adapter, venue, _):
        await adapter.check()
        venue.door.banned_until["127.0.0.1"] = time.time() + 600
        with pytest.raises(VenueBanned) as caught:
            await adapter.check()
        assert caught.value.user_message.startswith("BANNED until ")
        seen = len(venue.log)
        receipts = await adapter.cancel_all(Scope())
        reading = await adapter.open_orders(Scope(), pages_max=1)
        assert len(venue.log) == seen
        assert all(isinstance(receipt.error, VenueBanned) for receipt in receipts)
        assert len(reading.unread) == 11


async def test_throttled_key_waits_for_the_reset():
    async with opened({}) as (adapter, venue, _):
        budget = venue.door.account(UID, "/v5/order/cancel-all option", 1)
        budget.taken.append(time.time())
        receipts = await adapter.cancel_all(Scope())
        refused = [r.error for r in receipts if r.error]
        assert [type(error) for error in refused] == [VenueThrottled]
        again = await adapter.cancel_all(Scope())
        assert not any(receipt.error for receipt in again)


async def test_classes_switched_off_are_neither_cancelled_nor_read():
    off = tuple(OrderClass(name) for name in ("option", "spot oco", "rfq"))
    async with opened(dict.fromkeys(KINDS, 1)) as (adapter, venue, _):
        scope = Scope(classes_off=off)
        await adapter.cancel_all(scope)
        assert set(left(venue)) == {"option", "spot:OcoOrder", "rfq"}
        assert (await adapter.open_orders(scope, pages_max=5)).is_clean


def test_capabilities_say_what_is_not_seen():
    assert bybit.CAPABILITIES.reread_after_s == 0.5
    assert len(bybit.CAPABILITIES.blind_to) == 2
    assert set(CLASS_OF.values()) == set(bybit.CAPABILITIES.order_classes)
