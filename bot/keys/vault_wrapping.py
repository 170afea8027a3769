"""A secret_id that comes in a wrapping token: opened once, by us, or somebody is told.

Owns the alarm rule. A wrapping token opens once. Where ours does not open at our first try,
somebody else has opened it and holds the secret_id, unless it has expired: Vault says the same of
both. So its maker is checked before, opening is never tried again, and what it held is kept while
this process lives, for as many logins as the secret_id is good for.
Source: https://developer.hashicorp.com/vault/docs/concepts/response-wrapping (2026-11-21); what
servers answer to each step: tests/keys/vault_recorded.json.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import hvac
from pydantic import SecretStr

from bot.config_file import VaultPart
from bot.keys import vault_replies, vault_words
from bot.keys.vault_calls import UNSENT, Answer, Calls, Heard
from bot.keys.vault_line import Ask
from bot.keys.vault_replies import LookedAtWrapping, Unwrapped
from bot.keys.vault_words import Trouble

logger = logging.getLogger(__name__)

LOOK_AGAIN = {UNSENT: 2, 307: 2, 412: 4, 429: 2}
"""A look does not open."""


class Wrapping:
    """Opens wrapping tokens, each at most once."""

    def __init__(self, part: VaultPart, calls: Calls) -> None:
        self._part = part
        self._calls = calls
        self._opened: tuple[SecretStr, SecretStr | Trouble] | None = None
        """The token that was tried last, and what was in it or why that is not known."""

    async def opened(self, wrapping: SecretStr) -> SecretStr | Trouble:
        """Return the secret_id that a wrapping token holds, or held when we opened it."""
        if self._opened is not None and self._opened[0] == wrapping:
            return self._opened[1]
        looked = await self._calls.ask_again(_look_at(wrapping), again=LOOK_AGAIN)
        if trouble := vault_words.outage(looked, self._part):
            return trouble  # Nothing is lost: a look may be repeated.
        if trouble := self._suspicion(looked):
            self._opened = (wrapping, trouble)
            return trouble
        self._opened = (wrapping, _LOST)  # From here on, whatever happens to us or to the answer.
        heard = await self._calls.ask(_unwrap, token=wrapping)
        if not isinstance(heard, Answer) and not heard.is_sent:
            self._opened = None
            return vault_words.unreachable(self._part, heard.why)
        found = self._content(heard)
        self._opened = (wrapping, found)
        return found

    def _suspicion(self, looked: Heard) -> Trouble | None:
        """Compare who made the token with who should have."""
        if vault_words.status_of(looked) != HTTPStatus.OK:
            return self._alarm("was opened by somebody else, or has expired, before we used it")
        reply = vault_replies.parse(LookedAtWrapping, looked)
        mount = self._part.auth_mount.strip("/") or self._part.auth
        wanted = f"auth/{mount}/role/{self._part.role}/secret-id"
        if reply is None or reply.wrapping.creation_path.strip("/") != wanted:
            return self._alarm(f"was not made by {wanted}: somebody has put another in its place")
        return None

    def _content(self, heard: Heard) -> SecretStr | Trouble:
        if vault_words.status_of(heard) in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}:
            return self._alarm("was opened by somebody else between our look and our try")
        reply = vault_replies.parse(Unwrapped, heard)
        return _LOST if reply is None else reply.held.secret_id

    def _alarm(self, what: str) -> Trouble:
        trouble = Trouble(
            why=f"ALARM: the wrapping token of our secret_id {what}",
            remedy="Unless this bot itself used it before a restart, or it lay for too long, treat "
            "the secret_id as stolen: destroy it, and see in Vault's audit log who unwrapped it. "
            "Then hand over a new one.",
        )
        logger.critical("wrapping.distrusted", extra={"why": trouble.why, "remedy": trouble.remedy})
        return trouble


_LOST = Trouble(
    why="the answer to opening our wrapping token was lost, and it opens only once",
    remedy="Destroy that secret_id, and hand over a new wrapped one.",
)


def _look_at(wrapping: SecretStr) -> Ask:
    def ask(client: hvac.Client) -> Any:
        text = wrapping.get_secret_value()
        return client.adapter.post("/v1/sys/wrapping/lookup", json={"token": text})

    return ask


def _unwrap(client: hvac.Client) -> Any:
    """Open the token in use: in the body of a call without a token, Vault refuses it."""
    return client.sys.unwrap()  # type: ignore[no-untyped-call] # A gap in the stubs.
