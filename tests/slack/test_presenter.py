"""The only writer to Slack: lost replies, throttling, vanished messages, restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bot.app import SystemClock, supervise
from bot.domain.message import Place, Sent
from bot.domain.request import Request, RequestState
from bot.domain.result import TargetStatus
from bot.flow.ports import StoreDown
from bot.sandbox.slack import api, faults
from bot.sandbox.slack.records import Channel, Message
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.world import ALICE, INCIDENT, desk
from bot.slack import blocks, connection
from bot.slack.presenter import Presenter, Surroundings
from policies.model import Decision, Verdict, Vote
from tests.fakes import run


@dataclass
class Kept:
    """A store in memory: one request, and what Slack last took."""

    request: Request
    sent: dict[Place, Sent] = field(default_factory=dict)
    intended: list[Place] = field(default_factory=list)
    down: int = 0

    async def votes(self, request_id: str) -> tuple[Vote, ...]:
        return ()

    async def statuses(self, request_id: str) -> tuple[TargetStatus, ...]:
        return ()

    async def chain_head(self) -> str:
        return "f" * 64

    async def find(self, key: Any) -> Any:
        if isinstance(key, Place):
            return self.sent.get(key)
        if self.down:
            self.down -= 1
            raise StoreDown
        return self.request if key == self.request.id else None

    async def intend(self, place: Place, channel: str) -> None:
        self.intended.append(place)

    async def taken(self, sent: Sent) -> None:
        self.sent[sent.place] = sent

    async def behind(self) -> tuple[str, ...]:
        return (self.request.id,)


def pending(**more: Any) -> Request:
    facts = {"state": RequestState.PENDING, "decided_at": None, "channel": INCIDENT} | more
    return replace(run.request(run.target("a")), **facts)


@dataclass
class Scene:
    presenter: Presenter
    kept: Kept
    slack: Workspace
    traffic: Traffic

    async def shown(self, says: str, *, channel: str = INCIDENT) -> Message:
        def found() -> Message | None:
            fit = [m for m in self.slack.messages(channel) if says in m.text]
            return fit[-1] if fit else None

        message = await self.slack.wait_for(found, timeout_s=5)
        assert message is not None
        return message

    def live(self) -> list[Message]:
        return [
            message
            for message in self.slack.messages(INCIDENT)
            if any(block["type"] == "actions" for block in message.blocks)
        ]


@asynccontextmanager
async def opened(kept: Kept | None = None, slack: Workspace | None = None) -> AsyncIterator[Scene]:
    found, workspace, traffic = kept or Kept(request=pending()), slack or desk(), Traffic()
    async with (
        api.serve(workspace, traffic) as url,
        connection.open_client(workspace.app.bot_token, url) as client,
        asyncio.TaskGroup() as group,
    ):
        tasks: list[asyncio.Task[None]] = []

        def spawn(name: str, factory: Callable[[], Coroutine[Any, Any, None]]) -> None:
            tasks.append(group.create_task(supervise(name, factory)))

        around = Surroundings(
            client=client,
            shown=found,
            messages=found,
            clock=SystemClock(),
            incident_channel=INCIDENT,
            workspace_url="https://sandbox.slack.com/",
            judge=lambda *_: Decision(verdict=Verdict.PENDING, reasons=()),
            pause_s=0.05,
        )
        yield Scene(
            presenter=Presenter(around, spawn), kept=found, slack=workspace, traffic=traffic
        )
        for task in tasks:
            task.cancel()


async def test_card_is_posted_without_buttons_and_gets_them_by_an_update():
    async with opened() as scene:
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=5)
        ts = scene.live()[0].ts
        first, second = scene.slack.revisions(INCIDENT, ts)
        assert not any(block["type"] == "actions" for block in first.blocks)
        assert any(block["type"] == "actions" for block in second.blocks)
        assert await scene.presenter.live_card("K7Q2M") == (INCIDENT, ts)
        assert await scene.presenter.live_card("ZZZZZ") is None


async def test_trouble_of_every_kind_is_waited_out_and_leaves_one_live_card():
    async with opened() as scene:
        scene.kept.down = 1
        scene.traffic.add("chat.postMessage", faults.lost_reply(times=1))
        scene.traffic.add("chat.postMessage", faults.rate_limited(1.0, times=1))
        scene.traffic.add("chat.postMessage", faults.refused("internal_error", times=1))
        scene.traffic.add("chat.update", faults.server_error(times=1))
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=8)
        assert len(scene.live()) == 1


async def test_vanished_card_is_posted_anew_and_only_the_new_one_is_live():
    async with opened() as scene:
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=5)
        old = scene.live()[0].ts
        scene.slack.delete(INCIDENT, old)
        scene.kept.request = pending(reason="another reason")
        scene.presenter.changed("K7Q2M")
        new = await scene.shown("another reason")
        await scene.slack.wait_for(scene.live, timeout_s=5)
        assert await scene.presenter.live_card("K7Q2M") == (INCIDENT, new.ts)
        assert new.ts != old


async def test_card_for_a_channel_that_is_closed_goes_to_the_incident_channel():
    slack = desk()
    slack.put_channel(Channel(id="C0PRIVATE", name="private", members=frozenset({ALICE})))
    async with opened(Kept(request=pending(channel="C0PRIVATE")), slack) as scene:
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=5)
        assert slack.messages("C0PRIVATE") == ()
        assert len(scene.live()) == 1


async def test_restart_goes_on_with_the_card_that_is_there():
    kept, slack = Kept(request=pending()), desk()
    async with opened(kept, slack) as scene:
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=5)
        await asyncio.sleep(0.1)
    kept.request = pending(reason="after the restart")
    async with opened(kept, slack) as scene:
        await scene.presenter.heal()
        await scene.shown("after the restart")
        assert len(slack.messages(INCIDENT)) == 1


async def test_unchanged_state_is_not_sent_again_and_unknown_requests_are_nothing():
    async with opened() as scene:
        for _ in range(3):
            scene.presenter.changed("K7Q2M")
            scene.presenter.changed("ZZZZZ")
            await asyncio.sleep(0.15)
        assert scene.traffic.count("chat.postMessage") == 1
        assert scene.traffic.count("chat.update") == 1


async def test_refusal_for_good_is_not_repeated_for_ever():
    async with opened() as scene:
        scene.traffic.add("chat.postMessage", faults.refused("invalid_blocks", times=None))
        scene.presenter.changed("K7Q2M")
        await asyncio.sleep(0.4)
        assert scene.traffic.count("chat.postMessage") == 1


async def test_whisper_that_slack_loses_hurts_nobody():
    async with opened() as scene:
        scene.traffic.add("chat.postEphemeral", faults.server_error(times=1))
        await scene.presenter.whisper(INCIDENT, ALICE, blocks.plain("lost"))
        await scene.presenter.whisper(INCIDENT, ALICE, blocks.plain("heard"))
        await scene.presenter.reply("http://127.0.0.1:1/response/x", blocks.plain("nowhere"))
        assert [e.text for e in scene.slack.ephemerals(ALICE)] == ["heard"]
