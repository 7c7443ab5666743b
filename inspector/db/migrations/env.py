"""Run by Alembic, always on the connection that :mod:`inspector.db.migrate` hands over.

SQLite's DDL is transactional, though Alembic's dialect does not count on it: a migration that
fails leaves the database as it was.
"""

from alembic import context

from inspector.db.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
