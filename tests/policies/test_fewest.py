"""How few people a request takes, held to trying every group."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import evaluate, fewest, model
from policies.model import Actor, Policy, Role, Rule, Seat
from tests.policies.people import (
    ALICE,
    BOB,
    CAROL,
    HEAD,
    ORPHAN,
    PAPER,
    POLICY,
    PROD,
    WHALE,
    person,
)

EVERYBODY = (ALICE, BOB, CAROL, HEAD)


def names(found: fewest.Fewest | None) -> list[str]:
    assert found is not None
    return [found.asker.name, *(actor.name for actor in found.approvers)]


@pytest.mark.parametrize(
    ("accounts", "who"),
    [
        ([PAPER], ["alice"]),
        ([PROD], ["alice", "bob"]),
        ([PROD, PAPER], ["alice", "bob"]),
        ([PROD, WHALE, PAPER], ["alice", "bob", "head"]),
    ],
    ids=[
        "nobody else",
        "one seat",
        "one seat, two rules",
        "two seats, and one of them serves both",
    ],
)
def test_fewest_people_are_named(accounts: list[model.Account], who: list[str]):
    found = fewest.fewest(POLICY, accounts, EVERYBODY)
    assert names(found) == who
    assert (found.people, found.is_least) == (len(who), True)


@pytest.mark.parametrize(
    ("accounts", "roster"),
    [
        ([WHALE], (ALICE, BOB, CAROL)),
        ([PROD], (BOB, CAROL, HEAD)),
        ([ORPHAN], EVERYBODY),
        ([], EVERYBODY),
        ([PROD], ()),
    ],
    ids=["a seat stays open", "nobody may ask", "no rule", "no account", "nobody at all"],
)
def test_nobody_is_named_where_nobody_could(
    accounts: list[model.Account], roster: tuple[Actor, ...]
):
    assert fewest.fewest(POLICY, accounts, roster) is None


def test_asker_does_not_approve_even_as_the_only_one_who_could():
    both = person("U0BOTH", "S0TRADERS", "S0RISK")
    assert fewest.fewest(POLICY, [PROD], [both]) is None
    assert names(fewest.fewest(POLICY, [PROD], [both, BOB])) == ["both", "bob"]


def test_one_person_under_two_user_ids_is_one():
    twin = person("W0ALICE", "S0RISK", person_id="U0ALICE")
    assert fewest.fewest(POLICY, [PROD], [twin, ALICE]) is None


def test_askers_are_those_who_may_ask_for_every_account():
    assert fewest.askers(POLICY, [PROD, PAPER], EVERYBODY) == (ALICE,)
    assert fewest.askers(POLICY, [PROD, ORPHAN], EVERYBODY) == ()
    assert fewest.askers(POLICY, [], EVERYBODY) == ()


def test_a_search_that_is_cut_names_a_group_from_which_nobody_can_be_spared():
    """Whoever could take both seats is the first to be spared."""
    policy = model.parse(
        'workspaces = ["T0HOME"]\n'
        '[roles.traders]\ngroups = ["S0TRADERS"]\n[roles.a]\ngroups = ["S0A"]\n'
        '[roles.b]\ngroups = ["S0B"]\n'
        + "".join(
            f'[[rule]]\nname = "{name}"\naccounts = ["*"]\nask = ["traders"]\n'
            f'approve = [{{ roles = ["{name}"] }}]\n'
            for name in ("a", "b")
        )
    )
    roster = [ALICE, person("U0ONE", "S0A"), person("U0TWO", "S0B"), person("U0BOTH", "S0A", "S0B")]
    assert names(fewest.fewest(policy, [PROD], roster)) == ["alice", "both"]
    cut = fewest.fewest(policy, [PROD], roster, groups_max=0)
    assert names(cut) == ["alice", "one", "two"]
    assert cut.is_least is False


ROLES = ("a", "b", "c")
people_of = st.lists(
    st.sets(st.sampled_from([f"S0{role.upper()}" for role in ROLES])), min_size=1, max_size=6
)
seats_of = st.lists(
    st.builds(
        lambda roles, count: Seat(roles=tuple(sorted(roles)), count=count),
        st.sets(st.sampled_from(ROLES), min_size=1),
        st.integers(min_value=1, max_value=2),
    ),
    max_size=2,
)
rules_of = st.lists(
    st.tuples(seats_of, st.sets(st.sampled_from(ROLES), min_size=1)), min_size=1, max_size=3
)


def policy_of(rules: Sequence[tuple[list[Seat], set[str]]]) -> Policy:
    return Policy(
        workspaces=("T0HOME",),
        roles={role: Role(groups=(f"S0{role.upper()}",)) for role in ROLES},
        rule=tuple(
            Rule(name=f"r{number}", accounts=("*",), ask=tuple(sorted(ask)), approve=tuple(seats))
            for number, (seats, ask) in enumerate(rules)
        ),
    )


@given(rules_of, people_of)
def test_search_agrees_with_trying_every_group(
    rules: list[tuple[list[Seat], set[str]]], groups: list[set[str]]
):
    policy = policy_of(rules)
    roster = [person(f"U0P{number}", *sorted(held)) for number, held in enumerate(groups)]
    least = min(
        (
            1 + size
            for asker in roster
            if not evaluate.may_ask(policy, asker, PROD)
            for size in range(len(roster))
            for group in itertools.combinations(roster, size)
            if not evaluate.unsatisfiable(policy, [PROD], asker, group)
        ),
        default=None,
    )
    found = fewest.fewest(policy, [PROD], roster)
    assert (found and found.people) == least
    if found is not None:
        assert found.is_least
        assert not evaluate.unsatisfiable(policy, [PROD], found.asker, found.approvers)
