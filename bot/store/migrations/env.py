"""Runs the revisions on the connection it is given, in the transaction that is already open.

Never opens a database and never reads a file of settings: `bot.store.engine` hands both over.
"""

from __future__ import annotations

from alembic import context

from bot.store import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
