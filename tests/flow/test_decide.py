"""Asking, voting, expiring: the real store, people who come and go, and a clock we hold."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.event import EventKind
from bot.domain.plan import Directory
from bot.domain.request import RequestState
from bot.flow import decide, tick
from bot.flow.desk import Click
from bot.flow.ports import StoreDown
from policies import model
from policies.model import Answer
from tests.domain.test_plan import entry
from tests.fakes.desk import soon
from tests.flow.scene import TWO, Failing, Late, of, opened
from tests.policies.people import ALICE, BOB, CAROL, PAPER, TEXT


async def test_enough_approvals_start_the_run(tmp_path: Path):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        assert (await scene.vote(request, BOB)).code == "counted"
        assert (await scene.vote(request, CAROL)).code == "started"
        assert await scene.state(request) is RequestState.RUNNING


async def test_rule_that_needs_nobody_starts_at_once(tmp_path: Path):
    async with opened(tmp_path) as scene:
        assert PAPER.venue == "paper"
        said = await scene.submit("toy")
        assert said.code == "started"


async def test_two_approvers_at_once_start_one_run(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        async with asyncio.TaskGroup() as group:
            votes = [group.create_task(scene.vote(request, who)) for who in (BOB, CAROL)]
        codes = sorted(task.result().code for task in votes)
        assert codes == ["already", "started"]


async def test_approver_removed_between_vote_and_decision_does_not_count(tmp_path: Path):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        scene.folk.known["U0BOB"] = replace(BOB, groups=frozenset())
        assert (await scene.vote(request, CAROL)).code == "counted"
        assert await scene.state(request) is RequestState.PENDING


async def test_every_counted_voter_is_read_again_for_the_deciding_vote(tmp_path: Path):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        scene.folk.asked.clear()
        await scene.vote(request, CAROL)
        assert sorted(scene.folk.asked) == ["U0BOB", "U0CAROL"]


@pytest.mark.parametrize(("age_s", "code"), [(59.0, "started"), (61.0, "counted")])
async def test_snapshot_stands_in_for_a_minute_when_slack_cannot_tell(
    tmp_path: Path, age_s: float, code: str
):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        scene.clock.pass_by(age_s)
        scene.folk.unknown.add("U0BOB")
        assert (await scene.vote(request, CAROL)).code == code
        expected = RequestState.RUNNING if code == "started" else RequestState.PENDING
        assert await scene.state(request) is expected


async def test_card_says_as_of_when_a_snapshot_counted(tmp_path: Path):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        scene.clock.pass_by(59)
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, CAROL)
        await scene.desk.store.counted(request.id, [], notes=["Nobody can fill a seat."])
        found = await scene.desk.store.find(request.id)
        assert found is not None
        assert found.notes == (
            "Membership of bob as of 03:00:00 UTC: Slack did not answer at the deciding vote.",
            "Nobody can fill a seat.",
        )


async def test_snapshot_that_something_heard_since_contradicts_never_stands_in(tmp_path: Path):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        scene.folk.contradicted.add("U0BOB")
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, CAROL)
        assert await scene.state(request) is RequestState.PENDING


async def test_unknown_voter_waits_and_counts_once_slack_can_tell(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.unknown.add("U0BOB")
        assert (await scene.vote(request, BOB)).code == "waiting"
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.PENDING
        scene.desk.unsure[request.id].next_at = 0.0
        scene.folk.unknown.clear()
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING


async def test_lapsed_vote_does_not_count_for_a_later_decision_but_a_new_click_does(
    tmp_path: Path,
):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, BOB)
        scene.clock.pass_by(61)
        scene.folk.unknown.clear()
        await scene.vote(request, CAROL)
        assert await scene.state(request) is RequestState.PENDING
        assert (await scene.vote(request, BOB)).code == "started"


async def test_request_expires_and_never_executes(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.clock.pass_by(600)
        said = await scene.vote(request, BOB)
        assert said.code == "expired"
        assert await scene.state(request) is RequestState.EXPIRED
        assert scene.book.log == []


async def test_account_that_changed_in_the_config_ends_the_request_with_the_difference(
    tmp_path: Path,
):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.desk.directory = Directory(accounts=(entry("mm", uid="9999"),))
        said = await scene.vote(request, BOB)
        assert said.code == "expired"
        assert said.request is not None
        assert said.request.ended_why == "mm: uid changed"


async def test_request_must_satisfy_the_policy_at_posting_and_the_one_of_now(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.desk.policy = model.parse(TWO)
        assert (await scene.vote(request, BOB)).code == "counted"
        assert (await scene.vote(request, CAROL)).code == "started"
    async with opened(tmp_path / "..", text=TWO) as scene:
        request = of(await scene.submit("mm"))
        scene.desk.policy = model.parse(TEXT)
        assert (await scene.vote(request, BOB)).code == "counted"


async def test_withdrawing_and_denying_end_it_and_late_clicks_are_told(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        assert (await scene.vote(request, BOB, Answer.DENY)).code == "denied"
        late = await scene.vote(request, CAROL)
        assert late.code == "already"
        assert late.text.startswith(f"Request {request.id} is already DENIED since 03:00:00 UTC.")
        nobody = Click(request_id="ZZZZZ", digest="", user_id="U0BOB", team_id=None, delivery="x")
        assert (await decide.vote(scene.desk, nobody, Answer.APPROVE)).code == "unknown"
        assert (await decide.withdraw(scene.desk, nobody)).code == "unknown"
        assert (await decide.stop_chase(scene.desk, nobody)).code == "unknown"
        mine = replace(nobody, request_id=request.id, user_id="U0ALICE")
        assert (await decide.withdraw(scene.desk, mine)).code == "already"


async def test_only_requester_or_approver_may_stop_the_chase(tmp_path: Path):
    async with opened(tmp_path) as scene:
        scene.book.stuck.add("1")
        scene.folk.known["U0DAVE"] = replace(
            BOB, user_id="U0DAVE", person_id="U0DAVE", groups=frozenset()
        )
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        click = Click(
            request_id=request.id, digest="", user_id="U0DAVE", team_id="T0HOME", delivery="d"
        )
        assert (await decide.stop_chase(scene.desk, click)).code == "no_role"
        outsider = replace(click, user_id="U0ALICE", team_id="T0PARTNER")
        assert (await decide.stop_chase(scene.desk, outsider)).code == "not_ours"
        assert (
            await decide.stop_chase(scene.desk, replace(click, user_id="U0CAROL"))
        ).code == "stopped"
        assert (await decide.stop_chase(scene.desk, replace(click, user_id="U0ALICE"))).is_refusal


async def test_denial_that_came_while_slack_was_asked_is_never_overwritten(tmp_path: Path):
    """Bob's approval waits for Slack; while it is asked who he is, he denies."""
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, BOB)
        scene.clock.pass_by(1)

        async def he_denies() -> None:
            await scene.vote(request, BOB, Answer.DENY)
            scene.folk.unknown.clear()

        scene.folk.meanwhile = he_denies
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.DENIED


async def test_denial_that_only_todays_policy_admits_ends_the_request(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.known["U0DAVE"] = replace(
            BOB, user_id="U0DAVE", person_id="U0DAVE", groups=frozenset()
        )
        wider = TEXT.replace('groups = ["S0RISK"]', 'groups = ["S0RISK"]\nusers = ["U0DAVE"]')
        assert wider != TEXT
        scene.desk.policy = model.parse(wider)
        said = await scene.vote(request, scene.folk.known["U0DAVE"], Answer.DENY)
        assert said.code == "denied"


async def test_click_that_signed_facts_refuse_costs_no_call_to_slack(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.asked.clear()
        own = await scene.vote(request, ALICE)
        assert (own.code, own.text) == (
            "requester",
            "alice asked for this: somebody else must approve.",
        )
        click = Click(
            request_id=request.id,
            digest=request.digest,
            user_id="U0MALLORY",
            team_id="T0PARTNER",
            delivery="m",
            name="mallory",
        )
        said = await decide.vote(scene.desk, click, Answer.APPROVE)
        assert (said.code, said.text) == ("not_ours", "mallory is not of our workspace.")
        refused = await decide.refusal(scene.desk, click)
        assert refused is not None
        assert refused.code == "not_ours"
        assert await decide.refusal(scene.desk, replace(click, team_id="T0HOME")) is None
        assert scene.folk.asked == []
        kinds = [fact.kind for fact in await scene.trail.events(request.id)]
        assert kinds.count(EventKind.VOTE_IGNORED) == 2


async def test_answer_that_counts_says_what_is_needed_yet(tmp_path: Path):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        said = await scene.vote(request, BOB)
        assert said.text == "Your answer counts. Needed yet: 1 of risk, head (rule prod)."


async def test_voter_is_not_told_of_somebody_elses_unknown_standing(tmp_path: Path):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, BOB)
        assert (await scene.vote(request, CAROL)).code == "counted"


async def test_answer_stored_while_the_database_fails_is_decided_again(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        failing = Failing(scene.desk.store, "start")
        scene.desk.store = failing
        said = await scene.vote(request, BOB)
        assert said.code == "stored"
        failing.methods.clear()
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING


async def test_request_stored_while_the_database_fails_is_started_later(tmp_path: Path):
    async with opened(tmp_path) as scene:
        failing = Failing(scene.desk.store, "start")
        scene.desk.store = failing
        request = of(await scene.submit("toy"))
        assert await scene.state(request) is RequestState.PENDING
        failing.methods.clear()
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING


async def test_run_needs_no_database_once_it_has_started(tmp_path: Path):
    """The start is one transaction; the first cancel waits for nothing after it."""
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        store = scene.desk.store
        scene.desk.store = Failing(store, "claim", "statuses")
        assert (await scene.vote(request, BOB)).code == "started"
        await soon(lambda: bool(scene.book.log), timeout_s=5)


async def test_nothing_starts_on_clicks_that_are_all_over_a_minute_old(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        failing = Failing(scene.desk.store, "start")
        scene.desk.store = failing
        await scene.vote(request, BOB)
        failing.methods.clear()
        scene.clock.pass_by(61)
        said = await decide.decide(scene.desk, request.id)
        assert (said.code, said.text) == (
            "stale",
            "Enough people approved, but over a minute ago: one of them must press Approve again.",
        )
        assert await scene.state(request) is RequestState.PENDING
        assert (await scene.vote(request, BOB)).code == "started"


async def test_request_that_needs_nobody_never_starts_later_than_a_minute(tmp_path: Path):
    async with opened(tmp_path) as scene:
        failing = Failing(scene.desk.store, "start")
        scene.desk.store = failing
        request = of(await scene.submit("toy"))
        failing.methods.clear()
        scene.clock.pass_by(61)
        said = await decide.decide(scene.desk, request.id)
        assert said.code == "expired"
        assert "Ask again" in said.text
        assert await scene.state(request) is RequestState.EXPIRED


async def test_command_that_is_delivered_again_after_the_start_says_where_it_stands(
    tmp_path: Path,
):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        again = await scene.submit("mm")
        assert again.text.startswith(f"Request {request.id} is already RUNNING since")


async def test_second_click_that_stops_the_chase_is_told_who_was_first(tmp_path: Path):
    async with opened(tmp_path) as scene:
        scene.book.stuck.add("1")
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        click = Click(
            request_id=request.id, digest="", user_id="U0CAROL", team_id="T0HOME", delivery="d"
        )
        assert (await decide.stop_chase(scene.desk, click)).code == "stopped"
        again = await decide.stop_chase(scene.desk, replace(click, user_id="U0BOB"))
        assert again.text == f"carol has stopped the chase of {request.id} already."


async def test_deciding_vote_that_was_stored_too_late_to_be_heard_of_starts_the_run(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.desk.store = Late(scene.desk.store, "cast")
        with pytest.raises(StoreDown):
            await scene.vote(request, BOB)
        assert await scene.state(request) is RequestState.PENDING
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING


async def test_vote_that_was_not_stored_starts_nothing(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        store = scene.desk.store
        scene.desk.store = Failing(store, "cast")
        with pytest.raises(StoreDown):
            await scene.vote(request, BOB)
        scene.desk.store = store
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.PENDING


async def test_card_follows_a_request_that_was_stored_too_late_to_be_heard_of(tmp_path: Path):
    async with opened(tmp_path) as scene:
        changed: list[str] = []
        scene.desk.changed = changed.append
        scene.desk.store = Late(scene.desk.store, "submit")
        with pytest.raises(StoreDown):
            await scene.submit("mm")
        (stored,) = changed
        found = await scene.desk.store.find(stored)
        assert found is not None
        assert found.state is RequestState.PENDING


async def test_card_follows_a_withdrawal_that_was_stored_too_late_to_be_heard_of(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        changed: list[str] = []
        scene.desk.changed = changed.append
        scene.desk.store = Late(scene.desk.store, "end")
        with pytest.raises(StoreDown):
            await decide.withdraw(scene.desk, scene.click(request, ALICE))
        assert changed == [request.id]
        assert await scene.state(request) is RequestState.WITHDRAWN


async def test_bug_after_the_deciding_vote_was_stored_keeps_nobody_from_starting(tmp_path: Path):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)

        async def break_down() -> None:
            raise RuntimeError("a bug")

        async def later() -> None:
            scene.folk.meanwhile = break_down

        scene.folk.meanwhile = later  # Carol herself is read; the reading of Bob anew breaks.
        with pytest.raises(ExceptionGroup):
            await scene.vote(request, CAROL)
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING


async def test_requester_of_another_workspace_withdraws_nothing(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        stranger = replace(scene.click(request, ALICE), team_id="T0OTHER")
        assert (await decide.withdraw(scene.desk, stranger)).code == "not_yours"
        assert await scene.state(request) is RequestState.PENDING


async def test_person_who_asks_again_under_another_user_id_has_asked_already(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.clock.pass_by(3)
        said = await scene.submit("mm", replace(ALICE, user_id="U0ALICE2"))
        assert (said.code, of(said).id) == ("yours_pending", request.id)
        other = await scene.submit("mm", replace(ALICE, user_id="U0EVE", person_id="U0EVE"))
        assert (other.code, of(other).id) == ("already_pending", request.id)


async def test_where_nobody_else_decides_the_asker_is_read_again(tmp_path: Path):
    async with opened(tmp_path) as scene:
        scene.folk.known["U0ALICE"] = replace(ALICE, groups=frozenset())
        request = of(await scene.submit("toy"))  # As she was read a moment ago.
        found = await scene.desk.store.find(request.id)
        assert found is not None
        assert found.state is RequestState.EXPIRED
        assert found.ended_why == "Rule test lets traders, machine:grafana ask, not alice."
        assert scene.book.log == []


async def test_where_nobody_else_decides_an_unknown_asker_waits(tmp_path: Path):
    async with opened(tmp_path) as scene:
        scene.folk.unknown.add("U0ALICE")
        request = of(await scene.submit("toy"))
        assert await scene.state(request) is RequestState.PENDING
        scene.folk.unknown.clear()
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING
