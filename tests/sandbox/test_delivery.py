"""People at work, answered by a real slack_bolt app over HTTP and through a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import api, delivery, payloads, request, views
from bot.sandbox.slack.delivery import Delivery, NotPossibleError
from bot.sandbox.slack.records import App, Channel, Draft, Source, Standing, User
from bot.sandbox.slack.workspace import HOME, PARTNER, Workspace

Json = dict[str, Any]
BOT = "U0CANCELALL"


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


CONFIRM = {
    "title": plain("Cancel all?"),
    "text": plain("12 orders on 2 venues"),
    "confirm": plain("Approve cancel"),
    "deny": plain("Go back"),
}
CARD = {
    "type": "actions",
    "block_id": "act-K7Q2",
    "elements": [
        {
            "type": "button",
            "action_id": "approve",
            "text": plain("Approve cancel"),
            "value": "K7Q2:digest",
            "confirm": CONFIRM,
        },
        {"type": "button", "action_id": "deny", "text": plain("Deny"), "value": "K7Q2:digest"},
    ],
}
WHY = {
    "type": "modal",
    "callback_id": "deny",
    "private_metadata": "K7Q2",
    "notify_on_close": True,
    "title": plain("Deny"),
    "submit": plain("Deny"),
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": plain("Why"),
            "element": {"type": "plain_text_input", "action_id": "text"},
        },
        {
            "type": "input",
            "block_id": "venues",
            "label": plain("Venues"),
            "optional": True,
            "element": {
                "type": "multi_static_select",
                "action_id": "chosen",
                "options": [{"text": plain(word), "value": word} for word in ("bybit", "coinapi")],
            },
        },
    ],
}


@dataclass
class Heard:
    """What the bot under test was told, and what its context made of it."""

    bodies: list[Json] = field(default_factory=list)
    teams: list[tuple[str | None, str | None, str]] = field(default_factory=list)


@pytest.fixture
def workspace() -> Workspace:
    made = Workspace()
    made.put_user(User(id="U1", name="alice", team_id=HOME))
    made.put_user(User(id="U2", name="bob", team_id=HOME, standing=Standing.GUEST))
    made.put_user(User(id="U3", name="carol", team_id=HOME, is_deactivated=True))
    made.put_user(User(id="U8", name="olga", team_id=PARTNER))
    inside = frozenset({BOT, "U1", "U8"})
    made.put_channel(Channel(id="C1", name="incident", members=inside, is_ext_shared=True))
    made.put_channel(Channel(id="C2", name="secret", members=frozenset({BOT}), is_private=True))
    return made


def a_bot(client: AsyncWebClient, workspace: Workspace, heard: Heard) -> AsyncApp:
    async def authorize(**_: Any) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None, team_id=HOME, bot_user_id=BOT, bot_token=client.token
        )

    app = AsyncApp(client=client, signing_secret=workspace.app.signing_secret, authorize=authorize)

    @app.command("/cancelall")
    async def cancelall(ack: Any, body: Json) -> None:
        heard.bodies.append(body)
        await ack(f"heard: {body['text']}")

    @app.action("approve")
    async def approve(ack: Any, body: Json, context: Any) -> None:
        heard.bodies.append(body)
        heard.teams.append((context.team_id, context.actor_team_id, body["user"]["team_id"]))
        await ack()
        ts = body["container"]["message_ts"]
        # A listener that raises in the tick of its ack loses the ack.
        if workspace.message("C1", ts) is not None:
            await client.chat_update(channel="C1", ts=ts, text="approved", blocks=[])

    @app.event("subteam_members_changed")
    async def changed(body: Json) -> None:
        heard.bodies.append(body)

    add_modal(app, client, heard)
    return app


def add_modal(app: AsyncApp, client: AsyncWebClient, heard: Heard) -> None:
    @app.action("deny")
    async def deny(ack: Any, body: Json) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=WHY)

    @app.view("deny")
    async def denied(ack: Any, body: Json) -> None:
        heard.bodies.append(body)
        reason = body["view"]["state"]["values"]["reason"]["text"]["value"]
        if len(reason) < 3:
            await ack(response_action="errors", errors={"reason": "Say more."})
        else:
            await ack(response_action="clear")

    @app.view_closed("deny")
    async def closed(ack: Any, body: Json) -> None:
        await ack()
        heard.bodies.append(body)


@asynccontextmanager
async def listening(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    served = web.Application()
    served.router.add_post("/slack/events", answer)
    runner = web.AppRunner(served, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/slack/events"
    finally:
        await runner.cleanup()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@asynccontextmanager
async def people_over_http(workspace: Workspace, heard: Heard) -> AsyncIterator[Delivery]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(api.serve(workspace))
        client = AsyncWebClient(token="xoxb-sandbox-token", base_url=url)
        app = a_bot(client, workspace, heard)

        async def answer(http: web.Request) -> web.StreamResponse:
            return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(http)))

        events = await stack.enter_async_context(listening(answer))
        yield await stack.enter_async_context(
            delivery.connect(workspace, api_url=url, request_url=events)
        )


@asynccontextmanager
async def people_over_a_socket(workspace: Workspace, heard: Heard) -> AsyncIterator[Delivery]:
    async with api.serve(workspace) as url, delivery.connect(workspace, api_url=url) as people:
        client = AsyncWebClient(token="xoxb-sandbox-token", base_url=url)
        app = a_bot(client, workspace, heard)
        handler = AsyncSocketModeHandler(app, app_token="xapp-sandbox-token")
        await handler.connect_async()
        try:
            yield people
        finally:
            await handler.close_async()


@pytest.fixture(params=[people_over_http, people_over_a_socket], ids=["http", "socket"])
async def people(
    request: pytest.FixtureRequest, workspace: Workspace, heard: Heard
) -> AsyncIterator[Delivery]:
    async with request.param(workspace, heard) as found:
        yield found


@pytest.fixture
def card(workspace: Workspace) -> str:
    return workspace.post("C1", BOT, Draft(text="card", blocks=(CARD,))).ts


async def test_a_command_reaches_the_bot_and_its_ack_only_the_typist(
    people: Delivery, workspace: Workspace, heard: Heard
) -> None:
    delivered = await people.slash("U1", "C1", "/cancelall", 'all --reason "a & b" for @olga')
    assert (delivered.status, delivered.error) == (200, "")
    assert 0.0 < delivered.seconds < 3.0
    body = heard.bodies[0]
    assert body["text"] == 'all --reason "a &amp; b" for <@U8|olga>'
    assert (body["team_id"], body["user_id"], body["channel_id"]) == (HOME, "U1", "C1")
    assert body["response_url"].startswith("http://127.0.0.1:")
    (seen,) = workspace.ephemerals("U1")
    assert (seen.text, seen.source) == (f"heard: {body['text']}", Source.ACK)
    assert workspace.messages("C1") == ()


@pytest.mark.parametrize(
    ("user", "channel"), [("U8", "C1"), ("U3", "C1"), ("U2", "C1"), ("U1", "C2"), (BOT, "C1")]
)
async def test_a_command_no_client_could_send_is_not_delivered(
    people: Delivery, heard: Heard, user: str, channel: str
) -> None:
    with pytest.raises(NotPossibleError):
        await people.slash(user, channel, "/cancelall", "all")
    assert heard.bodies == []
    await people.slash(user, channel, "/cancelall", "all", forge=True)
    assert heard.bodies[0]["user_id"] == user


async def test_a_click_carries_what_the_stored_button_says(
    people: Delivery, workspace: Workspace, heard: Heard, card: str
) -> None:
    delivered = await people.click("U1", "C1", card, "approve")
    assert delivered.confirm == (
        "Cancel all?",
        "12 orders on 2 venues",
        "Approve cancel",
        "Go back",
    )
    await workspace.wait_for(lambda: workspace.messages("C1")[0].text == "approved")
    body = heard.bodies[0]
    action = body["actions"][0]
    assert (action["action_id"], action["block_id"]) == ("approve", "act-K7Q2")
    assert action["value"] == "K7Q2:digest"
    assert body["container"] == {
        "type": "message",
        "message_ts": card,
        "channel_id": "C1",
        "is_ephemeral": False,
    }
    assert body["message"]["text"] == "card"


async def test_an_outsiders_click_shows_only_in_the_users_team(
    people: Delivery, workspace: Workspace, heard: Heard, card: str
) -> None:
    """bolt's context names the installing workspace for both, so it must not be trusted."""
    await people.click("U8", "C1", card, "approve")
    await workspace.wait_for(lambda: workspace.messages("C1")[0].text == "approved")
    assert heard.teams == [(HOME, HOME, PARTNER)]
    assert heard.bodies[0]["team"]["id"] == HOME


async def test_going_back_in_the_confirm_dialog_sends_nothing(
    people: Delivery, heard: Heard, card: str
) -> None:
    delivered = await people.click("U1", "C1", card, "approve", agrees=False)
    assert (delivered.status, delivered.error) == (None, "not_confirmed")
    assert heard.bodies == []


async def test_a_button_that_is_gone_can_only_be_forged(
    people: Delivery, workspace: Workspace, heard: Heard, card: str
) -> None:
    await people.click("U1", "C1", card, "approve")
    await workspace.wait_for(lambda: workspace.messages("C1")[0].text == "approved")
    with pytest.raises(NotPossibleError):
        await people.click("U1", "C1", card, "approve")
    with pytest.raises(NotPossibleError):
        await people.click("U1", "C1", card, "deny", value="other")
    await people.click("U1", "C1", card, "approve", forge=True, value="K7Q2:another")
    await people.click("U1", "C1", "1.000001", "approve", forge=True)
    await workspace.wait_for(lambda: len(workspace.revisions("C1", card)) == 3)
    late, never = heard.bodies[1:3]
    assert late["actions"][0]["value"] == "K7Q2:another"
    assert late["actions"][0]["block_id"] == "act-K7Q2"
    assert never["actions"][0]["block_id"] == "forged"
    assert never["container"]["message_ts"] == "1.000001"


async def test_a_click_on_an_ephemeral_message_says_so(
    people: Delivery, workspace: Workspace, heard: Heard
) -> None:
    seen = workspace.whisper("U1", "C1", Draft(text="again?", blocks=(CARD,)), Source.POST)
    await people.click("U1", "C1", seen.ts, "approve")
    assert heard.bodies[0]["container"]["is_ephemeral"]
    assert "message" not in heard.bodies[0]
    with pytest.raises(NotPossibleError):
        await people.click("U8", "C1", seen.ts, "approve")


@pytest.mark.parametrize("how", [{"copies": 3}, {"copies": 3, "is_concurrent": True}])
async def test_a_copy_is_the_same_delivery_again(
    people: Delivery, workspace: Workspace, heard: Heard, card: str, how: Any
) -> None:
    delivered = await people.click("U1", "C1", card, "approve", **how)
    assert [one.status for one in (delivered, *delivered.again)] == [200, 200, 200]
    await workspace.wait_for(lambda: len(workspace.revisions("C1", card)) == 4)
    assert len({body["trigger_id"] for body in heard.bodies}) == 1
    assert len(heard.bodies) == 3


@pytest.mark.parametrize(
    "how", [{"is_signature_bad": True}, {"is_tampered": True}, {"skew_s": -301.0}, {"skew_s": 301}]
)
async def test_a_request_that_slack_did_not_sign_just_now_is_refused_by_bolt(
    workspace: Workspace, heard: Heard, how: Any
) -> None:
    async with people_over_http(workspace, heard) as people:
        delivered = await people.slash("U1", "C1", "/cancelall", "all", **how)
    assert (delivered.status, delivered.error) == (401, "dispatch_failed")
    assert heard.bodies == []
    assert "dispatch_failed" in workspace.ephemerals("U1")[0].text


async def test_nothing_is_signed_in_a_socket(workspace: Workspace, heard: Heard) -> None:
    async with people_over_a_socket(workspace, heard) as people:
        with pytest.raises(ValueError, match="nothing is signed in a socket: skew_s"):
            await people.slash("U1", "C1", "/cancelall", "all", skew_s=1.0)
    assert heard.bodies == []


def test_the_signature_is_the_one_in_slacks_guide() -> None:
    """The worked example of https://docs.slack.dev/authentication/verifying-requests-from-slack."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    assert request.signature("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body) == (
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )


async def test_an_ack_that_comes_too_late_is_an_operation_timeout(
    workspace: Workspace, card: str
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    async with (
        api.serve(workspace) as url,
        listening(answer) as events,
        delivery.connect(workspace, api_url=url, request_url=events, ack_limit_s=0.05) as people,
    ):
        delivered = await people.click("U1", "C1", card, "approve")
    assert (delivered.status, delivered.error) == (None, "operation_timeout")
    assert [
        (one.source, "operation_timeout" in one.text) for one in workspace.ephemerals("U1")
    ] == [(Source.SLACK, True)]


async def test_a_bot_that_is_away_is_a_dispatch_failure(workspace: Workspace) -> None:
    async with (
        api.serve(workspace) as url,
        delivery.connect(workspace, api_url=url, request_url="http://127.0.0.1:9/") as people,
    ):
        delivered = await people.slash("U1", "C1", "/cancelall", "all")
    assert (delivered.status, delivered.error) == (None, "dispatch_failed")


async def test_an_answer_in_channel_shows_the_typed_words_to_all(workspace: Workspace) -> None:
    loud = {"response_type": "in_channel", "text": "asked"}
    async with people_of_a_bot_that_answers(workspace, loud) as people:
        await people.slash("U1", "C1", "/cancelall", "all")
    assert [(one.author, one.text) for one in workspace.messages("C1")] == [
        ("U1", "/cancelall all"),
        (BOT, "asked"),
    ]


@asynccontextmanager
async def people_of_a_bot_that_answers(
    workspace: Workspace, body: object
) -> AsyncIterator[Delivery]:
    """Stand in for bolt where it would never answer so."""

    async def answer(http: web.Request) -> web.StreamResponse:
        return web.Response(text=body) if isinstance(body, str) else web.json_response(body)

    async with (
        api.serve(workspace) as url,
        listening(answer) as events,
        delivery.connect(workspace, api_url=url, request_url=events) as people,
    ):
        yield people


async def test_an_answer_slack_cannot_show_is_told_to_the_typist(workspace: Workspace) -> None:
    broken = {"text": "x", "blocks": [{"type": "hologram"}]}
    async with people_of_a_bot_that_answers(workspace, broken) as people:
        await people.slash("U1", "C1", "/cancelall", "all")
    assert [one.text for one in workspace.ephemerals("U1")] == [
        "/cancelall failed with the error “invalid_blocks”"
    ]


@pytest.mark.parametrize(("action", "shown"), [("update", ["New"]), ("push", ["Deny", "New"])])
async def test_a_submission_may_be_answered_with_another_view(
    workspace: Workspace, action: str, shown: list[str]
) -> None:
    view = WHY | {"title": plain("New")}
    workspace.modals.open("U1", views.checked(WHY))
    reply = {"response_action": action, "view": view}
    async with people_of_a_bot_that_answers(workspace, reply) as people:
        await people.submit("U1", {"reason": "wrong desk"})
    stack = workspace.modals.stack("U1")
    assert [modal.view["title"]["text"] for modal in stack] == shown


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"response_action": "errors", "errors": {"nowhere": "x"}}, "invalid_error_block_id"),
        ({"response_action": "update", "view": {"type": "modal"}}, "invalid_arguments"),
    ],
)
async def test_a_wrong_answer_to_a_submission_leaves_the_modal_open(
    workspace: Workspace, reply: Json, error: str
) -> None:
    modal = workspace.modals.open("U1", views.checked(WHY))
    async with people_of_a_bot_that_answers(workspace, reply) as people:
        delivered = await people.submit("U1", {"reason": "wrong desk"})
    assert delivered.error == error
    assert workspace.modals.on_screen("U1") == modal


async def test_a_submission_without_a_word_closes_the_modal(workspace: Workspace) -> None:
    workspace.modals.open("U1", views.checked(WHY))
    async with people_of_a_bot_that_answers(workspace, "") as people:
        await people.submit("U1", {"reason": "wrong desk"})
        assert workspace.modals.on_screen("U1") is None
        quiet = WHY | {"notify_on_close": False}
        workspace.modals.open("U1", views.checked(quiet))
        assert await people.close("U1") is None


async def test_a_modal_takes_only_the_options_it_shows(workspace: Workspace) -> None:
    workspace.modals.open("U1", views.checked(WHY))
    async with people_of_a_bot_that_answers(workspace, "") as people:
        with pytest.raises(NotPossibleError):
            await people.submit("U1", {"reason": "wrong desk", "venues": ["mtgox"]})


async def test_a_modal_goes_round(
    people: Delivery, workspace: Workspace, heard: Heard, card: str
) -> None:
    await people.click("U1", "C1", card, "deny")
    modal = await workspace.wait_for(lambda: workspace.modals.on_screen("U1"))
    assert modal is not None
    assert modal.view["private_metadata"] == "K7Q2"
    with pytest.raises(NotPossibleError):
        await people.submit("U1", {"venues": ["bybit"]})
    with pytest.raises(NotPossibleError):
        await people.submit("U1", {"reason": "x", "colour": "red"})
    refused = await people.submit("U1", {"reason": "no"})
    assert refused.field_errors == (("reason", "Say more."),)
    assert workspace.modals.on_screen("U1") == modal
    taken = await people.submit("U1", {"reason": "wrong desk", "venues": ["bybit"]})
    assert (taken.status, taken.field_errors) == (200, ())
    assert workspace.modals.on_screen("U1") is None
    first, last = heard.bodies
    assert first["view"]["state"]["values"]["venues"]["chosen"]["selected_options"] == []
    values = last["view"]["state"]["values"]
    assert values["reason"]["text"]["value"] == "wrong desk"
    assert [one["value"] for one in values["venues"]["chosen"]["selected_options"]] == ["bybit"]
    assert last["user"]["team_id"] == HOME


async def test_a_closed_modal_is_told_if_the_bot_asked(
    people: Delivery, workspace: Workspace, heard: Heard, card: str
) -> None:
    await people.click("U1", "C1", card, "deny")
    await workspace.wait_for(lambda: workspace.modals.on_screen("U1"))
    await people.close("U1")
    assert heard.bodies[0]["type"] == "view_closed"
    with pytest.raises(NotPossibleError):
        await people.submit("U1", {"reason": "too late"})


async def test_a_click_in_a_thread_of_a_private_channel_names_the_thread_only(
    people: Delivery, workspace: Workspace, heard: Heard
) -> None:
    inside = frozenset({BOT, "U1"})
    workspace.put_channel(Channel(id="C2", name="secret", members=inside, is_private=True))
    parent = workspace.post("C2", BOT, Draft(text="card")).ts
    reply = workspace.post("C2", BOT, Draft(text="x", blocks=(CARD,), thread_ts=parent)).ts
    await people.click("U1", "C2", reply, "approve")
    assert heard.bodies[0]["container"]["thread_ts"] == parent
    assert heard.bodies[0]["channel"] == {"id": "C2", "name": "privategroup"}


def test_an_enterprise_stands_in_every_payload() -> None:
    workspace = Workspace(enterprise_id="E1")
    user = workspace.put_user(User(id="U1", name="alice", team_id=HOME))
    channel = workspace.put_channel(Channel(id="C1", name="incident"))
    person = payloads.Person(user=user, trigger_id="1.2.3", response_url="http://x.test/")
    form = payloads.slash(workspace, person, channel, "/cancelall", "in #incident @nobody")
    assert form["enterprise_id"] == "E1"
    assert form["text"] == "in <#C1|incident> @nobody"
    message = workspace.post("C1", BOT, Draft(text="card"))
    click = payloads.block_actions(workspace, person, channel, message, {"action_id": "approve"})
    assert click["enterprise"] == {"id": "E1", "name": "sandbox-org"}
    assert (click["team"]["id"], click["team"]["enterprise_id"]) == (HOME, "E1")


def test_mentions_stay_as_typed_when_the_manifest_says_so() -> None:
    workspace = Workspace(app=App(should_escape=False))
    workspace.put_user(User(id="U1", name="alice", team_id=HOME))
    assert payloads.escaped_text(workspace, "@alice <now>") == "@alice &lt;now&gt;"


async def test_an_event_reaches_its_listener(people: Delivery, heard: Heard) -> None:
    delivered = await people.event({"type": "subteam_members_changed", "subteam_id": "S1"})
    assert delivered.status == 200
    assert heard.bodies[0]["event"]["subteam_id"] == "S1"
    assert heard.bodies[0]["team_id"] == HOME
