"""One signed HTTP request from Slack to the app, and what came back.

Owns the signature (https://docs.slack.dev/authentication/verifying-requests-from-slack), the time
limit on the answer, and the ways in which a test may spoil or repeat a request.
"""

from __future__ import annotations

import hashlib
import hmac
import http
import json
import time
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from bot.sandbox.slack import route
from bot.sandbox.slack.route import Delivered, How, Parcel

FORM = "application/x-www-form-urlencoded"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return Slack's `v0=` signature of one request."""
    signed = b":".join((b"v0", timestamp.encode(), body))
    return f"v0={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute:
    """Where the app listens, and how long Slack waits for it."""

    session: aiohttp.ClientSession
    request_url: str
    signing_secret: str
    ack_limit_s: float

    async def send(self, parcel: Parcel, how: How) -> Delivered:
        """Send one request, as often as asked; return the first answer with the others in it."""
        body, content_type = _encoded(parcel)
        # The real clock, never the workspace's: the app checks the timestamp against its own.
        timestamp = str(int(time.time() + how.get("skew_s", 0.0)))
        secret = self.signing_secret + ("-other" if how.get("is_signature_bad") else "")
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(secret, timestamp, body),
        }
        sent = body + (b"+" if how.get("is_tampered") else b"")
        return await route.repeat(lambda: self._send_once(sent, headers), how)

    async def _send_once(self, body: bytes, headers: dict[str, str]) -> Delivered:
        started_s = time.monotonic()
        error, status, text = "", None, ""
        limit = aiohttp.ClientTimeout(total=self.ack_limit_s)
        try:
            async with self.session.post(
                self.request_url, data=body, headers=headers, timeout=limit
            ) as answer:
                status, text = answer.status, await answer.text()
        except TimeoutError:
            error, status = route.OPERATION_TIMEOUT, None
        except aiohttp.ClientError:
            error, status = route.DISPATCH_FAILED, None
        if status is not None and status != http.HTTPStatus.OK:
            error = route.DISPATCH_FAILED
        return Delivered(
            status=status, body=text, seconds=time.monotonic() - started_s, error=error
        )


def _encoded(parcel: Parcel) -> tuple[bytes, str]:
    """Return the body and its content type, which differ for the three kinds."""
    match parcel.kind:
        case "slash_commands":
            return urlencode(parcel.payload).encode(), FORM
        case "interactive":
            return urlencode({"payload": json.dumps(parcel.payload)}).encode(), FORM
        case "events_api":
            return json.dumps(parcel.payload).encode(), "application/json"
