"""The table of states: every pair, legal and illegal."""

from bot.domain.request import TRANSITIONS, RequestState

LEGAL = {
    ("PENDING", "RUNNING"),
    ("PENDING", "DENIED"),
    ("PENDING", "WITHDRAWN"),
    ("PENDING", "EXPIRED"),
    ("RUNNING", "FINISHED"),
    ("RUNNING", "INTERRUPTED"),
}


def test_only_the_legal_pairs_follow_each_other():
    """That the store holds to it is shown in `tests/store/test_requests.py`."""
    pairs = {(sooner.value, later.value) for sooner in TRANSITIONS for later in TRANSITIONS[sooner]}
    assert pairs == LEGAL
    assert TRANSITIONS.keys() == set(RequestState)


def test_five_states_are_final():
    assert {state.value for state in RequestState if state.is_final} == {
        "FINISHED",
        "INTERRUPTED",
        "DENIED",
        "WITHDRAWN",
        "EXPIRED",
    }
