"""The only writer to Slack: brings every message to what the store says.

Owns what is sent, where and when: two-step posting, pacing, retries, healing after an outage.
Never decides anything, never holds state that matters: a message is a function of stored state, and
what Slack last took is stored too. The run does not notice whether Slack answers.

A post whose reply was lost may exist. So what is posted first is one line that says what it is to
become; only the message whose `ts` is stored becomes it, by an update that may be repeated freely.
A lost reply leaves a line that points down, never a second card.

A card that is gone, or whose channel is closed to us, is posted anew, and its thread under it.
Slack tells this only of what is sent: so whoever asks about a request has its card sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from bot.domain import event
from bot.domain.message import Kind, Place, Sent
from bot.domain.request import Request, RequestState
from bot.flow.ports import StoreDown
from bot.slack import blocks, connection
from bot.slack.blocks import CardView
from bot.slack.calls import Calls, Later, No
from bot.slack.pace import Pace
from bot.slack.parts import Message
from bot.slack.surroundings import Surroundings

logger = logging.getLogger(__name__)

GONE = frozenset({"message_not_found", "edit_window_closed", "cant_update_message"})
NO_CHANNEL = frozenset(
    {
        *("channel_not_found", "not_in_channel", "is_archived", "is_inactive"),
        *("no_permission", "restricted_action", "restricted_action_read_only_channel"),
    }
)
"""https://docs.slack.dev/reference/methods/chat.postMessage and chat.update, read 2026-11-21."""
NO_THREAD = NO_CHANNEL | {"thread_not_found"}

Spawn = Callable[[str, Callable[[], Coroutine[Any, Any, None]]], None]
"""Start supervised work: a bug in it is logged and hurts nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One message as it should be."""

    place: Place
    message: Message
    opening: Message
    """What is posted first and becomes it."""


class Presenter:
    """Keeps one pass running for every request that changed."""

    def __init__(self, around: Surroundings, spawn: Spawn) -> None:
        self._around = around
        self._spawn = spawn
        self._behind: set[str] = set()
        self._busy: set[str] = set()
        self._calls = Calls(
            client=around.client,
            clock=around.clock,
            pace=Pace(around.pause_s),
            pause_s=around.pause_s,
        )
        self._refusals: dict[Place, tuple[No, float]] = {}
        self._missed: set[str] = set()
        """Requests whose card may be gone: it is sent again even if Slack took all of it."""
        self._late: set[str] = set()
        """Requests whose messages Slack does not take now, told once an outage."""
        self._passed = asyncio.Event()
        self.refused: dict[str, str] = {}
        """Requests whose messages Slack refuses, and its word, such as `not_in_channel`."""

    def changed(self, request_id: str) -> None:
        """Bring the messages of a request to its state soon; never waits."""
        self._behind.add(request_id)
        if request_id not in self._busy:
            self._busy.add(request_id)
            self._spawn(f"present {request_id}", lambda: self._follow(request_id))

    def missed(self, request_id: str) -> None:
        """Look whether the card of a request still stands, and bring it back; never waits."""
        self._missed.add(request_id)
        self.changed(request_id)

    async def heal(self) -> None:
        """Look again at every request whose messages may be behind; waits for the store."""
        behind: tuple[str, ...] | None = None
        while behind is None:
            try:
                behind = await self._around.messages.behind()
            except StoreDown:
                await asyncio.sleep(self._around.pause_s)
        for request_id in behind:
            self.changed(request_id)

    async def live_card(self, request_id: str) -> tuple[str, str] | None:
        """Return (channel, ts) of the one card whose buttons count."""
        sent = await self._around.messages.find(Place(request_id=request_id, kind=Kind.CARD))
        return (sent.channel, sent.ts) if sent else None

    async def posted(self, request_id: str) -> str:
        """Wait until a request's card stands in Slack; return Slack's word if it refuses it."""
        while True:
            passed = self._passed
            if request_id not in self._missed and await self.live_card(request_id) is not None:
                return ""
            if word := self.refused.get(request_id):
                return word
            await passed.wait()

    async def where(self, request: Request) -> str:
        """Return mrkdwn that leads to a request's card, or to its channel while there is none."""
        card = await self.live_card(request.id)
        if card is None:
            return f"<#{request.channel}>"
        channel, ts = card
        return f"<{self._around.workspace_url}archives/{channel}/p{ts.replace('.', '')}|its card>"

    async def announce(self, message: Message) -> bool:
        """Post what is of no request in the incident channel, once; tell whether Slack took it."""
        channel = self._around.incident_channel
        try:
            await self._calls.call("chat.postMessage", channel, _payload(message))
        except (Later, No) as error:
            logger.warning("announcement.lost", extra={"why": str(error)})
            return False
        return True

    async def whisper(self, channel: str, user: str, message: Message) -> None:
        """Tell one person something in a channel; best effort, never raises."""
        try:
            await self._calls.call(
                "chat.postEphemeral", channel, {"user": user} | _payload(message)
            )
        except (Later, No) as error:
            logger.warning("answer.lost", extra={"why": str(error)})

    async def reply(self, response_url: str, message: Message) -> None:
        """Answer one person by the response URL of what they did; best effort, never raises."""
        try:
            reply = await connection.hook(self._around.client, response_url).send_dict(
                _payload(message) | {"response_type": "ephemeral", "replace_original": False}
            )
        except connection.UNREADABLE:
            logger.warning("answer.lost", extra={"why": "no reply"})
        else:
            if reply.status_code != HTTPStatus.OK:
                logger.warning("answer.lost", extra={"why": f"HTTP {reply.status_code}"})

    async def _follow(self, request_id: str) -> None:
        """Make passes until the messages are where the state is."""
        wait_s = 0.0
        try:
            while request_id in self._behind:
                wait_s = await self._attempt(request_id, wait_s)
                woken, self._passed = self._passed, asyncio.Event()
                woken.set()
                await asyncio.sleep(wait_s)
        finally:
            self._busy.discard(request_id)

    async def _attempt(self, request_id: str, waited_s: float) -> float:
        """Make one pass; whatever stops it, the request stays behind.

        Returns:
            Seconds until the next pass.
        """
        self._behind.discard(request_id)
        is_there = False
        try:
            await self._pass(request_id)
            is_there = True
        except Later as later:
            if request_id not in self._late:
                facts = {"request_id": request_id, "why": str(later)}
                logger.warning("message.late", extra=facts)
                self._late.add(request_id)
            return max(later.wait_s, min(30.0, 2 * waited_s))
        except StoreDown:
            return self._around.pause_s
        except No as refusal:
            if self.refused.get(request_id) != refusal.error:
                logger.warning("message.refused", extra={"why": refusal.error})
            self.refused[request_id] = refusal.error
            return self._around.pause_s
        finally:
            if not is_there:
                self._behind.add(request_id)
        self.refused.pop(request_id, None)
        self._late.discard(request_id)
        return self._around.pause_s

    async def _pass(self, request_id: str) -> None:
        """Bring every message of a request to its state once, the card first.

        Raises:
            Later: Slack did not take one of them now.
            No: Slack refused one for good; the others are where the state is.
        """
        around = self._around
        request = await around.shown.find(request_id)
        if request is None:
            self._missed.discard(request_id)
            return
        view = await self.view(request)
        refusals: list[No] = []
        place = Place(request_id=request_id, kind=Kind.CARD)
        card = _Wanted(place=place, message=blocks.card(view), opening=blocks.opening(request))
        await self._try(card, None, refusals)
        if (under := await around.messages.find(place)) is not None:
            for wanted in _thread(view):
                await self._try(wanted, under, refusals)
        if refusals:
            raise refusals[0]
        if request.state.is_final:
            await around.messages.settled(request_id)

    async def view(self, request: Request) -> CardView:
        """Read what a card shows of a request."""
        around = self._around
        votes = await around.shown.votes(request.id)
        is_pending = request.state is RequestState.PENDING
        has_run = request.decided_at is not None
        is_final = request.state.is_final
        return CardView(
            request=request,
            votes=votes,
            statuses=await around.shown.statuses(request.id),
            decision=around.judge(request, votes) if is_pending else None,
            approvers=await around.messages.approvers(request.id) if has_run else None,
            chain_head=await around.messages.chain_head(request.id) if is_final else "",
            bans=around.bans(),
            pull=await around.pulls.find(request.id),
            now=around.clock.now(),
        )

    async def _try(self, wanted: _Wanted, under: Sent | None, refusals: list[No]) -> None:
        """Bring one message to its content; a refusal of one neither stops nor slows the others."""
        around, place = self._around, wanted.place
        refusal, until = self._refusals.get(place, (None, 0.0))
        if refusal is None or around.clock.monotonic() >= until:
            try:
                await self._bring(wanted, under)
                refusal = None
                self._refusals.pop(place, None)
            except No as error:
                refusal = error
                until = around.clock.monotonic() + around.refused_again_s
                self._refusals[place] = (refusal, until)
                if under is not None and refusal.error in NO_THREAD:
                    self._missed.add(place.request_id)  # Its card is there too: both must move.
        if refusal is not None:
            refusals.append(refusal)

    async def _bring(self, wanted: _Wanted, under: Sent | None) -> None:
        """Bring one message to its content; post its opening first if it does not stand there."""
        around, place, message = self._around, wanted.place, wanted.message
        is_missed = under is None and place.request_id in self._missed
        sent = await around.messages.find(place)
        if sent is None or not _is_under(sent, under):
            sent = await self._post(wanted, under)
        revision = _revision(message)
        if sent.revision == revision and not is_missed:
            return
        try:
            await self._update(sent, message)
        except No as refusal:
            is_shut = under is None and refusal.error in NO_CHANNEL
            if refusal.error not in GONE and (
                not is_shut or sent.channel == around.incident_channel
            ):
                raise
            logger.warning("message.gone", extra={"why": refusal.error})
            sent = await self._post(
                wanted, under, channel=around.incident_channel if is_shut else ""
            )
            await self._update(sent, message)
        if under is None:
            self._missed.discard(place.request_id)
        taken = Sent(place=place, channel=sent.channel, ts=sent.ts, revision=revision)
        await around.messages.taken(taken)

    async def _update(self, sent: Sent, message: Message) -> None:
        await self._calls.call("chat.update", sent.channel, {"ts": sent.ts} | _payload(message))

    async def _post(self, wanted: _Wanted, under: Sent | None, *, channel: str = "") -> Sent:
        """Post an opening: under its card, in `channel`, or where its request wants it."""
        around, place, payload = self._around, wanted.place, _payload(wanted.opening)
        incident = around.incident_channel
        if under is not None:
            channel, payload = under.channel, payload | {"thread_ts": under.ts}
        channel = channel or await self._channel(place.request_id)
        await around.messages.intend(place, channel)
        try:
            ts = await self._calls.call("chat.postMessage", channel, payload)
        except No as refusal:
            if refusal.error not in NO_CHANNEL or channel == incident or under:
                raise
            channel = incident
            ts = await self._calls.call("chat.postMessage", channel, payload)
        sent = Sent(place=place, channel=channel, ts=ts, revision=_revision(wanted.opening))
        await around.messages.taken(sent)
        if under is None:  # What Slack refused under an earlier card it may take under this one.
            self._refusals = {
                p: no for p, no in self._refusals.items() if p.request_id != place.request_id
            }
        return sent

    async def _channel(self, request_id: str) -> str:
        request = await self._around.shown.find(request_id)
        return request.channel if request else self._around.incident_channel


def _thread(view: CardView) -> Iterator[_Wanted]:
    """Yield the board, and the reply of each venue whose targets all have a verdict."""
    request, statuses = view.request, view.statuses
    if not statuses:
        return
    yield _Wanted(
        place=Place(request_id=request.id, kind=Kind.BOARD),
        message=blocks.board(request, statuses),
        opening=blocks.opening_reply(request, "the board"),
    )
    for venue in dict.fromkeys(status.venue for status in statuses):
        if all(status.result for status in statuses if status.venue == venue):
            yield _Wanted(
                place=Place(request_id=request.id, kind=Kind.VENUE_REPLY, slot=venue),
                message=blocks.venue_reply(request, venue, statuses),
                opening=blocks.opening_reply(request, f"the reply of {venue}"),
            )


def _is_under(sent: Sent, under: Sent | None) -> bool:
    """Tell whether a reply stands under this card, not under one before it: it is younger."""
    return under is None or sent.ts > under.ts


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
