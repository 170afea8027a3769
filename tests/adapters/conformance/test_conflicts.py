"""Where sources conflict, the simulated venue can be either; an adapter must live with both."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest

from bot.domain.result import Outcome
from tests.adapters.conformance.bench import Bench, play
from tests.adapters.conformance.subjects import SUBJECTS, Subject

pytestmark = pytest.mark.no_cover  # The gates hold without it.


def _other_readings(value: object) -> list[object]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, Enum):
        return [each for each in type(value) if each is not value]
    return []


def _switches() -> Iterator[Any]:
    for name, subject in SUBJECTS.items():
        conflicts = getattr(subject.simulate(seed=0, has_limits=False), "conflicts", None)
        for field in dataclasses.fields(conflicts) if conflicts else ():
            for other in _other_readings(getattr(conflicts, field.name)):
                said = other.name if isinstance(other, Enum) else other
                label = f"{name} {field.name} {said}"
                yield pytest.param(subject, {field.name: other}, id=label)


@pytest.mark.parametrize(("subject", "switched"), list(_switches()))
def test_a_run_is_flat_whichever_source_is_right(subject: Subject, switched: dict[str, Any]):
    async def act(bench: Bench) -> None:
        simulated: Any = bench.simulated
        simulated.conflicts = dataclasses.replace(simulated.conflicts, **switched)
        bench.fill()
        status = await bench.run()
        is_hopeless = bool(switched.keys() & set(subject.hopeless))
        assert (status.result.outcome is Outcome.FLAT) == (bench.open() == {}) != is_hopeless
        flat = [verdict for verdict in bench.verdicts if verdict.outcome is Outcome.FLAT]
        assert [verdict for verdict in flat if verdict.open] == []

    play(subject, act)
