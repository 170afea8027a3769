"""How many orders a plan would cancel, as far as read keys tell in time.

Owns the counts on the card and of a dry run. Never reads a key that can cancel, never sends a
cancel, never makes anybody wait: what is not known in time is unknown.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace

from adapters.contract import (
    Protective,
    Purpose,
    VenueAdapter,
    VenueAuthRefused,
    VenueError,
)
from bot.domain.errors import SecretError
from bot.domain.limits import Limits
from bot.domain.plan import Plan, Target
from bot.domain.request import Count
from bot.flow.ports import Clock, KeySource, Venues

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Previewer:
    """Counts open orders with read keys, and remembers each count for a few seconds."""

    keys: KeySource
    venues: Venues
    clock: Clock
    limits: Limits
    recent: dict[tuple[str, object], tuple[float, Count]] = field(default_factory=dict)

    async def count(self, plan: Plan) -> tuple[Count, ...]:
        """Count every target of the plan side by side, in the plan's order, in bounded time."""
        found: dict[str, Count] = {}
        try:
            async with asyncio.timeout(self.limits.preview_s), asyncio.TaskGroup() as group:
                for target in plan.targets:
                    group.create_task(self._into(found, target))
        except TimeoutError:
            logger.info("preview.cut", extra={"targets": len(plan.targets), "known": len(found)})
        late = f"no answer within {self.limits.preview_s:g} s"
        return tuple(
            found.get(target.account, Count(account=target.account, orders=None, why=late))
            for target in plan.targets
        )

    async def _into(self, found: dict[str, Count], target: Target) -> None:
        now = self.clock.monotonic()
        place = (target.account, target.scope)
        known = self.recent.get(place)
        if known is not None and now - known[0] < self.limits.preview_fresh_s:
            found[target.account] = known[1]
            return
        try:
            count = await self._count(target)
        except Exception:  # A bug in one count must not cost the others.
            logger.exception("preview.failed", extra={"account": target.account})
            count = Count(account=target.account, orders=None, why="a bug in cancelall")
        if count.orders is not None:
            self.recent[place] = (self.clock.monotonic(), count)
        found[target.account] = count

    async def _reader(self, target: Target) -> VenueAdapter | None:
        """Return what reads a target: its read key, or nothing but its address where that will do.

        Raises:
            SecretError: the read key cannot be had.
            VenueError: the venue did not say whose key that is, or it is another account's.
        """
        venue = self.venues.venue(target.venue, target.base_url)
        if target.read_key is None:
            return venue.reader(target.uid)
        document = await self.keys.read(target.read_key)
        signer = venue.signer(document.text)
        adapter = venue.adapter(signer, uid=target.uid, purpose=Purpose.LOOK)
        facts = await adapter.check()
        if target.uid not in facts.accounts:
            raise VenueAuthRefused(
                user_message=f"read key belongs to UID {', '.join(facts.accounts)}"
            )
        return adapter

    async def _count(self, target: Target) -> Count:
        try:
            adapter = await self._reader(target)
            if adapter is None:
                return Count(account=target.account, orders=None, why="no read key")
            everything = replace(target.scope, protective=Protective.CANCEL)
            reading = await adapter.open_orders(everything, pages_max=self.limits.pages_max)
        except (SecretError, VenueError) as error:
            return Count(account=target.account, orders=None, why=error.user_message)
        if reading.unread and not reading.orders:
            why = reading.unread[0].error.user_message
            return Count(account=target.account, orders=None, why=why)
        protective = sum(order.is_protective for order in reading.orders)
        stay = protective if target.scope.protective is Protective.KEEP else 0
        return Count(
            account=target.account,
            orders=len(reading.orders) - stay,
            is_at_least=bool(reading.unread or reading.has_more),
            protective=protective,
        )
