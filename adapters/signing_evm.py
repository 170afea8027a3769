"""The local signer for Ethereum keys: EIP-712 over secp256k1, deterministic (RFC 6979).

Owns key bytes like `adapters.signing`, under the same rules. It is a module of its own because
`eth_account` takes a third of a second to import: whoever needs it imports this at `connect()`,
never inside a run. With coincurve a signature takes 0.3 ms, too short to be worth a thread.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from pydantic import SecretStr

from adapters import signing
from adapters.contract import VenueAuthRefused
from adapters.signers import Signature, TypedMessage


class EvmSigner:
    """Signs typed messages with one Ethereum key.

    Args:
        private_key: 32 bytes in hex, with or without `0x`.
        accounts: the venue's own ids of the accounts that it is for.

    Raises:
        VenueAuthRefused: this is no such key.
    """

    def __init__(self, private_key: SecretStr, accounts: tuple[str, ...]) -> None:
        self._account = _account(private_key)
        self.accounts = accounts
        self.budget_id = signing.budget_id(SecretStr(self.address))

    @property
    def address(self) -> str:
        """The key's address with its EIP-55 checksum."""
        return str(self._account.address)

    async def sign(self, message: TypedMessage) -> Signature:
        """Sign `message`."""
        domain = dict(message.domain)
        fields = [{"name": name, "type": kind} for name, kind in message.fields]
        encoded = encode_typed_data(domain, {message.struct: fields}, dict(message.values))
        signed: Any = self._account.sign_message(encoded)
        return Signature(v=signed.v, r=signed.r, s=signed.s)


def _account(private_key: SecretStr) -> LocalAccount:
    text = private_key.get_secret_value()
    account: LocalAccount | None = None
    if re.fullmatch(r"(0x)?[0-9a-fA-F]{64}", text):
        with contextlib.suppress(ValueError):  # Zero, or beyond the order of the curve.
            account = Account.from_key(text)
    if account is None:
        raise VenueAuthRefused(
            user_message="the private key is not an Ethereum key",
            remedy="Store it as wallets export it: 0x and 64 hex digits.",
        )
    return account
