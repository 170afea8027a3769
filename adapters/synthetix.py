"""Synthetix at one base URL: settings, credentials, the markets, and `connect()`.

Owns what lives as long as the process. How orders are cancelled and read is in
`adapters.synthetix_adapter` and `synthetix_reading`, one call in `synthetix_calls`, the wire in
`synthetix_wire`, `synthetix_replies` and `synthetix_lists`. Asks nothing by itself.

The WebSocket is not used: it wants a handshake of its own, and each call is signed there as well.
Nor is scheduleCancel, the venue's dead-man switch: it belongs to the trading bot that refreshes it.

Sources: developers.synthetix.io (changelog to 2026-04-28), synthetix-sdk 0.7.0; read 2026-11-20.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from adapters import link as links
from adapters import signing
from adapters import synthetix_calls as calls
from adapters import synthetix_facts as facts_of
from adapters import synthetix_lists as lists
from adapters import synthetix_wire as wire
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
from adapters.signers import TypedSigner
from adapters.synthetix_adapter import CAPABILITIES, SynthetixAdapter
from adapters.synthetix_calls import Caller, Lessons

ADDRESS = wire.ADDRESS
UID = wire.UID


def _subaccount(text: str) -> str:
    """Hold a subaccount to the one spelling of a whole number that the venue can read."""
    if not wire.UID.fullmatch(text):
        raise ValueError("is not the id of a subaccount: its digits")
    return text


class SynthetixSettings(BaseModel):
    """Settings of an account at Synthetix."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_url: Annotated[str, AfterValidator(links.one_spelling)] = "https://papi.synthetix.io"


class SynthetixCredentials(BaseModel):
    """The secret document: a key, and the subaccounts that it owns or is delegated to."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    private_key: SecretStr
    """32 bytes in hex, as wallets export it."""
    accounts: tuple[Annotated[str, AfterValidator(_subaccount)], ...] = Field(min_length=1)


SignerOf = Callable[[SecretStr, tuple[str, ...]], TypedSigner]
"""(private key, accounts) -> its signer."""


@dataclass(slots=True, kw_only=True)
class Synthetix:
    """Synthetix at one base URL, for the life of the process."""

    link: VenueLink
    state_dir: Path | None
    """Where nonces are kept."""
    signer_of: SignerOf
    markets: Markets
    lessons: Lessons = field(default_factory=Lessons)

    @property
    def capabilities(self) -> Capabilities:
        """What every adapter of Synthetix can do."""
        return CAPABILITIES

    @property
    def banned_until(self) -> datetime | None:
        """Return until when Synthetix has shut out our address, which no document speaks of."""
        return self.link.banned_until

    async def instruments(self, wanted: Collection[str] = ()) -> Instruments:
        """Return every symbol that Synthetix lists, from memory while that is fresh and has them.

        Raises:
            VenueError: the list cannot be had.
        """
        return await self.markets.instruments(wanted)

    def signer(self, secret: SecretStr) -> TypedSigner:
        """Make the signer that a secret document describes.

        Raises:
            VenueAuthRefused: names the field that is wrong, never a value.
        """
        found = signing.read_document(secret, SynthetixCredentials)
        return self.signer_of(found.private_key, found.accounts)

    def adapter(
        self,
        signer: TypedSigner,
        *,
        uid: str,
        purpose: Purpose,
        may_send: Callable[[], bool] = always,
    ) -> VenueAdapter:
        """Join this venue, a signer and one subaccount for the life of one run, preview or check.

        All of a key's adapters draw their nonces from one counter, whatever their base URL: the
        typed data names none, and the venue counts by signer.
        """
        caller = Caller(
            link=self.link,
            signer=signer,
            counter=self.link.gate.nonces.counter(signer.budget_id, self.state_dir),
            uid=uid,
            purpose=purpose,
            lessons=self.lessons,
            may_send=may_send,
        )
        return SynthetixAdapter(caller=caller, markets=lambda: self.markets.symbols)

    def reader(self, uid: str) -> None:
        """Return nothing: no order can be read without a key."""

    async def look(self) -> VenueFacts:
        """Ask for the markets and the time; see `adapters.synthetix_facts`."""
        return await facts_of.look(self.link)


@asynccontextmanager
async def connect(
    settings: SynthetixSettings,
    *,
    gate: Gate,
    state_dir: Path | None,
    carrier: Carrier | None = None,
) -> AsyncIterator[Synthetix]:
    """Open Synthetix at one base URL. Waits for no answer, and asks nothing by itself."""
    # Here and not above: it takes a third of a second, and not everybody trades at Synthetix.
    from adapters.signing_evm import EvmSigner

    async with links.open_link(settings.base_url, gate, carrier=carrier) as link:
        markets = Markets(read=partial(_read_markets, link))
        try:
            yield Synthetix(link=link, state_dir=state_dir, signer_of=EvmSigner, markets=markets)
        finally:
            gate.nonces.settle()


async def _read_markets(link: VenueLink) -> Instruments:
    symbols = lists.parse_markets(await calls.ask_public(link, wire.build_markets()))
    return Instruments(symbols=symbols, read_at=link.now())
