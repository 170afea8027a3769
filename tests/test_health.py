"""What is known of each part, however it fails: dead, hanging, broken, or no longer asked."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from aiohttp import web as aio

from bot import health, web
from bot.health import Beat, Probe, Readiness
from bot.store import engine
from tests.store import values


@asynccontextmanager
async def watching(
    probes: Mapping[str, Probe], *, limit_s: float = 0.1, old_s: float = 5.0
) -> AsyncIterator[Readiness]:
    readiness = Readiness(probes, every_s=0.01, limit_s=limit_s, old_s=old_s)
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(readiness.watch())
        try:
            yield readiness
        finally:
            watch.cancel()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 — a file and a thread announce nothing
            await asyncio.sleep(0.005)


class Part:
    """A part that says what a test puts in its mouth."""

    def __init__(self, why: str = "") -> None:
        self.why = why
        self.asked = 0

    async def trouble(self) -> str:
        self.asked += 1
        return self.why


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Level, message and words of the changes that were logged."""
    return [
        (record.levelname, record.message, record.__dict__.get("why", ""))
        for record in caplog.records
        if record.message.startswith("part.")
    ]


async def test_part_that_was_never_asked_is_not_ready():
    assert Readiness({"store": Part().trouble}).parts() == {"store": "not asked yet"}


async def test_part_that_dies_and_recovers_is_told_at_each_change_once(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)
    slack = Part()
    async with watching({"slack": slack.trouble}) as readiness:
        await until(lambda: readiness.parts() == {"slack": ""})
        for why in ("socket dead for 3 s", "socket dead for 6 s"):
            slack.why = why
            await until(lambda: readiness.parts() == {"slack": slack.why})
        slack.why = ""
        await until(lambda: readiness.parts() == {"slack": ""})
    assert told(caplog) == [
        ("INFO", "part.ready", ""),
        ("WARNING", "part.unready", "socket dead for 3 s"),
        ("INFO", "part.ready", ""),
    ]


async def test_part_that_hangs_is_not_ready_and_keeps_no_other_from_being_asked():
    async def hang() -> str:
        await asyncio.sleep(3600)
        return ""

    store = Part()
    async with watching({"keys": hang, "store": store.trouble}) as readiness:
        await until(lambda: store.asked > 5)
        await until(lambda: readiness.parts()["keys"] == "no answer within 0.1 s")
        assert readiness.parts()["store"] == ""


async def test_part_whose_probe_has_a_bug_is_not_ready_and_breaks_no_other(
    caplog: pytest.LogCaptureFixture,
):
    async def broken() -> str:
        raise LookupError("a bug")

    store = Part()
    async with watching({"keys": broken, "store": store.trouble}) as readiness:
        await until(lambda: readiness.parts()["store"] == "" and store.asked > 2)
        assert readiness.parts()["keys"] == "it could not be asked: LookupError"
    assert "probe.broken" in [record.message for record in caplog.records]


async def test_probe_that_cannot_even_be_given_up_counts_as_old():
    """A call in a thread of some library may swallow being cancelled."""
    is_over, asked = asyncio.Event(), 0

    async def stubborn() -> str:
        nonlocal asked
        asked += 1
        while asked > 1 and not is_over.is_set():
            try:
                await is_over.wait()
            except asyncio.CancelledError:
                continue
        return ""

    async with watching({"keys": stubborn}, limit_s=0.02, old_s=0.2) as readiness:
        try:
            await until(lambda: readiness.parts() == {"keys": ""})
            await until(lambda: readiness.parts() == {"keys": "not heard of for 0 s"})
        finally:
            is_over.set()
        await until(lambda: readiness.parts() == {"keys": ""})
        assert asked > 1


async def test_nobody_asks_any_more_so_nothing_is_ready():
    async with watching({"store": Part().trouble}, old_s=0.1) as readiness:
        await until(lambda: readiness.parts() == {"store": ""})
    await asyncio.sleep(0.12)
    assert readiness.parts() == {"store": "not heard of for 0 s"}


def test_dead_part_is_told_within_10_s_however_it_died():
    """Just asked when it died; then asked again, and given up, or old."""
    assert health.EVERY_S + health.LIMIT_S <= 10
    assert health.EVERY_S + health.LIMIT_S < health.OLD_S < 10


async def test_store_that_stops_taking_votes_is_not_ready_until_it_does_again(tmp_path: Path):
    async with (
        engine.open_store(values.url(tmp_path), limit_s=0.3) as store,
        watching({"store": store.pulse.trouble}, limit_s=1.0) as readiness,
    ):
        await until(lambda: readiness.parts() == {"store": ""})
        with closing(values.raw(tmp_path)) as rival:
            rival.execute("BEGIN IMMEDIATE")
            await until(lambda: readiness.parts()["store"] != "")
            assert readiness.parts()["store"].startswith("the database ")
        await until(lambda: readiness.parts() == {"store": ""})


async def test_beat_that_stops_is_told_with_its_age():
    tick = Beat("tick", within_s=0.05)
    assert await tick.trouble() == ""
    await asyncio.sleep(0.08)
    assert await tick.trouble() == "no tick for 0 s"
    tick.mark()
    assert await tick.trouble() == ""


async def test_loop_that_is_held_up_is_measured_and_complained_of(
    caplog: pytest.LogCaptureFixture,
):
    seen: list[float] = []
    async with asyncio.TaskGroup() as group:
        feel = group.create_task(health.feel_lag(seen.append, every_s=0.01, alarm_s=0.15))
        await until(lambda: len(seen) > 2)
        assert not caplog.records
        time.sleep(0.2)  # noqa: ASYNC251 — this is what it has to notice
        await until(lambda: bool(caplog.records))
        feel.cancel()
    (record,) = caplog.records
    assert (record.levelname, record.message) == ("WARNING", "loop.lagged")
    assert 0.15 <= record.__dict__["seconds"] == round(max(seen), 3)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])
async def test_container_asks_whether_the_bot_lives_whatever_proxy_it_was_given(
    host: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with web.listening(web.build(), "127.0.0.1", 0) as url:
        port = int(url.rsplit(":", 1)[1])
        assert await asyncio.to_thread(health.is_alive, host, port)


async def test_bot_that_does_not_answer_or_not_for_itself_is_not_alive():
    with socket.create_server(("127.0.0.1", 0)) as mute:  # Takes the call, and says nothing.
        port = mute.getsockname()[1]
        assert not await asyncio.to_thread(health.is_alive, "127.0.0.1", port, limit_s=0.1)
    assert not await asyncio.to_thread(health.is_alive, "127.0.0.1", port)
    async with web.listening(aio.Application(), "127.0.0.1", 0) as url:
        port = int(url.rsplit(":", 1)[1])
        assert not await asyncio.to_thread(health.is_alive, "127.0.0.1", port)
