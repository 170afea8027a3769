"""What people do on the sandbox's page, by the names that they read there."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Page, expect

RUN_MS = 60_000
"""A run may take so long before its verdict is on the card."""


async def act_as(page: Page, who: str) -> None:
    """Become somebody else."""
    await page.get_by_role("radio", name=who).check()
    await expect(page.locator("#message-box")).to_have_attribute(
        "aria-label", re.compile(f" as {who}$")
    )


async def ask(page: Page, words: str) -> None:
    """Type a command as people do: its first letters, Tab, the rest, Enter."""
    box = page.get_by_role("combobox", name="Message #")
    await box.press_sequentially("/can")
    await expect(page.get_by_role("option")).to_contain_text("/cancelall")
    await box.press("Tab")
    await box.press_sequentially(words)
    await box.press("Enter")
    await expect(card(page)).to_contain_text("Expires")


async def press(page: Page, button: str, *, agrees: bool = True) -> None:
    """Press a button of the card and answer its dialog."""
    await card(page).get_by_role("button", name=button, exact=True).click()
    asked = page.get_by_role("dialog")
    await asked.get_by_role("button", name=button if agrees else "Go back").click()
    await expect(asked).to_be_hidden()


def card(page: Page) -> Locator:
    """Find the newest card: a message with a headline."""
    return page.locator("#messages > .message").filter(has=page.locator(".block-header")).last


def whispers(page: Page) -> Locator:
    """Find what only this person sees."""
    return page.locator(".message.whisper")


async def open_thread(page: Page) -> Locator:
    """Open the card's thread and return its replies."""
    await card(page).get_by_role("button", name=re.compile(r"^\d+ repl")).click()
    return page.locator("#replies")


def venue(page: Page, title: str) -> Locator:
    """Find a venue on the board."""
    return page.get_by_role("article", name=title)


async def expect_open(page: Page, title: str, count: str) -> None:
    """Wait until a venue's books hold so many orders, as the board counts them."""
    found = venue(page, title).get_by_role("heading").locator("b")
    await expect(found).to_have_text(count, timeout=RUN_MS)


async def widths(page: Page) -> tuple[int, int]:
    """Return how wide the page's content is, and how wide the window."""
    wide: int = await page.evaluate("document.documentElement.scrollWidth")
    window: int = await page.evaluate("window.innerWidth")
    return wide, window
