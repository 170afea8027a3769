"""Local signers: the only code that holds key bytes.

Owns reading a secret document into a signer, and signing. A key goes in once and is never shown
again: not in a repr, not in an exception, not in a log.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TypeVar

import base58
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from nacl.signing import SigningKey
from pydantic import BaseModel, SecretStr, ValidationError

from adapters.contract import VenueAuthRefused

Model = TypeVar("Model", bound=BaseModel)
PUBLISHED = "2Z2Wn4k"
"""How the key in the examples of Pacifica's own SDK begins: everybody has it."""
SEED_BYTES = 32


def read_document(secret: SecretStr, model: type[Model]) -> Model:
    """Read a secret document, JSON text, as the venue's own credentials.

    Raises:
        VenueAuthRefused: it lacks that shape; names the field, never a value.
    """
    try:
        return model.model_validate_json(secret.get_secret_value())
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise VenueAuthRefused(
            user_message=f"the secret document is wrong at {where}: {_plain(first['type'])}",
            remedy=f"It needs the fields {', '.join(model.model_fields)}.",
        ) from None


def _plain(kind: str) -> str:
    known = {"missing": "missing", "extra_forbidden": "unknown", "json_invalid": "not JSON"}
    return known.get(kind, "not of the right kind")


def budget_id(api_key: SecretStr) -> str:
    """Name a key in budgets and logs: eight hex digits of its SHA-256 reveal nothing."""
    digest = hashlib.sha256(api_key.get_secret_value().encode()).hexdigest()
    return f"key-{digest[:8]}"


class HmacSigner:
    """Signs with HMAC-SHA256, in lower-case hex."""

    def __init__(self, api_key: SecretStr, secret: SecretStr) -> None:
        self._api_key = api_key
        self._secret = secret
        self.budget_id = budget_id(api_key)

    @property
    def api_key(self) -> str:
        """The public half, for the header."""
        return self._api_key.get_secret_value()

    async def sign(self, message: bytes) -> str:
        """Sign `message`."""
        key = self._secret.get_secret_value().encode()
        return hmac.new(key, message, hashlib.sha256).hexdigest()


class Ed25519Signer:
    """Signs with Ed25519; its accounts are those of its document, or else its own address.

    Args:
        private_key: base58 of a seed, alone or followed by its public key.
        accounts: addresses in base58.

    Raises:
        VenueAuthRefused: this is no such key, or one that everybody has.
    """

    def __init__(self, private_key: SecretStr, accounts: tuple[str, ...] = ()) -> None:
        self._key = SigningKey(_seed(private_key))
        self._public = bytes(self._key.verify_key)
        address = base58.b58encode(self._public).decode()
        self.accounts = accounts or (address,)
        self.budget_id = budget_id(SecretStr(address))

    @property
    def public_key(self) -> bytes:
        """The public half, 32 bytes."""
        return self._public

    async def sign(self, message: bytes) -> bytes:
        """Sign `message`; returns 64 bytes."""
        return self._key.sign(message).signature


def _seed(private_key: SecretStr) -> bytes:
    text = private_key.get_secret_value()
    try:
        key = base58.b58decode(text)
    except ValueError:
        key = b""
    seed, public = key[:SEED_BYTES], key[SEED_BYTES:]
    if len(seed) != SEED_BYTES or public not in (b"", bytes(SigningKey(seed).verify_key)):
        raise VenueAuthRefused(
            user_message="the private key is not an Ed25519 key in base58, or its halves differ",
            remedy="Store it as the wallet exports it: base58 of 64 bytes, or of its 32-byte seed.",
        )
    whole = seed + bytes(SigningKey(seed).verify_key)  # The same key may be stored as its seed.
    spellings = (text, base58.b58encode(whole).decode())
    if any(each.startswith(PUBLISHED) for each in spellings):
        raise VenueAuthRefused(
            user_message="the private key is the one that Pacifica's SDK publishes",
            remedy="Make a key of your own: everybody can sign with this one.",
        )
    return seed


def header(name: str, value: SecretStr) -> tuple[str, str]:
    """Write a secret into a header of one call, without the line break that a file ends with."""
    return name, value.get_secret_value().strip()


class RsaSigner:
    """Signs with RSA PKCS#1 v1.5 over SHA-256, in standard base64."""

    def __init__(self, api_key: SecretStr, private_key: SecretStr) -> None:
        self._api_key = api_key
        self._key = _load(private_key)
        self.budget_id = budget_id(api_key)

    @property
    def api_key(self) -> str:
        """The public half, for the header."""
        return self._api_key.get_secret_value()

    async def sign(self, message: bytes) -> str:
        """Sign `message`; about 1 ms, too short to be worth a thread."""
        signature = self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return base64.b64encode(signature).decode()


class HeldKey:
    """Holds a key that is itself sent, in a header; signs nothing."""

    def __init__(self, key: SecretStr, accounts: tuple[str, ...]) -> None:
        if not re.fullmatch(r"[!-~]+", key.get_secret_value()):
            raise VenueAuthRefused(
                user_message="the key is empty, or holds what no header can carry",
                remedy="Store it again without blanks and line breaks.",
            )
        self._key = key
        self.accounts = accounts
        self.budget_id = budget_id(key)

    async def key(self) -> str:
        """Return the key, for the header of one call."""
        return self._key.get_secret_value()


def _load(private_key: SecretStr) -> rsa.RSAPrivateKey:
    try:
        pem = private_key.get_secret_value().encode()
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise VenueAuthRefused(
            user_message="the private key is not an RSA key in PEM",
            remedy="Store the whole PEM text in private_key, with its line breaks.",
        )
    return key
