"""The small Slack's Web API and its response_urls, over real HTTP on loopback.

Owns the wire: bodies, tokens, scopes, rates, faults, answers. What a method does is in `chat`,
`directory`, `views` and `sockets`. Serves 127.0.0.1 only and never logs a token.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from bot.sandbox.slack import answers, chat, directory, socket_server, views
from bot.sandbox.slack.faults import Fault, FaultKind
from bot.sandbox.slack.records import Json, Source
from bot.sandbox.slack.refusal import Refused
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import Workspace

Method = Callable[[Workspace, Json], Json]

WORKSPACE = web.AppKey("workspace", Workspace)
TRAFFIC = web.AppKey("traffic", Traffic)

OPEN_SOCKET = "apps.connections.open"
"""The one method for the app-level token, and for no other."""


def _open_socket(workspace: Workspace, _: Json) -> Json:
    return {"url": workspace.sockets.issue(workspace.app.app_id)}


METHODS: Mapping[str, tuple[Method, str]] = {
    OPEN_SOCKET: (_open_socket, "connections:write"),
    "auth.test": (directory.auth_test, ""),
    "chat.getPermalink": (chat.get_permalink, ""),
    "chat.postEphemeral": (chat.post_ephemeral, "chat:write"),
    "chat.postMessage": (chat.post_message, "chat:write"),
    "chat.update": (chat.update, "chat:write"),
    "conversations.info": (directory.read_channel, "channels:read"),
    "conversations.members": (directory.list_channel_members, "channels:read"),
    "usergroups.list": (directory.list_groups, "usergroups:read"),
    "usergroups.users.list": (directory.list_group_members, "usergroups:read"),
    "users.info": (directory.read_user, "users:read"),
    "views.open": (views.open_view, ""),
    "views.push": (views.push_view, ""),
    "views.update": (views.update_view, ""),
}
"""Each method with the scope it needs."""

JSON_FIELDS = {"blocks": "invalid_blocks_format", "metadata": "invalid_metadata_format", "view": ""}
"""Arguments that a form carries as JSON, and how Slack refuses them if they are none."""

RESPONSE_URL = "response_url"
"""What faults and the log of calls know a post to a response_url as; it is no method."""
BODY_BYTES_MAX = 1_000_000


@asynccontextmanager
async def serve(workspace: Workspace, traffic: Traffic | None = None) -> AsyncIterator[str]:
    """Serve a workspace and yield the API's address, such as `http://127.0.0.1:40123/api/`.

    Args:
        workspace: the state to serve.
        traffic: rates, faults and the log of calls; nothing is limited or broken without it.
    """
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app[WORKSPACE] = workspace
    app[TRAFFIC] = traffic or Traffic()
    app.router.add_post("/response/{ticket}", _answer_response_url)
    app.router.add_route("*", "/api/{method}", _answer_call)
    app.router.add_get("/link/", _answer_handshake)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        workspace.sockets.address = f"ws://{host}:{port}/link/"
        yield f"http://{host}:{port}/api/"
    finally:
        await runner.cleanup()


def response_url(api_url: str, ticket_id: str) -> str:
    """Return the full response_url of a ticket, beside the API's address."""
    return f"{api_url.removesuffix('api/')}response/{ticket_id}"


async def _answer_call(request: web.Request) -> web.StreamResponse:
    workspace, traffic = request.app[WORKSPACE], request.app[TRAFFIC]
    name = request.match_info["method"]
    try:
        args = await _read_args(request)
        _check_token(workspace, request, args)
    except Refused as no:
        traffic.log(name, "", no.code, applied=False)
        return _json(_refusal(no), _scopes(workspace, name))
    channel = str(args.get("channel", ""))
    if (fault := traffic.take_fault(name)) is not None:
        return await _answer_badly(request, name, args, fault)
    if (retry_after_s := traffic.retry_after_s(name, channel)) is not None:
        traffic.log(name, channel, "ratelimited", applied=False)
        return _too_many(retry_after_s)
    answer = _call(workspace, name, args)
    traffic.log(name, channel, answer.get("error", "ok"), applied=bool(answer["ok"]))
    return _json(answer, _scopes(workspace, name))


async def _answer_badly(
    request: web.Request, name: str, args: Json, fault: Fault
) -> web.StreamResponse:
    workspace, traffic = request.app[WORKSPACE], request.app[TRAFFIC]
    answer: Json = {"ok": False}
    if fault.is_applied:
        answer = _call(workspace, name, args)
    channel = str(args.get("channel", ""))
    traffic.log(name, channel, fault.error or fault.kind.value, applied=bool(answer["ok"]))
    match fault.kind:
        case FaultKind.STATUS:
            return web.Response(status=fault.status, text="<html>upstream trouble</html>")
        case FaultKind.RATE_LIMITED:
            return _too_many(fault.delay_s)
        case FaultKind.REFUSED:
            return _json({"ok": False, "error": fault.error}, _scopes(workspace, name))
        case FaultKind.HANG | FaultKind.CUT | FaultKind.DELAY:
            await _stall(request, fault)
            return _json(answer, _scopes(workspace, name))


async def _stall(request: web.Request, fault: Fault) -> None:
    """Keep the answer back: for ever, for good, or for a while."""
    if fault.kind is FaultKind.HANG:
        await asyncio.Event().wait()
    if fault.kind is FaultKind.CUT and request.transport is not None:
        request.transport.abort()
    await asyncio.sleep(fault.delay_s)


async def _read_args(request: web.Request) -> Json:
    """Read the arguments of a call from its query and body, whatever form Slack accepts."""
    args: Json = {name: value for name, value in request.query.items() if name != "token"}
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except json.JSONDecodeError:
            raise Refused("invalid_json") from None
        if not isinstance(body, dict):
            raise Refused("json_not_object")
        return args | body
    args |= dict(await request.post())
    for field, code in JSON_FIELDS.items():
        if isinstance(args.get(field), str):
            try:
                args[field] = json.loads(args[field])
            except json.JSONDecodeError:
                raise Refused(code or "invalid_arguments") from None
    return args


def _check_token(workspace: Workspace, request: web.Request, args: Json) -> None:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    token = given or str(args.pop("token", ""))
    if not token:
        raise Refused("not_authed")
    tokens = [workspace.app.bot_token, workspace.app.app_token]
    if token not in tokens:
        raise Refused("invalid_auth")
    if token != tokens[request.match_info["method"] == OPEN_SOCKET]:
        raise Refused("not_allowed_token_type")


def _call(workspace: Workspace, name: str, args: Json) -> Json:
    """Do what a method does and return Slack's answer, `ok` or not."""
    if name not in METHODS:
        return {"ok": False, "error": "unknown_method"}
    method, scope = METHODS[name]
    try:
        _check_scope(workspace, name, scope, args)
        return {"ok": True, **method(workspace, args)}
    except Refused as no:
        return _refusal(no)


def _scopes(workspace: Workspace, name: str) -> tuple[str, ...]:
    """Return the scopes of the token that a method is called with."""
    app = workspace.app
    return app.app_scopes if name == OPEN_SOCKET else app.scopes


def _check_scope(workspace: Workspace, name: str, scope: str, args: Json) -> None:
    channel = workspace.channel(str(args.get("channel", "")))
    if scope == "channels:read" and channel is not None:
        scope = "groups:read" if channel.is_private and not channel.is_direct else scope
    scopes = _scopes(workspace, name)
    if scope and scope not in scopes:
        provided = ",".join(scopes)
        raise Refused("missing_scope", facts={"needed": scope, "provided": provided})


def _refusal(no: Refused) -> Json:
    answer: Json = {"ok": False, "error": no.code, **no.facts}
    if no.complaints:
        answer["errors"] = list(no.complaints)
        shown = [f"[ERROR] {words}" for words in no.complaints]
        answer["response_metadata"] = {"messages": shown}
    return answer


def _json(answer: Json, scopes: tuple[str, ...]) -> web.Response:
    return web.json_response(answer, headers={"x-oauth-scopes": ",".join(scopes)})


def _too_many(retry_after_s: float) -> web.Response:
    answer = {"ok": False, "error": "ratelimited"}
    return web.json_response(
        answer, status=429, headers={"Retry-After": str(math.ceil(retry_after_s))}
    )


async def _answer_handshake(request: web.Request) -> web.StreamResponse:
    return await socket_server.open_socket(request, request.app[WORKSPACE].sockets)


async def _answer_response_url(request: web.Request) -> web.StreamResponse:
    workspace, traffic = request.app[WORKSPACE], request.app[TRAFFIC]
    if (fault := traffic.take_fault(RESPONSE_URL)) is not None:
        return await _answer_badly(request, RESPONSE_URL, {}, fault)
    where = workspace.tickets.use_response_url(request.match_info["ticket"])
    if isinstance(where, str):
        traffic.log(RESPONSE_URL, "", where, applied=False)
        return web.Response(status=404, text=where)
    try:
        answers.give(workspace, where, await _read_args(request), Source.RESPONSE_URL)
    except Refused as no:
        traffic.log(RESPONSE_URL, where.channel, no.code, applied=False)
        return web.Response(status=400, text=no.code)
    traffic.log(RESPONSE_URL, where.channel, "ok", applied=True)
    return web.Response(text="ok")
