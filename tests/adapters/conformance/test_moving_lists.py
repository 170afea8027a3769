"""A list that moves while its pages are read hides nothing of ours."""

from __future__ import annotations

import pytest

from adapters.contract import Scope
from bot.domain.result import Outcome
from bot.sandbox.venues.exchange import Answer, Request
from tests.adapters.conformance.bench import Bench, play
from tests.adapters.conformance.subjects import SUBJECTS, Subject

pytestmark = pytest.mark.no_cover  # The gates hold without it.

THRONG = 1_010


@pytest.mark.parametrize(
    "subject",
    [pytest.param(each, id=name) for name, each in SUBJECTS.items() if each.is_paged],
)
def test_orders_of_others_that_go_between_two_pages_hide_none_of_ours(subject: Subject):
    """Pages counted by number or offset then skip as many."""
    ours, other = subject.symbols
    kind = subject.symbol_kinds[0]

    async def act(bench: Bench) -> None:
        (meant,) = bench.place(kind, symbol=ours, age_s=3600)
        meant.is_uncancellable = True
        bench.scope = Scope(symbols=(ours,))
        honest, last = bench.simulated.answer, [0.0]

        def moving(request: Request, now: float) -> Answer:
            if now - last[0] > 0.2:  # A new reading: as many as there were.
                crowd = [o for o in bench.live() if o.symbol == other]
                bench.place(kind, THRONG - len(crowd), symbol=other, age_s=0.0)
            answer = honest(request, now)
            if bench.simulated.log[-1].path in subject.reads:
                last[0] = now
                for order in [o for o in bench.live() if o.symbol == other][
                    : bench.rng.randrange(400)
                ]:
                    order.gone_at = now
            return answer

        bench.simulated.answer = moving  # type: ignore[method-assign]
        status = await bench.run(until_s=6.0)
        told = [verdict for verdict in bench.verdicts if verdict.outcome is Outcome.FLAT]
        assert not [verdict for verdict in told if verdict.open]
        assert status.result.outcome is not Outcome.FLAT

    play(subject, act)
