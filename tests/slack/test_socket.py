"""Socket Mode: real bolt and slack_sdk, a Slack whose sockets fail, and the watchdog between."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot import background, telemetry
from bot.domain.errors import ConfigError
from bot.sandbox.slack import api, delivery, faults
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.faults import Fault
from bot.sandbox.slack.records import App
from bot.sandbox.slack.sockets import Sockets
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.world import ALICE, INCIDENT, desk
from bot.slack import connection, socket
from bot.slack.connection import Identity
from bot.slack.socket import Ear, Pace

ME = Identity(team_id="T0HOME", bot_user_id="U0CANCELALL", bot_id="B0CANCELALL", url="")
QUICK = Pace(
    sockets=1,
    ping_s=5.0,
    watch_s=0.02,
    connect_s=0.3,
    patience_s=0.3,
    close_s=0.1,
    again_s=0.05,
    again_s_max=0.1,
    refused_again_s=0.1,
    stagger_s=0.02,
)
PINGING = replace(QUICK, ping_s=0.2)
"""For a socket that must be found dead: on a busy machine it may be found so without a reason."""
TWO = replace(QUICK, sockets=2)


@dataclass
class Desk:
    """A small Slack, and the ears that hear it."""

    workspace: Workspace
    traffic: Traffic
    api_url: str
    stack: AsyncExitStack
    people: Delivery
    heard: list[str] = field(default_factory=list)
    """Which ear took which command: "name: text"."""

    @property
    def sockets(self) -> Sockets:
        return self.workspace.sockets

    async def ear(self, name: str = "ear", pace: Pace = QUICK, *, token: str = "") -> Ear:
        """Open an ear of its own bolt app, as another process would."""
        return await self.stack.enter_async_context(listening(self, name, pace, token=token))

    async def type(self, text: str = "all") -> str:
        """Let Alice type a command; return what went wrong."""
        return (await self.people.slash(ALICE, INCIDENT, "/cancelall", text)).error

    async def is_heard_again(self, *, within_s: float = 3.0) -> bool:
        """Let Alice type until she is heard; tell whether that was in time."""
        end = time.monotonic() + within_s
        while await self.type():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.02)
        return True


@asynccontextmanager
async def listening(desk: Desk, name: str, pace: Pace, *, token: str = "") -> AsyncIterator[Ear]:
    app_token, bot_token = desk.workspace.app.app_token, desk.workspace.app.bot_token
    opened = connection.open_client(
        token or app_token, desk.api_url, kind=socket.APP_TOKEN, call_s=1.0
    )
    async with connection.open_client(bot_token, desk.api_url) as bot, opened as client:
        app = connection.build_app(bot, "", ME, bot_token)

        @app.command("/cancelall")
        async def on_command(ack: Any, body: dict[str, Any]) -> None:
            await ack()
            desk.heard.append(f"{name}: {body['text']}")

        @app.event("subteam_members_changed")
        async def on_event(event: dict[str, Any]) -> None:
            desk.heard.append(f"{name}: {event['subteam_id']}")

        async with socket.listening(app, client, background.supervise, pace=pace) as ear:
            yield ear


@pytest.fixture
async def slack() -> AsyncIterator[Desk]:
    workspace, traffic = desk(), Traffic()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(api.serve(workspace, traffic))
        people = await stack.enter_async_context(
            delivery.connect(workspace, api_url=url, ack_limit_s=0.3)
        )
        inner = await stack.enter_async_context(AsyncExitStack())
        yield Desk(workspace, traffic, url, inner, people)


async def soon(check: Callable[[], bool], *, within_s: float = 3.0) -> float:
    """Wait until something is so; return the seconds that it took."""
    began = time.monotonic()
    while not check():
        assert time.monotonic() - began < within_s, "it did not come to pass in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def test_command_typed_in_socket_mode_is_heard(slack: Desk):
    ear = await slack.ear()
    assert ear.is_connected
    assert await slack.type("status") == ""
    assert slack.heard == ["ear: status"]


async def test_who_types_before_a_socket_is_open_is_told(slack: Desk):
    assert await slack.type() == "dispatch_failed"


def drop(sockets: Sockets) -> None:
    """As a proxy does that ends: TCP is cut, and nobody is there for a while."""
    sockets.refused_with = 502
    sockets.cut()


def fall_silent(sockets: Sockets) -> None:
    """As a network does that drops every packet: nobody is told."""
    sockets.go_silent()
    sockets.refused_with = 503


def refuse_handshakes(sockets: Sockets) -> None:
    sockets.refused_with = 503
    sockets.cut()


def end_greetings(sockets: Sockets) -> None:
    """A proxy that takes every handshake, with no Slack behind it."""
    sockets.is_greeting = False
    sockets.cut()


def mend(sockets: Sockets) -> None:
    """Slack is well again, and a ticket that was issued before is dead by now."""
    sockets.kill_tickets()
    sockets.refused_with, sockets.is_greeting = None, True


@pytest.mark.parametrize("fault", [drop, fall_silent, refuse_handshakes, end_greetings])
async def test_socket_that_dies_is_known_to_be_dead_and_replaced(
    slack: Desk, fault: Callable[[Sockets], None]
):
    ear = await slack.ear(pace=PINGING)
    fault(slack.sockets)
    await soon(lambda: not ear.is_connected)
    mend(slack.sockets)
    await soon(lambda: ear.is_connected)
    assert await slack.is_heard_again()


async def test_ticket_that_died_is_not_offered_for_ever(slack: Desk):
    """slack_sdk does, and is deaf until the process is started again."""
    ear = await slack.ear(pace=PINGING)
    refuse_handshakes(slack.sockets)
    tried = slack.sockets.handshakes
    await soon(lambda: slack.sockets.handshakes > tried)  # It has the ticket that will die.
    mend(slack.sockets)
    await soon(lambda: ear.is_connected)
    assert await slack.is_heard_again()


async def test_start_waits_for_a_socket_and_takes_a_new_ticket_for_it(slack: Desk):
    slack.sockets.refused_with = 503
    async with asyncio.TaskGroup() as group:
        starting = group.create_task(slack.ear())
        await soon(lambda: slack.sockets.handshakes > 0)
        mend(slack.sockets)  # And with it the ticket in hand dies.
        await soon(starting.done)
    assert starting.result().is_connected


async def test_url_that_is_none_of_a_socket_is_not_opened(
    slack: Desk, caplog: pytest.LogCaptureFixture
):
    ours = slack.sockets.address
    slack.sockets.address = ours.replace("ws://", "ftp://")
    async with asyncio.TaskGroup() as group:
        starting = group.create_task(slack.ear())
        await soon(lambda: "slack.unreachable" in caplog.messages)
        slack.sockets.address = ours
        await soon(starting.done)
    assert caplog.records[0].__dict__["why"] == "no wss URL"
    assert starting.result().is_connected


async def test_socket_without_hello_is_not_trusted(slack: Desk, caplog: pytest.LogCaptureFixture):
    """slack_sdk takes every handshake for Slack, and a proxy answers pings too."""
    caplog.set_level(logging.INFO)
    ear = await slack.ear(pace=PINGING)
    tried = slack.sockets.handshakes
    end_greetings(slack.sockets)
    await soon(lambda: slack.sockets.handshakes >= tried + 3)
    assert not ear.is_connected
    assert caplog.messages.count("socket.opened") == 1


@pytest.mark.parametrize(
    "trouble",
    [
        faults.server_error(503, times=None),
        faults.refused("internal_error", times=None),
        faults.rate_limited(1.0, times=None),
        faults.hang(times=None),
    ],
    ids=["503", "internal_error", "429", "hang"],
)
async def test_socket_is_back_once_tickets_are_issued_again(slack: Desk, trouble: Fault):
    ear = await slack.ear()
    slack.traffic.add("apps.connections.open", trouble)
    slack.sockets.cut()
    asked = slack.traffic.count("apps.connections.open")
    await soon(lambda: slack.traffic.count("apps.connections.open") > asked)
    assert not ear.is_connected
    slack.traffic.clear()
    await soon(lambda: ear.is_connected)
    assert await slack.is_heard_again()


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "link_disabled"])
async def test_socket_that_slack_ends_is_replaced(slack: Desk, reason: Any):
    ear = await slack.ear()
    opened = slack.sockets.handshakes
    await slack.sockets.dismiss(reason)
    await soon(lambda: slack.sockets.handshakes > opened and ear.is_connected)
    assert await slack.is_heard_again()


@pytest.mark.parametrize("reason", ["link_disabled", "too_many_websockets"])
async def test_dismissal_that_is_no_renewal_is_logged(
    slack: Desk, reason: Any, caplog: pytest.LogCaptureFixture
):
    await slack.ear()
    await slack.sockets.dismiss(reason)
    await soon(lambda: "socket.dismissed" in caplog.messages)
    (record,) = [each for each in caplog.records if each.message == "socket.dismissed"]
    assert (record.levelname, record.__dict__["why"]) == ("WARNING", reason)


async def test_eleventh_socket_is_no_storm(slack: Desk):
    """slack_sdk would come back at once, each time that Slack sends it away."""
    for number in range(10):
        await slack.ear(f"ear-{number}")
    before = slack.sockets.handshakes
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await slack.ear("one too many", replace(QUICK, again_s=0.2, again_s_max=0.2))
    assert 2 <= slack.sockets.handshakes - before <= 6
    assert len(slack.sockets.open) == 10


async def test_no_command_is_lost_while_one_of_two_sockets_is_renewed(slack: Desk):
    ear = await slack.ear(pace=TWO)
    await soon(lambda: ear.sockets == 2)
    first, second = slack.sockets.open
    wrong = []
    for renewed in (first, second):
        await renewed.say({"type": "disconnect", "reason": "refresh_requested"})
        await renewed.end()
        wrong += [await slack.type(f"status {number}") for number in range(20)]
        await soon(lambda: ear.sockets == 2)
    assert ear.is_connected
    assert wrong == [""] * 40
    assert len(slack.heard) == 40


async def test_two_processes_lose_no_command_when_one_ends(slack: Desk):
    async with AsyncExitStack() as first:
        await first.enter_async_context(listening(slack, "first", TWO))
        ear = await slack.ear("second", TWO)
        await soon(lambda: len(slack.sockets.open) == 4)
        before = [await slack.type(f"{number}") for number in range(8)]
    after = [await slack.type(f"{number}") for number in range(8, 16)]
    assert before + after == [""] * 16
    numbers = sorted(int(each.split(": ")[1]) for each in slack.heard)
    assert numbers == list(range(16))
    assert {each.split(": ")[0] for each in slack.heard} == {"first", "second"}
    assert ear.is_connected


async def test_one_live_socket_of_two_is_enough(slack: Desk):
    ear = await slack.ear(pace=TWO)
    await soon(lambda: ear.sockets == 2)
    since = ear.since
    slack.sockets.refused_with = 503
    slack.sockets.open[0].abort()
    await soon(lambda: ear.sockets == 1)
    assert ear.is_connected
    assert ear.since == since
    slack.sockets.open[-1].abort()
    await soon(lambda: not ear.is_connected)
    assert ear.since > since


async def test_event_that_was_not_acknowledged_comes_again(slack: Desk):
    await slack.ear()
    slack.sockets.ack_delay_s = 0.4  # Later than Slack waits.

    async def hurry() -> None:
        await soon(lambda: len(slack.heard) == 1)
        slack.sockets.ack_delay_s = 0.0

    async with asyncio.TaskGroup() as group:
        group.create_task(hurry())
        event = {"type": "subteam_members_changed", "subteam_id": "S1"}
        delivered = await slack.people.event(event)
    assert delivered.error == ""
    assert slack.heard == ["ear: S1", "ear: S1"]


@pytest.mark.parametrize(
    ("app", "fault", "why"),
    [
        (App(app_token="xapp-other"), None, "invalid_auth"),
        (App(app_scopes=()), None, "missing_scope"),
        (App(app_token="xoxb-sandbox-token"), None, "not_allowed_token_type"),
        (App(), "token_revoked", "token_revoked"),
        (App(), "forbidden_team", "forbidden_team"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_refused_app_token_is_one_plain_error(
    slack: Desk, app: App, fault: str | None, why: str
):
    if app.app_scopes == ():
        slack.workspace.app = app
    if fault is not None:
        slack.traffic.add("apps.connections.open", faults.refused(fault))
    with pytest.raises(ConfigError) as caught:
        await slack.ear(token=app.app_token)
    assert str(caught.value) == (
        f"Slack refuses the app-level token ({why}). Make one with the scope connections:write "
        "under Basic Information of the app, store it, and switch Socket Mode on."
    )


async def test_app_token_with_a_blank_is_named():
    with pytest.raises(ConfigError, match=r"^slack.app_token holds a blank, .+ as xapp-…\.$"):
        async with connection.open_client("xapp 1", "http://[::1]/", kind=socket.APP_TOKEN):
            pass


async def test_token_revoked_while_we_run_is_said_loudly_and_tried_again(
    slack: Desk, caplog: pytest.LogCaptureFixture
):
    ear = await slack.ear()
    slack.traffic.add("apps.connections.open", faults.refused("token_revoked", times=None))
    slack.sockets.cut()
    await soon(lambda: "socket.refused" in caplog.messages)
    assert not ear.is_connected
    (record, *_) = [each for each in caplog.records if each.message == "socket.refused"]
    assert record.levelname == "ERROR"
    assert record.__dict__["why"] == "Slack refuses the app-level token (token_revoked)."
    slack.traffic.clear()
    await soon(lambda: ear.is_connected)


async def test_no_task_outlives_the_sockets_and_a_silent_peer_holds_nothing_up(slack: Desk):
    before = asyncio.all_tasks()
    began = 0.0
    async with listening(slack, "ear", TWO) as ear:
        await soon(lambda: ear.sockets == 2)
        slack.sockets.go_silent()
        began = time.monotonic()
    assert time.monotonic() - began < 1.0
    slack.sockets.cut()
    await soon(lambda: asyncio.all_tasks() <= before, within_s=0.5)
    assert not ear.is_connected


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy"])
async def test_no_proxy_of_the_environment_is_used(
    slack: Desk, name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    ear = await slack.ear()
    assert ear.is_connected


async def test_log_names_what_happened_and_holds_no_ticket_token_or_command(
    slack: Desk, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG):
        ear = await slack.ear()
        await slack.type('all --reason "the secret plan"')
        refuse_handshakes(slack.sockets)
        await soon(lambda: "socket.troubled" in caplog.messages)
        mend(slack.sockets)
        await soon(lambda: ear.is_connected)
    ours = [each for each in caplog.records if telemetry._is_ours_or_serious(each)]
    logged = "\n".join(f"{each.getMessage()} {each.__dict__}" for each in ours)
    for secret in ("ticket-0", "xapp-", "secret plan"):
        assert secret not in logged
    told = [each for each in caplog.messages if each.startswith("socket.")]
    assert told[0] == "socket.opened"
    assert "socket.lost" in told


@pytest.mark.parametrize(
    ("url", "api_url"),
    [
        ("wss://wss-primary.slack.com/link/?ticket=1", "https://slack.com/api/"),
        ("wss://wss-primary.slack.com/link/?ticket=1", "http://127.0.0.1:1/api/"),
        ("ws://127.0.0.1:1/link/?ticket=1", "http://127.0.0.1:1/api/"),
    ],
)
def test_socket_as_private_as_the_api_is_opened(url: str, api_url: str):
    assert socket._is_private(url, api_url)


@pytest.mark.parametrize(
    "url", ["ws://wss-primary.slack.com/link/", "https://slack.com/link/", "", "wss://["]
)
def test_socket_in_the_clear_is_not_opened(url: str):
    assert not socket._is_private(url, "https://slack.com/api/")


@pytest.mark.soak
@pytest.mark.parametrize("fault", [drop, fall_silent, refuse_handshakes, end_greetings])
async def test_at_the_pace_of_life_a_dead_socket_is_known_in_10_s_and_back_in_30(
    slack: Desk, fault: Callable[[Sockets], None]
):
    ear = await slack.ear(pace=socket.PACE)
    await soon(lambda: ear.sockets == 2, within_s=10)
    fault(slack.sockets)
    await soon(lambda: not ear.is_connected, within_s=10)
    await asyncio.sleep(15)  # Beyond what slack_sdk is given to mend it.
    assert not ear.is_connected
    mend(slack.sockets)
    await soon(lambda: ear.is_connected, within_s=30)
    assert await slack.is_heard_again()
