"""The words of a verdict: what is known, what is not, and why."""

from dataclasses import replace

import pytest

from adapters.contract import Reading, Receipt, Scope, Unread, VenueError, VenueOutcomeUnknown
from bot.domain import result as results
from bot.domain.limits import Limits
from bot.domain.result import Outcome, Residual, TargetResult, TargetStatus
from bot.flow import judge
from bot.flow.judge import Moment
from bot.flow.verify import Sight
from tests.fakes.clock import EPOCH
from tests.fakes.run import target
from tests.fakes.venue import LINEAR, SPOT, order

NOW = Moment(at=EPOCH, seconds=30.0)
SEALED = ("the key source is sealed", "Unseal it.")


def silent(remedy: str = "") -> VenueError:
    return VenueOutcomeUnknown(user_message="no answer", remedy=remedy)


def verdict(sight: Sight, trouble: tuple[str, str] = ("", "")) -> TargetResult:
    return judge.verdict(target("a"), sight, NOW, trouble=trouble, limits=Limits())


def receipt(accepted: int | None = None, **more: object) -> Receipt:
    return Receipt(order_class=LINEAR, call="cancel-all", accepted=accepted, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("receipts", "cause"),
    [
        ((), "no cancel of these orders was accepted"),
        ((receipt(0),), "no cancel of these orders was accepted"),
        (
            (Receipt(order_class=SPOT, call="cancel-all spot", accepted=4),),
            "no cancel of these orders was accepted",
        ),
        (
            (receipt(0), receipt(capped=True)),
            "no cancel of these orders was accepted: there are more than one round looks through",
        ),
        ((receipt(),), "the venue acknowledges the cancels and the orders stay"),
        ((receipt(0), receipt(1)), "the venue acknowledges the cancels and the orders stay"),
        ((receipt(500, capped=True),), "the venue acknowledges the cancels and the orders stay"),
    ],
)
def test_acknowledged_is_said_only_of_cancels_that_the_venue_took(receipts, cause):
    sight = Sight(is_sent=True, receipts=receipts, reading=Reading(orders=(order("1"),)))
    assert verdict(sight).cause == cause


@pytest.mark.parametrize("stale", [0, 7])
def test_count_that_is_not_of_the_last_reading_is_no_count(stale):
    dark = Reading(unread=(Unread(order_class=LINEAR, error=silent()),))
    found = verdict(Sight(is_sent=True, reading=dark, open_known=stale))
    assert found.outcome is Outcome.UNVERIFIED
    assert found.open_after is None
    assert not found.is_at_least
    status = TargetStatus(account="a", venue="bybit", result=found)
    headline = results.summarise((status,)).headline
    assert headline == "NOT FLAT: 1 of 1 accounts, 1 cannot be told"


def test_count_of_a_partial_reading_is_a_lower_bound():
    partial = Reading(orders=(order("1"),), unread=(Unread(order_class=SPOT, error=silent()),))
    found = verdict(Sight(is_sent=True, reading=partial, open_known=1))
    assert found.outcome is Outcome.RESIDUAL
    assert (found.open_after, found.is_at_least) == (1, True)


def test_trouble_stands_in_front_of_the_cause_of_what_is_not_flat():
    found = verdict(Sight(is_sent=True), SEALED)
    assert found.outcome is Outcome.UNVERIFIED
    assert found.cause == "the key source is sealed; nothing was read yet"
    assert found.remedy == "Unseal it. Assume that every order is live."


def test_trouble_before_the_first_byte_is_not_sent():
    found = verdict(Sight(), SEALED)
    assert found.outcome is Outcome.NOT_SENT
    assert found.cause == "the key source is sealed"


def test_flat_that_no_later_reading_confirmed_says_so_and_stays_flat():
    dark = Reading(unread=(Unread(order_class=LINEAR, error=silent()),))
    sight = Sight(is_sent=True, is_flat=True, flat_at=1.0, reading=dark)
    assert verdict(sight).outcome is Outcome.FLAT
    assert verdict(sight).cause == "later readings failed: linear not read: no answer"
    assert verdict(sight).open_after == 0
    assert verdict(replace(sight, reading=Reading())).cause == ""
    unread = verdict(replace(sight, reading=None, came_back=2), SEALED)
    assert unread.cause == "2 came back after FLAT; later readings failed: the key source is sealed"


@pytest.mark.parametrize(
    ("sight", "cause"),
    [
        (Sight(), judge.NEVER_THERE[0]),
        (Sight(accepted=1), ""),
        (Sight(has_seen_any=True), ""),
    ],
)
def test_flat_of_one_order_that_nobody_ever_saw_says_that_it_may_be_mistyped(sight, cause):
    sight.is_sent = sight.is_flat = True
    named = replace(target("a"), scope=Scope(symbols=("BTCUSDT",), order_id="7"))
    found = judge.verdict(named, sight, NOW, trouble=("", ""), limits=Limits())
    assert (found.outcome, found.cause) == (Outcome.FLAT, cause)
    assert verdict(sight).cause == ""


def test_same_remedy_is_said_once():
    error = silent("Wait.")
    reading = Reading(
        unread=(Unread(order_class=LINEAR, error=error), Unread(order_class=SPOT, error=error))
    )
    found = verdict(Sight(is_sent=True, reading=reading))
    assert found.cause == "linear, spot not read: no answer"
    assert found.remedy == "Wait. Assume that every order is live."


def test_verdict_of_an_earlier_process_is_kept_with_the_trouble_of_this_one():
    before = TargetResult(
        account="a",
        venue="bybit",
        outcome=Outcome.RESIDUAL,
        at=EPOCH,
        seconds=30.0,
        open_after=1,
        cause="call auction",
        residual=(Residual(order_class="linear", symbol="BTCUSDT", order_id="1"),),
    )
    kept = judge.stands(before, SEALED)
    assert kept == replace(
        before, cause="the key source is sealed; call auction", remedy="Unseal it."
    )
    assert judge.stands(kept, SEALED) == kept
    assert judge.stands(before, ("", "")) == before
