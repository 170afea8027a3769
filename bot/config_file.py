"""The shape of `config.toml`: one model a table. Unknown keys are refused.

Owns the models. Never reads a file or the environment: `bot.config` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from adapters.contract import Protective
from bot.explain import CHANNEL, MOUNT, NAME, PERSON, PLACE, VARIABLE

Name = Annotated[str, StringConstraints(pattern=NAME)]
ChannelId = Annotated[str, StringConstraints(pattern=CHANNEL)]
PersonId = Annotated[str, StringConstraints(pattern=PERSON)]
Variable = Annotated[str, StringConstraints(pattern=VARIABLE)]
"""Capitals only: a token or a hex secret put here by mistake is refused, and so never shown."""
Place = Annotated[str, StringConstraints(min_length=1, pattern=PLACE)]
"""Of a key: in one spelling, and exact in a policy of Vault."""
Mount = Annotated[str, StringConstraints(pattern=MOUNT)]
Text = Annotated[str, StringConstraints(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SecretAt(_Strict):
    """Where a secret is: `{ env = "NAME" }` or `{ file = "path" }`; never the secret itself.

    Slack's may be in Vault too: `{ vault = "path", field = "name" }`.
    """

    env: Variable | None = None
    file: Path | None = None
    vault: Place | None = None
    """A path there, as a key has one."""
    field: Text | None = None
    """Which of the texts at that path."""


class SlackPart(_Strict):
    """`[slack]`."""

    mode: Literal["socket", "http"] = "socket"
    """Socket Mode needs no port that Slack can reach; HTTP needs one, and rolls over replicas."""
    api_url: str = "https://slack.com/api/"
    incident_channel: ChannelId
    channels: tuple[ChannelId, ...] = ()
    """Further channels in which a card may stand, if the command was typed there."""
    bot_token: SecretAt
    app_token: SecretAt | None = None
    """For Socket Mode."""
    signing_secret: SecretAt | None = None
    """For HTTP."""


class WebPart(_Strict):
    """`[web]`: health, readiness and metrics, and Slack's deliveries over HTTP."""

    host: Text = "127.0.0.1"
    """An empty one would listen on every address of the host."""
    port: int = Field(default=8080, ge=0, le=65535)


class VaultPart(_Strict):
    """`[keys.vault]`."""

    address: Text
    auth: Literal["approle", "kubernetes", "jwt", "token"]
    auth_mount: Mount = ""
    """Where the auth method is mounted; under its own name if empty."""
    mount: Annotated[Mount, StringConstraints(min_length=1)] = "secret"
    """Of the KV v2 engine."""
    namespace: Mount = ""
    ca: Path | None = None
    """The CA that signed Vault's certificate, PEM; the system's if left out."""
    role: str = ""
    """Of Kubernetes or JWT; of AppRole where its secret_id comes wrapped."""
    role_id: str = ""
    secret_id: SecretAt | None = None
    wrapped_secret_id: SecretAt | None = None
    token: SecretAt | None = None
    jwt_file: Path | None = None
    """Read anew for each login: projected tokens rotate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultAccess:
    """How Vault is reached, and with which credential."""

    part: VaultPart
    credential: Callable[[], SecretStr]
    """Reads the secret_id, wrapping token, JWT or token anew; raises ConfigError."""


class KeysPart(_Strict):
    """`[keys]`."""

    source: Literal["vault", "sealed"]
    fallback: Literal["sealed"] | None = None
    """Serves what Vault cannot while it is sealed or unreachable; the card says so."""
    vault: VaultPart | None = None
    file: Path | None = None
    """The sealed file."""
    passphrase: SecretAt | None = None

    @property
    def is_sealed_used(self) -> bool:
        """Tell whether the sealed file is read at all."""
        return "sealed" in (self.source, self.fallback)


class StorePart(_Strict):
    """`[store]`."""

    url: str = "sqlite:///cancelall.db"


class StatePart(_Strict):
    """`[state]`: instrument lists, nonces, and the records of console pulls."""

    dir: Path = Path("state")


class ConsolePart(_Strict):
    """`[console]`: whom the policy knows by the name that this host knows them by."""

    people: Mapping[str, PersonId] = Field(default_factory=dict)
    """A user of this host -> the same person's Slack user id."""


class AccountPart(BaseModel):
    """`[[account]]`: what every venue needs; the rest is for the venue's own settings."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: Name
    venue: Name
    uid: Text
    key: Place
    read_key: Place | None = None
    tags: Mapping[Name, Name] = Field(default_factory=dict)
    protective: Protective = Protective.CANCEL
    classes_off: tuple[str, ...] = ()


class File(_Strict):
    """The whole file."""

    policy: Path
    slack: SlackPart
    web: WebPart = WebPart()
    keys: KeysPart
    store: StorePart = StorePart()
    state: StatePart = StatePart()
    console: ConsolePart = ConsolePart()
    account: tuple[AccountPart, ...] = Field(min_length=1)

    @property
    def key_paths(self) -> tuple[str, ...]:
        """Every path at which the file says a key is, sorted, without duplicates."""
        paths = {path for each in self.account for path in (each.key, each.read_key) if path}
        return tuple(sorted(paths))

    @property
    def vault_paths(self) -> tuple[str, ...]:
        """Every path that the file names in Vault: of keys, and of Slack's tokens."""
        part = self.slack
        tokens = (part.bot_token, part.app_token, part.signing_secret)
        return tuple(sorted({*self.key_paths, *(at.vault for at in tokens if at and at.vault)}))
