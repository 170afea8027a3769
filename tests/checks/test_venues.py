"""What a check says of a venue and its clock."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.contract import VenueBanned, VenueError, VenueFacts, VenueNotReached
from bot.checks import venues
from bot.checks.slate import Slate, Spot
from tests.fakes.venue import LOOKED, FakeVenue

SPOT = Spot(part="venue", about="bybit", accounts=("mm",))
FINE = "fine     venue    bybit: answers in 20 ms"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (LOOKED, f"{FINE}, clocks 0.0 s apart."),
        (replace(LOOKED, skew_s=2.51), f"{FINE}, clocks 2.5 s apart."),
        (
            replace(LOOKED, skew_s=2.52),
            (
                "warning  venue    bybit: our clock is 2.5 s behind the venue's, and it allows 5 "
                "s. "
                "See that NTP keeps the clock of this host."
            ),
        ),
        (
            replace(LOOKED, skew_s=-5.02),
            (
                "wrong    venue    bybit: our clock is 5.0 s ahead of the venue's, and it allows "
                "5 s: "
                "it would refuse every call. Mend the clock of this host: NTP."
            ),
        ),
        (replace(LOOKED, skew_s=9.0, skew_max_s=math.inf), f"{FINE}, clocks 9.0 s apart."),
        (replace(LOOKED, skew_s=None), f"{FINE}."),
        (replace(LOOKED, skew_s=3.0, skew_error_s=0.6), f"{FINE}, clocks 3.0 s apart."),
    ],
    ids=["good", "just half", "over half", "over", "no matter", "not told", "perhaps under half"],
)
def test_half_of_what_a_venue_allows_a_clock_is_a_warning(facts: VenueFacts, said: str):
    assert [each.line for each in venues.of_venue(SPOT, facts)] == [said]


UNTIL = datetime(2026, 11, 21, 3, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "until", "said"),
    [
        (
            VenueNotReached(user_message="the venue cannot be reached", remedy="Check DNS."),
            None,
            ["wrong    venue    bybit: the venue cannot be reached. Check DNS."],
        ),
        (
            VenueBanned(user_message="it shuts out our address", until=UNTIL),
            None,
            [
                (
                    "wrong    venue    bybit: BANNED until 03:24:00 UTC: it shuts out our address. "
                    "Find out what else calls it from this address."
                )
            ],
        ),
        (
            None,
            UNTIL,
            [
                f"{FINE}, clocks 0.0 s apart.",
                (
                    "wrong    venue    bybit: BANNED until 03:24:00 UTC: no call to it leaves "
                    "before. "
                    "Find out what else calls it from this address."
                ),
            ],
        ),
    ],
    ids=["not reached", "banned at the look", "banned before"],
)
async def test_a_venue_that_cannot_be_used_is_wrong(
    error: VenueError | None, until: datetime | None, said: list[str]
):
    slate = Slate()
    await venues.ask(slate, SPOT, FakeVenue(books={}, look_error=error, banned_until=until))
    assert [each.line for each in slate.findings] == said
