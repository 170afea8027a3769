"""What is said of a key: nothing odd in it may disarm an account but the account itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters import bybit_keys
from adapters.contract import VenueReplyInvalid
from tests.adapters.bybit_world import REPLIES

RECORDED = REPLIES["query-api"]["body"]["result"]
TRADER = {
    "userID": "1234567",
    "readOnly": 0,
    "permissions": {"Spot": ["SpotTrade"]},
    "ips": ["203.0.113.7"],
}
LACKING = (
    "the key has no permission to cancel linear and inverse orders",
    "the key has no permission to cancel option orders",
)


def test_the_recorded_key_is_read():
    facts = bybit_keys.parse_key(RECORDED)
    assert facts.accounts == ("1448939",)
    assert facts.is_read_only is True
    assert facts.can_cancel is False
    assert facts.can_withdraw is False
    assert facts.expires is None
    assert facts.bound_addresses == ("18.181.170.164", "13.212.45.47", "13.212.45.48")
    assert facts.warnings == (
        "the key is read-only and cannot cancel",
        "the key may transfer between wallets or accounts",
        "the key may do more than trade: BitCard, Earn, Exchange, FiatBitPay, FiatP2P",
    )


def test_a_key_that_may_withdraw_or_is_unbound_is_named():
    result = RECORDED | {
        "ips": ["*"],
        "readOnly": 0,
        "permissions": {"Wallet": ["Withdraw"], "NewPower": ["X"], "Spot": ["SpotTrade"]},
        "deadlineDay": 83,
        "expiredAt": "2027-02-12T00:00:00Z",
    }
    facts = bybit_keys.parse_key(result)
    assert facts.can_withdraw is True
    assert facts.can_cancel is True
    assert facts.bound_addresses == ()
    assert facts.expires == datetime(2027, 2, 12, tzinfo=UTC)
    assert facts.warnings == (
        "the key has no permission to cancel linear and inverse orders",
        "the key has no permission to cancel option orders",
        "the key is not bound to an address and expires 90 days after it was made",
        "the key may withdraw: replace it by one that may only trade",
        "the key may do more than trade: NewPower",
    )


@pytest.mark.parametrize(
    ("odd", "field"),
    [
        ({"permissions": {"Spot": ["SpotTrade"], "New": 7}}, "permissions.New"),
        ({"permissions": {"Spot": ["SpotTrade"], "New": [7]}}, "permissions.New"),
        ({"ips": 7}, "ips"),
        ({"ips": ["203.0.113.7", 7]}, "ips"),
        ({"expiredAt": 0}, "expiredAt"),
        ({"expiredAt": "soon"}, "expiredAt"),
    ],
)
def test_what_cannot_be_read_of_a_key_is_unknown_and_said(odd: dict[str, object], field: str):
    facts = bybit_keys.parse_key(TRADER | odd)
    assert facts.accounts == ("1234567",)
    assert facts.can_cancel is True
    assert facts.can_withdraw is False
    assert facts.expires is None
    said = f"what Bybit says of the key could not be read in full: {field}"
    assert facts.warnings == (*LACKING, said)


@pytest.mark.parametrize("permissions", [None, 7, ["Spot"]])
def test_permissions_that_cannot_be_read_are_neither_held_nor_lacking(permissions: object):
    facts = bybit_keys.parse_key(TRADER | {"permissions": permissions})
    assert (facts.can_cancel, facts.can_withdraw) == (None, None)
    assert facts.warnings == ("what Bybit says of the key could not be read in full: permissions",)


def test_a_wallet_permission_that_cannot_be_read_may_be_to_withdraw():
    held = {"Spot": ["SpotTrade"], "Wallet": {"Withdraw": 1}}
    assert bybit_keys.parse_key(TRADER | {"permissions": held}).can_withdraw is None


def test_a_permission_alone_is_read_as_a_list_of_one():
    held = {"Spot": "SpotTrade", "Wallet": "Withdraw"}
    assert bybit_keys.parse_key(TRADER | {"permissions": held}).can_withdraw is True
    assert bybit_keys.parse_key(TRADER | {"ips": "*"}).bound_addresses == ()


@pytest.mark.parametrize(
    ("said", "is_read_only", "can_cancel"),
    [
        (0, False, True),
        ("1", True, False),
        (None, None, None),
        ("no", None, None),
        ([], None, None),
    ],
)
def test_a_key_that_does_not_say_whether_it_may_write_may_or_may_not_cancel(
    said: object,
    is_read_only: bool | None,  # noqa: FBT001
    can_cancel: bool | None,  # noqa: FBT001
):
    facts = bybit_keys.parse_key(TRADER | {"readOnly": said})
    assert (facts.is_read_only, facts.can_cancel) == (is_read_only, can_cancel)


def test_deadline_days_that_are_not_days_are_not_looked_at():
    assert bybit_keys.parse_key(TRADER | {"deadlineDay": 1.5}).warnings == LACKING


@pytest.mark.parametrize("uid", [None, "", "x", 1.5, True, [1]])
def test_whose_key_it_is_must_be_told(uid: object):
    with pytest.raises(VenueReplyInvalid):
        bybit_keys.parse_key(TRADER | {"userID": uid})
