"""When the next call to Slack may go."""

from bot.slack.pace import Pace


def test_updates_are_fast_at_first_and_never_more_than_45_in_a_minute():
    """Slack counts them per method: which channel they are for changes nothing."""
    pace = Pace(1.0)
    turns = [pace.turn("chat.update", f"C{n % 7}", now=100.0) for n in range(200)]
    assert turns[:15] == [100.0] * 15
    for start in turns:
        assert sum(start <= turn < start + 60.0 for turn in turns) <= 45
    assert turns[199] - turns[15] == 2.0 * 184


def test_posts_wait_for_the_channel_they_go_to():
    pace = Pace(1.0)
    assert [pace.turn("chat.postMessage", "C1", now=5.0) for _ in range(3)] == [5.0, 6.0, 7.0]
    assert pace.turn("chat.postMessage", "C2", now=5.0) == 5.0
    assert pace.turn("chat.postMessage", "C1", now=9.5) == 9.5


def test_nothing_goes_before_slack_allows_it_again():
    pace = Pace(1.0)
    pace.turn("chat.update", "C1", now=0.0)
    pace.shut("chat.update", "C1", until=30.0)
    assert pace.turn("chat.update", "C2", now=1.0) == 30.0
    pace.shut("chat.postMessage", "C1", until=30.0)
    assert pace.turn("chat.postMessage", "C1", now=1.0) == 30.0
    assert pace.turn("chat.postMessage", "C1", now=1.0) == 31.0
    assert pace.turn("chat.postMessage", "C2", now=1.0) == 1.0
