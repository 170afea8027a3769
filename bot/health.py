"""Whether this process can do its work tonight: its parts, asked side by side, all the time.

Owns `Readiness`, `Beat`, and the loop's own lag. Never mends a part, and never makes whoever asks
for the state wait: what was found last is told, and what is too old counts as not ready.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

logger = logging.getLogger(__name__)

EVERY_S = 3.0
LIMIT_S = 3.5
"""Above what store (2 s) and Vault (3 s) take to give up by themselves: their words say more."""
OLD_S = 9.0
"""A dead part is told at the latest `EVERY_S + LIMIT_S` after its death: within 10 s."""
LAG_EVERY_S = 0.5
LAG_ALARM_S = 0.25
"""A loop that is this late is late for cancels too."""
LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 — asked, not bound
"""Where to ask a server that listens on every address."""

Probe = Callable[[], Awaitable[str]]
"""Says in words why a part is not ready; empty if it is. May hang, and may break."""


class Readiness:
    """What is known of each part. `watch` asks; nothing else here waits.

    `old_s` is how long an answer counts: a part that nobody asks any more is not ready.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        *,
        every_s: float = EVERY_S,
        limit_s: float = LIMIT_S,
        old_s: float = OLD_S,
    ) -> None:
        self._probes = dict(probes)
        self._every_s = every_s
        self._limit_s = limit_s
        self._old_s = old_s
        self._said: dict[str, tuple[str, float]] = {}
        """Of each part: why it is not ready, if it is not, and when that was found (monotonic)."""

    def parts(self) -> dict[str, str]:
        """Return in words why each part is not ready; empty if it is."""
        return {name: self._of(name) for name in self._probes}

    async def watch(self) -> None:
        """Ask every part again and again, each in its own time."""
        async with asyncio.TaskGroup() as group:
            for name, probe in self._probes.items():
                group.create_task(self._follow(name, probe), name=f"probe {name}")

    def _of(self, name: str) -> str:
        if name not in self._said:
            return "not asked yet"
        why, at = self._said[name]
        age_s = time.monotonic() - at
        return why or (f"not heard of for {age_s:.0f} s" if age_s > self._old_s else "")

    async def _follow(self, name: str, probe: Probe) -> None:
        while True:
            why = await _asked(name, probe, limit_s=self._limit_s)
            was = self._said.get(name)
            self._said[name] = (why, time.monotonic())
            if was is None or bool(was[0]) != bool(why):  # Other words for it are no news.
                _tell(name, why)
            await asyncio.sleep(self._every_s)


async def _asked(name: str, probe: Probe, *, limit_s: float) -> str:
    """Ask one part; one that hangs or breaks is not ready, and keeps no other from being asked."""
    try:
        async with asyncio.timeout(limit_s):
            return await probe()
    except TimeoutError:
        return f"no answer within {limit_s:g} s"
    except Exception as error:
        logger.exception("probe.broken", extra={"part": name})
        return f"it could not be asked: {type(error).__name__}"


def _tell(name: str, why: str) -> None:
    """Log a change, once: what follows is read at `/readyz`."""
    if why:
        logger.warning("part.unready", extra={"part": name, "why": why})
    else:
        logger.info("part.ready", extra={"part": name})


class Beat:
    """When something that happens all the time last did: as a probe, whether it still does."""

    def __init__(self, what: str, *, within_s: float) -> None:
        self._what = what
        self._within_s = within_s
        self._at = time.monotonic()

    def mark(self) -> None:
        """Note that it has happened just now."""
        self._at = time.monotonic()

    async def trouble(self) -> str:
        """Say for how long it has not happened, if that is too long."""
        age_s = time.monotonic() - self._at
        return f"no {self._what} for {age_s:.0f} s" if age_s > self._within_s else ""


async def feel_lag(
    observe: Callable[[float], None],
    *,
    every_s: float = LAG_EVERY_S,
    alarm_s: float = LAG_ALARM_S,
) -> None:
    """Measure for ever how late the event loop wakes who sleeps on it; complain of much."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + every_s
        await asyncio.sleep(every_s)
        late_s = max(0.0, loop.time() - due)
        observe(late_s)
        if late_s >= alarm_s:
            logger.warning("loop.lagged", extra={"seconds": round(late_s, 3)})


def is_alive(host: str, port: int, *, limit_s: float = 3.0) -> bool:
    """Ask a running bot for `/healthz`, as a container's health check does; no proxy is asked."""
    connection = http.client.HTTPConnection(LOOPBACK.get(host, host), port, timeout=limit_s)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
