"""The configuration: `config.toml`, checked whole before anything starts.

Owns `load()` and what it makes of the file. Alone reads files and the environment, with
`bot.config_secrets`. No message ever shows a value that could be a secret.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from adapters import registry
from adapters.contract import OrderClass
from adapters.registry import VenueKind
from bot import config_secrets
from bot.config_file import AccountPart, File, SecretAt, VaultAccess
from bot.config_secrets import Grounds, SlackSecrets
from bot.domain import command as commands
from bot.domain.errors import ConfigError
from bot.domain.plan import AccountEntry, Directory
from bot.explain import explain
from policies import model as policies
from policies.explain import PolicyInvalid, nearest
from policies.model import Policy

SecretOf = Callable[[SecretAt, str], SecretStr]
"""(Where a secret is, the key that says so) -> the secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that was read and checked."""

    file: File
    """Its paths are absolute."""
    policy: Policy
    policy_text: str
    accounts: tuple[AccountEntry, ...]
    settings: Mapping[tuple[str, str], Any]
    """The venue's settings per (venue, base URL)."""
    slack: SlackSecrets | None
    """None on a console, which must do without Slack."""
    passphrase: SecretStr | None
    """Of the sealed file, if that is used."""
    vault: VaultAccess | None
    """If that is used."""

    @property
    def directory(self) -> Directory:
        """Every account."""
        return Directory(accounts=self.accounts)


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check everything that can be checked without the network.

    Raises:
        ConfigError: names file and key, and what to do.
    """
    config, grounds = _load(path, environment)
    return replace(config, slack=config_secrets.of_slack(config.file, grounds))


def load_console(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check what can be used without Slack: none of its tokens needs to be there.

    Raises:
        ConfigError: names file and key, and what to do.
    """
    return _load(path, environment)[0]


def with_state(config: Config, folder: Path) -> Config:
    """Keep state in another folder than the file says."""
    state = config.file.state.model_copy(update={"dir": folder.resolve()})
    return replace(config, file=config.file.model_copy(update={"state": state}))


def without_spare(config: Config) -> Config:
    """Do without the fallback of Vault."""
    keys = config.file.keys.model_copy(update={"fallback": None})
    return replace(config, file=config.file.model_copy(update={"keys": keys}))


def _load(path: Path, environment: Mapping[str, str] | None) -> tuple[Config, Grounds]:
    file = read(path)
    folder = path.parent
    grounds = Grounds(folder=folder, environment=os.environ if environment is None else environment)
    policy_path = folder / file.policy
    policy_text = _text(policy_path, "policy")
    accounts, settings = _accounts(
        file, path.name, lambda at, key: config_secrets.read(at, key, grounds)
    )
    try:
        policy = policies.parse(policy_text)
        policies.check_accounts(policy, [account.for_policy() for account in accounts])
    except PolicyInvalid as error:
        raise ConfigError(
            user_message=f"{policy_path.name}: {error.user_message}", remedy=error.remedy
        ) from None
    file = _absolute(file, folder)
    config = Config(
        file=file,
        policy=policy,
        policy_text=policy_text,
        accounts=accounts,
        settings=settings,
        slack=None,
        passphrase=config_secrets.of_sealed(file.keys, grounds),
        vault=config_secrets.of_vault(file.keys, grounds),
    )
    return config, grounds


def secret(at: SecretAt, name: str) -> SecretStr:
    """Read one secret for the command line, from the environment or a file.

    Raises:
        ConfigError: it is not there, or everybody may read it.
    """
    return config_secrets.read(at, name, Grounds(folder=Path(), environment=os.environ))


def read(path: Path) -> File:
    """Read the file alone: none of the secrets and files that it names need be there.

    Raises:
        ConfigError: names what is wrong in it, and what to do.
    """
    text = _text(path, "--config")
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            user_message=f"{path.name} is not valid TOML: {error}.", remedy="Mend that line."
        ) from None
    try:
        return File.model_validate(found)
    except ValidationError as error:
        raise explain(error, path.name, File, accounts=found.get("account")) from None


def _text(path: Path, key: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            user_message=f"{path} cannot be read: {why}.", remedy=f"Check the path in {key}."
        ) from None


def _absolute(file: File, folder: Path) -> File:
    """Resolve every path against the folder of the config file."""
    url = file.store.url
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        url = f"sqlite:///{(folder / url.removeprefix('sqlite:///')).resolve()}"
    keys = file.keys
    if keys.file is not None:
        keys = keys.model_copy(update={"file": (folder / keys.file).resolve()})
    if keys.vault is not None and keys.vault.ca is not None:
        vault = keys.vault.model_copy(update={"ca": (folder / keys.vault.ca).resolve()})
        keys = keys.model_copy(update={"vault": vault})
    state = file.state.model_copy(update={"dir": (folder / file.state.dir).resolve()})
    store = file.store.model_copy(update={"url": url})
    return file.model_copy(update={"keys": keys, "state": state, "store": store})


def _accounts(
    file: File, name: str, secret_of: SecretOf
) -> tuple[tuple[AccountEntry, ...], Mapping[tuple[str, str], Any]]:
    entries: list[AccountEntry] = []
    settings: dict[tuple[str, str], Any] = {}
    cancelling = {part.key: part.name for part in file.account}
    for part in file.account:
        where = f"{name}: account {part.name}"
        if part.read_key in cancelling:
            raise ConfigError(
                user_message=f"{where}: read_key is the key of {cancelling[part.read_key]} "
                "that can cancel.",
                remedy="Seal a read-only key under its own name, or leave read_key out.",
            )
        if any(entry.name == part.name for entry in entries):
            raise ConfigError(
                user_message=f"{where} stands twice.", remedy="Give each account its own name."
            )
        entry, found = _account(part, where, secret_of)
        for before in entries:
            _check_pair(before, entry, where)
        place = (entry.venue, entry.base_url)
        if settings.setdefault(place, found) != found:
            raise ConfigError(
                user_message=f"{where} has other venue settings than an account before it.",
                remedy=f"Accounts at {entry.base_url} share one connection: make them equal.",
            )
        entries.append(entry)
    return tuple(entries), settings


def _check_pair(before: AccountEntry, entry: AccountEntry, where: str) -> None:
    """Refuse two accounts that cannot both be what they say."""
    if before.venue != entry.venue:
        if before.key == entry.key:
            raise ConfigError(
                user_message=f"{where} has the key of {before.name}, which is at {before.venue}.",
                remedy="Seal a key of its own, or mend the name.",
            )
        return
    if (before.base_url, before.uid) == (entry.base_url, entry.uid):
        raise ConfigError(
            user_message=f"{where} is the account that {before.name} is: one UID at one address.",
            remedy="Leave one of them out, or mend the uid.",
        )
    if before.key == entry.key and registry.venues()[entry.venue].is_key_of_one_account:
        raise ConfigError(
            user_message=f"{where} has the key of {before.name}, and a key there is of one UID.",
            remedy="Seal a key of its own, or mend the name.",
        )


def _account(part: AccountPart, where: str, secret_of: SecretOf) -> tuple[AccountEntry, Any]:
    kinds = registry.venues()
    kind = kinds.get(part.venue)
    if kind is None:
        raise ConfigError(
            user_message=f'{where}: "{part.venue}" is not a venue.',
            remedy=nearest(part.venue, kinds),
        )
    _check(part, kind, where)
    try:
        told = _with_secrets(part.model_extra or {}, kind.settings, where, secret_of)
        settings = kind.settings.model_validate(told)
    except ValidationError as error:
        raise explain(error, where, kind.settings, beside=AccountPart.model_fields) from None
    base_url: str = settings.base_url  # type: ignore[attr-defined]
    entry = AccountEntry(
        name=part.name,
        venue=part.venue,
        base_url=base_url,
        uid=part.uid,
        key=part.key,
        capabilities=kind.capabilities,
        read_key=part.read_key,
        tags=tuple(sorted(part.tags.items())),
        protective=part.protective,
        classes_off=tuple(OrderClass(name) for name in part.classes_off),
    )
    return entry, settings


def _with_secrets(
    told: Mapping[str, Any], settings: type[BaseModel], where: str, secret_of: SecretOf
) -> dict[str, Any]:
    """Read the settings of a venue that are secrets from where the config says they are."""
    found = dict(told)
    for name, field in settings.model_fields.items():
        if name in found and SecretStr in (field.annotation, *get_args(field.annotation)):
            try:
                at = SecretAt.model_validate(found[name])
            except ValidationError:
                raise ConfigError(
                    user_message=f"{where}: {name} must say where the secret is.",
                    remedy=f'Write {name} = {{ env = "NAME" }} or {{ file = "path" }}.',
                ) from None
            found[name] = secret_of(at, f"{where}: {name}")
    return found


def _check(part: AccountPart, kind: VenueKind, where: str) -> None:
    """Refuse what would mean something else than it seems to."""
    # Its own name would widen: `/cancelall bybit` means every account there.
    if part.name in (taken := (*sorted(registry.venues()), *commands.VERBS)):
        raise ConfigError(
            user_message=f"{where} has a name that means something else in a command.",
            remedy=f"Give it another: {', '.join(taken)} are taken.",
        )
    if not kind.uid.fullmatch(part.uid):
        raise ConfigError(
            user_message=f'{where}: "uid" is not what {part.venue} calls an account.',
            remedy=f"Write {kind.uid_means}.",
        )
    classes = kind.capabilities.order_classes
    for name in part.classes_off:
        if name not in classes:
            raise ConfigError(
                user_message=f'{where}: classes_off names "{name}", which {part.venue} lacks.',
                remedy=nearest(name, classes),
            )
    if set(part.classes_off) == set(classes):
        raise ConfigError(
            user_message=f"{where}: classes_off leaves nothing to cancel.",
            remedy="Leave one class in, or leave the account out.",
        )
