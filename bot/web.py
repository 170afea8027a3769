"""The one HTTP server: `/healthz`, `/readyz`, `/metrics`, and in HTTP mode Slack's deliveries.

Owns routes, the listening socket, and the check of Slack's signature: over the raw body, before
anything of it is parsed or logged. Whatever is no delivery of Slack's gets a word and one short
line in the log. What it shows of the bot holds no secret and names no person and no account.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack, read 2026-11-21.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CONTENT_TYPE_LATEST
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

from bot.domain.errors import ConfigError

logger = logging.getLogger(__name__)

BODY_BYTES_MAX = 512 * 1024
"""Slack's payloads carry the whole message; ours are far smaller."""
UNPARSED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What bolt raises at a body that is none of Slack's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What the server shows of the bot; whoever asks waits for none of it."""

    parts: Callable[[], Mapping[str, str]]
    """Why each part is not ready, in words; empty if it is."""
    metrics: Callable[[], bytes]
    """In Prometheus' text format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """What takes Slack's deliveries over HTTP."""

    app: Callable[[], AsyncApp | None]
    """None while Slack has not been met: until then nothing of Slack's is taken."""
    secret: Callable[[], str]
    """Slack signs with it; known by the time that Slack has been met."""


def build(deliveries: Deliveries | None = None, *, views: Views | None = None) -> web.Application:
    """Build the application: what it shows, and in HTTP mode `POST /slack/events`."""
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.on_response_prepare.append(_never_kept)
    app.router.add_get("/healthz", _on_health)
    if views is not None:
        _show(app, views)
    if deliveries is not None:
        _listen(app, deliveries)
    return app


async def _on_health(_: web.Request) -> web.Response:
    return web.json_response({"alive": True})


async def _never_kept(_: web.Request, response: web.StreamResponse) -> None:
    """Let no proxy answer for us: what was true a minute ago tells nothing."""
    response.headers["Cache-Control"] = "no-store"


def _show(app: web.Application, views: Views) -> None:
    """Add what is answered at once from what is known."""

    async def on_ready(_: web.Request) -> web.Response:
        parts = views.parts()
        is_ready = not any(parts.values())
        shown = {"ready": is_ready, "parts": {name: why or "ready" for name, why in parts.items()}}
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response(shown, status=status)

    async def on_metrics(_: web.Request) -> web.Response:
        return web.Response(body=views.metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.router.add_get("/readyz", on_ready)
    app.router.add_get("/metrics", on_metrics)


def _listen(app: web.Application, deliveries: Deliveries) -> None:
    """Add the route of Slack's deliveries; in Socket Mode nothing of Slack's comes this way."""

    async def on_slack(request: web.Request) -> web.Response:
        try:
            raw = await request.read()
        except web.RequestPayloadError as error:
            return _refused(HTTPStatus.BAD_REQUEST, type(error).__name__)
        slack = deliveries.app()
        if slack is None:
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "Slack has not been met yet")
        if not _is_slacks(raw, request.headers, SignatureVerifier(deliveries.secret())):
            return _refused(HTTPStatus.UNAUTHORIZED, "not signed by Slack just now")
        try:
            delivery = AsyncBoltRequest(body=raw.decode(), headers=dict(request.headers))
        except UNPARSED as error:
            return _refused(HTTPStatus.BAD_REQUEST, type(error).__name__)
        return await to_aiohttp_response(await slack.async_dispatch(delivery))

    app.router.add_post("/slack/events", on_slack)


def _is_slacks(raw: bytes, headers: Mapping[str, str], verifier: SignatureVerifier) -> bool:
    """Tell whether Slack signed this, and within five minutes: an older one may be a replay."""
    try:
        return verifier.is_valid_request(raw, dict(headers))
    except (TypeError, ValueError):  # A time that is no number, letters that no signature has.
        return False


def _shorten(record: logging.LogRecord) -> bool:
    """Make one short line of what aiohttp says of a body, or of HTTP, that was none."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, (HttpProcessingError, web.RequestPayloadError, ConnectionError)):
        short = {"levelno": logging.WARNING, "levelname": "WARNING", "msg": "delivery.refused"}
        vars(record).update(short, args=(), exc_info=None, why=type(error).__name__)
    return True


def _refused(status: HTTPStatus, why: str) -> web.Response:
    logger.warning("delivery.refused", extra={"why": why})
    return web.json_response({"error": "invalid request"}, status=status)


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Listen until the context ends; yields the base URL with the port that was taken.

    Raises:
        ConfigError: host and port are not ours to listen on.
    """
    logging.getLogger("aiohttp.server").addFilter(_shorten)
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
        remedy="Check host and port under [web], and that no other process listens there.",
    )
