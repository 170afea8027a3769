"""What Slack knows us by: from the config, or from Vault once that answers.

Owns the reading of Slack's tokens. A text at a path of Vault stands in a document like a key's:
`{"bot_token":"xoxb-…","app_token":"xapp-…"}`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass

from pydantic import SecretStr

from bot import config_secrets
from bot.config_secrets import InVault, SlackSecrets
from bot.domain.errors import ConfigError, SecretError
from bot.flow.ports import KeySource

logger = logging.getLogger(__name__)

AGAIN_S = 2.0
"""Between two tries while Vault does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Slack's tokens, at hand."""

    bot: SecretStr
    app: SecretStr | None
    """For Socket Mode."""
    signing: SecretStr | None
    """For HTTP."""


async def read(known: SlackSecrets, keys: KeySource) -> Tokens:
    """Return the tokens, read once from Vault where they are there.

    Raises:
        SecretError: Vault does not answer (`retryable`), denies or lacks one.
        ConfigError: what is there is no such token.
    """
    bot = await _of(known.bot_token, "slack.bot_token", keys)
    app = signing = None
    if known.app_token is not None:
        app = await _of(known.app_token, "slack.app_token", keys)
    if known.signing_secret is not None:
        signing = await _of(known.signing_secret, "slack.signing_secret", keys)
    return Tokens(bot=bot, app=app, signing=signing)


async def wait_for(known: SlackSecrets, keys: KeySource, *, again_s: float = AGAIN_S) -> Tokens:
    """Return the tokens as soon as Vault answers: runs go on meanwhile.

    Raises:
        ConfigError: Vault denies or lacks one, or what is there is no such token.
    """
    while True:
        try:
            return await read(known, keys)
        except SecretError as error:
            if not error.retryable:
                raise ConfigError(
                    user_message=f"Slack's tokens: {error.user_message}.", remedy=error.remedy
                ) from None
            logger.warning("tokens.unreachable", extra={"why": error.user_message})
        await asyncio.sleep(again_s)


async def _of(known: SecretStr | InVault, key: str, keys: KeySource) -> SecretStr:
    if isinstance(known, SecretStr):
        return known
    document = await keys.read(known.path)
    found = json.loads(document.text.get_secret_value())
    text = found.get(known.field) if isinstance(found, dict) else None
    if not isinstance(text, str) or not text:
        raise ConfigError(
            user_message=f"{key}: the document at {known.path} has no text {known.field}.",
            remedy=f"Put it there under {known.field}, or mend the field in the config.",
        )
    return config_secrets.checked(key, text)
