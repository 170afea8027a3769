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
    Wrong(
        name="drops a class from its readings",
        venue="pacifica",
        path="pacifica_reading.py",
        old="        parts.append(partial(_read_twaps, reader, scope))",
        new="        pass",
    ),
    Wrong(
        name="cancels no strategies",
        venue="pacifica",
        path="pacifica_adapter.py",
        old="        if STRATEGY in wanted:\n",
        new="        if not wanted:\n",
    ),
    Wrong(
        name="ignores the counters",
        venue="pacifica",
        path="pacifica_reading.py",
        old="    if count <= shown:\n",
        new="    if True:\n",
    ),
    Wrong(
        name="reads an absent counter as zero",
        venue="pacifica",
        path="pacifica_lists.py",
        old='alias="stop_orders_count", ge=0)',
        new='alias="stop_orders_count", default=0)',
    ),
    Wrong(
        name="reads an absent list as an empty one",
        venue="pacifica",
        path="pacifica_lists.py",
        old='read(_Orders, {"data": told.payload}, "read orders")',
        new='read(_Orders, {"data": told.payload or []}, "read orders")',
    ),
    Wrong(
        name="signs other bytes than the venue",
        venue="pacifica",
        path="pacifica_wire.py",
        old='json.dumps(signed, sort_keys=True, separators=(",", ":"))',
        new="json.dumps(signed, sort_keys=True)",
    ),
    Wrong(
        name="cancels every symbol for a scope by symbol",
        venue="pacifica",
        path="pacifica_wire.py",
        old='        "all_symbols": not symbol,',
        new='        "all_symbols": True,',
    ),
    Wrong(
        name="takes reduce-only orders though they should stay",
        venue="pacifica",
        path="pacifica_wire.py",
        old='"exclude_reduce_only": protective is Protective.KEEP',
        new='"exclude_reduce_only": False',
    ),
    Wrong(
        name="does not fall back to HTTP",
        venue="pacifica",
        path="pacifica_calls.py",
        old="        if frame is not None:\n            return self._judged_frame(frame)\n",
        new="        if frame is not None:\n            return self._judged_frame(frame)\n"
        '        raise VenueOutcomeUnknown(user_message="the socket is silent")\n',
    ),
    Wrong(
        name="takes the next frame for its answer",
        venue="pacifica",
        path="pacifica_socket.py",
        old="self.waiting.get(frame.request_id) if frame.request_id is not None else None",
        new="next(iter(self.waiting.values()), None)",
    ),
    Wrong(
        name="ignores the second page of strategies",
        venue="pacifica",
        path="pacifica_reading.py",
        old="            has_more = len(page) >= wire.STRATEGIES_LEAST",
        new="            has_more = False",
    ),
    Wrong(
        name="believes a list that is older than the last one",
        venue="pacifica",
        path="pacifica_reading.py",
        old="            if told.last_order_id < self.memory.last_order_id:\n",
        new="            if False:\n",
    ),
    Wrong(
        name="takes a list that goes on for a whole one",
        venue="pacifica",
        path="pacifica_replies.py",
        old="    if envelope.has_more or envelope.next_cursor:\n",
        new="    if False:\n",
    ),
    Wrong(
        name="names the agent as the account",
        venue="pacifica",
        path="pacifica_calls.py",
        old="            account=self.account,\n            agent=",
        new="            account=address,\n            agent=",
    ),
    Wrong(
        name="sends after consent has ended",
        venue="pacifica",
        path="pacifica_calls.py",
        old="        if not self.may_send():",
        new="        if False:",
    ),
    Wrong(
        name="asks no more once the credits are said to be used up",
        venue="pacifica",
        path="pacifica_codes.py",
        old="HOLD_S_MAX = 5.0",
        new="HOLD_S_MAX = 3600.0",
    ),
    Wrong(
        name="leaves TWAPs to the cancel-all",
        venue="synthetix",
        path="synthetix_adapter.py",
        old="        if TWAP in classes:\n",
        new="        if not classes:\n",
    ),
    Wrong(
        name="ignores page 2",
        venue="synthetix",
        path="synthetix_reading.py",
        old="            if len(page) < wire.PAGE_LEAST:\n",
        new="            if True:\n",
    ),
    Wrong(
        name="takes pages that do not follow one another",
        venue="synthetix",
        path="synthetix_reading.py",
        old="            has_moved |= offset > 0 and not _follows(page, found)\n",
        new="",
    ),
    Wrong(
        name="does not pad r and s with zeros",
        venue="synthetix",
        path="synthetix_wire.py",
        old='        "r": f"0x{signature.r:064x}",\n        "s": f"0x{signature.s:064x}",\n',
        new='        "r": hex(signature.r),\n        "s": hex(signature.s),\n',
    ),
    Wrong(
        name="draws a nonce twice",
        venue="synthetix",
        path="nonces.py",
        old="min(max(now_ms, self.last + 1), NONCE_MAX)",
        new="min(max(now_ms, self.last), NONCE_MAX)",
    ),
    Wrong(
        name="does not jump over nonces of others",
        venue="synthetix",
        path="nonces.py",
        old="            self.last = max(self.last, nonce + jump_ms)\n",
        new="            self.last = max(self.last, nonce)\n",
    ),
    Wrong(
        name="keeps one series of nonces for each subaccount",
        venue="synthetix",
        path="synthetix.py",
        old="self.link.gate.nonces.counter(signer.budget_id, self.state_dir)",
        new="self.link.gate.nonces.counter(signer.budget_id + uid, self.state_dir)",
    ),
    Wrong(
        name="trusts the receipt and reads nothing",
        venue="synthetix",
        path="synthetix_adapter.py",
        old="        return await readings.read_all(self.caller, scope, pages_max=pages_max)",
        new="        return Reading()",
    ),
    Wrong(
        name="reads an absent list as an empty one",
        venue="synthetix",
        path="synthetix_lists.py",
        old='read(_Rows, {"response": told.payload}',
        new='read(_Rows, {"response": told.payload or []}',
    ),
    Wrong(
        name="widens a symbol to all markets",
        venue="synthetix",
        path="synthetix_adapter.py",
        old="        if not scope.symbols:\n            return [[EVERYTHING]]\n",
        new="        if True:\n            return [[EVERYTHING]]\n",
    ),
    Wrong(
        name="sweeps what protects though it should stay",
        venue="synthetix",
        path="synthetix_adapter.py",
        old="    return is_whole and scope.protective is Protective.CANCEL\n",
        new="    return is_whole\n",
    ),
    Wrong(
        name="signs other bytes than it sends",
        venue="synthetix",
        path="synthetix_wire.py",
        old='    values["expiresAfter"] = expires_after\n',
        new='    values["expiresAfter"] = expires_after + 1\n',
    ),
    Wrong(
        name="swallows an error of its reading",
        venue="synthetix",
        path="synthetix_reading.py",
        old="        return Listed(orders=tuple(found.values()), error=error)",
        new="        return Listed(orders=tuple(found.values()))",
    ),
    Wrong(
        name="has no way but the wildcard",
        venue="synthetix",
        path="synthetix_adapter.py",
        old="        missed = [each for each in sweeps if _has_missed(each, listed)]\n",
        new="        missed = []\n",
    ),
    Wrong(
        name="takes a page that comes twice for the end",
        venue="synthetix",
        path="synthetix_reading.py",
        old="            if not fresh:\n"
        '                raise replies.invalid("the list of orders shows a page twice")\n',
        new="            if not fresh:\n"
        "                return Listed(orders=tuple(found.values()))\n",
    ),
    Wrong(
        name="sends after consent has ended",
        venue="synthetix",
        path="synthetix_calls.py",
        old="        if not self.may_send():",
        new="        if False:",
    ),
]
