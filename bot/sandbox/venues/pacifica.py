"""A simulated Pacifica: a pure `answer(request, now)`, written from its documents alone.

Owns accounts, paths, both transports, the faults and the wire log. It imports nothing of cancelall,
so that a misreading there shows here; ccxt and the official SDK's way to sign drive it in the
tests. No order can be placed, the WebSocket pushes nothing, and batches are not offered.

`Fault.uid` is an address, `Fault.path` the HTTP path. A frame has the path `/ws/` and its operation
(`/ws/cancel_all_orders`, `/ws/ping`); the handshake has `/ws` and, without a key, no account. Which
refusals a signed call can meet, a reading cannot: it needs no key. Only `WRONG_ADDRESS` meets both.

Source: docs.pacifica.fi (2025, 2026) and what its clients quote; `Conflicts` has where they differ.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from bot.sandbox.venues import exchange, faults
from bot.sandbox.venues import pacifica_credits as credits_of
from bot.sandbox.venues import pacifica_lists as lists
from bot.sandbox.venues import pacifica_orders as orders
from bot.sandbox.venues import pacifica_shapes as shapes
from bot.sandbox.venues import pacifica_signing as signing
from bot.sandbox.venues import pacifica_socket as socket
from bot.sandbox.venues.book import Book
from bot.sandbox.venues.exchange import Answer, Request, Seen
from bot.sandbox.venues.faults import Fault, Faults, Wrong
from bot.sandbox.venues.pacifica_credits import Credits, Standing
from bot.sandbox.venues.pacifica_kinds import KINDS, View, give_children, order_name
from bot.sandbox.venues.pacifica_shapes import Conflicts, Engine, Fields, Refused
from bot.sandbox.venues.pacifica_signing import Account, Door, Operation
from bot.sandbox.venues.pacifica_socket import Frame

BODY_MAX = 4096
"""Bytes that a request or a frame may have."""
LIST_SUBACCOUNTS = "/api/v1/account/subaccount/list"


@dataclass(slots=True, kw_only=True)
class _Visit:
    """One request on its way through."""

    request: Request
    path: str
    args: Mapping[str, Any]
    now: float
    fault: Fault | None = None
    is_signed: bool = False
    standing: Standing | None = None

    @property
    def uid(self) -> str:
        named = self.args.get("account")
        return named if isinstance(named, str) else ""


class SimulatedPacifica:
    """Pacifica with its books."""

    def __init__(self, *, seed: int = 0, has_limits: bool = True) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.book = Book(rng=self.rng, kinds=KINDS, name=order_name)
        self.faults = Faults()
        self.conflicts = Conflicts()
        self.credits = Credits(is_on=has_limits)
        self.accounts: dict[str, Account] = {}
        self.skew_s = 0.0
        """How far this clock is ahead of the true one."""
        self.log: list[Seen] = []

    def add_account(self, address: str, *, main: str = "", has_access: bool = True) -> Account:
        """Open an account; it is its own signer. `main` makes it a subaccount."""
        return self.accounts.setdefault(address, Account(main=main, has_access=has_access))

    def bind_agent(self, address: str, agent: str, *, ips: tuple[str, ...] = ()) -> None:
        """Let an agent sign for one account; `ips` are the only addresses it may call from."""
        self.accounts[address].agents[agent] = ips

    def add_config_key(self, config_key: str, address: str, *, quota: int = 300) -> None:
        """Give an account an API config key: credits a minute for its main account."""
        main = self.accounts[address].main or address
        self.credits.owners[config_key] = main
        self.credits.quotas[main] = quota

    def seed(self, address: str, counts: Mapping[str, int], *, now: float) -> None:
        """Fill an account; every strategy has an order open."""
        self.book.seed(address, counts, now=now)
        give_children(self.book, address, now=now)

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request; `now` is true epoch seconds."""
        match request.method:
            case "FRAME":
                return self._frame(request, now)
            case "OPEN":
                return self._open(request, now)
            case _:
                return self._call(request, now)

    # ----------------------------------------------------------------------------------- HTTP

    def _call(self, request: Request, now: float) -> Answer:
        visit = _Visit(request=request, path=request.path, args=_args(request), now=now)
        self._meet(visit)
        fault = self._plain_fault(visit)
        if (unseen := faults.unseen(fault)) is not None:
            return self._seen(visit, unseen)
        try:
            self._pay(visit, _cost(visit, self.conflicts))
            status, fields = 200, self._asked(visit)
        except Refused as refused:
            status, fields = refused.status, shapes.failure(self.conflicts, refused)
        if self._wrong(visit) is Wrong.NO_LIST and status == HTTPStatus.OK:
            fields = shapes.without_list(fields)
        headers = {"Date": formatdate(now + self.skew_s, usegmt=True)}
        headers |= visit.standing.headers if visit.standing else {}
        is_missing = status == HTTPStatus.NOT_FOUND and not self._is_known(visit)
        is_bare = is_missing and not self.conflicts.missing_is_enveloped
        body = b"" if is_bare else exchange.as_json(fields)
        answer = Answer(status=status, body=body, headers=headers)
        return self._seen(visit, faults.spoilt(answer, fault))

    def _asked(self, visit: _Visit) -> Fields:
        """Do what is asked for and return the whole body."""
        if not self._is_known(visit):
            raise Refused(404, "Not found")
        if visit.request.method == "GET":
            return self._read(visit)
        self._check_size(visit)
        if visit.path == LIST_SUBACCOUNTS:
            self._admit(visit, signing.SUBACCOUNTS)
            return shapes.envelope(lists.subaccounts(self.accounts, visit.uid))
        call = orders.CALLS[visit.path]
        found = self._act(visit, call)
        return shapes.cancelled(self.conflicts, found if call.tells else None)

    def _is_known(self, visit: _Visit) -> bool:
        """Tell whether this deployment has such a path."""
        path = visit.path
        if visit.request.method == "GET":
            is_there = path in {*lists.READINGS, *lists.HISTORIES, lists.INSTRUMENTS}
            return is_there and (self.conflicts.has_strategies or path not in lists.NEW)
        if visit.request.method != "POST":
            return False
        call = orders.CALLS.get(path)
        has_call = call is not None and (self.conflicts.has_strategies or not call.is_new)
        return has_call or path == LIST_SUBACCOUNTS

    def _read(self, visit: _Visit) -> Fields:
        if self._wrong(visit) is Wrong.WRONG_ADDRESS:
            raise Refused(403, "Access from your region is restricted")
        if visit.path == lists.INSTRUMENTS:
            return lists.instruments()
        view = self._view(visit)
        if visit.path in lists.HISTORIES:
            return lists.HISTORIES[visit.path](view, visit.args)
        if not signing.is_address(visit.args.get("account")):
            raise shapes.malformed("account: a base58 public key is required")
        is_strange = visit.uid not in self.accounts and visit.path == "/api/v1/account"
        read = lists.no_account if is_strange else lists.READINGS[visit.path]
        return read(view, visit.args)

    # ------------------------------------------------------------------------------ WebSocket

    def _open(self, request: Request, now: float) -> Answer:
        key = request.headers.get("pf-api-key", "")
        args = {"account": self.credits.owners.get(key, "")}
        visit = _Visit(request=request, path=request.path, args=args, now=now)
        self._meet(visit)
        if (unseen := faults.unseen(self._plain_fault(visit))) is not None:
            return self._seen(visit, unseen)
        status = 101 if request.path == socket.PATH else 404
        try:
            self._pay(visit, credits_of.STANDARD)
        except Refused as refused:
            status = refused.status
        return self._seen(visit, Answer(status=status, body=b"", content_type="text/plain"))

    def _frame(self, request: Request, now: float) -> Answer:
        frame = socket.read(request.body)
        visit = _Visit(request=request, path=frame.path, args=frame.params, now=now)
        self._meet(visit)
        fault = self._plain_fault(visit)
        answer = socket.unseen(frame, fault, self.conflicts, venue_ms=self._venue_ms(now))
        if answer is None:
            is_control = frame.name in {socket.PING, socket.SUBSCRIBE}
            answer = socket.control(frame) if is_control else self._reply(visit, frame)
            answer = faults.spoilt(answer, fault)
        return self._seen(visit, answer)

    def _reply(self, visit: _Visit, frame: Frame) -> Answer:
        """Do what a frame asks for and say so."""
        venue_ms = self._venue_ms(visit.now)
        try:
            fields = socket.replied(frame, self._done(visit, frame), venue_ms=venue_ms)
        except Refused as refused:
            fields = socket.failed(frame, refused, self.conflicts, venue_ms=venue_ms)
        has_key = visit.request.headers.get("pf-api-key", "") in self.credits.owners
        if visit.standing and (has_key or self.conflicts.rl_always):
            fields["rl"] = visit.standing.rl
        if self._wrong(visit) is Wrong.NO_LIST and "data" in fields:
            fields = shapes.without_list(fields)
        return Answer(status=int(fields["code"]), body=exchange.as_json(fields))

    def _done(self, visit: _Visit, frame: Frame) -> Fields | None:
        self._pay(visit, credits_of.CANCEL)
        self._check_size(visit)
        call = orders.ON_SOCKET.get(frame.name)
        if call is None or not frame.request_id:
            raise Refused(400, "Invalid request")
        return self._act(visit, call)

    # -------------------------------------------------------------------------------- for both

    def _meet(self, visit: _Visit) -> None:
        visit.fault = self.faults.meet(
            uid=visit.uid,
            path=visit.path,
            payload=visit.request.payload,
            now=visit.now,
            chance=self.rng.random(),
        )

    def _plain_fault(self, visit: _Visit) -> Fault | None:
        return None if isinstance(visit.fault, Engine) else visit.fault

    def _wrong(self, visit: _Visit) -> Wrong | None:
        fault = self._plain_fault(visit)
        return fault.wrong if fault else None

    def _pay(self, visit: _Visit, cost: int) -> None:
        if not self.credits.is_on:
            return
        visit.standing = self.credits.take(
            (visit.request.address, visit.request.headers.get("pf-api-key", "")),
            cost,
            anonymous=self.conflicts.anonymous_credits,
            now=visit.now,
        )
        if not visit.standing.is_free:
            raise Refused(429, "Rate limit exceeded", ws=429)

    def _check_size(self, visit: _Visit) -> None:
        if len(visit.request.body) > BODY_MAX:
            raise Refused(400, "Request body is too large")

    def _act(self, visit: _Visit, call: orders.Call) -> Fields | None:
        """Make a cancel, unless the engine will not."""
        payload = self._admit(visit, call.operation)
        fault = visit.fault
        if not isinstance(fault, Engine):
            return call.act(self._view(visit), payload)
        if fault.is_applied:
            call.act(self._view(visit), payload)
        raise shapes.business(self.conflicts, fault.name, fault.name.replace("_", " ").capitalize())

    def _admit(self, visit: _Visit, operation: Operation) -> dict[str, Any]:
        """Check a signed operation and return its payload."""
        match self._wrong(visit):
            case Wrong.REFUSED_KEY:
                raise shapes.unverified()
            case Wrong.LACKS_PERMISSION:
                raise Refused(400, shapes.UNBOUND, ws=self.conflicts.agent_ws_code)
            case Wrong.WRONG_ADDRESS:
                raise signing.unlisted(self.conflicts)
            case _:
                pass
        door = Door(
            accounts=self.accounts,
            conflicts=self.conflicts,
            venue_ms=self._venue_ms(visit.now),
            address=visit.request.address,
        )
        payload = door.admit(operation, visit.args)
        visit.is_signed = True
        return payload

    def _view(self, visit: _Visit) -> View:
        return View(
            book=self.book,
            conflicts=self.conflicts,
            uid=visit.uid,
            now=visit.now,
            skew_s=self.skew_s,
            fault=visit.fault,
        )

    def _venue_ms(self, now: float) -> int:
        return int((now + self.skew_s) * 1000)

    def _seen(self, visit: _Visit, answer: Answer) -> Answer:
        """Write the wire log."""
        is_get = visit.request.method == "GET"
        self.log.append(
            Seen(
                at=visit.now,
                address=visit.request.address,
                uid=visit.uid,
                method=visit.request.method,
                path=visit.path,
                payload=visit.request.query if is_get else _without_signature(visit.args),
                is_signed=visit.is_signed,
                code=str(answer.status),
                fate=exchange.fate(answer),
            )
        )
        return answer


def _args(request: Request) -> Mapping[str, Any]:
    """Read the arguments of a call; what cannot be read has none."""
    if request.method == "GET":
        return dict(parse_qsl(request.query, keep_blank_values=True))
    try:
        found = json.loads(request.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _cost(visit: _Visit, conflicts: Conflicts) -> int:
    """Return what a call costs, in tenths of a credit."""
    if visit.path in orders.CALLS:
        return credits_of.CANCEL
    is_list = visit.path in lists.READINGS and visit.path != "/api/v1/account"
    return credits_of.STANDARD * (conflicts.reading_credits if is_list else 1)


def _without_signature(args: Mapping[str, Any]) -> str:
    """Write what was asked for; whoever has a signature too can ask for it again."""
    return json.dumps({name: args[name] for name in args if name != "signature"})
