"""Pacifica at one base URL: settings, credentials, the markets, and `connect()`.

Owns what lives as long as the process. How orders are cancelled and read is in
`adapters.pacifica_adapter` and `pacifica_reading`, the warm connection in `pacifica_socket`, one
call in `pacifica_calls`, the wire in `pacifica_wire`, `pacifica_replies` and `pacifica_lists`.
Never waits for Pacifica to start.

Sources: docs.pacifica.fi as of 2026, its mirror of 2025, python-sdk @583661a; read 2026-11-20.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

import base58
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from adapters import link as links
from adapters import pacifica_facts as facts_of
from adapters import pacifica_lists as lists
from adapters import pacifica_wire as wire
from adapters import signing
from adapters.carrier import Carrier
from adapters.contract import (
    Capabilities,
    Instruments,
    Purpose,
    VenueAdapter,
    VenueFacts,
    always,
)
from adapters.gate import Gate
from adapters.link import VenueLink
from adapters.markets import Markets
from adapters.pacifica_adapter import CAPABILITIES, PacificaAdapter
from adapters.pacifica_calls import Caller, Credits, Known
from adapters.pacifica_socket import WarmSocket
from adapters.signers import MessageSigner

ADDRESS_BYTES = 32
SOCKETS: Mapping[str, str] = {
    "https://api.pacifica.fi": "wss://ws.pacifica.fi/ws",
    "https://test-api.pacifica.fi": "wss://test-ws.pacifica.fi/ws",
}
"""Base URL -> its WebSocket."""


def _host(base_url: str) -> str:
    """Take a base URL with or without the path that all of Pacifica's calls share."""
    return links.one_spelling(base_url).removesuffix("/api/v1")


def _socket_url(url: str) -> str:
    """Hold a WebSocket's URL to what a base URL is held to."""
    if not url.startswith(("ws://", "wss://")):
        raise ValueError("must begin with wss://")
    return "ws" + links.one_spelling("http" + url.removeprefix("ws")).removeprefix("http")


def _address(text: str) -> str:
    """Hold an address to 32 bytes in base58."""
    try:
        size = len(base58.b58decode(text))
    except ValueError:
        size = 0
    if size != ADDRESS_BYTES:
        raise ValueError("is not an address: 32 bytes in base58")
    return text


class PacificaSettings(BaseModel):
    """Settings of an account at Pacifica."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_url: Annotated[str, AfterValidator(_host)] = "https://api.pacifica.fi"
    ws_url: Annotated[str, AfterValidator(_socket_url)] | None = None
    """None: the one that belongs to the base URL."""
    credits_key: SecretStr | None = None
    """An API config key of Pacifica's: 300 credits a minute and more, where an address has 100."""
    expiry_window_ms: int = Field(default=5000, ge=1000, le=30_000)
    """How long a signed call stays good: the clock within which a cancel that we gave up may still
    arrive and take effect."""

    @property
    def socket_url(self) -> str:
        """The WebSocket of this Pacifica."""
        derived = f"ws{self.base_url.removeprefix('http')}/ws"
        return self.ws_url or SOCKETS.get(self.base_url, derived)

    @model_validator(mode="after")
    def _is_one_net(self) -> Self:
        """Refuse to cancel on one net and read on the other: what is signed names neither."""
        known = SOCKETS.get(self.base_url)
        if known is not None and self.ws_url in set(SOCKETS.values()) - {known}:
            raise ValueError("ws_url belongs to another base_url")
        return self


class PacificaCredentials(BaseModel):
    """The secret document: a key, and the accounts that it is for, where they are not its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    private_key: SecretStr
    """Base58 of 64 bytes, as wallets export it, or of the 32 bytes of a seed."""
    accounts: tuple[Annotated[str, AfterValidator(_address)], ...] = ()
    """Addresses: for an agent key, those that it is bound to."""


@dataclass(slots=True, kw_only=True)
class Pacifica:
    """Pacifica at one base URL, for the life of the process."""

    link: VenueLink
    settings: PacificaSettings
    socket: WarmSocket
    credit: Credits
    known: Known = field(default_factory=Known)
    markets: Markets = field(init=False)

    def __post_init__(self) -> None:
        self.markets = Markets(read=self._read_markets)

    @property
    def capabilities(self) -> Capabilities:
        """What every adapter of Pacifica can do."""
        return CAPABILITIES

    @property
    def banned_until(self) -> datetime | None:
        """Return until when Pacifica has shut out our address, which no document speaks of."""
        return self.link.banned_until

    async def instruments(self, wanted: Collection[str] = ()) -> Instruments:
        """Return every symbol that Pacifica lists, from memory while that is fresh and has them.

        Raises:
            VenueError: the list cannot be had.
        """
        return await self.markets.instruments(wanted)

    def signer(self, secret: SecretStr) -> MessageSigner:
        """Make the signer that a secret document describes.

        Raises:
            VenueAuthRefused: names the field that is wrong, never a value.
        """
        found = signing.read_document(secret, PacificaCredentials)
        return signing.Ed25519Signer(found.private_key, found.accounts)

    def adapter(
        self,
        signer: MessageSigner,
        *,
        uid: str,
        purpose: Purpose,
        may_send: Callable[[], bool] = always,
    ) -> VenueAdapter:
        """Join this venue and a signer for the life of one run, preview or check."""
        return PacificaAdapter(caller=self._caller(signer, uid, purpose, may_send))

    def reader(self, uid: str) -> VenueAdapter:
        """Return what reads an account: whoever knows its address can."""
        return PacificaAdapter(caller=self._caller(None, uid, Purpose.LOOK, always))

    async def look(self) -> VenueFacts:
        """Read the markets and the time; see `adapters.pacifica_facts`."""
        return await facts_of.look(self._caller(None, "", Purpose.LOOK, always))

    async def _read_markets(self) -> Instruments:
        caller = self._caller(None, "", Purpose.LOOK, always)
        symbols = lists.parse_markets(await caller.read(wire.build_markets()))
        return Instruments(symbols=symbols, read_at=self.link.now())

    def _caller(
        self,
        signer: MessageSigner | None,
        uid: str,
        purpose: Purpose,
        may_send: Callable[[], bool],
    ) -> Caller:
        return Caller(
            link=self.link,
            socket=self.socket,
            credit=self.credit,
            known=self.known,
            account=uid,
            signer=signer,
            purpose=purpose,
            expiry_window_ms=self.settings.expiry_window_ms,
            may_send=may_send,
        )


@asynccontextmanager
async def connect(
    settings: PacificaSettings,
    *,
    gate: Gate,
    state_dir: Path | None,  # noqa: ARG001 - nothing of Pacifica's outlives the process
    carrier: Carrier | None = None,
) -> AsyncIterator[Pacifica]:
    """Open Pacifica at one base URL. Waits for no answer, nor for the socket to open."""
    credit = Credits(key=settings.credits_key)
    async with links.open_link(settings.base_url, gate, carrier=carrier) as link:
        socket = WarmSocket(
            carrier=link.carrier, url=settings.socket_url, headers=lambda: credit.headers
        )
        async with socket.kept_open():
            yield Pacifica(link=link, settings=settings, socket=socket, credit=credit)
