"""The demo's story: what people do in the channel, and the channel as a terminal shows it.

Owns the plot and the lines. Acts only as people can: by typing and clicking in Slack.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.sandbox import world as worlds
from bot.sandbox.slack import render
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.records import Ephemeral, Message
from bot.sandbox.world import ALICE, BOB, GINA, INCIDENT, MALLORY, World

Say = Callable[[str], None]
PATIENCE_S = 40.0
LISTED_S = 1.0
"""A bot that has just started reads what Bybit lists; before that it counts "at least"."""
LONG = 100
"""A row of more letters is told once."""
ACCEPTED = (
    '"Accepted" may exceed "before": what still rests in the next round is accepted again; '
    'or fall short of it: a lost reply. "Open now" is what two readings found.'
)


@dataclass(slots=True, kw_only=True)
class Story:
    """The story being told."""

    world: World
    people: Delivery
    say: Say
    began: float = field(default_factory=time.monotonic)
    told: set[str] = field(default_factory=set)
    """Rows of messages that were shown."""

    def line(self, words: str = "") -> None:
        """Say one line of the story, with the seconds since it began."""
        self.say(f"{time.monotonic() - self.began:6.1f}  {words}" if words else "")


async def tell(story: Story) -> bool:
    """Play the whole story; True if every account was reported FLAT."""
    world = story.world
    accounts, venues = len(world.accounts), len(world.venues)
    story.line(f"{world.total():,} orders rest on {accounts} accounts at {venues} venues.")
    if world.unlucky is not None:
        story.line(f"seed {world.seed}: on {world.unlucky.name}, {world.fault_words}.")
    await asyncio.sleep(LISTED_S)
    await _type(story, ALICE, "all --dry-run")
    await _type(story, ALICE, 'all --reason "runaway quoter"')
    card = await _card(story)
    for who in (ALICE, GINA, MALLORY):
        await _press(story, who, card.ts, "approve")
    if world.unlucky is not None and world.fault is not None:
        world.venues[world.unlucky.venue].faults.add(world.fault)
    await _press(story, BOB, card.ts, "approve", is_quiet=True)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_watch(story))
        is_flat = await _reported(story, card.ts)
        watching.cancel()
    _show_thread(story, card.ts)
    return is_flat


async def _type(story: Story, who: str, words: str) -> None:
    """Type a command and show what Slack shows to whoever typed it."""
    story.line()
    story.line(f"{_name(story, who)} types  /cancelall {words}")
    before = len(story.world.workspace.ephemerals(who))
    await story.people.slash(who, INCIDENT, "/cancelall", words)
    await _answer(story, who, before)


async def _press(story: Story, who: str, ts: str, action: str, *, is_quiet: bool = False) -> None:
    """Press a button of the card and show the answer that only this person sees."""
    story.line()
    before = len(story.world.workspace.ephemerals(who))
    story.line(f"{_name(story, who)} presses [Approve cancel] and confirms")
    await story.people.click(who, INCIDENT, ts, action)
    if not is_quiet:
        await _answer(story, who, before)


async def _answer(story: Story, who: str, before: int) -> None:
    found = await story.world.workspace.wait_for(
        lambda: story.world.workspace.ephemerals(who)[before:], timeout_s=PATIENCE_S
    )
    for message in found:
        _show(story, message, f"only {_name(story, who)} sees this")


async def _card(story: Story) -> Message:
    """Wait for the card with its buttons and its counts."""

    def ready() -> Message | None:
        for message in story.world.workspace.messages(INCIDENT):
            has_buttons = any(block["type"] == "actions" for block in message.blocks)
            if has_buttons and "being counted" not in message.text:
                return message
        return None

    found = await story.world.workspace.wait_for(ready, timeout_s=PATIENCE_S)
    assert found is not None
    story.line()
    _show(story, found, "#incident")
    return found


async def _watch(story: Story) -> None:
    """Show how the books empty, as they are asked directly, and when the fault strikes."""
    world, met, before = story.world, 0, ""
    while True:
        await asyncio.sleep(0.25)
        if world.unlucky is not None and world.fault is not None and world.fault.met > met:
            met = world.fault.met
            story.line(f"{world.unlucky.name}: calls that went wrong as foretold: {met}")
        counts = worlds.counts(world.venues)
        if world.total() and counts != before:
            story.line(f"on the books: {counts}")
        before = counts


async def _reported(story: Story, ts: str) -> bool:
    """Wait until every account has a verdict; True if all are FLAT."""

    def is_told() -> bool:
        card = story.world.workspace.message(INCIDENT, ts)
        replies = story.world.workspace.thread(INCIDENT, ts)
        is_flat = card is not None and card.text.startswith("FLAT:")
        said = "".join(reply.text for reply in replies)
        return is_flat and all(f"*{name}:" in said for name in story.world.venues)

    try:
        await story.world.workspace.wait_for(is_told, timeout_s=PATIENCE_S)
    except TimeoutError:
        return False
    return True


def _show_thread(story: Story, ts: str) -> None:
    workspace = story.world.workspace
    card = workspace.message(INCIDENT, ts)
    for message in [card, *workspace.thread(INCIDENT, ts)]:
        if message is not None:
            story.line()
            where = "#incident" if message is card else "thread"
            _show(story, message, where)
    story.line()
    story.say(f"        {ACCEPTED}")


def _show(story: Story, message: Message | Ephemeral, where: str) -> None:
    """Show a message; rows that stood in one before it are only counted."""
    story.say(f"        ┌ {where}")
    rows = [row for row in render.plain(message, story.world.workspace) if row.strip("= ")]
    for is_told, run in itertools.groupby(rows, key=lambda row: row.strip() in story.told):
        same = list(run)
        if is_told and (len(same) > 1 or len(same[0]) > LONG):
            same = ["… as before"]
        for row in same:
            story.say(f"        │ {row}")
    story.told.update(row.strip() for row in rows)


def _name(story: Story, user_id: str) -> str:
    user = story.world.workspace.user(user_id)
    assert user is not None
    words = {BOB: "from risk", GINA: "a guest", MALLORY: "of another company"}
    return (
        f"{user.name.capitalize()} ({words[user_id]})"
        if user_id in words
        else user.name.capitalize()
    )
