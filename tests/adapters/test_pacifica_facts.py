"""What Pacifica tells of a key and of itself when it is asked at leisure."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.contract import (
    KeyFacts,
    VenueAuthRefused,
    VenueError,
    VenueFacts,
    VenueRefused,
    VenueReplyInvalid,
)
from adapters.pacifica_facts import (
    ADDRESSES_NOT_TOLD,
    MAY_WITHDRAW,
    NO_CREDITS_KEY,
    NO_LIST,
    OWN_KEY,
)
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Wrong
from bot.sandbox.venues.pacifica import SimulatedPacifica
from tests.adapters.conformance.bench import Bench, play
from tests.adapters.conformance.subjects import PACIFICA, _pair

MAIN, MAIN_KEY = _pair(1)
SUBS = tuple(sorted(_pair(number)[0] for number in range(2, 6)))
SUB, SUB_KEY = _pair(2)
STRANGER = _pair(9)[0]
LIST = "/api/v1/account/subaccount/list"
UNSHOWN = (
    f"whether the agent key is bound to {MAIN} is not shown: Pacifica refuses it the list of "
    "subaccounts (the signature is refused), as it may do to every agent; its owner can see it"
)


def simulated(bench: Bench) -> SimulatedPacifica:
    """Return the venue that is simulated, as what it is."""
    assert isinstance(bench.simulated, SimulatedPacifica)
    return bench.simulated


def choose(bench: Bench, **conflicts: Any) -> None:
    """Let another source be right."""
    simulated(bench).conflicts = dataclasses.replace(simulated(bench).conflicts, **conflicts)


def own(key: str = MAIN_KEY) -> dict[str, object]:
    return {"private_key": key}


def test_an_agent_that_may_list_subaccounts_is_seen_to_be_bound():
    async def act(bench: Bench) -> KeyFacts:
        choose(bench, agents_may_list=True)
        return await bench.adapter().inspect()

    assert play(PACIFICA, act) == KeyFacts(
        accounts=(MAIN,),
        can_cancel=True,
        can_withdraw=True,
        warnings=(MAY_WITHDRAW, ADDRESSES_NOT_TOLD),
        subaccounts=SUBS,
    )


def test_whether_another_agent_is_bound_is_not_shown():
    async def act(bench: Bench) -> KeyFacts:
        return await bench.adapter().inspect()

    facts = play(PACIFICA, act)
    assert (facts.accounts, facts.can_cancel, facts.subaccounts) == ((MAIN,), None, ())
    assert facts.warnings == (MAY_WITHDRAW, ADDRESSES_NOT_TOLD, UNSHOWN)


def test_an_agent_that_is_not_bound_is_told():
    async def act(bench: Bench) -> VenueError:
        with pytest.raises(VenueAuthRefused) as caught:
            await bench.adapter(PACIFICA.stranger).inspect()
        return caught.value

    error = play(PACIFICA, act)
    assert error.user_message == "the agent key is not bound to this account"
    assert error.remedy.startswith("Bind it there")


def test_an_agent_that_may_not_call_from_here_is_told():
    async def act(bench: Bench) -> None:
        bench.fail(Wrong.WRONG_ADDRESS, LIST)
        with pytest.raises(VenueRefused):
            await bench.adapter().inspect()

    play(PACIFICA, act)


def test_the_accounts_own_key_lists_the_subaccounts():
    async def act(bench: Bench) -> KeyFacts:
        return await bench.adapter(own()).inspect()

    assert play(PACIFICA, act) == KeyFacts(
        accounts=(MAIN,),
        can_cancel=True,
        can_withdraw=True,
        warnings=(MAY_WITHDRAW, OWN_KEY),
        subaccounts=SUBS,
    )


def test_a_signature_of_the_accounts_own_key_that_is_refused_is_told():
    async def act(bench: Bench) -> None:
        bench.fail(Wrong.REFUSED_KEY, LIST)
        with pytest.raises(VenueAuthRefused):
            await bench.adapter(own()).inspect()

    play(PACIFICA, act)


def refusing(status: int, code: int | None, said: str) -> Answer:
    told = {"success": False, "data": None, "error": said, "code": code}
    return Answer(status=status, body=json.dumps(told).encode())


@pytest.mark.parametrize(
    ("answer", "can_cancel"),
    [(refusing(422, 40, "Not main account"), True), (refusing(404, None, "Not found"), None)],
)
def test_an_account_that_is_told_no_list_says_so(answer: Answer, can_cancel):
    """A business code comes after the signature was taken; a missing path says nothing of it."""

    async def act(bench: Bench) -> KeyFacts:
        honest = bench.simulated.answer

        def answered(request: Request, now: float) -> Answer:
            return answer if request.path == LIST else honest(request, now)

        bench.simulated.answer = answered  # type: ignore[method-assign]
        return await bench.adapter(own(SUB_KEY)).inspect()

    facts = play(replace(PACIFICA, uid=SUB), act)
    assert (facts.accounts, facts.can_cancel) == ((SUB,), can_cancel)
    assert NO_LIST in facts.warnings


@pytest.mark.parametrize("told", [{}, {"subaccounts": None}, {"subaccounts": [{}]}, [], None])
def test_what_is_no_list_of_subaccounts_is_refused(told: object):
    async def act(bench: Bench) -> None:
        bench.doctor(LIST, lambda answer: answer | {"data": told})
        with pytest.raises(VenueReplyInvalid, match="list subaccounts"):
            await bench.adapter(own()).inspect()

    play(PACIFICA, act)


def test_an_account_that_is_not_there_is_told():
    async def act(bench: Bench) -> VenueError:
        with pytest.raises(VenueRefused) as caught:
            await bench.adapter().inspect()
        return caught.value

    error = play(replace(PACIFICA, uid=STRANGER), act)
    assert error.user_message == f"Pacifica has no account {STRANGER}"
    assert "base_url" in error.remedy


def test_a_document_without_the_account_does_not_make_it_the_keys():
    async def act(bench: Bench) -> tuple[str, ...]:
        choose(bench, agents_may_list=True)
        secret = {**PACIFICA.secret, "accounts": [SUB]}
        return (await bench.adapter(secret).inspect()).accounts

    assert play(PACIFICA, act) == (SUB,)


def test_whoever_reads_without_a_key_sees_the_account_and_cancels_nothing():
    async def act(bench: Bench) -> KeyFacts:
        return await bench.venue.reader(MAIN).inspect()

    assert play(PACIFICA, act) == KeyFacts(accounts=(MAIN,), can_cancel=False, is_read_only=True)


def looked(bench: Bench, **headers: str) -> None:
    """Have the markets answered with these headers."""
    honest = bench.simulated.answer

    def answered(request: Request, now: float) -> Answer:
        answer = honest(request, now)
        return replace(answer, headers={**answer.headers, **headers})

    bench.simulated.answer = answered  # type: ignore[method-assign]


def test_a_look_tells_how_far_the_clocks_are_apart():
    async def act(bench: Bench) -> VenueFacts:
        looked(bench, Date="Sat, 21 Nov 2026 03:00:41 GMT")
        return await bench.venue.look()

    facts = play(PACIFICA, act)  # Asked at 03:00:01, which took 0.05 s.
    assert facts.rtt_s == pytest.approx(0.05)
    assert facts.skew_s == pytest.approx(40.475)
    assert facts.skew_error_s == pytest.approx(0.525)
    assert facts.skew_max_s == 5.0
    assert facts.warnings == (NO_CREDITS_KEY,)


def test_a_look_that_a_cache_has_answered_tells_no_time_and_says_so():
    async def act(bench: Bench) -> VenueFacts:
        looked(bench, Date="Sat, 21 Nov 2026 03:00:41 GMT", Age="12")
        return await bench.venue.look()

    facts = play(PACIFICA, act)
    assert facts.skew_s is None
    assert "a cache has answered" in facts.warnings[-1]


def test_a_look_asks_past_caches_and_with_the_credits_key():
    subject = replace(PACIFICA, settings=PACIFICA.fast)

    async def act(bench: Bench) -> dict[str, str]:
        sent: dict[str, str] = {}
        honest = bench.simulated.answer

        def answered(request: Request, now: float) -> Answer:
            sent.update(request.headers)
            return honest(request, now)

        bench.simulated.answer = answered  # type: ignore[method-assign]
        facts = await bench.venue.look()
        assert facts.warnings == ()
        return sent

    assert play(subject, act) == {"cache-control": "no-cache", "pf-api-key": "kit-credits"}
