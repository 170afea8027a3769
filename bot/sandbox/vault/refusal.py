"""How a simulated Vault says no.

Owns the exception that every part raises and `routes` turns into an error reply, and the refusals
that more than one part makes.
"""

from __future__ import annotations

from http import HTTPStatus

from bot.sandbox.vault.records import OPENBAO, Json

DENIED = "1 error occurred:\n\t* permission denied\n\n"
"""What a policy's refusal says, byte for byte."""


class Refused(Exception):
    """An error reply.

    Args:
        status: The HTTP status.
        errors: Vault's sentences: `{"errors": [...]}`.
        body: A whole body in place of that one.
    """

    def __init__(self, status: int, *errors: str, body: Json | None = None) -> None:
        super().__init__(status, errors)
        self.status = status
        self.body: Json = {"errors": list(errors)} if body is None else body


def without_route(path: str) -> Refused:
    """Return what is said to a call whose path leads nowhere."""
    says = f'no handler for route "{path}". route entry not found.'
    return Refused(HTTPStatus.NOT_FOUND, says)


def without_token(flavour: str) -> Refused:
    """Return what is said to a call that carries no token and needs one."""
    if flavour == OPENBAO:
        return Refused(HTTPStatus.FORBIDDEN, "permission denied")
    return Refused(HTTPStatus.BAD_REQUEST, "missing client token")
