"""What `serve` makes of the files that a console left: whose runs it goes on with, whose lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot import config as configs
from bot import pull
from bot.sandbox import world as worlds
from bot.store import record, rows
from bot.store.record import ENDED, Header
from bot.store.spool import Group
from tests.fakes import desk as desks
from tests.fakes.desk import Product
from tests.test_pull import WHY, pulled, refused, set_up


def files(product: Product) -> tuple[Path, Path]:
    (header,) = (product.folder / "state" / "pulls").glob("*.pull")
    return header, header.with_suffix(".spool")


def changed(path: Path, change: Callable[[Header], Header]) -> None:
    header = record.read_header(path)
    assert header is not None
    path.chmod(0o600)
    path.write_bytes(rows.to_line(change(header)) + b"\n")


async def left_unfinished(product: Product) -> Path:
    """Leave the record of a pull whose console died at once, and orders on its books again."""
    await pulled(set_up(product), "bybit-mm", *WHY)
    header, spool = files(product)
    header.chmod(0o600)
    spool.write_bytes(b"")
    (account,) = (each for each in product.world.accounts if each.name == "bybit-mm")
    worlds.fill(product.venue, (account,), {"linear:USDT": 5})
    assert product.count("1001") == 5
    return header


async def test_a_run_whose_console_died_is_gone_on_with(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        await left_unfinished(product)
        async with desks.started(product):
            await product.until(lambda text: "FLAT: 1 of 1 accounts" in text)
        assert product.count("1001") == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.chmod(ENDED), id="it ended, on a full disk"),
        pytest.param(
            lambda path: changed(path, lambda header: replace(header, host="elsewhere")),
            id="its console may live on another host",
        ),
    ],
)
async def test_a_run_that_may_be_over_or_anothers_is_shown_and_not_gone_on_with(
    tmp_path: Path, change: Callable[[Path], None]
):
    async with desks.open_surroundings(tmp_path) as product:
        change(await left_unfinished(product))
        async with desks.started(product):
            await product.until(lambda text: "BREAK GLASS" in text)
            await desks.soon(lambda: len(product.bot.desk.on_console) == 1)
            await asyncio.sleep(1.0)
        assert product.count("1001") == 5


async def test_a_line_about_another_request_counts_for_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with desks.open_surroundings(tmp_path) as product:
        await pulled(set_up(product), "bybit-mm", *WHY)
        header, spool = files(product)
        (last, *_) = record.read_groups(spool)
        async with desks.started(product):
            await product.until(lambda text: "*FINISHED*" in text)
            await desks.soon(lambda: not header.exists())
            request_id = header.stem
            before = await product.bot.trail.events(request_id)
            forged = tuple(replace(entry, request_id="ABCDE") for entry in last.entries)
            written = header.with_suffix(".pull.recorded").read_bytes()
            spool.write_bytes(rows.to_line(Group(id="forged", entries=forged)) + b"\n")
            header.write_bytes(written)
            await desks.soon(lambda: "record.astray" in caplog.text)
            await desks.soon(lambda: not header.exists())
            assert await product.bot.trail.events(request_id) == before
            assert await product.bot.trail.first_break() is None


async def test_a_clock_that_was_set_back_locks_nobody_out(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        await pulled(config, "bybit-mm", *WHY)
        header, _ = files(product)
        assert "one pull a person in ten minutes" in await refused(config, "all", *WHY)

        def later(known: Header) -> Header:
            at = known.request.posted_at + timedelta(hours=1)
            return replace(known, request=replace(known.request, posted_at=at))

        changed(header, later)
        code, _ = await pulled(config, "all", *WHY)
    assert (code, product.left()) == (0, 0)


async def test_a_run_that_its_console_stopped_is_not_gone_on_with(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        path = await left_unfinished(product)
        header = record.read_header(path)
        assert header is not None
        entry = pull._stopped(header, header.request.posted_at)
        line = rows.to_line(Group(id="stopped", entries=(entry,)))
        path.with_suffix(".spool").write_bytes(line + b"\n")
        async with desks.started(product):
            card = await product.until(lambda text: "*FINISHED*" in text)
        assert product.count("1001") == 5
    assert "NOT FLAT: 1 of 1 accounts" in card


async def test_a_record_that_the_disk_does_not_give_is_kept_and_its_run_left_alone(tmp_path: Path):
    """Whether its console lives is not known; one error of the disk must not set two to work."""
    async with desks.open_surroundings(tmp_path) as product:
        await pulled(set_up(product), "bybit-mm", *WHY)
        header, _ = files(product)
        there = header.with_name("QQQQQQ.pull")
        there.mkdir()
        async with desks.started(product):
            await product.until(lambda text: "*FINISHED*" in text)
            assert product.bot.desk.on_console == {"QQQQQQ"}
        assert there.is_dir()


async def test_a_store_of_which_this_version_knows_nothing_keeps_nobody_from_pulling(
    tmp_path: Path,
):
    async with desks.open_surroundings(tmp_path) as product:
        set_up(product)
        path = tmp_path / "config.toml"
        text = path.read_text().replace("sqlite:///cancelall.db", "postgresql://desk/db")
        path.write_text(text)
        code, _ = await pulled(configs.load_console(path, {}), "all", *WHY)
        assert (code, product.left()) == (0, 0)
