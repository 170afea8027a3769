"""What the simulated Bybit shows, rule by documented rule; and the cousins of its orders."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bot.sandbox.venues.book import Book
from bot.sandbox.venues.bybit_kinds import KINDS
from tests.sandbox.bybit_caller import (
    INVERSE_BTC,
    LINEAR_STOPS,
    LINEAR_USDT,
    OPTION_USDT,
    OTHER_UID,
    UID,
    Caller,
    caller,
    stocked,
)

SHOWN: list[tuple[str, set[str]]] = [
    ("category=linear&settleCoin=USDT", LINEAR_USDT),
    ("category=linear&settleCoin=USDC", {"linear:USDC"}),
    ("category=linear&baseCoin=ETH", {"linear ETHUSDT", "linear:USDC"}),
    ("category=linear&symbol=ETHUSDT", {"linear ETHUSDT"}),
    ("category=linear&settleCoin=USDT&orderFilter=StopOrder", LINEAR_STOPS),
    ("category=inverse", {*INVERSE_BTC, "inverse ETHUSD"}),
    # What ccxt asks by default: a clean page over a full book.
    ("category=inverse&settleCoin=USDT", set()),
    ("category=option", {*OPTION_USDT, "option USDC"}),
    ("category=option&settleCoin=USDC", {"option USDC"}),
    # Unlike cancel-all, a reading of spot shows every kind.
    ("category=spot", {kind for kind in KINDS if kind.startswith("spot")} | {"spot ETHUSDT"}),
    ("category=spot&orderFilter=OcoOrder", {"spot:OcoOrder"}),
]


@pytest.mark.parametrize(("query", "shown"), SHOWN)
def test_realtime_shows_what_the_documentation_says(query: str, shown: set[str]):
    assert {row["orderLinkId"] for row in stocked().read(query)} == shown


@pytest.mark.parametrize(
    "query",
    [
        "category=linear",
        "category=linear&orderFilter=Order",
        "settleCoin=USDT",
        "category=spread",
        "category=spot&limit=many",
        "category=spot&cursor=page_args%3Dfd4300ae%26symbol%3D6%26",
        "category=spot&cursor=nonsense",
    ],
)
def test_a_reading_against_the_rules_is_refused(query: str):
    reply = stocked().get("/v5/order/realtime", query)
    assert (reply["retCode"], reply["result"]) == (10001, {})


def test_a_page_holds_20_orders_unless_asked_and_never_more_than_50():
    ours = caller()
    ours.seed(spot=60)
    sizes = [len(ours.read("category=spot" + more)) for more in ("", "&limit=7", "&limit=50")]
    assert sizes == [20, 7, 50]
    assert len(ours.read("category=spot&limit=500")) <= 50


def test_a_reading_is_newest_first():
    ours = caller()
    ours.seed(spot=60, spot__OcoOrder=40)
    pages = ours.read("category=spot&limit=50")
    stamps = [int(row["createdTime"]) for row in pages]
    assert stamps == sorted(stamps, reverse=True)
    ours.now += 1.0
    newest = ours.place("spot:StopOrder")
    assert ours.read("category=spot&limit=1")[0]["orderId"] == newest.order_id


def test_states_and_stop_types_are_told_as_the_api_does():
    ours = caller()
    ours.place("linear:USDT", stop_type="TrailingStop", is_reduce_only=True)
    ours.place("linear:USDT", symbol="ETHUSDT")
    guard, plain = (
        ours.read(f"category=linear&symbol={symbol}")[0] for symbol in ("BTCUSDT", "ETHUSDT")
    )
    names = ("orderStatus", "stopOrderType", "reduceOnly")
    assert [guard[name] for name in names] == ["Untriggered", "TrailingStop", True]
    assert [plain[name] for name in names] == ["New", "", False]


def test_pages_follow_each_other_without_gap_or_repetition():
    ours = caller()
    ours.seed(linear__USDT=137)
    ids = ours.read_all("category=linear&settleCoin=USDT&limit=50")
    assert len(ids) == 137
    assert set(ids) == {order.order_id for order in ours.venue.book.live(UID, now=ours.now)}


def test_orders_of_one_millisecond_are_paged_without_loss():
    ours = caller()
    for _ in range(45):
        ours.place("spot")
    assert len(set(ours.read_all("category=spot"))) == 45


def test_a_cursor_comes_percent_encoded_and_must_come_back_so():
    ours = caller()
    ours.seed(spot=30)
    cursor = ours.get("/v5/order/realtime", "category=spot")["result"]["nextPageCursor"]
    assert "%3A" in cursor
    assert "%2C" in cursor
    assert not set(cursor) & set(":,=&")
    assert len(ours.read(f"category=spot&cursor={cursor}")) == 10
    requoted = cursor.replace("%3A", ":").replace("%2C", ",")
    assert ours.get("/v5/order/realtime", f"category=spot&cursor={requoted}")["retCode"] == 10001


def test_a_next_page_skips_nothing_when_the_first_page_has_gone():
    """Cancels take effect between two pages; an offset would lose 20 orders."""
    ours = caller()
    ours.seed(spot=50)
    page = ours.get("/v5/order/realtime", "category=spot")["result"]
    for row in page["list"]:
        ours.post("/v5/order/cancel", {"category": "spot", "orderId": row["orderId"]})
    assert len(ours.read(f"category=spot&limit=50&cursor={page['nextPageCursor']}")) == 30


@pytest.mark.parametrize(
    ("body", "remaining"),
    [
        ({"cancelAll": True}, {}),
        ({"symbol": None, "cancelAll": True}, {}),
        ({"symbol": "SOLUSDT_SOL/USDT"}, {"spread": 1}),
        ({"symbol": "SOLUSDT_SOL/USDT", "cancelAll": True}, {"spread": 1}),
        ({"cancelAll": "true"}, {"spread": 4}),
        ({"cancelAll": False}, {"spread": 4}),
        ({}, {"spread": 4}),
    ],
    ids=str,
)
def test_spreads_are_cancelled_by_symbol_or_by_a_true_boolean(
    body: dict[str, Any], remaining: dict[str, int]
):
    ours = caller()
    ours.seed(spread=3)
    ours.place("spread", symbol="BTCUSDT_BTC/USDT")
    reply = ours.post("/v5/spread/order/cancel-all", body)
    assert (reply["retCode"] == 10001) is (remaining == {"spread": 4})
    assert ours.open() == remaining


def test_spread_orders_are_paged_and_cancelled_one_by_one():
    ours = caller()
    ours.seed(spread=25)
    first = ours.get("/v5/spread/order/realtime")["result"]
    rest = ours.get("/v5/spread/order/realtime", f"cursor={first['nextPageCursor']}")["result"]
    assert (len(first["list"]), len(rest["list"])) == (20, 5)
    one = {"orderId": rest["list"][0]["orderId"]}
    assert ours.post("/v5/spread/order/cancel", one)["retCode"] == 0
    assert ours.post("/v5/spread/order/cancel", one)["retCode"] == 110001
    assert ours.open() == {"spread": 24}


@pytest.mark.parametrize(
    ("kind", "path", "ours_as", "cancel"),
    [
        ("rfq", "/v5/rfq/rfq-realtime", "request", "/v5/rfq/cancel-all-rfq"),
        ("quote", "/v5/rfq/quote-realtime", "quote", "/v5/rfq/cancel-all-quotes"),
    ],
)
def test_inquiries_and_quotes_are_each_shown_from_their_own_side(
    kind: str, path: str, ours_as: str, cancel: str
):
    ours = caller()
    ours.seed(rfq=2, quote=2)

    def shown(query: str) -> int:
        return len(ours.get(path, query)["result"]["list"])

    sides = {side: shown(f"traderType={side}") for side in ("quote", "request")}
    assert sides == {"quote": 0, "request": 0} | {ours_as: 2}
    assert shown("") == sides["quote"]
    reply = ours.post(cancel)
    assert [row["code"] for row in reply["result"]] == [0, 0]
    assert kind not in ours.open()
    assert len(ours.open()) == 1


def test_running_strategies_are_listed_in_pages_and_stopped_one_by_one():
    ours = caller()
    ours.seed(strategy=3)
    first = ours.get("/v5/strategy/list", "status=2&pageSize=2")["result"]
    rest = ours.get("/v5/strategy/list", f"status=2&pageSize=2&cursor={first['nextCursor']}")
    ids = [row["strategyId"] for row in first["list"] + rest["result"]["list"]]
    assert len(set(ids)) == 3
    assert rest["result"]["nextCursor"] == ""
    assert ours.get("/v5/strategy/list", "status=5")["result"]["list"] == []
    stop = {"strategyId": ids[0]}
    assert ours.post("/v5/strategy/stop", stop)["result"] == stop
    assert ours.post("/v5/strategy/stop", stop)["retCode"] == 10001
    assert ours.open() == {"strategy": 2}


def listed(ours: Caller, query: str) -> list[str]:
    found = ours.get("/v5/market/instruments-info", query)["result"]["list"]
    return [row["symbol"] for row in found]


def test_more_than_500_contracts_are_listed_in_pages():
    ours = caller()
    ours.venue.listing.linear = {f"COIN{number:04d}USDT": "USDT" for number in range(620)}
    first = ours.get("/v5/market/instruments-info", "category=linear")["result"]
    assert len(first["list"]) == 500
    cursor = first["nextPageCursor"]
    assert len(listed(ours, f"category=linear&cursor={cursor}")) == 120
    assert len(listed(ours, "category=linear&limit=1000")) == 620


def test_the_default_listing_leaves_out_what_does_not_trade():
    ours = caller()
    assert "SOONUSDT" not in listed(ours, "category=linear")
    assert listed(ours, "category=linear&status=PreLaunch") == ["SOONUSDT"]
    assert listed(ours, "category=inverse&status=PreLaunch") == []
    assert listed(ours, "category=linear&status=Closed") == []


def test_options_are_listed_for_one_coin_and_that_is_bitcoin():
    ours = caller()
    ours.venue.listing.option["ETH-26DEC26-4000-P"] = "USDC"
    assert listed(ours, "category=option") == ["BTC-26DEC26-90000-C-USDT"]
    assert listed(ours, "category=option&baseCoin=ETH") == ["ETH-26DEC26-4000-P"]


def test_spot_is_listed_whole_whatever_limit_is_asked():
    assert listed(caller(), "category=spot&limit=1") == ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize("query", ["", "category=spread", "category=linear&cursor=next"])
def test_a_listing_against_the_rules_is_refused(query: str):
    assert caller().get("/v5/market/instruments-info", query)["retCode"] == 10001


def test_spreads_have_a_listing_of_their_own():
    rows = caller().get("/v5/spread/instrument")["result"]["list"]
    assert rows == [{"symbol": "SOLUSDT_SOL/USDT", "status": "Trading"}]


def test_a_seeded_book_is_the_same_for_the_same_seed():
    def ids(seed: int) -> list[str]:
        book = Book(rng=random.Random(seed), kinds=KINDS)
        book.seed(UID, dict.fromkeys(KINDS, 3), now=1_000_000.0)
        return [order.order_id for order in book.live(UID, now=1_000_000.0)]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)
    assert len(set(ids(1))) == 39


def test_a_book_counts_only_what_is_open():
    book = Book(rng=random.Random(1), kinds=KINDS, cancel_delay_s=0.0)
    book.seed(UID, {"spot": 2, "linear:USDT": 1}, now=100.0)
    book.seed(OTHER_UID, {"rfq": 1}, now=100.0)
    assert book.total(now=100.0) == 4
    book.cancel([order for order in book.live(UID, now=100.0) if order.kind == "spot"], now=100.0)
    assert book.open_count(UID, now=100.0) == {"linear:USDT": 1}
    assert book.open_count("nobody", now=100.0) == {}
    assert book.total(now=100.0) == 2
