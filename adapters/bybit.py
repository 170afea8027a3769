"""Bybit v5 at one base URL: settings, credentials, the instrument list, and `connect()`.

Owns what lives as long as the process. How orders are cancelled and read under a key is in
`adapters.bybit_adapter`, the wire in `bybit_wire`, `bybit_replies` and `bybit_receipts`, one signed
call in `bybit_calls`. Never waits for Bybit to start: what is missing is read later.

Sources: bybit-exchange/docs, `docs/v5` as of 2026-07-24, read 2026-11-20.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
)

from adapters import bybit_facts as facts_of
from adapters import bybit_listing as listings
from adapters import bybit_wire as wire
from adapters import link as links
from adapters import signing
from adapters.beside import beside
from adapters.bybit_adapter import CAPABILITIES, BybitAdapter
from adapters.bybit_calls import Caller, Timekeeper
from adapters.bybit_lister import Lister
from adapters.bybit_listing import Listing
from adapters.carrier import Carrier
from adapters.contract import (
    Capabilities,
    Instruments,
    Purpose,
    VenueAdapter,
    VenueAuthRefused,
    VenueFacts,
    always,
)
from adapters.gate import Gate
from adapters.link import VenueLink
from adapters.pacing import Window
from adapters.signers import ApiKeySigner

logger = logging.getLogger(__name__)

ADDRESS = Window(name="address", calls=wire.ADDRESS_CALLS, per_s=wire.ADDRESS_S)
LISTING_AGAIN_S = 3600.0
LISTING_RETRY_S = 60.0
Coin = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,20}$")]


class BybitSettings(BaseModel):
    """Settings of an account at Bybit."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_url: Annotated[str, AfterValidator(links.one_spelling)] = "https://api.bybit.com"
    settle_coins: tuple[Coin, ...] = ()
    """Linear settle coins to cancel beside those that Bybit lists; can only add."""
    recv_window_ms: int = Field(default=5000, ge=1000, le=10_000)
    """How long a signed call stays good: the clock within which a cancel that we gave up, or that
    consent has outlived, may still arrive and take effect. So it is kept short: ten seconds."""


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
    lister: Lister
    uids: dict[str, str] = field(default_factory=dict)
    """Budget id of a key -> its account, as far as keys were checked."""

    @property
    def capabilities(self) -> Capabilities:
        """What every adapter of Bybit can do."""
        return CAPABILITIES

    @property
    def banned_until(self) -> datetime | None:
        """Until when Bybit has shut out our address; None if it has not."""
        return self.link.banned_until

    async def instruments(self, wanted: Collection[str] = ()) -> Instruments:
        """Return every symbol that Bybit lists; see `Lister.instruments`."""
        return await self.lister.instruments({each.upper() for each in wanted})

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

    def adapter(
        self,
        signer: ApiKeySigner,
        *,
        uid: str,  # noqa: ARG002 - a key of Bybit's is of one account, which `check()` asks for
        purpose: Purpose,
        may_send: Callable[[], bool] = always,
    ) -> VenueAdapter:
        """Join this venue and a signer for the life of one run, preview or check."""
        caller = Caller(
            link=self.link,
            timekeeper=self.timekeeper,
            signer=signer,
            purpose=purpose,
            recv_window_ms=self.settings.recv_window_ms,
            may_send=may_send,
            uids=self.uids,
        )
        return BybitAdapter(
            caller=caller,
            listing=lambda: self.lister.listing,
            linear_coins=self._linear_coins,
            want_listing=self.lister.wanted.set,
        )

    def reader(self, uid: str) -> None:
        """Return nothing: no order of Bybit's can be read without a key."""

    async def look(self) -> VenueFacts:
        """Ask for Bybit's clock; see `adapters.bybit_facts`."""
        recv_window_s = self.settings.recv_window_ms / 1000
        return await facts_of.look(self.timekeeper, recv_window_s=recv_window_s)

    def _linear_coins(self) -> tuple[str, ...]:
        listed = self.lister.listing.coins("linear")
        return tuple(sorted(listings.ALWAYS | listed | {*self.settings.settle_coins}))

    async def stay_fresh(self) -> None:
        """Measure the clock and read the instrument list, at start and then every hour.

        Never ends and never raises: a bug in it is logged, and it goes on.
        """
        while True:
            pause_s = LISTING_RETRY_S
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.timekeeper.renewed())
                    listed = group.create_task(self.lister.refreshed())
                pause_s = LISTING_AGAIN_S if listed.result() else LISTING_RETRY_S
            except ExceptionGroup:
                logger.exception("listing.broken", extra={"venue": "bybit"})
            await self.lister.rest(pause_s)


@asynccontextmanager
async def connect(
    settings: BybitSettings,
    *,
    gate: Gate,
    state_dir: Path | None,
    carrier: Carrier | None = None,
) -> AsyncIterator[Bybit]:
    """Open Bybit at one base URL. Waits for no answer: what is missing is read later.

    The instrument list is kept in `state_dir`, one file per host.
    """
    host = urlsplit(settings.base_url).netloc
    path = None if state_dir is None else state_dir / f"bybit-{host.replace(':', '-')}.json"
    async with links.open_link(settings.base_url, gate, carrier=carrier) as link:
        timekeeper = Timekeeper(link=link)
        listing = listings.load(path) if path else Listing()
        venue = Bybit(
            link=link,
            settings=settings,
            timekeeper=timekeeper,
            lister=Lister(timekeeper=timekeeper, path=path, listing=listing),
        )
        async with beside(venue.stay_fresh()):
            yield venue
