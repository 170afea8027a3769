"""The symbols of a venue that lists them in one call, from memory while that is fresh.

Owns `Markets`. Never decides what a symbol means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from adapters.contract import Instruments

AGAIN_S = 3600.0
JUST_S = 60.0
"""How long a list counts as complete: a symbol that it lacks then does not exist."""


@dataclass(slots=True, kw_only=True)
class Markets:
    """What a venue lists."""

    read: Callable[[], Awaitable[Instruments]]
    """Ask the venue."""
    known: Instruments | None = None
    read_at: float = float("-inf")
    """Loop time."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def symbols(self) -> frozenset[str]:
        """What was listed when it was last asked for; empty: it never was."""
        return frozenset() if self.known is None else self.known.symbols

    async def instruments(self, wanted: Collection[str] = ()) -> Instruments:
        """Return what is listed; the venue is asked where memory is old, or lacks what is wanted.

        Raises:
            VenueError: the list cannot be had.
        """
        async with self.lock:
            known, age_s = self.known, asyncio.get_running_loop().time() - self.read_at
            lacks = known is None or bool(_folded(wanted) - _folded(known.symbols))
            if known is None or age_s >= (JUST_S if lacks else AGAIN_S):
                self.known = known = await self.read()
                self.read_at = asyncio.get_running_loop().time()
            return known


def _folded(symbols: Collection[str]) -> set[str]:
    """Forget capitals: `btc` is listed where `BTC` is, and the list says how it is spelt."""
    return {symbol.casefold() for symbol in symbols}
