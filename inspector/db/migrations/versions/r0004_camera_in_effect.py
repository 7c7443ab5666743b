"""A run keeps what its camera said of its trigger and settings.

Both SQLite and PostgreSQL add such a column without touching a row.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("camera_in_effect", sa.String()))
