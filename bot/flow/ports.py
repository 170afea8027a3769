"""What the flow needs from the world, as protocols.

Owns the ports `RequestStore`, `Journal`, `KeySource`, `Venues`, `People` and `Clock`, and the small
values that cross them. Never implements one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from adapters.contract import AnyVenue
from bot.domain.errors import SecretError
from bot.domain.event import Event
from bot.domain.pull import Pull
from bot.domain.request import Count, Request, RequestState
from bot.domain.result import TargetStatus
from policies.model import Actor, Vote

Bans = Mapping[tuple[str, str], datetime]
"""(venue, base URL) -> until when it has shut out our address."""


class Consoles(Protocol):
    """The consoles of this host, where one person may pull alone."""

    async def look(self) -> frozenset[str]:
        """Bring what consoles recorded into the store; return the ids that one still works on.

        Raises:
            StoreDown: the database did not answer; what is recorded waits.
        """
        ...


class PullStore(Protocol):
    """The runs that one person began alone. Each method is one transaction.

    Raises:
        StoreDown: the database did not answer in time.
    """

    async def find(self, request_id: str) -> Pull | None:
        """Return who pulled; None if that request was no pull."""
        ...

    async def red(self) -> tuple[Pull, ...]:
        """Return every pull that nobody has closed, oldest first."""
        ...

    async def close(self, request_id: str, *, by: str, event: Event) -> bool:
        """Record who closed a pull; False if it was closed, or is none."""
        ...


class Clock(Protocol):
    """Both clocks of the program."""

    def now(self) -> datetime:
        """Wall time, aware UTC: for records and for clocks that outlive the process."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, on the event loop's clock: for waits and deadlines."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """How the store took a new request."""

    request: Request
    """The new one, or the one that stood in its way."""
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the deciding vote writes in one transaction."""

    request_id: str
    decided_at: datetime
    verdict_at: datetime
    consent_ends_at: datetime
    event: Event
    owner: str
    votes: tuple[Vote, ...]
    """What was judged: if another vote stands now, the swap is lost and all is judged again."""
    notes: tuple[str, ...] = ()
    """What the card has to add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease on one key: only its holder sends for the targets that share the key."""

    key: str
    fence: int
    """Rises with every change of holder; a write with an older fence is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run as the swap left it: all that the runner needs, from one transaction."""

    request: Request
    statuses: tuple[TargetStatus, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line for the journal: where a target stands, and the event that says so."""

    request_id: str
    claim: Claim
    status: TargetStatus | None = None
    event: Event | None = None


class RequestStore(Protocol):
    """Requests, votes, deliveries and leases. Each method is one transaction.

    Raises:
        StoreDown: the database did not answer in time (`bot.flow.ports.StoreDown`).
    """

    async def submit(self, request: Request, *, event: Event, delivery: str) -> Submitted | None:
        """Store a PENDING request; a pending one of the same plan or person stands in its way.

        Returns:
            None if its id was drawn before: nothing is stored.
        """
        ...

    async def find(self, request_id: str) -> Request | None:
        """Return a request by its id."""
        ...

    async def open_requests(self) -> tuple[Request, ...]:
        """Return every PENDING and RUNNING request, oldest first."""
        ...

    async def votes(self, request_id: str) -> tuple[Vote, ...]:
        """Return the newest vote of each person, oldest first."""
        ...

    async def cast(self, vote: Vote, *, event: Event, delivery: str) -> bool:
        """Store a vote on a PENDING request; False if this delivery was seen or it has ended."""
        ...

    async def confirm(self, before: Vote, now: Vote, *, event: Event) -> bool:
        """Put a vote whose caster is known now in the place of the unknown one.

        Returns:
            False if `before` no longer stands: whoever cast it has answered anew.
        """
        ...

    async def note(self, event: Event, *, delivery: str) -> bool:
        """Append an event that changes no state, such as an ignored vote; False if seen."""
        ...

    async def start(self, start: Start) -> Started | None:
        """Swap PENDING for RUNNING and claim its keys; None if the swap is lost."""
        ...

    async def end(
        self, request_id: str, *, expect: RequestState, to: RequestState, why: str, event: Event
    ) -> Request | None:
        """Swap `expect` for a final state; None if the request was not in `expect`."""
        ...

    async def counted(
        self,
        request_id: str,
        counts: Sequence[Count],
        *,
        notes: Sequence[str] = (),
    ) -> Request | None:
        """Store the preview of a request, and add what its card has to warn of; None if ended.

        Counts that come after the start are dropped: the run may have cancelled what they missed.
        """
        ...

    async def stop_chase(self, request_id: str, *, by: str, event: Event) -> Request | None:
        """Record who stopped the chase; None if the request is not RUNNING or it was stopped."""
        ...

    async def statuses(self, request_id: str) -> tuple[TargetStatus, ...]:
        """Return where the targets of a run stand, in the plan's order."""
        ...

    async def claim(self, keys: Sequence[str], *, owner: str, lease_s: float) -> tuple[Claim, ...]:
        """Take or renew the leases on these keys; those held by others are left out."""
        ...

    async def release(self, *, owner: str) -> None:
        """Give every lease of this owner back."""
        ...

    async def chain_head(self) -> str:
        """Return the hash of the newest event."""
        ...


class Journal(Protocol):
    """Takes records from the venue loop without ever making it wait."""

    def put(self, entry: Entry) -> None:
        """Queue an entry; it is committed in groups, or spooled while the database is down."""
        ...

    async def flush(self) -> None:
        """Wait until everything queued so far is durable.

        Raises:
            StoreDown: neither the database nor the disk takes it.
        """
        ...

    @property
    def is_behind(self) -> bool:
        """Tell whether the database has failed, and lacks something that was put since then."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDocument:
    """A secret document, as a key source gave it."""

    text: SecretStr
    """JSON in the venue's own shape."""
    note: str = ""
    """Why it came from elsewhere than it should, for the card; empty if it did not."""


class KeySource(Protocol):
    """Where keys come from."""

    async def read(self, path: str) -> KeyDocument:
        """Return the secret document at `path`.

        Raises:
            SecretError: with `retryable` where trying again may help.
        """
        ...

    async def unreadable(self, paths: Collection[str]) -> Mapping[str, SecretError]:
        """Return those paths that could not be read now, and why; reads none of them.

        In bounded time. It proves what can be proven without a key: that the source answers, and
        lets us read there.
        """
        ...


class Venues(Protocol):
    """The venues that are open in this process."""

    def venue(self, name: str, base_url: str) -> AnyVenue:
        """Return the venue link for a target."""
        ...


class People(Protocol):
    """Who somebody is, as Slack says."""

    async def actor(self, user_id: str, *, team_id: str | None, groups: frozenset[str]) -> Actor:
        """Read a person's standing; an Actor with `read_at` None if Slack cannot tell.

        What speaks for somebody is always read afresh; a "no" may be half a minute old.
        `team_id` is the clicker's own workspace from the signed payload; it is kept as it is.
        `groups` are the user groups that matter here: no others are read.
        """
        ...

    async def roster(
        self, users: frozenset[str], groups: frozenset[str]
    ) -> tuple[Actor, ...] | None:
        """Read everybody in these users and user groups; None if Slack cannot tell.

        For warnings only (a rule that nobody can fill): never for a decision.
        """
        ...

    def missing(self) -> tuple[str, ...]:
        """Return the user groups that Slack does not know, as far as any was read."""
        ...

    def is_contradicted(self, snapshot: Actor) -> bool:
        """Tell whether anything heard of Slack since then speaks against a snapshot."""
        ...


class StoreDown(Exception):
    """The database did not answer in time."""
