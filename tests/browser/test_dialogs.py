"""What stands in a person's way: a modal of the app's, and a button's confirm dialog."""

from playwright.async_api import Locator, expect

from bot.sandbox.world import ALICE, BOB, INCIDENT
from bot.slack import form
from tests.browser.pages import Pages
from tests.browser.stage import Scene, actions, button, field_of, plain, section

CONFIRM = {
    "title": plain("Turn *all* of it off?"),
    "text": plain("12 lights in 3 rooms."),
    "confirm": plain("Turn off"),
    "deny": plain("Go back"),
    "style": "danger",
}


TWICE = "button => { button.click(); button.click() }"


def error(dialog: Locator, block_id: str) -> Locator:
    return dialog.locator(f'.field-error[data-block="{block_id}"]')


async def test_a_modal_asks_tells_what_is_wrong_and_sends_what_was_typed(
    scene: Scene, open_page: Pages
):
    scene.post("card", [actions(button("why", "Ask me"))])
    page = await open_page(scene.url)
    dialog, opener = page.get_by_role("dialog"), page.get_by_role("button", name="Ask me")
    await opener.click()
    pressed = await scene.app.next()
    assert (pressed["type"], pressed["actions"][0]["action_id"]) == ("block_actions", "why")
    long = {"type": "plain_text_input", "action_id": "typed", "multiline": True}
    scene.ask(
        section("*Every* word counts"),
        field_of("why", "Why?", hint=plain("One sentence")),
        field_of("more", "More", optional=True, element=long),
        {"type": "input", "block_id": "who", "label": plain("Who"), "optional": True}
        | {"element": {"type": "users_select", "action_id": "chosen"}},
        private_metadata="kept",
    )
    await expect(dialog.get_by_role("heading", name="Please say")).to_be_visible()
    await expect(dialog.locator("strong")).to_have_text("Every")
    await expect(dialog.locator(".block-unknown")).to_have_text("(users_select)")
    why = dialog.get_by_role("textbox", name="Why?")
    await expect(why).to_be_focused()
    await expect(why).to_have_accessible_description("One sentence")
    send = dialog.get_by_role("button", name="Send")
    await why.fill("   ")
    await send.click()
    await expect(error(dialog, "why")).to_have_text("Please complete this required field.")
    await expect(error(dialog, "more")).to_be_empty()
    await expect(why).to_be_focused()
    scene.app.answer = {"response_action": "errors", "errors": {"why": "Too short.", "more": "?"}}
    await why.fill("<b>")
    await why.press("Enter")
    await expect(error(dialog, "why")).to_have_text("Too short.")
    await expect(error(dialog, "more")).to_have_text("?")
    await expect(why).to_have_value("<b>")
    scene.app.answer = {}
    await dialog.get_by_role("textbox", name="More (optional)").fill("two\nlines")
    await send.evaluate(TWICE)
    await expect(dialog).to_be_hidden()
    await expect(opener).to_be_focused()
    await expect(page.locator("#notices")).to_be_empty()
    for more in (None, "two\nlines"):
        sent = await scene.app.next()
        assert (sent["type"], sent["user"]["id"]) == ("view_submission", ALICE)
        assert sent["view"]["private_metadata"] == "kept"
        values = sent["view"]["state"]["values"]
        assert values["why"]["typed"]["value"] == "<b>"
        assert values["more"]["typed"]["value"] == more
    assert not scene.app.has_more


async def test_a_modal_that_the_app_cannot_take_stays(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    scene.workspace.modals.open(ALICE, form.deny_form("deny", "K7Q2", "K7Q2"))
    dialog = page.get_by_role("dialog")
    why = dialog.get_by_role("textbox", name="Why? Everybody in the channel reads it.")
    await expect(why).to_have_attribute("maxlength", "500")
    await why.fill("wrong desk")
    scene.app.verifier.signing_secret = "another"
    await dialog.get_by_role("button", name="Deny").click()
    await expect(dialog.get_by_role("alert").last).to_contain_text("trouble connecting")
    await expect(why).to_have_value("wrong desk")
    await expect(dialog.get_by_role("button", name="Deny")).to_be_enabled()
    scene.outage.begin()
    await dialog.get_by_role("button", name="Deny").click()
    await expect(dialog.get_by_role("alert").last).to_contain_text("Slack is down")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")  # To close a form needs nobody but one's own client.
    await expect(dialog).to_be_hidden()
    assert not scene.app.has_more


async def test_closing_a_modal_is_told_once_if_the_app_asked(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    dialog = page.get_by_role("dialog")

    async def leave(way: str) -> None:
        await expect(dialog).to_be_visible()
        if way == "Escape":
            await page.keyboard.press(way)
            await page.keyboard.press(way)
        else:
            await dialog.get_by_role("button", name=way).evaluate(TWICE)
        await expect(dialog).to_be_hidden()
        await scene.workspace.wait_for(lambda: not scene.workspace.modals.on_screen(ALICE))
        await expect(page.locator("#notices")).to_be_empty()

    for way in ("Escape", "Close", "Cancel"):
        scene.ask(section("Nothing is asked"), notify_on_close=False)
        await leave(way)
        scene.ask(field_of("why", "Why?"), notify_on_close=True)
        await leave(way)
        told = await scene.app.next()
        assert (told["type"], told["view"]["blocks"][0]["block_id"]) == ("view_closed", "why")
        assert not scene.app.has_more


async def test_the_uppermost_modal_of_a_person_is_shown(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    dialog = page.get_by_role("dialog")
    scene.ask(section("For bob"), who=BOB)
    scene.ask(section("Lower"))
    await expect(dialog).to_contain_text("Lower")
    upper = dict(scene.workspace.modals.on_screen(ALICE).view, blocks=[section("Upper")])
    scene.workspace.modals.push(ALICE, upper)
    await expect(dialog).to_contain_text("Upper")
    scene.workspace.modals.close(ALICE)
    await expect(dialog).to_contain_text("Lower")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_be_hidden()


async def test_a_confirm_dialog_sends_only_what_was_agreed_to(scene: Scene, open_page: Pages):
    scene.post("card", [actions(button("off", "All off", confirm=CONFIRM), button("on", "On"))])
    page = await open_page(scene.url)
    dialog, off = page.get_by_role("dialog"), page.get_by_role("button", name="All off")
    for refuse in ("Go back", "Escape"):
        await off.click()
        await expect(dialog).to_have_accessible_name("Turn *all* of it off?")
        await expect(dialog).to_contain_text("12 lights in 3 rooms.")
        await expect(dialog.get_by_role("button", name="Turn off")).to_have_class("button danger")
        back = dialog.get_by_role("button", name="Go back")
        await expect(back).to_be_focused()
        await (page.keyboard.press(refuse) if refuse == "Escape" else back.click())
        await expect(dialog).to_be_hidden()
        await expect(off).to_be_focused()
    await page.get_by_role("button", name="On", exact=True).click()
    assert (await scene.app.next())["actions"][0]["action_id"] == "on"
    await off.click()
    await dialog.get_by_role("button", name="Turn off").click()
    sent = await scene.app.next()
    assert (sent["type"], sent["user"]["id"], sent["channel"]["id"]) == (
        "block_actions",
        ALICE,
        INCIDENT,
    )
    assert [(each["action_id"], each["value"]) for each in sent["actions"]] == [("off", "v1")]
    await expect(off).to_have_class("button")
    assert not scene.app.has_more


async def test_what_was_agreed_to_is_sent_whatever_the_message_says_meanwhile(
    scene: Scene, open_page: Pages
):
    ts = scene.post("card", [actions(button("off", "All off", confirm=CONFIRM))])
    page = await open_page(scene.url)
    await page.get_by_role("button", name="All off").click()
    scene.edit(ts, "500 lights", [actions({**button("off", "All off"), "value": "v2"})])
    await expect(page.locator(".message")).to_contain_text("All off")
    await page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    assert (await scene.app.next())["actions"][0]["value"] == "v1"
    assert not scene.app.has_more


async def test_the_focus_comes_back_to_a_button_that_was_drawn_anew_meanwhile(
    scene: Scene, open_page: Pages
):
    off = button("off", "All off", confirm=CONFIRM)
    ts = scene.post("card", [section("12 lights"), actions(off)])
    page = await open_page(scene.url)
    await page.get_by_role("button", name="All off").click()
    scene.edit(ts, "card", [section("13 lights"), actions(off)])
    await expect(page.locator("#messages")).to_contain_text("13 lights")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="All off")).to_be_focused()
