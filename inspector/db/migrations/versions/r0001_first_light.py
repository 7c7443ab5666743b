"""The first tables: run, inspection, defect. Written out, so that it never moves with the code."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_run()
    _create_inspection()
    _create_defect()


def _create_run() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime()),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("bundle_sha256", sa.String(), nullable=False),
        sa.Column("plan_sha256", sa.String(), nullable=False),
        sa.Column("recipe_sha256", sa.String(), nullable=False),
        sa.Column("settings_sha256", sa.String(), nullable=False),
        sa.Column("runtime", sa.String(), nullable=False),
        sa.Column("precision", sa.String(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("program_version", sa.String(), nullable=False),
    )


def _create_inspection() -> None:
    op.create_table(
        "inspection",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("run_id", sa.String(), sa.ForeignKey("run.id"), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("frame_id", sa.Integer(), nullable=False),
        sa.Column("lost_before", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("product", sa.String()),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("alarm", sa.String()),
        sa.Column("score", sa.Double()),
        sa.Column("threshold", sa.Double()),
        sa.Column("map_threshold", sa.Double()),
        sa.Column("grabbed_at", sa.DateTime(), nullable=False),
        sa.Column("inspected_at", sa.DateTime(), nullable=False),
        sa.Column("stages_ms", sa.JSON(), nullable=False),
        sa.Column("overlay", sa.String()),
        sa.Column("crop", sa.String()),
        sa.Column("picture", sa.String()),
        sa.Column("truth_defect", sa.String()),
        sa.UniqueConstraint("run_id", "sequence"),
        sa.CheckConstraint("verdict IN ('OK', 'NG', 'FAULT')", name="verdict_is_known"),
        sa.CheckConstraint("(verdict = 'OK') = (reason IS NULL)", name="ok_alone_has_no_reason"),
        sa.CheckConstraint(
            "verdict = 'FAULT' OR (score IS NOT NULL AND threshold IS NOT NULL)",
            name="judged_has_score",
        ),
        sa.CheckConstraint("lost_before >= 0", name="lost_is_a_count"),
    )
    for name in ("verdict", "product", "reason"):
        op.create_index(f"inspection_by_{name}", "inspection", [name, "inspected_at", "id"])
    op.create_index("inspection_by_time", "inspection", ["inspected_at", "id"])


def _create_defect() -> None:
    op.create_table(
        "defect",
        sa.Column("inspection_id", sa.String(), sa.ForeignKey("inspection.id"), primary_key=True),
        sa.Column("rank", sa.Integer(), primary_key=True),
        sa.Column("x", sa.Integer(), nullable=False),
        sa.Column("y", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("area_px", sa.Integer(), nullable=False),
        sa.Column("peak", sa.Double(), nullable=False),
        sa.Column("contour", sa.JSON(), nullable=False),
    )
