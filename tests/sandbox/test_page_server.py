"""The page's door: who may come in, what they are given, and what they cannot do there."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import pytest

from bot.sandbox.slack.workspace import SLACKBOT
from bot.sandbox.world import ALICE, INCIDENT
from tests.sandbox import page_stage
from tests.sandbox.page_stage import Page

SAY = {"act": "say", "who": ALICE, "channel": INCIDENT, "words": "/cancelall all"}
HI = {**SAY, "words": "hi"}
PRESS = {"control": "bybit/429"}
FOREIGN = (
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example:127.0.0.1",
    "evil-localhost",
    "127.0.0.2",
    "0.0.0.0",
    "[::1].evil.example",
    "user@127.0.0.1",
)
"""Names of others that lead to this machine, if their DNS says so."""
POLICY = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "connect-src": ["'self'"],
    "img-src": ["'self'"],
    "base-uri": ["'none'"],
    "form-action": ["'none'"],
    "frame-ancestors": ["'none'"],
    "require-trusted-types-for": ["'script'"],
    "trusted-types": ["'none'"],
}
"""No inline script or style, no eval, no other host, no frame, no string that becomes HTML."""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with page_stage.opened() as found:
        yield found


def is_untouched(page: Page) -> bool:
    """Tell whether nothing was said, delivered or switched."""
    is_silent = not (page.workspace.everything(INCIDENT) or page.workspace.ephemerals(ALICE))
    return is_silent and not (page.app.heard or page.venue.faults.active)


def policy_of(headers: Mapping[str, str]) -> dict[str, list[str]]:
    parts = headers["Content-Security-Policy"].split(";")
    return {name: sources for name, *sources in map(str.split, parts)}


async def test_the_page_and_whatever_it_names_are_served_each_as_what_it_is(page: Page):
    home = await page.visitor.get()
    assert (home.status, home.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    names = re.findall(r'(?:src|href)="([^"]+)"', home.text)
    assert names == ["icon.svg", "page.css", "page.js"]
    script = (await page.visitor.get("page.js")).text
    names += re.findall(r'from "\./([^"]+)"', script)
    found = [await page.visitor.get(name) for name in names]
    assert {reply.status for reply in found} == {200}
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for name, reply in zip(names, found, strict=True):
        assert reply.headers["Content-Type"] == f"{kinds[name[-3:].strip('.')]}; charset=utf-8"


async def test_the_page_holds_nothing_that_its_policy_would_not_run(page: Page):
    text = (await page.visitor.get()).text
    assert re.findall(r"<script(?![^>]* src=)|<style| style=| on\w+=|javascript:|//", text) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("file", ["", "index.html", "page.js", "events", "acts", "presses"])
async def test_without_the_token_there_is_nothing_and_no_hint(page: Page, method: str, file: str):
    token = urlsplit(page.visitor.url).path.strip("/")
    wrong = ["", "/token", f"/{token[:-1]}", f"/{token}x", f"/{token.swapcase()}", "/%00"]
    for start in wrong:
        send = page.visitor.get if method == "GET" else page.visitor.post
        body = [] if method == "GET" else [SAY]
        reply = await send(f"{start}/{file}", *body)
        assert (reply.status, reply.text) == (404, "404: Not Found")
    assert is_untouched(page)


async def test_the_token_is_too_long_to_guess_and_another_at_each_start():
    tokens = set()
    for _ in range(3):
        async with page_stage.opened() as page:
            tokens.add(urlsplit(page.visitor.url).path.strip("/"))
    assert len(tokens) == 3
    assert min(len(set(token)) for token in tokens) > 10
    assert {len(token) for token in tokens} == {32}


@pytest.mark.parametrize("host", FOREIGN)
async def test_whoever_calls_us_by_a_foreign_name_is_turned_away(page: Page, host: str):
    port = urlsplit(page.visitor.url).port
    for name in (host, f"{host}:{port}"):
        for file in ("", "page.js", "events"):
            assert (await page.visitor.get(file, Host=name)).status == 403
        reply = await page.visitor.post("acts", SAY, Host=name, Origin=f"http://{name}")
        assert (reply.status, reply.text) == (403, "Call this page by the URL that was printed.")
    assert is_untouched(page)


async def test_whoever_calls_us_by_no_name_is_turned_away(page: Page):
    there = urlsplit(page.visitor.url)
    reader, writer = await asyncio.open_connection(there.hostname, there.port)
    writer.write(f"GET {there.path} HTTP/1.0\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"403"
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
async def test_this_machines_own_names_are_served(page: Page, name: str):
    host = f"{name}:{urlsplit(page.visitor.url).port}"
    assert (await page.visitor.get(Host=host)).status == 200
    reply = await page.visitor.post("acts", HI, Host=host, Origin=f"http://{host}")
    assert reply.status == 200
    assert [each.text for each in page.workspace.messages(INCIDENT)] == ["hi"]


@pytest.mark.parametrize("path", ["acts", "presses"])
@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:{port}",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1:{port}.evil.example",
    ],
)
async def test_another_page_cannot_post_here(page: Page, path: str, origin: str):
    sent = origin.format(port=urlsplit(page.visitor.url).port)
    for body in (SAY, PRESS):
        reply = await page.visitor.post(path, body, Origin=sent)
        assert (reply.status, reply.text) == (403, "Only this page may post here.")
    assert is_untouched(page)


@pytest.mark.parametrize("path", ["acts", "presses"])
@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"],
)
async def test_what_a_form_could_post_is_refused(page: Page, path: str, kind: str):
    for body in (SAY, PRESS):
        assert (await page.visitor.post(path, body, Content_Type=kind)).status == 403
    assert is_untouched(page)


async def test_every_answer_carries_the_policy_and_tells_nobody_of_itself(page: Page):
    visitor = page.visitor
    found = [
        (200, await visitor.get()),
        (200, await visitor.get("page.css")),
        (200, await visitor.get("events")),
        (200, await visitor.post("acts", HI)),
        (202, await visitor.post("presses", PRESS)),
        (400, await visitor.post("acts", {})),
        (403, await visitor.get(Host="evil.example")),
        (403, await visitor.post("acts", HI, Origin="null")),
        (404, await visitor.get("/")),
        (404, await visitor.get("server.py")),
        (404, await visitor.get("events?as=U0NOBODY")),
        (405, await visitor.send("PUT", "acts", {})),
        (413, await visitor.post("acts", b" " * 70_000)),
    ]
    assert [reply.status for _, reply in found] == [status for status, _ in found]
    for _, reply in found:
        assert policy_of(reply.headers) == POLICY
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in reply.headers


async def test_nobody_but_this_machine_reaches_the_page(page: Page):
    port = urlsplit(page.visitor.url).port
    assert urlsplit(page.visitor.url).hostname == "127.0.0.1"
    # Whoever listens at every address answers there too.
    with pytest.raises((ConnectionError, TimeoutError)):
        async with asyncio.timeout(1.0):
            await asyncio.open_connection("127.0.0.2", port)


@pytest.mark.parametrize(
    "file",
    [
        "server.py",
        "__init__.py",
        "__pycache__",
        "..%2fpage%2fserver.py",
        "..%2f..%2f..%2f..%2fpyproject.toml",
        "..%2f..%2fslack%2f..%2fpage%2fpage.js",
        "../sandbox/page/page.js",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fREADME.md",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "page.js%00",
        "page.js%2f",
        "PAGE.JS",
        ".",
        "..",
        "acts",
    ],
)
async def test_only_the_pages_own_files_are_served(page: Page, file: str):
    path = urlsplit(page.visitor.url).path + file
    reply = await page.visitor.get(path)
    assert (reply.status, reply.text) == (404, "404: Not Found")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b'"say"',
        {},
        {**HI, "act": "forge"},
        {**HI, "forge": True},
        {**HI, "words": 1},
        {**HI, "words": "x" * 12_001},
        {**HI, "who": None},
        {key: value for key, value in HI.items() if key != "channel"},
        {"act": "click", "who": ALICE, "channel": INCIDENT, "ts": "1.0", "value": "other"},
        {"act": "submit", "who": ALICE, "values": {"reason": ["a", "b"]}},
        {**HI, "who": "U0NOBODY"},
        {**HI, "who": SLACKBOT},
        {**HI, "who": "U0CANCELALL"},
    ],
)
async def test_what_is_no_act_of_anybody_is_refused_and_does_nothing(page: Page, body: object):
    reply = await page.visitor.post("acts", body)
    assert reply.status == 400
    assert reply.text in {
        "This is no act that the page knows.",
        "There is nobody of that id here.",
    }
    assert is_untouched(page)


async def test_a_body_that_is_too_large_is_not_read_to_its_end(page: Page):
    too_large = json.dumps({**HI, "words": "x" * 70_000}).encode()
    assert (await page.visitor.post("acts", too_large)).status == 413
    assert is_untouched(page)


@pytest.mark.parametrize(
    "body", [b"{}", {"control": "bybit/none"}, {"control": 1}, {**PRESS, "x": 1}]
)
async def test_what_is_no_press_of_a_control_is_refused(page: Page, body: object):
    assert (await page.visitor.post("presses", body)).status == 400
    assert is_untouched(page)
    assert (await page.visitor.post("presses", PRESS)).status == 202
    assert not is_untouched(page)
