"""The check that serve makes every hour: what changed is posted, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot import demo, wiring
from bot.checks.ground import Ground
from bot.checks.slate import Spot
from bot.checks.watch import Watch
from bot.domain.finding import Change, Checkup, Finding
from bot.sandbox.slack import faults
from bot.sandbox.venues.faults import Fault, Wrong
from bot.slack import answers
from bot.store import checks
from tests.fakes import desk as desks
from tests.fakes.desk import Product
from tests.slack import test_presenter as presenters

BEHIND = "our clock is 3.0 s behind the venue's, and it allows 5 s"


@dataclass
class Channel:
    """Takes what is posted, or does not."""

    is_open: bool = True
    posted: list[Change] = field(default_factory=list)

    async def announce(self, change: Change) -> bool:
        if self.is_open:
            self.posted.append(change)
        return self.is_open

    def news(self) -> list[tuple[list[str], list[str]]]:
        return [([f.text for f in c.new], [f.text for f in c.gone]) for c in self.posted]


@dataclass
class Scene:
    product: Product
    ground: Ground
    channel: Channel = field(default_factory=Channel)

    def watch(self) -> Watch:
        return Watch(self.ground, self.channel.announce)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """A desk without Slack, whose one venue has a clock that can be set."""
    async with desks.open_surroundings(folder) as product:
        config = demo.set_up(product.world, folder)
        async with wiring.open_keys(config) as keys, wiring.open_venues(config) as venues:
            yield Scene(
                product=product,
                ground=Ground(
                    config=config,
                    clock=wiring.SystemClock(),
                    venues=venues,
                    keys=keys,
                    slack=None,
                ),
            )


async def test_only_what_changed_is_posted(tmp_path: Path):
    async with scene(tmp_path) as here:
        watch = here.watch()
        await watch.look()
        first = here.channel.posted.pop()
        assert "no read_key: how many orders are open is unknown before a run" in [
            finding.text for finding in first.new
        ]
        await watch.look()
        assert here.channel.posted == []
        here.product.venue.skew_s = 3.0
        await watch.look()
        await watch.look()
        here.product.venue.skew_s = 0.0
        await watch.look()
    assert here.channel.news() == [([BEHIND], []), ([], [BEHIND])]


async def test_what_could_not_be_looked_at_is_not_told_to_be_gone(tmp_path: Path):
    async with scene(tmp_path) as here:
        watch = here.watch()
        await watch.look()
        here.channel.posted.clear()
        here.product.venue.faults.add(Fault(wrong=Wrong.SERVER, path="/v5/user/query-api"))
        await watch.look()
        here.product.venue.faults.clear()
        await watch.look()
    failed = ["read key: Bybit's server failed"] * 2
    assert here.channel.news() == [(failed, []), ([], failed)]


async def test_a_restart_repeats_nothing(tmp_path: Path):
    async with scene(tmp_path) as here:
        await here.watch().look()
        here.channel.posted.clear()
        again = here.watch()
        await again.resume()
        assert again.last is not None
        assert again.last.of_account("bybit-opt") is not None
        await again.look()
    assert here.channel.posted == []


async def test_what_slack_did_not_take_is_posted_the_next_time(tmp_path: Path):
    async with scene(tmp_path) as here:
        watch = here.watch()
        await watch.look()
        here.channel.posted.clear()
        here.product.venue.skew_s = 3.0
        here.channel.is_open = False
        await watch.look()
        here.channel.is_open = True
        await watch.look()
        await watch.look()
    assert here.channel.news() == [([BEHIND], [])]


async def test_a_result_that_nobody_can_read_is_as_none(tmp_path: Path):
    async with scene(tmp_path) as here:
        (tmp_path / "state" / checks.RESULT).write_text("{")
        watch = here.watch()
        await watch.resume()
        assert watch.last is None
        await watch.look()
    assert len(here.channel.posted) == 1


async def test_a_start_checks_soon_and_tells_until_then_what_was_found_before(tmp_path: Path):
    """A restart may have brought another config: what an hour-old check says is not enough."""
    async with scene(tmp_path) as here:
        await here.watch().look()
        looked = here.ground.clock.now()
        watch = here.watch()
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(watch.keep(first_s=0.2, again_s=3600.0))
            await desks.soon(lambda: watch.last is not None)
            assert watch.last is not None
            assert watch.last.at < looked
            await desks.soon(lambda: watch.last is not None and watch.last.at > looked)
            keeping.cancel()


async def test_no_server_reads_keys_that_can_cancel(tmp_path: Path):
    async with scene(tmp_path) as here:
        with pytest.raises(AssertionError):
            Watch(replace(here.ground, is_with_keys=True), here.channel.announce)
        await here.watch().look()
        assert not [seen for seen in here.product.venue.log if seen.uid == "1003"]


async def test_a_change_is_posted_in_the_incident_channel_and_is_inert():
    spot = Spot(part="venue", about="bybit")
    new = spot.wrong("reached", "the venue says <!channel> *boo*", "Check DNS.")
    change = Change(new=(new,), gone=(spot.warning("clock", BEHIND),))
    async with presenters.opened() as here:
        assert await here.presenter.announce(answers.changes(change))
        message = await here.shown("cancelall check")
        here.traffic.add("chat.postMessage", faults.server_error())
        assert not await here.presenter.announce(answers.changes(change))
    lines = message.text.splitlines()
    assert lines[0] == "*cancelall check*: 1 new, 1 gone"
    assert lines[1].startswith("*new* wrong venue bybit: the venue says &lt;!channel&gt;")
    assert lines[2] == f"*gone* warning venue bybit: {BEHIND}."


async def test_status_tells_the_last_result_of_each_account_the_worst_first(tmp_path: Path):
    def of(name: str) -> Spot:
        return Spot(part="account", about=name, accounts=(name,))

    found: tuple[Finding, ...] = (
        of("bybit-arb").fine("key owner", "the key is of this account"),
        of("bybit-opt").warning("withdraw", "the key may withdraw", "Store another."),
    )
    async with desks.open_product(tmp_path) as product:
        desk = product.bot.desk
        nothing = await answers.status(desk)
        old = Checkup(at=desk.clock.now() - timedelta(minutes=12, seconds=5), findings=found)
        said = await answers.status(desk, old)
        older = replace(old, at=old.at - timedelta(hours=2))
        assert "bybit-arb: fine, 2 h ago" in (await answers.status(desk, older)).text
    assert nothing.text == "Nothing is pending or running. 3 accounts in the config."
    assert said.text.splitlines()[1:] == [
        "bybit-opt: warning, 12 min ago: the key may withdraw. Store another.",
        "bybit-mm: not checked yet",
        "bybit-arb: fine, 12 min ago",
    ]


async def test_a_sealed_file_that_has_gone_is_told_while_its_keys_are_still_held(tmp_path: Path):
    async with scene(tmp_path) as here:
        watch = here.watch()
        await watch.look()
        here.channel.posted.clear()
        (tmp_path / "keys.sealed").unlink()
        await watch.look()
    ((new, _),) = here.channel.news()
    assert new == [f"{tmp_path / 'keys.sealed'} cannot be read: No such file or directory"]
