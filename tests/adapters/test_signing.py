"""Golden signatures, made by other implementations, and what a wrong key document says."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters import bybit_wire as wire
from adapters import signing
from adapters.bybit import BybitCredentials
from adapters.contract import VenueAuthRefused
from adapters.signers import ApiKeySigner

VECTORS = json.loads(Path(__file__).with_name("bybit_vectors.json").read_text())
"""Computed by pybit 5.17.0 and ccxt 4.5.90, checked with Node's crypto; see `source` inside."""
CASES = [
    pytest.param(case, variant, id=f"{case['id']}-{variant.get('serialization', 'query')}")
    for case in VECTORS["cases"]
    for variant in case["variants"]
]


def signer(name: str) -> ApiKeySigner:
    found = VECTORS["credentials"][name]
    key = SecretStr(found["key"])
    if name == "rsa":
        return signing.RsaSigner(key, SecretStr(found["secret"]))
    return signing.HmacSigner(key, SecretStr(found["secret"]))


@pytest.mark.parametrize(("case", "variant"), CASES)
async def test_every_golden_request_is_signed_to_the_byte(
    case: dict[str, Any], variant: dict[str, Any]
):
    payload = variant.get("body", variant.get("query", case.get("query", "")))
    facts: dict[str, Any] = {
        "timestamp_ms": int(case["timestamp"]),
        "api_key": case["key"],
        "recv_window_ms": int(case["recv_window"]),
    }
    text = wire.prehash(payload, **facts)
    assert text.decode() == variant["prehash"]
    made = signer(case["credential"])
    assert await made.sign(text) == variant["signature"]
    headers = dict(wire.auth_headers(variant["signature"], **facts))
    assert (
        headers.items()
        >= {
            name: value for name, value in variant["headers"].items() if name.startswith("X-BAPI")
        }.items()
    )


@pytest.mark.parametrize("case", VECTORS["websocket_auth"], ids=lambda case: case["id"])
async def test_golden_websocket_signatures_too(case: dict[str, Any]):
    assert await signer(case["credential"]).sign(case["prehash"].encode()) == case["signature"]


async def test_one_changed_byte_changes_the_signature():
    case = VECTORS["cases"][0]
    text = case["variants"][0]["prehash"].encode()
    assert await signer("hmac").sign(text[:-1] + b"]") != case["variants"][0]["signature"]


def test_nothing_of_a_key_is_shown():
    for name in ("hmac", "rsa"):
        made, found = signer(name), VECTORS["credentials"][name]
        for shown in (repr(made), str(made), made.budget_id):
            assert found["secret"] not in shown
            assert found["key"] not in shown
        assert made.budget_id.startswith("key-")
        assert len(made.budget_id) == 12


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"api_key": "K"', "the secret document is wrong at the document: not JSON"),
        ('{"api_secret": "canary"}', "the secret document is wrong at api_key: missing"),
        (
            '{"api_key": 5, "api_secret": "canary"}',
            "the secret document is wrong at api_key: not of the right kind",
        ),
        (
            '{"api_key": "K", "apisecret": "canary"}',
            "the secret document is wrong at apisecret: unknown",
        ),
    ],
)
def test_wrong_document_names_the_field_and_never_a_value(text: str, said: str):
    with pytest.raises(VenueAuthRefused) as caught:
        signing.read_document(SecretStr(text), BybitCredentials)
    assert caught.value.user_message == said
    assert caught.value.remedy == "It needs the fields api_key, api_secret, private_key."
    assert "canary" not in repr(caught.value)


@pytest.mark.parametrize("pem", ["", "canary", "-----BEGIN PRIVATE KEY-----\ncanary"])
def test_wrong_pem_is_refused_without_showing_it(pem: str):
    with pytest.raises(VenueAuthRefused) as caught:
        signing.RsaSigner(SecretStr("K"), SecretStr(pem))
    assert caught.value.user_message == "the private key is not an RSA key in PEM"
    assert "canary" not in repr(caught.value)
