"""What goes wrong with a simulated Vault's answers, on demand.

Owns the kinds of fault and what each makes of a body. `server` decides which call meets one; a
server that is sealed, or whose audit device is full, is no fault: that is in its state.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

Kind = Literal["status", "hang", "drip header", "drip body", "html", "charset", "cut", "wrong"]
"""The call is not looked at: `status` answers what the fault holds, `hang` nothing.

It is answered, and the answer spoilt: a byte at a time (`drip header`, `drip body`), a proxy's page
(`html`), half a body (`cut`), JSON of another shape (`wrong`), or a type that names its charset,
which is allowed (`charset`).
"""


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong with calls whose path holds `path`, the next `times` times."""

    kind: Kind
    status: int = 200
    """For `status`: what is answered, with `body` as its JSON, or without a body."""
    body: object = None
    location: str = ""
    """Where the answer points to, for a redirect."""
    path: str = ""
    """A part of the path below /v1/; empty: all calls."""
    times: int = 1_000_000


def content(fault: Fault | None, body: object) -> tuple[bytes, str]:
    """Return the bytes of a body, as a fault has them, and their type."""
    match fault.kind if fault is not None else "":
        case "html":
            return b"<html>a proxy's page</html>", "text/html"
        case "wrong":
            return b'{"auth": 7, "data": [1, 2], "errors": "none"}', "application/json"
        case kind:
            mime = "application/json" + ("; charset=utf-8" if kind == "charset" else "")
            return (json.dumps(body).encode() if body is not None else b""), mime
