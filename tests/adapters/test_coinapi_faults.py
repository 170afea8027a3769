"""What goes wrong on the way to EMS, who may not call it, and where its key must not go."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from adapters import coinapi, registry, signing
from adapters.coinapi import CoinapiSettings
from adapters.coinapi_wire import LIMIT
from adapters.contract import (
    Purpose,
    Scope,
    VenueAuthRefused,
    VenueError,
    VenueNotReached,
    VenueOutcomeUnknown,
    VenueReplyInvalid,
    VenueThrottled,
)
from bot.sandbox.venues.exchange import Answer, Request
from bot.sandbox.venues.faults import Wrong
from tests.adapters.coinapi_world import (
    ANN,
    API_KEY,
    CANCEL,
    CANCEL_ALL,
    JOHN,
    ORDERS,
    STAMP,
    VECTORS,
    World,
    credentials,
    play,
)

ALL = Scope()
ONE_BY_ONE = Scope(symbols=("OXTUSD",))


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (Wrong.TOO_MANY, VenueThrottled),
        (Wrong.SERVER, VenueOutcomeUnknown),
        (Wrong.UNAVAILABLE, VenueOutcomeUnknown),
        (Wrong.HTML, VenueReplyInvalid),
        (Wrong.REDIRECT, VenueReplyInvalid),
        (Wrong.OVERSIZE, VenueReplyInvalid),
        (Wrong.HANG, VenueOutcomeUnknown),
        (Wrong.DRIP, VenueOutcomeUnknown),
        (Wrong.CUT, VenueOutcomeUnknown),
        (Wrong.RESET, VenueOutcomeUnknown),
        (Wrong.LOST_REPLY, VenueOutcomeUnknown),
        (Wrong.REFUSED_KEY, VenueAuthRefused),
        (Wrong.LACKS_PERMISSION, VenueAuthRefused),
        (Wrong.WRONG_ADDRESS, VenueAuthRefused),
    ],
)
def test_a_fault_is_an_error_of_the_class_and_never_raised(wrong: Wrong, kind: type[VenueError]):
    async def act(world: World) -> None:
        world.place()
        orders = (await world.adapter.open_orders(ALL, pages_max=1)).orders
        world.fail(wrong)
        receipts = await world.adapter.cancel_all(ALL)
        receipts += await world.adapter.cancel_all(ONE_BY_ONE)
        receipts += await world.adapter.cancel_orders(orders)
        assert [(r.order_class, type(r.error)) for r in receipts] == [(LIMIT, kind)] * 3
        reading = await world.adapter.open_orders(ALL, pages_max=1)
        assert [(u.order_class, type(u.error)) for u in reading.unread] == [(LIMIT, kind)]

    play(act)


@pytest.mark.parametrize("wrong", [Wrong.EMPTY, Wrong.NO_LIST])
def test_a_reading_without_a_list_is_never_empty(wrong: Wrong):
    async def act(world: World) -> None:
        world.fail(wrong)
        reading = await world.adapter.open_orders(ALL, pages_max=1)
        assert reading.unread[0].error.user_message.endswith("no list of orders")

    play(act)


def test_a_reading_of_another_account_is_never_clean():
    async def act(world: World) -> None:
        world.place(at=ANN)
        world.fail(Wrong.OTHER_ACCOUNT, ORDERS)
        reading = await world.adapter.open_orders(ALL, pages_max=1)
        assert reading.orders == ()
        assert "another exchange_id" in reading.unread[0].error.user_message

    play(act)


def test_nothing_is_sent_where_nothing_can_be_reached():
    async def act(world: World) -> None:
        world.carrier.is_cut_off = True
        (receipt,) = await world.adapter.cancel_all(ALL)
        assert isinstance(receipt.error, VenueNotReached)
        assert world.simulated.log == []

    play(act)


def test_too_many_calls_hold_all_of_them_twice_as_long_each_time_and_then_afresh():
    async def act(world: World) -> None:
        loop = asyncio.get_running_loop()
        told = []
        world.fail(Wrong.TOO_MANY, times=6)
        for _ in range(6):
            (receipt,) = await world.adapter.cancel_all(ALL)
            assert isinstance(receipt.error, VenueThrottled)
            told.append(receipt.error.retry_after_s)
        assert told == pytest.approx([1.0, 2.0, 4.0, 8.0, 8.0, 8.0])
        began = loop.time()
        (receipt,) = await world.joined(ANN).cancel_all(ALL)
        assert receipt.error is None
        assert 8.0 <= loop.time() - began < 8.2
        world.fail(Wrong.TOO_MANY, times=1)
        (receipt,) = await world.adapter.cancel_all(ALL)
        assert receipt.error.retry_after_s == 1.0

    play(act)


def test_calls_that_are_refused_together_count_once():
    async def act(world: World) -> None:
        for _ in range(2):
            world.place()
        orders = (await world.adapter.open_orders(ALL, pages_max=1)).orders
        world.fail(Wrong.TOO_MANY, CANCEL, times=2)
        receipts = await world.adapter.cancel_orders(orders)
        assert [r.error.retry_after_s for r in receipts] == [pytest.approx(1.0)] * 2

    play(act)


def test_time_that_ems_says_is_waited():
    async def act(world: World) -> None:
        world.answer(CANCEL_ALL, 429, b"", {"Retry-After": "5"})
        await world.adapter.cancel_all(ALL)
        began = asyncio.get_running_loop().time()
        await world.adapter.open_orders(ALL, pages_max=1)
        assert asyncio.get_running_loop().time() - began >= 5.0

    play(act)


def test_two_calls_of_an_account_are_on_their_way_at_once():
    """A third of what the address may: an exchange that hangs takes no more."""

    async def act(world: World) -> None:
        for _ in range(7):
            world.place()
        orders = (await world.adapter.open_orders(ALL, pages_max=1)).orders
        world.carrier.calls.clear()
        await world.adapter.cancel_orders(orders)
        moments = [at for at, _ in world.carrier.calls]
        assert [moments.count(at) for at in sorted(set(moments))] == [2, 2, 2, 1]

    play(act)


def test_a_preview_leaves_room_for_runs():
    async def act(world: World) -> None:
        looking = world.joined(JOHN, purpose=Purpose.LOOK)
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(looking.open_orders(ALL, pages_max=1))
            await asyncio.sleep(0.01)
            assert len(world.carrier.calls) == 1
            group.create_task(world.adapter.cancel_all(ALL))
            await asyncio.sleep(0.01)
            assert world.carrier.calls[-1][1] == f"POST {CANCEL_ALL}"

    play(act)


def test_nothing_is_sent_once_consent_has_ended():
    async def act(world: World) -> None:
        world.place()
        orders = (await world.adapter.open_orders(ALL, pages_max=1)).orders
        world.simulated.log.clear()
        late = world.joined(JOHN, may_send=lambda: False)
        receipts = await late.cancel_all(ALL)
        receipts += await late.cancel_all(ONE_BY_ONE)
        receipts += await late.cancel_orders(orders)
        assert [type(r.error) for r in receipts] == [VenueNotReached] * 3
        assert not (await late.open_orders(ALL, pages_max=1)).is_clean
        assert world.simulated.log == []

    play(act)


def test_consent_that_ends_in_the_middle_of_a_round_ends_it():
    async def act(world: World) -> None:
        world.simulated.without_cancel_all.add("KRAKEN")
        world.place()
        clock = world.carrier.clock
        began = clock.monotonic()
        brief = world.joined(JOHN, may_send=lambda: clock.monotonic() < began + 0.06)
        receipts = await brief.cancel_all(ALL)
        assert [type(r.error) for r in receipts] == [VenueNotReached]
        assert world.sent(CANCEL) == []

    play(act)


def test_key_goes_nowhere_but_into_its_header(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)

    async def act(world: World) -> None:
        world.place()
        echo = {"type": "MESSAGE_REJECT", "reject_reason": "OTHER", "message": f"key {API_KEY}"}
        honest, seen = world.simulated.answer, list[Request]()

        def echoing(request: Request, now: float) -> Answer:
            seen.append(request)
            honest(request, now)
            return Answer(status=200, body=json.dumps(echo).encode())

        world.simulated.answer = echoing  # type: ignore[method-assign]
        receipts = await world.adapter.cancel_all(ALL)
        reading = await world.adapter.open_orders(ALL, pages_max=1)
        shown = [repr(receipts), repr(reading), str(receipts[0].error), caplog.text]
        shown += [repr(world.adapter), repr(world.venue), world.adapter.caller.signer.budget_id]
        shown += [f"{each.path}?{each.query} {each.body.decode()}" for each in seen]
        assert not any(API_KEY in text for text in shown)
        assert receipts[0].error.user_message == "EMS refuses: key …"
        assert [each.headers["x-coinapi-key"] for each in seen] == [API_KEY] * 2

    play(act)


def test_key_is_fetched_afresh_for_each_call():
    """A holder may be a vault that lends a key for one call."""

    class Lending:
        budget_id, accounts = "key-0", (JOHN,)
        lent = 0

        async def key(self) -> str:
            self.lent += 1
            return API_KEY

    async def act(world: World) -> None:
        lending = Lending()
        adapter = world.joined(JOHN, signer=lending)
        await adapter.cancel_all(ALL)
        await adapter.open_orders(ALL, pages_max=1)
        assert lending.lent == 2
        assert {seen.code for seen in world.simulated.log} == {"200"}

    play(act)


def test_holder_that_fails_sends_nothing():
    class Failing:
        budget_id, accounts = "key-0", (JOHN,)

        async def key(self) -> str:
            raise VenueNotReached(user_message="the vault is sealed")

    async def act(world: World) -> None:
        adapter = world.joined(JOHN, signer=Failing())
        (receipt,) = await adapter.cancel_all(ALL)
        assert str(receipt.error) == "the vault is sealed"
        assert world.simulated.log == []

    play(act)


def test_held_key_shows_nothing_of_itself():
    holder = signing.HeldKey(SecretStr(API_KEY), (JOHN,))
    assert holder.accounts == (JOHN,)
    assert holder.budget_id == signing.budget_id(SecretStr(API_KEY))
    assert API_KEY not in f"{holder!r} {holder} {holder.budget_id} {vars(holder)}"
    assert asyncio.run(holder.key()) == API_KEY


@pytest.mark.parametrize("key", ["", " K", "K\n", "K\r\nX-Other: 1", "clé"])
def test_key_that_no_header_can_carry_is_refused_without_showing_it(key: str):
    with pytest.raises(VenueAuthRefused) as caught:
        signing.HeldKey(SecretStr(key), (JOHN,))
    assert caught.value.user_message == "the key is empty, or holds what no header can carry"
    assert not key or key not in repr(caught.value)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"accounts": [JOHN]}, "api_key: missing"),
        ({"api_key": "canary"}, "accounts: missing"),
        ({"api_key": "canary", "accounts": []}, "accounts: not of the right kind"),
        ({"api_key": "canary", "accounts": ["canary"]}, "accounts.0: not of the right kind"),
        ({"api_key": "canary", "accounts": JOHN}, "accounts: not of the right kind"),
        ({"api_key": "canary", "accounts": [JOHN], "jwt": "canary"}, "jwt: unknown"),
    ],
)
def test_wrong_document_names_the_field_and_never_a_value(document: object, said: str):
    async def act(world: World) -> None:
        with pytest.raises(VenueAuthRefused) as caught:
            world.venue.signer(SecretStr(json.dumps(document)))
        assert caught.value.user_message == f"the secret document is wrong at {said}"
        assert "canary" not in repr(caught.value)

    play(act)


def test_key_of_other_accounts_says_so_before_anything_is_sent():
    async def act(world: World) -> None:
        signer = world.venue.signer(credentials(accounts=[ANN]))
        facts = await world.joined(JOHN, signer=signer).check()
        assert facts.accounts == (ANN,)
        assert world.simulated.log == []

    play(act)


def test_base_url_must_be_written_out():
    with pytest.raises(ValidationError) as caught:
        CoinapiSettings.model_validate({})
    assert [each["type"] for each in caught.value.errors()] == ["missing"]


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        ("https://ems-mgmt.coinapi.io", "never the management API"),
        ("https://EMS-MGMT.coinapi.io/", "never the management API"),
        ("https://ems-mgmt-sandbox.coinapi.io", "never the management API"),
        ("http://ems-gateway.internal", "plain http is for this machine alone"),
        ("global.ems.coinapi.net", "must begin with https://"),
    ],
)
def test_base_url_that_the_key_must_not_go_to_is_refused(base_url: str, said: str):
    with pytest.raises(ValidationError, match=said):
        CoinapiSettings(base_url=base_url)


@pytest.mark.parametrize(
    ("base_url", "spelling"),
    [
        ("https://Global.EMS.coinapi.net/", "https://global.ems.coinapi.net"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:80/ems/", "http://localhost/ems"),
    ],
)
def test_base_url_has_one_spelling(base_url: str, spelling: str):
    assert CoinapiSettings(base_url=base_url).base_url == spelling


NAMES = [
    *VECTORS["exchange_ids_named_in_docs"],
    *(f"KRAKEN{each}JOHN" for each in VECTORS["enums"]["exchange_id_tag_separators"]),
    "BITSTAMP/7c177641-74bd-4dbe-9b01-2497c12a5f70",
    STAMP,
]


@pytest.mark.parametrize("name", NAMES)
def test_every_documented_exchange_id_is_one(name: str):
    assert registry.venues()["coinapi"].uid.fullmatch(name)
    found = coinapi.CoinapiCredentials.model_validate({"api_key": "K", "accounts": [name]})
    assert found.accounts == (name,)


@pytest.mark.parametrize("name", ["", "kraken", "KRAKEN/", "KRAKEN JOHN", "KRAKEN/J N", "/JOHN"])
def test_what_is_no_exchange_id_is_refused(name: str):
    assert not registry.venues()["coinapi"].uid.fullmatch(name)
    with pytest.raises(ValidationError):
        coinapi.CoinapiCredentials.model_validate({"api_key": "K", "accounts": [name]})


def test_a_key_may_be_for_several_accounts():
    assert not registry.venues()["coinapi"].is_key_of_one_account


CALLS: dict[str, Callable[[World], Any]] = {
    "everything": lambda world: world.adapter.cancel_all(ALL),
    "one by one": lambda world: world.adapter.cancel_all(ONE_BY_ONE),
    "a reading": lambda world: world.adapter.open_orders(ALL, pages_max=1),
    "a check": lambda world: world.adapter.check(),
}


@pytest.mark.parametrize("what", CALLS)
def test_management_api_is_never_called(what: str):
    """It shows and removes exchange accounts, under the very key that is used here."""

    async def act(world: World) -> None:
        world.place()
        await CALLS[what](world)
        assert world.simulated.management_calls == 0
        assert {path for _, path in world.carrier.calls} <= {
            f"POST {CANCEL_ALL}",
            f"POST {CANCEL}",
            f"GET {ORDERS}",
        }

    play(act)
