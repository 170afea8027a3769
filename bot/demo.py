"""`make demo`: the sandbox, the real bot, and the story; the exit status comes from the books.

Owns the config that joins the two: nothing else connects them but sockets and URLs.
"""

from __future__ import annotations

import logging
import secrets
import sys
import time
from pathlib import Path

from bot import app, starter, telemetry
from bot import config as configs
from bot.config import Config
from bot.sandbox import story as stories
from bot.sandbox import world as worlds
from bot.sandbox.slack import delivery
from bot.sandbox.slack.workspace import HOME
from bot.sandbox.story import Story
from bot.sandbox.world import World
from bot.starter import Draft

SOCKET, HTTP = "socket", "http"

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
mode = "{mode}"
api_url = "{api_url}"
incident_channel = "{incident}"
bot_token = {{ file = "slack.token" }}
app_token = {{ file = "slack.app" }}
signing_secret = {{ file = "slack.signing" }}

[web]
port = 0

{keys}
[store]
url = "sqlite:///cancelall.db"
"""

SEALED = """\
[keys]
source = "sealed"
file = "keys.sealed"
passphrase = { file = "passphrase" }
"""


async def play(seed: int | None, keep: Path | None, mode: str = SOCKET) -> int:
    """Play the story once; its files stay in the folder `keep`, if there is one.

    `mode` is how Slack reaches the bot: `socket` or `http`.

    Returns:
        0 only if every book, asked directly, is empty and the report said FLAT.

    Raises:
        ConfigError: the folder cannot be made.
    """
    chosen = secrets.randbelow(1000) if seed is None else seed
    began = time.monotonic()
    with starter.folder(keep) as folder, (folder / "bot.log").open("w") as log:
        telemetry.configure(log, level=logging.INFO)
        async with worlds.open_world(chosen) as world:
            config = set_up(world, folder, mode=mode)
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


async def _play(world: World, config: Config) -> bool:
    async with (
        app.serving(config) as bot,
        delivery.connect(
            world.workspace, api_url=world.api_url, request_url=where(config, bot.url)
        ) as people,
    ):
        return await stories.tell(Story(world=world, people=people, say=_say))


def where(config: Config, url: str) -> str | None:
    """Return where Slack sends to; None in Socket Mode, where it is asked for what there is."""
    return f"{url}/slack/events" if config.file.slack.mode == HTTP else None


def set_up(world: World, folder: Path, *, mode: str = HTTP, keys: str = SEALED) -> Config:
    """Write policy, config and secrets as an operator would, and load them.

    `keys` is the part of the config that says where keys are; only sealed ones are written here.
    """
    starter.write_secret(folder / "slack.token", world.workspace.app.bot_token)
    starter.write_secret(folder / "slack.app", world.workspace.app.app_token)
    starter.write_secret(folder / "slack.signing", world.workspace.app.signing_secret)
    draft = Draft(
        policy=POLICY,
        config=CONFIG.format(
            mode=mode,
            api_url=world.api_url,
            incident=worlds.INCIDENT,
            keys=keys,
        ),
        accounts=world.accounts,
        urls=world.urls,
        passphrase=worlds.PASSPHRASE if keys is SEALED else None,
    )
    return configs.load(starter.write(folder, draft))


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()
