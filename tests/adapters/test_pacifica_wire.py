"""Golden signatures made by the venue's SDK and three others, and every builder to the byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import base58
import pytest
from pydantic import SecretStr

from adapters import pacifica_wire as wire
from adapters import signing
from adapters.contract import OpenOrder, OrderClass, Protective, VenueAuthRefused, VenueRefused
from adapters.pacifica_wire import ORDER, STOP, STRATEGY, TWAP, Ask, Stamp

VECTORS = json.loads(Path(__file__).with_name("pacifica_vectors.json").read_text())
"""Made by pacifica-fi/python-sdk @583661a, PyNaCl, tweetnacl and ccxt 4.5.90; see `source`."""
GOLDEN = [pytest.param(vector, id=vector["id"]) for vector in VECTORS["vectors"]]
PATHS = {
    "cancel_all_orders": "/api/v1/orders/cancel_all",
    "cancel_order": "/api/v1/orders/cancel",
    "cancel_stop_order": "/api/v1/orders/stop/cancel",
    "cancel_twap_order": "/api/v1/orders/twap/cancel",
    "cancel_order_strategy": "/api/v1/order_strategies/cancel",
}
MAIN = "9C6hybhQ6Aycep9jaUnP6uL9ZYvDjUp1aSkFWPUFJtpj"


def key(name: str) -> SecretStr:
    return SecretStr(VECTORS["keys"][name]["private_key_base58"])


def order(order_class: OrderClass, order_id: str, symbol: str = "BTC") -> OpenOrder:
    return OpenOrder(order_class=order_class, symbol=symbol, order_id=order_id)


def built(vector: dict[str, Any]) -> Ask:
    """Build the call of a vector as the adapter does."""
    payload, operation = vector["payload"], vector["operation_type"]
    if operation == "list_subaccounts":
        return Ask(name="", path="/api/v1/account/subaccount/list", operation=operation)
    if operation == "cancel_all_orders":
        keep = Protective.KEEP if payload["exclude_reduce_only"] else Protective.CANCEL
        return wire.build_cancel_all(payload.get("symbol", ""), keep)
    if "client_order_id" in payload:
        return wire.build_cancel_unseen(payload["symbol"], payload["client_order_id"])
    if operation == "cancel_order_strategy":
        return wire.build_cancel(order(STRATEGY, payload["strategy_id"]))
    classes = {"cancel_order": ORDER, "cancel_stop_order": STOP, "cancel_twap_order": TWAP}
    return wire.build_cancel(order(classes[operation], str(payload["order_id"]), payload["symbol"]))


def stamp(vector: dict[str, Any]) -> Stamp:
    return Stamp(
        account=vector["account"],
        agent=vector["agent_wallet"],
        timestamp_ms=vector["header"]["timestamp"],
        expiry_window_ms=vector["header"]["expiry_window"],
    )


@pytest.mark.parametrize("vector", GOLDEN)
async def test_every_golden_call_is_signed_and_sent_to_the_byte(vector: dict[str, Any]):
    ask, at = built(vector), stamp(vector)
    text = wire.message(ask, at)
    assert text.decode() == vector["message"]
    assert text.hex() == vector["message_utf8_hex"]
    signer = signing.Ed25519Signer(SecretStr(vector["signer_private_key_base58"]))
    signature = await signer.sign(text)
    assert signature.hex() == vector["signature_hex"]
    fields = wire.signed_fields(ask, at, signature)
    assert fields["signature"] == vector["signature_base58"]
    assert json.loads(wire.body(fields)) == vector["rest"]["body"]
    assert (ask.path, bool(ask.operation)) == (vector["rest"]["path"], True)
    assert ask.is_for_socket is ("ws_frame" in vector)
    if ask.is_for_socket:
        golden = vector["ws_frame"]
        assert json.loads(wire.frame(golden["id"], ask, fields)) == golden


@pytest.mark.parametrize(
    "case", VECTORS["negatives"]["cases"], ids=lambda case: case["why_wrong"][:30]
)
async def test_no_wrong_text_is_ever_signed(case: dict[str, Any]):
    """Each is a valid signature over the wrong text for the call of the first vector."""
    vector = VECTORS["vectors"][0]
    text = wire.message(built(vector), stamp(vector))
    signer = signing.Ed25519Signer(key("main"))
    wrong = base58.b58encode(await signer.sign(case["message"].encode())).decode()
    assert wrong == case["signature_base58"]
    assert text.decode() != case["message"]
    assert base58.b58encode(await signer.sign(text)).decode() != case["signature_base58"]


def test_every_operation_of_the_vectors_has_its_documented_path():
    asked = {vector["operation_type"]: built(vector).path for vector in VECTORS["vectors"]}
    asked.pop("list_subaccounts")
    assert asked == PATHS


@pytest.mark.parametrize(
    ("ask", "path", "query", "tenths"),
    [
        (wire.build_orders("A"), "/api/v1/orders", "account=A", 10),
        (wire.build_account("A"), "/api/v1/account", "account=A", 10),
        (wire.build_twaps("A"), "/api/v1/orders/twap", "account=A", 10),
        (
            wire.build_strategies("A", 100),
            "/api/v1/order_strategies",
            "account=A&limit=500&offset=100",
            10,
        ),
        (wire.build_markets(), "/api/v1/info", "", 10),
    ],
    ids=lambda value: value.name if isinstance(value, Ask) else "",
)
def test_reads_are_unsigned_gets(ask: Ask, path: str, query: str, tenths: int):
    assert (ask.path, ask.query, ask.tenths) == (path, query, tenths)
    assert (ask.operation, ask.fields, ask.is_for_socket) == ("", {}, False)


def test_a_cancel_costs_half_a_credit_whatever_it_cancels():
    orders = [order(each, "7") for each in (ORDER, STOP, TWAP, STRATEGY)]
    assert {wire.build_cancel(each).tenths for each in orders} == {5}
    assert wire.build_cancel_all("", Protective.CANCEL).tenths == 5


@pytest.mark.parametrize(
    "build",
    [
        lambda: wire.build_cancel_all("BTÇ", Protective.CANCEL),
        lambda: wire.build_cancel(order(STOP, "7", "BTÇ")),
        lambda: wire.build_cancel_unseen("BTÇ", "7"),
        lambda: wire.build_cancel_unseen("BTC", "mine"),
        lambda: wire.build_cancel_unseen("BTC", "\N{ARABIC-INDIC DIGIT SEVEN}"),
    ],
)
def test_what_cannot_be_signed_is_refused_before_anything_is_sent(build: Any):
    with pytest.raises(VenueRefused) as caught:
        build()
    assert caught.value.retryable is False


def test_an_order_that_no_list_shows_goes_by_its_number_or_its_uuid():
    ours = "79F948FD-7556-4066-A128-083f3ea49322"
    assert wire.build_cancel_unseen("kBONK", "42").fields == {"symbol": "kBONK", "order_id": 42}
    fields = wire.build_cancel_unseen("kBONK", ours).fields
    assert fields == {"symbol": "kBONK", "client_order_id": ours}


def test_a_seed_alone_is_the_same_key_as_with_its_public_half():
    seed = bytes.fromhex(VECTORS["keys"]["main"]["seed_hex"])
    signer = signing.Ed25519Signer(SecretStr(base58.b58encode(seed).decode()))
    assert signer.accounts == (MAIN,)
    assert base58.b58encode(signer.public_key).decode() == MAIN
    assert signer.budget_id == signing.Ed25519Signer(key("main")).budget_id


def test_an_agent_signs_for_the_accounts_of_its_document():
    signer = signing.Ed25519Signer(
        key("agent"), (MAIN, "mPczwpCpH4LvSE2fdZbxtbprHaDC7KwpfeLUhA3VYi4")
    )
    assert signer.accounts == (MAIN, "mPczwpCpH4LvSE2fdZbxtbprHaDC7KwpfeLUhA3VYi4")


SEED = bytes(range(1, 33))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not an Ed25519 key in base58"),
        ("0OIl", "is not an Ed25519 key in base58"),
        ("ключ", "is not an Ed25519 key in base58"),
        (base58.b58encode(SEED[:31]).decode(), "is not an Ed25519 key in base58"),
        (base58.b58encode(SEED + SEED).decode(), "or its halves differ"),
        (base58.b58encode(SEED + b"\1").decode(), "or its halves differ"),
    ],
    ids=["empty", "no base58", "no ascii", "short", "other half", "long"],
)
def test_what_is_no_key_is_refused_without_showing_it(text: str, said: str):
    with pytest.raises(VenueAuthRefused) as caught:
        signing.Ed25519Signer(SecretStr(text))
    assert said in caught.value.user_message
    assert not text or text not in repr(caught.value)


def test_the_key_that_the_sdk_publishes_is_refused():
    """A seed that begins like it in base58; nobody but the SDK has the real one in its examples."""
    low = base58.b58decode("2Z2Wn4k" + "1" * 37)
    text = base58.b58encode(low).decode()
    assert (len(low), text[:7]) == (32, "2Z2Wn4k")
    with pytest.raises(VenueAuthRefused, match="the one that Pacifica's SDK publishes"):
        signing.Ed25519Signer(SecretStr(text))


def test_the_key_that_the_sdk_publishes_is_refused_by_its_seed_too():
    """The seed of a whole key that begins like it."""
    seed = base58.b58decode("2Z2Wn4k" + "X" * 81)[:32]
    text = base58.b58encode(seed).decode()
    assert text[:7] != "2Z2Wn4k"
    with pytest.raises(VenueAuthRefused, match="the one that Pacifica's SDK publishes"):
        signing.Ed25519Signer(SecretStr(text))


def test_nothing_of_a_key_is_shown():
    made, secret = signing.Ed25519Signer(key("main")), VECTORS["keys"]["main"]["private_key_base58"]
    for shown in (repr(made), str(made), made.budget_id):
        assert secret not in shown
        assert MAIN not in shown
