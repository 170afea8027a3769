"""The state of the small Slack."""

import asyncio

import pytest

from bot.sandbox.slack.modals import Modals
from bot.sandbox.slack.records import Channel, Draft, Source, User, UserGroup
from bot.sandbox.slack.tickets import Tickets
from bot.sandbox.slack.workspace import HOME, Workspace


def a_workspace() -> Workspace:
    workspace = Workspace(now=lambda: 1_700_000_000.0)
    workspace.put_user(User(id="U1", name="alice", team_id=HOME))
    workspace.put_channel(Channel(id="C1", name="incident", members=frozenset({"U1"})))
    return workspace


def test_timestamps_rise_even_when_the_clock_stands_still() -> None:
    workspace = a_workspace()
    found = [workspace.post("C1", "U1", Draft(text=word)).ts for word in "abc"]
    assert found == ["1700000000.000000", "1700000000.000001", "1700000000.000002"]


def test_replies_stand_in_the_thread_and_only_broadcast_ones_in_the_channel() -> None:
    workspace = a_workspace()
    card = workspace.post("C1", "U1", Draft(text="card"))
    workspace.post("C1", "U1", Draft(text="board", thread_ts=card.ts))
    workspace.post("C1", "U1", Draft(text="end", thread_ts=card.ts, is_broadcast=True))
    assert [one.text for one in workspace.messages("C1")] == ["card", "end"]
    assert [one.text for one in workspace.thread("C1", card.ts)] == ["board", "end"]
    assert [one.text for one in workspace.everything("C1")] == ["card", "board", "end"]


async def test_waiting_ends_with_the_change_that_makes_it_true() -> None:
    workspace = a_workspace()

    async def talk() -> None:
        workspace.post("C1", "U1", Draft(text="first"))
        await asyncio.sleep(0)
        workspace.whisper("U1", "C1", Draft(text="second"), Source.ACK)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(workspace.wait_for(lambda: workspace.ephemerals("U1")))
        group.create_task(talk())
    assert [one.text for one in waiting.result()] == ["second"]


async def test_waiting_for_what_never_comes_times_out() -> None:
    with pytest.raises(TimeoutError):
        await a_workspace().wait_for(lambda: False, 0.01)


def test_a_group_can_lose_a_member_and_vanish() -> None:
    workspace = a_workspace()
    workspace.put_group(UserGroup(id="S1", at_name="approvers", members=("U1", "U2")))
    assert workspace.set_members("S1", ["U2"]).members == ("U2",)
    workspace.remove_group("S1")
    assert workspace.group("S1") is None


def test_deleted_messages_have_no_revisions() -> None:
    workspace = a_workspace()
    message = workspace.post("C1", "U1", Draft(text="card"))
    workspace.delete("C1", message.ts)
    assert workspace.revisions("C1", message.ts) == ()
    assert workspace.message("C1", message.ts) is None


def test_a_trigger_opens_once_and_within_three_seconds() -> None:
    clock = [0.0]
    tickets = Tickets(now=lambda: clock[0])
    first, second = tickets.issue_trigger("U1"), tickets.issue_trigger("U1")
    spent = tickets.spend_trigger(first)
    assert not isinstance(spent, str)
    assert spent.user == "U1"
    assert tickets.spend_trigger(first) == "exchanged_trigger_id"
    clock[0] = 3.1
    assert tickets.spend_trigger(second) == "expired_trigger_id"
    assert tickets.spend_trigger("never") == "invalid_trigger_id"


def test_a_response_url_takes_five_answers_within_thirty_minutes() -> None:
    clock = [0.0]
    tickets = Tickets(now=lambda: clock[0])
    used, late = (tickets.issue_response_url("U1", "C1", None) for _ in range(2))
    for _ in range(5):
        assert not isinstance(tickets.use_response_url(used), str)
    assert tickets.use_response_url(used) == "used_url"
    clock[0] = 1_801.0
    assert tickets.use_response_url(late) == "expired_url"


def test_closing_a_modal_shows_the_one_under_it() -> None:
    modals = Modals(changed=lambda: None)
    lower = modals.open("U1", {"title": "one"})
    upper = modals.push("U1", {"title": "two"})
    assert modals.on_screen("U1") == upper
    modals.close("U1")
    assert modals.on_screen("U1") == lower
    modals.clear("U1")
    assert modals.on_screen("U1") is None
