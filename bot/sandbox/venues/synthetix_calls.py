"""Calls on the simulated Synthetix: read from the wire, and by whom they were signed.

Owns `Call` and the typed messages. The server is given no address: it rebuilds the message from the
fields on the wire and recovers the signer, so that every slip yields a stranger's address.

Source: developers.synthetix.io, "EIP-712 signing" (2026), and the libraries (`synthetix_shapes`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from eth_account import Account as Ethereum
from eth_account.messages import encode_typed_data
from eth_keys.exceptions import BadSignature

from bot.sandbox.venues.exchange import Request
from bot.sandbox.venues.synthetix_shapes import Args, Refused

TRADE: Final = "/v1/trade"
PUBLIC: Final = "/v1/info"
STATUS: Final = "/v1/status"
ID_MAX: Final = 2**63 - 1

DOMAIN: Mapping[str, object] = {
    "name": "Synthetix",
    "version": "1",
    "chainId": 1,
    "verifyingContract": "0x0000000000000000000000000000000000000000",
}
"""The same on every net."""

Fields = tuple[tuple[str, str], ...]
Message = tuple[str, Fields, dict[str, object]]
"""Primary type, its fields, their values."""
Signature = tuple[int, str, str]
"""v, r and s."""
_ACCOUNT: Fields = (("subAccountId", "uint256"),)
_NONCE: Fields = (("nonce", "uint256"),)
_EXPIRY: Fields = (("expiresAfter", "uint256"),)
TYPES: Mapping[str, Fields] = {
    "CancelAllOrders": (*_ACCOUNT, ("symbols", "string[]"), *_NONCE, *_EXPIRY),
    "CancelOrders": (*_ACCOUNT, ("orderIds", "uint256[]"), *_NONCE, *_EXPIRY),
    "CancelOrdersByCloid": (*_ACCOUNT, ("clientOrderIds", "string[]"), *_NONCE, *_EXPIRY),
}
_READING: Fields = (*_ACCOUNT, ("action", "string"), *_EXPIRY)
_NUMBERED_READING: Fields = (*_ACCOUNT, ("action", "string"), *_NONCE, *_EXPIRY)

_HEX = re.compile(r"0x[a-fA-F0-9]{64}")
_DECIMAL = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to `/v1/trade` or `/v1/info`, as far as it can be read."""

    path: str
    """`/v1/trade/cancelAllOrders`: faults and the wire log go by it, the wire does not."""
    envelope: Args | None
    """The body; None if it is no JSON object."""
    params: Args
    action: str
    uid: str
    """The subaccount that it claims, in decimal."""

    @property
    def is_reading(self) -> bool:
        """Tell whether it changes nothing."""
        return self.action.startswith("get")

    def number(self, name: str) -> int:
        """Return a number of the envelope; 0 if it is left out.

        Raises:
            Refused: It is no whole number, or out of range.
        """
        value = (self.envelope or {}).get(name)
        if value is None:
            return 0
        if type(value) is not int or not 0 <= value <= ID_MAX:
            raise Refused("INVALID_FORMAT", f"Failed to unmarshal request: {name}")
        return value

    def texts(self, name: str) -> list[str]:
        """Return an array of strings in `params`; empty if it is left out.

        Raises:
            Refused: It is something else.
        """
        found = self.params.get(name)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            what = "cancel all orders" if self.action == "cancelAllOrders" else "cancel orders"
            raise Refused("INVALID_FORMAT", f"Failed to unmarshal {what} request")
        return found


def read(request: Request) -> Call:
    """Read what can be read of a request; whatever else is wrong with it shows later."""
    try:
        found: Any = json.loads(request.body)
    except ValueError:
        found = None
    envelope = found if isinstance(found, dict) else None
    params = (envelope or {}).get("params")
    params = params if isinstance(params, dict) else {}
    action = params.get("action")
    action = action if isinstance(action, str) else ""
    # The pages spell it `subAccountId`, the SDK `subaccountId`; Go reads names in any case.
    uid = params.get("subAccountId", params.get("subaccountId"))
    is_action = action and request.path in {TRADE, PUBLIC}
    return Call(
        path=f"{request.path}/{action}" if is_action else request.path,
        envelope=envelope,
        params=params,
        action=action,
        uid=uid if isinstance(uid, str) else "",
    )


def subaccount(call: Call) -> int:
    """Return the number of the subaccount that a call claims.

    Raises:
        Refused: It names none by a string of digits that is a signed 64-bit integer.
    """
    if not _DECIMAL.fullmatch(call.uid) or int(call.uid) > ID_MAX:
        raise Refused("INVALID_FORMAT", "subAccountId must be a valid integer string")
    return int(call.uid)


def message(call: Call) -> Message:
    """Rebuild what must have been signed: primary type, its fields, their values.

    Raises:
        Refused: The call has not the fields for it.
    """
    nonce = call.number("nonce")
    values: dict[str, object] = {
        "subAccountId": subaccount(call),
        "nonce": nonce,
        "expiresAfter": call.number("expiresAfter"),
    }
    if call.is_reading:  # What it filters by is not signed.
        values["action"] = call.action
        return "SubAccountAction", _NUMBERED_READING if nonce else _READING, values
    if call.action == "cancelAllOrders":
        primary = "CancelAllOrders"
        values["symbols"] = call.texts("symbols")
    elif names := call.texts("clientOrderIds"):
        primary = "CancelOrdersByCloid"
        values["clientOrderIds"] = names
    else:
        primary = "CancelOrders"
        values["orderIds"] = [_order_id(text) for text in call.texts("orderIds")]
    return primary, TYPES[primary], values


def _order_id(text: str) -> int:
    if not _DECIMAL.fullmatch(text) or int(text) > ID_MAX:
        raise Refused("INVALID_FORMAT", "Failed to unmarshal cancel orders request")
    return int(text)


def signature(call: Call) -> Signature:
    """Return v, r and s of a call.

    Raises:
        Refused: There is no signature, or not of the documented form.
    """
    found = (call.envelope or {}).get("signature")
    if not isinstance(found, dict):
        raise Refused("MISSING_REQUIRED_FIELD", "signature is required")
    for name in ("r", "s"):
        if not isinstance(found.get(name), str) or not _HEX.fullmatch(found[name]):
            said = f"signature {name} field must be a 64-character hex string with 0x prefix"
            raise Refused("VALIDATION_ERROR", said)
    if type(found.get("v")) is not int or found["v"] not in {0, 1, 27, 28}:
        raise Refused("VALIDATION_ERROR", "signature v field must be 0, 1, 27, or 28")
    return found["v"], found["r"], found["s"]


def signer(signed: Message, by: Signature, code: str) -> str:
    """Recover the address that signed a message, with its checksum.

    Args:
        signed: the message.
        by: its signature.
        code: the code of the refusal.

    Raises:
        Refused: Nobody can have signed it so.
    """
    primary, kinds, values = signed
    fields = [{"name": name, "type": kind} for name, kind in kinds]
    shown = {name: values[name] for name, _ in kinds}
    encoded = encode_typed_data(dict(DOMAIN), {primary: fields}, shown)
    try:
        return str(Ethereum.recover_message(encoded, vrs=by))
    except BadSignature:
        raise Refused(code, "Invalid signature") from None
