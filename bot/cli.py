"""The commands, a few lines each. Heavy imports happen inside them, so that help is instant."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import click
from pydantic import SecretStr

from bot.domain import errors
from bot.domain.errors import BotError, ConfigError

CONFIG_EXIT = 78
"""EX_CONFIG: something about the set-up is wrong, and a restart will not help."""


@click.group()
@click.version_option(package_name="cancelall")
def cancelall() -> None:
    """Cancel every open order, once a second person agrees, and prove it."""


CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("config.toml"),
    show_default=True,
)


@cancelall.command()
@CONFIG
def serve(config: Path) -> None:
    """Run the bot."""
    from bot import app, telemetry
    from bot import config as configs

    telemetry.harden()
    telemetry.configure(sys.stderr)
    asyncio.run(app.serve(configs.load(config)))


@cancelall.command()
@click.option("--seed", type=int, help="Repeat a run to the fault.")
@click.option("--keep", type=click.Path(path_type=Path), help="A new folder for its files.")
@click.option(
    "--mode",
    type=click.Choice(["socket", "http"]),
    default="socket",
    show_default=True,
    help="How Slack reaches the bot.",
)
def demo(seed: int | None, keep: Path | None, mode: str) -> None:
    """Play the main job in a sandbox; the exit status comes from the books."""
    from bot import demo as demos

    sys.exit(asyncio.run(demos.play(seed, keep, mode)))


@cancelall.command(context_settings={"ignore_unknown_options": True})
@CONFIG
@click.option(
    "--state", type=click.Path(path_type=Path), help="Another folder, if [state] dir is no use."
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def pull(config: Path, state: Path | None, words: tuple[str, ...]) -> None:
    """Break the glass: cancel WORDS alone, without Slack. Needs --reason "why".

    WORDS are those of /cancelall: all, a venue, accounts, tags, --symbol, --order, --dry-run.
    Exit status: 0 all FLAT, 1 orders rest, 2 unverified or not sent, 78 nothing was done.
    """
    from bot import config as configs
    from bot import pull as pulls
    from bot import telemetry
    from bot.domain.limits import Limits

    telemetry.harden()
    found = configs.load_console(config)
    with pulls.log(state or found.file.state.dir) as stream, _beside(_say) as say:
        telemetry.configure(stream)
        work = pulls.pull(found, words, say, limits=Limits(), state=state)
        sys.exit(asyncio.run(work))


@contextlib.contextmanager
def _beside(say: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """Say it in a thread: a terminal that stands still (Ctrl-S) must not hold up the cancels."""
    # Its end waits for the last word.
    with ThreadPoolExecutor(1, thread_name_prefix="say") as pool:

        def later(words: str) -> None:
            pool.submit(say, words)

        yield later


def _say(words: str) -> None:
    """Print a line; a terminal that went away must not stop what is printed about."""
    with contextlib.suppress(OSError):
        click.echo(words)


@cancelall.command()
@CONFIG
@click.option("--keys", is_flag=True, help="Read the keys that can cancel too; this is recorded.")
def check(config: Path, keys: bool) -> None:  # noqa: FBT001 - click's own way
    """Say everything that would fail tonight, each with what to do.

    Exit status: 0 as far as it can tell nothing would, 78 something would.
    """
    from bot import check as checks
    from bot import telemetry

    telemetry.harden()
    telemetry.configure(sys.stderr, level=logging.ERROR)  # What else is logged is a finding too.
    sys.exit(checks.run(config, _say, with_keys=keys))


@cancelall.command()
@CONFIG
def healthz(config: Path) -> None:
    """Ask a running bot whether it lives; exit status 0 or 1. For a container's health check."""
    from bot import config as configs
    from bot import health

    where = configs.read(config).web
    sys.exit(0 if health.is_alive(where.host, where.port) else 1)


@cancelall.group(invoke_without_command=True)
@click.option("--seed", type=int, help="Of the venues' chance.")
@click.option("--keep", type=click.Path(path_type=Path), help="A new folder for its files.")
@click.option("--open", "opens", is_flag=True, help="Open the page in your browser.")
@click.pass_context
def sandbox(context: click.Context, seed: int | None, keep: Path | None, *, opens: bool) -> None:
    """Play on a page: a simulated Slack and venues with the real bot, until Ctrl-C.

    With a command: play in your own Slack, with simulated venues.
    """
    if context.invoked_subcommand is not None:
        if seed is not None or keep is not None or opens:
            raise click.UsageError("These options are of the page: leave them out, or the command.")
        return
    from bot import playground

    asyncio.run(playground.play(seed, keep, _say, opens=opens))


@sandbox.command("init")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--api-url", default="https://slack.com/api/", show_default=True, help="Slack's.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_531),
    default=18080,  # Below those that systems hand out by themselves.
    show_default=True,
    help="The bot's own; the next four are the venues'.",
)
def init_sandbox(folder: Path, api_url: str, port: int) -> None:
    """Write a whole desk into a new FOLDER; needs SLACK_BOT_TOKEN."""
    from bot import starter, telemetry

    telemetry.configure(sys.stderr, level=logging.ERROR)  # An error is told once, as a line.
    asyncio.run(starter.init(folder, _say, api_url=api_url, port=port))


@sandbox.command("venues")
@click.argument("folder", type=click.Path(path_type=Path))
def serve_venues(folder: Path) -> None:
    """Serve the simulated venues of FOLDER, with new orders, until Ctrl-C."""
    from bot import starter, telemetry

    telemetry.configure(sys.stderr, level=logging.ERROR)
    asyncio.run(starter.serve_venues(folder, _say))


@cancelall.group()
def slack() -> None:
    """Set up the Slack app."""


@slack.command("manifest")
@click.option("--http", "url", help="Slack reaches this URL; without it Socket Mode.")
def print_manifest(url: str | None) -> None:
    """Print the app's manifest: paste it where Slack creates an app from one."""
    from bot.slack import manifest

    click.echo(json.dumps(manifest.manifest(url), indent=2))


@cancelall.group()
def vault() -> None:
    """Set up Vault."""


@vault.command("policy")
@CONFIG
def print_policy(config: Path) -> None:
    """Print the least policy that the keys of the config need."""
    from bot import config as configs
    from bot.keys import vault_policy

    file = configs.read(config)
    if file.keys.vault is None:
        raise ConfigError(
            user_message=f"{config.name} has no [keys.vault].",
            remedy='Add it, and source = "vault" under [keys].',
        )
    click.echo(vault_policy.hcl(file.keys.vault, file.vault_paths), nl=False)


@cancelall.group()
def keys() -> None:
    """Keep keys in a sealed local file."""


FILE = click.option(
    "--file", type=click.Path(path_type=Path), default=Path("keys.sealed"), show_default=True
)


@keys.command("seal")
@click.argument("name")
@FILE
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="Else it is asked for.")
def seal_key(name: str, file: Path, passphrase_file: Path | None) -> None:
    """Seal a key's JSON document, piped in or asked for, under NAME."""
    from bot import telemetry
    from bot.keys import sealed

    telemetry.harden()
    passphrase = _passphrase(passphrase_file, is_new=not file.exists())
    if sys.stdin.isatty():  # Hidden: what is pasted must not stay in a terminal's scrollback.
        ask = 'The document on one line, such as {"api_key": "…", "api_secret": "…"}'
        text = click.prompt(ask, hide_input=True, err=True)
    else:
        text = sys.stdin.read()
    fields = _fields(text)
    document = SecretStr(json.dumps(fields))
    done = "Replaced" if sealed.seal(file, name, document, passphrase) else "Sealed"
    click.echo(f"{done} {name} in {file}. Fields: {', '.join(fields)}.")


@keys.command("list")
@FILE
def list_keys(file: Path) -> None:
    """List the names in a sealed file."""
    from bot.keys import sealed

    for name in sealed.names(file):
        click.echo(name)


def _passphrase(file: Path | None, *, is_new: bool) -> SecretStr:
    from bot import config as configs
    from bot.config_file import SecretAt

    if file is not None:
        return configs.secret(SecretAt(file=file), "--passphrase-file")
    if not sys.stdin.isatty() and not _has_terminal():  # What is piped in is the document.
        raise ConfigError(
            user_message="There is no terminal to ask for the passphrase on.",
            remedy="Give it by --passphrase-file.",
        )
    asked = click.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new, err=True)
    return SecretStr(asked)


def _has_terminal() -> bool:
    try:
        Path("/dev/tty").open().close()
    except OSError:
        return False
    return True


def _fields(text: str) -> dict[str, str]:
    """Check that a document is a JSON object of texts, without showing it.

    Which fields it needs only its venue knows.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _no_document("The document is not a JSON object.")
    if not found or not all(value and isinstance(value, str) for value in found.values()):
        raise _no_document("The document must hold fields, each a text that is not empty.")
    return found


def _no_document(why: str) -> ConfigError:
    return ConfigError(user_message=why, remedy='Give {"api_key": "…", "api_secret": "…"}.')


def main() -> NoReturn:
    """Run the command line, and end; the exit status waits for no thread.

    Python would wait at its end for each thread of a pool, also for one that a dead disk or DNS
    holds: nobody would learn how a pull ended. What must be durable is so before.
    """
    try:
        run()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)


def run() -> NoReturn:
    """Run the command line; a wrong set-up is one line and exit status 78."""
    if not __debug__:
        click.echo(
            "error: python -O drops the checks this program relies on. Run it without.", err=True
        )
        sys.exit(CONFIG_EXIT)
    try:
        cancelall(standalone_mode=True)
    except BotError as error:
        _end(error)
    except BaseExceptionGroup as failed:
        inner = errors.plain(failed)
        if not isinstance(inner, BotError):
            raise
        _end(inner)
    sys.exit(0)


def _end(error: BotError) -> NoReturn:
    why = error.user_message.rstrip(".")  # A SecretError's is a clause, to stand on cards.
    click.echo(f"error: {why}. {error.remedy}".strip(), err=True)
    sys.exit(CONFIG_EXIT)
