"""What a check says of people: who may ask, who is left to approve, who may pull."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot.checks import policy
from bot.domain import finding as findings
from bot.domain.finding import Checkup
from policies import model
from policies.model import Actor
from tests.domain.test_plan import entry
from tests.policies.people import ALICE, BOB, CAROL, HEAD, NOW, TEXT, person

ACCOUNTS = (
    entry("mm", tags=(("env", "prod"),)),
    entry("whale", tags=()),
    entry("toy", venue="paper", tags=()),
)
ZOE = person("U0ZOE", "S0TRADERS", "S0RISK")
GONE = replace(person("U0GONE", "S0RISK"), is_deactivated=True)
ALL_FINE = [
    "fine     policy   all: 3 people suffice at least (alice asks, bob, head approve).",
    "fine     policy   rule big, rule prod: alice may ask, and others can approve.",
    "fine     policy   rule test: alice may ask, and nobody needs to agree.",
]


def lines(roster: Sequence[Actor], text: str = TEXT, accounts: Any = ACCOUNTS) -> list[str]:
    config: Any = SimpleNamespace(policy=model.parse(text), accounts=accounts)
    return [each.line for each in findings.arranged(policy.of_people(config, roster))]


def test_people_who_suffice_are_counted_and_named():
    assert lines([ALICE, BOB, CAROL, HEAD]) == ALL_FINE


@pytest.mark.parametrize(
    ("roster", "said"),
    [
        (
            [ALICE, BOB, CAROL],
            [
                (
                    "wrong    policy   role head: Slack knows nobody as U0HEAD. "
                    "Mend the ids: a member's profile shows theirs."
                ),
                (
                    "wrong    policy   rule big: Nobody can fill 1 of head (rule big), whoever "
                    "asks. "
                    "Mend the policy, or add people to its roles."
                ),
            ],
        ),
        (
            [BOB, HEAD],
            [
                (
                    "wrong    policy   rule big: nobody who is left in its roles may ask for "
                    "whale. "
                    "Mend the policy, or add people to its roles."
                ),
                (
                    "wrong    policy   rule prod: nobody who is left in its roles may ask for mm. "
                    "Mend the policy, or add people to its roles."
                ),
                (
                    "wrong    policy   rule test: nobody who is left in its roles may ask for toy. "
                    "Mend the policy, or add people to its roles."
                ),
            ],
        ),
        (
            [ALICE, ZOE, HEAD],
            [
                (
                    "warning  policy   rule big: if zoe asks, nobody is left to approve. "
                    "Add somebody else to the roles that approve."
                ),
            ],
        ),
        (
            [ALICE, BOB, HEAD, GONE],
            [
                (
                    "warning  policy   role risk: these do not count: gone's account is "
                    "deactivated. "
                    "Take them out, so that nobody waits for them."
                ),
            ],
        ),
    ],
    ids=["a seat that nobody fills", "nobody asks", "the only approver asks", "somebody has left"],
)
def test_what_is_wrong_with_people_is_told(roster: list[Actor], said: list[str]):
    found = [line for line in lines(roster) if not line.startswith("fine")]
    assert found == said


def test_accounts_that_nobody_may_ask_for_together_are_told():
    text = TEXT.replace('venues = ["paper"]\nask = ["traders"', 'venues = ["paper"]\nask = ["risk"')
    assert (
        "warning  policy   all: nobody may ask for every account in one request: /cancelall all "
        "means only one's own. See to it that those who may ask are on duty together."
    ) in lines([ALICE, BOB, HEAD], text)


def test_accounts_that_cannot_be_approved_together_are_told():
    """Each alone could be: by the other of the two."""
    text = """\
workspaces = ["T0HOME"]
[roles.a]
users = ["U0A"]
[roles.b]
users = ["U0B"]
[roles.both]
users = ["U0A", "U0B"]
[[rule]]
name = "one"
accounts = ["mm"]
ask = ["both"]
approve = [{ roles = ["a"] }]
[[rule]]
name = "two"
accounts = ["whale"]
ask = ["both"]
approve = [{ roles = ["b"] }]
"""
    said = lines([person("U0A"), person("U0B")], text, ACCOUNTS[:2])
    assert said[0] == (
        "wrong    policy   all: a, b may ask for all, and nobody could approve that. "
        "Mend the policy, or add people to its roles."
    )


GLASS = TEXT.replace("ask =", 'break_glass = ["head"]\nask =')


@pytest.mark.parametrize(
    ("text", "people", "said"),
    [
        (GLASS, {"hal": "U0HEAD"}, ["fine     policy   break glass: hal may pull on this host."]),
        (
            GLASS,
            {"al": "U0ALICE"},
            [
                (
                    "warning  policy   break glass: no user of this host stands for U0HEAD. "
                    'Add a line for each under [console] people: osuser = "U…".'
                ),
                (
                    "warning  policy   break glass: nobody could pull mm, whale, toy here if Slack "
                    "were gone. Give every rule a break_glass role that names people, and map "
                    "them under "
                    "[console]."
                ),
                (
                    "warning  policy   break glass, al: no rule lets U0ALICE break the glass. "
                    "Take the line out of [console] people, or add the person to such a role."
                ),
            ],
        ),
        (
            GLASS.replace('break_glass = ["head"]\n', "", 1),
            {"hal": "U0HEAD"},
            [
                (
                    "warning  policy   break glass: nobody could pull mm here if Slack were "
                    "gone. Give "
                    "every rule a break_glass role that names people, and map them under [console]."
                ),
            ],
        ),
    ],
    ids=["somebody may", "nobody who may is mapped", "one rule lists nobody"],
)
def test_who_may_pull_on_a_console_is_told(text: str, people: dict[str, str], said: list[str]):
    accounts = [account.for_policy() for account in ACCOUNTS]
    found = policy.of_consoles(model.parse(text), people, accounts)
    assert sorted(each.line for each in found) == sorted(said)


def test_one_more_who_does_not_count_is_news_beside_those_who_did_not_before():
    gina = person("U0GINA", "S0RISK", is_guest=True)
    checkups = []
    for roster in ([ALICE, BOB, HEAD, CAROL, gina], [ALICE, BOB, HEAD, GONE, gina]):
        config: Any = SimpleNamespace(policy=model.parse(TEXT), accounts=ACCOUNTS)
        found = tuple(policy.of_people(config, roster))
        checkups.append(Checkup(at=NOW, findings=found))
    (new,) = findings.change(*checkups).new
    assert "gone's account is deactivated" in new.text
