"""`cancelall check`: everything that would fail tonight, one line each, with what to do.

Owns what a console opens for it, the record of a check that reads keys, and the exit status. What
is looked at is in `bot.checks`. Nothing is cancelled, and nothing that is missing ends it early.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bot import config as configs
from bot import console, front, wiring
from bot.checks import everything
from bot.checks.ground import Ground, SlackSide
from bot.checks.slate import Spot
from bot.config import Config
from bot.domain import finding as findings
from bot.domain.errors import BotError, ConfigError, SecretError
from bot.domain.event import Event, EventKind, Fact
from bot.domain.finding import Finding, Grade
from bot.flow.ports import KeyDocument, KeySource
from bot.keys import tokens
from bot.slack import connection
from bot.slack.identity import SlackPeople
from bot.slack.socket import APP_TOKEN
from bot.store import checks, pulls
from bot.wiring import OpenVenues, SystemClock

READY, WRONG = 0, 78
"""Exit status: nothing would fail tonight as far as it was looked at; something would."""
PEOPLE_S = 15.0
"""How long Slack may take to say who the people of the policy are; nobody's vote waits for it."""
UNASKED = (
    "Vault is not asked from here: that would open the wrapped secret_id, which serve needs. "
    "Its own check asks every hour"
)
KEYS_READ = "What was read is on record: serve takes it into the chain of events."
KEYS_UNREAD = "Keys that can cancel were not read: cancelall check --keys does that, on the record."

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class _Start:
    """What could be opened, and what is to be said of the rest."""

    stack: AsyncExitStack
    clock: SystemClock = field(default_factory=SystemClock)
    found: list[Finding] = field(default_factory=list)


async def check(
    path: Path, say: Say, *, with_keys: bool = False, limit_s: float = everything.LIMIT_S
) -> int:
    """Ask everything that a run would need, and print what was found, the worst first.

    Args:
        path: of the config.
        say: prints a line.
        with_keys: read the keys that can cancel too, once that is recorded.
        limit_s: after so many seconds, what has not answered is a line.

    Returns:
        The exit status: 0, or 78 if anything is wrong.
    """
    async with AsyncExitStack() as stack:
        start = _Start(stack=stack)
        config = _load(path, start)
        ground = None if config is None else await _ground(config, start, with_keys=with_keys)
        found = tuple(start.found)
        if ground is not None:
            checkup = await everything.examine(ground, limit_s=limit_s, already=found)
            found = checkup.findings
    for line in findings.lines(found):
        say(line)
    say(KEYS_READ if ground is not None and ground.is_with_keys else KEYS_UNREAD)
    return WRONG if any(finding.grade is Grade.WRONG for finding in found) else READY


def _load(path: Path, start: _Start) -> Config | None:
    """Read the config; if only Slack's part of it is of no use, all others are looked at still."""
    try:
        return configs.load(path)
    except ConfigError as error:
        start.found.append(_wrong("config", path.name, error))
    try:
        return configs.load_console(path)
    except ConfigError:
        return None


def _wrong(part: str, about: str, error: BotError) -> Finding:
    return Spot(part=part, about=about).blind("opens", error.user_message, error.remedy)


async def _ground(config: Config, start: _Start, *, with_keys: bool) -> Ground:
    """Open what there is."""
    keys = await _keys(config, start)
    return Ground(
        config=config,
        clock=start.clock,
        venues=await _venues(config, start),
        keys=keys,
        slack=await _slack(config, start, keys),
        is_with_keys=with_keys and _recorded(config, start),
    )


def _recorded(config: Config, start: _Start) -> bool:
    """Record who reads the keys, before any is read; False if no record can be written."""
    facts: dict[str, Fact] = {
        "user": console.user(),
        "host": socket.gethostname(),
        "accounts": [account.name for account in config.accounts],
    }
    now = start.clock.now()
    event = Event(kind=EventKind.KEYS_CHECKED, request_id=checks.CHECK, at=now, facts=facts)
    try:
        checks.write_record(config.file.state.dir / pulls.FOLDER, event)
    except ConfigError as error:
        start.found.append(_wrong("keys", "--keys", error))
        return False
    return True


async def _venues(config: Config, start: _Start) -> OpenVenues | None:
    try:
        return await start.stack.enter_async_context(wiring.open_venues(config))
    except ConfigError as error:
        start.found.append(_wrong("host", "state", error))
        return None


async def _keys(config: Config, start: _Start) -> KeySource | None:
    vault = config.file.keys.vault
    if vault is not None and vault.wrapped_secret_id is not None:
        start.found.append(Spot(part="keys", about="vault").unknown("asked", UNASKED))
        return None
    try:
        return await start.stack.enter_async_context(wiring.open_keys(config))
    except BotError as error:
        start.found.append(_wrong("keys", config.file.keys.source, error))
        return None


async def _slack(config: Config, start: _Start, keys: KeySource | None) -> SlackSide | None:
    known, enter = config.slack, start.stack.enter_async_context
    if known is None or (known.paths and keys is None):  # A finding says why.
        return None
    try:
        found = await tokens.read(known, keys or _NoKeys())
        api_url = front.api_url(config)
        client = await enter(connection.open_client(found.bot.get_secret_value(), api_url))
        app_client = None
        if found.app is not None:
            token = found.app.get_secret_value()
            app_client = await enter(connection.open_client(token, api_url, kind=APP_TOKEN))
    except BotError as error:
        start.found.append(_wrong("slack", "tokens", error))
        return None
    people = SlackPeople(client=client, clock=start.clock, call_s=PEOPLE_S)
    return SlackSide(client=client, people=people, app_client=app_client)


class _NoKeys:
    """Stands for a source that did not open, where nothing needs to be read from one."""

    async def read(self, path: str) -> KeyDocument:
        """Give nothing."""
        raise SecretError(user_message=f"{path} cannot be read")

    async def unreadable(self, paths: Collection[str]) -> Mapping[str, SecretError]:
        """Give nothing of all these."""
        return {path: SecretError(user_message=f"{path} cannot be read") for path in paths}


def run(path: Path, say: Say, *, with_keys: bool) -> int:
    """Check from a command line; see `check`."""
    return asyncio.run(check(path, say, with_keys=with_keys))
