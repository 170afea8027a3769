"""The composition root: what it keeps alive, and how it says that it cannot start."""

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import app, background, demo
from bot import config as configs
from bot.domain.errors import ConfigError, SecretError
from bot.flow.ports import StoreDown
from bot.sandbox.slack import api, faults
from bot.sandbox.world import ALICE, BOB
from tests.fakes import desk as desks
from tests.fakes.desk import Product


def breaking(times: int, error: Exception) -> tuple[list[int], background.Factory]:
    """Return a part that breaks so often, and the list of its starts."""
    starts: list[int] = []

    async def part() -> None:
        starts.append(len(starts))
        if len(starts) <= times:
            raise error

    return starts, part


@pytest.mark.parametrize("error", [StoreDown(), RuntimeError("a bug")])
async def test_part_that_broke_is_started_again_until_it_succeeds(error: Exception):
    starts, part = breaking(2, error)
    await background.supervise("part", part, mend_s=0)
    assert starts == [0, 1, 2]


async def test_part_without_a_wait_is_started_once():
    starts, part = breaking(2, StoreDown())
    await background.supervise("part", part)
    assert starts == [0]


async def refusal(product: Product, edit: Callable[[str], str] = str) -> str:
    """Start the bot with an edited config; return why it does not start."""
    path = product.folder / "config.toml"
    if not path.exists():
        demo.set_up(product.world, product.folder)
    path.write_text(edit(path.read_text()))
    with desks.kept_log(product.folder), pytest.raises(ConfigError) as caught:
        await app.serve(configs.load(path))
    return str(caught.value)


async def test_port_in_use_is_one_plain_error(tmp_path: Path):
    """Not an exception group of the task groups around it."""
    async with desks.open_surroundings(tmp_path) as product, api.serve(product.slack) as url:
        port = int(url.rsplit(":", 1)[1].removesuffix("/api/"))
        why = await refusal(product, lambda text: text.replace("port = 0", f"port = {port}"))
    assert why == (
        f"Cannot listen on 127.0.0.1 port {port}: Address already in use. "
        "Check host and port under [web], and that no other process listens there."
    )


async def test_refusal_ends_the_process_with_one_line_and_status_78(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        product.world.traffic.add("auth.test", faults.refused("invalid_auth"))
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "serve", "--config", str(tmp_path / "config.toml")),
            cwd=Path(__file__).parents[1],
            stderr=asyncio.subprocess.PIPE,
        )
        _, printed = await running.communicate()
    assert running.returncode == 78
    assert [line for line in printed.decode().splitlines() if not line.startswith("{")] == [
        (
            "error: Slack refuses the bot token (invalid_auth). "
            "Install the app again and store its Bot User OAuth Token."
        )
    ]


async def test_refused_token_is_one_plain_error(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        product.world.traffic.add("auth.test", faults.refused("invalid_auth"))
        why = await refusal(product)
    assert why.startswith("Slack refuses the bot token (invalid_auth).")


async def test_token_of_two_lines_is_one_plain_error(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        token = tmp_path / "slack.token"
        token.write_text("xoxb-1\nxoxb-2\n")
        why = await refusal(product)
    assert why.startswith("slack.bot_token holds a blank, a line break or another odd character.")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "must begin with https:// and name a host"),
        ("ftp://slack.com/api/", "must begin with https:// and name a host"),
        ("https:///api/", "must begin with https:// and name a host"),
        ("http://slack.com/api/", "plain http is for this machine alone: write https://"),
        ("https://xoxb-1@slack.com/api/", "must hold no user, no query and no fragment"),
    ],
)
async def test_slack_where_no_token_may_go_is_one_plain_error(tmp_path: Path, url: str, why: str):
    async with desks.open_surroundings(tmp_path) as product:
        true_url = product.world.api_url
        said = await refusal(product, lambda text: text.replace(true_url, url))
    assert said == f"slack.api_url: {why}. Write https://slack.com/api/, or leave it out."


async def test_policy_without_the_workspace_of_the_bot_is_one_plain_error(tmp_path: Path):
    """Else everybody would be told that they are a stranger, on the night it matters."""
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        policy = tmp_path / "policy.toml"
        policy.write_text(policy.read_text().replace('"T0HOME"', '"T0OTHER"'))
        why = await refusal(product)
    assert why == (
        "policy.toml: workspaces lacks T0HOME, the bot's own, so everybody there would be refused. "
        'Add "T0HOME", or store the bot token of a workspace that is listed.'
    )


async def test_keys_that_all_cannot_be_had_are_refused_at_start(tmp_path: Path):
    """And not on the night it matters: a dry run never reads the key that cancels."""
    async with desks.open_surroundings(tmp_path) as product:
        why = await refusal(
            product, lambda text: re.sub(r'\nkey = "venues/', r'\nkey = "venus/', text)
        )
    assert why == (
        "No account's key can be had; bybit-mm: no secret at venus/bybit-mm in keys.sealed. "
        "Seal it: cancelall keys seal venus/bybit-mm. Did you mean venues/bybit-mm?"
    )


async def test_a_key_that_cannot_be_had_disarms_no_other_account(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with desks.open_surroundings(tmp_path) as product:
        demo.set_up(product.world, tmp_path)
        path = tmp_path / "config.toml"
        text = path.read_text().replace('\nkey = "venues/bybit-mm"\n', '\nkey = "venues/none"\n')
        path.write_text(text)
        before = product.count("1001")
        async with desks.started(product):
            await product.type(ALICE, "all")
            await product.press(BOB, "approve")
            card = await product.until(lambda said: said.startswith("NOT FLAT: 1 of 3"))
            await desks.soon(lambda: product.left() == before)
    assert "1 not sent" in card
    (line,) = [each for each in caplog.records if each.msg == "key.unreadable"]
    assert (vars(line)["account"], line.levelname) == ("bybit-mm", "ERROR")


async def test_state_folder_that_is_a_file_is_named(tmp_path: Path):
    (tmp_path / "state").write_text("")
    async with desks.open_surroundings(tmp_path) as product:
        why = await refusal(product)
    assert why == (
        f"The folder {tmp_path}/state cannot be made: File exists. "
        "Point dir under [state] at a folder that this user may write."
    )


def test_an_outage_of_the_keys_is_told_once_and_not_for_each_path():
    out = {
        path: SecretError(user_message="Vault is sealed", is_retryable=True)
        for path in ("venues/a", "venues/b")
    }
    denied = {"venues/c": SecretError(user_message="Vault denies secret/data/venues/c")}
    assert app._whys(out | denied) == ["Vault is sealed", "Vault denies secret/data/venues/c"]
