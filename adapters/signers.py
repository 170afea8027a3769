"""What an adapter takes instead of a key: something that signs.

Owns the protocols; `adapters.signing` holds those that sign with a key in this process, and a key
that never leaves a vault would be one more. Never holds a key itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Signer(Protocol):
    """Whatever lets calls be made for an account. Holds a key; never shows it."""

    @property
    def budget_id(self) -> str:
        """A digest that names this key in budgets and logs without revealing it."""
        ...


class ApiKeySigner(Signer, Protocol):
    """Signs for a key that is named by an API key string (Bybit: HMAC-SHA256 or RSA)."""

    @property
    def api_key(self) -> str:
        """The public half, sent in a header. Never logged."""
        ...

    async def sign(self, message: bytes) -> str:
        """Sign `message`; the text is encoded as the venue expects it in a header."""
        ...


class NamedSigner(Signer, Protocol):
    """A signer whose secret document says which accounts it is for."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """The venue's own ids of them."""
        ...


class MessageSigner(NamedSigner, Protocol):
    """Signs bytes for a key pair (Pacifica: Ed25519)."""

    @property
    def public_key(self) -> bytes:
        """The public half, 32 bytes."""
        ...

    async def sign(self, message: bytes) -> bytes:
        """Sign `message`; returns 64 bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedMessage:
    """What EIP-712 signs: a struct of the domain, its fields in order, and their values."""

    domain: Mapping[str, str | int]
    """`name`, `version`, `chainId`, `verifyingContract`."""
    struct: str
    """Its name, such as `CancelAllOrders`."""
    fields: tuple[tuple[str, str], ...]
    """((name, Solidity type), …)."""
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """An Ethereum signature."""

    v: int
    """27 or 28."""
    r: int
    s: int


class TypedSigner(NamedSigner, Protocol):
    """Signs typed messages for an Ethereum key (Synthetix: EIP-712)."""

    @property
    def address(self) -> str:
        """The key's address with its EIP-55 checksum."""
        ...

    async def sign(self, message: TypedMessage) -> Signature:
        """Sign `message`."""
        ...


class KeyHolder(NamedSigner, Protocol):
    """Holds a key that is itself sent (CoinAPI EMS): whoever has it can trade."""

    async def key(self) -> str:
        """Return the key, for a header of one call."""
        ...
