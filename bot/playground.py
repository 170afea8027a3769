"""`make sandbox`: the demo's world, the real bot, and a page to play in, until Ctrl-C.

Owns how these are joined, and what the page is told of the bot: what it says at `/readyz`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bot import app, demo, starter, telemetry
from bot.config import Config
from bot.keys import vault_policy
from bot.sandbox import world as worlds
from bot.sandbox.page import server
from bot.sandbox.page.acts import Acts
from bot.sandbox.page.board import Board
from bot.sandbox.page.server import Stage
from bot.sandbox.page.sight import Parts
from bot.sandbox.page.whatif import Controls, Switch
from bot.sandbox.slack import delivery
from bot.sandbox.slack.outage import Outage
from bot.sandbox.slack.records import App, SlashCommand
from bot.sandbox.vault import desk as vaults
from bot.sandbox.vault.desk import DeskVault
from bot.sandbox.world import World
from bot.slack import manifest

Say = Callable[[str], None]
ASK_S = 1.0
"""How often the bot is asked whether it is ready."""
KEYS = """\
[keys]
source = "vault"

[keys.vault]
address = "{address}"
auth = "approle"
role_id = "{role_id}"
secret_id = {{ file = "secret_id" }}
"""


async def play(seed: int | None, keep: Path | None, say: Say, *, opens: bool) -> None:
    """Serve the page until the process is told to stop; files stay in the folder `keep`, if any.

    Args:
        seed: of the venues' chance; None draws one.
        keep: a new folder for config, policy, database and log.
        say: prints a line.
        opens: whether the page is opened in the browser of whoever runs this.

    Raises:
        ConfigError: the folder cannot be made.
    """
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    chosen = secrets.randbelow(1000) if seed is None else seed
    with starter.folder(keep) as folder, (folder / "bot.log").open("w") as log:
        telemetry.configure(log, level=logging.INFO)
        async with worlds.open_world(chosen, app=_app()) as world, _staged(world, folder) as url:
            orders = f"{world.total():,} orders rest on {len(world.accounts)} accounts"
            say(f"{orders} at {len(world.venues)} simulated venues. The page:")
            say(f"  {url}")
            say(f"The bot logs to {folder / 'bot.log'}. Ctrl-C ends everything.")
            if opens:
                # A browser in the terminal holds its thread: nobody waits for that one.
                threading.Thread(target=_open, args=(url, folder, say), daemon=True).start()
            await stopped.wait()
    say("The sandbox has ended.")


def _open(url: str, folder: Path, say: Say) -> None:
    """Open the page by a file: the command line of a browser, which all may read, has no token."""
    leads = folder / "open.html"
    starter.write_secret(leads, f'<meta http-equiv="refresh" content="0; url={url}">')
    if not webbrowser.open(leads.as_uri()):
        say("There is no browser here to open it with.")


def _app() -> App:
    """Install the app as its manifest has it: Slack learns its commands from there.

    Its secrets are new each time: other pages of a browser reach every port of this machine.
    """
    commands = manifest.manifest()["features"]["slash_commands"]
    return App(
        bot_token=f"xoxb-sandbox-{secrets.token_hex(16)}",
        app_token=f"xapp-sandbox-{secrets.token_hex(16)}",
        signing_secret=secrets.token_hex(16),
        commands=tuple(
            SlashCommand(
                command=one["command"],
                description=one["description"],
                usage_hint=one["usage_hint"],
            )
            for one in commands
        ),
    )


@asynccontextmanager
async def _staged(world: World, folder: Path) -> AsyncIterator[str]:
    """Start the bot in its world, and the page before both; yields the page's URL."""
    world.traffic.limit_as_slack()
    with vaults.opened(world.accounts) as vault:
        config = _set_up(world, vault, folder)
        outage = Outage(world.workspace, world.traffic)
        switches = {"slack": _slack_down(outage), "keys": _keys_down(vault)}
        controls = Controls(world.venues, world.accounts, switches)
        async with (
            app.serving(config) as bot,
            delivery.connect(
                world.workspace, api_url=world.api_url, request_url=demo.where(config, bot.url)
            ) as people,
            _asked(f"{bot.url}/readyz") as readiness,
            controls.running(),
            server.serve(
                Stage(
                    workspace=world.workspace,
                    board=Board(world.venues, world.accounts),
                    controls=controls,
                    acts=Acts(world.workspace, people, outage),
                    app=lambda: readiness,
                )
            ) as url,
        ):
            yield url


def _set_up(world: World, vault: DeskVault, folder: Path) -> Config:
    """Let the bot find its keys in Vault, by the very policy that it prints for that."""
    starter.write_secret(folder / "secret_id", vault.secret_id)
    keys = KEYS.format(address=vault.address, role_id=vault.role_id)
    config = demo.set_up(world, folder, mode=demo.HTTP, keys=keys)
    assert config.file.keys.vault is not None, "written above"
    vault.allow(vault_policy.hcl(config.file.keys.vault, config.file.vault_paths))
    return config


def _slack_down(outage: Outage) -> Switch:
    def turn(is_on: bool) -> None:  # noqa: FBT001 - as a switch is turned
        outage.begin() if is_on else outage.end()

    return Switch(
        label="Slack down", hint="Every call of the app to Slack is answered by 503.", turn=turn
    )


def _keys_down(vault: DeskVault) -> Switch:
    return Switch(
        label="Key source down",
        hint="Vault is sealed: it answers every call by 503.",
        turn=vault.seal,
    )


@asynccontextmanager
async def _asked(url: str) -> AsyncIterator[Parts]:
    """Ask the bot again and again whether it is ready; yields the newest answer as a part."""
    found: dict[str, dict[str, object]] = {}

    async def ask(session: aiohttp.ClientSession) -> None:
        while True:
            async with session.get(url) as reply:
                answer = await reply.json()
            found["app"] = {"parts": answer["parts"]}
            await asyncio.sleep(ASK_S)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        asking = group.create_task(ask(session))
        yield found
        asking.cancel()
