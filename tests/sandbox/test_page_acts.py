"""What people do on the page: what is said, what reaches the app, and what no client could do."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from slack_sdk.signature import SignatureVerifier

from bot.sandbox.slack.records import Channel, Draft, Ephemeral, Source
from bot.sandbox.slack.workspace import SLACKBOT
from bot.sandbox.world import ALICE, BOB, GINA, INCIDENT, MALLORY, TRADING
from tests.sandbox import page_stage
from tests.sandbox.page_stage import Json, Page

FINE = {"problem": "", "errors": {}}
DOWN = {"problem": "Slack is down: nobody can post or press anything now.", "errors": {}}
HEADER = "X-Slack-Signature"
CARD: Json = {
    "type": "actions",
    "block_id": "act-K7Q2",
    "elements": [
        {
            "type": "button",
            "action_id": "approve",
            "text": {"type": "plain_text", "text": "Approve"},
            "value": "K7Q2",
        }
    ],
}
WHY = {
    "type": "modal",
    "callback_id": "deny",
    "notify_on_close": True,
    "title": {"type": "plain_text", "text": "Deny"},
    "submit": {"type": "plain_text", "text": "Deny"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Why"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with page_stage.opened() as found:
        yield found


async def say(page: Page, who: str, words: str, **more: str) -> Json:
    return await page.visitor.act(who, "say", words=words, **{"channel": INCIDENT, **more})


async def click(
    page: Page, who: str, ts: str, action: str = "approve", value: str = "K7Q2"
) -> Json:
    press = {"channel": INCIDENT, "ts": ts, "action": action, "value": value}
    return await page.visitor.act(who, "click", **press)


def whispered(page: Page, who: str) -> Ephemeral:
    """Return the one message that only this person sees, which Slack itself says."""
    (found,) = page.workspace.ephemerals(who)
    assert found.source is Source.SLACK
    return found


async def test_what_is_typed_is_shown_and_never_obeyed(page: Page):
    words = "  <!channel> & @bob, see #trading @nobody <@U0BOB> @carol.  "
    assert await say(page, ALICE, words) == FINE
    (message,) = page.workspace.messages(INCIDENT)
    assert message.text == (
        "&lt;!channel&gt; &amp; <@U0BOB|bob>, see <#C0TRADING|trading> @nobody "
        "&lt;@U0BOB&gt; <@U0CAROL|carol>."
    )
    assert (message.author, message.thread_ts, message.blocks) == (ALICE, None, ())
    assert page.app.heard == []


async def test_a_reply_stands_in_its_thread(page: Page):
    root = page.workspace.post(INCIDENT, BOB, Draft(text="root"))
    assert await say(page, MALLORY, "under it", thread=root.ts) == FINE
    (reply,) = page.workspace.thread(INCIDENT, root.ts)
    assert (reply.author, reply.text) == (MALLORY, "under it")
    assert page.workspace.messages(INCIDENT) == (root,)


async def test_a_thread_that_is_none_takes_no_reply(page: Page):
    root = page.workspace.post(INCIDENT, BOB, Draft(text="root"))
    reply = page.workspace.post(INCIDENT, BOB, Draft(text="reply", thread_ts=root.ts))
    elsewhere = page.workspace.post(TRADING, BOB, Draft(text="elsewhere"))
    whisper = page.workspace.whisper(ALICE, INCIDENT, Draft(text="psst"), Source.POST)
    for ts in (reply.ts, elsewhere.ts, whisper.ts, "1.000001"):
        answer = await say(page, ALICE, "under it", thread=ts)
        assert answer == {"problem": "This message has no thread.", "errors": {}}
    assert page.workspace.everything(INCIDENT) == (root, reply)


@pytest.mark.parametrize("words", ["hello", "/cancelall all", "/nonsense"])
@pytest.mark.parametrize(
    ("who", "channel"), [(MALLORY, TRADING), (GINA, TRADING), (ALICE, "C0DESK"), (ALICE, "C0NONE")]
)
async def test_whoever_is_not_in_a_channel_says_nothing_there(
    page: Page, who: str, channel: str, words: str
):
    page.workspace.put_channel(Channel(id="C0DESK", name="desk", members=frozenset({BOB})))
    answer = await say(page, who, words, channel=channel)
    assert answer == {"problem": "You are not in this channel.", "errors": {}}
    assert page.workspace.everything(channel) == ()
    assert (page.app.heard, page.workspace.ephemerals(who)) == ([], ())


async def test_whitespace_says_nothing(page: Page):
    assert await say(page, ALICE, " \n ") == FINE
    assert page.workspace.everything(INCIDENT) == ()


async def test_a_command_reaches_the_app_signed_and_its_answer_only_the_typist(page: Page):
    page.app.says = {"text": "heard"}
    assert await say(page, ALICE, '/cancelall  all --reason "a & b" for @bob ') == FINE
    ((headers, body),) = page.app.heard
    secret = page.workspace.app.signing_secret
    assert SignatureVerifier(secret).is_valid_request(body, dict(headers))
    assert not SignatureVerifier(f"{secret}x").is_valid_request(body, dict(headers))
    assert not SignatureVerifier(secret).is_valid_request(body + b"x", dict(headers))
    (form,) = page.app.payloads()
    assert (form["command"], form["user_id"]) == ("/cancelall", ALICE)
    assert (form["channel_id"], form["team_id"]) == (INCIDENT, "T0HOME")
    assert form["text"] == 'all --reason "a &amp; b" for <@U0BOB|bob>'
    (seen,) = page.workspace.ephemerals(ALICE)
    assert (seen.text, seen.source) == ("heard", Source.ACK)
    assert page.workspace.everything(INCIDENT) == ()


async def test_slack_says_that_the_app_did_not_answer_a_command(page: Page):
    page.app.is_silent = True
    assert await say(page, ALICE, "/cancelall all") == FINE
    assert whispered(page, ALICE).text == ("/cancelall failed with the error “operation_timeout”")
    assert len(page.app.heard) == 1


@pytest.mark.parametrize(
    ("who", "words", "shown"),
    [
        (ALICE, "/cancel all", "/cancel is not a valid command."),
        (ALICE, "/", "/ is not a valid command."),
        (ALICE, "/CancelAll all", "/CancelAll is not a valid command."),
        (ALICE, "/<!channel> x", "/&lt;!channel&gt; is not a valid command."),
        (MALLORY, "/cancelall all", "/cancelall is not a valid command."),
    ],
)
async def test_a_command_that_is_not_offered_is_slackbots_to_answer(
    page: Page, who: str, words: str, shown: str
):
    """For whoever is of another workspace, no command of the app is."""
    assert await say(page, who, words) == FINE
    found = whispered(page, who)
    assert found.text == (
        f"{shown} In Slack, all messages that start with the “/” character are interpreted as "
        "slash commands."
    )
    assert (page.app.heard, page.workspace.everything(INCIDENT)) == ([], ())
    async with page.visitor.open(who) as told:
        await told.news()
    assert told.parts[f"message/{INCIDENT}/{found.ts}"]["author"] == SLACKBOT


async def test_a_command_in_a_thread_goes_nowhere(page: Page):
    root = page.workspace.post(INCIDENT, BOB, Draft(text="root"))
    assert await say(page, ALICE, "/cancelall all", thread=root.ts) == FINE
    found = whispered(page, ALICE)
    assert found.text == "/cancelall is not supported in threads. Sorry!"
    assert found.thread_ts == root.ts
    assert page.app.heard == []


async def test_a_press_is_delivered_as_the_button_stands_there(page: Page):
    card = page.workspace.post(INCIDENT, page.workspace.app.bot_user_id, Draft(blocks=(CARD,)))
    assert await click(page, MALLORY, card.ts) == FINE
    ((headers, body),) = page.app.heard
    secret = page.workspace.app.signing_secret
    assert SignatureVerifier(secret).is_valid_request(body, dict(headers))
    (payload,) = page.app.payloads()
    assert (payload["user"]["id"], payload["user"]["team_id"]) == (MALLORY, "T0PARTNER")
    assert payload["container"]["message_ts"] == card.ts
    assert [(one["action_id"], one["value"]) for one in payload["actions"]] == [("approve", "K7Q2")]


async def test_a_press_means_what_was_shown_also_if_the_app_has_edited_it_meanwhile(page: Page):
    """Whoever agreed to the one request must not be taken to have agreed to another."""
    card = page.workspace.post(INCIDENT, page.workspace.app.bot_user_id, Draft(blocks=(CARD,)))
    (button,) = CARD["elements"]
    other: Json = {**CARD, "elements": [{**button, "value": "another"}]}
    for blocks in ((other,), ()):
        page.workspace.revise(replace(card, blocks=blocks))
        assert await click(page, BOB, card.ts) == FINE
    assert [payload["actions"][0]["value"] for payload in page.app.payloads()] == ["K7Q2", "K7Q2"]


async def test_a_button_that_never_was_or_is_not_theirs_cannot_be_pressed(page: Page):
    bot = page.workspace.app.bot_user_id
    card = page.workspace.post(INCIDENT, bot, Draft(blocks=(CARD,)))
    other = page.workspace.whisper(BOB, INCIDENT, Draft(blocks=(CARD,)), Source.POST)
    assert (await click(page, BOB, card.ts, "deny"))["problem"]
    assert (await click(page, ALICE, other.ts))["problem"]
    assert await click(page, BOB, card.ts, value="never shown") == {
        "problem": f"That is not possible: no button approve on {card.ts} in {INCIDENT} now.",
        "errors": {},
    }
    assert page.app.heard == []
    assert await click(page, BOB, other.ts) == FINE
    assert len(page.app.heard) == 1


async def test_slack_says_that_the_app_did_not_answer_a_press(page: Page):
    card = page.workspace.post(INCIDENT, page.workspace.app.bot_user_id, Draft(blocks=(CARD,)))
    page.app.is_silent = True
    assert await click(page, BOB, card.ts) == FINE
    assert whispered(page, BOB).text == "approve failed with the error “operation_timeout”"


async def test_a_press_goes_on_without_the_page_that_it_was_made_on(page: Page):
    card = page.workspace.post(INCIDENT, page.workspace.app.bot_user_id, Draft(blocks=(CARD,)))
    page.app.is_silent = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await click(page, BOB, card.ts)
    found = await page.workspace.wait_for(lambda: page.workspace.ephemerals(BOB))
    assert found[0].text == "approve failed with the error “operation_timeout”"


async def submit(page: Page, **values: str) -> Json:
    modal = page.workspace.modals.on_screen(BOB)
    return await page.visitor.act(BOB, "submit", view=modal.id if modal else "V0", values=values)


async def close(page: Page) -> Json:
    modal = page.workspace.modals.on_screen(BOB)
    return await page.visitor.act(BOB, "close", view=modal.id if modal else "V0")


async def test_what_is_wrong_with_a_field_stands_beside_it_and_the_modal_stays(page: Page):
    page.workspace.modals.open(BOB, WHY)
    page.app.says = {"response_action": "errors", "errors": {"reason": "Say more."}}
    assert await submit(page, reason="no") == {"problem": "", "errors": {"reason": "Say more."}}
    assert page.workspace.modals.on_screen(BOB).view == WHY
    page.app.says = None
    assert await submit(page, reason="wrong desk") == FINE
    assert page.workspace.modals.on_screen(BOB) is None
    values = [payload["view"]["state"]["values"] for payload in page.app.payloads()]
    typed = [state["reason"]["text"]["value"] for state in values]
    assert typed == ["no", "wrong desk"]


async def test_a_submission_that_the_app_does_not_answer_can_be_tried_again(page: Page):
    page.workspace.modals.open(BOB, WHY)
    page.app.is_silent = True
    answer = await submit(page, reason="wrong desk")
    assert answer == {"problem": "We had some trouble connecting. Try again?", "errors": {}}
    assert page.workspace.modals.on_screen(BOB).view == WHY
    page.app.is_silent = False
    assert await submit(page, reason="wrong desk") == FINE
    assert page.workspace.modals.on_screen(BOB) is None


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "the field reason must be filled in"),
        ({"reason": ""}, "the field reason must be filled in"),
        ({"reason": "x", "other": "y"}, "the modal has no field other"),
    ],
)
async def test_a_modal_is_not_submitted_as_no_client_could(
    page: Page, values: dict[str, str], why: str
):
    page.workspace.modals.open(BOB, WHY)
    assert await submit(page, **values) == {
        "problem": f"That is not possible: {why}.",
        "errors": {},
    }
    assert page.app.heard == []


async def test_a_modal_that_is_closed_is_gone_and_the_app_hears_of_it(page: Page):
    page.workspace.modals.open(BOB, WHY)
    assert await close(page) == FINE
    assert page.workspace.modals.on_screen(BOB) is None
    assert [payload["type"] for payload in page.app.payloads()] == ["view_closed"]
    gone = {"problem": "This form is not open any more.", "errors": {}}
    assert (await close(page), await submit(page, reason="x")) == (gone, gone)
    page.workspace.modals.open(BOB, WHY)  # Another one: what was meant for the first is not its.
    assert await page.visitor.act(BOB, "submit", view="V000001", values={"reason": "x"}) == gone
    assert await page.visitor.act(BOB, "close", view="V000001") == gone
    assert len(page.app.heard) == 1


async def test_while_slack_is_down_nothing_leaves_and_nothing_is_lost(page: Page):
    card = page.workspace.post(INCIDENT, page.workspace.app.bot_user_id, Draft(blocks=(CARD,)))
    page.workspace.modals.open(BOB, WHY)
    page.outage.begin()
    assert await say(page, BOB, "does anybody hear me?") == DOWN
    assert await say(page, ALICE, "/cancelall all") == DOWN
    assert await say(page, ALICE, "/nonsense") == DOWN
    assert await click(page, BOB, card.ts) == DOWN
    assert await submit(page, reason="wrong desk") == DOWN
    assert page.app.heard == []
    assert page.workspace.everything(INCIDENT) == (card,)
    assert page.workspace.ephemerals(ALICE) == page.workspace.ephemerals(BOB) == ()
    assert page.workspace.modals.on_screen(BOB).view == WHY
    assert await close(page) == DOWN
    assert page.workspace.modals.on_screen(BOB) is None
    page.outage.end()
    assert await click(page, BOB, card.ts) == FINE
    assert await say(page, ALICE, "/cancelall all") == FINE
    assert len(page.app.heard) == 2
