"""Whether the policy can be satisfied by the people there are, and who may break the glass.

Owns these findings. Pure: people come as Slack showed them; `policies` judges them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from bot.checks.slate import Spot
from bot.config import Config
from bot.domain.finding import SHOWN_MAX, Finding, Grade, listed
from policies import evaluate
from policies import fewest as quorums
from policies.model import Account, Actor, ActorKind, Policy

EDIT = "Mend the policy, or add people to its roles."


def of_people(config: Config, roster: Sequence[Actor]) -> Iterator[Finding]:
    """Say which accounts nobody could empty, and how few people `all` needs.

    Args:
        config: its policy and accounts.
        roster: everybody in the policy's roles, with the user groups that they are in.
    """
    policy = config.policy
    accounts = [account.for_policy() for account in config.accounts]
    kinds: dict[tuple[str, ...], list[Account]] = {}
    for account in accounts:
        rules = tuple(rule.name for rule in evaluate.matching(policy, account))
        kinds.setdefault(rules, []).append(account)
    found = [f for rules, group in kinds.items() for f in _of_kind(policy, rules, group, roster)]
    yield from found
    if not any(finding.grade is Grade.WRONG for finding in found):
        yield _of_all(policy, accounts, roster)
    yield from _of_roles(policy, roster)


def _of_kind(
    policy: Policy, rules: tuple[str, ...], accounts: Sequence[Account], roster: Sequence[Actor]
) -> Iterator[Finding]:
    """Say who of those who may ask could get these accounts, of the same rules, approved."""
    names, judged = tuple(account.name for account in accounts), accounts[:1]
    spot = Spot(part="policy", about=f"rule {', '.join(rules)}", accounts=names)
    askers = quorums.askers(policy, judged, roster)
    if not askers:
        text = f"nobody who is left in its roles may ask for {listed(names)}"
        yield spot.wrong("ask", text, EDIT)
        return
    stuck = {
        actor.name: reasons
        for actor in askers
        if (reasons := evaluate.unsatisfiable(policy, judged, actor, roster))
    }
    if len(stuck) == len(askers):
        (reasons, *_) = stuck.values()
        text = f"{reasons[0].text.split(':')[0]}, whoever asks"
        yield spot.wrong("seats", text, EDIT)
    elif stuck:
        text = f"if {listed(sorted(stuck))} asks, nobody is left to approve"
        remedy = "Add somebody else to the roles that approve."
        yield spot.warning(f"spare {' '.join(sorted(stuck))}", text, remedy)
    else:
        who = listed(sorted(actor.name for actor in askers))
        needs = any(rule.approve for rule in evaluate.matching(policy, judged[0]))
        then = "others can approve" if needs else "nobody needs to agree"
        yield spot.fine("seats", f"{who} may ask, and {then}")


def _of_all(policy: Policy, accounts: Sequence[Account], roster: Sequence[Actor]) -> Finding:
    spot = Spot(part="policy", about="all")
    found = quorums.fewest(policy, accounts, roster)
    if found is not None:
        who = f"{found.asker.name} asks"
        if found.approvers:
            who += f", {listed([actor.name for actor in found.approvers])} approve"
            who += "s" if len(found.approvers) == 1 else ""
        people = "person suffices" if found.people == 1 else "people suffice"
        bound = "at least" if found.is_least else "or fewer"
        return spot.fine("fewest", f"{found.people} {people} {bound} ({who})")
    askers = quorums.askers(policy, accounts, roster)
    if askers:
        text = f"{listed([a.name for a in askers])} may ask for all, and nobody could approve that"
        return spot.wrong("fewest", text, EDIT)
    text = "nobody may ask for every account in one request: /cancelall all means only one's own"
    return spot.warning("fewest", text, "See to it that those who may ask are on duty together.")


def _of_roles(policy: Policy, roster: Sequence[Actor]) -> Iterator[Finding]:
    """Name those who stand in a role and do not count there."""
    for name, role in policy.roles.items():
        spot = Spot(part="policy", about=f"role {name}")
        held = [actor for actor in roster if evaluate.holds(policy, actor, name)]
        if idle := sorted(why for actor in held if (why := _unfit(policy, actor))):
            text = f"these do not count: {'; '.join(idle[:SHOWN_MAX])}"
            yield spot.warning(
                f"idle {' '.join(idle)}", text, "Take them out, so that nobody waits for them."
            )
        known = {actor.user_id for actor in roster}
        if strangers := sorted(set(role.users) - known):
            text = f"Slack knows nobody as {listed(strangers)}"
            yield spot.wrong(
                f"users {' '.join(strangers)}",
                text,
                "Mend the ids: a member's profile shows theirs.",
            )


def _unfit(policy: Policy, actor: Actor) -> str:
    """Say why somebody may not act at all; empty if they may.

    Slack leaves out whether those who have left were guests, which then counts against them too.
    """
    reasons = evaluate.standing(policy, actor)
    told = min(reasons, key=lambda reason: reason.code != "deactivated", default=None)
    return "" if told is None else told.text.rstrip(".")


def of_consoles(
    policy: Policy, people: Mapping[str, str], accounts: Sequence[Account]
) -> Iterator[Finding]:
    """Say who could pull on a console if Slack were gone.

    Args:
        policy: its rules list who may.
        people: users of this host and the Slack ids of the same persons.
        accounts: all of the config.
    """
    listed_ids = _break_glass(policy)
    mapped = set(people.values())
    spot = Spot(part="policy", about="break glass")
    for user, person in people.items():
        if person not in listed_ids:
            mine = Spot(part="policy", about=f"break glass, {user}")
            remedy = "Take the line out of [console] people, or add the person to such a role."
            yield mine.warning("listed", f"no rule lets {person} break the glass", remedy)
    if unmapped := sorted(listed_ids - mapped):
        remedy = 'Add a line for each under [console] people: osuser = "U…".'
        text = f"no user of this host stands for {listed(unmapped)}"
        yield spot.warning("mapped", text, remedy)
    missed = [a.name for a in accounts if not _pullers(policy, mapped, a)]
    if missed:
        yield Spot(part="policy", about="break glass", accounts=tuple(missed)).warning(
            "pull",
            f"nobody could pull {listed(missed)} here if Slack were gone",
            "Give every rule a break_glass role that names people, and map them under [console].",
        )
    else:
        able = [user for user, person in people.items() if person in listed_ids]
        yield spot.fine("pull", f"{listed(sorted(able))} may pull on this host")


def _break_glass(policy: Policy) -> set[str]:
    roles = {role for rule in policy.rules for role in rule.break_glass}
    return {user for role in roles for user in policy.roles[role].users}


def _pullers(policy: Policy, mapped: Collection[str], account: Account) -> list[str]:
    """Return who of those who are mapped may pull an account."""
    people = [
        Actor(user_id=user, person_id=user, name=user, kind=ActorKind.PERSON) for user in mapped
    ]
    return [p.user_id for p in people if not evaluate.may_break_glass(policy, p, account)]
