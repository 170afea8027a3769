"""The fence around each thing that a check looks at."""

import asyncio

import pytest

from bot.checks.slate import Slate, Spot

VENUE = Spot(part="venue")
BYBIT = Spot(part="venue", about="bybit", accounts=("mm",))
PEOPLE = Spot(part="policy", about="people")


async def test_a_bug_in_one_look_is_a_line_and_ends_no_other(caplog: pytest.LogCaptureFixture):
    slate = Slate()

    async def broken() -> None:
        raise RuntimeError("canary")

    async def whole() -> None:
        slate.add(PEOPLE.fine("x", "fine"))

    async with asyncio.TaskGroup() as group:
        group.create_task(slate.guarded(BYBIT, broken))
        group.create_task(slate.guarded(PEOPLE, whole))
    assert [finding.line for finding in slate.findings] == [
        (
            "wrong    venue    bybit: a bug in cancelall kept this from being looked at. "
            "Show the log to whoever mends cancelall."
        ),
        "fine     policy   people: fine.",
    ]
    assert [record.message for record in caplog.records] == ["check.failed"]
    assert slate.findings[0].is_blind
    assert slate.looking == []


async def test_what_did_not_answer_is_named_and_not_what_waits_for_it():
    slate, never = Slate(), asyncio.Event()

    async def hang() -> None:
        await never.wait()

    async def venues() -> None:
        await slate.guarded(BYBIT, hang, within=VENUE)

    try:
        async with asyncio.timeout(0.05), asyncio.TaskGroup() as group:
            group.create_task(slate.guarded(VENUE, venues))
            group.create_task(slate.guarded(PEOPLE, hang))
    except TimeoutError:
        slate.give_up(0.05)
    late = [(each.part, each.about, each.text, each.is_blind) for each in slate.findings]
    assert sorted(late) == [
        ("policy", "people", "no answer within 0.05 s", True),
        ("venue", "bybit", "no answer within 0.05 s", True),
    ]
