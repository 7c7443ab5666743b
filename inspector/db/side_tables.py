"""The tables beside the parts: what people said later, what happened, what is still to be sent."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from inspector.db.tables import Base


class ReviewRow(Base):
    """A person's later word about an inspection. The verdict of the station stays as it was.

    ``who`` is a name, no key of an account: the word outlives the account.
    """

    __tablename__ = "review"

    id: Mapped[str] = mapped_column(primary_key=True)
    inspection_id: Mapped[str] = mapped_column(ForeignKey("inspection.id"))
    at: Mapped[datetime]
    who: Mapped[str]
    verdict: Mapped[str]
    comment: Mapped[str]

    __table_args__: Any = (
        CheckConstraint("verdict IN ('OK', 'NG', 'UNSURE')", name="review_verdict_is_known"),
        Index("review_by_inspection", "inspection_id", "at"),
    )


class EventRow(Base):
    """What happened to a station beside its parts; ``run_id`` is NULL between runs.

    ``code`` has no CHECK: codes are added with every release, and each would cost a migration that
    copies the table. Severities are three for good.
    """

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id"))
    at: Mapped[datetime]
    code: Mapped[str]
    severity: Mapped[str]
    text: Mapped[str]
    details: Mapped[dict[str, Any]]

    __table_args__: Any = (
        CheckConstraint("severity IN ('INFO', 'WARNING', 'ALARM')", name="severity_is_known"),
        Index("event_by_time", "at", "id"),
    )


class GoldenCheckRow(Base):
    """Stored pictures with known results, shown to plan and recipe again.

    ``failed`` counts those that are known to have failed, one at least where the check did;
    ``details`` has what was measured. ``who`` is NULL where the station ran it by itself.
    """

    __tablename__ = "golden_check"

    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    station: Mapped[str] = mapped_column(ForeignKey("station.name"))
    plan_sha256: Mapped[str] = mapped_column(ForeignKey("plan.sha256"))
    recipe_sha256: Mapped[str] = mapped_column(ForeignKey("recipe_version.sha256"))
    outcome: Mapped[str]
    pictures: Mapped[int]
    failed: Mapped[int]
    who: Mapped[str | None]
    details: Mapped[dict[str, Any]]

    __table_args__: Any = (
        CheckConstraint("outcome IN ('PASSED', 'FAILED')", name="outcome_is_known"),
        CheckConstraint("failed BETWEEN 0 AND pictures", name="failed_is_a_part"),
        CheckConstraint(
            "outcome = 'FAILED' OR (failed = 0 AND pictures > 0)", name="passed_means_all"
        ),
        Index("golden_check_by_time", "at", "id"),
    )


class OutboxRow(Base):
    """What is still to be sent to the site's database; a row that has arrived is gone.

    ``key`` with ``revision`` makes sending twice harmless: the key is the inspection's id, the
    revision counts what was said about it. ``attempts`` counts refusals, ``error`` is the last.
    """

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(ForeignKey("inspection.id"))
    revision: Mapped[int]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str]
    attempts: Mapped[int]
    next_try_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    error: Mapped[str | None]

    __table_args__: Any = (
        CheckConstraint("state IN ('WAITING', 'DEAD')", name="outbox_state_is_known"),
        CheckConstraint("attempts >= 0", name="attempts_is_a_count"),
        CheckConstraint("revision >= 1", name="revision_counts_from_1"),
        Index("outbox_by_key", "key", "revision", unique=True),
        Index("outbox_by_state", "state", "id"),
    )


class ReceivedRow(Base):
    """In the site's database: which rows of which revision have arrived."""

    __tablename__ = "received"

    key: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    received_at: Mapped[datetime]
