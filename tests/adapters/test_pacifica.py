"""Pacifica's rounds and readings: what is sent for a scope, in which order, and what is clean."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.contract import (
    Protective,
    Purpose,
    Reading,
    Receipt,
    Scope,
    VenueAuthRefused,
    VenueError,
    VenueNotReached,
)
from tests.adapters.pacifica_world import (
    ACCOUNT,
    AGENT,
    ALL,
    CANCEL,
    MAIN,
    MARKETS,
    ORDERS,
    STOP,
    STRATEGIES,
    STRATEGY,
    TWAP,
    TWAPS,
    Script,
    World,
    an_order,
    document,
    failing,
    fine,
    found,
    play,
    row,
    silent,
    strategy,
    told,
    unread,
)

EVERYTHING = Scope()
KEEP = Scope(protective=Protective.KEEP)
BTC = Scope(symbols=("BTC",))
CLIENT_ID = "79f948fd-7556-4066-a128-083f3ea49322"
UUID = "0f8e7c2a-4b1d-4e5f-9a3b-2c1d0e9f8a7b"


def off(*classes: str) -> Scope:
    return Scope(classes_off=classes)  # type: ignore[arg-type]


def rounded(script: Script, scope: Scope = EVERYTHING, **settings: Any) -> tuple[Receipt, ...]:
    async def act(world: World) -> tuple[Receipt, ...]:
        return await world.adapter.cancel_all(scope)

    return play(act, script, **settings)


def read(script: Script, scope: Scope = EVERYTHING, *, pages_max: int = 40) -> Reading:
    async def act(world: World) -> Reading:
        return await world.adapter.open_orders(scope, pages_max=pages_max)

    return play(act, script)


def full() -> Script:
    return Script(
        orders=[row(1), row(2, "kBONK"), row(3, reduce_only=True), row(4, kind="stop_market")],
        twaps=[row(5), row(6, reduce_only=True)],
        strategies=[strategy(UUID, "BTC")],
    )


# ------------------------------------------------------------------------------------- rounds


def test_where_nothing_is_listed_one_cancel_all_is_all_that_is_sent():
    script = Script()
    receipts = rounded(script)
    assert script.cancels() == [f"FRAME {ALL}"]
    assert set(script.paths()) == {f"FRAME {ALL}", STRATEGIES, ORDERS, TWAPS}
    assert told(receipts) == [
        ("cancel-all", 0),
        ("look for strategy", 0),
        ("look for stop", 0),
        ("look for twap", 0),
    ]


def test_cancel_all_and_the_lists_leave_at_once():
    async def act(world: World) -> set[float]:
        world.carrier.calls.clear()
        await world.adapter.cancel_all(EVERYTHING)
        return {at for at, _ in world.carrier.calls}

    assert len(play(act)) == 1


def test_every_class_goes_by_its_own_call_and_parents_first():
    script = full()
    receipts = rounded(script)
    assert all(receipt.error is None for receipt in receipts)
    first, *rest = script.cancels()
    assert (first, rest[0]) == (f"FRAME {ALL}", STRATEGY)
    assert sorted(rest[1:]) == sorted([f"FRAME {ALL}", STOP, TWAP, TWAP])
    assert script.fields(STRATEGY)[0]["strategy_id"] == UUID
    assert (script.fields(STOP)[0]["symbol"], script.fields(STOP)[0]["order_id"]) == ("BTC", 4)
    assert [each["order_id"] for each in script.fields(TWAP)] == [5, 6]
    assert script.fields(f"FRAME {ALL}")[1]["all_symbols"] is True


def test_spot_orders_go_by_their_ids_because_nothing_says_that_all_symbols_means_them():
    script = Script(orders=[row(1), row(2, "SOL-USDC"), row(3, "SOL-USDC", reduce_only=True)])
    receipts = rounded(script)
    assert script.cancels() == [f"FRAME {ALL}", f"FRAME {CANCEL}", f"FRAME {CANCEL}"]
    assert [each["order_id"] for each in script.fields(f"FRAME {CANCEL}")] == [2, 3]
    assert told(receipts)[0] == ("cancel-all", 3)
    script.asked.clear()
    rounded(script, KEEP)
    assert [each["order_id"] for each in script.fields(f"FRAME {CANCEL}")] == [2]
    script.asked.clear()
    rounded(script, Scope(symbols=("SOL-USDC",)))
    assert script.cancels() == [f"FRAME {ALL}"]


def test_a_list_of_strategies_that_hangs_delays_stops_by_a_second_and_cancel_all_by_nothing():
    async def act(world: World) -> list[tuple[str, float]]:
        began = asyncio.get_running_loop().time()
        world.carrier.calls.clear()
        await world.adapter.cancel_all(EVERYTHING)
        return [(call, round(at - began, 2)) for at, call in world.carrier.calls]

    script = Script(orders=[row(4, kind="stop_limit")], says={STRATEGIES: silent})
    calls = dict(play(act, script))
    assert calls["FRAME /ws"] == 0.0
    assert calls[f"POST {STOP}"] == 1.05


@pytest.mark.parametrize(
    ("path", "failed"),
    [
        (STRATEGIES, ["look for strategy"]),
        (ORDERS, ["look for order", "look for stop"]),
        (TWAPS, ["look for twap"]),
    ],
)
def test_a_list_that_fails_is_a_receipt_and_hinders_no_other_class(path: str, failed: list[str]):
    script = full()
    script.says[path] = lambda: failing(500)
    receipts = rounded(script)
    assert [each.call for each in receipts if each.error is not None] == failed
    whole = {f"FRAME {ALL}", STRATEGY, STOP, TWAP}
    gone = {STRATEGIES: STRATEGY, ORDERS: STOP, TWAPS: TWAP}
    assert set(script.cancels()) == whole - {gone[path]}


def test_a_deployment_without_strategies_has_none():
    script = Script(says={STRATEGIES: lambda: failing(404)})
    assert all(receipt.error is None for receipt in rounded(script))
    assert read(script).is_clean


def test_a_scope_by_symbol_never_says_all():
    script = full()
    rounded(script, Scope(symbols=("BTC", "kBONK")))
    sent = script.fields(f"FRAME {ALL}")
    assert {each["symbol"] for each in sent} == {"BTC", "kBONK"}
    assert {each["all_symbols"] for each in sent} == {False}


def test_a_scope_by_symbol_cancels_nothing_of_another_symbol():
    script = Script(
        orders=[row(4, "ETH", "stop_market")],
        twaps=[row(5, "ETH")],
        strategies=[strategy(UUID, "ETH")],
    )
    rounded(script, BTC)
    assert script.cancels() == [f"FRAME {ALL}"]
    assert read(script, BTC).is_clean


def test_a_symbol_is_matched_to_the_letter():
    script = Script(orders=[row(4, "kBONK", "stop_market")])
    rounded(script, Scope(symbols=("KBONK",)))
    assert STOP not in script.cancels()


@pytest.mark.parametrize("legs", [("BTC", "ETH"), ()])
def test_a_strategy_that_trades_beyond_the_scope_is_neither_cancelled_nor_overlooked(
    legs: tuple[str, ...],
):
    script = Script(strategies=[strategy(UUID, *legs)])
    (error,) = [each.error for each in rounded(script, BTC) if each.error is not None]
    assert UUID in error.user_message
    assert STRATEGY not in script.cancels()
    assert [each for each, _ in unread(read(script, BTC))] == ["strategy"]
    rounded(script)
    assert script.fields(STRATEGY)[0]["strategy_id"] == UUID


@pytest.mark.parametrize("order_class", ["order", "stop", "twap", "strategy"])
def test_a_class_that_is_off_is_not_touched_and_nothing_takes_it_along(order_class: str):
    """Cancel-all takes TWAPs, and perhaps stops and strategies: then order by order."""
    script = full()
    paths = {
        "order": [f"FRAME {CANCEL}"] * 3,
        "stop": [STOP],
        "twap": [TWAP, TWAP],
        "strategy": [STRATEGY],
    }
    left = [call for name, calls in paths.items() if name != order_class for call in calls]
    rounded(script, off(order_class))
    assert sorted(script.cancels()) == sorted(left)
    assert order_class not in {each for each, _ in found(read(script, off(order_class)))}


def test_a_class_that_is_off_is_not_read_either():
    script = full()
    read(script, off("order", "stop"))
    assert sorted(script.paths()) == [STRATEGIES, TWAPS]


def test_keep_spares_what_protects_and_reads_the_rest():
    script = full()
    script.strategies.append(strategy("oco", "BTC", reduce_only=True))
    rounded(script, KEEP)
    assert {each["exclude_reduce_only"] for each in script.fields(f"FRAME {ALL}")} == {True}
    assert STOP not in script.cancels()
    assert [each["order_id"] for each in script.fields(TWAP)] == [5]
    assert [each["strategy_id"] for each in script.fields(STRATEGY)] == [UUID]
    seen = {order_id for _, order_id in found(read(script, KEEP))}
    assert seen == {"1", "2", "5", UUID}


def test_keep_is_clean_beside_what_is_kept():
    script = Script(orders=[row(3, reduce_only=True), row(4, kind="stop_loss_market")])
    assert read(script, KEEP).is_clean
    assert not read(script).is_clean


def test_no_class_takes_the_whole_of_a_round_from_the_others():
    script = Script(
        orders=[row(number, kind="stop_market") for number in range(120)],
        twaps=[row(number) for number in range(1000, 1120)],
        strategies=[strategy(f"s{number}", "BTC") for number in range(95)],
    )
    receipts = rounded(script)
    sent = [path for path in script.cancels() if ALL not in path]
    assert {path: sent.count(path) for path in sent} == {STRATEGY: 95, STOP: 10, TWAP: 10}
    assert {each.order_class for each in receipts if each.capped} == {"stop", "twap"}


def test_stops_do_not_wait_once_the_strategies_are_gone():
    async def act(world: World) -> float:
        began = asyncio.get_running_loop().time()
        await world.adapter.cancel_all(EVERYTHING)
        return asyncio.get_running_loop().time() - began

    assert play(act, full()) < 0.4


def test_what_a_strategy_placed_is_left_alone_where_the_strategy_is_off():
    child = row(1, parent_id=UUID)
    script = Script(orders=[child, row(2)], strategies=[strategy(UUID, "BTC")])
    rounded(script, off("strategy"))
    assert [each["order_id"] for each in script.fields(f"FRAME {CANCEL}")] == [2]
    assert found(read(script, off("strategy"))) == [("order", "2")]


@pytest.mark.parametrize(
    ("reduces", "scope", "left"),
    [
        (True, KEEP, [("order", "2")]),
        (False, KEEP, [("order", "1"), ("order", "2"), ("strategy", UUID)]),
        (True, EVERYTHING, [("order", "1"), ("order", "2"), ("strategy", UUID)]),
    ],
    ids=["kept", "to be cancelled", "all"],
)
def test_what_a_strategy_placed_stays_only_if_that_stays(
    reduces: bool,  # noqa: FBT001 - a row of the table
    scope: Scope,
    left: list[tuple[str, str]],
):
    script = Script(
        orders=[row(1, parent_id=UUID), row(2)],
        strategies=[strategy(UUID, "BTC", reduce_only=reduces)],
    )
    assert sorted(found(read(script, scope))) == left


def test_what_a_kept_strategy_placed_is_not_cancelled_by_its_id():
    script = Script(
        orders=[row(1, "SOL-USDC", parent_id=UUID), row(2, "SOL-USDC")],
        strategies=[strategy(UUID, "SOL-USDC", reduce_only=True)],
    )
    rounded(script, KEEP)
    assert [each["order_id"] for each in script.fields(f"FRAME {CANCEL}")] == [2]


def test_a_kept_strategy_hinders_no_scope_by_symbol():
    scope = Scope(symbols=("BTC",), protective=Protective.KEEP)
    script = Script(strategies=[strategy(UUID, "BTC", "ETH", reduce_only=True)])
    assert read(script, scope).is_clean


def test_the_counter_of_stops_hinders_no_scope_that_keeps_them():
    counters = {"orders_count": 0, "stop_orders_count": 3}
    assert read(Script(counters=counters), KEEP).is_clean


def test_more_stops_than_a_round_takes_are_said_to_be_left():
    script = Script(orders=[row(number, kind="stop_market") for number in range(101)])
    receipts = [each for each in rounded(script) if each.order_class == "stop"]
    assert len(receipts) == 100
    assert [each.capped for each in receipts] == [False] * 99 + [True]


def test_strategies_are_followed_page_after_page():
    script = Script(strategies=[strategy(f"s{number}", "BTC") for number in range(150)])
    assert len(read(script).orders) == 150
    assert [each["offset"] for each in script.fields(STRATEGIES)] == ["0", "100"]
    reading = read(script, pages_max=1)
    assert (len(reading.orders), reading.has_more) == (100, ("strategy",))
    assert rounded(script)[100].capped is True


def test_more_strategies_than_a_cancel_reads_are_said_to_be_left():
    script = Script(strategies=[strategy(f"s{number}", "BTC") for number in range(350)])
    receipts = [each for each in rounded(script) if each.order_class == "strategy"]
    assert (len(receipts), receipts[-1].capped) == (100, True)


def test_the_same_page_for_ever_is_not_a_list():
    page = {"strategies": [strategy(f"s{number}", "BTC") for number in range(100)]}
    reading = read(Script(says={STRATEGIES: lambda: fine(page)}))
    assert unread(reading) == [("strategy", "Pacifica: the list of strategies shows a page twice")]


def after_a_reading(script: Script, scope: Scope = EVERYTHING, *, wait_s: float = 0.0) -> list[str]:
    """Make a round of everything after a reading of a scope, and return what was sent for it."""

    async def act(world: World) -> None:
        await world.adapter.open_orders(scope, pages_max=1)
        await asyncio.sleep(wait_s)
        script.asked.clear()
        await world.adapter.cancel_all(EVERYTHING)

    play(act, script)
    return script.paths()


def test_a_round_that_follows_a_reading_asks_for_no_list_again():
    sent = after_a_reading(full())
    assert sorted(sent) == sorted([f"FRAME {ALL}", f"FRAME {ALL}", STRATEGY, STOP, TWAP, TWAP])


def test_a_round_relies_on_no_reading_that_is_old_or_of_another_scope():
    whole = {f"FRAME {ALL}", STRATEGIES, ORDERS, TWAPS}
    assert set(after_a_reading(Script(), wait_s=1.0)) == whole
    assert set(after_a_reading(Script(), BTC)) == whole


def test_a_round_asks_for_the_list_that_a_reading_could_not_read_to_its_end():
    broken = Script(says={TWAPS: lambda: failing(500)})
    assert set(after_a_reading(broken)) == {f"FRAME {ALL}", TWAPS}
    long = Script(strategies=[strategy(f"s{number}", "BTC") for number in range(150)])
    assert after_a_reading(long).count(STRATEGIES) == 2


# ---------------------------------------------------------------------------------- one order


@pytest.mark.parametrize(
    ("order_id", "path", "name"),
    [
        ("1", f"FRAME {CANCEL}", {"order_id": 1}),
        ("4", STOP, {"order_id": 4}),
        ("5", TWAP, {"order_id": 5}),
        (UUID, STRATEGY, {"strategy_id": UUID}),
        (CLIENT_ID, f"FRAME {CANCEL}", {"client_order_id": CLIENT_ID}),
        ("99", f"FRAME {CANCEL}", {"order_id": 99}),
    ],
    ids=["order", "stop", "twap", "strategy", "unseen client id", "unseen id"],
)
def test_one_order_goes_by_its_own_call_and_no_other(
    order_id: str, path: str, name: dict[str, object]
):
    script = full()
    rounded(script, Scope(symbols=("BTC",), order_id=order_id))
    assert script.cancels() == [path]
    assert script.fields(path)[0].items() >= name.items()


def test_one_order_is_found_by_the_clients_own_id():
    script = Script(orders=[row(7, client_order_id=CLIENT_ID, kind="stop_limit")])
    scope = Scope(symbols=("BTC",), order_id=CLIENT_ID)
    assert told(rounded(script, scope)) == [("cancel stop 7", 1)]
    assert found(read(script, scope)) == [("stop", "7")]


@pytest.mark.parametrize(
    ("named", "scope"),
    [
        ("order 7 of ETH", Scope(symbols=("BTC",), order_id="7")),
        (
            "stop 8 of BTC",
            Scope(symbols=("BTC",), order_id="8", classes_off=off("stop").classes_off),
        ),
        (
            "twap 9 of BTC",
            Scope(symbols=("BTC",), order_id="9", classes_off=off("twap").classes_off),
        ),
        ("order 6 of BTC", Scope(symbols=("BTC",), order_id="6", protective=Protective.KEEP)),
    ],
    ids=["another symbol", "stops off", "twaps off", "kept"],
)
def test_one_order_that_rests_beyond_the_scope_is_neither_cancelled_nor_called_gone(
    named: str, scope: Scope
):
    rows = [row(6, reduce_only=True), row(7, "ETH"), row(8, kind="stop_market")]
    script = Script(orders=rows, twaps=[row(9)])
    assert [error[: len(named)] for _, error in unread(read(script, scope))] == [named]
    (receipt,) = rounded(script, scope)
    assert receipt.error is not None
    assert receipt.error.user_message.startswith(named)
    assert script.cancels() == []


def test_one_order_that_rests_beyond_the_scope_is_told_without_the_counters_too():
    script = Script(orders=[row(7, "ETH")], says={ACCOUNT: lambda: failing(500)})
    (*_, (_, why)) = unread(read(script, Scope(symbols=("BTC",), order_id="7")))
    assert why.startswith("order 7 of ETH")


def test_one_order_is_cancelled_where_a_list_is_not_found():
    script = Script(says={ORDERS: lambda: failing(404)})
    rounded(script, Scope(symbols=("BTC",), order_id="7"))
    assert script.cancels() == [f"FRAME {CANCEL}"]


def test_what_can_be_no_id_is_refused_and_nothing_sent():
    script = Script()
    receipts = rounded(script, Scope(symbols=("BTC",), order_id="mine"))
    assert told(receipts) == [("cancel order", "VenueRefused")]
    assert script.cancels() == []


def test_one_order_of_a_class_that_is_off_stays():
    script = Script()
    scope = Scope(symbols=("BTC",), order_id="7", classes_off=off("order").classes_off)
    assert rounded(script, scope) == ()
    assert script.cancels() == []


def test_one_order_is_cancelled_even_if_no_list_can_be_read():
    script = full()
    for path in (ORDERS, TWAPS, STRATEGIES):
        script.says[path] = lambda: failing(500)
    receipts = rounded(script, Scope(symbols=("BTC",), order_id="1"))
    assert script.cancels() == [f"FRAME {CANCEL}"]
    assert told(receipts)[-1] == ("cancel order 1", 1)
    assert sum(each.error is not None for each in receipts) == 4


def test_orders_go_by_id_strategies_first_and_receipts_come_in_the_order_given():
    async def act(world: World) -> tuple[Receipt, ...]:
        return await world.adapter.cancel_orders(
            [an_order("twap", "5"), an_order("strategy", UUID), an_order("order", "1")]
        )

    script = Script()
    receipts = play(act, script)
    assert [each.order_class for each in receipts] == ["twap", "strategy", "order"]
    assert script.cancels()[0] == STRATEGY


def test_a_symbol_that_cannot_be_signed_is_a_receipt():
    async def act(world: World) -> tuple[Receipt, ...]:
        return await world.adapter.cancel_orders([an_order("stop", "5", "BTÇ")])

    script = Script()
    assert told(play(act, script)) == [("cancel stop 5", "VenueRefused")]
    assert told(rounded(script, Scope(symbols=("BTÇ",))))[0] == ("cancel-all BTÇ", "VenueRefused")
    assert script.cancels() == []


def test_an_order_that_is_gone_is_no_error_and_nothing_accepted():
    script = Script(twaps=[row(5)], says={TWAP: lambda: failing(422, "unused", 47)})
    assert told(rounded(script))[-1] == ("cancel twap 5", 0)


# ----------------------------------------------------------------------------------- readings


def test_a_reading_asks_four_lists_at_once_and_signs_nothing():
    script = full()
    reading = read(script)
    assert set(script.paths()) == {ACCOUNT, STRATEGIES, ORDERS, TWAPS}
    assert {each["account"] for path, each in script.asked if path in (ORDERS, ACCOUNT)} == {MAIN}
    assert {order_id for _, order_id in found(reading)} == {"1", "2", "3", "4", "5", "6", UUID}
    assert reading.unread == ()


@pytest.mark.parametrize(
    ("counters", "why"),
    [
        (
            {"orders_count": 2, "stop_orders_count": 0},
            [("order", "Pacifica: the account counts 2 order orders and lists 1")],
        ),
        (
            {"orders_count": 1, "stop_orders_count": 3},
            [("stop", "Pacifica: the account counts 3 stop orders and lists 0")],
        ),
    ],
)
@pytest.mark.parametrize("scope", [EVERYTHING, Scope(symbols=("ETH",))], ids=["all", "symbol"])
def test_a_list_shorter_than_the_counters_is_not_whole(
    scope: Scope, counters: dict[str, int], why: list[tuple[str, str]]
):
    assert unread(read(Script(orders=[row(1)], counters=counters), scope)) == why


def test_a_counter_lower_than_the_list_hides_nothing():
    script = Script(orders=[row(1)], counters={"orders_count": 0, "stop_orders_count": 0})
    assert (len(read(script).orders), read(script).unread) == (1, ())


def test_an_absent_counter_is_not_clean():
    reading = read(Script(counters={"orders_count": 0}))
    assert [each for each, _ in unread(reading)] == ["order", "stop"]


@pytest.mark.parametrize(
    ("path", "classes"),
    [
        (ORDERS, ["order", "stop"]),
        (ACCOUNT, ["order", "stop"]),
        (TWAPS, ["twap"]),
        (STRATEGIES, ["strategy"]),
    ],
)
def test_a_list_that_fails_leaves_its_classes_unread(path: str, classes: list[str]):
    reading = read(Script(says={path: lambda: failing(500)}))
    assert [each for each, _ in unread(reading)] == classes
    assert not reading.is_clean


@pytest.mark.parametrize("path", [ORDERS, TWAPS, STRATEGIES])
def test_an_absent_list_is_not_an_empty_one(path: str):
    assert not read(Script(says={path: lambda: fine(None)})).is_clean


def test_a_list_older_than_the_one_before_it_is_not_believed():
    ids = iter([200, 150, 200])

    async def act(world: World) -> list[bool]:
        world.script.says[ORDERS] = lambda: fine([], last_order_id=next(ids))
        return [(await world.adapter.open_orders(EVERYTHING, pages_max=1)).is_clean for _ in "123"]

    assert play(act) == [True, False, True]


def test_a_list_without_an_order_id_says_nothing_of_its_age():
    async def act(world: World) -> list[bool]:
        answers = iter([fine([], last_order_id=9), fine([])])
        world.script.says[ORDERS] = lambda: next(answers)
        return [(await world.adapter.open_orders(EVERYTHING, pages_max=1)).is_clean for _ in "12"]

    assert play(act) == [True, True]


def test_anybody_reads_an_account_and_cancels_nothing_there():
    async def act(world: World) -> tuple[int, list[str], tuple[str, ...]]:
        reader = world.venue.reader(MAIN)
        reading = await reader.open_orders(EVERYTHING, pages_max=1)
        receipts = await reader.cancel_orders([an_order("order", "1")])
        return (
            len(reading.orders),
            [type(receipt.error).__name__ for receipt in receipts],
            (await reader.check()).accounts,
        )

    script = full()
    assert play(act, script) == (7, ["VenueAuthRefused"], (MAIN,))
    assert script.cancels() == []


# --------------------------------------------------------------------------------- keys, venue


def test_whose_key_it_is_costs_no_call():
    async def act(world: World) -> tuple[tuple[str, ...], ...]:
        agent = world.joined("agent", MAIN)
        own = world.venue.adapter(world.venue.signer(document()), uid=MAIN, purpose=Purpose.RUN)
        facts = [await each.check() for each in (own, agent)]
        assert {each.can_withdraw for each in facts} == {True}
        return tuple(each.accounts for each in facts)

    script = Script()
    assert play(act, script) == ((MAIN,), (MAIN,))
    assert script.paths() == []


@pytest.mark.parametrize(("name", "agent"), [("main", None), ("agent", AGENT)])
def test_an_agent_names_itself_and_an_owner_does_not(name: str, agent: str | None):
    async def act(world: World) -> None:
        await world.joined(name).cancel_all(EVERYTHING)

    script = Script()
    play(act, script)
    (sent,) = script.fields(f"FRAME {ALL}")
    assert (sent["account"], sent.get("agent_wallet")) == (MAIN, agent)
    assert ("agent_wallet" in sent) is (agent is not None)


def test_two_readings_that_prove_flat_are_a_second_apart():
    """A taker waits 0.2 s for the book, and cancels do not."""

    async def act(world: World) -> float:
        return world.adapter.capabilities.reread_after_s

    assert play(act) >= 1.0


def test_nothing_is_sent_once_consent_has_ended():
    async def act(world: World) -> tuple[Receipt, ...]:
        world.script.asked.clear()
        return await world.joined(may_send=lambda: False).cancel_all(EVERYTHING)

    script = full()
    receipts = play(act, script)
    assert script.paths() == []
    assert {type(each.error) for each in receipts} == {VenueNotReached}


def test_markets_are_read_once_and_again_for_what_lacks():
    async def act(world: World) -> list[int]:
        counts = []
        for wait_s, wanted in ((0, ()), (0, ("kBONK",)), (0, ("NEW",)), (61, ("NEW",)), (3600, ())):
            await asyncio.sleep(wait_s)
            markets = await world.venue.instruments(wanted)
            assert markets.symbols == {"BTC", "kBONK"}
            counts.append(len(world.script.fields(MARKETS)))
        return counts

    assert play(act) == [1, 1, 1, 2, 3]


def test_markets_that_cannot_be_read_are_an_error():
    async def act(world: World) -> None:
        with pytest.raises(VenueError):
            await world.venue.instruments()
        assert world.venue.banned_until is None
        assert world.venue.capabilities.has_upper_symbols is False

    script = Script(says={MARKETS: lambda: failing(500)})
    play(act, script)
    assert script.paths() == [MARKETS]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{}", "private_key: missing"),
        ('{"private_key": 5}', "private_key: not of the right kind"),
        ('{"private_key": "x", "accounts": ["canary"]}', "accounts.0: not of the right kind"),
        ('{"private_key": "x", "accounts": ["0"]}', "accounts.0: not of the right kind"),
        ('{"private_key": "x", "seed": "canary"}', "seed: unknown"),
    ],
)
def test_a_wrong_document_names_the_field_and_never_a_value(text: str, field: str):
    async def act(world: World) -> VenueAuthRefused:
        with pytest.raises(VenueAuthRefused) as caught:
            world.venue.signer(type(document())(text))
        return caught.value

    error = play(act)
    assert error.user_message == f"the secret document is wrong at {field}"
    assert "canary" not in repr(error)
