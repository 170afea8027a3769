"""Small fakes around a run: a journal that keeps, keys that can fail, venues by name."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr

from adapters.contract import Scope
from bot.domain import plan as plans
from bot.domain.errors import SecretError
from bot.domain.limits import Limits
from bot.domain.plan import Plan, Target
from bot.domain.request import Request, RequestState
from bot.domain.result import TargetStatus
from bot.flow import execute
from bot.flow.execute import Runner
from bot.flow.job import Means
from bot.flow.ports import Claim, Entry, KeyDocument
from policies.model import Actor
from tests.fakes import clock as clocks
from tests.fakes.clock import EPOCH
from tests.fakes.venue import CAPABILITIES, LINEAR, SPOT, Book, FakeVenue, order

ALICE = Actor(user_id="U0ALICE", person_id="U0ALICE", name="alice", team_id="T0HOME")


def target(account: str, *, uid: str = "1001", key: str | None = None) -> Target:
    return Target(
        account=account,
        venue="bybit",
        base_url="http://venue",
        uid=uid,
        scope=Scope(),
        order_classes=(LINEAR, SPOT),
        key=key or f"keys/{account}",
        blind_to=CAPABILITIES.blind_to,
    )


def request(*targets: Target, consent_s: float = 600.0, verdict_s: float = 30.0) -> Request:
    """A request that is running since the epoch."""
    plan = Plan(targets=targets)
    return Request(
        id="K7Q2M",
        state=RequestState.RUNNING,
        plan=plan,
        digest=plans.digest(plan, request_id="K7Q2M"),
        requester=ALICE,
        command="all",
        reason="runaway quoter",
        policy_text="",
        channel="C0INCIDENT",
        posted_at=EPOCH - timedelta(seconds=30),
        expires_at=EPOCH + timedelta(minutes=10),
        consent_s=consent_s,
        decided_at=EPOCH,
        verdict_at=EPOCH + timedelta(seconds=verdict_s),
        consent_ends_at=EPOCH + timedelta(seconds=consent_s),
    )


def waiting(*targets: Target) -> tuple[TargetStatus, ...]:
    return tuple(TargetStatus(account=t.account, venue=t.venue) for t in targets)


def claims(*targets: Target) -> dict[str, Claim]:
    return {t.key: Claim(key=t.key, fence=1) for t in targets}


@dataclass
class KeptJournal:
    entries: list[Entry] = field(default_factory=list)
    is_behind: bool = False

    def put(self, entry: Entry) -> None:
        self.entries.append(entry)

    async def flush(self) -> None:
        return

    def statuses(self, account: str) -> list[TargetStatus]:
        return [e.status for e in self.entries if e.status and e.status.account == account]

    def kinds(self, account: str) -> list[str]:
        return [
            e.event.kind.value
            for e in self.entries
            if e.event and e.event.facts["account"] == account
        ]


@dataclass
class Keys:
    """Paths to secrets; the secret's text is the name of a book."""

    secrets: dict[str, str]
    errors: dict[str, list[SecretError]] = field(default_factory=dict)
    """Raised one after the other before the secret is given."""
    hang: set[str] = field(default_factory=set)
    reads: list[str] = field(default_factory=list)
    note: str = ""

    async def read(self, path: str) -> KeyDocument:
        self.reads.append(path)
        if path in self.hang:
            await asyncio.sleep(3600)
        if self.errors.get(path):
            raise self.errors[path].pop(0)
        return KeyDocument(text=SecretStr(self.secrets[path]), note=self.note)

    async def unreadable(self, paths: Collection[str]) -> Mapping[str, SecretError]:
        return {path: self.errors[path][0] for path in paths if self.errors.get(path)}


@dataclass
class OneVenue:
    venue_link: FakeVenue
    gone: set[str] = field(default_factory=set)
    """Addresses that the config no longer has."""

    def venue(self, name: str, base_url: str) -> FakeVenue:
        if base_url in self.gone:
            raise KeyError(base_url)
        return self.venue_link


class Scene:
    """Books, keys and a journal for one run on virtual time."""

    def __init__(self) -> None:
        self.clock = clocks.VirtualClock()
        self.books: dict[str, Book] = {}
        self.keys = Keys(secrets={})
        self.journal = KeptJournal()
        self.limits = Limits()
        self.gone: set[str] = set()
        self.stored: tuple[TargetStatus, ...] | None = None
        """What an earlier process left in the store; None: nothing."""
        self.begins_s = 0.0
        """When this process takes the run over."""
        self.during: Callable[[Runner], None] | None = None
        self.during_at = 0.0

    def book(self, account: str, *ids: str, uid: str = "1001") -> Book:
        book = Book(clock=self.clock, uid=uid, orders=[order(i) for i in ids])
        self.books[account] = book
        self.keys.secrets[f"keys/{account}"] = account
        return book

    def last(self, account: str) -> TargetStatus:
        return self.journal.statuses(account)[-1]

    def calls(self, account: str, name: str) -> list[float]:
        """When the calls of one name began."""
        return [at for at, each in self.books[account].log if each == name]

    def means(self) -> Means:
        return Means(
            journal=self.journal,
            keys=self.keys,
            venues=OneVenue(FakeVenue(books=self.books), gone=self.gone),
            clock=self.clock,
            limits=self.limits,
        )


async def _play(scene: Scene, running: Request, *, until_s: float) -> None:
    targets = running.plan.targets
    statuses = scene.stored or waiting(*targets)
    await asyncio.sleep(scene.begins_s)
    async with execute.open_runner(scene.means()) as runner:
        runner.take(running, statuses, claims(*targets))
        runner.take(running, statuses, claims(*targets))  # A second tick adds nothing.
        if scene.during is not None:
            await asyncio.sleep(scene.during_at)
            scene.during(runner)
        await asyncio.sleep(max(0.0, until_s - scene.clock.monotonic()))


def play(make: Callable[[Scene], Request], *, until_s: float = 700.0) -> Scene:
    async def main() -> Scene:
        scene = Scene()
        await _play(scene, make(scene), until_s=until_s)
        return scene

    return clocks.run(main())
