"""The policy for Vault: exact paths, nothing more."""

import pytest

from bot.config_file import VaultPart
from bot.domain.errors import ConfigError
from bot.keys import vault_policy
from bot.sandbox.vault.policies import parse_policy

PART = VaultPart(address="https://vault.internal:8200", auth="kubernetes", role="cancelall")


def test_policy_names_each_path_once_and_the_bots_own_token():
    text = vault_policy.hcl(PART, ["venues/b", "venues/a-ro", "venues/b", "/venues/a/"])
    assert text.splitlines() == [
        "# cancelall: reads the keys of its accounts, each by its exact path.",
        'path "secret/data/venues/a" { capabilities = ["read"] }',
        'path "secret/data/venues/a-ro" { capabilities = ["read"] }',
        'path "secret/data/venues/b" { capabilities = ["read"] }',
        "",
        "# Its own token: how long it lives, that it may live on, that it ends with the bot,",
        "# and what it may read, asked when a request is posted, before any key is read.",
        'path "auth/token/lookup-self" { capabilities = ["read"] }',
        'path "auth/token/renew-self" { capabilities = ["update"] }',
        'path "auth/token/revoke-self" { capabilities = ["update"] }',
        'path "sys/capabilities-self" { capabilities = ["update"] }',
    ]


def test_policy_grants_no_list_no_write_and_no_wildcard():
    granted = parse_policy(vault_policy.hcl(PART, ["venues/a"]))
    assert granted["secret/data/venues/a"] == {"read"}
    assert not [path for path in granted if "*" in path or "+" in path or "metadata" in path]
    assert not {"list", "sudo", "create", "delete"} & set().union(*granted.values())


def test_policy_says_in_which_namespace_it_belongs():
    part = PART.model_copy(update={"namespace": "trading/", "mount": "kv/desk"})
    text = vault_policy.hcl(part, ["venues/a"])
    assert text.startswith(
        "# cancelall: reads the keys of its accounts, each by its exact path. "
        "In the namespace trading.\n"
    )
    assert 'path "kv/desk/data/venues/a" {' in text


@pytest.mark.parametrize("path", ["venues/*", "venues/+/a", 'a"b', "a b", "a//b", "a${x}", ""])
def test_path_that_could_be_more_than_one_is_refused(path: str):
    with pytest.raises(ConfigError) as caught:
        vault_policy.hcl(PART, [path])
    assert "cannot stand in a policy of Vault" in caught.value.user_message
