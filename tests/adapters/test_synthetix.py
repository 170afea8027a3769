"""The adapter of Synthetix against the simulated one, on virtual time and once over a socket."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from pydantic import SecretStr, ValidationError

from adapters import registry, synthetix, synthetix_adapter
from adapters.contract import (
    AnyVenue,
    KeyFacts,
    OpenOrder,
    Protective,
    Purpose,
    Receipt,
    Scope,
    VenueAuthRefused,
    VenueNotReached,
    VenueReplyInvalid,
)
from adapters.gate import Gate
from adapters.synthetix_wire import ORDER, TWAP
from bot.sandbox.venues import server
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Wrong
from bot.sandbox.venues.synthetix_shapes import Element, Empty, Nothing, Told, Unlisted, Wildcard
from tests.adapters.synthetix_world import (
    ALL,
    BESIDE,
    CANCEL,
    CANCEL_ALL,
    ELSE,
    KEY,
    MARKETS,
    MINE,
    OTHER_KEY,
    READ,
    World,
    credentials,
    delegate,
    named,
    play,
    simulate,
)

KEEP = Scope(protective=Protective.KEEP)


def counted(receipts: tuple[Receipt, ...]) -> list[tuple[str, str, int | None]]:
    return [(each.order_class, each.call, each.accepted) for each in receipts]


def test_everything_goes_in_one_cancel_all_and_twaps_by_their_ids():
    async def act(world: World) -> None:
        twap = world.place("twap")
        for kind in ("limit", "trigger"):
            world.place(kind)
        for at in (BESIDE, ELSE):
            world.place(at=at)
        receipts = await world.adapter.cancel_all(ALL)
        assert counted(receipts) == [
            ("order", "cancel-all *", 2),
            ("twap", f"cancel {twap.order_id}", 1),
        ]
        assert [world.open(at) for at in (MINE, BESIDE, ELSE)] == [[], ["limit"], ["limit"]]
        (swept,) = world.sent(CANCEL_ALL)
        assert swept["params"] == {
            "action": "cancelAllOrders",
            "subAccountId": MINE,
            "symbols": ["*"],
        }
        assert swept["expiresAfter"] == swept["nonce"] + 60_000

    play(act)


def test_cancel_all_and_the_list_leave_side_by_side():
    async def act(world: World) -> None:
        world.place()
        began = world.now
        await world.adapter.cancel_all(ALL)
        assert [seen.path for seen in world.simulated.log] == [CANCEL_ALL, READ]
        assert {round(seen.at - began, 3) for seen in world.simulated.log} == {0.025}

    play(act)


def test_twaps_that_a_cancel_all_takes_too_are_no_trouble():
    async def act(world: World) -> None:
        world.choose(takes_twaps=True)
        world.place("twap")
        receipts = await world.adapter.cancel_all(ALL)
        assert [each.error for each in receipts] == [None, None]
        assert world.open() == []

    play(act)


@pytest.mark.parametrize("element", Element)
@pytest.mark.parametrize("told", Told)
def test_message_beside_a_cancelled_order_decides_nothing(element: Element, told: Told):
    async def act(world: World) -> None:
        world.choose(element=element, told=told)
        stays = world.place()
        world.place()
        world.simulated.stubborn[stays.order_id] = "CANCEL_FAILED"
        receipts = await world.adapter.cancel_all(ALL)
        assert counted(receipts)[0] == ("order", "cancel-all *", 2)
        reading = await world.read()
        assert [order.order_id for order in reading.orders] == [stays.order_id]

    play(act)


@pytest.mark.parametrize("nothing", Nothing)
def test_nothing_to_cancel_is_acknowledged_and_then_proven(nothing: Nothing):
    async def act(world: World) -> None:
        world.choose(nothing=nothing)
        receipts = await world.adapter.cancel_all(ALL)
        assert counted(receipts) == [("order", "cancel-all *", 0), ("twap", "look for twap", 0)]
        sight = await world.chase()
        assert (sight.rounds, sight.accepted, sight.is_flat) == (1, 0, True)
        assert len(world.sent(READ)) >= 4

    play(act)


def test_no_orders_found_is_not_believed_where_orders_rest():
    async def act(world: World) -> None:
        world.place()
        lie = {
            "status": "error",
            "error": {"code": "VALIDATION_ERROR", "message": "No orders found"},
        }
        world.doctor(CANCEL_ALL, lambda _: lie)
        stays = world.simulated.book.orders[MINE][0]
        stays.is_uncancellable = True
        receipts = await world.adapter.cancel_all(ALL)
        assert counted(receipts)[0] == ("order", f"cancel {stays.order_id}", 1)
        assert not (await world.read()).is_clean
        assert [body["params"]["symbols"] for body in world.sent(CANCEL_ALL)] == [
            ["*"],
            ["BTC-USDT"],
        ]

    play(act)


def answering(world: World, lie: Answer, *symbols: str, at: str = MINE) -> None:
    """Have the venue say this of every cancel-all that names exactly these symbols."""
    honest = world.simulated.answer

    def answer(request: Request, now: float) -> Answer:
        params = json.loads(request.body)["params"]
        is_meant = params.get("symbols") == list(symbols) and params["subAccountId"] == at
        return lie if is_meant else honest(request, now)

    world.simulated.answer = answer  # type: ignore[method-assign]


def saying(status: int, code: str, said: str) -> Answer:
    told = {"status": "error", "error": {"code": code, "message": said}}
    return Answer(status=status, body=json.dumps(told).encode())


@pytest.mark.parametrize(
    "lie",
    [
        Answer(status=200, body=b'{"status":"ok","response":[]}'),
        saying(400, "VALIDATION_ERROR", "No orders found"),
        saying(400, "INVALID_SYMBOL", "symbols[0]: unsupported"),
        saying(400, "UNKNOWN_ERROR", "?"),
        Answer(status=403, body=b"<html>"),
    ],
    ids=["skipped", "none", "unknown code", "no reason", "firewall"],
)
def test_star_that_cancels_nothing_gives_way_to_markets_in_the_same_round(lie: Answer):
    async def act(world: World) -> None:
        for number in range(400):
            world.place(symbol=("BTC-USDT", "ETH-USDT")[number % 2])
        answering(world, lie, "*")
        sight = await world.chase()
        assert (sight.rounds, sight.accepted, world.open()) == (1, 400, [])
        assert sight.flat_at is not None
        assert sight.flat_at < 1.0

    play(act)


def test_symbol_that_is_taken_and_skipped_gives_way_to_ids():
    async def act(world: World) -> None:
        await world.venue.instruments()
        order = world.place(symbol="BTC-USDT")
        answering(world, Answer(status=200, body=b'{"status":"ok","response":[]}'), "BTC-USDT")
        receipts = await world.adapter.cancel_all(Scope(symbols=("BTC-USDT",)))
        assert counted(receipts)[0] == ("order", f"cancel {order.order_id}", 1)
        assert world.open() == []

    play(act)


@pytest.mark.parametrize(
    "refusal",
    [Answer(status=400, body=b"<html>"), saying(400, "VALIDATION_ERROR", "this subaccount")],
    ids=["a proxy's", "about one account"],
)
def test_star_that_is_refused_to_one_account_is_sent_for_all_others(refusal: Answer):
    async def act(world: World) -> None:
        answering(world, refusal, "*", at=BESIDE)
        world.place(at=BESIDE)
        await world.joined(BESIDE).cancel_all(ALL)
        assert world.open(BESIDE) == []
        world.place()
        world.fail(Wrong.SERVER, READ)
        await world.adapter.cancel_all(ALL)
        assert world.open() == []

    play(act)


@pytest.mark.parametrize("empty", Empty)
def test_where_all_markets_are_not_known_by_a_star_the_markets_of_the_orders_are_named(
    empty: Empty,
):
    async def act(world: World) -> None:
        world.choose(wildcard=Wildcard.UNKNOWN, empty=empty)
        world.place()
        world.place(symbol="SOL-USDT")
        world.place("twap")
        receipts = await world.adapter.cancel_all(ALL)
        assert [each.error for each in receipts] == [None, None]
        assert world.open() == []
        assert [body["params"]["symbols"] for body in world.sent(CANCEL_ALL)] == [
            ["*"],
            ["BTC-USDT", "SOL-USDT"],
        ]

    play(act)


def test_where_no_markets_are_taken_either_orders_go_by_their_ids():
    async def act(world: World) -> None:
        orders = [world.place(), world.place("trigger")]
        world.choose(wildcard=Wildcard.UNKNOWN, unlisted=Unlisted.REFUSES_ALL)
        world.simulated.markets.clear()
        receipts = await world.adapter.cancel_all(ALL)
        calls = [*(f"cancel {each.order_id}" for each in orders), "look for twap"]
        assert sorted(each.call for each in receipts) == sorted(calls)
        assert len(world.sent(CANCEL_ALL)) == 2
        assert world.open() == []

    play(act)


def test_refused_star_is_no_nothing_to_do_where_the_list_cannot_be_had():
    async def act(world: World) -> None:
        world.choose(wildcard=Wildcard.UNKNOWN)
        world.place()
        world.doctor(READ, lambda _: {"status": "ok"})
        receipts = await world.adapter.cancel_all(ALL)
        assert [type(each.error) for each in receipts] == [VenueReplyInvalid, VenueReplyInvalid]
        await world.venue.instruments()
        receipts = await world.adapter.cancel_all(ALL)
        assert counted(receipts)[0] == ("order", "cancel-all BTC-USDT ETH-USDT SOL-USDT", 1)
        assert world.open() == []

    play(act)


def test_scope_by_symbol_sweeps_the_markets_that_are_listed_and_no_others():
    async def act(world: World) -> None:
        await world.venue.instruments()
        for symbol in ("BTC-USDT", "ETH-USDT", "SOL-USDT"):
            world.place(symbol=symbol)
        world.place("twap", symbol="BTC-USDT")
        twap = world.place("twap", symbol="ETH-USDT")
        receipts = await world.adapter.cancel_all(Scope(symbols=("BTC-USDT", "SOL-USDT")))
        assert [each.error for each in receipts] == [None, None]
        assert world.open() == ["limit", "twap"]
        assert twap.order_id in world.ids()
        (swept,) = world.sent(CANCEL_ALL)
        assert swept["params"]["symbols"] == ["BTC-USDT", "SOL-USDT"]

    play(act)


def test_symbol_that_is_not_listed_spoils_no_call_and_is_cancelled_by_ids():
    async def act(world: World) -> None:
        await world.venue.instruments()
        world.place(symbol="BTC-USDT")
        odd = world.place(symbol="NEW-USDT")
        receipts = await world.adapter.cancel_all(Scope(symbols=("BTC-USDT", "NEW-USDT")))
        assert counted(receipts) == [
            ("order", "cancel-all BTC-USDT", 1),
            ("order", f"cancel {odd.order_id}", 1),
            ("twap", "look for twap", 0),
        ]
        assert world.open() == []

    play(act)


def test_each_symbol_goes_alone_while_no_list_of_markets_is_known_and_no_orders_can_be_read():
    async def act(world: World) -> None:
        for symbol in ("BTC-USDT", "SOL-USDT"):
            world.place(symbol=symbol)
        stays = world.place(symbol="ETH-USDT")
        world.fail(Wrong.HANG, READ)
        scope = Scope(symbols=("BTC-USDT", "OLD-USDT", "SOL-USDT"))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(world.adapter.cancel_all(scope))
            await asyncio.sleep(0.1)
            assert world.ids() == {stays.order_id}
        assert [each.accepted for each in task.result()] == [1, 1, None, None]
        assert [body["params"]["symbols"] for body in world.sent(CANCEL_ALL)] == [
            ["BTC-USDT"],
            ["OLD-USDT"],
            ["SOL-USDT"],
        ]

    play(act)


def test_delisted_symbol_of_an_old_list_spoils_no_other_where_no_orders_can_be_read():
    async def act(world: World) -> None:
        await world.venue.instruments()
        world.place(symbol="BTC-USDT")
        stays = world.place(symbol="ETH-USDT")
        del world.simulated.markets["SOL-USDT"]
        world.fail(Wrong.SERVER, READ)
        await world.adapter.cancel_all(Scope(symbols=("BTC-USDT", "SOL-USDT")))
        assert world.ids() == {stays.order_id}

    play(act)


def test_delisted_market_spoils_no_other_where_neither_a_star_is_taken_nor_orders_can_be_read():
    async def act(world: World) -> None:
        world.choose(wildcard=Wildcard.UNKNOWN)
        await world.venue.instruments()
        world.place(symbol="BTC-USDT")
        world.place(symbol="ETH-USDT")
        del world.simulated.markets["SOL-USDT"]
        world.fail(Wrong.SERVER, READ)
        await world.adapter.cancel_all(ALL)
        assert world.open() == []

    play(act)


def test_star_among_the_symbols_of_a_scope_is_never_sent():
    async def act(world: World) -> None:
        stays = world.place()
        await world.adapter.cancel_all(Scope(symbols=("*",)))
        assert world.ids() == {stays.order_id}
        assert world.sent(CANCEL_ALL) == []

    play(act)


def test_delisted_symbol_of_an_old_list_is_cancelled_by_ids_in_the_same_round():
    async def act(world: World) -> None:
        await world.venue.instruments()
        world.place(symbol="BTC-USDT")
        world.place(symbol="SOL-USDT")
        stays = world.place(symbol="ETH-USDT")
        del world.simulated.markets["SOL-USDT"]
        receipts = await world.adapter.cancel_all(Scope(symbols=("BTC-USDT", "SOL-USDT")))
        assert [each.accepted for each in receipts] == [1, 1, 0]
        assert world.ids() == {stays.order_id}

    play(act)


def test_orders_that_protect_stay_and_are_left_out_of_readings():
    async def act(world: World) -> None:
        world.place()
        world.place("twap")
        kept = [world.place("trigger"), world.place(is_reduce_only=True)]
        kept.append(world.place("twap", is_reduce_only=True))
        receipts = await world.adapter.cancel_all(KEEP)
        assert [each.accepted for each in receipts] == [1, 1]
        assert world.ids() == {order.order_id for order in kept}
        assert world.sent(CANCEL_ALL) == []
        assert (await world.read(KEEP)).is_clean
        assert len((await world.read()).orders) == 3

    play(act)


@pytest.mark.parametrize("shown", ["Limit (GTC)", "Limit Post Only", "limitAlo", "Post Only", ""])
def test_order_of_a_kind_unknown_does_not_stay_with_those_that_protect(shown: str):
    async def act(world: World) -> None:
        world.place()
        rows = lambda body: [{**row, "type": shown} for row in body["response"]]  # noqa: E731
        world.doctor(READ, lambda body: {**body, "response": rows(body)})
        assert (await world.chase(KEEP)).is_flat
        assert world.open() == []

    play(act)


@pytest.mark.parametrize(("off", "left"), [(ORDER, ["limit", "trigger"]), (TWAP, ["twap"])])
def test_class_that_is_switched_off_is_neither_cancelled_nor_read(off: str, left: list[str]):
    scope = Scope(classes_off=(ORDER if off == ORDER else TWAP,))

    async def act(world: World) -> None:
        for kind in ("limit", "trigger", "twap"):
            world.place(kind)
        receipts = await world.adapter.cancel_all(scope)
        assert off not in {each.order_class for each in receipts}
        assert world.open() == left
        assert world.sent(CANCEL_ALL) == []
        assert (await world.read(scope)).is_clean

    play(act)


def test_nothing_is_called_where_all_classes_are_switched_off():
    async def act(world: World) -> None:
        world.place()
        scope = Scope(classes_off=(ORDER, TWAP))
        assert await world.adapter.cancel_all(scope) == ()
        assert (await world.read(scope)).is_clean
        assert world.simulated.log == []

    play(act)


@pytest.mark.parametrize("name", ["venue", "client"])
@pytest.mark.parametrize("kind", ["limit", "trigger", "twap"])
def test_one_order_is_found_by_either_id_and_cancelled_by_the_venues_own(name: str, kind: str):
    async def act(world: World) -> None:
        order = world.place(kind, link_id="mine")
        world.place(kind)
        order_id = order.order_id if name == "venue" else "mine"
        scope = Scope(symbols=(order.symbol,), order_id=order_id)
        (receipt,) = await world.adapter.cancel_all(scope)
        assert (receipt.call, receipt.accepted) == (f"cancel {order.order_id}", 1)
        assert world.open() == [kind]
        assert world.sent(CANCEL)[0]["params"]["orderIds"] == [order.order_id]

    play(act)


def test_order_of_another_symbol_is_not_cancelled_by_its_id():
    async def act(world: World) -> None:
        order = world.place(symbol="BTC-USDT")
        scope = Scope(symbols=("ETH-USDT",), order_id=order.order_id)
        assert counted(await world.adapter.cancel_all(scope)) == [("order", "look for order", 0)]
        assert world.ids() == {order.order_id}
        assert world.sent(CANCEL) == []

    play(act)


@pytest.mark.parametrize(("order_id", "field"), [("77", "orderIds"), ("mine", "clientOrderIds")])
def test_order_that_no_list_shows_is_cancelled_all_the_same(order_id: str, field: str):
    async def act(world: World) -> None:
        scope = Scope(symbols=("BTC-USDT",), order_id=order_id)
        receipts = await world.adapter.cancel_all(scope)
        assert [(each.accepted, each.error) for each in receipts] == [(0, None), (0, None)]
        assert world.sent(CANCEL)[0]["params"][field] == [order_id]

    play(act)


def test_clients_id_with_leading_zeros_cancels_no_order_of_that_number():
    async def act(world: World) -> None:
        stays = world.place(symbol="BTC-USDT")
        scope = Scope(symbols=("ETH-USDT",), order_id=f"0{stays.order_id}")
        await world.adapter.cancel_all(scope)
        assert world.ids() == {stays.order_id}
        assert world.sent(CANCEL)[0]["params"]["clientOrderIds"] == [scope.order_id]

    play(act)


def test_order_is_cancelled_by_its_client_id_where_the_list_cannot_be_had():
    async def act(world: World) -> None:
        world.place(link_id="mine")
        world.doctor(READ, lambda _: {"status": "ok"})
        scope = Scope(symbols=("BTC-USDT",), order_id="mine")
        cancelled, looked = await world.adapter.cancel_all(scope)
        assert (cancelled.accepted, cancelled.error) == (1, None)
        assert isinstance(looked.error, VenueReplyInvalid)
        assert world.open() == []

    play(act)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(symbols=("BTC-USDT",), order_id="77", protective=Protective.KEEP),
        Scope(symbols=("BTC-USDT",), order_id="77", classes_off=(TWAP,)),
    ],
    ids=["keep", "class off"],
)
def test_order_that_no_list_shows_is_left_where_it_might_be_one_that_is_to_stay(scope: Scope):
    async def act(world: World) -> None:
        assert counted(await world.adapter.cancel_all(scope)) == [("order", "look for order", 0)]
        assert world.sent(CANCEL) == []

    play(act)


def test_order_without_an_id_of_the_venues_is_cancelled_by_the_clients():
    async def act(world: World) -> None:
        world.place(link_id="mine")

        def unnamed(body: dict[str, object]) -> dict[str, object]:
            rows = body["response"]
            assert isinstance(rows, list)
            stripped = [{**row, "orderId": "", "order": {"clientId": "mine"}} for row in rows]
            return {**body, "response": stripped}

        world.doctor(READ, unnamed)
        (order,) = (await world.read()).orders
        (receipt,) = await world.adapter.cancel_orders([order])
        assert (receipt.accepted, receipt.error) == (1, None)
        assert world.open() == []

    play(act)


def test_every_order_of_a_batch_has_its_receipt_in_the_order_they_were_given():
    async def act(world: World) -> None:
        placed = [world.place() for _ in range(450)]
        stays = placed[3]
        world.simulated.stubborn[stays.order_id] = "OPERATION_TIMEOUT"
        await world.adapter.cancel_orders([named(placed[5])])
        mine = OpenOrder(
            order_class=ORDER,
            symbol="BTC-USDT",
            order_id="unknown",
            route=(("by", "clientOrderIds"),),
        )
        orders = [named(each) for each in placed]
        receipts = await world.adapter.cancel_orders([*orders[:100], mine, *orders[100:]])
        assert len(receipts) == 451
        accepted = [each.accepted for each in receipts]
        assert [place for place, each in enumerate(accepted) if each != 1] == [3, 5, 100]
        assert [each.error.code for each in receipts if each.error] == ["venue_outcome_unknown"]
        assert [len(each["params"].get("orderIds", "-")) for each in world.sent(CANCEL)[1:]] == [
            1,
            200,
            200,
            50,
        ]
        assert world.ids() == {stays.order_id}

    play(act)


def test_batch_that_is_refused_as_a_whole_is_told_for_each_order():
    async def act(world: World) -> None:
        orders = [named(world.place()) for _ in range(2)]
        world.doctor(CANCEL, lambda _: {"status": "ok"})
        receipts = await world.adapter.cancel_orders(orders)
        assert [type(each.error) for each in receipts] == [VenueReplyInvalid] * 2
        assert await world.adapter.cancel_orders([]) == ()

    play(act)


def test_one_round_cancels_at_most_a_thousand_orders_by_id_and_says_so():
    async def act(world: World) -> None:
        for _ in range(1001):
            world.place()
        receipts = await world.adapter.cancel_all(KEEP)
        assert sum(each.accepted or 0 for each in receipts) == 1000
        assert [each.call for each in receipts if each.capped] == ["look for order"]
        assert world.open() == ["limit"]

    play(act)


def test_look_inside_a_cancel_goes_on_to_further_pages():
    async def act(world: World) -> None:
        world.choose(limit_max=50)
        for _ in range(120):
            world.place()
        await world.adapter.cancel_all(KEEP)
        assert world.open() == []

    play(act)


def test_orders_of_others_that_fill_every_page_are_no_reason_for_another_round():
    async def act(world: World) -> None:
        world.choose(limit_max=50)
        for _ in range(1001):
            world.place(symbol="BTC-USDT")
        scope = Scope(symbols=("ETH-USDT",), protective=Protective.KEEP)
        receipts = await world.adapter.cancel_all(scope)
        assert [(each.call, each.capped) for each in receipts] == [
            ("look for twap", False),
            ("look for order", False),
        ]

    play(act)


def test_order_is_found_by_the_older_id_too_where_the_two_differ():
    async def act(world: World) -> None:
        order = world.place()
        rows = lambda body: [{**row, "orderId": "77"} for row in body["response"]]  # noqa: E731
        world.doctor(READ, lambda body: {**body, "response": rows(body)})
        scope = Scope(symbols=("BTC-USDT",), order_id="77")
        assert [each.order_id for each in (await world.read(scope)).orders] == [order.order_id]
        (receipt,) = await world.adapter.cancel_all(scope)
        assert (receipt.call, receipt.accepted) == (f"cancel {order.order_id}", 1)

    play(act)


@pytest.mark.parametrize("is_first", [False, True])
def test_order_known_by_a_clients_id_is_not_hidden_by_another_of_that_number(*, is_first: bool):
    async def act(world: World) -> None:
        order = world.place(symbol="ETH-USDT")
        odd = {"symbol": "BTC-USDT", "orderId": "", "order": {"clientId": order.order_id}}

        def doubled(body: dict[str, list[dict[str, object]]]) -> dict[str, object]:
            (row,) = body["response"]
            return {**body, "response": [row, {**row, **odd}][:: -1 if is_first else 1]}

        world.doctor(READ, doubled)
        (seen,) = (await world.read(Scope(symbols=("BTC-USDT",)))).orders
        assert seen.route == (("by", "clientOrderIds"),)
        assert len((await world.read()).orders) == 2

    play(act)


def test_delegated_signer_cancels_and_reads_like_the_owner():
    async def act(world: World) -> None:
        signer = world.venue.signer(credentials(private_key=OTHER_KEY))
        delegate(world, MINE, signer.address)
        world.place()
        adapter = world.joined(signer=signer)
        receipts = await adapter.cancel_all(ALL)
        assert [each.error for each in receipts] == [None, None]
        assert (await adapter.open_orders(ALL, pages_max=1)).is_clean

    play(act)


def test_key_of_somebody_else_is_refused_by_the_venue():
    async def act(world: World) -> None:
        world.place()
        receipts = await world.joined(
            signer=world.venue.signer(credentials(private_key=OTHER_KEY))
        ).cancel_all(ALL)
        errors = [each.error for each in receipts]
        assert [type(error) for error in errors] == [VenueAuthRefused, VenueAuthRefused]
        assert "not authorized" in str(errors[0])
        assert world.open() == ["limit"]

    play(act)


def test_check_asks_nothing_and_names_the_accounts_of_the_document():
    async def act(world: World) -> None:
        facts = await world.adapter.check()
        assert facts == KeyFacts(accounts=(MINE, BESIDE), warnings=(synthetix_adapter.WARNING,))
        assert world.simulated.log == []
        venue: AnyVenue = world.venue
        assert venue.reader(MINE) is None
        assert world.venue.banned_until is None
        assert world.venue.capabilities is world.adapter.capabilities

    play(act)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"private_key": "0x12"}, "the private key is not an Ethereum key"),
        ({"accounts": []}, "the secret document is wrong at accounts: not of the right kind"),
        ({"accounts": ["x"]}, "the secret document is wrong at accounts.0: not of the right kind"),
        (
            {"accounts": ["007"]},
            "the secret document is wrong at accounts.0: not of the right kind",
        ),
        ({"accounts": ["0"]}, "the secret document is wrong at accounts.0: not of the right kind"),
        (
            {"accounts": [str(2**63)]},
            "the secret document is wrong at accounts.0: not of the right kind",
        ),
        ({"address": "0x"}, "the secret document is wrong at address: unknown"),
    ],
)
def test_wrong_secret_document_is_named_by_its_field(fields: dict[str, object], words: str):
    async def act(world: World) -> None:
        with pytest.raises(VenueAuthRefused) as caught:
            world.venue.signer(credentials(**fields))
        assert caught.value.user_message == words
        assert KEY not in repr(caught.value)

    play(act)


def test_document_without_accounts_is_refused():
    async def act(world: World) -> None:
        with pytest.raises(VenueAuthRefused, match="accounts: missing"):
            world.venue.signer(SecretStr(json.dumps({"private_key": KEY})))

    play(act)


def test_markets_are_asked_once_an_hour_and_at_once_for_what_is_lacking():
    async def act(world: World) -> None:
        known = await world.venue.instruments({"BTC-USDT"})
        assert known.symbols == {"BTC-USDT", "ETH-USDT", "SOL-USDT"}
        await world.venue.instruments({"ETH-USDT"})
        await world.venue.instruments({"NEW-USDT"})
        assert len(world.sent(MARKETS)) == 1
        world.simulated.markets["NEW-USDT"] = True
        await asyncio.sleep(60.0)
        assert "NEW-USDT" in (await world.venue.instruments({"NEW-USDT"})).symbols
        await asyncio.sleep(3599.0)
        await world.venue.instruments({"NEW-USDT"})
        assert len(world.sent(MARKETS)) == 2
        await asyncio.sleep(1.0)
        await world.venue.instruments({"NEW-USDT"})
        assert len(world.sent(MARKETS)) == 3

    play(act)


def test_markets_that_cannot_be_had_are_an_error_and_never_none():
    async def act(world: World) -> None:
        world.doctor(MARKETS, lambda body: {**body, "response": []})
        with pytest.raises(VenueReplyInvalid):
            await world.venue.instruments()
        world.doctor(MARKETS, lambda _: {"status": "error", "error": "no orders found"})
        with pytest.raises(VenueReplyInvalid):
            await world.venue.instruments()

    play(act)


def test_nothing_is_signed_once_consent_is_over():
    async def act(world: World) -> None:
        world.place()
        adapter = world.joined(may_send=lambda: False)
        receipts = await adapter.cancel_all(ALL)
        assert [type(each.error) for each in receipts] == [VenueNotReached] * 2
        reading = await adapter.open_orders(ALL, pages_max=1)
        assert [type(each.error) for each in reading.unread] == [VenueNotReached] * 2
        assert world.simulated.log == []

    play(act)


@pytest.mark.parametrize("kinds", [("limit",), ("limit", "trigger", "twap")])
def test_loop_of_the_program_ends_flat_with_one_round(kinds: tuple[str, ...]):
    async def act(world: World) -> None:
        for kind in kinds:
            world.place(kind)
        sight = await world.chase()
        assert (sight.rounds, sight.accepted) == (1, len(kinds))
        assert sight.flat_at == pytest.approx(0.8, abs=0.2)
        assert world.open() == []

    play(act)


def test_registry_holds_synthetix_to_its_ids():
    kind = registry.venues()["synthetix"]
    assert kind.settings is synthetix.SynthetixSettings
    assert kind.connect is synthetix.connect
    assert kind.uid.fullmatch(MINE)
    assert kind.uid.fullmatch(str(2**63 - 1))
    assert kind.uid.fullmatch("9" * 18)
    for wrong in ("0", "0123", "1" * 20, str(2**63), "9" * 19, "9223372036854776000"):
        assert not kind.uid.fullmatch(wrong)
    assert not kind.is_key_of_one_account


def test_base_url_is_the_exchanges_unless_told_and_never_plain_http():
    assert synthetix.SynthetixSettings().base_url == "https://papi.synthetix.io"
    with pytest.raises(ValidationError):
        synthetix.SynthetixSettings(base_url="http://papi.synthetix.io")


async def test_whole_round_goes_over_a_real_socket():
    simulated = simulate()
    simulated.book.place(MINE, "limit", now=time.time())
    simulated.book.place(MINE, "twap", now=time.time())
    async with server.serve(simulated) as base_url:
        settings = synthetix.SynthetixSettings(base_url=base_url)
        gate = Gate(synthetix.ADDRESS)
        async with synthetix.connect(settings, gate=gate, state_dir=None) as venue:
            adapter = venue.adapter(venue.signer(credentials()), uid=MINE, purpose=Purpose.RUN)
            receipts = await adapter.cancel_all(ALL)
            reading = await adapter.open_orders(ALL, pages_max=1)
    assert [each.accepted for each in receipts] == [1, 1]
    assert reading.is_clean
    assert {seen.is_signed for seen in simulated.log} == {True}
