"""The policy file: what it may say, and what is said when it is wrong."""

import tomllib
from pathlib import Path

import pytest

from policies import model
from policies.model import Account, PolicyInvalid
from tests.policies.people import POLICY, TEXT

RULE = '[[rule]]\nname = "r"\naccounts = ["*"]\nask = ["t"]\napprove = [{ roles = ["t"] }]\n'
NO_ACCOUNTS = (
    'Rule "r" does not say which accounts it is for. '
    'Write accounts = ["*"] if it is for every account.'
)
NO_ID = (
    '"alice" at "roles.t.users.0" is not a Slack id. '
    "Users start with U or W, groups with S, workspaces with T."
)
SEE = "See the example policy for what it may be."
HEAD = 'workspaces = ["T0HOME"]\n[roles.t]\nusers = ["U0A"]\n'


def test_example_policy_is_valid():
    text = (Path(model.__file__).parent / "policy.toml").read_text()
    assert [rule.name for rule in model.parse(text).rules] == ["prod", "test venues"]


def test_policy_has_one_digest_whatever_its_layout():
    spaced = TEXT.replace(" = ", "   =  ").replace("\n[[", "\n\n\n[[")
    assert model.parse(spaced).digest == POLICY.digest
    assert len(POLICY.digest) == 64
    assert model.parse(TEXT.replace("request_ttl_min = 5", "request_ttl_min = 6")).digest != (
        POLICY.digest
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workspaces = [", "The policy is not valid TOML: @TOML@. Mend that line."),
        (
            HEAD + RULE + "askk = 1",
            'The policy has an unknown key "rule.0.askk". Did you mean ask?',
        ),
        (
            "worspaces = []\n" + HEAD + RULE,
            'The policy has an unknown key "worspaces". Did you mean workspaces?',
        ),
        (HEAD, 'The policy lacks "rule". Add it; nothing has a default.'),
        (
            HEAD + RULE.replace('ask = ["t"]', 'ask = ["tt"]'),
            'Rule "r" names the role "tt", which is not defined. Did you mean t?',
        ),
        (
            HEAD + RULE.replace('roles = ["t"]', 'roles = ["quants"]'),
            'Rule "r" names the role "quants", which is not defined. Known: t.',
        ),
        (
            HEAD + RULE + RULE,
            'Two rules are named "r". Give each rule a name of its own.',
        ),
        (
            HEAD + RULE.replace('accounts = ["*"]\n', ""),
            NO_ACCOUNTS,
        ),
        (
            (HEAD + RULE).replace("U0A", "alice"),
            NO_ID,
        ),
        (
            HEAD + RULE.replace('roles = ["t"] }', 'roles = ["t"], count = 0 }'),
            f'"rule.0.approve.0.count" is wrong: Input should be greater than or equal to 1. {SEE}',
        ),
        (
            HEAD + RULE + "request_ttl_min = 90",
            f'"rule.0.request_ttl_min" is wrong: Input should be less than or equal to 60. {SEE}',
        ),
        (
            HEAD + RULE.replace('{ roles = ["t"] }', '{ roles = ["t"], cuont = 2 }'),
            'The policy has an unknown key "rule.0.approve.0.cuont". Did you mean count?',
        ),
    ],
    ids=[
        "toml",
        "unknown key in a rule",
        "unknown key",
        "no rule",
        "role misspelt",
        "role unknown",
        "rule twice",
        "rule without accounts",
        "user id",
        "count",
        "ttl",
        "unknown key in a seat",
    ],
)
def test_wrong_policy_names_the_thing_and_the_remedy(text: str, said: str):
    with pytest.raises(PolicyInvalid) as caught:
        model.parse(text)
    if "@TOML@" in said:
        with pytest.raises(tomllib.TOMLDecodeError) as toml:
            tomllib.loads(text)
        said = said.replace("@TOML@", str(toml.value))
    assert str(caught.value) == said


def test_rule_matches_only_if_every_criterion_does():
    rule = model.Rule(
        name="r",
        accounts=("mm",),
        venues=("bybit",),
        tags={"env": "prod"},
        ask=("t",),
        approve=(),
    )
    assert rule.matches(Account(name="mm", venue="bybit", tags=(("env", "prod"),)))
    assert not rule.matches(Account(name="mm", venue="bybit", tags=(("env", "test"),)))
    assert not rule.matches(Account(name="mm", venue="paper", tags=(("env", "prod"),)))
    assert not rule.matches(Account(name="arb", venue="bybit", tags=(("env", "prod"),)))
