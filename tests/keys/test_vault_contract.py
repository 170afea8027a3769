"""The contract server answers as real servers were recorded to answer: a fake that drifts fails."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hvac
import hvac.exceptions
import pytest

from bot.sandbox.vault import server as vaults
from bot.sandbox.vault.faults import Fault
from bot.sandbox.vault.records import OPENBAO, VAULT, Json
from bot.sandbox.vault.server import SimulatedVault
from bot.sandbox.vault.state import VaultState
from tests.keys.vault_stage import STAGES, Sent, Stage

RECORDED: list[Json] = json.loads((Path(__file__).parent / "vault_recorded.json").read_text())[
    "pairs"
]
FAULTS = {
    "error.429.rate_limited": Fault(kind="status", status=429, body={"errors": ["quota"]}),
    "standby.kv2.read.active_lost": Fault(kind="status", status=307, location="http://127.0.0.1:1"),
}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, SimulatedVault]]:
    """One server of each kind; each test gives it a new state."""
    with vaults.running() as bao, vaults.running() as hashicorp:
        yield {OPENBAO: bao, VAULT: hashicorp}


def name_of(pair: Json) -> str:
    return f"{pair['server']} {pair['label']}"


def flavour_of(pair: Json) -> str:
    return VAULT if pair["server"].startswith(VAULT) else OPENBAO


@pytest.mark.parametrize("pair", RECORDED, ids=name_of)
def test_contract_server_answers_as_real_ones_did(pair: Json, servers: dict[str, SimulatedVault]):
    server = servers[flavour_of(pair)]
    with staged(server, pair) as sent:
        assert sorted(sent.body or {}) == (pair["request"]["json"] or []), "another request"
        found = ask(server, pair, sent)
    wanted = pair["response"]
    assert found.status_code == wanted["status"]
    assert found.headers.get("Content-Type") == wanted["headers"].get("Content-Type")
    assert found.headers.get("X-Vault-Namespace") == wanted["headers"].get("X-Vault-Namespace")
    body = json.loads(found.content) if found.content else None
    assert shape(body) == shape(wanted["json"])
    if wanted["json"] == {"errors": []}:
        assert body == {"errors": []}


@pytest.mark.parametrize(
    "pair", [p for p in RECORDED if p["hvac"] and p["hvac"].startswith("hvac")], ids=name_of
)
def test_hvac_raises_for_the_contract_server_what_it_raised_for_real_ones(
    pair: Json, servers: dict[str, SimulatedVault]
):
    server = servers[flavour_of(pair)]
    kind = getattr(hvac.exceptions, pair["hvac"].rpartition(".")[2])
    with staged(server, pair) as sent, pytest.raises(kind) as caught:
        ask(server, pair, sent, raise_exception=True)
    assert type(caught.value) is kind


@contextmanager
def staged(server: SimulatedVault, pair: Json) -> Iterator[Sent]:
    server.state = VaultState(flavour_of(pair))
    fault = FAULTS.get(pair["label"])
    server.faults[:] = [fault] if fault is not None else []
    stage = Stage(server.state)
    yield STAGES[pair["label"]](stage) if fault is None else Sent(token=stage.bot().id)
    server.faults.clear()


def ask(server: SimulatedVault, pair: Json, sent: Sent, *, raise_exception: bool = False) -> Any:
    """Send the recorded request through hvac's own adapter."""
    client = hvac.Client(
        url=server.url, token=sent.token, allow_redirects=False, adapter=hvac.adapters.RawAdapter
    )
    request = pair["request"]
    found = client.adapter.request(
        request["method"],
        request["path"] + (f"?{request['query']}" if request["query"] else ""),
        json=sent.body,
        headers=dict(sent.headers),
        raise_exception=raise_exception,
    )
    client.session.close()
    return found


def shape(value: object) -> object:
    """Return keys and JSON types at every level."""
    match value:
        case dict():
            return {key: shape(inner) for key, inner in value.items()}
        case list():
            return [shape(inner) for inner in value[:1]]
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case _:
            return None
