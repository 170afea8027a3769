"""What Synthetix tells of a key and of itself when it is asked at leisure."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import KeyFacts, VenueAuthRefused, VenueRefused, VenueReplyInvalid
from adapters.synthetix_facts import LINGERS, MAY_DELEGATE, NO_SIBLINGS, OWNER
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Wrong
from bot.sandbox.venues.synthetix import SimulatedSynthetix
from bot.sandbox.venues.synthetix_accounts import Account, Delegate
from tests.adapters.conformance.bench import Bench, play
from tests.adapters.conformance.subjects import SYNTHETIX, _wallet

UIDS = tuple(str(1_867_542_890_123_456_789 + number) for number in range(5))
MINE = UIDS[0]
UNLISTED = "1867542890123450000"
"""One more of the same owner, which the key's document does not name."""
OWNER_ADDRESS, OWNER_KEY = _wallet("46")
DELEGATE = _wallet("47")[0]
OWNERS = {"private_key": OWNER_KEY, "accounts": list(UIDS)}
IDS, DELEGATES = "/v1/info/getSubAccountIds", "/v1/trade/getDelegatedSigners"
SIBLINGS = "/v1/trade/getSubAccounts"


def simulated(bench: Bench) -> SimulatedSynthetix:
    """Return the venue that is simulated, as what it is."""
    assert isinstance(bench.simulated, SimulatedSynthetix)
    return bench.simulated


def delegate(bench: Bench, **more: Any) -> None:
    """Give the kit's signer another delegation to its subaccount."""
    simulated(bench).add_delegate(MINE, DELEGATE, Delegate(**more))


def test_a_delegate_as_it_should_be_is_told_of_all_its_owner_has():
    async def act(bench: Bench) -> KeyFacts:
        simulated(bench).add_account(Account(uid=UNLISTED, owner=OWNER_ADDRESS))
        return await bench.adapter().inspect()

    assert play(SYNTHETIX, act) == KeyFacts(
        accounts=UIDS, can_cancel=True, can_withdraw=False, subaccounts=(UNLISTED, *UIDS)
    )


@pytest.mark.parametrize("day", [4, 6], ids=["13 days from now", "15 days from now"])
def test_the_day_a_delegation_ends_is_told(day: int):
    ends = datetime(2026, 12, day, 3, 0, tzinfo=UTC)

    async def act(bench: Bench) -> KeyFacts:
        delegate(bench, expires_at=ends.timestamp())
        return await bench.adapter().inspect()

    facts = play(SYNTHETIX, act)
    assert (facts.expires, facts.warnings) == (ends, ())


@pytest.mark.parametrize(
    ("told", "expires", "warnings"),
    [
        (None, None, 0),
        (0, None, 0),
        ("", None, 0),
        (1_796_353_200_000, datetime(2026, 12, 4, 3, 0, tzinfo=UTC), 0),
        ("1796353200000", datetime(2026, 12, 4, 3, 0, tzinfo=UTC), 0),
        (1_796_353_200, datetime(2026, 12, 4, 3, 0, tzinfo=UTC), 0),
        ("2026-12-04T03:00:00Z", datetime(2026, 12, 4, 3, 0, tzinfo=UTC), 0),
        ("soon", None, 1),
        ({}, None, 1),
        (True, None, 1),
    ],
)
def test_every_spelling_of_an_end_is_read_or_said_to_be_unread(told, expires, warnings: int):
    def edit(answer: Any) -> Any:
        for row in answer["response"]["delegatedSigners"]:
            row["expiresAt"] = told
        return answer

    async def act(bench: Bench) -> KeyFacts:
        bench.doctor(DELEGATES, edit)
        return await bench.adapter().inspect()

    facts = play(SYNTHETIX, act)
    assert (facts.expires, len(facts.warnings)) == (expires, warnings)


def test_a_delegate_that_may_delegate_is_named():
    async def act(bench: Bench) -> KeyFacts:
        delegate(bench, permission="delegate")
        return await bench.adapter().inspect()

    facts = play(SYNTHETIX, act)
    assert (facts.can_cancel, facts.can_withdraw, facts.warnings) == (True, False, (MAY_DELEGATE,))


def test_the_old_name_of_a_permission_lets_trade():
    async def act(bench: Bench) -> bool | None:
        delegate(bench, permission="trading")
        return (await bench.adapter().inspect()).can_cancel

    assert play(SYNTHETIX, act) is True


def test_an_owners_key_is_named():
    async def act(bench: Bench) -> KeyFacts:
        return await bench.adapter(OWNERS).inspect()

    assert play(SYNTHETIX, act) == KeyFacts(
        accounts=UIDS, can_cancel=True, can_withdraw=True, warnings=(OWNER,), subaccounts=UIDS
    )


def test_a_key_of_nobodys_is_refused_by_the_venue():
    async def act(bench: Bench) -> None:
        with pytest.raises(VenueAuthRefused) as caught:
            await bench.adapter(SYNTHETIX.stranger).inspect()
        assert "not authorized" in caught.value.user_message

    play(SYNTHETIX, act)


def test_a_delegation_that_was_removed_is_none_though_it_lingers():
    async def act(bench: Bench) -> KeyFacts:
        await bench.adapter().open_orders(bench.scope, pages_max=1)  # Now the venue remembers it.
        simulated(bench).remove_delegate(MINE, DELEGATE)
        return await bench.adapter().inspect()

    facts = play(SYNTHETIX, act)
    assert facts.accounts == UIDS[1:]
    assert facts.can_cancel is None
    assert facts.warnings == (LINGERS,)


def test_a_manager_is_let_act_though_it_is_no_delegate():
    def edit(answer: Any) -> Any:
        answer["response"] |= {"delegatedSubAccountIds": [], "managedSubAccountIds": list(UIDS)}
        return answer

    async def act(bench: Bench) -> KeyFacts:
        await bench.adapter().open_orders(bench.scope, pages_max=1)
        simulated(bench).remove_delegate(MINE, DELEGATE)
        bench.doctor(IDS, edit)
        return await bench.adapter().inspect()

    facts = play(SYNTHETIX, act)
    assert (facts.accounts, facts.can_cancel, facts.warnings) == (UIDS, None, ())


def test_an_account_that_the_document_does_not_name_is_not_the_keys():
    async def act(bench: Bench) -> tuple[str, ...]:
        secret = {**SYNTHETIX.secret, "accounts": [UIDS[1]]}
        return (await bench.adapter(secret).inspect()).accounts

    assert play(SYNTHETIX, act) == (UIDS[1],)


def test_an_older_server_lists_what_is_owned_alone():
    async def act(bench: Bench) -> KeyFacts:
        bench.doctor(IDS, lambda answer: answer | {"response": answer["response"]["subAccountIds"]})
        return await bench.adapter().inspect()

    facts = play(SYNTHETIX, act)  # That it is a delegate of its own shows in the other list.
    assert (facts.accounts, facts.can_cancel, facts.subaccounts) == ((MINE,), True, UIDS)


def test_siblings_that_are_not_told_are_said_to_be_untold():
    async def act(bench: Bench) -> KeyFacts:
        bench.fail(Wrong.LACKS_PERMISSION, SIBLINGS)
        return await bench.adapter().inspect()

    facts = play(SYNTHETIX, act)
    assert (facts.subaccounts, facts.warnings) == (UIDS, (NO_SIBLINGS,))


def test_siblings_that_a_firewall_keeps_from_us_are_asked_for_another_time():
    async def act(bench: Bench) -> None:
        honest = bench.simulated.answer

        def answered(request: Request, now: float) -> Answer:
            is_meant = b"getSubAccounts" in request.body
            return Answer(status=403, body=b"") if is_meant else honest(request, now)

        bench.simulated.answer = answered  # type: ignore[method-assign]
        with pytest.raises(VenueRefused, match="stopped on its way"):
            await bench.adapter().inspect()

    play(SYNTHETIX, act)


def test_the_delegation_of_another_signer_is_not_ours():
    async def act(bench: Bench) -> KeyFacts:
        other = Delegate(permission="delegate", expires_at=1_796_353_200.0)
        simulated(bench).add_delegate(MINE, OWNER_ADDRESS, other)
        return await bench.adapter().inspect()

    facts = play(SYNTHETIX, act)
    assert (facts.expires, facts.warnings) == (None, ())


@pytest.mark.parametrize(
    ("path", "response"),
    [
        (IDS, {}),
        (IDS, None),
        (IDS, {"subAccountIds": []}),
        (IDS, [1.5]),
        (IDS, ["007"]),
        (IDS, {"subAccountIds": [], "delegatedSubAccountIds": [None]}),
        (DELEGATES, {}),
        (DELEGATES, []),
        (DELEGATES, {"delegatedSigners": [{"walletAddress": "0x"}]}),
        (SIBLINGS, {}),
        (SIBLINGS, {"subAccounts": [{}]}),
    ],
)
def test_a_list_that_is_not_as_documented_is_refused(path: str, response: object):
    async def act(bench: Bench) -> None:
        bench.doctor(path, lambda answer: answer | {"response": response})
        with pytest.raises(VenueReplyInvalid):
            await bench.adapter().inspect()

    play(SYNTHETIX, act)


def test_asking_burns_no_nonce():
    async def act(bench: Bench) -> None:
        await bench.adapter().inspect()
        assert simulated(bench).registry.nonces == {}

    play(SYNTHETIX, act)


def test_an_older_server_is_asked_once_more_with_a_nonce():
    said = {"code": "MISSING_REQUIRED_FIELD", "message": "nonce is required for this operation"}
    refusal = Answer(status=400, body=json.dumps({"status": "error", "error": said}).encode())

    async def act(bench: Bench) -> KeyFacts:
        honest = bench.simulated.answer

        def answered(request: Request, now: float) -> Answer:
            is_plain = request.path == "/v1/trade" and b'"nonce"' not in request.body
            return refusal if is_plain else honest(request, now)

        bench.simulated.answer = answered  # type: ignore[method-assign]
        facts = await bench.adapter().inspect()
        assert len(bench.carrier.calls) == 4  # The third question knows already.
        return facts

    assert play(SYNTHETIX, act).accounts == UIDS


def test_a_look_tells_how_far_the_clocks_are_apart():
    async def act(bench: Bench) -> None:
        bench.simulated.skew_s = 40.25
        facts = await bench.venue.look()
        assert facts.rtt_s == pytest.approx(0.05)
        assert facts.skew_s == pytest.approx(40.25, abs=0.001)
        assert facts.skew_error_s == pytest.approx(0.025)
        assert facts.skew_max_s == 60.0

    play(SYNTHETIX, act)


@pytest.mark.parametrize(
    ("told", "skew_s", "error_s"),
    [
        ("2026-11-21T03:00:41Z", 40.475, 0.525),  # It may show whole seconds.
        ("2026-11-21T03:00:41.250Z", 40.225, 0.025),
        (None, None, 0.0),
        ("soon", None, 0.0),
    ],
)
def test_a_time_in_whole_seconds_is_known_to_be_coarse(told, skew_s, error_s):
    async def act(bench: Bench) -> None:
        bench.doctor("/v1/info/getMarkets", lambda answer: answer | {"timestamp": told})
        facts = await bench.venue.look()  # Asked at 03:00:01, which took 0.05 s.
        assert facts.skew_s == (skew_s if skew_s is None else pytest.approx(skew_s))
        assert facts.skew_error_s == pytest.approx(error_s)

    play(SYNTHETIX, act)


def test_the_kits_delegate_is_no_delegate_of_a_bystander():
    async def act(bench: Bench) -> None:
        with pytest.raises(VenueAuthRefused):
            await bench.adapter().inspect()

    play(replace(SYNTHETIX, uid=SYNTHETIX.bystander), act)
