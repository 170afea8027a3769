"""The KV v2 engine of a simulated Vault: secrets and their versions.

Owns reading, writing, deleting and destroying. A version that is deleted does not come back; what
real engines can do beyond that (undelete, patch, list, check-and-set) is not offered.
"""

from __future__ import annotations

from http import HTTPStatus

from bot.sandbox.vault import shapes
from bot.sandbox.vault.records import VAULT, Call, Json, Version
from bot.sandbox.vault.refusal import Refused
from bot.sandbox.vault.state import VaultState


def answer(state: VaultState, path: str, kind: str, call: Call) -> Json | None:
    """Answer a call to an engine.

    Args:
        state: Where.
        path: Mount and path of the secret, such as `secret/venues/x`.
        kind: What stood between the two: data, delete or destroy.
        call: The call.

    Raises:
        Refused: there is no such secret, version or kind.
    """
    match kind, call.method:
        case "data", "GET":
            return _read(state, path, call)
        case "data", _:
            return _write(state, path, call)
        case (("delete" | "destroy"), _):
            _remove(state, path, kind, call)
            return None
        case _:
            says = "Invalid path for a versioned K/V secrets engine."
            raise Refused(HTTPStatus.NOT_FOUND, body=shapes.envelope(warnings=[says]))


def _read(state: VaultState, path: str, call: Call) -> Json:
    """Read the newest version, or the one that the query names; what is gone is 404 with facts."""
    versions = state.versions.get(path, [])
    number = int(call.query.get("version") or len(versions))
    if not 0 < number <= len(versions):
        raise Refused(HTTPStatus.NOT_FOUND)
    content = versions[number - 1].content
    metadata = _metadata(state, path, number)
    reply = shapes.envelope({"data": content, "metadata": metadata})
    if content is None:
        raise Refused(HTTPStatus.NOT_FOUND, body=reply)
    return reply


def _write(state: VaultState, path: str, call: Call) -> Json:
    versions = state.versions.setdefault(path, [])
    versions.append(Version(content=call.body["data"], created=state.now()))
    return shapes.envelope(_metadata(state, path, len(versions)))


def _remove(state: VaultState, path: str, kind: str, call: Call) -> None:
    for number in call.body["versions"]:
        version = state.versions[path][int(number) - 1]
        version.content = None
        version.deleted = state.now() if kind == "delete" else 0
        version.destroyed = kind == "destroy"


def _metadata(state: VaultState, path: str, number: int) -> Json:
    version = state.versions[path][number - 1]
    facts: Json = {
        "created_time": shapes.stamp(version.created),
        "deletion_time": shapes.stamp(version.deleted) if version.deleted else "",
        "destroyed": version.destroyed,
        "version": number,
    }
    if state.flavour == VAULT:
        return facts
    return facts | {"custom_metadata": state.custom.get(path)}
