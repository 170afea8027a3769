"""The commands as a shell sees them: what they print, and with which status they end."""

import json
import os
import pty
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import cli
from bot.keys import sealed

MM = '{"api_key": "canary-1", "api_secret": "canary-2"}'
SEAL = ("keys", "seal", "venues/bybit-mm", "--passphrase-file", "passphrase")
Ran = tuple[int, str, str]
"""Exit status, standard output and standard error of a command."""
Command = Callable[..., Ran]
ROOM = """
import contextlib, io, json, os, sys
from bot import cli

for line in sys.stdin:
    folder, words, typed = json.loads(line)
    os.chdir(folder)
    out, err = io.StringIO(), io.StringIO()
    sys.argv, sys.stdin = ["cancelall", *words], io.StringIO(typed)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.run()
        except SystemExit as ended:
            status = ended.code
    print(json.dumps((status, out.getvalue(), err.getvalue())), flush=True)
"""
"""Runs command after command from `main` on; to start Python for each would take far longer."""


def run(folder: Path, *words: str, typed: str = "", python: tuple[str, ...] = ()) -> Ran:
    """Run the program in a folder, in a process of its own."""
    ran = subprocess.run(
        [sys.executable, *python, "-m", "bot", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        start_new_session=True,  # No terminal, wherever the tests run.
    )
    assert "canary" not in ran.stdout + ran.stderr
    return ran.returncode, ran.stdout, ran.stderr


@pytest.fixture(scope="module")
def room() -> Iterator[subprocess.Popen[str]]:
    """A process without a terminal that runs commands, so that hardening it hardens no test."""
    with subprocess.Popen(
        [sys.executable, "-c", ROOM],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        yield running


@pytest.fixture
def command(room: subprocess.Popen[str], folder: Path) -> Command:
    """Return a function that runs a command in the folder."""

    def run_there(*words: str, typed: str = "") -> Ran:
        room.stdin.write(f"{json.dumps((str(folder), words, typed))}\n")
        room.stdin.flush()
        status, out, err = json.loads(room.stdout.readline())
        assert "canary" not in out + err
        return status, out, err

    return run_there


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a passphrase and a sealed file of one document, cheap to open."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("canary passphrase\n")
    passphrase.chmod(0o600)
    old = SecretStr("{}")
    key = SecretStr("canary passphrase")
    sealed.seal(tmp_path / "keys.sealed", "venues/old", old, key, cost=sealed.CHEAP)
    return tmp_path


def test_a_sealed_document_is_listed_by_name(command: Command):
    said = "venues/bybit-mm in keys.sealed. Fields: api_key, api_secret.\n"
    assert command(*SEAL, typed=MM) == (0, f"Sealed {said}", "")
    assert command(*SEAL, typed=MM) == (0, f"Replaced {said}", "")
    assert command("keys", "list") == (0, "venues/bybit-mm\nvenues/old\n", "")


def test_no_core_dump_can_hold_a_document_that_is_being_sealed(folder: Path):
    script = """
import io, resource, sys
from bot import cli

class Typed(io.StringIO):
    def read(self):
        print(resource.getrlimit(resource.RLIMIT_CORE))
        return super().read()

most = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
sys.stdin = Typed('{"api_key": "1"}')
cli.cancelall(args=sys.argv[1:], standalone_mode=False)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script, *SEAL],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.splitlines()[0] == "(0, 0)"


def test_a_new_file_is_dear_to_guess_and_for_its_owner_alone(folder: Path, command: Command):
    status, _, _ = command(*SEAL, "--file", "new.sealed", typed=MM)

    path = folder / "new.sealed"
    assert status == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["memlimit"] == 268435456


def test_a_wrong_passphrase_is_one_line_and_changes_nothing(folder: Path):
    (folder / "passphrase").write_text("canary of another")
    before = (folder / "keys.sealed").read_bytes()

    assert run(folder, *SEAL, typed=MM) == (
        78,
        "",
        (
            "error: the sealed file does not open: wrong passphrase, or it was tampered with. "
            "Check the passphrase; else restore the file from a copy.\n"
        ),
    )
    assert (folder / "keys.sealed").read_bytes() == before


@pytest.mark.parametrize("document", ["", "canary", '["canary"]', '{"api_key": "canary"'])
def test_a_document_that_is_no_json_object_is_refused_unseen(command: Command, document: str):
    assert command(*SEAL, typed=document) == (
        78,
        "",
        'error: The document is not a JSON object. Give {"api_key": "…", "api_secret": "…"}.\n',
    )


@pytest.mark.parametrize(
    "document", ["{}", '{"api_key": ""}', '{"api_key": 1}', '{"api_key": {"canary": "x"}}']
)
def test_a_document_without_texts_is_refused_unseen(command: Command, document: str):
    assert command(*SEAL, typed=document) == (
        78,
        "",
        (
            "error: The document must hold fields, each a text that is not empty. "
            'Give {"api_key": "…", "api_secret": "…"}.\n'
        ),
    )


@pytest.mark.parametrize("name", ["", "Bad Name ü", "a\nb"])
def test_what_cannot_be_a_name_is_refused(command: Command, name: str):
    assert command(*SEAL[:2], name, *SEAL[3:], typed=MM) == (
        78,
        "",
        (
            f'error: "{name}" cannot be a name. '
            "Use letters, digits and - _ / . only, such as venues/bybit-mm.\n"
        ),
    )


def test_without_a_terminal_the_passphrase_must_be_in_a_file(command: Command):
    """Else the document that is piped in would be taken for it."""
    assert command(*SEAL[:3], typed=MM) == (
        78,
        "",
        "error: There is no terminal to ask for the passphrase on. Give it by --passphrase-file.\n",
    )


def test_a_passphrase_file_that_others_reach_is_refused(folder: Path, command: Command):
    (folder / "passphrase").chmod(0o644)

    assert command(*SEAL, typed=MM) == (
        78,
        "",
        "error: --passphrase-file: passphrase may be read by others. chmod 600 passphrase\n",
    )


def test_an_empty_passphrase_is_refused(folder: Path, command: Command):
    (folder / "passphrase").write_text("\n")

    assert command(*SEAL, typed=MM) == (
        78,
        "",
        "error: --passphrase-file: passphrase is empty. Write the secret into it.\n",
    )


def test_listing_a_file_that_is_not_there_says_how_to_make_it(command: Command):
    assert command("keys", "list", "--file", "none.sealed") == (
        78,
        "",
        (
            "error: none.sealed cannot be read: No such file or directory. "
            "Make it: cancelall keys seal NAME.\n"
        ),
    )


def test_a_folder_is_no_sealed_file(command: Command):
    assert command("keys", "list", "--file", ".") == (
        78,
        "",
        "error: . cannot be read: Is a directory. Check the path.\n",
    )


def test_the_demo_keeps_its_files_in_a_new_folder_only(command: Command):
    assert command("demo", "--keep", ".") == (
        78,
        "",
        "error: The folder . cannot be made: File exists. Name a new one in a folder of yours.\n",
    )


def test_a_desk_for_a_slack_of_ones_own_needs_its_token(command: Command):
    status, out, err = command("sandbox", "init", "desk")

    assert (status, out) == (78, "")
    assert err == (
        "error: sandbox init: the environment has no SLACK_BOT_TOKEN. "
        "Set SLACK_BOT_TOKEN for the process.\n"
    )


def test_simulated_venues_need_a_desk(command: Command):
    assert command("sandbox", "venues", "nowhere") == (
        78,
        "",
        (
            "error: There is no nowhere/config.toml. "
            "Write a desk into a new folder: cancelall sandbox init FOLDER.\n"
        ),
    )


def test_serving_without_a_config_says_so_in_one_line(command: Command):
    assert command("serve") == (
        78,
        "",
        (
            "error: config.toml cannot be read: No such file or directory. "
            "Check the path in --config.\n"
        ),
    )


def type_into(folder: Path, words: tuple[str, ...], *lines: str) -> tuple[str, str, bool]:
    """Answer prompt after prompt on a terminal; return output, prompts, and if anything echoed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "bot", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as program:
        asked = ""
        for line in lines:  # What is typed before its prompt would be dropped.
            while not asked.endswith(("Passphrase: ", "confirmation: ", '"}: ')):
                letter = program.stderr.read(1).decode(errors="replace")
                assert letter, asked
                asked += letter
            asked += "| "
            os.write(ours, f"{line}\n".encode())
        out, rest = program.communicate(timeout=30)
    echoed, _, _ = select.select([ours], [], [], 0)
    os.close(theirs)
    os.close(ours)
    assert program.returncode == 0
    return out.decode(), asked + rest.decode(), bool(echoed)


def test_a_document_pasted_into_a_terminal_does_not_stay_on_it(folder: Path):
    out, _, is_echoed = type_into(folder, SEAL, MM)

    assert out == "Sealed venues/bybit-mm in keys.sealed. Fields: api_key, api_secret.\n"
    assert not is_echoed


def test_a_passphrase_that_is_asked_for_is_not_shown(folder: Path):
    out, asked, is_echoed = type_into(folder, SEAL[:3], "canary passphrase", MM)

    assert out == "Sealed venues/bybit-mm in keys.sealed. Fields: api_key, api_secret.\n"
    assert asked.startswith("Passphrase: | ")
    assert "canary" not in asked
    assert not is_echoed
    assert sealed.names(folder / "keys.sealed") == ["venues/bybit-mm", "venues/old"]


def test_the_passphrase_of_a_new_file_is_asked_for_twice(folder: Path):
    """A slip of the finger would lock every key away, on the night they are needed."""
    words = (*SEAL[:3], "--file", "new.sealed")

    _, asked, _ = type_into(folder, words, "canary", "canari", "canary", "canary", MM)

    assert asked.count("Repeat for confirmation: ") == 2
    assert "Error: The two entered values do not match." in asked
    assert sealed.names(folder / "new.sealed") == ["venues/bybit-mm"]


def test_a_secret_cannot_be_given_as_an_argument(command: Command):
    """Arguments are seen by everybody on the machine."""
    status, _, why = command("keys", "seal", "venues/bybit-mm", '{"api_key": "1"}')
    assert (status, why.splitlines()[-1]) == (
        2,
        'Error: Got unexpected extra argument ({"api_key": "1"})',
    )

    status, _, why = command("keys", "seal", "venues/bybit-mm", "--passphrase", "1")
    assert status == 2
    assert "No such option" in why


@pytest.mark.parametrize("words", [("cancle",), ("keys", "lst"), ("keys", "seal")])
def test_a_wrong_command_line_ends_with_status_2(command: Command, words: tuple[str, ...]):
    status, out, why = command(*words)

    assert (status, out) == (2, "")
    assert why.startswith("Usage: ")


def test_the_checks_cannot_be_optimised_away(folder: Path):
    """A failed assertion must stop a cancel that would be wrong."""
    assert run(folder, "--help", python=("-O",)) == (
        78,
        "",
        "error: python -O drops the checks this program relies on. Run it without.\n",
    )


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            (),
            {
                *("check", "demo", "healthz", "keys", "pull"),
                *("sandbox", "serve", "slack", "vault"),
            },
        ),
        (("slack",), {"manifest"}),
        (("vault",), {"policy"}),
        (("keys",), {"seal", "list"}),
        (("sandbox",), {"init", "venues"}),
    ],
)
def test_help_names_every_command(command: Command, words: tuple[str, ...], named: set[str]):
    status, out, _ = command(*words, "--help")

    listed = out.split("Commands:\n")[1].splitlines()
    assert status == 0
    assert {line.split()[0] for line in listed} == named


def test_help_is_instant(folder: Path):
    """Nothing heavy is imported before a command needs it."""
    script = (
        "import sys, bot.cli; print(sorted({'aiohttp', 'nacl', 'sqlalchemy'} & {*sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout == "[]\n"


def test_a_terminal_that_stands_still_holds_nobody_up_and_hears_all_in_the_end():
    moves, said = threading.Event(), []

    def slow(words: str) -> None:
        moves.wait(5)
        said.append(words)

    with cli._beside(slow) as say:
        say("a")
        say("b")
        assert said == []
        moves.set()
    assert said == ["a", "b"]
