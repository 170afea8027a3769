"""From a command to targets: nothing is guessed, nothing widens, the digest binds it all."""

from dataclasses import replace

import pytest

from adapters.contract import OrderClass, Protective
from bot.domain import command as commands
from bot.domain import plan as plans
from bot.domain.command import Cancel
from bot.domain.errors import UsageError
from bot.domain.plan import AccountEntry, Directory, Grounds, Plan
from policies import model
from tests.fakes.venue import CAPABILITIES
from tests.policies.people import ALICE

POLICY = model.parse(
    """\
workspaces = ["T0HOME"]
[roles.traders]
groups = ["S0TRADERS"]
[roles.risk]
groups = ["S0RISK"]
[[rule]]
name = "prod"
tags = { env = "prod" }
ask = ["traders"]
approve = [{ roles = ["risk"] }]
[[rule]]
name = "treasury"
accounts = ["vault"]
ask = ["risk"]
approve = [{ roles = ["risk"] }]
"""
)


def entry(name: str, **more: object) -> AccountEntry:
    facts: dict[str, object] = {
        "name": name,
        "venue": "bybit",
        "base_url": "http://venue",
        "uid": "1001",
        "key": f"keys/{name}",
        "capabilities": CAPABILITIES,
        "tags": (("desk", "mm"), ("env", "prod")),
    }
    return AccountEntry(**(facts | more))  # type: ignore[arg-type]


DIRECTORY = Directory(
    accounts=(
        entry("bybit-mm"),
        entry("bybit-arb", uid="1002", tags=(("desk", "arb"), ("env", "prod"))),
        entry("vault", uid="1003", tags=()),
    )
)
LISTED = {("bybit", "http://venue"): frozenset({"BTCUSDT", "ETHUSDT"})}


NO_MATCH = (
    "No account matches all of these words and tags. All tags must match one account; try fewer."
)


MORE_THAN_ONE = (
    '"--order" needs exactly one account; these words name more. '
    "Name one of them: bybit-arb, bybit-mm."
)
KNOWN = '"all" means every account. Known: bybit, bybit-arb, bybit-mm, vault.'


def resolve(text: str, **more: object) -> Plan:
    command = commands.parse(text)
    assert isinstance(command, Cancel)
    facts: dict[str, object] = {
        "directory": DIRECTORY,
        "policy": POLICY,
        "requester": ALICE,
        "targets_max": 10,
        "symbols": LISTED,
    }
    return plans.resolve(command, Grounds(**(facts | more)))  # type: ignore[arg-type]


def test_names_are_found_and_only_they():
    found = DIRECTORY.find("vault")
    assert found is not None
    assert found.uid == "1003"
    assert found.for_policy().name == "vault"


def names(plan: Plan) -> list[str]:
    return [target.account for target in plan.targets]


def test_all_is_every_account_that_one_may_ask_for():
    plan = resolve("all")
    assert names(plan) == ["bybit-arb", "bybit-mm"]
    assert plan.left_out == ("vault",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bybit", ["bybit-arb", "bybit-mm"]),
        ("bybit-mm", ["bybit-mm"]),
        ("desk=arb", ["bybit-arb"]),
        ("desk=mm env=prod", ["bybit-mm"]),
        ("bybit desk=arb", ["bybit-arb"]),
    ],
)
def test_words_and_tags_name_accounts(text: str, expected: list[str]):
    assert names(resolve(text)) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "bybit-mn",
            '"bybit-mn" is not an account or a venue. Did you mean bybit-mm or bybit or bybit-arb?',
        ),
        ("zzz", f'"zzz" is not an account or a venue. {KNOWN}'),
        ("everything", f'"everything" is not an account or a venue. {KNOWN}'),
        ("al", '"al" is not an account or a venue. Did you mean all?'),
        ("ALL.", '"all." is not an account or a venue. Did you mean all?'),
        ("statsu", '"statsu" is not an account or a venue. Did you mean status?'),
        ("shwo K7Q2M", '"shwo" is not an account or a venue. Did you mean show?'),
        ("widthraw K7Q2M", '"widthraw" is not an account or a venue. Did you mean withdraw?'),
        ("polciy", '"polciy" is not an account or a venue. Did you mean policy?'),
        ("hlep", '"hlep" is not an account or a venue. Did you mean help?'),
        ("bybit dry-run", '"dry-run" is not an account or a venue. Did you mean --dry-run?'),
        ("desk=nn", 'No account has the tag "desk=nn". Did you mean desk=mm or desk=arb?'),
        ("desk=mm desk=arb", NO_MATCH),
        ("bybit-mm desk=arb", "bybit-mm has not desk=arb. Leave out the account or the tag."),
        (
            "bybit-arb bybit-mm env=prod desk=arb",
            "bybit-mm has not desk=arb. Leave out the account or the tag.",
        ),
        (
            "bybit bybit-mm desk=arb",
            "bybit-mm has not desk=arb. Leave out the account or the tag.",
        ),
        (
            "bybit --order BTCUSDT:1",
            MORE_THAN_ONE,
        ),
        (
            "env=prod --order BTCUSDT:1",
            MORE_THAN_ONE,
        ),
        ("vault", "You may not ask for vault. Rule treasury lets risk ask, not alice."),
        (
            "bybit --symbol BTCUSD",
            'No venue named here lists the symbol "BTCUSD". Did you mean BTCUSDT or ETHUSDT?',
        ),
        ("bybit --symbol QQQ", 'No venue named here lists the symbol "QQQ". Check its spelling.'),
        (
            "bybit-mm --order QQQ:1",
            'No venue named here lists the symbol "QQQ". Check its spelling.',
        ),
    ],
)
def test_what_names_nothing_is_refused_with_the_nearest(text: str, said: str):
    with pytest.raises(UsageError) as caught:
        resolve(text)
    assert str(caught.value) == said


def test_somebody_who_may_ask_for_nothing_is_told_why():
    with pytest.raises(UsageError, match="You may not ask for bybit-mm"):
        resolve("all", requester=replace(ALICE, groups=frozenset()))


def test_outage_of_slack_is_no_prohibition():
    for unknown in (replace(ALICE, read_at=None), replace(ALICE, groups=None)):
        for text in ("all", "bybit-mm", "vault"):
            with pytest.raises(UsageError) as caught:
                resolve(text, requester=unknown)
            assert str(caught.value) == (
                "Slack cannot say who you are right now, so nothing was asked for. "
                "Try again in a moment."
            )


def test_tag_is_refused_in_words_if_no_account_has_any():
    bare = Directory(accounts=(entry("bybit-mm", tags=()),))
    with pytest.raises(UsageError) as caught:
        resolve("desk=mm", directory=bare)
    assert str(caught.value) == 'No account has the tag "desk=mm". Known: none.'


def test_more_accounts_than_the_limit_are_refused():
    with pytest.raises(UsageError, match="2 accounts are more than 1, the limit"):
        resolve("all", targets_max=1)


def test_many_known_words_are_cut():
    many = Directory(accounts=tuple(entry(f"acc-{n:02}") for n in range(20)))
    with pytest.raises(UsageError) as caught:
        resolve("qqqq", directory=many)
    assert caught.value.remedy.endswith("…")


def test_symbols_are_unchecked_and_said_so_if_a_list_cannot_be_had():
    plan = resolve("bybit --symbol QQQ", symbols={("bybit", "http://venue"): None})
    assert not plan.is_symbols_checked
    assert resolve("bybit --symbol BTCUSDT").is_symbols_checked


def spelt(text: str, **lists: set[str] | None) -> Cancel:
    """Spell a command for two accounts, one at each of two venues."""
    command = commands.parse(text)
    assert isinstance(command, Cancel)
    exact = replace(CAPABILITIES, has_upper_symbols=False)
    accounts = tuple(entry(f"{name}-mm", venue=name, capabilities=exact) for name in lists)
    grounds = Grounds(
        directory=Directory(accounts=accounts),
        policy=POLICY,
        requester=ALICE,
        targets_max=10,
        symbols={
            (name, "http://venue"): None if known is None else frozenset(known)
            for name, known in lists.items()
        },
    )
    return plans.spelled(command, grounds)


def test_symbols_are_spelt_as_the_venues_that_are_named_list_them():
    lists = {"bybit": {"BTCUSDT", "KBONK"}, "pacifica": {"BTC", "kBONK"}}
    assert spelt("all --symbol btcusdt,Btc", **lists).symbols == ("BTC", "BTCUSDT")
    assert spelt("all --symbol kbonk", **lists).symbols == ("KBONK", "kBONK")
    assert spelt("all --symbol kBONK", **lists).symbols == ("KBONK", "kBONK")
    assert spelt("pacifica --symbol kbonk", **lists).symbols == ("kBONK",)
    assert spelt("all --symbol qqq", **lists).symbols == ("qqq",)
    assert spelt("pacifica --order KBONK:7", **lists).order == ("kBONK", "7")
    assert spelt("env=prod --order kbonk:7", **lists).order == ("kbonk", "7")


def test_what_is_typed_stays_where_a_venue_that_is_named_has_no_list():
    lists = {"bybit": {"BTCUSD"}, "ems": None}
    assert spelt("all --symbol btcusd", **lists).symbols == ("BTCUSD", "btcusd")
    assert spelt("bybit --symbol btcusd", **lists).symbols == ("BTCUSD",)


def test_a_symbol_is_put_in_capitals_only_where_the_venue_writes_them_so():
    unlisted = {("bybit", "http://venue"): None}
    target = resolve("bybit-mm --symbol kBonk", symbols=unlisted).targets[0]
    assert target.scope.symbols == ("KBONK",)
    exact = entry("mm", capabilities=replace(CAPABILITIES, has_upper_symbols=False))
    directory = Directory(accounts=(exact,))
    target = resolve("mm --symbol kBonk", symbols=unlisted, directory=directory).targets[0]
    assert target.scope.symbols == ("kBonk",)


def test_scope_by_symbol_reaches_only_what_symbols_reach_and_says_what_not():
    target = resolve("bybit-mm --symbol ETHUSDT,BTCUSDT").targets[0]
    assert target.scope.symbols == ("BTCUSDT", "ETHUSDT")
    assert target.order_classes == ("linear",)
    assert target.not_covered == ("spot (cannot be told apart by symbol)",)


def test_one_order_is_one_order():
    target = resolve("bybit-mm --order BTCUSDT:77").targets[0]
    assert target.for_policy().tags == (("desk", "mm"), ("env", "prod"))
    assert target.scope.order_id == "77"
    assert target.scope.symbols == ("BTCUSDT",)


def test_words_that_name_one_account_are_enough_for_one_order():
    assert names(resolve("desk=arb --order BTCUSDT:77")) == ["bybit-arb"]
    alone = Directory(accounts=(entry("bybit-mm"),))
    assert names(resolve("bybit --order BTCUSDT:77", directory=alone)) == ["bybit-mm"]


def test_classes_switched_off_are_named():
    off = entry("bybit-mm", classes_off=(OrderClass("spot"),))
    target = resolve("bybit-mm", directory=Directory(accounts=(off,))).targets[0]
    assert target.order_classes == ("linear",)
    assert target.not_covered == ("spot (switched off in the config)",)


@pytest.mark.parametrize("option", ["--symbol BTCUSDT", "--order BTCUSDT:77"])
def test_scope_that_reaches_no_class_that_is_on_is_refused(option: str):
    """Nothing cancelled and nothing read would come out as FLAT over a full book."""
    off = entry("bybit-mm", classes_off=(OrderClass("linear"),))
    directory = Directory(accounts=(off,))
    with pytest.raises(UsageError) as caught:
        resolve(f"bybit {option}", directory=directory)
    assert str(caught.value) == (
        "Every order class that this command reaches is switched off in the config at bybit-mm. "
        "Leave out --symbol or --order, or name other accounts."
    )
    assert resolve("bybit", directory=directory).targets[0].order_classes == ("spot",)


def test_every_account_out_of_reach_is_named_at_once():
    off = [entry(name, classes_off=(OrderClass("linear"),)) for name in ("bybit-mm", "bybit-opt")]
    with pytest.raises(UsageError, match="in the config at bybit-mm, bybit-opt"):
        resolve("all --symbol BTCUSDT", directory=Directory(accounts=(*off, entry("bybit-arb"))))


def test_digest_binds_request_and_everything_that_would_be_sent():
    plan = resolve("bybit-mm")
    base = plans.digest(plan, request_id="K7Q2M")
    target = plan.targets[0]
    changed = [
        replace(target, account="x"),
        replace(target, venue="x"),
        replace(target, base_url="x"),
        replace(target, uid="x"),
        replace(target, order_classes=()),
        replace(target, scope=replace(target.scope, symbols=("BTCUSDT",))),
        replace(target, scope=replace(target.scope, order_id="1")),
        replace(target, scope=replace(target.scope, protective=Protective.KEEP)),
    ]
    others = [plans.digest(Plan(targets=(other,)), request_id="K7Q2M") for other in changed]
    others.append(plans.digest(plan, request_id="ZZZZZ"))
    assert len({base, *others}) == len(others) + 1
    assert plans.digest(resolve("bybit-mm"), request_id="K7Q2M") == base


def test_config_that_changed_under_a_plan_is_told():
    plan = resolve("bybit-mm")
    assert plans.changes(plan, DIRECTORY) == ()
    other = Directory(accounts=(entry("bybit-mm", uid="9", key="elsewhere"),))
    assert plans.changes(plan, other) == (
        "bybit-mm: uid changed",
        "bybit-mm: key path changed",
    )
    assert plans.changes(plan, Directory(accounts=())) == ("bybit-mm is gone from the config",)
    fewer = replace(CAPABILITIES, order_classes=CAPABILITIES.order_classes[:1])
    upgraded = Directory(accounts=(entry("bybit-mm", capabilities=fewer),))
    assert plans.changes(plan, upgraded) == ("bybit-mm: order classes changed",)
    kept = Directory(accounts=(entry("bybit-mm", protective=Protective.KEEP),))
    assert plans.changes(plan, kept) == ("bybit-mm: protective orders changed",)


def test_order_that_is_named_goes_even_if_it_protects_something():
    keeping = Directory(accounts=(entry("bybit-mm", protective=Protective.KEEP),))
    whole = resolve("bybit-mm", directory=keeping)
    one = resolve("bybit-mm --order BTCUSDT:7", directory=keeping)
    assert whole.targets[0].scope.protective is Protective.KEEP
    assert one.targets[0].scope.protective is Protective.CANCEL
    assert plans.changes(one, keeping) == ()


def test_errors_of_the_bot_are_kinds_of_one_tree():
    from bot.domain.errors import BotError, ConfigError, SecretError

    with pytest.raises(TypeError, match="abstract"):
        BotError(user_message="x")
    kinds = [UsageError, ConfigError, SecretError]
    assert len({kind.code for kind in kinds}) == 3
    assert str(SecretError(user_message="sealed.", remedy="Open it.")) == "sealed. Open it."
