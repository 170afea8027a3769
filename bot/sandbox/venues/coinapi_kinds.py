"""The kinds of order at the simulated EMS, and how it names exchange accounts.

Owns `KINDS`, the exchange ids and the uid of an account. Source: CoinAPI's "EMS - REST API" v1
(2025-05-23), its Starter Guide and FAQ (2025), and "EMS - Managed Cloud REST API" v1 (2022-05-06).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bot.sandbox.venues.book import Kind

UNSEEN: Final = "unseen stop"
SMART: Final = "smart"
TRANSIT: Final = "transit"
OUTSIDE: Final = "outside"
PARTLY: Final = "partly filled"

KINDS: Mapping[str, Kind] = {
    "limit": Kind(symbol="OXTUSD"),
    PARTLY: Kind(symbol="XBT/USDT"),
    TRANSIT: Kind(symbol="OXTUSD"),
    OUTSIDE: Kind(symbol="XBT/USDT"),
    SMART: Kind(symbol="BTC-USD"),
    UNSEEN: Kind(symbol="OXTUSD", stop_types=("Stop",)),
}
"""What EMS tells apart; it knows LIMIT orders only.

- `limit`: sent through EMS, in the book of the exchange (`NEW`).
- `partly filled`: the same, `PARTIALLY_FILLED`.
- `transit`: on its way (`RECEIVED`, `ROUTING`, `ROUTED`) for `Conflicts.transit_s` from when it is
  placed; then `NEW`.
- `outside`: placed directly at the exchange; shown, and without the way through EMS in its history.
- `smart`: a parent order (`/v1/sor`); its children are orders with its id as `parent_id`.
- `unseen stop`: placed directly at the exchange, and of a sort that EMS neither shows nor cancels.
"""

SEEDABLE: Mapping[str, int] = {"limit": 40, PARTLY: 10, OUTSIDE: 5, SMART: 1}
"""A full account for a demo; `transit` and `unseen stop` are placed one by one."""

SEPARATORS: Final = "~/.,:;\\!@#$%^&*-_+=."
# fmt: off
EXCHANGES: Final = frozenset({
    "BINANCE", "BINANCEFTS", "BINANCEFTSC", "BINANCEFTSCUAT", "BINANCEFTSUAT", "BINANCEOPTV",
    "BINANCEOPTVUAT", "BINANCEUAT", "BINANCEUS", "BINANCEJE", "BITFINEX", "BITMEX", "BITMEXUAT",
    "BITSTAMP", "BLOCKCHAINEXCHANGE", "COINBASE", "DERIBIT", "DERIBITUAT", "GEMINI", "HITBTC",
    "KRAKEN", "KRAKENFTS", "LMAXDIGITAL", "LMAXDIGITALUAT", "POLONIEX", "DYDX",
})
# fmt: on
"""The exchanges that the documents name; Bybit is none of them."""

_NAME = re.compile(rf"([A-Z]+)(?:[{re.escape(SEPARATORS)}](.+))?")


def exchange_of(exchange_id: str) -> str:
    """Return `KRAKEN` of `KRAKEN/JOHN`.

    Raises:
        ValueError: This is no id of a known exchange, with or without a tag.
    """
    found = _NAME.fullmatch(exchange_id)
    if found is None or found[1] not in EXCHANGES:
        raise ValueError(f"EMS knows no exchange id {exchange_id!r}")
    return found[1]


def uid_of(customer: str, exchange_id: str) -> str:
    """Return what the books call an account: `desk:KRAKEN/JOHN`.

    Two customers may have the same exchange id; each has a book of their own.
    """
    return f"{customer}:{exchange_id}"


def exchange_id_of(uid: str) -> str:
    """Return the exchange id that is in a uid."""
    return uid.partition(":")[2]
