"""Run by Alembic, always on the connection that :mod:`inspector.db.migrate` hands over.

The transaction is the caller's, and SQLite's DDL is part of it: a migration that fails leaves
the database as it was.
"""

from alembic import context

from inspector.db import people_tables, side_tables  # noqa: F401 — they tell Base of their tables
from inspector.db.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
context.run_migrations()
