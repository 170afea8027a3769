"""The one gate through which every call to a venue leaves this address.

Owns `Gate` (who may leave now, who waits, in which order) and `Call`. One gate per venue for the
life of the process, shared by its links: a venue counts what comes from our address over all its
hosts. The arithmetic is in `adapters.pacing`; here is only the waiting.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from adapters.contract import Priority, VenueBanned, VenueNotReached
from adapters.nonces import Nonces
from adapters.pacing import Pacer, Ticket, Window

WAIT_S = 30.0
"""How long a call waits for room before it is given up unsent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a call is, for budgets and logs."""

    name: str
    """For a person, such as `cancel-all linear USDT`."""
    windows: tuple[Window, ...]
    """The key's own limits; the gate adds the address's."""
    priority: Priority
    address_cost: int = 1
    """What it takes of the address's limit; 0: the venue does not count it there."""


Queue = tuple[Priority, int, tuple[str, ...]]
"""Who waits for the same windows with the same priority waits in line."""


@dataclass(slots=True, kw_only=True)
class _Waiter:
    """A call that waits for its budgets."""

    priority: Priority
    number: int
    """Order of arrival."""
    address: tuple[Window, ...]
    """What it takes of the address's limit; empty: nothing."""
    windows: tuple[Window, ...]
    ticket: asyncio.Future[Ticket]

    @property
    def queue(self) -> Queue:
        """Where it waits."""
        cost = sum(window.cost for window in self.address)
        return self.priority, cost, tuple(window.name for window in self.windows)


class Gate:
    """All budgets of one venue from one address: cancels leave first, then readings, then all else.

    Args:
        address: the limit that the venue puts on an address, over all its hosts.
        wait_s: how long a call may wait for room.
    """

    def __init__(self, address: Window, *, wait_s: float = WAIT_S) -> None:
        self.nonces = Nonces()
        """Those of the venue's keys: like a budget, a series is one over all of its hosts."""
        self._pacer = Pacer()
        self._address = address
        # Shorter than its window, a wait would be given up just before its turn, and begin again.
        self._wait_s = max(wait_s, 1.5 * address.per_s)
        self._queues: dict[Queue, deque[_Waiter]] = {}
        self._heads: list[tuple[Priority, int, Queue]] = []
        """A heap of who is first in each queue: the others of it wait at least as long."""
        self._pumping: asyncio.Handle | None = None
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._until = datetime.min.replace(tzinfo=UTC)

    @property
    def banned_until(self) -> datetime | None:
        """Return until when the venue has shut out our address; None if it has not."""
        return self._until if self._pacer.banned_for_s(_now()) > 0 else None

    @asynccontextmanager
    async def passage(self, call: Call) -> AsyncIterator[None]:
        """Wait until the call may leave; inside, it is on its way.

        Raises:
            VenueNotReached: no room in time; nothing was sent.
            VenueBanned: the venue has shut out our address; nothing was sent.
        """
        ticket = await self._admitted(call)
        try:
            yield
        finally:
            self._pacer.answered(_now(), ticket)
            self._pump_soon()

    def share(self, parts: int) -> None:
        """Use one of so many equal parts of every budget: another process calls from here too."""
        self._pacer.share(parts)
        self._pump_soon()

    def banned(self, until: datetime, *, for_s: float) -> None:
        """Stop every call for so long, which is until then; whoever waits is told at once."""
        self._pacer.banned(_now(), for_s)
        self._until = max(self._until, until)
        self._pump_soon()

    def throttled(self, window: Window, retry_after_s: float) -> None:
        """Hold one window."""
        self._pacer.throttled(_now(), window, retry_after_s)

    def corrected(
        self, window: Window, *, limit: int, remaining: int, reset_after_s: float
    ) -> None:
        """Follow the venue's own numbers for one window."""
        self._pacer.corrected(
            _now(), window, limit=limit, remaining=remaining, reset_after_s=reset_after_s
        )

    async def _admitted(self, call: Call) -> Ticket:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(
            priority=call.priority,
            number=next(self._numbers),
            address=self._of_address(call.address_cost),
            windows=call.windows,
            ticket=loop.create_future(),
        )
        self._enqueue(waiter)
        ticket: Ticket | None = None
        try:
            async with asyncio.timeout(self._wait_s):
                ticket = await waiter.ticket
                return ticket
        except TimeoutError:
            raise VenueNotReached(
                user_message="the budget of calls had no room in time",
                remedy="Other calls from this address or key use it up.",
            ) from None
        finally:
            if ticket is None:
                self._withdraw(waiter)

    def _of_address(self, cost: int) -> tuple[Window, ...]:
        return (replace(self._address, cost=cost),) if cost else ()

    def _enqueue(self, waiter: _Waiter) -> None:
        waiters = self._queues.setdefault(waiter.queue, deque())
        waiters.append(waiter)
        if len(waiters) == 1:
            heapq.heappush(self._heads, (waiter.priority, waiter.number, waiter.queue))
        self._pump_soon()

    def _withdraw(self, waiter: _Waiter) -> None:
        """Take a waiter out; a ticket that came too late to be used gives its slots back."""
        if not waiter.ticket.done():
            waiter.ticket.cancel()  # It leaves its queue when it comes to the front.
        elif not waiter.ticket.cancelled() and not waiter.ticket.exception():
            self._pacer.answered(_now(), waiter.ticket.result())
        self._pump_soon()

    def _pump_soon(self) -> None:
        """Look once at who may leave, however much happens in one turn of the loop."""
        if self._pumping is None:
            self._pumping = asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Let every waiter go whose budgets have room, in order; wake again when more have."""
        self._pumping, now = None, _now()
        if self._pacer.banned_for_s(now) > 0:
            self._refuse_all()
            return
        soonest, blocked = math.inf, list[tuple[Priority, int, Queue]]()
        is_full = False
        while self._heads:
            head = heapq.heappop(self._heads)
            waiters = self._queues[head[-1]]
            waiter = waiters[0]
            if not waiter.ticket.done():
                # Where the address has no room for one, nobody behind it may take of it either.
                wait_s = math.inf
                if not (is_full and waiter.address):
                    wait_s = self._pacer.wait_s(now, waiter.address, waiter.priority)
                    is_full = is_full or wait_s > 0
                    wait_s = wait_s or self._pacer.wait_s(now, waiter.windows, waiter.priority)
                if wait_s > 0:
                    soonest = min(soonest, wait_s)
                    blocked.append(head)
                    continue
                waiter.ticket.set_result(self._pacer.sent((*waiter.address, *waiter.windows)))
            waiters.popleft()
            if waiters:
                heapq.heappush(self._heads, (waiters[0].priority, waiters[0].number, head[-1]))
            else:
                del self._queues[head[-1]]
        for head in blocked:
            heapq.heappush(self._heads, head)
        self._wake_after(soonest)

    def _wake_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds < math.inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._pump_soon)

    def _refuse_all(self) -> None:
        for waiters in self._queues.values():
            for waiter in waiters:
                if not waiter.ticket.done():
                    waiter.ticket.set_exception(shut_out(self._until))
        self._queues.clear()
        self._heads.clear()


def shut_out(until: datetime) -> VenueBanned:
    """Say that the venue has shut out our address."""
    return VenueBanned(
        user_message=f"BANNED until {until:%H:%M} UTC",
        remedy="Nothing is sent there until then; only another egress address would help.",
        until=until,
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
