"""Who sits at the console is whom the kernel names, and nobody else."""

import os
import pwd
from pathlib import Path

import pytest

from bot import console
from bot.domain.errors import UsageError

OWN = pwd.getpwuid(os.getuid()).pw_name


def logged_in(folder: Path, text: str) -> Path:
    path = folder / "loginuid"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", ["4294967295", "", "nonsense"])
def test_without_a_recorded_login_it_is_the_user_of_the_process(tmp_path: Path, text: str):
    assert console.user(logged_in(tmp_path, text)) == OWN
    assert console.user(tmp_path / "no such file") == OWN


def test_whoever_logged_in_stays_themselves_through_sudo(tmp_path: Path):
    """The keys belong to the service's user: `sudo -u cancelall` must not hide who pulls."""
    somebody = next(entry for entry in pwd.getpwall() if entry.pw_uid != os.getuid())
    assert console.user(logged_in(tmp_path, str(somebody.pw_uid))) == somebody.pw_name


def test_a_user_without_a_name_is_called_by_number(tmp_path: Path):
    assert console.user(logged_in(tmp_path, "3999999999")) == "uid 3999999999"


def test_the_environment_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("USER", "LOGNAME", "SUDO_USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert console.user(logged_in(tmp_path, "4294967295")) == OWN


def test_the_config_says_whom_the_policy_knows_by_a_user():
    actor = console.actor("alice", {"alice": "U0ALICE", "bob": "U0BOB"})
    assert (actor.user_id, actor.person_id, actor.name) == ("U0ALICE", "U0ALICE", "alice")
    assert actor.read_at is None
    with pytest.raises(UsageError) as caught:
        console.actor("mallory", {"alice": "U0ALICE"})
    assert str(caught.value) == (
        "The config knows nobody at a console as mallory. Log in as a user who stands there, or "
        'add mallory = "U…" under [console] people.'
    )


@pytest.mark.parametrize("text", ["         0       1000          1\n", "0 0 65536\n0 70000 3\n"])
def test_whoever_maps_users_as_they_like_is_nobody_the_config_knows(tmp_path: Path, text: str):
    """In a namespace of their own anybody is root, or whoever may pull."""
    login = logged_in(tmp_path, "4294967295")
    own = tmp_path / "uid_map"
    own.write_text("         0          0 4294967295\n")
    assert console.user(login, own) == OWN
    own.write_text(text)
    assert console.user(login, own) == f"{OWN} in a namespace"
