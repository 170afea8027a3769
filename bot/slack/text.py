"""Text that is safe and short enough for Slack.

Owns escaping, cutting and dates. Pure. Outside text (a venue's error, a reason, an account name)
goes through `escape()` before it may stand in mrkdwn: a `<!channel>` in it stays dead letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

CUT = "… (cut)"
DIRECTIONS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Characters that turn the words after them round, so that a line may read as another."""
COMMAND_MAX = 500
"""Characters of a command that are shown."""


def escape(outside: str) -> str:
    """Make outside text inert in mrkdwn: no mention, no link, no channel call, no formatting."""
    plain = _entities(outside)
    for mark in "*_~`":
        plain = plain.replace(mark, f"\N{ZERO WIDTH SPACE}{mark}")
    return " ".join(plain.split())


def command(canonical: str) -> str:
    """Write a command in a code span, so that what is copied from it can be pasted back.

    Nothing is formatted there: only entities and a backtick could end it. The canonical form holds
    `&`, `<` and `>` as Slack sends them, escaped once.
    """
    plain = canonical.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    inert = _entities(plain.replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}"))
    return f"`/cancelall {cut(' '.join(inert.split()), COMMAND_MAX)}`"


def _entities(outside: str) -> str:
    straight = outside.translate(DIRECTIONS)
    return straight.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, chars_max: int) -> str:
    """Cut text to at most `chars_max` characters, visibly; never in the middle of an entity."""
    if len(text) <= chars_max:
        return text
    kept = text[: chars_max - len(CUT)]
    start = kept.rfind("&")
    if start > kept.rfind(";") and start >= len(kept) - 5:
        kept = kept[:start]
    opened = kept.rfind("<")
    if opened > kept.rfind(">"):
        kept = kept[:opened]
    return f"{kept.rstrip()}{CUT}"


def clock(at: datetime) -> str:
    """Write a moment so that each reader sees local time, with UTC as the fallback."""
    return f"<!date^{int(at.timestamp())}^{{time_secs}}|{at:%H:%M:%S} UTC>"


def mention(user_id: str, name: str) -> str:
    """Name a person: a mention for a Slack user id, plain words for a machine or a console."""
    if user_id[:1] in {"U", "W"} and user_id.isalnum():
        return f"<@{user_id}>"
    return escape(name)


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: `1 order`, `2 orders`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def names(words: tuple[str, ...] | list[str], *, shown_max: int = 8) -> str:
    """Join names, cut to the first few: `a, b and 3 more`."""
    if len(words) <= shown_max:
        return ", ".join(words)
    return f"{', '.join(words[:shown_max])} and {len(words) - shown_max} more"


def length(lines: Sequence[str]) -> int:
    """Count the characters of lines, each with its line's end."""
    return sum(len(line) + 1 for line in lines)
