"""The policy that the bot needs in Vault: exact paths, and nothing more.

Owns the text of it. Pure. No wildcard, no `list`, no `metadata`; its own token it may look up,
renew and revoke, and ask what it may do, so that a role with `token_no_default_policy` works.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.config_file import VaultPart
from bot.domain.errors import ConfigError
from bot.keys import vault_words

PLAIN = re.compile(r"[A-Za-z0-9._/-]+")
"""A `*` or `+` would be a wildcard; a quote would end the path."""
OWN = (
    ("auth/token/lookup-self", "read"),
    ("auth/token/renew-self", "update"),
    ("auth/token/revoke-self", "update"),
    ("sys/capabilities-self", "update"),
)


def hcl(part: VaultPart, paths: Iterable[str]) -> str:
    """Return the policy for these paths of the config, sorted, each once.

    Raises:
        ConfigError: a path could be more than one in a policy.
    """
    full = sorted({_exact(vault_words.api_path(part, path)) for path in paths})
    where = f" In the namespace {part.namespace.strip('/')}." if part.namespace else ""
    lines = [
        f"# cancelall: reads the keys of its accounts, each by its exact path.{where}",
        *(vault_words.policy_line(path, "read") for path in full),
        "",
        "# Its own token: how long it lives, that it may live on, that it ends with the bot,",
        "# and what it may read, asked when a request is posted, before any key is read.",
        *(vault_words.policy_line(path, capability) for path, capability in OWN),
    ]
    return "\n".join(lines) + "\n"


def _exact(path: str) -> str:
    if not PLAIN.fullmatch(path) or "//" in path or path.endswith("/"):
        raise ConfigError(
            user_message=f"{path} cannot stand in a policy of Vault as one exact path.",
            remedy="Use letters, digits and - _ . / only in keys.vault.mount and in key names.",
        )
    return path
