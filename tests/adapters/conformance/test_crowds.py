"""What every adapter owes in a crowd: of others' orders, of accounts that share a key."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from pydantic import SecretStr

from adapters.contract import Purpose, Scope, VenueRefused
from bot.domain.result import Outcome
from tests.adapters.conformance.bench import Bench, play
from tests.adapters.conformance.subjects import SUBJECTS, Held, Subject, document

pytestmark = pytest.mark.no_cover  # The gates hold without it.

THRONG = 1_010
"""Orders that fill the first page of every venue, whatever is asked for a page."""
TOO_MANY = {"429", "403", "10006", "RATE_LIMIT_EXCEEDED"}
"""What venues call too many calls, as their wire logs tell it."""


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        pytest.param(subject, subject.symbol_kinds[-1], id=f"{name} {subject.symbol_kinds[-1]}")
        for name, subject in SUBJECTS.items()
    ],
)
def test_a_scope_is_reached_behind_pages_of_others(subject: Subject, kind: str):
    ours, other = subject.symbols

    async def act(bench: Bench) -> None:
        bench.place(kind, 3, symbol=ours, age_s=3600)
        kept = bench.place(kind, THRONG, symbol=other)
        bench.scope = Scope(symbols=(ours,))
        status = await bench.run()
        assert status.result.outcome is Outcome.FLAT
        assert {verdict.open for verdict in bench.verdicts} == {0}
        assert {o.order_id for o in bench.live()} == {o.order_id for o in kept}

    play(subject, act)


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        pytest.param(subject, kind, id=f"{name} {kind}")
        for name, subject in SUBJECTS.items()
        for kind in subject.symbol_kinds
    ],
)
def test_a_scope_by_symbol_is_kept_where_the_symbols_are_known(subject: Subject, kind: str):
    """What lists the symbols for a command may lead to other calls than are made without."""
    ours, other = subject.symbols

    async def act(bench: Bench) -> None:
        with suppress(VenueRefused):  # There is no such list.
            assert {ours, other} <= (await bench.venue.instruments()).symbols
        bench.place(kind, 2, symbol=ours)
        kept = bench.place(kind, 2, symbol=other)
        bench.scope = Scope(symbols=(ours,))
        receipts = await bench.cancel()
        assert [receipt.error for receipt in receipts if receipt.error] == []
        await bench.settle()
        left = {o.order_id for o in bench.live() if o.symbol != ours or kind not in subject.stays}
        assert left == {o.order_id for o in kept}

    play(subject, act)


@pytest.mark.parametrize(
    "subject", [pytest.param(subject, id=name) for name, subject in SUBJECTS.items()]
)
def test_accounts_of_one_owner_at_once_have_every_cancel_taken(subject: Subject):
    async def act(bench: Bench) -> None:
        held = Held(uid=subject.uid, book=subject.book, secret=subject.secret)
        accounts = (held, *subject.more)
        kind = next(iter(subject.kinds))
        for account in accounts:
            bench.place(kind, 2, uid=account.book)
        async with asyncio.TaskGroup() as group:
            rounds = [
                group.create_task(
                    bench.venue.adapter(
                        bench.venue.signer(SecretStr(document(account.secret))),
                        uid=account.uid,
                        purpose=Purpose.RUN,
                    ).cancel_all(Scope())
                )
                for account in accounts
            ]
        receipts = [receipt for done in rounds for receipt in done.result()]
        assert [receipt.error for receipt in receipts if receipt.error] == []
        await bench.settle()
        assert [bench.open(account.book) for account in accounts] == [{}] * 5

    play(subject, act)


@pytest.mark.parametrize(
    "subject", [pytest.param(subject, id=name) for name, subject in SUBJECTS.items()]
)
def test_a_chase_of_what_stays_keeps_the_documented_limits(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill(20)
        for order in bench.live():
            order.is_uncancellable = True
        status = await bench.run(until_s=35.0)
        assert status.result.outcome is not Outcome.FLAT
        assert [seen.path for seen in bench.simulated.log if seen.code in TOO_MANY] == []

    play(subject, act, has_limits=True)
