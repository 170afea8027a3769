"""Two key sources: the second serves what the first cannot while it is out of order.

Owns that rule. What the first source denies or lacks is said at once and never served by the
second: whoever took a permission away meant it. A refusal of our own login is no outage either.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from bot.domain.errors import SecretError
from bot.flow.ports import KeyDocument, KeySource

logger = logging.getLogger(__name__)


class FallbackKeys:
    """Reads from `first`; from `second` only what `first` cannot give for an outage."""

    def __init__(self, first: KeySource, second: KeySource, *, name: str) -> None:
        self._first = first
        self._second = second
        self._name = name
        """Of the second source, as it stands on the card."""

    async def read(self, path: str) -> KeyDocument:
        """Return the secret document at `path`, with a note if it is the second source's.

        Raises:
            SecretError: the first source says no, or neither can be read.
        """
        try:
            return await self._first.read(path)
        except SecretError as error:
            if not error.retryable:
                raise
            outage = error
        try:
            document = await self._second.read(path)
        except SecretError as error:
            spare = error
        else:
            logger.warning("key.fell_back", extra={"path": path, "why": outage.user_message})
            note = f"{self._name} fallback: {outage.user_message}"
            return KeyDocument(text=document.text, note=note)
        raise SecretError(
            user_message=f"{outage.user_message}; {self._name} fallback: {spare.user_message}",
            remedy=f"{outage.remedy} {spare.remedy}".strip(),
            is_retryable=True,  # The first source may be back in a moment.
        )

    async def unreadable(self, paths: Collection[str]) -> Mapping[str, SecretError]:
        """Return those paths that the first source could not give now.

        Also those that the second would serve: an outage is told, however well it is met.
        """
        first = await self._first.unreadable(paths)
        out = {path for path, error in first.items() if error.retryable}
        second = await self._second.unreadable(out) if out else {}
        served = out - second.keys()
        return {path: self._served(e) if path in served else e for path, e in first.items()}

    def _served(self, outage: SecretError) -> SecretError:
        return SecretError(
            user_message=f"{outage.user_message}; the {self._name} fallback would serve it",
            remedy=outage.remedy,
            is_retryable=True,
        )
