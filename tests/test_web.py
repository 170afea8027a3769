"""The HTTP server: where it listens, and what is said when it cannot."""

import re

import aiohttp
import pytest
from aiohttp import web as aio

from bot import web
from bot.domain.errors import ConfigError


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
        "Check host and port under [slack], and that no other process listens there."
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
