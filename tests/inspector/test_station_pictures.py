"""A station whose pictures cannot be kept says so itself, beside the row of each part."""

import sqlite3
from contextlib import closing
from pathlib import Path

from inspector.app import NoScreen
from inspector.pipeline.events import EventCode
from inspector.pipeline.kept import PICTURES
from inspector.station import StationSession
from tests.inspector.station_parts import make_station
from tests.inspector.test_station_run import go


def test_pictures_that_are_not_saved_are_one_event_of_the_run(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?parts=3&size=64", limit=-1e6))
    session.settings.out.mkdir()
    (session.settings.out / PICTURES).write_text("a file in the folder's place")
    go(session, NoScreen())

    with closing(sqlite3.connect(session.database)) as connection:
        alarms = connection.execute("SELECT verdict, alarm FROM inspection").fetchall()
        query = "SELECT text FROM event WHERE code = ?"
        events = connection.execute(query, (EventCode.PICTURE_NOT_SAVED,)).fetchall()
    assert alarms == [("NG", "picture_not_saved")] * 3
    assert len(events) == 1
    assert str(session.settings.out / PICTURES) in events[0][0]
