"""Who may do what at the simulated Pacifica: accounts, agents, signed operations.

Owns what is signed and how it is checked: the sorted compact JSON of type, timestamp, expiry window
and payload, under Ed25519, in base58. Source: docs.pacifica.fi, signing (2025, 2026), and the
official SDK's `sign_message`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import base58
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from bot.sandbox.venues import pacifica_shapes as shapes
from bot.sandbox.venues.pacifica_shapes import Conflicts, Refused

DEFAULT_WINDOW_MS: Final = 30_000
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
LIST_SUBACCOUNTS: Final = "list_subaccounts"
Args = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Account:
    """One account: a main one, or a subaccount with a key pair of its own."""

    main: str = ""
    """The address that a subaccount belongs to; empty: this is a main account."""
    has_access: bool = True
    """Its beta code was redeemed."""
    agents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Bound agent -> the only addresses it may call from; empty: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that is signed for."""

    name: str
    """`type` in the signed text, and the operation over the WebSocket."""
    required: Mapping[str, type]
    optional: Mapping[str, type] = field(default_factory=dict)

    def payload(self, args: Args) -> dict[str, Any]:
        """Return the fields of the operation itself; null is as good as absent.

        Raises:
            Refused: One is missing or of another type.
        """
        found = {name: args[name] for name in self._known if args.get(name) is not None}
        for name in self.required:
            if name not in found:
                raise shapes.malformed(f"missing field `{name}`")
        for name, value in found.items():
            _check(name, value, self._known[name])
        return found

    @property
    def _known(self) -> dict[str, type]:
        return {**self.required, **self.optional}


_BY_ID: Mapping[str, type] = {"order_id": int, "client_order_id": str}
CANCEL_ALL = Operation(
    name="cancel_all_orders",
    required={"all_symbols": bool, "exclude_reduce_only": bool},
    optional={"symbol": str},
)
CANCEL = Operation(name="cancel_order", required={"symbol": str}, optional=_BY_ID)
CANCEL_STOP = Operation(name="cancel_stop_order", required={"symbol": str}, optional=_BY_ID)
CANCEL_TWAP = Operation(name="cancel_twap_order", required={"symbol": str}, optional=_BY_ID)
CANCEL_STRATEGY = Operation(name="cancel_order_strategy", required={"strategy_id": str})
SUBACCOUNTS = Operation(name=LIST_SUBACCOUNTS, required={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Checks signed operations, in the order in which the documents list what can be wrong."""

    accounts: Mapping[str, Account]
    conflicts: Conflicts
    venue_ms: int
    address: str

    def admit(self, operation: Operation, args: Args) -> dict[str, Any]:
        """Return the payload of an operation that its account has signed for.

        Raises:
            Refused: Fields, signature, clock, public key, agent or access are not right.
        """
        payload = operation.payload(args)
        account, signer = _text(args, "account"), _text(args, "agent_wallet", is_optional=True)
        signature = _decoded(_text(args, "signature"), SIGNATURE_BYTES, "Invalid signature", ws=401)
        self._check_clock(args)
        key = _decoded(signer or account, KEY_BYTES, "Invalid public key", ws=402)
        _decoded(account, KEY_BYTES, "Invalid public key", ws=402)
        text = self._signed_text(operation, args, payload)
        try:
            VerifyKey(key).verify(text, signature)
        except (BadSignatureError, ValueError):
            raise shapes.unverified() from None
        known = self.accounts.get(account)
        if signer and signer != account:
            self._check_agent(known, signer, operation)
        if known is None or not known.has_access:
            raise Refused(403, shapes.NO_ACCESS, ws=403)
        return payload

    def _signed_text(self, operation: Operation, args: Args, payload: dict[str, Any]) -> bytes:
        window = args.get("expiry_window")
        if window is None and self.conflicts.signs_default_window:
            window = DEFAULT_WINDOW_MS
        header = {"type": operation.name, "timestamp": args["timestamp"]}
        header |= {} if window is None else {"expiry_window": window}
        return json.dumps(
            header | {"data": payload}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()

    def _check_clock(self, args: Args) -> None:
        stamp = _whole(args, "timestamp")
        window = _whole(args, "expiry_window", default=DEFAULT_WINDOW_MS)
        ahead_s = self.conflicts.future_max_s
        is_early = ahead_s is not None and stamp > self.venue_ms + ahead_s * 1000
        if stamp + window < self.venue_ms or is_early:
            raise Refused(400, "Invalid message")

    def _check_agent(self, known: Account | None, agent: str, operation: Operation) -> None:
        if known is None or agent not in known.agents:
            raise Refused(400, shapes.UNBOUND, ws=self.conflicts.agent_ws_code)
        allowed = known.agents[agent]
        if allowed and self.address not in allowed:
            raise unlisted(self.conflicts)
        if operation.name == LIST_SUBACCOUNTS and not self.conflicts.agents_may_list:
            raise shapes.unverified()


def unlisted(conflicts: Conflicts) -> Refused:
    """Refuse an agent that calls from an address that is not on its list."""
    return Refused(conflicts.unlisted_ip_status, "IP address not whitelisted", ws=403)


def is_address(text: object) -> bool:
    """Tell whether this is a public key in base58."""
    try:
        return isinstance(text, str) and len(base58.b58decode(text)) == KEY_BYTES
    except ValueError:
        return False


def _check(name: str, value: object, kind: type) -> None:
    """Check the type of a field; a JSON true is no number, and ids are whole UUIDs or numbers."""
    is_right = type(value) is kind and not (kind is int and int(str(value)) < 0)
    if is_right and name in {"client_order_id", "strategy_id"}:
        try:
            is_right = str(uuid.UUID(str(value))) == str(value).lower()
        except ValueError:
            is_right = False
    if not is_right:
        raise shapes.malformed(f"{name}: invalid type or value, expected {kind.__name__}")


def _whole(args: Args, name: str, *, default: int | None = None) -> int:
    value = args.get(name)
    if value is None and default is not None:
        return default
    if value is None:
        raise shapes.malformed(f"missing field `{name}`")
    _check(name, value, int)
    return int(value)


def _text(args: Args, name: str, *, is_optional: bool = False) -> str:
    value = args.get(name)
    if value is None and is_optional:
        return ""
    if not isinstance(value, str):  # A hardware wallet's object is not simulated.
        raise shapes.malformed(f"missing field `{name}`")
    return value


def _decoded(text: str, size: int, said: str, *, ws: int) -> bytes:
    try:
        found = base58.b58decode(text)
    except ValueError:
        found = b""
    if len(found) != size:
        raise Refused(400, said, ws=ws)
    return found
