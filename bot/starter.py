"""From play to work: a desk on disk, with simulated venues and sealed keys that open nothing.

Owns what such a desk is written as, for the demo and for `cancelall sandbox`, where it runs a
workspace of the operator's own. What is in the file then is theirs to change, account by account.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot import config as configs
from bot import console, front
from bot.config_file import AccountPart, SecretAt
from bot.domain.errors import ConfigError
from bot.keys import sealed
from bot.sandbox import world as worlds
from bot.sandbox.accounts import CREDITS, CREDITS_FILE, PREMISES, Account, Simulated

Say = Callable[[str], None]

ALONE = ("bybit", "coinapi", "synthetix")
"""Venues whose accounts one person may empty; the others play production."""
LOOK_S = 0.25

POLICY = """\
# Who may ask, and who must approve. Deny by default: an account that no rule matches is refused.

workspaces = ["{team}"]{gap}# yours, as Slack told

[roles.desk]
users = ["YOUR-MEMBER-ID"]       # CHANGE ME: in Slack, your profile, then the dots: Copy member ID

[[rule]]
name = "test venues"
tags = {{ env = "test" }}
ask = ["desk"]
approve = []                     # one person suffices: /cancelall env=test runs at once
break_glass = ["desk"]           # may also pull alone on a console; see [console] in config.toml

[[rule]]
name = "prod"                    # one venue plays production: here somebody else must agree
tags = {{ env = "prod" }}
ask = ["desk"]
approve = [{{ roles = ["desk"], count = 1 }}]  # whoever asks never counts. Alone you will see
                                 # /cancelall all wait; add a colleague's member ID above
"""

CONFIG = """\
# Your own Slack, simulated venues. Two values are yours to change: incident_channel here, and
# users in policy.toml. An account of your own goes beside the simulated ones, or in their place.

policy = "policy.toml"

[slack]
mode = "socket"                  # Slack needs no port of yours
api_url = {api_url}
incident_channel = "YOUR-CHANNEL-ID"  # CHANGE ME: the last line of its details; invite the bot
bot_token = {{ env = "SLACK_BOT_TOKEN" }}
app_token = {{ env = "SLACK_APP_TOKEN" }}

[web]                            # /healthz, /readyz, /metrics, for this machine only
port = {port}

[keys]
source = "sealed"
file = "keys.sealed"             # these keys open nothing: the venues are simulated
passphrase = {{ file = "passphrase" }}

[store]
url = "sqlite:///cancelall.db"

# [console]                      # for cancelall pull env=test --reason "…", without Slack
# people = {{ {user} = "U…" }}  # your user here = your member ID, as in policy.toml
"""

ACCOUNT = """
[[account]]
name = "{name}"
venue = "{venue}"
uid = "{uid}"
tags = {{ env = "{env}" }}
key = "venues/{name}"
base_url = "{url}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A desk that is not yet written."""

    policy: str
    config: str
    """All but the accounts."""
    accounts: tuple[Account, ...]
    urls: Mapping[str, str]
    """Base URL of each venue."""
    envs: Mapping[str, str] = field(default_factory=dict)
    """The tag `env` of each venue's accounts; "prod" where it is not named."""
    passphrase: str | None
    """Of the sealed file; None: the keys are elsewhere."""


def write(folder: Path, draft: Draft) -> Path:
    """Write policy, config, passphrase and sealed keys, if they are to be sealed.

    Returns:
        The path of the config.
    """
    write_secret(folder / CREDITS_FILE, CREDITS)
    write_secret(folder / "policy.toml", draft.policy)
    text = draft.config
    for account in draft.accounts:
        text += ACCOUNT.format(
            name=account.name,
            venue=account.venue,
            uid=account.uid,
            env=draft.envs.get(account.venue, "prod"),
            url=draft.urls[account.venue],
        )
        text += PREMISES[account.venue].settings
        if account.read_key is not None:
            text += f'read_key = "venues/{account.name}-ro"\n'
    write_secret(folder / "config.toml", text)
    if draft.passphrase is not None:
        _seal_all(folder, draft.accounts, draft.passphrase)
    return folder / "config.toml"


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text)


@contextmanager
def folder(keep: Path | None) -> Iterator[Path]:
    """Make a new folder to play in: `keep`, or without it one that is gone at the end.

    Raises:
        ConfigError: it is there, or cannot be made.
    """
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="cancelall-") as name:
            yield Path(name)
        return
    make(keep)
    yield keep


def make(folder: Path) -> None:
    """Make a new folder.

    Raises:
        ConfigError: it is there, or cannot be made.
    """
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise ConfigError(
            user_message=f"The folder {folder} cannot be made: {error.strerror}.",
            remedy="Name a new one in a folder of yours.",
        ) from None


def _seal_all(folder: Path, accounts: tuple[Account, ...], passphrase: str) -> None:
    write_secret(folder / "passphrase", passphrase)
    for path, key in worlds.documents(accounts):
        document = SecretStr(json.dumps(key))
        # Cheap: the demo's passphrase guards nothing, and no guess finds one of 256 bits.
        sealed.seal(
            folder / "keys.sealed", path, document, SecretStr(passphrase), cost=sealed.CHEAP
        )


async def init(folder: Path, say: Say, *, api_url: str, port: int) -> None:
    """Write a desk for the workspace that the bot token is of, and say what is left to do.

    `port` is that of the bot's own server; those of the venues follow.

    Raises:
        ConfigError: there is no token, Slack refuses it, or the folder cannot be made.
    """
    token = configs.secret(SecretAt(env="SLACK_BOT_TOKEN"), "sandbox init")
    me = await front.met(token, api_url)
    make(folder)
    draft = Draft(
        policy=POLICY.format(team=me.team_id, gap=" " * max(2, 16 - len(me.team_id))),
        config=CONFIG.format(
            api_url=json.dumps(api_url), port=port, user=json.dumps(console.user())
        ),
        accounts=tuple(account for each in PREMISES.values() for account in each.accounts),
        urls={
            venue: f"http://127.0.0.1:{port + number}"
            for number, venue in enumerate(PREMISES, start=1)
        },
        envs=dict.fromkeys(ALONE, "test"),
        passphrase=secrets.token_urlsafe(32),
    )
    path = write(folder, draft)
    for line in (
        f"A desk for {me.url or me.team_id} is in {folder}.",
        "Change the two values that say CHANGE ME:",
        f"  incident_channel in {path}",
        f"  users in {folder / 'policy.toml'}",
        "Then, in one terminal each, with SLACK_BOT_TOKEN and SLACK_APP_TOKEN set:",
        f"  cancelall sandbox venues {folder}",
        f"  cancelall serve --config {path}",
        "And in the channel: /cancelall env=test",
    ):
        say(line)


async def serve_venues(folder: Path, say: Say) -> None:
    """Serve the simulated venues of a desk until the process is told to stop.

    Prints how many orders rest whenever that has changed.

    Raises:
        ConfigError: the config is wrong, names none of them, or their ports are taken.
    """
    ports = _ports(folder / "config.toml")
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        venues = {}
        for name, port in ports.items():
            opening = worlds.open_venue(PREMISES[name], seed=secrets.randbelow(1000), port=port)
            try:
                venues[name], url = await stack.enter_async_context(opening)
            except OSError as error:
                raise _taken(name, port, error) from None
            say(f"{PREMISES[name].title} at {url}")
        await _watch(venues, say, stopped)


def _ports(path: Path) -> dict[str, int]:
    """Find where the config says that simulated venues are."""
    ports = {}
    if not path.exists():
        raise ConfigError(
            user_message=f"There is no {path}.",
            remedy="Write a desk into a new folder: cancelall sandbox init FOLDER.",
        )
    for part in configs.read(path).account:
        url = urlsplit(_address(part))
        if part.venue in PREMISES and (url.scheme, url.hostname) == ("http", "127.0.0.1"):
            ports[part.venue] = url.port or 80
    if not ports:
        raise ConfigError(
            user_message=f"{path.name} has no account at a simulated venue.",
            remedy="Write one that has: cancelall sandbox init FOLDER.",
        )
    return ports


def _address(part: AccountPart) -> str:
    return str((part.model_extra or {}).get("base_url", ""))


def _taken(name: str, port: int, error: OSError) -> ConfigError:
    why = os.strerror(error.errno) if error.errno else str(error)
    return ConfigError(
        user_message=f"{PREMISES[name].title} cannot be simulated at port {port}: {why}.",
        remedy="End what listens there, or mend base_url in config.toml.",
    )


async def _watch(venues: Mapping[str, Simulated], say: Say, stopped: asyncio.Event) -> None:
    """Print the books as they fall."""
    began, before = time.monotonic(), ""
    while not stopped.is_set():
        now = worlds.counts(venues)
        if now != before:
            say(f"{time.monotonic() - began:6.1f}  on the books: {now}")
            before = now
            if not any(venue.book.total(now=time.time()) for venue in venues.values()):
                say("Every book is empty. Ctrl-C, and start again for new orders.")
        try:
            async with asyncio.timeout(LOOK_S):
                await stopped.wait()
        except TimeoutError:
            continue
