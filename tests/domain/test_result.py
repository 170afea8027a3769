"""The report: the worst leads, and unknown is never counted as nothing."""

from bot.domain import result as results
from bot.domain.result import Outcome, TargetResult, TargetStatus
from tests.fakes.clock import EPOCH


def judged(
    account: str,
    outcome: Outcome,
    *,
    after: int | None = None,
    seconds: float = 1.0,
    is_at_least: bool = False,
) -> TargetStatus:
    result = TargetResult(
        account=account,
        venue="bybit",
        outcome=outcome,
        at=EPOCH,
        seconds=seconds,
        open_after=after,
        is_at_least=is_at_least,
    )
    return TargetStatus(account=account, venue="bybit", result=result)


def flat(account: str, seconds: float = 1.0) -> TargetStatus:
    return judged(account, Outcome.FLAT, after=0, seconds=seconds)


def test_every_account_flat_says_so_with_the_slowest_seconds():
    report = results.summarise([flat("a", 1.5), flat("b", 2.5), flat("c")])
    assert report.headline == "FLAT: 3 of 3 accounts"
    assert report.is_flat
    assert report.seconds == 2.5


def test_residual_orders_lead_the_headline():
    report = results.summarise(
        [flat("a"), judged("b", Outcome.RESIDUAL, after=30), judged("c", Outcome.RESIDUAL, after=7)]
    )
    assert report.headline == "NOT FLAT: 2 of 3 accounts, 37 orders"
    assert not report.is_flat
    assert report.seconds is None
    assert [result.account for result in report.results] == ["b", "c", "a"]


def test_one_order_is_one_order():
    report = results.summarise([judged("b", Outcome.RESIDUAL, after=1)])
    assert report.headline == "NOT FLAT: 1 of 1 accounts, 1 order"


def test_unknown_is_as_loud_as_residual():
    report = results.summarise([flat("a"), judged("b", Outcome.UNVERIFIED)])
    assert report.headline == "NOT FLAT: 1 of 2 accounts, 1 cannot be told"


def test_a_lower_bound_says_at_least():
    report = results.summarise([judged("a", Outcome.RESIDUAL, after=50, is_at_least=True)])
    assert report.headline == "NOT FLAT: 1 of 1 accounts, at least 50 orders"


def test_not_sent_is_worst_of_all():
    report = results.summarise(
        [judged("a", Outcome.RESIDUAL, after=2), judged("b", Outcome.NOT_SENT), flat("c")]
    )
    assert [result.account for result in report.results] == ["b", "a", "c"]
    assert report.headline == "NOT FLAT: 2 of 3 accounts, 2 orders, 1 not sent"


def test_missing_verdicts_are_never_taken_for_flat():
    report = results.summarise([flat("a"), TargetStatus(account="b", venue="bybit")])
    assert report.headline == "RUNNING: 1 of 2 accounts FLAT so far"
    assert report.missing == ("b",)
    assert not report.is_flat


def test_missing_verdicts_are_named_beside_what_rests():
    report = results.summarise(
        [judged("a", Outcome.RESIDUAL, after=2), TargetStatus(account="b", venue="bybit")]
    )
    assert report.headline == "NOT FLAT: 1 of 2 accounts, 2 orders, 1 still without a verdict"


def test_run_that_is_over_is_never_called_running():
    none = [TargetStatus(account=name, venue="bybit") for name in "abc"]
    report = results.summarise(none, is_over=True)
    assert report.headline == "NOT FLAT: 3 of 3 accounts, 3 without a verdict"
    some = [flat("a"), judged("b", Outcome.RESIDUAL, after=2), none[2]]
    report = results.summarise(some, is_over=True)
    assert report.headline == "NOT FLAT: 2 of 3 accounts, 2 orders, 1 without a verdict"


def test_worst_comes_first_and_what_has_no_verdict_before_what_is_flat():
    found = [
        flat("a"),
        TargetStatus(account="b", venue="bybit"),
        judged("c", Outcome.RESIDUAL, after=1),
        judged("d", Outcome.UNVERIFIED),
        judged("e", Outcome.NOT_SENT),
    ]
    assert [status.account for status in results.worst_first(found)] == ["e", "d", "c", "b", "a"]


def test_no_targets_is_not_flat():
    assert not results.summarise([]).is_flat
    assert not results.summarise([]).headline.startswith("FLAT")
