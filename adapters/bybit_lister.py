"""Reads what Bybit lists, again and again, and keeps it on disk.

Owns when the instrument list is read and what a part that cannot be read means. What the list tells
is in `bybit_listing`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from adapters import bybit_calls as calls
from adapters import bybit_listing as listings
from adapters import bybit_receipts as receipts_of
from adapters import bybit_wire as wire
from adapters.beside import side_by_side
from adapters.bybit_calls import Timekeeper
from adapters.bybit_listing import Listing, Question
from adapters.contract import Instruments, VenueError, VenueReplyInvalid

logger = logging.getLogger(__name__)

PAGES = 50
JUST_S = 60.0
"""How long a list counts as complete: a symbol that it lacks then does not exist."""
SOON_S = 5.0
"""Least seconds between two attempts, however much a run wants the list."""


@dataclass(slots=True, kw_only=True)
class _Taken:
    """What one attempt at the instrument list has brought."""

    found: dict[str, dict[str, str]] = field(default_factory=dict)
    failed: dict[str, VenueError] = field(default_factory=dict)
    option_coins: tuple[str, ...] | None = None


@dataclass(slots=True, kw_only=True)
class Lister:
    """The instrument list of Bybit at one base URL, for the life of the process."""

    timekeeper: Timekeeper
    path: Path | None
    """Where the instrument list is kept."""
    listing: Listing
    read_at: float = float("-inf")
    """Loop time at which this process last read it, all but `unread`."""
    unread: VenueError | None = None
    """Why a part of it could not be read then; None if none was missing."""
    is_ours: bool = False
    """The list was read by this process, not only found on disk."""
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody cannot do without the list."""

    async def instruments(self, wanted: Collection[str] = ()) -> Instruments:
        """Return every symbol that Bybit lists, from memory or disk; Bybit is asked for what lacks.

        Raises:
            VenueError: the list was never read as a whole and cannot be now, or it lacks what is
                wanted and a part of it could not be read just now.
        """
        if self._lacks(wanted):
            async with self.reading:
                if self._lacks(wanted) and not self._was_just_read():
                    await self.read()
        if self._lacks(wanted) and self.unread is not None:
            raise self.unread
        known = self.listing.instruments()
        assert known is not None
        return known

    def _lacks(self, wanted: Collection[str]) -> bool:
        known = self.listing.instruments()
        return known is None or not known.symbols.issuperset(wanted)

    def _was_just_read(self) -> bool:
        return asyncio.get_running_loop().time() - self.read_at < JUST_S

    async def read(self) -> None:
        """Read the list and keep it; what cannot be read keeps what was known.

        Raises:
            VenueError: a core part of it cannot be read.
        """
        taken = _Taken()
        contracts = [partial(self._read_question, each, taken) for each in listings.questions()]
        await side_by_side([*contracts, partial(self._read_options, taken)])
        self.listing = self.listing.joined(
            taken.found, taken.option_coins, self.timekeeper.link.now()
        )
        self._keep()
        core = {wire.build_option_coins().name, *listings.core_keys(self.listing.option_coins)}
        for key in sorted(core & taken.failed.keys()):
            raise taken.failed[key]
        self.read_at = asyncio.get_running_loop().time()
        self.unread = next(iter(taken.failed.values()), None)
        self.is_ours = True

    async def _read_options(self, taken: _Taken) -> tuple[None, ...]:
        """Read which coins have options, then the options of each."""
        ask = wire.build_option_coins()
        coins = self.listing.option_coins
        try:
            coins = receipts_of.parse_option_coins(await calls.ask_public(self.timekeeper, ask))
            taken.option_coins = coins
        except VenueError as error:
            taken.failed[ask.name] = error
        return await side_by_side(
            partial(self._read_question, question, taken)
            for question in listings.option_questions(coins)
        )

    async def _read_question(self, question: Question, taken: _Taken) -> tuple[None, ...]:
        try:
            taken.found[question.key] = await self._listed(question)
        except VenueError as error:
            taken.failed[question.key] = error
        return ()

    async def _listed(self, question: Question) -> dict[str, str]:
        symbols: dict[str, str] = {}
        cursor, seen = "", {""}
        for _ in range(PAGES):
            ask = wire.build_instruments(question.path, dict(question.selector), cursor)
            pairs, cursor = receipts_of.parse_instruments(
                await calls.ask_public(self.timekeeper, ask)
            )
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

    async def refreshed(self) -> bool:
        """Read the instrument list unless somebody just has; tell whether it could be read."""
        try:
            async with self.reading:
                if not self.is_ours:
                    await self.read()
        except VenueError:
            logger.warning("listing.unread", extra={"venue": "bybit"})
            return False
        return True

    async def rest(self, pause_s: float) -> None:
        """Wait until the list is due again, or wanted by somebody who has none."""
        self.wanted.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await asyncio.sleep(SOON_S)
                await self.wanted.wait()
        self.is_ours = False
