"""A desk with its real store and runner, people who come and go, and a clock that we hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.domain import command as commands
from bot.domain.command import Cancel
from bot.domain.limits import Limits
from bot.domain.plan import Directory
from bot.domain.request import Request, RequestState
from bot.flow import ask, decide, execute
from bot.flow.desk import Click, Desk, Said
from bot.flow.job import Means
from bot.flow.ports import StoreDown
from bot.store import engine
from bot.store.events import Trail
from bot.store.pulls import Consoles
from policies import model
from policies.model import Actor, Answer
from tests.domain.test_plan import entry
from tests.fakes.run import KeptJournal, Keys, OneVenue
from tests.fakes.venue import Book, FakeVenue, order
from tests.policies.people import ALICE, BOB, CAROL, NOW, TEXT

DIRECTORY = Directory(accounts=(entry("mm"), entry("toy", venue="paper", tags=(), key="keys/toy")))
TWO = TEXT.replace('roles = ["risk", "head"] }', 'roles = ["risk", "head"], count = 2 }')


@dataclass
class HeldClock:
    """Wall time stands still until a test moves it; waits are real."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Folk:
    """Who is who, as Slack would say; whoever is in `unknown` cannot be told."""

    clock: HeldClock
    known: dict[str, Actor] = field(
        default_factory=lambda: {actor.user_id: actor for actor in (ALICE, BOB, CAROL)}
    )
    unknown: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    contradicted: set[str] = field(default_factory=set)
    meanwhile: Callable[[], Awaitable[object]] | None = None
    """What happens, once, while Slack is being asked."""

    async def actor(self, user_id: str, *, team_id: str | None, groups: frozenset[str]) -> Actor:
        self.asked.append(user_id)
        await asyncio.sleep(0)
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        if user_id in self.unknown:
            return Actor(user_id=user_id, person_id=user_id, name=user_id, team_id=team_id)
        return replace(self.known[user_id], team_id=team_id, read_at=self.clock.now())

    async def roster(self, users: frozenset[str], groups: frozenset[str]) -> None:
        return None

    def missing(self) -> tuple[str, ...]:
        return ()

    def is_contradicted(self, snapshot: Actor) -> bool:
        return snapshot.user_id in self.contradicted


class Failing:
    """A store of which some methods fail: once, or until they are taken off the list."""

    def __init__(self, store: Any, *methods: str) -> None:
        self._store = store
        self.methods = list(methods)

    def __getattr__(self, name: str) -> Any:
        if name not in self.methods:
            return getattr(self._store, name)

        async def fail(*_: object, **__: object) -> None:
            raise StoreDown("the database did not answer")

        return fail


class Late(Failing):
    """A store that writes, but too late for whoever waits to hear of it; once a method."""

    def __getattr__(self, name: str) -> Any:
        if name not in self.methods:
            return getattr(self._store, name)

        async def late(*args: object, **named: object) -> None:
            self.methods.remove(name)
            await getattr(self._store, name)(*args, **named)
            raise StoreDown("the database did not answer")

        return late


@dataclass
class Scene:
    desk: Desk
    clock: HeldClock
    folk: Folk
    book: Book
    venue: FakeVenue
    journal: KeptJournal
    trail: Trail

    async def submit(self, text: str, requester: Actor = ALICE) -> Said:
        typed = commands.parse(text)
        assert isinstance(typed, Cancel)
        return await ask.submit(
            self.desk, typed, requester, channel="C0X", delivery=f"{text}{self.clock.at}"
        )

    def click(self, request: Request, who: Actor, *, delivery: str = "d") -> Click:
        return Click(
            request_id=request.id,
            digest=request.digest,
            user_id=who.user_id,
            team_id="T0HOME",
            delivery=delivery,
            name=who.name,
        )

    async def vote(self, request: Request, who: Actor, answer: Answer = Answer.APPROVE) -> Said:
        click = self.click(request, who, delivery=f"{who.user_id}{answer}{self.clock.at}")
        return await decide.vote(self.desk, click, answer)

    async def state(self, request: Request) -> RequestState:
        found = await self.desk.store.find(request.id)
        assert found is not None
        return found.state


@asynccontextmanager
async def opened(folder: Path, *, text: str = TEXT) -> AsyncIterator[Scene]:
    clock, journal = HeldClock(), KeptJournal()
    book = Book(clock=clock, orders=[order("1")], call_s=0.0)
    folk, venue = Folk(clock=clock), FakeVenue(books={"mm": book})
    means = Means(
        journal=journal,
        keys=Keys(secrets={"keys/mm": "mm", "keys/toy": "mm"}),
        venues=OneVenue(venue),
        clock=clock,
        limits=Limits(),
    )
    async with (
        engine.open_store(f"sqlite:///{folder / 'x.db'}") as store,
        execute.open_runner(means) as runner,
    ):
        desk = Desk(
            store=store.requests,
            journal=journal,
            people=folk,
            venues=means.venues,
            runner=runner,
            clock=clock,
            limits=Limits(),
            directory=DIRECTORY,
            policy=model.parse(text),
            policy_text=text,
            owner="me",
            pulls=store.pulls,
            consoles=Consoles(folder / "pulls", store.pulls),
            changed=lambda _: None,
            is_resumed=True,
        )
        yield Scene(
            desk=desk,
            clock=clock,
            folk=folk,
            book=book,
            venue=venue,
            journal=journal,
            trail=store.trail,
        )


def of(said: Said) -> Request:
    assert said.request is not None
    return said.request
