"""What the README shows is true: its config loads, its commands parse, its files exist."""

import re
import shutil
from pathlib import Path

import click
import pytest

from adapters import registry
from adapters.bybit import BybitCredentials
from bot import cli
from bot import config as configs
from bot.domain import command as commands
from policies import model
from tests.adapters.conformance.test_lies import LIES
from tests.soak.wrong_adapters import WRONG

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("hidden", [r"^$", r"^# (?=\w+ = )"], ids=["as it is", "all of it"])
def test_config_of_the_readme_loads_beside_the_example_policy(tmp_path: Path, hidden: str):
    """Also with every line that stands behind a `#`."""
    block = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert block is not None
    (tmp_path / "config.toml").write_text(re.sub(hidden, "", block[1], flags=re.MULTILINE))
    shutil.copy(Path(model.__file__).with_name("policy.toml"), tmp_path)
    for name in ("passphrase", "secret_id"):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text("x")
    tokens = {
        "SLACK_BOT_TOKEN": "t",
        "SLACK_APP_TOKEN": "xapp-1",
        "PACIFICA_CREDITS": "c",
    }
    config = configs.load(tmp_path / "config.toml", tokens)
    assert {account.venue for account in config.accounts} == registry.venues().keys()
    assert config.accounts[0].name == "bybit-mm"
    assert config.accounts[0].read_key == "venues/bybit-mm-ro"


def test_every_command_of_the_readme_is_understood():
    rows = re.findall(r"^\| `/cancelall (.*?)`", README, re.MULTILINE)
    assert len(rows) == 9
    for row in rows:
        assert commands.canonical(commands.parse(row))


def options(command: click.Command) -> set[str]:
    """Return every option of a command and of those below it."""
    found = {name for option in command.params for name in option.opts if name.startswith("--")}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return found.union(*(options(each) for each in below)) - {"--version"}


def test_every_option_of_the_command_line_is_shown():
    shown = set(re.findall(r"--[a-z-]+", README.split("## What you can type")[0]))
    shown |= set(re.findall(r"--[a-z-]+", README.split("## Going to production")[1]))
    assert len(options(cli.cancelall)) == 12
    assert options(cli.cancelall) <= shown


def commands_of(command: click.Command, name: str) -> list[str]:
    """Return every command below one, as it is typed."""
    if not isinstance(command, click.Group):
        return [name]
    return [
        each for key, sub in command.commands.items() for each in commands_of(sub, f"{name} {key}")
    ]


def test_every_command_of_the_command_line_is_shown():
    told = " ".join(README.split())
    found = commands_of(cli.cancelall, "cancelall")
    assert len(found) == 11
    for words in found:
        assert words in told, words


def test_each_shape_of_a_bybit_key_is_shown():
    for name in BybitCredentials.model_fields:
        assert f'"{name}": "' in README


def test_every_file_of_the_map_exists():
    table = README.split("## A map of the code")[1].split("## ")[0]
    folder = ROOT
    for name in re.findall(r"`([\w/.]+)`", table):
        path = ROOT / name if "/" in name else folder / name
        assert path.exists(), name
        folder = path.parent if path.is_file() else path
    assert table.count("\n| `") == 18


def rows() -> dict[str, list[str]]:
    """Return the order classes of each venue in the table."""
    table = README.split("## Venues:")[1].split("## ")[0]
    found: dict[str, list[str]] = {}
    for venue, classes in re.findall(r"^\| (\w+) \| ([^|]+) \|", table, re.MULTILINE):
        found.setdefault(venue, []).extend(classes.split(", "))
    found.pop("venue")
    return found


def test_the_venue_table_is_what_the_adapters_say():
    told = rows()
    assert told.keys() == registry.venues().keys()
    for name, kind in registry.venues().items():
        assert told[name] == list(kind.capabilities.order_classes), name


def test_what_each_venue_hides_is_told_word_for_word():
    text = " ".join(README.split("## Venues:")[1].split("## ")[0].split())
    for name, kind in registry.venues().items():
        assert f"- **{name}**: {'; '.join(kind.capabilities.blind_to)}." in text, name


def test_every_make_target_is_shown():
    targets = re.findall(r"^(\w+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = {target for target in targets if f"make {target}" in README}
    assert set(targets) - shown == {"help", "lock", "clean"}


def test_the_score_of_the_kit_counts_what_is_written():
    """That all of it is caught is for `make kit` to show, and for the soak in CI."""
    wrong, runs = len(WRONG), sum(len(lie.venues) for lie in LIES)
    told = " ".join(README.split())
    assert f"{len(LIES)} of {len(LIES)} lies caught, told in {runs} runs at 4 venues;" in told
    assert f"{wrong} of {wrong} wrong adapters caught" in told
