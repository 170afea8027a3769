"""Paging, nonces, tokens and clocks of the adapter of Synthetix, and what goes wrong with each."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters import synthetix
from adapters.carrier import Reply, WireRequest
from adapters.contract import (
    OpenOrder,
    Protective,
    Purpose,
    Receipt,
    Scope,
    VenueAuthRefused,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueReplyInvalid,
    VenueThrottled,
)
from adapters.gate import Gate
from adapters.nonces import Counter
from adapters.synthetix_codes import NonceMissing, NonceRefused
from adapters.synthetix_wire import ORDER
from bot.sandbox.venues.faults import Wrong
from bot.sandbox.venues.synthetix_shapes import Above, Nonces, Traced, Unit
from tests.adapters.pure import PureCarrier
from tests.adapters.synthetix_world import (
    ALL,
    BESIDE,
    CANCEL_ALL,
    KEY,
    MINE,
    READ,
    World,
    credentials,
    play,
    simulate,
)
from tests.fakes import clock as clocks


def offsets(world: World) -> list[tuple[int, int]]:
    """Return (limit, offset) of every page that was asked for."""
    return [(body["params"]["limit"], body["params"]["offset"]) for body in world.sent(READ)]


def errors(receipts: tuple[Receipt, ...]) -> list[type[VenueError] | None]:
    return [type(each.error) if each.error else None for each in receipts]


# ------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize(
    ("count", "limit_max", "pages"),
    [
        (0, 1000, [(1000, 0)]),
        (49, 1000, [(1000, 0)]),
        (50, 1000, [(1000, 0), (1000, 49)]),
        (400, 1000, [(1000, 0), (1000, 399)]),
        (120, 50, [(1000, 0), (1000, 49), (1000, 98)]),
        (199, 100, [(1000, 0), (1000, 99), (1000, 198)]),
    ],
)
def test_reading_goes_on_until_a_page_is_too_short_to_be_cut(
    count: int, limit_max: int, pages: list[tuple[int, int]]
):
    """The venue may cut pages to any length from its default on, without a word."""

    async def act(world: World) -> None:
        world.choose(limit_max=limit_max)
        for _ in range(count):
            world.place()
        reading = await world.read()
        assert len(reading.orders) == len({each.order_id for each in reading.orders}) == count
        assert (reading.unread, reading.has_more) == ((), ())
        assert offsets(world) == pages

    play(act)


def test_page_size_that_is_refused_gives_way_to_the_documented_one():
    async def act(world: World) -> None:
        world.choose(limit_max=100, above=Above.REFUSED)
        for _ in range(60):
            world.place()
        assert len((await world.read()).orders) == 60
        assert offsets(world) == [(1000, 0), (50, 0), (50, 49)]
        await world.joined().open_orders(ALL, pages_max=1)
        assert offsets(world)[3:] == [(50, 0)]

    play(act)


def test_reading_that_is_refused_in_every_size_is_unread():
    async def act(world: World) -> None:
        refusal = {"code": "VALIDATION_ERROR", "category": "REQUEST", "message": "limit"}
        world.doctor(READ, lambda _: {"status": "error", "error": refusal})
        reading = await world.read()
        assert [str(each.order_class) for each in reading.unread] == ["order", "twap"]
        assert offsets(world) == [(1000, 0), (50, 0)]

    play(act)


def test_page_size_refused_to_one_account_in_every_size_is_kept_for_the_others():
    async def act(world: World) -> None:
        refusal = {"code": "VALIDATION_ERROR", "category": "REQUEST", "message": "no such account"}
        world.doctor(READ, lambda _: {"status": "error", "error": refusal}, times=2)
        assert not (await world.joined(BESIDE).open_orders(ALL, pages_max=1)).is_clean
        assert (await world.read()).is_clean
        assert offsets(world) == [(1000, 0), (50, 0), (1000, 0)]

    play(act)


def test_pages_beyond_those_that_may_be_read_are_told():
    async def act(world: World) -> None:
        world.choose(limit_max=50)
        for _ in range(60):
            world.place()
        reading = await world.read(pages_max=1)
        assert len(reading.orders) == 50
        assert list(reading.has_more) == ["order", "twap"]

    play(act)


def test_reading_is_not_whole_where_orders_vanish_between_two_pages():
    """What vanishes moves later orders to places that were read already."""

    async def act(world: World) -> None:
        world.choose(limit_max=50)
        for number in range(60):
            world.place(age_s=1000.0 - number)
        world.place("twap", age_s=2000.0)
        live = world.simulated.book.live(MINE, now=world.now)
        fill = world.now + 0.06
        for order in live[10:40]:
            order.gone_at = fill
        reading = await world.read(Scope(symbols=("ETH-USDT",)))
        assert reading.orders == ()
        assert not reading.is_clean
        assert list(reading.has_more) == ["order", "twap"]
        await asyncio.sleep(1.0)
        assert len((await world.read(Scope(symbols=("ETH-USDT",)))).orders) == 1

    play(act)


def test_orders_that_come_between_two_pages_are_no_gap():
    async def act(world: World) -> None:
        world.choose(limit_max=50)
        for number in range(60):
            world.place(age_s=1000.0 - number)
        for _ in range(5):
            world.place(age_s=-0.06)
        reading = await world.read()
        assert len(reading.orders) == 60
        assert reading.has_more == ()

    play(act)


def test_page_that_repeats_itself_is_no_end():
    async def act(world: World) -> None:
        world.choose(limit_max=50)
        for _ in range(60):
            world.place()
        world.fail(Wrong.REPEAT_CURSOR, READ)
        reading = await world.read()
        assert [type(each.error) for each in reading.unread] == [VenueReplyInvalid] * 2
        assert len(reading.orders) == 50

    play(act)


@pytest.mark.parametrize("response", [None, {}, "", 0, {"orders": []}])
def test_absent_list_of_orders_is_never_no_orders(response: object):
    async def act(world: World) -> None:
        world.doctor(READ, lambda body: {**body, "response": response})
        reading = await world.read()
        assert [type(each.error) for each in reading.unread] == [VenueReplyInvalid] * 2

    play(act)


def test_reading_answered_like_an_empty_cancel_is_never_no_orders():
    async def act(world: World) -> None:
        world.doctor(READ, lambda _: {"status": "error", "error": {"message": "No orders found"}})
        reading = await world.read()
        assert [type(each.error) for each in reading.unread] == [VenueReplyInvalid] * 2

    play(act)


def test_readings_burn_no_nonces_until_the_server_wants_them():
    """As it did by the documentation of before 2026."""

    async def act(world: World) -> None:
        await world.read()
        assert "nonce" not in world.sent(READ)[0]
        refusal = {"code": "MISSING_REQUIRED_FIELD", "message": "nonce is required for this"}
        world.doctor(READ, lambda _: {"status": "error", "error": refusal}, times=1)
        assert not (await world.read()).is_clean
        assert (await world.read()).is_clean
        assert world.sent(READ)[2]["nonce"] > 0

    play(act)


def test_cancel_that_is_told_to_lack_its_nonce_burns_none_for_readings():
    async def act(world: World) -> None:
        refusal = {"code": "MISSING_REQUIRED_FIELD", "message": "nonce is required for this"}
        world.doctor(CANCEL_ALL, lambda _: {"status": "error", "error": refusal})
        assert errors(await world.adapter.cancel_all(ALL)) == [NonceMissing, None]
        assert (await world.read()).is_clean
        assert "nonce" not in world.sent(READ)[-1]

    play(act)


# ------------------------------------------------------------------------------------ nonces


def nonces(world: World) -> list[int]:
    return [body["nonce"] for body in world.sent() if "nonce" in body]


@pytest.mark.parametrize("rule", Nonces)
def test_nonces_of_one_key_rise_over_its_subaccounts_and_adapters(rule: Nonces):
    async def act(world: World) -> None:
        world.choose(nonces=rule)
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                uid = (MINE, BESIDE)[number % 2]
                signer = world.venue.signer(credentials())
                group.create_task(world.joined(uid, signer=signer).cancel_all(ALL))
        sent = nonces(world)
        assert len(set(sent)) == 6
        assert max(sent) - min(sent) == 5

    play(act)


def test_two_base_urls_share_the_nonces_of_a_key():
    """What is signed names no host: the other one may be the same venue by another name."""

    async def main() -> list[int]:
        simulated, gate = simulate(), Gate(synthetix.ADDRESS)
        how: dict[str, Any] = {"gate": gate, "state_dir": None}
        for port in (9, 8):
            settings = synthetix.SynthetixSettings(base_url=f"http://127.0.0.1:{port}")
            carrier = PureCarrier(simulated)
            async with synthetix.connect(settings, **how, carrier=carrier) as venue:
                signer = venue.signer(credentials())
                adapter = venue.adapter(signer, uid=MINE, purpose=Purpose.RUN)
                carrier.clock.skew_s = -100.0 if port == 8 else 0.0
                await adapter.cancel_all(ALL)
        bodies = [json.loads(seen.payload) for seen in simulated.log]
        return [body["nonce"] for body in bodies if "nonce" in body]

    first, second = clocks.run(main())
    assert second == first + 1


def test_nonces_survive_a_restart(tmp_path: Path):
    async def act(world: World) -> list[int]:
        await world.adapter.cancel_all(ALL)
        return nonces(world)

    (before,) = play(act, state_dir=tmp_path)
    (after,) = play(act, state_dir=tmp_path)
    assert after == before + 60_001
    (file,) = tmp_path.iterdir()
    assert file.name == "nonce-key-22a8108e.json"
    assert KEY[2:] not in file.read_text()


def test_expiry_is_beyond_the_nonce_after_a_restart_too(tmp_path: Path):
    """Nonces run a minute ahead then, and an older validator compares the two."""

    async def act(world: World) -> None:
        world.choose(expiry_beyond_nonce=True)
        assert errors(await world.adapter.cancel_all(ALL)) == [None, None]
        (swept,) = world.sent(CANCEL_ALL)
        assert swept["expiresAfter"] == swept["nonce"] + 60_000

    play(act, state_dir=tmp_path)
    play(act, state_dir=tmp_path)


def test_state_that_cannot_be_written_stops_no_cancel(tmp_path: Path):
    async def act(world: World) -> None:
        world.place()
        await world.adapter.cancel_all(ALL)
        assert world.open() == []

    play(act, state_dir=tmp_path / "gone")


def taken(world: World, *nonces: int) -> None:
    """Have another program spend nonces of our key."""
    signer = world.adapter.caller.signer
    world.simulated.registry.nonces[signer.address] = set(nonces)


def test_used_nonce_may_be_tried_again_and_the_next_one_is_above_it():
    async def act(world: World) -> None:
        world.place()
        world.choose(nonces=Nonces.RISING)
        taken(world, int(world.now * 1000) + 525)
        receipts = await world.adapter.cancel_all(ALL)
        assert errors(receipts) == [NonceRefused, None]
        assert receipts[0].error.retryable
        counter = world.adapter.caller.counter
        assert counter.refusals == 1
        assert counter.strict_until_ms == pytest.approx(world.now * 1000 + 300_000, abs=100)
        assert errors(await world.adapter.cancel_all(ALL)) == [None, None]
        assert world.open() == []
        first, second = nonces(world)
        assert second == first + 1001
        assert counter.refusals == 0

    play(act)


def test_other_program_with_the_same_key_delays_flat_by_seconds_only():
    """Its clock is a minute ahead, and the venue wants nonces to rise."""

    async def act(world: World) -> None:
        for _ in range(3):
            world.place()
        world.choose(nonces=Nonces.RISING)
        taken(world, int(world.now * 1000) + 60_000)
        sight = await world.chase()
        assert sight.flat_at is not None
        assert sight.flat_at < 25.0
        assert world.open() == []

    play(act)


def test_clock_an_hour_behind_the_nonces_of_the_key_delays_flat_by_seconds_only():
    """The file is gone, or another program has drawn far ahead."""

    async def act(world: World) -> None:
        world.place()
        world.choose(nonces=Nonces.RISING)
        taken(world, int(world.now * 1000) + 3_600_000)
        sight = await world.chase()
        assert sight.flat_at is not None
        assert sight.flat_at < 25.0
        assert world.open() == []

    play(act)


def test_refused_nonce_is_logged_without_the_key(caplog: pytest.LogCaptureFixture):
    async def act(world: World) -> None:
        world.choose(nonces=Nonces.RISING)
        taken(world, 2**52)
        await world.adapter.cancel_all(ALL)

    with caplog.at_level(logging.DEBUG):
        play(act)
    assert "nonce.refused" in [record.message for record in caplog.records]
    assert "46464646" not in caplog.text + repr([vars(each) for each in caplog.records])


def test_side_by_side_calls_go_in_turns_once_one_was_overtaken():
    """The strict rule of the pages: whoever arrives late with a lower nonce is refused."""

    async def act(world: World) -> None:
        world.choose(nonces=Nonces.RISING)
        world.adapter.caller.counter.strict_until_ms = math.inf
        world.carrier.calls.clear()
        orders = [
            OpenOrder(
                order_class=ORDER,
                symbol="BTC-USDT",
                order_id=f"mine-{number}",
                route=(("by", "clientOrderIds"),),
            )
            for number in range(4)
        ]
        receipts = await world.adapter.cancel_orders(orders)
        assert [each.error for each in receipts] == [None] * 4
        assert [round(at, 3) for at, _ in world.carrier.calls] == [0.0, 0.05, 0.1, 0.15]
        assert nonces(world) == sorted(nonces(world))

    play(act)


def test_counter_of_a_key_is_free_again_after_every_kind_of_end():
    async def act(world: World) -> None:
        counter: Counter = world.adapter.caller.counter
        counter.strict_until_ms = math.inf
        for wrong in (Wrong.HANG, Wrong.SERVER, Wrong.CUT):
            world.fail(wrong, CANCEL_ALL, times=1)
            receipts = await world.adapter.cancel_all(ALL)
            assert isinstance(receipts[0].error, VenueOutcomeUnknown)
        world.carrier.is_cut_off = True
        receipts = await world.adapter.cancel_all(ALL)
        assert errors(receipts) == [VenueNotReached, VenueNotReached]
        assert not counter.lock.locked()

    play(act)


# ------------------------------------------------------------------------- tokens and clocks


def test_calls_stay_within_the_tokens_of_a_subaccount():
    async def act(world: World) -> None:
        adapter = world.adapter
        began = world.now
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(adapter.open_orders(ALL, pages_max=1)) for _ in range(120)]
        assert [task.result().unread for task in tasks] == [()] * 120
        arrived = [seen.at - began for seen in world.simulated.log]
        assert sum(at < 10.0 for at in arrived) == 80
        assert {seen.code for seen in world.simulated.log} <= {"ok", "200"}

    play(act, has_limits=True)


def test_tokens_that_others_spend_narrow_our_share_only_beyond_what_we_leave_them():
    async def act(world: World) -> None:
        bucket = {"requestsCap": 1000, "remainingTokens": 30}
        world.doctor(READ, lambda body: {**body, "rateLimit": bucket})
        began = world.now
        for _ in range(3):
            await world.read()
        assert world.now - began == pytest.approx(0.15)
        bucket["remainingTokens"] = 1
        await world.read()
        await world.read()
        assert world.now - began == pytest.approx(0.2 + 2.0 + 0.05, abs=0.01)

    play(act)


def test_tokens_of_the_address_are_followed_for_all_subaccounts():
    async def act(world: World) -> None:
        bucket = {"requestsCap": 10_000, "remainingTokens": 1}
        world.doctor(READ, lambda body: {**body, "ipRateLimit": bucket}, times=1)
        await world.read()
        began = world.now
        await world.joined(BESIDE).open_orders(ALL, pages_max=1)
        assert world.now - began == pytest.approx(2.05, abs=0.01)

    play(act)


@pytest.mark.parametrize(("name", "is_for_all"), [("rateLimit", False), ("ipRateLimit", True)])
def test_empty_bucket_holds_the_subaccount_or_the_address(name: str, *, is_for_all: bool):
    async def act(world: World) -> None:
        refusal = {"code": "RATE_LIMIT_EXCEEDED", "category": "RATE_LIMIT", "message": "slow"}
        told: dict[str, object] = {"status": "error", "error": refusal}
        if is_for_all:
            told[name] = {"requestsCap": 10_000, "remainingTokens": 9}
        world.doctor(READ, lambda _: told, times=1)  # A reading takes ten.
        reading = await world.read()
        (error, _) = (each.error for each in reading.unread)
        assert isinstance(error, VenueThrottled)
        began = world.now
        await world.joined(BESIDE).open_orders(ALL, pages_max=1)
        assert (world.now - began > 1.0) is is_for_all
        await world.read()
        assert world.now - began == pytest.approx(2.05, abs=0.1)

    play(act)


def test_larger_tier_of_a_subaccount_is_believed():
    async def act(world: World) -> None:
        world.simulated.registry.accounts[MINE].cap = 5000
        await world.read()
        began = world.now
        async with asyncio.TaskGroup() as group:
            for _ in range(150):
                group.create_task(world.adapter.open_orders(ALL, pages_max=1))
        assert world.now - began < 1.0
        assert len(world.sent(READ)) == 151

    play(act, has_limits=True)


@pytest.mark.parametrize("name", ["rateLimit", "ipRateLimit"])
def test_limit_that_no_venue_has_throttles_nobody(name: str):
    async def act(world: World) -> None:
        bucket = {"requestsCap": 1, "remainingTokens": 1}
        world.doctor(READ, lambda body: {**body, name: bucket}, times=1)
        await world.read()
        began = world.now
        for _ in range(3):
            await world.adapter.cancel_all(ALL)
        assert world.now - began == pytest.approx(0.15)

    play(act)


async def readers(world: World, *calls: Coroutine[Any, Any, object]) -> list[str]:
    """Begin these calls in this order while the address is held; return whose list left first."""
    honest, left = world.carrier.exchange, list[str]()

    async def exchange(request: WireRequest) -> Reply:
        params = json.loads(request.body or b"")["params"]
        left.extend([params["subAccountId"]] if params["action"] == "getOpenOrders" else [])
        return await honest(request)

    world.carrier.exchange = exchange  # type: ignore[method-assign]
    world.venue.link.gate.throttled(synthetix.ADDRESS, 1.0)
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(call)
            await asyncio.sleep(0.01)
    return left


def test_look_that_a_cancel_depends_on_comes_before_readings():
    async def act(world: World) -> None:
        reading = world.joined(BESIDE).open_orders(ALL, pages_max=1)
        keep = Scope(protective=Protective.KEEP)
        assert await readers(world, reading, world.adapter.cancel_all(keep)) == [MINE, BESIDE]

    play(act)


def test_look_beside_a_cancel_all_comes_after_earlier_readings():
    async def act(world: World) -> None:
        reading = world.joined(BESIDE).open_orders(ALL, pages_max=1)
        assert await readers(world, reading, world.adapter.cancel_all(ALL)) == [BESIDE, MINE]

    play(act)


def test_previews_come_after_the_readings_of_runs():
    async def act(world: World) -> None:
        preview = world.joined(BESIDE, purpose=Purpose.LOOK).open_orders(ALL, pages_max=1)
        assert await readers(world, preview, world.read()) == [MINE, BESIDE]

    play(act)


@pytest.mark.parametrize("is_old", [False, True], ids=["ms", "RFC 3339"])
@pytest.mark.parametrize("skew_s", [-300.0, 300.0])
def test_clock_that_is_off_is_put_right_by_any_two_answers(*, is_old: bool, skew_s: float):
    async def act(world: World) -> None:
        world.choose(expiry_unit=Unit.MILLISECONDS)
        world.simulated.skew_s = skew_s
        world.place()
        if is_old:
            world.doctor(READ, rfc)
        for _ in range(2):
            await world.read()
        sight = await world.chase()
        assert (sight.rounds, sight.is_flat) == (1, True)
        offset_ms = world.venue.link.clock.offset_ms
        assert offset_ms == pytest.approx(skew_s * 1000, abs=1100)

    def rfc(body: dict[str, Any]) -> dict[str, Any]:
        moment = datetime.fromtimestamp(body["timestamp"] / 1000, UTC)
        return {**body, "timestamp": moment.isoformat(timespec="seconds").replace("+00:00", "Z")}

    play(act)


def test_expired_call_is_a_matter_of_clocks_and_the_next_one_is_right():
    async def act(world: World) -> None:
        world.choose(expiry_unit=Unit.MILLISECONDS)
        world.simulated.skew_s = 300.0
        world.place()
        first = (await world.adapter.cancel_all(ALL))[0].error
        assert isinstance(first, VenueAuthRefused)
        assert first.is_clock
        assert errors(await world.adapter.cancel_all(ALL)) == [None, None]
        assert world.open() == []

    play(act)


@pytest.mark.parametrize(
    ("timestamp", "latency_s"),
    [(None, 0.05), ("never", 0.05), (0, 0.05), (10**14, 0.05), (1_795_230_100_000, 1.5)],
    ids=["absent", "no time", "the epoch", "far ahead", "slow answer"],
)
def test_time_that_cannot_be_right_is_not_believed(timestamp: object, latency_s: float):
    async def act(world: World) -> None:
        world.carrier.latency_s = latency_s
        world.doctor(READ, lambda body: {**body, "timestamp": timestamp})
        for _ in range(2):
            await world.read()
        assert world.venue.link.clock.offset_ms == 0.0

    play(act)


def test_one_answer_with_another_time_is_not_believed():
    """Nonces that ran ahead stay ahead, and so does the expiry that is signed with them."""

    async def act(world: World) -> None:
        ahead_ms = int(world.now * 1000) + 82_800_000
        for told_ms in (ahead_ms + 10_000_000, ahead_ms, None, ahead_ms):
            if told_ms:
                world.doctor(READ, telling(told_ms), times=1)
            await world.read()
            assert world.venue.link.clock.offset_ms == 0.0

    def telling(told_ms: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda body: {**body, "timestamp": told_ms}

    play(act)


def test_small_difference_of_clocks_changes_nothing():
    async def act(world: World) -> None:
        world.simulated.skew_s = 1.5
        for _ in range(2):
            await world.read()
        assert world.venue.link.clock.offset_ms == 0.0

    play(act)


# --------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("is_beyond", [False, True])
def test_expiry_passes_every_rule_that_is_known(unit: Unit, *, is_beyond: bool):
    async def act(world: World) -> None:
        world.choose(expiry_unit=unit, expiry_beyond_nonce=is_beyond)
        world.place()
        receipts = await world.adapter.cancel_all(ALL)
        assert errors(receipts) == [None, None]
        assert (await world.read()).is_clean

    play(act)


@pytest.mark.parametrize("is_200", [False, True])
@pytest.mark.parametrize("is_old", [False, True])
@pytest.mark.parametrize("traced", [Traced.BOTH, Traced.TRACE])
def test_refusals_are_understood_in_every_shape(traced: Traced, *, is_old: bool, is_200: bool):
    async def act(world: World) -> None:
        world.choose(old_errors=is_old, errors_under_200=is_200, traced=traced)
        world.fail(Wrong.REFUSED_KEY, CANCEL_ALL)
        receipts = await world.adapter.cancel_all(ALL)
        assert errors(receipts) == [VenueAuthRefused, None]

    play(act)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (Wrong.TOO_MANY, VenueThrottled),
        (Wrong.SERVER, VenueOutcomeUnknown),
        (Wrong.UNAVAILABLE, VenueOutcomeUnknown),
        (Wrong.HTML, VenueReplyInvalid),
        (Wrong.EMPTY, VenueReplyInvalid),
        (Wrong.REDIRECT, VenueReplyInvalid),
        (Wrong.HANG, VenueOutcomeUnknown),
        (Wrong.RESET, VenueOutcomeUnknown),
        (Wrong.CUT, VenueOutcomeUnknown),
        (Wrong.LOST_REPLY, VenueOutcomeUnknown),
        (Wrong.OVERSIZE, VenueReplyInvalid),
        (Wrong.NO_LIST, VenueReplyInvalid),
    ],
)
def test_what_goes_wrong_with_a_call_is_a_receipt_and_an_unread_and_never_raised(
    wrong: Wrong, kind: type[VenueError]
):
    async def act(world: World) -> None:
        world.place()
        world.fail(wrong)
        receipts = await world.adapter.cancel_all(ALL)
        assert errors(receipts) == [kind, kind]
        reading = await world.read()
        assert [type(each.error) for each in reading.unread] == [kind, kind]

    play(act)


@pytest.mark.parametrize("wrong", [Wrong.SERVER, Wrong.LOST_REPLY, Wrong.TOO_MANY, Wrong.HTML])
def test_fault_that_passes_delays_flat_and_no_more(wrong: Wrong):
    async def act(world: World) -> None:
        for kind in ("limit", "twap"):
            world.place(kind)
        world.fail(wrong, times=4)
        sight = await world.chase()
        assert sight.is_flat
        assert world.open() == []

    play(act)


def test_list_that_hangs_delays_no_cancel_all():
    async def act(world: World) -> None:
        world.place()
        world.fail(Wrong.HANG, READ)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(world.adapter.cancel_all(ALL))
            await asyncio.sleep(0.1)
            assert world.open() == []
        assert errors(task.result()) == [None, VenueOutcomeUnknown]

    play(act)
