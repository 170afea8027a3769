"""From Slack to an app through one of its sockets.

Owns the envelope, the time limit on its ack, and which payloads Slack sends again: events, never
commands and clicks.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode, read 2026-11-21; the times of
retries are those documented for HTTP.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from dataclasses import dataclass, field

from bot.sandbox.slack import route
from bot.sandbox.slack.records import Json
from bot.sandbox.slack.route import Delivered, How, Parcel
from bot.sandbox.slack.sockets import Sockets

RETRIES_S = (0.0, 60.0, 300.0)
"""How long after a missed ack an event is sent again."""
UNSIGNED = {"is_signature_bad", "is_tampered", "skew_s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketRoute:
    """The sockets that the app has opened, and how long Slack waits for an ack."""

    sockets: Sockets
    ack_limit_s: float
    retries_s: tuple[float, ...] = RETRIES_S
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def send(self, parcel: Parcel, how: How) -> Delivered:
        """Send an envelope, as often as asked; return the first answer with the others in it.

        Raises:
            ValueError: what is asked for needs a signature, and nothing is signed here.
        """
        if spoilt := UNSIGNED & how.keys():
            raise ValueError(f"nothing is signed in a socket: {', '.join(sorted(spoilt))}")
        return await route.repeat(lambda: self._send(parcel), how)

    async def _send(self, parcel: Parcel) -> Delivered:
        if parcel.kind != "events_api":
            return await self._send_once(parcel, {})
        facts: Json = {"retry_attempt": 0, "retry_reason": ""}
        delivered = await self._send_once(parcel, facts)
        for attempt, wait_s in enumerate(self.retries_s, start=1):
            if not delivered.error:
                break
            await asyncio.sleep(wait_s)
            facts = {"retry_attempt": attempt, "retry_reason": "timeout"}
            delivered = await self._send_once(parcel, facts)
        return delivered

    async def _send_once(self, parcel: Parcel, facts: Json) -> Delivered:
        is_answerable = _is_answerable(parcel)
        envelope = {
            "envelope_id": f"00000000-0000-4000-8000-{next(self._numbers):012d}",
            "type": parcel.kind,
            "payload": parcel.payload,
            "accepts_response_payload": is_answerable,
            **facts,
        }
        started_s = time.monotonic()
        try:
            ack = await self.sockets.deliver(envelope, limit_s=self.ack_limit_s)
            error = "" if ack is not None else route.OPERATION_TIMEOUT
        except LookupError:
            ack, error = None, route.DISPATCH_FAILED
        answer = (ack or {}).get("payload") if is_answerable else None
        return Delivered(
            status=None if ack is None else 200,
            body=json.dumps(answer) if answer else "",
            seconds=time.monotonic() - started_s,
            error=error,
        )


def _is_answerable(parcel: Parcel) -> bool:
    """Tell whether an ack may carry an answer: that to a command or to a submitted modal."""
    is_modal = parcel.payload.get("type") == "view_submission"
    return parcel.kind == "slash_commands" or is_modal
