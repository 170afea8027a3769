"""The views.* methods, and what a modal may hold.

Owns Slack's limits for modals (https://docs.slack.dev/reference/views/modal-views) and the state of
the fields in one: `view.state.values[block_id][action_id]`, null where nobody touched it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bot.sandbox.slack import blocks as block_kit
from bot.sandbox.slack import schema
from bot.sandbox.slack.modals import STACK_MAX
from bot.sandbox.slack.records import Json, Modal
from bot.sandbox.slack.refusal import Refused
from bot.sandbox.slack.workspace import Workspace

TITLE_MAX = 24
PRIVATE_METADATA_MAX = 3_000
CALLBACK_ID_MAX = 255
VIEW_BYTES_MAX = 250_000


def open_view(workspace: Workspace, args: Json) -> Json:
    """Answer views.open: one modal for the person whose trigger id this is."""
    view = checked(args.get("view"))
    modal = workspace.modals.open(_spend(workspace, args), view)
    return {"view": modal.shown(workspace.app, workspace.team_id)}


def push_view(workspace: Workspace, args: Json) -> Json:
    """Answer views.push: a modal on top of the one open, three at most."""
    view = checked(args.get("view"))
    user = _spend(workspace, args)
    if len(workspace.modals.stack(user)) >= STACK_MAX:
        raise Refused("push_limit_reached")
    modal = workspace.modals.push(user, view)
    return {"view": modal.shown(workspace.app, workspace.team_id)}


def update_view(workspace: Workspace, args: Json) -> Json:
    """Answer views.update; a stale `hash` is refused."""
    view = checked(args.get("view"))
    modal = workspace.modals.find(str(args.get("view_id", "")))
    if modal is None:
        raise Refused("not_found")
    if args.get("hash") not in {None, modal.hash}:
        raise Refused("hash_conflict")
    fresh = workspace.modals.update(modal, view)
    return {"view": fresh.shown(workspace.app, workspace.team_id)}


def _spend(workspace: Workspace, args: Json) -> str:
    """Use the trigger id up and return whose it was."""
    spent = workspace.tickets.spend_trigger(str(args.get("trigger_id", "")))
    if isinstance(spent, str):
        raise Refused(spent)
    return spent.user


def checked(view: object) -> Json:
    """Return the view as Slack keeps it.

    Raises:
        Refused: `invalid_arguments` with what is wrong, or `view_too_large`.
    """
    if not isinstance(view, dict) or view.get("type") != "modal":
        raise Refused("invalid_arguments", ("must provide a modal [json-pointer:/view]",))
    if len(json.dumps(view)) > VIEW_BYTES_MAX:
        raise Refused("view_too_large")
    blocks = view.get("blocks")
    found = [
        *block_kit.complaints(blocks, at_most=block_kit.MODAL_BLOCKS_MAX),
        *_frame_complaints(view),
    ]
    if found or not isinstance(blocks, list):
        raise Refused("invalid_arguments", tuple(found))
    if "submit" not in view and any(block["type"] == "input" for block in blocks):
        missing = schema.complaint("missing required field: submit", "/view")
        raise Refused("invalid_arguments", (missing,))
    kept = block_kit.with_ids(blocks, prefix="view")
    return {**view, "blocks": [_with_action_id(block) for block in kept]}


def _frame_complaints(view: Json) -> Iterator[str]:
    """Yield what is wrong with a view beside its blocks."""
    if "title" not in view:
        yield schema.complaint("missing required field: title", "/view")
    for key in ("title", "submit", "close"):
        if key in view:
            text = view[key].get("text") if isinstance(view[key], dict) else None
            yield from schema.words(TITLE_MAX, at_least=1)(text, f"/view/{key}/text")
    metadata, callback_id = view.get("private_metadata", ""), view.get("callback_id", "")
    yield from schema.words(PRIVATE_METADATA_MAX)(metadata, "/view/private_metadata")
    yield from schema.words(CALLBACK_ID_MAX)(callback_id, "/view/callback_id")


def _with_action_id(block: Json) -> Json:
    if block["type"] != "input":
        return block
    return {**block, "element": {"action_id": f"{block['block_id']}-0", **block["element"]}}


def fields(modal: Modal) -> dict[str, Json]:
    """Return the fields a person can fill in a modal: block id to its input block."""
    return {block["block_id"]: block for block in modal.view["blocks"] if block["type"] == "input"}


def state_of(element: Json, typed: str | list[str] | None) -> Json:
    """Return one entry of `state.values` for what was typed or chosen, null if nothing was."""
    kind = element["type"]
    match kind:
        case "static_select" | "radio_buttons":
            chosen = _options(element, [typed] if isinstance(typed, str) else typed or [])
            return {"type": kind, "selected_option": chosen[0] if chosen else None}
        case "multi_static_select" | "checkboxes":
            chosen = _options(element, [typed] if isinstance(typed, str) else typed or [])
            return {"type": kind, "selected_options": chosen}
        case "users_select":
            return {"type": kind, "selected_user": typed or element.get("initial_user")}
        case _:
            return {"type": kind, "value": typed or element.get("initial_value")}


def _options(element: Json, values: list[str]) -> list[Json]:
    known = {option["value"]: option for option in element.get("options", ())}
    if unknown := [value for value in values if value not in known]:
        raise ValueError(f"no such option in the modal: {', '.join(unknown)}")
    return [known[value] for value in values]


def is_empty(entry: Json) -> bool:
    """Tell whether a field of `state.values` was left without an answer."""
    return not any(value for key, value in entry.items() if key != "type")
