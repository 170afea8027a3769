"""A server that answers as Vault and OpenBao were recorded to, over a real socket, and can fail.

Not Vault: `tests/keys/test_vault_contract.py` holds it to recordings of both.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.fakes.vault_state import Call, VaultState

Kind = Literal["status", "hang", "drip header", "drip body", "html", "charset", "cut", "wrong"]
DRIP_S = 0.02
THREADS = 64


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with calls whose path holds `path`, the next `times` times."""

    kind: Kind
    status: int = 200
    body: Any = None
    location: str = ""
    path: str = ""
    times: int = 1_000_000


@dataclass
class FakeVault:
    """The server: its state, what it was asked, and its faults."""

    state: VaultState
    url: str = ""
    asked: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

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


@contextmanager
def running(state: VaultState | None = None, *, tls: Path | None = None) -> Iterator[FakeVault]:
    """Serve on a free port of loopback; over TLS if `tls` names the PEM of certificate and key."""
    vault = FakeVault(state or VaultState())
    server = _Server(("127.0.0.1", 0), _Handler)
    server.vault = vault
    scheme = "http"
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    vault.url = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
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
    """Threads are kept: CPython 3.11 may fail to start one while coverage traces another's start.

    "Cannot install a trace function while another trace function is being installed".
    """

    request_queue_size = 128
    vault: FakeVault

    def __init__(self, *given: Any) -> None:
        self.threads = ThreadPoolExecutor(THREADS, "vault")
        self.open: set[socket.socket] = set()
        super().__init__(*given)

    def process_request(self, request: Any, address: Any) -> None:
        self.open.add(request)
        self.threads.submit(self.serve, request, address)

    def serve(self, request: socket.socket, address: Any) -> None:
        with suppress(OSError):
            self.finish_request(request, address)
        self.open.discard(request)
        self.shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for request in tuple(self.open):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def server_bind(self) -> None:
        """Bind without asking DNS for our own name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> Any:
        """Answer every method alike: the server looks for `do_GET`, `do_LIST` and so on."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self) -> None:
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
            self.respond(call, self.server.vault.take(call))

    def respond(self, call: Call, fault: Fault | None) -> None:
        if fault is not None and fault.kind == "hang":
            self.server.vault.closing.wait(20)
            self.close_connection = True
            return
        if fault is not None and fault.kind == "status":
            self.reply(call, fault.status, fault.body, fault)
            return
        with self.server.vault.lock:
            status, body = self.server.vault.state.answer(call)
        self.reply(call, status, body, fault)

    def reply(self, call: Call, status: int, body: Any, fault: Fault | None) -> None:
        kind = fault.kind if fault is not None else ""
        content, mime = _content(kind, body)
        self.send_response(status)
        for name, value in self.headers_of(call, mime, fault):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        if kind == "drip header":
            self.drip(b"X-Slow: " + b"a" * 10_000)
        self.end_headers()
        if kind == "drip body":
            self.drip(content)
            return
        self.close_connection = kind == "cut"
        self.wfile.write(content[: len(content) // 2] if kind == "cut" else content)

    def headers_of(self, call: Call, mime: str, fault: Fault | None) -> list[tuple[str, str]]:
        given = [("Cache-Control", "no-store")]
        if fault is not None and fault.location:
            given.append(("Location", fault.location))
        else:
            given.append(("Content-Type", mime))
        if echo := self.server.vault.state.namespace_of(call):
            given.append(("X-Vault-Namespace", echo))
        return given

    def drip(self, content: bytes) -> None:
        """Send a byte at a time, each in good time for any timeout of one read."""
        self.flush_headers()
        for byte in content:
            if self.server.vault.closing.is_set():
                return
            self.wfile.write(bytes([byte]))
            time.sleep(DRIP_S)


def _content(kind: str, body: Any) -> tuple[bytes, str]:
    match kind:
        case "html":
            return b"<html>a proxy's page</html>", "text/html"
        case "wrong":
            return b'{"auth": 7, "data": [1, 2], "errors": "none"}', "application/json"
        case _:
            mime = "application/json" + ("; charset=utf-8" if kind == "charset" else "")
            return (json.dumps(body).encode() if body is not None else b""), mime


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a CA and what it signs for 127.0.0.1; return the CA's file and the server's."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's CA")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    begin, end = now - datetime.timedelta(hours=1), now + datetime.timedelta(hours=1)

    def signed(name: x509.Name, public: Any, extension: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder(issuer, name, public, x509.random_serial_number())
        dated = builder.not_valid_before(begin).not_valid_after(end)
        return (
            dated.add_extension(extension, critical=True)
            .sign(ca_key, hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )

    ca, server = folder / "ca.pem", folder / "server.pem"
    ca.write_bytes(
        signed(issuer, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=0))
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    server.write_bytes(signed(subject, key.public_key(), address) + pem)
    return ca, server
