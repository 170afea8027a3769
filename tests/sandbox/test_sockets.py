"""The small Slack's Socket Mode, met by a bare WebSocket client that trusts no library of Slack's.

Shapes: https://docs.slack.dev/apis/events-api/using-socket-mode, read 2026-11-21.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from bot.sandbox.slack import api, delivery
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.records import App, Draft, Source
from bot.sandbox.slack.socket_route import SocketRoute
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.world import ALICE, INCIDENT, desk

BOT = "U0CANCELALL"
BUTTON = {
    "type": "actions",
    "block_id": "act",
    "elements": [
        {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
    ],
}
EVENT = {"type": "subteam_members_changed", "subteam_id": "S1"}


@dataclass
class Near:
    """The app's side, bare."""

    session: aiohttp.ClientSession
    workspace: Workspace
    api_url: str
    now: list[float]

    async def ask(self, token: str = "xapp-sandbox-token") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.api_url}apps.connections.open"
        async with self.session.post(url, headers=headers) as reply:
            found: dict[str, Any] = await reply.json()
            return found

    async def open(self, more: str = "") -> aiohttp.ClientWebSocketResponse:
        ticket = (await self.ask())["url"]
        return await self.session.ws_connect(ticket + more, autoping=False)

    async def greeted(self) -> aiohttp.ClientWebSocketResponse:
        wire = await self.open()
        assert (await wire.receive_json())["type"] == "hello"
        return wire

    @asynccontextmanager
    async def people(self, **more: Any) -> AsyncIterator[Delivery]:
        """People whom a Slack serves that waits 50 ms, and sends an event twice."""
        route = SocketRoute(
            sockets=self.workspace.sockets, ack_limit_s=more.get("limit_s", 0.05), retries_s=(0, 0)
        )
        yield Delivery(self.workspace, api_url=self.api_url, route=route)


@pytest.fixture
async def near() -> AsyncIterator[Near]:
    now = [1_000.0]
    workspace = desk()
    workspace.sockets._now = lambda: now[0]
    async with api.serve(workspace) as url, aiohttp.ClientSession() as session:
        yield Near(session, workspace, url, now)


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("xoxb-sandbox-token", "not_allowed_token_type"),
        ("xapp-other", "invalid_auth"),
    ],
)
async def test_only_the_app_level_token_opens_a_socket(near: Near, token: str, error: str):
    assert await near.ask(token) == {"ok": False, "error": error}


async def test_app_level_token_opens_sockets_and_nothing_else(near: Near):
    headers = {"Authorization": "Bearer xapp-sandbox-token"}
    async with near.session.post(f"{near.api_url}auth.test", headers=headers) as reply:
        assert await reply.json() == {"ok": False, "error": "not_allowed_token_type"}
    near.workspace.app = App(app_scopes=("authorizations:read",))
    assert await near.ask() == {
        "ok": False,
        "error": "missing_scope",
        "needed": "connections:write",
        "provided": "authorizations:read",
    }


async def test_socket_begins_with_hello(near: Near):
    first, second = await near.open(), await near.open("&debug_reconnects=true")
    assert await first.receive_json() == {
        "type": "hello",
        "num_connections": 1,
        "debug_info": {"host": "applink-sandbox", "approximate_connection_time": 18060},
        "connection_info": {"app_id": "A0CANCELALL"},
    }
    hello = await second.receive_json()
    assert hello["num_connections"] == 2
    assert hello["debug_info"]["approximate_connection_time"] == 360


async def refused(near: Near, url: str) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await near.session.ws_connect(url)
    return caught.value.status


async def test_ticket_opens_one_socket_once_and_soon(near: Near):
    url = (await near.ask())["url"]
    assert url.startswith("ws://127.0.0.1:")
    await near.session.ws_connect(url)
    assert await refused(near, url) == 403
    assert await refused(near, url.replace("ticket-", "guess-")) == 403
    late = (await near.ask())["url"]
    near.now[0] += 30.1
    assert await refused(near, late) == 408


async def test_dead_ticket_stays_dead(near: Near):
    dead = (await near.ask())["url"]
    near.workspace.sockets.kill_tickets()
    assert (await near.ask())["url"] != dead
    assert await refused(near, dead) == 403


async def test_eleventh_socket_is_sent_away(near: Near):
    wires = [await near.greeted() for _ in range(10)]
    wire = await near.open()
    assert await wire.receive_json() == {
        "type": "disconnect",
        "reason": "too_many_websockets",
        "debug_info": {"host": "applink-sandbox"},
    }
    assert (await wire.receive()).type is aiohttp.WSMsgType.CLOSE
    assert not any(each.closed for each in wires)


async def test_command_is_an_envelope_whose_ack_may_hold_the_answer(near: Near):
    wire = await near.greeted()
    async with near.people(limit_s=2) as people, asyncio.TaskGroup() as group:
        typing = group.create_task(people.slash(ALICE, INCIDENT, "/cancelall", "status"))
        envelope = await wire.receive_json()
        ack = {"envelope_id": envelope["envelope_id"], "payload": {"text": "all well"}}
        await wire.send_json(ack)
    assert set(envelope) == {"envelope_id", "type", "payload", "accepts_response_payload"}
    assert envelope["type"] == "slash_commands"
    assert envelope["accepts_response_payload"] is True
    assert envelope["payload"]["text"] == "status"
    delivered = typing.result()
    assert (delivered.status, delivered.error) == (200, "")
    (seen,) = near.workspace.ephemerals(ALICE)
    assert (seen.text, seen.source) == ("all well", Source.ACK)


async def test_answer_to_a_click_does_not_go_into_its_ack(near: Near):
    wire = await near.greeted()
    card = near.workspace.post(INCIDENT, BOT, Draft(text="card", blocks=(BUTTON,)))
    async with near.people(limit_s=2) as people, asyncio.TaskGroup() as group:
        pressing = group.create_task(people.click(ALICE, INCIDENT, card.ts, "go"))
        envelope = await wire.receive_json()
        ack = {"envelope_id": envelope["envelope_id"], "payload": {"text": "lost"}}
        await wire.send_json(ack)
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("interactive", False)
    assert envelope["payload"]["type"] == "block_actions"
    assert (pressing.result().status, pressing.result().body) == (200, "")


async def test_without_a_socket_the_person_is_told_at_once(near: Near):
    async with near.people() as people:
        delivered = await people.slash(ALICE, INCIDENT, "/cancelall", "all")
    assert (delivered.status, delivered.error) == (None, "dispatch_failed")
    assert [seen.text for seen in near.workspace.ephemerals(ALICE)] == [
        "/cancelall failed with the error “dispatch_failed”"
    ]


async def test_command_that_nobody_acknowledges_is_not_sent_again(near: Near):
    wire = await near.greeted()
    async with near.people() as people:
        delivered = await people.slash(ALICE, INCIDENT, "/cancelall", "all")
    assert (delivered.status, delivered.error) == (None, "operation_timeout")
    assert (await wire.receive_json())["payload"]["text"] == "all"
    with pytest.raises(TimeoutError):
        await wire.receive(timeout=0.1)


async def test_event_that_nobody_acknowledges_is_sent_again_as_one_that_was(near: Near):
    wire = await near.greeted()
    async with near.people() as people:
        delivered = await people.event(EVENT)
    assert delivered.error == "operation_timeout"
    sent = [await wire.receive_json() for _ in range(3)]
    assert [(each["retry_attempt"], each["retry_reason"]) for each in sent] == [
        (0, ""),
        (1, "timeout"),
        (2, "timeout"),
    ]
    assert len({each["payload"]["event_id"] for each in sent}) == 1
    assert len({each["envelope_id"] for each in sent}) == 3


async def test_each_payload_goes_to_one_socket_and_over_time_to_any(near: Near):
    wires = [await near.greeted() for _ in range(3)]
    async with near.people() as people:
        for number in range(6):
            await people.slash(ALICE, INCIDENT, "/cancelall", f"show {number}")
    texts = [[(await wire.receive_json())["payload"]["text"] for _ in range(2)] for wire in wires]
    assert sorted(text for each in texts for text in each) == [f"show {n}" for n in range(6)]


async def test_ack_may_come_late_or_for_nothing(near: Near):
    wire = await near.greeted()
    await wire.send_json({"envelope_id": "of nothing"})
    near.workspace.sockets.ack_delay_s = 0.1
    async with near.people() as people, asyncio.TaskGroup() as group:
        typing = group.create_task(people.slash(ALICE, INCIDENT, "/cancelall", "all"))
        envelope = await wire.receive_json()
        await wire.send_json({"envelope_id": envelope["envelope_id"]})
    assert typing.result().error == "operation_timeout"


@pytest.mark.parametrize(("reason", "is_closed"), [("warning", ""), ("link_disabled", "closed")])
async def test_socket_is_told_to_go(near: Near, reason: Any, is_closed: str):
    wire = await near.greeted()
    async with asyncio.TaskGroup() as group:
        group.create_task(near.workspace.sockets.dismiss(reason))
        assert (await wire.receive_json())["reason"] == reason
        if is_closed:
            assert (await wire.receive()).type is aiohttp.WSMsgType.CLOSE
    assert len(near.workspace.sockets.open) == (0 if is_closed else 1)


async def test_silent_socket_answers_no_ping_and_still_takes_payloads(near: Near):
    wire = await near.greeted()
    await wire.ping(b"here?")
    assert (await wire.receive()).data == b"here?"
    near.workspace.sockets.go_silent()
    await wire.ping(b"still here?")
    with pytest.raises(TimeoutError):
        await wire.receive(timeout=0.1)
    async with near.people() as people:
        delivered = await people.slash(ALICE, INCIDENT, "/cancelall", "all")
    assert delivered.error == "operation_timeout"
    assert (await wire.receive_json())["type"] == "slash_commands"


async def test_cut_socket_is_gone_for_both(near: Near):
    wire = await near.greeted()
    near.workspace.sockets.cut()
    assert (await wire.receive()).type is not aiohttp.WSMsgType.TEXT
    assert near.workspace.sockets.open == []


async def test_delivery_without_a_request_url_goes_through_sockets(near: Near):
    wire = await near.greeted()
    async with (
        delivery.connect(near.workspace, api_url=near.api_url) as people,
        asyncio.TaskGroup() as group,
    ):
        typing = group.create_task(people.slash(ALICE, INCIDENT, "/cancelall", "all"))
        envelope = await wire.receive_json()
        await wire.send_json({"envelope_id": envelope["envelope_id"]})
    assert typing.result().error == ""
