"""What the presenter works with: what it reads and keeps, and how it goes about it.

Owns the protocols `MessageStore` and `Shown`, and `Surroundings`. Never implements one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.message import Place, Sent
from bot.domain.request import Request
from bot.domain.result import TargetStatus
from bot.flow.ports import Bans, Clock, PullStore
from policies.model import Decision, Vote


class MessageStore(Protocol):
    """What the presenter keeps."""

    async def find(self, place: Place) -> Sent | None:
        """Return what Slack last took; None if no post was ever answered."""
        ...

    async def intend(self, place: Place, channel: str) -> None:
        """Record that a post is about to be sent."""
        ...

    async def taken(self, sent: Sent) -> None:
        """Record what Slack took; replaces what was recorded before."""
        ...

    async def behind(self) -> tuple[str, ...]:
        """Return ids of requests whose messages may be behind: open, or ended and not settled."""
        ...

    async def settled(self, request_id: str) -> None:
        """Record that Slack has taken every message of a request that has ended."""
        ...

    async def chain_head(self, request_id: str) -> str:
        """Return the hash of the event that ended a request; empty while it is open."""
        ...

    async def approvers(self, request_id: str) -> frozenset[str] | None:
        """Return the person ids whose approvals started a run; None if it has not started."""
        ...


class Shown(Protocol):
    """What the presenter reads of the store."""

    async def find(self, request_id: str) -> Request | None:
        """Return a request by its id."""
        ...

    async def votes(self, request_id: str) -> tuple[Vote, ...]:
        """Return the newest vote of each person."""
        ...

    async def statuses(self, request_id: str) -> tuple[TargetStatus, ...]:
        """Return where the targets of a run stand."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a presenter works with."""

    client: AsyncWebClient
    shown: Shown
    messages: MessageStore
    pulls: PullStore
    clock: Clock
    incident_channel: str
    workspace_url: str
    judge: Callable[[Request, tuple[Vote, ...]], Decision]
    """Judges votes from snapshots, for display only."""
    bans: Callable[[], Bans]
    pause_s: float = 1.0
    """Least seconds between two passes over one request, and between two posts to a channel."""
    refused_again_s: float = 30.0
    """Seconds until Slack is asked again for what it refused: the bot may be invited meanwhile."""
