"""Pages in the system's own headless Chromium, and what goes wrong on them.

A page may ask only the host that it came from. Whatever it asks elsewhere, and every error that it
reports, is a complaint, and the fixture `open_page` fails the test for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    async_playwright,
    expect,
)

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
REMEDY = "no Chromium: sudo apt-get install -y chromium"
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # As for the tests themselves, the network looks unplugged.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
WAIT_MS = 15_000
START_MS = 60_000
SETTLE_S = 5.0
CLOSE_S = 10.0
INLINE = frozenset({"about", "blob", "data"})
"""Schemes that ask no host."""


def find_chromium(path: str | None = None) -> str:
    """Return where Chromium is, searching `path` or else PATH; skip the test if it is nowhere."""
    found = next(filter(None, (shutil.which(name, path=path) for name in PROGRAMS)), None)
    return found or pytest.skip(REMEDY)


@contextlib.asynccontextmanager
async def launched(program: str) -> AsyncIterator[Browser]:
    """Run a browser; one that hangs is killed by its driver, which ends when its pipe closes."""
    playwright = await async_playwright().start()
    try:
        browser = await playwright.chromium.launch(
            executable_path=program,
            chromium_sandbox=os.geteuid() != 0,
            args=FLAGS,
            timeout=START_MS,
        )
        yield browser
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await browser.close()
    finally:
        async with asyncio.timeout(CLOSE_S):
            await playwright.stop()


def watch(context: BrowserContext, host: str, complaints: list[str]) -> None:
    """Collect what goes wrong on every page of a context that belongs to one `host:port`."""

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"assert", "error"}:
            complaints.append(f"console: {message.text} ({message.location['url']})")

    def check(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in INLINE and parts.netloc != host:
            complaints.append(f"request to another host: {url}")

    def follow(page: Page) -> None:
        page.on("websocket", lambda socket: check(socket.url))
        page.on("crash", lambda crashed: complaints.append(f"page crashed: {crashed.url}"))

    context.on("console", hear)
    context.on("weberror", lambda thrown: complaints.append(f"page error: {thrown.error}"))
    context.on("request", lambda request: check(request.url))
    context.on("page", follow)


@dataclass(kw_only=True)
class Pages:
    """The pages of one test, each of a person of its own: they share no cookie and no storage.

    A test that provokes an error on purpose asserts the complaint and clears the list.
    """

    browser: Browser
    home: str | None = None
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def __call__(
        self,
        url: str | None = None,
        *,
        width: int = 1440,
        height: int = 900,
        theme: Literal["dark", "light"] = "light",
        zone: str = "UTC",
    ) -> Page:
        """Open a page, of the test's sandbox unless told otherwise."""
        address = url or self.home
        assert address, "which page? the test has neither a url nor the sandbox"
        context = await self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="no-preference",
            locale="en-US",
            timezone_id=zone,
        )
        self.contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        watch(context, urlsplit(address).netloc, self.complaints)
        page = await context.new_page()
        await page.goto(address)
        return page

    @property
    def opened(self) -> list[Page]:
        return [page for context in self.contexts for page in context.pages]

    async def settle(self) -> None:
        """Ask each page once more: what it reported before has arrived by then."""
        for page in self.opened:
            try:
                async with asyncio.timeout(SETTLE_S):
                    await page.evaluate("0")
            except TimeoutError:
                self.complaints.append(f"page hangs: {page.url}")
            except Error as error:
                self.complaints.append(f"page is lost: {page.url}: {error.message}")

    async def shoot(self, folder: Path, name: str) -> list[str]:
        """Leave a screenshot of each open page; return their paths, or why there is none."""
        left = []
        for number, page in enumerate(self.opened, start=1):
            path = folder / f"{name}-{number}.png"
            try:
                await page.screenshot(path=path, timeout=SETTLE_S * 1000)
                left.append(str(path))
            except Error as error:
                left.append(f"no {path}: {error.message}")
        return left
