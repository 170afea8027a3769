"""Who may ask, whose vote counts, and when it is enough."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from policies import evaluate, model
from policies.model import Actor, Decision, Verdict, Vote
from tests.policies.people import (
    ALICE,
    BOB,
    CAROL,
    GRAFANA,
    HEAD,
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


def test_requester_under_another_person_id_is_still_the_requester():
    """Slack may leave the Enterprise id out of one answer and not out of the next."""
    asked = person("U0BOB", "S0TRADERS", "S0RISK", person_id="E0BOB")
    decision = decide([approval(BOB)], requester=asked)
    assert decision.verdict is Verdict.PENDING
    assert texts(decision)[0] == "bob asked for this: somebody else must approve."


def test_requester_cannot_deny_either():
    """Who changes their mind withdraws; a denial is somebody else's word."""
    asked = person("U0ALICE", "S0TRADERS", "S0RISK")
    decision = decide([denial(asked, "oops"), approval(BOB)], requester=asked)
    assert decision.verdict is Verdict.ALLOWED
    assert texts(decision) == ["alice asked for this: somebody else must approve."]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"team_id": "T0PARTNER"}, "bob is not of our workspace."),
        ({"is_guest": True}, "bob is a guest here."),
        ({"is_bot": True}, "bob is a bot."),
        ({"is_deactivated": True}, "bob's account is deactivated."),
        ({"is_stranger": True}, "bob is from another organisation."),
        ({"is_invited": True}, "bob has not accepted the invitation yet."),
        ({"read_at": None}, "Slack cannot say who bob is."),
        ({"groups": None}, "Slack cannot say who bob is."),
    ],
    ids=str,
)
def test_every_exclusion_is_said_to_a_person(facts: dict[str, object], said: str):
    odd = person("U0BOB", **({"groups": frozenset({"S0RISK"})} | facts))
    assert [reason.text for reason in evaluate.standing(POLICY, odd)] == [said]
    assert texts(decide([approval(odd), approval(CAROL)])) == [said]


def test_all_that_is_wrong_with_somebody_is_said_at_once():
    odd = replace(BOB, is_guest=True, is_deactivated=True, team_id="T0PARTNER")
    assert [reason.code for reason in evaluate.standing(POLICY, odd)] == [
        "not_ours",
        "guest",
        "deactivated",
    ]


def test_nothing_is_wrong_with_somebody_of_ours():
    assert evaluate.standing(POLICY, BOB) == ()


def test_listed_workspace_of_the_same_organisation_is_ours():
    sibling = replace(BOB, team_id="T0SIBLING")
    policy = model.parse(TEXT.replace('["T0HOME"]', '["T0HOME", "T0SIBLING"]'))
    assert evaluate.standing(POLICY, sibling)[0].code == "not_ours"
    assert evaluate.decision(policy, ballot(), [approval(sibling)]).verdict is Verdict.ALLOWED


def test_role_comes_by_user_id_or_by_group():
    assert evaluate.holds(POLICY, HEAD, "head")
    assert evaluate.holds(POLICY, BOB, "risk")
    assert not evaluate.holds(POLICY, BOB, "head")
    assert not evaluate.holds(POLICY, replace(BOB, groups=None), "risk")


def test_stray_votes_are_reported_not_dropped():
    said = "bob answered another request or plan: that does not count here."
    for stray in (approval(BOB, request_id="ZZZZZ"), approval(BOB, digest="e" * 64)):
        assert texts(decide([stray])) == [said, "Still needed: 1 of risk, head (rule prod)."]


def test_stray_denial_ends_nothing():
    stray = approval(CAROL, request_id="ZZZZZ", answer=model.Answer.DENY)
    assert decide([stray, approval(BOB)]).verdict is Verdict.ALLOWED


def test_stray_vote_does_not_replace_an_older_one_on_this_plan():
    stray = approval(BOB, digest="e" * 64, at_s=9)
    assert decide([approval(BOB), stray]).verdict is Verdict.ALLOWED


def test_ignored_votes_and_open_seats_are_both_said():
    decision = decide([approval(replace(BOB, is_guest=True)), approval(person("U0DAVE"))], WHALE)
    assert texts(decision) == [
        "bob is a guest here.",
        "dave is in none of the roles that approve this: risk, head.",
        "Still needed: 1 of risk (rule big).",
        "Still needed: 1 of head (rule big).",
    ]
    assert decision.counted == ()


def test_newest_facts_about_a_voter_are_the_ones_judged():
    """Who approved as a member and was read again as a guest does not count any more."""
    decision = decide([approval(BOB), approval(replace(BOB, is_guest=True), at_s=1)])
    assert decision.verdict is Verdict.PENDING


def test_seats_of_the_same_roles_are_counted_together():
    policy = model.parse(
        TEXT.replace(
            'approve = [{ roles = ["risk"] }, { roles = ["head"] }]',
            'approve = [{ roles = ["risk"], count = 3 }]',
        )
    )
    decision = evaluate.decision(policy, ballot(WHALE), [approval(BOB)])
    assert decision.open_seats == ("2 of risk (rule big)",)


def test_seats_are_filled_whatever_the_order_of_votes():
    """Head may sit on either seat, Bob only on the first: Head must make room."""
    both = person("U0HEAD", "S0RISK")
    for order in ([approval(both), approval(BOB)], [approval(BOB), approval(both)]):
        assert decide(order, WHALE).verdict is Verdict.ALLOWED


def test_asker_must_be_named_by_every_rule_that_matches():
    narrow = TEXT.replace(
        'accounts = ["whale"]\nask = ["traders", "machine:grafana"]',
        'accounts = ["whale"]\nask = ["head"]',
    )
    policy = model.parse(narrow)
    both = model.Account(name="whale", venue="bybit", tags=(("env", "prod"),))
    assert [r.text for r in evaluate.may_ask(policy, ALICE, both)] == [
        "Rule big lets head ask, not alice."
    ]


def test_machines_request_needs_somebody_beyond_those_who_fill_the_seats():
    """Two rules with one seat each need two people here, so a machine's request needs three."""
    split = model.parse(
        TEXT.replace('[{ roles = ["risk", "head"] }]', '[{ roles = ["risk"] }]').replace(
            '[{ roles = ["risk"] }, { roles = ["head"] }]', '[{ roles = ["head"] }]'
        )
    )
    asked = ballot(PROD, WHALE, requester=GRAFANA)
    two = [approval(BOB), approval(HEAD)]
    assert evaluate.decision(split, ballot(PROD, WHALE), two).verdict is Verdict.ALLOWED
    decision = evaluate.decision(split, asked, two)
    assert decision.verdict is Verdict.PENDING
    assert decision.open_seats == ("1 more, because a machine asked",)
    assert evaluate.decision(split, asked, [*two, approval(CAROL)]).verdict is Verdict.ALLOWED
    few = evaluate.unsatisfiable(split, [PROD, WHALE], GRAFANA, [BOB, HEAD])
    assert [reason.code for reason in few] == ["unsatisfiable"]
    assert evaluate.unsatisfiable(split, [PROD, WHALE], GRAFANA, [BOB, HEAD, CAROL]) == ()


def test_accounts_that_no_rule_matches_are_unsatisfiable():
    said = [r.text for r in evaluate.unsatisfiable(POLICY, [PROD, ORPHAN], ALICE, [BOB])]
    assert said == ["No rule of the policy covers orphan."]
    nothing = [r.text for r in evaluate.unsatisfiable(POLICY, [], GRAFANA, [BOB])]
    assert nothing == ["No rule of the policy covers nothing."]


def test_one_person_stands_once_on_the_roster():
    """Two user ids of one person cannot fill the two seats of a rule between them."""
    head = person("U0HEAD", "S0RISK", person_id="E0X")
    twin = person("U0OTHER", "S0RISK", person_id="E0X")
    reasons = evaluate.unsatisfiable(POLICY, [WHALE], ALICE, [twin, head])
    assert [reason.code for reason in reasons] == ["unsatisfiable"]


def test_clocks_of_accounts_that_no_rule_matches_do_not_exist():
    with pytest.raises(ValueError, match="empty"):
        evaluate.clocks(POLICY, [ORPHAN])


def test_account_matches_only_the_rules_that_speak_of_it():
    assert [rule.name for rule in evaluate.matching(POLICY, WHALE)] == ["big"]
    assert evaluate.matching(POLICY, ORPHAN) == ()


def test_open_seats_of_a_machines_request_are_named_before_the_extra_person():
    decision = decide([], requester=GRAFANA)
    assert decision.open_seats == ("1 of risk, head (rule prod)",)
    said = [r.text for r in evaluate.unsatisfiable(POLICY, [WHALE], GRAFANA, [BOB])]
    assert said == ["Nobody can fill 1 of head (rule big): this request cannot be approved."]


def test_a_pull_needs_every_rule_that_matches_to_list_the_very_person():
    policy = model.parse(
        TEXT.replace('ask = ["traders"', 'break_glass = ["head"]\nask = ["traders"')
    )
    assert evaluate.may_break_glass(policy, HEAD, PROD) == ()
    (no_rule,) = evaluate.may_break_glass(policy, HEAD, ORPHAN)
    assert no_rule.text == "No rule of the policy covers orphan."
    (not_listed,) = evaluate.may_break_glass(policy, BOB, PROD)
    assert not_listed.text == "Rule prod lets head break the glass, not bob (U0BOB)."
    (nobody,) = evaluate.may_break_glass(POLICY, HEAD, PROD)
    assert nobody.text == "Rule prod lets nobody break the glass, not head (U0HEAD)."
