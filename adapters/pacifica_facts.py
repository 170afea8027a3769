"""What Pacifica tells of a key and of itself when it is asked at leisure: for `cancelall check`.

Owns `look()` and `inspect()`. Nothing here is called in a run.

Sources: docs.pacifica.fi, list subaccounts (a crawl of 2026 names `agent_wallet` among its fields,
an older one the main account's signature alone), API agent keys, rate limits; tests of
blackcubeio/pacifica-sdk of 2026-07; read 2026-11-21. What Pacifica does not tell:

* which agent keys an account has bound, and from which addresses each may call: only the owner's
  key may ask. That an agent is bound shows where it may list subaccounts; where it may not, only a
  cancel would show it;
* the subaccounts, to any account but the main one;
* when a key expires: none of its documents knows of that;
* what it makes of a timestamp ahead of its clock: `expiry_window` is taken for either side.
"""

from __future__ import annotations

from dataclasses import replace

import base58

from adapters import pacifica_lists as lists
from adapters import pacifica_replies as replies
from adapters import pacifica_wire as wire
from adapters.contract import (
    KeyFacts,
    Priority,
    VenueAuthRefused,
    VenueError,
    VenueFacts,
    VenueRefused,
)
from adapters.pacifica_calls import Caller
from adapters.pacifica_codes import AgentUnbound, NoSuchCall
from adapters.signers import MessageSigner

GRAIN_S = 0.5
"""`Date` shows whole seconds."""
BUSINESS = "422"
MAY_WITHDRAW = "the key may withdraw: Pacifica has none that may only trade"
NO_CREDITS_KEY = (
    "credits_key is not set: all calls share the 100 credits a minute of this address with what "
    "else runs here; with an API config key they have 300 of their own"
)
OWN_KEY = (
    "this is the account's own key, not an agent's: bind an agent key to the account, limit it to "
    "the addresses of this machine, and store that one"
)
ADDRESSES_NOT_TOLD = (
    "Pacifica tells only the owner's key from which addresses this agent key may call: see that "
    "its list names this machine, and the one that takes over"
)
NO_LIST = "Pacifica lists subaccounts to a main account only: compare the config with them by hand"


async def look(caller: Caller) -> VenueFacts:
    """Read the markets, and the time from the header `Date`.

    Raises:
        VenueError: Pacifica did not answer with them.
    """
    told, timed = await caller.look(wire.build_markets())
    lists.parse_markets(told)
    headers = timed.reply.headers
    facts = timed.facts(
        replies.parse_date_ms(headers),
        skew_max_s=caller.expiry_window_ms / 1000,
        grain_s=GRAIN_S,
    )
    warnings = [] if caller.credit.key is not None else [NO_CREDITS_KEY]
    if "Age" in headers:
        warnings.append("a cache has answered: whether Pacifica itself can be reached is not shown")
    return replace(facts, warnings=tuple(warnings))


async def inspect(caller: Caller) -> KeyFacts:
    """Ask whether the account is there and what its key is let do.

    Raises:
        VenueError: Pacifica did not say, has no such account, or the agent key is not bound to it.
    """
    await _see_account(caller)
    signer = caller.signer
    if signer is None:
        return KeyFacts(accounts=(caller.account,), can_cancel=False, is_read_only=True)
    is_agent = base58.b58encode(signer.public_key).decode() != caller.account
    warnings = [MAY_WITHDRAW, ADDRESSES_NOT_TOLD if is_agent else OWN_KEY]
    found: tuple[str, ...] = ()
    can_cancel: bool | None = True
    try:
        found = lists.parse_subaccounts(await caller.ask(wire.build_subaccounts()))
    except AgentUnbound:
        raise
    except VenueAuthRefused as error:
        if not is_agent or error.is_clock:
            raise
        can_cancel = None
        warnings.append(_not_told(caller.account, error))
    except VenueRefused as error:
        # It says so after it has taken the signature.
        if not isinstance(error, NoSuchCall) and not error.venue_code.startswith(BUSINESS):
            raise
        can_cancel = None if isinstance(error, NoSuchCall) else True
        warnings.append(NO_LIST)
    return KeyFacts(
        accounts=_accounts(signer, caller.account),
        can_cancel=can_cancel,
        can_withdraw=True,
        warnings=tuple(warnings),
        subaccounts=found,
    )


async def _see_account(caller: Caller) -> None:
    """Read the account, which needs no key.

    Raises:
        VenueRefused: Pacifica has no such account.
        VenueError: it did not say.
    """
    ask = wire.build_account(caller.account)
    try:
        lists.parse_counters(await caller.read(ask, priority=Priority.OTHER))
    except NoSuchCall as error:
        raise VenueRefused(
            user_message=f"Pacifica has no account {caller.account}",
            remedy="Check uid, and that base_url is of the net on which the account was opened.",
            venue_code=error.venue_code,
        ) from None


def _accounts(signer: MessageSigner, account: str) -> tuple[str, ...]:
    """Return the one account that was seen, unless the key's document does not name it."""
    return (account,) if account in signer.accounts else signer.accounts


def _not_told(account: str, error: VenueError) -> str:
    return (
        f"whether the agent key is bound to {account} is not shown: Pacifica refuses it the list "
        f"of subaccounts ({error.user_message}), as it may do to every agent; its owner can see it"
    )
