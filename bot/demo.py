"""`make demo`: the sandbox, the real bot, and the story; the exit status comes from the books.

Owns the config that joins the two: nothing else connects them but sockets and URLs.
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from bot import app, telemetry
from bot import config as configs
from bot.config import Config
from bot.domain.errors import ConfigError
from bot.keys import sealed
from bot.sandbox import story as stories
from bot.sandbox import world as worlds
from bot.sandbox.accounts import CREDITS, CREDITS_FILE, PREMISES
from bot.sandbox.slack import delivery
from bot.sandbox.slack.workspace import HOME
from bot.sandbox.story import Story
from bot.sandbox.world import World

POLICY = f"""\
workspaces = ["{HOME}"]

[roles.traders]
groups = ["{worlds.TRADERS}"]

[roles.risk]
groups = ["{worlds.RISK}"]

[[rule]]
name = "prod"
tags = {{ env = "prod" }}
ask = ["traders"]
approve = [{{ roles = ["risk"], count = 1 }}]
"""

CONFIG = """\
policy = "policy.toml"

[slack]
mode = "http"
api_url = "{api_url}"
incident_channel = "{incident}"
bot_token = {{ file = "slack.token" }}
signing_secret = {{ file = "slack.signing" }}

[web]
port = 0

[keys]
source = "sealed"
file = "keys.sealed"
passphrase = {{ file = "passphrase" }}

[store]
url = "sqlite:///cancelall.db"
"""

ACCOUNT = """
[[account]]
name = "{name}"
venue = "{venue}"
uid = "{uid}"
tags = {{ env = "prod" }}
key = "venues/{name}"
base_url = "{venue_url}"
"""


async def play(seed: int | None, keep: Path | None) -> int:
    """Play the story once; its files stay in the folder `keep`, if there is one.

    Returns:
        0 only if every book, asked directly, is empty and the report said FLAT.

    Raises:
        ConfigError: the folder cannot be made.
    """
    chosen = secrets.randbelow(1000) if seed is None else seed
    began = time.monotonic()
    with _folder(keep) as folder, (folder / "bot.log").open("w") as log:
        telemetry.configure(log, level=logging.INFO)
        async with worlds.open_world(chosen) as world:
            config = set_up(world, folder)
            is_flat = await _play(world, config)
            left = world.total()
    seconds = time.monotonic() - began
    report = "FLAT" if is_flat and not left else "NOT FLAT"
    _say("")
    _say(
        f"The books, asked directly: {left} orders rest. Report: {report}. {seconds:.0f} s in all."
    )
    _say(f"Next: make demo SEED={chosen + 1}   make test   README.md, going to production")
    return 0 if report == "FLAT" else 1


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="cancelall-demo-") as name:
            yield Path(name)
        return
    try:
        keep.mkdir(mode=0o700)
    except OSError as error:
        raise ConfigError(
            user_message=f"The folder {keep} cannot be made: {error.strerror}.",
            remedy="Name a new one in a folder of yours.",
        ) from None
    yield keep


async def _play(world: World, config: Config) -> bool:
    async with (
        app.serving(config) as bot,
        delivery.connect(
            world.workspace, api_url=world.api_url, request_url=f"{bot.url}/slack/events"
        ) as people,
    ):
        return await stories.tell(Story(world=world, people=people, say=_say))


def set_up(world: World, folder: Path) -> Config:
    """Write policy, config, secrets and sealed keys as an operator would, and load them."""
    passphrase = SecretStr(worlds.PASSPHRASE)
    _write(folder / "policy.toml", POLICY)
    _write(folder / "slack.token", world.workspace.app.bot_token)
    _write(folder / "slack.signing", world.workspace.app.signing_secret)
    _write(folder / "passphrase", worlds.PASSPHRASE)
    _write(folder / CREDITS_FILE, CREDITS)
    text = CONFIG.format(api_url=world.api_url, incident=worlds.INCIDENT)
    for account in world.accounts:
        text += ACCOUNT.format(
            name=account.name,
            venue=account.venue,
            uid=account.uid,
            venue_url=world.urls[account.venue],
        )
        text += PREMISES[account.venue].settings
        _seal(folder, f"venues/{account.name}", account.key, passphrase)
        if account.read_key is not None:
            path = f"venues/{account.name}-ro"
            text += f'read_key = "{path}"\n'
            _seal(folder, path, account.read_key, passphrase)
    _write(folder / "config.toml", text)
    return configs.load(folder / "config.toml")


def _seal(folder: Path, name: str, key: Mapping[str, object], passphrase: SecretStr) -> None:
    document = SecretStr(json.dumps(key))
    sealed.seal(folder / "keys.sealed", name, document, passphrase, cost=sealed.CHEAP)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()
