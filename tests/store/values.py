"""Requests, votes and events for the store's tests; the names are those of the flow's fakes."""

import sqlite3
from datetime import timedelta
from pathlib import Path

from bot.domain import plan as plans
from bot.domain.event import Event, EventKind, Fact
from bot.domain.plan import Plan, Target
from bot.domain.request import Request, RequestState
from bot.domain.result import TargetStatus
from bot.flow.ports import Claim, Entry, Start
from bot.store.engine import Store
from policies.model import Actor, Answer, Vote
from tests.fakes import run
from tests.fakes.clock import EPOCH

ALICE = run.ALICE
BOB = Actor(user_id="U0BOB", person_id="U0BOB", name="bob", groups=frozenset({"S0RISK"}))
CAROL = Actor(user_id="U0CAROL", person_id="U0CAROL", name="carol")
TARGETS = (run.target("alpha"), run.target("beta"), run.target("gamma", key="keys/beta"))


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'cancelall.db'}"


def pending(
    request_id: str = "K7Q2M", *, targets: tuple[Target, ...] = TARGETS, requester: Actor = ALICE
) -> Request:
    plan = Plan(targets=targets)
    return Request(
        id=request_id,
        state=RequestState.PENDING,
        plan=plan,
        digest=plans.digest(plan, request_id=request_id),
        requester=requester,
        command="all",
        reason="runaway quoter",
        policy_text="",
        channel="C0INCIDENT",
        posted_at=EPOCH,
        expires_at=EPOCH + timedelta(minutes=10),
        consent_s=600.0,
    )


def event(kind: EventKind, request_id: str = "K7Q2M", **facts: Fact) -> Event:
    return Event(kind=kind, request_id=request_id, at=EPOCH, facts=facts)


def vote(actor: Actor, answer: Answer = Answer.APPROVE, request_id: str = "K7Q2M") -> Vote:
    return Vote(
        request_id=request_id,
        digest=pending(request_id).digest,
        actor=actor,
        answer=answer,
        at=EPOCH + timedelta(seconds=5),
    )


def start(request_id: str = "K7Q2M", *votes: Vote, owner: str = "p1", at_s: float = 10.0) -> Start:
    decided_at = EPOCH + timedelta(seconds=at_s)
    return Start(
        request_id=request_id,
        decided_at=decided_at,
        verdict_at=decided_at + timedelta(seconds=30),
        consent_ends_at=decided_at + timedelta(seconds=600),
        event=event(EventKind.RUN_STARTED, request_id, approvers=[]),
        owner=owner,
        votes=votes,
    )


def entry(claim: Claim, account: str, *, rounds: int = 1, is_final: bool = False) -> Entry:
    return Entry(
        request_id="K7Q2M",
        claim=claim,
        status=TargetStatus(account=account, venue="bybit", rounds=rounds, is_final=is_final),
        event=event(EventKind.ROUND_ENDED, account=account, rounds=rounds),
    )


async def submit(store: Store, request: Request | None = None, delivery: str = "d-1") -> Request:
    wanted = request or pending()
    told = event(EventKind.REQUEST_SUBMITTED, wanted.id)
    submitted = await store.requests.submit(wanted, event=told, delivery=delivery)
    assert submitted is not None
    return submitted.request


async def cast(
    store: Store, actor: Actor, answer: Answer = Answer.APPROVE, delivery: str = "v-1"
) -> bool:
    told = event(EventKind.VOTE_CAST, by=actor.user_id)
    return await store.requests.cast(vote(actor, answer), event=told, delivery=delivery)


async def running(store: Store) -> Request:
    await submit(store)
    started = await store.requests.start(start())
    assert started is not None
    return started.request


async def kinds(store: Store, request_id: str = "K7Q2M") -> list[str]:
    return [fact.kind.value for fact in await store.trail.events(request_id)]


def raw(folder: Path) -> sqlite3.Connection:
    """A second connection of this process, as a saboteur or a rival would have it."""
    return sqlite3.connect(folder / "cancelall.db", isolation_level=None)
