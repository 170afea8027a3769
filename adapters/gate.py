"""The one gate through which every call to a venue leaves this address.

Owns `Gate` (who may leave now, who waits, in which order) and `Call`. One gate per venue for the
life of the process, shared by its links: a venue counts what comes from our address over all its
hosts. The arithmetic is in `adapters.pacing`; here is only the waiting.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.contract import Priority, VenueBanned, VenueNotReached
from adapters.pacing import Pacer, Ticket, Window

WAIT_S = 30.0
"""How long a call waits for room before it is given up unsent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a call is, for budgets and logs."""

    name: str
    """For a person, such as `cancel-all linear USDT`."""
    windows: tuple[Window, ...]
    """The key's own limits; the gate adds the address's, which counts every call as one."""
    priority: Priority


@dataclass(order=True, slots=True)
class _Waiter:
    """A call that waits for its budgets, in order of priority and arrival."""

    priority: Priority
    number: int
    windows: tuple[Window, ...] = field(compare=False)
    ticket: asyncio.Future[Ticket] = field(compare=False)


class Gate:
    """All budgets of one venue from one address: cancels leave first, then readings, then all else.

    Args:
        address: the limit that the venue puts on an address, over all its hosts.
        wait_s: how long a call may wait for room.
    """

    def __init__(self, address: Window, *, wait_s: float = WAIT_S) -> None:
        self._pacer = Pacer()
        self._address = address
        self._wait_s = wait_s
        self._waiting: list[_Waiter] = []
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
            self._pump()

    def banned(self, until: datetime) -> None:
        """Stop every call until then; whoever waits is told at once."""
        self._pacer.banned(_now(), (until - datetime.now(UTC)).total_seconds())
        self._until = max(self._until, until)
        self._pump()

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
            windows=(self._address, *call.windows),
            ticket=loop.create_future(),
        )
        self._waiting.append(waiter)
        self._pump()
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

    def _withdraw(self, waiter: _Waiter) -> None:
        """Take a waiter out; a ticket that came too late to be used gives its slots back."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif (
            waiter.ticket.done() and not waiter.ticket.cancelled() and not waiter.ticket.exception()
        ):
            self._pacer.answered(_now(), waiter.ticket.result())

    def _pump(self) -> None:
        """Let every waiter go whose budgets have room, in order; wake again when more have."""
        now = _now()
        if self._pacer.banned_for_s(now) > 0:
            self._refuse_all()
            return
        soonest = float("inf")
        for waiter in sorted(self._waiting):
            wait_s = self._pacer.wait_s(now, waiter.windows, waiter.priority)
            if wait_s <= 0 and not waiter.ticket.done():
                waiter.ticket.set_result(self._pacer.sent(waiter.windows))
                self._waiting.remove(waiter)
            soonest = min(soonest, wait_s) if wait_s > 0 else soonest
        self._wake_after(soonest)

    def _wake_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and seconds < float("inf"):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._pump)

    def _refuse_all(self) -> None:
        for waiter in self._waiting:
            if not waiter.ticket.done():
                waiter.ticket.set_exception(shut_out(self._until))
        self._waiting.clear()


def shut_out(until: datetime) -> VenueBanned:
    """Say that the venue has shut out our address."""
    return VenueBanned(
        user_message=f"BANNED until {until:%H:%M} UTC",
        remedy="Nothing is sent there until then; only another egress address would help.",
        until=until,
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
