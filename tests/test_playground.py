"""`make sandbox` without a browser: the command as a whole, and how its parts are joined."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner

from bot import cli, playground
from bot.sandbox import world as worlds
from bot.sandbox.accounts import BYBIT
from bot.sandbox.page.whatif import Controls
from bot.sandbox.vault import desk as vaults
from bot.sandbox.vault.policies import DEFAULT_POLICY, parse_policy
from bot.sandbox.world import ALICE, BOB, INCIDENT, World
from bot.slack import manifest
from tests.browser import command
from tests.canary import CANARIES
from tests.fakes.desk import soon
from tests.sandbox.page_stage import Json, Told, Visitor

SECRETS = ("secret_id", "slack.token", "slack.app", "slack.signing")
SANDBOX = (sys.executable, "-m", "bot", "sandbox")
BROWSER = '#!/bin/sh\nprintf %s "$1" > "$0.url"\n'
"""Writes down what it is told to open."""


def board(parts: Mapping[str, Json]) -> dict[str, int]:
    """Return how many orders the board says are open."""
    return {part["name"]: part["open"] for name, part in parts.items() if name.startswith("venue/")}


def approvable(parts: Mapping[str, Json]) -> list[str]:
    """Return the card that can be approved and has its counts, by its ts."""
    return [
        part["ts"]
        for name, part in parts.items()
        if name.startswith("message/")
        if "approve" in json.dumps(part["blocks"]) and "being counted" not in part["text"]
    ]


async def test_two_people_empty_every_book_on_the_page_and_no_secret_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    browser, folder = tmp_path / "browser", tmp_path / "desk"
    browser.write_text(BROWSER)
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    words = (*SANDBOX, "--seed", "7", "--open", "--keep", str(folder))
    with command.started(words, tmp_path) as sandbox:
        async with aiohttp.ClientSession() as session:
            visitor = Visitor(url=sandbox.url, session=session)
            async with visitor.open(ALICE) as told:
                await play(visitor, told)
    assert sandbox.stdout.read_text().splitlines() == [
        "2,376 orders rest on 12 accounts at 4 simulated venues. The page:",
        f"  {sandbox.url}",
        f"The bot logs to {folder / 'bot.log'}. Ctrl-C ends everything.",
        "The sandbox has ended.",
    ]
    leads = folder / "open.html"  # All may read a browser's command line; this file, nobody else.
    assert (tmp_path / "browser.url").read_text() == leads.as_uri()
    assert f"url={sandbox.url}" in leads.read_text()
    assert leads.stat().st_mode & 0o777 == 0o600
    shown = b"".join(told.heard).decode()
    assert [canary for canary in CANARIES if canary in shown] == []
    # Made for this sandbox alone, so no canary knows them.
    left = shown + (folder / "bot.log").read_text()
    drawn = [(folder / name).read_text() for name in SECRETS]
    assert [secret for secret in [*drawn, sandbox.url.split("/")[-2]] if secret in left] == []
    assert (folder.stat().st_mode & 0o777, (folder / "cancelall.db").exists()) == (0o700, True)


async def play(visitor: Visitor, told: Told) -> None:
    """Have Alice ask and Bob approve, and wait until the books are empty."""
    await told.news()
    assert board(told.parts) == {"bybit": 1764, "coinapi": 165, "pacifica": 237, "synthetix": 210}
    typed = '/cancelall all --reason "runaway quoter"'
    answer = await visitor.act(ALICE, "say", channel=INCIDENT, words=typed)
    assert answer == {"problem": "", "errors": {}}
    await told.until(approvable)
    (ts,) = approvable(told.parts)
    card = told.parts[f"message/{INCIDENT}/{ts}"]
    (value,) = {
        each["value"] for b in card["blocks"] if b["type"] == "actions" for each in b["elements"]
    }
    press = {"channel": INCIDENT, "ts": ts, "action": "approve", "value": value}
    await visitor.act(ALICE, "click", **press)
    await told.until(lambda parts: "somebody else must approve" in str(parts))
    assert sum(board(told.parts).values()) == 2376
    await visitor.act(BOB, "click", **press)
    await told.until(lambda parts: not any(board(parts).values()))
    calls = [part for name, part in told.parts.items() if name.startswith("call/")]
    assert {each["venue"] for each in calls if each["is_signed"]} == set(board(told.parts))
    assert set(told.parts["app"]["parts"].values()) == {"ready"}


async def test_sigterm_ends_it_too_and_nothing_stays(tmp_path: Path):
    started = await asyncio.create_subprocess_exec(
        *SANDBOX,
        "--open",
        cwd=command.ROOT,
        env={**os.environ, "PATH": str(tmp_path), "BROWSER": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        lines = [(await started.stdout.readline()).decode() for _ in range(4)]
        assert lines[3] == "There is no browser here to open it with.\n"
        folder = Path(lines[2].split()[4]).parent
        assert (folder / "config.toml").exists()
        async with Visitor(url=lines[1].strip(), session=session).open(BOB) as told:
            await told.news()
            started.send_signal(signal.SIGTERM)
            assert await started.communicate() == (b"The sandbox has ended.\n", b"")
    assert (started.returncode, folder.exists()) == (0, False)


def test_a_folder_that_is_there_is_refused_in_one_clear_line(tmp_path: Path):
    (tmp_path / "desk").mkdir()
    ran = subprocess.run(
        [*SANDBOX, "--keep", "desk"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(command.ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (ran.returncode, ran.stdout) == (78, "")
    assert ran.stderr == (
        "error: The folder desk cannot be made: File exists. Name a new one in a folder of yours.\n"
    )
    assert list((tmp_path / "desk").iterdir()) == []


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with worlds.open_world(7, app=playground._app()) as found:
        yield found


async def test_the_app_is_installed_as_its_manifest_has_it(world: World):
    told = manifest.manifest()
    (asked,) = told["features"]["slash_commands"]
    (offered,) = world.workspace.app.commands
    assert (offered.command, offered.description) == (asked["command"], asked["description"])
    assert offered.usage_hint == asked["usage_hint"]
    assert world.workspace.app.should_escape == asked["should_escape"]
    assert set(world.workspace.app.scopes) == set(told["oauth_config"]["scopes"]["bot"])


async def test_vault_allows_what_the_printed_policy_says_and_nothing_else(
    world: World, tmp_path: Path
):
    with vaults.opened(world.accounts) as vault:
        config = playground._set_up(world, vault, tmp_path)
        allowed = vault.vault.state.policies["cancelall"]
    words = ["vault", "policy", "--config", str(tmp_path / "config.toml")]
    printed = CliRunner().invoke(cli.cancelall, words)
    assert (printed.exit_code, parse_policy(printed.output)) == (0, allowed)
    paths = {f"secret/data/{path}": {"read"} for path, _ in worlds.documents(world.accounts)}
    assert allowed == paths | DEFAULT_POLICY
    assert (config.file.keys.source, config.file.keys.passphrase) == ("vault", None)
    assert not (tmp_path / "keys.sealed").exists()
    assert (tmp_path / "secret_id").stat().st_mode & 0o777 == 0o600


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[tuple[World, Visitor]]:
    """The bot and the page of a desk at Bybit, in this process."""
    async with (
        worlds.open_world(7, app=playground._app(), premises={"bybit": BYBIT}) as world,
        playground._staged(world, tmp_path) as url,
        aiohttp.ClientSession() as session,
    ):
        yield world, Visitor(url=url, session=session)


async def test_the_page_offers_the_command_and_what_may_go_wrong(page: tuple[World, Visitor]):
    _, visitor = page
    async with visitor.open(ALICE) as told:
        await told.until(lambda parts: "app" in parts)
        assert told.parts["app"]["parts"].keys() == {"slack", "store", "keys", "tick"}
        (offered,) = told.parts["workspace"]["commands"]
        assert (offered["command"], "| status | help" in offered["hint"]) == ("/cancelall", True)
        labels = {part["name"]: part["label"] for part in told.parts.values() if "label" in part}
        assert labels["everywhere/slack"] == "Slack down"
        assert labels["everywhere/keys"] == "Key source down"
        await visitor.post("presses", {"control": "bybit/runaway"})
        await told.until(lambda parts: board(parts)["bybit"] > 1764)
    for problem in ("Slack is down: nobody can post or press anything now.", ""):
        await visitor.post("presses", {"control": "everywhere/slack"})
        said = await visitor.act(ALICE, "say", channel=INCIDENT, words="hello")
        assert said["problem"] == problem


async def test_the_bot_meets_slacks_own_limits(page: tuple[World, Visitor]):
    world, visitor = page
    headers = {"Authorization": f"Bearer {world.workspace.app.bot_token}"}
    fields = {"channel": INCIDENT, "text": "hello"}
    statuses = []
    for _ in range(20):
        async with visitor.session.post(
            f"{world.api_url}chat.postMessage", data=fields, headers=headers
        ) as reply:
            statuses.append(reply.status)
    assert statuses[:5] == [200] * 5
    assert set(statuses) == {200, 429}


def test_the_key_source_is_down_while_vault_is_sealed(world: World):
    with vaults.opened(world.accounts) as vault:
        controls = Controls({}, (), {"keys": playground._keys_down(vault)})
        for is_sealed in (True, False):
            controls.press("everywhere/keys")
            assert vault.vault.state.is_sealed is is_sealed


async def test_the_newest_answer_of_the_bot_is_a_part():
    answers = [
        (503, {"slack": "Slack has not been met since the start"}),
        (200, {"slack": "ready"}),
    ]

    async def answer(_: web.Request) -> web.Response:
        status, parts = answers[0]
        return web.json_response({"parts": parts, "ready": status == 200}, status=status)

    served = web.Application()
    served.router.add_get("/readyz", answer)
    runner = web.AppRunner(served, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/readyz"
    async with playground._asked(url) as found:
        await soon(lambda: found == {"app": {"parts": answers[0][1]}})
        del answers[0]
        await soon(lambda: found["app"]["parts"]["slack"] == "ready")
        assert found == {"app": {"parts": {"slack": "ready"}}}
    await runner.cleanup()
