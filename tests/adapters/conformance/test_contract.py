"""What every adapter owes, asked of each against its simulated venue, on virtual time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from adapters import registry
from adapters.contract import (
    Protective,
    Purpose,
    Scope,
    VenueAuthRefused,
    VenueBanned,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueReplyInvalid,
    VenueThrottled,
)
from bot.domain.result import Outcome
from bot.sandbox.venues.faults import Wrong
from tests.adapters.conformance.bench import Bench, classes, play
from tests.adapters.conformance.subjects import SUBJECTS, Subject

pytestmark = pytest.mark.no_cover  # The gates hold without it.

EACH = [pytest.param(subject, id=name) for name, subject in SUBJECTS.items()]
KINDS = [
    pytest.param(subject, kind, id=f"{name} {kind}")
    for name, subject in SUBJECTS.items()
    for kind in subject.kinds
]
every_venue = pytest.mark.parametrize("subject", EACH)
every_kind = pytest.mark.parametrize(("subject", "kind"), KINDS)


def test_every_venue_of_the_registry_is_on_the_bench():
    assert SUBJECTS.keys() == registry.venues().keys()


@every_venue
def test_every_order_class_that_is_promised_has_orders_on_the_bench(subject: Subject):
    promised = registry.venues()[subject.name].capabilities.order_classes
    assert set(subject.kinds.values()) == set(promised)


@every_venue
def test_a_run_leaves_nothing_and_touches_nobody_else(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill()
        before = bench.open(subject.bystander)
        status = await bench.run()
        assert status.result.outcome is Outcome.FLAT
        assert (bench.open(), bench.open(subject.bystander)) == ({}, before)
        assert {verdict.open for verdict in bench.verdicts} == {0}

    play(subject, act)


@every_kind
def test_orders_of_one_kind_are_read_under_their_class_and_all_go(subject: Subject, kind: str):
    async def act(bench: Bench) -> None:
        placed = bench.place(kind, 3)
        reading = await bench.read()
        assert (reading.unread, reading.has_more) == ((), ())
        assert classes(reading) == {subject.kinds[kind]: 3}
        assert {order.order_id for order in reading.orders} == set(map(subject.shown_id, placed))
        receipts = await bench.cancel()
        assert [receipt.error for receipt in receipts if receipt.error] == []
        await bench.settle()
        assert bench.open() == ({kind: 3} if kind in subject.stays else {})
        status = await bench.run()
        assert (status.result.outcome, bench.open()) == (Outcome.FLAT, {})

    play(subject, act)


@every_kind
def test_an_order_tells_its_symbol_and_its_age(subject: Subject, kind: str):
    async def act(bench: Bench) -> None:
        (placed,) = bench.place(kind, age_s=90)
        (order,) = (await bench.read()).orders
        assert order.symbol in (placed.symbol, "unknown")
        assert order.created is None or abs(order.created.timestamp() - bench.now + 90) < 2

    play(subject, act)


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        pytest.param(subject, kind, id=f"{name} {kind}")
        for name, subject in SUBJECTS.items()
        for kind in subject.symbol_kinds
    ],
)
def test_a_scope_by_symbol_reaches_that_symbol_and_no_other(subject: Subject, kind: str):
    ours, other = subject.symbols

    async def act(bench: Bench) -> None:
        bench.place(kind, 3, symbol=ours)
        kept = bench.place(kind, 2, symbol=other)
        bench.scope = Scope(symbols=(ours,))
        reading = await bench.read()
        assert classes(reading) == {subject.kinds[kind]: 3}
        status = await bench.run()
        assert status.result.outcome is Outcome.FLAT
        assert {o.order_id for o in bench.live()} == {o.order_id for o in kept}

    play(subject, act)


@pytest.mark.parametrize(
    ("subject", "kind", "by"),
    [
        pytest.param(subject, kind, by, id=f"{name} {kind} {by}")
        for name, subject in SUBJECTS.items()
        for kind in subject.symbol_kinds
        for by in ("order_id", "link_id")
        if by == "order_id" or kind not in subject.nameless
    ],
)
def test_one_order_is_cancelled_and_its_neighbours_stay(subject: Subject, kind: str, by: str):
    async def act(bench: Bench) -> None:
        symbol = subject.symbols[0]
        meant, *kept = bench.place(kind, 4, symbol=symbol)
        meant.link_id = meant.link_id or subject.client_id
        name = subject.shown_id(meant) if by == "order_id" else meant.link_id
        bench.scope = Scope(symbols=(symbol,), order_id=name)
        status = await bench.run()
        assert status.result.outcome is Outcome.FLAT
        assert {o.order_id for o in bench.live()} == {o.order_id for o in kept}

    play(subject, act)


@pytest.mark.parametrize("subject", [each for each in EACH if each.values[0].has_protective])
def test_what_protects_stays_where_the_config_says_so(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill(9)
        everything = {order.order_id: order for order in (await bench.read()).orders}
        guards = {key for key, order in everything.items() if order.is_protective}
        assert guards
        assert len(guards) < len(everything)
        bench.scope = Scope(protective=Protective.KEEP)
        status = await bench.run()
        left = {order.order_id for order in bench.live()}
        assert status.result.outcome is Outcome.FLAT
        assert left >= guards
        assert {everything[key].order_class for key in left - guards} <= {"strategy"}

    play(subject, act)


@pytest.mark.parametrize(
    ("subject", "off"),
    [
        pytest.param(subject, order_class, id=f"{name} {order_class}")
        for name, subject in SUBJECTS.items()
        for order_class in dict.fromkeys(subject.kinds.values())
        if len(set(subject.kinds.values())) > 1
    ],
)
def test_a_class_that_is_switched_off_is_neither_read_nor_touched(subject: Subject, off):
    async def act(bench: Bench) -> None:
        bench.fill(2, with_children=False)
        before = {kind: n for kind, n in bench.open().items() if subject.kinds[kind] == off}
        bench.scope = Scope(classes_off=(off,))
        assert off not in classes(await bench.read())
        status = await bench.run()
        assert status.result.outcome is Outcome.FLAT
        assert bench.open() == before

    play(subject, act)


@every_venue
def test_a_long_list_is_read_to_its_end(subject: Subject):
    kind = next(iter(subject.kinds))

    async def act(bench: Bench) -> None:
        bench.place(kind, 1_130)
        reading = await bench.read()
        assert (len(reading.orders), reading.has_more) == (1_130, ())
        short = await bench.read(pages_max=1)
        assert bool(short.has_more) == subject.is_paged
        assert not short.is_clean

    play(subject, act)


@every_venue
def test_an_acknowledgement_is_a_receipt_and_not_a_result(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill(2)
        before = bench.open()
        bench.fail_each(Wrong.ACCEPT_AND_DROP, subject.cancels)
        receipts = await bench.cancel()
        assert [receipt.error for receipt in receipts if receipt.error] == []
        await bench.settle()
        assert bench.open() == before
        assert len((await bench.read()).orders) == sum(before.values())

    play(subject, act)


FAULTS: list[tuple[Wrong, tuple[type[VenueError], ...]]] = [
    (Wrong.TOO_MANY, (VenueThrottled,)),
    (Wrong.SERVER, (VenueOutcomeUnknown,)),
    (Wrong.UNAVAILABLE, (VenueOutcomeUnknown,)),
    (Wrong.HTML, (VenueReplyInvalid,)),
    (Wrong.EMPTY, (VenueReplyInvalid,)),
    (Wrong.REDIRECT, (VenueReplyInvalid, VenueOutcomeUnknown)),
    (Wrong.HANG, (VenueOutcomeUnknown,)),
    (Wrong.RESET, (VenueOutcomeUnknown,)),
    (Wrong.CUT, (VenueOutcomeUnknown,)),
    (Wrong.DRIP, (VenueOutcomeUnknown,)),
    (Wrong.LOST_REPLY, (VenueOutcomeUnknown,)),
    (Wrong.OVERSIZE, (VenueReplyInvalid,)),
    (Wrong.NO_LIST, (VenueReplyInvalid,)),
    (Wrong.REFUSED_KEY, (VenueAuthRefused,)),
]


@pytest.mark.parametrize(
    ("subject", "wrong", "path", "kinds"),
    [
        pytest.param(subject, wrong, path, kinds, id=f"{name} {wrong.name} {path}")
        for name, subject in SUBJECTS.items()
        for wrong, kinds in FAULTS
        for path in subject.reads
        if wrong is not Wrong.REFUSED_KEY or subject.signs_readings
    ],
)
def test_a_reading_that_fails_is_unread_and_says_how(subject, wrong: Wrong, path: str, kinds):
    """It is raised by nobody and never clean, though the book is empty."""

    async def act(bench: Bench) -> None:
        fault = bench.fail(wrong, path)
        reading = await bench.read()
        assert not reading.is_clean
        assert not reading.orders
        assert {type(entry.error) for entry in reading.unread} <= set(kinds)
        assert fault.met >= 1

    play(subject, act)


@pytest.mark.parametrize(
    ("wrong", "kinds"),
    [pair for pair in FAULTS if pair[0] not in (Wrong.NO_LIST, Wrong.HTML, Wrong.EMPTY)],
    ids=lambda value: value.name if isinstance(value, Wrong) else "",
)
@every_venue
def test_a_cancel_that_fails_is_a_receipt_that_says_how(subject: Subject, wrong: Wrong, kinds):
    async def act(bench: Bench) -> None:
        bench.fill(2)
        bench.fail_each(wrong, subject.cancels)
        receipts = await bench.cancel()
        errors = [receipt.error for receipt in receipts if receipt.error]
        assert errors
        assert {type(error) for error in errors} <= set(kinds)

    play(subject, act)


@every_venue
def test_a_venue_that_cannot_be_reached_got_nothing(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill(1)
        bench.carrier.is_cut_off = True
        receipts = await bench.cancel()
        told = {type(receipt.error) for receipt in receipts}
        assert VenueNotReached in told
        assert told <= {VenueNotReached, VenueOutcomeUnknown}  # A socket that is open may lose it.
        reading = await bench.read()
        assert {type(entry.error) for entry in reading.unread} == {VenueNotReached}

    play(subject, act)


@every_venue
def test_nothing_is_sent_once_consent_is_over(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill(1)
        before = bench.open()
        adapter = bench.adapter(may_send=lambda: False)
        receipts = await adapter.cancel_all(Scope())
        reading = await adapter.open_orders(Scope(), pages_max=1)
        assert bench.carrier.calls == []
        assert {type(receipt.error) for receipt in receipts} == {VenueNotReached}
        assert {type(entry.error) for entry in reading.unread} == {VenueNotReached}
        assert bench.open() == before

    play(subject, act)


@every_venue
def test_a_key_that_is_not_the_accounts_cancels_nothing(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill(1)
        before = bench.open()
        receipts = await bench.adapter(subject.stranger).cancel_all(Scope())
        assert any(isinstance(each.error, VenueAuthRefused) for each in receipts)
        assert not any(each.accepted for each in receipts)
        await bench.settle()
        assert bench.open() == before

    play(subject, act)


@every_venue
def test_a_key_is_for_its_account(subject: Subject):
    async def act(bench: Bench) -> None:
        assert subject.uid in (await bench.adapter().check()).accounts

    play(subject, act)


@every_venue
def test_a_document_that_is_no_key_is_refused_without_its_text(subject: Subject):
    async def act(bench: Bench) -> None:
        with pytest.raises(VenueAuthRefused) as caught:
            bench.adapter({"wrong": "not-to-be-shown"})
        assert "not-to-be-shown" not in f"{caught.value!r} {caught.value.remedy}"

    play(subject, act)


@every_venue
def test_looking_leaves_room_for_runs_and_cancels_nothing(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill(1)
        before = bench.open()
        reader = bench.venue.reader(subject.uid) or bench.adapter(purpose=Purpose.LOOK)
        reading = await reader.open_orders(Scope(), pages_max=1)
        assert len(reading.orders) == sum(before.values())
        assert bench.open() == before

    play(subject, act)


@every_venue
def test_no_log_line_holds_a_key(subject: Subject, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    hidden = [str(value) for name, value in subject.secret.items() if name != "accounts"]

    async def act(bench: Bench) -> None:
        bench.fill(1)
        bench.fail_each(Wrong.REFUSED_KEY, subject.cancels, times=1)
        bench.fail_each(Wrong.SERVER, subject.reads, times=1)
        status = await bench.run()
        said = f"{status!r} {bench.adapter()!r} {bench.venue!r}"
        records = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
        assert records
        assert not [secret for secret in hidden if secret in said or secret in "".join(records)]

    play(subject, act)


@every_venue
def test_two_targets_at_once_do_not_trip_over_each_other(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill(3)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(bench.cancel())
            second = group.create_task(bench.cancel())
        refused = [
            receipt.error
            for receipt in (*first.result(), *second.result())
            if isinstance(receipt.error, VenueAuthRefused | VenueBanned)
        ]
        assert refused == []
        status = await bench.run()
        assert (status.result.outcome, bench.open()) == (Outcome.FLAT, {})

    play(subject, act)


@every_venue
def test_the_documented_limits_are_kept(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill(20)
        status = await bench.run()
        assert (status.result.outcome, bench.open()) == (Outcome.FLAT, {})
        assert [seen.code for seen in bench.simulated.log if seen.code in ("429", "403")] == []

    play(subject, act, has_limits=True)
