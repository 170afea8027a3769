"""The order calls of the simulated EMS: what a cancel takes, what a reading shows.

Owns the rules of `/v1/orders`, `/v1/orders/cancel/all`, `/v1/orders/cancel`, `/v1/orders/status/`
and `/v1/orders/history`. Source: CoinAPI's "EMS - REST API" v1 (2025-05-23).
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.sandbox.venues import coinapi_reports as reports
from bot.sandbox.venues import coinapi_shapes as shapes
from bot.sandbox.venues.book import LAG_S, Order
from bot.sandbox.venues.coinapi_kinds import OUTSIDE, SMART, UNSEEN, exchange_id_of, exchange_of
from bot.sandbox.venues.coinapi_reports import Lives
from bot.sandbox.venues.coinapi_shapes import Conflicts, Hitch, Reason, Refused, Unknown
from bot.sandbox.venues.exchange import Answer
from bot.sandbox.venues.faults import Fault, Wrong

Args = Mapping[str, Any]
_SAID: Mapping[Reason, str] = {
    Reason.OTHER: "Something went wrong",
    Reason.EXCHANGE_UNREACHABLE: "Exchange is unreachable",
    Reason.EXCHANGE_RESPONSE_TIMEOUT: "Exchange has not answered in time",
    Reason.ORDER_ID_NOT_FOUND: "Order not found",
    Reason.METHOD_NOT_SUPPORTED: "Exchange does not support this request",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One customer's accounts at one moment, seen through what goes wrong."""

    lives: Lives
    conflicts: Conflicts
    rng: random.Random
    now: float
    skew_s: float
    accounts: Mapping[str, str]
    """Exchange id -> uid."""
    without_cancel_all: frozenset[str]
    """Exchanges that have no cancel-all: `BITSTAMP`, without a tag."""
    fault: Fault | None = None

    def fault_of(self, uid: str) -> Fault | None:
        """Return what goes wrong with one account."""
        return self.fault if self.fault is not None and self.fault.uid in {"", uid} else None

    def hitch_of(self, uid: str) -> Hitch | None:
        """Return what goes wrong between EMS and the exchange of an account."""
        fault = self.fault_of(uid)
        return fault if isinstance(fault, Hitch) else None

    def is_unreachable(self, uid: str) -> bool:
        """Tell whether EMS cannot reach an account's exchange."""
        hitch = self.hitch_of(uid)
        return hitch is not None and hitch.reason is Reason.EXCHANGE_UNREACHABLE

    def known(self, uid: str) -> list[Order]:
        """Return what EMS knows of an account and is open, newest first."""
        live = self.lives.book.live(uid, now=self.now)
        return [order for order in live if order.kind not in {SMART, UNSEEN}]

    def shown(self, uid: str) -> list[dict[str, Any]]:
        """Return the reports that a reading shows for an account: the truth, or a fault's lie."""
        fault = None if self.hitch_of(uid) else self.fault_of(uid)
        at = self.now - LAG_S if fault and fault.wrong is Wrong.LAG else self.now
        found = self.lives.book.shown(uid, now=self.now, fault=fault)
        owner = self._owner(found[0]) if found else uid  # Another, if the venue mixes them up.
        return [self.report(owner, o, at=at) for o in found if o.kind not in {SMART, UNSEEN}]

    def _owner(self, order: Order) -> str:
        books = self.lives.book.orders.items()
        return next(uid for uid, orders in books if any(each is order for each in orders))

    def report(self, uid: str, order: Order, *, at: float) -> dict[str, Any]:
        """Write the report of an account's order as it was at a moment."""
        history = self.lives.history(order, self.conflicts, at=at)
        name = exchange_id_of(uid)
        return reports.report(order, name, history, self.conflicts, skew_s=self.skew_s)

    def cancel(self, uid: str, orders: Sequence[Order]) -> None:
        """Pass cancels on to the exchange."""
        hitch = self.hitch_of(uid)
        if hitch is not None and hitch.reason is None:
            self.lives.refuse(orders, self.conflicts, now=self.now)
            return
        fault = None if hitch else self.fault_of(uid)
        self.lives.cancel(orders, self.conflicts, now=self.now, fault=fault)

    def invalid(self, name: str, said: str) -> Refused:
        """Refuse an argument."""
        return shapes.validation(self.conflicts, self.rng, name, said)


def cancel_all(view: View, args: Args) -> Answer:
    """`POST /v1/orders/cancel/all`: the open orders of one exchange account."""
    exchange_id = _needed(view, args, "exchange_id")
    rejected = {"exchange_id": exchange_id, "type": shapes.CANCEL_ALL}
    for uid in _addressed(view, exchange_id, rejected):
        orders = [o for o in view.known(uid) if _is_covered(view, o)]
        is_unable = exchange_of(exchange_id_of(uid)) in view.without_cancel_all
        _meet_hitch(view, uid, orders, rejected, is_unable=is_unable)
        view.cancel(uid, orders)
    return shapes.accepted(view.conflicts, exchange_id)


def cancel_one(view: View, args: Args) -> Answer:
    """`POST /v1/orders/cancel`: by either id; answers the last report, which confirms nothing."""
    exchange_id = _needed(view, args, "exchange_id")
    ids = {name: args[name] for name in ("exchange_order_id", "client_order_id") if args.get(name)}
    if not ids:
        raise view.invalid("client_order_id", "One of the order ids is required.")
    rejected = ids | {"exchange_id": exchange_id, "type": shapes.CANCEL_ONE}
    (uid,) = _addressed(view, exchange_id, rejected)
    order = _found(view, uid, ids)
    _meet_hitch(view, uid, [order] if order else [], rejected, is_unable=False)
    if order is not None:
        if order.is_open(view.now):
            view.cancel(uid, [order])
        return _json(view.report(uid, order, at=view.now))
    named = next(iter(ids.values()))
    raise Refused(_not_found(view, named, rejected, status=view.conflicts.missing_status))


def open_orders(view: View, args: Args) -> Answer:
    """`GET /v1/orders`: reports of what is open, of one account or of all; there are no pages."""
    asked = args.get("exchange_id")
    if asked is None:
        return _all_open(view)
    uid = view.accounts.get(str(asked))
    if uid is None and view.conflicts.unknown_reads_empty:
        return _json([])
    if uid is None or view.is_unreachable(uid):
        raise Refused(shapes.unreachable(view.conflicts, {"exchange_id": asked}))
    return _json(view.shown(uid))


def _all_open(view: View) -> Answer:
    reached = {name: uid for name, uid in view.accounts.items() if not view.is_unreachable(uid)}
    missing = view.accounts.keys() - reached.keys()
    if missing and not view.conflicts.unfiltered_hides_unreachable:
        raise Refused(shapes.unreachable(view.conflicts, {"exchange_id": min(missing)}))
    return _json([row for uid in reached.values() for row in view.shown(uid)])


def status(view: View, client_order_id: str) -> Answer:
    """`GET /v1/orders/status/{client_order_id}`: the last report, of a closed order too."""
    for uid in view.accounts.values():
        order = _found(view, uid, {"client_order_id": client_order_id})
        if order is not None:
            return _json(view.report(uid, order, at=view.now))
    rejected = {"client_order_id": client_order_id}
    raise Refused(_not_found(view, client_order_id, rejected, status=404))


def history(view: View, args: Args) -> Answer:
    """`GET /v1/orders/history`: refused unless orders are logged; the rows are not established."""
    if not view.conflicts.keeps_order_log:
        raise view.invalid("time_start", "Order logging is not configured.")
    start, end = (_moment(view, args, name) for name in ("time_start", "time_end"))
    rows = [
        view.report(uid, order, at=view.now)
        for uid in view.accounts.values()
        for order in _all_known(view, uid)
        if start <= order.placed_at + view.skew_s <= end
    ]
    return _json(rows)


def _needed(view: View, args: Args, name: str) -> str:
    value = args.get(name)
    if not isinstance(value, str) or not value:
        raise view.invalid(name, f"The {name} field is required.")
    return value


def _moment(view: View, args: Args, name: str) -> float:
    try:
        moment = datetime.fromisoformat(_needed(view, args, name))
    except ValueError:
        raise view.invalid(name, f"The {name} field is not a time.") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _addressed(view: View, exchange_id: str, rejected: Args) -> list[str]:
    """Return the accounts that a cancel is for: one, unless a name without a tag covers more."""
    is_wide = view.conflicts.untagged_covers_tagged and rejected["type"] == shapes.CANCEL_ALL
    uids = [
        uid
        for name, uid in view.accounts.items()
        if name == exchange_id or (is_wide and exchange_of(name) == exchange_id)
    ]
    if uids:
        return uids
    match view.conflicts.unknown:
        case Unknown.VALIDATION:
            raise view.invalid("exchange_id", f"Exchange {exchange_id} is not configured.")
        case Unknown.UNREACHABLE:
            raise Refused(shapes.unreachable(view.conflicts, rejected))
        case Unknown.REJECT:
            raise Refused(_rejected(view, Reason.OTHER, rejected, status=200))


def _meet_hitch(
    view: View, uid: str, orders: Sequence[Order], rejected: Args, *, is_unable: bool
) -> None:
    """Refuse a cancel that does not reach the exchange, or that it does not answer or know."""
    if is_unable:
        status = view.conflicts.unsupported_status
        raise Refused(_rejected(view, Reason.METHOD_NOT_SUPPORTED, rejected, status=status))
    hitch = view.hitch_of(uid)
    if hitch is None or hitch.reason is None:
        return
    if hitch.is_applied:
        view.cancel(uid, orders)
    statuses = {
        Reason.EXCHANGE_UNREACHABLE: shapes.UNREACHABLE_STATUS,
        Reason.EXCHANGE_RESPONSE_TIMEOUT: view.conflicts.timeout_status,
        Reason.METHOD_NOT_SUPPORTED: view.conflicts.unsupported_status,
        Reason.ORDER_ID_NOT_FOUND: view.conflicts.missing_status,
    }
    raise Refused(_rejected(view, hitch.reason, rejected, status=statuses.get(hitch.reason, 200)))


def _is_covered(view: View, order: Order) -> bool:
    """Tell whether a cancel-all takes an order."""
    if order.kind == OUTSIDE:
        return view.conflicts.takes_outside
    is_late = view.lives.is_in_transit(order, view.conflicts, at=view.now)
    return not (is_late and view.conflicts.transit_slips_past)


def _all_known(view: View, uid: str) -> list[Order]:
    """Return what EMS knows of an account, closed orders too."""
    orders = view.lives.book.orders.get(uid, [])
    return [o for o in orders if o.placed_at <= view.now and o.kind not in {SMART, UNSEEN}]


def _found(view: View, uid: str, ids: Args) -> Order | None:
    """Find an order by all the ids that are given."""
    for order in _all_known(view, uid):
        own = {"client_order_id": reports.client_id(order)}
        if not view.lives.is_in_transit(order, view.conflicts, at=view.now):
            own["exchange_order_id"] = reports.exchange_order_id(order)
        if all(own.get(name) == value for name, value in ids.items()):
            return order
    return None


def _not_found(view: View, named: str, rejected: Args, *, status: int) -> Answer:
    said = f"Order with ID: {named} not found"
    return shapes.reject(
        view.conflicts, Reason.ORDER_ID_NOT_FOUND, rejected, status=status, said=said
    )


def _rejected(view: View, reason: Reason, rejected: Args, *, status: int) -> Answer:
    return shapes.reject(view.conflicts, reason, rejected, status=status, said=_SAID[reason])


def _json(found: object) -> Answer:
    return Answer(status=200, body=json.dumps(found).encode())
