"""Text for Slack: inert, short, readable."""

import html
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import command as commands
from bot.sandbox.slack import render
from bot.sandbox.slack.records import Message
from bot.slack import text


@pytest.mark.parametrize(
    "outside",
    ["<!channel>", "<@U0ALICE>", "<!subteam^S0RISK>", "<https://x|Approve>", "&lt;!here&gt;"],
)
def test_outside_text_rings_nobody_and_links_nowhere(outside: str):
    message = Message(channel="C", ts="1", author="U", text=f"venue says {text.escape(outside)}")
    assert render.pings(message) == []
    assert "<" not in text.escape(outside)


def test_formatting_of_outside_text_is_dead():
    assert "*bold*" not in text.escape("*bold*")
    assert text.escape("a\nb") == "a b"


def test_no_outside_character_turns_the_words_after_it_round():
    turned = "".join(
        map(chr, [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
    )
    assert text.escape(f"a{turned}b") == "ab"
    assert text.command(f"all --reason a{turned}b") == "`/cancelall all --reason ab`"


@pytest.mark.parametrize(
    "typed",
    [
        "bybit_mm desk=market_making",
        'all --reason "a &lt; b &amp; c: *now*"',
        'all --reason "it says &amp;lt;"',
    ],
)
def test_echoed_command_can_be_copied_and_pasted_back(typed: str):
    """Slack shows entities as the characters they stand for, and sends what is typed escaped."""
    canonical = commands.canonical(commands.parse(typed))
    shown = text.command(canonical)
    assert shown == f"`/cancelall {canonical}`"
    read = html.unescape(shown.strip("`").removeprefix("/cancelall "))
    assert commands.parse(html.escape(read, quote=False)) == commands.parse(typed)


def test_echoed_command_cannot_leave_its_code_span():
    shown = text.command("all --reason '` <!channel>'")
    assert shown.count("`") == 2
    assert "<" not in shown


def test_long_text_is_cut_visibly():
    assert text.cut("abc", 3) == "abc"
    assert text.cut("x" * 100, 20) == "x" * 13 + "… (cut)"


@given(st.text(alphabet="ab&<>;|", max_size=60), st.integers(min_value=10, max_value=40))
def test_a_cut_never_leaves_half_an_entity_or_half_a_token(outside: str, chars_max: int):
    cut = text.cut(text.escape(outside), chars_max)
    assert len(cut) <= chars_max
    whole = cut.removesuffix(text.CUT)
    assert whole.count("&") == sum(whole.count(e) for e in ("&amp;", "&lt;", "&gt;"))


def test_a_cut_drops_an_unfinished_mention():
    assert (
        text.cut("asked by <@U0ALICE> and <@U0BOBBYBOBBY>", 36) == "asked by <@U0ALICE> and… (cut)"
    )


def test_moments_read_in_local_time_with_utc_as_the_fallback():
    at = datetime(2026, 11, 21, 3, 4, 5, tzinfo=UTC)
    assert text.clock(at) == "<!date^1795230245^{time_secs}|03:04:05 UTC>"


def test_machines_are_named_and_people_mentioned():
    assert text.mention("U0ALICE", "alice") == "<@U0ALICE>"
    assert text.mention("machine:grafana", "grafana<!here>") == "grafana&lt;!here&gt;"


def test_counts_and_names_are_readable():
    assert text.plural(1, "order") == "1 order"
    assert text.plural(1200, "order") == "1,200 orders"
    assert text.names(["a", "b"]) == "a, b"
    assert text.names([str(n) for n in range(10)], shown_max=2) == "0, 1 and 8 more"
