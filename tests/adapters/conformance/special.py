"""Lies that only one venue can tell, each in the venue's own words."""

from __future__ import annotations

from typing import Any

from bot.sandbox.venues.coinapi import SimulatedCoinapi
from bot.sandbox.venues.coinapi_shapes import Hitch, Reason
from tests.adapters.conformance.bench import Bench
from tests.adapters.conformance.lies import End, Lie, uncancellable
from tests.adapters.conformance.special_pacifica import PACIFICA
from tests.adapters.conformance.special_synthetix import SYNTHETIX
from tests.adapters.conformance.ways import each_row, edited


def _ems(bench: Bench) -> SimulatedCoinapi:
    assert isinstance(bench.simulated, SimulatedCoinapi)
    return bench.simulated


def _hitch(reason: Reason | None, path: str = "/v1/orders/cancel/all", **more: Any) -> Any:
    def install(bench: Bench) -> None:
        hitch = Hitch(reason=reason, uid=bench.subject.book, path=path, **more)
        bench.simulated.faults.add(hitch)

    return install


def _takes_no_cancel_all(bench: Bench) -> None:
    _ems(bench).without_cancel_all.add("KRAKEN")


def _sends_orders_of_another(bench: Bench) -> None:
    uncancellable(bench)
    edited(each_row(lambda row: row.update(exchange_id="KRAKEN/ANN")), times=None)(bench)


def _has_orders_on_their_way(bench: Bench) -> None:
    bench.place("transit", 3, age_s=0.2)


COINAPI = tuple(
    Lie(name=name, install=install, end=end, venues=("coinapi",))
    for name, install, end in (
        (
            "moves orders from PENDING_CANCEL back to NEW",
            _hitch(None, path="/v1/orders/cancel", times=4),
            End.FLAT,
        ),
        (
            "cannot reach the exchange for a while",
            _hitch(Reason.EXCHANGE_UNREACHABLE, times=3),
            End.FLAT,
        ),
        (
            "cannot reach the exchange",
            _hitch(Reason.EXCHANGE_UNREACHABLE, path="/v1/orders"),
            End.NOT_FLAT,
        ),
        (
            "hears nothing of the exchange",
            _hitch(Reason.EXCHANGE_RESPONSE_TIMEOUT, times=3),
            End.FLAT,
        ),
        (
            "hears nothing of the exchange, which did cancel",
            _hitch(Reason.EXCHANGE_RESPONSE_TIMEOUT, times=2, is_applied=True),
            End.FLAT,
        ),
        ("rejects a cancel-all for another reason", _hitch(Reason.OTHER, times=3), End.FLAT),
        ("takes no cancel-all", _takes_no_cancel_all, End.FLAT),
        ("names another exchange account in every row", _sends_orders_of_another, End.NOT_FLAT),
        ("lets orders on their way slip past", _has_orders_on_their_way, End.FLAT),
    )
)

SPECIAL: tuple[Lie, ...] = (*COINAPI, *PACIFICA, *SYNTHETIX)
