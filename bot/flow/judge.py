"""From what was seen of a target to its verdict: outcome, cause, remedy.

Owns the words of a verdict. Pure. Says what is known and what is not; never softens either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from adapters.contract import Reading, VenueError
from bot.domain.limits import Limits
from bot.domain.plan import Target
from bot.domain.result import Outcome, Residual, TargetResult
from bot.flow.verify import Sight

ASSUME_LIVE = "Assume that every order is live."
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


def verdict(
    target: Target, sight: Sight, *, at: datetime, seconds: float, limits: Limits
) -> TargetResult:
    """Make the verdict on a target from what was seen of it.

    `seconds` counts from the deciding click to now, or to the second clean reading if FLAT.
    """
    found = outcome(sight)
    reading = sight.reading or Reading()
    cause, remedy = explain(sight)
    return TargetResult(
        account=target.account,
        venue=target.venue,
        outcome=found,
        at=at,
        seconds=seconds,
        accepted=sight.accepted,
        open_after=0 if found is Outcome.FLAT else sight.open_known,
        is_at_least=found is not Outcome.FLAT and bool(reading.unread or reading.has_more),
        cause=cause,
        remedy=remedy,
        residual=tuple(
            Residual(order_class=order.order_class, symbol=order.symbol, order_id=order.order_id)
            for order in reading.orders[: limits.residual_shown_max]
        ),
        came_back=sight.came_back,
        blind_to=target.blind_to,
    )


def not_sent(target: Target, *, at: datetime, seconds: float, why: tuple[str, str]) -> TargetResult:
    """Make the verdict of a target for which no byte of a cancel left."""
    return TargetResult(
        account=target.account,
        venue=target.venue,
        outcome=Outcome.NOT_SENT,
        at=at,
        seconds=seconds,
        cause=why[0],
        remedy=f"{why[1]} {ASSUME_LIVE}".strip(),
        blind_to=target.blind_to,
    )


def explain(sight: Sight) -> tuple[str, str]:
    """Return cause and remedy in words; both empty for a FLAT that held."""
    came_back = f"{sight.came_back} came back after FLAT" if sight.came_back else ""
    if sight.is_flat:
        return came_back, ""
    reading = sight.reading or Reading()
    unread = [(entry.order_class, entry.error) for entry in reading.unread]
    refused = [
        (receipt.call, receipt.error) for receipt in sight.receipts if receipt.error is not None
    ]
    parts = [came_back, _told("not read", unread), _told("not acknowledged", refused)]
    causes = [part for part in parts if part]
    if not causes:
        causes = [_silence(sight, reading)]
    remedies = dict.fromkeys(error.remedy for _, error in unread + refused if error.remedy)
    if outcome(sight) is not Outcome.RESIDUAL:
        remedies[ASSUME_LIVE] = None
    return "; ".join(causes), " ".join(remedies)


def _silence(sight: Sight, reading: Reading) -> str:
    """Name the cause when no call failed."""
    if reading.orders:
        return "the venue acknowledges the cancels and the orders stay"
    if sight.reading is None:
        return "nothing was read yet"
    return "read clean once, not twice"


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


def unverified(result: TargetResult, *, cause: str, remedy: str) -> TargetResult:
    """Turn a verdict into UNVERIFIED: whatever it said cannot be relied on."""
    return replace(
        result,
        outcome=Outcome.UNVERIFIED,
        open_after=None,
        cause=cause,
        remedy=f"{remedy} {ASSUME_LIVE}",
    )
