"""Keys from Vault or OpenBao: one document of a KV v2 engine for each path.

Owns `open_vault()` and `VaultKeys`, the port's side of Vault. Never writes to Vault, never keeps a
document: a key is read for a run, and each read asks Vault anew. What is asked of the paths before
a run is what our token may read (`sys/capabilities-self`): no key is read for it.

Opening needs no Vault: a restart while it is sealed must still serve, take up runs, and have keys
the moment it is unsealed.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, TypeVar

import hvac

from bot.config_file import VaultAccess, VaultPart
from bot.domain.errors import ConfigError, SecretError
from bot.flow.ports import KeyDocument
from bot.keys import vault_login, vault_replies, vault_words
from bot.keys.vault_calls import BROKEN, UNSENT, Calls, Heard
from bot.keys.vault_line import Ask, LineLimits
from bot.keys.vault_login import Login
from bot.keys.vault_replies import Capabilities, Secret, Wrapped
from bot.keys.vault_session import Session, SessionLimits, Sessions
from bot.keys.vault_words import Trouble

logger = logging.getLogger(__name__)

T = TypeVar("T")

UPKEEP_THREADS = 2
"""A file of a credential may hang too."""
READ_AGAIN = {UNSENT: 2, BROKEN: 1, 307: 3, 412: 4, 429: 3, 500: 1, 502: 2, 504: 2}
"""How often a read is repeated, by what came back; one that is sealed needs people instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultLimits:
    """How far calls to Vault go."""

    read_s: float = 2.5
    """A read as a whole, with login and repeats: less than a run waits, so that the run hears why,
    and the fallback has its turn."""
    line: LineLimits = field(default_factory=lambda: LineLimits(threads=32))
    session: SessionLimits = field(default_factory=SessionLimits)


class VaultKeys:
    """Reads documents, and asks what may be read."""

    def __init__(
        self, part: VaultPart, sessions: Sessions, calls: Calls, *, limits: VaultLimits
    ) -> None:
        self._part = part
        self._sessions = sessions
        self._calls = calls
        self._limits = limits
        self._more: dict[str, list[str]] = {}
        """What our token may do at a path beside reading, as it was told last."""

    @property
    def busy(self) -> int:
        """Return how many threads are at work, of `limits.line.threads`."""
        return self._calls.busy

    async def read(self, path: str) -> KeyDocument:
        """Return the secret document at `path` of the engine, as JSON text.

        Raises:
            SecretError: Vault denies or lacks it, or refuses us; `retryable` in an outage.
        """
        secret = await self._bounded(self._read(path))
        if isinstance(secret, Trouble):
            raise vault_words.error_of(secret)
        facts = {
            "path": vault_words.api_path(self._part, path),
            "version": secret.found.metadata.version,
            "vault_request_id": secret.request_id,
        }
        logger.info("key.version", extra=facts)
        return KeyDocument(text=secret.text())

    async def unreadable(self, paths: Collection[str]) -> Mapping[str, SecretError]:
        """Return those paths that could not be read now, and why; reads none of them.

        Whether there is anything at a path cannot be told without reading it.
        """
        if not paths:
            return {}
        may = await self._bounded(self._capabilities(sorted(set(paths))))
        if isinstance(may, Trouble):
            return dict.fromkeys(paths, vault_words.error_of(may))
        return {
            path: vault_words.error_of(vault_words.denied(self._part, path))
            for path in paths
            if "read" not in may.get(vault_words.api_path(self._part, path), ())
        }

    async def _bounded(self, work: Coroutine[Any, Any, T | Trouble]) -> T | Trouble:
        try:
            async with asyncio.timeout(self._limits.read_s):
                return await work
        except TimeoutError:
            return vault_words.late(self._part, self._limits.read_s)

    async def _read(self, path: str) -> Secret | Trouble:
        def ask(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.read_secret_version(
                path, mount_point=self._part.mount.strip("/"), raise_on_deleted_version=True
            )

        heard = await self._asked(ask)
        if isinstance(heard, Trouble):
            return heard
        match vault_words.status_of(heard):
            case HTTPStatus.OK:
                return self._document(path, heard)
            case HTTPStatus.FORBIDDEN:
                return vault_words.denied(self._part, path)
            case HTTPStatus.NOT_FOUND:
                return self._absence(path, heard)
            case status:
                return vault_words.unexpected(self._part, path, status)

    def _document(self, path: str, heard: Heard) -> Secret | Trouble:
        if vault_replies.parse(Wrapped, heard) is not None:
            return vault_words.controlled(self._part, path)
        secret = vault_replies.parse(Secret, heard)
        if secret is None or secret.found.document is None:
            return vault_words.garbled(self._part, vault_words.api_path(self._part, path))
        return secret

    def _absence(self, path: str, heard: Heard) -> Trouble:
        secret = vault_replies.parse(Secret, heard)
        if secret is None:
            return vault_words.missing(self._part, path)
        return vault_words.deleted(self._part, path, secret.found.metadata)

    async def _capabilities(self, paths: list[str]) -> Mapping[str, list[str]] | Trouble:
        full = [vault_words.api_path(self._part, path) for path in paths]
        heard = await self._asked(_capabilities_of(full))
        if isinstance(heard, Trouble):
            return heard
        if vault_words.status_of(heard) == HTTPStatus.FORBIDDEN:
            return vault_words.mute()
        reply = vault_replies.parse(Capabilities, heard)
        if reply is None:
            return vault_words.garbled(self._part, "sys/capabilities-self")
        for path, may in reply.by_path.items():
            more = sorted(set(may) - {"read", "deny"})
            if more != self._more.get(path, []):  # Readiness asks every few seconds.
                logger.warning("token.overpowered", extra={"path": path, "may": more})
            self._more[path] = more
        return reply.by_path

    async def _asked(self, ask: Ask) -> Heard | Trouble:
        """Ask with our token; if Vault says no, find out whether it means the token.

        Both are 403, and wordings change: a token that may not even look itself up is dead. Then
        one new login, and what Vault says to that holds.
        """
        session = await self._sessions.current()
        if isinstance(session, Trouble):
            return session
        heard = await self._with(session, ask)
        if vault_words.status_of(heard) == HTTPStatus.FORBIDDEN:
            looked = await self._with(session, vault_login.look_up)
            if trouble := vault_words.outage(looked, self._part):
                return trouble
            if vault_words.status_of(looked) == HTTPStatus.FORBIDDEN:
                session = await self._sessions.instead_of(session)
                if isinstance(session, Trouble):
                    return session
                heard = await self._with(session, ask)
        return vault_words.outage(heard, self._part) or heard

    async def _with(self, session: Session, ask: Ask) -> Heard:
        token = session.grant.token
        return await self._calls.ask_again(ask, token=token, again=READ_AGAIN)


def _capabilities_of(paths: list[str]) -> Ask:
    def ask(client: hvac.Client) -> Any:
        return client.sys.get_capabilities(paths)  # type: ignore[no-untyped-call] # Stubs' gap.

    return ask


@asynccontextmanager
async def open_vault(
    access: VaultAccess, *, limits: VaultLimits = VaultLimits()
) -> AsyncIterator[VaultKeys]:
    """Open the keys in Vault; the token is revoked in the end, if we made it.

    Raises:
        ConfigError: the file of the CA is none.
    """
    tls = _trust(access.part)
    reading = Calls(access.part, tls, limits.line)
    # Upkeep has threads of its own: reads that hang must not let our token die.
    upkeep = Calls(access.part, tls, replace(limits.line, threads=UPKEEP_THREADS))
    async with asyncio.TaskGroup() as group:
        sessions = Sessions(Login(access, upkeep), upkeep, group, limits.session)
        keeping = group.create_task(sessions.keep(), name="vault")
        try:
            yield VaultKeys(access.part, sessions, reading, limits=limits)
        finally:
            keeping.cancel()
            await sessions.close()
            reading.close()
            upkeep.close()


def _trust(part: VaultPart) -> ssl.SSLContext:
    """Trust the CA of the config alone, or those of the system; parsed once."""
    # Not ssl's default context: that writes the keys of connections where SSLKEYLOGFILE says.
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if part.ca is None:
        tls.load_default_certs()
        return tls
    try:
        tls.load_verify_locations(part.ca)
    except (OSError, ValueError):
        raise ConfigError(
            user_message=f"keys.vault.ca: {part.ca} is no file of certificates in PEM.",
            remedy="Name the file of the CA that signed Vault's certificate.",
        ) from None
    return tls
