"""Answers to one person: status, the policy, a dry run.

Owns what these say. Reads the store, decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.contract import Protective
from bot.domain import finding as findings
from bot.domain import result as results
from bot.domain.finding import Change, Checkup, Grade
from bot.domain.plan import Plan
from bot.domain.request import Count, Request, RequestState
from bot.flow import desk as desks
from bot.flow.desk import Desk
from bot.flow.ports import KeySource
from bot.flow.preview import Previewer
from bot.slack import blocks, counted, text
from bot.slack.parts import Message
from policies import evaluate

HOUR_MIN = 60


async def status(desk: Desk, checkup: Checkup | None = None) -> Message:
    """Say what is pending, what is running, and what the last check said of each account."""
    found = []
    for request in await desk.store.open_requests():
        line = f"*{request.id}* {request.state.value}: {text.command(request.command)}"
        line += f" by {text.escape(request.requester.name)} at {text.clock(request.posted_at)}"
        if request.state is RequestState.RUNNING:
            line += f". {results.summarise(await desk.store.statuses(request.id)).headline}"
        found.append(line)
    for pull in await desk.pulls.red():
        line = f"*{pull.request_id}* BREAK GLASS by {text.escape(pull.by)} (console): red until"
        found.append(f"{line} somebody closes it: /cancelall show {pull.request_id}")
    accounts = text.plural(len(desk.directory.accounts), "account")
    nothing = f"Nothing is pending or running. {accounts} in the config."
    checked = [] if checkup is None else _checked(desk, checkup)
    return blocks.lines([*(found or [nothing]), *checked])


def _checked(desk: Desk, checkup: Checkup) -> list[str]:
    """Say the worst that a check found of each account, the worst first, and how long ago."""
    minutes = int((desk.clock.now() - checkup.at).total_seconds() // 60)
    ago = f"{minutes} min ago" if minutes < HOUR_MIN else f"{minutes // HOUR_MIN} h ago"
    said = []
    for account in desk.directory.accounts:
        worst = checkup.of_account(account.name)
        grade = Grade.UNKNOWN if worst is None else worst.grade
        known = "not checked yet" if worst is None else f"{grade.value}, {ago}"
        line = f"{text.escape(account.name)}: {known}"
        if worst is not None and grade is not Grade.FINE:
            line += f": {text.cut(text.escape(f'{worst.text}. {worst.remedy}'), 300)}"
        said.append((findings.ORDER.index(grade), line))
    return [line for _, line in sorted(said, key=lambda each: each[0])]


def changes(change: Change) -> Message:
    """Say what a check found that the one before it had not, and what it no longer finds."""
    groups = {"new": findings.arranged(change.new), "gone": findings.arranged(change.gone)}
    counts = ", ".join(f"{len(found)} {word}" for word, found in groups.items())
    said = [f"*cancelall check*: {counts}"]
    for word, found in groups.items():
        said += [f"*{word}* {text.cut(text.escape(each.line), 600)}" for each in found]
    return blocks.lines(said)


def policy(desk: Desk) -> Message:
    """Say which rules hold, and the digest of the policy."""
    found = [f"Policy {desk.policy.digest[:12]}"]
    for rule in desk.policy.rules:
        seats = [f"{seat.count} of {', '.join(seat.roles)}" for seat in rule.approve]
        need = " and ".join(seats) or "nobody else"
        line = f"{rule.name} ({rule.covers}): {', '.join(rule.ask)} may ask; needs {need}"
        found.append(text.escape(line))
    return blocks.lines(found, noun="rule")


def dry_run(plan: Plan, counts: Sequence[Count]) -> Message:
    """Say what would be cancelled; what could not be counted is "unknown"."""
    unknown = sum(count.orders is None for count in counts)
    total = f"{counted.total(counts)} open orders" if unknown < len(counts) else "no count"
    more = f", {text.plural(unknown, 'account')} unknown" if unknown else ""
    found = [f"*Dry run*: {total}{more}. No cancel was sent."]
    if plan.left_out:
        found.append(f"Not yours: {text.escape(text.names(plan.left_out))}")
    by_account = {target.account: target for target in plan.targets}
    for count in counts:
        name = text.escape(f"{count.account} ({by_account[count.account].venue})")
        if count.orders is None:
            found.append(f"{name}: unknown, {text.cut(text.escape(count.why), 200)}")
            continue
        is_kept = by_account[count.account].scope.protective is Protective.KEEP
        stops = f"{count.protective:,} stops, TP/SL or reduce-only"
        also = f", beside {stops} that stay" if is_kept else f", of them {stops}"
        found.append(f"{name}: {counted.total([count])}{also if count.protective else ''}")
    return blocks.lines(found, noun="account")


async def count(desk: Desk, previewer: Previewer, request: Request) -> None:
    """Count a request's orders, and look for seats that nobody can fill and keys out of reach.

    No key that can cancel is read: the source is asked whether it would let us read them.
    """
    async with asyncio.TaskGroup() as group:
        counting = group.create_task(previewer.count(request.plan))
        asking = group.create_task(_locked(previewer.keys, request))
    counts = counting.result()
    users = frozenset(user for role in desk.policy.roles.values() for user in role.users)
    roster = await desk.people.roster(users, desks.voter_groups(desk, request))
    notes = [
        f"Slack knows no user group {name}: nobody is in it." for name in desk.people.missing()
    ]
    if roster is not None:
        accounts = [target.for_policy() for target in request.plan.targets]
        reasons = evaluate.unsatisfiable(desk.policy, accounts, request.requester, roster)
        notes += [reason.text for reason in reasons]
    notes += asking.result()  # Last: however many they are, a seat that nobody can fill is told.
    if await desk.store.counted(request.id, counts, notes=notes) is not None:
        desk.changed(request.id)


async def _locked(keys: KeySource, request: Request) -> list[str]:
    """Say of which accounts the key could not be had now, and what to do about it."""
    unreadable = await keys.unreadable({target.key for target in request.plan.targets})
    found: dict[str, list[str]] = {}
    for target in request.plan.targets:
        if error := unreadable.get(target.key):
            why = f"{error.user_message.rstrip('.')}. {error.remedy}".strip()
            found.setdefault(why, []).append(target.account)
    return [f"Keys of {text.names(names)}: {why}" for why, names in found.items()]
