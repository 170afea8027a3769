"""How we log in to Vault: AppRole, also with a wrapped secret_id, Kubernetes, JWT, or a token.

Owns one login: what is sent, and why what came back is or is not a token for us. Never keeps the
token: `bot.keys.vault_session` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import hvac
from pydantic import SecretStr

from bot.config_file import VaultAccess, VaultPart
from bot.domain.errors import ConfigError
from bot.keys import vault_replies, vault_words
from bot.keys.vault_calls import UNSENT, Answer, Calls, Heard
from bot.keys.vault_line import Ask
from bot.keys.vault_replies import Granted, Looked
from bot.keys.vault_words import Trouble
from bot.keys.vault_wrapping import Wrapping

LOGIN_AGAIN = {UNSENT: 2, 307: 2, 412: 2, 429: 1}
"""Only where no login can have happened: each may count against the secret_id's uses."""
LOOK_AGAIN = {UNSENT: 2, 307: 2, 412: 4, 429: 2}
PLAIN = re.compile(r"[\x21-\x7e]+")
"""What may stand in a header; anything else would come back in a library's exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a login gave."""

    token: SecretStr
    lease_s: int
    """0 never ends."""
    is_renewable: bool
    is_ours: bool
    """We made it, and may revoke it: not one that an operator gave us."""


class Login:
    """Logs in, by the one way that the config chose."""

    def __init__(self, access: VaultAccess, calls: Calls) -> None:
        self._access = access
        self.part = access.part
        self._calls = calls
        self._wrapping = Wrapping(access.part, calls)

    async def log_in(self, credential: SecretStr) -> Grant | Trouble:
        """Log in once; the caller sets the deadline, and lets no two of these overlap."""
        if self.part.auth == "token":
            return await self._given(credential)
        if self.part.wrapped_secret_id is not None:
            opened = await self._wrapping.opened(credential)
            if isinstance(opened, Trouble):
                return opened
            credential = opened
        heard = await self._calls.ask_again(_login(self.part, credential), again=LOGIN_AGAIN)
        return await self._granted(heard)

    async def credential(self) -> SecretStr | Trouble:
        """Read the credential anew: platforms rotate it."""
        try:
            found = await self._calls.run(self._access.credential)
        except ConfigError as error:
            return Trouble(why=error.user_message.rstrip("."), remedy=error.remedy)
        if not PLAIN.fullmatch(found.get_secret_value()):
            return Trouble(
                why="our credential for Vault is empty, or holds blanks or strange letters",
                remedy="Store it alone, in one line, where [keys.vault] says.",
            )
        return found

    async def _given(self, token: SecretStr) -> Grant | Trouble:
        """Take the token that an operator gave us."""
        heard = await self._look(token)
        if trouble := self._refusal(heard):
            return trouble
        looked = vault_replies.parse(Looked, heard)
        if looked is None:
            return vault_words.garbled(self.part, "lookup-self")
        facts = looked.facts
        grant = Grant(token=token, lease_s=facts.ttl, is_renewable=facts.renewable, is_ours=False)
        return self._unfit(facts.policies, heard, facts.namespace_path) or grant

    async def _granted(self, heard: Heard) -> Grant | Trouble:
        if trouble := self._refusal(heard):
            return trouble
        granted = vault_replies.parse(Granted, heard)
        if granted is None:
            return vault_words.garbled(self.part, "a login")
        auth, path = granted.auth, ""
        if self.part.namespace and not self._is_echoed(heard):
            heard = await self._look(auth.client_token)
            looked = vault_replies.parse(Looked, heard)
            path = looked.facts.namespace_path if looked is not None else ""
        grant = Grant(
            token=auth.client_token,
            lease_s=auth.lease_duration,
            is_renewable=auth.renewable,
            is_ours=True,
        )
        return self._unfit(auth.policies, heard, path) or grant

    async def _look(self, token: SecretStr) -> Heard:
        return await self._calls.ask_again(look_up, token=token, again=LOOK_AGAIN)

    def _refusal(self, heard: Heard) -> Trouble | None:
        """Tell why there is no login; None if there is one."""
        status = vault_words.status_of(heard)
        if not _is_plugins_no(self.part, heard):
            if trouble := vault_words.outage(heard, self.part):
                return trouble
            if status == HTTPStatus.OK:
                return None
        return vault_words.refused(self.part, status)

    def _unfit(
        self, policies: list[str] | None, heard: Heard, namespace_path: str
    ) -> Trouble | None:
        """Tell why a token that Vault gave us is none for us."""
        if "root" in (policies or ()):
            return Trouble(
                why="our token is a root token of Vault, which may do everything",
                remedy="Give it a role with the policy that `cancelall vault policy` prints.",
            )
        wanted = self.part.namespace.strip("/")
        if wanted and not self._is_echoed(heard) and namespace_path.strip("/") != wanted:
            return Trouble(
                why=f'Vault does not say that it answers from the namespace "{wanted}": '
                "Vault's community edition has none, and answers from its root",
                remedy="Leave keys.vault.namespace out, or mend it.",
            )
        return None

    def _is_echoed(self, heard: Heard) -> bool:
        """Tell whether an answer names our namespace: OpenBao's do."""
        return isinstance(heard, Answer) and heard.namespace == self.part.namespace.strip("/")


def _is_plugins_no(part: VaultPart, heard: Heard) -> bool:
    """Tell a 500 that means "not this service account" from one that means trouble.

    Older Kubernetes plugins say no by 500, with a sentence; Vault in trouble says "internal error".
    """
    is_500 = isinstance(heard, Answer) and heard.status == HTTPStatus.INTERNAL_SERVER_ERROR
    if part.auth != "kubernetes" or not is_500:
        return False
    assert isinstance(heard, Answer)
    return bool(heard.errors) and heard.errors != ("internal error",)


def look_up(client: hvac.Client) -> Any:
    """Ask Vault about the token in use."""
    return client.auth.token.lookup_self()


def _login(part: VaultPart, credential: SecretStr) -> Ask:
    """Choose hvac's call; `use_token=False` leaves the token to us."""
    mount, text = part.auth_mount.strip("/") or part.auth, credential.get_secret_value()

    def ask(client: hvac.Client) -> Any:
        auth = client.auth
        match part.auth:
            case "approle":
                return auth.approle.login(part.role_id, text, use_token=False, mount_point=mount)
            case "kubernetes":
                return auth.kubernetes.login(part.role, text, use_token=False, mount_point=mount)
            case "jwt":
                return auth.jwt.jwt_login(part.role, text, use_token=False, path=mount)
            case "token":
                raise AssertionError("a token needs no login")

    return ask
