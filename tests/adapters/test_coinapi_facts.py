"""What CoinAPI EMS tells of a key and of itself when it is asked at leisure."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from adapters.coinapi_calls import KEY_WARNING
from adapters.coinapi_facts import NOT_TOLD, OPEN_DOOR
from adapters.contract import (
    KeyFacts,
    VenueAuthRefused,
    VenueOutcomeUnknown,
    VenueRefused,
    VenueReplyInvalid,
)
from bot.sandbox.venues.coinapi import SimulatedCoinapi
from bot.sandbox.venues.exchange import Answer, Request
from tests.adapters.conformance.bench import Bench, play
from tests.adapters.conformance.subjects import COINAPI

DOCUMENT = ("KRAKEN/JOHN", "KRAKEN/ANN", "BITSTAMP/2574", "DERIBIT", "GEMINI#1")
UNSEEN = (
    "EMS lists no orders of KRAKEN/JOHN, and does not say whether it has such an account: look "
    "again while an order rests there"
)


def simulated(bench: Bench) -> SimulatedCoinapi:
    """Return the venue that is simulated, as what it is."""
    assert isinstance(bench.simulated, SimulatedCoinapi)
    return bench.simulated


def answering(bench: Bench, *, status: int = 401, body: bytes = b"", **headers: str) -> None:
    """Have every call answered alike."""

    def answer(request: Request, now: float) -> Answer:
        return Answer(status=status, body=body, headers=headers)

    bench.simulated.answer = answer  # type: ignore[method-assign]


def test_a_key_is_taken_and_the_rest_is_not_told():
    async def act(bench: Bench) -> KeyFacts:
        bench.fill(1)
        return await bench.adapter().inspect()

    assert play(COINAPI, act) == KeyFacts(accounts=DOCUMENT, warnings=(KEY_WARNING, NOT_TOLD))


def test_an_account_without_orders_may_be_none_that_is_known():
    async def act(bench: Bench) -> tuple[str, ...]:
        return (await bench.adapter().inspect()).warnings

    assert play(COINAPI, act) == (KEY_WARNING, NOT_TOLD, UNSEEN)


def test_the_management_api_is_never_asked():
    async def act(bench: Bench) -> None:
        await bench.adapter().inspect()
        await bench.venue.look()
        assert [call for _, call in bench.carrier.calls] == ["GET /v1/orders", "GET /v1/orders"]
        assert simulated(bench).management_calls == 0

    play(COINAPI, act)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", VenueAuthRefused),
        (403, b"<html>", VenueAuthRefused),
        (400, b'{"title":"x","status":400}', VenueRefused),
        (490, b"{}", VenueOutcomeUnknown),
        (200, b"null", VenueReplyInvalid),
        (200, b'[{"exchange_id":"GEMINI"}]', VenueReplyInvalid),
    ],
)
def test_a_key_or_an_account_that_is_refused_is_told(status: int, body: bytes, kind: type):
    async def act(bench: Bench) -> None:
        answering(bench, status=status, body=body)
        with pytest.raises(kind):
            await bench.adapter().inspect()

    play(COINAPI, act)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("headers", "skew_s", "error_s"),
    [
        ({}, None, 0.0),
        ({"Date": "not a date"}, None, 0.0),
        # The bench's clock stands at 03:00:01 when it is asked, and takes 0.05 s for it.
        ({"Date": "Sat, 21 Nov 2026 03:00:41 GMT"}, 40.475, 0.525),
        ({"Date": "Sat, 21 Nov 2026 03:00:41 GMT", "Age": "9"}, None, 0.0),
    ],
)
def test_a_look_is_answered_where_no_key_is_refused(status, headers, skew_s, error_s):
    async def act(bench: Bench) -> None:
        answering(bench, status=status, **headers)
        facts = await bench.venue.look()
        assert facts.skew_s == (skew_s if skew_s is None else pytest.approx(skew_s))
        assert facts.skew_error_s == pytest.approx(error_s)
        assert facts.skew_max_s == math.inf
        assert facts.warnings == ()

    play(COINAPI, act)


def test_a_look_sends_no_key():
    async def act(bench: Bench) -> list[str]:
        sent: list[str] = []
        honest = bench.simulated.answer

        def answer(request: Request, now: float) -> Answer:
            sent.extend(request.headers)
            return honest(request, now)

        bench.simulated.answer = answer  # type: ignore[method-assign]
        await bench.venue.look()
        assert bench.simulated.log[-1].code == "401"
        return sent

    assert play(COINAPI, act) == ["accept"]


def test_a_gateway_that_asks_for_no_key_is_named():
    async def act(bench: Bench) -> tuple[str, ...]:
        simulated(bench).is_self_hosted = True
        return (await bench.venue.look()).warnings

    assert play(COINAPI, act) == (OPEN_DOOR,)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"", VenueRefused),
        (200, b"<html>", VenueReplyInvalid),
        (200, b"{}", VenueReplyInvalid),
        (502, b"", VenueOutcomeUnknown),
    ],
)
def test_what_is_no_gateway_is_no_sight_of_one(status: int, body: bytes, kind: type):
    async def act(bench: Bench) -> None:
        answering(bench, status=status, body=body)
        with pytest.raises(kind):
            await bench.venue.look()

    play(COINAPI, act)


def test_the_words_of_a_gateway_are_told_though_no_key_was_sent():
    async def act(bench: Bench) -> str:
        said = b'{"type":"MESSAGE_REJECT","reject_reason":"OTHER","message":"closed for tea"}'
        answering(bench, status=200, body=said)
        with pytest.raises(VenueRefused) as caught:
            await bench.venue.look()
        return caught.value.user_message

    assert play(COINAPI, act) == "EMS refuses: closed for tea"


def test_a_document_without_the_account_does_not_make_it_the_keys():
    subject = replace(COINAPI, secret={"api_key": "kit-key-of-desk", "accounts": ["DERIBIT"]})

    async def act(bench: Bench) -> tuple[str, ...]:
        return (await bench.adapter().inspect()).accounts

    assert play(subject, act) == ("DERIBIT",)
