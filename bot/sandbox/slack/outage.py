"""Slack down as a whole: no call is answered well, no socket stays open, nobody's click leaves.

Owns what that means in the small Slack. A single call that goes wrong is `faults`.
"""

from __future__ import annotations

from http import HTTPStatus

from bot.sandbox.slack import faults
from bot.sandbox.slack.traffic import EVERY_METHOD, Traffic
from bot.sandbox.slack.workspace import Workspace

STATUS = HTTPStatus.SERVICE_UNAVAILABLE


class Outage:
    """Slack's whole outage, begun and ended by hand; it ends every other fault of Slack's too."""

    def __init__(self, workspace: Workspace, traffic: Traffic) -> None:
        self._workspace = workspace
        self._traffic = traffic
        self.is_on = False

    def begin(self) -> None:
        """Answer every call with 503, cut every socket and refuse new ones."""
        self.is_on = True
        self._traffic.add(EVERY_METHOD, faults.server_error(STATUS, times=None))
        self._workspace.sockets.refused_with = STATUS
        self._workspace.sockets.cut()

    def end(self) -> None:
        """Be well again."""
        self.is_on = False
        self._traffic.clear()
        self._workspace.sockets.refused_with = None
