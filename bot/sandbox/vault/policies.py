"""The policies of a simulated Vault: their text, and what they grant.

Owns how HCL is read and capabilities are added up. Knows exact paths only, as the bot's own policy
has them: a `*` or a `+` stands for itself. Blocks of any other form are refused, not half
understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from bot.sandbox.vault.refusal import Refused

Policy = dict[str, set[str]]
"""Path -> capabilities, such as `{"secret/data/x": {"read"}}`."""

LINE = re.compile(r'path "([^"]+)" \{\s*capabilities = \[([^]]*)\]\s*\}')
DEFAULT_POLICY: Policy = {
    "auth/token/lookup-self": {"read"},
    "auth/token/renew-self": {"update"},
    "auth/token/revoke-self": {"update"},
    "sys/capabilities-self": {"update"},
}
"""As much of the policy `default` as the bot can meet."""
NEEDS = {"GET": "read", "LIST": "list", "DELETE": "delete"}


def parse_policy(text: str) -> Policy:
    """Read exact paths and their capabilities.

    Raises:
        Refused: the text holds anything else.
    """
    bare = re.sub(r"#.*", "", text)
    if LINE.sub("", bare).strip():
        raise Refused(HTTPStatus.BAD_REQUEST, "failed to parse policy")
    return {
        path: set(re.findall(r'"(\w+)"', capabilities)) for path, capabilities in LINE.findall(bare)
    }


def capabilities(policies: Mapping[str, Policy], names: Iterable[str], path: str) -> set[str]:
    """Return what the policies of these names grant at a path; `{"deny"}` if nothing."""
    listed = list(names)
    if "root" in listed:
        return {"root"}
    found = set[str]()
    for name in listed:
        found |= policies.get(name, {}).get(path, set())
    return found or {"deny"}


def allows(granted: set[str], method: str) -> bool:
    """Tell whether capabilities are enough for a method: GET reads, POST updates and so on."""
    return bool({NEEDS.get(method, "update"), "root"} & granted)
