"""Pacifica's credits when they are short: no cancel-all waits for less than another cancel-all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import base58
import pytest

from adapters.contract import Scope
from bot.sandbox.venues.exchange import Answer
from tests.adapters.pacifica_world import (
    ALL,
    MAIN,
    Script,
    World,
    fine,
    play,
    row,
    strategy,
)

EVERYTHING = Scope()
SENT = f"FRAME {ALL}"
KEYED = {"credits_key": "AbCdEfGh_canary"}


def uid(number: int) -> str:
    """Name one of many accounts."""
    return base58.b58encode(bytes([number + 1] * 32)).decode()


def now() -> float:
    return asyncio.get_running_loop().time()


def noting(left: list[float]) -> Callable[[], Answer]:
    """Accept a cancel-all, and note when it came."""

    def accept() -> Answer:
        left.append(now())
        return fine({"cancelled_count": 0})

    return accept


async def cancel_alls(world: World, accounts: int) -> list[float]:
    """Cancel everything of many accounts at once: when each cancel-all came, in seconds."""
    left: list[float] = []
    world.script.says |= {SENT: noting(left), ALL: noting(left)}
    began = now()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(world.joined("agent", uid(number)).cancel_all(EVERYTHING))
            for number in range(accounts)
        ]
        await asyncio.sleep(1.0)
        for task in tasks:
            task.cancel()
    return [at - began for at in left]


@pytest.mark.parametrize(
    ("accounts", "settings"), [(27, {}), (40, {}), (85, KEYED)], ids=["27", "40", "85 keyed"]
)
def test_no_list_of_a_round_leaves_before_any_accounts_cancel_all(
    accounts: int, settings: dict[str, Any]
):
    async def act(world: World) -> list[float]:
        return await cancel_alls(world, accounts)

    left = play(act, **settings)
    assert len(left) == accounts
    assert max(left) < 0.1


@pytest.mark.parametrize("settings", [{}, KEYED], ids=["address", "key"])
def test_readings_never_take_the_last_credits_from_a_cancel_all(settings: dict[str, Any]):
    async def act(world: World) -> list[float]:
        reader = world.joined()
        async with asyncio.TaskGroup() as group:
            readings = [
                group.create_task(reader.open_orders(EVERYTHING, pages_max=1)) for _ in range(80)
            ]
            await asyncio.sleep(1.0)
            left = await cancel_alls(world, 1)
            for task in readings:
                task.cancel()
        return left

    (left,) = play(act, **settings)
    assert left < 0.1


def test_many_cancels_of_other_accounts_never_stand_before_an_accounts_cancel_all():
    async def act(world: World) -> list[float]:
        async with asyncio.TaskGroup() as group:
            crowded = [
                group.create_task(world.joined("agent", uid(number)).cancel_all(EVERYTHING))
                for number in (50, 51)
            ]
            await asyncio.sleep(0.5)
            left = await cancel_alls(world, 1)
            for task in crowded:
                task.cancel()
        return left

    script = Script(
        orders=[row(number, kind="stop_market") for number in range(120)],
        twaps=[row(number) for number in range(1000, 1120)],
        strategies=[strategy(f"s{number}", "BTC") for number in range(90)],
    )
    left = play(act, script)
    assert left
    assert max(left) < 0.1


def test_previews_leave_their_share_of_the_credits_to_runs():
    async def act(world: World) -> int:
        reader = world.venue.reader(MAIN)
        async with asyncio.TaskGroup() as group:
            previews = [
                group.create_task(reader.open_orders(EVERYTHING, pages_max=1)) for _ in range(20)
            ]
            await asyncio.sleep(1.0)
            sent = len(world.script.paths())
            for task in previews:
                task.cancel()
        return sent

    assert play(act) == 56
