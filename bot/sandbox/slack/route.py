"""The way from Slack to an app, whichever it is: what is carried, how, and what came back.

Owns what HTTP and Socket Mode share. `request` and `socket_route` are the two ways.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypedDict

from bot.sandbox.slack.records import Json

OPERATION_TIMEOUT = "operation_timeout"
DISPATCH_FAILED = "dispatch_failed"


class How(TypedDict, total=False):
    """How to deliver, where not plainly and once."""

    copies: int
    """The same bytes so many times; one by one unless `is_concurrent`."""
    is_concurrent: bool
    is_signature_bad: bool
    """HTTP only, as the next two."""
    is_tampered: bool
    """The body is changed after it was signed."""
    skew_s: float
    """How far the timestamp lies ahead of the clock (negative: behind); the signature fits it."""
    forge: bool
    """Deliver what no client could send: a button that is gone, a person who is not there."""
    value: str
    """The value the button carries, instead of the stored one. Needs `forge`."""
    shown: str
    """The value of the button that the person saw and pressed, if the message was edited since."""
    agrees: bool
    """What the person answers to a button's confirm dialog; True unless said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What came of one delivery."""

    status: int | None
    """The HTTP status, 200 for an ack in a socket; None if no answer came in time, or nothing
    was sent."""
    body: str
    seconds: float
    """From sending to the whole answer."""
    error: str = ""
    """`operation_timeout`, `dispatch_failed`, or `not_confirmed`; empty if all went well."""
    again: tuple[Delivered, ...] = ()
    """The answers to the further copies."""
    confirm: tuple[str, ...] = ()
    """The confirm dialog that the person saw: title, text, the two buttons."""
    field_errors: tuple[tuple[str, str], ...] = ()
    """What a modal's fields show after a refused submission: (block id, words)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What Slack sends to an app once, by either way."""

    kind: Literal["slash_commands", "interactive", "events_api"]
    """As Socket Mode calls it."""
    payload: Json


class Route(Protocol):
    """Where the app is reached."""

    async def send(self, parcel: Parcel, how: How) -> Delivered:
        """Send a parcel, as often as asked; return the first answer with the others in it."""


async def repeat(once: Callable[[], Awaitable[Delivered]], how: How) -> Delivered:
    """Send as often as asked and return the first answer with the others in it."""
    copies = how.get("copies", 1)
    if how.get("is_concurrent"):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(once)) for _ in range(copies)]
        found = [task.result() for task in tasks]
    else:
        found = [await once() for _ in range(copies)]
    return replace(found[0], again=tuple(found[1:]))


async def _awaited(once: Callable[[], Awaitable[Delivered]]) -> Delivered:
    return await once()
