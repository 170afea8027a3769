"""A simulated Bybit: a pure `answer(request, now)`, written from Bybit's documentation alone.

Owns keys, signatures, the clock window, the paths and the faults. It imports nothing of cancelall,
so that a misreading there shows here; pybit and ccxt drive it in the tests.

Source: bybit-exchange/docs, `docs/v5` as of 2026-07-24.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bot.sandbox.venues import bybit_orders as orders
from bot.sandbox.venues import exchange, faults
from bot.sandbox.venues.book import Book
from bot.sandbox.venues.bybit_kinds import KINDS, View
from bot.sandbox.venues.bybit_listing import Args, BadCall, Listing
from bot.sandbox.venues.exchange import Answer, Door, Request, Seen, Transport
from bot.sandbox.venues.faults import Fault, Faults, Wrong

PERMISSIONS: Mapping[str, list[str]] = {
    "ContractTrade": ["Order", "Position"],
    "Spot": ["SpotTrade"],
    "Wallet": [],
    "Options": [],
    "Derivatives": ["DerivativesTrade"],
    "BlockTrade": [],
}

QUERY_API = ("GET", "/v5/user/query-api")
SUB_MEMBERS = ("GET", "/v5/user/query-sub-members")
LISTING = {"AccountTransfer", "SubMemberTransfer", "SubMemberTransferList", "Withdraw"}
"""Permissions of which a key needs one for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One API key of an account."""

    uid: str
    secret: str = ""
    public_pem: str = ""
    is_read_only: bool = False
    permissions: Mapping[str, list[str]] = field(default_factory=lambda: dict(PERMISSIONS))
    ips: tuple[str, ...] = ()
    expires: str = ""
    """RFC 3339; empty: as Bybit dates a key that is bound to an address or is not."""
    master: str = ""
    """The master account that it is a sub-account of; empty: it is one itself."""
    is_unified: bool = True


_EXPIRES = {True: "1970-01-01T00:00:00Z", False: "2027-02-12T00:00:00Z"}
"""By whether it is bound to an address."""


class Refusal(Exception):
    """Bybit answers a `retCode` that is not 0."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code
        self.said = said


class SimulatedBybit:
    """Bybit with its books."""

    def __init__(self, *, seed: int = 0, has_limits: bool = True) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.book = Book(rng=self.rng, kinds=KINDS)
        self.door = Door(is_on=has_limits)
        self.faults = Faults()
        self.keys: dict[str, Key] = {}
        self.members: dict[str, tuple[str, ...]] = {}
        """The sub-accounts of a master account."""
        self.listing = Listing()
        self.skew_s = 0.0
        """How far this clock is ahead of the true one."""
        self.log: list[Seen] = []

    def add_key(self, api_key: str, key: Key) -> None:
        """Let an account have an API key."""
        self.keys[api_key] = key

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request; `now` is true epoch seconds."""
        venue_now = now + self.skew_s
        key = self.keys.get(request.headers.get("x-bapi-api-key", ""))
        uid = key.uid if key else ""
        if self.door.is_shut(request.address, now):
            return self._seen(request, uid, now, exchange.FORBIDDEN, is_signed=False)
        fault = self.faults.meet(
            uid=uid,
            path=request.path,
            payload=request.payload,
            now=now,
            chance=self.rng.random(),
        )
        if fault is not None and (spoiled := faults.unseen(fault)) is not None:
            return self._seen(request, uid, now, spoiled, is_signed=False)
        is_signed = False
        extra: dict[str, str] = {}
        try:
            _refuse(fault)
            if request.path in PUBLIC:
                result = PUBLIC[request.path](self, request, venue_now)
            else:
                self._check_key(request, key, venue_now)
                is_signed = True
                assert key is not None
                result = self._act(request, key, now, fault, extra)
            fields: dict[str, Any] = {"retCode": 0, "retMsg": "OK", "retExtInfo": {}} | result
        except Refusal as refusal:
            fields = {"retCode": refusal.code, "retMsg": refusal.said, "result": {}}
            fields["retExtInfo"] = {}
        fields["time"] = int(venue_now * 1000)
        answer = Answer(status=200, body=exchange.as_json(fields), headers=extra)
        return self._seen(request, uid, now, _after(answer, fault, fields), is_signed=is_signed)

    def _act(
        self,
        request: Request,
        key: Key,
        now: float,
        fault: Fault | None,
        extra: dict[str, str],
    ) -> dict[str, Any]:
        place = (request.method, request.path)
        route = orders.ROUTES.get(place)
        if route is None and place not in {QUERY_API, SUB_MEMBERS}:
            raise Refusal(10017, "Route not found.")
        args = _args(request)
        is_cancel = request.method == "POST"
        if is_cancel and (key.is_read_only or not orders.may_cancel(key.permissions, args)):
            raise Refusal(10005, "Permission denied, please check your API key permissions.")
        if self.door.is_on:
            self._take(key.uid, request.path, args, now, extra)
        if route is None:
            tell = self._query_api if place == QUERY_API else self._sub_members
            return {"result": tell(request, key)}
        view = View(book=self.book, uid=key.uid, now=now, listing=self.listing, fault=fault)
        try:
            return route(view, args)
        except BadCall as bad:
            raise Refusal(bad.code, bad.said) from None

    def _take(self, uid: str, path: str, args: Args, now: float, extra: dict[str, str]) -> None:
        """Take a call from its budget and say in headers what is left of it."""
        name, per_second, cost = orders.limit_of(path, args)
        budget = self.door.account(uid, name, per_second)
        is_free = budget.take(now, cost)
        reset = now + self.skew_s + (0.0 if is_free else 1.0)
        extra["X-Bapi-Limit"] = str(per_second)
        extra["X-Bapi-Limit-Status"] = str(budget.left())
        extra["X-Bapi-Limit-Reset-Timestamp"] = str(int(reset * 1000))
        if not is_free:
            raise Refusal(10006, "Too many visits. Exceeded the API Rate Limit.")

    def _check_key(self, request: Request, key: Key | None, venue_now: float) -> None:
        """Check key, clock, address and signature, in Bybit's order."""
        stamp = request.headers.get("x-bapi-timestamp", "")
        window = request.headers.get("x-bapi-recv-window", "5000")
        api_key = request.headers.get("x-bapi-api-key", "")
        sign = request.headers.get("x-bapi-sign", "")
        if not (stamp.isdigit() and api_key and sign and window.isdigit()):
            raise Refusal(10001, "empty value: openapi sign params error!")
        if key is None:
            raise Refusal(10003, "API key is invalid.")
        server_ms = int(venue_now * 1000)
        if not server_ms - int(window) <= int(stamp) < server_ms + 1000:
            raise Refusal(
                10002,
                "invalid request, please check your server timestamp or recv_window param. "
                f"req_timestamp[{stamp}],server_timestamp[{server_ms}],recv_window[{window}]",
            )
        origin = f"{stamp}{api_key}{window}{request.payload}"
        if not _is_signed(key, origin.encode(), sign):
            raise Refusal(10004, f"error sign! origin_string[{origin}]")
        if key.ips and request.address not in key.ips:
            raise Refusal(10010, "Unmatched IP, please check your API key's bound IP addresses.")

    def _query_api(self, request: Request, key: Key) -> dict[str, Any]:
        return {
            "id": "2208369",
            "note": "simulated",
            "apiKey": request.headers["x-bapi-api-key"],
            "readOnly": int(key.is_read_only),
            "secret": "",
            "permissions": {group: list(names) for group, names in key.permissions.items()},
            "ips": list(key.ips) or ["*"],
            "type": 1,
            "deadlineDay": -2 if key.ips else 83,
            "expiredAt": key.expires or _EXPIRES[bool(key.ips)],
            "createdAt": "2026-11-01T00:00:00Z",
            "unified": 0,
            "uta": int(key.is_unified),
            "userID": int(key.uid),
            "isMaster": not key.master,
            "parentUid": key.master or "0",
        }

    def _sub_members(self, _: Request, key: Key) -> dict[str, Any]:
        """Return at most 10,000 sub-accounts; nobody here has so many."""
        if key.master or LISTING.isdisjoint(key.permissions.get("Wallet", ())):
            raise Refusal(10005, "Permission denied, please check your API key permissions.")
        rows = [
            {"uid": uid, "username": f"sub{uid}", "memberType": 1, "status": 1, "accountMode": 5}
            for uid in self.members.get(key.uid, ())
        ]
        return {"subMembers": rows}

    def _seen(
        self, request: Request, uid: str, now: float, answer: Answer, *, is_signed: bool
    ) -> Answer:
        """Write the wire log."""
        code = str(answer.status)
        if answer.content_type == "application/json" and answer.transport is not Transport.CUT:
            code = str(json.loads(answer.body).get("retCode", answer.status))
        self.log.append(
            Seen(
                at=now,
                address=request.address,
                uid=uid,
                method=request.method,
                path=request.path,
                payload=request.payload,
                is_signed=is_signed,
                code=code,
                fate=exchange.fate(answer),
            )
        )
        return answer


def _refuse(fault: Fault | None) -> None:
    if fault is not None and fault.wrong in _REFUSALS:
        raise Refusal(*_REFUSALS[fault.wrong])


def _args(request: Request) -> dict[str, Any]:
    """Read the arguments of a call, from query or body."""
    if request.method == "GET":
        return dict(parse_qsl(request.query, keep_blank_values=True)) | {"_raw": request.query}
    try:
        found = json.loads(request.body or b"{}")
    except ValueError:
        raise Refusal(10001, "params error: body is not JSON") from None
    if not isinstance(found, dict):
        raise Refusal(10001, "params error: body is not a JSON object")
    return {name: value for name, value in found.items() if value is not None}


def _is_signed(key: Key, origin: bytes, sign: str) -> bool:
    if key.public_pem:
        public = serialization.load_pem_public_key(key.public_pem.encode())
        assert isinstance(public, rsa.RSAPublicKey)
        try:
            public.verify(
                base64.b64decode(sign, validate=True), origin, padding.PKCS1v15(), hashes.SHA256()
            )
        except (InvalidSignature, ValueError):
            return False
        return True
    wanted = hmac.new(key.secret.encode(), origin, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), sign.encode())


def _time(_: SimulatedBybit, __: Request, venue_now: float) -> dict[str, Any]:
    nano = int(venue_now * 1_000_000_000)
    return {"result": {"timeSecond": str(nano // 1_000_000_000), "timeNano": str(nano)}}


def _instruments(venue: SimulatedBybit, request: Request, _: float) -> dict[str, Any]:
    try:
        return {"result": venue.listing.page(_args(request))}
    except BadCall as bad:
        raise Refusal(bad.code, bad.said) from None


def _option_coins(venue: SimulatedBybit, _: Request, __: float) -> dict[str, Any]:
    return {"result": {"list": venue.listing.option_coins()}}


def _spreads(venue: SimulatedBybit, _: Request, __: float) -> dict[str, Any]:
    rows = [{"symbol": symbol, "status": "Trading"} for symbol in venue.listing.spread]
    return {"result": {"list": rows, "nextPageCursor": ""}}


PUBLIC: Mapping[str, Callable[[SimulatedBybit, Request, float], dict[str, Any]]] = {
    "/v5/market/time": _time,
    "/v5/market/instruments-info": _instruments,
    "/v5/market/option-base-coins": _option_coins,
    "/v5/spread/instrument": _spreads,
}

_REFUSALS: Mapping[Wrong, tuple[int, str]] = {
    Wrong.REFUSED_KEY: (10003, "API key is invalid."),
    Wrong.LACKS_PERMISSION: (10005, "Permission denied, please check your API key permissions."),
    Wrong.WRONG_ADDRESS: (10010, "Unmatched IP, please check your API key's bound IP addresses."),
}


def _after(answer: Answer, fault: Fault | None, fields: dict[str, Any]) -> Answer:
    """Spoil an answer that was made in earnest."""
    is_bare = fault is not None and fault.wrong is Wrong.NO_LIST
    if is_bare and isinstance(fields.get("result"), dict):
        fields["result"].pop("list", None)
        return replace(answer, body=exchange.as_json(fields))
    return faults.spoilt(answer, fault)
