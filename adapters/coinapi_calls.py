"""One call to CoinAPI EMS: paced, given its key, sent, judged.

Owns what every call has in common: the limits of account and key, the key in its header, and what
an answer teaches. Never decides what to ask, never asks twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from adapters import coinapi_replies as replies
from adapters import coinapi_wire as wire
from adapters.carrier import WireRequest
from adapters.coinapi_wire import Ask
from adapters.contract import (
    Priority,
    Purpose,
    VenueError,
    VenueNotReached,
    VenueThrottled,
    always,
)
from adapters.gate import Call
from adapters.link import VenueLink
from adapters.signers import KeyHolder

HOLD_S_MAX = 8.0
"""The longest that we hold all calls, where EMS does not say for how long."""
KEY_WARNING = (
    "this key can also place orders, and shows the exchange accounts' own keys at CoinAPI: "
    "there is no weaker one"
)


@dataclass(slots=True, kw_only=True)
class Lessons:
    """What the answers of EMS at one base URL have taught; shared by all adapters there."""

    one_by_one: set[str] = field(default_factory=set)
    """Exchange ids that take no cancel-all."""
    doubted: dict[str, VenueError] = field(default_factory=dict)
    """Exchange ids that EMS may not know: it called a cancel-all for them invalid. What it lists
    for such an id is not documented, so their empty lists prove nothing."""
    holds: dict[str, Hold] = field(default_factory=dict)
    """By key: a plan's limit is one customer's."""


@dataclass(slots=True, kw_only=True)
class Hold:
    """How long a key makes no call."""

    refusals: int = 0
    """How often in a row EMS said that we are too fast."""
    until: float = float("-inf")
    """Loop time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls with one key for one exchange account and one purpose."""

    link: VenueLink
    signer: KeyHolder
    exchange_id: str
    purpose: Purpose
    lessons: Lessons
    may_send: Callable[[], bool] = always
    """Asked right before each call gets the key: it may have waited long for room."""

    async def ask(self, ask: Ask, priority: Priority) -> object:
        """Make one call; returns the JSON of its answer, None if it holds none.

        Raises:
            VenueError: EMS refused it, or it is not known what became of it.
        """
        keys: list[str] = []

        async def build(_: int) -> WireRequest:
            if not self.may_send():
                raise VenueNotReached(user_message="consent has ended: nothing is sent any more")
            keys.append(await self.signer.key())
            return wire.request(ask, key=keys[-1])

        priority = priority if self.purpose is Purpose.RUN else Priority.OTHER
        windows = (wire.account(self.exchange_id), wire.holder(self.signer.budget_id))
        reply = await self.link.call(Call(name=ask.name, windows=windows, priority=priority), build)
        try:
            found = replies.judge(reply, key=keys[-1])
        except VenueThrottled as error:
            self._hold(error)
            raise
        self.lessons.holds.pop(self.signer.budget_id, None)
        return found

    def _hold(self, error: VenueThrottled) -> None:
        """Hold this key's calls, each time for longer; those refused together count once."""
        now, key = asyncio.get_running_loop().time(), self.signer.budget_id
        hold = self.lessons.holds.setdefault(key, Hold())
        if now >= hold.until:
            hold.refusals += 1
            doubled_s = min(2.0 ** (hold.refusals - 1), HOLD_S_MAX)
            hold.until = now + max(error.retry_after_s, doubled_s)
        error.retry_after_s = hold.until - now
        self.link.gate.throttled(wire.holder(key), error.retry_after_s)
