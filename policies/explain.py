"""Complaints in plain words: what is wrong with a policy, and what was probably meant.

Owns `PolicyInvalid`, the words for pydantic's complaints, and the guess at a misspelt word. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError


class PolicyInvalid(Exception):
    """The policy file is wrong; the message names the thing, the remedy says what to do."""

    code = "policy_invalid"
    retryable = False

    def __init__(self, *, user_message: str, remedy: str) -> None:
        super().__init__(f"{user_message} {remedy}")
        self.user_message = user_message
        self.remedy = remedy


SHOWN_MAX = 12
"""Known words listed in a refusal."""


def near(word: str, known: Collection[str]) -> str:
    """Ask whether one of the nearest words was meant; empty if none is near."""
    close = difflib.get_close_matches(word, sorted(known))
    return f"Did you mean {' or '.join(close)}?" if close else ""


def nearest(word: str, known: Collection[str]) -> str:
    """Ask whether one of the nearest words was meant, or else say which are known."""
    return near(word, known) or f"Known: {listed(known)}"


def listed(words: Collection[str]) -> str:
    """List words in order, at most so many of them."""
    ordered = sorted(words)
    shown = ", ".join(ordered[:SHOWN_MAX]) or "none"
    return f"{shown}, …" if len(ordered) > SHOWN_MAX else f"{shown}."


_PLAIN: Mapping[str, str] = {
    "dict_type": "must be a table",
    "float_type": "must be a number",
    "greater_than_equal": "must be at least {ge:g}",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le:g}",
    "model_type": "must be a table",
    "string_too_short": "must not be empty",
    "string_type": "must be text in quotes",
    "too_short": "must not be empty",
    "tuple_type": "must be a list: […]",
}
"""pydantic's words for us, in words for people."""


def explain(
    error: ValidationError, document: Mapping[str, Any], keys: Mapping[str, Collection[str]]
) -> PolicyInvalid:
    """Put one complaint of pydantic into plain words: a misspelt key before what it leaves out.

    `keys`: which may stand at the top (""), in `roles`, a `rule` and its `approve`.
    """
    complaints: list[Any] = list(error.errors(include_url=False))
    first = min(complaints, key=lambda complaint: complaint["type"] != "extra_forbidden")
    path = first["loc"]
    where, within = _place(path, document)
    key = ".".join(part for part in within if isinstance(part, str))
    if path == ("rule",):
        return PolicyInvalid(
            user_message="The policy has no list of rules.", remedy="Begin each with [[rule]]."
        )
    match first["type"]:
        case "extra_forbidden":
            known = keys["approve" if "approve" in path else path[0] if len(path) > 1 else ""]
            return PolicyInvalid(
                user_message=f'{where} has an unknown key "{key}".', remedy=nearest(key, known)
            )
        case "missing":
            return PolicyInvalid(user_message=f'{where} lacks "{key}".', remedy="Add it.")
        case "string_pattern_mismatch":
            return PolicyInvalid(
                user_message=f'{where}: "{first["input"]}" in "{key}" is not a Slack id.',
                remedy="Users start with U or W, groups with S, workspaces with T.",
            )
        case kind:
            why = _PLAIN.get(kind, first["msg"]).format(**first.get("ctx", {}))
            return PolicyInvalid(
                user_message=f'{where}: "{key}" {why}.' if key else f"{where} {why}.",
                remedy="See the example policy for what it may be.",
            )


def _place(
    path: tuple[str | int, ...], document: Mapping[str, Any]
) -> tuple[str, tuple[str | int, ...]]:
    """Say in words where a complaint stands, and which part of its path that leaves."""
    match path:
        case ("rule", int(number), "approve", int(seat), *_):
            return f"{_rule(document, number)}, seat {seat + 1}", path[4:]
        case ("rule", int(number), *_):
            return _rule(document, number), path[2:]
        case ("roles", role, *_):
            return f'Role "{role}"', path[2:]
        case _:
            return "The policy", path


def _rule(document: Mapping[str, Any], number: int) -> str:
    """Name a rule by its name, or by its number if it has none."""
    match document["rule"][number]:
        case {"name": str(name)} if name:
            return f'Rule "{name}"'
        case _:
            return f"Rule {number + 1}"
