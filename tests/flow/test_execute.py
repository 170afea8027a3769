"""A run: keys, identity, verdict time, consent end, and what is told when."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.contract import VenueAuthRefused, VenueOutcomeUnknown
from bot.domain.errors import SecretError
from bot.domain.request import Request
from bot.domain.result import Outcome, Phase
from bot.flow import execute
from bot.flow.execute import Runner
from tests.fakes import clock as clocks
from tests.fakes.run import Scene, play, request, target, waiting
from tests.fakes.venue import order


def test_flat_run_tells_its_seconds_and_ends_after_the_last_reading():
    def make(scene: Scene) -> Request:
        scene.book("a", "1", "2")
        return request(target("a"))

    scene = play(make)
    status = scene.last("a")
    assert status.is_final
    assert status.phase is Phase.ENDED
    assert status.result is not None
    assert status.result.outcome is Outcome.FLAT
    assert round(status.result.seconds, 2) == 0.70  # check, cancel, read, 0.5 s, read: 50 ms each
    assert status.result.blind_to == ("trading bots",)
    assert status.accepted == 2
    assert scene.journal.kinds("a").count("target.judged") == 2  # at FLAT, and at the end
    assert scene.books["a"].rounds == 1


def test_swapped_key_sends_no_cancel_and_names_whose_key_it_is():
    def make(scene: Scene) -> Request:
        scene.book("a", "1", uid="456")
        return request(target("a", uid="1001"))

    scene = play(make, until_s=60)
    result = scene.last("a").result
    assert result is not None
    assert result.outcome is Outcome.NOT_SENT
    assert result.cause == "key belongs to UID 456, plan says 1001"
    assert result.remedy == "Put the key of a at keys/a. Assume that every order is live."
    assert [name for _, name in scene.books["a"].log] == ["check"]
    assert scene.last("a").is_final


def test_a_key_that_the_venue_refuses_is_read_again_and_a_better_one_is_used():
    """Where no call asks whose key it is, only the cancels tell that it is refused."""

    def make(scene: Scene) -> Request:
        scene.book("good", "1")
        refused = scene.book("a")
        refused.cancel_error = lambda _: VenueAuthRefused(user_message="key refused")

        def mend(_: Runner) -> None:
            scene.keys.secrets["keys/a"] = "good"

        scene.during, scene.during_at = mend, 12.0
        refused.read_error = lambda _: VenueAuthRefused(user_message="key refused")
        return request(target("a"))

    scene = play(make, until_s=100)
    result = scene.last("a").result
    assert result is not None
    assert result.outcome is Outcome.FLAT
    assert scene.books["good"].orders == []
    assert 12 < result.seconds < 20
    assert 2 <= len(scene.keys.reads) <= 4


def test_each_distinct_key_path_is_read_once_per_run():
    def make(scene: Scene) -> Request:
        scene.book("a", "1")
        return request(target("a"), target("b", key="keys/a"))

    scene = play(make, until_s=60)
    assert scene.keys.reads == ["keys/a"]
    assert scene.last("b").result is not None


def test_missing_key_is_said_at_once():
    def make(scene: Scene) -> Request:
        scene.book("a", "1")
        error = SecretError(user_message="no secret at keys/a", remedy="Seal it.")
        scene.keys.errors["keys/a"] = [error]
        return request(target("a"))

    scene = play(make, until_s=1)
    result = scene.last("a").result
    assert result is not None
    assert result.outcome is Outcome.NOT_SENT
    assert result.cause == "no secret at keys/a"
    assert scene.last("a").is_final


def test_sealed_key_source_is_asked_again_inside_the_run():
    def make(scene: Scene) -> Request:
        scene.book("a", "1")
        sealed = SecretError(user_message="sealed", is_retryable=True)
        scene.keys.errors["keys/a"] = [sealed, sealed]
        return request(target("a"))

    scene = play(make, until_s=60)
    result = scene.last("a").result
    assert result is not None
    assert result.outcome is Outcome.FLAT
    assert len(scene.keys.reads) == 3


def test_hanging_key_of_one_target_does_not_delay_another():
    def make(scene: Scene) -> Request:
        scene.book("a", "1")
        scene.book("b", "1")
        scene.keys.hang.add("keys/a")
        return request(target("a"), target("b"))

    scene = play(make, until_s=31)
    slow, fast = scene.last("a").result, scene.last("b").result
    assert fast is not None
    assert round(fast.seconds, 2) == 0.70
    assert slow is not None
    assert slow.outcome is Outcome.NOT_SENT
    assert slow.cause == "the key at keys/a could not be read in time"
    assert not scene.last("a").is_final  # Until consent end somebody may unseal it.


def test_every_target_has_a_verdict_thirty_seconds_after_the_click():
    def make(scene: Scene) -> Request:
        book = scene.book("a", "1")
        book.stuck.add("1")
        silent = scene.book("b", "1")
        silent.read_error = lambda _: VenueOutcomeUnknown(user_message="the venue did not answer")
        hung = scene.book("c", "1")
        hung.call_s = 3600
        return request(target("a"), target("b"), target("c"))

    scene = play(make, until_s=30.5)
    results = {name: scene.last(name).result for name in "abc"}
    assert results["a"].outcome is Outcome.RESIDUAL
    assert results["a"].open_after == 1
    assert results["a"].cause == "the venue acknowledges the cancels and the orders stay"
    assert [r.order_id for r in results["a"].residual] == ["1"]
    assert results["b"].outcome is Outcome.UNVERIFIED
    assert results["b"].open_after is None
    assert results["b"].remedy == "Assume that every order is live."
    assert results["c"].outcome is Outcome.NOT_SENT
    for name in "abc":
        assert 30.0 <= results[name].seconds < 30.1


def test_nothing_is_sent_after_consent_end():
    def make(scene: Scene) -> Request:
        scene.book("a", "1").stuck.add("1")
        return request(target("a"), consent_s=45.0)

    scene = play(make, until_s=200)
    assert max(at for at, _ in scene.books["a"].log) <= 45.0
    status = scene.last("a")
    assert status.is_final
    assert status.result.outcome is Outcome.RESIDUAL


def test_machine_that_slept_past_consent_end_sends_nothing_when_it_wakes():
    def make(scene: Scene) -> Request:
        scene.book("a", "1").stuck.add("1")
        scene.during_at = 100.0
        scene.during = lambda _: setattr(scene.clock, "skew_s", 1200.0)
        return request(target("a"), consent_s=600.0)

    scene = play(make, until_s=700)
    assert max(at for at, _ in scene.books["a"].log) <= 100.0 + scene.limits.tick_s
    assert scene.last("a").is_final


@pytest.mark.parametrize("offset", [n * 0.05 for n in range(40)])
def test_whenever_a_machine_wakes_no_round_leaves_after_consent_end(offset: float):
    """Its clocks are looked at before every call, not only twice a second."""

    def make(scene: Scene) -> Request:
        scene.book("a", "1").stuck.add("1")
        scene.during_at = 101.5 + offset
        scene.during = lambda _: setattr(scene.clock, "skew_s", 1200.0)
        return request(target("a"), consent_s=600.0)

    scene = play(make, until_s=130)
    assert max(at for at, _ in scene.books["a"].log) <= 101.5 + offset


def test_wall_clock_that_is_set_back_prolongs_no_consent():
    def make(scene: Scene) -> Request:
        scene.book("a", "1").stuck.add("1")
        scene.during_at = 40.0
        scene.during = lambda _: setattr(scene.clock, "skew_s", -3600.0)
        return request(target("a"), consent_s=45.0)

    assert max(at for at, _ in play(make, until_s=200).books["a"].log) <= 45.0


def test_chase_is_slow_after_verdict_time_and_still_ends_flat():
    def make(scene: Scene) -> Request:
        book = scene.book("a", "1")
        book.stuck.add("1")

        def free(n: int) -> None:
            if scene.clock.monotonic() > 60:
                book.stuck.clear()

        book.on_cancel = free
        return request(target("a"))

    scene = play(make)
    result = scene.last("a").result
    assert result.outcome is Outcome.FLAT
    assert 60 < result.seconds < 75
    late = [at for at, name in scene.books["a"].log if name == "cancel_all" and 30 < at < 60]
    assert 0 < len(late) <= 6


def test_stopping_the_chase_ends_it_at_once_with_what_is_known():
    def make(scene: Scene) -> Request:
        scene.book("a", "1").stuck.add("1")
        scene.during_at = 40.0
        scene.during = lambda runner: runner.stop("K7Q2M")
        return request(target("a"))

    scene = play(make, until_s=100)
    assert max(at for at, _ in scene.books["a"].log) <= 40.0
    assert scene.last("a").is_final
    assert scene.last("a").result.outcome is Outcome.RESIDUAL


def test_run_whose_chase_was_stopped_sends_nothing_after_a_restart():
    def make(scene: Scene) -> Request:
        scene.book("a", "1")
        return replace(request(target("a")), chase_stopped_by="alice")

    scene = play(make, until_s=5)
    assert scene.books["a"].log == []
    assert scene.last("a").is_final


def test_target_whose_key_is_claimed_by_another_process_is_left_alone():
    def make(scene: Scene) -> Request:
        scene.book("a", "1")
        return request(target("a"))

    async def main() -> Scene:
        scene = Scene()
        running = make(scene)
        async with execute.open_runner(scene.means()) as runner:
            runner.take(running, waiting(*running.plan.targets), {})
            await asyncio.sleep(5)
        return scene

    assert clocks.run(main()).books["a"].log == []


def test_key_refused_by_the_venue_is_told_with_its_code_and_tried_again_slowly():
    def make(scene: Scene) -> Request:
        book = scene.book("a", "1")
        book.check_error = VenueAuthRefused(
            user_message="the address is not in the key's list",
            venue_code="10010",
            remedy="Add 203.0.113.7 to the key.",
        )
        return request(target("a"))

    scene = play(make, until_s=31)
    result = scene.last("a").result
    assert result.outcome is Outcome.NOT_SENT
    assert result.cause == "the address is not in the key's list (10010)"
    assert result.remedy == "Add 203.0.113.7 to the key. Assume that every order is live."
    assert 5 <= len(scene.books["a"].log) <= 8


def test_bug_in_an_adapter_ends_unverified_and_hurts_no_other_target():
    def make(scene: Scene) -> Request:
        broken = scene.book("a", "1")

        def explode(_: int) -> None:
            raise RuntimeError("a bug")

        broken.on_read = explode
        scene.book("b", "1")
        return request(target("a"), target("b"))

    scene = play(make, until_s=60)
    assert scene.last("a").result.outcome is Outcome.UNVERIFIED
    assert scene.last("a").result.cause == "a bug in cancelall"
    assert scene.last("b").result.outcome is Outcome.FLAT


def test_restart_in_the_middle_keeps_the_clocks_of_the_click():
    """A process that takes over at +20 s owes its verdict at +30 s, not at +50 s."""

    def make(scene: Scene) -> Request:
        scene.book("a", "1").stuck.add("1")
        scene.clock.skew_s = 20.0
        return request(target("a"))

    scene = play(make, until_s=12)
    result = scene.last("a").result
    assert result is not None
    assert round(result.seconds) == 30


def test_handover_drops_the_run_without_a_verdict():
    def make(scene: Scene) -> Request:
        scene.book("a", "1").stuck.add("1")
        return request(target("a"))

    scene = play(make, until_s=5)
    assert not scene.last("a").is_final
    assert scene.last("a").result is None


def test_orders_that_come_back_turn_the_verdict_at_once():
    def make(scene: Scene) -> Request:
        book = scene.book("a", "1")

        def revive(n: int) -> None:
            if n == 3:
                born = scene.clock.now() + timedelta(milliseconds=1)
                book.orders.append(order("ghost", created=born))
                book.stuck.add("ghost")

        book.on_read = revive
        return request(target("a"))

    scene = play(make, until_s=5)
    outcomes = [s.result.outcome for s in scene.journal.statuses("a") if s.result]
    assert Outcome.FLAT in outcomes
    assert outcomes[-1] is Outcome.RESIDUAL
    assert scene.last("a").result.came_back == 1
    assert scene.last("a").result.cause.startswith("1 came back after FLAT")
