"""The Web API, driven by Slack's own client."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import api
from bot.sandbox.slack.records import App, Channel, Draft, Source, Standing, User, UserGroup
from bot.sandbox.slack.tickets import Tickets
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import HOME, PARTNER, Workspace

BOT = "U0CANCELALL"
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "card"}}


@pytest.fixture
def clock() -> list[float]:
    return [1_700_000_000.0]


@pytest.fixture
def workspace(clock: list[float]) -> Workspace:
    made = Workspace(enterprise_id="E1", now=lambda: clock[0])
    made.put_user(User(id="U1", name="alice", team_id=HOME, enterprise_user_id="W1"))
    made.put_user(User(id="U2", name="bob", team_id=HOME, standing=Standing.GUEST))
    made.put_user(User(id="U3", name="carol", team_id=HOME, is_deactivated=True))
    made.put_user(User(id="U8", name="olga", team_id=PARTNER))
    made.put_user(User(id="U9", name="otto", team_id=PARTNER))
    made.put_group(UserGroup(id="S1", at_name="approvers", members=("U1", "U2", "U3")))
    made.put_channel(Channel(id="C1", name="incident", members=frozenset({BOT, "U1", "U8"})))
    made.put_channel(Channel(id="C2", name="elsewhere", members=frozenset({"U1"})))
    made.put_channel(Channel(id="C3", name="old", members=frozenset({BOT, "U1"}), is_archived=True))
    made.put_channel(Channel(id="C4", name="secret", members=frozenset({"U1"}), is_private=True))
    return made


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
async def url(workspace: Workspace, traffic: Traffic) -> AsyncIterator[str]:
    async with api.serve(workspace, traffic) as served:
        yield served


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(token="xoxb-sandbox-token", base_url=url, session=session)


async def refusal(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_auth_test_tells_who_we_are_and_our_scopes(client: AsyncWebClient) -> None:
    answer = await client.auth_test()
    assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == (HOME, BOT, "B0CANCELALL")
    scopes = answer.headers["x-oauth-scopes"]
    assert scopes == "commands,chat:write,users:read,usergroups:read,channels:read,groups:read"


async def test_a_wrong_token_is_refused_and_never_logged(url: str, traffic: Traffic) -> None:
    wrong = AsyncWebClient(token="xoxb-wrong", base_url=url)
    assert await refusal(wrong.auth_test()) == "invalid_auth"
    assert await refusal(AsyncWebClient(base_url=url).auth_test()) == "not_authed"
    assert [call.outcome for call in traffic.calls] == ["invalid_auth", "not_authed"]
    assert "xoxb" not in repr(traffic.calls)


async def test_a_missing_scope_is_named(workspace: Workspace, client: AsyncWebClient) -> None:
    workspace.app = App(scopes=("chat:write", "channels:read"))
    assert await refusal(client.users_info(user="U1")) == "missing_scope"
    inside = frozenset({BOT})
    workspace.put_channel(Channel(id="C4", name="secret", members=inside, is_private=True))
    with pytest.raises(SlackApiError) as caught:
        await client.conversations_info(channel="C4")
    assert caught.value.response["needed"] == "groups:read"


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("C2", "not_in_channel"),
        ("C3", "is_archived"),
        ("C4", "channel_not_found"),
        ("C9", "channel_not_found"),
    ],
)
async def test_a_post_out_of_reach_is_refused(
    client: AsyncWebClient, channel: str, code: str
) -> None:
    assert await refusal(client.chat_postMessage(channel=channel, text="x")) == code


async def test_a_post_to_a_person_opens_the_conversation_with_them(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    answer = await client.chat_postMessage(channel="U1", text="psst")
    assert [one.text for one in workspace.messages(answer["channel"])] == ["psst"]


async def test_refused_blocks_post_nothing_and_say_where(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    long = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="C1", text="x", blocks=[SECTION, long])
    assert caught.value.response["error"] == "invalid_blocks"
    assert caught.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 151 characters [json-pointer:/blocks/1/text/text]"
    ]
    assert workspace.everything("C1") == ()


async def test_all_blocks_together_have_a_limit(client: AsyncWebClient) -> None:
    big = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_640}}
    await client.chat_postMessage(channel="C1", text="x", blocks=[big] * 5)
    over = [big] * 5 + [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}]
    call = client.chat_postMessage(channel="C1", text="x", blocks=over)
    assert await refusal(call) == "msg_blocks_too_long"


async def test_a_form_carries_the_same_as_json(
    url: str, client: AsyncWebClient, workspace: Workspace
) -> None:
    form = {"channel": "C1", "text": "x", "blocks": '[{"type": "divider"}]'}
    await client.api_call("chat.postMessage", data=form)
    assert workspace.messages("C1")[0].blocks[0]["type"] == "divider"
    call = client.api_call("chat.postMessage", data=form | {"blocks": "[{"})
    assert await refusal(call) == "invalid_blocks_format"
    assert await refusal(client.api_call("chat.explode")) == "unknown_method"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"channel": "C1"}, "no_text"),
        ({"channel": "C1", "text": "x", "blocks": {}}, "invalid_blocks_format"),
        ({"channel": "C1", "text": "x", "metadata": "{"}, "invalid_metadata_format"),
        ({"channel": "C1", "text": "x", "metadata": {"a": 1}}, "invalid_metadata_format"),
        ([], "json_not_object"),
        ("{", "invalid_json"),
    ],
)
async def test_a_malformed_call_is_refused(url: str, body: object, code: str) -> None:
    raw = body if isinstance(body, str) else json.dumps(body)
    headers = {"Authorization": "Bearer xoxb-sandbox-token", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{url}chat.postMessage", data=raw) as answer,
    ):
        assert await answer.json() == {"ok": False, "error": code}


async def test_a_text_beyond_forty_thousand_is_cut_and_posted(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    await client.chat_postMessage(channel="C1", text="x" * 40_001)
    assert len(workspace.messages("C1")[0].text) == 40_000


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ({"limit": 0}, "invalid_limit"),
        ({"limit": 1_001}, "invalid_limit"),
        ({"cursor": "next"}, "invalid_cursor"),
    ],
)
async def test_a_page_out_of_range_is_refused(
    client: AsyncWebClient, page: dict[str, Any], code: str
) -> None:
    args = {"channel": "C1"} | page
    assert await refusal(client.api_call("conversations.members", params=args)) == code


async def test_an_edit_with_text_alone_takes_the_blocks_away(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    ts = (await client.chat_postMessage(channel="C1", text="one", blocks=[SECTION]))["ts"]
    await client.chat_update(channel="C1", ts=ts, text="two")
    kept = workspace.message("C1", ts)
    assert kept is not None
    assert (kept.text, kept.blocks, kept.is_marked_edited) == ("two", (), True)
    assert [one.text for one in workspace.revisions("C1", ts)] == ["one", "two"]


async def test_an_edit_with_blocks_alone_keeps_the_text_and_metadata(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    metadata = {"event_type": "request", "event_payload": {"id": "K7Q2"}}
    ts = (await client.chat_postMessage(channel="C1", text="one", metadata=metadata))["ts"]
    # Not by `chat_update()`: the client warns of a missing text, and warnings are errors here.
    await client.api_call("chat.update", json={"channel": "C1", "ts": ts, "blocks": [SECTION]})
    kept = workspace.message("C1", ts)
    assert kept is not None
    assert (kept.text, len(kept.blocks), kept.is_marked_edited) == ("one", 1, False)
    assert kept.metadata == metadata
    await client.chat_update(channel="C1", ts=ts, text="two", blocks=[], metadata={})
    cleared = workspace.message("C1", ts)
    assert cleared is not None
    assert (cleared.blocks, cleared.metadata) == ((), None)


async def test_what_cannot_be_edited_is_refused(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    hers = workspace.post("C1", "U1", Draft(text="mine")).ts
    own = (await client.chat_postMessage(channel="C1", text="one"))["ts"]
    seen = workspace.whisper("U1", "C1", Draft(text="psst"), Source.POST).ts
    long = "x" * 4_001
    assert await refusal(client.chat_update(channel="C1", ts=hers, text="x")) == (
        "cant_update_message"
    )
    assert await refusal(client.chat_update(channel="C1", ts=seen, text="x")) == (
        "message_not_found"
    )
    assert await refusal(client.chat_update(channel="C1", ts=own, text=long)) == "msg_too_long"
    nothing = client.api_call("chat.update", json={"channel": "C1", "ts": own})
    assert await refusal(nothing) == "no_text"
    await client.chat_update(channel="C1", ts=own, text="x" * 4_000)


async def test_a_reply_goes_under_a_parent_and_nowhere_else(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    ts = (await client.chat_postMessage(channel="C1", text="card"))["ts"]
    reply = await client.chat_postMessage(channel="C1", text="board", thread_ts=ts)
    assert [one.text for one in workspace.thread("C1", ts)] == ["board"]
    deeper = client.chat_postMessage(channel="C1", text="x", thread_ts=reply["ts"])
    assert await refusal(deeper) == "cannot_reply_to_message"
    lost = client.chat_postMessage(channel="C1", text="x", thread_ts="1.000000")
    assert await refusal(lost) == "thread_not_found"


async def test_an_ephemeral_is_taken_for_somebody_away_and_shown_to_nobody(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    await client.chat_postEphemeral(channel="C1", user="U1", text="no")
    workspace.put_user(User(id="U1", name="alice", team_id=HOME, is_away=True))
    assert (await client.chat_postEphemeral(channel="C1", user="U1", text="lost"))["ok"]
    assert [one.text for one in workspace.ephemerals("U1")] == ["no"]
    outside = client.chat_postEphemeral(channel="C1", user="U2", text="x")
    assert await refusal(outside) == "user_not_in_channel"


async def test_a_permalink_names_the_message_and_its_thread(client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel="C1", text="card"))["ts"]
    reply = (await client.chat_postMessage(channel="C1", text="board", thread_ts=ts))["ts"]
    answer = await client.chat_getPermalink(channel="C1", message_ts=ts)
    assert answer["permalink"] == "https://sandbox.slack.com/archives/C1/p1700000000000000"
    answer = await client.chat_getPermalink(channel="C1", message_ts=reply)
    assert answer["permalink"].endswith("?thread_ts=1700000000.000000&cid=C1")
    assert await refusal(client.chat_getPermalink(channel="C1", message_ts="1")) == (
        "message_not_found"
    )


async def test_users_are_told_with_slacks_gaps(client: AsyncWebClient) -> None:
    async def read(user: str) -> dict[str, Any]:
        return dict((await client.users_info(user=user))["user"])

    alice, guest, gone = await read("U1"), await read("U2"), await read("U3")
    assert (alice["is_restricted"], alice["deleted"], alice["team_id"]) == (False, False, HOME)
    assert alice["enterprise_user"]["id"] == "W1"
    assert (guest["is_restricted"], guest["is_ultra_restricted"]) == (True, False)
    assert gone["deleted"]
    assert "is_restricted" not in gone
    in_channel, stranger = await read("U8"), await read("U9")
    assert (in_channel["team_id"], in_channel["is_stranger"]) == (PARTNER, False)
    assert stranger["is_stranger"]
    assert (await read(BOT))["is_bot"]
    assert not (await read("USLACKBOT"))["is_bot"]
    assert await refusal(client.users_info(user="U77")) == "user_not_found"


async def test_a_groups_list_holds_guests_and_the_gone(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    answer = await client.usergroups_users_list(usergroup="S1")
    assert answer["users"] == ["U1", "U2", "U3"]
    groups = (await client.usergroups_list(include_users=True))["usergroups"]
    assert [(one["id"], one["handle"], len(one["users"])) for one in groups] == [
        ("S1", "approvers", 3)
    ]
    workspace.put_group(UserGroup(id="S1", at_name="approvers", is_disabled=True))
    assert await refusal(client.usergroups_users_list(usergroup="S1")) == "no_such_subteam"
    assert (await client.usergroups_list())["usergroups"] == []
    workspace.remove_group("S1")
    call = client.usergroups_users_list(usergroup="S1", include_disabled=True)
    assert await refusal(call) == "no_such_subteam"


async def test_channels_tell_sharing_and_members_page_by_page(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    shown = (await client.conversations_info(channel="C2"))["channel"]
    assert (shown["is_member"], shown["is_ext_shared"]) == (False, False)
    assert await refusal(client.conversations_info(channel="C4")) == "channel_not_found"
    found: list[str] = []
    cursor = None
    while cursor != "":
        page = await client.conversations_members(channel="C1", limit=2, cursor=cursor)
        found += page["members"]
        cursor = page["response_metadata"]["next_cursor"]
    assert found == [BOT, "U1", "U8"]


async def test_a_modal_opens_once_and_a_stale_hash_is_refused(
    client: AsyncWebClient, workspace: Workspace, clock: list[float]
) -> None:
    view = {"type": "modal", "title": {"type": "plain_text", "text": "Wait"}, "blocks": [SECTION]}
    trigger = workspace.tickets.issue_trigger("U1")
    opened = (await client.views_open(trigger_id=trigger, view=view))["view"]
    again = client.views_open(trigger_id=trigger, view=view)
    assert await refusal(again) == "exchanged_trigger_id"
    fresh = await client.views_update(view_id=opened["id"], hash=opened["hash"], view=view)
    assert fresh["view"]["hash"] != opened["hash"]
    stale = client.views_update(view_id=opened["id"], hash=opened["hash"], view=view)
    assert await refusal(stale) == "hash_conflict"
    for _ in range(2):
        await client.views_push(trigger_id=workspace.tickets.issue_trigger("U1"), view=view)
    full = client.views_push(trigger_id=workspace.tickets.issue_trigger("U1"), view=view)
    assert await refusal(full) == "push_limit_reached"
    late = workspace.tickets.issue_trigger("U1")
    clock[0] += 3.1
    assert await refusal(client.views_open(trigger_id=late, view=view)) == "expired_trigger_id"
    workspace.modals.clear("U1")
    gone = client.views_update(view_id=opened["id"], view=view)
    assert await refusal(gone) == "not_found"


async def test_a_sixth_answer_to_a_response_url_is_refused(url: str, workspace: Workspace) -> None:
    ticket = workspace.tickets.issue_response_url("U1", "C2", None)
    async with aiohttp.ClientSession() as session:
        answers = []
        for number in range(6):
            target = api.response_url(url, ticket)
            async with session.post(target, json={"text": str(number)}) as answer:
                answers.append((answer.status, await answer.text()))
    assert answers == [(200, "ok")] * 5 + [(404, "used_url")]
    assert [one.text for one in workspace.ephemerals("U1")] == ["0", "1", "2", "3", "4"]


async def test_a_response_url_can_replace_and_delete_its_message(
    url: str, workspace: Workspace
) -> None:
    card = workspace.post("C1", BOT, Draft(text="card"))
    ticket = workspace.tickets.issue_response_url("U1", "C1", card.ts)
    target = api.response_url(url, ticket)
    async with aiohttp.ClientSession() as session:
        async with session.post(target, json={"text": "new", "replace_original": True}) as answer:
            assert answer.status == 200
        assert [one.text for one in workspace.messages("C1")] == ["new"]
        async with session.post(target, json={"text": "all", "response_type": "in_channel"}):
            pass
        assert [one.text for one in workspace.messages("C1")] == ["new", "all"]
        async with session.post(target, json={"delete_original": True}):
            pass
        assert [one.text for one in workspace.messages("C1")] == ["all"]
        async with session.post(target, json={}) as answer:
            assert (answer.status, await answer.text()) == (400, "no_text")


async def test_a_response_url_can_replace_and_delete_an_ephemeral(
    url: str, workspace: Workspace
) -> None:
    seen = workspace.whisper("U1", "C1", Draft(text="again?"), Source.POST)
    workspace.whisper("U1", "C1", Draft(text="other"), Source.POST)
    target = api.response_url(url, workspace.tickets.issue_response_url("U1", "C1", seen.ts))
    async with aiohttp.ClientSession() as session:
        async with session.post(target, json={"text": "asked", "replace_original": True}):
            pass
        assert [one.text for one in workspace.ephemerals("U1")] == ["asked", "other"]
        async with session.post(target, json={"delete_original": True}):
            pass
        assert [one.text for one in workspace.ephemerals("U1")] == ["other"]
        async with session.post(target, json={"delete_original": True}) as answer:
            assert await answer.text() == "message_not_found"
        command = api.response_url(url, workspace.tickets.issue_response_url("U1", "C1", None))
        async with session.post(command, json={"delete_original": True}) as answer:
            assert await answer.text() == "invalid_request"


def test_tickets_do_not_repeat() -> None:
    tickets = Tickets(now=lambda: 0.0)
    assert len({tickets.issue_trigger("U1") for _ in range(5)}) == 5
