"""The table of states: every pair, legal and illegal."""

from datetime import timedelta
from itertools import product

import pytest

from bot.domain import request as requests
from bot.domain.request import IllegalTransition, RequestState
from tests.fakes import run
from tests.fakes.clock import EPOCH

LEGAL = {
    ("PENDING", "RUNNING"),
    ("PENDING", "DENIED"),
    ("PENDING", "WITHDRAWN"),
    ("PENDING", "EXPIRED"),
    ("RUNNING", "FINISHED"),
    ("RUNNING", "INTERRUPTED"),
}


@pytest.mark.parametrize(
    ("sooner", "later"),
    list(product(RequestState, RequestState)),
    ids=lambda state: state.value,
)
def test_only_the_legal_pairs_follow_each_other(sooner: RequestState, later: RequestState):
    from dataclasses import replace

    before = replace(run.request(run.target("a")), state=sooner)
    if (sooner.value, later.value) in LEGAL:
        after = requests.advance(before, later, at=EPOCH, why="because")
        assert after.state is later
        assert after.ended_why == "because"
    else:
        with pytest.raises(IllegalTransition) as caught:
            requests.advance(before, later, at=EPOCH)
        assert str(caught.value) == f"K7Q2M: {sooner.value} cannot become {later.value}"
        assert before.state is sooner


def test_only_final_states_carry_the_moment_they_ended():
    from dataclasses import replace

    pending = replace(run.request(run.target("a")), state=RequestState.PENDING)
    later = EPOCH + timedelta(seconds=5)
    assert requests.advance(pending, RequestState.RUNNING, at=later).ended_at is None
    assert requests.advance(pending, RequestState.DENIED, at=later).ended_at == later


def test_five_states_are_final():
    assert {state.value for state in RequestState if state.is_final} == {
        "FINISHED",
        "INTERRUPTED",
        "DENIED",
        "WITHDRAWN",
        "EXPIRED",
    }
