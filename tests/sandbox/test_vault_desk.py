"""The desk's Vault: whoever has its AppRole reads what the policy allows, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

import hvac
import hvac.exceptions
import pytest
import requests

from bot.sandbox.accounts import BYBIT, COINAPI
from bot.sandbox.vault import desk
from bot.sandbox.vault.desk import DeskVault
from bot.sandbox.vault.records import ROOT

MM, ARB, OPT = BYBIT.accounts
ACCOUNTS = (MM, OPT, COINAPI.accounts[0])


@pytest.fixture
def vault() -> Iterator[DeskVault]:
    with desk.opened(ACCOUNTS) as found:
        yield found


@contextmanager
def let_in(vault: DeskVault) -> Iterator[hvac.Client]:
    """Come in by the AppRole."""
    with requests.Session() as session:
        session.trust_env = False
        client = hvac.Client(url=vault.address, session=session)
        client.auth.approle.login(vault.role_id, vault.secret_id)
        yield client


def read(client: hvac.Client, name: str) -> object:
    reply = client.secrets.kv.v2.read_secret_version(
        f"venues/{name}", mount_point="secret", raise_on_deleted_version=True
    )
    return reply["data"]["data"]


def policy(*paths: str) -> str:
    return "\n".join(f'path "{path}" {{ capabilities = ["read"] }}' for path in paths)


def test_role_reads_every_key_of_the_desk_that_its_policy_names(vault: DeskVault):
    paths = ["bybit-mm", "bybit-mm-ro", "bybit-opt", "ems-john"]
    vault.allow(policy(*(f"secret/data/venues/{path}" for path in paths)))
    with let_in(vault) as client:
        assert {path: read(client, path) for path in paths} == {
            "bybit-mm": MM.key,
            "bybit-mm-ro": MM.read_key,
            "bybit-opt": OPT.key,
            "ems-john": COINAPI.accounts[0].key,
        }


def test_role_without_a_policy_reads_nothing(vault: DeskVault):
    with let_in(vault) as client, pytest.raises(hvac.exceptions.Forbidden):
        read(client, "bybit-mm")


def test_policy_that_is_narrower_than_a_path_denies_it(vault: DeskVault):
    vault.allow(policy("secret/data/venues/bybit-mm"))
    with let_in(vault) as client:
        assert read(client, "bybit-mm") == MM.key
        for name in ("bybit-mm-ro", "bybit-m", "bybit-opt", "ems-john"):
            with pytest.raises(hvac.exceptions.Forbidden):
                read(client, name)
        with pytest.raises(hvac.exceptions.Forbidden):
            client.secrets.kv.v2.create_or_update_secret(
                "venues/bybit-mm", {}, mount_point="secret"
            )


def test_nobody_is_root_once_the_policy_is_written(vault: DeskVault):
    with requests.Session() as session:
        session.trust_env = False
        root = hvac.Client(url=vault.address, token=ROOT, session=session)
        assert root.is_authenticated()
        vault.allow(policy("secret/data/venues/bybit-mm"))
        assert not root.is_authenticated()


def test_key_of_an_account_that_is_not_the_desks_is_not_there(vault: DeskVault):
    vault.allow(policy("secret/data/venues/bybit-arb"))
    with let_in(vault) as client, pytest.raises(hvac.exceptions.InvalidPath):
        read(client, ARB.name)


def test_another_secret_id_does_not_let_in(vault: DeskVault):
    with desk.opened(ACCOUNTS) as other, requests.Session() as session:
        session.trust_env = False
        client = hvac.Client(url=vault.address, session=session)
        assert other.secret_id != vault.secret_id
        with pytest.raises(hvac.exceptions.InvalidRequest):
            client.auth.approle.login(vault.role_id, other.secret_id)


def test_sealed_vault_answers_nobody_and_has_lost_nothing_once_unsealed(vault: DeskVault):
    vault.allow(policy("secret/data/venues/bybit-mm"))
    with let_in(vault) as client:
        vault.seal(is_sealed=True)
        with pytest.raises(hvac.exceptions.VaultDown):
            read(client, "bybit-mm")
        with pytest.raises(hvac.exceptions.VaultDown), let_in(vault):
            pass
        vault.seal(is_sealed=False)
        assert read(client, "bybit-mm") == MM.key
        with let_in(vault) as again:
            assert read(again, "bybit-mm") == MM.key
