"""The page with all that stands behind it but the bot, and whoever calls it over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
from yarl import URL

from bot.sandbox import world as worlds
from bot.sandbox.accounts import BYBIT, Simulated
from bot.sandbox.page import server
from bot.sandbox.page.acts import Acts
from bot.sandbox.page.board import Board
from bot.sandbox.page.server import Stage
from bot.sandbox.page.whatif import Controls
from bot.sandbox.slack import api, delivery
from bot.sandbox.slack.outage import Outage
from bot.sandbox.slack.records import App, SlashCommand
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
APP = App(
    commands=(SlashCommand(command="/cancelall", description="Cancel orders", usage_hint="all"),)
)
ACK_LIMIT_S = 0.2
"""How long Slack waits here for an app that says nothing."""


@dataclass(kw_only=True)
class SmallApp:
    """The app's side: notes what it hears, and answers what a test says."""

    heard: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    """Headers and body of each delivery."""
    says: Json | None = None
    """None: it acknowledges without a word."""
    is_silent: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        self.heard.append((request.headers, await request.read()))
        if self.is_silent:
            await asyncio.Event().wait()
        return web.Response() if self.says is None else web.json_response(self.says)

    def payloads(self) -> list[Json]:
        """Return what was delivered: the form of a command, the payload of anything else."""
        forms = [dict(parse_qsl(body.decode(), keep_blank_values=True)) for _, body in self.heard]
        return [json.loads(form["payload"]) if "payload" in form else form for form in forms]


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(kw_only=True)
class Told:
    """What an open page was told."""

    lines: aiohttp.StreamReader
    parts: dict[str, Json] = field(default_factory=dict)
    """What it shows now."""
    heard: list[bytes] = field(default_factory=list)
    """Every line that it was sent."""

    async def news(self) -> Json:
        """Wait for the next news and take them in."""
        async with asyncio.timeout(20):
            while not (line := await self.lines.readline()).startswith(b"data: "):
                assert line, "the stream has ended"
        self.heard.append(line)
        news: Json = json.loads(line.removeprefix(b"data: "))
        for name in news["gone"]:
            del self.parts[name]
        self.parts |= news["set"]
        return news

    async def until(self, is_told: Callable[[Mapping[str, Json]], object]) -> None:
        while not is_told(self.parts):
            await self.news()


@dataclass(kw_only=True)
class Visitor:
    """Somebody's browser, which may send whatever a test says."""

    url: str
    session: aiohttp.ClientSession

    @property
    def origin(self) -> str:
        return str(URL(self.url).origin())

    async def get(self, path: str = "", **headers: str) -> Reply:
        """Ask for a path below the token, or with a slash in front for one from the root."""
        return await self.send("GET", path, headers)

    async def post(self, path: str, body: object, **headers: str) -> Reply:
        """Post as the page does, but for these headers; `Content_Type` stands for Content-Type."""
        sent = {"Origin": self.origin, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send("POST", path, {k: v for k, v in sent.items() if v}, body)

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: object = None
    ) -> Reply:
        start = self.origin if path.startswith("/") else self.url
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.request(
            method,
            URL(start + path, encoded=True),
            headers=headers,
            data=content if method == "POST" else None,
            skip_auto_headers=["Content-Type"],
        ) as reply:
            is_stream = reply.content_type == "text/event-stream"
            text = "" if is_stream else await reply.text()
            return Reply(status=reply.status, headers=reply.headers, text=text)

    async def act(self, who: str, act: str, **more: object) -> Json:
        """Do something on the page; return what the page is answered."""
        reply = await self.post("acts", {"who": who, "act": act, **more})
        assert reply.status == 200, reply.text
        answer: Json = json.loads(reply.text)
        return answer

    @asynccontextmanager
    async def open(self, who: str) -> AsyncIterator[Told]:
        """Have the page open as somebody."""
        async with self.session.get(f"{self.url}events", params={"as": who}) as reply:
            yield Told(lines=reply.content)


@dataclass(kw_only=True)
class Page:
    """A page that is served."""

    stage: Stage
    workspace: Workspace
    outage: Outage
    controls: Controls
    venue: Simulated
    app: SmallApp
    visitor: Visitor


@asynccontextmanager
async def listening(app: SmallApp) -> AsyncIterator[str]:
    """Serve an app; yields where Slack delivers to."""
    served = web.Application()
    served.router.add_post("/slack/events", app.answer)
    runner = web.AppRunner(served, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened() -> AsyncIterator[Page]:
    """Serve the page of the demo's workspace, with two orders of a kind on accounts at Bybit."""
    workspace, traffic, app = worlds.desk(APP), Traffic(), SmallApp()
    venue, accounts = BYBIT.simulate(1, BYBIT.accounts), BYBIT.accounts
    worlds.fill(venue, accounts, dict.fromkeys(BYBIT.orders, 2))
    outage, venues = Outage(workspace, traffic), {"bybit": venue}
    controls = Controls(venues, accounts, {})

    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        people = await enter(
            delivery.connect(
                workspace,
                api_url=await enter(api.serve(workspace, traffic)),
                request_url=await enter(listening(app)),
                ack_limit_s=ACK_LIMIT_S,
            )
        )
        stage = Stage(
            workspace=workspace,
            board=Board(venues, accounts),
            controls=controls,
            acts=Acts(workspace, people, outage),
            app=lambda: {"app": {"parts": {"slack": "ready"}}},
        )
        url = await enter(server.serve(stage))
        yield Page(
            stage=stage,
            workspace=workspace,
            outage=outage,
            controls=controls,
            venue=venue,
            app=app,
            visitor=Visitor(url=url, session=await enter(aiohttp.ClientSession())),
        )
