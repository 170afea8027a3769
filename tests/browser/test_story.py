"""The whole story in a browser, by clicks and typing: the command, who may not, who may, FLAT."""

import asyncio
import signal

from playwright.async_api import expect

from tests.browser import desk
from tests.browser.pages import Pages

REFUSED = {
    "alice": "alice asked for this: somebody else must approve.",
    "gina": "gina is a guest here.",
    "mallory": "mallory is not of our workspace.",
}
WIDTHS = "bars => [...new Set(bars.map((bar) => bar.style.width))]"
VENUES = ("Bybit", "CoinAPI EMS", "Pacifica", "Synthetix")


async def test_two_people_empty_every_book_and_nobody_else_can(open_page: Pages, sandbox):
    page = await open_page()
    for title in VENUES:
        await expect(desk.venue(page, title).locator("thead b").first).not_to_have_text("0")
    await desk.ask(page, 'all --reason "runaway quoter"')
    await expect(desk.card(page)).to_contain_text("Cancel open orders: 12 accounts")
    await expect(desk.card(page)).to_contain_text("Why runaway quoter")
    for who, why in REFUSED.items():
        await desk.act_as(page, who)
        await desk.press(page, "Approve cancel")
        await expect(desk.whispers(page).last).to_contain_text(why)
    await expect(page.locator("#board-note")).to_have_text("2,376 orders open")
    assert await page.locator(".bar i").evaluate_all(WIDTHS) == ["100%"]
    await expect(desk.card(page)).to_contain_text("PENDING")
    await desk.act_as(page, "bob")
    await expect(desk.whispers(page)).to_have_count(0)
    await desk.press(page, "Approve cancel", agrees=False)
    await expect(desk.card(page)).to_contain_text("PENDING")
    await desk.press(page, "Approve cancel")
    await expect(desk.card(page)).to_contain_text("FLAT: 12 of 12 accounts", timeout=desk.RUN_MS)
    await expect(desk.card(page)).to_contain_text("Approved by @bob")
    replies = await desk.open_thread(page)
    for name in ("bybit", "coinapi", "pacifica", "synthetix"):
        await expect(replies).to_contain_text(f"{name}: 3 of 3 accounts FLAT")
    for title in VENUES:
        await desk.expect_open(page, title, "0")
        assert set(await desk.venue(page, title).locator("thead b").all_inner_texts()) == {"0"}
    await expect(page.locator("#board-note")).to_have_text("0 orders open")
    assert await page.locator(".bar i").evaluate_all(WIDTHS) == ["0%"]


async def test_everybody_sees_a_denial_and_its_reason(open_page: Pages, sandbox):
    alice, bob = await open_page(), await open_page(theme="dark")
    await desk.act_as(bob, "bob")
    await desk.ask(alice, "pacifica-main")
    await desk.card(bob).get_by_role("button", name="Deny").click()
    form = bob.get_by_role("dialog")
    await form.get_by_role("button", name="Deny").click()
    await expect(form.get_by_role("alert").first).to_have_text(
        "Please complete this required field."
    )
    await form.get_by_role("textbox").fill("wrong desk <!channel>")
    await form.get_by_role("button", name="Deny").click()
    await expect(desk.card(alice)).to_contain_text("Denied by @bob")
    await expect(desk.card(alice)).to_contain_text(": wrong desk <!channel>")
    await expect(desk.card(alice).locator(".mention.loud")).to_have_count(0)
    await expect(desk.card(alice).get_by_role("button", name="Approve cancel")).to_have_count(0)
    await desk.expect_open(alice, "Pacifica", "237")


async def test_a_sandbox_that_has_ended_is_seen_to_have(open_page: Pages, sandbox):
    page = await open_page()
    await desk.act_as(page, "bob")
    await page.get_by_role("button", name="# trading").click()
    await page.reload()
    await expect(page.get_by_role("radio", name="bob")).to_be_checked()
    await expect(page.locator("#channel-name")).to_have_text("# trading")
    sandbox.running.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(sandbox.running.wait, 30) == 0
    await expect(page.locator("#link-state")).to_have_text("The sandbox does not answer.")
    box = page.get_by_role("combobox", name="Message #")
    await expect(box).to_be_focused()
    await page.keyboard.type("anybody?")
    await page.keyboard.press("Enter")
    await expect(page.locator("#notices")).to_contain_text("Has it ended?")
    await expect(box).to_have_value("anybody?")
    await page.context.close()
    assert all("ERR_" in each for each in open_page.complaints)
    open_page.complaints.clear()
