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
            Cancel(words=("bybit",), symbols=("BTCUSDT", "ethusdt")),
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
        ("--dry-run bybit", Cancel(words=("bybit",), is_dry_run=True)),
        (
            "mm desk=mm --symbol A --reason=x --dry-run",
            Cancel(
                words=("mm",), tags=(("desk", "mm"),), symbols=("A",), reason="x", is_dry_run=True
            ),
        ),
        ("desk=mm DESK=MM", Cancel(tags=(("desk", "mm"),))),
        ("bybit --symbol a,A,a", Cancel(words=("bybit",), symbols=("A", "a"))),
        ('bybit --symbol "BTC, ETH"', Cancel(words=("bybit",), symbols=("BTC", "ETH"))),
        ("mm --order eth/usdc:client-7:b", Cancel(words=("mm",), order=("eth/usdc", "client-7:b"))),
        ("desk=mm --order A:1", Cancel(tags=(("desk", "mm"),), order=("A", "1"))),
        ('all --reason "  two   words\n"', Cancel(is_all=True, reason="two words")),
        (
            'all --reason "\u20135 % in a minute"',
            Cancel(is_all=True, reason="\u20135 % in a minute"),
        ),
        ("all --reason \u2018x\u2019", Cancel(is_all=True, reason="x")),
        ("all --reason \u201ex\u201c", Cancel(is_all=True, reason="x")),
        ("all --reason it\u2019s", Cancel(is_all=True, reason="it's")),
        ('all --reason "&lt;!channel&gt;"', Cancel(is_all=True, reason="<!channel>")),
        ('all --reason "&amp;lt; &copy; &#97;"', Cancel(is_all=True, reason="&lt; &copy; &#97;")),
        ("all \u2013dry-run", Cancel(is_all=True, is_dry_run=True)),
        ("\tall\u00a0", Cancel(is_all=True)),
        ("Status", Status()),
        ("show 012345", Show(request_id="012345")),
        ("withdraw lo0i", Withdraw(request_id="1001")),
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


NO_NAMED = '"{}" is not the name of an account or venue.'
NO_NAMES = "Names are letters, digits, dots and dashes; a reason goes after --reason."
NO_SYMBOL = "Type --symbol BTCUSDT,ETHUSDT, without spaces."
FIRST = 'Name accounts first, symbols as BTC,ETH, a reason in quotes: --reason "…".'
QUOTE = 'Write the reason as --reason "why".'
TOO_LONG = (
    "2000 are the limit. Shorten the reason, or name a venue or tag instead of many accounts."
)
WIDER = [
    ("mm --reason bad bybit", f'"bybit" stands after --reason. {FIRST}'),
    ("mm --reason desk=mm env=prod", f'"env=prod" stands after --reason. {FIRST}'),
    ("mm --reason cancel all", f'"all" stands after --reason. {FIRST}'),
    ("bybit --symbol BTC ETH", f'"ETH" stands after --symbol. {FIRST}'),
    ("--symbol BTC bybit", f'"bybit" stands after --symbol. {FIRST}'),
    ('all --reason "x" --symbol A bybit', f'"bybit" stands after --symbol. {FIRST}'),
    ("mm --order BTC: 123", f'"123" stands after --order. {FIRST}'),
    (
        "mm --order BTC:",
        '"BTC:" does not name an order. Type --order SYMBOL:ID, such as BTCUSDT:123.',
    ),
    (
        "mm --order @A:1",
        '"@A:1" does not name an order. Type --order SYMBOL:ID, such as BTCUSDT:123.',
    ),
    ("mm --order --dry-run", '"--order" has no value. Type --order BTCUSDT:123.'),
    ("all --reason", '"--reason" has no value. Type --reason "why".'),
    ('all --reason ""', '"--reason" has no value. Type --reason "why".'),
    ("all --reason=", '"--reason" has no value. Type --reason "why".'),
    ("all --symbol= BTC", '"--symbol" has no value. Type --symbol BTCUSDT,ETHUSDT.'),
    ("all --symbol ,", f'"" is not a symbol. {NO_SYMBOL}'),
    ('all --symbol "BTC ETH"', f'"BTC ETH" is not a symbol. {NO_SYMBOL}'),
    ("all -symbol BTC", f"{NO_NAMED.format('-symbol')} Did you mean --symbol?"),
    ("-dry-run all", f"{NO_NAMED.format('-dry-run')} Did you mean --dry-run?"),
    ("--dryrun", '"--dryrun" is not an option. Did you mean --dry-run?'),
    ("all!", f"{NO_NAMED.format('all!')} Did you mean all?"),
    ("#STATUS", f"{NO_NAMED.format('#STATUS')} Did you mean status?"),
    ("\u212aelvin", f'"\u212aelvin" is not the name of an account or venue. {NO_NAMES}'),
    ("desk=\u212a", '"desk=\u212a" is not a tag. Tags look like desk=mm.'),
    ("all --symbol \ufb03", f'"\ufb03" is not a symbol. {NO_SYMBOL}'),
    (
        "mm --order \ufb03:1",
        '"\ufb03:1" does not name an order. Type --order SYMBOL:ID, such as BTCUSDT:123.',
    ),
    ("all \u2014 symbol", f'"\u2014" is not the name of an account or venue. {NO_NAMES}'),
    ("all --Symbol BTC", '"--Symbol" is not an option. Did you mean --symbol?'),
    ("all \u2014symbl BTC", '"--symbl" is not an option. Did you mean --symbol?'),
    ("all --dry", '"--dry" is not an option. Did you mean --dry-run?'),
    ("all --dry-run --dry-run", '"--dry-run" stands twice. Give it once; symbols go BTC,ETH.'),
    ("bybit,paper", f'"bybit,paper" is not the name of an account or venue. {NO_NAMES}'),
    ("#all", f"{NO_NAMED.format('#all')} Did you mean all?"),
    ("&#97;ll", f'"&#97;ll" is not the name of an account or venue. {NO_NAMES}'),
    ('""', f'"" is not the name of an account or venue. {NO_NAMES}'),
    ('all "--dry-run"', f"{NO_NAMED.format('--dry-run')} Did you mean --dry-run?"),
    ("=mm", '"=mm" is not a tag. Tags look like desk=mm.'),
    ("a=b=c", '"a=b=c" is not a tag. Tags look like desk=mm.'),
    ("all desk=mm", CONTRADICT.replace("bybit", "desk=mm")),
    ("all help", CONTRADICT.replace("bybit", "help")),
    ("help all", '"help" stands alone; "all" does not belong to it. Type /cancelall help.'),
    (
        "policy --dry-run",
        '"policy" stands alone; "--dry-run" does not belong to it. Type /cancelall policy.',
    ),
    (
        "--dry-run",
        "No account, venue or tag is named. Type /cancelall all, or name what to cancel.",
    ),
    (
        "mm arb --order A:1",
        '"--order" needs exactly one account. Type /cancelall bybit-mm --order BTCUSDT:123.',
    ),
    (
        "mm desk=mm --order A:1",
        '"--order" needs exactly one account. Type /cancelall bybit-mm --order BTCUSDT:123.',
    ),
    ("withdraw", '"withdraw" needs one request id. Type /cancelall withdraw K7Q2M.'),
    ("withdraw K7Q2 now", '"withdraw" needs one request id. Type /cancelall withdraw K7Q2M.'),
    ("show K7Q", '"K7Q" is not a request id. It is the 4 to 6 letters and digits on the card.'),
    (
        "show K7Q2MMM",
        '"K7Q2MMM" is not a request id. It is the 4 to 6 letters and digits on the card.',
    ),
    (
        "mm \u201cx",
        'A quote does not close or touches a word: "x Write the reason as --reason "why".',
    ),
    (
        'all --reason="runaway quoter"',
        f'A quote does not close or touches a word: --reason="runaway quoter" {QUOTE}',
    ),
]


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
        ("all --symbol A --symbol B", '"--symbol" stands twice. Give it once; symbols go BTC,ETH.'),
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
        *WIDER,
        ("x" * 2001, f"The command has 2001 characters; {TOO_LONG}"),
        # As written out, "—dry-run" is one longer and --reason y two.
        (
            f"{'x' * 1980} \u2014dry-run --reason y"[-2000:],
            f"The command has 2003 characters; {TOO_LONG}",
        ),
        (
            f'all --reason "{"&" * 501}"',
            "The reason has 501 characters; 500 are the limit. Shorten it.",
        ),
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
        ("bybit --symbol b,a", "bybit --symbol a,b"),
        ("mm --order btc:X1", "mm --order btc:X1"),
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


reasons = st.text(alphabet="&<>;ltgamp# '\u2014\u00df\u00a0x", max_size=600)


@given(reasons, st.sampled_from(['"', "'", ""]))
@example("&" * 500, '"')
@example("&lt;" * 125, '"')
@example("x" * 500, "")
@example("x" * 501, "")
def test_reason_of_any_length_is_refused_or_parses_again(reason: str, mark: str):
    text = f"bybit --reason {mark}{reason}{mark}"
    try:
        command = commands.parse(text)
    except UsageError:
        return
    assert isinstance(command, Cancel)
    assert len(command.reason) <= 500
    assert commands.parse(commands.canonical(command)) == command


@given(lines, st.integers(min_value=1, max_value=80))
@example("a \u2014dry-run", 10)
@example("a --reason b", 12)
@example("a --symbol \u00df", 12)
def test_canonical_form_is_within_the_limit_that_its_text_was_within(text: str, chars_max: int):
    try:
        command = commands.parse(text, chars_max=chars_max)
    except UsageError:
        return
    assert commands.parse(commands.canonical(command), chars_max=chars_max) == command


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


def test_longest_command_is_still_read():
    reason = "&" * 500
    text = f'all --reason "{reason.replace("&", "&amp;")}"'
    assert commands.parse(text) == Cancel(is_all=True, reason=reason)
    assert commands.parse("x" * 2000) == Cancel(words=("x" * 2000,))
    assert commands.parse("x" * 20, chars_max=20) == Cancel(words=("x" * 20,))
    with pytest.raises(UsageError, match="21 characters; 20 are the limit"):
        commands.parse("x" * 21, chars_max=20)


def test_long_remainder_of_an_open_quote_is_cut():
    with pytest.raises(UsageError) as caught:
        commands.parse('all "' + "x" * 100)
    assert caught.value.user_message == ('A quote does not close or touches a word: "' + "x" * 39)


@pytest.mark.parametrize(
    "verb", ["", " ", "help", "status", "policy", "show K7Q2", "withdraw K7Q2"]
)
def test_nothing_but_a_scope_ever_cancels(verb: str):
    assert not isinstance(commands.parse(verb), Cancel)


scopes = st.one_of(
    st.just(["all"]),
    st.lists(
        st.sampled_from(["bybit", "mm", "desk=mm", "env=prod"]), min_size=1, max_size=3, unique=True
    ),
)
RESTRICTED = ["--symbol BTC", "--symbol=BTC,ETH", "--dry-run", '--reason "why not"']
options_of = st.lists(st.sampled_from(RESTRICTED), max_size=3, unique_by=lambda text: text[:4])


def scope(command: commands.Command) -> set[str]:
    """Every word that can name an account."""
    assert isinstance(command, Cancel)
    tags = {f"{key}={value}" for key, value in command.tags}
    return set(command.words) | tags | ({"all"} if command.is_all else set())


@given(scopes, options_of)
def test_what_is_typed_is_what_is_meant(names: list[str], options: list[str]):
    command = commands.parse(" ".join([*names, *options]))
    assert isinstance(command, Cancel)
    assert scope(command) == set(names)
    assert bool(command.symbols) == any("--symbol" in option for option in options)
    assert command.is_dry_run == ("--dry-run" in options)
    assert bool(command.reason) == any("--reason" in option for option in options)


@given(scopes, options_of, st.data())
def test_mangled_command_never_names_more(
    names: list[str], options: list[str], data: st.DataObject
):
    """One character lost, doubled or changed: refused, or no account word that was not typed."""
    text = " ".join([*names, *options])
    at = data.draw(st.integers(min_value=0, max_value=len(text) - 1))
    put = data.draw(
        st.sampled_from(["", text[at] * 2, "-", "\u2014", '"', "'", "=", "x", "\u00a0"])
    )
    mangled = text[:at] + put + text[at + 1 :]
    try:
        command = commands.parse(mangled)
    except UsageError:
        return
    typed = {word.strip("\"'") for word in mangled.split()}
    assert scope(command) <= typed
    if names != ["all"] and isinstance(command, Cancel):
        assert not command.is_all
    if any("--symbol" in option for option in options) and "--symbol" in mangled:
        assert isinstance(command, Cancel)
        assert command.symbols or "--symbol" in command.reason


@given(
    scopes, st.lists(st.sampled_from(["bybit", "all", "mm", "kill", "it", "desk=mm"]), min_size=2)
)
def test_reason_without_quotes_never_adds_accounts(names: list[str], reason: list[str]):
    with pytest.raises(UsageError, match="stands after --reason"):
        commands.parse(" ".join([*names, "--reason", *reason]))
