"""docs/station.md and README say what a station does: states, reasons, tables, settings."""

import json
import re
from pathlib import Path

from calibration.area import Area
from inspector.db.people_tables import AuditRow, UserRow
from inspector.db.side_tables import Base
from inspector.pipeline.inspection import Reason
from inspector.pipeline.latched import KINDS, ErrorCode
from inspector.pipeline.state import METHODS, TABLE, Event, State

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "station.md").read_text(encoding="utf-8")
PEOPLE = (UserRow.__tablename__, AuditRow.__tablename__)  # and with them their tables


def rows(first_header: str) -> list[list[str]]:
    """The cells of the table whose first column is headed so."""
    start = TEXT.index(f"\n| {first_header} |") + 1
    lines = TEXT[start:].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_states() -> None:
    moves = {
        (State(state.strip("`")), Event(event)): State(after)
        for state, said in rows("in")
        for event, after in re.findall(r"`(\w+)` → (\w+)", said)
    }
    confirmed = {(state, Event.CONFIRM_ALL): state for state in State}

    assert moves | confirmed == TABLE


def test_who_may_send_which_event() -> None:
    said = {row[0].strip("`"): row[1] for row in rows("event")}

    assert list(said) == [event.value for event in Event]
    for event in Event:
        assert said[event].startswith("nobody") is (event not in METHODS)


def test_every_error_and_whether_it_heals() -> None:
    said = {row[0].strip("`"): row[1] for row in rows("error")}

    assert list(said) == [code.value for code in ErrorCode]
    for code in ErrorCode:
        assert said[code].startswith("by itself") is KINDS[code].heals


def test_every_reason_has_its_meaning_and_remedy() -> None:
    said = rows("reason")

    assert [row[0].strip("`") for row in said] == [reason.value for reason in Reason]
    assert [row[1] for row in said if row[0] == "`defect`"] == ["NG"]
    assert {row[1] for row in said if row[0] != "`defect`"} == {"FAULT"}
    assert all(len(row) == 4 and row[2] and row[3] for row in said)


def test_every_table_of_the_database() -> None:
    said = {name for row in rows("table") for name in re.findall(r"`(\w+)`", row[0])}

    assert set(PEOPLE) <= said
    assert said == set(Base.metadata.tables)


def test_the_area_it_shows_is_one() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    area = Area.model_validate(json.loads("{" + shown + "}")["area"])

    assert area.has_mask
    assert area.min_area_px == 40
