"""What Pacifica shows and must not be believed: caches, doubled rows, features that vanish."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.contract import Protective, Reading, Scope
from bot.sandbox.venues.exchange import Answer
from tests.adapters.pacifica_world import (
    ACCOUNT,
    CANCEL,
    ORDERS,
    STOP,
    STRATEGIES,
    TWAPS,
    Script,
    World,
    failing,
    fine,
    found,
    play,
    row,
    strategy,
    unread,
)

EVERYTHING = Scope()
KEEP = Scope(protective=Protective.KEEP)
CLIENT_ID = "79f948fd-7556-4066-a128-083f3ea49322"
UUID = "0f8e7c2a-4b1d-4e5f-9a3b-2c1d0e9f8a7b"


def read(script: Script, scope: Scope = EVERYTHING) -> Reading:
    async def act(world: World) -> Reading:
        return await world.adapter.open_orders(scope, pages_max=40)

    return play(act, script)


def one(order_id: str, **more: object) -> Scope:
    """Name one order of BTC."""
    return Scope(symbols=("BTC",), order_id=order_id, **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------- strategies


def test_a_page_of_strategies_that_is_not_found_is_not_the_end_of_them():
    script = Script(strategies=[strategy(f"s{number}", "BTC") for number in range(100)])

    def page() -> Answer:
        offset = int(script.fields(STRATEGIES)[-1]["offset"])
        return failing(404) if offset else fine({"strategies": script.strategies})

    script.says[STRATEGIES] = page
    assert [each for each, _ in unread(read(script))] == ["strategy"]


@pytest.mark.parametrize("gone", [failing(404), Answer(status=404, body=b"<html>no</html>")])
def test_a_venue_that_has_shown_strategies_once_has_them_for_good(gone: Answer):
    """Whichever run saw them: a later one believes no 404 either."""

    async def act(world: World) -> tuple[bool, ...]:
        first = await world.adapter.open_orders(EVERYTHING, pages_max=1)
        world.script.says[STRATEGIES] = lambda: gone
        again = await world.adapter.open_orders(EVERYTHING, pages_max=1)
        later = await world.joined().open_orders(EVERYTHING, pages_max=1)
        return first.is_clean, again.is_clean, later.is_clean

    assert play(act) == (True, False, False)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"reduce_only": True}, []),
        ({"reduce_only": False}, [UUID]),
        ({"definition": {"params": {"reduce_only": True}}}, []),
        ({"reduce_only": True, "definition": {"params": {"reduce_only": False}}}, [UUID]),
        ({"reduce_only": False, "definition": {"params": {"reduce_only": True}}}, [UUID]),
        ({"definition": {"legs": [{"reduce_only": True}, {"reduce_only": False}]}}, [UUID]),
        ({"definition": {"legs": [{"reduce_only": True}, {"reduce_only": True}]}}, []),
        ({"definition": {"legs": [{"reduce_only": True}, {"reduce_only": "yes"}]}}, [UUID]),
        ({}, [UUID]),
    ],
)
def test_a_strategy_is_kept_only_if_all_that_it_says_is_that_it_reduces(
    said: dict[str, object], shown: list[str]
):
    script = Script(strategies=[strategy(UUID, "BTC", **said)])
    assert [order_id for _, order_id in found(read(script, KEEP))] == shown


# --------------------------------------------------------------------------------------- lists


@pytest.mark.parametrize(
    ("path", "classes"),
    [
        (ORDERS, ["order", "stop"]),
        (ACCOUNT, ["order", "stop"]),
        (TWAPS, ["twap"]),
        (STRATEGIES, ["strategy"]),
    ],
)
def test_an_answer_out_of_a_cache_is_not_believed(path: str, classes: list[str]):
    empty = {
        ORDERS: [],
        ACCOUNT: {"orders_count": 0, "stop_orders_count": 0},
        TWAPS: [],
        STRATEGIES: {"strategies": []},
    }

    def aged(age: str) -> Reading:
        answer = replace(fine(empty[path]), headers={"Age": age})
        return read(Script(says={path: lambda: answer}))

    why = "Pacifica: the answer comes from a cache, not from the account"
    assert unread(aged("30")) == [(each, why) for each in classes]
    assert aged("0").is_clean


def test_readings_ask_for_nothing_out_of_a_cache():
    script = Script()
    read(script)
    asked = [seen["cache-control"] for seen in script.seen if "cache-control" in seen]
    assert asked == ["no-cache"] * 4


@pytest.mark.parametrize(
    ("twice", "scope"),
    [(row(3, reduce_only=True), KEEP), (row(3, "ETH"), Scope(symbols=("BTC",)))],
    ids=["kept", "of another symbol"],
)
def test_an_order_that_is_listed_twice_counts_once(twice: dict[str, object], scope: Scope):
    counters = {"orders_count": 2, "stop_orders_count": 0}
    why = "Pacifica: the account counts 2 order orders and lists 1"
    assert unread(read(Script(orders=[twice, twice], counters=counters), scope)) == [("order", why)]


# ----------------------------------------------------------------------------------- one order


@pytest.mark.parametrize(
    ("typed", "listed", "path"),
    [
        (CLIENT_ID.upper(), row(7, kind="stop_limit", client_order_id=CLIENT_ID), STOP),
        (CLIENT_ID, row(7, client_order_id=CLIENT_ID.upper()), f"FRAME {CANCEL}"),
        ("007", row(7), f"FRAME {CANCEL}"),
    ],
    ids=["typed in capitals", "listed in capitals", "with zeros"],
)
def test_one_order_is_found_in_whatever_way_its_id_is_spelt(
    typed: str, listed: dict[str, object], path: str
):
    async def act(world: World) -> Reading:
        await world.adapter.cancel_all(one(typed))
        return await world.adapter.open_orders(one(typed), pages_max=1)

    script = Script(orders=[listed])
    assert [order_id for _, order_id in found(play(act, script))] == ["7"]
    assert [each["order_id"] for each in script.fields(path)] == [7]


def test_a_strategy_is_found_by_its_id_in_capitals():
    script = Script(strategies=[strategy(UUID, "BTC")])
    assert found(read(script, one(UUID.upper()))) == [("strategy", UUID)]
