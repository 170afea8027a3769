"""From state to Slack messages: card, board, venue reply.

Pure: draws what it is given and decides nothing. Every message carries its whole meaning in `text`
too, because screen readers and notifications read that and not the blocks. Limits are Slack's, kept
with room to spare; outside text is escaped and cut before it gets in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlsplit

from bot.domain import result as results
from bot.domain.plan import Target
from bot.domain.pull import Pull
from bot.domain.request import Request, RequestState
from bot.domain.result import Outcome, TargetStatus
from bot.flow.ports import Bans
from bot.slack import counted, glass, text, verdicts, votes
from bot.slack.parts import (
    SECTION_MAX,
    SECTIONS_MAX,
    TEXT_MAX,
    Block,
    Message,
    button,
    context,
    header,
    limited,
    message,
    section,
    sections,
)
from bot.slack.verdicts import Line
from policies.model import UNKNOWN, Decision, Verdict, Vote

SMALL_MAX = 900
NO_GUARD = "Nothing here stops a bot from placing new orders. Positions are not read."


@dataclass(frozen=True, slots=True, kw_only=True)
class CardView:
    """The stored state that a card shows."""

    request: Request
    votes: tuple[Vote, ...]
    statuses: tuple[TargetStatus, ...]
    decision: Decision | None
    """How the votes stand while PENDING, judged from snapshots: for display only."""
    approvers: frozenset[str] | None = None
    """Person ids whose approvals counted at the start; None: it has not started, or not known."""
    chain_head: str = ""
    """Hash of the event that ended the request; empty while it is open."""
    bans: Bans = field(default_factory=dict)
    pull: Pull | None = None
    """Who broke the glass; None: it was asked for and approved."""
    now: datetime


def card(view: CardView) -> Message:
    """Draw the card of a request: who, what, why, how many, who can approve; later the verdict."""
    head, small = _headline(view), _small_print(view)
    blocks: list[Block] = [header(head[0])]
    blocks += sections(_told(view, head[1:], SECTIONS_MAX))
    if buttons := _buttons(view):
        blocks.append(_actions(view.request, buttons))
    blocks.append(context(small))  # Last: on a phone nobody scrolls past it to the buttons.
    room = TEXT_MAX - text.length(small)
    told = text.cut("\n".join(_told(view, head, room)), room)
    return message([told, *small], blocks)


def _told(view: CardView, head: Sequence[str], chars_max: int) -> list[str]:
    """Say all of a card within a limit: what was asked may fill half, the answers a quarter."""
    facts = text.cut("\n".join(_facts(view)), chars_max // 2).split("\n")
    said = votes.lines(view.request, view.votes, counted=_who_counts(view), now=view.now)
    answers = limited(said, chars_max // 4, noun="answer")
    around = [*head, *_bans(view), *facts, *answers, *_standing(view)]
    return [*around, *verdicts.fitted(_verdicts(view), chars_max - text.length(around))]


def without_buttons(message: Message) -> Message:
    """Return a card for somebody who only wanted to read it."""
    blocks = tuple(block for block in message.blocks if block["type"] != "actions")
    return replace(message, blocks=blocks)


def opening(request: Request) -> Message:
    """Draw what is posted first and becomes the card; phones show this line.

    If Slack's reply to the post is lost it stays, beside the card: so it must not look like one.
    """
    asks = "asks" if request.state is RequestState.PENDING else "asked"
    accounts = text.plural(len(request.plan.targets), "account")
    why = f" ({text.cut(text.escape(request.reason), 120)})" if request.reason else ""
    line = f"{text.escape(request.requester.name)} {asks} to cancel open orders on {accounts}{why}"
    line += f": request {request.id}. This line becomes the card; if it stays, look below."
    return message([line], [section(line)])


def opening_reply(request: Request, what: str) -> Message:
    """Draw what is posted first into the thread and becomes the board or a venue's reply."""
    line = f"Request {request.id}: this line becomes {text.escape(what)}; if it stays, look below."
    return message([line], [section(line)])


def board(request: Request, statuses: Sequence[TargetStatus]) -> Message:
    """Draw the board: where every target stands now, one line an account, the worst first."""
    report = results.summarise(statuses, is_over=request.state.is_final)
    return _listed(f"*{report.headline}*", verdicts.board(statuses))


def venue_reply(request: Request, venue: str, statuses: Sequence[TargetStatus]) -> Message:
    """Draw the reply of one venue: before, after, outcome, cause and remedy of each account."""
    mine = [status for status in statuses if status.venue == venue and status.result]
    judged = [status.result for status in mine if status.result]
    flat = sum(result.outcome is Outcome.FLAT for result in judged)
    blind = dict.fromkeys(sentence for result in judged for sentence in result.blind_to)
    return _listed(
        f"*{text.escape(venue)}: {flat} of {len(mine)} accounts FLAT*",
        verdicts.found(mine, counted.before(request)),
        _blind(list(blind), venue),
    )


def _listed(title: str, found: Sequence[Line], small: Sequence[str] = ()) -> Message:
    """Draw a title and a line an account; what stands below must survive however many they are."""
    around = text.length([title, *small])

    def told(chars_max: int) -> list[str]:
        return [title, *verdicts.fitted(found, chars_max - around), *small]

    return message(told(TEXT_MAX), sections(told(SECTIONS_MAX)))


def plain(said: str, remedy: str = "") -> Message:
    """Draw a short answer for one person, such as a refusal and what to do instead."""
    line = text.cut(text.escape(f"{said} {remedy}".strip()), SECTION_MAX)
    return message([line], [section(line)])


def led(said: str, where: str, request: Request | None = None) -> Message:
    """Draw a short answer that leads to a card; with a request, with the buttons to answer it."""
    line = f"{text.escape(said)} See {where}."
    found = [section(line)]
    if request is not None:
        found.append(_actions(request, _answers(request)))
    return message([line], found)


def plain_lines(said: str) -> Message:
    """Draw a longer text of our own, such as the help, as it stands."""
    return message([said], [section(f"```{text.cut(said, SECTION_MAX - 10)}```")])


def lines(said: Sequence[str], *, noun: str = "line") -> Message:
    """Draw an answer of several lines of our own words, already escaped; `noun` is what each is."""
    shown = limited(said, SECTIONS_MAX, noun=noun)
    return message(limited(said, TEXT_MAX, noun=noun), sections(shown))


def _headline(view: CardView) -> list[str]:
    request = view.request
    accounts = text.plural(len(request.plan.targets), "account")
    what = f"Cancel open orders: {accounts}"
    match request.state:
        case RequestState.PENDING:
            if view.decision and view.decision.verdict is Verdict.ALLOWED and not view.votes:
                return [what, "*PENDING*: nobody else need approve; it starts at once."]
            return [what, "*PENDING*: nothing is cancelled until enough people approve."]
        case RequestState.RUNNING | RequestState.FINISHED | RequestState.INTERRUPTED:
            return _run_headline(view)
        case _:
            why = f": {_ended_why(request)}" if request.ended_why else ""
            return [what, f"*{request.state.value}*{why}"]


def _run_headline(view: CardView) -> list[str]:
    """Say how the run stands or ended; whoever was interrupted has not watched to the end."""
    request = view.request
    report = results.summarise(view.statuses, is_over=request.state.is_final)
    headline, said = report.headline, []
    if request.state is RequestState.INTERRUPTED:
        headline = f"INTERRUPTED, {'last seen ' if report.is_flat else ''}{headline}"
    elif report.is_flat and report.seconds is not None:
        said.append(f"every account FLAT {report.seconds:.1f} s after the deciding click")
    if request.ended_why not in {"", report.headline}:
        said.append(_ended_why(request))
    if view.pull is not None:
        headline = glass.headline(view.pull, headline)
    return [headline, ": ".join([f"*{request.state.value}*", *said])]


def _bans(view: CardView) -> list[str]:
    """Say which venues of a request listen to nobody at our address, while it is open."""
    if view.request.state.is_final:
        return []
    asked = dict.fromkeys((each.venue, each.base_url) for each in view.request.plan.targets)
    return [
        f"*{text.escape(f'{place[0]} at {urlsplit(place[1]).netloc}')}: BANNED until "
        f"{view.bans[place]:%H:%M} UTC*: it has shut out our address; nothing can be cancelled or "
        "read there until then"
        for place in asked
        if place in view.bans
    ]


def _ended_why(request: Request) -> str:
    return text.cut(text.escape(request.ended_why), 700)


def _facts(view: CardView) -> list[str]:
    request = view.request
    who = text.mention(request.requester.user_id, request.requester.name)
    verb = "Asked" if view.pull is None else "Pulled"
    asked = [f"*{verb} by* {who} at {text.clock(request.posted_at)}"]
    if request.reason:
        asked.append(f"*Why* {text.cut(text.escape(request.reason), 500)}")
    asked.append(f"*Command* {text.command(request.command)}")
    asked.append(f"*Accounts* {text.cut(text.escape(_accounts(request)), 900)}")
    if request.plan.left_out:
        total = len(request.plan.targets) + len(request.plan.left_out)
        left = text.escape(text.names(request.plan.left_out))
        asked.append(f"*{len(request.plan.targets)} of {total}*; not yours: {left}")
    if not request.plan.is_symbols_checked:
        asked.append("*Symbols unchecked*: the venue's list could not be had. Check the spelling.")
    asked.append(f"*Open orders* {counted.said(request)}")
    asked.append(f"*Stops, TP/SL, reduce-only* {counted.protective(request)}")
    asked += [f"*Warning* {text.cut(text.escape(note), 300)}" for note in request.notes[:5]]
    not_covered = dict.fromkeys(
        f"{target.account}: {what}"
        for target in request.plan.targets
        for what in target.not_covered
    )
    if not_covered:
        named = text.cut(text.escape(text.names(list(not_covered))), 900)
        asked.append(f"*Not covered* {named}")
    return asked


def _accounts(request: Request) -> str:
    found = [
        f"{target.account} ({target.venue}){_scope(target)}" for target in request.plan.targets
    ]
    return text.names(found, shown_max=12)


def _scope(target: Target) -> str:
    if target.scope.order_id is not None:
        return f" order {target.scope.order_id} of {target.scope.symbols[0]}"
    if target.scope.symbols:
        return f" only {text.names(list(target.scope.symbols))}"
    return ""


def _standing(view: CardView) -> list[str]:
    """Say whose answer does not count, who may answer, and until when."""
    request, said = view.request, list[str]()
    if request.state is RequestState.PENDING:
        if view.decision and view.decision.verdict is Verdict.PENDING:
            silent = {"seat_open", UNKNOWN}
            ignored = [reason.text for reason in view.decision.reasons if reason.code not in silent]
            said += [text.cut(text.escape(" ".join(ignored)), 300)] if ignored else []
            need = text.escape("; ".join(view.decision.open_seats)) or "one more person"
            said.append(f"*Needs* {need}, not {text.escape(request.requester.name)}")
        if (
            view.decision
            and view.decision.verdict is Verdict.ALLOWED
            and view.votes
            and votes.are_old(view.votes, view.now)
        ):
            said.append("*Not started*: the approvals are over a minute old. Press Approve again.")
        said.append(f"*Expires* {text.clock(request.expires_at)}; then nothing happens")
    if request.decided_at is not None and request.state is RequestState.RUNNING:
        said.append(f"*Running since* {text.clock(request.decided_at)}")
    said += _key_notes(view)
    said += [glass.standing(view.pull, request)] if view.pull is not None else []
    if request.chase_stopped_by is not None:
        said.append(f"*Chase stopped* by {text.escape(request.chase_stopped_by)}")
    return said


def _key_notes(view: CardView) -> list[str]:
    """Name the accounts whose keys came from elsewhere than they should."""
    found: dict[str, list[str]] = {}
    for status in view.statuses:
        if status.key_note:
            found.setdefault(status.key_note, []).append(status.account)
    return [
        text.cut(text.escape(f"Keys of {text.names(accounts)} came from the {note}."), 600)
        for note, accounts in found.items()
    ]


def _who_counts(view: CardView) -> frozenset[str] | None:
    """Return whose approvals count, as judged now or at the start; None if that is not known."""
    if view.request.state is not RequestState.PENDING:
        return view.approvers
    if view.decision is None or view.decision.verdict is Verdict.DENIED:
        return None
    return frozenset(view.decision.counted)


def _verdicts(view: CardView) -> list[Line]:
    if view.request.state not in {RequestState.FINISHED, RequestState.INTERRUPTED}:
        return []
    return verdicts.found(view.statuses, counted.before(view.request))


def _small_print(view: CardView) -> list[str]:
    request = view.request
    proof = f", events {view.chain_head[:12]}" if view.chain_head and request.state.is_final else ""
    # By venue: what four venues hide is more than one element may hold.
    blind = {target.venue: target.blind_to for target in request.plan.targets}
    lines = [line for venue, sentences in blind.items() for line in _blind(sentences, venue)]
    return [f"Request {request.id}{proof}", NO_GUARD, *lines]


def _blind(sentences: Sequence[str], venue: str) -> list[str]:
    if not sentences:
        return []
    said = f"Not seen by cancelall at {venue}: {'; '.join(sentences)}."
    return [text.cut(text.escape(said), SMALL_MAX)]


def _buttons(view: CardView) -> list[Block]:
    request = view.request
    value = f"{request.id}:{request.digest}"
    if view.pull is not None:
        return glass.buttons(view.pull, request, value)
    match request.state:
        case RequestState.PENDING:
            return [*_answers(request), button("withdraw", "Withdraw", value)]
        case RequestState.RUNNING if request.chase_stopped_by is None and _is_judged(view):
            return [button("stop_chase", "Stop the chase", value)]
        case RequestState.EXPIRED:
            return [button("ask_again", "Ask again", value)]
        case _:
            return []


def _answers(request: Request) -> list[Block]:
    value = f"{request.id}:{request.digest}"
    approve = button("approve", "Approve cancel", value, style="danger")
    return [approve | {"confirm": _confirm(request)}, button("deny", "Deny", value)]


def _actions(request: Request, buttons: list[Block]) -> Block:
    return {"type": "actions", "block_id": f"act-{request.id}", "elements": buttons}


def _is_judged(view: CardView) -> bool:
    """Tell whether a chase goes on: every target has a verdict and one is not FLAT."""
    report = results.summarise(view.statuses)
    return not report.missing and not report.is_flat


def _confirm(request: Request) -> Block:
    """Ask whether it is meant: how much goes stands first, for names may take all the room."""
    known = "" if request.counts is None else f"Open orders: {counted.said(request)}. "
    count = text.plural(len(request.plan.targets), "account")
    accounts = text.cut(f"{count}. {known}{_accounts(request)}.", 290)
    return {
        "title": {"type": "plain_text", "text": "Cancel all of these orders?"},
        "text": {"type": "plain_text", "text": accounts},
        "confirm": {"type": "plain_text", "text": "Approve cancel"},
        "deny": {"type": "plain_text", "text": "Go back"},
        "style": "danger",
    }
