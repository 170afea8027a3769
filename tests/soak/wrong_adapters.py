"""Ways in which an adapter is wrong, each to be caught by the conformance kit.

Every one is a small change of the program's own adapters, such as a newcomer might write. The kit
of its venue must turn red; one that it lets pass is a hole in the kit.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wrong:
    """One wrong adapter."""

    name: str
    venue: str
    path: str
    """Below `adapters`."""
    old: str
    new: str


WRONG = [
    Wrong(
        name="drops a class from its readings",
        venue="bybit",
        path="bybit_adapter.py",
        old="        for category in (*DERIVATIVES, SPOT, SPREAD):\n"
        "            if any(_category(each) == category for each in classes):\n"
        "                found += self._category_series(category, scope)\n",
        new="        for category in (*DERIVATIVES, SPOT, SPREAD):\n"
        "            if any(_category(each) == category for each in classes):\n"
        "                found += self._category_series(category, scope)\n"
        "        classes = tuple(each for each in classes if each != STRATEGY)\n",
    ),
    Wrong(
        name="drops a class from its cancels",
        venue="bybit",
        path="bybit_adapter.py",
        old="        for order_class in readings.classes_of(scope):\n"
        "            if order_class == STRATEGY:",
        new="        for order_class in readings.classes_of(scope):\n"
        '            if order_class == "spot oco":\n'
        "                continue\n"
        "            if order_class == STRATEGY:",
    ),
    Wrong(
        name="trusts the receipt and reads nothing",
        venue="bybit",
        path="bybit_adapter.py",
        old="        series, look = self._series(scope), Look(scope=scope, pages_max=pages_max)\n",
        new="        series, look = [], Look(scope=scope, pages_max=pages_max)\n",
    ),
    Wrong(
        name="ignores page 2",
        venue="bybit",
        path="bybit_reading.py",
        old="            if not cursor or (cursor in seen and not page.rows):",
        new="            if True:",
    ),
    Wrong(
        name="forgets what page 1 showed when page 2 fails",
        venue="bybit",
        path="bybit_reading.py",
        old="        return Reading(orders=tuple(orders), unread=unread)",
        new="        return Reading(orders=tuple(orders))",
    ),
    Wrong(
        name="signs other bytes than it sends",
        venue="bybit",
        path="bybit_calls.py",
        old="                body=ask.body.encode(),",
        new='                body=ask.body.encode() + b" ",',
    ),
    Wrong(
        name="sends after consent has ended",
        venue="bybit",
        path="bybit_calls.py",
        old="            if not self.may_send():",
        new="            if False:",
    ),
    Wrong(
        name="raises after the first byte",
        venue="bybit",
        path="bybit_adapter.py",
        old="            return (receipts_of.parse_cancel_all(order_class, ask, envelope),)\n"
        "        except VenueError as error:",
        new="            return (receipts_of.parse_cancel_all(order_class, ask, envelope),)\n"
        "        except VenueReplyInvalid as error:",
    ),
    Wrong(
        name="widens a symbol to its settle coin",
        venue="bybit",
        path="bybit_adapter.py",
        old='            selectors = [{"symbol": symbol} for symbol in mine]',
        new='            selectors = [{"settleCoin": "USDT"} for symbol in mine]',
    ),
    Wrong(
        name="cancels what protects though it should stay",
        venue="bybit",
        path="bybit_reading.py",
        old="    if scope.protective is Protective.KEEP and order.is_protective:",
        new="    if False:",
    ),
    Wrong(
        name="reads an absent list as an empty one",
        venue="bybit",
        path="bybit_replies.py",
        old='class _OrderPage(Wire):\n    rows: list[_OrderRow] = Field(alias="list")',
        new='class _OrderPage(Wire):\n    rows: list[_OrderRow] = Field(default=[], alias="list")',
    ),
    Wrong(
        name="believes HTTP 200 before the body",
        venue="bybit",
        path="bybit_replies.py",
        old="    if envelope is None:\n        raise by_status\n    if envelope.code == 0:",
        new="    if envelope is None:\n        raise by_status\n    if is_2xx:",
    ),
    Wrong(
        name="takes a cancel that is under way for a final state",
        venue="coinapi",
        path="coinapi_reports.py",
        old='FINAL = frozenset({"FILLED", "CANCELED", "REJECTED"})',
        new='FINAL = frozenset({"FILLED", "CANCELED", "REJECTED", "PENDING_CANCEL"})',
    ),
    Wrong(
        name="drops rows that it cannot read",
        venue="coinapi",
        path="coinapi_reports.py",
        old="            error = error or complaint\n",
        new="",
    ),
    Wrong(
        name="drops orders of another account in silence",
        venue="coinapi",
        path="coinapi_reports.py",
        old="            error = error or "
        'invalid("orders of another exchange_id than was asked for")',
        new="            continue",
    ),
    Wrong(
        name="reads something that is no list as an empty one",
        venue="coinapi",
        path="coinapi_reports.py",
        old='        return Listed(error=invalid("no list of orders"))',
        new="        return Listed()",
    ),
    Wrong(
        name="swallows an error of its reading",
        venue="coinapi",
        path="coinapi_adapter.py",
        old="            return Reading(unread=(Unread(order_class=LIMIT, error=error),))",
        new="            return Reading()",
    ),
    Wrong(
        name="cancels everything for a scope by symbol",
        venue="coinapi",
        path="coinapi_adapter.py",
        old="    is_whole = not scope.symbols and scope.order_id is None",
        new="    is_whole = True",
    ),
]
