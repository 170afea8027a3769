"""Fixtures of the tests that look at the sandbox's page in a real browser."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest

from tests.browser import command, pages, stage
from tests.browser.command import Sandbox
from tests.browser.pages import Pages
from tests.browser.stage import Scene

FOLDER = Path(__file__).parent
LIMIT_S = 120
FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a browser more time than other tests have."""
    for item in items:
        is_here = item.path.is_relative_to(FOLDER)
        if is_here and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LIMIT_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure, for the fixtures that end after it."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return where Chromium is, or skip."""
    return pages.find_chromium()


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    """Run `cancelall sandbox`, with options if the test parametrizes this fixture with them.

    Its files are kept with the test's, for the search for leaked secrets.
    """
    options = ["--keep", str(tmp_path / "sandbox"), *getattr(request, "param", [])]
    with command.started([sys.executable, "-m", "bot", "sandbox", *options], tmp_path) as running:
        yield running


@pytest.fixture
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """Serve a page of the test's own, of an account named as the test parametrizes this fixture.

    Before `open_page` among the arguments, so that it ends after the browser.
    """
    async with stage.opened(getattr(request, "param", "desk-mm")) as found:
        yield found


@pytest.fixture
async def open_page(request: pytest.FixtureRequest, chromium: str) -> AsyncIterator[Pages]:
    """Open pages: `page = await open_page()`; the test fails for what goes wrong on them.

    The sandbox starts before the browser, so that it ends after it.
    """
    is_at_home = "sandbox" in request.fixturenames
    home = request.getfixturevalue("sandbox").url if is_at_home else None
    async with pages.launched(chromium) as browser:
        opened = Pages(browser=browser, home=home)
        yield opened
        await opened.settle()
        if opened.complaints or request.node.stash.get(FAILED, False):
            name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
            left = await opened.shoot(request.config.rootpath / ".screenshots", name)
            request.node.add_report_section("teardown", "screenshots", "\n".join(left))
    if opened.complaints:
        pytest.fail("\n".join(["The page complains:", *opened.complaints]), pytrace=False)
