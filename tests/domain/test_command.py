"""The grammar: nothing is guessed, nothing widens, and every mistake is named."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain import command as commands
from bot.domain.command import Cancel, Help, PolicyText, Show, Status, Withdraw
from bot.domain.errors import UsageError


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("", Help()),
        ("   ", Help()),
        ("HELP", Help()),
        ("status", Status()),
        ("policy", PolicyText()),
        ("show k7q2m", Show(request_id="K7Q2M")),
        ("show KOIL", Show(request_id="K011")),
        ("withdraw K7Q2", Withdraw(request_id="K7Q2")),
        ("all", Cancel(is_all=True)),
        ("ALL", Cancel(is_all=True)),
        ("Bybit-MM bybit-arb", Cancel(words=("bybit-mm", "bybit-arb"))),
        ("bybit bybit", Cancel(words=("bybit",))),
        ("desk=MM env=prod", Cancel(tags=(("desk", "mm"), ("env", "prod")))),
        (
            "bybit --symbol ethusdt,BTCUSDT",
            Cancel(words=("bybit",), symbols=("BTCUSDT", "ETHUSDT")),
        ),
        ("bybit --symbol=BTCUSDT", Cancel(words=("bybit",), symbols=("BTCUSDT",))),
        ("mm --order BTC:123", Cancel(words=("mm",), order=("BTC", "123"))),
        ('all --reason "runaway quoter"', Cancel(is_all=True, reason="runaway quoter")),
        ("all --reason it's", Cancel(is_all=True, reason="it's")),
        ("all --reason 'say \"x\"'", Cancel(is_all=True, reason='say "x"')),
        ("all --dry-run", Cancel(is_all=True, is_dry_run=True)),
        ("all \u2014dry-run", Cancel(is_all=True, is_dry_run=True)),
        ("all --reason \u201cfat finger\u201d", Cancel(is_all=True, reason="fat finger")),
        ("all\u00a0--reason a&amp;b", Cancel(is_all=True, reason="a&b")),
        ('all --reason "--dry-run"', Cancel(is_all=True, reason="--dry-run")),
    ],
    ids=repr,
)
def test_what_people_type_is_understood(text: str, parsed: commands.Command):
    assert commands.parse(text) == parsed


CONTRADICT = (
    '"all" and "bybit" contradict each other. Type one or the other. '
    'A reason of several words goes in quotes: --reason "…".'
)
NO_NAME = (
    '"<@U123>" is not the name of an account or venue. '
    "Names are letters, digits, dots and dashes; a reason goes after --reason."
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "all bybit",
            CONTRADICT,
        ),
        (
            "--symbol BTC",
            "No account, venue or tag is named. Type /cancelall all, or name what to cancel.",
        ),
        ("all --symbool X", '"--symbool" is not an option. Did you mean --symbol?'),
        ("all --zzz", '"--zzz" is not an option. Options: --symbol, --order, --reason, --dry-run.'),
        ("all --symbol", '"--symbol" has no value. Type --symbol BTCUSDT,ETHUSDT.'),
        ("all --symbol --dry-run", '"--symbol" has no value. Type --symbol BTCUSDT,ETHUSDT.'),
        (
            "all --symbol A, --dry-run",
            '"" is not a symbol. Type --symbol BTCUSDT,ETHUSDT, without spaces.',
        ),
        ("all --symbol A --symbol B", '"--symbol" stands twice. Give it once, with commas.'),
        (
            "mm --order 123",
            '"123" does not name an order. Type --order SYMBOL:ID, such as BTCUSDT:123.',
        ),
        (
            "all --order A:1",
            '"--order" needs exactly one account. Type /cancelall bybit-mm --order BTCUSDT:123.',
        ),
        ("mm --order A:1 --symbol B", '"--symbol" and "--order" contradict each other. Type one.'),
        ("all --dry-run=yes", '"--dry-run" takes no value. Drop it.'),
        (
            'all --reason "x',
            'A quote does not close or touches a word: "x Write the reason as --reason "why".',
        ),
        (
            "<@U123>",
            NO_NAME,
        ),
        ("desk=", '"desk=" is not a tag. Tags look like desk=mm.'),
        (
            "status now",
            '"status" stands alone; "now" does not belong to it. Type /cancelall status.',
        ),
        ("show", '"show" needs one request id. Type /cancelall show K7Q2M.'),
        ("show U-2", '"U-2" is not a request id. It is the 4 to 6 letters and digits on the card.'),
        ("bybit status", '"status" cannot stand beside other words. Type /cancelall status.'),
        ("x" * 2001, "The command has 2001 characters; 2000 are the limit. Shorten the reason."),
    ],
    ids=lambda text: text[:24],
)
def test_wrong_command_names_the_word_and_the_remedy(text: str, said: str):
    with pytest.raises(UsageError) as caught:
        commands.parse(text)
    assert str(caught.value) == said


def test_usage_names_every_option_and_verb():
    for word in (*commands.OPTIONS, *commands.VERBS):
        assert word in commands.usage()


@pytest.mark.parametrize(
    "command",
    [Help(), Status(), PolicyText(), Show(request_id="K7Q2"), Withdraw(request_id="K7Q2M")],
    ids=repr,
)
def test_questions_have_one_form(command: commands.Command):
    assert commands.parse(commands.canonical(command)) == command


words = st.sampled_from(
    [
        "all",
        "bybit",
        "bybit-mm",
        "desk=mm",
        "--symbol",
        "--symbol=BTC",
        "BTC,ETH",
        "--order",
        "BTC:1",
        "--reason",
        '"a b"',
        "'x'",
        "--dry-run",
        "\u2014dry-run",
        "status",
        "show",
        "K7Q2",
        "&amp;",
        "it's",
    ]
)
lines = st.one_of(st.text(max_size=60), st.lists(words, max_size=8).map(" ".join))


@given(lines)
@example('all --reason "a\u00a0b"')
def test_no_text_raises_anything_but_a_usage_error(text: str):
    try:
        commands.parse(text)
    except UsageError as error:
        said = error.user_message
    else:
        said = "understood"
    assert said


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("BYBIT-MM desk=MM --dry-run", "bybit-mm desk=mm --dry-run"),
        ("bybit --symbol b,a", "bybit --symbol A,B"),
        ("mm --order btc:X1", "mm --order BTC:X1"),
        ("all --reason '\"why\" & how'", "all --reason '\"why\" &amp; how'"),
        ("all --reason x", 'all --reason "x"'),
    ],
)
def test_canonical_form_is_the_known_one(text: str, written: str):
    assert commands.canonical(commands.parse(text)) == written


@given(lines)
def test_canonical_form_parses_to_the_same(text: str):
    try:
        command = commands.parse(text)
    except UsageError:
        return
    again = commands.canonical(command)
    assert commands.parse(again) == command
    assert commands.canonical(commands.parse(again)) == again


@given(lines)
def test_only_the_word_all_means_all(text: str):
    try:
        command = commands.parse(text)
    except UsageError:
        return
    if isinstance(command, Cancel) and command.is_all:
        assert "all" in text.lower().split() or '"all"' in text.lower() or "'all'" in text.lower()


@given(st.lists(words, min_size=1, max_size=8))
def test_no_restriction_is_ever_lost(typed: list[str]):
    """A text that names symbols or an order parses to a scope that has them, or to an error."""
    try:
        command = commands.parse(" ".join(typed))
    except UsageError:
        return
    if isinstance(command, Cancel):
        outside_quotes = [word for word in typed if word.startswith("--symbol")]
        has_reason = "--reason" in typed
        if outside_quotes and not has_reason:
            assert command.symbols
        if "--order" in typed and not has_reason:
            assert command.order is not None
        if "desk=mm" in typed and not has_reason:
            assert ("desk", "mm") in command.tags
        if ("--dry-run" in typed or "\u2014dry-run" in typed) and not has_reason:
            assert command.is_dry_run
