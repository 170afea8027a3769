"""What Slack messages are made of: sections, buttons and lines, within Slack's limits.

Pure. Limits are kept with room to spare; what does not fit is cut visibly or counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.slack import text

TEXT_MAX = 3_900
SECTION_MAX = 2_900
SECTIONS_MAX = 7_000
"""Characters of all sections of a message: Slack refuses about 13,200 in all blocks together."""
LINES_MAX = 40
"""Lines of a list in one answer; the rest is counted."""

Block = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What goes to Slack: always both, text alone would remove the blocks."""

    text: str
    blocks: tuple[Block, ...]


def button(action_id: str, label: str, value: str, *, style: str = "") -> Block:
    """Draw a button; `style` is `danger` or nothing."""
    plain: Block = {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": label},
        "value": value,
    }
    return plain | ({"style": style} if style else {})


def limited(found: Sequence[str], chars_max: int, *, noun: str) -> list[str]:
    """Keep the first lines that fit and count the others: `and 3 more rules`."""
    shown = list(found)
    while len(shown) > LINES_MAX or text.length(shown) > chars_max - 40:
        shown.pop()
    if left := len(found) - len(shown):
        shown.append(f"and {text.plural(left, f'more {noun}')}")
    return shown


def sections(found: Sequence[str]) -> list[Block]:
    """Join lines into as few sections as Slack's limit allows."""
    packed: list[str] = []
    for line in found:
        short = text.cut(line, SECTION_MAX)
        if packed and len(packed[-1]) + len(short) + 1 <= SECTION_MAX:
            packed[-1] = f"{packed[-1]}\n{short}"
        else:
            packed.append(short)
    return [section(part) for part in packed]


def header(line: str) -> Block:
    """Draw the big line at the top, of plain text."""
    plain_line = {"type": "plain_text", "text": text.cut(line, 150)}
    return {"type": "header", "text": plain_line}


def section(mrkdwn: str) -> Block:
    """Draw text in mrkdwn, already escaped and short enough."""
    return {"type": "section", "text": _mrkdwn(mrkdwn)}


def context(found: Sequence[str]) -> Block:
    """Draw the small print, in mrkdwn."""
    return {"type": "context", "elements": [_mrkdwn(line) for line in found]}


def _mrkdwn(line: str) -> Block:
    """Verbatim: Slack links and mentions nothing by itself in words that came from outside."""
    return {"type": "mrkdwn", "text": line, "verbatim": True}


def message(found: Sequence[str], blocks: Sequence[Block]) -> Message:
    """Join blocks and the lines that say the same."""
    return Message(text=text.cut("\n".join(found), TEXT_MAX), blocks=tuple(blocks))
