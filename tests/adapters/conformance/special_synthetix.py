"""Lies that only Synthetix can tell: its messages, its pages, its nonces, its delegates."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.carrier import Reply, WireRequest
from adapters.contract import Scope
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Wrong
from bot.sandbox.venues.synthetix import SimulatedSynthetix
from bot.sandbox.venues.synthetix_accounts import Delegate
from bot.sandbox.venues.synthetix_shapes import Above, Empty, Nonces, Unit, Wildcard
from tests.adapters.conformance.bench import Bench
from tests.adapters.conformance.lies import End, Lie, slow_cancels
from tests.adapters.conformance.ways import (
    Install,
    at,
    each_row,
    later,
    of_cancels,
    otherwise,
    spoilt,
    together,
)

ALL, SOME = "/v1/trade/cancelAllOrders", "/v1/trade/cancelOrders"
READING = "/v1/trade/getOpenOrders"
TRADE = "/v1/trade/"


def _venue(bench: Bench) -> SimulatedSynthetix:
    assert isinstance(bench.simulated, SimulatedSynthetix)
    return bench.simulated


def _delegate(bench: Bench) -> str:
    (address,) = _venue(bench).registry.accounts[bench.subject.book].delegates
    return address


def _stubborn(code: str, *, for_s: float | None = None) -> Install:
    """Refuse the cancel of every order, each by itself."""

    def install(bench: Bench) -> None:
        stubborn = _venue(bench).stubborn
        stubborn |= {order.order_id: code for order in bench.live()}
        if for_s is not None:
            later(for_s, stubborn.clear)

    return install


def _saying(message: str) -> Install:
    """Put the same words beside every order of a cancel-all."""
    return spoilt(each_row(lambda row: row.update(message=message)), ALL)


def _error(code: str, said: str) -> Callable[[Any], Any]:
    def edit(_: Any) -> Any:
        return {"status": "error", "error": {"code": code, "message": said}}

    return edit


def _finding_none(bench: Bench) -> None:
    """A cancel-all finds no order, whatever rests."""
    bench.fail(Wrong.ACCEPT_AND_DROP, ALL)
    bench.doctor(ALL, _error("VALIDATION_ERROR", "No orders found"))


def _without_markets(bench: Bench) -> None:
    """It knows neither `*` nor any market that it lists."""
    otherwise(wildcard=Wildcard.UNKNOWN, empty=Empty.REFUSED)(bench)
    _venue(bench).markets.clear()


def _many(bench: Bench) -> None:
    """Give it more orders than can be cancelled one by one in time."""
    bench.place("limit", 1_600)


def _with_an_unlisted_market(bench: Bench) -> None:
    """Some orders are in a market that was delisted, whose name spoils every call."""
    bench.place("limit", 3, symbol="OLD-USDT")
    otherwise(wildcard=Wildcard.UNKNOWN)(bench)


def _deep(count: int, **conflicts: Any) -> Install:
    """Give it more orders that no cancel-all takes than a page shows."""

    def install(bench: Bench) -> None:
        bench.place("twap", count)
        otherwise(**conflicts)(bench)

    return install


def _behind_others(bench: Bench) -> None:
    """Orders in scope stand behind those of another market, and cannot be cancelled."""
    otherwise(limit_max=50)(bench)
    bench.scope = Scope(symbols=("ETH-USDT",))
    bench.place("limit", 80, symbol="BTC-USDT")
    for order in bench.place("twap", 10, symbol="ETH-USDT", age_s=60.0):
        order.is_uncancellable = True
    bench.place("limit", 80, symbol="BTC-USDT", age_s=90.0)


def _asked_otherwise(change: Callable[[int], int], *, for_s: float = math.inf) -> Install:
    """Read from another offset than was asked for: it is not signed."""

    def install(bench: Bench) -> None:
        honest, until = bench.simulated.answer, bench.now + for_s

        def answer(request: Request, now: float) -> Answer:
            asked = json.loads(request.body)
            offset = asked["params"].get("offset", 0)
            if offset and now < until:
                asked["params"]["offset"] = change(offset)
                request = replace(request, body=json.dumps(asked).encode())
            return honest(request, now)

        bench.simulated.answer = answer  # type: ignore[method-assign]

    return install


def _refused_nonces(bench: Bench) -> None:
    """Fresh nonces are refused for a while."""
    bench.fail(Wrong.ACCEPT_AND_DROP, "/v1/trade/cancel", for_s=4.0)
    spoilt(_error("UNAUTHORIZED", "nonce already used"), "/v1/trade/cancel", for_s=4.0)(bench)


def _rival(bench: Bench) -> None:
    """Another program signs with the key, always a little ahead, and nonces must rise."""
    taken = _venue(bench).registry.nonces.setdefault(_delegate(bench), set())
    otherwise(nonces=Nonces.RISING)(bench)

    def sign() -> None:
        taken.add(int(bench.now * 1000) + 2_500)

    for number in range(400):
        later(0.2 * number, sign)


def _overtaken(bench: Bench) -> None:
    """The first cancel-all is half a second on its way: the cancels after it come before it."""
    straight, first = bench.carrier.exchange, [True]

    async def delayed(request: WireRequest) -> Reply:
        if first[0] and b"cancelAllOrders" in (request.body or b""):
            first[0] = False
            await asyncio.sleep(0.5)
        return await straight(request)

    bench.carrier.exchange = delayed  # type: ignore[method-assign]


def _delegated_late(bench: Bench) -> None:
    """The key was delegated a moment ago, and its first refusal counts for thirty seconds."""
    venue, uid, address = _venue(bench), bench.subject.book, _delegate(bench)
    venue.remove_delegate(uid, address)
    later(1.0, venue.add_delegate, uid, address, Delegate())


def _telling(**fields: object) -> Install:
    """Tell something in every answer."""
    return spoilt(lambda found: found | fields, TRADE)


def _times_told(by_s: float) -> Install:
    """Tell another time in every answer, and hold calls to the true one."""

    def edit(found: Any) -> Any:
        return found | {"timestamp": found["timestamp"] + int(by_s * 1000)}

    return together(otherwise(expiry_unit=Unit.MILLISECONDS), spoilt(edit, TRADE, for_s=6.0))


def _half_told(found: Any) -> Any:
    """Tell of every second order of a batch only, and of one that nobody asked about."""
    statuses = found["response"]["statuses"][::2]
    stranger = {"canceled": {"order": {"venueId": "1", "clientId": ""}, "id": "1"}}
    return found | {"response": {"statuses": [*statuses, stranger]}}


def _all_cancelled(found: Any) -> Any:
    """Say of every order that was asked about that it is cancelled."""
    statuses = [
        {"canceled": {"order": row["order"], "id": row["order"]["venueId"]}}
        for row in found["response"]["statuses"]
    ]
    return found | {"response": {"statuses": statuses}}


SYNTHETIX = tuple(
    Lie(name=name, install=install, end=end, venues=("synthetix",))
    for name, install, end in (
        # What it says of each order.
        (
            "says of every order that it could not be cancelled",
            _saying("Failed to cancel order"),
            End.FLAT,
        ),
        (
            "says of every order that it was cancelled",
            together(
                _stubborn("CANCEL_FAILED"),
                _saying("Order cancelled successfully"),
                spoilt(_all_cancelled, SOME),
            ),
            End.NOT_FLAT,
        ),
        ("fails to cancel each order for ever", _stubborn("CANCEL_FAILED"), End.NOT_FLAT),
        (
            "times out on each order for 8 s",
            _stubborn("OPERATION_TIMEOUT", for_s=8.0),
            End.FLAT,
        ),
        ("finds none of the orders that it lists", _stubborn("ORDER_NOT_FOUND"), End.NOT_FLAT),
        (
            "tells of half of a batch and of a stranger",
            together(at(Wrong.HALF, SOME, for_s=4.0), spoilt(_half_told, SOME, for_s=4.0)),
            End.FLAT,
        ),
        ("finds no orders to cancel", _finding_none, End.FLAT),
        # Symbols.
        (
            "takes no * for 6 s and drops what it takes",
            together(
                otherwise(wildcard=Wildcard.UNKNOWN, for_s=6.0),
                at(Wrong.ACCEPT_AND_DROP, ALL, for_s=6.0),
            ),
            End.FLAT,
        ),
        (
            "takes no * for an account of 1,600 orders",
            together(_many, otherwise(wildcard=Wildcard.UNKNOWN)),
            End.FLAT,
        ),
        ("knows no market that it lists", _without_markets, End.FLAT),
        ("has orders in a market that it no longer knows", _with_an_unlisted_market, End.FLAT),
        # Pages.
        ("shows fifty orders a page, whatever is asked", _deep(130, limit_max=50), End.FLAT),
        (
            "refuses every page of more than a hundred",
            _deep(130, limit_max=100, above=Above.REFUSED),
            End.FLAT,
        ),
        (
            "shows the first page for every other",
            together(_deep(130, limit_max=50), at(Wrong.REPEAT_CURSOR, READING, for_s=5.0)),
            End.FLAT,
        ),
        (
            "leaves out a page",
            together(
                _deep(130, limit_max=50), _asked_otherwise(lambda offset: offset + 50, for_s=5.0)
            ),
            End.FLAT,
        ),
        (
            "says that the second page is empty",
            together(_deep(130, limit_max=50), _asked_otherwise(lambda _: 10_000, for_s=5.0)),
            End.FLAT,
        ),
        (
            "shows a page of another market twice",
            together(_behind_others, at(Wrong.REPEAT_CURSOR, READING)),
            End.NOT_FLAT,
        ),
        (
            "leaves out the page with the orders in scope",
            together(_behind_others, _asked_otherwise(lambda offset: offset + 50)),
            End.NOT_FLAT,
        ),
        (
            "moves its pages while they are read",
            together(_deep(130, limit_max=50), slow_cancels),
            End.FLAT,
        ),
        # Nonces and who may sign.
        ("refuses fresh nonces for 4 s", _refused_nonces, End.FLAT),
        ("takes another program's nonces with our key", _rival, End.FLAT),
        (
            "wants rising nonces and gets the first one last",
            together(_overtaken, otherwise(nonces=Nonces.RISING)),
            End.FLAT,
        ),
        ("hears half a minute late that the key was delegated", _delegated_late, End.FLAT),
        # Envelopes.
        (
            "refuses the key for 10 s under 200",
            together(otherwise(errors_under_200=True), of_cancels(Wrong.REFUSED_KEY, for_s=10.0)),
            End.FLAT,
        ),
        (
            "says in every answer that no tokens are left",
            _telling(rateLimit={"requestsCap": 1000, "remainingTokens": 0}),
            End.FLAT,
        ),
        (
            "says in every answer that a bucket holds one token",
            _telling(rateLimit={"requestsCap": 1, "remainingTokens": 1}),
            End.FLAT,
        ),
        ("tells the time of twelve hours ago for 6 s", _times_told(-43_200.0), End.FLAT),
        ("tells the time of twelve hours hence for 6 s", _times_told(43_200.0), End.FLAT),
    )
)
