"""Lies that only Pacifica can tell: its counters, its WebSocket, its strategies, its engine."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.contract import Scope
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Wrong
from bot.sandbox.venues.pacifica import SimulatedPacifica
from bot.sandbox.venues.pacifica_shapes import Engine
from tests.adapters.conformance.bench import Bench
from tests.adapters.conformance.lies import End, Lie, uncancellable
from tests.adapters.conformance.ways import (
    Install,
    at,
    later,
    of_cancels,
    otherwise,
    spoilt,
    together,
)

ORDERS, COUNTERS = "/api/v1/orders", "/api/v1/account"
TWAPS, STRATEGIES = "/api/v1/orders/twap", "/api/v1/order_strategies"
SOCKET, FRAMES = "/ws/", "/ws/cancel_"
ALL_FRAME, ALL = "/ws/cancel_all_orders", "/api/v1/orders/cancel_all"
COUNTS = ("orders_count", "stop_orders_count")


def _counting(change: Callable[[int], object], **more: Any) -> Install:
    """Let the account's counters say something else than the truth."""

    def edit(found: Any) -> Any:
        found["data"] |= {name: change(found["data"][name]) for name in COUNTS}
        return found

    return spoilt(edit, COUNTERS, **more)


def _without(name: str) -> Install:
    """Leave one counter out."""

    def edit(found: Any) -> Any:
        del found["data"][name]
        return found

    return spoilt(edit, COUNTERS)


def _counted(count: object) -> Callable[[Any], Any]:
    """Let a cancel-all say how many orders it has cancelled."""

    def edit(found: Any) -> Any:
        return found | {"data": {"cancelled_count": count}}

    return edit


def _with_another_page(found: Any) -> Any:
    return found | {"has_more": True, "next_cursor": "2"}


def _cached(bench: Bench) -> None:
    """From the second reading on, lists come from a cache of before there was any order."""
    bench.fail_each(Wrong.ACCEPT_AND_DROP, bench.subject.cancels, for_s=6.0)
    begins, ends = bench.now + 0.3, bench.now + 6.0

    def edit(found: Any) -> Any:
        if not begins <= bench.now < ends:
            return found
        is_list = isinstance(found["data"], list)
        old = [] if is_list else dict.fromkeys(COUNTS, 0) | {"strategies": []}
        return found | {"data": old} | ({"last_order_id": 7} if is_list else {})

    for path in bench.subject.reads:
        bench.doctor(path, edit)


def _under_other_ids(found: Any) -> Any:
    for row in found["data"]:
        row["order_id"] += 100_000_000
    return found


def _pages_of_strategies(bench: Bench) -> None:
    """Give it as many strategies as come unasked, and show the first page again and again."""
    bench.place("strategy", 97)
    bench.fail(Wrong.REPEAT_CURSOR, STRATEGIES, for_s=2.0)


def _cut_pages(bench: Bench) -> None:
    """Give it more strategies than come unasked, and show no more than these at a time."""
    bench.place("strategy", 110)

    def edit(found: Any) -> Any:
        found["data"]["strategies"] = found["data"]["strategies"][:100]
        return found

    bench.doctor(STRATEGIES, edit)


def _behind_others(bench: Bench) -> None:
    """The strategies in scope stand behind those of another market, and cannot be cancelled."""
    bench.scope = Scope(symbols=("ETH",))
    for order in bench.place("strategy", 3, symbol="ETH", age_s=7200.0):
        order.is_uncancellable = True


def _engine(name: str, *, is_applied: bool = False, for_s: float | None = None) -> Install:
    """Let the engine refuse every cancel."""

    def install(bench: Bench) -> None:
        until = None if for_s is None else bench.now + for_s
        for path in bench.subject.cancels:
            refusal = Engine(name=name, path=path, until=until, is_applied=is_applied)
            bench.simulated.faults.add(refusal)

    return install


def _living_strategies(bench: Bench) -> None:
    """No strategy can be cancelled for a while: what it has placed comes back and back."""
    bench.simulated.faults.add(
        Engine(name="ORDER_NOT_FOUND", path=f"{STRATEGIES}/cancel", until=bench.now + 6.0)
    )


def _under_another_id(found: Any) -> Any:
    return found | {"id": str(uuid.UUID(int=7))}


def _one_late(bench: Bench) -> None:
    """Every answer carries the id of the call before it."""
    ids = [str(uuid.UUID(int=7))]

    def edit(found: Any) -> Any:
        ids.append(found["id"])
        return found | {"id": ids[-2]}

    bench.doctor(FRAMES, edit)


def _closed(bench: Bench) -> None:
    """Close the WebSocket once, and grant no handshake any more."""
    bench.fail(Wrong.RESET, SOCKET, times=1)
    bench.fail(Wrong.UNAVAILABLE, "/ws", is_whole_path=True, uid="")


def _failed_under_200(found: Any) -> Any:
    if "type" in found:
        return found | {"err": "Failed to cancel order"}
    return found | {"success": False, "data": None, "error": "Failed to cancel order", "code": 0}


def _spent(bench: Bench) -> None:
    """Others of our address have spent all credits: the first come back after 20 s."""
    assert isinstance(bench.simulated, SimulatedPacifica)
    credits_of = bench.simulated.credits
    credits_of.is_on = True
    who = (bench.carrier.address, "")
    credits_of.take(who, 1000, anonymous=100, now=bench.now - 40.0)


def _forgotten(bench: Bench) -> None:
    """Strategies that have placed nothing stay, and after the first round their path is none."""
    for order in bench.place("strategy", 3):
        order.is_uncancellable = True
    later(0.3, otherwise(has_strategies=False), bench)


def _hour(bench: Bench) -> None:
    """Every answer says that no credits are left, and that they come back in an hour."""
    honest = bench.simulated.answer

    def answer(request: Request, now: float) -> Answer:
        found = honest(request, now)
        told = {"ratelimit": '"credits";r=0;t=3600', "ratelimit-policy": '"credits";q=1000;w=60'}
        return replace(found, headers={**found.headers, **told})

    bench.fail(Wrong.TOO_MANY, "/api/", for_s=4.0)
    bench.simulated.answer = answer  # type: ignore[method-assign]


_DROPPED = of_cancels(Wrong.ACCEPT_AND_DROP)
_FRAMES_DROPPED = at(Wrong.ACCEPT_AND_DROP, FRAMES)
_ALL_DROPPED = at(Wrong.ACCEPT_AND_DROP, ALL_FRAME, ALL)

PACIFICA = tuple(
    Lie(name=name, install=install, end=end, venues=("pacifica",))
    for name, install, end in (
        # Counters and lists, which are held against each other.
        ("leaves its counter of orders out", _without("orders_count"), End.NOT_FLAT),
        ("leaves its counter of stops out", _without("stop_orders_count"), End.NOT_FLAT),
        ("counts fewer orders than none", _counting(lambda n: -1 - n), End.NOT_FLAT),
        ("counts its orders in words", _counting(lambda _: "none"), End.NOT_FLAT),
        ("counts its orders in digits of text", _counting(str), End.FLAT),
        ("counts an order more than it lists", _counting(lambda n: n + 1), End.NOT_FLAT),
        (
            "counts nothing while orders rest",
            together(uncancellable, _counting(lambda _: 0)),
            End.NOT_FLAT,
        ),
        (
            "lists nothing while its counters count",
            together(_DROPPED, at(Wrong.HIDE, ORDERS, TWAPS, STRATEGIES)),
            End.NOT_FLAT,
        ),
        (
            "lists no stops for 6 s and counts them",
            otherwise(lists_stops=False, for_s=6.0),
            End.FLAT,
        ),
        ("sends lists from a cache of before the last one", _cached, End.FLAT),
        (
            "says that a list without pages goes on",
            spoilt(_with_another_page, ORDERS),
            End.NOT_FLAT,
        ),
        (
            "lists TWAPs under ids that it does not know",
            together(otherwise(covers_twaps=False), spoilt(_under_other_ids, TWAPS)),
            End.NOT_FLAT,
        ),
        # Strategies, which place orders again.
        ("repeats the first page of strategies", _pages_of_strategies, End.FLAT),
        ("shows a hundred strategies at a time, whatever is asked", _cut_pages, End.FLAT),
        (
            "shows strategies in scope on its second page",
            together(_behind_others, _cut_pages),
            End.NOT_FLAT,
        ),
        (
            "shows a page of others' strategies twice",
            together(_behind_others, _cut_pages, at(Wrong.REPEAT_CURSOR, STRATEGIES)),
            End.NOT_FLAT,
        ),
        (
            "has no path for strategies for 6 s",
            otherwise(has_strategies=False, for_s=6.0),
            End.FLAT,
        ),
        ("forgets that there are strategies", _forgotten, End.NOT_FLAT),
        (
            "hides strategies for 6 s while they place again",
            at(Wrong.HIDE, STRATEGIES, for_s=6.0),
            End.FLAT,
        ),
        ("does not cancel strategies for 6 s", _living_strategies, End.FLAT),
        # What a cancel-all says of itself.
        (
            "counts 99 orders as cancelled and cancels none",
            together(_ALL_DROPPED, spoilt(_counted(99), ALL_FRAME, ALL)),
            End.FLAT,
        ),
        (
            "counts no order as cancelled and cancels all",
            spoilt(_counted(0), ALL_FRAME, ALL),
            End.FLAT,
        ),
        (
            "counts what it dropped in words",
            together(_ALL_DROPPED, spoilt(_counted("all of them"), ALL_FRAME, ALL)),
            End.FLAT,
        ),
        (
            "says 200 and that it failed",
            together(
                of_cancels(Wrong.ACCEPT_AND_DROP, for_s=6.0),
                spoilt(_failed_under_200, FRAMES, ALL, for_s=6.0),
            ),
            End.FLAT,
        ),
        # The WebSocket.
        ("is silent on its WebSocket", at(Wrong.HANG, SOCKET), End.FLAT),
        ("closes its WebSocket on every frame", at(Wrong.RESET, SOCKET), End.FLAT),
        ("closes its WebSocket and grants no other", _closed, End.FLAT),
        (
            "answers frames under an id of nobody and drops them",
            together(_FRAMES_DROPPED, spoilt(_under_another_id, FRAMES)),
            End.FLAT,
        ),
        (
            "answers each frame under the id of the one before and drops it",
            together(_FRAMES_DROPPED, _one_late),
            End.FLAT,
        ),
        (
            "fails on its WebSocket without saying on which call",
            together(otherwise(ws_errors_have_id=False), at(Wrong.SERVER, SOCKET)),
            End.FLAT,
        ),
        # The engine behind it.
        ("loses the engine's answers for 6 s", _engine("RESPONSE_DROPPED", for_s=6.0), End.FLAT),
        (
            "loses the engine's answers to cancels that it made",
            _engine("RESPONSE_DROPPED", is_applied=True, for_s=6.0),
            End.FLAT,
        ),
        ("has trading disabled for 10 s", _engine("TRADING_DISABLED", for_s=10.0), End.FLAT),
        ("has trading disabled", _engine("TRADING_DISABLED"), End.NOT_FLAT),
        ("has no credits left for 20 s", _spent, End.FLAT),
        ("says that credits come back in an hour", _hour, End.FLAT),
    )
)
