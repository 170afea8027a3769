"""The desk's Vault: its keys in KV v2, and one AppRole that may read what its policy says.

Owns how an operator would set it up. The policy's text comes from whoever reads it: what the app
prints for its operators is thereby tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.sandbox import world as worlds
from bot.sandbox.accounts import Account
from bot.sandbox.slack.records import Json
from bot.sandbox.vault import routes, server
from bot.sandbox.vault.records import ROOT
from bot.sandbox.vault.server import SimulatedVault

ROLE, POLICY = "cancelall", "cancelall"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskVault:
    """A running Vault with the keys of a desk."""

    vault: SimulatedVault
    role_id: str
    secret_id: str

    @property
    def address(self) -> str:
        """Base URL."""
        return self.vault.url

    def allow(self, policy: str) -> None:
        """Let the role do what this policy says, in HCL; then nobody is root here any more."""
        with self.vault.lock:
            routes.ask_as_root(self.vault.state, "POST", f"sys/policy/{POLICY}", {"policy": policy})
            del self.vault.state.tokens[ROOT]

    def seal(self, is_sealed: bool) -> None:  # noqa: FBT001 - as a switch is turned
        """Seal it: every call is answered by 503; or unseal it, and nothing is lost."""
        self.vault.state.is_sealed = is_sealed


@contextmanager
def opened(accounts: tuple[Account, ...]) -> Iterator[DeskVault]:
    """Serve a Vault with the keys of these accounts in the mount `secret`."""
    with server.running() as vault:

        def ask(method: str, path: str, body: Json | None = None) -> Json:
            return routes.ask_as_root(vault.state, method, path, body)

        ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        for path, document in worlds.documents(accounts):
            ask("POST", f"secret/data/{path}", {"data": dict(document)})
        ask("POST", "sys/auth/approle", {"type": "approle"})
        role = f"auth/approle/role/{ROLE}"
        ask("POST", role, {"token_policies": [POLICY], "token_ttl": "1h"})
        yield DeskVault(
            vault=vault,
            role_id=ask("GET", f"{role}/role-id")["data"]["role_id"],
            secret_id=ask("POST", f"{role}/secret-id")["data"]["secret_id"],
        )
