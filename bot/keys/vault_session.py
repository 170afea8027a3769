"""Our token in Vault: one login however many wait for it, renewed long before it ends.

Owns the token and its upkeep. A *generation* numbers tokens: whoever finds that theirs is dead asks
for a newer one, and all who ask meanwhile get the same login.

Renewal is due at half to two thirds of the lease, at random, so that replicas do not come together.
A renewal that grants less than the first lease did has reached the token's max TTL: we log in again
while it still lives. Source: https://developer.hashicorp.com/vault/docs/concepts/tokens
(2026-11-21), and recordings (`token.renew_self.capped_by_max_ttl`).
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import hvac
from pydantic import SecretStr

from bot.keys import vault_replies, vault_words
from bot.keys.vault_calls import UNSENT, Calls
from bot.keys.vault_login import Grant, Login
from bot.keys.vault_replies import Granted
from bot.keys.vault_words import Trouble

logger = logging.getLogger(__name__)

RENEW_AGAIN = {UNSENT: 2, 307: 2, 412: 3, 429: 2, 502: 1, 504: 1}
EARLY, LATE = 1 / 2, 2 / 3
"""Parts of a lease between which it is renewed."""
LOUD_FROM = 2
"""Failures in a row: one may be a node that restarts."""
WHOLE = 0.95
"""Of the first lease: less was granted only because max TTL is near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How patient the upkeep is, in seconds."""

    call_s: float = 2.5
    """A login, or a renewal, as a whole."""
    again_s: float = 10.0
    """Until upkeep that failed is tried again."""
    holds_s: tuple[float, ...] = (15.0, 960.0)
    """Until a credential that was refused is shown again, and again; a new one is shown at once.

    Vault locks an AppRole out for 15 minutes when it was refused five times with less than 15
    minutes between, also for a better secret_id: https://developer.hashicorp.com/vault/docs/
    concepts/user-lockout (2026-11-21). It locks out no JWT or service account: those are held for
    the first time only, for what refused them may be a Kubernetes that is ill.
    """
    young_s: float = 60.0
    """Until a token that took the place of a dead one is taken for dead too."""
    revoke_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A token that we may use."""

    grant: Grant
    generation: int
    ends_at: float
    """Monotonic; infinite if it does not end."""
    due_at: float
    """When it is renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """A credential that Vault will not have."""

    credential: SecretStr
    trouble: Trouble
    count: int
    until: float
    """Monotonic."""


class Sessions:
    """Keeps one session, and logs in when there is none."""

    def __init__(
        self, login: Login, calls: Calls, group: asyncio.TaskGroup, limits: SessionLimits
    ) -> None:
        self._part = login.part
        self._login = login
        self._calls = calls
        self._group = group
        self._limits = limits
        self._session: Session | None = None
        self._replacement = 0
        """The generation that took the place of a dead one; it is kept for a while."""
        self._kept_until = -math.inf
        self._generation = 0
        self._logging_in: asyncio.Task[Session | Trouble] | None = None
        self._refusal: _Refusal | None = None
        self._changed = asyncio.Event()

    async def current(self, *, after: int = 0) -> Session | Trouble:
        """Return a session newer than that generation; wait for the one login if there is none.

        A caller that gives up leaves the login alone: others wait for it too.
        """
        if self._session is not None and self._session.generation > after:
            return self._session
        if self._logging_in is None or self._logging_in.done():
            self._logging_in = self._group.create_task(self._guarded(self._log_in))
        return await asyncio.shield(self._logging_in)

    async def instead_of(self, dead: Session) -> Session | Trouble:
        """Return a session in the place of one that Vault seems to have forgotten.

        Where a policy lets no token look itself up, each seems dead at once: a login for each read
        would leave thousands that live, and use up a secret_id. So what took the place of a dead
        one is kept for a while, whatever Vault says of it.
        """
        if dead.generation == self._replacement and time.monotonic() < self._kept_until:
            return dead
        found = await self.current(after=dead.generation)
        if isinstance(found, Session) and found.generation != self._replacement:
            self._replacement = found.generation
            self._kept_until = time.monotonic() + self._limits.young_s
        return found

    async def keep(self) -> None:
        """Keep a session alive, for ever; say so loudly when that fails twice running."""
        failures = 0
        while True:
            trouble = await self._upkeep()
            failures = self._told(trouble, failures)
            self._changed.clear()
            due_at = self._session.due_at if self._session is not None else 0.0
            wait_s = max(due_at - time.monotonic(), self._limits.again_s if failures else 0.0)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s if math.isfinite(wait_s) else None):
                    await self._changed.wait()

    async def close(self) -> None:
        """Drop the login under way, and revoke the token if we made it; best effort."""
        if self._logging_in is not None:
            self._logging_in.cancel()
        session, self._session = self._session, None
        if session is None or not session.grant.is_ours:
            return
        try:
            async with asyncio.timeout(self._limits.revoke_s):
                await self._calls.ask(_revoke, token=session.grant.token)
        except TimeoutError:
            logger.warning("token.left", extra={"ends_in_s": _left_s(session)})

    async def _upkeep(self) -> Trouble | None:
        """Log in if there is no session, renew it if that is due."""
        session = self._session
        if session is None:
            found = await self.current(after=self._generation)
        elif time.monotonic() >= session.due_at:
            found = await self._guarded(lambda: self._renew(session))
        else:
            found = session
        return found if isinstance(found, Trouble) else None

    async def _guarded(self, work: Callable[[], Awaitable[Session | Trouble]]) -> Session | Trouble:
        """Do the work in bounded time; a bug in it must not end the runs of this process."""
        try:
            async with asyncio.timeout(self._limits.call_s):
                return await work()
        except TimeoutError:
            return vault_words.late(self._part, self._limits.call_s)
        except Exception:
            logger.exception("vault.failed")
        return Trouble(why="our own part fails at Vault", remedy="See the log.", is_outage=True)

    async def _log_in(self) -> Session | Trouble:
        credential = await self._login.credential()
        if isinstance(credential, Trouble):
            return credential
        before = self._refusal
        if before is not None and before.credential != credential:
            before = None
        if before is not None and time.monotonic() < before.until:
            return before.trouble
        found = await self._login.log_in(credential)
        if isinstance(found, Grant):
            self._refusal = None
            return self._take(found)
        if not found.is_outage:
            return self._hold(credential, found, before.count if before is not None else 0)
        return found

    def _hold(self, credential: SecretStr, trouble: Trouble, count: int) -> Trouble:
        """Remember a refusal, so that a hundred reads do not lock the role out."""
        holds = self._limits.holds_s[: None if self._part.auth == "approle" else 1]
        hold_s = holds[min(count, len(holds) - 1)]
        again = f" It is tried again {hold_s:g} s later; a new one, or a restart, at once."
        trouble = replace(trouble, remedy=trouble.remedy + again)
        self._refusal = _Refusal(
            credential=credential,
            trouble=trouble,
            count=count + 1,
            until=time.monotonic() + hold_s,
        )
        return trouble

    def _take(self, grant: Grant) -> Session:
        """Make a session of what a login gave."""
        self._generation += 1
        self._session = _session(grant, self._generation, grant.lease_s)
        self._changed.set()
        facts = {"lease_s": grant.lease_s, "renewable": grant.is_renewable}
        logger.info("vault.entered", extra=facts)
        return self._session

    async def _renew(self, session: Session) -> Session | Trouble:
        """Renew a token, or get another in good time if that cannot be."""
        if session.grant.is_renewable:
            token = session.grant.token
            heard = await self._calls.ask_again(_renew_self, token=token, again=RENEW_AGAIN)
            if trouble := vault_words.outage(heard, self._part):
                return trouble
            granted = vault_replies.parse(Granted, heard)
            if granted is not None and self._session is session:
                lease_s = granted.auth.lease_duration
                grant = replace(session.grant, lease_s=max(lease_s, session.grant.lease_s))
                if lease_s >= WHOLE * session.grant.lease_s:
                    self._session = _session(grant, session.generation, lease_s)
                    return self._session
        return await self._newer(session)

    async def _newer(self, session: Session) -> Session | Trouble:
        found = await self.current(after=session.generation)
        if isinstance(found, Session) and found.grant.token == session.grant.token:
            return Trouble(
                why=f"our token for Vault ends in {_left_s(found)} s and cannot be renewed",
                remedy="Put a new one where keys.vault.token says.",
            )
        return found

    def _told(self, trouble: Trouble | None, failures: int) -> int:
        """Log how the upkeep goes, ever more rarely; return how often it failed in a row."""
        if trouble is None:
            if failures >= LOUD_FROM:
                logger.info("vault.recovered", extra={"failures": failures})
            return 0
        failures += 1
        facts = {"why": trouble.why, "remedy": trouble.remedy, "failures": failures}
        if self._session is not None:
            facts["ends_in_s"] = _left_s(self._session)
        if failures < LOUD_FROM:
            logger.warning("vault.faltered", extra=facts)
        elif failures.bit_count() == 1:
            logger.error("vault.unwell", extra=facts)
        return failures


def _session(grant: Grant, generation: int, lease_s: int) -> Session:
    lasts_s = float(lease_s) if lease_s else math.inf
    now, part = time.monotonic(), random.SystemRandom().uniform(EARLY, LATE)
    return Session(
        grant=grant, generation=generation, ends_at=now + lasts_s, due_at=now + lasts_s * part
    )


def _left_s(session: Session) -> int | None:
    """Return how long a token still lives, in seconds; None if it does not end."""
    left_s = session.ends_at - time.monotonic()
    return max(0, round(left_s)) if math.isfinite(left_s) else None


def _renew_self(client: hvac.Client) -> Any:
    return client.auth.token.renew_self()


def _revoke(client: hvac.Client) -> Any:
    return client.auth.token.revoke_self()
