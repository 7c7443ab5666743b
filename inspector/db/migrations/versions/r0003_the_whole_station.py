"""The whole schema of a station: what a run rests on becomes rows, and what stands beside parts.

Rows that are there keep their place: ``inspection`` only gains columns at its end, which SQLite
adds without touching a row. ``run`` is copied, for its foreign keys; it is short.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_what_a_run_rests_on()
    _fill_what_a_run_rests_on()
    _extend_run()
    _extend_inspection()
    op.add_column("defect", sa.Column("area_mm2", sa.Double()))
    _create_review()
    _create_event()
    _create_golden_check()
    _create_outbox()
    _create_received()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), primary_key=True)


def _link(name: str, target: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), sa.ForeignKey(target), nullable=nullable)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _moment(name: str, nullable: bool = False) -> "sa.Column[datetime]":
    return sa.Column(name, sa.DateTime(), nullable=nullable)


def _json(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.JSON(), nullable=False)


def _create_what_a_run_rests_on() -> None:
    seen = "first_seen_at"
    op.create_table("station", _key("name"), _moment(seen))
    op.create_table(
        "camera",
        sa.Column("station", sa.String(), sa.ForeignKey("station.name"), primary_key=True),
        _key("name"),
        _moment(seen),
    )
    op.create_table("product", _key("name"), _moment(seen))
    op.create_table("bundle", _key("sha256"), sa.Column("name", sa.String()), _moment(seen))
    op.create_table("plan", _key("sha256"), _link("bundle_sha256", "bundle.sha256"), _moment(seen))
    op.create_table(
        "recipe_version", _key("sha256"), sa.Column("recipe", sa.String()), _moment(seen)
    )


def _fill_what_a_run_rests_on() -> None:
    """From the runs there are; names and recipes were not written down, and stay NULL."""
    first = "min(started_at) FROM run GROUP BY"
    for into, values in {
        "station (name, first_seen_at)": f"station, {first} station",
        "camera (station, name, first_seen_at)": f"station, camera, {first} station, camera",
        "bundle (sha256, first_seen_at)": f"bundle_sha256, {first} bundle_sha256",
        "plan (sha256, bundle_sha256, first_seen_at)": (
            f"plan_sha256, max(bundle_sha256), {first} plan_sha256"
        ),
        "recipe_version (sha256, first_seen_at)": f"recipe_sha256, {first} recipe_sha256",
        "product (name, first_seen_at)": (
            "product, min(inspected_at) FROM inspection WHERE product IS NOT NULL GROUP BY product"
        ),
    }.items():
        op.execute(f"INSERT INTO {into} SELECT {values}")


def _extend_run() -> None:
    with op.batch_alter_table("run") as run:
        for name in ("camera_spec", "plan_path", "shift", "lot"):
            run.add_column(sa.Column(name, sa.String()))
        run.create_foreign_key("run_station", "station", ["station"], ["name"])
        run.create_foreign_key("run_camera", "camera", ["station", "camera"], ["station", "name"])
        run.create_foreign_key("run_bundle", "bundle", ["bundle_sha256"], ["sha256"])
        run.create_foreign_key("run_plan", "plan", ["plan_sha256"], ["sha256"])
        run.create_foreign_key("run_recipe", "recipe_version", ["recipe_sha256"], ["sha256"])


def _extend_inspection() -> None:
    for name in ("part", "lot", "serial"):
        op.add_column("inspection", sa.Column(name, sa.String()))
    op.drop_index("inspection_by_reason", "inspection")
    _index_few("inspection_by_reason", ["reason", "inspected_at", "id", "product"], "reason")
    for name in ("part", "lot", "serial"):
        _index_few(f"inspection_by_{name}", [name, "inspected_at", "id"], name)
    _index_few("inspection_by_reject", ["product", "verdict", "inspected_at", "id"], "reason")
    _index_few("inspection_by_alarm", ["inspected_at", "id"], "alarm")


def _index_few(name: str, columns: list[str], has: str) -> None:
    """An index of the rows that have something, which are few."""
    where = sa.text(f"{has} IS NOT NULL")
    op.create_index(name, "inspection", columns, sqlite_where=where, postgresql_where=where)


def _create_review() -> None:
    op.create_table(
        "review",
        _key("id"),
        _link("inspection_id", "inspection.id"),
        _moment("at"),
        _text("who"),
        _text("verdict"),
        _text("comment"),
        sa.CheckConstraint("verdict IN ('OK', 'NG', 'UNSURE')", name="review_verdict_is_known"),
    )
    op.create_index("review_by_inspection", "review", ["inspection_id", "at"])


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        _link("run_id", "run.id", nullable=True),
        _moment("at"),
        _text("code"),
        _text("severity"),
        _text("text"),
        _json("details"),
        sa.CheckConstraint("severity IN ('INFO', 'WARNING', 'ALARM')", name="severity_is_known"),
    )
    op.create_index("event_by_time", "event", ["at", "id"])


def _create_golden_check() -> None:
    op.create_table(
        "golden_check",
        _key("id"),
        _moment("at"),
        _link("station", "station.name"),
        _link("plan_sha256", "plan.sha256"),
        _link("recipe_sha256", "recipe_version.sha256"),
        _text("outcome"),
        _count("pictures"),
        _count("failed"),
        sa.Column("who", sa.String()),
        _json("details"),
        sa.CheckConstraint("outcome IN ('PASSED', 'FAILED')", name="outcome_is_known"),
        sa.CheckConstraint("failed BETWEEN 0 AND pictures", name="failed_is_a_part"),
        sa.CheckConstraint(
            "outcome = 'FAILED' OR (failed = 0 AND pictures > 0)", name="passed_means_all"
        ),
    )
    op.create_index("golden_check_by_time", "golden_check", ["at", "id"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        _link("key", "inspection.id"),
        _count("revision"),
        _json("payload"),
        _text("state"),
        _count("attempts"),
        _moment("next_try_at"),
        _moment("lease_until", nullable=True),
        sa.Column("error", sa.String()),
        sa.CheckConstraint("state IN ('WAITING', 'DEAD')", name="outbox_state_is_known"),
        sa.CheckConstraint("attempts >= 0", name="attempts_is_a_count"),
        sa.CheckConstraint("revision >= 1", name="revision_counts_from_1"),
    )
    op.create_index("outbox_by_key", "outbox", ["key", "revision"], unique=True)
    op.create_index("outbox_by_state", "outbox", ["state", "id"])


def _create_received() -> None:
    op.create_table(
        "received",
        _key("key"),
        sa.Column("revision", sa.Integer(), primary_key=True, autoincrement=False),
        _moment("received_at"),
    )
