"""Asking, voting, expiring: the real store, people who come and go, and a clock we hold."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.domain import command as commands
from bot.domain.command import Cancel
from bot.domain.limits import Limits
from bot.domain.plan import Directory
from bot.domain.request import Request, RequestState
from bot.flow import ask, decide, execute, tick
from bot.flow.desk import Click, Desk, Said
from bot.flow.execute import Means
from bot.store import engine
from policies import model
from policies.model import Actor, Answer
from tests.domain.test_plan import entry
from tests.fakes.run import KeptJournal, Keys, OneVenue
from tests.fakes.venue import Book, FakeVenue, order
from tests.policies.people import ALICE, BOB, CAROL, NOW, PAPER, TEXT

DIRECTORY = Directory(accounts=(entry("mm"), entry("toy", venue="paper", tags=(), key="keys/toy")))
TWO = TEXT.replace('roles = ["risk", "head"] }', 'roles = ["risk", "head"], count = 2 }')


@dataclass
class HeldClock:
    """Wall time stands still until a test moves it; waits are real."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Folk:
    """Who is who, as Slack would say; whoever is in `unknown` cannot be told."""

    clock: HeldClock
    known: dict[str, Actor] = field(
        default_factory=lambda: {actor.user_id: actor for actor in (ALICE, BOB, CAROL)}
    )
    unknown: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    removed: dict[str, datetime] = field(default_factory=dict)

    async def actor(self, user_id: str, *, team_id: str | None) -> Actor:
        self.asked.append(user_id)
        await asyncio.sleep(0)
        if user_id in self.unknown:
            return Actor(user_id=user_id, person_id=user_id, name=user_id, team_id=team_id)
        return replace(self.known[user_id], team_id=team_id, read_at=self.clock.now())

    async def roster(self, users: frozenset[str], groups: frozenset[str]) -> None:
        return None

    def was_removed(self, user_id: str, *, since: datetime) -> bool:
        return user_id in self.removed and self.removed[user_id] >= since


@dataclass
class Scene:
    desk: Desk
    clock: HeldClock
    folk: Folk
    book: Book
    journal: KeptJournal

    async def submit(self, text: str, requester: Actor = ALICE) -> Said:
        typed = commands.parse(text)
        assert isinstance(typed, Cancel)
        return await ask.submit(
            self.desk, typed, requester, channel="C0X", delivery=f"{text}{self.clock.at}"
        )

    async def vote(self, request: Request, who: Actor, answer: Answer = Answer.APPROVE) -> Said:
        click = Click(
            request_id=request.id,
            digest=request.digest,
            user_id=who.user_id,
            team_id="T0HOME",
            delivery=f"{who.user_id}{answer}{self.clock.at}",
        )
        return await decide.vote(self.desk, click, answer)

    async def state(self, request: Request) -> RequestState:
        found = await self.desk.store.find(request.id)
        assert found is not None
        return found.state


@asynccontextmanager
async def opened(folder: Path, *, text: str = TEXT) -> AsyncIterator[Scene]:
    clock, journal = HeldClock(), KeptJournal()
    book = Book(clock=clock, orders=[order("1")], call_s=0.0)
    folk = Folk(clock=clock)
    means = Means(
        journal=journal,
        keys=Keys(secrets={"keys/mm": "mm", "keys/toy": "mm"}),
        venues=OneVenue(FakeVenue(books={"mm": book})),
        clock=clock,
        limits=Limits(),
    )
    async with (
        engine.open_store(f"sqlite:///{folder / 'x.db'}") as store,
        execute.open_runner(means) as runner,
    ):
        desk = Desk(
            store=store.requests,
            people=folk,
            venues=means.venues,
            runner=runner,
            clock=clock,
            limits=Limits(),
            directory=DIRECTORY,
            policy=model.parse(text),
            policy_text=text,
            owner="me",
            changed=lambda _: None,
        )
        yield Scene(desk=desk, clock=clock, folk=folk, book=book, journal=journal)


def of(said: Said) -> Request:
    assert said.request is not None
    return said.request


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


@pytest.mark.parametrize(("age_s", "code"), [(59.0, "started"), (61.0, "waiting")])
async def test_snapshot_stands_in_for_a_minute_when_slack_cannot_tell(
    tmp_path: Path, age_s: float, code: str
):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        scene.clock.pass_by(age_s)
        scene.folk.unknown.add("U0BOB")
        assert (await scene.vote(request, CAROL)).code in {
            code,
            "counted" if code == "waiting" else code,
        }
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


@pytest.mark.parametrize(("removed_s", "state"), [(5, "PENDING"), (-5, "RUNNING")])
async def test_snapshot_of_somebody_seen_to_be_removed_since_never_stands_in(
    tmp_path: Path, removed_s: float, state: str
):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        scene.folk.removed["U0BOB"] = scene.clock.now() + timedelta(seconds=removed_s)
        scene.clock.pass_by(10)
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, CAROL)
        assert (await scene.state(request)).value == state


async def test_unknown_voter_waits_and_counts_once_slack_can_tell(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.unknown.add("U0BOB")
        assert (await scene.vote(request, BOB)).code == "waiting"
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.PENDING
        scene.folk.unknown.clear()
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING


async def test_vote_that_waited_when_the_process_died_counts_after_the_restart(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, BOB)
        scene.desk.unsure.clear()  # What the process remembered is gone.
        scene.folk.unknown.clear()
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.PENDING
        await tick.resume(scene.desk)
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING


async def test_vote_of_somebody_unknown_lapses_a_minute_after_the_click(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, BOB)
        scene.desk.unsure[request.id] = scene.clock.monotonic() - 0.001
        scene.folk.unknown.clear()
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.PENDING
        assert scene.desk.unsure == {}


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


async def test_time_alone_expires_a_request(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.PENDING
        scene.clock.pass_by(601)
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.EXPIRED


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


async def test_finished_targets_finish_the_request(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        statuses = await scene.desk.store.statuses(request.id)
        assert [status.account for status in statuses] == ["mm"]
        scene.clock.pass_by(604)
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING  # Within the grace.
        scene.clock.pass_by(2)
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.INTERRUPTED
