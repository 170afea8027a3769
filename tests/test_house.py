"""The house rules hold in this tree, and each one catches what it is there to catch."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import house

pytestmark = pytest.mark.no_cover  # The rules read the program and never run it.

ROOT = Path(__file__).parent.parent
Rule = Callable[[Path], list[str]]

# Each rule with files that break it, and the violation it must name.
PLANTED: list[tuple[Rule, dict[str, str], str]] = [
    (house.lock_with_host, {"run.lock": "x @ https://h/x.whl"}, "run.lock:1: x @ https://h/x.whl"),
    (
        house.lock_with_host,
        {"dev.lock": "\n--find" + "-links /w"},
        "dev.lock:2: --find" + "-links /w",
    ),
    (
        house.lock_apart,
        {"run.lock": "aiohttp==2 \\\n", "dev.lock": "aiohttp==1 \\\n"},
        "aiohttp 2 ships, 1 is tested",
    ),
    (
        house.lock_apart,
        {"run.lock": "aiohttp==2 \\\n", "dev.lock": ""},
        "aiohttp 2 ships, nothing is tested",
    ),
    (house.lock_of_clients, {"run.lock": "pybit==5.17 \\\n"}, "run.lock ships pybit"),
    (house.lock_of_clients, {"run.lock": "playwright==1.65 \\\n"}, "run.lock ships playwright"),
    (house.init_with_code, {"bot/x/__init__.py": "a = 1\n"}, "bot/x/__init__.py is not empty"),
    (house.module_too_long, {"bot/x.py": "a = 1\n" * 401}, "bot/x.py: 401 lines"),
    (
        house.broad_except,
        {"bot/app.py": "def f():\n try: g()\n except Exception: pass\n"},
        "bot/app.py:3: broad except in f",
    ),
    (
        house.broad_except,
        {"bot/x.py": "def run_target():\n try: g()\n except (ValueError, BaseException): pass\n"},
        "bot/x.py:3: broad except in run_target",
    ),
    (
        house.broad_except,
        {"policies/x.py": "try: g()\nexcept: pass\n"},
        "policies/x.py:2: broad except in the module",
    ),
    (house.secret_opened, {"bot/x.py": "k.get_secret_value()\n"}, "bot/x.py:1: get_secret_value"),
    (
        house.secret_opened,
        {"adapters/bybit.py": "f = SecretStr.get_secret_value\n"},
        "adapters/bybit.py:1: get_secret_value",
    ),
    (
        house.environment_read,
        {"bot/app.py": "import os\nos.environ['A']\n"},
        "bot/app.py:2: reads the environment",
    ),
    (
        house.environment_read,
        {"bot/app.py": "from os import getenv\n"},
        "bot/app.py:1: reads the environment",
    ),
    (house.bare_task, {"bot/x.py": "asyncio.gather(a)\n"}, "bot/x.py:1: asyncio.gather"),
    (house.bare_task, {"tests/x.py": "loop.create_task(a)\n"}, "tests/x.py:1: loop.create_task"),
    (
        house.bare_task,
        {"bot/x.py": "from asyncio import ensure_future\n"},
        "bot/x.py:1: asyncio.ensure_future",
    ),
    (house.top_level, {"scripts/x.py": ""}, "scripts is not agreed"),
    (house.top_level, {}, "README.md is missing"),
    (house.forbidden_word, {"bot/x.py": "def do_it(raw_data): ...\n"}, "bot/x.py:1: raw_data"),
    (house.forbidden_word, {"bot/x.py": "class OrderManager: ...\n"}, "bot/x.py:1: OrderManager"),
    (house.forbidden_word, {"bot/x.py": "for item in a: ...\n"}, "bot/x.py:1: item"),
    (house.forbidden_word, {"bot/utils.py": ""}, "bot/utils.py:0: utils"),
    (
        house.outside_named,
        {"bot/x.py": "# see ../" + "shared/x.md\n"},
        "bot/x.py names ../" + "shared",
    ),
    (
        house.outside_named,
        {"Dockerfile": "RUN pip --index" + "-url x\n"},
        "Dockerfile names --index" + "-url",
    ),
    (
        house.error_code_twice,
        {
            "adapters/x.py": "class A:\n    code: str = field(default='x', init=False)\n",
            "bot/x.py": "class B:\n    code = 'x'\n",
        },
        'bot/x.py: B has the code "x" of adapters/x.py: A',
    ),
    (
        house.config_key_untold,
        {"bot/config_file.py": "class WebPart:\n    host: str\n", "README.md": "host = 1"},
        "bot/config_file.py: WebPart.host is not in the README",
    ),
    (
        house.config_key_untold,
        {
            "adapters/x.py": "class XSettings:\n    url: str\n",
            "README.md": "```toml\nurls = 1\n```\n",
        },
        "adapters/x.py: XSettings.url is not in the README",
    ),
    (
        house.patched_test,
        {"tests/test_x.py": "from unittest.mock import MagicMock\n"},
        "tests/test_x.py:1: unittest.mock",
    ),
    (
        house.patched_test,
        {"tests/test_x.py": "monkeypatch.setattr(clock, 'now', f)\n"},
        "tests/test_x.py:1: monkeypatch.setattr",
    ),
    (
        house.toothless_test,
        {"tests/test_x.py": "def test_it_runs():\n    run()\n"},
        "tests/test_x.py:1: test_it_runs asserts nothing",
    ),
    (
        house.toothless_test,
        {"tests/test_x.py": "def run(): ...\ndef test_it_runs():\n    run()\n"},
        "tests/test_x.py:2: test_it_runs asserts nothing",
    ),
]

# What looks like a violation and is none.
ALLOWED: list[tuple[Rule, dict[str, str]]] = [
    (
        house.broad_except,
        {"bot/flow/execute.py": "def run_target():\n try: g()\n except Exception: pass\n"},
    ),
    (house.secret_opened, {"bot/keys/sealed.py": "k.get_secret_value()\n"}),
    (house.environment_read, {"bot/config.py": "import os\nos.environ['A']\n"}),
    (house.bare_task, {"bot/x.py": "group.create_task(a)\n"}),
    (
        house.forbidden_word,
        {"bot/x.py": "reply.items()\nasyncio.handle\ndatabase = base64_text = 1\n"},
    ),
    (
        house.error_code_twice,
        {"bot/x.py": "class A:\n    code = 'x'\nclass B:\n    code: int\nclass C:\n    c = 'x'\n"},
    ),
    (
        house.config_key_untold,
        {
            "bot/config.py": "class File:\n    slack: int\n    file: str\n    dir: str\n",
            "README.md": "```toml\n[slack]\nkey = { file = 1 }\n# dir = 2\n```\n",
        },
    ),
    (house.patched_test, {"tests/test_x.py": "monkeypatch.setenv('A', 'b')\n"}),
    (
        house.toothless_test,
        {"tests/test_x.py": "def test_x():\n with pytest.raises(E): f()\n"},
    ),
    (
        house.toothless_test,
        {"tests/test_x.py": "def is_lost():\n assert f()\ndef test_x():\n is_lost()\n"},
    ),
]

RULES = sorted({rule for rule, _, _ in PLANTED}, key=lambda rule: rule.__name__)


def plant(root: Path, files: dict[str, str]) -> None:
    """Write the files below root, with the locks that every tree has."""
    for name, text in {"run.lock": "", "dev.lock": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    assert rule(ROOT) == []


@pytest.mark.parametrize(("rule", "files", "violation"), PLANTED)
def test_the_rule_names_a_planted_violation(
    rule: Rule, files: dict[str, str], violation: str, tmp_path: Path
) -> None:
    plant(tmp_path, files)
    assert violation in rule(tmp_path)


@pytest.mark.parametrize(("rule", "files"), ALLOWED)
def test_the_rule_lets_the_allowed_pass(rule: Rule, files: dict[str, str], tmp_path: Path) -> None:
    plant(tmp_path, files)
    assert rule(tmp_path) == []


def test_every_rule_of_the_house_is_asked() -> None:
    """A rule that nobody plants a violation for would not be asked of the tree either."""
    written = {
        name
        for name, value in vars(house).items()
        if callable(value)
        and not name.startswith("_")
        and getattr(value, "__module__", "") == house.__name__
    }
    assert written - {"python_files", "trees"} == {rule.__name__ for rule in RULES}


def test_the_two_broad_excepts_still_exist() -> None:
    """A fence that moved away leaves a hole in the list of allowed ones."""
    for file, function in house.BROAD_EXCEPTS:
        assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8")


def test_no_adapter_is_left_out_of_the_contract_that_keeps_venues_apart() -> None:
    """All but the vocabulary and the registry, also the module that came last."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (contract,) = (c for c in tools["importlinter"]["contracts"] if c["id"] == "venues")
    modules = {f"adapters.{path.stem}" for path in (ROOT / "adapters").glob("[!_]*.py")}
    allowed = {"adapters.contract", "adapters.registry", "adapters.signers"}
    assert set(contract["forbidden_modules"]) == modules - allowed
    parts = {path.stem for path in (ROOT / "bot").iterdir() if not path.name.startswith("_")}
    # The root, what stands above or apart, and what joins the parts below it.
    outside = {"app", "cli", "demo", "front", "playground", "sandbox", "starter", "wiring"}
    assert set(contract["source_modules"]) == {f"bot.{part}" for part in parts - outside}


def test_the_image_installs_what_the_lock_pins_as_an_unprivileged_user() -> None:
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes" in image
    assert re.search(r"^USER (?!root)\w+", image, re.MULTILINE)
    assert image.endswith('ENTRYPOINT ["cancelall"]\nCMD ["serve"]\n')


def test_the_pure_half_of_every_venue_is_held_to_be_pure() -> None:
    """What builds and reads bytes does no I/O, by its name."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (contract,) = (c for c in tools["importlinter"]["contracts"] if c["id"] == "pure")
    endings = ("_wire", "_replies", "_codes", "_lists", "_reports", "_receipts")
    modules = [path.stem for path in (ROOT / "adapters").glob("*.py")]
    pure = {f"adapters.{name}" for name in modules if name.endswith(endings)}
    assert pure <= set(contract["source_modules"])
