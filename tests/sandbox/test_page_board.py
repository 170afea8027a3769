"""The board: what the books hold, whatever anybody says of it, and what was called."""

import json
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from bot.sandbox import world as worlds
from bot.sandbox.accounts import BYBIT, COINAPI, PREMISES, Account, Simulated
from bot.sandbox.page.board import AGE_S, CALLS_MAX, SENT_MAX, Board
from bot.sandbox.page.sight import Parts
from bot.sandbox.slack.records import Json
from bot.sandbox.venues.exchange import Request, Seen
from tests.canary import CANARIES
from tests.fakes import desk
from tests.fakes.desk import Product

NOW = 1_763_694_000.0
MM, ARB, OPT = BYBIT.accounts


@pytest.fixture
def venues() -> dict[str, Simulated]:
    """Every venue of the demo, with empty books."""
    return {name: each.simulate(1, each.accounts) for name, each in PREMISES.items()}


@pytest.fixture
def board(venues: dict[str, Simulated]) -> Board:
    return Board(venues, [account for each in PREMISES.values() for account in each.accounts])


def account(parts: Parts, of: Account) -> tuple[int, int, dict[str, int]]:
    """Return what the board says of an account: open, at most, and by class."""
    (found,) = (each for each in parts[f"venue/{of.venue}"]["accounts"] if each["name"] == of.name)
    return found["open"], found["peak"], found["by_class"]


def call(venues: dict[str, Simulated], number: int, **more: object) -> None:
    """Write a line of Bybit's wire log."""
    line = {"uid": "1001", "method": "GET", "path": f"/{number}", "payload": "", "code": "0"}
    fields = {"at": NOW, "address": "127.0.0.1", "is_signed": True} | line | more
    venues["bybit"].log.append(Seen(**fields))  # type: ignore[arg-type]


def sent(board: Board, venue: Simulated, **request: object) -> Json:
    """Call a venue; return what the board shows of it."""
    usual = {"method": "GET", "query": "", "headers": {}, "body": b"", "address": "127.0.0.1"}
    venue.answer(Request(**usual | request), NOW)  # type: ignore[arg-type]
    (found,) = (part for name, part in board.parts(NOW).items() if name.startswith("call/"))
    return found


def test_the_board_counts_what_is_on_the_books(board: Board, venues: dict[str, Simulated]):
    for name, each in PREMISES.items():
        worlds.fill(venues[name], each.accounts, each.orders)
    parts = board.parts(time.time())
    found = {name: (part["title"], part["open"]) for name, part in parts.items()}
    assert found == {
        "venue/bybit": ("Bybit", 1764),
        "venue/coinapi": ("CoinAPI EMS", 165),
        "venue/pacifica": ("Pacifica", 237),
        "venue/synthetix": ("Synthetix", 210),
    }
    for name, each in PREMISES.items():
        assert sorted(parts[f"venue/{name}"]["classes"]) == sorted(each.orders)
        shown = [account(parts, of) for of in each.accounts]
        total = sum(each.orders.values())
        assert shown == [(total, total, each.orders)] * 3


def test_an_order_counts_for_the_account_on_whose_book_it_is(
    board: Board, venues: dict[str, Simulated]
):
    venues["bybit"].book.place(ARB.uid, "spot", now=NOW)
    venues["coinapi"].book.place(COINAPI.accounts[1].place, "limit", now=NOW)
    parts = board.parts(NOW)
    assert [account(parts, each)[0] for each in BYBIT.accounts] == [0, 1, 0]
    assert [account(parts, each)[0] for each in COINAPI.accounts] == [0, 1, 0]


def test_the_most_that_was_open_stays_until_the_book_is_empty(
    board: Board, venues: dict[str, Simulated]
):
    book = venues["bybit"].book
    book.cancel_delay_s = 0.0
    shown = []
    for step, (places, cancels) in enumerate([(5, 0), (0, 3), (1, 0), (0, 3), (2, 0), (0, 1)]):
        now = NOW + step
        for _ in range(places):
            book.place(MM.uid, "spot", now=now)
        book.cancel(book.live(MM.uid, now=now)[:cancels], now=now)
        shown.append(account(board.parts(now), MM)[:2])
    assert shown == [(5, 5), (2, 5), (3, 5), (0, 0), (2, 2), (1, 2)]


def test_a_class_stays_in_its_place_also_when_it_is_empty(
    board: Board, venues: dict[str, Simulated]
):
    """The rows of a table that is looked at must not jump."""
    book = venues["bybit"].book
    book.cancel_delay_s = 0.0
    shown = []
    for step, kind in enumerate(["spread", "linear:USDT", "option"]):
        now = NOW + step
        book.cancel(book.live(MM.uid, now=now), now=now)
        book.place(MM.uid, kind, now=now)
        part = board.parts(now)["venue/bybit"]
        shown.append((part["classes"], part["accounts"][0]["by_class"]))
    rows = list(BYBIT.orders)
    assert shown == [(rows, {"spread": 1}), (rows, {"linear:USDT": 1}), (rows, {"option": 1})]


def test_books_are_counted_anew_when_the_count_is_old_or_of_the_future(
    board: Board, venues: dict[str, Simulated]
):
    before = board.parts(NOW)
    venues["bybit"].book.place(MM.uid, "spot", now=NOW - 9)
    assert board.parts(NOW + AGE_S * 0.9) is before
    assert account(board.parts(NOW + AGE_S), MM)[0] == 1
    venues["bybit"].book.place(MM.uid, "spot", now=NOW - 9)
    assert account(board.parts(NOW - 1.0), MM)[0] == 2


def test_the_newest_calls_are_shown_and_all_are_counted(board: Board, venues: dict[str, Simulated]):
    for number in range(CALLS_MAX + 5):
        call(venues, number)
    parts = board.parts(NOW)
    shown = [part["path"] for name, part in parts.items() if name.startswith("call/bybit/")]
    assert shown == [f"/{number}" for number in range(5, CALLS_MAX + 5)]
    assert parts["venue/bybit"]["calls"] == CALLS_MAX + 5
    call(venues, CALLS_MAX + 5, payload="x" * 1_000)
    later = board.parts(NOW + 1)
    assert set(parts) - set(later) == {"call/bybit/000000005"}
    assert set(later) - set(parts) == {"call/bybit/000000305"}
    assert later["call/bybit/000000305"]["sent"] == "x" * SENT_MAX
    assert later["call/bybit/000000304"] is parts["call/bybit/000000304"]


def test_a_call_is_good_if_the_venue_says_yes(board: Board, venues: dict[str, Simulated]):
    for number, code in enumerate(["0", "10003", "200", "429", "101", "", "UNAUTHORIZED"]):
        call(venues, number, code=code)
    calls = [part for name, part in board.parts(NOW).items() if name.startswith("call/")]
    assert [each["code"] for each in calls if each["is_good"]] == ["0", "200", "101"]


def test_a_call_whose_answer_never_arrives_whole_is_not_good(
    board: Board, venues: dict[str, Simulated]
):
    call(venues, 1, code="200", fate="hang")
    (found,) = [part for name, part in board.parts(NOW).items() if name.startswith("call/")]
    assert (found["code"], found["is_good"]) == ("hang", False)


def test_a_call_is_shown_with_its_account_and_whether_its_signature_was_right(
    board: Board, venues: dict[str, Simulated]
):
    call(venues, 1, uid="1002")
    call(venues, 2, uid="1003", is_signed=False)
    parts = board.parts(NOW)
    calls = [parts[f"call/bybit/{number:09d}"] for number in range(2)]
    shown = [(each["at"], each["account"], each["is_signed"]) for each in calls]
    assert shown == [(NOW, "bybit-arb", True), (NOW, "bybit-opt", False)]


def test_an_account_that_the_venue_calls_otherwise_is_shown_by_its_name(
    board: Board, venues: dict[str, Simulated]
):
    account_, key = COINAPI.accounts[1], str(COINAPI.accounts[0].key["api_key"])
    query = f"exchange_id={quote(account_.uid, safe='')}&apikey={key}"
    found = sent(board, venues["coinapi"], path="/v1/orders", query=query)
    assert (found["account"], found["is_signed"], found["is_good"]) == ("ems-ann", True, True)
    assert key not in json.dumps(found)


def test_a_call_of_nobody_known_is_shown_without_an_account(
    board: Board, venues: dict[str, Simulated]
):
    found = sent(
        board,
        venues["bybit"],
        method="POST",
        path="/v5/order/cancel-all",
        headers={"x-bapi-api-key": "FORGED", "x-bapi-sign": "00", "x-bapi-timestamp": "1"},
        body=b'{"category":"spot"}',
    )
    assert (found["account"], found["is_signed"], found["is_good"]) == ("", False, False)
    assert (found["method"], found["sent"]) == ("POST", '{"category":"spot"}')
    assert "FORGED" not in json.dumps(found)


async def test_a_run_shows_signed_calls_of_each_account_and_no_secret(tmp_path: Path):
    async with desk.open_product(tmp_path) as product:
        board = Board(product.world.venues, product.world.accounts)
        total = board.parts(time.time())["venue/bybit"]["open"]
        assert total == product.left() == 117
        await product.flat()
        parts = board.parts(time.time())
        assert account(parts, MM) == account(parts, OPT) == (0, 0, {})
        assert told_of_cancels(product, parts) == {each.name for each in BYBIT.accounts}
    text = json.dumps(parts)
    assert [canary for canary in CANARIES if canary in text] == []


def told_of_cancels(product: Product, parts: Parts) -> set[str]:
    """Return the accounts of which a signed cancel that the venue granted is shown."""
    calls = [part for name, part in parts.items() if name.startswith("call/")]
    assert len(calls) == min(CALLS_MAX, len(product.venue.log))
    cancels = [each for each in calls if each["path"] == "/v5/order/cancel-all"]
    assert all(each["is_signed"] and each["is_good"] for each in cancels)
    assert all('"category":' in each["sent"] for each in cancels)
    return {each["account"] for each in cancels}
