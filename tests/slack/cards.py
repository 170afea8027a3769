"""Requests, verdicts and cards for the tests of what Slack is sent."""

from dataclasses import replace

from bot.domain.request import Count, Request
from bot.domain.result import Outcome, Phase, TargetResult, TargetStatus
from bot.slack import blocks
from bot.slack.blocks import CardView
from bot.slack.parts import Message
from tests.fakes import run
from tests.fakes.clock import EPOCH


def request(count: int = 1, **more: object) -> Request:
    found = run.request(*(run.target(f"acc-{n:03}") for n in range(count)))
    return replace(found, **more)  # type: ignore[arg-type]


def counted(*orders: int | None) -> tuple[Count, ...]:
    return tuple(Count(account=f"acc-{n:03}", orders=count) for n, count in enumerate(orders))


def judged(account: str, outcome: Outcome, **more: object) -> TargetStatus:
    facts: dict[str, object] = {"open_after": 0, "seconds": 1.5, "at": EPOCH}
    result = TargetResult(account=account, venue="bybit", outcome=outcome, **(facts | more))  # type: ignore[arg-type]
    return TargetStatus(account=account, venue="bybit", result=result, phase=Phase.ENDED)


def card(found: Request, *statuses: TargetStatus, **more: object) -> Message:
    facts: dict[str, object] = {"votes": (), "decision": None, "now": EPOCH}
    return blocks.card(CardView(request=found, statuses=statuses, **(facts | more)))  # type: ignore[arg-type]


def buttons(message: Message) -> list[str]:
    return [
        element["text"]["text"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def whole(message: Message) -> str:
    """What the blocks say, without those of the buttons."""
    found = [b["text"]["text"] for b in message.blocks if b["type"] == "section"]
    return "\n".join(found)


def many(count: int, bad: dict[int, Outcome], **more: object) -> tuple[TargetStatus, ...]:
    return tuple(
        judged(f"acc-{n:03}", bad.get(n, Outcome.FLAT), **(more if n in bad else {}))
        for n in range(count)
    )
