"""The words of policies, and the policy file.

Owns `Account`, `Actor`, `Vote`, `Reason`, `Decision` and `Policy` with `parse()`. Pure: reads no
file and no clock. `policies.evaluate` judges. Unknown keys are refused; an absent rule denies.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from policies.explain import PolicyInvalid, explain, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What policies need to know of an account."""

    name: str
    venue: str
    tags: tuple[tuple[str, str], ...] = ()


class ActorKind(Enum):
    """What acts: a human being, or an alert or workflow."""

    PERSON = "person"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Facts about who acts, never a judgement. None means: not known, and so: deny."""

    user_id: str
    """Slack user id, or `machine:grafana`."""
    person_id: str
    """One per human being: the Enterprise id where there is one, else the user id."""
    name: str
    kind: ActorKind = ActorKind.PERSON
    team_id: str | None = None
    """Workspace of the *clicker*, as Slack signed it."""
    groups: frozenset[str] | None = None
    """Slack user groups that this person is in now; None: could not be read."""
    is_bot: bool | None = None
    is_deactivated: bool | None = None
    is_guest: bool | None = None
    is_stranger: bool | None = None
    is_invited: bool | None = None
    read_at: datetime | None = None
    """When these facts were read; None: they could not be."""


class Answer(Enum):
    """What a vote says."""

    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One answer of one person to one request with one digest."""

    request_id: str
    digest: str
    actor: Actor
    """The voter as last read."""
    answer: Answer
    at: datetime
    reason: str = ""


UNKNOWN = "unknown"
"""The code of a reason that is no judgement: Slack cannot say who somebody is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why: a code for tests and telemetry, a sentence for a person."""

    code: str
    text: str


class Verdict(Enum):
    """How a decision stands."""

    ALLOWED = "allowed"
    PENDING = "pending"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict with its reasons."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    """Also names votes that were ignored, and why."""
    counted: tuple[str, ...] = ()
    """Person ids whose approvals count."""
    open_seats: tuple[str, ...] = ()
    """What is still needed, such as `1 of risk, head (rule prod)`."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


UserId = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,}$")]
GroupId = Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{2,}$")]
TeamId = Annotated[str, StringConstraints(pattern=r"^T[A-Z0-9]{2,}$")]
MACHINE = "machine:"
EVERY = "*"


class Role(_Strict):
    """A set of Slack users and user groups."""

    users: tuple[UserId, ...] = ()
    groups: tuple[GroupId, ...] = ()


class Seat(_Strict):
    """How many distinct people of which roles must approve."""

    roles: tuple[str, ...] = Field(min_length=1)
    count: int = Field(default=1, ge=1, le=10, strict=True)


class Rule(_Strict):
    """Who may ask for which accounts, and who must approve."""

    name: str = Field(min_length=1)
    accounts: tuple[str, ...] = Field(default=(), min_length=1)
    """Left out, a criterion is met by every account; an empty one would read as "none"."""
    venues: tuple[str, ...] = Field(default=(), min_length=1)
    tags: Mapping[str, str] = Field(default_factory=dict, min_length=1)
    """All must match."""
    ask: tuple[str, ...] = Field(min_length=1)
    """Roles, or machines as `machine:grafana`, for which this release has no door yet."""
    approve: tuple[Seat, ...]
    """Empty: one person suffices (test venues)."""
    break_glass: tuple[str, ...] = ()
    """Roles whose named users may pull alone on a console, where no Slack and no second person is;
    nobody unless given."""
    request_ttl_min: float = Field(default=10, ge=2, le=60, strict=True)
    consent_min: float = Field(default=10, ge=1, le=60, strict=True)

    def matches(self, account: Account) -> bool:
        """Tell whether this rule speaks of the account: every criterion that is given matches."""
        by_name = EVERY in self.accounts or account.name in self.accounts or not self.accounts
        by_venue = account.venue in self.venues or not self.venues
        return by_name and by_venue and all(tag in account.tags for tag in self.tags.items())

    @property
    def covers(self) -> str:
        """Which accounts it is for, in words: `bybit or paper, env=prod`; a comma means and."""
        names = () if EVERY in self.accounts else self.accounts
        tags = [f"{key}={value}" for key, value in self.tags.items()]
        criteria = [" or ".join(names), " or ".join(self.venues), *tags]
        return ", ".join(criterion for criterion in criteria if criterion) or "every account"


class Policy(_Strict):
    """The whole policy."""

    workspaces: tuple[TeamId, ...] = Field(min_length=1)
    """Workspaces whose people are ours; siblings of an Enterprise org may be listed."""
    roles: Mapping[str, Role] = Field(min_length=1)
    rules: tuple[Rule, ...] = Field(min_length=1, alias="rule")
    membership_max_age_s: float = Field(default=60, ge=0, le=300, strict=True)
    """How old a snapshot of a voter's standing may be when Slack cannot tell."""

    @property
    def digest(self) -> str:
        """SHA-256 over canonical JSON, 64 hex digits."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


KEYS: Mapping[str, tuple[str, ...]] = {
    "": ("workspaces", "roles", "rule", "membership_max_age_s"),
    "roles": ("users", "groups"),
    "rule": tuple(Rule.model_fields),
    "approve": ("roles", "count"),
}
"""Which keys may stand where: at the top, in a role, a rule, a seat."""


def parse(text: str) -> Policy:
    """Read a policy from TOML text.

    Raises:
        PolicyInvalid: names what is wrong and what to do.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyInvalid(
            user_message=f"The policy is not valid TOML: {error}.",
            remedy="Mend that line.",
        ) from None
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        raise explain(error, document, KEYS) from None
    _check_rules(policy)
    return policy


def check_accounts(policy: Policy, accounts: Sequence[Account]) -> None:
    """Refuse a rule that names what no account is or has, and an account that no rule covers.

    An error and not a warning: the accounts that a misspelt rule should bind fall to a looser rule
    or to none, and nobody would see it before the night it matters. A policy that desks share
    loses its spare rules in each desk's copy; a rule that binds nobody says nothing there.

    Raises:
        PolicyInvalid: names the rule, the word and the nearest ones, or the account.
    """
    tags = {f"{key}={value}" for account in accounts for key, value in account.tags}
    for rule in policy.rules:
        _check_words(rule, "account", rule.accounts, {EVERY, *(a.name for a in accounts)})
        _check_words(rule, "venue", rule.venues, {account.venue for account in accounts})
        _check_words(rule, "tag", [f"{key}={value}" for key, value in rule.tags.items()], tags)
        if not any(rule.matches(account) for account in accounts):
            raise PolicyInvalid(
                user_message=f'Rule "{rule.name}" matches no account: none is {rule.covers}.',
                remedy="Mend the rule, or delete it.",
            )
    for account in accounts:
        if not any(rule.matches(account) for rule in policy.rules):
            raise PolicyInvalid(
                user_message=f"No rule covers {account.name}, so nobody could ask for it.",
                remedy="Mend its tags or a rule, or take it out of the config.",
            )


def _check_words(rule: Rule, what: str, words: Iterable[str], known: Collection[str]) -> None:
    for word in words:
        if word not in known:
            full = 'There are no patterns: write it in full, or accounts = ["*"] for all.'
            raise PolicyInvalid(
                user_message=f'Rule "{rule.name}" is for the {what} "{word}", '
                "which is not in the config.",
                remedy=full if EVERY in word else nearest(word, known),
            )


def _check_rules(policy: Policy) -> None:
    for role, members in policy.roles.items():
        if not (members.users or members.groups):
            raise PolicyInvalid(
                user_message=f'Role "{role}" has nobody in it.',
                remedy="Give it users or groups, or delete it.",
            )
    names = [rule.name for rule in policy.rules]
    for rule in policy.rules:
        if names.count(rule.name) > 1:
            raise PolicyInvalid(
                user_message=f'Two rules are named "{rule.name}".',
                remedy="Give each rule a name of its own.",
            )
        if not (rule.accounts or rule.venues or rule.tags):
            raise PolicyInvalid(
                user_message=f'Rule "{rule.name}" does not say which accounts it is for.',
                remedy='Write accounts = ["*"] if it is for every account.',
            )
        _check_roles(policy, rule)
        _check_break_glass(policy, rule)


def _check_break_glass(policy: Policy, rule: Rule) -> None:
    """Refuse a role whose people only Slack knows: break glass is for when Slack is gone."""
    for name in rule.break_glass:
        if not policy.roles[name].users:
            raise PolicyInvalid(
                user_message=f'Rule "{rule.name}" lets the role "{name}" break the glass, and that '
                "names no users. Who is in a user group only Slack can tell, and it may be gone.",
                remedy="Name the people by their ids in a role of their own.",
            )


def _check_roles(policy: Policy, rule: Rule) -> None:
    for name in rule.ask:
        if name.startswith(MACHINE) and not name.removeprefix(MACHINE).strip():
            raise PolicyInvalid(
                user_message=f'Rule "{rule.name}" lets "{name}" ask, which names no machine.',
                remedy="Write it as machine:grafana, or delete it.",
            )
    askers = [name for name in rule.ask if not name.startswith(MACHINE)]
    seated = [name for seat in rule.approve for name in seat.roles]
    for name in [*askers, *seated, *rule.break_glass]:
        if name not in policy.roles:
            raise PolicyInvalid(
                user_message=f'Rule "{rule.name}" names the role "{name}", which is not defined.',
                remedy=nearest(name, policy.roles),
            )
