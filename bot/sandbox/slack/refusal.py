"""The one way in which a Web API method says no.

Owns the exception that the methods raise and `api` turns into `{"ok": false, "error": …}`.
"""

from __future__ import annotations


class Refused(Exception):
    """Slack's `ok: false`.

    Args:
        code: Slack's error code, such as `channel_not_found`.
        complaints: for refused blocks and views, what is wrong with them.
        facts: further keys of the answer, such as `needed` for `missing_scope`.
    """

    def __init__(
        self, code: str, complaints: tuple[str, ...] = (), facts: dict[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.complaints = complaints
        self.facts = facts or {}
