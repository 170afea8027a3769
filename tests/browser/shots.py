"""Make the README's pictures anew, from the running page.

make shots        needs Chromium

The moment is one at which the run has emptied most books and waits for the slowest venue.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import expect

from tests.browser import command, desk, pages
from tests.browser.pages import Pages

FOLDER = command.ROOT / ".github"
COLOURS = 256
"""As many as the page's flat colours and the edges of its letters need; two fifths of the bytes."""
ALMOST = "RUNNING: 9 of 12 accounts FLAT so far"


async def shoot(sandbox: str) -> None:
    """Play the story and take the pictures on its way."""
    async with pages.launched(pages.find_chromium()) as browser:
        opened = Pages(browser=browser, home=sandbox)
        page = await opened()
        await desk.ask(page, 'all --reason "runaway quoter"')
        await expect(desk.card(page)).to_contain_text("when asked")
        phone = await opened(width=375, height=720)
        await (
            desk.card(phone).locator(".block-actions").evaluate("row => row.scrollIntoView(false)")
        )
        await phone.screenshot(path=FOLDER / "sandbox-phone.png")
        await desk.act_as(page, "bob")
        await desk.press(page, "Approve cancel")
        await desk.open_thread(page)
        await page.mouse.move(0, 0)
        await expect(desk.card(page)).to_contain_text(ALMOST)
        await page.locator("#message-box").blur()
        await page.locator("#reply-box").blur()
        await page.screenshot(path=FOLDER / "sandbox.png")
        await page.emulate_media(color_scheme="dark")
        await page.screenshot(path=FOLDER / "sandbox-dark.png")


def main() -> None:
    words = [sys.executable, "-m", "bot", "sandbox", "--seed", "7"]
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        command.started(words, Path(folder)) as sandbox,
    ):
        asyncio.run(shoot(sandbox.url))
    for path in sorted(FOLDER.glob("*.png")):
        with Image.open(path) as full:
            few = full.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
            few.save(path, optimize=True)
        sys.stdout.write(f"{path.relative_to(command.ROOT)}: {path.stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main()
