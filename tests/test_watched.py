"""The built app as whoever watches it sees it: its log, its metrics, its readiness."""

import asyncio
import json
import logging
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import demo
from bot.sandbox.slack import faults
from tests.fakes import desk as desks
from tests.fakes.desk import Product
from tests.store import values


async def ask(product: Product, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{product.bot.url}{path}") as reply,
    ):
        return reply.status, await reply.text()


async def until_status(product: Product, status: int) -> Any:
    async with asyncio.timeout(10):
        while (answer := await ask(product, "/readyz"))[0] != status:  # noqa: ASYNC110 — we poll
            await asyncio.sleep(0.1)
    return json.loads(answer[1])


async def metrics_of(product: Product) -> dict[tuple[str, ...], float]:
    """What is not 0, by name and the values of its labels, sorted by their names."""
    _, text = await ask(product, "/metrics")
    return {
        (sample.name.removeprefix("cancelall_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.value
    }


async def test_a_run_is_told_once_in_the_log_and_counted_and_a_dead_store_is_seen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with desks.open_product(tmp_path) as product:
        await until_status(product, 200)
        await product.flat()
        (request,) = await product.bot.desk.store.open_requests()
        trail = await product.bot.trail.events(request.id)
        lines = Counter(
            (record.message, record.__dict__["request_id"], record.__dict__["at"])
            for record in caplog.records
            if record.name == "events"
        )
        assert len(trail) > 20
        for event in trail:
            assert lines[event.kind.value, request.id, event.at.isoformat()] == trail.count(event)

        counted = await metrics_of(product)
        assert counted["requests_total", "PENDING"] == counted["requests_total", "RUNNING"] == 1
        assert counted["votes_total", "approve"] == 1
        assert counted["verdicts_total", "FLAT", "bybit"] == 3
        assert counted["keys_read_total", "bybit"] == 3
        assert counted["rounds_total", "bybit"] >= 3
        assert counted["readings_total", "bybit"] >= 6
        assert counted["part_ready", "store"] == 1
        assert "1001" not in (await ask(product, "/metrics"))[1]

        with closing(values.raw(tmp_path)) as rival:
            rival.execute("BEGIN IMMEDIATE")
            said = await until_status(product, 503)
            assert "database" in said["parts"]["store"]
            assert said["parts"]["keys"] == "ready"
            assert (await ask(product, "/healthz"))[0] == 200
    assert "event.unread" not in [record.message for record in caplog.records]
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_a_bot_whose_token_was_revoked_is_not_ready_though_its_sockets_live(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path, mode="socket")
        async with desks.started(product):
            await until_status(product, 200)
            product.world.traffic.add("auth.test", faults.refused("token_revoked", times=None))
            said = await until_status(product, 503)
        assert said["parts"]["slack"] == "Slack refuses the bot: token_revoked"
