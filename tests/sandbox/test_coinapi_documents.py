"""The documents' own requests and replies, and Python's own HTTP client, on the simulated EMS.

No client of EMS that is not ours can be installed: CoinAPI's repository has no Python package for
this API, so the documented requests drive the simulator to the letter.
"""

from __future__ import annotations

import http.client
import json
import time
from asyncio import to_thread

import pytest

from bot.sandbox.venues import server
from bot.sandbox.venues.coinapi_shapes import Accepted, Reason
from tests.sandbox.coinapi_caller import (
    CANCEL_ALL,
    JOHN,
    OURS,
    PLAIN,
    REQUESTS,
    RESPONSES,
    caller,
    fields,
    wired,
)

MESSAGE = b'{"type": "message", "exchange_id": "KRAKEN/JOHN", "severity": %s}'


@pytest.mark.parametrize(
    ("accepted", "body"),
    [
        (Accepted.MESSAGE, MESSAGE % b'"INFO", "message": "Ok"'),
        (Accepted.MESSAGE_ERROR, MESSAGE % b'"ERROR", "message": "Something went wrong"'),
        (
            Accepted.RENAMED,
            b'{"type": "MESSAGE_REJECT", "exchange_id": "KRAKEN/JOHN", "message": "Ok"}',
        ),
        (Accepted.EMPTY, b""),
        (Accepted.UNKNOWN, b'["queued",1]'),
    ],
)
def test_an_accepted_cancel_all_cancels_whatever_its_body_looks_like(
    accepted: Accepted, body: bytes
):
    ours = caller()
    ours.place("limit", "a")
    ours.choose(accepted=accepted)
    answer = ours.cancel_all()
    assert (answer.status, answer.body) == (200, body)
    ours.wait(1)
    assert ours.open() == []


def test_an_accepted_cancel_all_may_look_like_the_documented_rejection():
    ours = caller()
    ours.place("limit", "a")
    ours.choose(accepted=Accepted.REJECT)
    documented = RESPONSES["cancel-all-200-as-documented-now"]["body"]
    assert fields(ours.cancel_all()) == documented | {"exchange_id": JOHN}
    ours.wait(1)
    assert ours.open() == []


def test_the_usual_body_is_the_message_of_2021():
    ours = caller()
    documented = RESPONSES["cancel-all-200-as-documented-until-2021"]["body"]
    assert fields(ours.cancel_all(PLAIN)) == documented


DOCUMENTED = [
    ("cancel-all", 200),
    ("cancel-all-untagged", 200),
    ("open-orders-all", 200),
    ("open-orders-one", 200),
    ("cancel-one-by-client-id", 200),
    ("cancel-one-by-exchange-id", 404),
    ("order-status", 200),
    ("mgmt-endpoints", 200),
    ("mgmt-exchanges", 200),
    ("sor-list", 200),
    ("sor-cancel", 400),
]


@pytest.mark.parametrize(("name", "status"), DOCUMENTED)
def test_every_documented_request_is_understood_to_the_letter(name: str, status: int):
    ours = caller()
    ours.place("limit", "6ab36bc1-344d-432e-ac6d-0bf44ee64c2b", at=PLAIN)
    assert ours.documented(name).status == status


def test_no_documented_request_is_left_out_but_the_misprint():
    assert {name for name, _ in DOCUMENTED} == REQUESTS.keys() - {"cancel-all-docs-typo"}


def test_the_misprint_of_the_quickstart_is_refused():
    ours = caller()
    ours.place("limit", "a")
    body = json.dumps(REQUESTS["cancel-all-docs-typo"]["body"]).encode()
    answer = ours.send("POST", CANCEL_ALL, body)
    assert (answer.status, list(fields(answer)["errors"])) == (400, ["exchange_id"])
    assert ours.open() == ["a"]


def test_an_unknown_order_is_told_in_the_documented_words():
    answer = caller().send("GET", "/v1/orders/status/BINANCE-7d8a-4888")
    documented = RESPONSES["order-status-404"]
    found = fields(answer)
    assert (answer.status, found.keys()) == (documented["status"], documented["body"].keys())
    assert found["message"] == documented["body"]["message"]


async def test_the_documented_session_goes_over_a_real_socket():
    """Python's own HTTP client, which knows no EMS, sends what the documents print."""
    ours = caller(has_limits=True)
    ours.now = time.time()
    ours.venue.book.cancel_delay_s = 0.0
    ours.place("limit", "a")

    def session(host: str) -> list[tuple[int, str | None, bytes]]:
        found = []
        for name in ("open-orders-one", "cancel-all", "open-orders-one"):
            link = http.client.HTTPConnection(host, timeout=5)
            method, target, body = wired(REQUESTS[name])
            headers = REQUESTS[name].get("headers") or {"X-CoinAPI-Key": OURS}
            link.request(method, target, body, headers)
            reply = link.getresponse()
            found.append((reply.status, reply.getheader("Content-Type"), reply.read()))
            link.close()
        return found

    async with server.serve(ours.venue) as url:
        host = url.removeprefix("http://")
        before, cancelled, after = await to_thread(session, host)
        ours.hitch(Reason.EXCHANGE_UNREACHABLE)
        unreachable = (await to_thread(session, host))[1]
    assert [row["client_order_id"] for row in json.loads(before[2])] == ["a"]
    assert json.loads(cancelled[2])["message"] == "Ok"
    assert after == (200, "application/json", b"[]")
    assert unreachable[:2] == (490, "appliction/json")
