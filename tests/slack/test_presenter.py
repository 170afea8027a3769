"""The only writer to Slack: lost replies, throttling, vanished messages, restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.web.async_client import AsyncWebClient

from bot.background import supervise
from bot.domain.event import Event
from bot.domain.message import Place, Sent
from bot.domain.pull import Pull
from bot.domain.request import Request, RequestState
from bot.domain.result import Outcome, TargetResult, TargetStatus
from bot.flow.ports import StoreDown
from bot.sandbox.slack import api, faults
from bot.sandbox.slack.records import Channel, Message
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.world import ALICE, INCIDENT, desk
from bot.slack import blocks, connection
from bot.slack.presenter import Presenter
from bot.slack.surroundings import Surroundings
from bot.wiring import SystemClock
from policies.model import Decision, Verdict, Vote
from tests.fakes import desk as desks
from tests.fakes import run
from tests.fakes.clock import EPOCH


class Nobody:
    """No pull at all."""

    async def find(self, request_id: str) -> Pull | None:
        return None

    async def red(self) -> tuple[Pull, ...]:
        return ()

    async def close(self, request_id: str, *, by: str, event: Event) -> bool:
        return False


@dataclass
class Kept:
    """A store in memory: one request, and what Slack last took."""

    request: Request
    standing: tuple[TargetStatus, ...] = ()
    sent: dict[Place, Sent] = field(default_factory=dict)
    intended: list[Place] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    down: int = 0
    bugs: int = 0

    async def votes(self, request_id: str) -> tuple[Vote, ...]:
        if self.bugs:
            self.bugs -= 1
            raise RuntimeError
        return ()

    async def statuses(self, request_id: str) -> tuple[TargetStatus, ...]:
        return self.standing

    async def chain_head(self, request_id: str) -> str:
        return "f" * 64

    async def approvers(self, request_id: str) -> frozenset[str] | None:
        return None

    async def settled(self, request_id: str) -> None:
        self.done.append(request_id)

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
        if self.down:
            self.down -= 1
            raise StoreDown
        return (self.request.id,)


def web_answer(**more: Any) -> Callable[[], web.Response]:
    return lambda: web.Response(**more)


def pending(**more: Any) -> Request:
    facts = {"state": RequestState.PENDING, "decided_at": None, "channel": INCIDENT} | more
    return replace(run.request(run.target("a")), **facts)


@dataclass
class Scene:
    presenter: Presenter
    kept: Kept
    slack: Workspace
    traffic: Traffic
    client: AsyncWebClient

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
async def opened(
    kept: Kept | None = None, slack: Workspace | None = None, *, refused_again_s: float = 30.0
) -> AsyncIterator[Scene]:
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
            pulls=Nobody(),
            clock=SystemClock(),
            incident_channel=INCIDENT,
            workspace_url="https://sandbox.slack.com/",
            judge=lambda *_: Decision(verdict=Verdict.PENDING, reasons=()),
            bans=dict,
            pause_s=0.05,
            refused_again_s=refused_again_s,
        )
        yield Scene(
            presenter=Presenter(around, spawn),
            kept=found,
            slack=workspace,
            traffic=traffic,
            client=client,
        )
        for task in tasks:
            task.cancel()


async def test_card_is_posted_as_one_line_and_becomes_it_by_an_update():
    async with opened() as scene:
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=5)
        ts = scene.live()[0].ts
        first, second = scene.slack.revisions(INCIDENT, ts)
        assert first.text.startswith("alice asks to cancel open orders on 1 account")
        assert [block["type"] for block in first.blocks] == ["section"]
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


def judged(outcome: Outcome = Outcome.FLAT) -> TargetStatus:
    result = TargetResult(
        account="a", venue="bybit", outcome=outcome, at=EPOCH, seconds=1.5, open_after=0
    )
    return TargetStatus(account="a", venue="bybit", result=result, is_final=True)


def with_desk_channel() -> Workspace:
    slack = desk()
    members = frozenset({ALICE, slack.app.bot_user_id})
    slack.put_channel(Channel(id="C0DESK", name="desk", members=members))
    return slack


def archived(slack: Workspace) -> None:
    channel = slack.channel("C0DESK")
    assert channel is not None
    slack.put_channel(replace(channel, is_archived=True))


def thrown_out(slack: Workspace) -> None:
    channel = slack.channel("C0DESK")
    assert channel is not None
    slack.put_channel(replace(channel, members=frozenset({ALICE})))


async def report(scene: Scene) -> list[str]:
    """Wait for the card, and for all of its thread, in the incident channel."""
    card = await scene.shown("FLAT: 1 of 1 accounts")

    def told() -> list[str]:
        thread = [m.text.split("\n")[0] for m in scene.slack.thread(INCIDENT, card.ts)]
        return thread if len(thread) == 2 and thread[-1].startswith("*bybit") else []

    return await scene.slack.wait_for(told, timeout_s=5)


REPORT = ["*FLAT: 1 of 1 accounts*", "*bybit: 1 of 1 accounts FLAT*"]


@pytest.mark.parametrize("closed", [archived, thrown_out])
@pytest.mark.parametrize("state", [RequestState.RUNNING, RequestState.FINISHED])
async def test_report_moves_to_the_incident_channel_when_the_cards_is_closed(
    closed: Callable[[Workspace], None], state: RequestState
):
    slack = with_desk_channel()
    async with opened(Kept(request=pending(channel="C0DESK")), slack) as scene:
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(lambda: len(slack.messages("C0DESK")), timeout_s=5)
        if state is RequestState.FINISHED:  # The thread has begun where the card stood.
            scene.kept.request = replace(run.request(run.target("a")), channel="C0DESK")
            scene.kept.standing = (judged(Outcome.RESIDUAL),)
            scene.presenter.changed("K7Q2M")
            await desks.soon(lambda: len(scene.kept.sent) == 3)
        await desks.soon(lambda: not scene.presenter._busy)
        closed(slack)
        scene.kept.request = replace(run.request(run.target("a")), channel="C0DESK", state=state)
        scene.kept.standing = (judged(),)
        scene.presenter.changed("K7Q2M")
        assert await report(scene) == REPORT
        assert len(slack.messages(INCIDENT)) == 1
        assert await scene.presenter.live_card("K7Q2M") == (
            INCIDENT,
            slack.messages(INCIDENT)[0].ts,
        )
        await desks.soon(lambda: not scene.presenter._busy)
        assert scene.presenter.refused == {}


async def test_thread_that_is_closed_moves_although_its_card_did_not_change():
    """Slack tells of the closed channel only when the board is posted."""
    slack = with_desk_channel()
    kept = Kept(request=run.request(run.target("a")), standing=(judged(),))
    kept.request = replace(kept.request, channel="C0DESK")
    async with opened(kept, slack) as scene:
        for method, word in (
            ("chat.postMessage", "not_in_channel"),
            ("chat.update", "is_inactive"),
        ):
            scene.traffic.add(method, faults.delayed(0.0, times=1))
            scene.traffic.add(method, faults.refused(word, times=1))
        scene.traffic.add("chat.postMessage", faults.refused("not_in_channel", times=1))
        scene.presenter.changed("K7Q2M")
        assert await report(scene) == REPORT


async def test_incident_channel_that_is_closed_for_a_while_gets_no_second_card():
    async with opened(refused_again_s=0.1) as scene:
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=5)
        await desks.soon(lambda: not scene.presenter._busy)
        scene.traffic.add("chat.update", faults.refused("is_inactive", times=3))
        scene.kept.request = pending(reason="later")
        scene.presenter.changed("K7Q2M")
        await scene.shown("later")
        assert len(scene.slack.messages(INCIDENT)) == 1


async def test_thread_follows_a_card_that_was_deleted_in_the_middle_of_a_run():
    kept = Kept(request=run.request(run.target("a")), standing=(judged(Outcome.RESIDUAL),))
    kept.request = replace(kept.request, channel=INCIDENT)
    async with opened(kept) as scene:
        scene.presenter.changed("K7Q2M")
        await desks.soon(lambda: len(scene.kept.sent) == 3)
        await desks.soon(lambda: not scene.presenter._busy)
        (old,) = scene.slack.messages(INCIDENT)
        scene.slack.delete(INCIDENT, old.ts)
        scene.kept.standing = (judged(),)
        scene.presenter.changed("K7Q2M")
        assert await report(scene) == REPORT


async def test_deleted_card_stands_again_once_somebody_misses_it():
    """Nothing has changed in the store: only by sending it can it be known."""
    async with opened() as scene:
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=5)
        await desks.soon(lambda: not scene.presenter._busy)
        scene.presenter.missed("K7Q2M")
        assert await asyncio.wait_for(scene.presenter.posted("K7Q2M"), 5) == ""
        (old,) = scene.slack.messages(INCIDENT)
        scene.slack.delete(INCIDENT, old.ts)
        scene.presenter.missed("K7Q2M")
        assert await asyncio.wait_for(scene.presenter.posted("K7Q2M"), 5) == ""
        (new,) = scene.live()
        assert await scene.presenter.live_card("K7Q2M") == (INCIDENT, new.ts)
        assert new.ts != old.ts
        scene.presenter.missed("ZZZZZ")
        await desks.soon(lambda: not scene.presenter._missed)


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


async def test_lost_replies_leave_lines_that_point_down_and_no_second_card_or_board():
    result = TargetResult(
        account="a", venue="bybit", outcome=Outcome.FLAT, at=EPOCH, seconds=1.5, open_after=0
    )
    status = TargetStatus(account="a", venue="bybit", result=result, is_final=True)
    kept = Kept(request=run.request(run.target("a")), standing=(status,))
    kept.request = replace(kept.request, channel=INCIDENT)
    async with opened(kept) as scene:
        for _ in range(3):
            scene.traffic.add("chat.postMessage", faults.lost_reply(times=1))
            scene.traffic.add("chat.postMessage", faults.delayed(0.0, times=1))
        scene.presenter.changed("K7Q2M")
        card = await scene.shown("FLAT: 1 of 1 accounts")

        def told() -> list[str]:
            thread = [m.text.split("\n")[0] for m in scene.slack.thread(INCIDENT, card.ts)]
            return thread if thread[-1:] == ["*bybit: 1 of 1 accounts FLAT*"] else []

        thread = await scene.slack.wait_for(told, timeout_s=5)
        assert thread == [
            "Request K7Q2M: this line becomes the board; if it stays, look below.",
            "*FLAT: 1 of 1 accounts*",
            "Request K7Q2M: this line becomes the reply of bybit; if it stays, look below.",
            "*bybit: 1 of 1 accounts FLAT*",
        ]
        dead, alive = scene.slack.messages(INCIDENT)
        assert dead.text.endswith("This line becomes the card; if it stays, look below.")
        assert alive.ts == card.ts


GARBAGE = {
    "cut JSON": web_answer(body=b'{"ok":tr', content_type="application/json"),
    "no object": web_answer(body=b"[]", content_type="application/json"),
    "plain text": web_answer(body=b"ok", content_type="text/plain"),
    "HTML": web_answer(body=b"<html>", content_type="text/html"),
    "a proxy's refusal": web_answer(status=403, body=b"<html>", content_type="text/html"),
    "odd Retry-After": web_answer(
        status=429,
        body=b'{"ok":false,"error":"ratelimited"}',
        content_type="application/json",
        headers={"Retry-After": "soon"},
    ),
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
async def test_answer_that_is_not_slacks_is_waited_out(answer: Callable[[], web.Response]):
    met = asyncio.Event()

    async def garbage(_: web.Request) -> web.Response:
        met.set()
        return answer()

    app = web.Application()
    app.router.add_post("/{method}", garbage)
    async with opened() as scene, TestServer(app) as server:
        slack = scene.client.base_url
        scene.client.base_url = f"{server.make_url('/')}"
        scene.presenter.changed("K7Q2M")
        await asyncio.wait_for(met.wait(), 5)
        scene.client.base_url = slack
        await scene.slack.wait_for(scene.live, timeout_s=5)
        assert scene.presenter.refused == {}


async def test_bug_while_drawing_leaves_the_request_behind():
    async with opened() as scene:
        scene.kept.bugs = 1
        scene.presenter.changed("K7Q2M")
        await desks.soon(lambda: not scene.presenter._busy)
        assert scene.presenter._behind == {"K7Q2M"}
        scene.presenter.changed("ZZZZZ")
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=5)


async def test_refusal_for_good_is_told_once_and_asked_again_slowly(
    caplog: pytest.LogCaptureFixture,
):
    async with opened(refused_again_s=0.3) as scene:
        scene.traffic.add("chat.postMessage", faults.refused("not_in_channel", times=None))
        scene.presenter.changed("K7Q2M")
        while scene.traffic.count("chat.postMessage") < 3:
            scene.presenter.changed("K7Q2M")
            await asyncio.sleep(0.01)
        first, _, third = [c.at_s for c in scene.traffic.calls if c.method == "chat.postMessage"]
        assert third - first >= 0.6
        assert scene.presenter.refused == {"K7Q2M": "not_in_channel"}
        assert [r.message for r in caplog.records].count("message.refused") == 1
        scene.traffic.clear()
        await scene.slack.wait_for(scene.live, timeout_s=5)
        await desks.soon(lambda: not scene.presenter._busy)
        assert scene.presenter.refused == {}


async def test_refused_board_keeps_nothing_else_from_its_state():
    result = TargetResult(
        account="a", venue="bybit", outcome=Outcome.FLAT, at=EPOCH, seconds=1.5, open_after=0
    )
    status = TargetStatus(account="a", venue="bybit", result=result, is_final=True)
    async with opened() as scene:
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=5)
        scene.traffic.add("chat.postMessage", faults.refused("invalid_blocks", times=1))
        scene.kept.request = replace(
            run.request(run.target("a")),
            channel=INCIDENT,
            state=RequestState.FINISHED,
            ended_at=EPOCH,
        )
        scene.kept.standing = (status,)
        scene.presenter.changed("K7Q2M")
        card = await scene.shown("FLAT: 1 of 1 accounts")
        await scene.slack.wait_for(
            lambda: [m for m in scene.slack.thread(INCIDENT, card.ts) if "1 of 1" in m.text],
            timeout_s=5,
        )
        await desks.soon(lambda: scene.presenter.refused == {"K7Q2M": "invalid_blocks"})
        assert scene.kept.done == []


async def test_request_is_settled_once_slack_has_taken_its_final_state():
    async with opened() as scene:
        scene.presenter.changed("K7Q2M")
        await scene.slack.wait_for(scene.live, timeout_s=5)
        assert scene.kept.done == []
        scene.kept.request = pending(state=RequestState.EXPIRED, ended_at=EPOCH, ended_why="Late.")
        scene.traffic.add("chat.update", faults.server_error(times=2))
        scene.presenter.changed("K7Q2M")
        card = await scene.shown("*EXPIRED*: Late.")
        await desks.soon(lambda: scene.kept.done == ["K7Q2M"])
        assert "events ffffffffffff" in card.text


async def test_healing_waits_for_the_store():
    async with opened() as scene:
        scene.kept.down = 2
        await asyncio.wait_for(scene.presenter.heal(), 5)
        await scene.slack.wait_for(scene.live, timeout_s=5)
        assert scene.kept.down == 0


async def test_whisper_that_slack_loses_hurts_nobody():
    async with opened() as scene:
        scene.traffic.add("chat.postEphemeral", faults.server_error(times=1))
        await scene.presenter.whisper(INCIDENT, ALICE, blocks.plain("lost"))
        await scene.presenter.whisper(INCIDENT, ALICE, blocks.plain("heard"))
        await scene.presenter.reply("http://127.0.0.1:1/response/x", blocks.plain("nowhere"))
        assert [e.text for e in scene.slack.ephemerals(ALICE)] == ["heard"]


async def test_no_message_unfolds_a_link_of_somebodys():
    sent: list[dict[str, object]] = []

    async def take(request: web.Request) -> web.Response:
        sent.append(await request.json())
        return web.json_response({"ok": True, "ts": "1.000001"})

    app = web.Application()
    app.router.add_post("/{method}", take)
    async with opened() as scene, TestServer(app) as server:
        scene.client.base_url = f"{server.make_url('/')}"
        scene.presenter.changed("K7Q2M")
        await desks.soon(lambda: len(sent) == 2)
    assert [(call["unfurl_links"], call["unfurl_media"]) for call in sent] == [(False, False)] * 2


async def test_private_answer_that_slack_does_not_take_is_logged(
    caplog: pytest.LogCaptureFixture,
):
    async def full(_: web.Request) -> web.Response:
        return web.Response(status=500, text="x")

    app = web.Application()
    app.router.add_post("/", full)
    async with opened() as scene, TestServer(app) as server:
        await scene.presenter.reply(f"{server.make_url('/')}", blocks.plain("You may not."))
    (record,) = [r for r in caplog.records if r.message == "answer.lost"]
    assert record.__dict__["why"] == "HTTP 500"
