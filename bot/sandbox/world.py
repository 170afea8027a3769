"""The demo's world: a desk, its Slack and its accounts at simulated venues.

Owns who is there, and which fault a seed draws. Imports nothing of the program that acts in it.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from bot.sandbox.accounts import PREMISES, Account, Document, Premises, Simulated
from bot.sandbox.slack import api
from bot.sandbox.slack.records import App, Channel, Standing, User, UserGroup
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import HOME, PARTNER, Workspace
from bot.sandbox.venues import server
from bot.sandbox.venues.faults import Fault

INCIDENT, TRADING = "C0INCIDENT", "C0TRADING"
ALICE, BOB, CAROL = "U0ALICE", "U0BOB", "U0CAROL"
GINA, MALLORY = "U0GINA", "U0MALLORY"
PASSPHRASE = "sandbox passphrase 0001"  # noqa: S105 - of a file whose keys open nothing
OTHERS = (CAROL, GINA, MALLORY)
TRADERS, RISK = "S0TRADERS", "S0RISK"
LATENCY_S = 0.02
"""There and back to each venue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything around the bot."""

    seed: int
    workspace: Workspace
    traffic: Traffic
    venues: Mapping[str, Simulated]
    """By their names in the config."""
    accounts: tuple[Account, ...]
    api_url: str
    urls: Mapping[str, str]
    """Base URL of each venue."""
    unlucky: Account | None = None
    """Whose calls will go wrong."""
    fault_words: str = ""
    fault: Fault | None = None
    """What Bob's click lets begin, in the demo."""

    def total(self) -> int:
        """Ask the books directly how many orders are open."""
        return sum(venue.book.total(now=time.time()) for venue in self.venues.values())

    def count(self, account: Account) -> int:
        """Ask the books directly about one account."""
        book = self.venues[account.venue].book
        return sum(book.open_count(account.place, now=time.time()).values())


def desk(app: App | None = None) -> Workspace:
    """Return a workspace with its people: two teams, a guest, and a partner in a shared channel."""
    workspace = Workspace(app=app)
    for user_id, name in ((ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")):
        workspace.put_user(User(id=user_id, name=name, team_id=HOME))
    workspace.put_user(User(id=GINA, name="gina", team_id=HOME, standing=Standing.GUEST))
    workspace.put_user(User(id=MALLORY, name="mallory", team_id=PARTNER))
    workspace.put_group(UserGroup(id=TRADERS, at_name="traders", members=(ALICE, GINA)))
    workspace.put_group(UserGroup(id=RISK, at_name="risk", members=(BOB, CAROL, GINA, MALLORY)))
    members = frozenset({ALICE, BOB, CAROL, GINA, MALLORY, workspace.app.bot_user_id})
    workspace.put_channel(
        Channel(id=INCIDENT, name="incident", members=members, is_ext_shared=True)
    )
    ours = members - {GINA, MALLORY}
    workspace.put_channel(Channel(id=TRADING, name="trading", members=ours))
    return workspace


def documents(accounts: tuple[Account, ...]) -> Iterator[tuple[str, Document]]:
    """Yield every secret document of a desk with the path at which its config looks for it."""
    for account in accounts:
        yield f"venues/{account.name}", account.key
        if account.read_key is not None:
            yield f"venues/{account.name}-ro", account.read_key


def fill(venue: Simulated, accounts: tuple[Account, ...], orders: Mapping[str, int]) -> None:
    """Put orders on the books of each of these accounts."""
    for account in accounts:
        venue.book.seed(account.place, orders, now=time.time())


@asynccontextmanager
async def open_venue(
    premises: Premises, *, seed: int, port: int = 0
) -> AsyncIterator[tuple[Simulated, str]]:
    """Put a venue with the desk's orders onto a loopback socket; yields it with its base URL.

    Raises:
        OSError: somebody else listens on that port; 0 is any that is free.
    """
    venue = premises.simulate(seed, premises.accounts)
    fill(venue, premises.accounts, premises.orders)
    async with server.serve(venue, latency_s=LATENCY_S, port=port) as url:
        yield venue, url


def counts(venues: Mapping[str, Simulated]) -> str:
    """Say in a line how many orders rest at each venue."""
    now = time.time()
    return ", ".join(f"{name} {venue.book.total(now=now):,}" for name, venue in venues.items())


@asynccontextmanager
async def open_world(
    seed: int, *, premises: Mapping[str, Premises] = PREMISES, app: App | None = None
) -> AsyncIterator[World]:
    """Put the world onto loopback sockets; one venue will be flaky."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    flaky = premises[rng.choice(sorted(premises))]
    words, fault = rng.choice(flaky.faults)
    unlucky = rng.choice(flaky.accounts)
    workspace, traffic = desk(app), Traffic(seed=seed)
    venues, urls = {}, {}
    async with AsyncExitStack() as stack:
        for name, each in premises.items():
            opening = open_venue(each, seed=seed)
            venues[name], urls[name] = await stack.enter_async_context(opening)
        yield World(
            seed=seed,
            workspace=workspace,
            traffic=traffic,
            venues=venues,
            accounts=tuple(account for each in premises.values() for account in each.accounts),
            api_url=await stack.enter_async_context(api.serve(workspace, traffic)),
            urls=urls,
            unlucky=unlucky,
            fault_words=words,
            fault=replace(fault, uid=unlucky.place),
        )
