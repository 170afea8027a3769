"""What takes bytes to a venue and back, and tells the time there.

Owns the shapes of a request and a whole answer, and the protocols `Carrier` and `Socket`.
`adapters.internet` is the one that the program has; the tests' own asks a simulated venue without
a network, on a clock that jumps.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierLimits:
    """Bounds of one call, in seconds and bytes."""

    connect_s: float = 2.0
    """Name, connection and handshake together: until then no byte has left."""
    call_s: float = 5.0
    """From the sending to the last byte of the answer, however slowly it drips."""
    reply_bytes_max: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """The exact bytes of one request."""

    method: str
    path: str
    query: str = ""
    """As signed, already percent-encoded, without `?`."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Case-insensitive."""
    body: bytes


class Socket(Protocol):
    """An open WebSocket that carries text."""

    async def send(self, text: str) -> None:
        """Send one frame.

        Raises:
            VenueError: the socket is not open any more.
        """
        ...

    async def receive(self) -> str:
        """Wait for the next frame of text.

        Raises:
            VenueError: the socket is not open any more, or the frame is too large.
        """
        ...


class Carrier(Protocol):
    """Everything between us and one base URL. Raises nothing but `VenueError`."""

    def now(self) -> datetime:
        """Return wall time, aware UTC."""
        ...

    async def exchange(self, request: WireRequest) -> Reply:
        """Send a request and read the whole answer.

        A call that ends without one, by time-out, error or cancellation, has its connection
        aborted: nothing more of it is sent, and no later call can meet its answer.

        Raises:
            VenueNotReached: nothing was sent.
            VenueOutcomeUnknown: it was sent, or may have been, and no whole answer came.
            VenueReplyInvalid: the answer is larger than `reply_bytes_max`.
        """
        ...

    def socket(
        self, url: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> AbstractAsyncContextManager[Socket]:
        """Open a WebSocket; leaving the context drops it, with whatever has not left yet.

        Raises:
            VenueNotReached: it cannot be opened in time.
        """
        ...
