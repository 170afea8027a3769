"""The composition root: joins every part, and lets go in order.

Owns start and stop, and who is asked whether all of it works. Parts get what they need by argument;
nothing here decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bot import front, health, telemetry, web, wiring
from bot.background import background
from bot.config import Config
from bot.domain import errors
from bot.domain.errors import ConfigError, SecretError
from bot.domain.event import Event
from bot.domain.limits import Limits
from bot.domain.request import RequestState
from bot.flow import execute, tick
from bot.flow.desk import Desk
from bot.flow.execute import Runner
from bot.flow.job import Means
from bot.flow.ports import Consoles, KeySource, StoreDown
from bot.front import Door, Parts
from bot.health import Beat, Readiness
from bot.metrics import Metrics, Sources
from bot.slack import connection
from bot.slack.identity import SlackPeople
from bot.store import engine, pulls
from bot.store.engine import Store
from bot.store.events import Trail
from bot.web import Views
from bot.wiring import SystemClock

logger = logging.getLogger(__name__)

RECORDS_S = 5.0
"""Between two looks for what checks on a console have recorded."""
STOCK_S = 5.0
"""Between two counts of what is open, for the metrics."""
NEAR_S = 10.0
"""After a console: what it has used of the budgets counts that long at the venues."""
TICK_LATE_S = 5.0
"""Without a tick for so long, nothing expires and no run is taken up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A running bot, as whoever started it sees it."""

    url: str
    """Base URL of its HTTP server."""
    desk: Desk
    trail: Trail
    """What happened, chained."""


@asynccontextmanager
async def serving(config: Config, *, limits: Limits | None = None) -> AsyncIterator[Serving]:
    """Run the bot until the context ends; then stop sending, flush, and give the leases back.

    Runs that a process before this one left are taken up first, whatever Slack does; the context
    is entered once Slack knows us and can reach us.

    Raises:
        ConfigError: something that it needs at start is missing or refuses.
        SecretError: the key source does not open.
    """
    assert config.slack is not None, "only a console does without"
    clock, limits = SystemClock(), limits or Limits()
    metrics = Metrics(account.venue for account in config.accounts)

    def seen(event: Event) -> None:
        telemetry.read(event)
        metrics.read(event)

    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        store = await enter(engine.open_store(config.file.store.url, seen=seen))
        keys = await enter(wiring.open_keys(config))
        client = await enter(connection.open_client("", front.api_url(config)))
        venues = await enter(wiring.open_venues(config))
        owner = secrets.token_hex(8)
        stack.push_async_callback(_let_go, store, owner)  # Runs once the runner has let go.
        consoles = pulls.Consoles(config.file.state.dir / pulls.FOLDER, store.pulls)
        stack.callback(consoles.close)
        means = Means(journal=store.journal, keys=keys, venues=venues, clock=clock, limits=limits)
        runner = await enter(execute.open_runner(means))
        beside = await enter(background())  # Ends first: no tick hands the runner more.
        parts = Parts(
            config=config,
            clock=clock,
            limits=limits,
            store=store,
            keys=keys,
            client=client,
            venues=venues,
            background=beside,
        )
        people, door = front.people(parts), Door(client=client)
        desk = _desk(parts, people, runner, consoles, owner)
        views = _watched(parts, desk, door, metrics, consoles)
        logger.info("runs.watched", extra={"accounts": len(config.accounts)})
        try:
            url = await enter(_web(config, door, views))
            await _check_keys(config, keys)
            await enter(front.opened(parts, people, desk, door))
        except ConfigError as error:
            logger.warning("start.refused", extra={"why": error.user_message})
            await _runs_ended(parts)  # Whoever took our token or a key away stops no run by it.
            raise
        logger.info("bot.started", extra={"url": url, "accounts": len(config.accounts)})
        yield Serving(url=url, desk=desk, trail=store.trail)


def _watched(
    parts: Parts, desk: Desk, door: Door, metrics: Metrics, consoles: pulls.Consoles
) -> Views:
    """Start what happens by itself, and what looks whether all of it works."""
    spawn, store, limits = parts.background.spawn, parts.store, parts.limits
    beat = Beat("tick", within_s=TICK_LATE_S)

    near_until = 0.0

    async def tick_once() -> None:
        nonlocal near_until
        try:
            await tick.tick(desk)
            beat.mark()
        finally:  # Also while the database is away: that is when people pull.
            now = parts.clock.monotonic()
            if consoles.is_any_near:
                near_until = now + NEAR_S
            parts.venues.share(2 if now < near_until else 1)

    async def keys_trouble() -> str:
        return "; ".join(_whys(await parts.keys.unreadable(parts.config.file.key_paths)))

    readiness = Readiness(
        {
            "slack": door.trouble,
            "store": store.pulse.trouble,
            "keys": keys_trouble,
            "tick": beat.trouble,
        }
    )
    sources = Sources(
        parts=readiness.parts,
        is_behind=lambda: store.journal.is_behind,
        bans=lambda: desk.bans,
        now=parts.clock.now,
    )
    spawn("tick", tick_once, again_s=limits.tick_s)
    spawn("readiness", readiness.watch, mend_s=limits.tick_s)
    spawn("lag", lambda: health.feel_lag(metrics.lagged), mend_s=limits.tick_s)
    records = parts.config.file.state.dir / pulls.FOLDER
    spawn("records", lambda: store.checks.take_up(records), again_s=RECORDS_S)
    spawn("stock", lambda: metrics.take_stock(store.requests), again_s=STOCK_S)
    return Views(parts=readiness.parts, metrics=lambda: metrics.text(sources))


def _web(config: Config, door: Door, views: Views) -> contextlib.AbstractAsyncContextManager[str]:
    """Listen before Slack is met: whoever asks whether we live must not wait for Slack."""
    where = config.file.web
    deliveries = web.Deliveries(app=lambda: door.app, secret=lambda: door.signing_secret)
    app = web.build(deliveries if config.file.slack.mode == "http" else None, views=views)
    return web.listening(app, where.host, where.port)


async def _check_keys(config: Config, keys: KeySource) -> None:
    """Tell every key that cannot be had; refuse to start only if no account's can.

    One account's trouble must disarm no other: a run says `NOT_SENT` for that one. And a source
    that does not answer now may do so when it matters.
    """
    unreadable = await keys.unreadable(config.file.key_paths)
    denied = {path: error for path, error in unreadable.items() if not error.retryable}
    for account in config.accounts:
        for what, path in (("key", account.key), ("read_key", account.read_key)):
            if path in denied:
                facts = {"account": account.name, "what": what, "remedy": denied[path].remedy}
                logger.error("key.unreadable", extra=facts | {"why": denied[path].user_message})
    if all(account.key in denied for account in config.accounts):
        first = config.accounts[0]
        raise ConfigError(
            user_message=f"No account's key can be had; {first.name}: "
            f"{denied[first.key].user_message}.",
            remedy=denied[first.key].remedy,
        )
    for why in _whys({path: e for path, e in unreadable.items() if path not in denied}):
        logger.warning("keys.unreachable", extra={"why": why})


def _whys(unreadable: Mapping[str, SecretError]) -> list[str]:
    """Say why keys cannot be had: an outage once, and not for each path."""
    return list(dict.fromkeys(error.user_message for error in unreadable.values()))


async def _runs_ended(parts: Parts) -> None:
    """Wait until no run is left; the tick ends each, at the latest after its consent."""
    while True:
        with contextlib.suppress(StoreDown):
            requests = await parts.store.requests.open_requests()
            if all(request.state is not RequestState.RUNNING for request in requests):
                return
        await asyncio.sleep(parts.limits.tick_s)


async def _let_go(store: Store, owner: str) -> None:
    """Make the journal durable and give the leases back, so that a successor need not wait."""
    try:
        await store.journal.flush()
        await store.requests.release(owner=owner)
    except StoreDown:
        logger.warning("store.unreachable", extra={"part": "release"})


def _desk(
    parts: Parts, people: SlackPeople, runner: Runner, consoles: Consoles, owner: str
) -> Desk:
    config = parts.config
    return Desk(
        store=parts.store.requests,
        journal=parts.store.journal,
        people=people,
        venues=parts.venues,
        runner=runner,
        clock=parts.clock,
        limits=parts.limits,
        directory=config.directory,
        policy=config.policy,
        policy_text=config.policy_text,
        owner=owner,
        pulls=parts.store.pulls,
        consoles=consoles,
        changed=parts.changed.add,
    )


async def serve(config: Config) -> None:
    """Run the bot until the process is told to stop.

    Raises:
        ConfigError: something that it needs at start is missing or refuses.
        SecretError: the key source does not open.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(name: signal.Signals) -> None:
        logger.info("bot.stopping", extra={"signal": name.name})
        stopped.set()

    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(name, stop, name)
    try:
        async with asyncio.TaskGroup() as group:
            bot = group.create_task(_serve_on(config))
            await stopped.wait()
            bot.cancel()
    except BaseExceptionGroup as failed:
        raise errors.plain(failed) from None


async def _serve_on(config: Config) -> None:
    async with serving(config):
        await asyncio.Event().wait()
