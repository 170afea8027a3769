"""The state of one simulated Vault.

Owns what the server knows and its clock, and nothing of what is done with it: `routes` answers
calls from it. Whoever plays with the server changes it here: seals it, moves its clock, ends a
token.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bot.sandbox.vault.policies import DEFAULT_POLICY, Policy
from bot.sandbox.vault.records import OPENBAO, ROOT, Call, Json, Token, Version, Wrap


@dataclass
class VaultState:
    """One server: unsealed, with its root token, and otherwise empty."""

    flavour: str = OPENBAO
    skew_s: float = 0
    """How far its clock is ahead of ours."""
    is_sealed: bool = False
    """Every call is answered by 503 until it is unsealed again; nothing is lost."""
    is_audit_full: bool = False
    """The audit device takes no more, so every call is answered by 500."""
    namespaces: set[str] = field(default_factory=set)
    """Those that OpenBao has; Vault's community edition ignores the header."""
    controlled: set[str] = field(default_factory=set)
    """Paths under a control group: whatever is read there comes wrapped."""
    tokens: dict[str, Token] = field(default_factory=dict)
    """By their ids."""
    policies: dict[str, Policy] = field(default_factory=dict)
    """By their names."""
    mounts: set[str] = field(default_factory=set)
    """Where KV v2 engines are, each one word."""
    auths: dict[str, str] = field(default_factory=dict)
    """Mount of an auth method, one word -> its type: approle, jwt, kubernetes."""
    roles: dict[str, Json] = field(default_factory=dict)
    """`mount/name` -> the role as it was written; `mount/config` -> the method's own settings."""
    secret_ids: dict[str, Json] = field(default_factory=dict)
    """secret_id -> `{"role": name, "uses": left, "ends": when}`; 0 uses are any number."""
    wraps: dict[str, Wrap] = field(default_factory=dict)
    """By the ids of their wrapping tokens."""
    versions: dict[str, list[Version]] = field(default_factory=dict)
    """`mount/path` -> versions of the secret, from 1."""
    custom: dict[str, Json] = field(default_factory=dict)
    """`mount/path` -> custom metadata."""
    service_accounts: dict[str, str] = field(default_factory=dict)
    """What Kubernetes would say: JWT -> name of the service account."""

    def __post_init__(self) -> None:
        self.policies["default"] = DEFAULT_POLICY
        self.tokens[ROOT] = Token(
            id=ROOT,
            policies=["root"],
            created=self.now(),
            ttl=0,
            ends=float("inf"),
            path="auth/token/root" if self.flavour == OPENBAO else "auth/token/create",
            name="root",
            renewable=False,
        )

    def now(self) -> float:
        """Return the server's own time, in epoch seconds."""
        return time.time() + self.skew_s

    def namespace_of(self, call: Call) -> str:
        """Return the namespace that a call is answered in, empty for the root."""
        return call.headers.get("X-Vault-Namespace", "") if self.flavour == OPENBAO else ""
