"""The composition root: joins every part, and lets go in order.

Owns start and stop. Parts get what they need by argument; nothing here decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from adapters import link as links
from bot import web, wiring
from bot.background import Background, background
from bot.config import Config
from bot.domain.errors import BotError, ConfigError
from bot.domain.limits import Limits
from bot.domain.request import RequestState
from bot.flow import decide, execute, tick
from bot.flow.desk import Desk
from bot.flow.execute import Runner
from bot.flow.job import Means
from bot.flow.ports import Clock, KeySource, StoreDown
from bot.flow.preview import Previewer
from bot.slack import answers, connection, listeners
from bot.slack.connection import Identity
from bot.slack.identity import SlackPeople
from bot.slack.listeners import Counter
from bot.slack.presenter import Presenter
from bot.slack.surroundings import Surroundings
from bot.store import engine, pulls
from bot.store.engine import Store
from bot.store.events import Trail
from bot.store.pulls import Consoles
from bot.wiring import OpenVenues, SystemClock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A running bot, as whoever started it sees it."""

    url: str
    """Base URL of its HTTP server."""
    desk: Desk
    trail: Trail
    """What happened, chained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What was opened at start."""

    config: Config
    clock: Clock
    limits: Limits
    store: Store
    keys: KeySource
    client: AsyncWebClient
    venues: OpenVenues
    background: Background
    consoles: Consoles
    changed: set[str] = field(default_factory=set)
    """Requests that changed before we had met Slack."""


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
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        store = await enter(engine.open_store(config.file.store.url))
        keys = await enter(wiring.open_keys(config))
        token = config.slack.bot_token.get_secret_value()
        client = await enter(connection.open_client(token, _api_url(config)))
        venues = await enter(wiring.open_venues(config))
        owner = secrets.token_hex(8)
        stack.push_async_callback(_let_go, store, owner)  # Runs once the runner has let go.
        consoles = Consoles(config.file.state.dir / pulls.FOLDER, store.pulls)
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
            consoles=consoles,
        )
        people = _people(parts)
        desk = _desk(parts, people, runner, owner)
        beside.spawn("tick", lambda: tick.tick(desk), again_s=limits.tick_s)
        logger.info("runs.watched", extra={"accounts": len(config.accounts)})
        try:
            await _check_keys(config, keys)
            url = await enter(_at_slack(parts, people, desk))
        except ConfigError as error:
            logger.warning("start.refused", extra={"why": error.user_message})
            await _runs_ended(parts)  # Whoever took our token or a key away stops no run by it.
            raise
        logger.info("bot.started", extra={"url": url, "accounts": len(config.accounts)})
        yield Serving(url=url, desk=desk, trail=store.trail)


@asynccontextmanager
async def _at_slack(parts: Parts, people: SlackPeople, desk: Desk) -> AsyncIterator[str]:
    """Meet Slack, however long that takes, and listen to it; yields our base URL."""
    config, client, spawn = parts.config, parts.client, parts.background.spawn
    slack_part, where = config.file.slack, config.file.web
    me = await connection.identify(client)
    _check_home(config, me)
    presenter = _presenter(parts, desk, me)
    assert config.slack is not None
    assert config.slack.signing_secret is not None
    secret = config.slack.signing_secret.get_secret_value()
    slack = connection.build_app(client, secret, me, str(client.token))
    counter = _counter(parts, people, desk, presenter, me)
    listeners.register(slack, counter)
    async with web.listening(web.build(slack, secret), where.host, where.port) as url:
        desk.changed = presenter.changed
        for request_id in parts.changed:
            presenter.changed(request_id)
        spawn("heal", presenter.heal, mend_s=parts.limits.tick_s)
        spawn("counts", lambda: _count(parts, counter), mend_s=parts.limits.tick_s)
        incident = slack_part.incident_channel
        spawn("channel", lambda: connection.check_channel(client, incident))
        yield url


async def _count(parts: Parts, counter: Counter) -> None:
    """Count the orders of requests whose card an earlier process left without counts."""
    for request in await parts.store.requests.open_requests():
        if request.state is RequestState.PENDING and request.counts is None:
            count = partial(answers.count, counter.desk, counter.previewer, request)
            parts.background.spawn("preview", count)


def _api_url(config: Config) -> str:
    """Check where the bot token goes by the rule that holds for keys: no plain http but to us."""
    try:
        return f"{links.one_spelling(config.file.slack.api_url)}/"
    except ValueError as error:
        raise ConfigError(
            user_message=f"slack.api_url: {error}.",
            remedy="Write https://slack.com/api/, or leave it out.",
        ) from None


async def _check_keys(config: Config, keys: KeySource) -> None:
    """Refuse a key that cannot be had: a run would find out, a dry run would not.

    A source that does not answer now may do so when it matters: it is told, and not refused.
    """
    unreadable = await keys.unreadable(wiring.key_paths(config))
    for account in config.accounts:
        for what, path in (("key", account.key), ("read_key", account.read_key)):
            error = unreadable.get(path) if path is not None else None
            if error is not None and not error.retryable:
                raise ConfigError(
                    user_message=f"Account {account.name}: {what}: {error.user_message}.",
                    remedy=error.remedy,
                )
    for why in dict.fromkeys(error.user_message for error in unreadable.values()):
        logger.warning("keys.unreachable", extra={"why": why})


def _check_home(config: Config, me: Identity) -> None:
    """Refuse a policy to which everybody beside the bot is a stranger."""
    if me.team_id not in config.policy.workspaces:
        raise ConfigError(
            user_message=f"{config.file.policy.name}: workspaces lacks {me.team_id}, "
            "the bot's own, so everybody there would be refused.",
            remedy=f'Add "{me.team_id}", or store the bot token of a workspace that is listed.',
        )


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


def _people(parts: Parts) -> SlackPeople:
    roles = parts.config.policy.roles.values()
    return SlackPeople(
        client=parts.client,
        clock=parts.clock,
        named=frozenset(user for role in roles for user in role.users),
        call_s=parts.limits.people_call_s,
    )


def _desk(parts: Parts, people: SlackPeople, runner: Runner, owner: str) -> Desk:
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
        consoles=parts.consoles,
        changed=parts.changed.add,
    )


def _presenter(parts: Parts, desk: Desk, me: Identity) -> Presenter:
    around = Surroundings(
        client=parts.client,
        shown=parts.store.requests,
        messages=parts.store.messages,
        pulls=parts.store.pulls,
        clock=parts.clock,
        incident_channel=parts.config.file.slack.incident_channel,
        workspace_url=me.url,
        judge=lambda request, votes: decide.judge(desk, request, votes),
        bans=lambda: desk.bans,
        pause_s=parts.limits.slack_pause_s,
    )
    return Presenter(around, parts.background.spawn)


def _counter(
    parts: Parts, people: SlackPeople, desk: Desk, presenter: Presenter, me: Identity
) -> Counter:
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
        team_id=me.team_id,
        incident_channel=slack.incident_channel,
        channels=frozenset({slack.incident_channel, *slack.channels}),
    )


async def serve(config: Config) -> None:
    """Run the bot until the process is told to stop.

    Raises:
        ConfigError: something that it needs at start is missing or refuses.
        SecretError: the key source does not open.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    try:
        async with asyncio.TaskGroup() as group:
            bot = group.create_task(_serve_on(config))
            await stopped.wait()
            bot.cancel()
    except BaseExceptionGroup as failed:
        raise _plain(failed) from None


async def _serve_on(config: Config) -> None:
    async with serving(config):
        await asyncio.Event().wait()


def _plain(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """Take an error that a person can act on out of the task groups that it left through."""
    for inner in failed.exceptions:
        found = _plain(inner) if isinstance(inner, BaseExceptionGroup) else inner
        if isinstance(found, BotError):
            return found
    return failed
