"""The fallback: what it serves, what it must not, and how it says so."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from bot.domain.errors import SecretError
from bot.flow.ports import KeyDocument, KeySource
from bot.keys.fallback import FallbackKeys

SEALED = SecretError(
    user_message="a cannot be read: Vault is sealed", remedy="Unseal Vault.", is_retryable=True
)
DENIED = SecretError(user_message="Vault denies secret/data/a", remedy="Add to the policy: …")
NONE = SecretError(user_message="no secret at a in keys.sealed", remedy="Seal it.")


@dataclass
class Source:
    """A key source of one document, or of one error."""

    error: SecretError | None = None
    reads: list[str] = field(default_factory=list)

    async def read(self, path: str) -> KeyDocument:
        self.reads.append(path)
        if self.error is not None:
            raise self.error
        return KeyDocument(text=SecretStr(f"key of {path}"))

    async def unreadable(self, paths: Collection[str]) -> Mapping[str, SecretError]:
        return dict.fromkeys(paths, self.error) if self.error is not None else {}


def keys_of(first: SecretError | None, second: SecretError | None) -> tuple[FallbackKeys, Source]:
    spare = Source(second)
    keys = FallbackKeys(Source(first), spare, name="sealed")
    source: KeySource = keys
    assert source is keys
    return keys, spare


async def test_fallback_is_left_alone_while_the_first_source_answers():
    keys, spare = keys_of(None, None)
    document = await keys.read("a")
    assert (document.text.get_secret_value(), document.note) == ("key of a", "")
    assert spare.reads == []


async def test_fallback_serves_in_an_outage_and_says_so(caplog: pytest.LogCaptureFixture):
    keys, _ = keys_of(SEALED, None)
    document = await keys.read("a")
    assert document.text.get_secret_value() == "key of a"
    assert document.note == "sealed fallback: a cannot be read: Vault is sealed"
    (line,) = caplog.records
    assert (line.levelno, line.msg) == (logging.WARNING, "key.fell_back")


async def test_what_the_first_source_denies_is_never_served_by_the_fallback():
    """Whoever took the permission away meant it."""
    keys, spare = keys_of(DENIED, None)
    with pytest.raises(SecretError) as caught:
        await keys.read("a")
    assert caught.value is DENIED
    assert spare.reads == []
    assert await keys.unreadable(["a"]) == {"a": DENIED}


async def test_neither_source_is_told_of_both_and_worth_trying_again():
    keys, _ = keys_of(SEALED, NONE)
    with pytest.raises(SecretError) as caught:
        await keys.read("a")
    assert caught.value.user_message == (
        "a cannot be read: Vault is sealed; sealed fallback: no secret at a in keys.sealed"
    )
    assert caught.value.remedy == "Unseal Vault. Seal it."
    assert caught.value.retryable


async def test_outage_is_told_even_where_the_fallback_would_serve():
    """A card that hid it would let Vault stay dead until the fallback is needed and gone too."""
    (error,) = (await keys_of(SEALED, None)[0].unreadable(["a"])).values()
    assert error.user_message == (
        "a cannot be read: Vault is sealed; the sealed fallback would serve it"
    )
    assert (error.remedy, error.retryable) == ("Unseal Vault.", True)


async def test_what_neither_source_could_give_is_told_as_the_first_tells_it():
    assert await keys_of(SEALED, NONE)[0].unreadable(["a"]) == {"a": SEALED}
    assert await keys_of(None, NONE)[0].unreadable(["a"]) == {}
