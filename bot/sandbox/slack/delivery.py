"""People at work in the small Slack: they type commands, press buttons, submit modals.

Owns what a person's client can do, what Slack then sends to the app, and what the person sees of
the answer. It refuses what no client could do, such as pressing a button that is gone, unless a
test says `forge=True`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Unpack

import aiohttp

from bot.sandbox.slack import answers, api, payloads, views
from bot.sandbox.slack import blocks as block_kit
from bot.sandbox.slack.payloads import Person
from bot.sandbox.slack.records import (
    Channel,
    Draft,
    Ephemeral,
    Json,
    Message,
    Modal,
    Source,
    Standing,
    User,
)
from bot.sandbox.slack.refusal import Refused
from bot.sandbox.slack.request import HttpRoute
from bot.sandbox.slack.route import Delivered, How, Parcel, Route
from bot.sandbox.slack.socket_route import SocketRoute
from bot.sandbox.slack.tickets import ResponseUrl
from bot.sandbox.slack.workspace import Workspace

ACK_LIMIT_S = 3.0


class NotPossibleError(Exception):
    """No client could do this; `forge=True` does it all the same."""


@asynccontextmanager
async def connect(
    workspace: Workspace,
    *,
    api_url: str,
    request_url: str | None = None,
    ack_limit_s: float = ACK_LIMIT_S,
) -> AsyncIterator[Delivery]:
    """Open the way from a workspace to an app.

    Args:
        workspace: whose people act.
        api_url: what `api.serve` yielded; response_urls are beside it.
        request_url: where the app takes commands, interactions and events; without one they go
            through the sockets that the app has opened (Socket Mode).
        ack_limit_s: how long Slack waits; 3 s in life, shorter in a test of slowness.
    """
    if request_url is None:
        sockets = SocketRoute(sockets=workspace.sockets, ack_limit_s=ack_limit_s)
        yield Delivery(workspace, api_url=api_url, route=sockets)
        return
    async with aiohttp.ClientSession() as session:
        route = HttpRoute(
            session=session,
            request_url=request_url,
            signing_secret=workspace.app.signing_secret,
            ack_limit_s=ack_limit_s,
        )
        yield Delivery(workspace, api_url=api_url, route=route)


class Delivery:
    """The people of one workspace, and Slack carrying what they do to one app."""

    def __init__(self, workspace: Workspace, *, api_url: str, route: Route) -> None:
        self._workspace = workspace
        self._api_url = api_url
        self._route = route

    async def slash(
        self, user: str, channel: str, command: str, text: str = "", **how: Unpack[How]
    ) -> Delivered:
        """Type a slash command; the answer to it becomes a message that only the typist sees."""
        who, place = self._acting(user, channel, how)
        if who.team_id != self._workspace.team_id and not how.get("forge"):
            raise NotPossibleError(f"{user} is of another workspace: no commands of this app there")
        person, where = self._person(who, channel, None)
        fields: Json = dict(payloads.slash(self._workspace, person, place, command, text))
        delivered = await self._route.send(Parcel(kind="slash_commands", payload=fields), how)
        for one in (delivered, *delivered.again):
            self._show_ack(one, where, f"{command} {text}".strip())
        return delivered

    async def click(
        self, user: str, channel: str, message_ts: str, action_id: str, **how: Unpack[How]
    ) -> Delivered:
        """Press a button of a live message, after its confirm dialog if it has one.

        Raises:
            NotPossibleError: the message is gone, has no such button now, or is out of reach.
        """
        who, place = self._acting(user, channel, how)
        seen, action = self._button(user, place, message_ts, action_id, how)
        if "value" in how:
            if not how.get("forge"):
                raise NotPossibleError("a client cannot change a button's value")
            action = {**action, "value": how["value"]}
        confirm = _dialog(action)
        if confirm and not how.get("agrees", True):
            return Delivered(
                status=None, body="", seconds=0.0, error="not_confirmed", confirm=confirm
            )
        person, where = self._person(who, channel, message_ts)
        payload = payloads.block_actions(self._workspace, person, place, seen, action)
        delivered = await self._interact(payload, how)
        for one in (delivered, *delivered.again):
            self._show_failure(one, where, action_id)
        return replace(delivered, confirm=confirm)

    async def submit(
        self, user: str, values: Mapping[str, str | list[str]], **how: Unpack[How]
    ) -> Delivered:
        """Fill in and submit the modal that a person has on screen.

        Args:
            user: whose modal.
            values: block id to the text typed or the option values chosen.
            how: see `How`.
        """
        modal = self._on_screen(user)
        asked = views.fields(modal)
        if unknown := values.keys() - asked.keys():
            raise NotPossibleError(f"the modal has no field {', '.join(sorted(unknown))}")
        state: dict[str, dict[str, Json]] = {}
        for block_id, block in asked.items():
            try:
                entry = views.state_of(block["element"], values.get(block_id))
            except ValueError as exc:
                raise NotPossibleError(str(exc)) from exc
            if views.is_empty(entry) and not block.get("optional") and not how.get("forge"):
                raise NotPossibleError(f"the field {block_id} must be filled in")
            state[block_id] = {block["element"]["action_id"]: entry}
        person = self._modal_person(user)
        payload = payloads.view_submission(self._workspace, person, modal, state)
        delivered = await self._interact(payload, how)
        return self._show_submitted(delivered, modal)

    async def close(self, user: str, **how: Unpack[How]) -> Delivered | None:
        """Close the modal on screen; the app hears of it only if it asked (`notify_on_close`)."""
        modal = self._on_screen(user)
        self._workspace.modals.close(user)
        if not modal.view.get("notify_on_close"):
            return None
        person = self._modal_person(user)
        return await self._interact(payloads.view_closed(self._workspace, person, modal), how)

    async def event(self, event: Json, **how: Unpack[How]) -> Delivered:
        """Send an event, such as `{"type": "subteam_members_changed", "subteam_id": …}`."""
        payload = payloads.event_callback(self._workspace, event)
        return await self._route.send(Parcel(kind="events_api", payload=payload), how)

    async def _interact(self, payload: Json, how: How) -> Delivered:
        return await self._route.send(Parcel(kind="interactive", payload=payload), how)

    def _acting(self, user: str, channel: str, how: How) -> tuple[User, Channel]:
        """Return who acts and where, if they could act there."""
        who, place = self._workspace.user(user), self._workspace.channel(channel)
        if who is None or place is None:
            raise NotPossibleError(f"no {user if who is None else channel} in this Slack")
        is_home = who.team_id == self._workspace.team_id
        can_look_in = is_home and who.standing is Standing.MEMBER and not place.is_private
        if how.get("forge"):
            return who, place
        if who.is_deactivated or who.standing in {Standing.BOT, Standing.INVITED}:
            raise NotPossibleError(f"{user} cannot sign in")
        if user not in place.members and not can_look_in:
            raise NotPossibleError(f"{user} is not in {channel}")
        return who, place

    def _person(
        self, who: User, channel: str, message_ts: str | None
    ) -> tuple[Person, ResponseUrl]:
        tickets = self._workspace.tickets
        ticket_id = tickets.issue_response_url(who.id, channel, message_ts)
        person = Person(
            user=who,
            trigger_id=tickets.issue_trigger(who.id),
            response_url=api.response_url(self._api_url, ticket_id),
        )
        where = ResponseUrl(
            user=who.id, channel=channel, message_ts=message_ts, issued_at_s=self._workspace.now()
        )
        return person, where

    def _modal_person(self, user: str) -> Person:
        who = self._workspace.user(user)
        assert who is not None, "a modal is only opened for somebody Slack knows"
        return Person(user=who, trigger_id=self._workspace.tickets.issue_trigger(user))

    def _on_screen(self, user: str) -> Modal:
        modal = self._workspace.modals.on_screen(user)
        if modal is None:
            raise NotPossibleError(f"{user} has no modal open")
        return modal

    def _button(
        self, user: str, place: Channel, ts: str, action_id: str, how: How
    ) -> tuple[Message | Ephemeral, Json]:
        """Find a button on what the person sees, or saw; a forger may use any older revision."""
        whispers = [one for one in self._workspace.ephemerals(user) if one.ts == ts]
        shown: list[Message | Ephemeral] = [*self._workspace.revisions(place.id, ts), *whispers]
        looked_at = shown[::-1] if how.get("forge") or "shown" in how else shown[-1:]
        for seen in looked_at:
            for block, element in _elements(seen):
                is_meant = "shown" not in how or element.get("value", "") == how["shown"]
                if element.get("action_id") == action_id and is_meant:
                    return seen, {**element, "block_id": block["block_id"]}
        if not how.get("forge"):
            raise NotPossibleError(f"no button {action_id} on {ts} in {place.id} now")
        author = self._workspace.app.bot_user_id
        never = Message(channel=place.id, ts=ts, author=author, text="")
        forged = {"type": "button", "action_id": action_id, "block_id": "forged", "value": ""}
        return (shown[-1] if shown else never), forged

    def _show_failure(self, delivered: Delivered, where: ResponseUrl, what: str) -> None:
        if delivered.error:
            words = f"{what} failed with the error “{delivered.error}”"
            self._workspace.whisper(where.user, where.channel, Draft(text=words), Source.SLACK)

    def _show_ack(self, delivered: Delivered, where: ResponseUrl, typed: str) -> None:
        self._show_failure(delivered, where, typed.split()[0])
        if delivered.error or not delivered.body:
            return
        body = _read_object(delivered.body)
        if body is None:
            body = {"text": delivered.body}
        if body.get("response_type") == "in_channel":
            # Slack then shows the typed words to everybody too, the reason included.
            self._workspace.post(where.channel, where.user, Draft(text=typed))
        try:
            answers.give(self._workspace, where, body, Source.ACK)
        except Refused as no:
            self._show_failure(replace(delivered, error=no.code), where, typed.split()[0])

    def _show_submitted(self, delivered: Delivered, modal: Modal) -> Delivered:
        """Do to the modal what the app's answer says; without a word it closes."""
        modals = self._workspace.modals
        body = _read_object(delivered.body) or {}
        match body.get("response_action"):
            case _ if delivered.error:
                return delivered
            case "errors":
                wrong = tuple(sorted(body["errors"].items()))
                if {block_id for block_id, _ in wrong} <= views.fields(modal).keys():
                    return replace(delivered, field_errors=wrong)
                return replace(delivered, error="invalid_error_block_id")
            case "clear":
                modals.clear(modal.user)
            case "update" | "push":
                return self._show_view(delivered, modal, body)
            case _:
                modals.close(modal.user)
        return delivered

    def _show_view(self, delivered: Delivered, modal: Modal, body: Json) -> Delivered:
        try:
            view = views.checked(body.get("view"))
        except Refused as no:
            return replace(delivered, error=no.code)
        if body["response_action"] == "update":
            self._workspace.modals.update(modal, view)
        else:
            self._workspace.modals.push(modal.user, view)
        return delivered


def _elements(seen: Message | Ephemeral) -> Iterator[tuple[Json, Json]]:
    for block in seen.blocks:
        for element in block_kit.elements_of(block):
            yield block, element


def _dialog(action: Json) -> tuple[str, ...]:
    """Return the confirm dialog a button opens: title, text, agree, go back; or nothing."""
    confirm = action.get("confirm")
    if confirm is None:
        return ()
    return tuple(confirm[part]["text"] for part in ("title", "text", "confirm", "deny"))


def _read_object(body: str) -> Json | None:
    try:
        found = json.loads(body)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
