"""Ways to misconfigure production, each with the one line that `serve` and `check` end in."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import config as configs
from bot import wiring
from bot.config_secrets import InVault
from bot.domain.errors import ConfigError

POLICY = """\
workspaces = ["T0HOME"]

[roles.traders]
groups = ["S0TRADERS"]

[roles.heads]
users = ["U0HEAD"]

[[rule]]
name = "prod"
accounts = ["*"]
ask = ["traders"]
approve = [{ roles = ["traders"], count = 1 }]
break_glass = ["heads"]
"""

CONFIG = """\
policy = "policy.toml"

[slack]
mode = "socket"
incident_channel = "C0INCIDENT"
bot_token = { env = "TOKEN" }
app_token = { env = "APP" }

[keys]
source = "vault"
fallback = "sealed"
file = "keys.sealed"
passphrase = { env = "PASS" }

[keys.vault]
address = "https://vault.example:8200"
auth = "approle"
role_id = "cancelall"
secret_id = { env = "SECRET_ID" }

[console]
people = { alice = "U0HEAD" }

[[account]]
name = "bybit-mm"
venue = "bybit"
uid = "1234567"
key = "venues/bybit-mm"
"""

ENVIRONMENT = {
    "TOKEN": "xoxb-canary-1",
    "APP": "xapp-canary-2",
    "PASS": "canary-3",
    "SECRET_ID": "canary-4",
    "WRAPPED": "canary-5",
    "SIGNING": "canary-6",
}


def write(folder: Path, text: str = CONFIG, *, policy: str = POLICY) -> Path:
    (folder / "policy.toml").write_text(policy)
    path = folder / "config.toml"
    path.write_text(text)
    return path


def without(line: str, *, of: str = CONFIG) -> str:
    return changed(f"{line}\n", "", of=of)


def changed(old: str, new: str, *, of: str = CONFIG) -> str:
    assert of.count(old) == 1, f"{old} must stand once in the example"
    return of.replace(old, new)


APPROLE = 'auth = "approle"\nrole_id = "cancelall"\nsecret_id = { env = "SECRET_ID" }\n'

NO_VAULT = (
    'keys.source is "vault", and [keys.vault] is missing. Add [keys.vault] with address and auth.'
)
WRONG = {
    (
        'slack.app_token is missing, and mode = "socket" needs it. '
        'Write app_token = { env = "NAME" } or { file = "path" }; '
        "Slack shows it under the app's App-Level Tokens."
    ): without('app_token = { env = "APP" }'),
    (
        "slack.app_token is no app-level token: those begin with xapp-. "
        "Make one with the scope connections:write under Basic Information, "
        "App-Level Tokens, and store it alone."
    ): changed('app_token = { env = "APP" }', 'app_token = { env = "TOKEN" }'),
    (
        'slack.signing_secret is missing, and mode = "http" needs it. '
        'Write signing_secret = { env = "NAME" } or { file = "path" }; '
        "Slack shows it under the app's Basic Information."
    ): changed('mode = "socket"', 'mode = "http"'),
    (
        'config.toml: "slack.app_token" must not hold the secret itself. '
        'Write app_token = { env = "NAME" } or { file = "path" }.'
    ): changed('app_token = { env = "APP" }', 'app_token = "xapp-canary-9"'),
    (
        "config.toml: \"slack.mode\" is not one that this release knows. Write 'socket' or 'http'."
    ): changed('mode = "socket"', 'mode = "rtm"'),
    (
        'keys.source is "vault", and [keys.vault] is missing. '
        "Add [keys.vault] with address and auth."
    ): (CONFIG.replace('[keys.vault]\naddress = "https://vault.example:8200"\n' + APPROLE, "")),
    'config.toml lacks "keys.vault.address". Add it.': without(
        'address = "https://vault.example:8200"'
    ),
    (
        'config.toml: "keys.vault.auth" is not one that this release knows. '
        "Write 'approle', 'kubernetes', 'jwt' or 'token'."
    ): changed('auth = "approle"', 'auth = "userpass"'),
    'keys.vault lacks "role_id", which auth = "approle" needs. Add it.': without(
        'role_id = "cancelall"'
    ),
    (
        'keys.vault: auth = "approle" needs secret_id or wrapped_secret_id. Add one of them.'
    ): without('secret_id = { env = "SECRET_ID" }'),
    (
        'keys.vault: auth = "approle" needs secret_id or wrapped_secret_id. Leave one of them out.'
    ): changed(
        'secret_id = { env = "SECRET_ID" }',
        'secret_id = { env = "SECRET_ID" }\nwrapped_secret_id = { env = "WRAPPED" }',
    ),
    'keys.vault lacks "role", which auth = "approle" needs. Add it.': changed(
        'secret_id = { env = "SECRET_ID" }', 'wrapped_secret_id = { env = "WRAPPED" }'
    ),
    'keys.vault.secret_id is of no use: auth is "kubernetes". Leave secret_id out, or mend auth.': (
        changed('auth = "approle"', 'auth = "kubernetes"')
    ),
    'keys.vault lacks "role", which auth = "kubernetes" needs. Add it.': changed(
        APPROLE, 'auth = "kubernetes"\n'
    ),
    'keys.vault lacks "jwt_file", which auth = "jwt" needs. Add it.': changed(
        APPROLE, 'auth = "jwt"\nrole = "cancelall"\n'
    ),
    (
        "keys.vault.jwt_file: the file that it names cannot be read: No such file or directory. "
        "Check the path in keys.vault.jwt_file."
    ): changed(APPROLE, 'auth = "jwt"\nrole = "cancelall"\njwt_file = "no.jwt"\n'),
    'keys.vault: auth = "token" needs token. Add one of them.': changed(
        APPROLE, 'auth = "token"\n'
    ),
    (
        'config.toml: "keys.vault.secret_id" must not hold the secret itself. '
        'Write secret_id = { env = "NAME" } or { file = "path" }.'
    ): changed('secret_id = { env = "SECRET_ID" }', 'secret_id = "canary-9"'),
    (
        "keys.vault.secret_id: the environment has no NOT_THERE. Set NOT_THERE for the process."
    ): changed('env = "SECRET_ID"', 'env = "NOT_THERE"'),
    'keys.file is missing, and keys use the "sealed" source. Add file under [keys].': without(
        'file = "keys.sealed"'
    ),
    'keys.passphrase is missing, and keys use the "sealed" source. Add passphrase under [keys].': (
        without('passphrase = { env = "PASS" }')
    ),
    (
        'keys.fallback is of no use: keys.source is "sealed". '
        'Write source = "vault", or leave keys.fallback out.'
    ): changed('source = "vault"', 'source = "sealed"'),
    (
        'keys.vault is of no use: keys.source is "sealed". '
        'Write source = "vault", or leave keys.vault out.'
    ): without('fallback = "sealed"', of=changed('source = "vault"', 'source = "sealed"')),
    ('config.toml has an unknown key "keys.vault.adress". Did you mean address?'): changed(
        "address =", "adress ="
    ),
    (
        'config.toml: "console.people.alice" is wrong: must be a member id, such as U0123ABCD: '
        "Slack copies it from a profile's menu. See the README's config."
    ): changed('"U0HEAD"', '"alice"'),
}


@pytest.mark.parametrize(("message", "text"), WRONG.items(), ids=list(WRONG))
def test_a_wrong_set_up_is_refused_in_one_line_that_names_the_remedy(
    tmp_path: Path, message: str, text: str
):
    with pytest.raises(ConfigError) as caught:
        configs.load(write(tmp_path, text), ENVIRONMENT)
    assert str(caught.value) == message
    assert "\n" not in message
    assert "canary" not in message


def test_the_example_itself_loads_with_every_secret_unseen(tmp_path: Path):
    config = configs.load(write(tmp_path), ENVIRONMENT)
    assert config.vault is not None
    assert config.vault.credential().get_secret_value() == "canary-4"
    assert config.slack is not None
    assert isinstance(config.slack.app_token, SecretStr)
    assert config.slack.app_token.get_secret_value() == "xapp-canary-2"
    assert "canary" not in f"{config!r}"


def test_a_console_needs_none_of_slacks_secrets(tmp_path: Path):
    there = {name: ENVIRONMENT[name] for name in ("PASS", "SECRET_ID")}
    config = configs.load_console(write(tmp_path), there)
    assert config.slack is None
    assert config.file.slack.incident_channel == "C0INCIDENT"


def test_a_jwt_is_read_anew_for_each_login(tmp_path: Path):
    """The platform rotates it."""
    token = tmp_path / "pod.jwt"
    token.write_text("first\n")
    text = changed(APPROLE, 'auth = "jwt"\nrole = "cancelall"\njwt_file = "pod.jwt"\n')
    config = configs.load(write(tmp_path, text), ENVIRONMENT)
    assert config.vault is not None
    assert config.vault.credential().get_secret_value() == "first"
    token.write_text("second")
    assert config.vault.credential().get_secret_value() == "second"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'break_glass = ["heads"]',
            'break_glass = ["traders"]',
            (
                'policy.toml: Rule "prod" lets the role "traders" break the glass, and that '
                "names no users. Who is in a user group only Slack can tell, and it may be gone. "
                "Name the people by their ids in a role of their own."
            ),
        ),
        (
            'break_glass = ["heads"]',
            'break_glass = ["haeds"]',
            (
                'policy.toml: Rule "prod" names the role "haeds", which is not defined. '
                "Did you mean heads?"
            ),
        ),
    ],
)
def test_a_policy_that_nobody_could_break_the_glass_by_is_refused(
    tmp_path: Path, old: str, new: str, message: str
):
    with pytest.raises(ConfigError) as caught:
        configs.load(write(tmp_path, policy=changed(old, new, of=POLICY)), ENVIRONMENT)
    assert str(caught.value) == message


def test_slacks_tokens_may_be_in_vault(tmp_path: Path):
    text = changed('{ env = "TOKEN" }', '{ vault = "cancelall/slack", field = "bot" }')
    config = configs.load(write(tmp_path, text), ENVIRONMENT)
    assert config.slack is not None
    assert config.slack.bot_token == InVault(path="cancelall/slack", field="bot")
    assert config.file.vault_paths == ("cancelall/slack", "venues/bybit-mm")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://vault.example:8200", "plain http is for this machine alone: write https://"),
        ("vault.example:8200", "must begin with https:// and name a host"),
        ("https://u:p@vault.example", "must hold no user, no query and no fragment"),
    ],
)
async def test_no_key_comes_from_vault_in_the_clear(tmp_path: Path, address: str, why: str):
    text = changed("https://vault.example:8200", address)
    text = without('fallback = "sealed"', of=text)
    text = without('file = "keys.sealed"\npassphrase = { env = "PASS" }', of=text)
    config = configs.load(write(tmp_path, text), ENVIRONMENT)
    with pytest.raises(ConfigError) as caught:
        async with wiring.open_keys(config):
            pass
    assert str(caught.value) == f"keys.vault.address: {why}. Write https://HOST:8200."


@pytest.mark.parametrize("key", ["/venues/bybit-mm", "venues/bybit-mm/", "a/../venues/bybit-mm"])
def test_a_key_has_one_spelling(tmp_path: Path, key: str):
    """Another one of a key that can cancel would be read as a read key, by each preview."""
    uid = 'uid = "1234567"'
    text = changed(uid, f'{uid}\nread_key = "{key}"')
    with pytest.raises(ConfigError) as caught:
        configs.load(write(tmp_path, text), ENVIRONMENT)
    assert str(caught.value) == (
        'config.toml: account bybit-mm: "read_key" is wrong: must be letters, digits and - _ . '
        "with single slashes between, such as venues/bybit-mm. See the README's config."
    )


@pytest.mark.parametrize("key", ["mount", "auth_mount", "namespace"])
def test_a_place_in_vault_that_no_header_or_policy_can_carry_is_refused(tmp_path: Path, key: str):
    text = changed('role_id = "cancelall"', f'role_id = "cancelall"\n{key} = "größe"')
    with pytest.raises(ConfigError) as caught:
        configs.load(write(tmp_path, text), ENVIRONMENT)
    assert str(caught.value) == (
        f'config.toml: "keys.vault.{key}" is wrong: must be letters, digits and - _ . / only. '
        "See the README's config."
    )
