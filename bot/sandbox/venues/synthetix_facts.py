"""What the simulated Synthetix tells of markets and subaccounts.

Owns `getMarkets`, `getSubAccountIds`, `getSubAccount`, `getSubAccounts`, `getDelegatedSigners` and
`getRateLimits`.
Source: developers.synthetix.io (2026); synthetix-sdk 0.7.0 for the names of fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.sandbox.venues.synthetix_accounts import Account
from bot.sandbox.venues.synthetix_calls import Call
from bot.sandbox.venues.synthetix_shapes import Refused

_ADDRESS = re.compile(r"0x[a-fA-F0-9]{40}")


def markets(listed: Mapping[str, bool]) -> list[dict[str, Any]]:
    """`getMarkets`: open markets and closed ones, as a bare array."""
    return [
        {
            "symbol": symbol,
            "description": f"{symbol} perpetual",
            "baseAsset": symbol.partition("-")[0],
            "quoteAsset": symbol.partition("-")[2],
            "isOpen": is_open,
            "isCloseOnly": False,
        }
        for symbol, is_open in listed.items()
    ]


def subaccount_ids(accounts: Mapping[str, Account], call: Call, *, is_managed: bool) -> object:
    """`getSubAccountIds`: what an address owns, and if asked for, what it is a delegate of."""
    address = _checked_address(accounts, call.params.get("walletAddress"))
    owned = [uid for uid, account in accounts.items() if account.owner == address]
    if call.params.get("includeDelegations") is not True:
        return owned
    delegated = [uid for uid, account in accounts.items() if address in account.delegates]
    lists = {"subAccountIds": owned, "delegatedSubAccountIds": delegated}
    return lists | ({"managedSubAccountIds": []} if is_managed else {})


def _checked_address(accounts: Mapping[str, Account], address: object) -> str:
    """Return an address that has its checksum.

    A wrong checksum shows where the address is known here; of others only what is in one case.
    """
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise Refused("VALIDATION_ERROR", "walletAddress must be a valid Ethereum address")
    known = {name for account in accounts.values() for name in (account.owner, *account.delegates)}
    letters = re.sub("[0-9]", "", address.removeprefix("0x"))
    is_plain = bool(letters) and letters in {letters.lower(), letters.upper()}
    is_misspelt = any(address != name and address.lower() == name.lower() for name in known)
    if address not in known and (is_plain or is_misspelt):
        raise Refused("VALIDATION_ERROR", "walletAddress must be EIP-55 checksummed")
    return address


def subaccount(account: Account) -> dict[str, Any]:
    """`getSubAccount`: as far as it is about who may act."""
    return {
        "subAccountId": account.uid,
        "masterAccountId": None,
        "subAccountName": "",
        "collaterals": [],
        "positions": [],
        **delegated_signers(account),
    }


def siblings(accounts: Mapping[str, Account], asked: Account) -> dict[str, Any]:
    """`getSubAccounts`: all of the same owner, whichever of them is asked for and by whom."""
    owned = [account for account in accounts.values() if account.owner == asked.owner]
    return {"subAccounts": [subaccount(account) for account in owned]}


def delegated_signers(account: Account) -> dict[str, Any]:
    """`getDelegatedSigners`; `expiresAt` is taken to be in ms."""
    rows = [
        {
            "subAccountId": account.uid,
            "walletAddress": address,
            "permissions": [delegate.permission],
            "expiresAt": None if delegate.expires_at is None else int(delegate.expires_at * 1000),
        }
        for address, delegate in account.delegates.items()
    ]
    return {"delegatedSigners": rows}


def rate_limits(account: Account, budgets: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """`getRateLimits`: what of the subaccount's bucket this window has used."""
    left = budgets.get("rateLimit", {}).get("remainingTokens", account.cap)
    return {"requestsUsed": account.cap - left, "requestsCap": account.cap}
