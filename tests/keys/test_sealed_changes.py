"""The sealed file while the bot serves: what is sealed is found, what breaks takes no key away."""

import asyncio
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.domain.errors import SecretError
from bot.keys import sealed
from bot.keys.sealed import SealedKeys

PASSPHRASE = SecretStr("canary passphrase")


def put(path: Path, name: str, text: str) -> None:
    """Seal a document as `cancelall keys seal` does."""
    sealed.seal(path, name, SecretStr(text), PASSPHRASE, cost=sealed.CHEAP)


async def read(keys: SealedKeys, name: str) -> str:
    return (await keys.read(name)).text.get_secret_value()


async def refusal(keys: SealedKeys, name: str) -> SecretError:
    with pytest.raises(SecretError) as caught:
        await keys.read(name)
    return caught.value


async def test_name_that_is_sealed_while_the_bot_serves_is_found(tmp_path: Path):
    path = tmp_path / "keys.sealed"
    put(path, "venues/mm", "old")
    async with sealed.open_keys(path, PASSPHRASE) as keys:
        assert (await refusal(keys, "venues/arb")).remedy.startswith("Seal it: ")
        put(path, "venues/arb", "new")
        assert await read(keys, "venues/arb") == "new"


async def test_better_key_that_is_sealed_while_the_bot_serves_is_read(tmp_path: Path):
    """The venue has refused the old one, and somebody follows the remedy."""
    path = tmp_path / "keys.sealed"
    put(path, "venues/mm", "old")
    async with sealed.open_keys(path, PASSPHRASE) as keys:
        assert await read(keys, "venues/mm") == "old"
        put(path, "venues/mm", "better")
        assert await read(keys, "venues/mm") == "better"


async def test_name_that_was_taken_out_is_read_no_more(tmp_path: Path):
    path = tmp_path / "keys.sealed"
    put(path, "venues/mm", "old")
    async with sealed.open_keys(path, PASSPHRASE) as keys:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"names": {}}))
        error = await refusal(keys, "venues/mm")
    assert error.user_message == "no secret at venues/mm in keys.sealed"
    assert error.retryable is False


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def make_anew(path: Path) -> None:
    path.unlink()
    put(path, "venues/mm", "another")


def forge(path: Path) -> None:
    file = json.loads(path.read_text())
    file["names"]["venues/arb"] = file["names"]["venues/mm"]
    path.write_text(json.dumps(file))


def hang(path: Path) -> None:
    """A pipe that nobody writes to stands for a disk that does not answer."""
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (cut, "is not a sealed file, or was cut"),
        (Path.unlink, "cannot be read: No such file or directory"),
        (lambda path: path.chmod(0o644), "may be read by others"),
        (make_anew, "was made anew"),
        (forge, "does not open: wrong passphrase, or it was tampered with"),
        (hang, "took too long to read"),
    ],
    ids=["cut", "gone", "open to others", "made anew", "forged", "hangs"],
)
async def test_file_that_breaks_while_the_bot_serves_takes_no_key_away(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
    why: str,
):
    """A kill switch with the key in hand must not refuse because somebody edits a file."""
    path = tmp_path / "keys.sealed"
    put(path, "venues/mm", "old")
    async with sealed.open_keys(path, PASSPHRASE) as keys:
        whole = path.read_bytes()
        spoil(path)
        async with asyncio.timeout(2):
            assert await read(keys, "venues/mm") == "old"
        error = await refusal(keys, "venues/arb")
        if path.is_fifo():
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        assert error.user_message.startswith("no secret at venues/arb is held, and ")
        assert error.user_message.endswith(why)
        assert error.retryable, "it may be whole again in a moment"
        told = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert [record.msg for record in told] == ["keys.kept"]
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(whole)
        put(path, "venues/arb", "new")
        assert await read(keys, "venues/arb") == "new"
