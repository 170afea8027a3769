"""What Bybit tells of a key and of itself when it is asked at leisure: for `cancelall check`.

Owns `look()` and `inspect()`. Nothing here is called in a run.

Sources: bybit-exchange/docs, `docs/v5/user/apikey-info.mdx` and `subuid-list.mdx` as of 2026-07-24,
the guide on timestamps, read 2026-11-21. What Bybit does not tell:

* the sub-accounts, to any key but a master account's that may transfer or withdraw. Such a key is
  no key for a kill switch, so most desks compare the list by hand;
* to a sub-account's key, what its siblings are.
"""

from __future__ import annotations

from dataclasses import replace

from adapters import bybit_calls as calls
from adapters import bybit_keys as keys
from adapters import bybit_receipts as receipts
from adapters import bybit_wire as wire
from adapters.bybit_calls import Caller, Timekeeper
from adapters.bybit_keys import Standing
from adapters.contract import KeyFacts, Priority, VenueAuthRefused, VenueFacts

AHEAD_S_MAX = 1.0
"""A timestamp that is so far ahead is refused, whatever its window."""
NOT_LISTED = (
    "Bybit lists sub-accounts only to a master account's key that may transfer or withdraw, which "
    "this one should not: compare the config with its sub-account page by hand"
)


async def look(timekeeper: Timekeeper, *, recv_window_s: float) -> VenueFacts:
    """Ask for Bybit's clock.

    It takes timestamps from `recv_window_s` behind its own until `AHEAD_S_MAX` ahead of it, so what
    is tolerated depends on which of the clocks is ahead.

    Raises:
        VenueError: Bybit did not answer with it.
    """
    result, timed = await calls.time_public(timekeeper, wire.build_time())
    server_ms = receipts.parse_time_ms(result)
    is_ours_ahead = server_ms < (timed.sent_ms + timed.received_ms) / 2
    return timed.facts(server_ms, skew_max_s=AHEAD_S_MAX if is_ours_ahead else recv_window_s)


async def inspect(caller: Caller) -> KeyFacts:
    """Ask whose key this is, what it may do, and which sub-accounts there are.

    Raises:
        VenueError: Bybit did not say.
    """
    result = await caller.read(wire.build_query_api(), priority=Priority.OTHER)
    facts, standing = keys.parse_key(result), keys.parse_standing(result)
    caller.belongs_to(facts.accounts[0])
    found, warnings = await _sub_accounts(caller, standing)
    if standing.is_unified is not True:
        warnings += (keys.NOT_UNIFIED,)
    return replace(facts, subaccounts=found, warnings=(*facts.warnings, *warnings))


async def _sub_accounts(
    caller: Caller, standing: Standing
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sub-accounts, and warnings about what is not told of them."""
    if not standing.may_list:
        return (), (NOT_LISTED,)
    ask = wire.build_sub_members()
    try:
        found = keys.parse_sub_members(await caller.read(ask, priority=Priority.OTHER))
    except VenueAuthRefused as error:
        if error.venue_code != keys.LACKS_PERMISSION:
            raise
        return (), (NOT_LISTED,)
    is_cut = len(found) >= keys.SUB_MEMBERS_MAX
    return found, ((keys.MORE_MEMBERS,) if is_cut else ())
