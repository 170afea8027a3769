"""Block Kit's limits: at the limit it is taken, one beyond it is refused in Slack's words."""

from typing import Any

import pytest

from bot.sandbox.slack import blocks, views
from bot.sandbox.slack.refusal import Refused

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def actions(**button: Any) -> Json:
    element = {"type": "button", "action_id": "approve", "text": plain("Approve"), **button}
    return {"type": "actions", "elements": [element]}


def confirm(**parts: Json) -> Json:
    asked = {"title": plain("t"), "text": plain("x"), "confirm": plain("y"), "deny": plain("n")}
    return actions(confirm=asked | parts)


LIMITS = [
    (lambda n: section("x" * n), 3_000, "/blocks/0/text/text"),
    (lambda n: {"type": "header", "text": plain("x" * n)}, 150, "/blocks/0/text/text"),
    (lambda n: {"type": "section", "fields": [plain("x" * n)]}, 2_000, "/blocks/0/fields/0/text"),
    (lambda n: actions(text=plain("x" * n)), 75, "/blocks/0/elements/0/text/text"),
    (lambda n: actions(value="x" * n), 2_000, "/blocks/0/elements/0/value"),
    (lambda n: actions(action_id="x" * n), 255, "/blocks/0/elements/0/action_id"),
    (lambda n: section("x") | {"block_id": "x" * n}, 255, "/blocks/0/block_id"),
    (lambda n: confirm(title=plain("x" * n)), 100, "/blocks/0/elements/0/confirm/title/text"),
    (lambda n: confirm(text=plain("x" * n)), 300, "/blocks/0/elements/0/confirm/text/text"),
    (lambda n: confirm(deny=plain("x" * n)), 30, "/blocks/0/elements/0/confirm/deny/text"),
]


@pytest.mark.parametrize(("draw", "limit", "pointer"), LIMITS)
def test_a_text_one_beyond_its_limit_is_refused(draw: Any, limit: int, pointer: str) -> None:
    assert blocks.complaints([draw(limit)]) == ()
    words = f"must be less than {limit + 1} characters [json-pointer:{pointer}]"
    assert blocks.complaints([draw(limit + 1)]) == (words,)


COUNTS = [
    (lambda n: [{"type": "divider"}] * n, 50),
    (lambda n: [{"type": "section", "fields": [plain("x")] * n}], 10),
    (lambda n: [{"type": "context", "elements": [plain("x")] * n}], 10),
    (lambda n: [{"type": "actions", "elements": [button(place) for place in range(n)]}], 25),
]


def button(number: int) -> Json:
    return {"type": "button", "action_id": f"a{number}", "text": plain("x")}


@pytest.mark.parametrize(("draw", "limit"), COUNTS)
def test_one_entry_too_many_is_refused(draw: Any, limit: int) -> None:
    assert blocks.complaints(draw(limit)) == ()
    assert f"no more than {limit} items allowed" in blocks.complaints(draw(limit + 1))[0]


BROKEN = [
    (section(""), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    ({"type": "section"}, "missing required field: text [json-pointer:/blocks/0]"),
    ({"type": "hologram"}, "unsupported type: hologram [json-pointer:/blocks/0/type]"),
    (
        {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
        "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]",
    ),
    (
        section("x") | {"colour": "red"},
        "no more than allowed properties: colour [json-pointer:/blocks/0]",
    ),
    (section("x") | {"expand": "yes"}, "must provide a boolean [json-pointer:/blocks/0/expand]"),
    (section("x") | {"block_id": 7}, "must provide a string [json-pointer:/blocks/0/block_id]"),
    ({"type": "header", "text": "x"}, "must provide an object [json-pointer:/blocks/0/text]"),
    (
        {"type": "context", "elements": "x"},
        "must provide an array [json-pointer:/blocks/0/elements]",
    ),
    (
        {"type": "actions", "elements": []},
        "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]",
    ),
    (
        actions(confirm="sure?"),
        "must provide an object [json-pointer:/blocks/0/elements/0/confirm]",
    ),
    (
        actions(style="loud"),
        "must be a valid enum value [json-pointer:/blocks/0/elements/0/style]",
    ),
    (
        actions(confirm={"title": plain("t"), "text": plain("x"), "confirm": plain("y")}),
        "missing required field: deny [json-pointer:/blocks/0/elements/0/confirm]",
    ),
]


@pytest.mark.parametrize(("block", "words"), BROKEN)
def test_a_malformed_block_is_refused(block: Json, words: str) -> None:
    assert blocks.complaints([block]) == (words,)


def test_ids_used_twice_are_refused() -> None:
    twice = [section("x") | {"block_id": "same"}, section("y") | {"block_id": "same"}]
    assert "block_id already exists [json-pointer:/blocks/1/block_id]" in blocks.complaints(twice)
    row = {"type": "actions", "elements": [button(1), button(1)]}
    assert blocks.complaints([row]) == ("action_id a1 already exists [json-pointer:/blocks/0]",)


def test_ids_the_app_left_out_are_given() -> None:
    row = {"type": "actions", "elements": [{"type": "button", "text": plain("x")}]}
    (stored,) = blocks.with_ids([row], prefix="b")
    assert stored["block_id"] == "b-0"
    assert stored["elements"][0]["action_id"] == "b-0-0"


def a_modal(**changed: Any) -> Json:
    return {"type": "modal", "title": plain("Why"), "blocks": [section("x")]} | changed


@pytest.mark.parametrize(
    ("view", "pointer"),
    [
        (a_modal(title=plain("x" * 25)), "/view/title/text"),
        (a_modal(submit=plain("x" * 25)), "/view/submit/text"),
        (a_modal(private_metadata="x" * 3_001), "/view/private_metadata"),
        (a_modal(callback_id="x" * 256), "/view/callback_id"),
        (a_modal(blocks=[section("x")] * 101), "/blocks"),
    ],
)
def test_a_modal_beyond_its_limits_is_refused(view: Json, pointer: str) -> None:
    with pytest.raises(Refused) as caught:
        views.checked(view)
    assert caught.value.code == "invalid_arguments"
    assert f"[json-pointer:{pointer}]" in caught.value.complaints[0]


def test_a_modal_that_asks_needs_a_submit_button() -> None:
    field = {"type": "input", "label": plain("Why"), "element": {"type": "plain_text_input"}}
    with pytest.raises(Refused):
        views.checked(a_modal(blocks=[field]))
    assert views.checked(a_modal(blocks=[field], submit=plain("Deny")))["submit"] == plain("Deny")


@pytest.mark.parametrize("view", [None, "{}", {"type": "home", "blocks": []}])
def test_what_is_no_modal_is_refused(view: object) -> None:
    with pytest.raises(Refused):
        views.checked(view)


def test_a_view_beyond_its_size_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        views.checked(a_modal(blocks=[section("x" * 2_900)] * 90))
    assert caught.value.code == "view_too_large"


def test_blocks_that_nobody_here_draws_are_let_through() -> None:
    assert blocks.complaints([{"type": "rich_text", "elements": [{"anything": 1}]}]) == ()


OPTION = {"text": plain("Bybit"), "value": "bybit"}


@pytest.mark.parametrize(
    ("element", "typed", "entry"),
    [
        ({"type": "plain_text_input"}, "why", {"value": "why"}),
        ({"type": "plain_text_input"}, None, {"value": None}),
        ({"type": "plain_text_input", "initial_value": "because"}, None, {"value": "because"}),
        ({"type": "static_select", "options": [OPTION]}, "bybit", {"selected_option": OPTION}),
        ({"type": "radio_buttons", "options": [OPTION]}, None, {"selected_option": None}),
        ({"type": "checkboxes", "options": [OPTION]}, ["bybit"], {"selected_options": [OPTION]}),
        ({"type": "users_select"}, "U1", {"selected_user": "U1"}),
    ],
)
def test_a_field_says_what_was_typed_or_chosen(element: Json, typed: Any, entry: Json) -> None:
    assert views.state_of(element, typed) == {"type": element["type"]} | entry
