"""Which venues there are: name to settings and `connect()`, one line each.

Owns the list. Whoever adds a venue adds a line here and its names in the import contracts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from adapters import bybit
from adapters.bybit_door import BybitSettings
from adapters.contract import Capabilities, Venue


class Connect(Protocol):
    """How a venue is opened for the life of the process."""

    def __call__(
        self, settings: Any, *, state_dir: Path | None
    ) -> AbstractAsyncContextManager[Venue]:
        """Open the venue; `settings` is an instance of its settings model."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueKind:
    """One venue that this program knows."""

    connect: Connect
    settings: type[BaseModel]
    """Validates what the config says of an account there; has `base_url`."""
    capabilities: Capabilities


def venues() -> Mapping[str, VenueKind]:
    """Return every venue by name."""
    return {
        "bybit": VenueKind(
            connect=bybit.connect,
            settings=BybitSettings,
            capabilities=bybit.CAPABILITIES,
        ),
    }
