"""Rates and faults, as Slack's own client meets them."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import api, faults
from bot.sandbox.slack.faults import Fault, FaultKind
from bot.sandbox.slack.records import Channel
from bot.sandbox.slack.traffic import SLACK_RATES, Rate, Traffic
from bot.sandbox.slack.workspace import Workspace

BOT = "U0CANCELALL"
POST = "chat.postMessage"


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def traffic(clock: list[float]) -> Traffic:
    return Traffic(seed=1, now=lambda: clock[0])


@pytest.fixture
def workspace() -> Workspace:
    made = Workspace()
    made.put_channel(Channel(id="C1", name="incident", members=frozenset({BOT})))
    made.put_channel(Channel(id="C2", name="other", members=frozenset({BOT})))
    return made


@pytest.fixture
async def client(workspace: Workspace, traffic: Traffic) -> AsyncIterator[AsyncWebClient]:
    async with api.serve(workspace, traffic) as url, aiohttp.ClientSession() as web:
        client = AsyncWebClient(token="xoxb-sandbox-token", base_url=url, session=web)
        client.retry_handlers.clear()
        yield client


async def test_a_lost_reply_leaves_the_message_behind(
    client: AsyncWebClient, workspace: Workspace, traffic: Traffic
) -> None:
    traffic.add(POST, faults.lost_reply())
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="C1", text="card")
    assert [one.text for one in workspace.messages("C1")] == ["card"]
    assert [(call.outcome, call.is_applied) for call in traffic.calls] == [
        ("the connection is cut without an answer", True)
    ]


async def test_the_default_retry_after_a_lost_reply_posts_twice(
    workspace: Workspace, traffic: Traffic
) -> None:
    """Why a card is first posted without buttons."""
    traffic.add(POST, faults.lost_reply())
    at_once = FixedValueRetryIntervalCalculator(0)
    default = AsyncConnectionErrorRetryHandler(interval_calculator=at_once)
    async with api.serve(workspace, traffic) as url:
        client = AsyncWebClient(token="xoxb-sandbox-token", base_url=url, retry_handlers=[default])
        await client.chat_postMessage(channel="C1", text="card")
    assert [one.text for one in workspace.messages("C1")] == ["card", "card"]


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (faults.server_error(500), []),
        (faults.server_error(502, applied=True), ["card"]),
        (faults.refused(), []),
        (faults.refused("fatal_error", applied=True), ["card"]),
        (faults.reset(), []),
    ],
)
async def test_a_fault_fails_once_and_then_slack_is_well(
    client: AsyncWebClient, workspace: Workspace, traffic: Traffic, fault: Fault, shown: list[str]
) -> None:
    traffic.add(POST, fault)
    with pytest.raises((SlackApiError, aiohttp.ClientError)):
        await client.chat_postMessage(channel="C1", text="card")
    assert [one.text for one in workspace.messages("C1")] == shown
    await client.chat_postMessage(channel="C1", text="later")
    assert workspace.messages("C1")[-1].text == "later"


@pytest.mark.parametrize(
    ("fault", "shown"), [(faults.hang(), []), (faults.hang(applied=True), ["card"])]
)
async def test_a_hung_call_has_no_answer_until_the_caller_gives_up(
    client: AsyncWebClient, workspace: Workspace, traffic: Traffic, fault: Fault, shown: list[str]
) -> None:
    traffic.add(POST, fault)
    async with asyncio.TaskGroup() as group:
        call = group.create_task(client.chat_postMessage(channel="C1", text="card"))
        while not traffic.calls:  # noqa: ASYNC110 - the log has no event to wait for
            await asyncio.sleep(0.001)
        (await client.auth_test()).validate()
        assert not call.done()
        call.cancel()
    assert [one.text for one in workspace.messages("C1")] == shown
    assert [one.outcome for one in traffic.calls] == ["no answer for ever", "ok"]


async def test_a_late_answer_is_an_answer(client: AsyncWebClient, traffic: Traffic) -> None:
    traffic.add(POST, faults.delayed(0.02))
    assert (await client.chat_postMessage(channel="C1", text="card"))["ok"]


async def test_faults_are_counted_per_method_and_cleared(
    client: AsyncWebClient, traffic: Traffic
) -> None:
    traffic.add(POST, faults.refused("service_unavailable", times=2))
    assert (await client.auth_test())["ok"]
    for _ in range(2):
        with pytest.raises(SlackApiError):
            await client.chat_postMessage(channel="C1", text="x")
    assert (await client.chat_postMessage(channel="C1", text="x"))["ok"]
    traffic.add("*", faults.refused("token_revoked", times=None))
    for _ in range(3):
        with pytest.raises(SlackApiError):
            await client.auth_test()
    traffic.clear()
    assert (await client.auth_test())["ok"]


async def test_over_the_rate_is_429_until_the_time_told_has_passed(
    client: AsyncWebClient, workspace: Workspace, traffic: Traffic, clock: list[float]
) -> None:
    traffic.limit(POST, Rate(per_s=1.0, burst=2, is_per_channel=True))
    for _ in range(2):
        await client.chat_postMessage(channel="C1", text="x")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="C1", text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    await client.chat_postMessage(channel="C2", text="another channel")
    clock[0] = 0.5
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel="C1", text="too early")
    clock[0] = 1.0
    await client.chat_postMessage(channel="C1", text="in time")
    assert [one.text for one in workspace.messages("C1")] == ["x", "x", "in time"]
    assert traffic.count(POST) == 6


async def test_a_429_on_demand_tells_how_long(client: AsyncWebClient, traffic: Traffic) -> None:
    traffic.add(POST, faults.rate_limited(7.2))
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="C1", text="x")
    assert caught.value.response.headers["Retry-After"] == "8"


def test_slacks_own_rates_hold_back_the_51st_update(clock: list[float]) -> None:
    traffic = Traffic(now=lambda: clock[0])
    traffic.limit_as_slack()
    waits = [traffic.retry_after_s("chat.update", "C1") for _ in range(51)]
    assert waits == [None] * 50 + [2]
    assert traffic.retry_after_s("auth.test", "") is None
    assert SLACK_RATES[POST].is_per_channel


def test_the_same_seed_throws_the_same_dice() -> None:
    def pattern(seed: int) -> list[bool]:
        traffic = Traffic(seed=seed)
        traffic.add(POST, Fault(kind=FaultKind.HANG, times=None, share=0.5))
        return [traffic.take_fault(POST) is not None for _ in range(20)]

    assert pattern(3) == pattern(3)
    assert pattern(3) != pattern(4)
    assert {True, False} == set(pattern(3))
