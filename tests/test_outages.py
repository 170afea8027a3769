"""The process dies at the worst moment, and the venue's limits are real."""

import asyncio
import itertools
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
from bot.domain.result import Outcome
from bot.sandbox.accounts import BYBIT, Account
from bot.sandbox.slack import delivery, faults
from bot.sandbox.venues import server
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.world import ALICE, BOB, INCIDENT
from tests.fakes import desk as desks
from tests.fakes.desk import Product


@asynccontextmanager
async def spawned(product: Product) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
    """`cancelall serve` in a process of its own; its log stays for the canary search."""
    log = product.folder / f"serve-{len(list(product.folder.glob('serve-*')))}.log"
    with log.open("wb") as out:
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "serve",
            "--config",
            str(product.folder / "config.toml"),
            cwd=Path(__file__).parents[1],
            stderr=out,
        )
    try:
        yield running, log
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


def started_at(log: Path) -> str:
    """Return the URL at which a process says that it listens; empty before it does."""
    for line in log.read_text().splitlines():
        found = json.loads(line) if line.endswith("}") else {}
        if found.get("event") == "bot.started":
            return str(found["url"])
    return ""


@asynccontextmanager
async def process(product: Product) -> AsyncIterator[asyncio.subprocess.Process]:
    """`cancelall serve` in a process of its own, and Slack's deliveries pointed at it."""
    async with spawned(product) as (running, log):
        await desks.soon(lambda: bool(started_at(log)) or running.returncode is not None)
        assert started_at(log), log.read_text()
        async with delivery.connect(
            product.slack,
            api_url=product.world.api_url,
            request_url=f"{started_at(log)}/slack/events",
        ) as people:
            product.people = people
            yield running


async def test_killed_in_the_middle_of_a_run_the_next_process_ends_flat(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        product.venue.faults.add(Fault(wrong=Wrong.SERVER, uid="1002"))
        async with process(product) as first:
            await product.type(ALICE, "all")
            await product.press(BOB, "approve")
            await desks.soon(lambda: product.count("1001") == 0)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        assert product.count("1002") == 39
        product.venue.faults.clear()
        async with process(product):
            text = await product.until(lambda text: text.startswith("FLAT"), timeout_s=40)
            assert text.startswith("FLAT: 3 of 3 accounts")
        assert product.left() == 0
        assert len(product.slack.messages(INCIDENT)) == 1  # Still the one card.


async def killed_with_orders_left(product: Product) -> None:
    """Start a run that gets nowhere, and kill its process in the middle of it."""
    demo.set_up(product.world, product.folder)
    product.venue.faults.add(Fault(wrong=Wrong.SERVER))
    async with process(product) as first:
        await product.type(ALICE, "all")
        await product.press(BOB, "approve")
        await desks.soon(lambda: len(product.venue.log) > 20)
        first.send_signal(signal.SIGKILL)
        await first.wait()
    product.venue.faults.clear()
    assert product.left() == 117


async def test_run_is_taken_up_while_slack_is_down_and_reported_once_it_is_back(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        await killed_with_orders_left(product)
        product.world.traffic.add("*", faults.server_error(503, times=None))
        async with spawned(product) as (second, log):
            await desks.soon(lambda: product.left() == 0, timeout_s=20)
            assert second.returncode is None
            assert "slack.unreachable" in log.read_text()
            assert not product.slack.messages(INCIDENT)[-1].text.startswith("FLAT")
            product.world.traffic.clear()
            await product.until(lambda text: text.startswith("FLAT: 3 of 3 accounts"))
        assert len(product.slack.messages(INCIDENT)) == 1


async def test_told_to_stop_while_slack_is_down_it_stops(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        product.world.traffic.add("*", faults.server_error(503, times=None))
        async with spawned(product) as (running, log):
            await desks.soon(lambda: "slack.unreachable" in log.read_text())
            running.terminate()
            async with asyncio.timeout(10):
                assert await running.wait() == 0
        assert "Traceback" not in log.read_text()


@pytest.mark.soak
async def test_token_revoked_in_mid_run_stops_no_run(tmp_path: Path):
    """Only once the run has ended does the process say that it cannot go on."""
    async with desks.open_surroundings(tmp_path) as product:
        await killed_with_orders_left(product)
        product.world.traffic.add("auth.test", faults.refused("token_revoked", times=None))
        async with spawned(product) as (second, log):
            await desks.soon(lambda: product.left() == 0, timeout_s=20)
            assert second.returncode is None
            async with asyncio.timeout(50):
                assert await second.wait() == 78
        assert log.read_text().endswith(
            "\nerror: Slack refuses the bot token (token_revoked). "
            "Install the app again and store its Bot User OAuth Token.\n"
        )


async def test_served_process_can_leave_no_core_dump(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        async with process(product) as running:
            assert re.search(r"^Max core file size +0 +0 ", limits_of(running), re.MULTILINE)


def limits_of(running: asyncio.subprocess.Process) -> str:
    return Path(f"/proc/{running.pid}/limits").read_text()


async def test_orders_that_were_not_counted_before_the_restart_are_counted_after_it(
    tmp_path: Path,
):
    async with desks.open_surroundings(tmp_path) as product:
        product.venue.faults.add(Fault(wrong=Wrong.HANG))
        async with desks.started(product):
            await product.type(ALICE, "bybit-mm")
            await product.until(lambda text: "*Open orders* being counted" in text)
        product.venue.faults.clear()
        async with desks.started(product):
            text = await product.until(lambda text: "being counted" not in text)
            assert "*Open orders* 39" in text


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
    template = BYBIT.accounts[0]
    assert template.read_key is not None
    return tuple(
        replace(
            template,
            name=f"acc-{number}",
            uid=str(number),
            key={**template.key, "api_key": f"SANDBOXMM0001N{number}"},
            read_key={**template.read_key, "api_key": f"SANDBOXMM0001RON{number}"},
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
    """3 orders of each cannot be cancelled for 30 s, and then can."""
    accounts = many(25, first=3000)
    async with desks.open_product(tmp_path, accounts=accounts) as product:
        stubborn = [
            order
            for account in accounts[:8]
            for order in product.venue.book.live(account.uid, now=time.time())[:3]
        ]
        for order in stubborn:
            order.is_uncancellable = True
        await product.type(ALICE, "all")
        await product.press(BOB, "approve")
        clicked = time.monotonic()
        while await flat(product) < {account.name for account in accounts[8:]}:
            assert time.monotonic() - clicked < 20
            await asyncio.sleep(0.1)
        text = await product.until(lambda t: t.startswith("NOT FLAT: 8 of 25"), timeout_s=30)
        assert re.match(r"NOT FLAT: 8 of 25 accounts, (at least )?24 orders", text)
        assert 29 < time.monotonic() - clicked < 40
        for order in stubborn:
            order.is_uncancellable = False
        await product.until(lambda t: t.startswith("FLAT: 25 of 25 accounts"), timeout_s=30)
        assert product.left() == 0
        assert product.venue.door.bans == 0


async def flat(product: Product) -> set[str]:
    """Ask the store which accounts of the one open run are FLAT."""
    store = product.bot.desk.store
    (request,) = await store.open_requests()
    statuses = await store.statuses(request.id)
    return {s.account for s in statuses if s.result and s.result.outcome is Outcome.FLAT}


@pytest.mark.soak
async def test_10_dry_runs_in_5_seconds_and_then_a_run(tmp_path: Path):
    """Each names other symbols, so none is answered from the counts of one before it."""
    symbols = ("BTCUSDT", "ETHPERP", "BTCUSD", "SOLUSDT_SOL/USDT")
    scopes = [",".join(pair) for n in (1, 2) for pair in itertools.combinations(symbols, n)]
    assert len(scopes) == 10
    orders = dict.fromkeys(BYBIT.orders, 12)
    accounts = many(20, first=4000)
    async with desks.open_product(tmp_path, accounts=accounts, orders=orders) as product:
        product.venue.book.cancel_delay_s = 0.4
        for scope in scopes:
            words = f"all --symbol {scope} --dry-run"
            await product.people.slash(ALICE, INCIDENT, "/cancelall", words)
            await asyncio.sleep(0.4)
        assert sum(seen.is_signed for seen in product.venue.log) > 200
        await product.type(ALICE, "all")
        await product.press(BOB, "approve")
        text = await product.until(lambda text: text.startswith("FLAT"), timeout_s=45)
        assert text.startswith("FLAT: 20 of 20 accounts")
        assert product.left() == 0
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
        moved = second.replace(product.world.urls["bybit"], other_url)
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
