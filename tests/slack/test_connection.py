"""Who we are at Slack, asked until it answers; what no waiting mends is said at once."""

import asyncio
import logging

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.errors import ConfigError
from bot.sandbox.slack import api, faults
from bot.sandbox.slack.faults import Fault
from bot.sandbox.slack.records import App, Channel
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.world import INCIDENT, desk
from bot.slack import connection
from bot.slack.connection import Identity

LIMITED = faults.rate_limited(0.0)
CUT = Fault(kind=faults.FaultKind.CUT)


async def identified(workspace: Workspace, traffic: Traffic, token: str = "") -> Identity:
    async with (
        api.serve(workspace, traffic) as url,
        connection.open_client(token or workspace.app.bot_token, url) as client,
    ):
        return await connection.identify(client, again_s=0.01)


@pytest.mark.parametrize(
    "trouble",
    [
        faults.server_error(503),
        faults.server_error(404),
        faults.refused("internal_error"),
        faults.refused("a_word_of_tomorrow"),
        LIMITED,
        CUT,
    ],
    ids=lambda trouble: trouble.error or f"{trouble.kind.name} {trouble.status}",
)
async def test_slack_is_asked_again_until_it_answers(
    trouble: Fault, caplog: pytest.LogCaptureFixture
):
    workspace, traffic = desk(), Traffic()
    traffic.add("auth.test", trouble)
    traffic.add("auth.test", trouble)

    me = await identified(workspace, traffic)

    assert me.team_id == workspace.team_id
    assert traffic.count("auth.test") == 3
    assert [record.message for record in caplog.records] == ["slack.unreachable"] * 2


async def test_retry_after_is_kept(caplog: pytest.LogCaptureFixture):
    traffic = Traffic()
    traffic.add("auth.test", faults.rate_limited(1.0))

    await identified(desk(), traffic)

    (record,) = caplog.records
    assert (record.__dict__["why"], record.__dict__["again_s"]) == ("ratelimited", 1.0)


async def test_rest_of_a_day_is_a_slip(caplog: pytest.LogCaptureFixture):
    traffic = Traffic()
    traffic.add("auth.test", faults.rate_limited(86_400))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await identified(desk(), traffic)

    (record,) = caplog.records
    assert record.__dict__["again_s"] == 60.0


async def test_answer_that_is_not_slacks_is_no_identity_and_no_bug(
    caplog: pytest.LogCaptureFixture,
):
    async def busy(_: web.Request) -> web.Response:
        return web.Response(text="upstream busy")

    app = web.Application()
    app.router.add_post("/{method}", busy)
    async with (
        TestServer(app) as server,
        connection.open_client("xoxb-x", f"{server.make_url('/')}") as client,
    ):
        await connection.check_channel(client, INCIDENT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await connection.identify(client, again_s=0.01)
    assert {r.message for r in caplog.records} == {"channel.unusable", "slack.unreachable"}


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"])
async def test_proxy_of_the_environment_is_never_used(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    workspace = desk()
    async with (
        api.serve(workspace, Traffic()) as url,
        connection.open_client(workspace.app.bot_token, url) as client,
    ):
        async with asyncio.timeout(5):
            assert (await connection.identify(client)).team_id == workspace.team_id
            answered = await connection.hook(client, f"{url}nowhere").send_dict({"text": "x"})
        assert answered.status_code == 200


async def test_slack_that_cannot_be_reached_is_waited_for():
    async with connection.open_client("xoxb-x", "http://127.0.0.1:1/api/") as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await connection.identify(client, again_s=0.01)


@pytest.mark.parametrize(
    "word", ["account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"]
)
async def test_token_that_slack_refuses_is_said_at_once(word: str):
    traffic = Traffic()
    traffic.add("auth.test", faults.refused(word))

    with pytest.raises(ConfigError) as caught:
        await identified(desk(), traffic)

    assert str(caught.value) == (
        f"Slack refuses the bot token ({word}). "
        "Install the app again and store its Bot User OAuth Token."
    )


async def test_wrong_token_and_missing_scope_are_named():
    workspace = Workspace(app=App(scopes=("commands", "chat:write", "users:read")))
    with pytest.raises(ConfigError, match=r"Slack refuses the bot token \(invalid_auth\)"):
        await identified(workspace, Traffic(), "xoxb-wrong")
    with pytest.raises(ConfigError, match="lacks the scope channels:read, groups:read, "):
        await identified(workspace, Traffic())


async def test_scope_that_nothing_uses_is_warned_of_and_kept(caplog: pytest.LogCaptureFixture):
    scopes = (*connection.SCOPES, "channels:history", "admin.users:write")
    me = await identified(Workspace(app=App(scopes=scopes)), Traffic())
    assert me.scopes == {*connection.SCOPES, "channels:history", "admin.users:write"}
    (record,) = caplog.records
    assert (record.levelname, record.message) == ("WARNING", "scopes.unused")
    assert record.__dict__["scopes"] == ["admin.users:write", "channels:history"]


async def test_exactly_the_scopes_of_the_manifest_are_nothing_to_tell(
    caplog: pytest.LogCaptureFixture,
):
    me = await identified(desk(), Traffic())
    assert me.scopes == connection.SCOPES
    assert not caplog.records


@pytest.mark.parametrize("token", ["xoxb-1\nxoxb-2", "xoxb 1", "xoxb-ü", "xoxb-1\x00"])
async def test_token_that_no_header_can_carry_is_refused_unseen(token: str):
    with pytest.raises(ConfigError) as caught:
        async with connection.open_client(token, "http://127.0.0.1:1/api/"):
            pass
    assert str(caught.value) == (
        "slack.bot_token holds a blank, a line break or another odd character. "
        "Store the token alone: one word, such as xoxb-…."
    )


async def test_api_url_that_is_none_is_named():
    async with connection.open_client("xoxb-x", "slack dot com") as client:
        with pytest.raises(ConfigError, match=r'^slack.api_url "slack dot com/" is no URL\.'):
            await connection.identify(client)


@pytest.mark.parametrize(
    ("channel", "why"), [("C0NOWHERE", "channel_not_found"), ("C0OTHER", "not_in_channel")]
)
async def test_channel_in_which_no_card_can_stand_is_warned_of(
    channel: str, why: str, caplog: pytest.LogCaptureFixture
):
    workspace = desk()
    workspace.put_channel(Channel(id="C0OTHER", name="other", members=frozenset()))
    async with (
        api.serve(workspace) as url,
        connection.open_client(workspace.app.bot_token, url) as client,
    ):
        await connection.check_channel(client, INCIDENT)
        assert not caplog.records
        await connection.check_channel(client, channel)
    (record,) = caplog.records
    assert record.message == "channel.unusable"
    assert (record.__dict__["channel"], record.__dict__["why"]) == (channel, why)


async def test_bolt_does_not_say_that_our_token_is_ignored(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The README says to set this variable; an operator must not doubt it."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-x")
    me = Identity(team_id="T1", bot_user_id="U1", bot_id="B1", url="")
    with caplog.at_level(logging.WARNING):
        async with connection.open_client("xoxb-x", "http://127.0.0.1:1/api/") as client:
            assert connection.build_app(client, "s", me, "xoxb-x").client is client
    assert not caplog.records
