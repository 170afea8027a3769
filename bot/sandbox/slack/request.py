"""One signed HTTP request from Slack to the app, and what came back.

Owns the signature (https://docs.slack.dev/authentication/verifying-requests-from-slack), the time
limit on the answer, and the ways in which a test may spoil or repeat a request.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http
import time
from dataclasses import dataclass, replace
from typing import TypedDict

import aiohttp

FORM = "application/x-www-form-urlencoded"
OPERATION_TIMEOUT = "operation_timeout"
DISPATCH_FAILED = "dispatch_failed"


class How(TypedDict, total=False):
    """How to deliver, where not plainly and once."""

    copies: int
    """The same bytes so many times; one by one unless `is_concurrent`."""
    is_concurrent: bool
    is_signature_bad: bool
    is_tampered: bool
    """The body is changed after it was signed."""
    skew_s: float
    """How far the timestamp lies ahead of the clock (negative: behind); the signature fits it."""
    forge: bool
    """Deliver what no client could send: a button that is gone, a person who is not there."""
    value: str
    """The value the button carries, instead of the stored one. Needs `forge`."""
    agrees: bool
    """What the person answers to a button's confirm dialog; True unless said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What came of one delivery."""

    status: int | None
    """The HTTP status; None if there was no answer in time, or nothing was sent."""
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


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return Slack's `v0=` signature of one request."""
    signed = b":".join((b"v0", timestamp.encode(), body))
    return f"v0={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where the app listens, and how long Slack waits for it."""

    session: aiohttp.ClientSession
    request_url: str
    signing_secret: str
    ack_limit_s: float


async def send(route: Route, body: bytes, how: How, content_type: str = FORM) -> Delivered:
    """Send one request, as often as asked, and return the first answer with the others in it."""
    # The real clock, never the workspace's: the app checks the timestamp against its own.
    timestamp = str(int(time.time() + how.get("skew_s", 0.0)))
    secret = route.signing_secret + ("-other" if how.get("is_signature_bad") else "")
    headers = {
        "Content-Type": content_type,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature(secret, timestamp, body),
    }
    sent = body + (b"+" if how.get("is_tampered") else b"")
    copies = how.get("copies", 1)
    if how.get("is_concurrent"):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_send_once(route, sent, headers)) for _ in range(copies)]
        found = [task.result() for task in tasks]
    else:
        found = [await _send_once(route, sent, headers) for _ in range(copies)]
    return replace(found[0], again=tuple(found[1:]))


async def _send_once(route: Route, body: bytes, headers: dict[str, str]) -> Delivered:
    started_s = time.monotonic()
    error, status, text = "", None, ""
    limit = aiohttp.ClientTimeout(total=route.ack_limit_s)
    try:
        async with route.session.post(
            route.request_url, data=body, headers=headers, timeout=limit
        ) as answer:
            status, text = answer.status, await answer.text()
    except TimeoutError:
        error, status = OPERATION_TIMEOUT, None
    except aiohttp.ClientError:
        error, status = DISPATCH_FAILED, None
    if status is not None and status != http.HTTPStatus.OK:
        error = DISPATCH_FAILED
    return Delivered(status=status, body=text, seconds=time.monotonic() - started_s, error=error)
