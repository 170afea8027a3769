"""The state of the contract server: tokens, policies, AppRole, JWT, Kubernetes, wrapping, KV v2.

Pure but for its clock: a request in, a reply out. Written from vendor documents and held to the
recorded replies of Vault 1.8 and OpenBao 2.6.2 (`tests/keys/vault_recorded.json`); it is neither.
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

ROOT = "lab-root"
VAULT, OPENBAO = "vault-1.8", "openbao-2.6.2"
DENIED = "1 error occurred:\n\t* permission denied\n\n"
LINE = re.compile(r'path "([^"]+)" \{\s*capabilities = \[([^]]*)\]\s*\}')
DEFAULT_POLICY = {
    "auth/token/lookup-self": {"read"},
    "auth/token/renew-self": {"update"},
    "auth/token/revoke-self": {"update"},
    "sys/capabilities-self": {"update"},
}
Json = dict[str, Any]


class Refused(Exception):
    """An error reply."""

    def __init__(self, status: int, *errors: str, body: Json | None = None) -> None:
        super().__init__(status, errors)
        self.status = status
        self.body: Json = {"errors": list(errors)} if body is None else body


@dataclass(kw_only=True)
class Token:
    id: str
    policies: list[str]
    created: float
    ttl: float
    """0 never ends."""
    ends: float
    path: str
    name: str
    max_ttl: float = 0
    period: float = 0
    uses: int = 0
    renewable: bool = True
    is_batch: bool = False
    is_orphan: bool = True
    meta: Json | None = None
    entity: str = ""
    accessor: str = field(default_factory=lambda: f"accessor-{uuid.uuid4()}")
    namespace: str = ""


@dataclass(kw_only=True)
class Wrap:
    reply: Json
    path: str
    created: float
    ttl: int

    def is_dead(self, now: float) -> bool:
        return now >= self.created + self.ttl


@dataclass(kw_only=True)
class Version:
    content: Json | None
    created: float
    deleted: float = 0
    destroyed: bool = False


@dataclass(frozen=True, kw_only=True)
class Call:
    method: str
    path: str
    """Below /v1/."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json


@dataclass
class VaultState:
    """One server; `skew_s` moves its clock."""

    flavour: str = OPENBAO
    skew_s: float = 0
    is_sealed: bool = False
    is_audit_full: bool = False
    namespaces: set[str] = field(default_factory=set)
    """That OpenBao has; Vault's community edition ignores the header."""
    controlled: set[str] = field(default_factory=set)
    """Paths under a control group."""
    tokens: dict[str, Token] = field(default_factory=dict)
    policies: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    mounts: set[str] = field(default_factory=set)
    auths: dict[str, str] = field(default_factory=dict)
    roles: dict[str, Json] = field(default_factory=dict)
    secret_ids: dict[str, Json] = field(default_factory=dict)
    wraps: dict[str, Wrap] = field(default_factory=dict)
    versions: dict[str, list[Version]] = field(default_factory=dict)
    custom: dict[str, Json] = field(default_factory=dict)
    """Custom metadata, by path."""
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
        return time.time() + self.skew_s

    def answer(self, call: Call) -> tuple[int, Json | None]:
        """Answer a call: status and JSON body."""
        try:
            return self._answered(call)
        except Refused as refused:
            return refused.status, refused.body

    def _answered(self, call: Call) -> tuple[int, Json | None]:
        is_login = re.fullmatch(r"auth/[\w-]+/login", call.path) is not None
        if self.is_sealed:
            raise Refused(503, "Vault is sealed")
        if self.is_audit_full:
            raise Refused(500, "internal error")
        self._check_namespace(call)
        if call.path == "sys/wrapping/lookup":
            return 200, self._wrapping_lookup(call.body)
        if is_login:
            return 200, self._login(call)
        if call.path == "sys/wrapping/unwrap":
            return 200, self._unwrap(call)
        token = self._token(call)
        self._allow(token, call)
        reply = self._route(token, call)
        return self._maybe_wrapped(call, reply)

    def _check_namespace(self, call: Call) -> None:
        wanted = call.headers.get("X-Vault-Namespace", "")
        if self.flavour == OPENBAO and wanted and wanted not in self.namespaces:
            raise Refused(404, "namespace not found")

    def namespace_of(self, call: Call) -> str:
        return call.headers.get("X-Vault-Namespace", "") if self.flavour == OPENBAO else ""

    # ------------------------------------------------------------------------------ tokens

    def _token(self, call: Call) -> Token:
        given = call.headers.get("X-Vault-Token", "")
        if not given and self.flavour == VAULT:
            raise Refused(400, "missing client token")
        token = self.tokens.get(given)
        if token is None or self.now() >= token.ends or token.uses < 0:
            raise Refused(403, "permission denied")
        if token.uses:
            token.uses = token.uses - 1 or -1
        return token

    def _allow(self, token: Token, call: Call) -> None:
        need = {"GET": "read", "LIST": "list", "DELETE": "delete"}.get(call.method, "update")
        may = self.capabilities(token, call.path)
        is_elsewhere = token.namespace != self.namespace_of(call) and token.id != ROOT
        if is_elsewhere or not {need, "root"} & may:
            raise Refused(403, DENIED)

    def capabilities(self, token: Token, path: str) -> set[str]:
        if "root" in token.policies:
            return {"root"}
        found = set[str]()
        for name in token.policies:
            found |= self.policies.get(name, {}).get(path, set())
        return found or {"deny"}

    def grant(self, call: Call | None, role: Json, *, path: str, meta: Json | None) -> Token:
        """Make the token of a login."""
        period = seconds(role.get("token_period"))
        ttl = period or seconds(role.get("token_ttl")) or 2_764_800
        extra = [] if role.get("token_no_default_policy") else ["default"]
        return self.add_token(
            policies=sorted([*role["token_policies"], *extra]),
            ttl=ttl,
            path=path,
            name=path.split("/")[1],
            max_ttl=seconds(role.get("token_max_ttl")),
            period=period,
            meta=meta,
            entity=str(uuid.uuid4()),
            namespace=self.namespace_of(call) if call is not None else "",
        )

    def add_token(self, *, policies: list[str], ttl: float, **facts: Any) -> Token:
        now = self.now()
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
        self.tokens[token.id] = token
        return token

    def _renew(self, token: Token, _: Call) -> Json:
        if token.is_batch:
            raise Refused(400, "batch tokens cannot be renewed")
        if not token.renewable:
            raise Refused(400, "lease is not renewable")
        ttl, warnings = token.period or token.ttl, None
        left = token.created + token.max_ttl - self.now()
        if token.max_ttl and not token.period and left < ttl:
            capped = max(0, round(left))
            over = f'TTL of "{ttl:g}s" exceeded the effective max_ttl of "{capped}s"'
            warnings = [f"{over}; TTL value is capped accordingly"]
            ttl = capped
        token.ends = self.now() + ttl
        return self.envelope(auth=self.auth(token, ttl), warnings=warnings)

    def _revoke(self, token: Token, _: Call) -> None:
        del self.tokens[token.id]

    def _revoke_other(self, _: Token, call: Call) -> None:
        del self.tokens[call.body["token"]]

    def _look(self, token: Token, _: Call) -> Json:
        facts: Json = {
            "accessor": token.accessor,
            "creation_time": int(token.created),
            "creation_ttl": int(token.ttl),
            "display_name": token.name,
            "entity_id": token.entity,
            "expire_time": None if token.ends == float("inf") else stamp(token.ends),
            "explicit_max_ttl": 0,
            "id": token.id,
            "meta": token.meta,
            "num_uses": max(token.uses, 0),
            "orphan": token.is_orphan,
            "path": token.path,
            "policies": token.policies,
            "ttl": int(token.ends - self.now()) if token.ttl else 0,
            "type": "batch" if token.is_batch else "service",
        }
        if token.id != ROOT or self.flavour == VAULT:
            facts |= {"issue_time": stamp(token.created), "renewable": token.renewable}
        if token.period:
            facts["period"] = int(token.period)
        return self.envelope(facts)

    def _create_token(self, _: Token, call: Call) -> Json:
        body = call.body
        period = seconds(body.get("period"))
        token = self.add_token(
            policies=sorted([*body["policies"], "default"]),
            ttl=period or seconds(body.get("ttl")) or 2_764_800,
            path="auth/token/create",
            name=f"token-{body.get('display_name', '')}",
            period=period,
            uses=int(body.get("num_uses") or 0),
            renewable=bool(body.get("renewable", True)),
            is_batch=body.get("type") == "batch",
            is_orphan=bool(body.get("no_parent")),
        )
        return self.envelope(auth=self.auth(token, token.ttl))

    # ------------------------------------------------------------------------------ logins

    def _login(self, call: Call) -> Json:
        mount = call.path.split("/")[1]
        ways: dict[str, Callable[[str, Call], tuple[Json, Json]]] = {
            "approle": self._approle,
            "jwt": self._jwt,
            "kubernetes": self._kubernetes,
        }
        if self.auths.get(mount) not in ways:
            refused = (400, "missing client token"), (403, "permission denied")
            raise Refused(*refused[self.flavour == OPENBAO])
        role, meta = ways[self.auths[mount]](mount, call)
        token = self.grant(call, role, path=call.path, meta=meta)
        return self.envelope(auth=self.auth(token, token.ttl))

    def _approle(self, mount: str, call: Call) -> tuple[Json, Json]:
        bad = "invalid role or secret ID"
        if call.body.get("secret_id") is None:
            raise Refused(400, "missing secret_id")
        role = next((r for r in self.roles.values() if r["role_id"] == call.body["role_id"]), None)
        if role is None:
            raise Refused(400, bad if self.flavour == OPENBAO else "invalid role ID")
        held = self.secret_ids.get(call.body["secret_id"])
        if held is None or held["role"] != role["name"] or self.now() >= held["ends"]:
            raise Refused(400, bad if self.flavour == OPENBAO else "invalid secret id")
        if held["uses"]:
            held["uses"] -= 1
            if not held["uses"]:
                del self.secret_ids[call.body["secret_id"]]
        return role, {"role_name": role["name"]}

    def _jwt(self, mount: str, call: Call) -> tuple[Json, Json]:
        role = self.roles.get(f"{mount}/{call.body['role']}")
        if role is None:
            raise Refused(400, f'role "{call.body["role"]}" could not be found')
        head, claims, signature = (unb64(part) for part in call.body["jwt"].split("."))
        signed = call.body["jwt"].rpartition(".")[0].encode()
        key = load_pem_public_key(self.roles[f"{mount}/config"]["jwt_validation_pubkeys"].encode())
        assert isinstance(key, Ed25519PublicKey)
        assert head
        why = "error validating token: "
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            failed = "error verifying token signature: no known key successfully validated"
            raise Refused(400, f"{why}{failed} the token signature") from None
        said = json.loads(claims)
        if said["exp"] < self.now():
            raise Refused(400, f"{why}invalid expiration time (exp) claim: token is expired")
        if said["aud"] not in role["bound_audiences"]:
            unfit = "audience claim does not match any expected audience"
            raise Refused(400, f"{why}invalid audience (aud) claim: {unfit}")
        return role, {"role": call.body["role"]}

    def _kubernetes(self, mount: str, call: Call) -> tuple[Json, Json]:
        role = self.roles.get(f"{mount}/{call.body['role']}")
        if role is None:
            raise Refused(400, f'invalid role name "{call.body["role"]}"')
        account = self.service_accounts.get(call.body["jwt"])
        if account is None:
            raise Refused(403, "permission denied")
        if account not in role["bound_service_account_names"]:
            raise Refused(500, "service account name not authorized")
        names = ("name", "namespace", "secret_name", "uid")
        meta = {f"service_account_{name}": name for name in names}
        return role, {"role": call.body["role"], **meta}

    # ---------------------------------------------------------------------------- wrapping

    def _wrap_of(self, given: str) -> Wrap:
        wrap = self.wraps.get(given)
        if wrap is None or wrap.is_dead(self.now()):
            raise Refused(400, "wrapping token is not valid or does not exist")
        return wrap

    def _wrapping_lookup(self, body: Json) -> Json:
        wrap = self._wrap_of(str(body.get("token")))
        facts = {"creation_path": wrap.path, "creation_time": stamp(wrap.created)}
        return self.envelope(facts | {"creation_ttl": wrap.ttl})

    def _unwrap(self, call: Call) -> Json:
        given = call.headers.get("X-Vault-Token", "")
        if not given:
            refused = (400, "missing client token"), (403, "permission denied")
            raise Refused(*refused[self.flavour == OPENBAO])
        wrap = self._wrap_of(str(call.body.get("token", given)))
        del self.wraps[given]
        return wrap.reply

    def _maybe_wrapped(self, call: Call, reply: Json | None) -> tuple[int, Json | None]:
        ttl = seconds(call.headers.get("X-Vault-Wrap-TTL"))
        if call.path in self.controlled:
            ttl = 300
        if reply is None or not ttl:
            return (200 if reply is not None else 204), reply
        given, now = f"s.wrap{uuid.uuid4().hex}", self.now()
        self.wraps[given] = Wrap(reply=reply, path=call.path, created=now, ttl=int(ttl))
        info = {
            "token": given,
            "accessor": f"accessor-{uuid.uuid4()}",
            "ttl": int(ttl),
            "creation_time": stamp(now),
            "creation_path": call.path,
        }
        if self.flavour == OPENBAO and "secret_id_accessor" in (reply.get("data") or {}):
            info["wrapped_accessor"] = reply["data"]["secret_id_accessor"]
        return 200, self.envelope(wrap_info=info) | {"request_id": ""}

    # ------------------------------------------------------------------------------- routes

    def _route(self, token: Token, call: Call) -> Json | None:
        fixed: dict[str, Callable[[Token, Call], Json | None]] = {
            "auth/token/lookup-self": self._look,
            "auth/token/renew-self": self._renew,
            "auth/token/revoke-self": self._revoke,
            "auth/token/revoke": self._revoke_other,
            "auth/token/create": self._create_token,
            "sys/capabilities-self": self._capabilities,
        }
        if call.path in fixed:
            return fixed[call.path](token, call)
        match call.path.split("/"):
            case ["sys", ("mounts" | "auth") as kind, mount]:
                self._mount(kind, mount, call)
            case ["sys", "policy", name]:
                self.policies[name] = parse_policy(call.body["policy"])
            case ["auth", mount, "config"]:
                self.roles[f"{mount}/config"] = call.body
            case ["auth", mount, "role", name, *rest]:
                return self._role(mount, name, rest, call)
            case [mount, kind, *rest] if mount in self.mounts:
                return self._kv(f"{mount}/{'/'.join(rest)}", kind, call)
            case _:
                raise Refused(404, f'no handler for route "{call.path}". route entry not found.')
        return None

    def _mount(self, kind: str, mount: str, call: Call) -> None:
        """Enable an engine or an auth method, or disable it."""
        self.mounts.discard(mount)
        self.auths.pop(mount, None)
        if call.method == "DELETE":
            return
        if kind == "mounts":
            self.mounts.add(mount)
        else:
            self.auths[mount] = call.body["type"]

    def _capabilities(self, token: Token, call: Call) -> Json:
        found = {path: sorted(self.capabilities(token, path)) for path in call.body["paths"]}
        return found | self.envelope(found)

    def _role(self, mount: str, name: str, rest: list[str], call: Call) -> Json | None:
        key = f"{mount}/{name}"
        match rest:
            case ["role-id"]:
                return self.envelope({"role_id": self.roles[key]["role_id"]})
            case ["secret-id"]:
                return self.envelope(self.add_secret_id(self.roles[key]))
            case _:
                policies = call.body.get("token_policies") or call.body.get("policies") or []
                listed = policies if isinstance(policies, list) else [policies]
                facts = {"token_policies": listed, "name": name, "role_id": str(uuid.uuid4())}
                self.roles[key] = call.body | facts
                return None

    def add_secret_id(self, role: Json) -> Json:
        given, accessor = str(uuid.uuid4()), str(uuid.uuid4())
        ttl, uses = seconds(role.get("secret_id_ttl")), int(role.get("secret_id_num_uses") or 0)
        ends = self.now() + ttl if ttl else float("inf")
        self.secret_ids[given] = {"role": role["name"], "uses": uses, "ends": ends}
        facts: Json = {"secret_id": given, "secret_id_accessor": accessor}
        if self.flavour == OPENBAO:
            facts["secret_id_num_uses"] = uses
        return facts | {"secret_id_ttl": int(ttl)}

    def _kv(self, path: str, kind: str, call: Call) -> Json | None:
        match kind, call.method:
            case "data", "GET":
                return self._kv_read(path, call)
            case "data", _:
                self.versions.setdefault(path, []).append(
                    Version(content=call.body["data"], created=self.now())
                )
                return self.envelope(self._metadata(path, len(self.versions[path])))
            case (("delete" | "destroy"), _):
                for number in call.body["versions"]:
                    version = self.versions[path][int(number) - 1]
                    version.content = None
                    version.deleted = self.now() if kind == "delete" else 0
                    version.destroyed = kind == "destroy"
                return None
            case _:
                says = "Invalid path for a versioned K/V secrets engine."
                raise Refused(404, body=self.envelope(warnings=[says]))

    def _kv_read(self, path: str, call: Call) -> Json:
        versions = self.versions.get(path, [])
        number = int(call.query.get("version") or len(versions))
        if not 0 < number <= len(versions):
            raise Refused(404)
        content = versions[number - 1].content
        reply = self.envelope({"data": content, "metadata": self._metadata(path, number)})
        if content is None:
            raise Refused(404, body=reply)
        return reply

    def _metadata(self, path: str, number: int) -> Json:
        version = self.versions[path][number - 1]
        facts: Json = {
            "created_time": stamp(version.created),
            "deletion_time": stamp(version.deleted) if version.deleted else "",
            "destroyed": version.destroyed,
            "version": number,
        }
        return (
            facts if self.flavour == VAULT else facts | {"custom_metadata": self.custom.get(path)}
        )

    # ------------------------------------------------------------------------------- shapes

    def auth(self, token: Token, lease_s: float) -> Json:
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
        return facts if self.flavour == VAULT else facts | {"mfa_requirement": None, "num_uses": 0}

    def envelope(self, content: Json | None = None, **parts: Any) -> Json:
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


def parse_policy(text: str) -> dict[str, set[str]]:
    """Read exact paths and their capabilities; anything else in a policy is an error here."""
    bare = re.sub(r"#.*", "", text)
    found = {
        path: set(re.findall(r'"(\w+)"', capabilities)) for path, capabilities in LINE.findall(bare)
    }
    if LINE.sub("", bare).strip():
        raise Refused(400, "failed to parse policy")
    return found


def seconds(value: Any) -> float:
    """Read `"10m"`, `"60s"`, `"1h"` or a number."""
    if value in {None, ""}:
        return 0
    number, unit = re.fullmatch(r"(\d+)([smh]?)", str(value)).groups()
    return float(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]


def stamp(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def unb64(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
