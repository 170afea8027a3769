"""The shapes of a simulated Vault's replies, and how times and durations are written.

Owns the envelope that every reply comes in and the part about a token. Fields that one flavour has
and the other lacks are told apart here.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

from bot.sandbox.vault.records import VAULT, Json, Token

UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600}


def envelope(content: Json | None = None, **parts: Any) -> Json:
    """Return a whole reply around its content.

    Args:
        content: What goes under `data`.
        parts: What stands in place of a null: `auth`, `wrap_info`, `warnings`.
    """
    return {
        "request_id": str(uuid.uuid4()),
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": content,
        "wrap_info": None,
        "warnings": None,
        "auth": None,
    } | parts


def auth(token: Token, lease_s: float, *, flavour: str) -> Json:
    """Return what goes under `auth`: a token, and for how long it is good from now."""
    facts: Json = {
        "client_token": token.id,
        "accessor": token.accessor,
        "policies": token.policies,
        "token_policies": token.policies,
        "metadata": token.meta,
        "lease_duration": int(lease_s),
        "renewable": token.renewable,
        "entity_id": token.entity,
        "token_type": "batch" if token.is_batch else "service",
        "orphan": token.is_orphan,
    }
    return facts if flavour == VAULT else facts | {"mfa_requirement": None, "num_uses": 0}


def seconds(value: str | float | None) -> float:
    """Read `"10m"`, `"60s"`, `"1h"` or a number of seconds; nothing is 0."""
    if value in {None, ""}:
        return 0
    found = re.fullmatch(r"(\d+)([smh]?)", str(value))
    assert found, "a duration is a whole number of seconds, minutes or hours"
    return float(found[1]) * UNITS_S[found[2]]


def stamp(when: float) -> str:
    """Write a moment as Vault does: `2026-11-21T10:00:00.000000Z`."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
