"""The sandbox's page on loopback: its files, what it is told, and what people do on it.

Owns the door. Whoever asks must know the token in the path, call us by a name of this machine
(another page's DNS may not), and post from this page alone. Everything on the page is ours, and
what comes from outside is text: the policy in the headers lets nothing else run.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.sandbox.page import acts, sight
from bot.sandbox.page.acts import Acts
from bot.sandbox.page.board import Board
from bot.sandbox.page.sight import Parts, Told
from bot.sandbox.page.whatif import Controls
from bot.sandbox.slack.workspace import Workspace

LOOK_S = 0.1
"""How often an open page hears what is new."""
BODY_BYTES_MAX = 64 * 1024
LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})
TYPES = {
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Press(BaseModel):
    """Press a control."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    control: str
    on: bool | None = None
    """What it is to be; None for one that does something once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What stands behind the page."""

    workspace: Workspace
    board: Board
    controls: Controls
    acts: Acts
    app: Callable[[], Parts]
    """What the app says of its own state."""

    def parts(self, who: str) -> Parts:
        """Return everything that one person sees."""
        user = self.workspace.user(who)
        assert user is not None, "checked at the door"
        there = self.board.parts(time.time())
        return {**sight.seen(self.workspace, user), **there, **self.controls.parts(), **self.app()}


@asynccontextmanager
async def serve(stage: Stage) -> AsyncIterator[str]:
    """Serve the page on a free port of loopback; yields its URL, which holds the token."""
    desk = _Desk(stage=stage)
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_guard])
    app.on_response_prepare.append(_dress)
    app.router.add_get(f"/{desk.token}/", desk.on_page)
    app.router.add_get(f"/{desk.token}/events", desk.on_look)
    app.router.add_get(f"/{desk.token}/{{file}}", desk.on_file)
    app.router.add_post(f"/{desk.token}/acts", desk.on_act)
    app.router.add_post(f"/{desk.token}/presses", desk.on_press)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/{desk.token}/"
    finally:
        await runner.cleanup()


@web.middleware
async def _guard(request: web.Request, handler: Answer) -> web.StreamResponse:
    """Turn away who calls us by a foreign name, and whoever posts from another page."""
    host = request.headers.get("Host", "")
    if host.rpartition(":")[0] not in LOCAL and host not in LOCAL:
        raise web.HTTPForbidden(text="Call this page by the URL that was printed.")
    if request.method == "POST":
        origin = request.headers.get("Origin", "")
        if origin != f"http://{host}" or request.content_type != "application/json":
            raise web.HTTPForbidden(text="Only this page may post here.")
    return await handler(request)


async def _dress(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


class _Desk:
    """The routes. Without the token there is none."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.token = secrets.token_urlsafe(24)
        self._files = {
            path.name: path for path in Path(__file__).parent.iterdir() if path.suffix in TYPES
        }

    async def on_page(self, _: web.Request) -> web.Response:
        return _file(self._files["index.html"])

    async def on_file(self, request: web.Request) -> web.Response:
        path = self._files.get(request.match_info["file"])
        if path is None:
            raise web.HTTPNotFound
        return _file(path)

    async def on_look(self, request: web.Request) -> web.StreamResponse:
        """Tell one person's page what is new for as long as it is open."""
        first = sight.actors(self._stage.workspace)[0]
        who = request.query.get("as", first.id)
        if not acts.can_act(self._stage.workspace, who):
            raise web.HTTPNotFound(text="There is nobody of that id here.")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        told = Told()
        # Handlers are not cancelled with their page: an act that has begun goes on without it.
        while not (request.transport is None or request.transport.is_closing()):
            if (news := told.news(self._stage.parts(who))) is not None:
                await response.write(f"data: {json.dumps(news)}\n\n".encode())
            await asyncio.sleep(LOOK_S)
        return response

    async def on_act(self, request: web.Request) -> web.Response:
        try:
            act = acts.READ.validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest(text="This is no act that the page knows.") from None
        if not acts.can_act(self._stage.workspace, act.who):
            raise web.HTTPBadRequest(text="There is nobody of that id here.")
        return web.json_response(await self._stage.acts.do(act))

    async def on_press(self, request: web.Request) -> web.Response:
        try:
            press = Press.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest(text="This is no press of a control.") from None
        if not self._stage.controls.press(press.control, press.on):
            raise web.HTTPBadRequest(text="There is no control of that name.")
        return web.json_response({}, status=HTTPStatus.ACCEPTED)


def _file(path: Path) -> web.Response:
    return web.Response(
        text=path.read_text(encoding="utf-8"), content_type=TYPES[path.suffix], charset="utf-8"
    )
