"""The records of a simulated Vault: what it is asked, and what it keeps of tokens and secrets.

Owns their shapes and what a record knows of itself. Who makes, changes and checks them is in
`tokens`, `wrapping` and `kv`. Times are epoch seconds of the server's own clock.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

VAULT, OPENBAO = "vault-1.8", "openbao-2.6.2"
"""The flavours: whose recorded replies the answers are held to."""
ROOT = "lab-root"
"""The id of the root token. It opens nothing but this server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request."""

    method: str
    path: str
    """Below /v1/, such as `secret/data/venues/x`."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json

    @property
    def token(self) -> str:
        """The id of the token that it carries, empty for none."""
        return self.headers.get("X-Vault-Token", "")


@dataclass(slots=True, kw_only=True)
class Token:
    """A token and what it may do."""

    id: str
    policies: list[str]
    created: float
    ttl: float
    """Seconds; 0 never ends."""
    ends: float
    path: str
    """Where it was made, such as `auth/approle/login`."""
    name: str
    max_ttl: float = 0
    """Seconds from its making, beyond which no renewal reaches; 0 for no bound."""
    period: float = 0
    """Seconds that each renewal gives, without bound; 0 for none."""
    uses: int = 0
    """How many are left; 0 for any number, below 0 for none."""
    renewable: bool = True
    is_batch: bool = False
    is_orphan: bool = True
    meta: Json | None = None
    entity: str = ""
    accessor: str = field(default_factory=lambda: f"accessor-{uuid.uuid4()}")
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrap:
    """A reply that waits behind a wrapping token."""

    reply: Json
    path: str
    """Which call it answered."""
    created: float
    ttl: int
    """Seconds."""

    def is_dead(self, now: float) -> bool:
        """Tell whether nobody came for it in time."""
        return now >= self.created + self.ttl


@dataclass(slots=True, kw_only=True)
class Version:
    """One version of a secret."""

    content: Json | None
    """None once it is deleted or destroyed."""
    created: float
    deleted: float = 0
    destroyed: bool = False
