"""What time alone makes happen: expiry, take-over, deciding again, finishing, interrupting."""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.domain.request import Request, RequestState
from bot.domain.result import TargetStatus
from bot.flow import decide, tick
from bot.flow import desk as desks
from bot.flow.desk import Click
from bot.flow.ports import Claim
from tests.fakes.clock import EPOCH
from tests.fakes.desk import soon
from tests.flow.scene import TWO, Failing, of, opened
from tests.policies.people import ALICE, BOB, CAROL


async def test_vote_that_waited_when_the_process_died_counts_after_the_restart(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, BOB)
        scene.desk.unsure.clear()  # What the process remembered is gone.
        scene.folk.unknown.clear()
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.PENDING
        scene.desk.is_resumed = False
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING


async def test_vote_of_somebody_unknown_lapses_a_minute_after_the_click(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, BOB)
        scene.desk.unsure[request.id].until = scene.clock.monotonic() - 0.001
        scene.folk.unknown.clear()
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.PENDING
        assert scene.desk.unsure == {}


async def test_cards_follow_a_ban_from_its_first_second_to_its_last(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        redrawn: list[str] = []
        scene.desk.changed = redrawn.append
        await tick.tick(scene.desk)
        assert not redrawn
        assert not scene.desk.bans
        scene.venue.banned_until = EPOCH
        await tick.tick(scene.desk)
        await tick.tick(scene.desk)
        assert redrawn == [request.id]
        assert scene.desk.bans == {(v, "http://venue"): EPOCH for v in ("bybit", "paper")}
        scene.venue.banned_until = None
        await tick.tick(scene.desk)
        assert redrawn == [request.id] * 2
        assert not scene.desk.bans


async def test_doubt_about_what_was_never_stored_lapses(tmp_path: Path):
    async with opened(tmp_path) as scene:
        scene.desk.doubt("GHOST", for_s=0.05)
        await tick.tick(scene.desk)
        assert "GHOST" in scene.desk.unsure
        await asyncio.sleep(0.1)
        await tick.tick(scene.desk)
        assert scene.desk.unsure == {}


async def test_time_alone_expires_a_request(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.PENDING
        scene.clock.pass_by(601)
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.EXPIRED


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
        await soon(lambda: not scene.desk.runner.is_at_work(request.id))
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.INTERRUPTED


async def test_run_that_this_process_still_works_on_is_not_called_abandoned(tmp_path: Path):
    """A wall clock that jumps past consent end is seen here first."""
    async with opened(tmp_path) as scene:
        scene.book.stuck.add("1")
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        await soon(lambda: scene.book.rounds > 0)
        scene.clock.pass_by(3600)
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING
        await soon(lambda: not scene.desk.runner.is_at_work(request.id))
        assert scene.journal.statuses("mm")[-1].is_final


async def test_verdicts_still_in_the_journal_are_waited_for(tmp_path: Path):
    """However long the database was away: its first answer must not beat what was told."""
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        scene.journal.is_behind = True
        scene.clock.pass_by(3600)
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING
        scene.journal.is_behind = False
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.INTERRUPTED


async def test_journal_that_catches_up_while_the_statuses_are_read_is_waited_for(tmp_path: Path):
    """They may be from just before that."""
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        scene.journal.is_behind = True
        scene.clock.pass_by(3600)
        store = scene.desk.store

        class Meanwhile(Failing):
            async def statuses(self, request_id: str) -> tuple[TargetStatus, ...]:
                read = await store.statuses(request_id)
                scene.journal.is_behind = False
                return read

        scene.desk.store = Meanwhile(store)
        await tick.tick(scene.desk)
        assert await scene.state(request) is RequestState.RUNNING


async def test_request_that_cannot_be_judged_stops_no_other(tmp_path: Path):
    async with opened(tmp_path) as scene:
        broken = of(await scene.submit("mm"))
        await scene.vote(broken, CAROL)
        dave = replace(ALICE, user_id="U0DAVE", person_id="U0DAVE")
        scene.folk.known["U0DAVE"] = dave
        other = of(await scene.submit("toy", dave))
        with closing(sqlite3.connect(tmp_path / "x.db")) as connection, connection:
            connection.execute("UPDATE requests SET state='PENDING', policy_text='no policy'")
        scene.desk.is_resumed = False
        scene.clock.pass_by(1)
        await tick.tick(scene.desk)  # Raises nothing.
        assert {broken.id, other.id} == scene.desk.unsure.keys()
        scene.clock.pass_by(600)
        await tick.tick(scene.desk)
        assert await scene.state(other) is RequestState.EXPIRED


@dataclass
class Taken:
    """A runner that only remembers what it was given."""

    requests: list[Request] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)

    def take(
        self,
        request: Request,
        statuses: tuple[TargetStatus, ...],
        claims: Mapping[str, Claim],
    ) -> None:
        assert statuses
        assert claims
        self.requests.append(request)

    def is_at_work(self, request_id: str) -> bool:
        return False

    def stop(self, request_id: str) -> None:
        self.stopped.append(request_id)

    def retain(self, request_ids: set[str]) -> None:
        self.kept = set(request_ids)


async def test_chase_that_is_stopped_while_a_tick_looks_is_not_taken_up_again(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        runner = Taken()
        scene.desk.runner = runner  # type: ignore[assignment]
        store = scene.desk.store

        class Meanwhile(Failing):
            async def claim(self, *args: object, **more: object) -> tuple[Claim, ...]:
                scene.desk.store = store
                click = Click(
                    request_id=request.id,
                    digest="",
                    user_id="U0CAROL",
                    team_id="T0HOME",
                    delivery="stop",
                )
                assert (await decide.stop_chase(scene.desk, click)).code == "stopped"
                return await store.claim(*args, **more)  # type: ignore[arg-type]

        scene.desk.store = Meanwhile(store)
        await tick.tick(scene.desk)
        assert [taken.chase_stopped_by for taken in runner.requests] == ["carol"]
        assert runner.stopped[-1] == request.id
        assert runner.kept == {request.id}


async def test_run_that_ends_while_a_tick_looks_is_not_taken_up_again(tmp_path: Path):
    async with opened(tmp_path) as scene:
        request = of(await scene.submit("mm"))
        await scene.vote(request, BOB)
        runner = Taken()
        scene.desk.runner = runner  # type: ignore[assignment]
        store = scene.desk.store

        class Meanwhile(Failing):
            async def claim(self, *args: object, **more: object) -> tuple[Claim, ...]:
                (running,) = await store.open_requests()
                await desks.end(scene.desk, running, to=RequestState.INTERRUPTED, why="by hand")
                return await store.claim(*args, **more)  # type: ignore[arg-type]

        scene.desk.store = Meanwhile(store)
        await tick.tick(scene.desk)
        assert runner.requests == []


async def test_unsure_request_is_decided_again_once_a_second(tmp_path: Path):
    async with opened(tmp_path, text=TWO) as scene:
        request = of(await scene.submit("mm"))
        scene.folk.unknown.add("U0BOB")
        await scene.vote(request, BOB)
        scene.folk.asked.clear()
        for _ in range(3):
            await tick.tick(scene.desk)
        assert scene.folk.asked == ["U0BOB"]
