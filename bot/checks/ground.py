"""What a check works with, and a thread for what may block.

Owns `Ground` and `aside()`. What is None could not be had, and a finding already says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Config
from bot.flow.ports import Clock, KeySource, Venues
from bot.slack.identity import SlackPeople

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSide:
    """How Slack is asked."""

    client: AsyncWebClient
    people: SlackPeople
    app_client: AsyncWebClient | None = None
    """With the app-level token, where that is to be tried; a server that has its sockets knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a check works with."""

    config: Config
    clock: Clock
    venues: Venues | None
    keys: KeySource | None
    slack: SlackSide | None
    is_with_keys: bool = False
    """Trade keys are read too: only for a person at a console, once that is recorded."""


async def aside(work: Callable[[], T]) -> T:
    """Do what may block (a disk, a long search) in a thread of its own; runs must not wait for it.

    A thread that hangs is left alone: the check as a whole has its limit.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="check")
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, work)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
