"""The sealed file: opens with its passphrase, and says so when anything about it was changed."""

import asyncio
import base64
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.domain.errors import SecretError
from bot.flow.ports import KeySource
from bot.keys import sealed

PASSPHRASE = SecretStr("canary passphrase")
MM = '{"api_key": "canary-1", "api_secret": "canary-2"}'
RO = '{"api_key": "canary-3"}'
WRONG = "the sealed file does not open: wrong passphrase, or it was tampered with"


def sealed_file(folder: Path) -> Path:
    """Write a file of two documents; cheap to guess, as its keys open nothing."""
    path = folder / "keys.sealed"
    sealed.seal(path, "venues/bybit-mm", SecretStr(MM), PASSPHRASE, cost=sealed.CHEAP)
    sealed.seal(path, "venues/bybit-ro", SecretStr(RO), PASSPHRASE)
    return path


async def read_all(path: Path, passphrase: SecretStr = PASSPHRASE) -> list[str]:
    """Open the file and read both of its documents."""
    async with sealed.open_keys(path, passphrase) as keys:
        source: KeySource = keys
        names = ("venues/bybit-mm", "venues/bybit-ro")
        return [(await source.read(name)).text.get_secret_value() for name in names]


async def refusal(path: Path, passphrase: SecretStr = PASSPHRASE) -> SecretError:
    """Return why the file or one of its documents does not open."""
    with pytest.raises(SecretError) as caught:
        await read_all(path, passphrase)
    assert "canary" not in f"{caught.value!r} {caught.value}"
    return caught.value


def edit(path: Path, **changes: Any) -> None:
    """Change the file as somebody would who has no passphrase."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


async def test_what_was_sealed_is_read(tmp_path: Path):
    assert await read_all(sealed_file(tmp_path)) == [MM, RO]


async def test_a_document_can_be_sealed_again_in_place_of_the_old_one(tmp_path: Path):
    path = sealed_file(tmp_path)

    assert sealed.seal(path, "venues/bybit-ro", SecretStr('{"api_key": "new"}'), PASSPHRASE)

    assert await read_all(path) == [MM, '{"api_key": "new"}']
    assert sealed.names(path) == ["venues/bybit-mm", "venues/bybit-ro"]


@pytest.mark.parametrize("name", ["", "Bad Name", "ü", "a\n", "x" * 3 + "\x1b[2J"])
def test_what_cannot_be_a_name_is_not_sealed(tmp_path: Path, name: str):
    path = tmp_path / "keys.sealed"

    with pytest.raises(SecretError, match="cannot be a name"):
        sealed.seal(path, name, SecretStr(MM), PASSPHRASE, cost=sealed.CHEAP)

    assert not path.exists()


def test_the_names_are_listed_without_a_passphrase(tmp_path: Path):
    assert sealed.names(sealed_file(tmp_path)) == ["venues/bybit-mm", "venues/bybit-ro"]


def test_nothing_of_a_document_or_the_passphrase_stands_in_the_file(tmp_path: Path):
    text = sealed_file(tmp_path).read_text()
    boxes = [base64.b64decode(box) for box in json.loads(text)["names"].values()]

    assert "canary" not in text
    assert not any(b"canary" in box or b"api_key" in box for box in boxes)


def test_the_same_document_sealed_twice_looks_different(tmp_path: Path):
    """Else whoever reads the file could tell which accounts share a key."""
    path = sealed_file(tmp_path)
    before = json.loads(path.read_text())["names"]["venues/bybit-mm"]

    sealed.seal(path, "venues/bybit-mm", SecretStr(MM), PASSPHRASE)

    assert json.loads(path.read_text())["names"]["venues/bybit-mm"] != before


def test_a_file_is_written_for_its_owner_alone_and_leaves_nothing_beside_it(tmp_path: Path):
    path = sealed_file(tmp_path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.sealed"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
async def test_a_file_that_others_reach_is_refused(tmp_path: Path, mode: int):
    path = sealed_file(tmp_path)
    path.chmod(mode)

    error = await refusal(path)

    assert str(error) == f"{path} may be read by others chmod 600 {path}"
    with pytest.raises(SecretError, match="may be read by others"):
        sealed.names(path)
    with pytest.raises(SecretError, match="may be read by others"):
        sealed.seal(path, "venues/new", SecretStr(MM), PASSPHRASE)


async def test_a_wrong_passphrase_does_not_open_it(tmp_path: Path):
    error = await refusal(sealed_file(tmp_path), SecretStr("canary passphrasE"))

    assert error.user_message == WRONG
    assert error.remedy == "Check the passphrase; else restore the file from a copy."
    assert error.retryable is False


def test_a_wrong_passphrase_seals_nothing_into_it(tmp_path: Path):
    """A file under two passphrases would open for neither."""
    path = sealed_file(tmp_path)
    before = path.read_bytes()

    with pytest.raises(SecretError, match=r"^the sealed file does not open"):
        sealed.seal(path, "venues/new", SecretStr(MM), SecretStr("other"))

    assert path.read_bytes() == before


def test_nothing_is_sealed_into_a_file_that_was_tampered_with(tmp_path: Path):
    path = sealed_file(tmp_path)
    boxes = json.loads(path.read_text())["names"]
    edit(path, names=boxes | {"venues/bybit-ro": boxes["venues/bybit-mm"]})

    with pytest.raises(SecretError, match=r"^the sealed file does not open"):
        sealed.seal(path, "venues/new", SecretStr(MM), PASSPHRASE)


async def test_a_missing_name_is_answered_with_the_nearest(tmp_path: Path):
    async with sealed.open_keys(sealed_file(tmp_path), PASSPHRASE) as keys:
        with pytest.raises(SecretError) as caught:
            await keys.read("venues/bybit-mn")

    assert caught.value.user_message == "no secret at venues/bybit-mn in keys.sealed"
    assert caught.value.remedy == (
        "Seal it: cancelall keys seal venues/bybit-mn. Did you mean venues/bybit-mm?"
    )


async def test_a_name_like_no_other_is_answered_without_a_guess(tmp_path: Path):
    async with sealed.open_keys(sealed_file(tmp_path), PASSPHRASE) as keys:
        with pytest.raises(SecretError) as caught:
            await keys.read("x")

    assert caught.value.remedy == "Seal it: cancelall keys seal x."


async def test_a_missing_file_is_named(tmp_path: Path):
    path = tmp_path / "keys.sealed"

    error = await refusal(path)

    assert error.user_message == f"{path} cannot be read: No such file or directory"
    assert error.remedy == "Make it: cancelall keys seal NAME."


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path):
    path = tmp_path / "nowhere" / "keys.sealed"

    with pytest.raises(SecretError) as caught:
        sealed.seal(path, "venues/new", SecretStr(MM), PASSPHRASE, cost=sealed.CHEAP)

    assert caught.value.user_message == f"{path} cannot be written: No such file or directory"
    assert caught.value.remedy == "Check its folder."


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path):
    """Its fresh copy holds keys; an empty folder in its way stands for a full disk."""
    path = sealed_file(tmp_path)
    file = sealed._read(path)
    blocked = tmp_path / "folder"
    blocked.mkdir()

    with pytest.raises(SecretError, match="cannot be written: Is a directory"):
        sealed._write(blocked, file)

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "keys.sealed"]


async def test_a_file_that_was_cut_anywhere_is_refused(tmp_path: Path):
    path = sealed_file(tmp_path)
    whole = path.read_bytes()

    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        error = await refusal(path)
        assert str(error) == (f"{path} is not a sealed file, or was cut Restore it from a copy."), (
            length
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"opslimit": 2},
        {"opslimit": 0},
        {"opslimit": 2**70},
        {"memlimit": 16384},
        {"memlimit": -1},
        {"memlimit": 2**70},
        {"salt": ""},
        {"salt": "é"},
        {"salt": "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"version": 2},
        {"names": {"venues/bybit-mm": ""}},
        {"names": {"venues/bybit-mm": "é"}},
        {"note": ""},
    ],
    ids=str,
)
async def test_a_changed_header_or_box_is_refused(tmp_path: Path, changes: dict[str, Any]):
    path = sealed_file(tmp_path)
    edit(path, **changes)

    error = await refusal(path)

    assert error.user_message in {WRONG, f"{path} is not a sealed file, or was cut"}


async def test_a_box_moved_to_another_name_does_not_open(tmp_path: Path):
    """Else whoever can write the file could make a run cancel with another account's key."""
    path = sealed_file(tmp_path)
    boxes = json.loads(path.read_text())["names"]
    edit(path, names=dict.fromkeys(boxes, boxes["venues/bybit-mm"]))

    async with sealed.open_keys(path, PASSPHRASE) as keys:
        assert (await keys.read("venues/bybit-mm")).text.get_secret_value() == MM
        with pytest.raises(SecretError, match=r"^the sealed file does not open"):
            await keys.read("venues/bybit-ro")


async def test_a_box_of_another_file_does_not_open(tmp_path: Path):
    """Same passphrase, another salt: an old key cannot be brought back from an old file."""
    other = tmp_path / "other"
    other.mkdir()
    path = sealed_file(tmp_path)
    edit(path, names=json.loads(sealed_file(other).read_text())["names"])

    assert (await refusal(path)).user_message == WRONG


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a sealed file of two documents."""
    return sealed_file(tmp_path_factory.mktemp("original")).read_bytes()


@settings(max_examples=400)
@given(place=st.integers(0, 2**16), byte=st.integers(0, 255))
def test_a_byte_changed_anywhere_never_opens_as_something_else(
    original: bytes, place: int, byte: int
):
    index = place % len(original)
    changed = original[:index] + bytes([byte]) + original[index + 1 :]

    opened = asyncio.run(opened_as(changed))

    assert opened is None or (opened == [MM, RO] and same(changed, original))


async def test_a_bit_flipped_at_any_place_never_opens_as_something_else(original: bytes):
    refused = 0
    for index, byte in enumerate(original):
        changed = original[:index] + bytes([byte ^ 1]) + original[index + 1 :]
        opened = await opened_as(changed)
        assert opened is None or (opened == [MM, RO] and same(changed, original)), index
        refused += opened is None
    assert refused >= len(original) - 2, "one spare letter a box, at most"


@pytest.mark.parametrize("number", ["8e92", "9192", "8192e9", "8191", "null", "true"])
async def test_another_cost_in_the_header_is_refused(original: bytes, number: str):
    changed = original.replace(b'"memlimit":8192', b'"memlimit":' + number.encode())

    assert changed != original
    assert await opened_as(changed) is None


async def opened_as(text: bytes) -> list[str] | None:
    """Return both documents of a file of this text; None if it or one of them is refused."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return await read_all(put(Path(folder), text))
        except SecretError:
            return None


def put(folder: Path, text: bytes) -> Path:
    """Write a file that only its owner may read."""
    path = folder / "keys.sealed"
    path.touch(mode=0o600)
    path.write_bytes(text)
    return path


def same(changed: bytes, original: bytes) -> bool:
    """Tell whether two files say the same: base64 ignores spare bits of a box's last letter."""

    def meaning(text: bytes) -> list[object]:
        file = json.loads(text)
        boxes = {name: base64.b64decode(box) for name, box in file.pop("names").items()}
        return [file, boxes]

    try:
        return meaning(changed) == meaning(original)
    except ValueError:
        return False


async def test_the_default_is_dear_to_guess_and_stalls_nobody(tmp_path: Path):
    """3 passes over 256 MiB, libsodium's "moderate", in a thread: the loop goes on meanwhile."""
    path = tmp_path / "keys.sealed"
    await asyncio.to_thread(sealed.seal, path, "venues/bybit-mm", SecretStr(MM), PASSPHRASE)
    header = json.loads(path.read_text())
    assert (header["opslimit"], header["memlimit"]) == (3, 268435456)

    turns = 0
    async with asyncio.TaskGroup() as group:
        opening = group.create_task(read_one(path))
        while not opening.done():
            turns += 1
            await asyncio.sleep(0.01)

    assert opening.result() == MM
    assert turns > 5


async def read_one(path: Path) -> str:
    """Open the file and read its one document."""
    async with sealed.open_keys(path, PASSPHRASE) as keys:
        return (await keys.read("venues/bybit-mm")).text.get_secret_value()
