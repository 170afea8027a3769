"""Outside text is text: whatever it looks like, it does nothing on the page."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Dialog, Page, expect

from bot.sandbox.page import server
from bot.sandbox.slack.records import Channel, User
from bot.sandbox.slack.workspace import HOME
from bot.sandbox.world import ALICE, INCIDENT
from bot.slack import text
from tests.browser import look
from tests.browser.pages import Pages
from tests.browser.stage import Scene, actions, button, field_of, plain, section

FILES = Path(server.__file__).parent
HOSTILE = (
    '<script>window.ran = 1</script> <img src=x onerror="window.ran = 2"> '
    "<svg onload=window.ran=3> <javascript:window.ran=4|press> "
    "<JAVASCRIPT:window.ran=5> <data:text/html,<b>x</b>|press> <vbscript:x|press> "
    "<iframe srcdoc='<script>top.ran = 6</script>'> {{7*7}} ${window.ran=7}"
)
NAME = "<img src=x onerror=window.ran=8>"
LONG = "w" * 10_000
APPS = "cancelall|bybit|pacifica|synthetix|coinapi|approve|withdraw|vault"
SVG = 'xmlns="http://www.w3.org/2000/svg"'
ERROR_PAGE = (
    "HTTP 502: <html><head><title>502</title><meta http-equiv=refresh content='0;url=//evil.test'>"
    "<link rel=stylesheet href=//evil.test/x.css></head><body onload=alert(1)><form action=/acts>"
    "<h1>Bad Gateway</h1></body></html> <!channel> <@U0BOB>"
)
FOUND = """() => ({
  elements: [...document.querySelectorAll(
    "script, img, iframe, svg, object, embed, style, link, meta, base, video, audio",
  )].map((each) => each.outerHTML),
  handlers: [...document.querySelectorAll("*")]
    .flatMap((each) => each.getAttributeNames()).filter((name) => name.startsWith("on")),
  schemes: [...new Set([...document.querySelectorAll("[href], [src]")]
    .map((each) => new URL(each.href || each.src).protocol))],
  ran: String(window.ran),
})"""
"""What could act, or has."""
ACTS = {
    "setTimeout(() => { eval('window.ran = 1') })": "'unsafe-eval' is not an allowed source",
    "setTimeout(() => { new Function('window.ran = 1')() })": "'TrustedScript'",
    "setTimeout('window.ran = 1')": "'TrustedScript'",
    "document.body.innerHTML = '<img src=x onerror=\"window.ran = 1\">'": "'TrustedHTML'",
    "document.body.setAttribute('onclick', 'window.ran = 1')": "'TrustedScript'",
    "add('a', { href: 'javascript:window.ran = 1' }).click()": "script-src 'self'",
    "add('script', { text: 'window.ran = 1' })": "'TrustedScript'",
    "add('script', { src: 'https://evil.test/x.js' })": "'TrustedScriptURL'",
    "add('iframe', { srcdoc: '<script>top.ran = 1</script>' })": "'TrustedHTML'",
    "add('style', { textContent: 'body { --ran: 1 }' })": "style-src 'self'",
    "document.body.setAttribute('style', '--ran: 1')": "style-src 'self'",
    "add('img', { src: 'https://evil.test/x.png' })": "img-src 'self'",
    "add('form', { action: '/elsewhere' }).requestSubmit()": "form-action 'none'",
    "fetch('https://evil.test/').catch(() => {})": "connect-src 'self'",
}
"""What a hole in the page could do, and the words by which the browser refuses it."""


async def watched(page: Page) -> list[str]:
    """Collect what the page does by itself from now on."""
    met: list[str] = []

    async def dismiss(dialog: Dialog) -> None:
        met.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("popup", lambda popup: met.append(f"popup: {popup.url}"))
    page.on("framenavigated", lambda frame: met.append(f"navigation: {frame.url}"))
    page.on("request", lambda asked: met.append(f"{asked.method} {asked.url}"))
    return met


@pytest.mark.parametrize("scene", [f"{NAME} {LONG}"], indirect=True)
async def test_hostile_text_is_shown_and_does_nothing(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    await expect(page.locator("#start")).to_be_visible()
    before, met = await page.evaluate(FOUND), await watched(page)
    evil = f"{NAME} {LONG}"
    scene.workspace.put_user(User(id="U0EVIL", name=evil, team_id=HOME))
    members = frozenset({ALICE, "U0EVIL", scene.workspace.app.bot_user_id})
    scene.workspace.put_channel(Channel(id=INCIDENT, name=evil, members=members))
    raw, whole = f"{HOSTILE} {LONG}", f"{HOSTILE} {ERROR_PAGE} {LONG}"
    card = scene.say("U0EVIL", f"{raw} <@U0EVIL> <#{INCIDENT}>")
    block = section(text.cut(text.escape(f"{HOSTILE} {ERROR_PAGE}"), 2_900))
    scene.post(text.escape(whole), [block, actions(button("press", (NAME + LONG)[:75]))])
    scene.whisper(ALICE, text.escape(whole))
    scene.say("U0EVIL", text.escape(whole), thread=card)
    scene.log(f"/{evil}", HOSTILE, "<b>502</b>")
    await page.get_by_role("button", name=re.compile("^1 reply")).click()
    await page.locator(".wire > summary").click()
    await page.locator(".call summary").click()
    said = page.locator("#messages .said")
    for found, words in (
        (said.nth(0), f"{raw} @{evil} #{evil}"),
        (said.nth(1), f"{HOSTILE} {ERROR_PAGE}"),
        (said.nth(2), whole),
        (page.locator("#replies .said").last, whole),
        (page.locator(".call code"), HOSTILE),
        (page.locator(".call .code"), "<b>502</b>"),
        (page.locator(".call .path"), f"POST /{evil}"),
        (page.locator("#channel-name"), f"# {evil}"),
        (page.locator("#channels"), evil),
        (page.locator("#actors"), evil),
        (page.locator("[data-account]"), evil),
        (page.locator(".by strong").first, evil),
    ):
        assert words in (await found.text_content()).replace("\u200b", "")
    scene.ask(
        field_of("why", f"{raw}"[:2_000], hint=plain(HOSTILE)),
        title=plain(LONG[:24]),
        submit=plain(LONG[:24]),
    )
    await expect(page.get_by_role("dialog")).to_contain_text(HOSTILE)
    for width in (1440, 375):
        await page.set_viewport_size({"width": width, "height": 720})
        assert await look.scrollable(page) == []
    assert await page.evaluate(FOUND) == before
    assert [each for each in met if not each.endswith("/icon.svg")] == []


async def test_a_name_that_reverses_what_follows_reverses_only_itself(
    scene: Scene, open_page: Pages
):
    scene.workspace.put_user(User(id="U0EVIL", name="\u202elive", team_id=HOME))
    scene.post("<@U0EVIL> denied it")
    page = await open_page(scene.url)
    mention = page.locator(".mention")
    await expect(mention).to_have_text("@\u202elive")
    first, last = await mention.evaluate("""(mention) => [1, 9].map((at) => {
      const range = document.createRange();
      range.setStart(mention.nextSibling, at);
      range.setEnd(mention.nextSibling, at + 1);
      return range.getBoundingClientRect().left;
    })""")
    assert first < last


async def test_the_policy_of_the_page_lets_nothing_else_run(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    await expect(page.locator("#start")).to_be_visible()
    for act, refusal in ACTS.items():
        await page.evaluate(f"""() => {{
          const add = (tag, facts) => {{
            const element = Object.assign(document.createElement(tag), facts);
            document.body.append(element);
            return element;
          }};
          try {{ {act} }} catch {{ /* It is told all the same. */ }}
        }}""")
        async with asyncio.timeout(10):
            while not any(refusal in each for each in open_page.complaints):
                await open_page.settle()
        open_page.complaints.clear()
    style = "getComputedStyle(document.body).getPropertyValue('--ran')"
    assert await page.evaluate(f"[String(window.ran), {style}]") == ["undefined", ""]
    await page.context.close()  # It reports nothing more.
    open_page.complaints.clear()


def test_the_page_knows_no_app_and_asks_nobody_else():
    files = [path for path in FILES.iterdir() if path.suffix in {".html", ".js", ".css", ".svg"}]
    assert len(files) > 9
    for path in files:
        written = path.read_text(encoding="utf-8")
        assert not re.search(APPS, written, re.IGNORECASE), path.name
        code = re.sub(r"^\s*(//|\*|/\*).*$", "", written, flags=re.MULTILINE)
        assert not re.search(r"//[\w.-]|\burl\(|@import", code.replace(SVG, "")), path.name
        assert not re.search(r"<[^>]*\s(on\w+|style)\s*=", code), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|\beval\b|Function\(", code), (
            path.name
        )
