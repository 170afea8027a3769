"""The page's stage in the test's own process, with an app that only listens.

The test itself speaks as the app: it posts, whispers, edits and opens modals in the workspace, by
the very code that answers an app's calls, and looks at what Chromium shows of it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from bot.sandbox import world as worlds
from bot.sandbox.accounts import Account
from bot.sandbox.page import server
from bot.sandbox.page.acts import Acts
from bot.sandbox.page.board import Board
from bot.sandbox.page.server import Stage
from bot.sandbox.page.whatif import Controls
from bot.sandbox.slack import chat, delivery, views
from bot.sandbox.slack.outage import Outage
from bot.sandbox.slack.records import App, Draft, Ephemeral, Json, SlashCommand, Source
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.venues.bybit import SimulatedBybit
from bot.sandbox.venues.exchange import Seen
from bot.sandbox.world import ALICE, INCIDENT

VENUE, UID = "bybit", "1001"
COMMANDS = (
    SlashCommand(command="/lights", description="Turns the lights on", usage_hint="room [on|off]"),
    SlashCommand(command="/lift", description="Calls the lift", usage_hint="floor"),
    SlashCommand(command="/door", description="Opens the door"),
)
"""Of an app that is none of ours: the page knows nobody's."""
HEARD_S = 10.0


@dataclass(slots=True)
class Listener:
    """An app that believes nobody but Slack, and remembers what it is told."""

    verifier: SignatureVerifier
    answer: Json = field(default_factory=dict)
    """What it answers to everything."""
    _heard: asyncio.Queue[Json] = field(default_factory=asyncio.Queue)

    async def hear(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self.verifier.is_valid_request(body, dict(request.headers)):
            raise web.HTTPUnauthorized
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        self._heard.put_nowait(json.loads(form["payload"]) if "payload" in form else form)
        return web.json_response(self.answer) if self.answer else web.Response()

    async def next(self) -> Json:
        """Wait for the next delivery."""
        async with asyncio.timeout(HEARD_S):
            return await self._heard.get()

    @property
    def has_more(self) -> bool:
        return not self._heard.empty()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A page that is served, and what stands behind it."""

    url: str
    workspace: Workspace
    venue: SimulatedBybit
    outage: Outage
    app: Listener

    def post(self, text: str = "", blocks: Sequence[Json] = (), **more: object) -> str:
        """Post as the app, refused as by Slack; returns the message's `ts`."""
        args = {"channel": INCIDENT, "text": text, "blocks": list(blocks) or None, **more}
        return str(chat.post_message(self.workspace, args)["ts"])

    def edit(self, ts: str, text: str, blocks: Sequence[Json] = ()) -> None:
        """Edit a message of the app's."""
        args = {"channel": INCIDENT, "ts": ts, "text": text, "blocks": list(blocks) or None}
        chat.update(self.workspace, args)

    def say(self, who: str, text: str, thread: str | None = None) -> str:
        """Post as somebody."""
        return self.workspace.post(INCIDENT, who, Draft(text=text, thread_ts=thread)).ts

    def whisper(self, who: str, text: str, thread: str | None = None) -> Ephemeral:
        """Say something that only one person sees."""
        draft = Draft(text=text, thread_ts=thread)
        return self.workspace.whisper(who, INCIDENT, draft, Source.POST)

    def ask(self, *blocks: Json, who: str = ALICE, **more: object) -> None:
        """Open a modal."""
        frame = {"type": "modal", "title": plain("Please say"), "submit": plain("Send")}
        self.workspace.modals.open(who, views.checked({**frame, "blocks": list(blocks), **more}))

    def log(self, path: str, sent: str, code: str = "0") -> None:
        """Let the venue have been called."""
        self.venue.log.append(
            Seen(
                at=time.time(),
                address="127.0.0.1",
                uid=UID,
                method="POST",
                path=path,
                payload=sent,
                is_signed=True,
                code=code,
            )
        )


@asynccontextmanager
async def opened(account: str) -> AsyncIterator[Scene]:
    """Serve the page of a desk with one account at one venue."""
    workspace, traffic = worlds.desk(App(commands=COMMANDS)), Traffic()
    outage = Outage(workspace, traffic)
    app = Listener(SignatureVerifier(workspace.app.signing_secret))
    venue = SimulatedBybit()
    accounts = (Account(name=account, venue=VENUE, uid=UID, key={}),)
    worlds.fill(venue, accounts, {"linear:USDT": 3, "spot": 2})
    async with (
        _listening(app) as app_url,
        delivery.connect(workspace, api_url=app_url, request_url=app_url) as people,
        server.serve(
            Stage(
                workspace=workspace,
                board=Board({VENUE: venue}, accounts),
                controls=Controls({VENUE: venue}, accounts, {}),
                acts=Acts(workspace, people, outage),
                app=lambda: {"app": {"parts": {"store": "ready", "slack": "HTTP 503"}}},
            )
        ) as url,
    ):
        yield Scene(url=url, workspace=workspace, venue=venue, outage=outage, app=app)


@asynccontextmanager
async def _listening(app: Listener) -> AsyncIterator[str]:
    served = web.Application()
    served.router.add_post("/", app.hear)
    runner = web.AppRunner(served, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def plain(words: str) -> Json:
    return {"type": "plain_text", "text": words}


def mrkdwn(words: str) -> Json:
    return {"type": "mrkdwn", "text": words}


def section(words: str, **more: object) -> Json:
    return {"type": "section", "text": mrkdwn(words), **more}


def button(action: str, label: str, **more: object) -> Json:
    return {"type": "button", "action_id": action, "text": plain(label), "value": "v1", **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "block_id": "acts", "elements": list(elements)}


def field_of(block_id: str, label: str, **more: object) -> Json:
    element = {"type": "plain_text_input", "action_id": "typed"}
    asked = {"block_id": block_id, "label": plain(label), "element": element}
    return {"type": "input", **asked, **more}
