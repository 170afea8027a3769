"""What holds for every venue when its keys are inspected and it is looked at, never in a run."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from adapters import registry
from adapters.contract import (
    Priority,
    Purpose,
    VenueAuthRefused,
    VenueError,
    VenueNotReached,
    VenueReplyInvalid,
)
from adapters.gate import Call, Gate
from bot.sandbox.venues.faults import Wrong
from tests.adapters.conformance import test_contract
from tests.adapters.conformance.bench import BASE_URL, Bench, play
from tests.adapters.conformance.subjects import SUBJECTS, Subject, document
from tests.adapters.pure import PureCarrier
from tests.fakes import clock as clocks

every_venue = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=list(SUBJECTS))
OF_ORDERS = {Wrong.LOST_REPLY, Wrong.NO_LIST, Wrong.REFUSED_KEY}
"""What goes wrong only with orders, or is no fault of a call that just looks."""
FAULTS = [(wrong, kinds) for wrong, kinds in test_contract.FAULTS if wrong not in OF_ORDERS]


def shown(error: BaseException) -> str:
    """Return all that anybody could print of an error, with what it came from."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize(
    ("subject", "wrong", "path", "kinds"),
    [
        pytest.param(subject, wrong, path, kinds, id=f"{name} {wrong.name} {path}")
        for name, subject in SUBJECTS.items()
        for wrong, kinds in FAULTS
        for path in subject.inspects
    ],
)
def test_an_inspection_that_fails_says_how_and_shows_no_key(
    subject: Subject, wrong: Wrong, path: str, kinds, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    hidden = [str(value) for name, value in subject.secret.items() if name != "accounts"]

    async def act(bench: Bench) -> None:
        fault = bench.fail(wrong, path, uid="")
        with pytest.raises(VenueError) as caught:
            await bench.adapter(purpose=Purpose.LOOK).inspect()
        assert isinstance(caught.value, kinds)
        assert fault.met == 1
        records = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
        said = "".join([shown(caught.value), *records])
        assert not [secret for secret in hidden if secret in said]

    play(subject, act)


@pytest.mark.parametrize(
    ("subject", "wrong", "kinds"),
    [
        pytest.param(subject, wrong, kinds, id=f"{name} {wrong.name}")
        for name, subject in SUBJECTS.items()
        for wrong, kinds in FAULTS
    ],
)
def test_a_look_that_fails_says_how(subject: Subject, wrong: Wrong, kinds):
    async def act(bench: Bench) -> None:
        fault = bench.fail(wrong, subject.looks_at, uid="")
        with pytest.raises(VenueError) as caught:
            await bench.venue.look()
        assert isinstance(caught.value, kinds)
        assert fault.met == 1

    play(subject, act)


@pytest.mark.parametrize("name", ["bybit", "pacifica", "synthetix"])
def test_a_look_at_something_else_is_none(name: str):
    """It answers in the venue's own envelope, and yet not what was asked."""

    async def act(bench: Bench) -> None:
        told = {"retCode": 0, "success": True, "status": "ok", "data": {}, "result": {}}
        bench.doctor(bench.subject.looks_at, lambda _: told | {"response": {}})
        with pytest.raises(VenueReplyInvalid):
            await bench.venue.look()

    play(SUBJECTS[name], act)


@every_venue
def test_a_venue_that_cannot_be_reached_is_neither_seen_nor_asked(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.carrier.is_cut_off = True
        with pytest.raises(VenueNotReached):
            await bench.venue.look()
        with pytest.raises(VenueNotReached):
            await bench.adapter().inspect()

    play(subject, act)


@every_venue
def test_each_look_is_a_fresh_one(subject: Subject):
    async def act(bench: Bench) -> None:
        await bench.venue.look()
        facts = await bench.venue.look()
        assert [path for _, path in bench.carrier.calls].count(_asked(subject)) == 2
        assert facts.rtt_s == pytest.approx(0.05)

    play(subject, act)


def _asked(subject: Subject) -> str:
    """Return method and path of a look; where actions share a path, the wire has them inside."""
    is_post = subject.looks_at.startswith("/v1/info/")
    return "POST /v1/info" if is_post else f"GET {subject.looks_at}"


@every_venue
def test_an_inspection_knows_the_account_and_touches_no_order(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fill(1)
        before = bench.open()
        bench.simulated.log.clear()
        facts = await bench.adapter(purpose=Purpose.LOOK).inspect()
        assert subject.uid in facts.accounts
        assert {seen.path for seen in bench.simulated.log} == set(subject.inspects)
        await bench.settle()
        assert bench.open() == before

    play(subject, act)


@every_venue
def test_a_key_that_is_not_the_accounts_is_refused_by_the_venue(subject: Subject):
    async def act(bench: Bench) -> None:
        with pytest.raises(VenueAuthRefused) as caught:
            await bench.adapter(subject.stranger).inspect()
        assert caught.value.remedy

    play(subject, act)


@every_venue
def test_a_key_that_the_venue_refuses_is_never_said_to_be_good(subject: Subject):
    async def act(bench: Bench) -> None:
        bench.fail_each(Wrong.REFUSED_KEY, subject.inspects)
        if subject.proves:
            with pytest.raises(VenueAuthRefused):
                await bench.adapter().inspect()
        else:
            facts = await bench.adapter().inspect()
            assert facts.can_cancel is None
            assert any("is not shown" in warning for warning in facts.warnings)

    play(subject, act)


@every_venue
def test_a_run_asks_nothing_that_only_an_inspection_asks(subject: Subject):
    asked_in_runs = {*subject.reads, "/v5/user/query-api"}
    only = set(subject.inspects) - asked_in_runs

    async def act(bench: Bench) -> None:
        bench.fill(1)
        bench.simulated.log.clear()
        await bench.run()
        assert only.isdisjoint(seen.path for seen in bench.simulated.log)

    play(subject, act)


class Watched(Gate):
    """Keeps the priority of every call that passes."""

    passed: list[Priority]

    @asynccontextmanager
    async def passage(self, call: Call) -> AsyncIterator[None]:
        self.passed.append(call.priority)
        async with super().passage(call):
            yield


@every_venue
@pytest.mark.parametrize("purpose", list(Purpose))
def test_both_wait_behind_every_run(subject: Subject, purpose: Purpose):
    async def main() -> list[Priority]:
        kind = registry.venues()[subject.name]
        carrier = PureCarrier(subject.simulate(seed=0, has_limits=False))
        settings = kind.settings.model_validate({"base_url": BASE_URL} | dict(subject.settings))
        gate = Watched(kind.address)
        gate.passed = []
        async with kind.connect(settings, gate=gate, state_dir=None, carrier=carrier) as venue:
            await asyncio.sleep(1.0)
            gate.passed.clear()
            signer = venue.signer(SecretStr(document(subject.secret)))
            await venue.look()
            await venue.adapter(signer, uid=subject.uid, purpose=purpose).inspect()
            return gate.passed

    passed = clocks.run(main())
    assert passed == [Priority.OTHER] * (1 + len(subject.inspects))
