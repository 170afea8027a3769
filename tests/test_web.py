"""The HTTP server: where it listens, what it takes, and what is said when it cannot."""

import asyncio
import hashlib
import hmac
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web as aio

from bot import web
from bot.domain.errors import ConfigError
from bot.slack import connection
from bot.slack.connection import Identity
from bot.web import Deliveries

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TIME, SIGNATURE = "X-Slack-Request-Timestamp", "X-Slack-Signature"
FORM = "application/x-www-form-urlencoded"
CHALLENGE = b'{"type":"url_verification","challenge":"abc"}'
GARBAGE = {
    "cut JSON": (b'{"secret-in-body":', "application/json"),
    "bad UTF-8": (b"secret-in-body=\xff\xfe", FORM),
    "payload cut": (b"payload={secret-in-body", FORM),
    "payload of a list": (b'payload=["secret-in-body"]', FORM),
    "JSON list": (b'["secret-in-body"]', "application/json"),
    "deep nesting": (b"[" * 200_000, "application/json"),
}


Post = Callable[[bytes, Mapping[str, str]], Awaitable[tuple[int, Any]]]


@asynccontextmanager
async def listening() -> AsyncIterator[str]:
    """The whole server in front of bolt, without a Slack behind it."""
    me = Identity(team_id="T1", bot_user_id="U1", bot_id="B1", url="")
    async with connection.open_client("xoxb-x", "http://127.0.0.1:1/api/") as client:
        slack = connection.build_app(client, SECRET, me, "xoxb-x")
        app = web.build(Deliveries(app=lambda: slack, secret=lambda: SECRET))
        async with web.listening(app, "127.0.0.1", 0) as url:
            yield url


@asynccontextmanager
async def posting() -> AsyncIterator[Post]:
    async with listening() as url, aiohttp.ClientSession() as session:

        async def post(body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
            async with session.post(f"{url}/slack/events", data=body, headers=headers) as reply:
                return reply.status, await reply.json()

        yield post


def signed(body: bytes, *, skew_s: int = 0, secret: str = SECRET) -> dict[str, str]:
    at = str(int(time.time()) + skew_s)
    digest = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256)
    return {TIME: at, SIGNATURE: f"v0={digest.hexdigest()}"}


async def test_it_listens_on_the_port_that_it_names():
    async with (
        web.listening(aio.Application(), "127.0.0.1", 0) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/nowhere") as reply,
    ):
        assert reply.status == 404


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "a..b", "x" * 70])
async def test_host_that_is_not_ours_is_named(host: str):
    with pytest.raises(ConfigError) as caught:
        async with web.listening(aio.Application(), host, 0):
            pass
    assert re.match(rf"Cannot listen on {host} port 0: [^\n]+\.$", caught.value.user_message)
    assert caught.value.remedy == (
        "Check host and port under [web], and that no other process listens there."
    )


async def test_port_that_somebody_has_is_named():
    async with web.listening(aio.Application(), "127.0.0.1", 0) as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(ConfigError) as caught:
            async with web.listening(aio.Application(), "127.0.0.1", port):
                pass
    assert caught.value.user_message == (
        f"Cannot listen on 127.0.0.1 port {port}: Address already in use."
    )


@pytest.mark.parametrize(("body", "kind"), GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("secret", ["", SECRET], ids=["unsigned", "signed"])
async def test_garbage_gets_a_word_and_one_short_line_in_the_log(
    body: bytes, kind: str, secret: str, caplog: pytest.LogCaptureFixture
):
    headers = {"Content-Type": kind} | (signed(body) if secret else {})
    async with posting() as post:
        with caplog.at_level(logging.INFO):
            status, said = await post(body, headers)
    is_text = b"\xff" not in body  # Slack signs text: other bytes cannot be its own.
    assert (status, said) == (400 if secret and is_text else 401, {"error": "invalid request"})
    (record,) = caplog.records
    assert (record.message, record.exc_info) == ("delivery.refused", None)
    assert "secret-in-body" not in str(record.__dict__)


FORGED: dict[str, Callable[[], dict[str, str]]] = {
    "unsigned": dict,
    "another secret": lambda: signed(CHALLENGE, secret="another"),
    "another body": lambda: signed(CHALLENGE[:-1]),
    "no ASCII": lambda: signed(CHALLENGE) | {SIGNATURE: "v0=\u00fc"},
    "no time": lambda: signed(CHALLENGE) | {TIME: "soon"},
    "many digits": lambda: signed(CHALLENGE) | {TIME: "9" * 5_000},
    "an old time": lambda: signed(CHALLENGE, skew_s=-301),
    "a time to come": lambda: signed(CHALLENGE, skew_s=900),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
async def test_what_slack_did_not_sign_just_now_is_refused_and_noted(
    forge: Callable[[], dict[str, str]], caplog: pytest.LogCaptureFixture
):
    async with posting() as post:
        status, _ = await post(CHALLENGE, forge())
    assert status == 401
    why = "not signed by Slack just now"
    assert [record.__dict__["why"] for record in caplog.records] == [why]


BROKEN = {
    "no HTTP": (b"\x16\x03\x01 hello\r\n\r\n", b" 400 "),
    "no chunks": (b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", b" 400 "),
    "no gzip": (b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", b" 400 "),
    "an unknown packing": (b"Content-Encoding: zz\r\nContent-Length: 3\r\n\r\nabc", b" 401 "),
    "half a body": (b"Content-Length: 100\r\n\r\nabc", b""),
    "too much": (b"Content-Length: 700000\r\n\r\n" + bytes(700_000), b" 413 "),
}


@pytest.mark.parametrize(("sent", "said"), BROKEN.values(), ids=BROKEN.keys())
async def test_what_is_hardly_http_leaves_no_traceback(
    sent: bytes, said: bytes, caplog: pytest.LogCaptureFixture
):
    head = b"" if sent.startswith(b"\x16") else b"POST /slack/events HTTP/1.1\r\nHost: x\r\n"
    async with listening() as url:
        port = int(url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + sent)
        await writer.drain()
        if said:
            assert said in await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        await asyncio.sleep(0.1)
    assert {record.message for record in caplog.records} <= {"delivery.refused"}
    assert not any(record.exc_info for record in caplog.records)


READY = {"slack": "", "store": ""}
DEAD = {"slack": "socket dead for 12 s", "store": ""}
SHOWN = [
    ("/healthz", READY, 200, {"alive": True}),
    ("/healthz", DEAD, 200, {"alive": True}),
    ("/readyz", READY, 200, {"ready": True, "parts": {"slack": "ready", "store": "ready"}}),
    (
        "/readyz",
        DEAD,
        503,
        {"ready": False, "parts": {"slack": "socket dead for 12 s", "store": "ready"}},
    ),
]


@asynccontextmanager
async def showing(parts: Mapping[str, str]) -> AsyncIterator[str]:
    """The server as it stands in Socket Mode."""
    views = web.Views(parts=lambda: parts, metrics=lambda: b"x_total 1.0\n")
    async with web.listening(web.build(views=views), "127.0.0.1", 0) as url:
        yield url


@pytest.mark.parametrize(("path", "parts", "status", "said"), SHOWN)
async def test_state_is_shown_with_a_status_that_a_balancer_understands(
    path: str, parts: Mapping[str, str], status: int, said: dict[str, Any]
):
    async with showing(parts) as url, aiohttp.ClientSession() as session:
        async with session.get(f"{url}{path}") as reply:
            assert (reply.status, await reply.json()) == (status, said)
        async with session.head(f"{url}{path}") as reply:
            assert (reply.status, await reply.read()) == (status, b"")


async def test_metrics_come_as_prometheus_reads_them():
    async with (
        showing(READY) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/metrics") as reply,
    ):
        assert reply.headers["Content-Type"] == "text/plain; version=1.0.0; charset=utf-8"
        assert await reply.read() == b"x_total 1.0\n"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/nowhere"])
async def test_no_proxy_may_keep_what_was_true_a_minute_ago(path: str):
    async with (
        showing(READY) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}{path}") as reply,
    ):
        assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("POST", "/slack/events", "404: Not Found"),  # Socket Mode: nothing of Slack's comes here.
        ("GET", "/", "404: Not Found"),
        ("POST", "/readyz", "405: Method Not Allowed"),
    ],
)
async def test_what_is_not_there_gets_one_short_line(method: str, path: str, said: str):
    async with (
        showing(READY) as url,
        aiohttp.ClientSession() as session,
        session.request(method, f"{url}{path}") as reply,
    ):
        assert await reply.text() == said


async def test_signed_delivery_reaches_bolt_whatever_charset_its_header_names():
    headers = signed(CHALLENGE) | {"Content-Type": "application/json; charset=bogus"}
    async with posting() as post:
        assert await post(CHALLENGE, headers) == (200, {"challenge": "abc"})
