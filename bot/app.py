"""The composition root: joins every part, keeps them alive, lets go in order.

Owns start, stop and `supervise()`. Parts get what they need by argument; nothing here decides.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from adapters import registry
from adapters.contract import Venue
from adapters.gate import Gate
from bot import web
from bot.config import Config
from bot.domain.limits import Limits
from bot.flow import decide, execute, tick
from bot.flow.desk import Desk
from bot.flow.execute import Means, Runner
from bot.flow.ports import Clock, StoreDown
from bot.flow.preview import Previewer
from bot.keys import sealed
from bot.keys.sealed import SealedKeys
from bot.slack import connection, listeners
from bot.slack.connection import Identity
from bot.slack.identity import SlackPeople
from bot.slack.listeners import Counter
from bot.slack.presenter import Presenter, Surroundings
from bot.store import engine
from bot.store.engine import Store

logger = logging.getLogger(__name__)

AGAIN_S = 1.0
"""How long a background part that broke rests before it is started again."""

Factory = Callable[[], Coroutine[Any, Any, None]]


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
    """The venues of this process, one per name and base URL."""

    links: Mapping[tuple[str, str], Venue]

    def venue(self, name: str, base_url: str) -> Venue:
        """Return the venue of a target."""
        return self.links[name, base_url]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A running bot, as whoever started it sees it."""

    url: str
    """Base URL of its HTTP server."""
    desk: Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What was opened at start."""

    config: Config
    clock: Clock
    limits: Limits
    store: Store
    keys: SealedKeys
    client: AsyncWebClient
    me: Identity
    venues: OpenVenues
    background: Background


class Background:
    """Supervised work beside the runs: a bug in a card never cancels a venue."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, name: str, factory: Factory, *, again_s: float | None = None) -> None:
        """Start work; with `again_s` it is started again whenever it ends or breaks."""
        task = self._group.create_task(supervise(name, factory, again_s=again_s), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def drop(self) -> None:
        """Cancel what still works."""
        for task in self._tasks:
            task.cancel()


async def supervise(name: str, factory: Factory, *, again_s: float | None = None) -> None:
    """Do the work; log a bug in it, and start it again if `again_s` says when."""
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
async def _background() -> AsyncIterator[Background]:
    async with asyncio.TaskGroup() as group:
        background = Background(group)
        try:
            yield background
        finally:
            background.drop()


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[Serving]:
    """Run the bot until the context ends; then stop sending, flush, and give the leases back.

    Raises:
        ConfigError: something that it needs at start is missing or refuses.
        SecretError: the key source does not open.
    """
    clock, limits = SystemClock(), Limits()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        store = await enter(engine.open_store(config.file.store.url))
        keys = await enter(sealed.open_keys(config.file.keys.file, config.passphrase))
        token = config.bot_token.get_secret_value()
        client = await enter(connection.open_client(token, config.file.slack.api_url))
        me = await connection.identify(client)
        venues = OpenVenues(links=await _connect(config, stack))
        owner = secrets.token_hex(8)
        stack.push_async_callback(_let_go, store, owner)  # Runs once the runner has let go.
        means = Means(journal=store.journal, keys=keys, venues=venues, clock=clock, limits=limits)
        runner = await enter(execute.open_runner(means))
        background = await enter(_background())  # Ends first: no tick hands the runner more.
        parts = Parts(
            config=config,
            clock=clock,
            limits=limits,
            store=store,
            keys=keys,
            client=client,
            me=me,
            venues=venues,
            background=background,
        )
        people = _people(parts)
        desk, presenter = _desk(parts, people, runner, owner)
        slack = connection.build_app(client, config.signing_secret.get_secret_value(), me, token)
        listeners.register(slack, _counter(parts, people, desk, presenter))
        slack_part = config.file.slack
        url = await enter(web.listening(web.build(slack), slack_part.host, slack_part.port))
        background.spawn("resume", lambda: tick.resume(desk))
        background.spawn("tick", lambda: tick.tick(desk), again_s=limits.tick_s)
        background.spawn("heal", presenter.heal)
        logger.info("bot.started", extra={"url": url, "accounts": len(config.accounts)})
        yield Serving(url=url, desk=desk)


async def _let_go(store: Store, owner: str) -> None:
    """Make the journal durable and give the leases back, so that a successor need not wait."""
    try:
        await store.journal.flush()
        await store.requests.release(owner=owner)
    except StoreDown:
        logger.warning("store.unreachable", extra={"part": "release"})


async def _connect(config: Config, stack: AsyncExitStack) -> dict[tuple[str, str], Venue]:
    """Open every venue that an account names; none needs to answer for the bot to start."""
    state_dir = config.file.state.dir
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    kinds = registry.venues()
    gates = {name: Gate(kinds[name].address) for name, _ in config.settings}
    links: dict[tuple[str, str], Venue] = {}
    for (name, base_url), settings in config.settings.items():
        connect = kinds[name].connect
        links[name, base_url] = await stack.enter_async_context(
            connect(settings, gate=gates[name], state_dir=state_dir)
        )
    return links


def _people(parts: Parts) -> SlackPeople:
    roles = parts.config.policy.roles.values()
    return SlackPeople(
        client=parts.client,
        clock=parts.clock,
        groups=frozenset(group for role in roles for group in role.groups),
        call_s=parts.limits.people_call_s,
    )


def _desk(parts: Parts, people: SlackPeople, runner: Runner, owner: str) -> tuple[Desk, Presenter]:
    """Join the desk and its presenter, each of which tells the other."""
    config = parts.config
    desk = Desk(
        store=parts.store.requests,
        people=people,
        venues=parts.venues,
        runner=runner,
        clock=parts.clock,
        limits=parts.limits,
        directory=config.directory,
        policy=config.policy,
        policy_text=config.policy_text,
        owner=owner,
        changed=lambda request_id: presenter.changed(request_id),  # noqa: PLW0108 - made below
    )
    around = Surroundings(
        client=parts.client,
        shown=parts.store.requests,
        messages=parts.store.messages,
        clock=parts.clock,
        incident_channel=config.file.slack.incident_channel,
        workspace_url=parts.me.url,
        judge=lambda request, votes: decide.judge(desk, request, votes),
    )
    presenter = Presenter(around, parts.background.spawn)
    return desk, presenter


def _counter(parts: Parts, people: SlackPeople, desk: Desk, presenter: Presenter) -> Counter:
    slack = parts.config.file.slack
    return Counter(
        desk=desk,
        people=people,
        presenter=presenter,
        previewer=Previewer(
            keys=parts.keys, venues=parts.venues, clock=parts.clock, limits=parts.limits
        ),
        client=parts.client,
        spawn=parts.background.spawn,
        team_id=parts.me.team_id,
        incident_channel=slack.incident_channel,
        channels=frozenset({slack.incident_channel, *slack.channels}),
    )


async def serve(config: Config) -> None:
    """Run the bot until the process is told to stop."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with serving(config):
        await stopped.wait()
