"""The words of policies, and the policy file.

Owns `Account`, `Actor`, `Vote`, `Reason`, `Decision` and `Policy` with `parse()`. Pure: reads no
file and no clock. `policies.evaluate` judges. Unknown keys are refused; an absent rule denies.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError


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


class PolicyInvalid(Exception):
    """The policy file is wrong; the message names the thing, the remedy says what to do."""

    code = "policy_invalid"
    retryable = False

    def __init__(self, *, user_message: str, remedy: str) -> None:
        super().__init__(f"{user_message} {remedy}")
        self.user_message = user_message
        self.remedy = remedy


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


UserId = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,}$")]
GroupId = Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{2,}$")]
TeamId = Annotated[str, StringConstraints(pattern=r"^T[A-Z0-9]{2,}$")]
MACHINE = "machine:"


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
    accounts: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()
    tags: Mapping[str, str] = Field(default_factory=dict)
    """All must match."""
    ask: tuple[str, ...] = Field(min_length=1)
    """Roles, or machines as `machine:grafana`."""
    approve: tuple[Seat, ...]
    """Empty: one person suffices (test venues)."""
    request_ttl_min: float = Field(default=10, ge=2, le=60, strict=True)
    consent_min: float = Field(default=10, ge=1, le=60, strict=True)

    def matches(self, account: Account) -> bool:
        """Tell whether this rule speaks of the account: every criterion that is given matches."""
        by_name = "*" in self.accounts or account.name in self.accounts or not self.accounts
        by_venue = account.venue in self.venues or not self.venues
        return by_name and by_venue and all(tag in account.tags for tag in self.tags.items())


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


def parse(text: str) -> Policy:
    """Read a policy from TOML text.

    Raises:
        PolicyInvalid: names what is wrong and what to do.
    """
    try:
        policy = Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PolicyInvalid(
            user_message=f"The policy is not valid TOML: {error}.",
            remedy="Mend that line.",
        ) from None
    except ValidationError as error:
        raise _explain(error) from None
    _check_rules(policy)
    return policy


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


def _check_roles(policy: Policy, rule: Rule) -> None:
    askers = [name for name in rule.ask if not name.startswith(MACHINE)]
    for name in [*askers, *(name for seat in rule.approve for name in seat.roles)]:
        if name not in policy.roles:
            raise PolicyInvalid(
                user_message=f'Rule "{rule.name}" names the role "{name}", which is not defined.',
                remedy=_nearest(name, policy.roles),
            )


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known: {', '.join(sorted(known))}."


_KEYS: Mapping[str, tuple[str, ...]] = {
    "": ("workspaces", "roles", "rule", "membership_max_age_s"),
    "roles": ("users", "groups"),
    "rule": tuple(Rule.model_fields),
    "approve": ("roles", "count"),
}


def _explain(error: ValidationError) -> PolicyInvalid:
    """Put one complaint of pydantic into plain words: a misspelt key before what it leaves out."""
    complaints: list[Any] = list(error.errors(include_url=False))
    first = min(complaints, key=lambda complaint: complaint["type"] != "extra_forbidden")
    path = [str(part) for part in first["loc"]]
    where = ".".join(path)
    match first["type"]:
        case "extra_forbidden":
            known = _KEYS["approve" if "approve" in path else path[0] if len(path) > 1 else ""]
            return PolicyInvalid(
                user_message=f'The policy has an unknown key "{where}".',
                remedy=_nearest(path[-1], known),
            )
        case "missing":
            return PolicyInvalid(
                user_message=f'The policy lacks "{where}".', remedy="Add it; nothing has a default."
            )
        case "string_pattern_mismatch":
            return PolicyInvalid(
                user_message=f'"{first["input"]}" at "{where}" is not a Slack id.',
                remedy="Users start with U or W, groups with S, workspaces with T.",
            )
        case _:
            return PolicyInvalid(
                user_message=f'"{where}" is wrong: {first["msg"]}.',
                remedy="See the example policy for what it may be.",
            )
