"""Slack goes away in the middle of a run: not one call to a venue is more, less or other."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from bot import demo
from bot.domain.result import Outcome
from bot.sandbox.slack import faults
from bot.sandbox.world import ALICE, BOB
from tests.fakes import desk as desks
from tests.fakes.desk import Product

Wire = Counter[tuple[str, str, str, str]]
"""How often each account's key was used for which call."""


def stay_well(product: Product) -> None:
    assert product.slack.sockets.open


def cut_sockets(product: Product) -> None:
    """Slack's door is shut: sockets gone, handshakes refused, no API."""
    product.world.traffic.add("*", faults.server_error(503, times=None))
    product.slack.sockets.refused_with = 503
    product.slack.sockets.cut()


def fall_silent(product: Product) -> None:
    """Every packet to and from Slack is dropped."""
    product.world.traffic.add("*", faults.hang(times=None))
    product.slack.sockets.refused_with = 503
    product.slack.sockets.go_silent()


def hang(product: Product) -> None:
    product.world.traffic.add("*", faults.hang(times=None))


@asynccontextmanager
async def running(folder: Path, mode: str) -> AsyncIterator[Product]:
    async with desks.open_surroundings(folder, latency_s=0.02) as product:
        demo.set_up(product.world, folder, mode=mode)
        async with desks.started(product):
            yield product


async def wire(product: Product, strike: Callable[[Product], None]) -> Wire:
    """Let something befall Slack once the first cancel is out; return what the venue saw."""
    await product.type(ALICE, "all")
    await product.until(lambda text: "being counted" not in text)
    product.venue.log.clear()
    await product.press(BOB, "approve")
    await desks.soon(lambda: any(seen.method == "POST" for seen in product.venue.log))
    strike(product)
    while not await is_flat(product):  # noqa: ASYNC110 - the store announces nothing.
        await asyncio.sleep(0.02)
    return Counter(
        (seen.uid, seen.method, seen.path, seen.payload)
        for seen in product.venue.log
        if seen.is_signed
    )


async def is_flat(product: Product) -> bool:
    """Ask the store, which needs no Slack."""
    (request,) = await product.bot.desk.store.open_requests()
    statuses = await product.bot.desk.store.statuses(request.id)
    return all(s.result and s.result.outcome is Outcome.FLAT for s in statuses)


CASES = {
    "well": ("socket", stay_well),
    "cut": ("socket", cut_sockets),
    "silent": ("socket", fall_silent),
    "hanging": ("http", hang),
}


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    for name in CASES:
        (tmp_path / name).mkdir()
    return {name: tmp_path / name for name in CASES}


async def test_slack_that_goes_away_in_mid_run_changes_nothing_on_the_wire(
    folders: dict[str, Path],
):
    async with AsyncExitStack() as stack:
        products = {
            name: await stack.enter_async_context(running(folders[name], mode))
            for name, (mode, _) in CASES.items()
        }
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(wire(products[name], strike))
                for name, (_, strike) in CASES.items()
            }
    seen = {name: task.result() for name, task in tasks.items()}
    assert {uid for uid, *_ in seen["well"]} == {"1001", "1002", "1003"}
    assert sum(method == "POST" for _, method, *_ in seen["well"]) > 10
    for name in ("cut", "silent", "hanging"):
        assert seen[name] == seen["well"], name


async def test_two_people_cancel_everything_in_socket_mode(tmp_path: Path):
    async with running(tmp_path, "socket") as product:
        assert (await product.flat()).startswith("FLAT: 3 of 3 accounts")
        assert {kind for each in product.slack.sockets.open for kind in each.carried} == {
            "slash_commands",
            "interactive",
        }
    assert product.left() == 0
