"""Who may ask, whose vote counts, and when it is enough.

Owns every judgement about people. Total and pure: deny by default, answers always with reasons.
What is not known about somebody counts against them.

How a request is judged:

* Each account must match a rule, and *every* rule that any account matches must be satisfied.
* A rule's seats are filled by distinct people, at most one seat each: a bipartite matching, because
  someone with two roles may sit on either seat but not on both.
* The requester fills no seat. One approval serves several rules: it is for the whole plan.
* A request by a machine needs one more distinct person than a person's would.
* One eligible denial ends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policies.model import (
    MACHINE,
    UNKNOWN,
    Account,
    Actor,
    ActorKind,
    Answer,
    Decision,
    Policy,
    Reason,
    Rule,
    Seat,
    Verdict,
    Vote,
)


def standing(policy: Policy, actor: Actor) -> tuple[Reason, ...]:
    """Say why this person may not act at all; empty if they may."""
    if actor.kind is ActorKind.MACHINE:
        return (Reason(code="machine", text=f"{actor.name} is a machine: it may ask, not answer."),)
    if actor.read_at is None or actor.groups is None:
        return (Reason(code=UNKNOWN, text=f"Slack cannot say who {actor.name} is."),)
    failed = [reason for is_wrong, reason in _checks(policy, actor) if is_wrong]
    return tuple(failed)


def _checks(policy: Policy, actor: Actor) -> list[tuple[bool, Reason]]:
    """Pair every fact that excludes somebody with its sentence. Unknown is not False."""
    name = actor.name
    is_ours = actor.team_id in policy.workspaces
    return [
        (not is_ours, Reason(code="not_ours", text=f"{name} is not of our workspace.")),
        (actor.is_guest is not False, Reason(code="guest", text=f"{name} is a guest here.")),
        (actor.is_bot is not False, Reason(code="bot", text=f"{name} is a bot.")),
        (
            actor.is_deactivated is not False,
            Reason(code="deactivated", text=f"{name}'s account is deactivated."),
        ),
        (
            actor.is_stranger is not False,
            Reason(code="stranger", text=f"{name} is from another organisation."),
        ),
        (
            actor.is_invited is not False,
            Reason(code="invited", text=f"{name} has not accepted the invitation yet."),
        ),
    ]


def may_ask(policy: Policy, actor: Actor, account: Account) -> tuple[Reason, ...]:
    """Say why this actor may not ask for this account; empty if they may.

    Every rule that matches must name the actor among its askers.
    """
    if actor.kind is ActorKind.PERSON and (failed := standing(policy, actor)):
        return failed
    rules = matching(policy, account)
    if not rules:
        return (Reason(code="no_rule", text=f"No rule of the policy covers {account.name}."),)
    return tuple(
        Reason(
            code="not_asker",
            text=f"Rule {rule.name} lets {', '.join(rule.ask)} ask, not {actor.name}.",
        )
        for rule in rules
        if not _is_asker(policy, actor, rule)
    )


def _is_asker(policy: Policy, actor: Actor, rule: Rule) -> bool:
    if actor.kind is ActorKind.MACHINE:
        return actor.user_id in rule.ask and actor.user_id.startswith(MACHINE)
    return any(holds(policy, actor, role) for role in rule.ask)


def may_break_glass(policy: Policy, actor: Actor, account: Account) -> tuple[Reason, ...]:
    """Say why somebody may not pull alone for this account on a console; empty if they may.

    Every rule that matches must list a role that names this very person: without Slack nobody can
    tell who is in a user group, nor whether somebody is still one of ours. The host vouches for
    who it is, the policy for what they may.
    """
    rules = matching(policy, account)
    if not rules:
        return (Reason(code="no_rule", text=f"No rule of the policy covers {account.name}."),)
    return tuple(
        Reason(
            code="not_listed",
            text=f"Rule {rule.name} lets {', '.join(rule.break_glass) or 'nobody'} break the "
            f"glass, not {actor.name} ({actor.user_id}).",
        )
        for rule in rules
        if not any(actor.user_id in policy.roles[role].users for role in rule.break_glass)
    )


def matching(policy: Policy, account: Account) -> tuple[Rule, ...]:
    """Return the rules that speak of an account, in the policy's order."""
    return tuple(rule for rule in policy.rules if rule.matches(account))


def holds(policy: Policy, actor: Actor, role: str) -> bool:
    """Tell whether somebody has a role: named in it, or in one of its user groups now."""
    found = policy.roles.get(role)
    if found is None:
        return False
    return actor.user_id in found.users or bool(
        actor.groups and not actor.groups.isdisjoint(found.groups)
    )


def may_answer(
    policy: Policy, actor: Actor, accounts: Sequence[Account], requester: Actor
) -> tuple[Reason, ...]:
    """Say why this person's answer cannot count; empty if it can."""
    same_person = actor.person_id == requester.person_id
    same_user = actor.user_id == requester.user_id
    if same_person or same_user:
        text = f"{actor.name} asked for this: somebody else must approve."
        return (Reason(code="requester", text=text),)
    if failed := standing(policy, actor):
        return failed
    rules = _rules(policy, accounts)
    if not any(_can_sit(policy, actor, seat) for rule in rules for seat in rule.approve):
        roles = dict.fromkeys(
            role for rule in rules for seat in rule.approve for role in seat.roles
        )
        text = f"{actor.name} is in none of the roles that approve this: {', '.join(roles)}."
        return (Reason(code="no_role", text=text),)
    return ()


def _can_sit(policy: Policy, actor: Actor, seat: Seat) -> bool:
    return any(holds(policy, actor, role) for role in seat.roles)


def _rules(policy: Policy, accounts: Sequence[Account]) -> tuple[Rule, ...]:
    """Return every rule that any of the accounts matches, once each, in the policy's order."""
    return tuple(rule for rule in policy.rules if any(rule.matches(a) for a in accounts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """What is voted on: one request with one plan."""

    request_id: str
    digest: str
    accounts: tuple[Account, ...]
    requester: Actor


def decision(policy: Policy, ballot: Ballot, votes: Sequence[Vote]) -> Decision:
    """Judge the votes on a ballot.

    The actors in `votes` are the freshest facts about the voters.
    """
    accounts, requester = ballot.accounts, ballot.requester
    if uncovered := _uncovered(policy, accounts):
        return Decision(verdict=Verdict.DENIED, reasons=uncovered)
    bound = [vote for vote in votes if _is_bound(vote, ballot)]
    reasons = [_stray(vote) for vote in votes if not _is_bound(vote, ballot)]
    counted: list[Vote] = []
    for vote in _newest(bound):
        ignored = may_answer(policy, vote.actor, accounts, requester)
        reasons += ignored
        counted += [] if ignored else [vote]
    for vote in counted:
        if vote.answer is Answer.DENY:
            why = f": {vote.reason}" if vote.reason else ", without a reason"
            text = f"{vote.actor.name} denied it{why}."
            return Decision(verdict=Verdict.DENIED, reasons=(Reason(code="denied", text=text),))
    return _fill(policy, ballot, [vote.actor for vote in counted], reasons)


def _uncovered(policy: Policy, accounts: Sequence[Account]) -> tuple[Reason, ...]:
    """Name the accounts that no rule matches; a plan of nothing is covered by nothing."""
    names = [account.name for account in accounts if not matching(policy, account)]
    if accounts and not names:
        return ()
    text = f"No rule of the policy covers {', '.join(names) or 'nothing'}."
    return (Reason(code="no_rule", text=text),)


def _is_bound(vote: Vote, ballot: Ballot) -> bool:
    """Tell whether a vote was cast on this very request and this very plan."""
    same_request = vote.request_id == ballot.request_id
    same_plan = vote.digest == ballot.digest
    return same_request and same_plan


def _stray(vote: Vote) -> Reason:
    text = f"{vote.actor.name} answered another request or plan: that does not count here."
    return Reason(code="stray", text=text)


def _newest(votes: Sequence[Vote]) -> list[Vote]:
    """Keep each person's newest vote: one person is one voter, under however many user ids."""
    newest: dict[str, Vote] = {}
    for vote in sorted(votes, key=lambda vote: vote.at):
        newest[vote.actor.person_id] = vote
    return list(newest.values())


def _fill(
    policy: Policy, ballot: Ballot, approvers: Sequence[Actor], reasons: Sequence[Reason]
) -> Decision:
    """Fill the seats of every rule with the approvers there are."""
    rules = _rules(policy, ballot.accounts)
    open_seats = _open_seats(policy, rules, approvers)
    if not open_seats and _lacks_spare(policy, rules, ballot.requester, approvers):
        open_seats = ["1 more, because a machine asked"]
    verdict = Verdict.PENDING if open_seats else Verdict.ALLOWED
    missing = [Reason(code="seat_open", text=f"Still needed: {seat}.") for seat in open_seats]
    return Decision(
        verdict=verdict,
        reasons=(*reasons, *missing),
        counted=tuple(actor.person_id for actor in approvers),
        open_seats=tuple(open_seats),
    )


def _open_seats(policy: Policy, rules: Sequence[Rule], actors: Sequence[Actor]) -> list[str]:
    return [seat for rule in rules for seat in _open(rule, _seated(policy, rule, actors))]


def _lacks_spare(
    policy: Policy, rules: Sequence[Rule], requester: Actor, actors: Sequence[Actor]
) -> bool:
    """Tell whether a machine asked and every one of these people is needed for the seats.

    Counting would not do: two rules with one seat each may need two people or one.
    """
    if requester.kind is not ActorKind.MACHINE:
        return False
    return all(
        _open_seats(policy, rules, [other for other in actors if other is not actor])
        for actor in actors
    )


def _seated(policy: Policy, rule: Rule, actors: Sequence[Actor]) -> Mapping[int, str]:
    """Seat as many people as possible, one seat each: seat number to person id."""
    seats = _seats(rule)
    taken: dict[int, int] = {}

    def place(person: int, tried: set[int]) -> bool:
        for number, seat in enumerate(seats):
            if number in tried or not _can_sit(policy, actors[person], seat):
                continue
            tried.add(number)
            if number not in taken or place(taken[number], tried):
                taken[number] = person
                return True
        return False

    for person in range(len(actors)):
        place(person, set())
    return {number: actors[person].person_id for number, person in taken.items()}


def _seats(rule: Rule) -> list[Seat]:
    """Return a rule's seats one by one: a seat of count two stands twice."""
    return [seat for seat in rule.approve for _ in range(seat.count)]


def _open(rule: Rule, seated: Mapping[int, str]) -> list[str]:
    """Describe the seats that nobody fills: `2 of risk, head (rule prod)`."""
    counts: dict[tuple[str, ...], int] = {}
    for number, seat in enumerate(_seats(rule)):
        if number not in seated:
            counts[seat.roles] = counts.get(seat.roles, 0) + 1
    return [f"{count} of {', '.join(roles)} (rule {rule.name})" for roles, count in counts.items()]


def unsatisfiable(
    policy: Policy, accounts: Sequence[Account], requester: Actor, roster: Sequence[Actor]
) -> tuple[Reason, ...]:
    """Name the rules that nobody but the requester could satisfy, given everybody in the roles."""
    if uncovered := _uncovered(policy, accounts):
        return uncovered
    able = _able(policy, accounts, requester, roster)
    rules = _rules(policy, accounts)
    found = [
        Reason(
            code="unsatisfiable",
            text=f"Nobody can fill {seat}: this request cannot be approved.",
        )
        for seat in _open_seats(policy, rules, able)
    ]
    if not found and _lacks_spare(policy, rules, requester, able):
        text = "Too few people can approve a machine's request."
        found.append(Reason(code="unsatisfiable", text=text))
    return tuple(found)


def _able(
    policy: Policy, accounts: Sequence[Account], requester: Actor, roster: Sequence[Actor]
) -> list[Actor]:
    by_person = {actor.person_id: actor for actor in roster}
    return [
        actor for actor in by_person.values() if not may_answer(policy, actor, accounts, requester)
    ]


def clocks(policy: Policy, accounts: Sequence[Account]) -> tuple[float, float]:
    """Return (request life, consent) in seconds: the shortest of the rules that match.

    Raises:
        ValueError: no rule matches any of the accounts, so nobody could have asked for them.
    """
    rules = _rules(policy, accounts)
    ttl_min = min(rule.request_ttl_min for rule in rules)
    return 60 * ttl_min, 60 * min(rule.consent_min for rule in rules)
