"""Who may ask, whose vote counts, and when it is enough."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import evaluate, model
from policies.model import Actor, Decision, Seat, Verdict, Vote
from tests.policies.people import (
    ALICE,
    BOB,
    CAROL,
    GRAFANA,
    HEAD,
    NOW,
    ORPHAN,
    PAPER,
    POLICY,
    PROD,
    TEXT,
    WHALE,
    approval,
    ballot,
    denial,
    person,
)


def decide(votes: Sequence[Vote], *accounts: model.Account, requester: Actor = ALICE) -> Decision:
    return evaluate.decision(POLICY, ballot(*accounts, requester=requester), votes)


def texts(decision: Decision) -> list[str]:
    return [reason.text for reason in decision.reasons]


def test_one_eligible_approval_fills_one_seat():
    decision = decide([approval(BOB)])
    assert decision.verdict is Verdict.ALLOWED
    assert decision.counted == ("U0BOB",)
    assert decision.open_seats == ()


def test_no_votes_leave_the_seat_open():
    decision = decide([])
    assert decision.verdict is Verdict.PENDING
    assert decision.open_seats == ("1 of risk, head (rule prod)",)
    assert texts(decision) == ["Still needed: 1 of risk, head (rule prod)."]


def test_requester_never_counts_towards_quorum():
    both = person("U0ALICE", "S0TRADERS", "S0RISK")
    decision = decide([approval(both)], requester=both)
    assert decision.verdict is Verdict.PENDING
    assert texts(decision)[0] == "alice asked for this: somebody else must approve."


def test_requester_under_another_user_id_is_still_the_requester():
    double = person("W0ALICE", "S0RISK", person_id="U0ALICE")
    assert decide([approval(double)]).verdict is Verdict.PENDING


def test_one_person_fills_one_seat_even_with_both_roles():
    both = person("U0HEAD", "S0RISK")
    assert decide([approval(both)], WHALE).verdict is Verdict.PENDING
    assert decide([approval(both), approval(BOB)], WHALE).verdict is Verdict.ALLOWED


def test_one_person_under_two_user_ids_is_one():
    twin = person("W0BOB", "S0RISK", person_id="U0BOB")
    rule = TEXT.replace(
        'approve = [{ roles = ["risk", "head"] }]', 'approve = [{ roles = ["risk"], count = 2 }]'
    )
    policy = model.parse(rule)
    decision = evaluate.decision(policy, ballot(), [approval(BOB), approval(twin, at_s=1)])
    assert decision.verdict is Verdict.PENDING
    assert (
        evaluate.decision(policy, ballot(), [approval(BOB), approval(CAROL)]).verdict
        is Verdict.ALLOWED
    )


def test_outsider_never_counts():
    outsider = replace(BOB, team_id="T0PARTNER")
    decision = decide([approval(outsider)])
    assert decision.verdict is Verdict.PENDING
    assert texts(decision)[0] == "bob is not of our workspace."


def test_guest_never_counts():
    decision = decide([approval(replace(BOB, is_guest=True))])
    assert decision.verdict is Verdict.PENDING
    assert texts(decision)[0] == "bob is a guest here."


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"is_bot": True}, "bot"),
        ({"is_deactivated": True}, "deactivated"),
        ({"is_stranger": True}, "stranger"),
        ({"is_invited": True}, "invited"),
        ({"is_guest": None}, "guest"),
        ({"is_bot": None}, "bot"),
        ({"is_deactivated": None}, "deactivated"),
        ({"is_stranger": None}, "stranger"),
        ({"is_invited": None}, "invited"),
        ({"team_id": None}, "not_ours"),
        ({"groups": None}, "unknown"),
        ({"read_at": None}, "unknown"),
    ],
    ids=str,
)
def test_whatever_excludes_or_is_not_known_does_not_count(facts: dict[str, object], code: str):
    odd = person("U0BOB", **({"groups": frozenset({"S0RISK"})} | facts))
    assert evaluate.standing(POLICY, odd)[0].code == code
    assert decide([approval(odd)]).verdict is Verdict.PENDING


def test_vote_for_another_request_does_not_count():
    assert decide([approval(BOB, request_id="ZZZZZ")]).verdict is Verdict.PENDING


def test_vote_for_another_plan_does_not_count():
    assert decide([approval(BOB, digest="e" * 64)]).verdict is Verdict.PENDING


def test_yesterdays_vote_on_the_same_command_does_not_count_today():
    """The digest binds the request's id, so the same plan asked again has another digest."""
    from bot.domain import plan as plans
    from tests.fakes.run import target

    plan = plans.Plan(targets=(target("mm"),))
    yesterday = plans.digest(plan, request_id="AAAAA")
    assert yesterday != plans.digest(plan, request_id="K7Q2M")
    vote = approval(BOB, request_id="AAAAA", digest=yesterday)
    assert decide([vote]).verdict is Verdict.PENDING


def test_newest_act_of_a_person_wins():
    assert decide([approval(BOB, at_s=0), denial(BOB, at_s=5)]).verdict is Verdict.DENIED
    assert decide([denial(BOB, at_s=0), approval(BOB, at_s=5)]).verdict is Verdict.ALLOWED


def test_one_eligible_denial_ends_it_with_its_reason():
    decision = decide([approval(BOB), denial(CAROL, "we are hedging")])
    assert decision.verdict is Verdict.DENIED
    assert texts(decision) == ["carol denied it: we are hedging."]
    assert texts(decide([denial(CAROL)])) == ["carol denied it, without a reason."]


def test_denial_of_somebody_ineligible_is_ignored_and_said():
    decision = decide([denial(replace(BOB, is_guest=True)), approval(CAROL)])
    assert decision.verdict is Verdict.ALLOWED
    assert texts(decision) == ["bob is a guest here."]


def test_account_that_no_rule_matches_is_denied():
    decision = decide([approval(BOB)], PROD, ORPHAN)
    assert decision.verdict is Verdict.DENIED
    assert texts(decision) == ["No rule of the policy covers orphan."]


def test_plan_without_accounts_is_denied():
    empty = replace(ballot(), accounts=())
    assert evaluate.decision(POLICY, empty, [approval(BOB)]).verdict is Verdict.DENIED


def test_one_approval_serves_several_rules_but_every_rule_must_be_satisfied():
    assert decide([approval(BOB)], PROD, WHALE).open_seats == ("1 of head (rule big)",)
    assert decide([approval(BOB), approval(HEAD)], PROD, WHALE).verdict is Verdict.ALLOWED


def test_empty_approve_lets_one_person_act_alone():
    assert decide([], PAPER).verdict is Verdict.ALLOWED


def test_machines_request_needs_one_more_person():
    assert decide([], PAPER, requester=GRAFANA).verdict is Verdict.PENDING
    one = decide([approval(BOB)], requester=GRAFANA)
    assert one.open_seats == ("1 more, because a machine asked",)
    two = decide([approval(BOB), approval(CAROL)], requester=GRAFANA)
    assert two.verdict is Verdict.ALLOWED


def test_machine_may_ask_where_it_is_named_and_never_answer():
    assert evaluate.may_ask(POLICY, GRAFANA, PROD) == ()
    other = replace(GRAFANA, user_id="machine:cron", name="cron")
    assert evaluate.may_ask(POLICY, other, PROD)[0].code == "not_asker"
    disguised = replace(GRAFANA, user_id="traders")
    assert evaluate.may_ask(POLICY, disguised, PROD)[0].code == "not_asker"
    assert evaluate.may_answer(POLICY, GRAFANA, [PROD], ALICE)[0].code == "machine"


def test_who_may_ask_is_said_with_reasons():
    assert evaluate.may_ask(POLICY, ALICE, PROD) == ()
    assert evaluate.may_ask(POLICY, BOB, PROD)[0].text == (
        "Rule prod lets traders, machine:grafana ask, not bob."
    )
    assert evaluate.may_ask(POLICY, ALICE, ORPHAN)[0].code == "no_rule"
    assert evaluate.may_ask(POLICY, replace(ALICE, is_guest=True), PROD)[0].code == "guest"


def test_bystander_may_not_answer():
    reasons = evaluate.may_answer(POLICY, person("U0DAVE"), [PROD], ALICE)
    assert reasons[0].text == "dave is in none of the roles that approve this: risk, head."


def test_role_that_the_policy_does_not_know_is_held_by_nobody():
    assert not evaluate.holds(POLICY, BOB, "nobody")


def test_unsatisfiable_rules_are_named():
    reasons = evaluate.unsatisfiable(POLICY, [WHALE], ALICE, [BOB, CAROL])
    assert [r.text for r in reasons] == [
        "Nobody can fill 1 of head (rule big): this request cannot be approved."
    ]
    assert evaluate.unsatisfiable(POLICY, [WHALE], ALICE, [BOB, HEAD]) == ()
    assert evaluate.unsatisfiable(POLICY, [PROD], BOB, [BOB])[0].code == "unsatisfiable"
    few = evaluate.unsatisfiable(POLICY, [PROD], GRAFANA, [BOB])
    assert few[0].text == "Too few people can approve a machine's request."


def test_shortest_clocks_of_the_matching_rules_hold():
    assert evaluate.clocks(POLICY, [PROD]) == (600.0, 600.0)
    assert evaluate.clocks(POLICY, [PROD, WHALE]) == (300.0, 180.0)


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


def test_facts_are_judged_as_of_now():
    assert NOW.tzinfo is not None
