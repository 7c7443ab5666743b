"""The tables, as they stand after the newest migration. Nothing outside ``inspector.db`` sees them.

An inspection's row holds what is needed to replay it: the run names bundle, plan and recipe by
hash, the row the raw score and the thresholds it met. Enums are text with CHECK. Times are UTC.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, Dialect, ForeignKey, Index, UniqueConstraint
from sqlalchemy import types as sql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcTime(sql.TypeDecorator[datetime]):
    """A moment, stored in UTC; SQLite itself knows no zones. A time without zone is refused."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own declaration)
        datetime: UtcTime,
        float: sql.Double,
        dict[str, float]: sql.JSON,
        list[list[int]]: sql.JSON,
    }


class RunRow(Base):
    """From start to stop: everything that stayed the same meanwhile."""

    __tablename__ = "run"

    id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    station: Mapped[str]
    camera: Mapped[str]
    bundle_sha256: Mapped[str]
    plan_sha256: Mapped[str]
    recipe_sha256: Mapped[str]
    settings_sha256: Mapped[str]
    runtime: Mapped[str]
    precision: Mapped[str]
    steps: Mapped[int]
    program_version: Mapped[str]


class InspectionRow(Base):
    """One trigger. A score that is no number (NaN) is NULL here: SQLite has no NaN."""

    __tablename__ = "inspection"

    id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"))
    sequence: Mapped[int]
    frame_id: Mapped[int]
    lost_before: Mapped[int]
    source: Mapped[str]
    product: Mapped[str | None]
    verdict: Mapped[str]
    reason: Mapped[str | None]
    alarm: Mapped[str | None]
    score: Mapped[float | None]
    threshold: Mapped[float | None]
    map_threshold: Mapped[float | None]
    grabbed_at: Mapped[datetime]
    inspected_at: Mapped[datetime]
    stages_ms: Mapped[dict[str, float]]
    overlay: Mapped[str | None]
    crop: Mapped[str | None]
    picture: Mapped[str | None]
    truth_defect: Mapped[str | None]

    defects: Mapped[list["DefectRow"]] = relationship(order_by="DefectRow.rank")

    __table_args__: Any = (
        UniqueConstraint("run_id", "sequence"),
        CheckConstraint("verdict IN ('OK', 'NG', 'FAULT')", name="verdict_is_known"),
        CheckConstraint("(verdict = 'OK') = (reason IS NULL)", name="ok_alone_has_no_reason"),
        CheckConstraint(
            "verdict = 'FAULT' OR (score IS NOT NULL AND threshold IS NOT NULL)",
            name="judged_has_score",
        ),
        CheckConstraint("lost_before >= 0", name="lost_is_a_count"),
        # Each filter of the history, in the order its pages are read.
        Index("inspection_by_time", "inspected_at", "id"),
        Index("inspection_by_verdict", "verdict", "inspected_at", "id"),
        Index("inspection_by_product", "product", "inspected_at", "id"),
        Index("inspection_by_reason", "reason", "inspected_at", "id"),
    )


class DefectRow(Base):
    """One region of an NG part, in pixels of its picture; ``rank`` 0 has the highest peak."""

    __tablename__ = "defect"

    inspection_id: Mapped[str] = mapped_column(ForeignKey("inspection.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    x: Mapped[int]
    y: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    area_px: Mapped[int]
    peak: Mapped[float]
    contour: Mapped[list[list[int]]]
