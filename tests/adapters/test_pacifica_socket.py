"""The warm socket, and what a call does when it is not there, silent, dead or wrong."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from pydantic import ValidationError

from adapters import pacifica, pacifica_calls
from adapters.contract import (
    Purpose,
    Receipt,
    Scope,
    VenueAuthRefused,
    VenueOutcomeUnknown,
    VenueThrottled,
)
from adapters.gate import Gate
from bot.sandbox.venues import server
from bot.sandbox.venues.exchange import Answer, Transport
from tests.adapters.pacifica_world import (
    ALL,
    CANCEL,
    MAIN,
    ORDERS,
    Script,
    World,
    an_order,
    document,
    failing,
    fine,
    play,
    silent,
    told,
)
from tests.adapters.pure import PureCarrier
from tests.fakes import clock as clocks

OPEN, PING, SENT = "OPEN", "PING", f"FRAME {ALL}"
REFUSED = Answer(status=429, body=b"")
CREDITS = "AbCdEfGh_canary"


def cut() -> Answer:
    return Answer(status=200, body=b"", transport=Transport.RESET)


async def swept(world: World) -> Receipt:
    """Cancel all, and return what was said to that alone."""
    return (await world.adapter.cancel_all(Scope()))[0]


def now() -> float:
    return asyncio.get_running_loop().time()


def count(world: World, path: str) -> int:
    return sum(each == path for each, _ in world.script.asked)


# ------------------------------------------------------------------------- socket, else HTTP


def test_an_open_socket_carries_the_call_alone():
    async def act(world: World) -> Receipt:
        return await swept(world)

    script = Script()
    receipt = play(act, script)
    assert (receipt.error, receipt.accepted) == (None, 0)
    assert script.cancels() == [SENT]


def test_without_a_socket_the_call_goes_over_http_at_once():
    async def act(world: World) -> tuple[Receipt, float]:
        began = now()
        receipt = await swept(world)
        return receipt, now() - began

    script = Script(says={OPEN: lambda: REFUSED})
    receipt, took_s = play(act, script)
    assert (receipt.error, script.cancels()) == (None, [ALL])
    assert took_s < 0.06


def test_a_silent_socket_costs_one_second_and_the_call_is_signed_again():
    async def act(world: World) -> tuple[Receipt, float]:
        began = now()
        receipt = await swept(world)
        return receipt, now() - began

    script = Script(says={SENT: silent})
    receipt, took_s = play(act, script)
    assert (receipt.error, round(took_s, 2)) == (None, 1.05)
    (first,), (again,) = script.fields(SENT), script.fields(ALL)
    assert again["timestamp"] - first["timestamp"] == 1000
    assert again["signature"] != first["signature"]


def test_a_socket_that_was_silent_is_replaced_and_not_asked_before():
    async def act(world: World) -> None:
        await swept(world)
        world.script.says.clear()
        await asyncio.sleep(1.0)
        await swept(world)

    script = Script(says={SENT: silent})
    play(act, script)
    assert script.cancels() == [SENT, ALL, SENT]
    assert sum(path == OPEN for path, _ in script.asked) == 2


def test_a_socket_that_was_silent_is_not_asked_while_no_other_can_be_opened():
    async def act(world: World) -> None:
        world.script.says[OPEN] = lambda: REFUSED
        await swept(world)
        await swept(world)

    script = Script(says={SENT: silent})
    play(act, script)
    assert script.cancels() == [SENT, ALL, ALL]


def test_a_connection_that_left_a_call_unanswered_is_closed_though_no_other_can_be_opened():
    """What was given up must not be delivered later."""

    async def act(world: World) -> bool:
        socket = world.venue.socket.line.socket
        world.script.says[OPEN] = lambda: REFUSED
        await swept(world)
        await asyncio.sleep(2.1)
        return bool(socket.is_open)

    assert play(act, Script(says={SENT: silent})) is False


def test_a_connection_whose_call_was_abandoned_is_closed_and_replaced():
    async def act(world: World) -> tuple[bool, bool, bool]:
        line = world.venue.socket.line
        socket = line.socket
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await swept(world)
        await asyncio.sleep(2.1)
        return line.is_usable, socket.is_open, world.venue.socket.is_open

    assert play(act, Script(says={SENT: silent})) == (False, False, True)


def test_a_connection_that_is_replaced_is_closed():
    async def act(world: World) -> bool:
        socket = world.venue.socket.line.socket
        await asyncio.sleep(23 * 3600 + 60)
        return bool(socket.is_open)

    assert play(act) is False


def test_a_late_answer_is_nobodys():
    async def act(world: World) -> list[Receipt]:
        world.carrier.latency_s = 1.5
        late = await swept(world)
        world.carrier.latency_s = 0.05
        await asyncio.sleep(1.0)
        return [late, await swept(world)]

    script = Script()
    assert [receipt.error for receipt in play(act, script)] == [None, None]
    assert script.cancels() == [SENT, ALL, SENT]


def test_a_socket_that_dies_under_a_call_costs_no_wait():
    async def act(world: World) -> tuple[Receipt, float]:
        began = now()
        receipt = await swept(world)
        return receipt, now() - began

    script = Script(says={SENT: cut})
    receipt, took_s = play(act, script)
    assert (receipt.error, script.cancels()) == (None, [SENT, ALL])
    assert took_s < 0.11


def test_a_socket_that_is_closed_to_writing_costs_no_wait():
    async def act(world: World) -> Receipt:
        socket = world.venue.socket.line.socket
        socket.is_open = False
        return await swept(world)

    script = Script()
    assert play(act, script).error is None
    assert script.cancels() == [ALL]


def test_a_call_that_may_have_left_over_the_socket_is_never_called_unsent():
    async def act(world: World) -> Receipt:
        task = asyncio.get_running_loop()
        task.call_later(0.5, lambda: setattr(world.carrier, "is_cut_off", True))
        return await swept(world)

    error = play(act, Script(says={SENT: silent})).error
    assert isinstance(error, VenueOutcomeUnknown)
    assert error.user_message == (
        "no answer over the socket; then the venue does not take connections in time"
    )


def test_a_complaint_over_the_socket_is_an_answer():
    script = Script(says={SENT: lambda: failing(403, "Restricted")})
    error = play(swept, script).error
    assert error is not None
    assert "Restricted" in error.user_message
    assert script.cancels() == [SENT]


def without_id(reply: dict[str, Any], _: float) -> dict[str, Any]:
    return {key: value for key, value in reply.items() if key != "id"}


def test_a_complaint_without_an_id_sends_the_one_call_that_waits_over_http_at_once():
    """It may be about the call, or about a ping."""

    async def act(world: World) -> tuple[Receipt, float]:
        began = now()
        return await swept(world), now() - began

    complaint = failing(401, "Invalid signature")
    script = Script(says={SENT: lambda: complaint}, frames=without_id)
    receipt, took_s = play(act, script)
    assert (receipt.error, script.cancels()) == (None, [SENT, ALL])
    assert took_s < 0.2
    script = Script(says={SENT: lambda: complaint, ALL: lambda: complaint}, frames=without_id)
    assert isinstance(play(swept, script).error, VenueAuthRefused)


async def died_while_waiting(world: World) -> tuple[Receipt, ...]:
    """Cancel one order; the socket dies while that waits for room."""
    world.venue.link.gate.throttled(world.venue.credit.window, 3.0)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.adapter.cancel_orders([an_order("order", "1")]))
        await asyncio.sleep(1.0)
        world.script.says[OPEN] = lambda: REFUSED
        world.venue.socket.line.socket.drop()
    return task.result()


def test_a_call_whose_socket_died_before_it_could_leave_goes_over_http():
    script = Script()
    assert told(play(died_while_waiting, script)) == [("cancel order 1", 1)]
    assert script.cancels() == [CANCEL]


def test_a_call_of_which_no_byte_left_is_called_unsent():
    async def act(world: World) -> tuple[Receipt, ...]:
        world.carrier.is_cut_off = True
        return await died_while_waiting(world)

    script = Script()
    assert told(play(act, script)) == [("cancel order 1", "VenueNotReached")]
    assert script.cancels() == []


def test_a_complaint_with_the_id_of_another_call_is_nobodys():
    def another(reply: dict[str, Any], _: float) -> dict[str, Any]:
        return reply | {"id": "4e9b4edb-b123-4759-9250-d19db61fabcb"}

    async def act(world: World) -> tuple[Receipt, float]:
        began = now()
        return await swept(world), now() - began

    receipt, took_s = play(act, Script(says={SENT: lambda: failing(403)}, frames=another))
    assert (receipt.error, round(took_s, 2)) == (None, 1.05)


def test_a_complaint_without_an_id_answers_none_of_two():
    async def act(world: World) -> tuple[tuple[Receipt, ...], float]:
        began, orders = now(), [an_order("order", "1"), an_order("order", "2")]
        return await world.adapter.cancel_orders(orders), now() - began

    path = f"FRAME {CANCEL}"
    script = Script(says={path: lambda: failing(401, "Invalid signature")}, frames=without_id)
    receipts, took_s = play(act, script)
    assert told(receipts) == [("cancel order 1", 1), ("cancel order 2", 1)]
    assert round(took_s, 2) == 1.05
    assert script.cancels() == [path, path, CANCEL, CANCEL]


def test_an_acknowledgement_without_an_id_or_with_another_is_nobodys():
    def another(reply: dict[str, Any], _: float) -> dict[str, Any]:
        return reply | {"id": "4e9b4edb-b123-4759-9250-d19db61fabcb"}

    for edit in (without_id, another):
        script = Script(frames=edit)
        assert play(swept, script).error is None
        assert script.cancels() == [SENT, ALL]


def test_what_http_alone_takes_never_goes_over_the_socket():
    async def act(world: World) -> None:
        orders = [an_order("stop", "1"), an_order("twap", "2"), an_order("strategy", "s")]
        await world.adapter.cancel_orders(orders)

    script = Script()
    play(act, script)
    assert not [path for path in script.paths() if path.startswith("FRAME")]


# ----------------------------------------------------------------------------------- kept warm


def test_a_ping_every_twenty_seconds_keeps_one_connection_open():
    async def act(world: World) -> tuple[int, int, bool]:
        await asyncio.sleep(300)
        return count(world, OPEN), count(world, PING), world.venue.socket.is_open

    assert play(act) == (1, 12, True)


def test_a_connection_is_replaced_before_a_day_is_over_and_is_never_missing():
    async def act(world: World) -> tuple[int, set[bool]]:
        seen = set()
        for _ in range(24 * 60 * 2):
            await asyncio.sleep(30)
            seen.add(world.venue.socket.is_open)
        return count(world, OPEN), seen

    assert play(act) == (2, {True})


def test_a_connection_without_a_sign_of_life_is_replaced():
    async def act(world: World) -> int:
        world.script.says[PING] = silent
        await asyncio.sleep(26)
        return count(world, OPEN)

    assert play(act) == 2


def test_a_connection_without_a_sign_of_life_is_closed_though_no_other_can_be_opened():
    async def act(world: World) -> bool:
        socket = world.venue.socket.line.socket
        world.script.says |= {PING: silent, OPEN: lambda: REFUSED}
        await asyncio.sleep(26)
        return bool(socket.is_open)

    assert play(act) is False


def test_a_connection_that_dies_is_replaced():
    async def act(world: World) -> tuple[bool, bool]:
        await asyncio.sleep(15)
        world.venue.socket.line.socket.drop()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        died = world.venue.socket.is_open
        await asyncio.sleep(0.2)
        return died, world.venue.socket.is_open

    assert play(act) == (False, True)


def test_what_cannot_be_opened_is_tried_less_and_less_often():
    async def act(world: World) -> tuple[int, int]:
        await asyncio.sleep(40)
        early = count(world, OPEN)
        await asyncio.sleep(300)
        return early, count(world, OPEN)

    assert play(act, Script(says={OPEN: lambda: REFUSED})) == (7, 17)


def test_an_old_connection_serves_until_the_new_one_is_open():
    async def act(world: World) -> bool:
        world.script.says[OPEN] = lambda: REFUSED
        await asyncio.sleep(23 * 3600 + 60)
        return world.venue.socket.is_open

    assert play(act) is True


def test_a_call_on_a_connection_that_is_being_replaced_has_its_answer():
    async def act(world: World) -> Receipt:
        world.carrier.latency_s = 0.4
        line = world.venue.socket.line
        asyncio.get_running_loop().call_later(0.1, line.released.set)
        return await swept(world)

    script = Script()
    assert play(act, script).error is None
    assert script.cancels() == [SENT]


def test_an_opening_that_hangs_is_given_up():
    async def main() -> int:
        carrier = PureCarrier(Script(), latency_s=60.0)
        made = pacifica.PacificaSettings(base_url="http://127.0.0.1:9")
        gate = Gate(pacifica_calls.ADDRESS)
        async with pacifica.connect(made, gate=gate, state_dir=None, carrier=carrier):
            await asyncio.sleep(12)
        return len(carrier.calls)

    assert clocks.run(main()) == 3


class Buggy(PureCarrier):
    """Breaks in a way that no contract names."""

    def socket(self, url: str, headers: tuple[tuple[str, str], ...] = ()) -> Any:
        self.calls.append((now(), "OPEN"))
        raise ValueError("a bug")


def test_a_bug_in_the_socket_is_logged_and_costs_no_call(caplog: pytest.LogCaptureFixture):
    async def main() -> int:
        carrier = Buggy(Script())
        made = pacifica.PacificaSettings(base_url="http://127.0.0.1:9")
        gate = Gate(pacifica_calls.ADDRESS)
        async with pacifica.connect(made, gate=gate, state_dir=None, carrier=carrier) as venue:
            await asyncio.sleep(31)
            assert (await venue.reader(MAIN).open_orders(Scope(), pages_max=1)).is_clean
        return len([call for _, call in carrier.calls if call == "OPEN"])

    with caplog.at_level(logging.ERROR):
        assert clocks.run(main()) == 2
    assert [record.message for record in caplog.records] == ["socket.broken", "socket.broken"]


async def opened(venue: pacifica.Pacifica) -> None:
    while not venue.socket.is_open:  # noqa: ASYNC110 - nobody else waits for it
        await asyncio.sleep(0.005)


async def test_over_real_sockets_a_round_goes_over_the_socket_and_reads_clean():
    script = Script()
    async with server.serve(script) as url:
        made = pacifica.PacificaSettings(base_url=url)
        gate = Gate(pacifica_calls.ADDRESS)
        async with pacifica.connect(made, gate=gate, state_dir=None) as venue:
            adapter = venue.adapter(venue.signer(document()), uid=MAIN, purpose=Purpose.RUN)
            async with asyncio.timeout(5):
                await opened(venue)
            receipts = await adapter.cancel_all(Scope())
            assert [receipt.error for receipt in receipts] == [None] * 4
            assert script.cancels() == [SENT]
            assert (await adapter.open_orders(Scope(), pages_max=1)).is_clean


# ------------------------------------------------------------------------------ credits, clock


def test_a_credits_key_is_named_in_the_handshake_and_in_every_call():
    async def act(world: World) -> list[str | None]:
        world.script.says[SENT] = silent
        await swept(world)
        return [seen.get("pf-api-key") for seen in world.script.seen]

    keyed, plain = play(act, credits_key=f"{CREDITS}\n"), play(act)
    assert set(keyed) == {CREDITS}
    assert set(plain) == {None}


def budget(world: World, name: str) -> Any:
    return world.venue.link.gate._pacer.budgets[name]


def test_calls_take_tenths_of_credits_of_the_address_or_of_the_key():
    async def act(world: World) -> dict[str, int]:
        await world.adapter.cancel_all(Scope())
        await world.adapter.open_orders(Scope(), pages_max=1)
        budgets = world.venue.link.gate._pacer.budgets
        return {name.split("-")[0]: each.cooling for name, each in budgets.items()}

    assert play(act) == {"address": 75}
    assert play(act, credits_key=CREDITS) == {"credits key": 75}


def test_the_venues_own_count_is_followed_over_http_and_over_the_socket():
    async def act(world: World) -> tuple[int, int]:
        world.script.headers = {
            "ratelimit": '"credits";r=700;t=32',
            "ratelimit-policy": '"credits";q=1250;w=60',
        }
        await world.adapter.open_orders(Scope(), pages_max=1)
        over_http = budget(world, "address").foreign
        world.script.frames = lambda reply, _: reply | {"rl": {"r": 300, "q": 1250, "t": 32}}
        await world.adapter.cancel_orders([an_order("order", "1")])
        return over_http, budget(world, "address").foreign

    over_http, over_socket = play(act)
    assert 500 < over_http < 550
    assert 880 < over_socket < 920


def test_what_others_have_used_up_holds_a_cancel_for_two_seconds_at_most():
    async def act(world: World) -> float:
        world.script.headers = {"ratelimit": '"credits";r=0;t=56'}
        await world.adapter.open_orders(Scope(), pages_max=1)
        began = now()
        await world.adapter.cancel_orders([an_order("order", "1")])
        return now() - began

    assert 1.9 < play(act) < 2.2


@pytest.mark.parametrize("way", [OPEN, SENT])
def test_a_429_holds_what_shares_the_credits_and_says_how_long(way: str):
    """Over the socket, and over HTTP where that is shut."""

    async def act(world: World) -> tuple[Receipt, float]:
        receipt = await swept(world)
        began = now()
        await world.adapter.cancel_orders([an_order("order", "1")])
        return receipt, now() - began

    script = Script(says={way: lambda: failing(429), ALL: lambda: failing(429)})
    receipt, waited_s = play(act, script)
    assert isinstance(receipt.error, VenueThrottled)
    assert receipt.error.retry_after_s == 1.0
    assert 0.9 < waited_s < 1.2


def test_a_429_to_a_preview_holds_a_cancel_for_a_second_at_most():
    async def act(world: World) -> float:
        world.script.headers = {"ratelimit": '"credits";r=80;t=40'}
        world.script.says[ORDERS] = lambda: failing(429)
        await world.venue.reader(MAIN).open_orders(Scope(), pages_max=1)
        world.script.headers, began = {}, now()
        world.script.says.clear()
        await swept(world)
        return now() - began

    assert play(act) < 2.3


def test_the_socket_tells_the_venues_time():
    async def act(world: World) -> list[int]:
        world.script.frames = lambda reply, at: reply | {"t": int((at + 7.0) * 1000)}
        for _ in "12":
            await world.adapter.cancel_orders([an_order("order", "1")])
        return [each["timestamp"] for each in world.script.fields(f"FRAME {CANCEL}")]

    first, second = play(act)
    assert 7000 <= second - first <= 7100


@pytest.mark.parametrize("at_ms", [0, "soon", None, 10**15])
def test_a_time_that_is_none_is_not_believed(at_ms: object):
    async def act(world: World) -> float:
        world.script.frames = lambda reply, _: reply | {"t": at_ms}
        await swept(world)
        return world.venue.link.clock.offset_ms

    assert play(act) == 0.0


@pytest.mark.parametrize(
    ("second", "offset_ms"),
    [("00", 0.0), ("01", 0.0), ("10", 10_200.0), ("59", 59_200.0)],
)
def test_the_header_date_is_believed_where_it_is_off_by_more_than_it_can_be_wrong(
    second: str, offset_ms: float
):
    async def act(world: World) -> float:
        world.script.headers = {"Date": f"Sat, 21 Nov 2026 03:00:{second} GMT"}
        await world.adapter.open_orders(Scope(), pages_max=1)
        return round(world.venue.link.clock.offset_ms, -2)

    assert abs(play(act) - offset_ms) <= 100


def test_a_cache_tells_no_time():
    async def act(world: World) -> float:
        world.script.headers = {"Date": "Sat, 21 Nov 2026 02:59:00 GMT"}
        await world.venue.instruments()
        world.script.headers |= {"Age": "60"}
        await world.adapter.open_orders(Scope(), pages_max=1)
        return world.venue.link.clock.offset_ms

    assert play(act) == 0.0


def test_a_slow_answer_tells_no_time():
    async def act(world: World) -> float:
        world.carrier.latency_s = 1.2
        world.script.headers = {"Date": "Sat, 21 Nov 2026 03:00:59 GMT"}
        await world.adapter.open_orders(Scope(), pages_max=1)
        return world.venue.link.clock.offset_ms

    assert play(act) == 0.0


def test_a_refused_timestamp_is_a_matter_of_the_clock():
    script = Script(says={SENT: lambda: failing(400, "Invalid message")})
    error = play(swept, script).error
    assert isinstance(error, VenueAuthRefused)
    assert error.is_clock


def test_a_read_is_never_nothing_to_do():
    async def act(world: World) -> str:
        reading = await world.adapter.open_orders(Scope(), pages_max=1)
        return reading.unread[0].error.user_message

    script = Script(says={ORDERS: lambda: failing(422, "no", 37)})
    assert play(act, script) == "Pacifica: read orders is answered as if it had been a cancel"


def test_a_cancel_that_is_not_acknowledged_in_words_is_not_acknowledged():
    async def act(world: World) -> tuple[Receipt, ...]:
        return await world.adapter.cancel_orders([an_order("stop", "1")])

    path = "/api/v1/orders/stop/cancel"
    script = Script(says={path: lambda: Answer(status=200, body=json.dumps({}).encode())})
    assert told(play(act, script)) == [("cancel stop 1", "VenueReplyInvalid")]
    script.says[path] = lambda: fine(None)
    assert told(play(act, script)) == [("cancel stop 1", 1)]


def test_neither_keys_nor_signatures_are_logged_or_shown(caplog: pytest.LogCaptureFixture):
    async def act(world: World) -> str:
        await swept(world)
        caller = world.adapter.caller
        return f"{world.venue.settings!r} {caller.credit!r} {caller.signer!r}"

    script = Script(says={SENT: silent})
    with caplog.at_level(logging.DEBUG):
        shown = play(act, script, credits_key=CREDITS)
    logged = "".join(str(vars(record)) for record in caplog.records)
    assert "socket.unanswered" in logged
    signature = script.fields(ALL)[0]["signature"]
    for secret in (CREDITS, signature, document().get_secret_value()):
        assert secret not in shown
        assert secret not in logged


# ------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("settings", "base_url", "socket_url"),
    [
        ({}, "https://api.pacifica.fi", "wss://ws.pacifica.fi/ws"),
        (
            {"base_url": "https://test-api.pacifica.fi/api/v1/"},
            "https://test-api.pacifica.fi",
            "wss://test-ws.pacifica.fi/ws",
        ),
        ({"base_url": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
        (
            {"base_url": "https://proxy.example", "ws_url": "wss://proxy.example:443/pacifica/"},
            "https://proxy.example",
            "wss://proxy.example/pacifica",
        ),
        (
            {"base_url": "https://proxy.example", "ws_url": "wss://ws.pacifica.fi/ws"},
            "https://proxy.example",
            "wss://ws.pacifica.fi/ws",
        ),
    ],
)
def test_the_socket_is_the_one_of_the_same_net(
    settings: dict[str, str], base_url: str, socket_url: str
):
    made = pacifica.PacificaSettings.model_validate(settings)
    assert (made.base_url, made.socket_url) == (base_url, socket_url)


@pytest.mark.parametrize(
    "settings",
    [
        {"ws_url": "wss://test-ws.pacifica.fi/ws"},
        {"base_url": "https://test-api.pacifica.fi", "ws_url": "wss://ws.pacifica.fi/ws"},
        {"ws_url": "ws://ws.pacifica.fi/ws"},
        {"ws_url": "https://ws.pacifica.fi/ws"},
        {"ws_url": "wss://user@ws.pacifica.fi/ws"},
        {"expiry_window_ms": 999},
        {"expiry_window_ms": 30_001},
    ],
)
def test_settings_that_could_cancel_elsewhere_or_too_late_are_refused(settings: dict[str, object]):
    with pytest.raises(ValidationError):
        pacifica.PacificaSettings.model_validate(settings)
