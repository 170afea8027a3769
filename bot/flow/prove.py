"""Whose key it is: from a path in the plan to an adapter that the venue itself vouches for.

Owns the reading of keys and the proof that a key is the account's. Never cancels: until
`adapter_of()` returns an adapter no byte of a cancel may leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.contract import (
    AnyVenue,
    KeyFacts,
    Purpose,
    VenueAdapter,
    VenueAuthRefused,
    VenueError,
)
from adapters.signers import Signer
from bot.domain.errors import ConfigError, SecretError
from bot.domain.event import EventKind
from bot.domain.result import Phase
from bot.flow import tell
from bot.flow.job import Job

NAMED_MAX = 3
"""Accounts of a key that are named; the rest are counted."""


async def adapter_of(job: Job) -> VenueAdapter | None:
    """Join venue and key once the venue itself has said that the key is this account's.

    Asks until then; the caller bounds it by consent end.

    Returns:
        None if it is not, or if the key source said no: asking again would not help.
    """
    while True:
        try:
            venue = _venue(job)
            signer = await _signer(job, venue)
            adapter = venue.adapter(
                signer, uid=job.target.uid, purpose=Purpose.RUN, may_send=job.may_send
            )
            if not any(job.trouble):
                job.trouble = (f"{job.target.venue} has not said yet whose key this is", "")
            facts = await adapter.check()
        except (ConfigError, SecretError, VenueError) as error:
            if isinstance(error, VenueAuthRefused):
                job.run.signers.pop(job.target.key, None)  # Somebody may put a better key there.
            is_final = isinstance(error, SecretError) and not error.retryable
            again = " This run does not try it again: mend it, and ask anew." if is_final else ""
            tell.trouble(job, _words(error), f"{error.remedy}{again}".strip())
            if is_final:
                return None
            await asyncio.sleep(_patience_s(job, is_retryable=error.retryable))
        else:
            return adapter if _is_of_account(job, facts) else None


def _words(error: ConfigError | SecretError | VenueError) -> str:
    code = error.venue_code if isinstance(error, VenueError) else ""
    return f"{error.user_message} ({code})" if code else error.user_message


def _is_of_account(job: Job, facts: KeyFacts) -> bool:
    """Tell whether the account in the plan is one that the key is for."""
    if job.target.uid in facts.accounts:
        job.trouble = ("", "")
        return True
    tell.trouble(
        job,
        f"key belongs to UID {_few(facts.accounts)}, plan says {job.target.uid}",
        f"Put the key of {job.target.account} at {job.target.key}.",
    )
    return False


def _few(accounts: Sequence[str]) -> str:
    """Name some of a key's accounts: it may be for hundreds."""
    rest = len(accounts) - NAMED_MAX
    return ", ".join(accounts[:NAMED_MAX]) + (f" and {rest} more" if rest > 0 else "")


def _patience_s(job: Job, *, is_retryable: bool) -> float:
    """Return how long to wait before asking again: people mend keys, but not in half a second."""
    is_slow = not is_retryable or job.means.clock.monotonic() >= job.run.verdict_at
    return job.means.limits.chase_wait_s if is_slow else job.means.limits.key_retry_s


def _venue(job: Job) -> AnyVenue:
    """Find the venue of a target.

    Raises:
        ConfigError: the process was started again with a config that no longer has it.
    """
    name, base_url = job.target.venue, job.target.base_url
    try:
        return job.means.venues.venue(name, base_url)
    except LookupError:
        raise ConfigError(
            user_message=f"{name} at {base_url} is not in the config any more",
            remedy="Put the account back and restart.",
        ) from None


async def _signer(job: Job, venue: AnyVenue) -> Signer:
    """Read the target's key, each distinct path once per run unless the venue refused it.

    Raises:
        SecretError: the key source cannot or will not give it.
        VenueAuthRefused: the document at that path is not a key of this venue.
    """
    run, path = job.run, job.target.key
    async with run.locks.setdefault(path, asyncio.Lock()):
        if path not in run.signers:
            if not job.sight.is_sent:  # After a restart, what was sent must not be forgotten.
                job.phase = Phase.READING_KEY
            try:
                async with asyncio.timeout(job.means.limits.key_read_s):
                    document = await job.means.keys.read(path)
            except TimeoutError:
                raise SecretError(
                    user_message=f"the key at {path} could not be read in time", is_retryable=True
                ) from None
            run.signers[path] = venue.signer(document.text)
            run.key_notes[path] = document.note
            tell.status(job, EventKind.KEY_READ)
        return run.signers[path]
