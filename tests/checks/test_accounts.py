"""How keys are read for a check: each path once, and none that can cancel unless it is meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from pydantic import SecretStr

from adapters.contract import KeyFacts, VenueRefused
from bot.checks import accounts
from bot.checks.ground import Ground
from bot.checks.slate import Slate
from bot.domain import finding as findings
from bot.domain.errors import SecretError
from bot.domain.plan import AccountEntry
from bot.flow.ports import KeyDocument
from bot.wiring import SystemClock
from tests.domain.test_plan import entry
from tests.fakes.venue import Book, FakeAdapter, FakeVenue

GOOD = KeyFacts(accounts=("1001", "1002"), can_cancel=True, can_withdraw=False)


@dataclass
class Keys:
    """Gives each path's own name as its key, and counts."""

    note: str = ""
    error: SecretError | None = None
    read_paths: list[str] = field(default_factory=list)

    async def read(self, path: str) -> KeyDocument:
        self.read_paths.append(path)
        if self.error is not None:
            raise self.error
        return KeyDocument(text=SecretStr(path), note=self.note)

    async def unreadable(self, paths: Collection[str]) -> Mapping[str, SecretError]:
        return {}


@dataclass
class Scene:
    """Two accounts that share a key, at one venue."""

    keys: Keys = field(default_factory=Keys)
    entries: tuple[AccountEntry, ...] = (
        entry("mm", key="keys/desk", read_key="keys/ro"),
        entry("arb", uid="1002", key="keys/desk", read_key="keys/ro"),
    )
    public: dict[str, FakeAdapter] = field(default_factory=dict)

    async def lines(self, *, is_with_keys: bool = False) -> list[str]:
        clock = SystemClock()
        facts = {"keys/desk": GOOD, "keys/ro": KeyFacts(accounts=GOOD.accounts, can_cancel=False)}
        books = {
            path: Book(clock=clock, call_s=0.0, inspected=each) for path, each in facts.items()
        }
        venue = FakeVenue(books=books, public=self.public)
        venues: Any = SimpleNamespace(venue=lambda *_: venue)
        config: Any = SimpleNamespace(
            accounts=self.entries, file=SimpleNamespace(keys=SimpleNamespace(source="sealed"))
        )
        slate = Slate()
        ground = Ground(
            config=config,
            clock=clock,
            venues=venues,
            keys=self.keys,
            slack=None,
            is_with_keys=is_with_keys,
        )
        await accounts.look(ground, slate)
        assert not any(name.startswith("cancel") for book in books.values() for _, name in book.log)
        return [each.line for each in findings.arranged(slate.findings)]


READ = "fine     account  arb, mm: the read key is of this account."


async def test_only_read_keys_are_read_and_each_path_once():
    scene = Scene()
    assert await scene.lines() == [READ]
    assert scene.keys.read_paths == ["keys/ro"]


async def test_a_key_that_many_accounts_share_is_read_once():
    scene = Scene()
    assert await scene.lines(is_with_keys=True) == [
        "fine     account  arb, mm: the key is of this account and may cancel.",
        READ,
    ]
    assert sorted(scene.keys.read_paths) == ["keys/desk", "keys/ro"]


async def test_a_key_that_came_from_the_fallback_says_so():
    scene = Scene(keys=Keys(note="sealed fallback: Vault is sealed"))
    assert await scene.lines() == [
        "warning  account  arb, mm: read key from the sealed fallback: Vault is sealed.",
        READ,
    ]


async def test_a_key_that_cannot_be_read_is_told_with_those_who_need_it():
    error = SecretError(user_message="no secret at keys/ro", remedy="Seal it.")
    assert await Scene(keys=Keys(error=error)).lines() == [
        "wrong    keys     mm, arb, read key: no secret at keys/ro. Seal it."
    ]


async def test_an_account_without_a_read_key_is_looked_at_as_anybody_may():
    entries = tuple(entry(name, uid=name) for name in ("seen", "lost", "dark"))
    clock = SystemClock()
    refused = VenueRefused(user_message="there is no such account", remedy="Check uid.")
    public = {
        "seen": FakeAdapter(Book(clock=clock, call_s=0.0)),
        "lost": FakeAdapter(Book(clock=clock, call_s=0.0, check_error=refused)),
    }
    assert await Scene(entries=entries, public=public).lines() == [
        "wrong    account  lost: there is no such account. Check uid.",
        (
            "unknown  account  dark: no read_key: how many orders are open is unknown before a "
            "run. Add one if the venue has keys that only read."
        ),
        "fine     account  seen: the venue knows the account.",
    ]
