"""From Slack's deliveries to the flow: acknowledge, translate, call, answer.

Owns the slash command, the buttons, the form for a denial, and the news of who left a user group.
Never decides: what may happen is asked of `bot.flow.decide`. Every listener acknowledges first,
hands its work to a task of its own and returns; Slack is never waited for before it has its answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain import command as commands
from bot.domain.command import Cancel, Help, PolicyText, Show, Status, Withdraw
from bot.domain.errors import UsageError
from bot.domain.finding import Checkup
from bot.domain.request import Request
from bot.flow import ask, decide, glass
from bot.flow import desk as desks
from bot.flow.desk import Click, Desk, Said
from bot.flow.ports import StoreDown
from bot.flow.preview import Previewer
from bot.slack import answers, blocks, connection, form, payload
from bot.slack.form import Form
from bot.slack.identity import SlackPeople
from bot.slack.parts import Message
from bot.slack.payload import Body
from bot.slack.presenter import Presenter, Spawn
from policies import evaluate
from policies.model import Actor, Answer

logger = logging.getLogger(__name__)

Ack = Callable[..., Awaitable[None]]
POSTED_S = 3.0
"""How long whoever asked waits for the link to the card; then the channel is named."""
FORM = "deny_reason"
MISSED_S = 24 * 3600.0
"""How long after its end a card that was deleted is posted anew for whoever asks for it."""


def _unchecked() -> None:
    """Return no result: nothing was checked yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What the listeners work with."""

    desk: Desk
    people: SlackPeople
    presenter: Presenter
    previewer: Previewer
    client: AsyncWebClient
    spawn: Spawn
    team_id: str
    incident_channel: str
    channels: frozenset[str]
    """Further channels in which a card may stand."""
    checkup: Callable[[], Checkup | None] = _unchecked
    """What the last check of everything found."""
    formless: set[tuple[str, str]] = field(default_factory=set)
    """(request, person): whose next Deny needs no form: nobody knows what became of theirs."""


def register(app: AsyncApp, counter: Counter) -> None:
    """Hang every listener onto the bolt app."""

    @app.command("/cancelall")
    async def on_command(ack: Ack, body: Body) -> None:
        await ack()
        counter.spawn("command", lambda: _guarded(counter, body, _command(counter, body)))

    for action, act in _ACTIONS.items():
        _register_action(app, counter, action, act)

    @app.event("subteam_members_changed")
    async def on_members_changed(event: Body) -> None:
        removed = map(str, event.get("removed_users") or ())
        counter.people.members_changed(str(event.get("subteam_id")), removed)

    @app.view(FORM)
    async def on_form(ack: Ack, body: Body) -> None:
        await ack()
        counter.spawn("form", lambda: _guarded(counter, body, _form(counter, body)))


def _register_action(app: AsyncApp, counter: Counter, action: str, act: _Act) -> None:
    @app.action(action)
    async def on_click(ack: Ack, body: Body) -> None:
        await ack()
        counter.spawn(action, lambda: _guarded(counter, body, _click(counter, body, act)))


async def _guarded(counter: Counter, body: Body, work: Coroutine[Any, Any, Message | None]) -> None:
    """Do the work and tell the person what came of it, also when it is a refusal."""
    message: Message | None
    try:
        message = await work
    except UsageError as error:
        message = blocks.plain(error.user_message, error.remedy)
    except StoreDown:
        message = blocks.plain(
            "The database does not answer: nobody knows whether that was stored.",
            "Look at the card, and try again in a moment.",
        )
    except Exception:
        logger.exception("answer.failed")
        message = blocks.plain(
            "A bug in cancelall kept it from answering.",
            "Look at /cancelall status, and try again.",
        )
    if message is not None:
        await _answer(counter, body, message)


async def _answer(counter: Counter, body: Body, message: Message) -> None:
    """Answer one person: by the response URL if there is one, else in the channel."""
    if url := body.get("response_url"):
        await counter.presenter.reply(str(url), message)
    else:
        channel = payload.channel(body) or counter.incident_channel
        await counter.presenter.whisper(channel, payload.user_id(body), message)


async def _command(counter: Counter, body: Body) -> Message | None:
    """Do what was typed after `/cancelall`."""
    desk = counter.desk
    if body.get("team_id") != counter.team_id:
        return blocks.plain("This command came from another workspace.", "Use it in ours.")
    typed = commands.parse(str(body.get("text") or ""), chars_max=desk.limits.command_chars_max)
    if isinstance(typed, Help):
        return blocks.plain_lines(commands.usage())
    if isinstance(typed, Withdraw):
        said = await decide.withdraw(desk, payload.as_click(body, typed.request_id))
        return (await _untold(counter, body) if said.is_refusal else None) or _said(said)
    if isinstance(typed, Cancel):
        return await (_dry_run if typed.is_dry_run else _ask)(counter, body, typed)
    return await _untold(counter, body) or await _tell(counter, typed)


async def _untold(counter: Counter, body: Body) -> Message | None:
    """Say why somebody is told nothing of the desk; None if they may be told.

    Guests are told nothing, so neither is somebody who may be one. Slack's last word on them serves
    while it gives no other; the cards in the channel tell the rest.
    """
    asker = counter.people.as_last_seen(await _asker(counter, body, groups=frozenset()))
    if asker.read_at is None:
        return blocks.plain(
            "Slack cannot say who you are right now, and guests are told nothing.",
            "Look at the cards, and ask again in a moment.",
        )
    return _stranger(counter, asker)


def _stranger(counter: Counter, asker: Actor) -> Message | None:
    """Refuse whoever is not one of ours; None if they are."""
    if reasons := evaluate.standing(counter.desk.policy, asker):
        return blocks.plain(reasons[0].text, "Ask one of the desk.")
    return None


async def _asker(counter: Counter, body: Body, *, groups: frozenset[str] | None = None) -> Actor:
    """Read who typed or clicked, with the groups that decide who may ask, or fewer."""
    wanted = desks.asker_groups(counter.desk) if groups is None else groups
    return await counter.people.asker(
        payload.user_id(body), team_id=payload.team_id(body), groups=wanted
    )


def _no_asker(counter: Counter, asker: Actor) -> Message | None:
    """Refuse whoever is not one of ours before any word of theirs is looked up."""
    if asker.read_at is None:
        return blocks.plain(
            "Slack cannot say who you are right now, so nothing was asked for.",
            "Try again in a moment.",
        )
    return _stranger(counter, asker)


async def _tell(counter: Counter, typed: Status | Show | PolicyText) -> Message:
    """Answer a question that changes nothing."""
    match typed:
        case Status():
            return await answers.status(counter.desk, counter.checkup())
        case Show():
            return await _show(counter, typed.request_id)
        case PolicyText():
            return answers.policy(counter.desk)
        case _:
            assert_never(typed)


async def _show(counter: Counter, request_id: str) -> Message:
    """Say all that the card of a request says; whoever asks may have looked for it in vain."""
    request = await counter.desk.store.find(request_id)
    if request is None:
        return blocks.plain(f"There is no request {request_id}.")
    _missed(counter, request)
    card = blocks.card(await counter.presenter.view(request))
    return blocks.without_buttons(card)


def _missed(counter: Counter, request: Request | None) -> None:
    """Have a card sent again that may have been deleted; one of long ago is left to the past."""
    if request is None:
        return
    ended, now = request.ended_at, counter.desk.clock.now()
    if ended is None or (now - ended).total_seconds() < MISSED_S:
        counter.presenter.missed(request.id)


async def _ask(counter: Counter, body: Body, typed: Cancel) -> Message:
    """Store a request for what was typed, and count its orders while the card goes up."""
    desk = counter.desk
    requester = await _asker(counter, body)
    if refusal := _no_asker(counter, requester):
        return refusal
    said = await ask.submit(
        desk,
        typed,
        requester,
        channel=await _card_channel(counter, payload.channel(body) or ""),
        delivery=payload.delivery(body),
    )
    if said.request is not None and said.code in {"submitted", "started"}:
        request = said.request
        counter.spawn("preview", lambda: answers.count(desk, counter.previewer, request))
    return await _led(counter, said)


async def _led(counter: Counter, said: Said) -> Message:
    """Answer who asked with the way to the card; whoever asked second may answer right there."""
    if said.request is None:
        return _said(said)
    if said.is_refusal:
        _missed(counter, said.request)
    refused = ""
    try:
        async with asyncio.timeout(POSTED_S):
            refused = await counter.presenter.posted(said.request.id)
    except TimeoutError:
        logger.info("card.late", extra={"request_id": said.request.id})
    if refused:
        why = f"Slack refuses to post its card: {refused}."
        return blocks.plain(f"{said.text} {why}", "Invite the bot to the incident channel.")
    where = await counter.presenter.where(said.request)
    answerable = said.request if said.code == "already_pending" else None
    return blocks.led(said.text, where, answerable)


async def _dry_run(counter: Counter, body: Body, typed: Cancel) -> Message:
    """Count what would be cancelled; only who may ask may look."""
    desk = counter.desk
    requester = await _asker(counter, body)
    if refusal := _no_asker(counter, requester):
        return refusal
    _, plan = await ask.resolve(desk, typed, requester)
    return answers.dry_run(plan, await counter.previewer.count(plan))


async def _card_channel(counter: Counter, typed_in: str) -> str:
    """Choose where the card goes: where it was typed if that is listed, ours and not shared."""
    if typed_in not in counter.channels:
        return counter.incident_channel
    try:
        async with asyncio.timeout(counter.desk.limits.people_call_s):
            reply = await counter.client.api_call(
                "conversations.info", params={"channel": typed_in}
            )
    except connection.UNREADABLE:
        return counter.incident_channel
    found = reply.get("channel") or {}
    is_shared = found.get("is_ext_shared") or found.get("is_pending_ext_shared")
    is_fit = found.get("is_member") and not is_shared and not found.get("is_archived")
    return typed_in if is_fit else counter.incident_channel


_Act = Callable[[Counter, Body, Click], Awaitable[Message | None]]


async def _click(counter: Counter, body: Body, act: _Act) -> Message | None:
    """Translate a click; only the one live card of a request counts.

    Or an answer that one person alone was shown: Slack says which it is, and no void card is one.
    All clicks of an outsider on a request are one delivery: the first is recorded, none counts.
    """
    request_id, _, digest = str(body["actions"][0].get("value", "")).partition(":")
    container = body.get("container") or {}
    place = (str(container.get("channel_id")), str(container.get("message_ts")))
    click = payload.as_click(body, request_id, digest)
    is_ours = click.team_id in counter.desk.policy.workspaces
    is_card = await counter.presenter.live_card(request_id) == place
    if not is_card and container.get("is_ephemeral") is not True:
        return await _astray(counter, request_id if is_ours else "")
    if not is_ours:
        click = replace(click, delivery=f"outside:{request_id}:{click.user_id}")
    return await act(counter, body, click)


async def _astray(counter: Counter, request_id: str) -> Message:
    """Lead whoever pressed a button of another message to the card, if they may see it."""
    said = "This is not the live card of that request."
    request = await counter.desk.store.find(request_id) if request_id else None
    if request is None:
        return blocks.plain(said, "Use the buttons of the newest card.")
    _missed(counter, request)
    return blocks.led(said, await counter.presenter.where(request))


async def _approve(counter: Counter, _: Body, click: Click) -> Message | None:
    return _said(await decide.vote(counter.desk, click, Answer.APPROVE))


async def _deny(counter: Counter, body: Body, click: Click) -> Message | None:
    """Ask for the reason; if Slack will not, deny without one, but do deny.

    Where nobody knows whether the form is open, the second press denies without it.
    """
    if refused := await decide.refusal(counter.desk, click):
        return _said(refused)
    person = (click.request_id, click.user_id)
    if person in counter.formless:
        counter.formless.discard(person)
        return _said(await decide.vote(counter.desk, click, Answer.DENY))
    place = payload.channel(body) or counter.incident_channel
    metadata = f"{click.request_id}:{click.digest}:{place}"
    view = form.deny_form(FORM, metadata, click.request_id)
    match await form.opened(counter.client, str(body.get("trigger_id")), view):
        case Form.OPEN:
            return None
        case Form.LATE:
            return blocks.plain("Slack's time for the form had run out.", "Press Deny once more.")
        case Form.UNKNOWN:
            counter.formless.add(person)
            said = "Slack did not say whether it opened the form for your reason."
            return blocks.plain(said, "If you see none, press Deny once more: it denies at once.")
        case Form.REFUSED:
            return _said(await decide.vote(counter.desk, click, Answer.DENY))


async def _form(counter: Counter, body: Body) -> Message:
    """Cast the denial that the form was opened for."""
    view = body["view"]
    request_id, digest, _ = payload.metadata(body)
    click = replace(
        payload.as_click(body, request_id, digest),
        delivery=f"view:{view.get('id')}:{payload.user_id(body)}",
        reason=form.reason(view)[: commands.REASON_CHARS_MAX],
    )
    return _said(await decide.vote(counter.desk, click, Answer.DENY))


async def _withdraw(counter: Counter, _: Body, click: Click) -> Message | None:
    return _said(await decide.withdraw(counter.desk, click))


async def _stop(counter: Counter, _: Body, click: Click) -> Message | None:
    return _said(await decide.stop_chase(counter.desk, click))


async def _close_glass(counter: Counter, _: Body, click: Click) -> Message | None:
    return _said(await glass.close(counter.desk, click))


async def _ask_again(counter: Counter, body: Body, click: Click) -> Message | None:
    """Ask anew for what an expired request asked, in the name of whoever clicks."""
    request = await counter.desk.store.find(click.request_id)
    if request is None:
        return blocks.plain(f"There is no request {click.request_id}.")
    typed = commands.parse(request.command)
    assert isinstance(typed, Cancel)
    return await _ask(counter, body, typed)


_ACTIONS: Mapping[str, _Act] = {
    "approve": _approve,
    "deny": _deny,
    "withdraw": _withdraw,
    "stop_chase": _stop,
    "ask_again": _ask_again,
    "close_glass": _close_glass,
}


def _said(said: Said) -> Message:
    return blocks.plain(said.text)
