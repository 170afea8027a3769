"""One call to Slack for the presenter, in its turn, and what came of it.

Owns what an answer means: taken, not now, or refused for good. Where no word of Slack's can be read
it was not Slack that refused. Never repeats a call: whoever makes it knows what may be repeated.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.flow.ports import Clock
from bot.slack import connection
from bot.slack.pace import Pace

TRANSIENT = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})


class Later(Exception):
    """Slack did not take it now, or nobody knows; worth another try after `wait_s`."""

    def __init__(self, wait_s: float, why: str) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class No(Exception):
    """Slack refused for good; `error` is its word."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls Slack."""

    client: AsyncWebClient
    clock: Clock
    pace: Pace
    pause_s: float

    async def call(self, method: str, channel: str, payload: dict[str, object]) -> str:
        """Call Slack once, in its turn.

        Returns:
            The `ts` of the reply, or an empty string.

        Raises:
            Later: rate limit, outage or an unknown outcome.
            No: Slack refused for good.
        """
        now = self.clock.monotonic()
        await asyncio.sleep(self.pace.turn(method, channel, now=now) - now)
        try:
            reply = await self.client.api_call(method, json={"channel": channel} | payload)
            return str(reply.get("ts", ""))
        except SlackApiError as error:
            raise self._judged(method, channel, error) from None
        except connection.UNREADABLE as error:
            raise Later(self.pause_s, type(error).__name__) from None

    def _judged(self, method: str, channel: str, error: SlackApiError) -> Exception:
        word = connection.word_of(error)  # Empty too if the body was cut short.
        if connection.is_throttled(error):
            wait_s = connection.retry_after_s(error, otherwise=1.0)
            self.pace.shut(method, channel, until=self.clock.monotonic() + wait_s)
            return Later(wait_s, "ratelimited")
        is_broken = connection.status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR
        if is_broken or not word or word in TRANSIENT:
            why = word or f"HTTP {connection.status_of(error)}"
            return Later(self.pause_s, why)
        return No(word)
