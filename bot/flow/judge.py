"""From what was seen of a target to its verdict: outcome, cause, remedy.

Owns the words of a verdict. Pure. Says what is known and what is not; never softens either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.contract import OpenOrder, Reading, Receipt, VenueError
from bot.domain.limits import Limits
from bot.domain.plan import Target
from bot.domain.result import Outcome, Residual, TargetResult
from bot.flow.verify import Sight

ASSUME_LIVE = "Assume that every order is live."
NO_TROUBLE = ("", "")
NEVER_THERE = (
    "no order of this id was open: it had ended before, or its id or symbol is mistyped",
    "Look it up at the venue.",
)
NAMED_MAX = 3
"""Calls or classes named beside one error; the rest are counted."""


def outcome(sight: Sight) -> Outcome:
    """Say what is on the book, as far as the readings tell."""
    if sight.is_flat:
        return Outcome.FLAT
    if not sight.is_sent:
        return Outcome.NOT_SENT
    if sight.reading is not None and sight.reading.orders:
        return Outcome.RESIDUAL
    return Outcome.UNVERIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a verdict is made."""

    at: datetime
    seconds: float
    """From the deciding click to now, or to the second clean reading if FLAT."""


def verdict(
    target: Target, sight: Sight, moment: Moment, *, trouble: tuple[str, str], limits: Limits
) -> TargetResult:
    """Make the verdict on a target from what was seen of it.

    `trouble` is cause and remedy of what keeps this process from the venue; empty if nothing does.
    """
    if any(trouble) and not sight.is_sent:
        return not_sent(target, moment, why=trouble)
    found = outcome(sight)
    reading = sight.reading or Reading()
    known = sight.open_known if reading.orders else None  # An older count is no count.
    cause, remedy = explain(sight, trouble)
    if found is Outcome.FLAT and not cause and _was_never_there(target, sight):
        cause, remedy = NEVER_THERE
    return TargetResult(
        account=target.account,
        venue=target.venue,
        outcome=found,
        at=moment.at,
        seconds=moment.seconds,
        accepted=sight.accepted,
        open_after=0 if found is Outcome.FLAT else known,
        is_at_least=known is not None and bool(reading.unread or reading.has_more),
        cause=cause,
        remedy=remedy,
        residual=tuple(
            Residual(order_class=order.order_class, symbol=order.symbol, order_id=order.order_id)
            for order in reading.orders[: limits.residual_shown_max]
        ),
        came_back=sight.came_back,
        blind_to=target.blind_to,
    )


def _was_never_there(target: Target, sight: Sight) -> bool:
    """Tell whether one order was named, and none of that name was seen or cancelled."""
    return target.scope.order_id is not None and not (sight.accepted or sight.has_seen_any)


def not_sent(target: Target, moment: Moment, *, why: tuple[str, str]) -> TargetResult:
    """Make the verdict of a target for which no byte of a cancel left."""
    return TargetResult(
        account=target.account,
        venue=target.venue,
        outcome=Outcome.NOT_SENT,
        at=moment.at,
        seconds=moment.seconds,
        cause=why[0],
        remedy=f"{why[1]} {ASSUME_LIVE}".strip(),
        blind_to=target.blind_to,
    )


def bug(target: Target, moment: Moment) -> TargetResult:
    """Make the verdict of a target whose pursuit broke: nothing that was seen is relied on."""
    return TargetResult(
        account=target.account,
        venue=target.venue,
        outcome=Outcome.UNVERIFIED,
        at=moment.at,
        seconds=moment.seconds,
        cause="a bug in cancelall",
        remedy=f"Send the log of this run to its maintainers. {ASSUME_LIVE}",
        blind_to=target.blind_to,
    )


def stands(before: TargetResult, trouble: tuple[str, str]) -> TargetResult:
    """Keep what an earlier process saw, and say what keeps this one from seeing more."""
    cause, remedy = trouble
    return replace(
        before,
        cause=before.cause if cause in before.cause else "; ".join(_filled([cause, before.cause])),
        remedy=before.remedy if remedy in before.remedy else f"{remedy} {before.remedy}".strip(),
    )


def explain(sight: Sight, trouble: tuple[str, str] = NO_TROUBLE) -> tuple[str, str]:
    """Return cause and remedy in words; both empty for a FLAT that held."""
    came_back = f"{sight.came_back} came back after FLAT" if sight.came_back else ""
    reading = sight.reading or Reading()
    unread = [(entry.order_class, entry.error) for entry in reading.unread]
    not_read = _told("not read", unread)
    if sight.is_flat:
        failed = "; ".join(_filled([trouble[0], not_read]))
        later = f"later readings failed: {failed}" if failed else ""
        return "; ".join(_filled([came_back, later])), ""
    refused = [
        (receipt.call, receipt.error) for receipt in sight.receipts if receipt.error is not None
    ]
    failures = _filled([came_back, not_read, _told("not acknowledged", refused)])
    causes = _filled([trouble[0], *(failures or [_silence(sight, reading)])])
    remedies = [trouble[1], *(error.remedy for _, error in unread + refused)]
    if outcome(sight) is not Outcome.RESIDUAL:
        remedies.append(ASSUME_LIVE)
    return "; ".join(causes), " ".join(dict.fromkeys(_filled(remedies)))


def _filled(words: Iterable[str]) -> list[str]:
    return [word for word in words if word]


def _silence(sight: Sight, reading: Reading) -> str:
    """Name the cause when no call failed."""
    if reading.orders:
        return _why_they_rest(sight.receipts, reading.orders)
    if sight.reading is None:
        return "nothing was read yet"
    return "read clean once, not twice"


def _why_they_rest(receipts: Sequence[Receipt], orders: Sequence[OpenOrder]) -> str:
    """Say what the venue said to the cancels of just these orders."""
    classes = {order.order_class for order in orders}
    said = [receipt for receipt in receipts if receipt.order_class in classes]
    if any(_is_taken(receipt) for receipt in said):
        return "the venue acknowledges the cancels and the orders stay"
    if any(receipt.capped for receipt in said):
        return "no cancel of these orders was accepted: there are more than one round looks through"
    return "no cancel of these orders was accepted"


def _is_taken(receipt: Receipt) -> bool:
    """Tell whether the venue took a cancel; a look that was cut short, or found none, is none."""
    return not receipt.capped if receipt.accepted is None else receipt.accepted > 0


def _told(what: str, failures: Sequence[tuple[str, VenueError]]) -> str:
    """Join failures of one kind: `linear, spot not read: the venue did not answer (code)`."""
    by_error: dict[str, list[str]] = {}
    for name, error in failures:
        code = f" ({error.venue_code})" if error.venue_code else ""
        by_error.setdefault(f"{error.user_message}{code}", []).append(name)
    return "; ".join(
        f"{_names(list(dict.fromkeys(names)))} {what}: {message}"
        for message, names in by_error.items()
    )


def _names(names: list[str]) -> str:
    if len(names) <= NAMED_MAX:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED_MAX])} and {len(names) - NAMED_MAX} more"
