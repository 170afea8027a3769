"""Socket Mode's WebSocket, served on loopback beside the Web API.

Owns the handshake and the frames: pings are answered here and not by aiohttp, so that a socket can
go silent.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web

from bot.sandbox.slack.records import Json
from bot.sandbox.slack.sockets import Socket, Sockets

LASTS_S, LASTS_S_DEBUG = 18_060, 360
"""Seconds until Slack renews a socket, and with `debug_reconnects=true`."""


async def open_socket(request: web.Request, sockets: Sockets) -> web.StreamResponse:
    """Answer a handshake and serve the socket until it ends."""
    query = request.query
    if (refused := sockets.spend(query.get("ticket", ""))) is not None:
        return web.Response(status=refused)
    wire = web.WebSocketResponse(autoping=False, autoclose=False)
    await wire.prepare(request)

    async def say(message: Json) -> None:
        await wire.send_json(message)

    async def end() -> None:
        await wire.close()

    def abort() -> None:
        if request.transport is not None:
            request.transport.abort()

    socket = Socket(say, end, abort)
    lasts_s = LASTS_S_DEBUG if query.get("debug_reconnects") == "true" else LASTS_S
    try:
        await sockets.enter(socket, app_id=query.get("app_id", ""), lasts_s=lasts_s)
        await _serve(wire, socket, sockets)
    finally:
        sockets.leave(socket)
    return wire


async def _serve(wire: web.WebSocketResponse, socket: Socket, sockets: Sockets) -> None:
    while True:
        frame = await wire.receive()
        if socket.is_silent:
            if frame.type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR}:
                await asyncio.Event().wait()  # Until the other side gives up.
            continue
        match frame.type:
            case WSMsgType.PING:
                await wire.pong(frame.data)
            case WSMsgType.TEXT:
                sockets.take(json.loads(frame.data))
            case WSMsgType.PONG:
                pass
            case _:
                await wire.close()
                return
