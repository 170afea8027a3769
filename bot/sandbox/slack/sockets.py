"""The sockets of an app in Socket Mode: tickets, who is connected, and what goes wrong with them.

Owns which socket a payload goes to and which ack it waits for. Knows no person and no wire format
but the envelope's; `socket_server` speaks WebSocket, `socket_route` carries what people do.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode, read 2026-11-21. How long a ticket
lives Slack does not say, nor with which status it refuses a dead one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from bot.sandbox.slack.records import Json

SOCKETS_MAX = 10
"""Of one app, over all its processes."""
TICKET_LIFE_S = 30.0
HOST = "applink-sandbox"

Reason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The right to open one socket."""

    issued_at_s: float
    is_spent: bool = False


@dataclass(slots=True, eq=False)
class Socket:
    """One open socket, as Slack sees it: one that went silent it takes for well."""

    say: Callable[[Json], Awaitable[None]]
    end: Callable[[], Awaitable[None]]
    """Close it politely."""
    abort: Callable[[], None]
    """Cut its TCP connection."""
    is_silent: bool = False
    """It reads nothing and answers nothing, no ping either; its TCP connection stays."""
    carried: list[str] = field(default_factory=list)
    """The kinds of all payloads that went into it."""


class Sockets:
    """Every socket of one app, and the faults that a test switches on."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self.address = ""
        """Such as `ws://127.0.0.1:40123/link/`: set by the server."""
        self.open: list[Socket] = []
        self.handshakes = 0
        """How many were tried, refused ones too."""
        self.refused_with: int | None = None
        """The HTTP status that every handshake meets for now."""
        self.is_greeting = True
        """Whether a socket begins with `hello`."""
        self.ack_delay_s = 0.0
        """How late Slack learns of an ack."""
        self._now = now
        self._tickets: dict[str, Ticket] = {}
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._issued = 0
        self._sent = 0

    # What the app's side does

    def issue(self, app_id: str) -> str:
        """Return the URL of one new socket."""
        self._issued += 1
        name = f"ticket-{self._issued:04d}"
        self._tickets[name] = Ticket(issued_at_s=self._now())
        return f"{self.address}?ticket={name}&app_id={app_id}"

    def spend(self, name: str) -> int | None:
        """Use a ticket up, or return the HTTP status with which the handshake is refused."""
        self.handshakes += 1
        if self.refused_with is not None:
            return self.refused_with
        ticket = self._tickets.get(name)
        if ticket is None or ticket.is_spent:
            return 403
        if self._now() - ticket.issued_at_s > TICKET_LIFE_S:
            return 408
        self._tickets[name] = replace(ticket, is_spent=True)
        return None

    async def enter(self, socket: Socket, *, app_id: str, lasts_s: int) -> None:
        """Greet a new socket, or send it away if there are too many."""
        if len(self.open) >= SOCKETS_MAX:
            await self._send_away(socket, "too_many_websockets")
            return
        self.open.append(socket)
        if self.is_greeting:
            hello = {
                "type": "hello",
                "num_connections": len(self.open),
                "debug_info": {"host": HOST, "approximate_connection_time": lasts_s},
                "connection_info": {"app_id": app_id},
            }
            await socket.say(hello)

    def leave(self, socket: Socket) -> None:
        """Forget a socket that is closed."""
        if socket in self.open:
            self.open.remove(socket)

    def take(self, said: Json) -> None:
        """Take an ack: `{"envelope_id": …}`, with a `payload` or not."""
        asyncio.get_running_loop().call_later(self.ack_delay_s, self._settle, said)

    def _settle(self, said: Json) -> None:
        waiting = self._waiting.get(str(said.get("envelope_id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(said)

    # What Slack does

    async def deliver(self, envelope: Json, *, limit_s: float) -> Json | None:
        """Send an envelope into any one socket and return the ack; None if none came in time.

        Raises:
            LookupError: no socket is open.
        """
        if not self.open:
            raise LookupError("no socket is open")
        self._sent += 1
        socket = self.open[self._sent % len(self.open)]
        socket.carried.append(envelope["type"])
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = waiting
        try:
            async with asyncio.timeout(limit_s):
                await socket.say(envelope)
                found: Json = await waiting
                return found
        except (TimeoutError, ConnectionError):
            return None
        finally:
            del self._waiting[envelope["envelope_id"]]

    async def dismiss(self, reason: Reason) -> None:
        """Tell every socket to go; all but those warned in advance are closed by Slack too."""
        for socket in tuple(self.open):
            if reason == "warning":
                await socket.say(_disconnect(reason))
            else:
                await self._send_away(socket, reason)

    async def _send_away(self, socket: Socket, reason: Reason) -> None:
        self.leave(socket)
        await socket.say(_disconnect(reason))
        await socket.end()

    # What goes wrong

    def kill_tickets(self) -> None:
        """Let every ticket die that was issued so far."""
        self._tickets.clear()

    def go_silent(self) -> None:
        """Let every open socket go dead without notice to either side."""
        for socket in self.open:
            socket.is_silent = True

    def cut(self) -> None:
        """Cut the TCP connection of every open socket."""
        for socket in tuple(self.open):
            socket.abort()
            self.leave(socket)


def _disconnect(reason: Reason) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": HOST}}
