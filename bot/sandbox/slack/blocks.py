"""Block Kit as Slack checks it: which blocks are refused, and in which words.

Owns Slack's documented limits for blocks and their elements
(https://docs.slack.dev/reference/block-kit) and the undocumented one on all blocks together. Pure.
Blocks that no part of this program draws (tables, rich text, video) are let through unread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from bot.sandbox.slack import schema
from bot.sandbox.slack.records import Json
from bot.sandbox.slack.schema import Rule, Shape

MESSAGE_BLOCKS_MAX = 50
MODAL_BLOCKS_MAX = 100
CHARS_TOGETHER_MAX = 13_200
"""Not documented and not exact: https://github.com/slackapi/bolt-js/issues/2509."""
ID_MAX = 255

UNREAD_BLOCKS = ("rich_text", "video", "file", "table", "context_actions", "plan", "task_card")


def _text(chars_max: int, *types: str) -> Rule:
    keys: dict[str, Rule] = {"text": schema.words(chars_max, at_least=1)}
    plain = Shape(keys=keys | {"emoji": schema.flag}, required=frozenset({"text"}))
    mrkdwn = Shape(keys=keys | {"verbatim": schema.flag}, required=frozenset({"text"}))
    allowed = types or ("plain_text", "mrkdwn")
    both = {"plain_text": plain, "mrkdwn": mrkdwn}
    return schema.shaped({name: both[name] for name in allowed})


def _plain(chars_max: int) -> Rule:
    return _text(chars_max, "plain_text")


def _confirm() -> Rule:
    keys = {
        "title": _plain(100),
        "text": _plain(300),
        "confirm": _plain(30),
        "deny": _plain(30),
        "style": schema.one_of("primary", "danger"),
    }
    required = frozenset({"title", "text", "confirm", "deny"})
    return schema.plain_object(Shape(keys=keys, required=required))


def _option() -> Rule:
    keys = {"text": _text(75), "value": schema.words(150), "description": _plain(75)}
    return schema.plain_object(Shape(keys=keys, required=frozenset({"text", "value"})))


def _elements() -> dict[str, Shape]:
    """Return every interactive element that the sandbox knows, by type."""
    every = {"action_id": schema.words(ID_MAX, at_least=1), "confirm": _confirm()}
    every["focus_on_load"] = schema.flag
    selecting = every | {
        "placeholder": _plain(150),
        "options": schema.many(_option(), at_most=100),
        "option_groups": schema.many(schema.anything, at_most=100),
        "initial_option": _option(),
        "initial_options": schema.many(_option(), at_most=100),
        "max_selected_items": schema.anything,
    }
    picking = every | {"options": schema.many(_option(), at_most=10)}
    picking |= {"initial_option": _option(), "initial_options": schema.many(_option(), at_most=10)}
    button = every | {
        "text": _plain(75),
        "value": schema.words(2_000),
        "url": schema.words(3_000),
        "style": schema.one_of("primary", "danger"),
        "accessibility_label": schema.words(75),
    }
    typing = every | {
        "placeholder": _plain(150),
        "initial_value": schema.words(3_000),
        "multiline": schema.flag,
        "min_length": schema.anything,
        "max_length": schema.anything,
        "dispatch_action_config": schema.anything,
    }
    people = every | {"placeholder": _plain(150), "initial_user": schema.words(ID_MAX)}
    overflow = every | {"options": schema.many(_option(), at_most=5)}
    return {
        "button": Shape(keys=button, required=frozenset({"text"})),
        "static_select": Shape(keys=selecting),
        "multi_static_select": Shape(keys=selecting),
        "users_select": Shape(keys=people),
        "overflow": Shape(keys=overflow, required=frozenset({"options"})),
        "checkboxes": Shape(keys=picking, required=frozenset({"options"})),
        "radio_buttons": Shape(keys=picking, required=frozenset({"options"})),
        "plain_text_input": Shape(keys=typing),
    }


def _image() -> Shape:
    keys = {
        "image_url": schema.words(3_000),
        "alt_text": schema.words(2_000, at_least=1),
        "title": _plain(2_000),
        "block_id": schema.words(ID_MAX),
    }
    return Shape(keys=keys, required=frozenset({"alt_text", "image_url"}))


def _blocks() -> dict[str, Shape]:
    """Return every block that the sandbox knows, by type."""
    every = {"block_id": schema.words(ID_MAX)}
    elements = _elements()
    beside = schema.shaped(elements | {"image": _image()})
    either = Shape(keys=_text_keys(3_000), required=frozenset({"text"}))
    section = every | {
        "text": _text(3_000),
        "fields": schema.many(_text(2_000), at_most=10),
        "accessory": beside,
        "expand": schema.flag,
    }
    small = schema.shaped({"plain_text": either, "mrkdwn": either, "image": _image()})
    asking = every | {
        "label": _plain(2_000),
        "element": schema.shaped(elements),
        "hint": _plain(2_000),
        "optional": schema.flag,
        "dispatch_action": schema.flag,
    }
    level = schema.one_of("default", "info", "warning", "error", "success")
    return {
        "header": Shape(keys=every | {"text": _plain(150)}, required=frozenset({"text"})),
        "section": Shape(keys=section),
        "context": Shape(
            keys=every | {"elements": schema.many(small, at_most=10)},
            required=frozenset({"elements"}),
        ),
        "actions": Shape(
            keys=every | {"elements": schema.many(schema.shaped(elements), at_most=25)},
            required=frozenset({"elements"}),
        ),
        "divider": Shape(keys=every),
        "image": _image(),
        "input": Shape(keys=asking, required=frozenset({"label", "element"})),
        "markdown": Shape(
            keys=every | {"text": schema.words(12_000, at_least=1)}, required=frozenset({"text"})
        ),
        "alert": Shape(
            keys=every | {"text": _text(3_000), "level": level}, required=frozenset({"text"})
        ),
    }


def _text_keys(chars_max: int) -> dict[str, Rule]:
    text = schema.words(chars_max, at_least=1)
    return {"text": text, "emoji": schema.flag, "verbatim": schema.flag}


def complaints(blocks: object, *, at_most: int = MESSAGE_BLOCKS_MAX) -> tuple[str, ...]:
    """Return every reason to refuse these blocks, in Slack's words; empty if there is none."""
    read = schema.shaped(_blocks())

    def rule(value: object, pointer: str) -> Iterator[str]:
        if not (isinstance(value, dict) and value.get("type") in UNREAD_BLOCKS):
            yield from read(value, pointer)

    found = list(schema.many(rule, at_most=at_most, at_least=0)(blocks, "/blocks"))
    if not found and isinstance(blocks, list):
        found += _beyond_one_key(blocks)
    return tuple(found)


def _beyond_one_key(blocks: Sequence[Json]) -> Iterator[str]:
    """Yield what no single key shows: empty sections and ids used twice."""
    ids = Counter(block["block_id"] for block in blocks if block.get("block_id"))
    for place, block in enumerate(blocks):
        pointer = f"/blocks/{place}"
        if block["type"] == "section" and not {"text", "fields"} & block.keys():
            yield schema.complaint("missing required field: text", pointer)
        if ids[block.get("block_id")] > 1:
            yield schema.complaint("block_id already exists", f"{pointer}/block_id")
        actions = Counter(
            element["action_id"] for element in elements_of(block) if "action_id" in element
        )
        for action_id, count in actions.items():
            if count > 1:
                yield schema.complaint(f"action_id {action_id} already exists", pointer)


def elements_of(block: Json) -> tuple[Json, ...]:
    """Return the elements of one block that a person can act on."""
    found = list(block.get("elements", ())) if block["type"] == "actions" else []
    found += [block[key] for key in ("accessory", "element") if key in block]
    return tuple(found)


def chars_together(blocks: object) -> int:
    """Count the characters of every text in the blocks, as the limit on all of them does."""
    match blocks:
        case dict():
            own = blocks.get("text")
            here = len(own) if isinstance(own, str) else 0
            return here + sum(chars_together(inner) for inner in blocks.values())
        case list() | tuple():
            return sum(chars_together(inner) for inner in blocks)
        case _:
            return 0


def with_ids(blocks: Sequence[Json], *, prefix: str) -> tuple[Json, ...]:
    """Return the blocks as Slack stores them: with the ids that the app left out."""
    stored = []
    for place, block in enumerate(blocks):
        block_id = block.get("block_id") or f"{prefix}-{place}"
        kept = {**block, "block_id": block_id}
        if block["type"] == "actions":
            kept["elements"] = [
                {"action_id": f"{block_id}-{number}", **element}
                for number, element in enumerate(block["elements"])
            ]
        stored.append(kept)
    return tuple(stored)
