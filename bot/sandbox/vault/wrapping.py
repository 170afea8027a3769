"""Wrapped replies of a simulated Vault: kept back behind a token that opens them once.

Owns when a reply is wrapped, and how it is looked at and opened.
"""

from __future__ import annotations

import uuid
from http import HTTPStatus

from bot.sandbox.vault import refusal, shapes
from bot.sandbox.vault.records import OPENBAO, Call, Json, Wrap
from bot.sandbox.vault.refusal import Refused
from bot.sandbox.vault.state import VaultState

CONTROL_GROUP_S = 300
"""How long a read under a control group waits for its approval."""


def wrap(state: VaultState, call: Call, reply: Json) -> Json:
    """Return a reply, or its wrapping if the call asks for one or a control group demands it."""
    ttl = shapes.seconds(call.headers.get("X-Vault-Wrap-TTL"))
    if call.path in state.controlled:
        ttl = CONTROL_GROUP_S
    if not ttl:
        return reply
    given, now = f"s.wrap{uuid.uuid4().hex}", state.now()
    state.wraps[given] = Wrap(reply=reply, path=call.path, created=now, ttl=int(ttl))
    facts = {
        "token": given,
        "accessor": f"accessor-{uuid.uuid4()}",
        "ttl": int(ttl),
        "creation_time": shapes.stamp(now),
        "creation_path": call.path,
    }
    if state.flavour == OPENBAO and "secret_id_accessor" in (reply.get("data") or {}):
        facts["wrapped_accessor"] = reply["data"]["secret_id_accessor"]
    return shapes.envelope(wrap_info=facts) | {"request_id": ""}


def look(state: VaultState, call: Call) -> Json:
    """Answer `sys/wrapping/lookup`, which anybody may ask and which opens nothing.

    Raises:
        Refused: the wrapping token is unknown, dead or spent.
    """
    found = _find(state, str(call.body.get("token")))
    facts = {"creation_path": found.path, "creation_time": shapes.stamp(found.created)}
    return shapes.envelope(facts | {"creation_ttl": found.ttl})


def unwrap(state: VaultState, call: Call) -> Json:
    """Answer `sys/wrapping/unwrap`: the reply that was wrapped, once.

    Raises:
        Refused: the call carries no token, or the wrapping token is unknown, dead or spent.
    """
    if not call.token:
        raise refusal.without_token(state.flavour)
    given = str(call.body.get("token", call.token))
    reply = _find(state, given).reply
    del state.wraps[given]
    return reply


def _find(state: VaultState, given: str) -> Wrap:
    found = state.wraps.get(given)
    if found is None or found.is_dead(state.now()):
        raise Refused(HTTPStatus.BAD_REQUEST, "wrapping token is not valid or does not exist")
    return found
