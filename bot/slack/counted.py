"""What was counted before a run, in words: open orders, and how many of them are protective.

Owns these words. Pure. A lower bound says "at least", and the unknown is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.contract import Protective
from bot.domain.request import Count, Request, RequestState
from bot.slack import text

NONE = "none "


def said(request: Request) -> str:
    """Say how many orders were open, and where that is not known."""
    if request.counts is None:
        return "being counted" if request.state is RequestState.PENDING else "not counted"
    unknown = [count.account for count in request.counts if count.orders is None]
    words = [f"{total(request.counts)} when asked"] if len(unknown) < len(request.counts) else []
    if unknown:
        words.append(f"unknown for {text.escape(text.names(unknown))}")
    return ", ".join(words)


def total(counts: Sequence[Count]) -> str:
    """Write how many orders are known of: `1,176`, or `at least 1,176` where a page is missing."""
    known = [count for count in counts if count.orders is not None]
    bound = "at least " if any(count.is_at_least for count in known) else ""
    return f"{bound}{sum(count.orders or 0 for count in known):,}"


def before(request: Request) -> dict[str, str]:
    """Return what was open on each account; the store drops a count that came after the start."""
    counts = request.counts or ()
    return {count.account: total([count]) for count in counts if count.orders is not None}


def protective(request: Request) -> str:
    """Say how many protective orders go and how many stay, as far as they were counted."""
    targets = request.plan.targets
    kept = [target.account for target in targets if target.scope.protective is Protective.KEEP]
    gone = [target.account for target in targets if target.account not in kept]
    parts = []
    if kept:
        where = f" on {text.escape(text.names(kept))}" if gone else ""
        parts.append(f"{_how_many(request, kept)}stay{where}")
    if gone:
        where, how_many = " elsewhere" if kept else "", _how_many(request, gone)
        lost = "" if how_many == NONE else ": positions lose their stops"
        parts.append(f"{how_many}go{where}{lost}")
    return "; ".join(parts)


def _how_many(request: Request, accounts: Sequence[str]) -> str:
    if request.counts is None:
        return ""
    counts = [count for count in request.counts if count.account in accounts]
    is_bound = any(count.orders is None or count.is_at_least for count in counts)
    found = sum(count.protective for count in counts)
    if not found:
        return "an unknown number " if is_bound else NONE
    return f"{'at least ' if is_bound else ''}{found:,} "
