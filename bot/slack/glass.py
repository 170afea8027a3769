"""What a card says of break glass: who pulled alone, and whether somebody has looked at it since.

Pure. Red until it is closed, however well it ended: one person decided it.
"""

from __future__ import annotations

from bot.domain.pull import Pull
from bot.domain.request import Request
from bot.slack import text
from bot.slack.parts import Block, button


def headline(pull: Pull, line: str) -> str:
    """Put break glass before the headline of a run, in red until it is closed."""
    mark = "🔴 " if pull.closed_by is None else ""
    return f"{mark}BREAK GLASS by {pull.by} (console): {line}"


def standing(pull: Pull, request: Request) -> str:
    """Say what one person alone has done, and what is left to others."""
    if pull.closed_by is not None and pull.closed_at is not None:
        return f"*Closed* by {text.escape(pull.closed_by)} at {text.clock(pull.closed_at)}"
    who = text.escape(request.requester.name)
    then = "" if request.state.is_final else " once it has ended"
    return (
        f"*Nobody approved this*: {text.escape(pull.by)} pulled it alone on "
        f"{text.escape(pull.host)}. Red until somebody who may approve such a request, not {who}, "
        f"has looked at it and closes it{then}."
    )


def buttons(pull: Pull, request: Request, value: str) -> list[Block]:
    """Offer to close a pull that has ended, or to stop its chase while it goes on."""
    if not request.state.is_final:
        is_chased = request.chase_stopped_by is None
        return [button("stop_chase", "Stop the chase", value)] if is_chased else []
    if pull.closed_by is not None:
        return []
    return [button("close_glass", "Close break glass", value, style="danger")]
