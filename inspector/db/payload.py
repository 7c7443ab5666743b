"""What the outbox carries: an inspection, its defects and its run, as JSON and back as columns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from inspector.db.run_info import RunInfo
from inspector.db.tables import Base, UtcTime


def payload_of(
    run: RunInfo, inspection: Mapping[str, Any], defects: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Self-contained, so that rows may arrive in any order. The recipe's text stays at home, its
    hash goes: it would be most of each message."""
    return {
        "run": {name: value for name, value in asdict(run).items() if name != "recipe"},
        "inspection": _jsonable(inspection),
        "defects": [_jsonable(defect) for defect in defects],
    }


def columns_of(row: type[Base], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a message as this table's columns; what it does not know is left out, since a
    station may be newer than the site's database."""
    columns = row.__table__.columns
    return {
        name: datetime.fromisoformat(value) if isinstance(columns[name].type, UtcTime) else value
        for name, value in values.items()
        if name in columns
    }


def _jsonable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """Times as ISO 8601; no number as null, as in the row: JSON has no NaN."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and math.isnan(value):
        return None
    return value
