"""Who sees what, where: threads, whispers, links to messages, and what was opened stays open."""

import re

from playwright.async_api import Page, expect

from bot.sandbox.slack import chat
from bot.sandbox.world import ALICE, BOB, INCIDENT, TRADING
from tests.browser import desk
from tests.browser.pages import Pages
from tests.browser.stage import Scene


def link(scene: Scene, ts: str) -> str:
    args = {"channel": INCIDENT, "message_ts": ts}
    return f"<{chat.get_permalink(scene.workspace, args)['permalink']}|the place>"


async def is_at_end(page: Page, where: str) -> bool:
    left: float = await page.locator(where).evaluate(
        "list => list.scrollHeight - list.clientHeight - list.scrollTop"
    )
    return abs(left) <= 1


async def test_a_thread_counts_its_replies_and_shows_them(scene: Scene, open_page: Pages):
    card, other = scene.post("card"), scene.post("another")
    page = await open_page(scene.url)
    shown, thread = page.locator("#messages > .message"), page.get_by_label("Thread", exact=True)
    quiet = shown.first.get_by_role("button", name="Reply in thread")
    await expect(quiet).to_be_visible()
    await expect(thread).to_be_hidden()
    await quiet.click()
    await expect(thread.locator(".message")).to_have_text([re.compile("card$")])
    await expect(page.get_by_role("combobox", name="Reply as alice")).to_be_focused()
    scene.post("one", thread_ts=card)
    await expect(shown.first.get_by_role("button")).to_have_text(re.compile(r"^1 reply, last at"))
    scene.post("two", thread_ts=card, reply_broadcast=True)
    scene.post("elsewhere", thread_ts=other)
    await expect(shown.first.get_by_role("button")).to_have_text(re.compile(r"^2 replies, last at"))
    said = page.locator("#messages .said > p:last-of-type")
    await expect(said).to_have_text(["card", "another", "two"])
    replies = page.locator("#replies .said > p:last-of-type")
    await expect(replies).to_have_text(["card", "one", "two"])
    await page.get_by_role("button", name="Close the thread").click()
    await expect(thread).to_be_hidden()
    await shown.last.get_by_role("button", name="Reply in thread").click()
    await expect(replies).to_have_text(["card", "one", "two"])
    scene.workspace.delete(INCIDENT, card)
    await expect(said).to_have_text(["another", "two"])
    await expect(thread).to_be_hidden()


async def test_a_whisper_is_seen_by_its_person_alone(scene: Scene, open_page: Pages):
    card = scene.post("card")
    alice, bob = await open_page(scene.url), await open_page(scene.url)
    await desk.act_as(bob, "bob")
    for page in (alice, bob):
        await page.get_by_role("button", name="Reply in thread").click()
    in_channel = scene.whisper(BOB, "for bob")
    scene.whisper(BOB, "for bob, here", thread=card)
    scene.post("for all", thread_ts=card)
    for page, counts in ((bob, (1, 1)), (alice, (0, 0))):
        await expect(page.locator("#replies .message").last).to_contain_text("for all")
        for place, count in zip(("#messages", "#replies"), counts, strict=True):
            whispers = page.locator(f"{place} .whisper")
            await expect(whispers).to_have_count(count)
            for one in await whispers.all():
                await expect(one.locator(".only-you")).to_have_text("Only visible to you")
                await expect(one.get_by_role("button")).to_have_count(0)
        await expect(page.locator("#messages .message").first).to_contain_text("1 reply,")
    await desk.act_as(alice, "bob")
    await expect(alice.locator("#messages .whisper")).to_contain_text("for bob")
    scene.workspace.replace_ephemeral(in_channel.ts, None)
    await expect(alice.locator("#messages .whisper")).to_have_count(0)
    await desk.act_as(alice, "alice")
    await expect(alice.locator(".whisper")).to_have_count(0)


async def test_a_link_to_a_message_leads_there(scene: Scene, open_page: Pages):
    card = scene.post("card")
    answers = [scene.post(f"answer {number}", thread_ts=card) for number in range(40)]
    for number in range(40):
        scene.say(ALICE, f"row {number}")
    scene.post(f"See {link(scene, card)} and {link(scene, answers[3])}")
    page = await open_page(scene.url)
    first, found = page.locator("#messages .message").first, page.locator(".message.found")
    await expect(first).not_to_be_in_viewport()
    to_card, to_answer = (page.get_by_role("link", name="the place").nth(at) for at in range(2))
    await to_card.click()
    await expect(first).to_be_in_viewport()
    await expect(found).to_contain_text("card")
    await expect(page.get_by_label("Thread", exact=True)).to_be_hidden()
    await page.get_by_role("button", name="# trading").click()
    await expect(page.locator("#start")).to_be_visible()
    await page.get_by_role("button", name="# incident").click()
    await to_answer.click()
    await expect(page.locator("#replies .message").nth(4)).to_be_in_viewport()
    await expect(found).to_contain_text("answer 3")
    assert page.url.partition("#")[0] == scene.url
    phone = await open_page(scene.url, width=375, height=720)
    await phone.get_by_role("link", name="the place").nth(1).click()
    await expect(phone.locator("#replies .found")).to_be_in_viewport()
    await expect(phone.locator("#messages")).to_be_hidden()


async def test_another_channel_or_thread_begins_at_its_end(scene: Scene, open_page: Pages):
    cards = [scene.post(f"card {number}") for number in range(2)]
    for number in range(30):
        for card in cards:
            scene.post(f"answer {number}", thread_ts=card)
        scene.say(ALICE, f"row {number}")
        scene.post(f"row {number}", channel=TRADING)
    page = await open_page(scene.url)
    shown = page.locator("#messages > .message")
    await expect(shown).to_have_count(32)
    assert await is_at_end(page, "#messages")
    await page.locator("#messages").evaluate("list => { list.scrollTop = 0 }")
    for number in range(2):
        await shown.nth(number).get_by_role("button", name=re.compile("30 replies")).click()
        await expect(page.locator("#replies .message").first).to_contain_text(f"card {number}")
        assert await is_at_end(page, "#replies")
        await page.locator("#replies").evaluate("list => { list.scrollTop = 0 }")
    assert await page.locator("#messages").evaluate("list => list.scrollTop") == 0
    await page.get_by_role("button", name="# trading").click()
    await expect(shown).to_have_count(30)
    assert await is_at_end(page, "#messages")


async def test_what_was_opened_stays_open(scene: Scene, open_page: Pages):
    scene.log("/v5/order/cancel-all", '{"category":"linear"}')
    scene.log("/v5/order/realtime", "")
    page = await open_page(scene.url)
    wire = page.locator(".wire")
    await expect(wire.locator("summary").first).to_have_text(
        "2 calls, last: POST /v5/order/realtime → 0"
    )
    await wire.locator("summary").first.click()
    call = page.locator(".call").first
    await call.locator("summary").click()
    await expect(call.get_by_text('{"category":"linear"}')).to_be_visible()
    for number in range(60):
        scene.log(f"/v5/order/{number}", "", "10001")
    await expect(page.locator(".call.bad .code")).to_have_text(["10001"] * 60)
    assert await is_at_end(page, ".calls")
    await desk.act_as(page, "bob")
    await expect(call.get_by_text('{"category":"linear"}')).to_be_visible()
    await expect(page.locator(".call.bad .code")).to_have_count(60)
