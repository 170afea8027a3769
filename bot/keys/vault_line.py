"""One thread's hvac client: its session, its trust, and a cord to cut its connection by.

Owns what is switched off, and why: redirects (they carry the token to any host), the environment
(proxies, `.netrc`, `VAULT_TOKEN`, `~/.vault-token`, client certificates), and the libraries' own
repeats (they know no deadline). A connection lives for one call: none idles until a firewall has
forgotten it, just when it is needed.
Source: hvac 2.4.0, requests 2.34.2 and urllib3 2.8.0, read 2026-11-21.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import hvac
import requests
from hvac.adapters import RawAdapter
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bot.config_file import VaultPart

Ask = Callable[[hvac.Client], Any]
"""One call of hvac's; what it returns is the `requests.Response`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLimits:
    """How wide and how far calls go."""

    threads: int
    """Calls side by side: as many as distinct keys are read at once."""
    connect_s: float = 2.0
    body_bytes_max: int = 1 << 21
    """Vault takes no secret larger than 1 MiB on its usual storage."""
    waits_s: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8)
    """Before a call is made the second, third … time: together less than a read may take."""
    silence_s: float = 10.0
    """Until a silent connection is given up, should its caller not cut it before."""


class Cord:
    """The connection of one call, to be cut from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._is_pulled = False
        self.was_tied = False

    def tie(self, sock: socket.socket) -> socket.socket:
        """Take hold of a new connection.

        Raises:
            OSError: the caller has gone meanwhile.
        """
        with self._lock:
            if self._is_pulled:
                sock.close()
                raise ConnectionAbortedError("nobody waits any more")
            # A duplicate: TLS takes the original's descriptor away before it shakes hands.
            self.was_tied, self._sock = True, sock.dup()
        return sock

    def pull(self) -> None:
        """Cut the connection, now or when it comes; nothing if the call is over."""
        with self._lock:
            self._is_pulled = True
            if self._sock is not None:
                with suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)

    def untie(self) -> None:
        """Let go: the call is over."""
        with self._lock:
            if self._sock is not None:
                self._sock.close()
                self._sock = None


class Line:
    """One thread's hvac client, and the cord of the call that it is making."""

    def __init__(self, part: VaultPart, tls: ssl.SSLContext, limits: LineLimits) -> None:
        self.cord = Cord()
        session = requests.Session()
        session.trust_env = False
        session.stream = True
        session.mount("https://", _Transport(tls, self))
        session.mount("http://", _Transport(tls, self))
        self.client = hvac.Client(
            url=part.address,
            token="",  # None would take VAULT_TOKEN or ~/.vault-token.
            session=session,
            timeout=(limits.connect_s, limits.silence_s),  # type: ignore[arg-type] # requests' own.
            allow_redirects=False,
            namespace=part.namespace.strip("/") or None,
            adapter=RawAdapter,
            ignore_exceptions=True,  # Its exceptions carry bodies; we read the status ourselves.
        )

    @contextmanager
    def asking(self, ask: Ask, token: SecretStr | None, cord: Cord) -> Iterator[requests.Response]:
        """Make a call; what it took is gone in the end, and its connection closed."""
        self.cord = cord
        self.client.token = token.get_secret_value() if token is not None else ""
        try:
            response = ask(self.client)
            assert isinstance(response, requests.Response)
            with response:
                yield response
        finally:
            self.client.token = ""
            self.client.session.close()
            cord.untie()


class _Transport(HTTPAdapter):
    """requests' transport with our trust and our cord, and nothing of the environment's."""

    def __init__(self, tls: ssl.SSLContext, line: Line) -> None:
        self._tls = tls
        self._line = line
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    @override
    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._tls, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = _tied_pools(self._line)

    @override
    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the context as it is: requests would load a bundle of CAs for each connection."""

    @override
    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        # hvac takes a client certificate from the environment of the process when it is imported.
        return super().send(request, stream=stream, timeout=timeout)


def _tied_pools(line: Line) -> dict[str, type[HTTPConnectionPool]]:
    """Make urllib3's pools hand each new socket to the cord before a byte is sent."""

    class Plain(HTTPConnection):
        @override
        def _new_conn(self) -> socket.socket:
            return line.cord.tie(super()._new_conn())

    class Secure(HTTPSConnection):
        @override
        def _new_conn(self) -> socket.socket:
            return line.cord.tie(super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
