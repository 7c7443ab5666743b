"""The tables of parts, as they stand after the newest migration. What stands beside the parts
(reviews, events, outbox) is in :mod:`inspector.db.side_tables`. Nothing outside ``inspector.db``
sees either.

All that is needed to replay an inspection is reached from its row: the run names camera, bundle,
plan and recipe version, the row the raw score and the thresholds it met. What stays the same from
start to stop is kept once, in the run: ten million inspections have to stay narrow. Enums are text
with CHECK. Times are UTC. Hashes are SHA-256 in hex and are keys, so that the rows of many stations
meet in one database without being numbered anew.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy import types as sql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


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


Count = Annotated[int, mapped_column(sql.BigInteger().with_variant(sql.Integer(), "sqlite"))]
"""Beyond 2^31, as SQLite's own integers are."""


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own declaration)
        datetime: UtcTime,
        float: sql.Double,
        dict[str, float]: sql.JSON,
        dict[str, Any]: sql.JSON,
        list[list[int]]: sql.JSON,
    }


NEWEST: Final = ("inspected_at", "id")


def of_those_with(name: str) -> dict[str, Any]:
    """Make an index hold only rows that have this: what few have costs the others nothing."""
    having = text(f"{name} IS NOT NULL")
    return {"sqlite_where": having, "postgresql_where": having}


class StationRow(Base):
    """A station by the name its settings give it."""

    __tablename__ = "station"

    name: Mapped[str] = mapped_column(primary_key=True)
    first_seen_at: Mapped[datetime]


class CameraRow(Base):
    """A camera of a station, by its own name; how it was set up is in the run: ``camera_spec`` is
    what it was opened with, ``camera_in_effect`` what it then said of itself, as JSON."""

    __tablename__ = "camera"

    station: Mapped[str] = mapped_column(ForeignKey("station.name"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    first_seen_at: Mapped[datetime]


class ProductRow(Base):
    """A product that was inspected: the choices of a filter, without reading every row."""

    __tablename__ = "product"

    name: Mapped[str] = mapped_column(primary_key=True)
    first_seen_at: Mapped[datetime]


class BundleRow(Base):
    """A model as it was exported; ``name`` is NULL where only runs of an old program used it."""

    __tablename__ = "bundle"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    first_seen_at: Mapped[datetime]


class PlanRow(Base):
    """A bundle built for one machine."""

    __tablename__ = "plan"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    bundle_sha256: Mapped[str] = mapped_column(ForeignKey("bundle.sha256"))
    first_seen_at: Mapped[datetime]


class RecipeVersionRow(Base):
    """A recipe as it was used; any change makes another version.

    ``recipe`` is the JSON text whose UTF-8 bytes have this hash, kept as it is so that anybody can
    hash it again; NULL where only runs of an old program used it.
    """

    __tablename__ = "recipe_version"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    recipe: Mapped[str | None]
    first_seen_at: Mapped[datetime]


class RunRow(Base):
    """From start to stop: everything that stayed the same meanwhile."""

    __tablename__ = "run"

    id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    station: Mapped[str] = mapped_column(ForeignKey("station.name", name="run_station"))
    camera: Mapped[str]
    camera_spec: Mapped[str | None]
    camera_in_effect: Mapped[str | None]
    bundle_sha256: Mapped[str] = mapped_column(ForeignKey("bundle.sha256", name="run_bundle"))
    plan_sha256: Mapped[str] = mapped_column(ForeignKey("plan.sha256", name="run_plan"))
    plan_path: Mapped[str | None]
    recipe_sha256: Mapped[str] = mapped_column(
        ForeignKey("recipe_version.sha256", name="run_recipe")
    )
    settings_sha256: Mapped[str]
    runtime: Mapped[str]
    precision: Mapped[str]
    steps: Mapped[int]
    program_version: Mapped[str]
    shift: Mapped[str | None]
    lot: Mapped[str | None]

    __table_args__: Any = (
        ForeignKeyConstraint(
            ["station", "camera"], ["camera.station", "camera.name"], name="run_camera"
        ),
    )


class InspectionRow(Base):
    """One trigger. A score that is no number (NaN) is NULL here: SQLite has no NaN.

    ``product`` is a name in the table of products without being a foreign key: SQLite could add
    one only by copying the whole table, hours of a large station's morning for a name.
    """

    __tablename__ = "inspection"

    id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"))
    sequence: Mapped[Count]
    frame_id: Mapped[Count]
    lost_before: Mapped[Count]
    source: Mapped[str]
    product: Mapped[str | None]
    part: Mapped[str | None]
    lot: Mapped[str | None]
    serial: Mapped[str | None]
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
        # Read for a Pareto, too, and then alone: hence the product.
        Index("inspection_by_reason", *("reason", *NEWEST, "product"), **of_those_with("reason")),
        *(
            Index(f"inspection_by_{name}", name, *NEWEST, **of_those_with(name))
            for name in ("part", "lot", "serial")
        ),
        # A product's few rejects lie far apart among its good parts.
        Index(
            "inspection_by_reject",
            *("product", "verdict", "inspected_at", "id"),
            **of_those_with("reason"),
        ),
        Index("inspection_by_alarm", *NEWEST, **of_those_with("alarm")),
    )


class DefectRow(Base):
    """One region of an NG part, in pixels of its picture; ``rank`` 0 has the highest peak.

    ``area_mm2`` is NULL where the station is not calibrated.
    """

    __tablename__ = "defect"

    inspection_id: Mapped[str] = mapped_column(ForeignKey("inspection.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    x: Mapped[int]
    y: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    area_px: Mapped[int]
    area_mm2: Mapped[float | None]
    peak: Mapped[float]
    contour: Mapped[list[list[int]]]
