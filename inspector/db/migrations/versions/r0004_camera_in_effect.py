"""A run keeps what its camera said of its trigger and settings, and counts go beyond 2^31.

Both SQLite and PostgreSQL add such a column without touching a row. SQLite's integers are wide
enough; a camera at 200 frames a second comes to the end of PostgreSQL's in four months of a run.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("camera_in_effect", sa.String()))
    if op.get_bind().dialect.name == "sqlite":
        return
    for count in ("sequence", "frame_id", "lost_before"):
        op.alter_column("inspection", count, type_=sa.BigInteger())
