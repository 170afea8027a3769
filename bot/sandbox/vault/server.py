"""A simulated Vault on a real socket of loopback, which can fail.

Owns the HTTP shell around `routes.answer`: threads, connections, faults, and the list of what was
asked. Never decides what is answered. It runs in threads of its own beside any event loop.
"""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

from bot.sandbox.vault import faults, routes
from bot.sandbox.vault.faults import Fault
from bot.sandbox.vault.records import Call, Json
from bot.sandbox.vault.state import VaultState

THREADS = 64
POLL_S = 0.01
"""How often it is looked whether the server shall stop."""
DRIP_S = 0.02
DRIP_HEADER = b"X-Slow: " + b"a" * 10_000
HANG_S = 20.0


@dataclass
class SimulatedVault:
    """The server: its state, what it was asked, and its faults."""

    state: VaultState
    url: str = ""
    """Such as `http://127.0.0.1:40123`."""
    asked: list[Call] = field(default_factory=list)
    """Oldest first, faults or not."""
    faults: list[Fault] = field(default_factory=list)
    """The first that fits a call hits it."""
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while a call is answered from the state."""

    def paths(self) -> list[str]:
        """Return what was asked, `GET secret/data/x`, oldest first."""
        return [f"{call.method} {call.path}" for call in self.asked]

    def take(self, call: Call) -> Fault | None:
        """Note a call; return the fault that hits it."""
        with self.lock:
            self.asked.append(call)
            for fault in self.faults:
                if fault.path in call.path and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def answer(self, call: Call) -> tuple[int, Json | None]:
        """Answer a call from the state, one at a time."""
        with self.lock:
            return routes.answer(self.state, call)


@contextmanager
def running(
    state: VaultState | None = None, *, tls: Path | None = None
) -> Iterator[SimulatedVault]:
    """Serve on a free port of loopback.

    Args:
        state: What to serve; an empty OpenBao without it.
        tls: Serve over TLS, with the certificate and key of this PEM file.
    """
    vault = SimulatedVault(state or VaultState())
    server = _Server(vault)
    scheme = "http"
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    vault.url = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=lambda: server.serve_forever(POLL_S), daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        vault.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
        server.threads.shutdown()


class _Server(HTTPServer):
    """Takes connections, and serves each in a thread that is kept.

    CPython 3.11 may fail to start a thread while coverage traces another's start: "Cannot install a
    trace function while another trace function is being installed".
    """

    request_queue_size = 128

    def __init__(self, vault: SimulatedVault) -> None:
        self.vault = vault
        self.threads = ThreadPoolExecutor(THREADS, "vault")
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    @override
    def server_bind(self) -> None:
        """Bind without asking DNS for our own name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    @override
    def finish_request(self, request: Any, client_address: Any) -> None:
        """Give a connection to a thread."""
        self.connections.add(request)
        talk = self.threads.submit(self._serve, request, client_address)
        # A bug in an answer is in the log then, and not lost with its future.
        talk.add_done_callback(Future.result)

    @override
    def shutdown_request(self, request: Any) -> None:
        """Leave a connection open, although it was given away: its thread closes it."""

    def _serve(self, connection: socket.socket, address: Any) -> None:
        try:
            with suppress(OSError):
                super().finish_request(connection, address)
        finally:
            self.connections.discard(connection)
            super().shutdown_request(connection)

    @override
    def server_close(self) -> None:
        """Close the door, and end the talk on every connection, so that no thread waits on."""
        super().server_close()
        for connection in tuple(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One connection, call after call."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> Any:
        """Answer every method alike: the server looks for `do_GET`, `do_LIST` and so on."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    @override
    def log_message(self, *_: Any) -> None:
        """Log nothing: calls carry tokens."""

    def _answer(self) -> None:
        split = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = Call(
            method=self.command,
            path=split.path.removeprefix("/v1/"),
            query=dict(parse_qsl(split.query)),
            headers=dict(self.headers),
            body=json.loads(raw) if raw.strip() else {},
        )
        with suppress(OSError):
            self._respond(call, self.server.vault.take(call))

    def _respond(self, call: Call, fault: Fault | None) -> None:
        vault = self.server.vault
        if fault is not None and fault.kind == "hang":
            vault.closing.wait(HANG_S)
            self.close_connection = True
            return
        if fault is not None and fault.kind == "status":
            status, body = fault.status, fault.body
        else:
            status, body = vault.answer(call)
        content, mime = faults.content(fault, body)
        self.send_response(status)
        for name, value in self._headers_of(call, mime, fault):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self._send(content, fault)

    def _headers_of(self, call: Call, mime: str, fault: Fault | None) -> list[tuple[str, str]]:
        given = [("Cache-Control", "no-store")]
        if fault is not None and fault.location:
            given.append(("Location", fault.location))
        else:
            given.append(("Content-Type", mime))
        if echo := self.server.vault.state.namespace_of(call):
            given.append(("X-Vault-Namespace", echo))
        return given

    def _send(self, content: bytes, fault: Fault | None) -> None:
        """End the headers and send the body, or spoil either on its way."""
        kind = fault.kind if fault is not None else ""
        if kind == "drip header":
            self._drip(DRIP_HEADER)
        self.end_headers()
        if kind == "drip body":
            self._drip(content)
            return
        self.close_connection = kind == "cut"
        self.wfile.write(content[: len(content) // 2] if kind == "cut" else content)

    def _drip(self, content: bytes) -> None:
        """Send a byte at a time, each in good time for any timeout of one read."""
        self.flush_headers()
        for byte in content:
            if self.server.vault.closing.is_set():
                return
            self.wfile.write(bytes([byte]))
            time.sleep(DRIP_S)
