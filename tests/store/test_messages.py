"""What Slack last took."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.event import EventKind
from bot.domain.message import Kind, Place, Sent
from bot.domain.request import RequestState
from bot.store import engine
from bot.store.engine import Store
from tests.fakes import run
from tests.store import values

CARD = Place(request_id="K7Q2M", kind=Kind.CARD)
SENT = Sent(place=CARD, channel="C0INCIDENT", ts="1.000001", revision="r1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with engine.open_store(values.url(tmp_path)) as opened:
        await values.submit(opened)
        yield opened


async def test_post_that_was_never_answered_is_not_a_message(store: Store):
    assert await store.messages.find(CARD) is None
    await store.messages.intend(CARD, "C0INCIDENT")
    assert await store.messages.find(CARD) is None


async def test_what_slack_took_last_is_what_is_found(store: Store):
    await store.messages.intend(CARD, "C0OTHER")
    await store.messages.taken(SENT)
    assert await store.messages.find(CARD) == SENT
    await store.messages.taken(replace(SENT, revision="r2"))
    assert await store.messages.find(CARD) == replace(SENT, revision="r2")


async def test_message_is_known_until_its_successor_is_taken(store: Store):
    await store.messages.taken(SENT)
    await store.messages.intend(CARD, "C0OTHER")
    assert await store.messages.find(CARD) == SENT
    successor = replace(SENT, channel="C0OTHER", ts="2.000002")
    await store.messages.taken(successor)
    assert await store.messages.find(CARD) == successor


async def test_each_venue_has_a_reply_of_its_own(store: Store):
    bybit = replace(CARD, kind=Kind.VENUE_REPLY, slot="bybit")
    await store.messages.taken(replace(SENT, place=bybit))
    assert await store.messages.find(replace(bybit, slot="pacifica")) is None
    assert await store.messages.find(CARD) is None


async def _withdraw(store: Store, request_id: str, ago: timedelta) -> None:
    told = values.event(EventKind.REQUEST_WITHDRAWN, request_id)
    states = {"expect": RequestState.PENDING, "to": RequestState.WITHDRAWN}
    told = replace(told, at=datetime.now(UTC) - ago)
    await store.requests.end(request_id, **states, why="", event=told)


async def test_open_and_unsettled_requests_may_be_behind_for_a_week(store: Store):
    await _withdraw(store, "K7Q2M", timedelta(days=8))
    await values.submit(store, values.pending("BBBBB"), delivery="d-2")
    await _withdraw(store, "BBBBB", timedelta(days=6))
    await values.submit(store, values.pending("CCCCC"), delivery="d-3")
    other = values.pending("DDDDD", targets=(run.target("delta"),), requester=values.BOB)
    await values.submit(store, other, delivery="d-4")
    assert await store.messages.behind() == ("BBBBB", "CCCCC", "DDDDD")
    for _ in range(2):
        await store.messages.settled("BBBBB")
    assert await store.messages.behind() == ("CCCCC", "DDDDD")
    assert await store.messages.find(replace(CARD, request_id="BBBBB")) is None


async def test_head_of_an_ended_request_stays_what_it_was_at_its_end(store: Store):
    assert await store.messages.chain_head("K7Q2M") == ""
    await _withdraw(store, "K7Q2M", timedelta(seconds=1))
    head = await store.messages.chain_head("K7Q2M")
    assert head == await store.requests.chain_head()
    await values.submit(store, values.pending("BBBBB"), delivery="d-2")
    late = values.event(EventKind.VOTE_IGNORED, by="U0BOB")
    await store.requests.note(late, delivery="v-9")
    assert await store.messages.chain_head("K7Q2M") == head


async def test_who_approved_is_what_was_judged_at_the_start(store: Store):
    assert await store.messages.approvers("K7Q2M") is None
    told = values.event(EventKind.RUN_STARTED, approvers=["E0BOB"])
    await store.requests.note(told, delivery="s-1")
    assert await store.messages.approvers("K7Q2M") == frozenset({"E0BOB"})
    other = values.event(EventKind.RUN_STARTED, "BBBBB")
    await store.requests.note(other, delivery="s-2")
    assert await store.messages.approvers("BBBBB") is None
