"""Whether the keys could be had tonight: Vault or the sealed file, path by path.

Owns these findings. Reads no key: a source proves without one that it would be given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

from bot.checks import ground as grounds
from bot.checks.ground import Ground
from bot.checks.slate import Slate, Spot, named
from bot.config import Config
from bot.config_file import KeysPart
from bot.domain.errors import SecretError
from bot.domain.finding import Finding, listed
from bot.keys import sealed


async def look(ground: Ground, slate: Slate) -> None:
    """Ask the source for every path of the config."""
    config = ground.config
    part, paths = config.file.keys, config.file.vault_paths
    slate.add(*_login(config))
    held: frozenset[str] = frozenset()
    if part.fallback is not None and part.file is not None:
        file, names = part.file, paths
        held, found = await grounds.aside(lambda: _fallback(file, names))
        slate.add(*found)
    if part.source == "sealed" and part.file is not None:
        slate.add(*await grounds.aside(partial(_file, part.file)))
    if ground.keys is not None:
        unreadable = await ground.keys.unreadable(paths)
        slate.add(*of_paths(config, unreadable, spare=held))
        if readable := [path for path in paths if path not in unreadable]:
            spot = Spot(part="keys", about=part.source)
            slate.add(spot.fine("paths", f"{named(readable, 'path')} may be read"))


def _file(file: Path) -> list[Finding]:
    """Look at the sealed file itself: who has it open keeps what it read, a restart could not."""
    try:
        sealed.names(file)
    except SecretError as error:
        return [Spot(part="keys", about="sealed").wrong("file", error.user_message, error.remedy)]
    return []


def _login(config: Config) -> Iterator[Finding]:
    """Name a login that works once: whoever comes second stands outside."""
    part: KeysPart = config.file.keys
    if part.vault is None or part.vault.wrapped_secret_id is None:
        return
    yield Spot(part="keys", about="vault").warning(
        "login",
        "the secret_id comes wrapped and opens once: after a restart, and for cancelall pull on "
        "a console, nobody can log in",
        "Have the platform hand over a new one at each start, and give consoles a login that "
        'lasts: another config with auth = "kubernetes", "jwt" or a secret_id of their own.',
    )


def of_paths(
    config: Config, unreadable: Mapping[str, SecretError], *, spare: Collection[str] = ()
) -> Iterator[Finding]:
    """Say of each path why it cannot be read; an outage is one line, not one for each path.

    Args:
        config: says whose they are.
        unreadable: the paths, and why.
        spare: those that a fallback holds, which serves them in an outage.
    """
    outages: dict[str, list[str]] = {}
    for path, error in sorted(unreadable.items()):
        if error.retryable:
            outages.setdefault(error.user_message, []).append(path)
            continue
        spot = Spot(part="keys", about=_users(config, path), accounts=_accounts(config, [path]))
        yield spot.blind(f"path {path}", error.user_message, error.remedy)
    for why, paths in outages.items():
        accounts = _accounts(config, paths)
        spot = Spot(part="keys", about=config.file.keys.source, accounts=accounts)
        found = spot.warning if set(paths) <= set(spare) else spot.blind
        yield found("outage", f"keys cannot be read: {why}", unreadable[paths[0]].remedy)


def _accounts(config: Config, paths: Collection[str]) -> tuple[str, ...]:
    return tuple(a.name for a in config.accounts if a.key in paths or a.read_key in paths)


def _users(config: Config, path: str) -> str:
    """Name who needs a path, and as what."""
    if holders := [account.name for account in config.accounts if account.key == path]:
        return f"{listed(holders)}, key"
    if readers := [account.name for account in config.accounts if account.read_key == path]:
        return f"{listed(readers)}, read key"
    return "Slack's tokens"


def _fallback(file: Path, paths: Collection[str]) -> tuple[frozenset[str], list[Finding]]:
    """Return the names that the fallback holds, and what it lacks."""
    spot = Spot(part="keys", about="fallback")
    try:
        held = frozenset(sealed.names(file))
    except SecretError as error:
        return frozenset(), [spot.wrong("fallback", error.user_message, error.remedy)]
    lacking = [
        spot.warning(
            f"path {path}",
            f"{file.name} lacks {path}: while Vault is out, that key cannot be had",
            f"Seal it too: cancelall keys seal {path} --file {file}.",
        )
        for path in sorted(set(paths) - held)
    ]
    return held, lacking
