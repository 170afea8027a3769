"""Whom the simulated Synthetix lets act, until when, with which nonce, and how often."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.sandbox.venues.synthetix_accounts import Delegate
from bot.sandbox.venues.synthetix_shapes import Nonces, Unit
from tests.sandbox.synthetix_caller import (
    DELEGATE,
    DELEGATE_KEY,
    NOW,
    OTHER_UID,
    OWNER,
    STRANGER,
    STRANGER_KEY,
    UID,
    caller,
    code_of,
    error,
    fields,
    response,
    unauthorised,
)


@pytest.mark.parametrize(
    ("unit", "expires_after", "is_expired"),
    [
        (Unit.SECONDS, 1_704_067_200, True),
        (Unit.SECONDS, 1_704_067_201, False),
        (Unit.SECONDS, 1_704_067_200_500, False),
        (Unit.SECONDS, 1_000_000_000_000, False),
        (Unit.MILLISECONDS, 1_704_067_200_500, True),
        (Unit.MILLISECONDS, 1_704_067_200_501, False),
        (Unit.MILLISECONDS, 1_704_067_260, True),
        (Unit.SECONDS, 0, False),
        (Unit.MILLISECONDS, 0, False),
        (Unit.MILLISECONDS, None, False),
    ],
)
def test_the_unit_of_the_expiry_is_a_switch(unit: Unit, expires_after: int, is_expired):
    ours = caller()
    ours.choose(expiry_unit=unit)
    ours.expires_after = expires_after
    for answer in (ours.cancel_all(), ours.ask("getOpenOrders")):
        if is_expired:
            assert error(answer) == unauthorised("request expired")
        else:
            assert response(answer) == []


def test_the_expiry_goes_by_the_venues_own_clock():
    ours = caller()
    ours.choose(expiry_unit=Unit.MILLISECONDS)
    ours.expires_after = int(NOW * 1000) + 60_000
    assert response(ours.cancel_all()) == []
    ours.venue.skew_s = 60.0
    assert error(ours.cancel_all()) == unauthorised("request expired")


def test_an_expired_request_leaves_its_nonce_free():
    ours = caller()
    ours.choose(expiry_unit=Unit.MILLISECONDS)
    ours.expires_after = 1_704_067_260
    ours.cancel_all()
    assert ours.venue.registry.nonces == {}


@pytest.mark.parametrize(("is_strict", "code"), [(True, "VALIDATION_ERROR"), (False, None)])
def test_an_expiry_before_the_nonce_is_refused_by_a_switch(is_strict, code: str | None):
    ours = caller()
    ours.choose(expiry_beyond_nonce=is_strict)
    ours.expires_after = int(NOW) + 60
    assert code_of(ours.cancel_all()) == code


def test_a_nonce_serves_once_per_signer_and_whatever_the_subaccount():
    ours = caller()
    ours.venue.add_delegate(OTHER_UID, OWNER, Delegate())
    delegate = replace(ours, key=DELEGATE_KEY)
    again = replace(ours, uid=OTHER_UID)
    assert response(ours.cancel_all()) == []
    assert error(again.cancel_all()) == unauthorised("nonce already used")
    assert response(delegate.cancel_all()) == []


@pytest.mark.parametrize(
    ("nonces", "refused"), [(Nonces.UNIQUE, [False, False]), (Nonces.RISING, [True, False])]
)
def test_whether_nonces_must_rise_is_a_switch(nonces: Nonces, refused: list[bool]):
    ours = caller()
    ours.choose(nonces=nonces)
    ours.cancel_all()
    ours.nonce -= 5
    found = [code_of(ours.cancel_all()) is not None]
    ours.nonce += 5
    assert [*found, code_of(ours.cancel_all()) is not None] == refused


def test_a_reading_uses_no_nonce_even_if_it_has_one():
    ours = caller()
    for _ in range(2):
        assert response(ours.ask("getOpenOrders", nonce=ours.nonce + 1)) == []
    assert response(ours.cancel_all()) == []


def test_a_request_refused_for_want_of_authority_has_used_its_nonce():
    ours = caller()
    stranger = replace(ours, key=STRANGER_KEY)
    said = f"wallet {STRANGER} is not authorized to act on this subaccount"
    assert error(stranger.cancel_all()) == unauthorised(said)
    stranger.nonce -= 1
    assert error(stranger.cancel_all()) == unauthorised("nonce already used")


def test_a_call_with_a_broken_rule_has_used_its_nonce_too():
    ours = caller()
    assert error(ours.cancel_all("*", "BTC-USDT"))[1] == "VALIDATION_ERROR"
    ours.nonce -= 1
    assert error(ours.cancel_all()) == unauthorised("nonce already used")


def test_nobody_owns_a_subaccount_that_there_is_not():
    ours = replace(caller(), uid="1867542890123456791")
    assert error(ours.cancel_all()) == unauthorised("address does not own subaccount")


@pytest.mark.parametrize("code", ["VALIDATION_ERROR", "FORBIDDEN"])
def test_the_code_of_what_has_no_code_of_its_own_is_a_switch(code: str):
    ours = caller()
    ours.choose(auth_code=code)
    ours.expires_after = 5
    assert error(ours.cancel_all())[1:] == (code, "request expired")
    ours.expires_after = 0
    ours.cancel_all()
    ours.nonce -= 1
    assert error(ours.cancel_all())[1:] == (code, "nonce already used")
    assert error(replace(ours, key=STRANGER_KEY).cancel_all())[1] == code


@pytest.mark.parametrize("permission", ["session", "delegate", "trading"])
def test_a_delegate_signs_and_acts_exactly_like_the_owner(permission: str):
    ours = caller()
    ours.account.delegates[DELEGATE] = Delegate(permission=permission, expires_at=NOW + 1)
    ours.place("limit", "a")
    delegate = replace(ours, key=DELEGATE_KEY)
    assert [row["order"]["clientId"] for row in delegate.read()] == ["a"]
    assert len(response(delegate.cancel_all())) == 1
    assert ours.open() == []


def test_a_delegate_with_another_permission_is_forbidden():
    ours = caller()
    ours.account.delegates[DELEGATE] = Delegate(permission="withdraw")
    said = "operation requires session or delegate permission"
    assert error(replace(ours, key=DELEGATE_KEY).cancel_all()) == (403, "FORBIDDEN", said)


def test_a_delegation_ends_at_its_moment_whatever_is_remembered():
    ours = caller()
    ours.account.delegates[DELEGATE] = Delegate(expires_at=NOW + 5)
    delegate = replace(ours, key=DELEGATE_KEY)
    assert response(delegate.cancel_all()) == []
    delegate.now += 4.9
    assert response(delegate.cancel_all()) == []
    delegate.now += 0.1
    assert error(delegate.cancel_all())[1] == "UNAUTHORIZED"


@pytest.mark.parametrize(("cached_s", "waits"), [(30.0, [True, True, False]), (0.0, [False] * 3)])
def test_a_fresh_delegate_waits_until_its_refusal_is_forgotten(cached_s, waits: list[bool]):
    ours = caller()
    ours.choose(denials_cached_s=cached_s)
    ours.venue.remove_delegate(UID, DELEGATE)
    delegate = replace(ours, key=DELEGATE_KEY)
    assert code_of(delegate.cancel_all()) == "UNAUTHORIZED"
    ours.venue.add_delegate(UID, DELEGATE, Delegate())
    found = []
    for _ in range(3):
        found.append(code_of(delegate.cancel_all()) == "UNAUTHORIZED")
        delegate.now += 15.0
    assert found == waits


@pytest.mark.parametrize(("cached_s", "acts"), [(1800.0, True), (0.0, False)])
def test_a_removed_delegate_may_act_until_its_grant_is_forgotten(cached_s, acts):
    ours = caller()
    ours.choose(grants_cached_s=cached_s)
    delegate = replace(ours, key=DELEGATE_KEY)
    delegate.cancel_all()
    ours.venue.remove_delegate(UID, DELEGATE)
    delegate.now += 1799.0
    assert (code_of(delegate.cancel_all()) is None) is acts
    delegate.now += 1.0
    assert code_of(delegate.cancel_all()) == "UNAUTHORIZED"


def test_an_owner_reaches_its_own_subaccount_alone():
    ours = caller()
    theirs = replace(ours, uid=OTHER_UID)
    theirs.place("limit", "theirs")
    said = f"wallet {OWNER} is not authorized to act on this subaccount"
    assert error(theirs.cancel_all()) == unauthorised(said)
    assert error(theirs.ask("getOpenOrders")) == unauthorised(said)
    assert theirs.open() == ["theirs"]


def test_a_subaccount_and_an_address_pay_for_each_call_from_buckets_of_their_own():
    ours = caller(has_limits=True)
    found = fields(ours.cancel_all())
    assert found["rateLimit"] == {"requestsCap": 1000, "remainingTokens": 998}
    assert found["ipRateLimit"] == {"requestsCap": 10_000, "remainingTokens": 9998}
    found = fields(ours.ask("getOpenOrders"))
    assert found["rateLimit"]["remainingTokens"] == 988
    found = fields(replace(ours, key=STRANGER_KEY, uid=OTHER_UID, address="10.0.0.2").cancel_all())
    assert found["rateLimit"]["remainingTokens"] == 998
    assert found["ipRateLimit"]["remainingTokens"] == 9998


def test_an_empty_bucket_refuses_until_the_next_ten_seconds_and_uses_the_nonce():
    ours = caller(has_limits=True)
    ours.account.cap = 12
    assert fields(ours.cancel_all())["rateLimit"]["remainingTokens"] == 10
    assert fields(ours.ask("getOpenOrders"))["rateLimit"]["remainingTokens"] == 0
    ours.now = 1_704_067_209.999
    answer = ours.cancel_all()
    assert error(answer) == (429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded")
    assert fields(answer)["error"]["retryable"] is True
    assert fields(answer)["rateLimit"] == {"requestsCap": 12, "remainingTokens": 0}
    ours.now = 1_704_067_210.0
    ours.nonce -= 1
    assert error(ours.cancel_all()) == unauthorised("nonce already used")
    assert response(ours.cancel_all()) == []


def test_a_stranger_spends_the_bucket_of_its_address_and_not_of_the_subaccount():
    ours = caller(has_limits=True)
    found = fields(replace(ours, key=STRANGER_KEY).cancel_all())
    assert "rateLimit" not in found
    assert found["ipRateLimit"]["remainingTokens"] == 9998
    assert fields(ours.cancel_all())["rateLimit"]["remainingTokens"] == 998


def test_a_cancel_that_comes_too_late_costs_five_times_as_much():
    ours = caller(has_limits=True)
    ours.expires_after = 5
    assert fields(ours.cancel_all())["rateLimit"]["remainingTokens"] == 990
    assert "rateLimit" not in fields(ours.ask("getOpenOrders"))


def test_an_address_has_a_bucket_by_a_switch():
    ours = caller(has_limits=True)
    ours.public("getMarkets")
    ours.venue.buckets.by_name[ours.address].left = 0
    assert error(ours.public("getMarkets"))[:2] == (429, "RATE_LIMIT_EXCEEDED")
    ours.choose(has_address_limit=False)
    assert "ipRateLimit" not in fields(ours.public("getMarkets"))
