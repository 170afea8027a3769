"""What Bybit tells of a key and of itself when it is asked at leisure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.bybit_facts import NOT_LISTED
from adapters.bybit_keys import MORE_MEMBERS, NOT_UNIFIED
from adapters.contract import (
    KeyFacts,
    VenueAuthRefused,
    VenueBanned,
    VenueReplyInvalid,
    VenueThrottled,
)
from bot.sandbox.venues.bybit import PERMISSIONS, Key, SimulatedBybit
from bot.sandbox.venues.faults import Wrong
from tests.adapters.conformance.bench import Bench, play
from tests.adapters.conformance.subjects import BYBIT

MEMBERS = "/v5/user/query-sub-members"
BOUND = Key(uid="1001", secret="kit-secret-1", ips=("10.0.0.1",))
"""As a key there should be."""
MASTER = replace(BOUND, permissions={**PERMISSIONS, "Wallet": ["SubMemberTransferList"]})


def simulated(bench: Bench) -> SimulatedBybit:
    """Return the venue that is simulated, as what it is."""
    assert isinstance(bench.simulated, SimulatedBybit)
    return bench.simulated


def inspected(key: Key, **members: tuple[str, ...]) -> KeyFacts:
    """Inspect a key of account 1001."""

    async def act(bench: Bench) -> KeyFacts:
        simulated(bench).keys["KITKEY0001"] = key
        simulated(bench).members |= members
        return await bench.adapter().inspect()

    return play(BYBIT, act)


def test_a_key_as_it_should_be_leaves_one_thing_untold():
    assert inspected(BOUND) == KeyFacts(
        accounts=("1001",),
        can_cancel=True,
        can_withdraw=False,
        is_read_only=False,
        bound_addresses=("10.0.0.1",),
        expires=None,
        warnings=(NOT_LISTED,),
        subaccounts=(),
    )


@pytest.mark.parametrize("day", [4, 6], ids=["13 days from now", "15 days from now"])
def test_the_day_a_key_dies_is_told(day: int):
    facts = inspected(Key(uid="1001", secret="kit-secret-1", expires=f"2026-12-0{day}T03:00:00Z"))
    assert facts.expires == datetime(2026, 12, day, 3, 0, tzinfo=UTC)
    assert facts.bound_addresses == ()


def test_a_key_of_another_account_names_that_account():
    assert inspected(replace(BOUND, uid="1002")).accounts == ("1002",)


def test_a_key_that_may_withdraw_is_named():
    facts = inspected(replace(BOUND, permissions={**PERMISSIONS, "Wallet": ["Withdraw"]}))
    assert facts.can_withdraw is True
    assert "the key may withdraw: replace it by one that may only trade" in facts.warnings


def test_a_read_only_key_cannot_cancel():
    facts = inspected(replace(BOUND, is_read_only=True))
    assert (facts.can_cancel, facts.is_read_only) == (False, True)


def test_a_key_that_is_bound_to_another_address_is_refused():
    async def act(bench: Bench) -> None:
        simulated(bench).keys["KITKEY0001"] = replace(BOUND, ips=("192.0.2.1",))
        with pytest.raises(VenueAuthRefused) as caught:
            await bench.adapter().inspect()
        assert caught.value.venue_code == "10010"

    play(BYBIT, act)


def test_a_master_key_that_may_is_told_the_sub_accounts():
    facts = inspected(MASTER, **{"1001": ("2002", "2001")})
    assert facts.subaccounts == ("2001", "2002")
    assert NOT_LISTED not in facts.warnings
    assert inspected(MASTER).subaccounts == ()


@pytest.mark.parametrize(
    "key", [BOUND, replace(MASTER, master="1000")], ids=["may not transfer", "is a sub-account's"]
)
def test_a_key_that_may_not_list_sub_accounts_does_not_ask(key: Key):
    async def act(bench: Bench) -> KeyFacts:
        simulated(bench).keys["KITKEY0001"] = key
        facts = await bench.adapter().inspect()
        assert [seen.path for seen in bench.simulated.log[-1:]] == ["/v5/user/query-api"]
        return facts

    facts = play(BYBIT, act)
    assert facts.subaccounts == ()
    assert NOT_LISTED in facts.warnings


def test_a_list_of_sub_accounts_that_is_denied_is_not_told():
    async def act(bench: Bench) -> KeyFacts:
        simulated(bench).keys["KITKEY0001"] = MASTER
        bench.fail(Wrong.LACKS_PERMISSION, MEMBERS)
        return await bench.adapter().inspect()

    assert NOT_LISTED in play(BYBIT, act).warnings


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (Wrong.TOO_MANY, VenueThrottled),
        (Wrong.HTML, VenueReplyInvalid),
        (Wrong.REFUSED_KEY, VenueAuthRefused),
    ],
)
def test_a_list_of_sub_accounts_that_fails_is_no_empty_one(wrong: Wrong, kind: type):
    async def act(bench: Bench) -> None:
        simulated(bench).keys["KITKEY0001"] = MASTER
        bench.fail(wrong, MEMBERS)
        with pytest.raises(kind):
            await bench.adapter().inspect()

    play(BYBIT, act)


@pytest.mark.parametrize(
    "result", [{}, {"subMembers": None}, {"subMembers": [{"username": "x"}]}, [], None]
)
def test_what_is_no_list_of_sub_accounts_is_refused(result: object):
    async def act(bench: Bench) -> None:
        simulated(bench).keys["KITKEY0001"] = MASTER
        bench.doctor(MEMBERS, lambda answer: answer | {"result": result})
        with pytest.raises(VenueReplyInvalid, match="sub-accounts"):
            await bench.adapter().inspect()

    play(BYBIT, act)


def test_a_list_of_ten_thousand_may_not_be_all():
    rows = [{"uid": str(number)} for number in range(10_000)]

    async def act(bench: Bench) -> KeyFacts:
        simulated(bench).keys["KITKEY0001"] = MASTER
        bench.doctor(MEMBERS, lambda answer: answer | {"result": {"subMembers": rows}})
        return await bench.adapter().inspect()

    assert MORE_MEMBERS in play(BYBIT, act).warnings


@pytest.mark.parametrize("uta", [0, None, "x"])
def test_an_account_that_is_not_called_unified_is_named(uta: object):
    async def act(bench: Bench) -> KeyFacts:
        def edit(answer: dict[str, dict[str, object]]) -> object:
            return answer | {"result": answer["result"] | {"uta": uta}}

        bench.doctor("/v5/user/query-api", edit)
        return await bench.adapter().inspect()

    assert NOT_UNIFIED in play(BYBIT, act).warnings


@pytest.mark.parametrize(
    ("ahead_s", "tolerated_s"), [(40.0, 5.0), (-40.0, 1.0)], ids=["Bybit is ahead", "we are"]
)
def test_a_look_tells_how_far_the_clocks_are_apart(ahead_s: float, tolerated_s: float):
    async def act(bench: Bench) -> None:
        bench.simulated.skew_s = ahead_s
        facts = await bench.venue.look()
        assert facts.rtt_s == pytest.approx(0.05)
        assert facts.skew_s == pytest.approx(ahead_s, abs=0.001)
        assert facts.skew_error_s == pytest.approx(0.025)
        assert facts.skew_max_s == tolerated_s
        assert facts.warnings == ()

    play(BYBIT, act)


def test_a_look_while_we_are_shut_out_says_so_and_does_not_knock():
    async def act(bench: Bench) -> None:
        venue: Any = bench.venue
        venue.link.shut(bench.carrier.now().replace(hour=4))
        with pytest.raises(VenueBanned):
            await bench.venue.look()
        assert bench.carrier.calls == []

    play(BYBIT, act)
