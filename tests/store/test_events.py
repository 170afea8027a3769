"""The chain of events, and what a tamperer cannot do to it."""

from contextlib import closing
from pathlib import Path

import pytest

from bot.domain import event as events
from bot.domain.event import GENESIS, EventKind
from bot.store import engine
from tests.store import values


async def _write_four(folder: Path) -> None:
    async with engine.open_store(values.url(folder)) as store:
        for number in range(4):
            told = values.event(EventKind.VOTE_IGNORED, by=f"U{number}", number=number)
            await store.requests.note(told, delivery=f"v-{number}")


async def test_chain_begins_at_genesis_and_follows_each_body(tmp_path: Path):
    async with engine.open_store(values.url(tmp_path)) as store:
        assert await store.requests.chain_head() == GENESIS
        told = values.event(EventKind.VOTE_IGNORED, by="U0BOB", why=["not_eligible"])
        await store.requests.note(told, delivery="v-1")
        expected = events.chain(GENESIS, events.body(told))
        assert await store.requests.chain_head() == expected
        assert await store.trail.events("K7Q2M") == (told,)
        assert await store.trail.first_break() is None


@pytest.mark.parametrize(
    ("sabotage", "broken"),
    [
        ("UPDATE events SET body = replace(body, 'U1', 'U9') WHERE seq = 2", 2),
        ("UPDATE events SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE seq = 3", 3),
        ("DELETE FROM events WHERE seq = 2", 3),
        ("DELETE FROM events WHERE seq = 1", 2),
        ("UPDATE events SET seq = 9 WHERE seq = 2", 3),
    ],
)
async def test_tampering_breaks_the_chain_where_it_happened(
    tmp_path: Path, sabotage: str, broken: int
):
    await _write_four(tmp_path)
    with closing(values.raw(tmp_path)) as connection:
        connection.execute(sabotage)
    async with engine.open_store(values.url(tmp_path)) as store:
        assert await store.trail.first_break() == broken


async def test_untouched_chain_has_no_break(tmp_path: Path):
    await _write_four(tmp_path)
    async with engine.open_store(values.url(tmp_path)) as store:
        assert await store.trail.first_break() is None
