"""What is said of every account: whoever is not FLAT is named, however many there are."""

import re

import pytest

from bot.domain.request import RequestState
from bot.domain.result import Outcome, Phase, TargetStatus
from bot.slack import blocks, verdicts
from tests.fakes.clock import EPOCH
from tests.slack.cards import card, counted, judged, many, request, whole


def test_board_and_venue_reply_say_where_every_account_stands():
    troubled = TargetStatus(
        account="a",
        venue="bybit",
        phase=Phase.CANCELLING,
        rounds=2,
        open_now=5,
        is_at_least=True,
        accepted=9,
        cause="too fast",
    )
    board = blocks.board(request(), (troubled,))
    assert "a: cancelling, open at least 5, 9 accepted, round 2, too fast" in board.text
    reply = blocks.venue_reply(
        request(counts=counted(8)),
        "bybit",
        (judged("acc-000", Outcome.NOT_SENT, open_after=None, remedy="Assume live."),),
    )
    assert "*bybit: 0 of 1 accounts FLAT*" in reply.text
    assert "before 8, accepted 0, open now unknown. Assume live." in reply.text


@pytest.mark.parametrize("count", [60, 200])
def test_the_one_account_that_is_not_flat_leads_every_list(count: int):
    rests = {count - 1: Outcome.RESIDUAL}
    statuses = many(count, rests, open_after=37)
    name = f"acc-{count - 1:03}"
    found = request(count, state=RequestState.FINISHED, ended_at=EPOCH)
    rest = f"and {count - 40} more accounts, all FLAT"
    for message in (
        blocks.board(request(), statuses),
        blocks.venue_reply(found, "bybit", statuses),
        card(found, *statuses),
    ):
        for said in (message.text, whole(message)):
            first = next(line for line in said.split("\n") if "acc-" in line and "Acc" not in line)
            assert name in first
            assert "RESIDUAL" in first
        assert rest in whole(message)
        assert len(message.text) < 4_000


def test_everything_that_is_not_flat_is_named_and_the_rest_is_counted():
    bad = dict.fromkeys(range(0, 120, 2), Outcome.UNVERIFIED) | dict.fromkeys(
        range(1, 120, 2), Outcome.RESIDUAL
    )
    statuses = many(200, bad, open_after=None, cause="c" * 300, remedy="r" * 300)
    statuses += (TargetStatus(account="acc-999", venue="bybit"),)
    found = request(200, state=RequestState.INTERRUPTED, ended_why="No process finished it.")
    for message in (blocks.board(request(), statuses), card(found, *statuses)):
        for said in (message.text, whole(message)):
            for n in bad:
                assert f"acc-{n:03}" in said
            assert "acc-999" in said
            assert "and 80 more accounts, all FLAT" in said
    assert "*RESIDUAL*: acc-001, acc-003" in whole(card(found, *statuses))
    assert "Nothing here stops a bot" in card(found, *statuses).text
    reply = blocks.venue_reply(found, "bybit", statuses)
    assert "and 80 more accounts, all FLAT" in whole(reply)


def test_names_that_do_not_fit_are_counted_by_outcome():
    statuses = tuple(
        judged(f"{n:03}-{'x' * 200}", Outcome.NOT_SENT if n < 100 else Outcome.RESIDUAL)
        for n in range(199)
    )
    for said in (blocks.board(request(), statuses).text, whole(blocks.board(request(), statuses))):
        assert re.search(r"\*NOT_SENT\*: 000-x+, .* and \d+ more accounts", said, re.DOTALL)
        assert re.search(r"\*RESIDUAL\*: 100-x+, .* and \d+ more accounts", said, re.DOTALL)
    one = verdicts.fitted(verdicts.board(statuses[:1]), 60)
    assert one == ["*NOT_SENT*: and 1 more account"]


def test_board_of_an_interrupted_run_does_not_say_that_it_runs():
    ended = request(state=RequestState.INTERRUPTED, ended_why="No process finished it.")
    silent = TargetStatus(account="acc-000", venue="bybit")
    assert blocks.board(request(), (silent,)).text.startswith("*RUNNING: 0 of 1 accounts FLAT")
    said = blocks.board(ended, (silent,)).text
    assert said.startswith("*NOT FLAT: 1 of 1 accounts, 1 without a verdict*")
