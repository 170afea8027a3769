"""Quorum under random policies and votes: what must hold whoever votes, and in whatever order."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import evaluate, model
from policies.model import Actor, Answer, Seat, Verdict, Vote
from tests.policies.people import ALICE, GRAFANA, PROD, approval, ballot, denial, person

pytestmark = pytest.mark.no_cover  # The examples by hand run every line; these repeat them.

NAMES = ("a", "b", "c", "d", "e")
ROLES = {"risk": frozenset({"S0RISK"}), "head": frozenset({"S0HEAD"})}
actors = st.builds(
    lambda name, groups: person(f"U0{name.upper()}", *groups),
    st.sampled_from(NAMES),
    st.sets(st.sampled_from(["S0RISK", "S0HEAD", "S0OTHER"])),
)
votes_of = st.lists(
    st.builds(
        lambda actor, at_s: approval(actor, at_s=at_s),
        actors,
        st.integers(min_value=0, max_value=9),
    ),
    max_size=6,
    unique_by=lambda vote: vote.actor.person_id,
)
seats_of = st.lists(
    st.builds(
        lambda roles, count: Seat(roles=tuple(sorted(roles)), count=count),
        st.sets(st.sampled_from(["risk", "head"]), min_size=1),
        st.integers(min_value=1, max_value=2),
    ),
    max_size=3,
)


def policy_of(seats: Sequence[Seat], **names: str) -> model.Policy:
    risk, head = names.get("risk", "risk"), names.get("head", "head")
    called = {"risk": risk, "head": head}
    rule = model.Rule(
        name="r",
        accounts=("*",),
        ask=(risk,),
        approve=tuple(Seat(roles=tuple(called[r] for r in s.roles), count=s.count) for s in seats),
    )
    roles = {risk: model.Role(groups=("S0RISK",)), head: model.Role(groups=("S0HEAD",))}
    return model.Policy(workspaces=("T0HOME",), roles=roles, rule=(rule,))


def verdict(policy: model.Policy, votes: Sequence[Vote]) -> Verdict:
    return evaluate.decision(policy, ballot(), votes).verdict


@given(seats_of, votes_of)
def test_matching_agrees_with_brute_force(seats: list[Seat], votes: list[Vote]):
    single = [seat.roles for seat in seats for _ in range(seat.count)]
    groups = {"risk": "S0RISK", "head": "S0HEAD"}
    able = [
        vote.actor
        for vote in votes
        if any(groups[role] in (vote.actor.groups or ()) for roles in single for role in roles)
    ]
    fits = any(
        all(
            any(groups[role] in (actor.groups or ()) for role in roles)
            for actor, roles in zip(chosen, single, strict=True)
        )
        for chosen in itertools.permutations(able, len(single))
    )
    assert (verdict(policy_of(seats), votes) is Verdict.ALLOWED) == fits


@given(seats_of, votes_of, actors)
def test_adding_an_approval_never_revokes(seats: list[Seat], votes: list[Vote], more: Actor):
    policy = policy_of(seats)
    if verdict(policy, votes) is Verdict.ALLOWED:
        known = {vote.actor.person_id for vote in votes}
        added = [*votes, approval(more)] if more.person_id not in known else votes
        assert verdict(policy, added) is Verdict.ALLOWED


@given(seats_of, votes_of, st.integers(min_value=0, max_value=5))
def test_removing_an_approval_never_grants(seats: list[Seat], votes: list[Vote], index: int):
    policy = policy_of(seats)
    if verdict(policy, votes) is Verdict.PENDING and votes:
        fewer = votes[: index % len(votes)] + votes[index % len(votes) + 1 :]
        assert verdict(policy, fewer) is Verdict.PENDING


@given(seats_of, votes_of)
def test_renaming_roles_changes_nothing(seats: list[Seat], votes: list[Vote]):
    assert verdict(policy_of(seats), votes) is verdict(policy_of(seats, risk="x", head="y"), votes)


@given(seats_of, votes_of)
def test_one_person_is_never_two(seats: list[Seat], votes: list[Vote]):
    """A second user id of the same person adds nothing, whatever groups it is in."""
    policy = policy_of(seats)
    doubled = [
        approval(replace(vote.actor, user_id="W" + vote.actor.user_id), at_s=10) for vote in votes
    ]
    assert verdict(policy, [*votes, *doubled]) is verdict(policy, votes)


@given(seats_of, votes_of)
def test_unknown_standing_is_worth_nothing(seats: list[Seat], votes: list[Vote]):
    unknown = [replace(vote, actor=replace(vote.actor, read_at=None)) for vote in votes]
    assert verdict(policy_of(seats), unknown) is verdict(policy_of(seats), [])


@given(seats_of, votes_of, st.randoms(use_true_random=False))
def test_order_of_votes_changes_nothing(seats: list[Seat], votes: list[Vote], chance: Random):
    shuffled = list(votes)
    chance.shuffle(shuffled)
    assert verdict(policy_of(seats), shuffled) is verdict(policy_of(seats), votes)


@given(seats_of, votes_of, votes_of, st.sampled_from(["request_id", "digest"]))
def test_vote_on_anything_else_never_counts(
    seats: list[Seat], votes: list[Vote], others: list[Vote], bound_by: str
):
    """Approvals and denials alike, even when they are somebody's newest act."""
    policy = policy_of(seats)
    stray = [approval(v.actor, at_s=99, **{bound_by: "else"}) for v in others]
    stray += [replace(vote, answer=Answer.DENY) for vote in stray]
    decision = evaluate.decision(policy, ballot(), [*stray, *votes, *stray])
    alone = evaluate.decision(policy, ballot(), votes)
    assert (decision.verdict, decision.counted) == (alone.verdict, alone.counted)


@given(seats_of, votes_of, st.sampled_from(NAMES))
def test_requester_never_counts_whatever_they_say(seats: list[Seat], votes: list[Vote], name: str):
    policy = policy_of(seats)
    asked = ballot(requester=person(f"U0{name.upper()}", "S0RISK", "S0HEAD"))
    others = [vote for vote in votes if vote.actor.person_id != asked.requester.person_id]
    expected = evaluate.decision(policy, asked, others)
    for own in (approval(asked.requester, at_s=99), denial(asked.requester, at_s=99)):
        decision = evaluate.decision(policy, asked, [*others, own])
        assert (decision.verdict, decision.counted) == (expected.verdict, expected.counted)


FACTS = (
    "team_id",
    "groups",
    "is_bot",
    "is_deactivated",
    "is_guest",
    "is_stranger",
    "is_invited",
    "read_at",
)


def without(actor: Actor, fact: str) -> Actor:
    unknown: dict[str, Any] = {fact: None}
    return replace(actor, **unknown)


@given(seats_of, votes_of, st.sampled_from(FACTS))
def test_one_unknown_fact_is_enough_not_to_count(seats: list[Seat], votes: list[Vote], fact: str):
    unknown = [replace(vote, actor=without(vote.actor, fact)) for vote in votes]
    decision = evaluate.decision(policy_of(seats), ballot(), unknown)
    assert decision.counted == ()
    assert len(decision.reasons) >= len(unknown)


@given(seats_of, votes_of)
def test_machines_request_needs_one_more_than_the_fewest(seats: list[Seat], votes: list[Vote]):
    """Oracle: the smallest group of approvers that satisfies a person's request, and one more."""
    policy = policy_of(seats)
    counted = evaluate.decision(policy, ballot(), votes).counted
    able = [vote for vote in votes if vote.actor.person_id in counted]
    fewest = next(
        (
            size
            for size in range(len(able) + 1)
            for some in itertools.combinations(able, size)
            if verdict(policy, some) is Verdict.ALLOWED
        ),
        None,
    )
    machines = evaluate.decision(policy, ballot(requester=GRAFANA), votes)
    is_enough = fewest is not None and len(able) > fewest
    assert (machines.verdict is Verdict.ALLOWED) == is_enough


@given(seats_of, votes_of)
def test_roster_that_satisfies_is_a_roster_that_can(seats: list[Seat], votes: list[Vote]):
    policy = policy_of(seats)
    roster = [vote.actor for vote in votes]
    able = not evaluate.unsatisfiable(policy, [PROD], ALICE, roster)
    assert able == (verdict(policy, votes) is Verdict.ALLOWED)


@given(seats_of, votes_of)
def test_one_eligible_denial_outranks_every_approval(seats: list[Seat], votes: list[Vote]):
    policy = policy_of(seats)
    for denier in evaluate.decision(policy, ballot(), votes).counted:
        said = [
            replace(vote, answer=Answer.DENY) if vote.actor.person_id == denier else vote
            for vote in votes
        ]
        assert verdict(policy, said) is Verdict.DENIED
