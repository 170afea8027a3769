"""Errors of the bot itself: wrong commands, wrong configuration, unreadable secrets.

Owns the `BotError` tree. Never holds a secret: `user_message` and `remedy` may be shown in Slack.

BotError
├─ UsageError   a command that cannot be understood or may not be expressed
├─ ConfigError  start only; the process exits with 78
└─ SecretError  a key source is sealed, unreachable, denies, or lacks the path
"""

from __future__ import annotations

from typing_extensions import override


class BotError(Exception):
    """A path stops here for a reason that a person can act on."""

    code = "bot"
    retryable = False

    def __init__(self, *, user_message: str, remedy: str = "") -> None:
        if type(self) is BotError:
            raise TypeError("BotError is abstract: raise one of its kinds")
        super().__init__(user_message)
        self.user_message = user_message
        self.remedy = remedy

    @override
    def __str__(self) -> str:
        return f"{self.user_message} {self.remedy}".strip()


def plain(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """Take an error that a person can act on out of the task groups that it left through.

    Returns:
        It, or the group if there is none in it.
    """
    for inner in failed.exceptions:
        found = plain(inner) if isinstance(inner, BaseExceptionGroup) else inner
        if isinstance(found, BotError):
            return found
    return failed


class UsageError(BotError):
    """The command is wrong; the message says which word, the remedy what to type."""

    code = "usage"


class ConfigError(BotError):
    """The configuration is wrong; the message names file and key."""

    code = "config"


class SecretError(BotError):
    """A secret could not be read; the message never holds it, and names its path if that is why."""

    code = "secret"

    def __init__(self, *, user_message: str, remedy: str = "", is_retryable: bool = False) -> None:
        super().__init__(user_message=user_message, remedy=remedy)
        self.retryable = is_retryable
