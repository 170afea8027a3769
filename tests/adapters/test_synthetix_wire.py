"""Golden signatures made by four implementations, and every builder to the byte."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters import synthetix_wire as wire
from adapters.contract import VenueAuthRefused
from adapters.signers import Signature, TypedMessage
from adapters.signing_evm import EvmSigner
from adapters.synthetix_wire import Ask

VECTORS = json.loads(Path(__file__).with_name("synthetix_vectors.json").read_text())["vectors"]
"""Made by eth-account, ethers, a hand-written encoder and synthetix-sdk 0.7.0; see `source`."""
UID = "1867542890123456789"
KEY = "0x" + "46" * 32
BUILT = ("CancelAllOrders", "CancelOrders", "CancelOrdersByCloid", "SubAccountAction")


def numbered(vector: dict[str, Any]) -> dict[str, Any]:
    """Return a vector's message as it is signed: numbers, which the file keeps as digits."""
    kinds = {each["name"]: each["type"] for each in vector["types"][vector["primaryType"]]}
    found = dict(vector["message"])
    for name, kind in kinds.items():
        if kind == "uint256":
            found[name] = int(found[name])
        elif kind == "uint256[]":
            found[name] = [int(each) for each in found[name]]
    return found


def message_of(vector: dict[str, Any]) -> TypedMessage:
    fields = tuple((each["name"], each["type"]) for each in vector["types"][vector["primaryType"]])
    return TypedMessage(
        domain=vector["domain"],
        struct=vector["primaryType"],
        fields=fields,
        values=numbered(vector),
    )


def built(vector: dict[str, Any]) -> Ask:
    """Build the call of a vector as the adapter does."""
    message = vector["message"]
    match vector["primaryType"]:
        case "CancelAllOrders":
            return wire.build_cancel_all(message["symbols"])
        case "CancelOrders":
            return wire.build_cancel_orders(message["orderIds"])
        case "CancelOrdersByCloid":
            return wire.build_cancel_client_ids(message["clientOrderIds"])
        case _:
            return wire.build_open_orders(limit=1000, offset=0, has_nonce="nonce" in message)


def signer(vector: dict[str, Any]) -> EvmSigner:
    return EvmSigner(SecretStr(vector["private_key"]), (UID,))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
async def test_every_golden_message_is_signed_to_the_bit(vector: dict[str, Any]):
    """Also what the adapter never sends: the empty list, the dead-man switch, the socket's."""
    key = signer(vector)
    signed = await key.sign(message_of(vector))
    golden = vector["signature"]
    assert key.address == vector["signer_address"]
    assert signed == Signature(v=golden["v"], r=int(golden["r"], 16), s=int(golden["s"], 16))


@pytest.mark.parametrize(
    "vector",
    [each for each in VECTORS if each["primaryType"] in BUILT and each["id"] != "s01"],
    ids=lambda vector: vector["id"],
)
async def test_every_call_of_ours_signs_and_sends_what_its_vector_does(vector: dict[str, Any]):
    ask = built(vector)
    nonce = int(vector["message"].get("nonce", 0))
    expiry = int(vector["message"]["expiresAfter"])
    message = wire.typed(ask, uid=UID, nonce=nonce, expires_after=expiry)
    assert message == message_of(vector)
    signed = await signer(vector).sign(message)
    golden = dict(vector["rest"]["body"])
    sent = json.loads(wire.body(ask, uid=UID, nonce=nonce, expires_after=expiry, signature=signed))
    assert sent["signature"] == golden["signature"]
    # Filters are not signed, and an expiry that is left out counts as 0.
    golden["params"] = {**golden["params"]}
    for unsigned in ("limit", "offset", "symbol"):
        golden["params"].pop(unsigned, None)
        sent["params"].pop(unsigned, None)
    assert sent == {"expiresAfter": 0, **golden}


@pytest.mark.parametrize(
    "vector", [each for each in VECTORS if "unpadded_wrong_form" in each], ids=lambda v: v["id"]
)
async def test_leading_zeros_of_a_signature_are_sent(vector: dict[str, Any]):
    ask = built(vector)
    nonce, expiry = (int(vector["message"][name]) for name in ("nonce", "expiresAfter"))
    message = wire.typed(ask, uid=UID, nonce=nonce, expires_after=expiry)
    signed = await signer(vector).sign(message)
    text = wire.body(ask, uid=UID, nonce=nonce, expires_after=expiry, signature=signed).decode()
    assert f'"{vector["signature"]["r"]}"' in text
    assert f'"{vector["signature"]["s"]}"' in text
    assert vector["unpadded_wrong_form"] not in text


def test_no_call_says_all_markets_by_an_empty_list_or_beside_other_symbols():
    with pytest.raises(AssertionError):
        wire.build_cancel_all([])
    with pytest.raises(AssertionError):
        wire.build_cancel_all(["*", "ETH-USDT"])
    assert wire.build_cancel_all(["*"]).sent == {"symbols": ["*"]}


def test_body_of_a_cancel_all_is_this_very_text():
    signature = Signature(v=27, r=0xAB, s=0xCD)
    ask = wire.build_cancel_all(["BTC-USDT", "ETH-USDT"])
    text = wire.body(
        ask, uid=UID, nonce=1704067200003, expires_after=1704067260003, signature=signature
    )
    assert text.decode() == (
        '{"params":{"action":"cancelAllOrders","subAccountId":"1867542890123456789",'
        '"symbols":["BTC-USDT","ETH-USDT"]},"nonce":1704067200003,"signature":{"v":27,'
        f'"r":"0x{"0" * 62}ab","s":"0x{"0" * 62}cd"}},"expiresAfter":1704067260003}}'
    )


def test_reading_carries_no_nonce_and_asks_for_a_page_by_offset():
    ask = wire.build_open_orders(limit=1000, offset=49)
    signature = Signature(v=28, r=1, s=2)
    text = wire.body(ask, uid=UID, nonce=5, expires_after=7, signature=signature).decode()
    assert text == (
        '{"params":{"action":"getOpenOrders","subAccountId":"1867542890123456789","limit":1000,'
        f'"offset":49}},"signature":{{"v":28,"r":"0x{"0" * 63}1","s":"0x{"0" * 63}2"}},'
        '"expiresAfter":7}'
    )


def test_markets_are_asked_without_a_signature():
    ask = wire.build_markets()
    assert (ask.path, ask.struct) == ("/v1/info", "")
    assert wire.public_body(ask) == b'{"params":{"action":"getMarkets"}}'


@pytest.mark.parametrize(
    ("ask", "tokens"),
    [
        (wire.build_cancel_all(["*"]), 2),
        (wire.build_cancel_orders(["1"]), 2),
        (wire.build_cancel_client_ids(["a"]), 2),
        (wire.build_open_orders(limit=50, offset=0), 10),
    ],
    ids=lambda value: value.action if isinstance(value, Ask) else "",
)
def test_calls_cost_their_documented_tokens(ask: Ask, tokens: int):
    assert (ask.tokens, ask.path) == (tokens, "/v1/trade")


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (wire.build_cancel_all(["*"]), "cancel-all *"),
        (wire.build_cancel_all(["A-B", "C-D", "E-F", "G-H"]), "cancel-all A-B C-D E-F …"),
        (wire.build_cancel_orders(["7"]), "cancel 7"),
        (wire.build_cancel_orders(["7", "8"]), "cancel 2 orders"),
        (wire.build_cancel_client_ids(["mine"]), "cancel mine"),
    ],
)
def test_call_is_named_for_a_person(ask: Ask, name: str):
    assert ask.name == name


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("1948058938469519360", True),
        (str(2**64 - 1), True),
        (str(2**64), False),
        ("9" * 500, False),
        ("", False),
        ("-1", False),
        ("1.0", False),
        ("0x12", False),
        ("١٢", False),
        ("cli-1", False),
    ],
)
def test_venue_id_is_at_most_64_bits_of_digits(text: str, *, is_one: bool):
    assert wire.is_venue_id(text) is is_one


def test_batches_hold_at_most_200_ids_and_keep_their_order():
    ids = [str(1948058938469519360 + each) for each in range(450)]
    found = wire.batches(ids)
    assert [len(each) for each in found] == [200, 200, 50]
    assert [entry for batch in found for entry in batch] == ids


def test_batches_of_long_client_ids_fit_the_body_limit():
    found = wire.batches(["é" * 255 for _ in range(40)])
    signature = Signature(v=27, r=2**255, s=2**255)
    bodies = [
        wire.body(
            wire.build_cancel_client_ids(batch),
            uid=UID,
            nonce=2**53,
            expires_after=2**53,
            signature=signature,
        )
        for batch in found
    ]
    assert sum(len(batch) for batch in found) == 40
    assert max(len(each) for each in bodies) < 20_000
    assert wire.batches([]) == []


@pytest.mark.parametrize(
    "wrong",
    ["", "0x12", KEY + "00", "0x" + "00" * 32, "0x" + "ff" * 32, "0x" + "g" * 64, " " + KEY],
)
def test_what_is_no_ethereum_key_is_refused_without_being_shown(wrong: str):
    with pytest.raises(VenueAuthRefused) as caught:
        EvmSigner(SecretStr(wrong), (UID,))
    assert caught.value.user_message == "the private key is not an Ethereum key"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_signer_shows_its_key_nowhere():
    """Its own library prints the key in the `vars()` of an account."""
    key = EvmSigner(SecretStr(KEY), (UID,))
    shown = f"{key!r} {key} {vars(key)!r} {key.budget_id} {key.accounts}"
    assert "46" * 8 not in shown
    assert key.budget_id == "key-22a8108e"
    assert EvmSigner(SecretStr(KEY.removeprefix("0x")), ()).address == key.address


async def test_signing_takes_under_a_millisecond():
    """Ten times that means that eth-keys has not found coincurve."""
    key = EvmSigner(SecretStr(KEY), (UID,))
    message = wire.typed(
        wire.build_cancel_all(["*"]), uid=UID, nonce=1704067200001, expires_after=0
    )
    durations = []
    for _ in range(20):
        began = time.process_time()
        await key.sign(message)
        durations.append(time.process_time() - began)
    assert min(durations) < 0.001
