"""The composition root: joins every part, keeps them alive, lets go in order.

Owns start, stop and `supervise()`. Parts get what they need by argument; nothing here decides.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters import registry
from adapters.contract import Venue
from bot import config as configs
from bot import web
from bot.config import Config
from bot.domain.limits import Limits
from bot.flow import decide, execute, tick
from bot.flow.desk import Desk
from bot.flow.execute import Means
from bot.flow.ports import StoreDown
from bot.flow.preview import Previewer
from bot.keys import sealed
from bot.slack import connection, listeners
from bot.slack.identity import SlackPeople
from bot.slack.listeners import Counter
from bot.slack.presenter import Presenter, Surroundings
from bot.store import engine

logger = logging.getLogger(__name__)

AGAIN_S = 1.0
"""How long a background part that broke rests before it is started again."""


@dataclass(frozen=True, slots=True)
class SystemClock:
    """Wall time and the event loop's own clock."""

    def now(self) -> datetime:
        """Return wall time, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on the loop's clock."""
        return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVenues:
    """The venue links of this process, one per venue and base URL."""

    links: dict[tuple[str, str], Venue]

    def venue(self, name: str, base_url: str) -> Venue:
        """Return the link for a target."""
        return self.links[name, base_url]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a running bot shows to whoever started it."""

    url: str
    """Base URL of its HTTP server."""
    desk: Desk


async def supervise(
    name: str, factory: Callable[[], Coroutine[Any, Any, None]], *, again_s: float | None = None
) -> None:
    """Run background work; log a bug in it, and start it again if `again_s` says so."""
    while True:
        try:
            await factory()
        except StoreDown:
            logger.warning("store.unreachable", extra={"part": name})
        except Exception:
            logger.exception("part.failed", extra={"part": name})
        if again_s is None:
            return
        await asyncio.sleep(again_s)


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[Serving]:
    """Run the bot until the context ends; then stop sending, flush, and give the leases back.

    Raises:
        ConfigError: something it needs at start is missing or refuses.
    """
    clock, limits = SystemClock(), Limits()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(engine.open_store(config.store))
        keys = await stack.enter_async_context(sealed.open_keys(config.keys))
        client = await stack.enter_async_context(
            connection.open_client(config.slack.bot_token.get_secret_value(), config.slack.api_url)
        )
        me = await connection.identify(client)
        venues = OpenVenues(links=await _connect(config, stack))
        group = await stack.enter_async_context(_background())
        journal = await stack.enter_async_context(store.open_journal(config.state_dir))
        runner = await stack.enter_async_context(
            execute.open_runner(
                Means(journal=journal, keys=keys, venues=venues, clock=clock, limits=limits)
            )
        )
    raise NotImplementedError
