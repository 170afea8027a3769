"""The policy file: what it may say, and what is said when it is wrong."""

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from policies import model
from policies.explain import PolicyInvalid
from policies.model import Account
from tests.policies.people import POLICY, TEXT

RULE = '[[rule]]\nname = "r"\naccounts = ["*"]\nask = ["t"]\napprove = [{ roles = ["t"] }]\n'
NO_ACCOUNTS = (
    'Rule "r" does not say which accounts it is for. '
    'Write accounts = ["*"] if it is for every account.'
)
STARTS = "Users start with U or W, groups with S, workspaces with T."
NO_ID = f'Role "t": "alice" in "users" is not a Slack id. {STARTS}'
NO_MACHINE = "which names no machine. Write it as machine:grafana, or delete it."
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
            'Rule "r" has an unknown key "askk". Did you mean ask?',
        ),
        (
            "worspaces = []\n" + HEAD + RULE,
            'The policy has an unknown key "worspaces". Did you mean workspaces?',
        ),
        (HEAD, "The policy has no list of rules. Begin each with [[rule]]."),
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
            f'Rule "r", seat 1: "count" must be at least 1. {SEE}',
        ),
        (
            HEAD + RULE + "request_ttl_min = 90",
            f'Rule "r": "request_ttl_min" must be at most 60. {SEE}',
        ),
        (
            HEAD + RULE.replace('{ roles = ["t"] }', '{ roles = ["t"], cuont = 2 }'),
            'Rule "r", seat 1 has an unknown key "cuont". Did you mean count?',
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


WRONG: dict[str, tuple[str, str]] = {
    "misspelt table": (
        HEAD + RULE.replace("[[rule]]", "[[rules]]"),
        'The policy has an unknown key "rules". Did you mean rule or roles?',
    ),
    "misspelt workspaces": (
        (HEAD + RULE).replace("workspaces", "workspace"),
        'The policy has an unknown key "workspace". Did you mean workspaces?',
    ),
    "misspelt key of a role": (
        HEAD.replace("users", "user") + RULE,
        'Role "t" has an unknown key "user". Did you mean users?',
    ),
    "no workspaces": (
        HEAD.replace('"T0HOME"', "") + RULE,
        f'The policy: "workspaces" must not be empty. {SEE}',
    ),
    "workspaces left out": (
        HEAD.replace('workspaces = ["T0HOME"]', "") + RULE,
        'The policy lacks "workspaces". Add it.',
    ),
    "workspace id": (
        HEAD.replace("T0HOME", "home") + RULE,
        f'The policy: "home" in "workspaces" is not a Slack id. {STARTS}',
    ),
    "group id": (
        HEAD.replace('users = ["U0A"]', 'groups = ["@risk"]') + RULE,
        f'Role "t": "@risk" in "groups" is not a Slack id. {STARTS}',
    ),
    "roles of nobody": (
        HEAD.replace('["U0A"]', "[]") + RULE,
        'Role "t" has nobody in it. Give it users or groups, or delete it.',
    ),
    "no roles": (
        'workspaces = ["T0HOME"]\n[roles]\n' + RULE,
        f'The policy: "roles" must not be empty. {SEE}',
    ),
    "rule without ask": (
        HEAD + RULE.replace('ask = ["t"]\n', ""),
        'Rule "r" lacks "ask". Add it.',
    ),
    "rule for no account": (
        HEAD + RULE.replace('["*"]', '[]\nvenues = ["bybit"]'),
        f'Rule "r": "accounts" must not be empty. {SEE}',
    ),
    "rule for no venue": (
        HEAD + RULE + "venues = []",
        f'Rule "r": "venues" must not be empty. {SEE}',
    ),
    "rule for no tag": (
        HEAD + RULE + "tags = {}",
        f'Rule "r": "tags" must not be empty. {SEE}',
    ),
    "machine without a name": (
        HEAD + RULE.replace('ask = ["t"]', 'ask = ["t", "machine:"]'),
        f'Rule "r" lets "machine:" ask, {NO_MACHINE}',
    ),
    "machine with a blank for a name": (
        HEAD + RULE.replace('ask = ["t"]', 'ask = ["machine: "]'),
        f'Rule "r" lets "machine: " ask, {NO_MACHINE}',
    ),
    "rule that nobody may ask": (
        HEAD + RULE.replace('ask = ["t"]', "ask = []"),
        f'Rule "r": "ask" must not be empty. {SEE}',
    ),
    "rule without approve": (
        HEAD + RULE.replace('approve = [{ roles = ["t"] }]\n', ""),
        'Rule "r" lacks "approve". Add it.',
    ),
    "rule without name": (
        HEAD + RULE.replace('name = "r"', 'name = ""'),
        f'Rule 1: "name" must not be empty. {SEE}',
    ),
    "machine on a seat": (
        HEAD + RULE.replace('roles = ["t"]', 'roles = ["machine:grafana"]'),
        'Rule "r" names the role "machine:grafana", which is not defined. Known: t.',
    ),
    "seat without roles": (
        HEAD + RULE.replace('roles = ["t"]', "roles = []"),
        f'Rule "r", seat 1: "roles" must not be empty. {SEE}',
    ),
    "second seat of the second rule": (
        HEAD + RULE + RULE.replace('"r"', '"s"').replace("}]", '}, { roles = ["t"], count = 0 }]'),
        f'Rule "s", seat 2: "count" must be at least 1. {SEE}',
    ),
    "seat that is no table": (
        HEAD + RULE.replace('[{ roles = ["t"] }]', '["t"]'),
        f'Rule "r", seat 1 must be a table. {SEE}',
    ),
    "approve that is no list": (
        HEAD + RULE.replace('[{ roles = ["t"] }]', '"t"'),
        f'Rule "r": "approve" must be a list: […]. {SEE}',
    ),
    "rule without a name": (
        HEAD + RULE + RULE.replace('name = "r"\n', ""),
        'Rule 2 lacks "name". Add it.',
    ),
    "rule that is no table": (
        f"rule = [1]\n{HEAD}",
        f"Rule 1 must be a table. {SEE}",
    ),
    "rule with a number for a name": (
        HEAD + RULE.replace('"r"', "7"),
        f'Rule 1: "name" must be text in quotes. {SEE}',
    ),
    "one rule for a list of rules": (
        HEAD + RULE.replace("[[rule]]", "[rule]"),
        "The policy has no list of rules. Begin each with [[rule]].",
    ),
    "tags that are no table": (
        HEAD + RULE + 'tags = ["prod"]',
        f'Rule "r": "tags" must be a table. {SEE}',
    ),
    "tag that is no text": (
        HEAD + RULE + "tags = { env = 1 }",
        f'Rule "r": "tags.env" must be text in quotes. {SEE}',
    ),
    "role that is no table": (
        'workspaces = ["T0HOME"]\nroles = { t = 1 }\n' + RULE,
        f'Role "t" must be a table. {SEE}',
    ),
    "count below 0": (
        HEAD + RULE.replace('"] }', '"], count = -1 }'),
        f'Rule "r", seat 1: "count" must be at least 1. {SEE}',
    ),
    "count above 10": (
        HEAD + RULE.replace('"] }', '"], count = 11 }'),
        f'Rule "r", seat 1: "count" must be at most 10. {SEE}',
    ),
    "count in words": (
        HEAD + RULE.replace('"] }', '"], count = "2" }'),
        f'Rule "r", seat 1: "count" must be a whole number. {SEE}',
    ),
    "count true": (
        HEAD + RULE.replace('"] }', '"], count = true }'),
        f'Rule "r", seat 1: "count" must be a whole number. {SEE}',
    ),
    "ttl too short": (
        HEAD + RULE + "request_ttl_min = 1.9",
        f'Rule "r": "request_ttl_min" must be at least 2. {SEE}',
    ),
    "consent too short": (
        HEAD + RULE + "consent_min = 0.5",
        f'Rule "r": "consent_min" must be at least 1. {SEE}',
    ),
    "consent too long": (
        HEAD + RULE + "consent_min = 61",
        f'Rule "r": "consent_min" must be at most 60. {SEE}',
    ),
    "consent true": (
        HEAD + RULE + "consent_min = true",
        f'Rule "r": "consent_min" must be a number. {SEE}',
    ),
    "membership too old": (
        "membership_max_age_s = 301\n" + HEAD + RULE,
        f'The policy: "membership_max_age_s" must be at most 300. {SEE}',
    ),
    "membership in words": (
        'membership_max_age_s = "60"\n' + HEAD + RULE,
        f'The policy: "membership_max_age_s" must be a number. {SEE}',
    ),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_every_wrong_value_is_named_with_what_it_may_be(text: str, said: str):
    with pytest.raises(PolicyInvalid) as caught:
        model.parse(text)
    assert f"{caught.value.user_message} {caught.value.remedy}" == said


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("key", ["request_ttl_min", "consent_min"])
def test_clock_that_is_no_number_is_refused(key: str, value: str):
    """TOML can say nan, and no comparison with it is ever true."""
    with pytest.raises(PolicyInvalid, match=key):
        model.parse(f"{HEAD}{RULE}{key} = {value}")


def test_limits_themselves_are_allowed():
    low = HEAD + RULE + "request_ttl_min = 2\nconsent_min = 1"
    high = HEAD + RULE.replace('"] }', '"], count = 10 }') + "request_ttl_min = 60\n"
    policy = model.parse(f"membership_max_age_s = 300\n{high}consent_min = 60")
    rule = policy.rules[0]
    assert (rule.request_ttl_min, rule.consent_min, rule.approve[0].count) == (60, 60, 10)
    assert policy.membership_max_age_s == 300
    assert model.parse(low).rules[0].request_ttl_min == 2
    assert model.parse(f"membership_max_age_s = 0\n{low}").membership_max_age_s == 0


def test_what_is_left_out_has_the_documented_value():
    policy = model.parse(HEAD + RULE)
    rule = policy.rules[0]
    assert policy.membership_max_age_s == 60
    assert (rule.request_ttl_min, rule.consent_min, rule.approve[0].count) == (10, 10, 1)


def test_policy_cannot_be_changed_once_read():
    with pytest.raises(ValidationError, match="frozen"):
        POLICY.rules[0].name = "mine"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('["T0HOME"]', '["T0HOME", "T0NEW"]'),
        ('["S0RISK"]', '["S0RISK", "S0NEW"]'),
        ('ask = ["traders", "machine:grafana"]', 'ask = ["traders"]'),
        ('[{ roles = ["risk", "head"] }]', "[]"),
        ("consent_min = 3", "consent_min = 4"),
    ],
)
def test_digest_changes_with_everything_that_the_policy_says(before: str, after: str):
    assert model.parse(TEXT.replace(before, after)).digest != POLICY.digest


def test_rule_for_every_account_matches_every_account():
    rule = model.Rule(name="r", accounts=("*",), ask=("t",), approve=())
    assert rule.matches(Account(name="mm", venue="bybit"))
    prod = model.Rule(name="r", accounts=("*",), tags={"env": "prod"}, ask=("t",), approve=())
    assert not prod.matches(Account(name="mm", venue="bybit"))


COVERS = {
    'accounts = ["*"]': "every account",
    'accounts = ["*"]\ntags = { env = "prod" }': "env=prod",
    'accounts = ["whale"]': "whale",
    'venues = ["bybit", "paper"]\ntags = { env = "prod", desk = "mm" }': (
        "bybit or paper, env=prod, desk=mm"
    ),
    'accounts = ["mm", "arb"]\nvenues = ["bybit"]': "mm or arb, bybit",
}


@pytest.mark.parametrize(("criteria", "said"), COVERS.items())
def test_rule_says_in_words_which_accounts_it_covers(criteria: str, said: str):
    policy = model.parse(HEAD + RULE.replace('accounts = ["*"]', criteria))
    assert policy.rules[0].covers == said


ACCOUNTS = (
    Account(name="bybit-mm", venue="bybit", tags=(("env", "prod"),)),
    Account(name="toy", venue="paper", tags=(("env", "test"),)),
)
IN_FULL = 'There are no patterns: write it in full, or accounts = ["*"] for all.'


@pytest.mark.parametrize("criteria", ['accounts = ["*"]', 'accounts = ["toy", "bybit-mm"]'])
def test_rule_whose_every_word_is_in_the_config_is_taken(criteria: str):
    policy = model.parse(HEAD + RULE.replace('accounts = ["*"]', criteria))
    model.check_accounts(policy, ACCOUNTS)
    assert all(policy.rules[0].matches(account) for account in ACCOUNTS)


@pytest.mark.parametrize(
    ("criteria", "said"),
    [
        (
            'accounts = ["toy", "bybit-mn"]',
            'is for the account "bybit-mn", which is not in the config. Did you mean bybit-mm?',
        ),
        (
            'accounts = ["bybit-m*"]',
            f'is for the account "bybit-m*", which is not in the config. {IN_FULL}',
        ),
        (
            'venues = ["bybit", "papr"]',
            'is for the venue "papr", which is not in the config. Did you mean paper?',
        ),
        (
            'tags = { env = "Prod" }',
            'is for the tag "env=Prod", which is not in the config. Did you mean env=prod?',
        ),
        (
            'tags = { zone = "eu" }',
            'is for the tag "zone=eu", which is not in the config. Known: env=prod, env=test.',
        ),
        (
            'venues = ["bybit"]\ntags = { env = "test" }',
            "matches no account: none is bybit, env=test. Mend the rule, or delete it.",
        ),
    ],
)
def test_rule_that_names_what_no_account_is_is_refused(criteria: str, said: str):
    policy = model.parse(HEAD + RULE.replace('accounts = ["*"]', criteria))
    with pytest.raises(PolicyInvalid) as caught:
        model.check_accounts(policy, ACCOUNTS)
    assert str(caught.value) == f'Rule "r" {said}'


def test_account_that_no_rule_covers_is_refused():
    """No card would name it: it would only be missing, from everybody's `all`."""
    stray = Account(name="bybit-arb", venue="bybit", tags=(("env", "prd"),))
    policy = model.parse(HEAD + RULE.replace('accounts = ["*"]', 'tags = { env = "prod" }'))
    model.check_accounts(policy, ACCOUNTS[:1])
    with pytest.raises(PolicyInvalid) as caught:
        model.check_accounts(policy, (*ACCOUNTS[:1], stray))
    assert str(caught.value) == (
        "No rule covers bybit-arb, so nobody could ask for it. "
        "Mend its tags or a rule, or take it out of the config."
    )


def test_rule_that_only_a_machine_may_ask_for_is_taken():
    policy = model.parse(HEAD + RULE.replace('ask = ["t"]', 'ask = ["machine:grafana"]'))
    assert policy.rules[0].ask == ("machine:grafana",)


def test_rule_wants_all_of_its_tags():
    rule = model.Rule(name="r", tags={"env": "prod", "desk": "mm"}, ask=("t",), approve=())
    assert not rule.matches(Account(name="a", venue="v", tags=(("env", "prod"),)))
    assert rule.matches(Account(name="a", venue="v", tags=(("desk", "mm"), ("env", "prod"))))


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


def test_order_of_tables_changes_neither_digest_nor_message():
    risk, head = '[roles.risk]\ngroups = ["S0RISK"]\n', '[roles.head]\nusers = ["U0HEAD"]\n'
    turned = model.parse(TEXT.replace(risk + head, head + risk))
    assert turned.digest == POLICY.digest
    with pytest.raises(PolicyInvalid, match=r"Known: head, risk, traders\."):
        model.parse(TEXT.replace('roles = ["risk", "head"]', 'roles = ["zzzz"]'))
