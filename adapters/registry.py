"""Which venues there are: name -> settings, `connect()` and capabilities, one entry each.

Owns the list. Whoever adds a venue adds an entry here and its names in the import contracts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from adapters import (
    bybit,
    bybit_adapter,
    coinapi,
    coinapi_adapter,
    pacifica,
    pacifica_adapter,
    pacifica_calls,
    synthetix,
    synthetix_adapter,
)
from adapters.carrier import Carrier
from adapters.contract import AnyVenue, Capabilities
from adapters.gate import Gate
from adapters.pacing import Window


class Connect(Protocol):
    """How a venue is opened for the life of the process."""

    def __call__(
        self,
        settings: Any,
        *,
        gate: Gate,
        state_dir: Path | None,
        carrier: Carrier | None = None,
    ) -> AbstractAsyncContextManager[AnyVenue]:
        """Open the venue; `settings` is an instance of its settings model.

        Whoever opens several base URLs of one venue gives them all the same gate. Without a
        `carrier` it is reached over the network.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueKind:
    """One venue that this program knows."""

    connect: Connect
    settings: type[BaseModel]
    """Validates what the config says of an account there; has `base_url`."""
    address: Window
    """What the venue allows one address, over all its hosts. Where it documents nothing: so many
    calls at once (`per_s=0.0`), and a line that says that the number is ours."""
    capabilities: Capabilities
    uid: re.Pattern[str]
    """What the venue's own name of an account looks like."""
    is_key_of_one_account: bool
    """Two accounts cannot share a key."""
    uid_means: str
    """The same in words, and where the venue shows it."""
    key_should_be: str
    """What to store as the key of an account there, in words: the weakest that can cancel."""


VENUES: Mapping[str, VenueKind] = {
    "bybit": VenueKind(
        connect=bybit.connect,
        settings=bybit.BybitSettings,
        address=bybit.ADDRESS,
        capabilities=bybit_adapter.CAPABILITIES,
        is_key_of_one_account=True,
        uid=re.compile(r"[0-9]{1,20}"),
        uid_means="its digits, as Bybit shows them as UID on the account's page",
        key_should_be="an API key of that very account that may trade and nothing else, bound to "
        "the addresses of this machine",
    ),
    "coinapi": VenueKind(
        connect=coinapi.connect,
        settings=coinapi.CoinapiSettings,
        address=coinapi.ADDRESS,
        capabilities=coinapi_adapter.CAPABILITIES,
        is_key_of_one_account=False,
        uid=coinapi.UID,
        uid_means="the whole exchange_id as CoinAPI has it, with its tag: KRAKEN/JOHN",
        key_should_be="a CoinAPI key that nothing else uses; none is weaker than another",
    ),
    "pacifica": VenueKind(
        connect=pacifica.connect,
        settings=pacifica.PacificaSettings,
        address=pacifica_calls.ADDRESS,
        capabilities=pacifica_adapter.CAPABILITIES,
        is_key_of_one_account=False,
        uid=re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}"),
        uid_means="its address in base58, as the wallet shows it; a subaccount has one of its own",
        key_should_be="an agent key bound to each of its accounts, which may call from the "
        "addresses of this machine alone; it may withdraw all the same",
    ),
    "synthetix": VenueKind(
        connect=synthetix.connect,
        settings=synthetix.SynthetixSettings,
        address=synthetix.ADDRESS,
        capabilities=synthetix_adapter.CAPABILITIES,
        is_key_of_one_account=False,
        uid=synthetix.UID,
        uid_means="the id of the subaccount, its digits as getSubAccountIds lists them",
        key_should_be="a delegated signer with permission session that nothing else signs with",
    ),
}


def venues() -> Mapping[str, VenueKind]:
    """Return every venue by its name in the config."""
    return VENUES
