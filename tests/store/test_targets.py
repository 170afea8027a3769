"""Leases with their fences, and what a stale holder may still write."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.flow.ports import Claim
from bot.store import engine
from bot.store.engine import Store
from tests.fakes import run
from tests.store import values

ALPHA = ["keys/alpha"]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with engine.open_store(values.url(tmp_path)) as opened:
        yield opened


async def _rounds(store: Store) -> list[int]:
    return [status.rounds for status in await store.requests.statuses("K7Q2M")]


async def test_held_lease_is_left_out_for_everybody_else(store: Store):
    assert await store.requests.claim(ALPHA, owner="p1", lease_s=60) == (
        Claim(key="keys/alpha", fence=1),
    )
    assert await store.requests.claim([*ALPHA, "keys/beta"], owner="p2", lease_s=60) == (
        Claim(key="keys/beta", fence=1),
    )


async def test_renewal_keeps_the_fence(store: Store):
    for _ in range(3):
        assert (await store.requests.claim(ALPHA, owner="p1", lease_s=60))[0].fence == 1


async def test_lapsed_lease_passes_to_the_next_with_a_higher_fence(store: Store):
    await store.requests.claim(ALPHA, owner="p1", lease_s=0.1)
    async with asyncio.timeout(5):
        while not (taken := await store.requests.claim(ALPHA, owner="p2", lease_s=60)):
            pass
    assert taken == (Claim(key="keys/alpha", fence=2),)
    assert await store.requests.claim(ALPHA, owner="p1", lease_s=60) == ()


async def test_holder_whose_lease_lapsed_untaken_renews_with_the_same_fence(store: Store):
    await store.requests.claim(ALPHA, owner="p1", lease_s=0)
    assert (await store.requests.claim(ALPHA, owner="p1", lease_s=60))[0].fence == 1


async def test_released_leases_are_free_at_once(store: Store):
    await store.requests.claim([*ALPHA, "keys/beta"], owner="p1", lease_s=60)
    await store.requests.claim(["keys/gamma"], owner="p3", lease_s=60)
    await store.requests.release(owner="p1")
    keys = [*ALPHA, "keys/beta", "keys/gamma"]
    assert await store.requests.claim(keys, owner="p2", lease_s=60) == (
        Claim(key="keys/alpha", fence=2),
        Claim(key="keys/beta", fence=2),
    )


async def test_one_of_many_rivals_gets_a_free_lease(store: Store):
    async with asyncio.TaskGroup() as group:
        rivals = [
            group.create_task(store.requests.claim(ALPHA, owner=f"p{number}", lease_s=60))
            for number in range(20)
        ]
    assert [len(rival.result()) for rival in rivals].count(1) == 1


async def test_status_of_the_holder_is_stored_in_the_plans_order(store: Store):
    await values.running(store)
    beta = Claim(key="keys/beta", fence=1)
    store.journal.put(values.entry(beta, "gamma", rounds=3))
    store.journal.put(values.entry(beta, "beta", rounds=2))
    await store.journal.flush()
    assert await _rounds(store) == [0, 2, 3]


async def test_order_is_the_plans_and_not_the_alphabets(store: Store):
    targets = tuple(run.target(name) for name in ("zeta", "alpha", "mu"))
    await values.submit(store, values.pending(targets=targets))
    await store.requests.start(values.start())
    accounts = [status.account for status in await store.requests.statuses("K7Q2M")]
    assert accounts == ["zeta", "alpha", "mu"]


async def test_stale_fence_is_refused_and_its_event_is_marked(store: Store):
    """What was sent was sent: the trail keeps the fact, the board does not follow it."""
    await values.running(store)
    await store.requests.release(owner="p1")
    fresh = (await store.requests.claim(ALPHA, owner="p2", lease_s=60))[0]
    store.journal.put(values.entry(fresh, "alpha", rounds=5))
    store.journal.put(values.entry(Claim(key="keys/alpha", fence=1), "alpha", rounds=9))
    await store.journal.flush()
    assert await _rounds(store) == [5, 0, 0]
    trail = await store.trail.events("K7Q2M")
    assert [fact.facts.get("is_refused", False) for fact in trail[-2:]] == [False, True]


async def test_claim_on_another_key_writes_nothing(store: Store):
    await values.running(store)
    store.journal.put(values.entry(Claim(key="keys/beta", fence=1), "alpha", rounds=9))
    await store.journal.flush()
    assert await _rounds(store) == [0, 0, 0]


async def test_target_has_one_final_state(store: Store):
    await values.running(store)
    claim = Claim(key="keys/alpha", fence=1)
    store.journal.put(values.entry(claim, "alpha", rounds=4, is_final=True))
    store.journal.put(values.entry(claim, "alpha", rounds=5))
    store.journal.put(values.entry(claim, "alpha", rounds=6, is_final=True))
    await store.journal.flush()
    assert await _rounds(store) == [4, 0, 0]
    assert (await store.requests.statuses("K7Q2M"))[0].is_final


async def test_event_without_a_status_is_stored(store: Store):
    await values.running(store)
    bare = replace(values.entry(Claim(key="keys/alpha", fence=1), "alpha"), status=None)
    store.journal.put(bare)
    await store.journal.flush()
    assert await values.kinds(store) == ["request.submitted", "run.started", "round.ended"]
    assert await _rounds(store) == [0, 0, 0]
