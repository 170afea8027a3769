"""The only writer to Slack: brings every message to what the store says.

Owns what is sent, where and when: two-step posting, pacing, retries, healing after an outage.
Never decides anything, never holds state that matters: a message is a function of stored state, and
what Slack last took is stored too. The run does not notice whether Slack answers.

A post whose reply was lost may exist. So a card is first posted without buttons; only the message
whose `ts` is stored gets them, by an update that may be repeated freely. A lost reply leaves a dead
card, never two live ones.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.domain import event
from bot.domain.message import Kind, Place, Sent
from bot.domain.request import Request, RequestState
from bot.domain.result import TargetStatus
from bot.flow.ports import Clock, StoreDown
from bot.slack import blocks, connection
from bot.slack.blocks import CardView, Message
from policies.model import Decision, Vote

logger = logging.getLogger(__name__)

GONE = frozenset({"message_not_found", "edit_window_closed", "cant_update_message"})
NO_CHANNEL = frozenset({"channel_not_found", "not_in_channel", "is_archived", "restricted_action"})
TRANSIENT = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "ratelimited", "request_timeout"}
)


Spawn = Callable[[str, Callable[[], Coroutine[Any, Any, None]]], None]
"""Start supervised work: a bug in it is logged and hurts nothing else."""


class MessageStore(Protocol):
    """What the presenter keeps."""

    async def find(self, place: Place) -> Sent | None:
        """Return what Slack last took; None if no post was ever answered."""
        ...

    async def intend(self, place: Place, channel: str) -> None:
        """Record that a post is about to be sent."""
        ...

    async def taken(self, sent: Sent) -> None:
        """Record what Slack took; replaces what was recorded before."""
        ...

    async def behind(self) -> tuple[str, ...]:
        """Return ids of requests whose messages may be behind: open or ended within the hour."""
        ...


class Shown(Protocol):
    """What the presenter reads of the store."""

    async def find(self, request_id: str) -> Request | None:
        """Return a request by its id."""
        ...

    async def votes(self, request_id: str) -> tuple[Vote, ...]:
        """Return the newest vote of each person."""
        ...

    async def statuses(self, request_id: str) -> tuple[TargetStatus, ...]:
        """Return where the targets of a run stand."""
        ...

    async def chain_head(self) -> str:
        """Return the hash of the newest event."""
        ...


class _Later(Exception):
    """Slack did not take it now; the pass is made again after `wait_s`."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"again in {wait_s} s")
        self.wait_s = wait_s


class _No(Exception):
    """Slack refused for good; `error` is its word."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a presenter works with."""

    client: AsyncWebClient
    shown: Shown
    messages: MessageStore
    clock: Clock
    incident_channel: str
    workspace_url: str
    judge: Callable[[Request, tuple[Vote, ...]], Decision]
    """Judges votes from snapshots, for display only."""
    pause_s: float = 1.0
    """Least seconds between two passes over one request, and between two posts to a channel."""


class Presenter:
    """Keeps one pass running for every request that changed."""

    def __init__(self, around: Surroundings, spawn: Spawn) -> None:
        self._around = around
        self._spawn = spawn
        self._behind: set[str] = set()
        self._busy: set[str] = set()
        self._not_before: dict[tuple[str, str], float] = {}

    def changed(self, request_id: str) -> None:
        """Bring the messages of a request to its state soon; never waits."""
        self._behind.add(request_id)
        if request_id not in self._busy:
            self._busy.add(request_id)
            self._spawn(f"present {request_id}", lambda: self._follow(request_id))

    async def heal(self) -> None:
        """Look again at every request whose messages may be behind: at start, after an outage."""
        for request_id in await self._around.messages.behind():
            self.changed(request_id)

    async def live_card(self, request_id: str) -> tuple[str, str] | None:
        """Return (channel, ts) of the one card whose buttons count."""
        sent = await self._around.messages.find(Place(request_id=request_id, kind=Kind.CARD))
        return (sent.channel, sent.ts) if sent else None

    async def where(self, request: Request) -> str:
        """Return mrkdwn that leads to a request's card, or to its channel while there is none."""
        card = await self.live_card(request.id)
        if card is None:
            return f"<#{request.channel}>"
        channel, ts = card
        return f"<{self._around.workspace_url}archives/{channel}/p{ts.replace('.', '')}|its card>"

    async def whisper(self, channel: str, user: str, message: Message) -> None:
        """Tell one person something in a channel; best effort, never raises."""
        try:
            await self._call("chat.postEphemeral", channel, {"user": user} | _payload(message))
        except (_Later, _No) as error:
            logger.warning("answer.lost", extra={"why": str(error)})

    async def reply(self, response_url: str, message: Message) -> None:
        """Answer one person by the response URL of what they did; best effort, never raises."""
        around = self._around
        hook = AsyncWebhookClient(url=response_url, session=around.client.session)
        try:
            await hook.send_dict(
                _payload(message) | {"response_type": "ephemeral", "replace_original": False}
            )
        except (aiohttp.ClientError, TimeoutError, OSError):
            logger.warning("answer.lost", extra={"why": "no reply"})

    async def _follow(self, request_id: str) -> None:
        """Make passes until the messages are where the state is."""
        wait_s = 0.0
        try:
            while request_id in self._behind:
                self._behind.discard(request_id)
                try:
                    await self._pass(request_id)
                    wait_s = self._around.pause_s
                except _Later as later:
                    self._behind.add(request_id)
                    wait_s = max(later.wait_s, min(30.0, 2 * wait_s))
                except StoreDown:
                    self._behind.add(request_id)
                    wait_s = self._around.pause_s
                except _No as refusal:
                    logger.warning("message.refused", extra={"why": refusal.error})
                await asyncio.sleep(wait_s)
        finally:
            self._busy.discard(request_id)

    async def _pass(self, request_id: str) -> None:
        """Bring every message of a request to its state once, the card first."""
        around = self._around
        request = await around.shown.find(request_id)
        if request is None:
            return
        votes = await around.shown.votes(request_id)
        statuses = await around.shown.statuses(request_id)
        view = CardView(
            request=request,
            votes=votes,
            statuses=statuses,
            decision=around.judge(request, votes)
            if request.state is RequestState.PENDING
            else None,
            chain_head=await around.shown.chain_head(),
        )
        card = await self._bring(Place(request_id=request_id, kind=Kind.CARD), blocks.card(view))
        if not statuses:
            return
        board = Place(request_id=request_id, kind=Kind.BOARD)
        await self._bring(board, blocks.board(statuses), under=card)
        for venue in dict.fromkeys(status.venue for status in statuses):
            if all(status.result for status in statuses if status.venue == venue):
                place = Place(request_id=request_id, kind=Kind.VENUE_REPLY, slot=venue)
                reply = blocks.venue_reply(request, venue, statuses)
                await self._bring(place, reply, under=card)

    async def _bring(self, place: Place, message: Message, *, under: Sent | None = None) -> Sent:
        """Bring one message to its content; post it, buttonless, if it was never taken."""
        sent = await self._around.messages.find(place)
        if sent is None:
            sent = await self._post(place, blocks.without_buttons(message), under)
        revision = _revision(message)
        if sent.revision == revision:
            return sent
        try:
            await self._call("chat.update", sent.channel, {"ts": sent.ts} | _payload(message))
        except _No as refusal:
            if refusal.error not in GONE:
                raise
            logger.warning("message.gone", extra={"why": refusal.error})
            sent = await self._post(place, blocks.without_buttons(message), under)
            await self._call("chat.update", sent.channel, {"ts": sent.ts} | _payload(message))
        taken = Sent(place=place, channel=sent.channel, ts=sent.ts, revision=revision)
        await self._around.messages.taken(taken)
        return taken

    async def _post(self, place: Place, message: Message, under: Sent | None) -> Sent:
        around = self._around
        channel = under.channel if under else await self._channel(place.request_id)
        thread = {"thread_ts": under.ts} if under else {}
        await around.messages.intend(place, channel)
        try:
            ts = await self._call("chat.postMessage", channel, thread | _payload(message))
        except _No as refusal:
            if refusal.error not in NO_CHANNEL or channel == around.incident_channel or under:
                raise
            channel = around.incident_channel
            ts = await self._call("chat.postMessage", channel, _payload(message))
        sent = Sent(place=place, channel=channel, ts=ts, revision=_revision(message))
        await around.messages.taken(sent)
        return sent

    async def _channel(self, request_id: str) -> str:
        request = await self._around.shown.find(request_id)
        return request.channel if request else self._around.incident_channel

    async def _call(self, method: str, channel: str, payload: dict[str, object]) -> str:
        """Call Slack once, in its turn.

        Returns:
            The `ts` of the reply, or an empty string.

        Raises:
            _Later: rate limit, outage or an unknown outcome.
            _No: Slack refused for good.
        """
        lane = (method, channel)
        now = self._around.clock.monotonic()
        due = max(now, self._not_before.get(lane, 0.0))
        self._not_before[lane] = due + self._around.pause_s
        await asyncio.sleep(due - now)
        try:
            reply = await self._around.client.api_call(method, json={"channel": channel} | payload)
        except SlackApiError as error:
            raise self._refusal(lane, error) from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise _Later(self._around.pause_s) from None
        return str(reply.get("ts", ""))

    def _refusal(self, lane: tuple[str, str], error: SlackApiError) -> Exception:
        status, word = error.response.status_code, connection.word_of(error)
        if status == HTTPStatus.TOO_MANY_REQUESTS or word == "ratelimited":
            wait_s = float(error.response.headers.get("Retry-After", "1"))
            self._not_before[lane] = self._around.clock.monotonic() + wait_s
            return _Later(wait_s)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or word in TRANSIENT:
            return _Later(self._around.pause_s)
        return _No(word or f"HTTP {status}")


def _payload(message: Message) -> dict[str, object]:
    return {
        "text": message.text,
        "blocks": list(message.blocks),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _revision(message: Message) -> str:
    text = event.canonical({"text": message.text, "blocks": list(message.blocks)})
    return hashlib.sha256(text).hexdigest()
