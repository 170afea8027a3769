"""A request to a simulated venue, its answer, and the rules at its door.

Owns `Request`, `Answer`, documented rate limits and the wire log. Pure: `now` is an argument.

A WebSocket is requests as well: one with the method `OPEN` and the headers of the handshake, which
is granted by status 101, and one with the method `FRAME` for every text frame that comes.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Transport(Enum):
    """What happens to an answer on its way."""

    WHOLE = "whole"
    HANG = "hang"
    CUT = "cut"
    DRIP = "drip"
    LOST = "lost"
    RESET = "reset"
    OVERSIZE = "oversize"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came, to the byte."""

    method: str
    path: str
    query: str
    """Raw, without `?`."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    address: str

    @property
    def payload(self) -> str:
        """What is signed: query or body."""
        is_bare = self.method == "GET" or not self.body
        return self.query if is_bare else self.body.decode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    transport: Transport = Transport.WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One line of the wire log; never a key."""

    at: float
    address: str
    uid: str
    method: str
    path: str
    payload: str
    is_signed: bool
    """The signature was checked and is right."""
    code: str
    """`retCode`, or the HTTP status."""
    fate: str = ""
    """What became of the answer on its way, such as `hang`, or that it is a web page."""


@dataclass(slots=True)
class Rolling:
    """At most `limit` in any `per_s` seconds."""

    limit: int
    per_s: float
    taken: deque[float] = field(default_factory=deque)

    def take(self, now: float, cost: int = 1) -> bool:
        """Count calls; False if they are too many. What is refused is not counted."""
        while self.taken and self.taken[0] <= now - self.per_s:
            self.taken.popleft()
        if len(self.taken) + cost > self.limit and self.taken:
            return False
        self.taken.extend([now] * cost)
        return True

    def left(self) -> int:
        """Return what may still be taken in this window."""
        return max(0, self.limit - len(self.taken))


@dataclass(slots=True, kw_only=True)
class Door:
    """Rate limits per address and per account; who knocks too often is shut out."""

    is_on: bool = True
    per_address: int = 600
    per_s: float = 5.0
    ban_s: float = 600.0
    addresses: dict[str, Rolling] = field(default_factory=dict)
    accounts: dict[tuple[str, str], Rolling] = field(default_factory=dict)
    banned_until: dict[str, float] = field(default_factory=dict)
    bans: int = 0

    def is_shut(self, address: str, now: float) -> bool:
        """Count a call from an address; True while it is banned."""
        if not self.is_on:
            return False
        if now < self.banned_until.get(address, 0.0):
            return True
        rolling = self.addresses.setdefault(address, Rolling(self.per_address, self.per_s))
        if rolling.take(now):
            return False
        self.bans += 1
        self.banned_until[address] = now + self.ban_s
        return True

    def account(self, uid: str, name: str, per_second: int) -> Rolling:
        """Return the budget of one account and kind of endpoint."""
        return self.accounts.setdefault((uid, name), Rolling(per_second, 1.0))


def fate(answer: Answer) -> str:
    """Say what becomes of an answer; empty if it arrives, and is none of a web server's pages."""
    if answer.transport is not Transport.WHOLE:
        return str(answer.transport.value)
    return "HTML" if answer.content_type == "text/html" else ""


def as_json(fields: Mapping[str, Any]) -> bytes:
    """Write a body."""
    return json.dumps(fields).encode()


FORBIDDEN = Answer(
    status=403,
    body=b"<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD>"
    b"<BODY><H1>403 ERROR</H1>access too frequent</BODY></HTML>",
    content_type="text/html",
)
