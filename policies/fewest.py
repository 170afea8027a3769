"""How few people it takes: the smallest group whose approvals a request would need.

Owns `fewest()` and `askers()`. Total and pure; every group that it names has been put to
`policies.evaluate`, which alone judges.

The fewest people who fill the seats of several rules are a smallest hitting set with a matching
inside each rule: dear in general, cheap for a desk. People with the same roles are interchangeable,
so groups of roles are tried, the smallest first, and no more than `GROUPS_MAX` of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policies import evaluate
from policies.model import Account, Actor, Policy

GROUPS_MAX = 2_000
"""Groups that are tried for one asker; a policy that needs more is answered with "at most"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fewest:
    """One smallest way to get a request approved."""

    asker: Actor
    approvers: tuple[Actor, ...]
    """Sorted by name; empty where nobody needs to agree."""
    is_least: bool = True
    """False: the search was cut, and fewer might suffice."""

    @property
    def people(self) -> int:
        """How many it takes, the asker among them."""
        return 1 + len(self.approvers)


def askers(
    policy: Policy, accounts: Sequence[Account], roster: Sequence[Actor]
) -> tuple[Actor, ...]:
    """Return who may ask for all of these accounts in one request, in the roster's order."""
    kinds = _one_of_each(policy, accounts)
    return tuple(
        actor
        for actor in roster
        if kinds and not any(evaluate.may_ask(policy, actor, account) for account in kinds)
    )


def fewest(
    policy: Policy,
    accounts: Sequence[Account],
    roster: Sequence[Actor],
    *,
    groups_max: int = GROUPS_MAX,
) -> Fewest | None:
    """Find who could get a request for all of these accounts approved, with the fewest approvers.

    Args:
        policy: judges them.
        accounts: all that the request is for.
        roster: everybody in the policy's roles, as Slack shows them now.
        groups_max: how many groups are tried for one asker.

    Returns:
        None if nobody could: nobody may ask for all of it, or seats stay open.
    """
    kinds = _one_of_each(policy, accounts)
    people = tuple({actor.person_id: actor for actor in roster}.values())
    found: list[Fewest] = []
    seen: set[frozenset[str]] = set()
    for asker in askers(policy, kinds, people):
        roles = _roles(policy, asker)
        if roles not in seen:  # Whoever has the same roles would need the same approvers.
            seen.add(roles)
            least = _least(policy, kinds, (asker, people), groups_max=groups_max)
            found += [] if least is None else [least]
    return min(found, key=lambda each: each.people, default=None)


def _least(
    policy: Policy,
    kinds: Sequence[Account],
    who: tuple[Actor, Sequence[Actor]],
    *,
    groups_max: int,
) -> Fewest | None:
    """Find the fewest approvers for one asker among these people."""
    asker, people = who

    def suffice(group: Sequence[Actor]) -> bool:
        return not evaluate.unsatisfiable(policy, kinds, asker, group)

    able = [each for each in people if not evaluate.may_answer(policy, each, kinds, asker)]
    if not suffice(able):
        return None
    best, is_least = able, True
    for each in reversed(able):  # None of those who are left could be spared.
        without = [other for other in best if other is not each]
        best = without if suffice(without) else best
    for number, group in enumerate(_groups(policy, able, below=len(best))):
        if number >= groups_max:
            is_least = False
            break
        if suffice(group):
            best = list(group)
            break
    approvers = tuple(sorted(best, key=lambda actor: actor.name))
    return Fewest(asker=asker, approvers=approvers, is_least=is_least)


def _groups(policy: Policy, able: Sequence[Actor], *, below: int) -> Iterator[tuple[Actor, ...]]:
    """Yield groups of fewer people than that, one for each choice of roles, the smallest first."""
    alike: dict[frozenset[str], list[Actor]] = {}
    for actor in able:
        alike.setdefault(_roles(policy, actor), []).append(actor)
    kinds = list(alike.values())
    for size in range(below):
        for counts in _shares([len(people) for people in kinds], size):
            yield tuple(
                actor
                for people, count in zip(kinds, counts, strict=True)
                for actor in people[:count]
            )


def _shares(limits: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    """Yield each way to share `size` out over places that hold so many at most."""
    if not limits:
        yield ()
        return
    first, *others = limits
    for count in range(min(first, size), max(0, size - sum(others)) - 1, -1):
        for rest in _shares(others, size - count):
            yield (count, *rest)


def _roles(policy: Policy, actor: Actor) -> frozenset[str]:
    return frozenset(role for role in policy.roles if evaluate.holds(policy, actor, role))


def _one_of_each(policy: Policy, accounts: Sequence[Account]) -> tuple[Account, ...]:
    """Keep one account for each set of rules: those of a kind are judged alike."""
    kinds = {frozenset(r.name for r in evaluate.matching(policy, a)): a for a in accounts}
    return tuple(kinds.values())
