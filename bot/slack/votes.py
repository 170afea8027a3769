"""What a card says of each answer: whose it is, when, and whether it counts.

Owns these lines. Pure; judges nobody: who counts is given. A word never promises more than is
known: "Approved" is said of an approval that counts, or that nothing is known against.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.limits import Limits
from bot.domain.request import Request, RequestState
from bot.slack import text
from policies.model import Answer, Vote

LAPSED_AFTER = timedelta(seconds=Limits().vote_wait_s - 0.5)
"""Half a second early: the one drawing at the lapse must not come too soon by another clock."""


def lines(
    request: Request, votes: Sequence[Vote], *, counted: frozenset[str] | None, now: datetime
) -> list[str]:
    """Say who answered.

    Args:
        request: what was answered.
        votes: the newest of each person, as the store has them.
        counted: person ids whose approvals count, or counted at the start; None: not known.
        now: tells whether a vote that waits for Slack has lapsed.
    """
    known = [vote for vote in votes if vote.actor.read_at is not None]
    said = []
    for vote in votes:
        if vote.actor.read_at is not None:
            said.append(_known(request, vote, counted))
        elif not any(_is_same(vote, other) for other in known):
            said.append(_unknown(request, vote, now))
    return said


def are_old(votes: Sequence[Vote], now: datetime) -> bool:
    """Tell whether no answer is young enough for a run to start on it."""
    return all(now - vote.at >= LAPSED_AFTER for vote in votes)


def _is_same(ghost: Vote, known: Vote) -> bool:
    """Tell whether a vote that waited was confirmed since, under a person id found only then."""
    return known.actor.user_id == ghost.actor.user_id and known.at >= ghost.at


def _known(request: Request, vote: Vote, counted: frozenset[str] | None) -> str:
    by = f"by {_who(vote)} at {text.clock(vote.at)}"
    why = f": {text.cut(text.escape(vote.reason), 300)}" if vote.reason else ""
    if _counts(request, vote, counted):
        word = "Approved" if vote.answer is Answer.APPROVE else "Denied"
        return f"*{word}* {by}{why}"
    what = "approval" if vote.answer is Answer.APPROVE else "denial"
    return f"*Does not count*: {what} {by}{why}"


def _counts(request: Request, vote: Vote, counted: frozenset[str] | None) -> bool:
    """Tell whether an answer counts; where denials count there is no one left to be counted."""
    ids = {vote.actor.person_id, vote.actor.user_id}
    if counted is None:
        return ids.isdisjoint({request.requester.person_id, request.requester.user_id})
    return vote.answer is Answer.APPROVE and not ids.isdisjoint(counted)


def _unknown(request: Request, vote: Vote, now: datetime) -> str:
    """Say that Slack has yet to tell who answered, or that it never did."""
    who, at = _who(vote), text.clock(vote.at)
    is_pending = request.state is RequestState.PENDING
    if is_pending and now - vote.at < LAPSED_AFTER:
        return f"*Unconfirmed* {who} answered at {at}; waits up to 60 s for Slack to say who it is"
    again = "; click again" if is_pending else ""
    return f"*Lapsed* answer of {who} at {at}: Slack never said who it was{again}"


def _who(vote: Vote) -> str:
    return text.mention(vote.actor.user_id, vote.actor.name)
