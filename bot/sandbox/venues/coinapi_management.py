"""The trap: the management API of the simulated EMS, which a kill switch must never call.

Owns `is_management()` and the answers. The key that cancels orders also reads the exchanges'
private keys in clear and deletes accounts, whose orders then stay open where nobody sees them.
Source: CoinAPI's "EMS - Managed Cloud REST API" v1 (2022-05-06) and its account page (2025).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from bot.sandbox.venues.coinapi_kinds import EXCHANGES
from bot.sandbox.venues.exchange import Answer, Request

PLACES: Final = (
    "/v1/accounts",
    "/v1/certificate",
    "/v1/endpoints",
    "/v1/exchanges",
    "/v1/locations",
)
_HOST: Final = "sandbox.ems.invalid"
_CERTIFICATE: Final = "\n".join(
    f"-----BEGIN {what}-----\nc2FuZGJveA==\n-----END {what}-----"
    for what in ("PUBLIC KEY", "PRIVATE KEY", "CERTIFICATE")
)


def is_management(path: str) -> bool:
    """Tell whether a path belongs to the management API."""
    return any(path == place or path.startswith(f"{place}/") for place in PLACES)


def answered(request: Request, accounts: Mapping[str, str], drop: Callable[[str], None]) -> Answer:
    """Answer as the real one does; `drop` forgets an exchange account of this customer.

    Args:
        request: What came, its key known to be right.
        accounts: Exchange id -> uid.
        drop: Called with each exchange id that is deleted.
    """
    match request.method, request.path:
        case "GET", "/v1/certificate/pem":
            return Answer(status=200, body=_CERTIFICATE.encode(), content_type="text/plain")
        case "DELETE", "/v1/accounts" | "/v1/accounts/all":
            is_all = request.path.endswith("/all")
            wanted = list(accounts) if is_all else parse_qs(request.query).get("exchange_id", [])
            for name in wanted:
                drop(name)
            return Answer(status=200, body=b"")
        case "GET", path if path in PLACES and path != "/v1/certificate":
            return Answer(status=200, body=json.dumps(_rows(request, list(accounts))).encode())
        case _:
            return Answer(status=405, body=b"")


def _rows(request: Request, accounts: list[str]) -> list[dict[str, Any]]:
    """Return what a list of the management API holds."""
    match request.path:
        case "/v1/accounts":
            wanted = parse_qs(request.query).get("filter_exchange_id", accounts)
            return [_account(name) for name in accounts if name in wanted]
        case "/v1/endpoints":
            return [_endpoint(name) for name in accounts]
        case "/v1/exchanges":
            return [{"exchange_id": name} for name in sorted(EXCHANGES)]
        case _:
            return [{"location_id": "aws-us-east-2", "region_name": "Ohio", "provider_name": "AWS"}]


def _account(name: str) -> dict[str, object]:
    return {
        "exchange_id": name,
        "parameters": [
            {"key": "PublicApiKey", "value": f"public key of {name}"},
            {"key": "PrivateApiKey", "value": f"PRIVATE KEY IN CLEAR of {name}"},
        ],
    }


def _endpoint(name: str) -> dict[str, str]:
    return {
        "exchange_id": name,
        "endpoint_host": _HOST,
        "endpoint_url": f"https://{_HOST}/",
        "endpoint_schema": "https",
        "location_id": "aws-us-east-2",
    }
