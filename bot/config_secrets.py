"""Secrets that the config names: read from the environment or from a file of mode 0600.

Owns the reading. No message ever shows a value, nor a path where a secret may stand by mistake.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from bot.config_file import File, KeysPart, SecretAt, VaultAccess, VaultPart
from bot.domain.errors import ConfigError

SIGNING_SECRET = re.compile(r"(?!xox|xapp-)[a-z0-9-]+")
"""Slack's are 32 hex digits, though no document promises that; the sandbox's has dashes."""
KUBERNETES_JWT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where Kubernetes puts the token of a pod's service account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Where secrets are looked for."""

    folder: Path
    """Of the config file: paths are relative to it."""
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class InVault:
    """A secret that only Vault can give, once it answers."""

    path: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSecrets:
    """What Slack knows us by, as far as the config can tell."""

    bot_token: SecretStr | InVault
    app_token: SecretStr | InVault | None
    """For Socket Mode."""
    signing_secret: SecretStr | InVault | None
    """For HTTP."""

    @property
    def paths(self) -> frozenset[str]:
        """Those paths of Vault at which some of them are."""
        every = (self.bot_token, self.app_token, self.signing_secret)
        return frozenset(each.path for each in every if isinstance(each, InVault))


def of_slack(file: File, grounds: Grounds) -> SlackSecrets:
    """Read the tokens that the mode needs, unless Vault has them.

    Raises:
        ConfigError: one is not there, is another kind of token, or may be read by others.
    """
    part, has_vault = file.slack, file.keys.source == "vault"
    if part.mode == "http":
        name, why, where = "signing_secret", 'mode = "http"', "Basic Information"
    else:
        name, why, where = "app_token", 'mode = "socket"', "App-Level Tokens"
    second: SecretAt | None = getattr(part, name)
    if second is None:
        raise _absent(f"slack.{name}", why, where)
    found = {
        key: _slacks(at, f"slack.{key}", grounds, has_vault=has_vault)
        for key, at in {"bot_token": part.bot_token, name: second}.items()
    }
    return SlackSecrets(
        bot_token=found["bot_token"],
        app_token=found.get("app_token"),
        signing_secret=found.get("signing_secret"),
    )


def _slacks(at: SecretAt, key: str, grounds: Grounds, *, has_vault: bool) -> SecretStr | InVault:
    if at.vault is None:
        return checked(key, _text(at, key, grounds))
    if not has_vault or at.field is None or at.env is not None or at.file is not None:
        raise ConfigError(
            user_message=f"{key} cannot come from Vault as it stands: that needs a field, no env "
            'or file beside it, and keys.source = "vault".',
            remedy=f'Write {key.split(".")[-1]} = {{ vault = "path", field = "name" }}.',
        )
    return InVault(path=at.vault, field=at.field)


def checked(key: str, text: str) -> SecretStr:
    """Refuse what is another kind of secret than `key` names, such as a bot token as the app's.

    Raises:
        ConfigError: it is.
    """
    if key == "slack.app_token" and not text.startswith("xapp-"):
        raise ConfigError(
            user_message="slack.app_token is no app-level token: those begin with xapp-.",
            remedy="Make one with the scope connections:write under Basic Information, "
            "App-Level Tokens, and store it alone.",
        )
    if key == "slack.signing_secret" and not SIGNING_SECRET.fullmatch(text):
        # Slack never signs with it: each delivery would be refused, and nobody told why.
        raise ConfigError(
            user_message=f"{key} is a token, or holds more than small letters and digits.",
            remedy="Store the Signing Secret of the app's Basic Information alone: no quotes, "
            "no blank, no line break.",
        )
    return SecretStr(text)


def of_sealed(part: KeysPart, grounds: Grounds) -> SecretStr | None:
    """Read the passphrase of the sealed file; None if that is not used.

    Raises:
        ConfigError: it is used and cannot be opened.
    """
    if not part.is_sealed_used:
        return None
    for name in ("file", "passphrase"):
        if getattr(part, name) is None:
            raise ConfigError(
                user_message=f'keys.{name} is missing, and keys use the "sealed" source.',
                remedy=f"Add {name} under [keys].",
            )
    assert part.passphrase is not None
    return read(part.passphrase, "keys.passphrase", grounds)


def of_vault(part: KeysPart, grounds: Grounds) -> VaultAccess | None:
    """Return how Vault is reached; None if it is not used. Its credential is read once, as a try.

    Raises:
        ConfigError: Vault is used and what it is reached with is not there.
    """
    if part.source != "vault":
        if part.fallback is not None or part.vault is not None:
            what = "fallback" if part.fallback is not None else "vault"
            raise ConfigError(
                user_message=f'keys.{what} is of no use: keys.source is "{part.source}".',
                remedy=f'Write source = "vault", or leave keys.{what} out.',
            )
        return None
    if part.vault is None:
        raise ConfigError(
            user_message='keys.source is "vault", and [keys.vault] is missing.',
            remedy="Add [keys.vault] with address and auth.",
        )
    access = VaultAccess(part=part.vault, credential=_credential(part.vault, grounds))
    access.credential()
    return access


def _credential(part: VaultPart, grounds: Grounds) -> Callable[[], SecretStr]:
    """Choose what Vault is shown, by the auth method."""
    known = {
        "secret_id": part.secret_id,
        "wrapped_secret_id": part.wrapped_secret_id,
        "token": part.token,
    }
    given = {name: at for name, at in known.items() if at is not None}
    ways = {
        "approle": ("secret_id", "wrapped_secret_id"),
        "token": ("token",),
        "kubernetes": (),
        "jwt": (),
    }[part.auth]
    for name in given:
        if name not in ways:
            raise ConfigError(
                user_message=f'keys.vault.{name} is of no use: auth is "{part.auth}".',
                remedy=f"Leave {name} out, or mend auth.",
            )
    if ways and len(given) != 1:
        raise ConfigError(
            user_message=f'keys.vault: auth = "{part.auth}" needs {" or ".join(ways)}.',
            remedy="Add one of them." if not given else "Leave one of them out.",
        )
    _check_roles(part, wrapped=part.wrapped_secret_id)
    if not ways:
        return _jwt(part, grounds)
    ((name, at),) = given.items()
    return lambda: read(at, f"keys.vault.{name}", grounds)


def _check_roles(part: VaultPart, *, wrapped: SecretAt | None) -> None:
    needs = {
        "role_id": part.auth == "approle",
        "role": part.auth in {"kubernetes", "jwt"} or wrapped is not None,
    }
    for name, is_needed in needs.items():
        if is_needed and not getattr(part, name):
            raise ConfigError(
                user_message=f'keys.vault lacks "{name}", which auth = "{part.auth}" needs.',
                remedy="Add it.",
            )


def _jwt(part: VaultPart, grounds: Grounds) -> Callable[[], SecretStr]:
    if part.auth == "jwt" and part.jwt_file is None:
        raise ConfigError(
            user_message='keys.vault lacks "jwt_file", which auth = "jwt" needs.', remedy="Add it."
        )
    path = grounds.folder / (part.jwt_file or KUBERNETES_JWT)

    def reading() -> SecretStr:
        # Of any mode: the platform writes it for this user, and Kubernetes as 0644.
        return SecretStr(_content(path, "keys.vault.jwt_file"))

    return reading


def _absent(key: str, why: str, where: str) -> ConfigError:
    name = key.split(".")[-1]
    return ConfigError(
        user_message=f"{key} is missing, and {why} needs it.",
        remedy=f'Write {name} = {{ env = "NAME" }} or {{ file = "path" }}; '
        f"Slack shows it under the app's {where}.",
    )


def read(at: SecretAt, key: str, grounds: Grounds) -> SecretStr:
    """Read one secret; `key` names it in errors.

    Raises:
        ConfigError: it is not there, or everybody may read it.
    """
    return SecretStr(_text(at, key, grounds))


def _text(at: SecretAt, key: str, grounds: Grounds) -> str:
    if (at.env is None) == (at.file is None) or at.vault is not None:
        raise ConfigError(
            user_message=f"{key} must say where the secret is: env or file, and one of them.",
            remedy=f'Write {key.split(".")[-1]} = {{ env = "NAME" }} or {{ file = "path" }}.',
        )
    if at.env is not None:
        if not grounds.environment.get(at.env):
            raise ConfigError(
                user_message=f"{key}: the environment has no {at.env}.",
                remedy=f"Set {at.env} for the process.",
            )
        return grounds.environment[at.env]
    assert at.file is not None
    path = grounds.folder / at.file
    text = _content(path, key)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            user_message=f"{key}: {path} may be read by others.", remedy=f"chmod 600 {path}"
        )
    if not text:
        raise ConfigError(
            user_message=f"{key}: {path} is empty.", remedy="Write the secret into it."
        )
    return text


def _content(path: Path, key: str) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        # Its path is not shown: somebody may have put the secret itself there.
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            user_message=f"{key}: the file that it names cannot be read: {why}.",
            remedy=f"Check the path in {key}.",
        ) from None
