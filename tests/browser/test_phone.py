"""On a phone: one view at a time, nothing wider than the window, everything in reach."""

import pytest
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.browser.pages import Pages


async def show(page: Page, view: str) -> None:
    await page.get_by_role("tab", name=view).click()
    wide, window = await desk.widths(page)
    assert wide <= window == 375, view


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_story_fits_a_phone(open_page: Pages, sandbox, theme):
    page = await open_page(width=375, height=720, theme=theme)
    await desk.ask(page, 'ems-john pacifica-main --reason "on the train"')
    await show(page, "People")
    await expect(page.locator("#messages")).to_be_hidden()
    await desk.act_as(page, "bob")
    await show(page, "Channel")
    await desk.press(page, "Approve cancel")
    await expect(desk.card(page)).to_contain_text("FLAT: 2 of 2 accounts", timeout=desk.RUN_MS)
    replies = await desk.open_thread(page)
    await expect(replies).to_contain_text("pacifica: 1 of 1 accounts FLAT")
    await expect(page.locator("#messages")).to_be_hidden()
    await show(page, "Thread")
    await show(page, "Venues")
    account = page.locator('[data-account="pacifica-main"] b')
    await expect(account).to_have_text("0")
    await expect(page.get_by_role("tab", name="Venues")).to_contain_text("2,242")
    await show(page, "Channel")
    await expect(desk.card(page)).to_be_visible()
