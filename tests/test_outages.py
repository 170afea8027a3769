"""The process dies at the worst moment, and the venue's limits are real."""

import asyncio
import json
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot import demo
from bot.sandbox import world as worlds
from bot.sandbox.slack import delivery
from bot.sandbox.venues import server
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.world import ALICE, BOB, INCIDENT, Account
from tests.fakes import desk as desks
from tests.fakes.desk import Product


@asynccontextmanager
async def process(product: Product) -> AsyncIterator[asyncio.subprocess.Process]:
    """`cancelall serve` in a process of its own, and Slack's deliveries pointed at it."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "serve",
        "--config",
        str(product.folder / "config.toml"),
        cwd=Path(__file__).parents[1],
        stderr=asyncio.subprocess.PIPE,
    )
    assert running.stderr is not None
    try:
        url = ""
        async with asyncio.timeout(20):
            while not url:
                line = (await running.stderr.readline()).decode()
                assert line, "the bot ended before it listened"
                found = json.loads(line) if line.startswith("{") else {}
                url = str(found.get("url", "")) if found.get("event") == "bot.started" else ""
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(running.stderr.read())
            async with delivery.connect(
                product.slack,
                api_url=product.world.api_url,
                request_url=f"{url}/slack/events",
            ) as people:
                product.people = people
                yield running
            if running.returncode is None:
                running.kill()
            await draining
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def test_killed_in_the_middle_of_a_run_the_next_process_ends_flat(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        product.venue.faults.add(Fault(wrong=Wrong.SERVER, uid="1002"))
        async with process(product) as first:
            await product.type(ALICE, "all")
            await product.press(BOB, "approve")
            await desks.soon(lambda: product.world.count("1001") == 0)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        assert product.world.count("1002") == 39
        product.venue.faults.clear()
        async with process(product):
            text = await product.until(lambda text: text.startswith("FLAT"), timeout_s=40)
            assert text.startswith("FLAT: 3 of 3 accounts")
        assert product.left() == 0
        assert len(product.slack.messages(INCIDENT)) == 1  # Still the one card.


async def test_gone_past_consent_end_it_is_interrupted_and_nothing_is_sent(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        product.venue.faults.add(Fault(wrong=Wrong.SERVER))
        async with process(product) as first:
            await product.type(ALICE, "all")
            await product.press(BOB, "approve")
            await desks.soon(lambda: bool(product.venue.log) and len(product.venue.log) > 20)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        _age(tmp_path / "cancelall.db")
        product.venue.faults.clear()
        product.venue.log.clear()
        async with process(product):
            text = await product.until(lambda text: "INTERRUPTED" in text, timeout_s=20)
            assert "No process finished this run before its consent ended." in text
        assert product.left() == 117
        assert not any(seen.is_signed for seen in product.venue.log)


def _age(path: Path) -> None:
    """Move a run's clocks eleven minutes into the past, as if nobody had been there."""
    import sqlite3
    from datetime import datetime, timedelta

    with sqlite3.connect(path) as connection:
        row = connection.execute(
            "SELECT id, decided_at, verdict_at, consent_ends_at FROM requests"
        ).fetchone()
        moved = [
            (datetime.fromisoformat(text) - timedelta(minutes=11)).isoformat() for text in row[1:]
        ]
        connection.execute(
            "UPDATE requests SET decided_at=?, verdict_at=?, consent_ends_at=? WHERE id=?",
            (*moved, row[0]),
        )
    connection.close()


def many(count: int, *, first: int) -> tuple[Account, ...]:
    template = worlds.ACCOUNTS[0]
    return tuple(
        replace(
            template,
            name=f"acc-{number}",
            uid=str(number),
            api_key=f"{template.api_key}N{number}",
            read_key=f"{template.read_key}N{number}",
        )
        for number in range(first, first + count)
    )


@pytest.mark.soak
async def test_25_healthy_accounts_are_flat_without_a_ban(tmp_path: Path):
    """Documented limits on: 600 calls in 5 s for the address, and every limit per key."""
    async with desks.open_product(tmp_path, accounts=many(25, first=2000)) as product:
        await product.type(ALICE, "all")
        await product.press(BOB, "approve")
        text = await product.until(lambda text: text.startswith("FLAT"), timeout_s=45)
        assert text.startswith("FLAT: 25 of 25 accounts")
        assert product.venue.door.bans == 0
        assert product.left() == 0


@pytest.mark.soak
async def test_8_stubborn_accounts_hurt_nobody_and_get_nobody_banned(tmp_path: Path):
    accounts = many(12, first=3000)
    async with desks.open_product(tmp_path, accounts=accounts) as product:
        for account in accounts[:8]:
            for order in product.venue.book.live(account.uid, now=time.time())[:3]:
                order.is_uncancellable = True
        await product.type(ALICE, "all")
        await product.press(BOB, "approve")
        await desks.soon(
            lambda: all(product.world.count(a.uid) == 0 for a in accounts[8:]), timeout_s=15
        )
        text = await product.until(lambda t: t.startswith("NOT FLAT: 8 of 12"), timeout_s=45)
        assert re.match(r"NOT FLAT: 8 of 12 accounts, (at least )?24 orders", text)
        assert product.venue.door.bans == 0


@pytest.mark.soak
async def test_10_dry_runs_in_5_seconds_and_then_a_run(tmp_path: Path):
    async with desks.open_product(tmp_path, accounts=many(20, first=4000)) as product:
        for _ in range(10):
            await product.people.slash(ALICE, INCIDENT, "/cancelall", "all --dry-run")
            await asyncio.sleep(0.4)
        await product.type(ALICE, "all")
        await product.press(BOB, "approve")
        text = await product.until(lambda text: text.startswith("FLAT"), timeout_s=45)
        assert text.startswith("FLAT: 20 of 20 accounts")
        assert product.venue.door.bans == 0


@pytest.mark.soak
async def test_accounts_on_two_hosts_share_what_bybit_allows_an_address(tmp_path: Path):
    """Bybit counts over all its hosts: here two sockets of one exchange."""
    async with (
        desks.open_surroundings(tmp_path, accounts=many(20, first=5000)) as product,
        server.serve(product.venue) as other_url,
    ):
        demo.set_up(product.world, tmp_path)
        path = tmp_path / "config.toml"
        first, second = path.read_text().rsplit('name = "acc-5010"', 1)
        moved = second.replace(product.world.venue_url, other_url)
        path.write_text(f'{first}name = "acc-5010"{moved}')
        async with desks.started(product):
            for _ in range(10):
                await product.people.slash(ALICE, INCIDENT, "/cancelall", "all --dry-run")
                await asyncio.sleep(0.2)
            await product.type(ALICE, "all")
            await product.press(BOB, "approve")
            text = await product.until(
                lambda text: text.startswith("FLAT") or product.venue.door.bans > 0, timeout_s=45
            )
        assert product.venue.door.bans == 0
        assert text.startswith("FLAT: 20 of 20 accounts")
