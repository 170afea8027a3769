"""What if: each control does what its hint says, at every venue, and ends when it is pressed."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

import pytest

from bot.sandbox.accounts import PREMISES, Account, Simulated
from bot.sandbox.page.whatif import FAULTS, OPEN_MAX, ORDER_EVERY_S, Controls, Switch
from bot.sandbox.venues.exchange import Answer, Transport
from tests.fakes.desk import soon
from tests.sandbox import bybit_caller, coinapi_caller, pacifica_caller, synthetix_caller

VENUES = ("bybit", "coinapi", "pacifica", "synthetix")
ANSWERS = {
    "429": (429, Transport.WHOLE, "text/plain"),
    "500": (500, Transport.WHOLE, "text/plain"),
    "HTML": (200, Transport.WHOLE, "text/html"),
    "ban": (403, Transport.WHOLE, "text/html"),
    "hang": (200, Transport.HANG, "text/plain"),
}
"""What every call meets: a status, whether it arrives, and as what."""
REFUSALS = {
    "bybit": (200, "API key is invalid."),
    "coinapi": (401, "Invalid API key"),
    "pacifica": (400, "Verification failed: signature does not match"),
    "synthetix": (401, "is not authorized to act on this subaccount"),
}
KEYED = {"bybit", "coinapi", "synthetix"}
"""Where nobody reads orders without a key."""


class Desk:
    """Accounts at each venue, the programs that trade there, and the controls."""

    def __init__(self) -> None:
        self.bybit, self.coinapi = bybit_caller.caller(), coinapi_caller.caller()
        self.pacifica, self.synthetix = pacifica_caller.caller(), synthetix_caller.caller()
        self.venues: dict[str, Simulated] = {
            "bybit": self.bybit.venue,
            "coinapi": self.coinapi.venue,
            "pacifica": self.pacifica.venue,
            "synthetix": self.synthetix.venue,
        }
        self.accounts = [
            Account(name="bybit-1", venue="bybit", uid=bybit_caller.UID, key={}),
            Account(name="bybit-2", venue="bybit", uid=bybit_caller.OTHER_UID, key={}),
            Account(name="ems", venue="coinapi", uid="JOHN", book="desk:KRAKEN/JOHN", key={}),
            Account(name="pacifica", venue="pacifica", uid=pacifica_caller.MAIN, key={}),
            Account(name="snx", venue="synthetix", uid=synthetix_caller.UID, key={}),
        ]
        self.turned: list[tuple[str, bool]] = []
        switches = {
            name: Switch(label=name, hint=f"{name}.", turn=self._turns(name))
            for name in ("slack", "keys")
        }
        self.controls = Controls(self.venues, self.accounts, switches)

    def _turns(self, name: str) -> Callable[[bool], None]:
        return lambda is_on: self.turned.append((name, is_on))

    def cancel(self, venue: str) -> Answer:
        """Send a cancel-all, signed well."""
        match venue:
            case "bybit":
                return self.bybit.send("POST", "/v5/order/cancel-all", '{"category": "spot"}')
            case "coinapi":
                return self.coinapi.cancel_all()
            case "pacifica":
                everything = pacifica_caller.EVERYTHING
                return self.pacifica.post(pacifica_caller.ALL, **everything)
            case _:
                return self.synthetix.cancel_all()

    def read(self, venue: str) -> Answer:
        """Ask for open orders."""
        match venue:
            case "bybit":
                return self.bybit.send("GET", "/v5/order/realtime", "category=spot")
            case "coinapi":
                return self.coinapi.send("GET", coinapi_caller.ORDERS)
            case "pacifica":
                return self.pacifica.get("/orders")
            case _:
                return self.synthetix.ask("getOpenOrders")

    def clock(self, venue: str) -> float:
        """Return what a venue's clock shows, or a moment that it tells by it."""
        answer = self.read(venue)
        found = json.loads(answer.body)
        match venue:
            case "bybit":
                return float(found["time"]) / 1000
            case "coinapi":
                told = found[0]["status_history"][0][1]
                return datetime.fromisoformat(f"{told[:19]}+00:00").timestamp()
            case "pacifica":
                return parsedate_to_datetime(answer.headers["Date"]).timestamp()
            case _:
                return float(found["timestamp"]) / 1000

    def count(self) -> dict[str, int]:
        """Ask the books."""
        now = time.time()
        return {name: venue.book.total(now=now) for name, venue in self.venues.items()}

    def on(self) -> list[str]:
        """Return the controls that show as on."""
        return [part["name"] for part in self.controls.parts().values() if part["is_on"]]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_controls_stand_in_one_order_with_a_hint_each(desk: Desk):
    parts = desk.controls.parts()
    assert [part["name"] for part in parts.values()] == [
        *("everywhere/seed", "everywhere/slack", "everywhere/keys", "everywhere/well"),
        *(
            f"{venue}/{name}"
            for venue in VENUES
            for name in (*(label for label, _, _ in FAULTS), "skew", "runaway", "seed")
        ),
    ]
    assert list(parts) == [f"control/{part['name']}" for part in parts.values()]
    assert all(part["hint"].endswith(".") and part["label"] for part in parts.values())
    once = [part["name"] for part in parts.values() if part["is_on"] is None]
    seeds = [f"{venue}/seed" for venue in VENUES]
    assert once == ["everywhere/seed", "everywhere/well", *seeds]
    assert desk.on() == []


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("label", ANSWERS)
def test_a_fault_meets_every_call_until_it_is_pressed_again(desk: Desk, venue: str, label: str):
    assert desk.controls.press(f"{venue}/{label}")
    assert desk.on() == [f"{venue}/{label}"]
    for answer in (desk.cancel(venue), desk.read(venue)):
        assert (answer.status, answer.transport, answer.content_type) == ANSWERS[label]
    fates = {seen.fate for seen in desk.venues[venue].log[-2:]}
    assert fates == {{"hang": "hang", "HTML": "HTML", "ban": "HTML"}.get(label, "")}
    assert desk.controls.parts()[f"control/{venue}/{label}"]["met"] == 2
    others = [desk.cancel(each) for each in VENUES if each != venue]
    assert {answer.status for answer in others} == {200}
    assert desk.controls.press(f"{venue}/{label}")
    assert desk.on() == []
    assert (desk.cancel(venue).status, desk.cancel(venue).transport) == (200, Transport.WHOLE)
    assert desk.controls.parts()[f"control/{venue}/{label}"]["met"] == 0


@pytest.mark.parametrize("venue", VENUES)
def test_a_key_is_refused_until_it_is_pressed_again(desk: Desk, venue: str):
    status, said = REFUSALS[venue]
    desk.controls.press(f"{venue}/key refused")
    answer = desk.cancel(venue)
    assert answer.status == status
    assert said in answer.body.decode()
    assert (said in desk.read(venue).body.decode()) == (venue in KEYED)
    desk.controls.press(f"{venue}/key refused")
    assert said not in desk.cancel(venue).body.decode()


def test_a_venue_has_one_fault_at_a_time(desk: Desk):
    for venue in VENUES:
        desk.controls.press(f"{venue}/500")
    desk.controls.press("bybit/429")
    assert desk.on() == ["bybit/429", "coinapi/500", "pacifica/500", "synthetix/500"]
    assert [desk.cancel(venue).status for venue in VENUES] == [429, 500, 500, 500]
    met = {part["name"]: part["met"] for part in desk.controls.parts().values() if part["met"]}
    assert met == dict.fromkeys(desk.on(), 1)
    desk.controls.press("bybit/429")
    assert [desk.cancel(venue).status for venue in VENUES] == [200, 500, 500, 500]


@pytest.mark.parametrize("venue", VENUES)
def test_a_clock_is_a_minute_ahead_until_it_is_pressed_again(desk: Desk, venue: str):
    desk.coinapi.place()
    before = desk.clock(venue)
    desk.controls.press(f"{venue}/skew")
    assert desk.on() == [f"{venue}/skew"]
    assert desk.clock(venue) - before == 60.0
    desk.controls.press(f"{venue}/skew")
    assert (desk.on(), desk.clock(venue)) == ([], before)


def test_seeds_fill_the_books_of_one_venue_or_of_all(desk: Desk):
    full = {name: sum(each.orders.values()) for name, each in PREMISES.items()}
    assert full == {"bybit": 588, "coinapi": 55, "pacifica": 79, "synthetix": 70}
    desk.controls.press("pacifica/seed")
    assert desk.count() == {"bybit": 0, "coinapi": 0, "pacifica": 79, "synthetix": 0}
    desk.controls.press("everywhere/seed")
    assert desk.count() == {"bybit": 2 * 588, "coinapi": 55, "pacifica": 2 * 79, "synthetix": 70}


def test_what_is_no_control_is_not_pressed(desk: Desk):
    for name in ("", "bybit", "bybit/", "/429", "429", "bybit/4", "kraken/429", "everywhere/429"):
        assert not desk.controls.press(name)
    assert (desk.on(), desk.turned) == ([], [])


def test_a_switch_is_told_when_it_is_turned_on_and_off(desk: Desk):
    desk.controls.press("everywhere/slack")
    assert desk.on() == ["everywhere/slack"]
    desk.controls.press("everywhere/keys")
    desk.controls.press("everywhere/slack")
    assert desk.turned == [("slack", True), ("keys", True), ("slack", False)]
    assert desk.on() == ["everywhere/keys"]


async def test_all_well_ends_everything_and_orders_stay(desk: Desk):
    desk.controls.press("everywhere/seed")
    before = desk.count()
    for venue in VENUES:
        desk.controls.press(f"{venue}/hang")
        desk.controls.press(f"{venue}/skew")
        desk.controls.press(f"{venue}/runaway")
    desk.controls.press("everywhere/keys")
    assert len(desk.on()) == 13
    desk.controls.press("everywhere/well")
    assert (desk.on(), desk.turned) == ([], [("keys", True), ("keys", False)])
    assert {desk.read(venue).transport for venue in VENUES} == {Transport.WHOLE}
    assert {venue.skew_s for venue in desk.venues.values()} == {0.0}
    async with desk.controls.running():
        await asyncio.sleep(1.2 * ORDER_EVERY_S)
    assert desk.count() == before
    desk.controls.press("everywhere/well")
    assert len(desk.turned) == 2


async def test_a_runaway_bot_places_orders_in_turn_for_as_long_as_it_is_on(desk: Desk):
    def placed(account: Account) -> int:
        book = desk.venues[account.venue].book
        return sum(book.open_count(account.place, now=time.time()).values())

    async with desk.controls.running():
        for venue in ("bybit", "coinapi", "synthetix"):
            desk.controls.press(f"{venue}/runaway")
        assert desk.on() == ["bybit/runaway", "coinapi/runaway", "synthetix/runaway"]
        running = [each for each in desk.accounts if each.venue != "pacifica"]
        await soon(lambda: all(map(placed, running)))
        for venue in ("bybit", "synthetix"):
            desk.controls.press(f"{venue}/runaway")
        before = desk.count()
        assert before["pacifica"] == 0
        assert before["coinapi"] == before["synthetix"] == before["bybit"]
        await soon(lambda: desk.count()["coinapi"] > before["coinapi"])
        desk.controls.press("coinapi/runaway")
        after = desk.count()
        assert after == before | {"coinapi": before["coinapi"] + 1}
        desk.controls.press("pacifica/runaway")
    await asyncio.sleep(1.2 * ORDER_EVERY_S)
    assert desk.count() == after  # It ends with the context.


def test_a_control_that_is_pressed_twice_at_once_is_what_it_was_to_be(desk: Desk):
    for on in (True, True, False, False):
        for name in ("bybit/500", "pacifica/skew", "synthetix/runaway", "everywhere/slack"):
            assert desk.controls.press(name, on)
        assert len(desk.on()) == 4 * on


def test_an_account_that_is_full_gets_no_more_orders_at_once(desk: Desk):
    for _ in range(60):
        desk.controls.press("everywhere/seed")
    most = max(sum(PREMISES[venue].orders.values()) for venue in VENUES)
    now = time.time()
    for account in desk.accounts:
        book = desk.venues[account.venue].book
        assert sum(book.open_count(account.place, now=now).values()) < OPEN_MAX + most
