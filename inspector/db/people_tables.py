"""The tables of people and of what they did, as they stand after the newest migration.

Triggers of the migration guard them: an audit entry is neither changed nor removed, and goes only
to the end of the chain; an account is disabled, never removed.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from inspector.db.tables import Base


class UserRow(Base):
    """One person's account. ``failed_attempts`` counts since the last that succeeded."""

    __tablename__ = "user_account"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    password_hash: Mapped[str]
    failed_attempts: Mapped[int]
    locked_until: Mapped[datetime | None]
    disabled: Mapped[bool]

    __table_args__: Any = (
        CheckConstraint("role IN ('operator', 'engineer', 'administrator')", name="role_is_known"),
        CheckConstraint("failed_attempts >= 0", name="attempts_are_a_count"),
    )


class AuditRow(Base):
    """One :class:`inspector.db.chain.Entry`. The time is text: what is hashed is what is stored."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str]
    who: Mapped[str]
    role: Mapped[str]
    action: Mapped[str]
    object: Mapped[str]
    old: Mapped[str | None]
    new: Mapped[str | None]
    reason: Mapped[str | None]
    previous_hash: Mapped[str]
    hash: Mapped[str]

    __table_args__: Any = (
        UniqueConstraint("previous_hash"),
        CheckConstraint("number >= 1", name="numbers_count_from_one"),
        CheckConstraint("length(hash) = 64", name="hash_is_sha256"),
    )
