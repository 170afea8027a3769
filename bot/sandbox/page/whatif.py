"""What may go wrong, one press each: seeds, venue faults, a runaway bot, clocks, Slack, keys.

Owns the controls and what a press of one does to the world. The app learns of none but by its
sockets.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from bot.sandbox.accounts import PREMISES, Account, Simulated
from bot.sandbox.page.sight import Parts
from bot.sandbox.venues.faults import Fault, Wrong

ORDER_EVERY_S = 0.25
"""Between two orders of a runaway bot."""
SKEW_S = 60.0
OPEN_MAX = 5_000
"""An account with so many open orders gets no more of them at once."""
EVERYWHERE = "everywhere"
"""The group of controls that are of no single venue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Something that a person turns on and off."""

    label: str
    hint: str
    """One sentence: what it does."""
    turn: Callable[[bool], None]


FAULTS = (
    ("429", Wrong.TOO_MANY, "Every call is answered by HTTP 429."),
    ("500", Wrong.SERVER, "Every call is answered by HTTP 500."),
    ("hang", Wrong.HANG, "No call is ever answered."),
    ("HTML", Wrong.HTML, "Every call is answered by a web page, with HTTP 200."),
    ("key refused", Wrong.REFUSED_KEY, "Every key is called invalid."),
    ("ban", Wrong.BANNED, "Our address is shut out, with HTTP 403."),
)
"""Label, what goes wrong, and a hint. The other faults that a venue knows are for the tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Control:
    label: str
    hint: str
    press: Callable[[], None]
    is_on: Callable[[], bool] | None = None
    """None: it is neither on nor off, but does something once."""
    met: Callable[[], int] = int
    """How many calls it has met."""


class Controls:
    """Every control, and what is on now.

    Args:
        venues: the simulated venues by name.
        accounts: of the desk, at all of these venues.
        switches: what else can be turned on and off, by name.
    """

    def __init__(
        self,
        venues: Mapping[str, Simulated],
        accounts: Sequence[Account],
        switches: Mapping[str, Switch],
    ) -> None:
        self._venues = venues
        self._accounts = accounts
        self._switches = switches
        self._on: set[str] = set()
        """Switches, and venues where a bot runs away."""
        self._faults: dict[str, Fault] = {}
        """At most one a venue."""
        self._controls = {
            (group, name): control
            for group, found in (
                (EVERYWHERE, self._of_all()),
                *((venue, self._of(venue)) for venue in venues),
            )
            for name, control in found
        }

    def press(self, name: str, on: bool | None = None) -> bool:  # noqa: FBT001 - what it is to be
        """Press a control by its name, such as `bybit/429`; False if there is none of that name.

        One that is already what it is to be stays so: two presses at once are one.
        """
        group, _, rest = name.partition("/")
        control = self._controls.get((group, rest))
        if control is None:
            return False
        if on is None or control.is_on is None or control.is_on() is not on:
            control.press()
        return True

    def parts(self) -> Parts:
        """Return a part for each control, in the order in which they stand."""
        return {
            f"control/{group}/{name}": {
                "name": f"{group}/{name}",
                "group": group,
                "label": control.label,
                "hint": control.hint,
                "is_on": None if control.is_on is None else control.is_on(),
                "met": control.met(),
            }
            for (group, name), control in self._controls.items()
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let runaway bots place orders while the context lasts."""
        async with asyncio.TaskGroup() as group:
            placing = group.create_task(self._keep_placing())
            yield
            placing.cancel()

    def _of_all(self) -> Iterator[tuple[str, _Control]]:
        yield (
            "seed",
            _Control(
                label="Seed orders",
                hint="Put more orders on the books of every account.",
                press=lambda: self._seed(*self._venues),
            ),
        )
        for name, switch in self._switches.items():
            yield (
                name,
                _Control(
                    label=switch.label,
                    hint=switch.hint,
                    press=partial(self._turn, name),
                    is_on=partial(self._on.__contains__, name),
                ),
            )
        hint = "End everything that goes wrong; orders stay."
        yield "well", _Control(label="All well", hint=hint, press=self._end_all)

    def _of(self, venue: str) -> Iterator[tuple[str, _Control]]:
        simulated = self._venues[venue]
        for label, wrong, hint in FAULTS:
            yield (
                label,
                _Control(
                    label=label,
                    hint=hint,
                    press=partial(self._choose, venue, wrong),
                    is_on=partial(self._is_chosen, venue, wrong),
                    met=partial(self._met, venue, wrong),
                ),
            )
        yield (
            "skew",
            _Control(
                label=f"clock +{SKEW_S:.0f} s",
                hint=f"Its clock is {SKEW_S:.0f} s ahead of ours.",
                press=partial(self._skew, simulated),
                is_on=lambda: bool(simulated.skew_s),
            ),
        )
        yield (
            "runaway",
            _Control(
                label="runaway bot",
                hint="A bot places a new order four times a second.",
                press=lambda: self._on.symmetric_difference_update({venue}),
                is_on=partial(self._on.__contains__, venue),
            ),
        )
        hint = "Put more orders on the books of its accounts."
        yield "seed", _Control(label="+ orders", hint=hint, press=partial(self._seed, venue))

    def _choose(self, venue: str, wrong: Wrong) -> None:
        """Let one fault begin, in place of any other; or end it, if it is the one."""
        was_on = self._is_chosen(venue, wrong)
        self._faults.pop(venue, None)
        self._venues[venue].faults.clear()
        if not was_on:
            self._faults[venue] = self._venues[venue].faults.add(Fault(wrong=wrong))

    def _is_chosen(self, venue: str, wrong: Wrong) -> bool:
        return venue in self._faults and self._faults[venue].wrong is wrong

    def _met(self, venue: str, wrong: Wrong) -> int:
        return self._faults[venue].met if self._is_chosen(venue, wrong) else 0

    def _skew(self, simulated: Simulated) -> None:
        simulated.skew_s = 0.0 if simulated.skew_s else SKEW_S

    def _turn(self, name: str) -> None:
        self._on ^= {name}
        self._switches[name].turn(name in self._on)

    def _seed(self, *venues: str) -> None:
        for account in self._accounts:
            orders, now = PREMISES[account.venue].orders, time.time()
            book = self._venues[account.venue].book
            rest = sum(book.open_count(account.place, now=now).values())
            if account.venue in venues and rest < OPEN_MAX:
                book.seed(account.place, orders, now=now)

    def _end_all(self) -> None:
        self._faults.clear()
        for venue in self._venues.values():
            venue.faults.clear()
            venue.skew_s = 0.0
        for name in self._switches.keys() & self._on:
            self._turn(name)
        self._on.clear()

    async def _keep_placing(self) -> None:
        for number in itertools.count():
            await asyncio.sleep(ORDER_EVERY_S)
            for venue in self._venues.keys() & self._on:
                mine = [account for account in self._accounts if account.venue == venue]
                kind = next(iter(PREMISES[venue].orders))
                place = mine[number % len(mine)].place
                self._venues[venue].book.place(place, kind, now=time.time())
