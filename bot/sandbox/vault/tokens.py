"""The tokens of a simulated Vault: how they are made, used, looked at, renewed and revoked.

Owns their lives. What a token may do is in `policies`, how one is earned in `logins`.
"""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

from bot.sandbox.vault import refusal, shapes
from bot.sandbox.vault.records import ROOT, VAULT, Call, Json, Token
from bot.sandbox.vault.refusal import Refused
from bot.sandbox.vault.state import VaultState

TTL_S = 32 * 24 * 3600
"""How long a token lives if nobody says."""


def spend(state: VaultState, call: Call) -> Token:
    """Return the token that a call carries, one use poorer.

    Raises:
        Refused: there is none, or it is unknown, dead or used up.
    """
    if not call.token:
        raise refusal.without_token(state.flavour)
    token = state.tokens.get(call.token)
    if token is None or state.now() >= token.ends or token.uses < 0:
        raise Refused(HTTPStatus.FORBIDDEN, "permission denied")
    if token.uses:
        # Zero would mean any number of uses.
        token.uses = token.uses - 1 or -1
    return token


def add_token(state: VaultState, *, policies: list[str], ttl: float, **facts: Any) -> Token:
    """Make a token and keep it.

    Args:
        state: Where.
        policies: Names of its policies.
        ttl: In seconds; 0 never ends.
        facts: Further fields of `Token`; its path and name at least.
    """
    now = state.now()
    mark = "b." if facts.get("is_batch") else "s."
    token = Token(
        id=f"{mark}{uuid.uuid4().hex}",
        policies=policies,
        created=now,
        ttl=ttl,
        ends=now + ttl if ttl else float("inf"),
        **facts,
    )
    if token.is_batch:
        token.renewable, token.accessor = False, ""
    state.tokens[token.id] = token
    return token


def grant(
    state: VaultState, role: Json, *, path: str, meta: Json | None, namespace: str = ""
) -> Token:
    """Make the token of a login, as its role has it; `path` is such as `auth/approle/login`."""
    period = shapes.seconds(role.get("token_period"))
    extra = [] if role.get("token_no_default_policy") else ["default"]
    return add_token(
        state,
        policies=sorted([*role["token_policies"], *extra]),
        ttl=period or shapes.seconds(role.get("token_ttl")) or TTL_S,
        path=path,
        name=path.split("/")[1],
        max_ttl=shapes.seconds(role.get("token_max_ttl")),
        period=period,
        meta=meta,
        entity=str(uuid.uuid4()),
        namespace=namespace,
    )


def create(state: VaultState, _: Token, call: Call) -> Json:
    """Make a token as an operator asks for it."""
    body = call.body
    period = shapes.seconds(body.get("period"))
    token = add_token(
        state,
        policies=sorted([*body["policies"], "default"]),
        ttl=period or shapes.seconds(body.get("ttl")) or TTL_S,
        path="auth/token/create",
        name=f"token-{body.get('display_name', '')}",
        period=period,
        uses=int(body.get("num_uses") or 0),
        renewable=bool(body.get("renewable", True)),
        is_batch=body.get("type") == "batch",
        is_orphan=bool(body.get("no_parent")),
    )
    return shapes.envelope(auth=shapes.auth(token, token.ttl, flavour=state.flavour))


def renew(state: VaultState, token: Token, _: Call) -> Json:
    """Let a token live on: as long again, but not beyond its `max_ttl`, of which a warning tells.

    Raises:
        Refused: it is not of the kind that can be renewed.
    """
    if token.is_batch:
        raise Refused(HTTPStatus.BAD_REQUEST, "batch tokens cannot be renewed")
    if not token.renewable:
        raise Refused(HTTPStatus.BAD_REQUEST, "lease is not renewable")
    ttl, warnings = token.period or token.ttl, None
    left = token.created + token.max_ttl - state.now()
    if token.max_ttl and not token.period and left < ttl:
        capped = max(0, round(left))
        over = f'TTL of "{ttl:g}s" exceeded the effective max_ttl of "{capped}s"'
        warnings = [f"{over}; TTL value is capped accordingly"]
        ttl = capped
    token.ends = state.now() + ttl
    found = shapes.auth(token, ttl, flavour=state.flavour)
    return shapes.envelope(auth=found, warnings=warnings)


def look(state: VaultState, token: Token, _: Call) -> Json:
    """Tell a token about itself."""
    facts: Json = {
        "accessor": token.accessor,
        "creation_time": int(token.created),
        "creation_ttl": int(token.ttl),
        "display_name": token.name,
        "entity_id": token.entity,
        "expire_time": None if token.ends == float("inf") else shapes.stamp(token.ends),
        "explicit_max_ttl": 0,
        "id": token.id,
        "meta": token.meta,
        "num_uses": max(token.uses, 0),
        "orphan": token.is_orphan,
        "path": token.path,
        "policies": token.policies,
        "ttl": int(token.ends - state.now()) if token.ttl else 0,
        "type": "batch" if token.is_batch else "service",
    }
    if token.id != ROOT or state.flavour == VAULT:
        facts |= {"issue_time": shapes.stamp(token.created), "renewable": token.renewable}
    if token.period:
        facts["period"] = int(token.period)
    return shapes.envelope(facts)


def revoke_self(state: VaultState, token: Token, _: Call) -> None:
    """End the token that asks."""
    del state.tokens[token.id]


def revoke_other(state: VaultState, _: Token, call: Call) -> None:
    """End the token that is named."""
    del state.tokens[call.body["token"]]
