"""The one clock of days: what a record says of when something happened. Durations have a timer."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
