"""CoinAPI EMS at one base URL: settings, credentials and `connect()`.

Owns what lives as long as the process. How orders are cancelled and read is in
`adapters.coinapi_adapter`, what is asked in `coinapi_wire`, what is answered in `coinapi_replies`
and `coinapi_reports`. Waits for nothing to start: there is no clock to measure and no list to read.

Sources: the starter guide, quickstart and FAQ at docs.coinapi.io, read 2026-11-20. Oddities:

* There is no base URL that fits all: the managed cloud has one host for the world and others for
  each site, and whoever hosts EMS has his own. One that is assumed would be wrong in silence.
* A self-hosted gateway asks for no key and often has no TLS. It is called over plain http on this
  machine only; elsewhere put TLS before it. Any word will do as its key.
* The management API takes the same key, and shows and removes exchange accounts. It is never
  called, and refused as a base URL.
"""

from __future__ import annotations

import re
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

from adapters import coinapi_facts as facts_of
from adapters import coinapi_wire as wire
from adapters import link as links
from adapters import signing
from adapters.carrier import Carrier
from adapters.coinapi_adapter import CAPABILITIES, CoinapiAdapter
from adapters.coinapi_calls import Caller, Lessons
from adapters.contract import (
    Capabilities,
    Instruments,
    Purpose,
    VenueAdapter,
    VenueFacts,
    VenueRefused,
    always,
)
from adapters.gate import Gate
from adapters.link import VenueLink
from adapters.signers import KeyHolder

ADDRESS = wire.ADDRESS
UID = re.compile(r"[A-Z0-9]{2,40}([~/.,:;\\!@#$%^&*\-_+=][!-~]{1,100})?")
"""An exchange, or an exchange with a separator and a free tag."""
ExchangeId = Annotated[str, StringConstraints(pattern=f"^{UID.pattern}$")]


def _trading_only(base_url: str) -> str:
    host = urlsplit(base_url).hostname or ""
    if host.startswith("ems-mgmt"):
        raise ValueError("must be the trading host, never the management API")
    return base_url


class CoinapiSettings(BaseModel):
    """Settings of an account at CoinAPI EMS."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_url: Annotated[str, AfterValidator(links.one_spelling), AfterValidator(_trading_only)]
    """The trading host, such as `https://global.ems.coinapi.net`."""


class CoinapiCredentials(BaseModel):
    """The secret document: an API key, and the exchange ids that it is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    api_key: SecretStr
    accounts: tuple[ExchangeId, ...] = Field(min_length=1)


@dataclass(slots=True, kw_only=True)
class Coinapi:
    """CoinAPI EMS at one base URL, for the life of the process."""

    link: VenueLink
    lessons: Lessons = field(default_factory=Lessons)

    @property
    def capabilities(self) -> Capabilities:
        """What every adapter of EMS can do."""
        return CAPABILITIES

    @property
    def banned_until(self) -> datetime | None:
        """Until when EMS has shut out our address; None: no such ban is documented."""
        return self.link.banned_until

    async def instruments(
        self,
        wanted: Collection[str] = (),  # noqa: ARG002 - there is no list to look them up in
    ) -> Instruments:
        """Say that there is no list.

        Raises:
            VenueRefused: always.
        """
        raise VenueRefused(
            user_message="CoinAPI EMS has no list of symbols",
            remedy="Spell them as its readings do, to the letter: OXTUSD or KRAKEN_SPOT_OXT_USD.",
        )

    def signer(self, secret: SecretStr) -> KeyHolder:
        """Make what holds the key of a secret document.

        Raises:
            VenueAuthRefused: names the field that is wrong, never a value.
        """
        found = signing.read_document(secret, CoinapiCredentials)
        return signing.HeldKey(found.api_key, found.accounts)

    def adapter(
        self,
        signer: KeyHolder,
        *,
        uid: str,
        purpose: Purpose,
        may_send: Callable[[], bool] = always,
    ) -> VenueAdapter:
        """Join this venue, a key and one exchange id for the life of one run, preview or check."""
        caller = Caller(
            link=self.link,
            signer=signer,
            exchange_id=uid,
            purpose=purpose,
            lessons=self.lessons,
            may_send=may_send,
        )
        return CoinapiAdapter(caller=caller)

    def reader(self, uid: str) -> None:
        """Return nothing: no order can be read without a key."""

    async def look(self) -> VenueFacts:
        """Call the gateway without a key; see `adapters.coinapi_facts`."""
        return await facts_of.look(self.link)


@asynccontextmanager
async def connect(
    settings: CoinapiSettings,
    *,
    gate: Gate,
    state_dir: Path | None,  # noqa: ARG001 - nothing is kept
    carrier: Carrier | None = None,
) -> AsyncIterator[Coinapi]:
    """Open EMS at one base URL. Waits for no answer, and asks nothing by itself."""
    async with links.open_link(settings.base_url, gate, carrier=carrier) as link:
        yield Coinapi(link=link)
