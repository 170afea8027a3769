"""Messages as lines of a terminal."""

from typing import Any

from bot.sandbox.slack import render
from bot.sandbox.slack.records import Channel, Message, User, UserGroup
from bot.sandbox.slack.workspace import HOME, Workspace


def a_workspace() -> Workspace:
    workspace = Workspace()
    workspace.put_user(User(id="U1", name="alice", team_id=HOME))
    workspace.put_group(UserGroup(id="S1", at_name="risk"))
    workspace.put_channel(Channel(id="C1", name="incident"))
    return workspace


def said(text: str, *blocks: dict[str, Any]) -> Message:
    return Message(channel="C1", ts="1.0", author="U0", text=text, blocks=blocks)


def test_a_card_reads_as_lines_with_its_buttons() -> None:
    card = said(
        "fallback",
        {"type": "header", "text": {"type": "plain_text", "text": "Cancel *all*"}},
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "*Asked by* <@U1>\n*Needs* <!subteam^S1>"},
            "fields": [{"type": "mrkdwn", "text": "*Scope*\n2 venues"}],
        },
        {"type": "divider"},
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "text": {"type": "plain_text", "text": "Approve"},
                    "confirm": {
                        "title": {"type": "plain_text", "text": "Sure?"},
                        "text": {"type": "plain_text", "text": "12 orders."},
                    },
                },
                {"type": "button", "text": {"type": "plain_text", "text": "Deny"}},
            ],
        },
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "Request K7Q2"}]},
    )
    assert render.plain(card, a_workspace()) == [
        "Cancel *all*",
        "============",
        "Asked by @alice",
        "Needs @risk",
        "  Scope: 2 venues",
        "────────────────────────────────────────",
        "[Approve] [Deny]",
        "  [Approve] asks first: Sure? 12 orders.",
        "  Request K7Q2",
    ]


def test_marks_links_and_dates_become_words() -> None:
    text = "at <!date^1700000000^{time_secs}|22:13:20 UTC> in <#C1> see <https://x.test|the run>"
    assert render.plain(said(text), a_workspace()) == ["at 22:13:20 UTC in #incident see the run"]
    assert render.mrkdwn("*FLAT* `bybit_mm_1` _slow_ ~gone~", a_workspace()) == (
        "FLAT `bybit_mm_1` slow gone"
    )


def test_escaped_text_reads_as_it_was_written_and_pings_nobody() -> None:
    dead = said("venue said &lt;!channel&gt; &amp; more")
    assert render.plain(dead, a_workspace()) == ["venue said <!channel> & more"]
    assert render.pings(dead) == []


def test_live_mentions_ping_from_the_blocks_when_there_are_any() -> None:
    loud: dict[str, Any] = {
        "type": "section",
        "text": {"type": "mrkdwn", "text": "<!subteam^S1> <!channel>"},
    }
    assert render.pings(said("<@U1>", loud)) == ["!subteam^S1", "!channel"]
    assert render.pings(said("<@U1> <https://x.test|x>")) == ["@U1"]
    quiet = {"type": "header", "text": {"type": "plain_text", "text": "<!channel>"}}
    assert render.pings(said("", quiet)) == []


def test_unknown_names_keep_their_labels_or_ids() -> None:
    text = "<@U9> <@U9|zoe> <#C9|gone> <!subteam^S9|@old> <!here> <mailto:a@x.test>"
    assert render.mrkdwn(text, a_workspace()) == "@U9 @zoe #gone @old @here a@x.test"


def test_every_other_block_has_a_line() -> None:
    image = {"type": "image", "image_url": "https://x.test/i.png", "alt_text": "a chart"}
    drawn = said(
        "",
        {"type": "section", "text": {"type": "plain_text", "text": "x"}, "accessory": image},
        image,
        {"type": "markdown", "text": "# one\ntwo"},
        {
            "type": "input",
            "label": {"type": "plain_text", "text": "Why"},
            "element": {"type": "plain_text_input"},
        },
        {"type": "rich_text", "elements": []},
    )
    assert render.plain(drawn, a_workspace()) == [
        "x",
        "[a chart]",
        "(image: a chart)",
        "# one",
        "two",
        "Why: […]",
        "(rich_text)",
    ]
