"""People, accounts and votes for the tests of policies."""

from datetime import UTC, datetime, timedelta
from typing import Any

from policies import model
from policies.evaluate import Ballot
from policies.model import Account, Actor, ActorKind, Answer, Policy, Vote

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
TEXT = """\
workspaces = ["T0HOME"]

[roles.traders]
groups = ["S0TRADERS"]
[roles.risk]
groups = ["S0RISK"]
[roles.head]
users = ["U0HEAD"]

[[rule]]
name = "prod"
tags = { env = "prod" }
ask = ["traders", "machine:grafana"]
approve = [{ roles = ["risk", "head"] }]

[[rule]]
name = "big"
accounts = ["whale"]
ask = ["traders", "machine:grafana"]
approve = [{ roles = ["risk"] }, { roles = ["head"] }]
request_ttl_min = 5
consent_min = 3

[[rule]]
name = "test"
venues = ["paper"]
ask = ["traders", "machine:grafana"]
approve = []
"""
POLICY: Policy = model.parse(TEXT)
PROD = Account(name="mm", venue="bybit", tags=(("env", "prod"),))
WHALE = Account(name="whale", venue="bybit")
PAPER = Account(name="toy", venue="paper")
ORPHAN = Account(name="orphan", venue="bybit")


def person(user_id: str, *groups: str, **more: Any) -> Actor:
    facts: dict[str, Any] = {
        "user_id": user_id,
        "person_id": user_id,
        "name": user_id.removeprefix("U0").lower(),
        "team_id": "T0HOME",
        "groups": frozenset(groups),
        "is_bot": False,
        "is_deactivated": False,
        "is_guest": False,
        "is_stranger": False,
        "is_invited": False,
        "read_at": NOW,
    }
    return Actor(**(facts | more))


ALICE = person("U0ALICE", "S0TRADERS")
BOB = person("U0BOB", "S0RISK")
CAROL = person("U0CAROL", "S0RISK")
HEAD = person("U0HEAD")
GRAFANA = Actor(
    user_id="machine:grafana",
    person_id="machine:grafana",
    name="grafana",
    kind=ActorKind.MACHINE,
    read_at=NOW,
)


def ballot(*accounts: Account, requester: Actor = ALICE) -> Ballot:
    return Ballot(
        request_id="K7Q2M", digest="d" * 64, accounts=accounts or (PROD,), requester=requester
    )


def approval(actor: Actor, *, at_s: float = 0.0, **more: object) -> Vote:
    facts: dict[str, object] = {
        "request_id": "K7Q2M",
        "digest": "d" * 64,
        "actor": actor,
        "answer": Answer.APPROVE,
        "at": NOW + timedelta(seconds=at_s),
    }
    return Vote(**(facts | more))  # type: ignore[arg-type]


def denial(actor: Actor, reason: str = "", *, at_s: float = 0.0) -> Vote:
    return approval(actor, at_s=at_s, answer=Answer.DENY, reason=reason)
