"""The image: what its Dockerfile promises, and its build stage run for real without an engine."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot import cli

ROOT = Path(__file__).parents[1]
SECRET = re.compile(r"token|secret|passw|passphrase|key", re.IGNORECASE)
BUILD_TOOLS = {"pip", "setuptools", "wheel"}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One instruction."""

    word: str
    text: str


def steps() -> list[Step]:
    """Read the Dockerfile: its instructions in order, continued lines joined, no comments."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    joined = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    whole = re.sub(r"\\\n\s*", "", joined).splitlines()
    return [Step(word=word, text=text) for word, text in (s.split(None, 1) for s in whole if s)]


def stages() -> list[list[Step]]:
    """Split the instructions at each FROM, which leads its stage."""
    found: list[list[Step]] = []
    for step in steps():
        if step.word == "FROM":
            found.append([])
        if found:
            found[-1].append(step)
    return found


def texts(stage: list[Step], word: str) -> list[str]:
    return [step.text for step in stage if step.word == word]


def test_the_last_stage_takes_nothing_but_what_the_first_has_built():
    build, final = stages()
    assert [build[0].text, final[0].text] == ["${PYTHON} AS build", "${PYTHON}"]
    assert [step.text for step in final if step.word in {"COPY", "ADD"}] == [
        "--from=build /opt/cancelall /opt/cancelall"
    ]


def test_the_python_is_the_one_that_the_locks_are_for_and_no_moving_tag():
    assert texts(steps(), "ARG")[0] == "PYTHON=python:3.11-slim-bookworm"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"


def test_the_image_runs_as_a_numbered_user_who_is_not_root():
    """And everything that needs root comes before."""
    final = stages()[-1]
    assert texts(final, "USER") == ["1000:1000"]
    words = [step.word for step in final]
    assert not {"RUN", "COPY", "ADD"} & set(words[words.index("USER") :])
    assert "useradd --uid 1000 --gid 1000" in "".join(texts(final, "RUN"))


def test_the_health_check_is_a_command_that_there_is():
    final = stages()[-1]
    (check,) = texts(final, "HEALTHCHECK")
    options, _, command = check.partition("CMD ")
    assert json.loads(command) == ["cancelall", "healthz"]
    assert {"--interval=30s", "--timeout=5s"} <= set(options.split())
    assert "healthz" in cli.cancelall.commands


def test_signals_reach_the_program_and_no_shell():
    final = stages()[-1]
    assert json.loads(*texts(final, "ENTRYPOINT")) == ["cancelall"]
    assert json.loads(*texts(final, "CMD")) == ["serve"]


def test_no_layer_holds_a_secret():
    """Whatever is given at build time stays readable in the image's history."""
    given = [step for step in steps() if step.word in {"ARG", "ENV", "LABEL"}]
    assert given
    assert [step for step in given if SECRET.search(step.text)] == []
    assert not any("--mount=type=secret" in step.text for step in steps())


def test_the_labels_say_what_the_image_is():
    final = stages()[-1]
    (labels,) = texts(final, "LABEL")
    told = dict(pair.split("=", 1) for pair in shlex.split(labels))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "org.opencontainers.image."
    assert told == {
        f"{prefix}title": project["name"],
        f"{prefix}description": project["description"],
        f"{prefix}version": "${VERSION}",
        f"{prefix}revision": "${REVISION}",
        f"{prefix}source": "${SOURCE}",
    }
    assert f"VERSION={project['version']}" in texts(final, "ARG")


def test_only_what_is_copied_is_sent_to_the_engine():
    """Else a desk's keys that lie in the checkout would be in every build's cache."""
    copied = {
        source
        for step in texts(stages()[0], "COPY")
        for source in step.split()[:-1]
    }  # fmt: skip
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_whatever_is_installed_is_pinned_by_its_hash():
    installs = [
        part
        for run in texts(stages()[0], "RUN")
        for part in run.split("&&")
        if "pip install" in part
    ]
    assert len(installs) == 3
    for install in installs:
        is_hashed = "--require-hashes" in install and "--only-binary :all:" in install
        assert is_hashed or install.endswith("--no-deps --no-build-isolation . ")


def test_the_base_images_own_tools_are_taken_out(tmp_path: Path):
    """The command itself, run on a tree that looks like the base image's."""
    lib = tmp_path / "usr/local/lib/python3.11"
    bin_ = tmp_path / "usr/local/bin"
    for path in ("site-packages/pip", "site-packages/setuptools", "ensurepip/_bundled", "json"):
        (lib / path).mkdir(parents=True)
    bin_.mkdir()
    for name in ("pip", "pip3", "pip3.11", "wheel", "python3.11"):
        (bin_ / name).touch()
    (command,) = [run for run in texts(stages()[-1], "RUN") if run.startswith("rm ")]
    run(command.replace("/usr/local", str(tmp_path / "usr/local")), tmp_path)
    left = sorted(path.name for path in tmp_path.rglob("*") if not any(path.glob("*")))
    assert left == ["json", "python3.11"]


def run(command: str, folder: Path) -> str:
    """Run a shell command as the engine does."""
    ran = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """Return a folder whose contents go with the test: they are many."""
    yield tmp_path / "room"
    shutil.rmtree(tmp_path / "room")


@pytest.mark.soak
def test_the_build_stage_builds(room: Path):
    """Without an engine: its steps, in its order, with its folders moved into this one."""
    opt, source = room / "opt", room / "src"
    source.mkdir(parents=True)
    for step in stages()[0]:
        if step.word == "COPY":
            copy(step.text.split(), source)
        elif step.word == "RUN":
            moved = step.text.replace("/opt/", f"{opt}/")
            run(moved.replace("python -m venv", f"{sys.executable} -m venv"), source)
    home = opt / "cancelall"
    assert run(f"{home}/bin/cancelall --version", room) == "cancelall, version 0.1.0\n"
    (packages,) = home.glob("lib/python3*/site-packages")
    assert [path.name for path in packages.iterdir() if path.name in BUILD_TOOLS] == []
    listed = json.loads((home / "sbom.json").read_text())
    assert listed["bomFormat"] == "CycloneDX"
    assert listed["metadata"]["component"]["name"] == "cancelall"
    names = {plain(part["name"]) for part in listed["components"]}
    assert names == installed(packages) - {"cancelall"}
    assert {"aiohttp", "hvac", "slack-sdk"} <= names


def installed(packages: Path) -> set[str]:
    """Ask the folder itself what is installed there."""
    folders = [path.name.removesuffix(".dist-info") for path in packages.glob("*.dist-info")]
    return {plain(name.rsplit("-", 1)[0]) for name in folders}


def plain(name: str) -> str:
    """Spell a distribution's name in the one way in which all its spellings are alike."""
    return re.sub(r"[-_.]+", "-", name).lower()


def copy(words: list[str], folder: Path) -> None:
    """Copy from the checkout as COPY does: a folder's contents under the name that is given."""
    *sources, target = words
    for name in sources:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / target, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / target)
