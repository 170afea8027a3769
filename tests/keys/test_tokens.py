"""Slack's tokens: from the config, or from Vault once it answers."""

import json

import pytest
from pydantic import SecretStr

from bot.config_secrets import InVault, SlackSecrets
from bot.domain.errors import ConfigError, SecretError
from bot.keys import tokens
from tests.fakes.run import Keys

DOCUMENT = json.dumps(
    {"bot_token": "xoxb-canary", "app_token": "xapp-canary", "signing": "abcdef", "odd": "xoxb-1"}
)


def secrets(**more: str) -> SlackSecrets:
    fields = {"bot_token": "bot_token", "app_token": "app_token"} | more
    found = {name: InVault(path="cancelall/slack", field=field) for name, field in fields.items()}
    return SlackSecrets(
        bot_token=found["bot_token"],
        app_token=found.get("app_token"),
        signing_secret=found.get("signing_secret"),
    )


def vault(*errors: SecretError, text: str = DOCUMENT) -> Keys:
    return Keys(secrets={"cancelall/slack": text}, errors={"cancelall/slack": list(errors)})


async def test_tokens_of_the_config_ask_no_key_source():
    known = SlackSecrets(bot_token=SecretStr("xoxb-1"), app_token=None, signing_secret=None)
    keys = vault()
    assert (await tokens.read(known, keys)).bot.get_secret_value() == "xoxb-1"
    assert keys.reads == []


async def test_tokens_in_vault_are_read_by_their_fields_and_never_shown():
    found = await tokens.read(secrets(signing_secret="signing"), vault())
    assert found.bot.get_secret_value() == "xoxb-canary"
    assert found.app is not None
    assert found.app.get_secret_value() == "xapp-canary"
    assert found.signing is not None
    assert found.signing.get_secret_value() == "abcdef"
    assert "canary" not in repr(found)


async def test_tokens_are_waited_for_while_vault_is_away():
    away = SecretError(user_message="Vault is sealed", is_retryable=True)
    keys = vault(away, away)
    found = await tokens.wait_for(secrets(), keys, again_s=0.0)
    assert found.bot.get_secret_value() == "xoxb-canary"
    assert len(keys.reads) == 4


@pytest.mark.parametrize(
    ("keys", "fields", "message"),
    [
        (
            vault(SecretError(user_message="Vault denies it", remedy="Add the policy line.")),
            {},
            "Slack's tokens: Vault denies it. Add the policy line.",
        ),
        (
            vault(),
            {"bot_token": "bot"},
            (
                "slack.bot_token: the document at cancelall/slack has no text bot. "
                "Put it there under bot, or mend the field in the config."
            ),
        ),
        (
            vault(),
            {"app_token": "odd"},
            (
                "slack.app_token is no app-level token: those begin with xapp-. Make one "
                "with the scope connections:write under Basic Information, App-Level Tokens, "
                "and store it alone."
            ),
        ),
    ],
    ids=["denied", "no such field", "another token"],
)
async def test_tokens_that_cannot_be_had_end_in_one_line(
    keys: Keys, fields: dict[str, str], message: str
):
    with pytest.raises(ConfigError) as caught:
        await tokens.wait_for(secrets(**fields), keys, again_s=0.0)
    assert str(caught.value) == message
