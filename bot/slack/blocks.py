"""From state to Slack messages: card, board, venue reply.

Pure: draws what it is given and decides nothing. Every message carries its whole meaning in `text`
too, because screen readers and notifications read that and not the blocks. Limits are Slack's, kept
with room to spare; outside text is escaped and cut before it gets in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.contract import Protective
from bot.domain import result as results
from bot.domain.plan import Target
from bot.domain.request import Count, Request, RequestState
from bot.domain.result import Outcome, TargetResult, TargetStatus
from bot.slack import text
from policies.model import Answer, Decision, Verdict, Vote

TEXT_MAX = 3_900
SECTION_MAX = 2_900
LINES_MAX = 40
"""Lines of a list in one message; the rest is counted."""
NO_GUARD = "Nothing here stops a bot from placing new orders. Positions are not read."

Block = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What goes to Slack: always both, text alone would remove the blocks."""

    text: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardView:
    """The stored state that a card shows."""

    request: Request
    votes: tuple[Vote, ...]
    statuses: tuple[TargetStatus, ...]
    decision: Decision | None
    """How the votes stand, judged from snapshots: for display only."""
    chain_head: str


def card(view: CardView) -> Message:
    """Draw the card of a request: who, what, why, how many, who can approve; later the verdict."""
    lines = _headline(view) + _facts(view)
    lines += _standing(view)
    blocks: list[Block] = [_header(lines[0])]
    blocks += [_section(line) for line in _packed(lines[1:])]
    blocks.append(_context(_small_print(view)))
    if buttons := _buttons(view):
        blocks.append(_actions(view.request, buttons))
    return _message([*lines, *_small_print(view)], blocks)


def without_buttons(message: Message) -> Message:
    """Return the message as it is first posted: a lost reply must not leave live buttons."""
    blocks = tuple(block for block in message.blocks if block["type"] != "actions")
    return replace(message, blocks=blocks)


def board(statuses: Sequence[TargetStatus]) -> Message:
    """Draw the board: where every target stands now, one line an account."""
    report = results.summarise(statuses)
    lines = [f"*{report.headline}*", *_cut_list([_status_line(status) for status in statuses])]
    return _message(lines, [_section(part) for part in _packed(lines)])


def venue_reply(request: Request, venue: str, statuses: Sequence[TargetStatus]) -> Message:
    """Draw the reply of one venue: before, after, outcome, cause and remedy of each account."""
    mine = [status.result for status in statuses if status.venue == venue and status.result]
    flat = sum(result.outcome is Outcome.FLAT for result in mine)
    lines = [f"*{text.escape(venue)}: {flat} of {len(mine)} accounts FLAT*"]
    before = _before(request)
    lines += _cut_list([_result_line(result, before.get(result.account)) for result in mine])
    blind = dict.fromkeys(sentence for result in mine for sentence in result.blind_to)
    if blind:
        lines.append(f"Not seen by cancelall: {text.escape('; '.join(blind))}.")
    return _message(lines, [_section(part) for part in _packed(lines)])


def plain(said: str, remedy: str = "") -> Message:
    """Draw a short answer for one person, such as a refusal and what to do instead."""
    line = text.cut(text.escape(f"{said} {remedy}".strip()), SECTION_MAX)
    return _message([line], [_section(line)])


def led(said: str, where: str, request: Request | None = None) -> Message:
    """Draw a short answer that leads to a card; with a request, with the buttons to answer it."""
    line = f"{text.escape(said)} See {where}."
    found = [_section(line)]
    if request is not None:
        found.append(_actions(request, _answers(request)))
    return _message([line], found)


def plain_lines(said: str) -> Message:
    """Draw a longer text of our own, such as the help, as it stands."""
    return _message([said], [_section(f"```{text.cut(said, SECTION_MAX - 10)}```")])


def lines(said: Sequence[str]) -> Message:
    """Draw an answer of several lines of our own words, already escaped."""
    cut = _cut_list(list(said))
    return _message(cut, [_section(part) for part in _packed(cut)])


def _headline(view: CardView) -> list[str]:
    request = view.request
    accounts = text.plural(len(request.plan.targets), "account")
    what = f"Cancel open orders: {accounts}"
    match request.state:
        case RequestState.PENDING:
            return [what, "*PENDING*: nothing is cancelled until enough people approve."]
        case RequestState.RUNNING | RequestState.FINISHED | RequestState.INTERRUPTED:
            report = results.summarise(view.statuses)
            first = f"*{request.state.value}*"
            if report.is_flat and report.seconds is not None:
                first += f": every account FLAT {report.seconds:.1f} s after the deciding click"
            elif request.ended_why and request.state is RequestState.INTERRUPTED:
                first += f": {text.escape(request.ended_why)}"
            return [report.headline, first]
        case _:
            return [what, f"*{request.state.value}*: {text.escape(request.ended_why)}"]


def _facts(view: CardView) -> list[str]:
    request = view.request
    who = text.mention(request.requester.user_id, request.requester.name)
    asked = [f"*Asked by* {who} at {text.clock(request.posted_at)}"]
    if request.reason:
        asked.append(f"*Why* {text.cut(text.escape(request.reason), 500)}")
    asked.append(f"*Command* `/cancelall {text.cut(text.escape(request.command), 500)}`")
    asked.append(f"*Accounts* {text.escape(_accounts(request))}")
    if request.plan.left_out:
        total = len(request.plan.targets) + len(request.plan.left_out)
        left = text.escape(text.names(request.plan.left_out))
        asked.append(f"*{len(request.plan.targets)} of {total}*; not yours: {left}")
    if not request.plan.is_symbols_checked:
        asked.append("*Symbols unchecked*: the venue's list could not be had. Check the spelling.")
    asked.append(f"*Open orders* {_counts(request)}")
    asked.append(f"*Stops, TP/SL, reduce-only* {_protective(request)}")
    not_covered = dict.fromkeys(
        f"{target.account}: {what}"
        for target in request.plan.targets
        for what in target.not_covered
    )
    if not_covered:
        asked.append(f"*Not covered* {text.escape(text.names(list(not_covered)))}")
    asked += [f"*Warning* {text.cut(text.escape(note), 300)}" for note in request.notes[:5]]
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


def _counts(request: Request) -> str:
    if request.counts is None:
        return "being counted"
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


def _before(request: Request) -> dict[str, str]:
    counts = request.counts or ()
    return {count.account: total([count]) for count in counts if count.orders is not None}


def _protective(request: Request) -> str:
    """Say how many protective orders go and how many stay, as far as they were counted."""
    targets = request.plan.targets
    kept = [target.account for target in targets if target.scope.protective is Protective.KEEP]
    gone = [target.account for target in targets if target.account not in kept]
    parts = []
    if kept:
        where = f" on {text.escape(text.names(kept))}" if gone else ""
        parts.append(f"{_how_many(request, kept)}stay{where}")
    if gone:
        where = " elsewhere" if kept else ""
        parts.append(f"{_how_many(request, gone)}go{where}: positions lose their stops")
    return "; ".join(parts)


def _how_many(request: Request, accounts: Sequence[str]) -> str:
    if request.counts is None:
        return ""
    counts = [count for count in request.counts if count.account in accounts]
    is_bound = any(count.orders is None or count.is_at_least for count in counts)
    return f"{'at least ' if is_bound else ''}{sum(count.protective for count in counts):,} "


def _standing(view: CardView) -> list[str]:
    """Say who approved, who may, and until when."""
    request = view.request
    said = [_vote_line(vote) for vote in view.votes]
    if request.state is RequestState.PENDING:
        seats = view.decision.open_seats if view.decision else ()
        if view.decision and view.decision.verdict is Verdict.PENDING:
            need = text.escape("; ".join(seats)) or "one more person"
            said.append(f"*Needs* {need}, not {text.escape(request.requester.name)}")
        said.append(f"*Expires* {text.clock(request.expires_at)}; then nothing happens")
    if request.decided_at is not None and request.state is RequestState.RUNNING:
        said.append(f"*Running since* {text.clock(request.decided_at)}")
    if request.chase_stopped_by is not None:
        said.append(f"*Chase stopped* by {text.escape(request.chase_stopped_by)}")
    if request.state in {RequestState.FINISHED, RequestState.INTERRUPTED}:
        before = _before(request)
        report = results.summarise(view.statuses)
        said += _cut_list(
            [_result_line(result, before.get(result.account)) for result in report.results]
            + [f"{text.escape(account)}: no verdict" for account in report.missing]
        )
    return said


def _vote_line(vote: Vote) -> str:
    who = text.mention(vote.actor.user_id, vote.actor.name)
    why = f": {text.cut(text.escape(vote.reason), 300)}" if vote.reason else ""
    if vote.actor.read_at is None:
        when = text.clock(vote.at)
        return (
            f"*Unconfirmed* {who} answered at {when}; lapses after 60 s unless Slack says who it is"
        )
    word = "Approved" if vote.answer is Answer.APPROVE else "Denied"
    return f"*{word}* by {who} at {text.clock(vote.at)}{why}"


def _status_line(status: TargetStatus) -> str:
    bound = "at least " if status.is_at_least else ""
    now = "unknown" if status.open_now is None else f"{bound}{status.open_now:,}"
    verdict = f"*{status.result.outcome.value}*" if status.result else status.phase.value
    words = [f"{text.escape(status.account)}: {verdict}", f"open {now}"]
    if status.accepted:
        words.append(f"{status.accepted:,} accepted")
    if status.rounds > 1:
        words.append(f"round {status.rounds}")
    if status.cause and not (status.result and status.result.outcome is Outcome.FLAT):
        words.append(text.cut(text.escape(status.cause), 200))
    return ", ".join(words)


def _result_line(result: TargetResult, before: str | None) -> str:
    bound = "at least " if result.is_at_least else ""
    after = "unknown" if result.open_after is None else f"{bound}{result.open_after:,}"
    words = [
        f"*{text.escape(result.account)}: {result.outcome.value}* after {result.seconds:.1f} s",
        f"before {before or 'unknown'}, accepted {result.accepted:,}, open now {after}",
    ]
    if result.cause:
        words.append(text.cut(text.escape(result.cause), 300))
    if result.remedy:
        words.append(text.cut(text.escape(result.remedy), 300))
    if result.residual:
        rest = [f"{order.order_class} {order.symbol} {order.order_id}" for order in result.residual]
        words.append(f"rests: {text.escape(text.names(rest, shown_max=5))}")
    return ". ".join(words)


def _small_print(view: CardView) -> list[str]:
    blind = dict.fromkeys(
        sentence for target in view.request.plan.targets for sentence in target.blind_to
    )
    said = [f"Request {view.request.id}, events {view.chain_head[:12]}", NO_GUARD]
    if blind:
        said.append(f"Not seen by cancelall: {text.escape('; '.join(blind))}.")
    return [text.cut(line, 900) for line in said]


def _buttons(view: CardView) -> list[Block]:
    request = view.request
    value = f"{request.id}:{request.digest}"
    match request.state:
        case RequestState.PENDING:
            return [*_answers(request), _button("withdraw", "Withdraw", value)]
        case RequestState.RUNNING if request.chase_stopped_by is None and _is_judged(view):
            return [_button("stop_chase", "Stop the chase", value)]
        case RequestState.EXPIRED:
            return [_button("ask_again", "Ask again", value)]
        case _:
            return []


def _answers(request: Request) -> list[Block]:
    value = f"{request.id}:{request.digest}"
    approve = _button("approve", "Approve cancel", value, style="danger")
    return [approve | {"confirm": _confirm(request)}, _button("deny", "Deny", value)]


def _actions(request: Request, buttons: list[Block]) -> Block:
    return {"type": "actions", "block_id": f"act-{request.id}", "elements": buttons}


def _is_judged(view: CardView) -> bool:
    """Tell whether a chase goes on: every target has a verdict and one is not FLAT."""
    report = results.summarise(view.statuses)
    return not report.missing and not report.is_flat


def _button(action_id: str, label: str, value: str, *, style: str = "") -> Block:
    button: Block = {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": label},
        "value": value,
    }
    return button | ({"style": style} if style else {})


def _confirm(request: Request) -> Block:
    known = "" if request.counts is None else f" Open orders: {_counts(request)}."
    accounts = text.cut(f"{_accounts(request)}.{known}", 290)
    return {
        "title": {"type": "plain_text", "text": "Cancel all of these orders?"},
        "text": {"type": "plain_text", "text": accounts},
        "confirm": {"type": "plain_text", "text": "Approve cancel"},
        "deny": {"type": "plain_text", "text": "Go back"},
        "style": "danger",
    }


def _cut_list(found: list[str]) -> list[str]:
    if len(found) <= LINES_MAX:
        return found
    return [*found[:LINES_MAX], f"and {len(found) - LINES_MAX} more accounts"]


def _packed(found: Sequence[str]) -> list[str]:
    """Join lines into as few section texts as Slack's limit allows."""
    packed: list[str] = []
    for line in found:
        short = text.cut(line, SECTION_MAX)
        if packed and len(packed[-1]) + len(short) + 1 <= SECTION_MAX:
            packed[-1] = f"{packed[-1]}\n{short}"
        else:
            packed.append(short)
    return packed[:3]


def _header(line: str) -> Block:
    plain_line = {"type": "plain_text", "text": text.cut(line, 150)}
    return {"type": "header", "text": plain_line}


def _section(mrkdwn: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn}}


def _context(found: Sequence[str]) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": line} for line in found]}


def _message(found: Sequence[str], blocks: Sequence[Block]) -> Message:
    return Message(text=text.cut("\n".join(found), TEXT_MAX), blocks=tuple(blocks))
