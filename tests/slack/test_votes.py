"""What a card says of each answer: nothing is called approved that does not count."""

from dataclasses import replace
from datetime import timedelta

from bot.domain.request import RequestState
from policies.model import Decision, Reason, Verdict
from tests.fakes.clock import EPOCH
from tests.policies.people import ALICE, BOB, CAROL, HEAD, approval, denial
from tests.slack.cards import card, request


def test_denials_and_unconfirmed_answers_are_told():
    unknown = approval(replace(CAROL, read_at=None))
    message = card(request(state=RequestState.PENDING), votes=(denial(BOB, "no"), unknown))
    assert "*Denied* by <@U0BOB>" in message.text
    assert "*Unconfirmed* <@U0CAROL> answered at" in message.text


def test_only_approvals_that_count_are_called_approved():
    decision = Decision(
        verdict=Verdict.PENDING,
        reasons=(
            Reason(code="guest", text="carol is a guest here."),
            Reason(code="seat_open", text="Still needed: 1 of head."),
        ),
        counted=("U0BOB",),
        open_seats=("1 of head",),
    )
    votes = (approval(BOB), approval(CAROL), approval(ALICE), denial(HEAD))
    said = card(request(state=RequestState.PENDING), votes=votes, decision=decision).text
    assert "*Approved* by <@U0BOB>" in said
    for who in ("U0CAROL", "U0ALICE"):
        assert f"*Does not count*: approval by <@{who}>" in said
    assert "*Does not count*: denial by <@U0HEAD>" in said
    assert "carol is a guest here." in said
    assert "Still needed" not in said
    started = card(request(), votes=votes, approvers=frozenset({"U0CAROL"})).text
    assert "*Approved* by <@U0CAROL>" in started
    assert "*Does not count*: approval by <@U0BOB>" in started


def test_without_a_judgement_nothing_is_said_to_be_approved_by_its_requester():
    denied = Decision(verdict=Verdict.DENIED, reasons=())
    for found in (request(), request(state=RequestState.PENDING)):
        said = card(found, votes=(approval(BOB), approval(ALICE)), decision=denied).text
        assert "*Approved* by <@U0BOB>" in said
        assert "*Does not count*: approval by <@U0ALICE>" in said


def test_unconfirmed_answer_lapses_and_says_so():
    unknown = approval(replace(BOB, read_at=None))
    pending = request(state=RequestState.PENDING)
    early, late = EPOCH + timedelta(seconds=59), EPOCH + timedelta(seconds=60)
    waits = card(pending, votes=(unknown,), now=early)
    assert waits == card(pending, votes=(unknown,), now=EPOCH)
    assert "waits up to 60 s for Slack to say who it is" in waits.text
    assert "*Lapsed* answer of <@U0BOB>" in card(pending, votes=(unknown,), now=late).text
    assert "click again" in card(pending, votes=(unknown,), now=late).text
    ended = card(request(), votes=(unknown,), now=early).text
    assert "Slack never said who it was\n" in ended


def test_confirmed_answer_hides_its_unconfirmed_shadow_but_not_a_later_click():
    shadow = approval(replace(BOB, read_at=None))
    confirmed = approval(replace(BOB, person_id="E0BOB"))
    pending = request(state=RequestState.PENDING)
    assert "Unconfirmed" not in card(pending, votes=(shadow, confirmed)).text
    later = approval(replace(BOB, read_at=None), at_s=5.0)
    assert "Unconfirmed" in card(pending, votes=(later, confirmed)).text


def test_card_asks_for_a_fresh_click_when_all_that_suffices_is_old():
    allowed = Decision(verdict=Verdict.ALLOWED, reasons=(), counted=("U0BOB",))
    pending = request(state=RequestState.PENDING, decided_at=None)
    votes, told = (approval(BOB),), "*Not started*: the approvals are over a minute old."
    young, old = EPOCH + timedelta(seconds=59), EPOCH + timedelta(seconds=60)
    assert told not in card(pending, votes=votes, decision=allowed, now=young).text
    assert told in card(pending, votes=votes, decision=allowed, now=old).text
