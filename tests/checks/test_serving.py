"""The check as serve makes it: posted by itself, and told by `/cancelall status`."""

from dataclasses import replace
from pathlib import Path

from bot import app, demo
from bot.sandbox.slack import delivery
from bot.sandbox.slack.records import Message
from bot.sandbox.world import ALICE, INCIDENT
from tests.fakes import desk as desks


async def test_serve_checks_by_itself_posts_what_is_new_and_tells_it_in_status(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = demo.set_up(product.world, tmp_path, mode="http")
        limits = replace(desks.QUICK, check_first_s=0.0)

        def posted() -> list[Message]:
            return [m for m in product.slack.messages(INCIDENT) if "cancelall check" in m.text]

        async with (
            app.serving(config, limits=limits) as bot,
            delivery.connect(
                product.slack,
                api_url=product.world.api_url,
                request_url=f"{bot.url}/slack/events",
            ) as people,
        ):
            product.bot, product.people = bot, people
            (message,) = await product.slack.wait_for(posted, timeout_s=10)
            said = await product.type(ALICE, "status")
    assert "*new* unknown account bybit-opt: no read" in message.text
    assert [line.split(":")[0] for line in said[1:]] == ["bybit-mm", "bybit-arb", "bybit-opt"]
    assert ": warning, 0 min ago: nobody could pull" in said[3]
    assert all(": warning, 0 min ago: read key: " in line for line in said[1:3])
