"""What a simulated venue does wrong, on demand.

Owns `Fault`, the list of them, and the faults that are alike at every venue: those that meet a call
before it is looked at, and those that spoil an answer on its way. A fault is data: which calls it
meets, how often, what it does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from bot.sandbox.venues.exchange import FORBIDDEN, Answer, Transport


class Wrong(Enum):
    """What goes wrong."""

    # The call is not looked at.
    TOO_MANY = "429"
    SERVER = "500"
    UNAVAILABLE = "503 with HTML"
    HTML = "HTML under 200"
    EMPTY = "nothing under 200"
    REDIRECT = "302 to elsewhere"
    BANNED = "our address is shut out"
    HANG = "hang"
    RESET = "reset before it is applied"
    REFUSED_KEY = "the key is refused"
    LACKS_PERMISSION = "the key may not do this"
    WRONG_ADDRESS = "our address is not on the key's list"
    # The call is made; its answer is spoilt.
    CUT = "cut body"
    DRIP = "drip bytes"
    LOST_REPLY = "applied, never answered"
    OVERSIZE = "an answer without end"
    NO_LIST = "the list is absent"
    # A cancel is acknowledged and not made as it should be.
    ACCEPT_AND_DROP = "acknowledged, not applied"
    HALF = "acknowledged, every other order stays"
    LATE = "applied after we gave up"
    REVIVE = "orders come back"
    # A reading lies.
    HIDE = "reads show nothing, or not one kind"
    LAG = "reads lag"
    TRUNCATE = "reads show half"
    OTHER_ACCOUNT = "reads show another account"
    REPEAT_CURSOR = "the same page for ever"


@dataclass(slots=True, kw_only=True)
class Fault:
    """One thing going wrong."""

    wrong: Wrong
    uid: str = ""
    """Only this account; empty: all."""
    path: str = ""
    """Only paths that start so; empty: all."""
    is_whole_path: bool = False
    """Only just that path."""
    containing: str = ""
    """Only requests whose query or body contains this."""
    kind: str = ""
    """`HIDE` hides only this kind of order; empty: all."""
    times: int | None = None
    """How many calls it meets; None: all."""
    share: float = 1.0
    """Which share of the calls it meets, by the venue's own random numbers."""
    since: float = 0.0
    """Begins at this moment, in epoch seconds."""
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
                and (path == fault.path if fault.is_whole_path else path.startswith(fault.path))
                and fault.containing in payload
                and fault.since <= now
                and (fault.until is None or now < fault.until)
            )
            if matches and fault.times != 0 and chance < fault.share:
                fault.met += 1
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


_PLAIN = "text/plain"
_UNSEEN = {
    Wrong.TOO_MANY: Answer(status=429, body=b"", content_type=_PLAIN),
    Wrong.SERVER: Answer(status=500, body=b"internal error", content_type=_PLAIN),
    Wrong.UNAVAILABLE: Answer(
        status=503, body=b"<html>maintenance</html>", content_type="text/html"
    ),
    Wrong.HTML: Answer(status=200, body=b"<html>hello</html>", content_type="text/html"),
    Wrong.EMPTY: Answer(status=200, body=b"", content_type=_PLAIN),
    Wrong.REDIRECT: Answer(
        status=302, body=b"", content_type=_PLAIN, headers={"Location": "http://127.0.0.1:9/"}
    ),
    Wrong.BANNED: FORBIDDEN,
    Wrong.HANG: Answer(status=200, body=b"", content_type=_PLAIN, transport=Transport.HANG),
    Wrong.RESET: Answer(status=200, body=b"", content_type=_PLAIN, transport=Transport.RESET),
}
_SPOILT = {
    Wrong.CUT: Transport.CUT,
    Wrong.DRIP: Transport.DRIP,
    Wrong.LOST_REPLY: Transport.LOST,
    Wrong.LATE: Transport.HANG,
    Wrong.OVERSIZE: Transport.OVERSIZE,
}


def unseen(fault: Fault | None) -> Answer | None:
    """Return the answer of a call that is never looked at; None if it is."""
    return _UNSEEN.get(fault.wrong) if fault else None


def spoilt(answer: Answer, fault: Fault | None) -> Answer:
    """Spoil an answer that was made in earnest on its way."""
    transport = _SPOILT.get(fault.wrong) if fault else None
    return answer if transport is None else replace(answer, transport=transport)
