"""Whether each venue can be reached, and whether its clock and ours agree.

Owns these findings. Uses no key, and waits behind every run for its calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

from yarl import URL

from adapters.contract import AnyVenue, VenueBanned, VenueError, VenueFacts
from bot.checks.ground import Ground
from bot.checks.slate import Slate, Spot
from bot.config import Config
from bot.domain.finding import Finding

ELSE = "Find out what else calls it from this address."


async def look(ground: Ground, slate: Slate) -> None:
    """Look at every venue of the config, side by side."""
    if ground.venues is None:
        return
    async with asyncio.TaskGroup() as group:
        for name, base_url in ground.config.settings:
            spot = spot_of(ground.config, name, base_url)
            work = partial(ask, slate, spot, ground.venues.venue(name, base_url))
            group.create_task(slate.guarded(spot, work, within=Spot(part="venue")))


def spot_of(config: Config, name: str, base_url: str) -> Spot:
    """Name a venue, with its host where the config has it at more than one."""
    is_alone = sum(venue == name for venue, _ in config.settings) == 1
    accounts = [a.name for a in config.accounts if (a.venue, a.base_url) == (name, base_url)]
    about = name if is_alone else f"{name} at {URL(base_url).authority}"
    return Spot(part="venue", about=about, accounts=tuple(accounts))


async def ask(slate: Slate, spot: Spot, venue: AnyVenue) -> None:
    """Look at one venue."""
    try:
        facts = await venue.look()
    except VenueError as error:
        slate.add(_unreached(spot, error))
        return
    slate.add(*of_venue(spot, facts))
    if until := venue.banned_until:
        slate.add(_banned(spot, f"{until:%H:%M:%S}"))


def _unreached(spot: Spot, error: VenueError) -> Finding:
    if isinstance(error, VenueBanned):
        why = f"BANNED until {error.until:%H:%M:%S} UTC: {error.user_message}"
        return spot.blind("banned", why, ELSE)
    return spot.blind("reached", error.user_message, error.remedy)


def _banned(spot: Spot, until: str) -> Finding:
    text = f"BANNED until {until} UTC: no call to it leaves before"
    return spot.wrong("banned", text, ELSE)


def of_venue(spot: Spot, facts: VenueFacts) -> Iterator[Finding]:
    """Say what one look has shown: half of what a venue tolerates of a clock is too much."""
    for warning in facts.warnings:
        yield spot.warning(warning, warning)
    reached = f"answers in {facts.rtt_s * 1000:.0f} ms"
    if facts.skew_s is None:
        yield spot.fine("reached", reached)
        return
    apart = f"{abs(facts.skew_s):.1f} s {'behind' if facts.skew_s > 0 else 'ahead of'}"
    allowed = f"it allows {facts.skew_max_s:g} s"
    sure_s = max(0.0, abs(facts.skew_s) - facts.skew_error_s)
    if sure_s > facts.skew_max_s:
        text = f"our clock is {apart} the venue's, and {allowed}: it would refuse every call"
        yield spot.wrong("clock", text, "Mend the clock of this host: NTP.")
    elif sure_s > facts.skew_max_s / 2:
        text = f"our clock is {apart} the venue's, and {allowed}"
        yield spot.warning("clock", text, "See that NTP keeps the clock of this host.")
    else:
        apart_s = f"clocks {abs(facts.skew_s):.1f} s apart"
        yield spot.fine("reached", f"{reached}, {apart_s}")
