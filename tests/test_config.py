"""What the config says, and the whole message for each way of getting it wrong."""

from pathlib import Path

import pytest

from adapters import registry
from adapters.contract import Protective
from bot import config as configs
from bot.config_file import SecretAt
from bot.domain.errors import ConfigError
from bot.sandbox.slack.records import App

POLICY = """\
workspaces = ["T0HOME"]

[roles.traders]
groups = ["S0TRADERS"]

[[rule]]
name = "prod"
accounts = ["*"]
ask = ["traders"]
approve = [{ roles = ["traders"], count = 1 }]
"""

CONFIG = """\
policy = "policy.toml"

[slack]
mode = "http"
incident_channel = "C0INCIDENT"
bot_token = { env = "TOKEN" }
signing_secret = { env = "SIGNING" }

[keys]
source = "sealed"
file = "keys.sealed"
passphrase = { env = "PASS" }

[[account]]
name = "bybit-mm"
venue = "bybit"
uid = "1234567"
key = "venues/bybit-mm"
"""

ENVIRONMENT = {"TOKEN": "xoxb-canary-1", "SIGNING": "canary-2", "PASS": "canary-3"}
CANARY = "canary"

ANOTHER = """
[[account]]
name = "bybit-hedge"
venue = "bybit"
uid = "7654321"
key = "venues/bybit-hedge"
"""

SAY_WHERE = 'Write bot_token = { env = "NAME" } or { file = "path" }.'


def write(folder: Path, text: str = CONFIG, *, policy: str = POLICY) -> Path:
    (folder / "policy.toml").write_text(policy)
    path = folder / "config.toml"
    path.write_text(text)
    return path


def changed(old: str, new: str) -> str:
    assert CONFIG.count(old) == 1, f"{old} must stand once in the example"
    return CONFIG.replace(old, new)


def secret_file(folder: Path, text: str, *, mode: int = 0o600) -> Path:
    path = folder / "slack.token"
    path.write_text(text)
    path.chmod(mode)
    return path


def refused(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        configs.load(write(folder, text), ENVIRONMENT)
    return caught.value


def test_the_smallest_config_is_enough(tmp_path: Path):
    config = configs.load(write(tmp_path), ENVIRONMENT)

    (account,) = config.directory.accounts
    assert (account.name, account.venue, account.uid) == ("bybit-mm", "bybit", "1234567")
    assert (account.key, account.read_key) == ("venues/bybit-mm", None)
    assert account.base_url == "https://api.bybit.com"
    assert (account.tags, account.classes_off) == ((), ())
    assert account.protective is Protective.CANCEL
    assert config.file.slack.api_url == "https://slack.com/api/"
    assert config.slack.bot_token.get_secret_value() == "xoxb-canary-1"
    assert config.slack.signing_secret.get_secret_value() == "canary-2"
    assert config.passphrase.get_secret_value() == "canary-3"
    assert config.policy_text == POLICY
    assert config.policy.rules[0].name == "prod"


def test_everything_that_an_account_may_say_arrives(tmp_path: Path):
    text = CONFIG + (
        'read_key = "venues/bybit-mm-ro"\n'
        'tags = { env = "prod", desk = "mm" }\n'
        'protective = "keep"\n'
        'classes_off = ["linear"]\n'
        'base_url = "http://127.0.0.1:9"\n'
        'settle_coins = ["USDT"]\n'
    )

    config = configs.load(write(tmp_path, text), ENVIRONMENT)

    account = config.accounts[0]
    assert account.read_key == "venues/bybit-mm-ro"
    assert account.tags == (("desk", "mm"), ("env", "prod"))
    assert account.protective is Protective.KEEP
    assert account.classes_off == ("linear",)
    assert config.settings == {
        ("bybit", "http://127.0.0.1:9"): registry.venues()["bybit"].settings(
            base_url="http://127.0.0.1:9", settle_coins=("USDT",)
        )
    }


def test_accounts_keep_their_order_and_share_the_settings_of_their_place(tmp_path: Path):
    config = configs.load(write(tmp_path, CONFIG + ANOTHER), ENVIRONMENT)

    assert [account.name for account in config.directory.accounts] == ["bybit-mm", "bybit-hedge"]
    assert list(config.settings) == [("bybit", "https://api.bybit.com")]


def test_paths_are_relative_to_the_folder_of_the_config(tmp_path: Path):
    file = configs.load(write(tmp_path), ENVIRONMENT).file

    assert file.keys.file == tmp_path / "keys.sealed"
    assert file.state.dir == tmp_path / "state"
    assert file.store.url == f"sqlite:///{tmp_path}/cancelall.db"


@pytest.mark.parametrize("url", ["sqlite:////srv/cancelall.db", "postgresql://db/cancelall"])
def test_a_store_that_is_not_beside_the_config_is_left_as_it_is(tmp_path: Path, url: str):
    text = changed("[[account]]", f'[store]\nurl = "{url}"\n\n[[account]]')

    assert configs.load(write(tmp_path, text), ENVIRONMENT).file.store.url == url


def test_a_secret_is_read_from_a_file_without_its_last_newline(tmp_path: Path):
    secret_file(tmp_path, "xoxb-canary-4\n")
    text = changed('{ env = "TOKEN" }', '{ file = "slack.token" }')

    config = configs.load(write(tmp_path, text), ENVIRONMENT)

    assert config.slack.bot_token.get_secret_value() == "xoxb-canary-4"


def test_without_an_argument_the_environment_of_the_process_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    assert configs.load(write(tmp_path)).passphrase.get_secret_value() == "canary-3"


def test_no_secret_shows_in_the_repr(tmp_path: Path):
    config = configs.load(write(tmp_path), ENVIRONMENT)

    assert CANARY not in f"{config!r} {config} {config.file.model_dump_json()}"


VENUES = ", ".join(sorted(registry.venues()))
OTHER_MEANING = (
    "a name that means something else in a command. "
    f"Give it another: {VENUES}, all, status, show, withdraw, policy, help are taken."
)
WRONG = {
    'config.toml has an unknown key "polcy". Did you mean policy?': changed(
        'policy = "', 'polcy = "'
    ),
    'config.toml has an unknown key "slack.api_ulr". Did you mean api_url?': changed(
        "[slack]", "[slack]\napi_ulr = 1"
    ),
    'config.toml: account bybit-mm has an unknown key "protectve". Did you mean protective?': CONFIG
    + 'protectve = "keep"\n',
    (
        'config.toml: account bybit-mm has an unknown key "setle_coins". Did you mean settle_coins?'
    ): CONFIG + 'setle_coins = ["USDT"]\n',
    'config.toml: account bybit-mm lacks "uid". Add it.': changed('uid = "1234567"\n', ""),
    (
        'config.toml: account bybit-mm: "uid" is wrong: must be text in quotes. '
        "See the README's config."
    ): changed('"1234567"', "1234567"),
    (
        'config.toml: account bybit-mm: "uid" is wrong: must not be empty. '
        "See the README's config."
    ): changed('"1234567"', '""'),
    (
        'config.toml: account bybit-mm: "uid" is not what bybit calls an account. '
        "Write its digits, as Bybit shows them as UID on the account's page."
    ): changed('"1234567"', '"market maker"'),
    (
        "config.toml: account bybit-hedge has the key of bybit-mm, and a key there is of one UID. "
        "Seal a key of its own, or mend the name."
    ): CONFIG + ANOTHER.replace("venues/bybit-hedge", "venues/bybit-mm"),
    (
        "config.toml: account bybit-hedge is the account that bybit-mm is: one UID at one address. "
        "Leave one of them out, or mend the uid."
    ): CONFIG + ANOTHER.replace("7654321", "1234567"),
    (
        "config.toml: account bybit-mm: read_key is the key of bybit-mm that can cancel. "
        "Seal a read-only key under its own name, or leave read_key out."
    ): CONFIG + 'read_key = "venues/bybit-mm"\n',
    (
        "config.toml: account bybit-mm: read_key is the key of bybit-hedge that can cancel. "
        "Seal a read-only key under its own name, or leave read_key out."
    ): CONFIG + 'read_key = "venues/bybit-hedge"\n' + ANOTHER,
    (
        "config.toml: account bybit-hedge: read_key is the key of bybit-mm that can cancel. "
        "Seal a read-only key under its own name, or leave read_key out."
    ): CONFIG + ANOTHER + 'read_key = "venues/bybit-mm"\n',
    (
        'config.toml: account bybit-mm: "read_key" is wrong: must not be empty. '
        "See the README's config."
    ): CONFIG + 'read_key = ""\n',
    'config.toml: "web.host" is wrong: must not be empty. See the README\'s config.': changed(
        "[slack]", '[web]\nhost = ""\n[slack]'
    ),
    (
        "config.toml: account bybit-mm: classes_off leaves nothing to cancel. "
        "Leave one class in, or leave the account out."
    ): CONFIG + f"classes_off = {sorted(registry.venues()['bybit'].capabilities.order_classes)}\n",
    (
        'config.toml: account bybit-mm: "base_url" is wrong: must begin with https:// '
        "and name a host. See the README's config."
    ): CONFIG + 'base_url = "api.bybit.com"\n',
    (
        'config.toml: account number 1: "name" is wrong: must be small letters, digits, dots, '
        "dashes or underscores. See the README's config."
    ): changed('"bybit-mm"', '"Bybit MM"'),
    (
        'config.toml: "slack.incident_channel" is wrong: must be a channel\'s id, such as '
        "C0123ABCD: Slack shows it below a channel's details. See the README's config."
    ): changed('"C0INCIDENT"', '"#incident"'),
    (
        'config.toml: "slack.channels" is wrong: must be a list: […]. See the README\'s config.'
    ): changed("[slack]", '[slack]\nchannels = "C0DESK"'),
    (
        'config.toml: "web.port" is wrong: must be less than or equal to 65535. '
        "See the README's config."
    ): changed("[slack]", "[web]\nport = 70000\n[slack]"),
    (
        "config.toml: \"slack.mode\" is not one that this release knows. Write 'socket' or 'http'."
    ): changed('mode = "http"', 'mode = "rtm"'),
    (
        'config.toml: "keys.source" is not one that this release knows. '
        "Write 'vault' or 'sealed'."
    ): changed('source = "sealed"', 'source = "keyring"'),
    (
        "config.toml: account bybit-mm: \"protective\" is wrong: must be 'cancel' or 'keep'. "
        "See the README's config."
    ): CONFIG + 'protective = "kep"\n',
    (
        'config.toml: account bybit-mm: classes_off names "lnear", which bybit lacks. '
        "Did you mean linear?"
    ): CONFIG + 'classes_off = ["lnear"]\n',
    (
        'config.toml: account bybit-mm: "recv_window_ms" is wrong: must be greater than or equal '
        "to 1000. See the README's config."
    ): CONFIG + "recv_window_ms = 5\n",
    'config.toml: account bybit-mm: "bibit" is not a venue. Did you mean bybit?': changed(
        'venue = "bybit"', 'venue = "bibit"'
    ),
    f'config.toml: account bybit-mm: "nyse" is not a venue. Known: {VENUES}.': changed(
        'venue = "bybit"', 'venue = "nyse"'
    ),
    f"config.toml: account bybit has {OTHER_MEANING}": changed('"bybit-mm"', '"bybit"'),
    f"config.toml: account all has {OTHER_MEANING}": changed('"bybit-mm"', '"all"'),
    f"config.toml: account status has {OTHER_MEANING}": changed('"bybit-mm"', '"status"'),
    "config.toml: account bybit-mm stands twice. Give each account its own name.": CONFIG
    + ANOTHER.replace("bybit-hedge", "bybit-mm"),
    (
        "config.toml: account bybit-hedge has other venue settings than an account before it. "
        "Accounts at https://api.bybit.com share one connection: make them equal."
    ): CONFIG + ANOTHER + "recv_window_ms = 9000\n",
    "config.toml has no list of accounts. Begin each with [[account]].": changed(
        "[[account]]", "[account]"
    ),
    'config.toml lacks "account". Add it.': CONFIG.split("[[account]]", maxsplit=1)[0],
    (
        "config.toml is not valid TOML: Illegal character '\\n' (at line 17, column 15). "
        "Mend that line."
    ): changed('"1234567"', '"1234567'),
    f'config.toml: "slack.bot_token" must not hold the secret itself. {SAY_WHERE}': changed(
        '{ env = "TOKEN" }', '"xoxb-canary-9"'
    ),
    (
        'config.toml: "keys.passphrase" must not hold the secret itself. '
        'Write passphrase = { env = "NAME" } or { file = "path" }.'
    ): changed('{ env = "PASS" }', '["canary"]'),
    (
        'config.toml: "slack.bot_token.env" is wrong: must be the name of an environment '
        "variable, in capitals. See the README's config."
    ): changed('{ env = "TOKEN" }', '{ env = "xoxb-canary-9" }'),
    (
        "slack.bot_token: the file that it names cannot be read: No such file or directory. "
        "Check the path in slack.bot_token."
    ): changed('{ env = "TOKEN" }', '{ file = "xoxb-canary-9" }'),
    (
        'config.toml has an unknown key "slack.bot_token.token". Known: env, field, file, vault.'
    ): changed('{ env = "TOKEN" }', '{ token = "xoxb-canary-9" }'),
    (
        'config.toml: account bybit-mm has an unknown key "api_secret". Known: base_url, '
        "classes_off, key, name, protective, read_key, recv_window_ms, settle_coins, tags, uid, "
        "venue."
    ): CONFIG + 'api_secret = "canary"\n',
    "slack.bot_token must say where the secret is: env or file, and one of them. "
    + SAY_WHERE: changed('{ env = "TOKEN" }', "{}"),
    "keys.passphrase: the environment has no PASSPHRASE. Set PASSPHRASE for the process.": changed(
        '"PASS"', '"PASSPHRASE"'
    ),
}


@pytest.mark.parametrize(("message", "text"), WRONG.items(), ids=WRONG)
def test_a_wrong_config_is_refused_in_one_line(tmp_path: Path, message: str, text: str):
    error = refused(tmp_path, text)

    assert str(error) == message
    assert CANARY not in f"{error!r} {error.args}"
    assert "\n" not in message


def test_two_references_are_as_wrong_as_none(tmp_path: Path):
    text = changed('{ env = "TOKEN" }', '{ env = "TOKEN", file = "slack.token" }')

    assert str(refused(tmp_path, text)) == (
        f"slack.bot_token must say where the secret is: env or file, and one of them. {SAY_WHERE}"
    )


def test_a_variable_that_is_set_to_nothing_is_not_set(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"^keys\.passphrase: the environment has no PASS\. "):
        configs.load(write(tmp_path), ENVIRONMENT | {"PASS": ""})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_secret_file_that_others_reach_is_refused(tmp_path: Path, mode: int):
    path = secret_file(tmp_path, "xoxb-canary-4", mode=mode)

    error = refused(tmp_path, changed('{ env = "TOKEN" }', '{ file = "slack.token" }'))

    assert str(error) == f"slack.bot_token: {path} may be read by others. chmod 600 {path}"


def test_an_empty_secret_file_is_refused(tmp_path: Path):
    path = secret_file(tmp_path, " \n")

    error = refused(tmp_path, changed('{ env = "TOKEN" }', '{ file = "slack.token" }'))

    assert str(error) == f"slack.bot_token: {path} is empty. Write the secret into it."


def test_a_secret_file_that_is_not_text_is_refused(tmp_path: Path):
    path = secret_file(tmp_path, "")
    path.write_bytes(b"\xff\xfe")

    error = refused(tmp_path, changed('{ env = "TOKEN" }', '{ file = "slack.token" }'))

    assert str(error) == (
        "slack.bot_token: the file that it names cannot be read: it is not text. "
        "Check the path in slack.bot_token."
    )


def test_a_missing_config_is_named(tmp_path: Path):
    path = tmp_path / "config.toml"

    with pytest.raises(ConfigError) as caught:
        configs.load(path, ENVIRONMENT)

    assert str(caught.value) == (
        f"{path} cannot be read: No such file or directory. Check the path in --config."
    )


def test_a_config_that_is_not_text_is_named(tmp_path: Path):
    path = write(tmp_path)
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError) as caught:
        configs.load(path, ENVIRONMENT)

    assert str(caught.value) == (
        f"{path} cannot be read: it is not text. Check the path in --config."
    )


def test_a_missing_policy_is_named(tmp_path: Path):
    error = refused(tmp_path, changed('"policy.toml"', '"rules.toml"'))

    assert str(error) == (
        f"{tmp_path}/rules.toml cannot be read: No such file or directory. "
        "Check the path in policy."
    )


def test_a_wrong_policy_is_a_wrong_config(tmp_path: Path):
    path = write(tmp_path, policy=POLICY.replace('ask = ["traders"]', 'ask = ["trader"]'))

    with pytest.raises(ConfigError) as caught:
        configs.load(path, ENVIRONMENT)

    assert str(caught.value) == (
        'policy.toml: Rule "prod" names the role "trader", which is not defined. '
        "Did you mean traders?"
    )


@pytest.mark.parametrize(
    ("accounts", "said"),
    [
        (
            'accounts = ["bybit-mn"]',
            'account "bybit-mn", which is not in the config. Did you mean bybit-mm?',
        ),
        (
            'tags = { env = "Prod" }',
            'tag "env=Prod", which is not in the config. Did you mean env=prod?',
        ),
    ],
)
def test_a_rule_that_binds_no_account_is_refused(tmp_path: Path, accounts: str, said: str):
    policy = POLICY.replace('accounts = ["*"]', accounts)
    path = write(tmp_path, CONFIG + 'tags = { env = "prod" }\n', policy=policy)

    with pytest.raises(ConfigError) as caught:
        configs.load(path, ENVIRONMENT)

    assert str(caught.value) == f'policy.toml: Rule "prod" is for the {said}'


def test_an_account_that_no_rule_covers_is_refused(tmp_path: Path):
    """A tag misspelt on the account: nobody could ask for it, and no card would say why."""
    policy = POLICY.replace('accounts = ["*"]', 'tags = { env = "prod" }')
    text = CONFIG + 'tags = { env = "prod" }\n' + ANOTHER + 'tags = { env = "prd" }\n'

    with pytest.raises(ConfigError) as caught:
        configs.load(write(tmp_path, text, policy=policy), ENVIRONMENT)

    assert str(caught.value) == (
        "policy.toml: No rule covers bybit-hedge, so nobody could ask for it. "
        "Mend its tags or a rule, or take it out of the config."
    )


NO_SIGNING_SECRET = (
    "slack.signing_secret is a token, or holds more than small letters and digits. "
    "Store the Signing Secret of the app's Basic Information alone: no quotes, no blank, "
    "no line break."
)


@pytest.mark.parametrize(
    "found",
    [
        "0123456789abcdef-canary\n",
        "\n0123456789abcdef-canary",
        " canary",
        "0123 canary",
        " \n",
        '"0123456789abcdef-canary"',
        "xoxb-1-canary",
        "xoxe.xoxp-1-canary",
        "xapp-1-canary",
        "0123456789.canary",
        "VerificationTokenCanary",
        "0123456789abcdef-cänary",
    ],
)
def test_what_slack_never_signs_with_is_refused_unseen(tmp_path: Path, found: str):
    """Each delivery would be refused as forged, and whoever types would only see that it failed."""
    with pytest.raises(ConfigError) as caught:
        configs.load(write(tmp_path), ENVIRONMENT | {"SIGNING": found})

    assert str(caught.value) == NO_SIGNING_SECRET
    assert CANARY not in f"{caught.value!r} {caught.value.args}".lower()


def test_a_signing_secret_of_two_lines_in_its_file_is_refused(tmp_path: Path):
    secret_file(tmp_path, "canary-1\ncanary-2\n")

    error = refused(tmp_path, changed('{ env = "SIGNING" }', '{ file = "slack.token" }'))

    assert str(error) == NO_SIGNING_SECRET


@pytest.mark.parametrize("found", ["8f742231b10e8888abcd990123456785", App().signing_secret])
def test_signing_secrets_of_slack_and_of_the_sandbox_are_taken(tmp_path: Path, found: str):
    config = configs.load(write(tmp_path), ENVIRONMENT | {"SIGNING": found})

    assert config.slack.signing_secret.get_secret_value() == found


def test_the_command_line_reads_a_secret_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PASS", "canary-3")
    path = secret_file(tmp_path, "canary-4\n")

    assert configs.secret(SecretAt(env="PASS"), "--passphrase").get_secret_value() == "canary-3"
    assert configs.secret(SecretAt(file=path), "--passphrase").get_secret_value() == "canary-4"


PACIFICA = """
[[account]]
name = "pacifica-main"
venue = "pacifica"
uid = "9C6hybhQ6Aycep9jaUnP6uL9ZYvDjUp1aSkFWPUFJtpj"
key = "venues/pacifica-main"
credits_key = { env = "CREDITS" }
"""


def test_a_secret_among_a_venues_settings_is_read_from_where_the_config_says(tmp_path: Path):
    environment = ENVIRONMENT | {"CREDITS": "canary-credits"}
    config = configs.load(write(tmp_path, CONFIG + PACIFICA), environment)
    settings = config.settings["pacifica", "https://api.pacifica.fi"]
    assert settings.credits_key.get_secret_value() == "canary-credits"
    assert CANARY not in repr(config)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            '"canary-credits"',
            f"credits_key must say where the secret is. {SAY_WHERE}".replace(
                "bot_token", "credits_key"
            ),
        ),
        (
            '{ env = "NOT_THERE" }',
            "credits_key: the environment has no NOT_THERE. Set NOT_THERE for the process.",
        ),
    ],
)
def test_a_secret_that_stands_in_the_config_itself_is_refused(
    tmp_path: Path, written: str, said: str
):
    error = refused(tmp_path, CONFIG + PACIFICA.replace('{ env = "CREDITS" }', written))
    assert f"{error.user_message} {error.remedy}" == f"config.toml: account pacifica-main: {said}"


def test_one_key_path_is_of_one_venue(tmp_path: Path):
    shared = PACIFICA.replace("venues/pacifica-main", "venues/bybit-mm")
    error = refused(tmp_path, CONFIG + shared.replace('credits_key = { env = "CREDITS" }', ""))
    assert error.user_message == (
        "config.toml: account pacifica-main has the key of bybit-mm, which is at bybit."
    )
