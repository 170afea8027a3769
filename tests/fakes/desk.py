"""The whole product on loopback: sandbox Slack, simulated Bybit, and the real bot between them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot import app, demo
from bot import config as configs
from bot.app import Serving
from bot.config import Config
from bot.domain.limits import Limits
from bot.sandbox import world as worlds
from bot.sandbox.accounts import BYBIT, Account
from bot.sandbox.slack import api, delivery, render
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.records import Ephemeral, Message
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.venues import server
from bot.sandbox.venues.bybit import SimulatedBybit
from bot.sandbox.world import ALICE, BOB, INCIDENT, World

QUICK = Limits(slack_pause_s=0.1)
"""The sandbox counts posts only where a test asks it to."""
FEW: Mapping[str, int] = dict.fromkeys(BYBIT.orders, 3)


@dataclass
class Product:
    """A running bot and the world around it."""

    world: World
    folder: Path
    people: Delivery = field(init=False)
    bot: Serving = field(init=False)

    @property
    def slack(self) -> Workspace:
        return self.world.workspace

    @property
    def venue(self) -> SimulatedBybit:
        found = self.world.venues["bybit"]
        assert isinstance(found, SimulatedBybit)
        return found

    async def type(self, who: str, words: str, **how: object) -> list[str]:
        """Type a command; return what only that person sees."""
        before = len(self.slack.ephemerals(who))
        await self.people.slash(who, INCIDENT, "/cancelall", words, **how)  # type: ignore[arg-type]
        return await self.answer(who, before)

    async def press(self, who: str, action: str, **how: object) -> list[str]:
        """Press a button of the card; return what only that person sees."""
        before = len(self.slack.ephemerals(who))
        card = await self.card()
        await self.people.click(who, INCIDENT, card.ts, action, **how)  # type: ignore[arg-type]
        return await self.answer(who, before)

    async def answer(self, who: str, before: int) -> list[str]:
        seen = await self.slack.wait_for(lambda: self.slack.ephemerals(who)[before:], timeout_s=10)
        return render.plain(seen[-1], self.slack)

    async def card(self, *, with_buttons: bool = True) -> Message:
        """Wait for the live card."""

        def found() -> Message | None:
            for message in reversed(self.slack.messages(INCIDENT)):
                if not with_buttons or any(b["type"] == "actions" for b in message.blocks):
                    return message
            return None

        message = await self.slack.wait_for(found, timeout_s=10)
        assert message is not None
        return message

    async def until(self, said: Callable[[str], bool], *, timeout_s: float = 20.0) -> str:
        """Wait until the newest card says something; return its text."""

        def found() -> str:
            messages = self.slack.messages(INCIDENT)
            return messages[-1].text if messages and said(messages[-1].text) else ""

        return await self.slack.wait_for(found, timeout_s=timeout_s)

    async def flat(self) -> str:
        """Let Alice ask for everything and Bob approve, and wait for the verdict."""
        await self.type(ALICE, 'all --reason "test"')
        await self.press(BOB, "approve")
        return await self.until(lambda text: text.startswith("FLAT"))

    def count(self, uid: str) -> int:
        """Ask the books of Bybit directly about one account."""
        return sum(self.venue.book.open_count(uid, now=time.time()).values())

    def left(self) -> int:
        """Ask the books directly."""
        return self.world.total()

    def thread(self) -> list[str]:
        root = self.slack.messages(INCIDENT)[-1]
        return [reply.text for reply in self.slack.thread(INCIDENT, root.ts)]

    def whispers(self, who: str) -> tuple[Ephemeral, ...]:
        return self.slack.ephemerals(who)


@asynccontextmanager
async def open_surroundings(
    folder: Path,
    *,
    accounts: tuple[Account, ...] = BYBIT.accounts,
    orders: Mapping[str, int] = FEW,
    latency_s: float = 0.0,
) -> AsyncIterator[Product]:
    """Slack and Bybit on loopback, and a config that points at them; the bot is not started."""
    venue = BYBIT.simulate(1, accounts)
    venue.book.cancel_delay_s = 0.0
    worlds.fill(venue, accounts, orders)
    workspace, traffic = worlds.desk(), Traffic()
    async with AsyncExitStack() as stack:
        world = World(
            seed=1,
            workspace=workspace,
            traffic=traffic,
            venues={"bybit": venue},
            accounts=accounts,
            api_url=await stack.enter_async_context(api.serve(workspace, traffic)),
            urls={
                "bybit": await stack.enter_async_context(server.serve(venue, latency_s=latency_s))
            },
        )
        yield Product(world=world, folder=folder)


class Everything(logging.Formatter):
    """Writes a record with all that hangs on it, before any redaction."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{super().format(record)} {record.__dict__}"


@contextmanager
def kept_log(folder: Path) -> Iterator[None]:
    """Keep every raw log record of a test, of any level, tracebacks included."""
    handler = logging.FileHandler(folder / "bot.log")
    handler.setFormatter(Everything())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def keep_artefacts(product: Product) -> None:
    """Leave what the world saw beside the database, for the canary search."""
    slack = [
        *(message for place in (INCIDENT,) for message in product.slack.everything(place)),
        *(e for user in (ALICE, BOB, *worlds.OTHERS) for e in product.slack.ephemerals(user)),
    ]
    (product.folder / "slack.txt").write_text("\n".join(map(repr, slack)))
    (product.folder / "wire.txt").write_text("\n".join(map(repr, product.venue.log)))
    (product.folder / "calls.txt").write_text("\n".join(map(repr, product.world.traffic.calls)))


@asynccontextmanager
async def started(product: Product) -> AsyncIterator[Product]:
    """Start the bot on a product's config, written at the first start."""
    path = product.folder / "config.toml"
    config = configs.load(path) if path.exists() else demo.set_up(product.world, product.folder)
    with kept_log(product.folder):
        async with _running(product, config):
            yield product


@asynccontextmanager
async def _running(product: Product, config: Config) -> AsyncIterator[None]:
    async with (
        app.serving(config, limits=QUICK) as bot,
        delivery.connect(
            product.slack,
            api_url=product.world.api_url,
            request_url=demo.where(config, bot.url),
        ) as people,
    ):
        product.bot, product.people = bot, people
        try:
            yield
        finally:
            keep_artefacts(product)


@asynccontextmanager
async def open_product(folder: Path, **more: object) -> AsyncIterator[Product]:
    """Everything, running."""
    async with open_surroundings(folder, **more) as product, started(product):  # type: ignore[arg-type]
        yield product


async def soon(check: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    """Wait for a condition that nothing announces."""
    end = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < end, "it did not come to pass in time"
        await asyncio.sleep(0.02)
