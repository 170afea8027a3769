"""What Slack hands out for a short while: trigger ids and response_urls.

Owns their life and number of uses: a trigger opens one modal within 3 s, a response_url takes five
answers within 30 minutes (https://docs.slack.dev/interactivity/handling-user-interaction).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

TRIGGER_LIFE_S = 3.0
RESPONSE_URL_LIFE_S = 30 * 60.0
RESPONSE_URL_USES_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """The right to open one modal for the person who just did something."""

    user: str
    issued_at_s: float
    is_spent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseUrl:
    """The right to answer one action in the place where it was done."""

    user: str
    channel: str
    message_ts: str | None
    """The message whose button was pressed; nothing for a slash command."""
    issued_at_s: float
    uses: int = 0


class Tickets:
    """Every trigger id and response_url of a workspace."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._triggers: dict[str, Trigger] = {}
        self._response_urls: dict[str, ResponseUrl] = {}

    def issue_trigger(self, user: str) -> str:
        """Return a new trigger id for one person."""
        trigger_id = f"{len(self._triggers) + 1}.{user}.sandbox"
        self._triggers[trigger_id] = Trigger(user=user, issued_at_s=self._now())
        return trigger_id

    def spend_trigger(self, trigger_id: str) -> Trigger | str:
        """Use a trigger id up and return it, or return Slack's error code for it."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            return "invalid_trigger_id"
        if trigger.is_spent:
            return "exchanged_trigger_id"
        if self._now() - trigger.issued_at_s > TRIGGER_LIFE_S:
            return "expired_trigger_id"
        self._triggers[trigger_id] = replace(trigger, is_spent=True)
        return trigger

    def issue_response_url(self, user: str, channel: str, message_ts: str | None) -> str:
        """Return the last part of a new response_url."""
        ticket_id = f"R{len(self._response_urls) + 1:04d}"
        self._response_urls[ticket_id] = ResponseUrl(
            user=user, channel=channel, message_ts=message_ts, issued_at_s=self._now()
        )
        return ticket_id

    def use_response_url(self, ticket_id: str) -> ResponseUrl | str:
        """Count one use and return the ticket, or return Slack's error code for it."""
        ticket = self._response_urls.get(ticket_id)
        if ticket is None:
            return "not_found"
        if self._now() - ticket.issued_at_s > RESPONSE_URL_LIFE_S:
            return "expired_url"
        if ticket.uses >= RESPONSE_URL_USES_MAX:
            return "used_url"
        used = replace(ticket, uses=ticket.uses + 1)
        self._response_urls[ticket_id] = used
        return used
