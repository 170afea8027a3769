"""DRAFT by the lead: the vocabulary; the policies engineer completes this file (docstrings, Policy)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What policies need to know of an account (bot.config makes these)."""

    name: str
    venue: str
    tags: tuple[tuple[str, str], ...] = ()


class ActorKind(Enum):
    PERSON = "person"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Facts about who acts, never a judgement. None means: not known (and so: deny)."""

    user_id: str
    """Slack user id, or `machine:grafana`."""
    person_id: str
    """One per human being: the Enterprise id where there is one, else the user id."""
    name: str
    kind: ActorKind = ActorKind.PERSON
    team_id: str | None = None
    """Workspace of the *clicker*."""
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
    code: str
    text: str
    """A sentence for a person."""


class Verdict(Enum):
    ALLOWED = "allowed"
    PENDING = "pending"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    verdict: Verdict
    reasons: tuple[Reason, ...]
    counted: tuple[str, ...] = ()
    """Person ids whose approvals fill a seat."""
    open_seats: tuple[str, ...] = ()
    """For the card: such as "1 of risk, head (rule prod)"."""
