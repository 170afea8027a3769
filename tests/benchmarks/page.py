"""How fast the sandbox's page answers a key while much goes on, beside how fast when nothing does.

    .venv/bin/python -m tests.benchmarks.page        needs Chromium

Loaded: 50 messages, 2,376 open orders that a run cancels, the thread and every wire log open. Each
key's time is from its event to the frame that shows it, as the browser's own clock has it; the
browser, the bot and four venues share this machine. What holds on every machine is the ratio.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser import command, desk, pages
from tests.browser.pages import Pages

MESSAGES = 50
KEYS = 120
WATCH = """() => {
  const seen = window.seen = { keys: [], tasks: [], frames: [] };
  addEventListener("keydown", (event) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => seen.keys.push(performance.now() - event.timeStamp);
    channel.port2.postMessage(0);
  }), true);
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) seen.tasks.push(task.duration);
  }).observe({ type: "longtask" });
  let before = performance.now();
  (function frame() {
    const now = performance.now();
    seen.frames.push(now - before);
    before = now;
    requestAnimationFrame(frame);
  })();
}"""
POST = """async ([channel, words]) => {
  const body = JSON.stringify({ act: "say", who: "U0ALICE", channel, words });
  const headers = { "Content-Type": "application/json" };
  const reply = await fetch("acts", { method: "POST", headers, body });
  return reply.status;
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Felt:
    """What somebody at the page felt; all times in ms."""

    keys: list[float]
    tasks: list[float]
    """Of more than 50 ms, in which the page heard nobody."""
    frames: list[float]

    @property
    def p50(self) -> float:
        return statistics.median(self.keys)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.keys, n=20)[-1]

    def line(self, name: str) -> str:
        return (
            f"{name:7} key to frame: median {self.p50:5.1f} ms, 95 % within {self.p95:5.1f} ms, "
            f"worst {max(self.keys):5.1f} ms; longest frame {max(self.frames):5.1f} ms; "
            f"tasks over 50 ms: {len(self.tasks)}"
        )


async def type_on(page: Page) -> Felt:
    """Type letters at a fast typist's pace and return what was felt."""
    box = page.locator("#message-box")
    await box.fill("")
    await box.click()
    await page.evaluate("() => { for (const each of Object.values(window.seen)) each.length = 0 }")
    for number in range(KEYS):
        await page.keyboard.press("abcdefgh"[number % 8])
        await asyncio.sleep(0.05)
    found = await page.evaluate("window.seen")
    await box.fill("")
    return Felt(**found)


async def load(page: Page, other: Page) -> None:
    """Fill the channel, open everything, and let a run begin."""
    for number in range(MESSAGES - 1):
        words = f"message {number}: *bold* and `code`, <https://example.com|a link> and @bob"
        assert await page.evaluate(POST, ["C0INCIDENT", words]) == 200
    await desk.ask(page, 'all --reason "benchmark"')
    for summary in await page.locator(".wire > summary").all():
        await summary.click()
    await desk.act_as(other, "bob")
    await desk.press(other, "Approve cancel")
    await desk.open_thread(page)


async def measure() -> tuple[Felt, Felt]:
    """Measure the page at rest and in the middle of a run."""
    words = [sys.executable, "-m", "bot", "sandbox", "--seed", "7"]
    with (
        tempfile.TemporaryDirectory() as folder,
        command.started(words, Path(folder)) as sandbox,
    ):
        async with pages.launched(pages.find_chromium()) as browser:
            opened = Pages(browser=browser, home=sandbox.url)
            page, other = await opened(), await opened()
            await expect(page.locator("#board-note")).to_have_text("2,376 orders open")
            await page.evaluate(WATCH)
            rest = await type_on(page)
            await load(page, other)
            loaded = await type_on(page)
            assert await page.locator("#messages > .message").count() >= MESSAGES
            assert not opened.complaints, opened.complaints
    return rest, loaded


def main() -> None:
    rest, loaded = asyncio.run(measure())
    for line in (
        rest.line("at rest"),
        loaded.line("loaded"),
        f"ratio   median {loaded.p50 / rest.p50:.1f}, 95 % {loaded.p95 / rest.p95:.1f}",
    ):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
