"""How one gets into a simulated Vault: by AppRole, JWT or Kubernetes.

Owns the roles, the secret_ids, and what each method says to a credential that is not good. A JWT is
checked in earnest (Ed25519, expiry, audience); what Kubernetes would say of one is in the state.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from http import HTTPStatus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bot.sandbox.vault import refusal, shapes, tokens
from bot.sandbox.vault.records import OPENBAO, Call, Json
from bot.sandbox.vault.refusal import Refused
from bot.sandbox.vault.state import VaultState

# ------------------------------------------------------------------------------------ roles


def answer_role(state: VaultState, key: str, rest: list[str], call: Call) -> Json | None:
    """Answer a call to the role at `mount/name`: to itself, its role_id or its secret_ids.

    Raises:
        Refused: the rest of the path is none of these.
    """
    match rest:
        case []:
            _write_role(state, key, call)
            return None
        case ["role-id"]:
            return shapes.envelope({"role_id": state.roles[key]["role_id"]})
        case ["secret-id"]:
            return shapes.envelope(add_secret_id(state, state.roles[key]))
        case _:
            raise refusal.without_route(call.path)


def _write_role(state: VaultState, key: str, call: Call) -> None:
    """Make or replace a role; it gets a new role_id."""
    policies = call.body.get("token_policies") or call.body.get("policies") or []
    listed = policies if isinstance(policies, list) else [policies]
    facts = {
        "token_policies": listed,
        "name": key.partition("/")[2],
        "role_id": str(uuid.uuid4()),
    }
    state.roles[key] = call.body | facts


def add_secret_id(state: VaultState, role: Json) -> Json:
    """Make a secret_id of an AppRole and return what is told of it, `secret_id` among that."""
    given, accessor = str(uuid.uuid4()), str(uuid.uuid4())
    ttl = shapes.seconds(role.get("secret_id_ttl"))
    uses = int(role.get("secret_id_num_uses") or 0)
    ends = state.now() + ttl if ttl else float("inf")
    state.secret_ids[given] = {"role": role["name"], "uses": uses, "ends": ends}
    facts: Json = {"secret_id": given, "secret_id_accessor": accessor}
    if state.flavour == OPENBAO:
        facts["secret_id_num_uses"] = uses
    return facts | {"secret_id_ttl": int(ttl)}


# ----------------------------------------------------------------------------------- logins


def log_in(state: VaultState, call: Call) -> Json:
    """Answer `auth/<mount>/login`: a new token for a good credential.

    Raises:
        Refused: no method is there, or it does not take the credential.
    """
    mount = call.path.split("/")[1]
    way = _WAYS.get(state.auths.get(mount, ""))
    if way is None:
        # Without a method there, the path is one like any other, and needs a token.
        raise refusal.without_token(state.flavour)
    role, meta = way(state, mount, call)
    namespace = state.namespace_of(call)
    token = tokens.grant(state, role, path=call.path, meta=meta, namespace=namespace)
    return shapes.envelope(auth=shapes.auth(token, token.ttl, flavour=state.flavour))


def _by_approle(state: VaultState, _: str, call: Call) -> tuple[Json, Json]:
    # OpenBao does not tell which of the two was wrong.
    is_openbao, bad = state.flavour == OPENBAO, "invalid role or secret ID"
    if call.body.get("secret_id") is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "missing secret_id")
    wanted = call.body["role_id"]
    role = next((role for role in state.roles.values() if role.get("role_id") == wanted), None)
    if role is None:
        raise Refused(HTTPStatus.BAD_REQUEST, bad if is_openbao else "invalid role ID")
    held = state.secret_ids.get(call.body["secret_id"])
    if held is None or held["role"] != role["name"] or state.now() >= held["ends"]:
        raise Refused(HTTPStatus.BAD_REQUEST, bad if is_openbao else "invalid secret id")
    if held["uses"]:
        held["uses"] -= 1
        if not held["uses"]:
            del state.secret_ids[call.body["secret_id"]]
    return role, {"role_name": role["name"]}


def _by_jwt(state: VaultState, mount: str, call: Call) -> tuple[Json, Json]:
    name, jwt = call.body["role"], call.body["jwt"]
    role = state.roles.get(f"{mount}/{name}")
    if role is None:
        raise Refused(HTTPStatus.BAD_REQUEST, f'role "{name}" could not be found')
    claims = _verified(jwt, state.roles[f"{mount}/config"]["jwt_validation_pubkeys"])
    if claims["exp"] < state.now():
        raise _invalid("invalid expiration time (exp) claim: token is expired")
    if claims["aud"] not in role["bound_audiences"]:
        unfit = "audience claim does not match any expected audience"
        raise _invalid(f"invalid audience (aud) claim: {unfit}")
    return role, {"role": name}


def _verified(jwt: str, pem: str) -> Json:
    """Return the claims of a JWT that this key signed."""
    signed, _, signature = jwt.rpartition(".")
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, Ed25519PublicKey)
    try:
        key.verify(_unb64(signature), signed.encode())
    except InvalidSignature:
        failed = "no known key successfully validated the token signature"
        raise _invalid(f"error verifying token signature: {failed}") from None
    claims: Json = json.loads(_unb64(signed.partition(".")[2]))
    return claims


def _invalid(why: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, f"error validating token: {why}")


def _unb64(part: str) -> bytes:
    """Read a part of a JWT: its base64 goes without the padding."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _by_kubernetes(state: VaultState, mount: str, call: Call) -> tuple[Json, Json]:
    name = call.body["role"]
    role = state.roles.get(f"{mount}/{name}")
    if role is None:
        raise Refused(HTTPStatus.BAD_REQUEST, f'invalid role name "{name}"')
    account = state.service_accounts.get(call.body["jwt"])
    if account is None:
        raise Refused(HTTPStatus.FORBIDDEN, "permission denied")
    if account not in role["bound_service_account_names"]:
        raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "service account name not authorized")
    parts = ("name", "namespace", "secret_name", "uid")
    meta = {f"service_account_{part}": part for part in parts}
    return role, {"role": name, **meta}


_WAYS: dict[str, Callable[[VaultState, str, Call], tuple[Json, Json]]] = {
    "approle": _by_approle,
    "jwt": _by_jwt,
    "kubernetes": _by_kubernetes,
}
"""Type of the method -> who checks a credential, and returns the role and the token's metadata."""
