"""Typing, the keyboard alone, and what everybody needs to read a page: names, contrast, room."""

import re

from playwright.async_api import Page, expect

from bot.sandbox.world import ALICE, BOB
from tests.browser import look
from tests.browser.pages import Pages
from tests.browser.stage import COMMANDS, Scene, actions, button, field_of, plain, section

CONFIRM = {
    "title": plain("All lights off?"),
    "text": plain("12 lights."),
    "confirm": plain("Turn off"),
    "deny": plain("Go back"),
}
CONTROLS = re.compile(
    r"- '?(?:button|combobox|dialog|link|listbox|option|radio|radiogroup|tab|textbox)\b(?: \")?"
)
"""A control in a snapshot of what a screen reader is told, with the quote that begins its name."""
ORDER = (
    *("C0TRADING", "U0ALICE", "everywhere/seed", "messages", "see", "off", "thread"),
    *("message-box", "Send", "thread-close", "replies", "off", "reply-box", "Send"),
    *("bybit/429", "bybit/seed"),
)
FOCUS = """() => {
  const it = document.activeElement;
  const name = it === document.body ? "body"
    : it.dataset.focus ?? (it.id || it.getAttribute("aria-label") || it.textContent.trim());
  const rings = (each) => {
    const { outlineStyle, boxShadow } = getComputedStyle(each);
    const isShown = each.checkVisibility({ opacityProperty: true });
    return isShown && (outlineStyle !== "none" || boxShadow !== "none");
  };
  return [name, it === document.body || rings(it) || rings(it.parentElement)];
}"""
"""What has the focus, and whether that is to be seen."""


async def fill(scene: Scene, page: Page) -> None:
    """Let the page show everything that it can, a thread too."""
    card = scene.post("card", [
        section("*Lights* `on` <@U0ALICE> <!here> <https://x.test|see>\n&gt; quote\n```fence```"),
        {"type": "context", "elements": [plain("small print")]},
        actions(
            button("off", "All off", style="danger", confirm=CONFIRM),
            button("dim", "Dim", style="primary"),
            button("on", "On"),
        ),
        {"type": "rich_text", "elements": []},
    ])  # fmt: skip
    scene.edit(scene.post("one"), "edited")
    scene.whisper(ALICE, "a whisper")
    scene.post("reply", thread_ts=card)
    scene.log("/v5/order/cancel-all", "{}")
    scene.log("/v5/order/realtime", "", "10001")
    await page.get_by_role("button", name=re.compile("^1 reply")).click()
    await page.get_by_role("button", name="hang").click()


async def test_the_commands_of_the_app_are_offered(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    box = page.get_by_role("combobox", name="Message #incident as alice")
    offers = page.get_by_role("option")
    await box.press_sequentially("say /")
    await expect(offers).to_have_count(0)
    await box.fill("")
    await expect(offers).to_have_count(0)
    await box.press("/")
    words = [f"{each.command} {each.usage_hint}{each.description}" for each in COMMANDS]
    await expect(offers).to_have_text(words)
    await expect(box).to_have_attribute("aria-expanded", "true")
    for key, chosen in (("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", 2), ("ArrowDown", 0)):
        await box.press(key)
        await expect(page.get_by_role("option", selected=True)).to_have_text(words[chosen])
        await expect(box).to_have_attribute("aria-activedescendant", f"message-box-offer-{chosen}")
    await box.press("Escape")
    await expect(offers).to_have_count(0)
    await expect(box).to_have_attribute("aria-expanded", "false")
    await expect(box).to_have_value("/")
    await box.press_sequentially("l")
    await expect(offers).to_have_text(words[:2])
    await page.locator("#messages").click()
    await expect(offers).to_have_count(0)


async def test_an_offered_command_is_taken_with_its_hint_and_sent(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    box = page.get_by_role("combobox", name="Message #incident as alice")
    offers, hint = page.get_by_role("option"), page.locator("#message-box-hint")
    await box.press_sequentially("/li")
    await box.press("ArrowDown")
    await box.press("Tab")
    await expect(box).to_have_value("/lift ")
    await expect(box).to_be_focused()
    await expect(hint).to_have_text("floor")
    await box.press_sequentially("3")
    await expect(hint).to_be_hidden()
    await box.fill("/do")
    await box.press("Enter")
    await expect(box).to_have_value("/door ")
    await expect(hint).to_be_hidden()
    await box.fill("/l")
    await offers.nth(0).click()
    await expect(box).to_have_value("/lights ")
    await box.press_sequentially("kitchen on")
    await box.press("Enter")
    sent = await scene.app.next()
    assert (sent["command"], sent["text"], sent["user_id"]) == ("/lights", "kitchen on", ALICE)
    await expect(box).to_have_value("")
    await box.press_sequentially("/door")
    await box.press("Enter")
    assert (await scene.app.next())["command"] == "/door"


async def test_words_are_sent_by_enter(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    box = page.get_by_role("combobox", name="Message #incident")
    said = page.locator(".said > p:last-of-type")
    acts: list[str] = []
    page.on("request", lambda asked: acts.append(asked.url))
    for _ in range(2):
        await box.press("Enter")
        await box.press("Space")
    assert [each for each in acts if each.endswith("/acts")] == []
    await box.press_sequentially("one")
    await box.press("Shift+Enter")
    height = await look.height(box)
    await box.press("Shift+Enter")
    await box.press_sequentially("@bob three")
    assert await look.height(box) > height
    await box.press("Enter")
    await expect(box).to_have_value("")
    assert await look.height(box) < height
    await expect(said).to_have_count(1)
    assert await said.inner_text() == "one\n\n@bob three"
    await expect(said.locator(".mention")).to_have_text("@bob")
    await box.fill("by mouse")
    await page.get_by_role("button", name="Send").click()
    await expect(said.last).to_have_text("by mouse")
    await box.fill("/nothing here")
    await box.press("Enter")
    await expect(page.locator(".whisper")).to_contain_text("/nothing is not a valid command")
    await page.get_by_role("button", name="Reply in thread").first.click()
    reply = page.get_by_role("combobox", name="Reply as alice")
    await expect(reply).to_be_focused()
    await reply.press_sequentially("in the thread")
    await reply.press("Enter")
    await expect(page.locator("#replies .said > p:last-of-type").last).to_have_text("in the thread")
    assert not scene.app.has_more


async def test_words_that_cannot_be_sent_come_back(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    box = page.get_by_role("combobox", name="Message #incident")
    scene.outage.begin()
    await box.fill("does anybody\nhear me?")
    await box.press("Enter")
    await expect(page.locator("#notices")).to_contain_text("Slack is down")
    await expect(box).to_have_value("does anybody\nhear me?")
    scene.outage.end()
    await box.press("Enter")
    await expect(page.locator("#messages .message").last).to_contain_text("hear me?")
    assert not scene.app.has_more


async def go(page: Page, to: str, *, key: str = "Tab") -> list[str]:
    """Press a key until something has the focus; return what had it on the way."""
    found: list[str] = []
    while to not in found:
        await page.keyboard.press(key)
        name, is_seen = await page.evaluate(FOCUS)
        assert is_seen, f"nobody sees that {name} has the focus"
        found.append(name)
        assert len(found) < 50, found
    return found


async def test_everything_is_done_by_the_keyboard_alone(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    await fill(scene, page)
    dialog, off = page.get_by_role("dialog"), page.locator("#messages [data-focus=off]")
    await page.locator("#channels button").first.focus()
    order = iter(await go(page, "2 calls, last: POST /v5/order/realtime → 10001"))
    for each in ORDER:
        assert each in order, each
    await go(page, "U0ALICE", key="Shift+Tab")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("combobox", name="as bob")).to_have_count(2)
    await expect(page.get_by_role("radio", name="bob")).to_be_focused()
    await go(page, "off")
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_visible()
    met = {(await page.evaluate(FOCUS))[0]}
    for key in ("Tab", "Tab", "Tab", "Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab"):
        await page.keyboard.press(key)
        met.add((await page.evaluate(FOCUS))[0])
    assert met - {"body"} == {"Go back", "Turn off"}
    await go(page, "Turn off")
    await page.keyboard.press("Enter")
    sent = await scene.app.next()
    assert (sent["user"]["id"], sent["actions"][0]["action_id"]) == (BOB, "off")
    await expect(off).to_be_focused()
    scene.ask(field_of("why", "Why?"), field_of("who", "Who?"), who=BOB)
    await expect(dialog.get_by_role("textbox", name="Why?")).to_be_focused()
    await go(page, "Close", key="Shift+Tab")
    met = set(await go(page, "Send"))
    assert met - {"body"} == {"field-why", "field-who", "Cancel", "Send"}
    await page.keyboard.press("Escape")
    await expect(off).to_be_focused()
    await go(page, "thread-close")
    await page.keyboard.press("Enter")
    await expect(page.locator("#replies")).to_be_hidden()
    await expect(page.locator("#messages")).to_be_focused()


async def test_every_control_has_a_name_and_every_text_its_contrast(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    await fill(scene, page)
    await page.locator(".wire > summary").click()
    await page.locator(".call summary").first.click()
    await page.get_by_role("combobox", name="Message #").press("/")
    await expect(page.get_by_role("listbox")).to_be_visible()
    await page.locator(".message").first.evaluate("each => each.classList.add('found')")
    for state in ("page", "modal"):
        if state == "modal":
            scene.ask(section("asked"), field_of("why", "Why?", optional=True, hint=plain("so")))
            await expect(page.get_by_role("dialog")).to_be_visible()
        snapshot = await page.locator("body").aria_snapshot()
        assert len(CONTROLS.findall(snapshot)) > 30
        assert [each for each in CONTROLS.findall(snapshot) if not each.endswith('"')] == []
        for theme in ("light", "dark"):
            await page.emulate_media(color_scheme=theme)
            count, found = await look.faint(page)
            assert count > 100
            assert found == [], f"{state}, {theme}"


async def test_nothing_is_wider_than_the_window(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    await fill(scene, page)
    await page.locator(".wire > summary").click()
    await page.get_by_role("combobox", name="Message #").press("/")
    for width in (1440, 1024, 768, 375):
        await page.set_viewport_size({"width": width, "height": 720})
        assert await look.scrollable(page) == [], width
    tabs = page.get_by_role("tab")
    await expect(tabs).to_have_text(["People", "Channel", "Thread", re.compile("^Venues 5$")])
    for view in ("side", "thread", "board", "channel"):
        await page.locator(f"#tabs [data-view={view}]").click()
        await expect(page.get_by_role("tab", selected=True)).to_have_attribute("data-view", view)
        await expect(page.locator("#side, main, aside, #board").filter(visible=True)).to_have_id(
            view
        )
        assert await look.scrollable(page) == [], view
    scene.ask(section("w" * 400), field_of("why", "w" * 400))
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await look.scrollable(page) == []
