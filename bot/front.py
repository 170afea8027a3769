"""Everything that faces Slack: who we are there, what hears it, what answers it.

Owns the joining of Slack's parts to the desk, and the two ways in which Slack reaches us. The runs
need none of it; `bot.app` watches over them whether Slack has been met or not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from pydantic import SecretStr
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import background as backgrounds
from bot import wiring
from bot.background import Background
from bot.checks.ground import Ground, SlackSide
from bot.checks.watch import Watch
from bot.config import Config
from bot.domain.errors import ConfigError
from bot.domain.limits import Limits
from bot.domain.request import RequestState
from bot.flow import decide
from bot.flow.desk import Desk
from bot.flow.ports import Clock, KeySource
from bot.flow.preview import Previewer
from bot.keys import tokens as key_tokens
from bot.keys.tokens import Tokens
from bot.slack import answers, connection, listeners, socket
from bot.slack.connection import Identity
from bot.slack.identity import SlackPeople
from bot.slack.listeners import Counter
from bot.slack.presenter import Presenter
from bot.slack.socket import Ear
from bot.slack.surroundings import Surroundings
from bot.store.engine import Store
from bot.wiring import OpenVenues

ASKED_S = 5.0
"""How long Slack's word that it knows us counts. A socket does not tell: its token is another."""
CHECK_S = 15.0
"""How long an hourly check waits for Slack to say who somebody is: no vote waits for it."""
CHECK_MEND_S = 600.0
"""After a bug in the check: it will repeat itself."""
MET_S = 15.0
"""How long a command of a console waits for Slack."""


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
    changed: set[str] = field(default_factory=set)
    """Requests that changed before we had met Slack."""


@dataclass(slots=True, kw_only=True)
class Door:
    """How Slack reaches us, as far as it does."""

    client: AsyncWebClient
    app: AsyncApp | None = None
    """What hears Slack; None: it has not been met yet."""
    ear: Ear | None = None
    """In Socket Mode."""
    signing_secret: str = field(default="", repr=False)
    """Over HTTP; known once Slack has been met."""
    asked_at: float = float("-inf")

    async def trouble(self) -> str:
        """Say why Slack does not reach us, or we not Slack; empty if it does.

        A socket lives on after the bot token was revoked, and over HTTP nobody can tell whether
        Slack would find us: so Slack is asked whether it knows us. Without that nobody may vote.
        """
        if self.app is None:
            return "Slack has not been met since the start"
        if self.ear is not None and not self.ear.is_connected:
            return f"no socket since {self.ear.since:%H:%M:%S} UTC"
        if time.monotonic() - self.asked_at > ASKED_S:
            try:
                await self.client.api_call("auth.test")
            except SlackApiError as error:
                if not connection.is_throttled(error):
                    why = connection.word_of(error) or f"HTTP {connection.status_of(error)}"
                    return f"Slack refuses the bot: {why}"
            except connection.UNREADABLE as error:
                return f"Slack does not answer: {type(error).__name__}"
            self.asked_at = time.monotonic()
        return ""


def api_url(config: Config) -> str:
    """Check where the bot token goes by the rule that holds for keys: no plain http but to us.

    Raises:
        ConfigError: it must not go there.
    """
    return _checked(config.file.slack.api_url)


def _checked(url: str) -> str:
    remedy = "Write https://slack.com/api/, or leave it out."
    return f"{wiring.private_url(url, key='slack.api_url', remedy=remedy)}/"


async def met(bot_token: SecretStr, url: str, *, limit_s: float = MET_S) -> Identity:
    """Ask Slack who we are, for a command that does not wait for ever.

    Raises:
        ConfigError: Slack refuses the token or does not answer, or the token must not go there.
    """
    async with connection.open_client(bot_token.get_secret_value(), _checked(url)) as client:
        try:
            async with asyncio.timeout(limit_s):
                return await connection.identify(client)
        except TimeoutError:
            raise ConfigError(
                user_message=f"Slack did not answer at {url} within {limit_s:g} s.",
                remedy="Try again where it can be reached directly: HTTPS_PROXY is not heeded.",
            ) from None


def people(parts: Parts) -> SlackPeople:
    """Make what reads people from Slack."""
    roles = parts.config.policy.roles.values()
    return SlackPeople(
        client=parts.client,
        clock=parts.clock,
        named=frozenset(user for role in roles for user in role.users),
        call_s=parts.limits.people_call_s,
    )


@asynccontextmanager
async def opened(parts: Parts, folk: SlackPeople, desk: Desk, door: Door) -> AsyncIterator[None]:
    """Meet Slack, however long that takes, and listen to it while the context lasts.

    Raises:
        ConfigError: Slack refuses a token, or the policy is of another workspace.
    """
    config, client, spawn = parts.config, parts.client, parts.background.spawn
    assert config.slack is not None
    tokens = await key_tokens.wait_for(config.slack, parts.keys)
    connection.arm(client, tokens.bot.get_secret_value())
    me = await connection.identify(client)
    _check_home(config, me)
    presenter = _presenter(parts, desk, me)
    door.signing_secret = tokens.signing.get_secret_value() if tokens.signing else ""
    app = connection.build_app(client, door.signing_secret, me, str(client.token))
    watch = _watch(parts, presenter)
    answering = Answering(desk=desk, people=folk, presenter=presenter, watch=watch)
    counter = _counter(parts, answering, me)
    listeners.register(app, counter)
    async with _heard(app, door, tokens):
        desk.changed = presenter.changed
        for request_id in parts.changed:
            presenter.changed(request_id)
        spawn("heal", presenter.heal, mend_s=parts.limits.tick_s)
        spawn("counts", lambda: _count(parts, counter), mend_s=parts.limits.tick_s)
        incident = config.file.slack.incident_channel
        spawn("channel", lambda: connection.check_channel(client, incident))
        keep = partial(watch.keep, first_s=parts.limits.check_first_s)
        spawn("check", keep, mend_s=CHECK_MEND_S)
        yield


@asynccontextmanager
async def _heard(app: AsyncApp, door: Door, tokens: Tokens) -> AsyncIterator[None]:
    """Let Slack reach the app: by sockets of ours, or through the server that asks the door."""
    if tokens.app is None:
        door.app = app
        yield
        return
    token, url = tokens.app.get_secret_value(), str(door.client.base_url)
    async with (
        connection.open_client(token, url, kind=socket.APP_TOKEN) as client,
        socket.listening(app, client, backgrounds.supervise) as ear,
    ):
        door.app, door.ear = app, ear
        yield


def _check_home(config: Config, me: Identity) -> None:
    """Refuse a policy to which everybody beside the bot is a stranger."""
    if me.team_id not in config.policy.workspaces:
        raise ConfigError(
            user_message=f"{config.file.policy.name}: workspaces lacks {me.team_id}, "
            "the bot's own, so everybody there would be refused.",
            remedy=f'Add "{me.team_id}", or store the bot token of a workspace that is listed.',
        )


async def _count(parts: Parts, counter: Counter) -> None:
    """Count the orders of requests whose card an earlier process left without counts."""
    for request in await parts.store.requests.open_requests():
        if request.state is RequestState.PENDING and request.counts is None:
            count = partial(answers.count, counter.desk, counter.previewer, request)
            parts.background.spawn("preview", count)


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


def _watch(parts: Parts, presenter: Presenter) -> Watch:
    """Make what checks every hour; it asks Slack apart from the votes, and with more patience."""
    people = SlackPeople(client=parts.client, clock=parts.clock, call_s=CHECK_S)
    ground = Ground(
        config=parts.config,
        clock=parts.clock,
        venues=parts.venues,
        keys=parts.keys,
        slack=SlackSide(client=parts.client, people=people),
    )
    return Watch(ground, lambda change: presenter.announce(answers.changes(change)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """What answers people."""

    desk: Desk
    people: SlackPeople
    presenter: Presenter
    watch: Watch


def _counter(parts: Parts, answering: Answering, me: Identity) -> Counter:
    slack = parts.config.file.slack
    return Counter(
        desk=answering.desk,
        people=answering.people,
        presenter=answering.presenter,
        checkup=lambda: answering.watch.last,
        previewer=Previewer(
            keys=parts.keys, venues=parts.venues, clock=parts.clock, limits=parts.limits
        ),
        client=parts.client,
        spawn=parts.background.spawn,
        team_id=me.team_id,
        incident_channel=slack.incident_channel,
        channels=frozenset({slack.incident_channel, *slack.channels}),
    )
