"""The tooling of the browser tests: what it notices, and what it leaves behind."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.browser import command, pages
from tests.browser.pages import Pages

ROOT = Path(__file__).parents[2]
FAULTS = {
    "console": ("console.error('it broke')", "console: it broke"),
    "exception": ("setTimeout(() => { throw new Error('thrown') })", "page error: thrown"),
    "policy": ("new Image().src = '/x'", "Content Security Policy"),
    "fetch": ("fetch('http://foreign.example/x')", "another host: http://foreign.example/x"),
    "socket": ("new WebSocket('ws://127.0.0.1:1/')", "another host: ws://127.0.0.1:1/"),
}
"""What happens on a page, and what is noticed of it."""
NESTED = """
async def test_fails(open_page):
    for text in ("one", "two"):
        await open_page(f"data:,{text}")
    raise AssertionError("on purpose")

async def test_complains(open_page):
    page = await open_page("data:text/html,<script>console.error('it broke')</script>")
"""
SERVES = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("It runs at http://127.0.0.1:1/token/ until Ctrl-C.", flush=True)
signal.sigwait([signal.SIGINT])
"""


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Serve a page that may show nothing but its icon, and ask anybody."""

    async def show(_: web.Request) -> web.Response:
        policy = "default-src 'none'; connect-src *; img-src data:"
        return web.Response(
            text="<title>A page</title><link rel=icon href='data:,'>",
            content_type="text/html",
            headers={"Content-Security-Policy": policy},
        )

    served = web.Application()
    served.router.add_get("/", show)
    runner = web.AppRunner(served)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_goes_wrong_on_a_page_is_noticed(open_page: Pages, url: str, fault: str):
    script, complaint = FAULTS[fault]
    page = await open_page(url, theme="dark")
    await open_page.settle()
    assert open_page.complaints == []
    await page.evaluate(f"() => {{ {script} }}")
    async with asyncio.timeout(10):
        while not any(complaint in each for each in open_page.complaints):
            await open_page.settle()
    await page.context.close()  # It reports nothing more.
    open_page.complaints.clear()


@pytest.mark.usefixtures("chromium")
def test_failed_test_leaves_its_pages_and_a_complaint_fails_one(tmp_path: Path):
    (tmp_path / "test_nested.py").write_text(NESTED)
    config = ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={tmp_path}"]
    options = ["-p", "tests.browser.conftest", f"--basetemp={tmp_path / 'kept'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *config, *options, "test_nested.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    left = tmp_path / ".screenshots"
    assert "1 failed, 1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "The page complains:\nconsole: it broke" in done.stdout
    names = ["test_complains-1.png", "test_fails-1.png", "test_fails-2.png"]
    assert sorted(path.name for path in left.iterdir()) == names
    for name in names:
        assert str(left / name) in done.stdout
        assert (left / name).read_bytes().startswith(b"\x89PNG")


def test_missing_chromium_is_skipped_with_its_remedy(tmp_path: Path):
    with pytest.raises(pytest.skip.Exception) as skipped:
        pages.find_chromium(str(tmp_path))
    assert str(skipped.value) == "no Chromium: sudo apt-get install -y chromium"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"{SERVES}sys.exit(1)", "ended with status 1"),
        (f"{SERVES}sys.stderr.write('task lost')", "status 0 and complains:\ntask lost"),
        ("import sys; sys.exit('no port')", "no URL and ended with status 1:\nno port"),
    ],
)
def test_command_that_starts_or_ends_badly_fails_the_test(tmp_path: Path, script: str, why: str):
    with (
        pytest.raises(pytest.fail.Exception, match=why),
        command.started([sys.executable, "-c", script], tmp_path) as running,
    ):
        assert running.url == "http://127.0.0.1:1/token/"
