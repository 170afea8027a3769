"""What a check says of one key, as its venue tells of it."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.contract import KeyFacts
from bot.checks import keyfacts
from bot.checks.keyfacts import Inspected, KeyUse
from tests.domain.test_plan import entry
from tests.policies.people import NOW

STORE = (
    "Store an API key of that very account that may trade and nothing else, bound to the "
    "addresses of this machine."
)
ONLY_READ = "Store one that may only read, or leave read_key out."


def lines(use: KeyUse, **told: Any) -> list[str]:
    facts: dict[str, Any] = {
        "accounts": ("1001",),
        "can_cancel": True,
        "can_withdraw": False,
    } | told
    seen = Inspected(account=entry("mm"), use=use, facts=KeyFacts(**facts), now=NOW)
    return [f"{each.grade.value} {each.words}" for each in keyfacts.findings(seen)]


FINE = "fine mm: the key is of this account and may cancel"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, [f"{FINE}. "]),
        (
            {"bound_addresses": ("203.0.113.7",), "expires": NOW + timedelta(days=14)},
            [f"{FINE}, bound to 203.0.113.7, good until 2026-12-05. "],
        ),
        (
            {"accounts": ("777",), "can_cancel": False, "warnings": ("the key may transfer",)},
            [
                (
                    "wrong mm: the key is of 777, and the config says 1001. "
                    "Mend uid, or store the key of this account."
                )
            ],
        ),
        (
            {"accounts": ()},
            [
                (
                    "wrong mm: the key is of no account there, and the config says 1001. "
                    "Mend uid, or store the key of this account."
                )
            ],
        ),
        (
            {"can_cancel": False, "warnings": ("the key is read-only and cannot cancel",)},
            [
                f"wrong mm: the key cannot cancel. {STORE}",
                "fine mm: the key is of this account. ",
            ],
        ),
        (
            {"can_cancel": None, "can_withdraw": None},
            [
                "unknown mm: the venue does not tell whether the key may cancel. ",
                "unknown mm: the venue does not tell whether the key may withdraw. ",
                "fine mm: the key is of this account. ",
            ],
        ),
        ({"can_withdraw": True}, [f"warning mm: the key may withdraw. {STORE}", f"{FINE}. "]),
        (
            {"can_withdraw": True, "warnings": ("the key may withdraw: no other may trade",)},
            ["warning mm: the key may withdraw: no other may trade. ", f"{FINE}. "],
        ),
        (
            {"expires": NOW + timedelta(days=13, hours=23)},
            [
                f"warning mm: the key expires on 2026-12-05, in 13 days. {STORE}",
                f"{FINE}, good until 2026-12-05. ",
            ],
        ),
        (
            {"expires": NOW},
            [
                f"wrong mm: the key expired on 2026-11-21. {STORE}",
                f"{FINE}, good until 2026-11-21. ",
            ],
        ),
        (
            {"warnings": ("the key has no permission to cancel option orders",)},
            ["warning mm: the key has no permission to cancel option orders. ", f"{FINE}. "],
        ),
    ],
    ids=[
        *("good", "bound", "of another", "of none", "read-only", "not told", "may withdraw"),
        *("may withdraw, and why", "13 days", "expired", "half a right"),
    ],
)
def test_facts_of_a_key_that_must_cancel(told: dict[str, Any], said: list[str]):
    assert lines(KeyUse.TRADE, **told) == [each.rstrip() for each in said]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            {"can_cancel": False, "warnings": ("the key is read-only and cannot cancel",)},
            ["fine mm: the read key is of this account."],
        ),
        (
            {},
            [
                f"warning mm: the read key may cancel, not only read. {ONLY_READ}",
                "fine mm: the read key is of this account.",
            ],
        ),
        (
            {"can_cancel": False, "can_withdraw": True, "warnings": ("it may lapse",)},
            [
                f"warning mm: the read key may withdraw. {ONLY_READ}",
                "warning mm: read key: it may lapse.",
                "fine mm: the read key is of this account.",
            ],
        ),
    ],
    ids=["good", "may cancel", "may withdraw"],
)
def test_facts_of_a_key_that_must_only_read(told: dict[str, Any], said: list[str]):
    assert lines(KeyUse.READ, **told) == said
