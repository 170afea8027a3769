"""From play to work: a desk written for a Slack of one's own, run as the README says."""

import asyncio
import os
import random
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import config as configs
from bot import front, starter
from bot.domain.errors import ConfigError
from bot.sandbox import world as worlds
from bot.sandbox.slack import api, delivery, faults
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.world import ALICE, BOB, INCIDENT
from tests.fakes import desk as desks

ROOT = Path(__file__).parents[1]
PORTS = 5
TOKENS = {"SLACK_BOT_TOKEN": "xoxb-sandbox-token", "SLACK_APP_TOKEN": "xapp-sandbox-token"}
WATCHED = """
import os, sys

told = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def note(event, args):
    is_writing = event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if is_writing or event in {"os.mkdir", "os.rename", "sqlite3.connect"}:
        os.write(told, f"{os.fsdecode(args[0])}\\n".encode())

sys.addaudithook(note)
from bot import cli
cli.main()
"""
"""The program, and a list of every path that it opens to write."""


@dataclass(kw_only=True)
class Desk:
    """A Slack workspace, and the folder of a desk for it."""

    folder: Path
    slack: Workspace
    traffic: Traffic
    api_url: str
    people: Delivery

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            cwd=self.folder.parent,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
                **TOKENS,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def init(self) -> list[str]:
        """Write the desk; return what that prints."""
        said: list[str] = []
        await starter.init(self.folder, said.append, api_url=self.api_url, port=free_ports())
        return said

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))


def free_ports() -> int:
    """Return the first of five ports on which nobody listens, below those handed out."""
    for first in iter(lambda: random.randrange(20_000, 30_000), 0):
        try:
            for port in range(first, first + PORTS):
                with socket.socket() as tried:
                    tried.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    for name, token in TOKENS.items():
        monkeypatch.setenv(name, token)
    slack, traffic = worlds.desk(), Traffic()
    async with (
        api.serve(slack, traffic) as api_url,
        delivery.connect(slack, api_url=api_url) as people,
    ):
        yield Desk(
            folder=tmp_path / "desk",
            slack=slack,
            traffic=traffic,
            api_url=api_url,
            people=people,
        )


@asynccontextmanager
async def running(desk: Desk, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a program; tell it to stop at the end, and hear that it did."""
    started = await desk.start(*words)
    try:
        yield started
    finally:
        started.terminate()
        await asyncio.wait_for(started.communicate(), 10)
    assert started.returncode == 0


async def until(program: asyncio.subprocess.Process, words: str) -> str:
    """Read what a program prints until a line holds these words; return that line."""
    async with asyncio.timeout(30):
        while line := (await program.stdout.readline()).decode():
            if words in line:
                return line
    raise AssertionError(f"it ended before it said {words}")


async def test_desk_from_init_plays_in_a_slack_of_ones_own_once_two_values_are_changed(desk: Desk):
    """Alone on the test venues; with a second person on the one that plays production."""
    await desk.init()
    desk.change("config.toml", "YOUR-CHANNEL-ID", INCIDENT)
    desk.change("policy.toml", '"YOUR-MEMBER-ID"', f'"{ALICE}", "{BOB}"')
    opened = desk.folder.parent / "opened"
    serve = ("-c", WATCHED, str(opened), "serve", "--config", "desk/config.toml")
    async with (
        running(desk, "-m", "bot", "sandbox", "venues", "desk") as venues,
        running(desk, *serve),
    ):
        await until(venues, "bybit 1,764, coinapi 165, pacifica 237, synthetix 210")
        await desks.soon(lambda: bool(desk.slack.sockets.open), timeout_s=30)
        await desk.people.slash(ALICE, INCIDENT, "/cancelall", "env=test")
        await until(venues, "bybit 0, coinapi 0, pacifica 237, synthetix 0")
        await desk.people.slash(ALICE, INCIDENT, "/cancelall", "all")
        ts = await desk.slack.wait_for(lambda: approvable(desk.slack), timeout_s=10)
        await desk.people.click(BOB, INCIDENT, ts, "approve")
        await until(venues, "bybit 0, coinapi 0, pacifica 0, synthetix 0")
        await until(venues, "Every book is empty. Ctrl-C, and start again for new orders.")
    written = {Path(path) for path in opened.read_text().splitlines()}
    assert desk.folder / "cancelall.db" in written
    # The suite measures programs that it starts, and those write their figures down.
    written = {path for path in written if not path.name.startswith(".coverage.")}
    assert [path for path in written if not path.is_relative_to(desk.folder)] == []


def approvable(slack: Workspace) -> str:
    """Return the ts of the card that can be approved; empty while there is none."""
    for message in slack.messages(INCIDENT):
        if any("approve" in str(block) for block in message.blocks if block["type"] == "actions"):
            return message.ts
    return ""


async def test_values_that_nobody_has_changed_are_refused_by_name(desk: Desk):
    await desk.init()
    with pytest.raises(ConfigError) as channel:
        configs.load(desk.folder / "config.toml")
    desk.change("config.toml", "YOUR-CHANNEL-ID", INCIDENT)
    with pytest.raises(ConfigError) as person:
        configs.load(desk.folder / "config.toml")
    desk.change("policy.toml", "YOUR-MEMBER-ID", ALICE)
    assert [str(channel.value), str(person.value)] == [
        (
            'config.toml: "slack.incident_channel" is wrong: must be a channel\'s id, such as '
            "C0123ABCD: Slack shows it below a channel's details. See the README's config."
        ),
        (
            'policy.toml: Role "desk": "YOUR-MEMBER-ID" in "users" is not a Slack id. '
            "Users start with U or W, groups with S, workspaces with T."
        ),
    ]
    assert len(configs.load(desk.folder / "config.toml").accounts) == 12


async def test_init_says_what_is_left_to_do_and_marks_it_in_the_files(desk: Desk):
    said = await desk.init()
    assert said == [
        f"A desk for https://sandbox.slack.com/ is in {desk.folder}.",
        "Change the two values that say CHANGE ME:",
        f"  incident_channel in {desk.folder}/config.toml",
        f"  users in {desk.folder}/policy.toml",
        "Then, in one terminal each, with SLACK_BOT_TOKEN and SLACK_APP_TOKEN set:",
        f"  cancelall sandbox venues {desk.folder}",
        f"  cancelall serve --config {desk.folder}/config.toml",
        "And in the channel: /cancelall env=test",
    ]
    texts = [(desk.folder / name).read_text() for name in ("config.toml", "policy.toml")]
    assert [text.count("CHANGE ME") for text in texts] == [1, 1]
    assert 'workspaces = ["T0HOME"]' in texts[1]


async def test_init_writes_for_its_owner_alone_and_no_token(desk: Desk):
    await desk.init()
    files = list(desk.folder.iterdir())
    assert {path.name: path.stat().st_mode & 0o777 for path in [desk.folder, *files]} == {
        "desk": 0o700,
        "config.toml": 0o600,
        "credits.key": 0o600,
        "keys.sealed": 0o600,
        "passphrase": 0o600,
        "policy.toml": 0o600,
    }
    assert not any("xoxb-" in path.read_text() for path in files)


async def test_two_desks_have_two_passphrases(desk: Desk):
    """Real keys may be sealed into such a file later: it is made cheap to open, not to guess."""
    await desk.init()
    first = (desk.folder / "passphrase").read_text()
    desk.folder = desk.folder.with_name("another")
    await desk.init()
    assert len(first) == 43
    assert (desk.folder / "passphrase").read_text() != first


async def test_token_that_slack_refuses_leaves_no_folder(desk: Desk):
    desk.traffic.add("auth.test", faults.refused("invalid_auth"))
    with pytest.raises(ConfigError) as caught:
        await desk.init()
    assert str(caught.value) == (
        "Slack refuses the bot token (invalid_auth). "
        "Install the app again and store its Bot User OAuth Token."
    )
    assert not desk.folder.exists()


async def test_slack_that_does_not_answer_is_not_waited_for(desk: Desk):
    nowhere = f"http://127.0.0.1:{free_ports()}/api/"
    with pytest.raises(ConfigError) as caught:
        async with asyncio.timeout(2):
            await front.met(SecretStr("xoxb-1"), nowhere, limit_s=0.05)
    assert str(caught.value) == (
        f"Slack did not answer at {nowhere} within 0.05 s. "
        "Try again where it can be reached directly: HTTPS_PROXY is not heeded."
    )


async def test_folder_that_is_there_is_never_written_into(desk: Desk):
    desk.folder.mkdir()
    with pytest.raises(ConfigError) as caught:
        await desk.init()
    assert str(caught.value) == (
        f"The folder {desk.folder} cannot be made: File exists. "
        "Name a new one in a folder of yours."
    )
    assert list(desk.folder.iterdir()) == []


async def test_port_that_is_taken_is_one_plain_error(desk: Desk):
    await desk.init()
    desk.change("config.toml", "YOUR-CHANNEL-ID", INCIDENT)
    text = (desk.folder / "config.toml").read_text()
    port = int(re.findall(r"127\.0\.0\.1:(\d+)", text)[-1])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(ConfigError) as caught:
            await starter.serve_venues(desk.folder, print)
    assert str(caught.value) == (
        f"Synthetix cannot be simulated at port {port}: Address already in use. "
        "End what listens there, or mend base_url in config.toml."
    )


async def test_desk_whose_venues_are_all_real_has_none_to_simulate(desk: Desk):
    await desk.init()
    desk.change("config.toml", "YOUR-CHANNEL-ID", INCIDENT)
    path = desk.folder / "config.toml"
    path.write_text(path.read_text().replace("http://127.0.0.1", "https://venue.example"))
    with pytest.raises(ConfigError) as caught:
        await starter.serve_venues(desk.folder, print)
    assert str(caught.value) == (
        "config.toml has no account at a simulated venue. "
        "Write one that has: cancelall sandbox init FOLDER."
    )
