"""The calls of a simulated Vault: a request in, a status and a reply out.

Owns the order of the checks and which part answers which path; pure but for the state's clock.
Written from the vendors' documents and held to recorded replies of Vault 1.8 and OpenBao 2.6.2; it
is neither, and knows only what a desk and its bot ask.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

from bot.sandbox.vault import kv, logins, policies, refusal, shapes, tokens, wrapping
from bot.sandbox.vault.records import ROOT, Call, Json, Token
from bot.sandbox.vault.refusal import DENIED, Refused
from bot.sandbox.vault.state import VaultState


def answer(state: VaultState, call: Call) -> tuple[int, Json | None]:
    """Answer a call: status and JSON body, None for an empty one."""
    try:
        reply = _reply(state, call)
    except Refused as refused:
        return refused.status, refused.body
    return (HTTPStatus.OK if reply is not None else HTTPStatus.NO_CONTENT), reply


def ask_as_root(
    state: VaultState, method: str, path: str, body: Json | None = None, *, wrap_ttl: str = ""
) -> Json:
    """Do what an operator does with the root token; return the reply, empty if there is none.

    Args:
        state: Of which server.
        method: Such as `POST`.
        path: Below /v1/, such as `sys/policy/bot` or `secret/data/venues/x`.
        body: What is sent.
        wrap_ttl: How long the reply waits behind a wrapping token, such as `60s`; not wrapped
            without it.

    Raises:
        Refused: the server says no.
    """
    headers = {"X-Vault-Token": ROOT}
    if wrap_ttl:
        headers["X-Vault-Wrap-TTL"] = wrap_ttl
    call = Call(method=method, path=path, query={}, headers=headers, body=body or {})
    return _reply(state, call) or {}


def _reply(state: VaultState, call: Call) -> Json | None:
    if state.is_sealed:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Vault is sealed")
    if state.is_audit_full:
        raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")
    _check_namespace(state, call)
    if call.path == "sys/wrapping/lookup":
        return wrapping.look(state, call)
    if re.fullmatch(r"auth/[\w-]+/login", call.path):
        return logins.log_in(state, call)
    if call.path == "sys/wrapping/unwrap":
        return wrapping.unwrap(state, call)
    token = tokens.spend(state, call)
    _check_policies(state, token, call)
    reply = _route(state, token, call)
    return None if reply is None else wrapping.wrap(state, call, reply)


def _check_namespace(state: VaultState, call: Call) -> None:
    wanted = state.namespace_of(call)
    if wanted and wanted not in state.namespaces:
        raise Refused(HTTPStatus.NOT_FOUND, "namespace not found")


def _check_policies(state: VaultState, token: Token, call: Call) -> None:
    granted = policies.capabilities(state.policies, token.policies, call.path)
    is_elsewhere = token.namespace != state.namespace_of(call) and token.id != ROOT
    if is_elsewhere or not policies.allows(granted, call.method):
        raise Refused(HTTPStatus.FORBIDDEN, DENIED)


def _route(state: VaultState, token: Token, call: Call) -> Json | None:
    """Let the part answer that has the path."""
    if call.path in _FIXED:
        return _FIXED[call.path](state, token, call)
    match call.path.split("/"):
        case ["sys", ("mounts" | "auth") as kind, mount]:
            _mount(state, kind, mount, call)
        case ["sys", "policy", name]:
            state.policies[name] = policies.parse_policy(call.body["policy"])
        case ["auth", mount, "role", name, *rest]:
            return logins.answer_role(state, f"{mount}/{name}", rest, call)
        case [mount, kind, *rest] if mount in state.mounts:
            return kv.answer(state, f"{mount}/{'/'.join(rest)}", kind, call)
        case _:
            raise refusal.without_route(call.path)
    return None


def _mount(state: VaultState, kind: str, mount: str, call: Call) -> None:
    """Enable an engine or an auth method, or disable it."""
    state.mounts.discard(mount)
    state.auths.pop(mount, None)
    if call.method == "DELETE":
        return
    if kind == "mounts":
        state.mounts.add(mount)
    else:
        state.auths[mount] = call.body["type"]


def _capabilities(state: VaultState, token: Token, call: Call) -> Json:
    """Tell a token what it may do at each of some paths."""
    found = {
        path: sorted(policies.capabilities(state.policies, token.policies, path))
        for path in call.body["paths"]
    }
    return found | shapes.envelope(found)


_FIXED: dict[str, Callable[[VaultState, Token, Call], Json | None]] = {
    "auth/token/create": tokens.create,
    "auth/token/lookup-self": tokens.look,
    "auth/token/renew-self": tokens.renew,
    "auth/token/revoke": tokens.revoke_other,
    "auth/token/revoke-self": tokens.revoke_self,
    "sys/capabilities-self": _capabilities,
}
