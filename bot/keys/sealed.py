"""The sealed local file: many secret documents under one passphrase.

Owns its format, `seal()`, `names()` and `SealedKeys`. A document is decrypted only when it is read,
and as the file has it by then: a name that is sealed while the bot serves is found.

Shape: one JSON object `{"version":1,"salt":…,"opslimit":…,"memlimit":…,"names":{NAME: box}}`, mode
0600. Each box is authenticated encryption (XChaCha20-Poly1305) under a key that Argon2id derives
from the passphrase; header and name are bound to it as associated data, so that no box can be moved
to another name and no parameter weakened. Source: PyNaCl 1.6, `nacl.pwhash` and `nacl.bindings`.
"""

from __future__ import annotations

import asyncio
import base64
import difflib
import json
import logging
import os
import re
import stat
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import nacl.bindings as sodium
import nacl.exceptions
import nacl.pwhash.argon2id as argon
import nacl.utils
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from bot.domain.errors import SecretError
from bot.flow.ports import KeyDocument

logger = logging.getLogger(__name__)

LOOK_S = 0.3
"""How long a read waits for the disk before it takes what was read before: a run waits for that
after it has waited for Vault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """How dear a guess of the passphrase is."""

    opslimit: int
    memlimit: int


DEAR = Cost(opslimit=argon.OPSLIMIT_MODERATE, memlimit=argon.MEMLIMIT_MODERATE)
"""About a second and 256 MiB a guess: paid once, at start."""
CHEAP = Cost(opslimit=argon.OPSLIMIT_MIN, memlimit=argon.MEMLIMIT_MIN)
"""For tests and the sandbox, whose keys open nothing."""


NAME = re.compile(r"[A-Za-z0-9._/-]+")


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int = Field(ge=1, le=1)
    salt: str
    opslimit: int
    memlimit: int
    names: dict[str, str]

    def bound(self, name: str) -> bytes:
        """Return what a box is bound to: the header and its own name."""
        header = [self.version, self.salt, self.opslimit, self.memlimit, name]
        return json.dumps(header, separators=(",", ":")).encode()


def seal(
    path: Path, name: str, document: SecretStr, passphrase: SecretStr, *, cost: Cost = DEAR
) -> bool:
    """Put a document into the file, new or in place of the one of that name.

    Returns:
        True if there was one of that name, which is gone now.

    Raises:
        SecretError: it is no name, the passphrase does not open the file, or that cannot be read or
            written.
    """
    if not NAME.fullmatch(name):
        raise SecretError(
            user_message=f'"{name}" cannot be a name',
            remedy="Use letters, digits and - _ / . only, such as venues/bybit-mm.",
        )
    if path.exists():
        file = _read(path)
        key = _derive(file, passphrase)
        for known in file.names:
            _open(file, known, key)
    else:
        salt = base64.b64encode(nacl.utils.random(argon.SALTBYTES)).decode()
        file = _File(version=1, salt=salt, opslimit=cost.opslimit, memlimit=cost.memlimit, names={})
        key = _derive(file, passphrase)
    nonce = nacl.utils.random(sodium.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
    box = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        document.get_secret_value().encode(), file.bound(name), nonce, key
    )
    names = file.names | {name: base64.b64encode(nonce + box).decode()}
    _write(path, file.model_copy(update={"names": names}))
    return name in file.names


def names(path: Path) -> list[str]:
    """Return the names in the file, sorted; needs no passphrase."""
    return sorted(_read(path).names)


class SealedKeys:
    """The file, opened: reads one document at a time.

    What was read before is kept while the file is missing, half written or made anew: a run must
    not lose a key to whoever edits the file at that moment. The venue says whose key it is.
    """

    def __init__(self, file: _File, key: bytes, path: Path, pool: ThreadPoolExecutor) -> None:
        self._file = file
        self._key = key
        self._path = path
        self._pool = pool
        self._trouble: SecretError | None = None
        """Why the file was not read anew the last time."""

    async def read(self, path: str) -> KeyDocument:
        """Return the secret document of that name.

        Raises:
            SecretError: there is none of that name; `retryable` if the file cannot be read now.
        """
        await self._look()
        if path in self._file.names:
            return KeyDocument(text=SecretStr(_open(self._file, path, self._key).decode()))
        raise self._absent(path)

    async def unreadable(self, paths: Collection[str]) -> Mapping[str, SecretError]:
        """Return those names under which nothing is sealed."""
        await self._look()
        return {path: self._absent(path) for path in paths if path not in self._file.names}

    def _absent(self, path: str) -> SecretError:
        if self._trouble is not None:
            return SecretError(
                user_message=f"no secret at {path} is held, and {self._trouble.user_message}",
                remedy=self._trouble.remedy,
                is_retryable=True,
            )
        close = difflib.get_close_matches(path, self._file.names, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]}?" if close else ""
        return SecretError(
            user_message=f"no secret at {path} in {self._path.name}",
            remedy=f"Seal it: cancelall keys seal {path}.{hint}",
        )

    async def _look(self) -> None:
        """Take the file as it is now; if it is of no use, keep what we have and log why, once."""
        loop, trouble = asyncio.get_running_loop(), None
        try:
            async with asyncio.timeout(LOOK_S):
                self._file = await loop.run_in_executor(
                    self._pool, _read_again, self._path, self._file, self._key
                )
        except TimeoutError:
            trouble = SecretError(user_message=f"{self._path} took too long to read")
        except SecretError as error:
            trouble = error
        if trouble is not None and str(trouble) != str(self._trouble):
            logger.warning("keys.kept", extra={"why": trouble.user_message})
        self._trouble = trouble


@asynccontextmanager
async def open_keys(path: Path, passphrase: SecretStr) -> AsyncIterator[SealedKeys]:
    """Open the file; the key is derived once, in a thread of its own.

    The derived key stays in memory while the process runs: deriving it anew would cost each run a
    second before its first cancel.

    Raises:
        SecretError: the file cannot be read, others may read it, or the passphrase is wrong.
    """
    file = _read(path)
    pool = ThreadPoolExecutor(1, thread_name_prefix="sealed")
    try:
        key = await asyncio.get_running_loop().run_in_executor(pool, _derive, file, passphrase)
        for name in list(file.names)[:1]:
            _open(file, name, key)
        yield SealedKeys(file, key, path, pool)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _read(path: Path) -> _File:
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except OSError as error:
        is_absent = isinstance(error, FileNotFoundError)
        raise SecretError(
            user_message=f"{path} cannot be read: {error.strerror}",
            remedy="Make it: cancelall keys seal NAME." if is_absent else "Check the path.",
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretError(user_message=f"{path} may be read by others", remedy=f"chmod 600 {path}")
    try:
        return _File.model_validate_json(text)
    except ValidationError:
        raise SecretError(
            user_message=f"{path} is not a sealed file, or was cut",
            remedy="Restore it from a copy.",
        ) from None


def _read_again(path: Path, held: _File, key: bytes) -> _File:
    """Read a file that was opened before.

    Raises:
        SecretError: it cannot be read, was made anew, or a box that is new in it does not open.
    """
    file = _read(path)
    if file.bound("") != held.bound(""):
        raise SecretError(
            user_message=f"{path} was made anew", remedy="Restart cancelall with its passphrase."
        )
    for name, _ in file.names.items() - held.names.items():
        _open(file, name, key)
    return file


def _write(path: Path, file: _File) -> None:
    """Write so that a crash leaves the old file or the new one, never readable by others."""
    fresh = ""
    try:
        number, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(number, "wb") as out:
            out.write(file.model_dump_json().encode())
            out.flush()
            os.fsync(out.fileno())
        Path(fresh).replace(path)
    except OSError as error:
        if fresh:
            Path(fresh).unlink(missing_ok=True)
        raise SecretError(
            user_message=f"{path} cannot be written: {error.strerror}", remedy="Check its folder."
        ) from None


def _derive(file: _File, passphrase: SecretStr) -> bytes:
    try:
        salt = base64.b64decode(file.salt, validate=True)
        size = sodium.crypto_aead_xchacha20poly1305_ietf_KEYBYTES
        text = passphrase.get_secret_value().encode()
        return argon.kdf(size, text, salt, opslimit=file.opslimit, memlimit=file.memlimit)
    except (ValueError, nacl.exceptions.CryptoError, RuntimeError, MemoryError):
        raise _wrong() from None


def _open(file: _File, name: str, key: bytes) -> bytes:
    size = sodium.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
    try:
        box = base64.b64decode(file.names[name], validate=True)
        return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
            box[size:], file.bound(name), box[:size], key
        )
    except (ValueError, nacl.exceptions.CryptoError):
        raise _wrong() from None


def _wrong() -> SecretError:
    return SecretError(
        user_message="the sealed file does not open: wrong passphrase, or it was tampered with",
        remedy="Check the passphrase; else restore the file from a copy.",
    )
