"""The demo's world: a desk, its Slack and its accounts at a simulated Bybit.

Owns who is there, which accounts hold what, and which fault a seed draws. Imports nothing of the
program that acts in it.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from bot.sandbox.slack import api
from bot.sandbox.slack.records import Channel, Standing, User, UserGroup
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import HOME, PARTNER, Workspace
from bot.sandbox.venues import server
from bot.sandbox.venues.bybit import Key, SimulatedBybit
from bot.sandbox.venues.faults import Fault, Wrong

INCIDENT = "C0INCIDENT"
ALICE, BOB, CAROL = "U0ALICE", "U0BOB", "U0CAROL"
GINA, MALLORY = "U0GINA", "U0MALLORY"
PASSPHRASE = "sandbox passphrase 0001"  # noqa: S105 - of a file whose keys open nothing
OTHERS = (CAROL, GINA, MALLORY)
TRADERS, RISK = "S0TRADERS", "S0RISK"
EVERYTHING: Mapping[str, int] = {
    "linear:USDT": 300,
    "linear:USDC": 60,
    "inverse": 40,
    "option": 40,
    "spot": 60,
    "spot:StopOrder": 15,
    "spot:tpslOrder": 15,
    "spot:OcoOrder": 10,
    "spot:BidirectionalTpslOrder": 10,
    "spread": 25,
    "rfq": 5,
    "quote": 5,
    "strategy": 3,
}
FAULTS: tuple[tuple[str, Fault], ...] = (
    (
        "Bybit accepts the first cancel of linear USDT and drops it",
        Fault(
            wrong=Wrong.ACCEPT_AND_DROP, path="/v5/order/cancel-all", containing="linear", times=2
        ),
    ),
    (
        "Bybit's server fails on the first six cancels",
        Fault(wrong=Wrong.SERVER, path="/v5/order/cancel-all", times=6),
    ),
    (
        "the replies to two cancels are lost on the way",
        Fault(wrong=Wrong.LOST_REPLY, path="/v5/order/cancel-all", times=2),
    ),
    (
        "Bybit answers the first four readings with HTML under HTTP 200",
        Fault(wrong=Wrong.HTML, path="/v5/order/realtime", times=4),
    ),
    (
        "Bybit protects itself with HTTP 429 for eight calls",
        Fault(wrong=Wrong.TOO_MANY, path="/v5/order/", times=8),
    ),
)
"""What may go wrong on one account; the seed draws one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account of the desk."""

    name: str
    uid: str
    api_key: str
    secret: str
    read_key: str = ""
    """Empty: the desk has none, so a preview cannot count it."""
    read_secret: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything around the bot."""

    seed: int
    workspace: Workspace
    traffic: Traffic
    venue: SimulatedBybit
    accounts: tuple[Account, ...]
    api_url: str
    venue_url: str
    fault_account: str = ""
    fault_words: str = ""
    fault: Fault | None = None
    """What Bob's click lets begin, in the demo."""

    def total(self) -> int:
        """Ask the books directly how many orders are open."""
        return self.venue.book.total(now=time.time())

    def count(self, uid: str) -> int:
        """Ask the books directly about one account."""
        return sum(self.venue.book.open_count(uid, now=time.time()).values())


ACCOUNTS = (
    Account(
        name="bybit-mm",
        uid="1001",
        api_key="SANDBOXMM0001",
        secret="sandbox-mm-secret-0001",  # noqa: S106 - opens nothing outside the sandbox
        read_key="SANDBOXMM0001RO",
        read_secret="sandbox-mm-secret-0001-ro",  # noqa: S106
    ),
    Account(
        name="bybit-arb",
        uid="1002",
        api_key="SANDBOXARB0002",
        secret="sandbox-arb-secret-0002",  # noqa: S106
        read_key="SANDBOXARB0002RO",
        read_secret="sandbox-arb-secret-0002-ro",  # noqa: S106
    ),
    Account(
        name="bybit-opt",
        uid="1003",
        api_key="SANDBOXOPT0003",
        secret="sandbox-opt-secret-0003",  # noqa: S106
    ),
)


def desk() -> Workspace:
    """Return a workspace with its people: two teams, a guest, and a partner in a shared channel."""
    workspace = Workspace()
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
    return workspace


def fill(venue: SimulatedBybit, accounts: tuple[Account, ...], orders: Mapping[str, int]) -> None:
    """Give a venue these accounts, each with these orders."""
    for account in accounts:
        venue.add_key(account.api_key, Key(uid=account.uid, secret=account.secret))
        if account.read_key:
            key = Key(uid=account.uid, secret=account.read_secret, is_read_only=True)
            venue.add_key(account.read_key, key)
        venue.book.seed(account.uid, orders, now=time.time())


@asynccontextmanager
async def open_world(seed: int) -> AsyncIterator[World]:
    """Put the world onto loopback sockets."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    words, fault = rng.choice(FAULTS)
    unlucky = rng.choice(ACCOUNTS)
    fault = replace(fault, uid=unlucky.uid)
    workspace, traffic, venue = desk(), Traffic(seed=seed), SimulatedBybit(seed=seed)
    venue.book.cancel_delay_s = 0.4
    fill(venue, ACCOUNTS, EVERYTHING)
    async with AsyncExitStack() as stack:
        yield World(
            seed=seed,
            workspace=workspace,
            traffic=traffic,
            venue=venue,
            accounts=ACCOUNTS,
            api_url=await stack.enter_async_context(api.serve(workspace, traffic)),
            venue_url=await stack.enter_async_context(server.serve(venue, latency_s=0.02)),
            fault_account=unlucky.name,
            fault_words=words,
            fault=fault,
        )
