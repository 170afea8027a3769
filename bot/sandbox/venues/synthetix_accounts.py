"""Whom the simulated Synthetix lets act for which subaccount, how often, and with which nonce.

Owns `Account`, `Delegate`, `Registry` (nonces, and judgements that are remembered) and `Buckets`.
Source: developers.synthetix.io, "Rate limits" and "Delegation" (2026), and the libraries
(`synthetix_shapes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bot.sandbox.venues.synthetix_shapes import Conflicts, Nonces, Refused

WINDOW_S: Final = 10.0
ADDRESS_CAP: Final = 10_000
"""Tokens of an address in a window."""
STALE_FACTOR: Final = 5
"""What a cancel that arrives expired costs, as a multiple."""
TOKENS: Mapping[str, int] = {
    "cancelAllOrders": 2,
    "cancelOrders": 2,
    "getOpenOrders": 10,
    "getSubAccount": 20,
    "getSubAccounts": 20,
    "getDelegatedSigners": 20,
    "getRateLimits": 20,
}
"""What calls cost; any other is taken to cost 1."""
PERMISSIONS: Final = frozenset({"session", "delegate", "trading"})
"""Each lets a delegate trade; `trading` is what `session` was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate:
    """A signer that acts for a subaccount."""

    permission: str = "session"
    """Exactly one."""
    expires_at: float | None = None
    """Epoch seconds; None: never."""


@dataclass(slots=True, kw_only=True)
class Account:
    """One subaccount."""

    uid: str
    """Its id in decimal, beyond 2^53."""
    owner: str
    """The owner's address, with its checksum."""
    cap: int = 1000
    """Tokens in a window: 1000 in tier 0, up to 5000."""
    delegates: dict[str, Delegate] = field(default_factory=dict)
    """By address, with its checksum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    refusal: tuple[str, str] | None
    """Code and words."""
    until: float


@dataclass(slots=True)
class Registry:
    """All subaccounts, and what the server remembers of their signers."""

    accounts: dict[str, Account] = field(default_factory=dict)
    judgements: dict[tuple[str, str], _Judgement] = field(default_factory=dict)
    nonces: dict[str, set[int]] = field(default_factory=dict)
    """Those reserved, by signer."""

    def reserve(self, signer: str, nonce: int, conflicts: Conflicts) -> None:
        """Take a nonce of a signer, for whichever subaccount.

        Raises:
            Refused: It is taken.
        """
        taken = self.nonces.setdefault(signer, set())
        is_low = conflicts.nonces is Nonces.RISING and nonce <= max(taken, default=0)
        if is_low or nonce in taken:
            raise Refused(conflicts.auth_code, "nonce already used")
        taken.add(nonce)

    def admit(self, signer: str, uid: str, venue_now: float, conflicts: Conflicts) -> None:
        """Let a signer act for a subaccount, by what was judged before if that is fresh.

        Raises:
            Refused: It may not.
        """
        judgement = self.judgements.get((signer, uid))
        if judgement is None or venue_now >= judgement.until:
            judgement = self._judge(signer, uid, venue_now, conflicts)
            self.judgements[signer, uid] = judgement
        if judgement.refusal is not None:
            raise Refused(*judgement.refusal)

    def _judge(self, signer: str, uid: str, now: float, conflicts: Conflicts) -> _Judgement:
        account = self.accounts.get(uid)
        denied = now + conflicts.denials_cached_s
        granted = now + conflicts.grants_cached_s
        if account is None:
            said = "address does not own subaccount"
            return _Judgement(refusal=(conflicts.auth_code, said), until=denied)
        if signer == account.owner:
            return _Judgement(refusal=None, until=granted)
        delegate = account.delegates.get(signer)
        if delegate is None or (delegate.expires_at is not None and now >= delegate.expires_at):
            said = f"wallet {signer} is not authorized to act on this subaccount"
            return _Judgement(refusal=(conflicts.auth_code, said), until=denied)
        if delegate.permission not in PERMISSIONS:
            said = "operation requires session or delegate permission"
            return _Judgement(refusal=("FORBIDDEN", said), until=denied)
        # A grant does not outlive the delegation that it rests on.
        return _Judgement(refusal=None, until=min(granted, delegate.expires_at or granted))


@dataclass(slots=True)
class Bucket:
    """So many tokens in each window of ten seconds; what does not fit is not taken."""

    cap: int
    window: int = -1
    left: int = 0

    def take(self, now: float, cost: int) -> bool:
        """Take tokens; False if there are too few."""
        window = int(now // WINDOW_S)
        if window != self.window:
            self.window, self.left = window, self.cap
        if cost > self.left:
            return False
        self.left -= cost
        return True

    def shown(self) -> dict[str, int]:
        """Return it as envelopes show it."""
        return {"requestsCap": self.cap, "remainingTokens": self.left}


@dataclass(slots=True)
class Buckets:
    """The buckets of all addresses and subaccounts."""

    by_name: dict[str, Bucket] = field(default_factory=dict)

    def take(self, name: str, cap: int, now: float, cost: int) -> tuple[bool, Mapping[str, int]]:
        """Take tokens; returns whether there were enough, and what is left."""
        bucket = self.by_name.setdefault(name, Bucket(cap))
        return bucket.take(now, cost), bucket.shown()
