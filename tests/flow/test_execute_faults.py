"""A run whose keys, venues or own code fail: what is said, what is tried again, who is hurt."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from adapters.contract import VenueAuthRefused, VenueNotReached, VenueOutcomeUnknown
from bot.domain.errors import SecretError
from bot.domain.event import EventKind
from bot.domain.plan import Target
from bot.domain.request import Request
from bot.domain.result import Outcome
from tests.fakes.run import Scene, play, request, target
from tests.fakes.venue import LINEAR

REFUSED = VenueAuthRefused(
    user_message="the address is not in the key's list",
    venue_code="10010",
    remedy="Add 203.0.113.7 to the key.",
)
SEALED = SecretError(user_message="the key source is sealed", is_retryable=True)


def test_first_round_that_hangs_is_unverified_never_not_sent():
    def make(scene: Scene) -> Request:
        scene.book("a", "1").slow["cancel_all"] = 3600.0
        return request(target("a"), consent_s=45.0)

    scene = play(make, until_s=60)
    results = [status.result for status in scene.journal.statuses("a") if status.result]
    assert [result.outcome for result in results] == [Outcome.UNVERIFIED, Outcome.UNVERIFIED]
    assert [round(result.seconds) for result in results] == [30, 45]
    assert scene.journal.kinds("a") == [
        "key.read",
        "round.began",
        "target.judged",
        "target.judged",
    ]


def test_key_that_stays_refused_is_told_once():
    def make(scene: Scene) -> Request:
        scene.book("a", "1").check_error = REFUSED
        return request(target("a"))

    scene = play(make)
    assert scene.journal.kinds("a").count("key.refused") == 1
    assert len(scene.calls("a", "check")) > 100
    assert scene.last("a").result.cause == "the address is not in the key's list (10010)"


def test_venue_that_never_says_whose_key_it_is_is_named_by_what_went_wrong():
    def make(scene: Scene) -> Request:
        book = scene.book("a", "1")
        book.call_s = 5.0
        book.check_error = VenueOutcomeUnknown(user_message="the venue did not answer in time")
        return request(target("a"))

    scene = play(make, until_s=31)
    assert scene.last("a").result.outcome is Outcome.NOT_SENT
    assert scene.last("a").result.cause == "the venue did not answer in time"
    assert scene.journal.kinds("a").count("key.refused") == 1


def test_key_mended_at_its_path_is_read_again_and_used():
    def make(scene: Scene) -> Request:
        scene.book("stale").check_error = REFUSED
        scene.book("a", "1")
        scene.keys.secrets["keys/a"] = "stale"
        scene.during_at = 12.0
        scene.during = lambda _: scene.keys.secrets.update({"keys/a": "a"})
        return request(target("a"))

    scene = play(make, until_s=60)
    assert scene.last("a").result.outcome is Outcome.FLAT
    assert scene.last("a").result.seconds < 18
    assert scene.books["a"].orders == []


def test_malformed_key_is_read_again_as_slowly_and_used_once_it_is_mended():
    def make(scene: Scene) -> Request:
        scene.book("a", "1")
        scene.keys.secrets["keys/a"] = "no document"
        scene.during_at = 12.0
        scene.during = lambda _: scene.keys.secrets.update({"keys/a": "a"})
        return request(target("a"))

    scene = play(make, until_s=60)
    assert scene.last("a").result.outcome is Outcome.FLAT
    assert len(scene.keys.reads) == 4  # At 0, 5, 10 and 15 s.
    assert "the document lacks api_key" in {each.cause for each in scene.journal.statuses("a")}


def test_account_that_the_config_lost_waits_for_it_and_reads_no_key():
    def make(scene: Scene) -> Request:
        scene.book("a", "1")
        scene.gone.add("http://venue")
        return request(target("a"))

    scene = play(make, until_s=40)
    result = scene.last("a").result
    assert result.outcome is Outcome.NOT_SENT
    assert result.cause == "bybit at http://venue is not in the config any more"
    assert result.remedy.startswith("Put the account back and restart.")
    assert not scene.last("a").is_final  # The restart must find it open.
    assert scene.keys.reads == []


@pytest.mark.parametrize("consent_s", [20.0, 60.0], ids=["at the end", "at verdict time"])
def test_bug_in_a_verdict_ends_one_target_and_hurts_no_other(consent_s):
    """An order without a symbol: the loop needs none, and the verdict cannot name it."""

    def make(scene: Scene) -> Request:
        strange = SimpleNamespace(order_class=LINEAR, order_id="1", created=None)
        book = scene.book("a")
        book.orders, book.stuck = [strange], {"1"}  # type: ignore[list-item]
        scene.book("b", "2").stuck.add("2")
        return request(target("a"), target("b"), consent_s=consent_s)

    scene = play(make, until_s=80)
    assert scene.last("a").is_final
    assert scene.last("a").result.outcome is Outcome.UNVERIFIED
    assert scene.last("a").result.cause == "a bug in cancelall"
    assert scene.last("a").result.remedy.startswith("Send the log of this run")
    assert scene.last("a").result.open_after is None
    assert scene.last("b").result.outcome is Outcome.RESIDUAL
    assert max(scene.calls("b", "open_orders")) > consent_s - 6


def explode_at(number: int) -> Callable[[int], None]:
    def explode(reading: int) -> None:
        if reading == number:
            raise RuntimeError("a bug")

    return explode


def outcomes(scene: Scene) -> list[Outcome]:
    return [
        entry.status.result.outcome
        for entry in scene.journal.entries
        if entry.status and entry.status.result and entry.event.kind is EventKind.TARGET_JUDGED
    ]


def test_bug_after_flat_takes_the_flat_back_until_it_is_proven_anew():
    def make(scene: Scene) -> Request:
        scene.book("a", "1").on_read = explode_at(4)
        return request(target("a"))

    scene = play(make, until_s=60)
    assert outcomes(scene) == [Outcome.FLAT, Outcome.UNVERIFIED, Outcome.FLAT, Outcome.FLAT]
    assert scene.last("a").is_final


def test_bug_that_one_answer_sets_off_does_not_end_the_chase():
    def make(scene: Scene) -> Request:
        scene.book("a", "1").on_read = explode_at(1)
        return request(target("a"))

    scene = play(make, until_s=60)
    assert outcomes(scene) == [Outcome.UNVERIFIED, Outcome.FLAT, Outcome.FLAT]
    assert scene.books["a"].orders == []


def test_clean_reading_from_before_a_bug_is_not_one_of_two():
    seen: list[list[Outcome]] = []

    def make(scene: Scene) -> Request:
        def on_read(number: int) -> None:
            explode_at(2)(number)
            if number == 4:
                seen.append(outcomes(scene))

        scene.book("a", "1").on_read = on_read
        return request(target("a"))

    scene = play(make, until_s=60)
    assert seen == [[Outcome.UNVERIFIED]]
    assert outcomes(scene)[-1] is Outcome.FLAT


def test_what_was_sent_before_a_bug_is_not_forgotten():
    def make(scene: Scene) -> Request:
        book = scene.book("a", "1")
        book.stuck.add("1")
        book.on_read = explode_at(1)
        unreached = VenueNotReached(user_message="no route")
        book.cancel_error = lambda number: None if number == 1 else unreached
        book.read_error = lambda _: unreached
        return request(target("a"), consent_s=60.0)

    assert Outcome.NOT_SENT not in outcomes(play(make, until_s=80))


def test_bug_that_stays_is_told_once_and_again_at_the_end():
    def make(scene: Scene) -> Request:
        def explode(_: int) -> None:
            raise RuntimeError("a bug")

        scene.book("a", "1").on_read = explode
        return request(target("a"), consent_s=60.0)

    scene = play(make, until_s=80)
    told = [e for e in scene.journal.entries if e.event.kind is EventKind.TARGET_JUDGED]
    assert [(e.status.is_final, e.status.result.cause) for e in told] == [
        (False, "a bug in cancelall"),
        (True, "a bug in cancelall"),
    ]
    assert len(scene.calls("a", "cancel_all")) > 8
    assert max(at for at, _ in scene.books["a"].log) <= 60.0


def test_chase_that_is_stopped_ends_at_once_even_after_a_bug():
    def make(scene: Scene) -> Request:
        scene.book("a", "1").on_read = explode_at(1)
        scene.during_at = 2.0
        scene.during = lambda runner: runner.stop("K7Q2M")
        return request(target("a"))

    scene = play(make, until_s=3.0)
    assert scene.last("a").is_final
    assert scene.last("a").result.cause == "a bug in cancelall"


@pytest.mark.parametrize("at", [45.0, 45.05])
def test_chase_stopped_just_as_consent_ends_is_no_bug(at):
    def make(scene: Scene) -> Request:
        scene.book("a", "1").stuck.add("1")
        scene.during_at = at
        scene.during = lambda runner: runner.stop("K7Q2M")
        return request(target("a"), consent_s=45.0)

    scene = play(make, until_s=60)
    assert scene.last("a").is_final
    assert scene.last("a").result.outcome is Outcome.RESIDUAL
    assert max(at for at, _ in scene.books["a"].log) <= 45.0


def test_readings_that_fail_after_flat_leave_it_flat_and_are_named():
    def make(scene: Scene) -> Request:
        book = scene.book("a", "1")
        lost = VenueOutcomeUnknown(user_message="no answer")
        book.read_error = lambda number: lost if number > 2 else None
        return request(target("a"), consent_s=60.0)

    scene = play(make, until_s=80)
    result = scene.last("a").result
    assert result.outcome is Outcome.FLAT
    assert round(result.seconds, 2) == 0.70
    assert result.cause == "later readings failed: linear not read: no answer"
    assert scene.last("a").is_final


def test_not_sent_is_taken_back_once_a_cancel_has_left():
    """The key source was unsealed after verdict time."""

    def make(scene: Scene) -> Request:
        scene.book("a", "1").stuck.add("1")
        scene.keys.errors["keys/a"] = [SEALED] * 62
        return request(target("a"), consent_s=200.0)

    scene = play(make, until_s=100)
    told = [status.result for status in scene.journal.statuses("a") if status.result]
    outcomes = list(dict.fromkeys(result.outcome for result in told))
    assert outcomes == [Outcome.NOT_SENT, Outcome.RESIDUAL]
    assert scene.journal.kinds("a").count("target.judged") == 2


def test_unverified_becomes_residual_once_orders_are_seen():
    """Otherwise the card says "cannot tell" for ten minutes while the board counts them."""

    def make(scene: Scene) -> Request:
        book = scene.book("a", "1")
        book.stuck.add("1")
        book.read_error = lambda _: (
            VenueNotReached(user_message="no route") if scene.clock.monotonic() < 40 else None
        )
        return request(target("a"), consent_s=200.0)

    scene = play(make, until_s=100)
    told = [status.result.outcome for status in scene.journal.statuses("a") if status.result]
    assert list(dict.fromkeys(told)) == [Outcome.UNVERIFIED, Outcome.RESIDUAL]
    assert scene.journal.kinds("a").count("target.judged") == 2


def test_target_that_was_never_reached_is_flat_if_its_book_is_empty():
    """Cancels do not get through and readings do: two clean ones are a fact all the same."""

    def make(scene: Scene) -> Request:
        book = scene.book("a")
        book.cancel_error = lambda _: VenueNotReached(user_message="no route")
        book.read_error = lambda _: (
            VenueNotReached(user_message="no route") if scene.clock.monotonic() < 40 else None
        )
        return request(target("a"))

    scene = play(make, until_s=100)
    told = [status.result.outcome for status in scene.journal.statuses("a") if status.result]
    assert list(dict.fromkeys(told)) == [Outcome.NOT_SENT, Outcome.FLAT]


def test_two_targets_of_one_refused_key_read_it_again_once_for_both():
    def two(account: str) -> Target:
        return replace(target(account), key="keys/a")

    def make(scene: Scene) -> Request:
        scene.book("a", "1").check_error = REFUSED
        return request(two("a"), two("b"))

    scene = play(make, until_s=4.9)
    assert scene.keys.reads == ["keys/a"]
    assert len(play(make, until_s=6).keys.reads) == 2
