"""Puts the contract server into the state of each recorded pair, and says what was then asked.

One function a label: it prepares `VaultState` and returns the token and body of the recorded
request; method, path and query come from the recording.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.sandbox.vault import logins, routes, tokens
from bot.sandbox.vault.policies import parse_policy
from bot.sandbox.vault.records import ROOT, Call, Json, Token
from bot.sandbox.vault.state import VaultState

READS = ["pacifica", "bybit", "versions", "notthere"]
POLICY = "\n".join(f'path "bot/data/venues/{name}" {{ capabilities = ["read"] }}' for name in READS)
BAD = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a recorded request carried."""

    token: str = ""
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Stage:
    """The scene of the recordings: one KV engine, one AppRole, a few secrets."""

    state: VaultState

    def __post_init__(self) -> None:
        state = self.state
        state.mounts.add("bot")
        state.policies["cancelall-bot"] = parse_policy(POLICY)
        state.auths |= {"approle": "approle", "jwt": "jwt", "kubernetes": "kubernetes"}
        self.role = state.roles["approle/cancelall-bot"] = {
            "name": "cancelall-bot",
            "role_id": "role-id",
            "token_policies": ["cancelall-bot"],
            "token_ttl": "5s",
            "token_max_ttl": "12s",
            "secret_id_num_uses": 3,
            "secret_id_ttl": "10m",
        }
        state.custom["bot/venues/pacifica"] = {"owner": "trading", "rotated": "2026-11-01"}
        self.root("POST", "bot/data/venues/pacifica", data={"api_key": "a", "signing_key": "b"})

    def root(self, method: str, path: str, /, **body: Any) -> Json:
        """Act as root."""
        return routes.ask_as_root(self.state, method, path, body)

    def versions(self, spoil: str, numbers: list[int]) -> None:
        for number in range(1, 4):
            self.root("POST", "bot/data/venues/versions", data={"v": str(number)})
        self.root("POST", f"bot/{spoil}/venues/versions", versions=numbers)

    def secret_id(self) -> str:
        return str(logins.add_secret_id(self.state, self.role)["secret_id"])

    def bot(self, **facts: Any) -> Token:
        role = self.role | facts
        return tokens.grant(
            self.state, role, path="auth/approle/login", meta={"role_name": "cancelall-bot"}
        )

    def created(self, **body: Any) -> str:
        reply = self.root("POST", "auth/token/create", policies=["cancelall-bot"], **body)
        return str(reply["auth"]["client_token"])

    def wrapped(self) -> str:
        path = "auth/approle/role/cancelall-bot/secret-id"
        reply = routes.ask_as_root(self.state, "POST", path, wrap_ttl="60s")
        return str(reply["wrap_info"]["token"])

    def unwrap(self, token: str) -> None:
        headers = {"X-Vault-Token": token}
        path = "sys/wrapping/unwrap"
        routes.answer(
            self.state, Call(method="POST", path=path, query={}, headers=headers, body={})
        )


def made_jwt(state: VaultState, *, audience: str = "cancelall", lives_s: float = 60) -> str:
    """Configure the method and its role, and sign a JWT for it."""
    key = Ed25519PrivateKey.generate()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    state.auths["jwt"] = "jwt"
    state.roles["jwt/config"] = {"jwt_validation_pubkeys": pem.decode()}
    state.roles["jwt/bot"] = {
        "token_policies": ["cancelall-bot"],
        "token_ttl": 300,
        "bound_audiences": ["cancelall"],
    }
    claims = {"aud": audience, "sub": "bot", "exp": state.now() + lives_s}
    signed = f"{b64({'alg': 'EdDSA'})}.{b64(claims)}"
    return f"{signed}.{b64_bytes(key.sign(signed.encode()))}"


def b64(value: Json) -> str:
    return b64_bytes(json.dumps(value).encode())


def b64_bytes(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def login(stage: Stage, secret_id: str, role_id: str = "role-id") -> Sent:
    return Sent(body={"role_id": role_id, "secret_id": secret_id})


def expired(stage: Stage) -> Sent:
    token = stage.bot()
    stage.state.skew_s += 6
    return Sent(token=token.id)


def expired_renewal(stage: Stage) -> Sent:
    return Sent(token=expired(stage).token, body={})


def capped(stage: Stage) -> Sent:
    token = stage.bot()
    for _ in range(2):
        stage.state.skew_s += 4.5
        headers = {"X-Vault-Token": token.id}
        path = "auth/token/renew-self"
        routes.answer(
            stage.state, Call(method="POST", path=path, query={}, headers=headers, body={})
        )
    return Sent(token=token.id, body={})


def spent_wrapping(stage: Stage) -> str:
    token = stage.wrapped()
    stage.unwrap(token)
    return token


def stale_wrapping(stage: Stage) -> str:
    token = stage.wrapped()
    stage.state.skew_s += 61
    return token


def used_up_secret_id(stage: Stage) -> Sent:
    secret_id = stage.secret_id()
    body = {"role_id": "role-id", "secret_id": secret_id}
    for _ in range(3):
        routes.answer(
            stage.state,
            Call(method="POST", path="auth/approle/login", query={}, headers={}, body=body),
        )
    return login(stage, secret_id)


def used_up_token(stage: Stage) -> Sent:
    token = stage.created(num_uses=1, ttl="30s", renewable=True)
    headers = {"X-Vault-Token": token}
    path = "auth/token/lookup-self"
    routes.answer(stage.state, Call(method="GET", path=path, query={}, headers=headers, body={}))
    return Sent(token=token)


def revoked(stage: Stage) -> Sent:
    token = stage.created(ttl="30s")
    stage.root("POST", "auth/token/revoke", token=token)
    return Sent(token=token)


def sealed(stage: Stage, sent: Sent) -> Sent:
    stage.state.is_sealed = True
    return sent


def mute(stage: Stage, sent: Sent) -> Sent:
    stage.state.is_audit_full = True
    return sent


def spoilt(stage: Stage, spoil: str, number: int) -> Sent:
    stage.versions(spoil, [number])
    return Sent(token=stage.bot().id)


def in_namespace(stage: Stage) -> Sent:
    stage.state.namespaces.add("trading")
    return Sent(token=stage.bot().id, headers={"X-Vault-Namespace": "trading"})


def controlled(stage: Stage) -> Sent:
    stage.state.controlled.add("bot/data/venues/pacifica")
    return Sent(token=stage.bot().id)


def by_jwt(stage: Stage, *, role: str = "bot", forge: str = "", **facts: Any) -> Sent:
    jwt = made_jwt(stage.state, **facts)
    if forge:
        jwt = f"{jwt.rpartition('.')[0]}.{b64_bytes(b'0' * 64)}"
    return Sent(body={"role": role, "jwt": jwt})


def by_kubernetes(stage: Stage, *, role: str = "bot", account: str = "cancelall-bot") -> Sent:
    if account:
        stage.state.service_accounts["jwt"] = account
    stage.state.roles["kubernetes/bot"] = {
        "token_policies": ["cancelall-bot"],
        "token_ttl": 300,
        "bound_service_account_names": ["cancelall-bot"],
    }
    return Sent(body={"role": role, "jwt": "jwt"})


def by_root(**body: Any) -> Callable[[Stage], Sent]:
    return lambda _: Sent(token=ROOT, body=body)


PER = {"token_period": "20s", "token_policies": ["lp"], "token_no_default_policy": True}
OWN_LOOKUP = {"auth/token/lookup-self": {"read"}}


def periodic_login(stage: Stage) -> Sent:
    stage.role |= PER
    return login(stage, stage.secret_id())


def periodic_lookup(stage: Stage) -> Sent:
    stage.state.policies["lp"] = OWN_LOOKUP
    return Sent(token=stage.bot(**PER).id)


LIVING = {"no_parent": True, "period": "30s", "renewable": True, "num_uses": 0}
NAMED = {"no_default_policy": False, "display_name": "bot-periodic"}
MADE = {"policies": ["cancelall-bot"], "no_parent": False, "no_default_policy": False}

STAGES: dict[str, Callable[[Stage], Sent]] = {
    "admin.approle.create": by_root(
        token_policies="cancelall-bot",
        bind_secret_id=True,
        secret_id_num_uses=3,
        secret_id_ttl="10m",
        token_ttl="5s",
        token_max_ttl="12s",
        token_no_default_policy=False,
    ),
    "admin.approle.role_id": lambda _: Sent(token=ROOT),
    "admin.approle.secret_id": by_root(metadata="{}"),
    "admin.approle.secret_id.wrapped": lambda _: Sent(
        token=ROOT, body={}, headers={"X-Vault-Wrap-TTL": "60s"}
    ),
    "admin.kv2.write.cas0.ok": by_root(options={"cas": 0}, data={"v": "1"}),
    "admin.mount.kv2": by_root(
        type="kv",
        description=None,
        config=None,
        options={"version": "2"},
        plugin_name=None,
        local=False,
        seal_wrap=False,
    ),
    "admin.policy.write": by_root(policy=POLICY),
    "admin.token.create.batch": by_root(
        **MADE, renewable=True, ttl="30s", type="batch", display_name="token", num_uses=0
    ),
    "admin.token.create.nonrenewable": by_root(
        **MADE, renewable=False, ttl="30s", display_name="token", num_uses=0
    ),
    "admin.token.create.periodic": by_root(policies=["cancelall-bot"], **LIVING, **NAMED),
    "audit.device_full.approle.login": lambda stage: mute(stage, login(stage, "y", "x")),
    "audit.device_full.kv2.read": lambda stage: mute(stage, Sent(token=stage.bot().id)),
    "auth.approle.login.bad_role_id": lambda stage: login(stage, stage.secret_id(), BAD),
    "auth.approle.login.bad_secret_id": lambda stage: login(stage, BAD),
    "auth.approle.login.missing_secret_id": lambda _: Sent(
        body={"role_id": "role-id", "secret_id": None}
    ),
    "auth.approle.login.ok": lambda stage: login(stage, stage.secret_id()),
    "auth.approle.login.periodic_role": periodic_login,
    "auth.approle.login.sealed": lambda stage: sealed(stage, login(stage, stage.secret_id())),
    "auth.approle.login.secret_id_uses_exhausted": used_up_secret_id,
    "auth.jwt.login.absent_role": lambda stage: by_jwt(stage, role="norole"),
    "auth.jwt.login.bad_signature": lambda stage: by_jwt(stage, forge="yes"),
    "auth.jwt.login.expired": lambda stage: by_jwt(stage, lives_s=-60),
    "auth.jwt.login.ok": by_jwt,
    "auth.jwt.login.wrong_audience": lambda stage: by_jwt(stage, audience="other"),
    "auth.kubernetes.login.absent_role": lambda stage: by_kubernetes(stage, role="norole"),
    "auth.kubernetes.login.ok": by_kubernetes,
    "auth.kubernetes.login.rejected_by_tokenreview": lambda stage: by_kubernetes(stage, account=""),
    "auth.kubernetes.login.wrong_service_account": lambda stage: by_kubernetes(
        stage, account="other"
    ),
    "cg.kv2.read.returns_wrap_info": controlled,
    "error.login_disabled_mount": lambda stage: login(stage, stage.secret_id()),
    "kv2.read.absent": lambda stage: Sent(token=stage.bot().id),
    "kv2.read.bad_token": lambda _: Sent(token="s.none"),
    "kv2.read.deleted_version": lambda stage: spoilt(stage, "delete", 1),
    "kv2.read.destroyed_version": lambda stage: spoilt(stage, "destroy", 2),
    "kv2.read.expired_token": expired,
    "kv2.read.forbidden_path": lambda stage: Sent(token=stage.bot().id),
    "kv2.read.kv1_style_path": lambda _: Sent(token=ROOT),
    "kv2.read.latest_deleted": lambda stage: spoilt(stage, "delete", 3),
    "kv2.read.no_token": lambda _: Sent(),
    "kv2.read.ok": lambda stage: Sent(token=stage.bot().id),
    "kv2.read.sealed": lambda stage: sealed(stage, Sent(token=stage.bot().id)),
    "kv2.read.wrapped": lambda stage: Sent(
        token=stage.bot().id, headers={"X-Vault-Wrap-TTL": "30s"}
    ),
    "kv2.read.wrong_mount_as_bot": lambda stage: Sent(token=stage.bot().id),
    "kv2.read.wrong_mount_as_root": lambda _: Sent(token=ROOT),
    "namespace.child_token_in_root": in_namespace,
    "token.capabilities_self": lambda stage: Sent(
        token=stage.bot().id, body={"paths": ["bot/data/venues/pacifica", "bot/data/other"]}
    ),
    "token.lookup_self.approle_periodic": periodic_lookup,
    "token.lookup_self.expired": expired,
    "token.lookup_self.ok": lambda stage: Sent(token=stage.bot().id),
    "token.lookup_self.periodic": lambda stage: Sent(token=stage.created(**LIVING)),
    "token.lookup_self.revoked": revoked,
    "token.lookup_self.root": lambda _: Sent(token=ROOT),
    "token.lookup_self.uses_exhausted": used_up_token,
    "token.renew_self.batch": lambda stage: Sent(
        token=stage.created(type="batch", ttl="30s"), body={}
    ),
    "token.renew_self.capped_by_max_ttl": capped,
    "token.renew_self.expired": expired_renewal,
    "token.renew_self.nonrenewable": lambda stage: Sent(
        token=stage.created(renewable=False, ttl="30s"), body={}
    ),
    "token.renew_self.ok": lambda stage: Sent(token=stage.bot().id, body={}),
    "token.renew_self.periodic": lambda stage: Sent(token=stage.created(**LIVING), body={}),
    "token.revoke_self.ok": lambda stage: Sent(token=stage.bot().id),
    "wrapping.lookup": lambda stage: Sent(body={"token": stage.wrapped()}),
    "wrapping.lookup.after_unwrap": lambda stage: Sent(body={"token": spent_wrapping(stage)}),
    "wrapping.unwrap.body_token_without_client_token": lambda stage: Sent(
        body={"token": stage.wrapped()}
    ),
    "wrapping.unwrap.expired": lambda stage: Sent(token=stale_wrapping(stage), body={}),
    "wrapping.unwrap.ok": lambda stage: Sent(token=stage.wrapped(), body={}),
    "wrapping.unwrap.second_time": lambda stage: Sent(token=spent_wrapping(stage), body={}),
}
"""The rest, 307 and 429, are faults of the server and not of its state."""
