"""What every door of the program opens: the clock, the venues, the source of keys.

Owns how they are joined to the config. `bot.app` serves with them, `bot.pull` pulls, `bot.check`
looks. Nothing here decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters import link as links
from adapters import registry
from adapters.contract import AnyVenue
from adapters.gate import Gate
from bot.config import Config
from bot.domain.errors import ConfigError
from bot.flow.ports import KeySource
from bot.keys import fallback, sealed, vault


@dataclass(frozen=True, slots=True)
class SystemClock:
    """Wall time and the event loop's own clock."""

    def now(self) -> datetime:
        """Return wall time, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on the loop's clock."""
        return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVenues:
    """The venues of this process, one per name and base URL."""

    links: Mapping[tuple[str, str], AnyVenue]
    gates: Mapping[str, Gate]

    def venue(self, name: str, base_url: str) -> AnyVenue:
        """Return the venue of a target."""
        return self.links[name, base_url]

    def share(self, parts: int) -> None:
        """Use one of so many parts of every venue's budgets: a console or serve calls too."""
        for gate in self.gates.values():
            gate.share(parts)


@asynccontextmanager
async def open_venues(config: Config) -> AsyncIterator[OpenVenues]:
    """Open every venue that an account names; none needs to answer for that.

    Raises:
        ConfigError: the folder for what they keep cannot be made.
    """
    state_dir = config.file.state.dir
    _make(state_dir)
    kinds = registry.venues()
    gates = {name: Gate(kinds[name].address) for name, _ in config.settings}
    links: dict[tuple[str, str], AnyVenue] = {}
    async with AsyncExitStack() as stack:
        for (name, base_url), settings in config.settings.items():
            connect = kinds[name].connect
            links[name, base_url] = await stack.enter_async_context(
                connect(settings, gate=gates[name], state_dir=state_dir)
            )
        yield OpenVenues(links=links, gates=gates)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            user_message=f"The folder {folder} cannot be made: {error.strerror}.",
            remedy="Point dir under [state] at a folder that this user may write.",
        ) from None


def private_url(url: str, *, key: str, remedy: str) -> str:
    """Check where secrets go, by one rule for all of them: no plain http but to this machine.

    Raises:
        ConfigError: nothing secret may go there; names `key`.
    """
    try:
        return links.one_spelling(url)
    except ValueError as error:
        raise ConfigError(user_message=f"{key}: {error}.", remedy=remedy) from None


@asynccontextmanager
async def open_keys(config: Config) -> AsyncIterator[KeySource]:
    """Open where keys come from. Vault need not answer for that; a sealed file must open.

    Raises:
        SecretError: the sealed file cannot be read, or its passphrase is wrong.
        ConfigError: Vault's address or CA is none.
    """
    part = config.file.keys
    async with AsyncExitStack() as stack:
        sealed_keys: KeySource | None = None
        if part.is_sealed_used:
            assert part.file is not None
            assert config.passphrase is not None
            opening = sealed.open_keys(part.file, config.passphrase)
            sealed_keys = await stack.enter_async_context(opening)
        if config.vault is None:
            assert sealed_keys is not None
            yield sealed_keys
            return
        address = config.vault.part.address
        private_url(address, key="keys.vault.address", remedy="Write https://HOST:8200.")
        keys = await stack.enter_async_context(vault.open_vault(config.vault))
        yield (
            keys if sealed_keys is None else fallback.FallbackKeys(keys, sealed_keys, name="sealed")
        )
