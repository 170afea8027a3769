"""What goes wrong with Vault, in words: whose fault it is, and what to do.

Owns `Trouble` and the judgement of answers by their status. Never shows a body or what Vault wrote
into it: wordings change between versions, and a body may hold a secret.

An *outage* is what may be over in a moment and says nothing of us: no answer, sealed, no active
node, a quota, a proxy's error. Whatever Vault decided about us (refused, denied, missing) is none:
the fallback does not serve it, for a permission that was taken away must not be got round.
Status codes: https://developer.hashicorp.com/vault/api-docs#http-status-codes and recordings of
Vault 1.8 and OpenBao 2.6.2 (tests/keys/vault_recorded.json), 2026-11-21.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from bot.config_file import VaultPart
from bot.domain.errors import SecretError
from bot.keys.vault_calls import Answer, Heard, Unanswered
from bot.keys.vault_replies import Metadata

OUTAGES = {
    307: ("Vault has no active node now", "Wait for an election, or unseal another node."),
    412: ("this node of Vault has not caught up yet", "Try again in a moment."),
    429: ("Vault's rate limit is hit", "Raise the quota of this mount or path."),
    500: ("Vault fails inside (500)", "See Vault's log: often no audit device can write."),
    472: ("this Vault is a DR secondary", "Point keys.vault.address at the primary."),
    503: ("Vault is sealed", "Unseal Vault."),
}
"""Status -> what it means, what to do; of answers in Vault's own JSON."""
REDIRECT = 307
VAULTS_WITHOUT_JSON = {204, 401, 403}
"""Whoever says these may be a proxy; but what says no is never an outage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why something cannot be had from Vault."""

    why: str
    """A clause that may stand on a card."""
    remedy: str
    is_outage: bool = False


def api_path(part: VaultPart, path: str) -> str:
    """Return the path of a KV v2 document in the API and in policies."""
    return f"{part.mount.strip('/')}/data/{path.strip('/')}"


def policy_line(path: str, capability: str) -> str:
    """Return the line of a policy that allows this."""
    return f'path "{path}" {{ capabilities = ["{capability}"] }}'


def outage(heard: Heard, part: VaultPart) -> Trouble | None:
    """Tell whether this is an outage; None if it is Vault's own word, for or against us."""
    if isinstance(heard, Unanswered):
        return unreachable(part, heard.why)
    status = heard.status
    if status == REDIRECT or (heard.is_json and status in OUTAGES):
        why, remedy = OUTAGES[status]
        return Trouble(why=why, remedy=remedy, is_outage=True)
    is_known = heard.is_json or status in VAULTS_WITHOUT_JSON
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or not is_known:
        return Trouble(
            why=f"what answers at {part.address} is not Vault ({status})",
            remedy="See the proxy or load balancer before Vault, and keys.vault.address.",
            is_outage=True,
        )
    return None


def unreachable(part: VaultPart, why: str) -> Trouble:
    """Return the trouble of no answer."""
    return Trouble(
        why=f"Vault at {part.address} cannot be reached: {why}",
        remedy="Start Vault, or mend the network, keys.vault.address or keys.vault.ca.",
        is_outage=True,
    )


def late(part: VaultPart, seconds: float) -> Trouble:
    """Return the trouble of a deadline that passed."""
    return unreachable(part, f"no whole answer within {seconds:g} s")


def denied(part: VaultPart, path: str) -> Trouble:
    """Return the trouble of a path that the policy does not allow; so it is of a wrong mount."""
    full, mount = api_path(part, path), f"{part.mount.strip('/')}/"
    if path.startswith(mount):
        return Trouble(
            why=f"Vault denies {full}",
            remedy=f'The name begins with the mount: write "{path.removeprefix(mount)}".',
        )
    return Trouble(
        why=f"Vault denies {full}",
        remedy=f"Add to the policy: {policy_line(full, 'read')}; or mend keys.vault.mount.",
    )


def missing(part: VaultPart, path: str) -> Trouble:
    """Return the trouble of a path that may be read and holds nothing."""
    full = api_path(part, path)
    return Trouble(
        why=f"no secret at {full} in Vault",
        remedy=f"Write it: vault kv put -mount={part.mount} {path} @key.json (a KV v2 engine; "
        f"the policy needs {policy_line(full, 'read')}).",
    )


def refused(part: VaultPart, status: int) -> Trouble:
    """Return the trouble of a login that Vault will not have."""
    mount = part.auth_mount.strip("/") or part.auth
    place = "; and keys.vault.auth_mount, namespace and address: that a login is there"
    shown = {
        "approle": f"role_id and secret_id: expired, used up, or not from this address{place}",
        "kubernetes": f'the role "{part.role}" and the service account it is bound to{place}',
        "jwt": f'the role "{part.role}", and audience and expiry of keys.vault.jwt_file{place}',
        "token": "keys.vault.token: expired or revoked; and the policy line "
        + policy_line("auth/token/lookup-self", "read"),
    }[part.auth]
    return Trouble(
        why=f"Vault refuses our login by {part.auth} at auth/{mount} ({status})",
        remedy=f"Check {shown}.",
    )


def garbled(part: VaultPart, what: str) -> Trouble:
    """Return the trouble of an answer that is JSON, and not what this call is answered with."""
    return Trouble(
        why=f"the answer to {what} is not one of Vault's",
        remedy=f"Check what answers at {part.address}.",
        is_outage=True,
    )


def deleted(part: VaultPart, path: str, metadata: Metadata) -> Trouble:
    """Return the trouble of a newest version that is no more."""
    full, version = api_path(part, path), metadata.version
    if metadata.destroyed:
        return Trouble(
            why=f"version {version} of {full} was destroyed in Vault",
            remedy=f"Write a new one: vault kv put -mount={part.mount} {path} @key.json.",
        )
    return Trouble(
        why=f"version {version} of {full} was deleted in Vault",
        remedy=f"vault kv undelete -mount={part.mount} -versions={version} {path}",
    )


def controlled(part: VaultPart, path: str) -> Trouble:
    """Return the trouble of an answer that was wrapped: people must allow it in Vault first."""
    return Trouble(
        why=f"Vault wraps {api_path(part, path)}: it is under a control group",
        remedy="Take the control group off this path for our policy: nobody approves it in time.",
    )


def mute() -> Trouble:
    """Return the trouble of a token that may not ask what it may do."""
    line = policy_line("sys/capabilities-self", "update")
    return Trouble(
        why="Vault does not let us ask what we may read", remedy=f"Add to the policy: {line}."
    )


def unexpected(part: VaultPart, path: str, status: int) -> Trouble:
    """Return the trouble of a status that no document has."""
    return Trouble(
        why=f"Vault answers {status} to {api_path(part, path)}",
        remedy="See Vault's audit log; keys.vault.mount must be a KV v2 engine.",
    )


def error_of(trouble: Trouble) -> SecretError:
    """Return the error: one for all paths, unless it is of this one."""
    return SecretError(
        user_message=trouble.why, remedy=trouble.remedy, is_retryable=trouble.is_outage
    )


def status_of(heard: Heard) -> int:
    """Return the status of an answer; 0 of none."""
    return heard.status if isinstance(heard, Answer) else 0
