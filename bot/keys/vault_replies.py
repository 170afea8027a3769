"""Replies of Vault, as far as we read them.

Owns the shapes. Pure. A reply that does not match is None: Vault's own errors were told apart by
their status before.

Shapes (recorded from Vault 1.8 and OpenBao 2.6.2, 2026-11-21):
login, renew-self `{"auth":{"client_token":"s.…","lease_duration":5,"renewable":true,…}}`
lookup-self       `{"data":{"ttl":4,"renewable":true,"policies":[…],"namespace_path":"trading/"}}`
KV v2 read        `{"request_id":"…","data":{"data":{…},"metadata":{"version":1,…}},…}`
capabilities-self `{"data":{"secret/data/x":["read"]}}`
wrapping/lookup   `{"data":{"creation_path":"auth/approle/role/r/secret-id"}}`
unwrap            `{"data":{"secret_id":"…"}}`
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from bot.keys.vault_calls import Heard, Unanswered

M = TypeVar("M", bound=BaseModel)


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class Auth(_Reply):
    """What a login or a renewal gives."""

    client_token: SecretStr = Field(strict=False)
    lease_duration: int = Field(ge=0)
    """Seconds; 0 never ends."""
    renewable: bool
    policies: list[str] | None = None


class Granted(_Reply):
    """A login or a renewal."""

    auth: Auth


class TokenFacts(_Reply):
    """What a token is."""

    ttl: int = Field(ge=0)
    """Seconds that are left; 0 never ends."""
    renewable: bool = False
    policies: list[str] | None = None
    namespace_path: str = ""
    """Of Vault Enterprise: ends with a slash."""


class Looked(_Reply):
    """A token's look at itself."""

    facts: TokenFacts = Field(alias="data")


class Metadata(_Reply):
    """Which version of a document it is, and whether it still is."""

    version: int
    deletion_time: str = ""
    """Empty while it lives."""
    destroyed: bool = False


class Versioned(_Reply):
    """A document and its version."""

    document: dict[str, Any] | None = Field(alias="data", repr=False)
    metadata: Metadata


class Secret(_Reply):
    """A read of KV v2, also of a version that was deleted or destroyed."""

    request_id: str = ""
    """The same as in Vault's audit log."""
    found: Versioned = Field(alias="data")

    def text(self) -> SecretStr:
        """Return the document as JSON text."""
        return SecretStr(json.dumps(self.found.document))


class Withheld(_Reply):
    """Where an answer was put instead of being given."""

    accessor: str = ""


class Wrapped(_Reply):
    """An answer that somebody has to open, or to allow."""

    withheld: Withheld = Field(alias="wrap_info")


class Capabilities(_Reply):
    """What a token may do, by path."""

    by_path: dict[str, list[str]] = Field(alias="data")


class Wrapping(_Reply):
    """Who made a wrapping token."""

    creation_path: str


class LookedAtWrapping(_Reply):
    """A look at a wrapping token."""

    wrapping: Wrapping = Field(alias="data")


class SecretId(_Reply):
    """What was wrapped."""

    secret_id: SecretStr = Field(strict=False, min_length=1)


class Unwrapped(_Reply):
    """An unwrapped secret_id."""

    held: SecretId = Field(alias="data")


def parse(model: type[M], heard: Heard) -> M | None:
    """Return the reply; None if it is none of this shape."""
    if isinstance(heard, Unanswered):
        return None
    try:
        return model.model_validate(heard.body)
    except ValidationError:
        return None
