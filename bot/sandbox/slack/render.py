"""A message as lines of plain text, for a terminal.

Owns how text and blocks read without Slack: mentions as names, dates as their fallback, links as
their labels, buttons as `[Approve]`. Pure, but for the names that the workspace knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from bot.sandbox.slack.records import Ephemeral, Json, Message
from bot.sandbox.slack.workspace import Workspace

RULE = "─" * 40
_TOKEN = re.compile(r"<([^<>\n]+)>")
_ZERO_WIDTH = "\N{ZERO WIDTH SPACE}"
_BOLD, _ITALIC, _STRUCK = (
    # Beside a letter, another mark or a zero-width space it is none, nor with a blank inside it.
    re.compile(
        rf"(?<![\w{it}{_ZERO_WIDTH}]){it}(?!\s)([^{it}\n]*[^{it}\s{_ZERO_WIDTH}]){it}(?![\w{it}])"
    )
    for it in (r"\*", "_", "~")
)


def plain(message: Message | Ephemeral, workspace: Workspace) -> list[str]:
    """Return a message as lines: its blocks if it has any, otherwise its text."""
    if not message.blocks:
        return mrkdwn(message.text, workspace).split("\n")
    return [line for block in message.blocks for line in _block(block, workspace)]


def pings(message: Message | Ephemeral) -> list[str]:
    """Return what in a message makes phones ring: `@U…`, `!subteam^S…`, `!channel`, in order.

    Slack notifies from the blocks' mrkdwn if there are blocks, otherwise from the text; words in
    plain_text, and escaped ones, ring nowhere.
    """
    texts = list(_mrkdwn_texts(message.blocks)) if message.blocks else [message.text]
    tokens = [token.split("|")[0] for text in texts for token in _TOKEN.findall(text)]
    loud = ("@", "!subteam^", "!channel", "!here", "!everyone")
    return [token for token in tokens if token.startswith(loud)]


def mrkdwn(text: str, workspace: Workspace) -> str:
    """Return mrkdwn as a person reads it, without its marks."""
    read = _TOKEN.sub(lambda match: _token(match[1], workspace), text)
    for mark in (_BOLD, _ITALIC, _STRUCK):
        read = mark.sub(r"\1", read)
    read = read.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return read.replace(_ZERO_WIDTH, "")


def _token(token: str, workspace: Workspace) -> str:
    """Return what stands for one `<…>`."""
    target, _, label = token.partition("|")
    kind, rest = target[0], target[1:]
    if kind == "@":
        user = workspace.user(rest)
        return f"@{user.name}" if user else f"@{label or rest}"
    if kind == "#":
        channel = workspace.channel(rest)
        return f"#{channel.name}" if channel else f"#{label or rest}"
    if kind == "!":
        return _special(rest, label, workspace)
    return label or target.removeprefix("mailto:")


def _special(command: str, label: str, workspace: Workspace) -> str:
    word, _, argument = command.partition("^")
    if word == "subteam":
        group = workspace.group(argument)
        return f"@{group.at_name}" if group else label or f"@{argument}"
    if word == "date":
        return label
    return label or f"@{word}"


def _block(block: Json, workspace: Workspace) -> Iterator[str]:
    draw = _DRAWN.get(block["type"])
    if draw is None:
        yield f"({block['type']})"
    else:
        yield from draw(block, workspace)


def _header(block: Json, workspace: Workspace) -> Iterator[str]:
    title = _text(block["text"], workspace)
    yield title
    yield "=" * len(title)


def _section(block: Json, workspace: Workspace) -> Iterator[str]:
    if "text" in block:
        yield from _text(block["text"], workspace).split("\n")
    for field in block.get("fields", ()):
        # A field is usually its name, a line break, its value: one line of a terminal.
        yield "  " + ": ".join(_text(field, workspace).split("\n", 1)).replace("::", ":")
    if "accessory" in block:
        yield _element(block["accessory"], workspace)


def _context(block: Json, workspace: Workspace) -> Iterator[str]:
    for element in block["elements"]:
        said = element.get("alt_text") or _text(element, workspace)
        yield from (f"  {line}" for line in said.split("\n"))


def _actions(block: Json, workspace: Workspace) -> Iterator[str]:
    yield " ".join(_element(element, workspace) for element in block["elements"])
    for element in block["elements"]:
        if "confirm" in element:
            asked = element["confirm"]
            title, text = _text(asked["title"], workspace), _text(asked["text"], workspace)
            yield f"  {_element(element, workspace)} asks first: {title} {text}"


def _input(block: Json, workspace: Workspace) -> Iterator[str]:
    yield f"{_text(block['label'], workspace)}: {_element(block['element'], workspace)}"


def _divider(_block: Json, _workspace: Workspace) -> Iterator[str]:
    yield RULE


def _image(block: Json, _workspace: Workspace) -> Iterator[str]:
    yield f"(image: {block['alt_text']})"


def _markdown(block: Json, _workspace: Workspace) -> Iterator[str]:
    yield from str(block["text"]).split("\n")


_DRAWN: dict[str, Callable[[Json, Workspace], Iterator[str]]] = {
    "header": _header,
    "section": _section,
    "alert": _section,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "divider": _divider,
    "image": _image,
    "markdown": _markdown,
}


def _element(element: Json, workspace: Workspace) -> str:
    shown = element.get("text") or element.get("placeholder")
    if shown is not None:
        return f"[{_text(shown, workspace)}]"
    return f"[{element.get('alt_text', '…')}]"


def _text(text: Json, workspace: Workspace) -> str:
    said = str(text["text"])
    return mrkdwn(said, workspace) if text["type"] == "mrkdwn" else said


def _mrkdwn_texts(blocks: Sequence[Json]) -> Iterator[str]:
    for block in blocks:
        for text in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())):
            if isinstance(text, dict) and text.get("type") == "mrkdwn":
                yield str(text["text"])
