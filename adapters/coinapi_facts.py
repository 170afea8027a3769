"""What CoinAPI EMS tells of a key and of itself when it is asked at leisure: for `cancelall check`.

Owns `look()` and `inspect()`. Nothing here is called in a run, and nothing calls the management
API, which would tell more: the same answers show the exchange accounts' own keys.

Sources: OpenAPI "EMS - REST API" v1 as of 2025-05-23, "EMS Authentication" and FAQ at
docs.coinapi.io, read 2026-11-21. What EMS does not tell at its trading host:

* whose key it is, when it ends, from where it may be used, and which exchange accounts there are;
* whether it knows an exchange_id: what it lists for one that it does not is not documented. Only
  orders that are listed show that it does;
* its clock: calls carry no time, so none is too far off. The header `Date` is shown where it comes.
"""

from __future__ import annotations

import math
from dataclasses import replace
from http import HTTPStatus

from adapters import coinapi_replies as replies
from adapters import coinapi_reports as reports
from adapters import coinapi_wire as wire
from adapters.carrier import WireRequest
from adapters.coinapi_calls import KEY_WARNING, Caller
from adapters.contract import KeyFacts, Priority, VenueFacts
from adapters.gate import Call
from adapters.link import VenueLink

GRAIN_S = 0.5
"""`Date` shows whole seconds."""
OPEN_DOOR = (
    "EMS answers there without a key: whoever reaches that address can trade, so let nobody but "
    "this machine reach it"
)
NOT_TOLD = (
    "CoinAPI tells neither when this key ends nor from where it may be used, and lists exchange "
    "accounts only where their own keys stand beside them: compare the config by hand"
)


async def look(link: VenueLink) -> VenueFacts:
    """Call the gateway without a key, which it refuses: HTTP 401 or 403, with whatever body.

    Raises:
        VenueError: it did not answer, or as no gateway does.
    """

    async def build(_: int) -> WireRequest:
        return wire.keyless()

    timed = await link.timed(Call(name="look", windows=(), priority=Priority.OTHER), build)
    date_ms = replies.parse_date_ms(timed.reply.headers)
    facts = timed.facts(date_ms, skew_max_s=math.inf, grain_s=GRAIN_S)
    if timed.reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return facts
    found = replies.judge(timed.reply, key="")
    if not isinstance(found, list):
        raise replies.invalid("no list of orders")
    return replace(facts, warnings=(OPEN_DOOR,))


async def inspect(caller: Caller) -> KeyFacts:
    """Read the account's orders with the key: EMS takes the key, and reaches the exchange.

    Raises:
        VenueError: EMS did not answer, refuses the key, or shows orders that cannot be read.
    """
    ask = wire.build_open_orders(caller.exchange_id)
    listed = reports.parse_orders(await caller.ask(ask, Priority.OTHER), caller.exchange_id)
    if listed.error is not None:
        raise listed.error
    warnings = [KEY_WARNING, NOT_TOLD]
    if not listed.rows:
        warnings.append(
            f"EMS lists no orders of {caller.exchange_id}, and does not say whether it has such an "
            "account: look again while an order rests there"
        )
    return KeyFacts(accounts=caller.signer.accounts, warnings=tuple(warnings))
