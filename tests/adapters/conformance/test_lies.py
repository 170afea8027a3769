"""Whole runs against a venue that lies, each lie at each venue, on virtual time."""

from __future__ import annotations

import pytest

from bot.domain.result import Outcome
from tests.adapters.conformance.bench import Bench, play
from tests.adapters.conformance.lies import GENERAL, End, Lie
from tests.adapters.conformance.special import SPECIAL
from tests.adapters.conformance.subjects import SUBJECTS, Subject

pytestmark = pytest.mark.no_cover  # The gates hold without it.

LIES = (*GENERAL, *SPECIAL)
LIES_LEAST = 40


def marks(lie: Lie, venue: str) -> tuple[pytest.MarkDecorator, ...]:
    """Leave every other venue of a lie that all can tell to the soak: here each is told at two."""
    place = LIES.index(lie) + list(SUBJECTS).index(venue)
    return (pytest.mark.soak,) if len(lie.venues) == len(SUBJECTS) and place % 2 else ()


def test_there_are_enough_lies():
    assert len({lie.name for lie in LIES}) == len(LIES) >= LIES_LEAST


@pytest.mark.parametrize(
    ("subject", "lie"),
    [
        pytest.param(SUBJECTS[venue], lie, id=f"{venue} {lie.name}", marks=marks(lie, venue))
        for lie in LIES
        for venue in lie.venues
    ],
)
def test_no_lie_earns_a_flat(subject: Subject, lie: Lie):
    async def act(bench: Bench) -> None:
        bench.fill()
        before = bench.open(subject.bystander)
        lie.install(bench)
        status = await bench.run(until_s=75.0 if lie.end is End.FLAT else 15.0)
        told = [verdict for verdict in bench.verdicts if verdict.outcome is Outcome.FLAT]
        wrong = [verdict for verdict in told if verdict.open]
        assert bool(wrong) == lie.is_seen_late, f"FLAT over orders: {wrong}"
        assert (status.result.outcome is Outcome.FLAT) == (lie.end is End.FLAT), status.result
        if lie.end is End.FLAT:
            assert bench.open() == {}
        assert bench.open(subject.bystander) == before

    play(subject, act)
