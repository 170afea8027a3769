"""The one HTTP server: Slack's deliveries and `/healthz`.

Owns routes and the listening socket. Never parses a delivery: bolt checks the signature over the
raw body first.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from bot.domain.errors import ConfigError

BODY_BYTES_MAX = 512 * 1024
"""Slack's payloads carry the whole message; ours are far smaller."""


def build(slack: AsyncApp) -> web.Application:
    """Build the application: `POST /slack/events` and `GET /healthz`."""

    async def on_slack(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await slack.async_dispatch(await to_bolt_request(request)))

    async def on_health(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.router.add_post("/slack/events", on_slack)
    app.router.add_get("/healthz", on_health)
    return app


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Listen until the context ends; yields the base URL with the port that was taken.

    Raises:
        ConfigError: host and port are not ours to listen on.
    """
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except (OSError, ValueError) as error:
            raise _refusal(host, port, error) from None
        taken = runner.addresses[0][1]
        yield f"http://{host}:{taken}"
    finally:
        await runner.cleanup()


def _refusal(host: str, port: int, error: Exception) -> ConfigError:
    number = error.errno if isinstance(error, OSError) else None
    why = os.strerror(number) if number and number > 0 else str(error)  # Below 0: no such host.
    return ConfigError(
        user_message=f"Cannot listen on {host} port {port}: {why}.",
        remedy="Check host and port under [slack], and that no other process listens there.",
    )
