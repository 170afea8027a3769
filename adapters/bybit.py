"""Bybit v5 at one base URL: settings, credentials, the instrument list, and `connect()`.

Owns what lives as long as the process. How orders are cancelled and read under a key is in
`adapters.bybit_adapter`, the wire in `bybit_wire`, `bybit_replies` and `bybit_receipts`, one signed
call in `bybit_calls`. Never waits for Bybit to start: what is missing is read later.

Sources: bybit-exchange/docs, `docs/v5` as of 2026-07-24, read 2026-11-20.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from adapters import bybit_calls as calls
from adapters import bybit_listing as listings
from adapters import bybit_reading as readings
from adapters import bybit_receipts as receipts_of
from adapters import bybit_wire as wire
from adapters import link as links
from adapters import signing
from adapters.bybit_adapter import CAPABILITIES, BybitAdapter
from adapters.bybit_calls import Caller, Timekeeper
from adapters.bybit_listing import Listing, Question
from adapters.contract import (
    ApiKeySigner,
    Capabilities,
    Instruments,
    Purpose,
    VenueAdapter,
    VenueAuthRefused,
    VenueError,
    VenueReplyInvalid,
)
from adapters.gate import Gate
from adapters.link import VenueLink
from adapters.pacing import Window

logger = logging.getLogger(__name__)

ADDRESS = Window(name="address", calls=wire.ADDRESS_CALLS, per_s=wire.ADDRESS_S)
LISTING_PAGES = 50
LISTING_AGAIN_S = 3600.0
LISTING_RETRY_S = 60.0

Coin = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,20}$")]


class BybitSettings(BaseModel):
    """Settings of an account at Bybit."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_url: str = "https://api.bybit.com"
    settle_coins: tuple[Coin, ...] = ()
    """Linear settle coins to cancel beside those that Bybit lists; can only add."""
    recv_window_ms: int = Field(default=5000, ge=1000, le=60_000)


class BybitCredentials(BaseModel):
    """The secret document: an API key, and either its secret or its RSA private key in PEM."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    api_key: SecretStr
    api_secret: SecretStr | None = None
    private_key: SecretStr | None = None


@dataclass(slots=True, kw_only=True)
class Bybit:
    """Bybit at one base URL, for the life of the process."""

    link: VenueLink
    settings: BybitSettings
    timekeeper: Timekeeper
    path: Path | None
    """Where the instrument list is kept."""
    listing: Listing
    is_listing_ours: bool = False
    """The list was read by this process, not only found on disk."""
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def capabilities(self) -> Capabilities:
        """What every adapter of Bybit can do."""
        return CAPABILITIES

    async def instruments(self) -> Instruments:
        """Return every symbol that Bybit lists, from memory or disk, else from Bybit.

        Raises:
            VenueError: it was never read as a whole and cannot be now.
        """
        if self.listing.instruments() is None:
            async with self.reading:
                if self.listing.instruments() is None:
                    await self._read_listing()
        known = self.listing.instruments()
        assert known is not None
        return known

    def signer(self, secret: SecretStr) -> ApiKeySigner:
        """Make the signer that a secret document describes.

        Raises:
            VenueAuthRefused: names the field that is wrong, never a value.
        """
        found = signing.read_document(secret, BybitCredentials)
        if found.private_key is not None and found.api_secret is None:
            return signing.RsaSigner(found.api_key, found.private_key)
        if found.api_secret is not None and found.private_key is None:
            return signing.HmacSigner(found.api_key, found.api_secret)
        raise VenueAuthRefused(
            user_message="the secret document needs either api_secret or private_key",
            remedy="Store it again with api_key and one of the two.",
        )

    def adapter(self, signer: ApiKeySigner, *, purpose: Purpose) -> VenueAdapter:
        """Join this venue and a signer for the life of one run, preview or check."""
        caller = Caller(
            link=self.link,
            timekeeper=self.timekeeper,
            signer=signer,
            purpose=purpose,
            recv_window_ms=self.settings.recv_window_ms,
        )
        return BybitAdapter(
            caller=caller, listing=lambda: self.listing, linear_coins=self._linear_coins
        )

    def _linear_coins(self) -> tuple[str, ...]:
        return tuple(
            sorted(listings.ALWAYS | self.listing.coins("linear") | {*self.settings.settle_coins})
        )

    async def refresh(self) -> None:
        """Read the instrument list again and keep it; what cannot be read keeps what was known.

        Raises:
            VenueError: a core part of it cannot be read.
        """
        async with self.reading:
            await self._read_listing()

    async def _read_listing(self) -> None:
        found: dict[str, dict[str, str]] = {}
        failed: dict[str, VenueError] = {}
        await readings.side_by_side(
            partial(self._read_question, question, found, failed)
            for question in listings.questions()
        )
        self.listing = self.listing.joined(found, datetime.now(UTC))
        self._keep()
        for key in sorted(listings.core_keys() & failed.keys()):
            raise failed[key]
        self.is_listing_ours = True

    async def _read_question(
        self,
        question: Question,
        found: dict[str, dict[str, str]],
        failed: dict[str, VenueError],
    ) -> tuple[None, ...]:
        try:
            found[question.key] = await self._listed(question)
        except VenueError as error:
            failed[question.key] = error
        return ()

    async def _listed(self, question: Question) -> dict[str, str]:
        symbols: dict[str, str] = {}
        cursor, seen = "", {""}
        for _ in range(LISTING_PAGES):
            ask = wire.build_instruments(question.path, dict(question.selector), cursor)
            pairs, cursor = receipts_of.parse_instruments(await calls.ask_public(self.link, ask))
            symbols.update(pairs)
            if cursor in seen:
                return symbols
            seen.add(cursor)
        raise VenueReplyInvalid(user_message="Bybit: the instrument list does not end")

    def _keep(self) -> None:
        if self.path is None:
            return
        try:
            listings.keep(self.path, self.listing)
        except OSError:
            logger.warning("listing.unkept", extra={"venue": "bybit"})

    async def stay_fresh(self) -> None:
        """Measure the clock, read the instrument list at start, then every hour; never raises."""
        await self.timekeeper.fresh()
        while True:
            pause_s = LISTING_AGAIN_S
            try:
                async with self.reading:
                    if not self.is_listing_ours:
                        await self._read_listing()
            except VenueError:
                logger.warning("listing.unread", extra={"venue": "bybit"})
                pause_s = LISTING_RETRY_S
            await asyncio.sleep(pause_s)
            self.is_listing_ours = False


@asynccontextmanager
async def connect(
    settings: BybitSettings, *, gate: Gate, state_dir: Path | None
) -> AsyncIterator[Bybit]:
    """Open Bybit at one base URL. Waits for no answer: what is missing is read later.

    The instrument list is kept in `state_dir`, one file per host.
    """
    host = urlsplit(settings.base_url).netloc
    path = None if state_dir is None else state_dir / f"bybit-{host.replace(':', '-')}.json"
    async with links.open_link(settings.base_url, gate) as link:
        venue = Bybit(
            link=link,
            settings=settings,
            timekeeper=Timekeeper(link=link),
            path=path,
            listing=listings.load(path) if path else Listing(),
        )
        group = asyncio.TaskGroup()
        await group.__aenter__()
        keeper = group.create_task(venue.stay_fresh())
        try:
            yield venue
        finally:
            # Left by hand and without the exception: a group would wrap the caller's own error.
            keeper.cancel()
            await group.__aexit__(None, None, None)
