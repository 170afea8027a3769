"""Slack down as a whole, as an app meets it: no answer, no socket; and up again."""

import json

import aiohttp
import pytest

from bot.sandbox import world as worlds
from bot.sandbox.slack import api, faults
from bot.sandbox.slack.outage import Outage
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.world import ALICE, INCIDENT


async def called(
    session: aiohttp.ClientSession, url: str, method: str, token: str
) -> tuple[int, str]:
    """Call a method; return the HTTP status and what is said."""
    headers = {"Authorization": f"Bearer {token}"}
    async with session.post(url + method, headers=headers) as reply:
        return reply.status, await reply.text()


async def test_an_outage_answers_nothing_and_cuts_every_socket_until_it_ends():
    workspace, traffic = worlds.desk(), Traffic()
    traffic.limit_as_slack()
    outage = Outage(workspace, traffic)
    app = workspace.app
    async with api.serve(workspace, traffic) as url, aiohttp.ClientSession() as session:

        async def ticket() -> str:
            _, said = await called(session, url, "apps.connections.open", app.app_token)
            return str(json.loads(said)["url"])

        assert (await called(session, url, "auth.test", app.bot_token))[0] == 200
        tickets = [await ticket() for _ in range(3)]
        async with session.ws_connect(tickets[0]) as socket:
            assert (await socket.receive_json())["type"] == "hello"
            outage.begin()
            ended = {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
            assert (await socket.receive(timeout=5)).type in ended
        assert workspace.sockets.open == []
        for method in ("auth.test", *["chat.postMessage"] * 9, "users.info", "views.open"):
            assert (await called(session, url, method, app.bot_token))[0] == 503
        assert (await called(session, url, "apps.connections.open", app.app_token))[0] == 503
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(tickets[1])
        assert refused.value.status == 503
        ticket_id = workspace.tickets.issue_response_url(ALICE, INCIDENT, None)
        where, said = api.response_url(url, ticket_id), {"text": "lost"}
        async with session.post(where, json=said) as reply:
            assert reply.status == 503
        assert workspace.ephemerals(ALICE) == ()
        outage.end()
        async with session.post(where, json=said) as reply:
            assert reply.status == 200
        assert len(workspace.ephemerals(ALICE)) == 1
        assert json.loads((await called(session, url, "auth.test", app.bot_token))[1])["ok"]
        async with session.ws_connect(tickets[2]) as socket:
            assert (await socket.receive_json())["type"] == "hello"


async def test_the_end_of_an_outage_is_the_end_of_every_fault_of_slacks():
    workspace, traffic = Workspace(), Traffic()
    traffic.add("auth.test", faults.server_error(500, times=None))
    outage = Outage(workspace, traffic)
    async with api.serve(workspace, traffic) as url, aiohttp.ClientSession() as session:
        shown = []
        for turn in (outage.begin, outage.end):
            turn()
            shown.append(outage.is_on)
        assert shown == [True, False]
        assert (await called(session, url, "auth.test", workspace.app.bot_token))[0] == 200
