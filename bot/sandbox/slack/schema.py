"""Rules that a JSON value must keep, with Slack's words for the ones it breaks.

Owns the small vocabulary in which `blocks` writes down Block Kit. A rule takes a value and its
JSON pointer and yields complaints such as
`must be less than 151 characters [json-pointer:/blocks/0/text/text]`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Rule = Callable[[object, str], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One JSON object: what each key may hold and which must be there; `type` is always known."""

    keys: Mapping[str, Rule]
    required: frozenset[str] = frozenset()


def complaint(words: str, pointer: str) -> str:
    """Word one broken rule as Slack does."""
    return f"{words} [json-pointer:{pointer}]"


def anything(_value: object, _pointer: str) -> Iterator[str]:
    """Accept what the sandbox does not look into."""
    yield from ()


def flag(value: object, pointer: str) -> Iterator[str]:
    """Demand true or false."""
    if not isinstance(value, bool):
        yield complaint("must provide a boolean", pointer)


def words(chars_max: int, *, at_least: int = 0) -> Rule:
    """Demand a string of a length."""

    def rule(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield complaint("must provide a string", pointer)
        elif len(value) > chars_max:
            yield complaint(f"must be less than {chars_max + 1} characters", pointer)
        elif len(value) < at_least:
            yield complaint(f"must be more than {at_least - 1} characters", pointer)

    return rule


def one_of(*allowed: str) -> Rule:
    """Demand one of a few words."""

    def rule(value: object, pointer: str) -> Iterator[str]:
        if value not in allowed:
            yield complaint("must be a valid enum value", pointer)

    return rule


def many(rule: Rule, *, at_most: int, at_least: int = 1) -> Rule:
    """Demand a list of a length, each entry keeping `rule`."""

    def check(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield complaint("must provide an array", pointer)
            return
        if len(value) > at_most:
            yield complaint(f"no more than {at_most} items allowed", pointer)
        if len(value) < at_least:
            yield complaint(f"no fewer than {at_least} items allowed", pointer)
        for place, entry in enumerate(value):
            yield from rule(entry, f"{pointer}/{place}")

    return check


def shaped(shapes: Mapping[str, Shape]) -> Rule:
    """Demand an object whose `type` names one of the shapes; unknown keys are refused."""

    def rule(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield complaint("must provide an object", pointer)
            return
        shape = shapes.get(str(value.get("type", "")))
        if shape is None:
            yield complaint(f"unsupported type: {value.get('type')}", f"{pointer}/type")
            return
        yield from _keys(value, shape, pointer)

    return rule


def plain_object(shape: Shape) -> Rule:
    """Demand an object without a `type`, such as a confirm dialog or an option."""

    def rule(value: object, pointer: str) -> Iterator[str]:
        if isinstance(value, dict):
            yield from _keys(value, shape, pointer)
        else:
            yield complaint("must provide an object", pointer)

    return rule


def _keys(value: dict[str, object], shape: Shape, pointer: str) -> Iterator[str]:
    for key in sorted(shape.required - value.keys()):
        yield complaint(f"missing required field: {key}", pointer)
    for key, inner in value.items():
        known = shape.keys.get(key)
        if known is not None:
            yield from known(inner, f"{pointer}/{key}")
        elif key != "type":
            yield complaint(f"no more than allowed properties: {key}", pointer)
