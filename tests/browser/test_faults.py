"""What if: a fault is pulled by one click, the page shows what the bot does, and it recovers."""

import re

from playwright.async_api import Locator, Page, expect

from tests.browser import desk
from tests.browser.pages import Pages


def control(page: Page | Locator, label: str) -> Locator:
    """Find a control; behind its label may stand how many calls it has met."""
    return page.get_by_role("button", name=re.compile(rf"^{re.escape(label)}( \d+\S)?$"))


async def test_a_venue_and_slack_fail_in_a_run_and_the_books_empty_all_the_same(
    open_page: Pages, sandbox
):
    page = await open_page()
    bybit = desk.venue(page, "Bybit")
    await desk.ask(page, 'bybit --reason "what if"')
    hint = "Every call is answered by HTTP 500."
    await expect(control(bybit, "500")).to_have_attribute("title", hint)
    await control(bybit, "500").click()
    await expect(control(bybit, "500")).to_have_attribute("aria-pressed", "true")
    await desk.act_as(page, "bob")
    await desk.press(page, "Approve cancel")
    replies = await desk.open_thread(page)
    await expect(replies).to_contain_text("bybit-mm: reading key, open unknown, Bybit's server")
    await bybit.locator(".wire > summary").click()
    await expect(bybit.locator(".call.bad .code").first).to_have_text("500")
    await expect(bybit.locator(".call.bad .signed").first).to_have_text("not checked")
    await expect(control(bybit, "500")).to_contain_text(re.compile(r" \d+\S$"))
    await desk.expect_open(page, "Bybit", "1,764")

    await control(page, "Slack down").click()
    said = page.locator("#app-parts")
    await expect(said.locator(".bad")).to_contain_text("HTTP 503")
    await desk.card(page).get_by_role("button", name=re.compile("repl")).click()
    box = page.get_by_role("combobox", name="Message #")
    await box.fill("does anybody hear me?")
    await box.press("Enter")
    await expect(page.locator("#notices")).to_contain_text("Slack is down")
    await expect(box).to_have_value("does anybody hear me?")
    await control(bybit, "500").click()
    await desk.expect_open(page, "Bybit", "0")
    await expect(desk.card(page)).to_contain_text("RUNNING: 0 of 3 accounts FLAT so far")

    await control(page, "Slack down").click()
    await expect(desk.card(page)).to_contain_text("FLAT: 3 of 3 accounts", timeout=desk.RUN_MS)
    await expect(replies).to_contain_text("bybit: 3 of 3 accounts FLAT")
    await expect(said.locator(".bad")).to_have_count(0)
    signed = bybit.locator(".call:not(.bad)").filter(has_text="cancel-all")
    assert await signed.count() > 0
    assert set(await signed.locator(".signed").all_inner_texts()) == {"✓ signed"}


async def test_keys_are_away_and_come_back_and_what_a_bot_places_goes_too(
    open_page: Pages, sandbox
):
    page = await open_page()
    await control(page, "Key source down").click()
    await expect(page.locator("#app-parts")).to_contain_text("Vault is sealed")
    snx = desk.venue(page, "Synthetix")
    await control(snx, "clock +60 s").click()
    await control(snx, "runaway bot").click()
    await desk.ask(page, "synthetix")
    await expect(desk.card(page)).to_contain_text("Vault is sealed. Unseal Vault.")
    await desk.act_as(page, "carol")
    await desk.press(page, "Approve cancel")
    replies = await desk.open_thread(page)
    await expect(replies).to_contain_text("snx-mm: reading key, open unknown, Vault is sealed")
    await expect(snx.locator("thead b").first).not_to_have_text("70")
    await control(page, "All well").click()
    for label in ("clock +60 s", "runaway bot"):
        await expect(control(snx, label)).to_have_attribute("aria-pressed", "false")
    await desk.expect_open(page, "Synthetix", "0")
    await expect(desk.card(page)).to_contain_text("FLAT: 3 of 3 accounts", timeout=desk.RUN_MS)
    await control(snx, "+ orders").click()
    await desk.expect_open(page, "Synthetix", "210")
