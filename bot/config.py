"""The configuration: `config.toml`, checked whole before anything starts.

Owns the models, secret references and `load()`. Alone reads files and the environment. Unknown keys
are refused, and no message ever shows a value that could be a secret.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError

from adapters import registry
from adapters.contract import OrderClass, Protective
from adapters.registry import VenueKind
from bot.domain import command as commands
from bot.domain.errors import ConfigError
from bot.domain.plan import AccountEntry, Directory
from bot.explain import CHANNEL, NAME, VARIABLE, explain
from policies import model as policies
from policies.explain import PolicyInvalid, nearest
from policies.model import Policy

Name = Annotated[str, StringConstraints(pattern=NAME)]
ChannelId = Annotated[str, StringConstraints(pattern=CHANNEL)]
Variable = Annotated[str, StringConstraints(pattern=VARIABLE)]
"""Capitals only: a token or a hex secret put here by mistake is refused, and so never shown."""
SIGNING_SECRET = re.compile(r"(?!xox|xapp-)[a-z0-9-]+")
"""Slack's are 32 hex digits, though no document promises that; the sandbox's has dashes."""


SecretOf = Callable[["SecretAt", str], SecretStr]
"""(Where a secret is, the key that says so) -> the secret."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SecretAt(_Strict):
    """Where a secret is: `{ env = "NAME" }` or `{ file = "path" }`; never the secret itself."""

    env: Variable | None = None
    file: Path | None = None


class SlackPart(_Strict):
    """`[slack]`."""

    mode: Literal["http"] = "http"
    api_url: str = "https://slack.com/api/"
    incident_channel: ChannelId
    channels: tuple[ChannelId, ...] = ()
    """Further channels in which a card may stand, if the command was typed there."""
    bot_token: SecretAt
    signing_secret: SecretAt
    host: str = Field(default="127.0.0.1", min_length=1)
    """An empty one would listen on every address of the host."""
    port: int = Field(default=8080, ge=0, le=65535)


class KeysPart(_Strict):
    """`[keys]`."""

    source: Literal["sealed"] = "sealed"
    file: Path
    passphrase: SecretAt


class StorePart(_Strict):
    """`[store]`."""

    url: str = "sqlite:///cancelall.db"


class StatePart(_Strict):
    """`[state]`: instrument lists and the spool."""

    dir: Path = Path("state")


class AccountPart(BaseModel):
    """`[[account]]`: what every venue needs; the rest is for the venue's own settings."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: Name
    venue: Name
    uid: str = Field(min_length=1)
    key: str = Field(min_length=1)
    read_key: str | None = Field(default=None, min_length=1)
    tags: Mapping[Name, Name] = Field(default_factory=dict)
    protective: Protective = Protective.CANCEL
    classes_off: tuple[str, ...] = ()


class File(_Strict):
    """The whole file."""

    policy: Path
    slack: SlackPart
    keys: KeysPart
    store: StorePart = StorePart()
    state: StatePart = StatePart()
    account: tuple[AccountPart, ...] = Field(min_length=1)


class Config(_Strict):
    """Everything that was read and checked."""

    file: File
    policy: Policy
    policy_text: str
    accounts: tuple[AccountEntry, ...]
    settings: Mapping[tuple[str, str], Any]
    """The venue's settings per (venue, base URL)."""
    bot_token: SecretStr
    signing_secret: SecretStr
    passphrase: SecretStr

    @property
    def directory(self) -> Directory:
        """Every account."""
        return Directory(accounts=self.accounts)


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check everything that can be checked without the network.

    Raises:
        ConfigError: names file and key, and what to do.
    """
    known = os.environ if environment is None else environment
    file = _read(path)
    folder = path.parent
    policy_path = folder / file.policy
    policy_text = _text(policy_path, "policy")
    accounts, settings = _accounts(file, path.name, lambda at, key: _secret(at, key, folder, known))
    try:
        policy = policies.parse(policy_text)
        policies.check_accounts(policy, [account.for_policy() for account in accounts])
    except PolicyInvalid as error:
        raise ConfigError(
            user_message=f"{policy_path.name}: {error.user_message}", remedy=error.remedy
        ) from None
    slack, keys = file.slack, file.keys
    return Config(
        file=_absolute(file, folder),
        policy=policy,
        policy_text=policy_text,
        accounts=accounts,
        settings=settings,
        bot_token=_secret(slack.bot_token, "slack.bot_token", folder, known),
        signing_secret=_signing_secret(slack.signing_secret, folder, known),
        passphrase=_secret(keys.passphrase, "keys.passphrase", folder, known),
    )


def secret(at: SecretAt, name: str) -> SecretStr:
    """Read one secret for the command line, from the environment or a file.

    Raises:
        ConfigError: it is not there, or everybody may read it.
    """
    return _secret(at, name, Path(), os.environ)


def _read(path: Path) -> File:
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
    keys = file.keys.model_copy(update={"file": (folder / file.keys.file).resolve()})
    state = file.state.model_copy(update={"dir": (folder / file.state.dir).resolve()})
    store = file.store.model_copy(update={"url": url})
    return file.model_copy(update={"keys": keys, "state": state, "store": store})


def _signing_secret(at: SecretAt, folder: Path, environment: Mapping[str, str]) -> SecretStr:
    """Refuse what Slack never signs with: each delivery would be refused, and nobody told why."""
    key = "slack.signing_secret"
    text = _text_of(at, key, folder, environment)
    if not SIGNING_SECRET.fullmatch(text):
        raise ConfigError(
            user_message=f"{key} is a token, or holds more than small letters and digits.",
            remedy="Store the Signing Secret of the app's Basic Information alone: no quotes, "
            "no blank, no line break.",
        )
    return SecretStr(text)


def _secret(at: SecretAt, key: str, folder: Path, environment: Mapping[str, str]) -> SecretStr:
    return SecretStr(_text_of(at, key, folder, environment))


def _text_of(at: SecretAt, key: str, folder: Path, environment: Mapping[str, str]) -> str:
    if (at.env is None) == (at.file is None):
        raise ConfigError(
            user_message=f"{key} must say where the secret is: env or file, and one of them.",
            remedy=f'Write {key.split(".")[-1]} = {{ env = "NAME" }} or {{ file = "path" }}.',
        )
    if at.env is not None:
        if not environment.get(at.env):
            raise ConfigError(
                user_message=f"{key}: the environment has no {at.env}.",
                remedy=f"Set {at.env} for the process.",
            )
        return environment[at.env]
    assert at.file is not None
    path = folder / at.file
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        # Its path is not shown: somebody may have put the secret itself there.
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            user_message=f"{key}: the file that it names cannot be read: {why}.",
            remedy=f"Check the path in {key}.",
        ) from None
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            user_message=f"{key}: {path} may be read by others.", remedy=f"chmod 600 {path}"
        )
    if not text:
        raise ConfigError(
            user_message=f"{key}: {path} is empty.", remedy="Write the secret into it."
        )
    return text


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
