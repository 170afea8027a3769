"""What the page draws of a message: Slack's mrkdwn, its blocks, edits, threads and whispers."""

from datetime import datetime
from zoneinfo import ZoneInfo

from playwright.async_api import expect

from bot.domain.request import RequestState
from bot.sandbox.slack import render
from bot.sandbox.world import ALICE, BOB, INCIDENT, RISK, TRADING
from bot.slack import text
from tests.browser.pages import Pages
from tests.browser.stage import (
    Scene,
    actions,
    button,
    mrkdwn,
    plain,
    section,
)
from tests.slack import cards

LINK = '<a href="{}" rel="noreferrer noopener" target="_blank">{}</a>'
AT = '<span class="mention">@{}</span>'
LOUD = '<span class="mention loud">@{}</span>'
READ_ALIKE = {
    "*bold* _italic_ ~struck~": "<strong>bold</strong> <em>italic</em> <s>struck</s>",
    "*_both_*": "<strong><em>both</em></strong>",
    f"*Asked by <@{ALICE}>*": f"<strong>Asked by {AT.format('alice')}</strong>",
    "`bybit_mm_1` is a code": "<code>bybit_mm_1</code> is a code",
    "`*x* & &lt;y&gt;`".replace("*", ""): "<code>x &amp; &lt;y&gt;</code>",
    f"<@{BOB}> <@{BOB}|x> <@U9|zoe> <@U9>": " ".join(map(AT.format, ("bob", "bob", "zoe", "U9"))),
    f"<!subteam^{RISK}> <!here> <!channel>": " ".join(
        map(LOUD.format, ("risk", "here", "channel"))
    ),
    f"see <#{TRADING}>": 'see <button type="button" class="mention plain">#trading</button>',
    "see <#C9|gone>": 'see <span class="mention">#gone</span>',
    "<https://x.test/a_b_c|the run>": LINK.format("https://x.test/a_b_c", "the run"),
    "<https://x.test/?a=1&amp;b=2>": LINK.format(
        "https://x.test/?a=1&amp;b=2", "https://x.test/?a=1&amp;b=2"
    ),
    "<mailto:a@x.test> <mailto:a@x.test|us>": (
        f"{LINK.format('mailto:a@x.test', 'a@x.test')} {LINK.format('mailto:a@x.test', 'us')}"
    ),
    "&lt;!channel&gt; &amp;amp; &amp;lt;b&amp;gt;": "&lt;!channel&gt; &amp;amp; &amp;lt;b&amp;gt;",
    "a snake_case_word, 2*3*4, a~b~c": "a snake_case_word, 2*3*4, a~b~c",
    "x*no* x_no_ x~no~, *no*x _no_x ~no~x": "x*no* x_no_ x~no~, *no*x _no_x ~no~x",
    "*half, _half, ~half, `half": "*half, _half, ~half, `half",
    "half*, 5 > 3, 3 < 5, <>": "half*, 5 &gt; 3, 3 &lt; 5, &lt;&gt;",
    "*over\ntwo lines*": "*over<br>two lines*",
    "one\n\nthree": "one<br><br>three",
    "**": "**",
    "*a* *b*, (*c*)": "<strong>a</strong> <strong>b</strong>, (<strong>c</strong>)",
    "2 * 3 * 4, * so*, ~so ~": "2 * 3 * 4, * so*, ~so ~",
}
"""How mrkdwn is drawn. Without what only stands on a page, it reads as `render` writes it."""
READ_OTHERWISE = {
    "say ```one\n  *two*  <@U9>```": "say <pre>one\n  *two*  &lt;@U9&gt;</pre>",
    "```\na\n```\nafter\n```b```": "<pre>a</pre>after<br><pre>b</pre>",
    "`*bold*`": "<code>*bold*</code>",
    "&gt; quoted *so*\n&gt;more\nnot": (
        "<blockquote>quoted <strong>so</strong><br>more</blockquote>not"
    ),
    "> quoted\nnot": "<blockquote>quoted</blockquote>not",
    "\u200b*no* \u200b_no_ \u200b`no`": "\u200b*no* \u200b_no_ \u200b`no`",
    "*no\u200b* _no\u200b_ `no\u200b`": "*no\u200b* _no\u200b_ `no\u200b`",
    "<https://x.test|a *b*>": LINK.format("https://x.test/", "a *b*"),
    "<tel:1> <no token> <ftp://x.test|x>": (
        "&lt;tel:1&gt; &lt;no token&gt; &lt;ftp://x.test|x&gt;"
    ),
}
"""Where a terminal has nothing for it, or reads a mark that is none in Slack."""
MOMENT = 1_700_006_400
"""2023-11-15 00:00:00 UTC."""


async def test_mrkdwn_is_drawn_and_reads_as_in_the_terminal(scene: Scene, open_page: Pages):
    page = await open_page(scene.url)
    vectors = READ_ALIKE | READ_OTHERWISE
    for said in vectors:
        scene.post(said)
    await expect(page.locator(".message")).to_have_count(len(vectors))
    drawn = await page.locator("#messages .said > p:last-of-type").evaluate_all(
        "all => all.map((each) => [each.innerHTML, each.innerText])"
    )
    for (said, wanted), (found, read) in zip(vectors.items(), drawn, strict=True):
        assert found == wanted, said
        if said in READ_ALIKE:
            words = render.mrkdwn(said, scene.workspace)
            assert read.replace("`", "") == words.replace("`", ""), said


async def test_what_the_bot_escapes_is_never_formatted(scene: Scene, open_page: Pages):
    outside = "*b* _i_ ~s~ `c` ```f``` <!channel> <@U0BOB> <https://x.test|x> & &amp; a_b *_x_*"
    scene.post(f"Why {text.escape(outside)}")
    scene.post(f"*Why* {text.command('bybit `x` *b* _i_ &lt;!channel&gt;')}")
    page = await open_page(scene.url)
    said = page.locator("#messages .said > p:last-of-type")
    await expect(said).to_have_count(2)
    assert await said.first.locator("> *").count() == 0
    assert (await said.first.inner_text()).replace("\u200b", "") == f"Why {outside}"
    assert await said.last.inner_html() == (
        "<strong>Why</strong> <code>/cancelall bybit \u02cbx\u02cb *b* _i_ &lt;!channel&gt;</code>"
    )


async def test_moments_stand_in_the_readers_zone(scene: Scene, open_page: Pages):
    for pattern in ("{time_secs}", "{date_short_pretty} at {time}", "{never}"):
        scene.post(f"at <!date^{MOMENT}^{pattern}|midnight UTC>")
    last = scene.post("<!date^x^{time}|some day>")
    for zone, wanted in {
        "UTC": ["at 00:00:00", "at Nov 15, 2023 at 12:00\u202fAM", "at {never}", "some day"],
        "Asia/Kolkata": [
            "at 05:30:00",
            "at Nov 15, 2023 at 5:30\u202fAM",
            "at {never}",
            "some day",
        ],
    }.items():
        page = await open_page(scene.url, zone=zone)
        said = page.locator("#messages .said > p:last-of-type")
        await expect(said).to_have_text(wanted)
        await expect(said.locator("time").first).to_have_attribute("title", "midnight UTC")
        posted = datetime.fromtimestamp(float(last), ZoneInfo(zone))
        await expect(page.locator(".by time").last).to_have_text(f"{posted:%H:%M:%S}")


async def test_every_block_and_element_is_drawn_or_named(scene: Scene, open_page: Pages):
    card = cards.card(cards.request(2, state=RequestState.PENDING, counts=cards.counted(3, None)))
    scene.post(card.text, card.blocks)
    image = {"type": "image", "image_url": "https://x.test/i.png", "alt_text": "a chart"}
    select = {
        "type": "static_select",
        "action_id": "pick",
        "options": [{"text": plain("1"), "value": "1"}],
    }
    fields = [mrkdwn("*Left*\nown"), plain("*Right*")]
    blocks = [
        section("*Beside* a button", accessory=button("more", "More", style="primary")),
        {"type": "section", "text": plain("*plain*"), "fields": fields, "accessory": image},
        {"type": "divider"},
        {"type": "context", "elements": [mrkdwn("_small_"), plain("_print_"), image]},
        actions(button("say", "Say it", accessibility_label="Say it aloud"), select),
        image,
        {"type": "rich_text", "elements": []},
        {"type": "markdown", "text": "# never lost"},
    ]
    scene.post("fallback", blocks)
    page = await open_page(scene.url)
    first, other = page.locator(".message").first, page.locator(".message").last
    await expect(
        first.get_by_role("heading", name="Cancel open orders: 2 accounts")
    ).to_be_visible()
    await expect(first.locator(".block-section")).to_contain_text("Command /cancelall")
    await expect(first.locator(".block-context")).to_contain_text("Positions are not read.")
    assert await first.get_by_role("button").all_inner_texts() == [
        "Approve cancel",
        "Deny",
        "Withdraw",
        "Reply in thread",
    ]
    for name, style in (("Approve cancel", "button danger"), ("Deny", "button ")):
        await expect(first.get_by_role("button", name=name)).to_have_attribute("class", style)
    beside = other.locator(".block-section").first
    await expect(beside.locator("strong")).to_have_text("Beside")
    await expect(beside.get_by_role("button", name="More")).to_have_class("button primary")
    await expect(other.locator(".block-text > div").nth(1)).to_have_text("*plain*")
    assert await other.locator(".block-fields > div").all_inner_texts() == ["Left\nown", "*Right*"]
    await expect(other.locator("hr")).to_have_count(1)
    said = ["small", "_print_", "(image: a chart)"]
    assert await other.locator(".block-context > span").all_inner_texts() == said
    await expect(other.get_by_role("button", name="Say it aloud")).to_have_text("Say it")
    await expect(other.locator(".block-image")).to_have_text("(image: a chart)")
    named = ["(image)", "(static_select)", "(rich_text)", "(markdown)"]
    assert await other.locator(".block-unknown").all_inner_texts() == named
    assert "fallback" not in await other.inner_text()


async def test_an_edit_changes_its_message_and_nothing_else(scene: Scene, open_page: Pages):
    ask = [section("first"), actions(button("go", "Go"), button("stop", "Stop"))]
    rows = [scene.post(f"row {number}") for number in range(30)]
    card = scene.post("card", ask)
    scene.post("below")
    page = await open_page(scene.url)
    messages, shown = page.locator("#messages"), page.locator("#messages > .message")
    await expect(shown).to_have_count(32)
    order = await shown.evaluate_all("all => all.map((each) => each.dataset.ts)")
    assert (
        await messages.evaluate("list => list.scrollTop + list.clientHeight - list.scrollHeight")
        == 0
    )
    await shown.evaluate_all("all => { for (const each of all) each.kept = true }")
    await page.get_by_role("button", name="Stop").focus()
    scene.edit(card, "card", [section("second, longer " * 30), *ask[1:]])
    await expect(shown.nth(30)).to_contain_text("second")
    await expect(page.get_by_role("button", name="Stop")).to_be_focused()
    await expect(page.locator(".edited")).to_have_count(0)
    scene.workspace.delete(INCIDENT, rows[0])
    await expect(shown).to_have_count(31)
    await expect(page.get_by_role("button", name="Stop")).to_be_focused()
    assert await shown.evaluate_all("all => all.map((each) => each.dataset.ts)") == order[1:]
    assert await shown.evaluate_all("all => all.filter((each) => !each.kept).length") == 1
    assert (
        await messages.evaluate("list => list.scrollTop + list.clientHeight - list.scrollHeight")
        == 0
    )
    await messages.evaluate("list => { list.scrollTop = 100 }")
    scene.edit(card, "third")
    scene.post("newest")
    await expect(shown).to_have_count(32)
    await expect(shown.nth(29).locator(".edited")).to_have_text("(edited)")
    assert await messages.evaluate("list => list.scrollTop") == 100
