"""pydantic's complaints about the config, in words for people.

Owns `explain()`. No value of the file but an account's name is ever shown: it could be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from bot.domain.errors import ConfigError
from policies.explain import nearest

NAME, CHANNEL, VARIABLE = r"^[a-z0-9][a-z0-9._-]*$", r"^[CG][A-Z0-9]{2,}$", r"^[A-Z_][A-Z0-9_]*$"
PERSON = r"^[UW][A-Z0-9]{2,}$"
MOUNT = r"^[A-Za-z0-9._/-]*$"
PLACE = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"
"""One spelling of a path: `/a`, `a/` and `b/../a` would be the same key under other names."""
SECRETS = frozenset(
    {
        *("app_token", "bot_token", "passphrase", "secret_id"),
        *("signing_secret", "token", "wrapped_secret_id"),
    }
)
"""Keys that say where a secret is, and so must not hold one."""

PLAIN: Mapping[str, str] = {
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "mapping_type": "must be a table: { name = … }",
    "model_type": "must be a table",
    "path_type": "must be a path in quotes",
    "string_too_short": "must not be empty",
    "string_type": "must be text in quotes",
    "too_short": "must not be empty",
    "tuple_type": "must be a list: […]",
    NAME: "must be small letters, digits, dots, dashes or underscores",
    CHANNEL: "must be a channel's id, such as C0123ABCD: Slack shows it below a channel's details",
    PERSON: "must be a member id, such as U0123ABCD: Slack copies it from a profile's menu",
    MOUNT: "must be letters, digits and - _ . / only",
    PLACE: "must be letters, digits and - _ . with single slashes between, such as venues/bybit-mm",
    VARIABLE: "must be the name of an environment variable, in capitals",
}
"""pydantic's words for us, in words for people."""


def explain(
    error: ValidationError,
    where: str,
    model: type[BaseModel],
    *,
    beside: Iterable[str] = (),
    accounts: Any = None,
) -> ConfigError:
    """Put pydantic's first complaint into plain words, without the value that stood there.

    `beside` are keys that may stand in the same place though `model` does not have them;
    `accounts` is what the file has under `account`, to call each by its name.
    """
    found: Any = error.errors(include_url=False, include_input=False)
    # A misspelt key is also a missing one: to say so first is the shorter way.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    path = [str(part) for part in first["loc"]]
    below = path
    if path[0] == "account" and path[1:]:
        where = f"{where}: {_called(accounts, int(path[1]))}"
        below = path[2:]
    key = ".".join(below)
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        return ConfigError(
            user_message=f'{where} has an unknown key "{key}".',
            remedy=nearest(path[-1], [*_keys(model, path[:-1]), *beside]),
        )
    if kind == "missing":
        return ConfigError(user_message=f'{where} lacks "{key}".', remedy="Add it.")
    if kind == "literal_error":
        expected = str(context["expected"])
        return ConfigError(
            user_message=f'{where}: "{key}" is not one that this release knows.',
            remedy=f"Write {expected}.",
        )
    if kind == "model_type" and path[-1] in SECRETS:
        return ConfigError(
            user_message=f'{where}: "{key}" must not hold the secret itself.',
            remedy=f'Write {path[-1]} = {{ env = "NAME" }} or {{ file = "path" }}.',
        )
    if path == ["account"]:
        return ConfigError(
            user_message=f"{where} has no list of accounts.", remedy="Begin each with [[account]]."
        )
    said = str(first["msg"]).replace("Input should be", "must be")
    why = PLAIN.get(context.get("pattern", kind), said.removeprefix("Value error, "))
    return ConfigError(
        user_message=f'{where}: "{key}" is wrong: {why}.', remedy="See the README's config."
    )


def _called(accounts: Any, index: int) -> str:
    """Return what people call an account of the file: by its name, if it has a proper one."""
    entry = accounts[index]
    name = entry.get("name") if isinstance(entry, dict) else None
    is_name = isinstance(name, str) and re.fullmatch(NAME, name)
    return f"account {name}" if is_name else f"account number {index + 1}"


def _keys(model: type[BaseModel], path: Iterable[str]) -> list[str]:
    """Return the keys that a place in the file may have."""
    for part in path:
        if part.isdigit():
            continue
        annotation: Any = model.model_fields[part].annotation
        inner: list[Any] = [*get_args(annotation), annotation]
        found = next((a for a in inner if isinstance(a, type) and issubclass(a, BaseModel)), None)
        if found is None:
            return []
        model = found
    return list(model.model_fields)
