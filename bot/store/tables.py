"""Tables and their constraints.

Owns the schema as SQLAlchemy sees it; `migrations/` builds it in a file, and a test holds the two
together. Never runs a statement. Times are ISO 8601 text in UTC, except leases: seconds of the
database's own clock.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

STATES = "'PENDING', 'RUNNING', 'FINISHED', 'INTERRUPTED', 'DENIED', 'WITHDRAWN', 'EXPIRED'"

requests = Table(
    "requests",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(6), nullable=False),
    Column("state", String(11), nullable=False),
    Column("person_id", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # The plan's digest without a request id.
    Column("plan", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("requester", JSON, nullable=False),
    Column("command", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("policy_text", Text, nullable=False),
    Column("channel", String(64), nullable=False),
    Column("posted_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("consent_s", Float, nullable=False),
    Column("counts", JSON(none_as_null=True)),
    Column("notes", JSON, nullable=False),
    Column("decided_at", String(32)),
    Column("verdict_at", String(32)),
    Column("consent_ends_at", String(32)),
    Column("chase_stopped_by", Text),
    Column("ended_at", String(32)),
    Column("ended_why", Text, nullable=False),
    UniqueConstraint("id", name="request_id_is_unique"),
    CheckConstraint(f"state IN ({STATES})", name="request_state_is_known"),
    CheckConstraint(
        "state NOT IN ('RUNNING', 'FINISHED', 'INTERRUPTED')"
        " OR (decided_at IS NOT NULL AND verdict_at IS NOT NULL AND consent_ends_at IS NOT NULL)",
        name="run_has_its_clocks",
    ),
    CheckConstraint(
        "(state IN ('PENDING', 'RUNNING')) = (ended_at IS NULL)", name="only_the_ended_have_an_end"
    ),
    Index(
        "one_pending_per_person", "person_id", unique=True, sqlite_where=text("state = 'PENDING'")
    ),
    Index(
        "one_pending_per_plan", "fingerprint", unique=True, sqlite_where=text("state = 'PENDING'")
    ),
    Index("requests_by_state", "state"),
)

votes = Table(
    "votes",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("request_id", String(6), ForeignKey("requests.id"), nullable=False),
    Column("person_id", String(64), nullable=False),
    Column("answer", String(7), nullable=False),
    Column("vote", JSON, nullable=False),
    UniqueConstraint("request_id", "person_id", name="one_vote_per_person"),
    CheckConstraint("answer IN ('approve', 'deny')", name="answer_is_known"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("request_id", String(6), nullable=True),
)

targets = Table(
    "targets",
    metadata,
    Column("request_id", String(6), ForeignKey("requests.id"), primary_key=True),
    Column("account", String(255), primary_key=True),
    Column("place", Integer, nullable=False),  # In the plan, from 0.
    Column("key", Text, nullable=False),
    Column("status", JSON, nullable=False),
    Column("is_final", Boolean, nullable=False),
    CheckConstraint("is_final IN (0, 1)", name="is_final_is_boolean"),
)

leases = Table(
    "leases",
    metadata,
    Column("key", Text, primary_key=True),
    Column("owner", Text),  # NULL: given back.
    Column("lease_until", Float, nullable=False),  # Unix seconds of the database's clock.
    Column("fence", Integer, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True),
    # No foreign key: a fact is kept whatever it speaks of.
    Column("request_id", String(6), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", Text, nullable=False),  # Canonical JSON: the very bytes that are hashed.
    Column("hash", String(64), nullable=False),
    UniqueConstraint("hash", name="event_hash_is_unique"),
    Index("events_by_request", "request_id"),
)

pulls = Table(
    "pulls",
    metadata,
    Column("request_id", String(6), ForeignKey("requests.id"), primary_key=True),
    Column("by", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("closed_by", Text),
    Column("closed_at", String(32)),
    CheckConstraint("(closed_by IS NULL) = (closed_at IS NULL)", name="who_closed_it_did_so_once"),
)

messages = Table(
    "messages",
    metadata,
    Column("request_id", String(6), ForeignKey("requests.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("slot", String(255), primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("ts", String(32)),  # NULL: no post was ever answered.
    Column("revision", String(64), nullable=False),
    Column("state", String(8), nullable=False),
    CheckConstraint("state IN ('intended', 'taken')", name="message_state_is_known"),
)
