"""The simulated Vault as a desk sets it up and plays with it; the contract is in tests/keys."""

from collections.abc import Iterator

import hvac
import hvac.exceptions
import pytest
import requests

from bot.sandbox.vault import routes, server
from bot.sandbox.vault.faults import Fault
from bot.sandbox.vault.refusal import Refused
from bot.sandbox.vault.server import SimulatedVault
from bot.sandbox.vault.state import VaultState

POLICY = 'path "secret/data/venues/x" { capabilities = ["read"] }'
DOCUMENT = {"api_key": "k", "api_secret": "s"}


@pytest.fixture
def vault() -> Iterator[SimulatedVault]:
    """A server with a secret, and an AppRole that may read it."""
    state = VaultState()
    for path, body in (
        ("sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}),
        ("secret/data/venues/x", {"data": DOCUMENT}),
        ("sys/policy/desk", {"policy": POLICY}),
        ("sys/auth/approle", {"type": "approle"}),
        ("auth/approle/role/desk", {"token_policies": ["desk"], "token_ttl": "10m"}),
    ):
        routes.ask_as_root(state, "POST", path, body)
    with server.running(state) as running:
        yield running


@pytest.fixture
def desk(vault: SimulatedVault) -> Iterator[hvac.Client]:
    """Whoever came in by that AppRole."""
    role = "auth/approle/role/desk"
    role_id = routes.ask_as_root(vault.state, "GET", f"{role}/role-id")["data"]["role_id"]
    secret = routes.ask_as_root(vault.state, "POST", f"{role}/secret-id")["data"]["secret_id"]
    with requests.Session() as session:
        session.trust_env = False
        client = hvac.Client(url=vault.url, session=session)
        client.auth.approle.login(role_id, secret)
        yield client


def read(client: hvac.Client) -> object:
    reply = client.secrets.kv.v2.read_secret_version("venues/x", raise_on_deleted_version=False)
    return reply["data"]["data"]


def test_desk_reads_what_its_policy_allows_and_nothing_else(desk: hvac.Client):
    assert read(desk) == DOCUMENT
    with pytest.raises(hvac.exceptions.Forbidden):
        desk.secrets.kv.v2.read_secret_version("venues/y", raise_on_deleted_version=False)


def test_sealed_server_answers_nothing_and_has_lost_nothing_once_unsealed(
    vault: SimulatedVault, desk: hvac.Client
):
    vault.state.is_sealed = True
    with pytest.raises(hvac.exceptions.VaultDown):
        read(desk)
    with pytest.raises(Refused):
        routes.ask_as_root(vault.state, "GET", "secret/data/venues/x")
    vault.state.is_sealed = False
    assert read(desk) == DOCUMENT


def test_fault_hits_the_calls_that_it_names_as_often_as_it_says(
    vault: SimulatedVault, desk: hvac.Client
):
    vault.faults.append(Fault(kind="status", status=500, path="venues/x", times=1))
    assert desk.is_authenticated()
    with pytest.raises(hvac.exceptions.InternalServerError):
        read(desk)
    assert read(desk) == DOCUMENT
    assert vault.paths()[-2:] == ["GET secret/data/venues/x"] * 2


def test_engine_that_was_disabled_is_no_route_any_more(vault: SimulatedVault, desk: hvac.Client):
    routes.ask_as_root(vault.state, "DELETE", "sys/mounts/secret")
    with pytest.raises(hvac.exceptions.InvalidPath, match="no handler for route"):
        read(desk)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("sys/policy/desk", {"policy": POLICY + ' rule "x" {}'}, 400),
        ("auth/approle/role/desk/custom-secret-id", {"secret_id": "mine"}, 404),
        ("sys/seal", {}, 404),
    ],
)
def test_what_is_not_simulated_is_refused_and_changes_nothing(
    vault: SimulatedVault, path: str, body: dict[str, str], status: int
):
    before = dict(vault.state.roles), dict(vault.state.policies)
    with pytest.raises(Refused) as caught:
        routes.ask_as_root(vault.state, "POST", path, body)
    assert caught.value.status == status
    assert (vault.state.roles, vault.state.policies) == before


def test_call_that_breaks_the_server_ends_and_is_in_the_log(caplog: pytest.LogCaptureFixture):
    with server.running() as vault, requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.ConnectionError):
            session.post(f"{vault.url}/v1/auth/approle/login", data="no JSON")
    assert "JSONDecodeError" in caplog.text
