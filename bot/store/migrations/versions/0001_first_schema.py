"""The first schema: requests, votes, deliveries, targets, leases, events, messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    _requests()
    _request_indexes()
    _votes()
    _deliveries()
    _targets()
    _leases()
    _events()
    _messages()


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=6), nullable=False),
        sa.Column("state", sa.String(length=11), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("requester", sa.JSON(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("policy_text", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("posted_at", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.String(length=32), nullable=False),
        sa.Column("consent_s", sa.Float(), nullable=False),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("decided_at", sa.String(length=32), nullable=True),
        sa.Column("verdict_at", sa.String(length=32), nullable=True),
        sa.Column("consent_ends_at", sa.String(length=32), nullable=True),
        sa.Column("chase_stopped_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.String(length=32), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(state IN ('PENDING', 'RUNNING')) = (ended_at IS NULL)",
            name="only_the_ended_have_an_end",
        ),
        sa.CheckConstraint(
            "state IN ('PENDING', 'RUNNING', 'FINISHED', 'INTERRUPTED', 'DENIED', 'WITHDRAWN',"
            " 'EXPIRED')",
            name="request_state_is_known",
        ),
        sa.CheckConstraint(
            "state NOT IN ('RUNNING', 'FINISHED', 'INTERRUPTED')"
            " OR (decided_at IS NOT NULL AND verdict_at IS NOT NULL"
            " AND consent_ends_at IS NOT NULL)",
            name="run_has_its_clocks",
        ),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id", name="request_id_is_unique"),
    )


def _request_indexes() -> None:
    op.create_index(
        "one_pending_per_person",
        "requests",
        ["person_id"],
        unique=True,
        sqlite_where=sa.text("state = 'PENDING'"),
    )
    op.create_index(
        "one_pending_per_plan",
        "requests",
        ["fingerprint"],
        unique=True,
        sqlite_where=sa.text("state = 'PENDING'"),
    )
    op.create_index("requests_by_state", "requests", ["state"], unique=False)


def _votes() -> None:
    op.create_table(
        "votes",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=6), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.String(length=7), nullable=False),
        sa.Column("vote", sa.JSON(), nullable=False),
        sa.CheckConstraint("answer IN ('approve', 'deny')", name="answer_is_known"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"]),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("request_id", "person_id", name="one_vote_per_person"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=6), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _targets() -> None:
    op.create_table(
        "targets",
        sa.Column("request_id", sa.String(length=6), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("status", sa.JSON(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.CheckConstraint("is_final IN (0, 1)", name="is_final_is_boolean"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"]),
        sa.PrimaryKeyConstraint("request_id", "account"),
    )


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=6), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("hash", name="event_hash_is_unique"),
    )
    op.create_index("events_by_request", "events", ["request_id"], unique=False)


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("request_id", sa.String(length=6), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("slot", sa.String(length=255), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("ts", sa.String(length=32), nullable=True),
        sa.Column("revision", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.CheckConstraint("state IN ('intended', 'taken')", name="message_state_is_known"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"]),
        sa.PrimaryKeyConstraint("request_id", "kind", "slot"),
    )
