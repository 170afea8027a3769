"""Calls to Vault: hvac in threads of its own, each call on a connection that can be cut.

Owns threads, sessions, TLS and sockets. Never judges an answer, and never lets out an exception of
hvac, requests or urllib3: those hold tokens, headers and bodies.

hvac is synchronous, and a thread cannot be interrupted: a server that drips a byte at a time would
keep it for hours, because requests' timeouts start anew with each byte. So whoever stops waiting
shuts the socket down under the thread, which ends it.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import requests
import urllib3
from pydantic import SecretStr

from bot.config_file import VaultPart
from bot.keys.vault_line import Ask, Cord, Line, LineLimits

T = TypeVar("T")

CHUNK = 16_384
UNSENT, BROKEN = 0, 1
"""Kinds of no answer, beside the statuses: nothing was sent; or it was, and may have arrived."""
WORDS: tuple[tuple[type[OSError], str], ...] = (
    (ssl.SSLError, "TLS with it fails"),
    (socket.gaierror, "its name is not known"),
    (requests.ConnectTimeout, "it takes no connection in time"),
    (requests.ReadTimeout, "it does not answer"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Vault, or something in its place, answered."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    """The JSON object; empty if there was none."""
    is_json: bool
    namespace: str
    """`X-Vault-Namespace` as it came back, without slashes; empty if it did not."""

    @property
    def errors(self) -> tuple[str, ...]:
        """Return what Vault calls the reasons: for comparing, never for showing."""
        errors = self.body.get("errors")
        return tuple(str(each) for each in errors) if isinstance(errors, list) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """No answer, or not a whole one."""

    why: str
    """In words that may be shown."""
    is_sent: bool
    """A connection stood: Vault may have seen the call."""


Heard = Answer | Unanswered


class Calls:
    """Makes calls to one Vault, each in a thread of a pool of its own."""

    def __init__(self, part: VaultPart, tls: ssl.SSLContext, limits: LineLimits) -> None:
        self._part = part
        self._tls = tls
        self._limits = limits
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="vault")
        self._local = threading.local()
        self._lock = threading.Lock()
        self._busy = 0

    @property
    def busy(self) -> int:
        """Return how many threads are at work, also for callers that have gone."""
        return self._busy

    async def ask(self, ask: Ask, *, token: SecretStr | None = None) -> Heard:
        """Make one call; a caller that is cancelled or timed out cuts its connection."""
        cord = Cord()
        try:
            return await self.run(lambda: self._ask(ask, token, cord))
        finally:
            cord.pull()

    async def ask_again(
        self, ask: Ask, *, token: SecretStr | None = None, again: Mapping[int, int]
    ) -> Heard:
        """Make a call, and make it again as often as `again` says of what comes back.

        By status, `UNSENT` or `BROKEN`; at most as often as there are waits. The caller sets the
        deadline.
        """
        for count, wait_s in enumerate(self._limits.waits_s):
            heard = await self.ask(ask, token=token)
            if count >= again.get(_kind(heard), 0):
                return heard
            await asyncio.sleep(wait_s)
        return await self.ask(ask, token=token)

    async def run(self, work: Callable[[], T]) -> T:
        """Run what blocks, such as reading a file, in a thread of the pool."""
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, context.run, self._counted, work)

    def close(self) -> None:
        """Take no more calls; threads end with theirs."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _counted(self, work: Callable[[], T]) -> T:
        with self._lock:
            self._busy += 1
        try:
            return work()
        finally:
            with self._lock:
                self._busy -= 1

    def _ask(self, ask: Ask, token: SecretStr | None, cord: Cord) -> Heard:
        line = self._line()
        try:
            with line.asking(ask, token, cord) as response:
                return _answer(response, self._limits.body_bytes_max)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            why = _why(error)
        return Unanswered(why=why, is_sent=cord.was_tied)

    def _line(self) -> Line:
        """Return this thread's own client: neither it nor its session may be shared."""
        if not hasattr(self._local, "line"):
            self._local.line = Line(self._part, self._tls, self._limits)
        line: Line = self._local.line
        return line


def _kind(heard: Heard) -> int:
    if isinstance(heard, Answer):
        return heard.status
    return BROKEN if heard.is_sent else UNSENT


def _answer(response: requests.Response, bytes_max: int) -> Answer | Unanswered:
    content = bytearray()
    for chunk in response.iter_content(CHUNK):
        content += chunk
        if len(content) > bytes_max:
            return Unanswered(why="its answer is too long", is_sent=True)
    body = _json_object(bytes(content))  # Whatever its content type: proxies add a charset.
    return Answer(
        status=response.status_code,
        body=body or {},
        is_json=body is not None,
        namespace=response.headers.get("X-Vault-Namespace", "").strip("/"),
    )


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _why(error: BaseException) -> str:
    """Say what went wrong below HTTP, in words that hold nothing of the call."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        for kind, words in WORDS:
            if isinstance(cause, kind):
                return words
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror[0].lower() + cause.strerror[1:]
    return "the connection broke"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what an exception came of, outermost first; libraries hide it in several places."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]
