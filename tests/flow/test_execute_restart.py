"""A run that is taken over, taken again, or stopped: what an earlier process knew is not lost."""

import asyncio
from dataclasses import replace

from adapters.contract import VenueOutcomeUnknown
from bot.domain.errors import SecretError
from bot.domain.event import EventKind
from bot.domain.request import Request
from bot.domain.result import Outcome, Phase, Residual, TargetResult, TargetStatus
from bot.flow import execute
from bot.flow.execute import Runner
from bot.flow.job import Run
from bot.flow.ports import Claim, KeyDocument
from tests.fakes import clock as clocks
from tests.fakes.run import Scene, claims, play, request, target, waiting

MISSING = SecretError(user_message="no secret at keys/a", remedy="Seal it.")
LOST = VenueOutcomeUnknown(user_message="no answer")


def told(outcome: Outcome, **more: object) -> TargetResult:
    return TargetResult(
        account="a",
        venue="bybit",
        outcome=outcome,
        at=clocks.EPOCH,
        **more,  # type: ignore[arg-type]
    )


RESIDUAL = told(
    Outcome.RESIDUAL,
    seconds=30.0,
    open_after=1,
    cause="call auction",
    residual=(Residual(order_class="linear", symbol="BTCUSDT", order_id="1"),),
)
FLAT = told(Outcome.FLAT, seconds=0.7, open_after=0)


def stored(phase: Phase, *, rounds: int = 0, result: TargetResult | None = None) -> TargetStatus:
    return TargetStatus(account="a", venue="bybit", phase=phase, rounds=rounds, result=result)


def verdicts(scene: Scene) -> list[TargetResult]:
    """The verdicts that this process told, in order."""
    return [
        entry.status.result
        for entry in scene.journal.entries
        if entry.event.kind is EventKind.TARGET_JUDGED and entry.status.result is not None
    ]


def take_over(status: TargetStatus, *, begins_s: float, until_s: float, fault: str = "") -> Scene:
    def make(scene: Scene) -> Request:
        book = scene.book("a", "1")
        book.stuck.add("1")
        scene.stored, scene.begins_s = (status,), begins_s
        if fault == "key":
            scene.keys.errors["keys/a"] = [MISSING]
        if fault == "readings":
            book.read_error = lambda _: LOST
        if fault == "empty":
            book.orders = []
        return request(target("a"))

    return play(make, until_s=until_s)


def test_round_that_a_crash_cut_short_counts_as_sent():
    scene = take_over(stored(Phase.CANCELLING), begins_s=5, until_s=6, fault="key")
    assert scene.last("a").result.outcome is Outcome.UNVERIFIED
    assert scene.last("a").result.cause == "no secret at keys/a; nothing was read yet"
    assert scene.last("a").result.remedy == (
        "Seal it. This run does not try it again: mend it, and ask anew. "
        "Assume that every order is live."
    )


def test_nothing_counts_as_sent_before_the_key_was_read():
    scene = take_over(stored(Phase.READING_KEY), begins_s=5, until_s=6, fault="key")
    assert scene.last("a").result.outcome is Outcome.NOT_SENT


def test_second_crash_while_reading_the_key_does_not_forget_what_was_sent():
    first = take_over(stored(Phase.CANCELLING), begins_s=5, until_s=5.01)
    assert "key.read" in first.journal.kinds("a")
    left = replace(first.last("a"), rounds=0)
    scene = take_over(left, begins_s=6, until_s=7, fault="key")
    assert scene.last("a").result.outcome is Outcome.UNVERIFIED


def test_verdict_of_an_earlier_process_stands_until_this_one_has_read():
    scene = take_over(
        stored(Phase.CHASING, rounds=5, result=RESIDUAL), begins_s=100, until_s=160, fault="key"
    )
    assert [result.outcome for result in verdicts(scene)] == [Outcome.RESIDUAL]
    last = scene.last("a").result
    assert last.residual == RESIDUAL.residual
    assert last.open_after == 1
    assert last.cause == "no secret at keys/a; call auction"


def test_residual_of_an_earlier_process_is_not_overwritten_at_take_over():
    scene = take_over(stored(Phase.CHASING, rounds=5, result=RESIDUAL), begins_s=100, until_s=104)
    assert verdicts(scene) == []
    assert scene.last("a").result == RESIDUAL


def test_residual_of_an_earlier_process_becomes_flat_once_it_is():
    scene = take_over(
        stored(Phase.CHASING, rounds=5, result=RESIDUAL), begins_s=100, until_s=120, fault="empty"
    )
    assert [result.outcome for result in verdicts(scene)] == [Outcome.FLAT]


def test_flat_of_an_earlier_process_stays_flat_and_is_read_again():
    scene = take_over(
        stored(Phase.WATCHING, rounds=1, result=FLAT), begins_s=15, until_s=60, fault="empty"
    )
    assert {result.outcome for result in verdicts(scene)} == {Outcome.FLAT}
    assert scene.last("a").is_final
    assert scene.last("a").result.seconds == 0.7
    assert [round(at - 0.7) for at in scene.calls("a", "open_orders")] == [20, 30]
    assert scene.books["a"].rounds == 0


def test_flat_of_an_earlier_process_is_read_once_more_however_late():
    scene = take_over(
        stored(Phase.WATCHING, rounds=1, result=FLAT), begins_s=300, until_s=310, fault="empty"
    )
    assert len(scene.calls("a", "open_orders")) == 1
    assert scene.last("a").is_final
    assert scene.last("a").result.outcome is Outcome.FLAT


def test_failed_reading_of_an_earlier_flat_sends_no_round():
    scene = take_over(
        stored(Phase.WATCHING, rounds=1, result=FLAT), begins_s=15, until_s=700, fault="readings"
    )
    assert scene.books["a"].rounds == 0
    assert scene.last("a").result.outcome is Outcome.FLAT
    assert scene.last("a").result.cause.startswith("later readings failed: linear not read")


def test_orders_found_after_an_earlier_flat_take_it_back():
    scene = take_over(stored(Phase.WATCHING, rounds=1, result=FLAT), begins_s=15, until_s=30)
    assert verdicts(scene)[0].outcome is Outcome.RESIDUAL
    assert verdicts(scene)[0].came_back == 1
    assert scene.books["a"].rounds >= 1


def test_earlier_flat_still_tells_what_came_back_before_it():
    before = replace(FLAT, came_back=2)
    scene = take_over(
        stored(Phase.WATCHING, rounds=2, result=before), begins_s=15, until_s=60, fault="empty"
    )
    assert scene.last("a").result.cause == "2 came back after FLAT"


def test_target_that_an_earlier_process_ended_is_left_alone():
    ended = replace(stored(Phase.ENDED, rounds=1, result=RESIDUAL), is_final=True)
    assert take_over(ended, begins_s=40, until_s=60).books["a"].log == []


def test_keys_are_forgotten_with_the_last_target_of_a_run():
    seen: list[Run] = []

    async def act(scene: Scene, runner: Runner, running: Request) -> None:
        stale(runner, running)
        await asyncio.sleep(1)
        seen.extend(runner._runs.values())
        assert seen[0].signers.keys() == {"keys/a"}
        await asyncio.sleep(35)
        assert runner._runs == {}
        assert seen[0].signers == {}

    assert again(act).last("a").is_final


def test_run_taken_after_its_consent_ended_makes_no_call():
    scene = take_over(stored(Phase.CHASING, rounds=5), begins_s=600, until_s=610)
    assert scene.books["a"].log == []
    assert scene.keys.reads == []
    assert scene.last("a").is_final


def again(act: object, *, stuck: bool = False) -> Scene:
    """Take a run, let `act` do something to the runner, and look 5 s later."""

    async def main() -> Scene:
        scene = Scene()
        book = scene.book("a", "1")
        if stuck:
            book.stuck.add("1")
        running = request(target("a"))
        async with execute.open_runner(scene.means()) as runner:
            await act(scene, runner, running)  # type: ignore[operator]
            await asyncio.sleep(5)
        return scene

    return clocks.run(main())


def stale(runner: Runner, running: Request, *, fence: int = 1) -> None:
    """Take what a tick read before the journal's last commit."""
    held = {"keys/a": Claim(key="keys/a", fence=fence)}
    runner.take(running, waiting(*running.plan.targets), held)


def test_target_that_ended_here_is_not_pursued_again_by_a_tick_that_read_too_early():
    async def act(scene: Scene, runner: Runner, running: Request) -> None:
        stale(runner, running)
        await asyncio.sleep(35)
        assert scene.last("a").is_final
        runner.retain(["K7Q2M", "OTHER"])
        stale(runner, running)

    scene = again(act)
    assert scene.books["a"].rounds == 1
    assert scene.keys.reads == ["keys/a"]


def test_stopped_target_is_not_pursued_again_by_a_tick_that_read_too_early():
    async def act(scene: Scene, runner: Runner, running: Request) -> None:
        stale(runner, running)
        await asyncio.sleep(1)
        runner.stop(running.id)
        await asyncio.sleep(0.1)
        stale(runner, running)

    scene = again(act, stuck=True)
    assert max(at for at, _ in scene.books["a"].log) <= 1.0
    assert scene.journal.kinds("a").count("target.judged") == 1


def test_run_stopped_before_it_was_taken_sends_nothing():
    async def act(scene: Scene, runner: Runner, running: Request) -> None:
        runner.stop(running.id)
        stale(runner, running)

    scene = again(act)
    assert scene.books["a"].log == []
    assert scene.last("a").is_final


def test_target_whose_lease_was_lost_and_won_again_is_pursued_again():
    """Whoever held it meanwhile made the store refuse our last status."""

    async def act(scene: Scene, runner: Runner, running: Request) -> None:
        stale(runner, running)
        await asyncio.sleep(35)
        stale(runner, running, fence=3)

    assert again(act).books["a"].rounds == 2


def test_target_whose_lease_is_lost_is_let_go_without_a_verdict():
    async def act(scene: Scene, runner: Runner, running: Request) -> None:
        stale(runner, running)
        await asyncio.sleep(5)
        runner.take(running, waiting(*running.plan.targets), {})

    scene = again(act, stuck=True)
    assert max(at for at, _ in scene.books["a"].log) <= 5.0
    assert not scene.last("a").is_final


def test_target_that_is_let_go_of_is_not_begun_anew_though_its_clean_up_breaks():
    """On Python 3.11 a TaskGroup that holds an error shows that, and not that it was cancelled."""

    async def act(scene: Scene, runner: Runner, running: Request) -> None:
        async def break_down(path: str) -> KeyDocument:
            try:
                await asyncio.sleep(3600)
            finally:
                raise RuntimeError(f"a bug in the clean-up of {path}")

        scene.keys.read = break_down  # type: ignore[method-assign]
        stale(runner, running)
        await asyncio.sleep(1)
        runner.take(running, waiting(*running.plan.targets), {})
        await asyncio.sleep(30)
        assert runner._tasks == set()

    assert again(act).journal.kinds("a") == []


def test_target_whose_lease_went_round_is_begun_again_under_the_new_one():
    async def act(scene: Scene, runner: Runner, running: Request) -> None:
        stale(runner, running)
        await asyncio.sleep(5)
        stale(runner, running, fence=3)
        await asyncio.sleep(1)
        stale(runner, running, fence=3)
        await asyncio.sleep(5)

    fences = [e.claim.fence for e in again(act, stuck=True).journal.entries if e.status]
    assert set(fences) == {1, 3}
    assert fences == sorted(fences)


def test_what_ended_is_remembered_only_while_its_request_is_open():
    async def act(scene: Scene, runner: Runner, running: Request) -> None:
        stale(runner, running)
        runner.stop("GONE")
        await asyncio.sleep(35)
        runner.retain([])
        assert runner._ended == {}
        assert runner._stopped == set()

    assert again(act).last("a").is_final


def test_dropped_target_has_not_ended():
    async def main() -> Scene:
        scene = Scene()
        scene.book("a", "1")
        running = request(target("a"))
        async with execute.open_runner(scene.means()) as runner:
            runner.take(running, waiting(*running.plan.targets), claims(*running.plan.targets))
            await asyncio.sleep(0.2)
            runner.drop()
            await asyncio.sleep(0.1)
            assert runner._ended == {}
        return scene

    assert not clocks.run(main()).last("a").is_final
