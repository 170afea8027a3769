"""What a simulated venue does wrong, on demand.

Owns `Fault` and the list of them. A fault is data: which calls it meets, how often, what it does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Wrong(Enum):
    """What goes wrong."""

    TOO_MANY = "429"
    SERVER = "500"
    HTML = "HTML under 200"
    HANG = "hang"
    CUT = "cut body"
    DRIP = "drip bytes"
    LOST_REPLY = "applied, never answered"
    RESET = "reset before it is applied"
    REFUSED_KEY = "10003"
    LACKS_PERMISSION = "10005"
    WRONG_ADDRESS = "10010"
    ACCEPT_AND_DROP = "acknowledged, not applied"
    HIDE = "reads show nothing"
    REPEAT_CURSOR = "the same page for ever"
    NO_LIST = "the list is absent"


@dataclass(slots=True, kw_only=True)
class Fault:
    """One thing going wrong."""

    wrong: Wrong
    uid: str = ""
    """Only this account; empty: all."""
    path: str = ""
    """Only paths that start so; empty: all."""
    containing: str = ""
    """Only requests whose query or body contains this."""
    times: int | None = None
    """How many calls it meets; None: all."""
    share: float = 1.0
    """Which share of the calls it meets, by the venue's own random numbers."""
    until: float | None = None
    """Ends at this moment, in epoch seconds."""
    met: int = 0
    """How many calls it has met."""


@dataclass(slots=True, kw_only=True)
class Faults:
    """Every fault of a venue."""

    active: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> Fault:
        """Let a fault begin."""
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        """End every fault."""
        self.active.clear()

    def meet(self, *, uid: str, path: str, payload: str, now: float, chance: float) -> Fault | None:
        """Return the first fault that meets a call, and count it."""
        for fault in self.active:
            matches = (
                fault.uid in {"", uid}
                and path.startswith(fault.path)
                and fault.containing in payload
                and (fault.until is None or now < fault.until)
            )
            if matches and fault.times != 0 and chance < fault.share:
                fault.met += 1
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None
