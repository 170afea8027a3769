"""When a call may leave: budgets, bans and the clock of a venue.

Owns `Window`, `Pacer` and `ClockOffset`. Pure: `now` is an argument, in monotonic seconds. Never
waits; `adapters.gate` does.

Every documented limit is held at 80 %. A call occupies its slot from the sending until one window
after its *answer*: the venue counts it at some moment in between, and counting from the sending was
measured to get a naive client banned. So at no moment can the venue have counted more than we did.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from adapters.contract import Priority

SHARE = 0.8
"""Of a documented limit that we use at most."""
RESERVE = 0.3
"""Of a budget that only runs may use."""
PLAUSIBLE = 10
"""A header may raise or lower a documented limit at most this many times: VIP levels do, lies do
more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One documented limit: at most `calls` in any `per_s` seconds."""

    name: str
    """Such as `address` or `uid-1234567 cancel-all linear`."""
    calls: int
    per_s: float
    kept: int = 0
    """What only cancels may take of it, at most half."""
    cost: int = 1
    """What the call at hand takes of it: some limits count every order of a batch."""


@dataclass(slots=True, kw_only=True)
class _Budget:
    """One window being used."""

    window: Window
    limit: int
    """The venue's limit as last known."""
    parts: int = 1
    """How many processes at this address share it."""
    on_the_way: int = 0
    answered: deque[tuple[float, int]] = field(default_factory=deque)
    """(moment the slot is free again, cost), oldest first."""
    cooling: int = 0
    """The cost of all of these together."""
    held_until: float = float("-inf")
    foreign: int = 0
    """Slots that others have taken, by the venue's own numbers."""
    foreign_until: float = float("-inf")

    def size(self) -> int:
        """How many calls a window holds: 80 % of the limit, at least one."""
        return max(1, math.floor(SHARE * self.limit / self.parts))

    def span_s(self) -> float:
        """How long a slot is taken: longer than the window where one call is over 80 %."""
        return self.window.per_s * max(1.0, self.size() * self.parts / (SHARE * self.limit))

    def wait_s(self, now: float, priority: Priority, cost: int) -> float:
        """Seconds until `cost` slots are free for this priority; infinite: not before an answer."""
        while self.answered and self.answered[0][0] <= now:
            self.cooling -= self.answered.popleft()[1]
        held = max(0.0, self.held_until - now)
        foreign = self.foreign if now < self.foreign_until else 0
        room = self._room(priority) - self.on_the_way - self.cooling - foreign
        if room >= min(cost, self._room(priority)):
            return held
        for free_at, freed in heapq.merge(self.answered, [(self.foreign_until, foreign)]):
            room += freed
            if room >= min(cost, self._room(priority)):
                return max(held, free_at - now)
        return math.inf

    def _room(self, priority: Priority) -> int:
        """Slots that this priority may use: previews and checks leave a share to runs.

        A budget of one cannot be shared out; there, what is not for a run may only go when nothing
        else waits, which the link's order of waiting sees to.
        """
        if priority is Priority.CANCEL or self.size() == 1:
            return self.size()
        room = self.size() - min(self.window.kept, self.size() // 2)
        if priority is Priority.READING:
            return room
        return max(1, min(room, math.floor((1 - RESERVE) * self.size())))


@dataclass(slots=True, kw_only=True)
class Ticket:
    """A call on its way: which budgets it occupies, and how many slots of each."""

    taken: tuple[tuple[_Budget, int], ...]
    is_answered: bool = False


@dataclass(slots=True, kw_only=True)
class Pacer:
    """Budgets of one venue from one address, shared by runs, previews and checks."""

    budgets: dict[str, _Budget] = field(default_factory=dict)
    parts: int = 1
    """How many processes at this address share every budget."""
    banned_until: float = float("-inf")

    def wait_s(self, now: float, windows: Iterable[Window], priority: Priority) -> float:
        """Return seconds until a call may leave; 0.0: now; infinite: not before an answer."""
        waits = (self._budget(each).wait_s(now, priority, each.cost) for each in windows)
        return max(waits, default=0.0)

    def sent(self, windows: Iterable[Window]) -> Ticket:
        """Take the slots of a call that leaves now."""
        ticket = Ticket(taken=tuple((self._budget(window), window.cost) for window in windows))
        for budget, cost in ticket.taken:
            budget.on_the_way += cost
        return ticket

    def answered(self, now: float, ticket: Ticket) -> None:
        """Count a call from its answer, or from the moment we gave it up."""
        assert not ticket.is_answered
        ticket.is_answered = True
        for budget, cost in ticket.taken:
            budget.on_the_way -= cost
            budget.answered.append((now + budget.span_s(), cost))
            budget.cooling += cost

    def corrected(
        self, now: float, window: Window, *, limit: int, remaining: int, reset_after_s: float
    ) -> None:
        """Follow the venue's own numbers, as far as they are plausible.

        What it says is taken beyond our own calls, others with the same key or address have taken.
        A limit far below the documented one is no limit of anybody's: it would hold every cancel.
        """
        if 0 < limit < window.calls / PLAUSIBLE:
            return
        budget = self._budget(window)
        if limit > 0:
            budget.limit = min(limit, PLAUSIBLE * window.calls)
        ours = budget.on_the_way + budget.cooling
        budget.foreign = max(0, budget.limit - ours - remaining)
        budget.foreign_until = now + min(reset_after_s, window.per_s)
        if remaining == 0:
            budget.held_until = max(budget.held_until, now + min(reset_after_s, window.per_s))

    def throttled(self, now: float, window: Window, retry_after_s: float) -> None:
        """Hold a window for as long as the venue says."""
        budget = self._budget(window)
        budget.held_until = max(budget.held_until, now + retry_after_s)

    def banned(self, now: float, for_s: float) -> None:
        """Stop every call to this venue, cancels too: knocking prolongs a ban."""
        self.banned_until = max(self.banned_until, now + for_s)

    def banned_for_s(self, now: float) -> float:
        """Return how long the ban still lasts; 0.0: none."""
        return max(0.0, self.banned_until - now)

    def _budget(self, window: Window) -> _Budget:
        known = self.budgets.get(window.name)
        if known is None:
            known = _Budget(window=window, limit=window.calls, parts=self.parts)
            self.budgets[window.name] = known
        return known

    def share(self, parts: int) -> None:
        """Use one of so many equal parts of every budget from now on."""
        self.parts = parts
        for budget in self.budgets.values():
            budget.parts = parts


@dataclass(slots=True, kw_only=True)
class ClockOffset:
    """How far the venue's clock is ahead of ours, in milliseconds."""

    offset_ms: float = 0.0
    is_stale: bool = True
    """True: measure before the next call is signed."""

    def measured(self, *, sent_ms: float, received_ms: float, server_ms: float) -> None:
        """Take a measurement: the venue read its clock half-way between sending and answer."""
        self.offset_ms = server_ms - (sent_ms + received_ms) / 2
        self.is_stale = False

    def timestamp_ms(self, now_ms: float) -> int:
        """Return what the venue's clock shows now, in epoch milliseconds."""
        return round(now_ms + self.offset_ms)
