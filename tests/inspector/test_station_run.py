"""How a station stands while it runs: Ready when all is open, Error where it cannot go on."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread

import psutil
import pytest

from engine.types import DatabaseError
from inspector.app import NoScreen
from inspector.pipeline.control import Control
from inspector.pipeline.events import EventCode
from inspector.pipeline.inspection import Inspection
from inspector.pipeline.state import State
from inspector.pipeline.station_state import Standing
from inspector.station import StationSession
from tests.inspector.station_parts import make_station


class Watcher(NoScreen):
    """Calls ``look`` with the number of each part, after its row."""

    def __init__(self, look: Callable[[int], None]) -> None:
        self._look, self._parts = look, 0

    def write(self, inspection: Inspection) -> Inspection:
        self._parts += 1
        self._look(self._parts)
        return inspection


def go(session: StationSession, screen: NoScreen) -> None:
    control = Control()
    control.start()
    session.run(control, screen)


def said(session: StationSession) -> list[str]:
    """The events that the database has, oldest first."""
    with closing(sqlite3.connect(session.database)) as connection:
        return [code for (code,) in connection.execute("SELECT code FROM event ORDER BY at")]


def test_parts_are_judged_in_continuous_execution_alone(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?parts=3&size=64"))
    seen: list[Standing] = []
    assert session.state.standing.state is State.PREOPERATIONAL
    go(session, Watcher(lambda part: seen.append(session.state.standing)))
    assert {standing.state for standing in seen} == {State.CONTINUOUS_EXECUTION}
    assert session.state.standing.state is State.PREOPERATIONAL
    assert {check.name for check in session.state.standing.missing} >= {"camera", "plan"}


def test_a_killed_camera_process_is_an_alarm_and_the_run_goes_on(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?size=64&fps=30"), frames=60)

    def kill_at_20(part: int) -> None:
        if part == 20:
            trackers = "resource_tracker"
            for child in psutil.Process().children():
                if trackers not in " ".join(child.cmdline()):
                    child.kill()

    go(session, Watcher(kill_at_20))
    codes = said(session)
    lost, back = codes.index(EventCode.CAMERA_LOST), codes.index(EventCode.CAMERA_BACK)
    assert lost < back
    assert session.counters.counts().total.triggers == 60
    (error,) = session.state.standing.errors
    assert not error.blocks  # seen by nobody yet, and no hindrance
    session.acknowledge()
    assert session.state.standing.errors == ()


def test_a_database_that_refuses_ends_in_error_until_a_person_has_seen_it(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?parts=200&size=64"))

    def lose_the_table(part: int) -> None:
        if part == 5:
            with closing(sqlite3.connect(session.database, isolation_level=None)) as other:
                other.execute("PRAGMA busy_timeout = 5000")
                other.execute(
                    "CREATE TRIGGER full BEFORE INSERT ON inspection BEGIN "
                    "SELECT RAISE(ABORT, 'no more'); END"
                )

    with pytest.raises(Exception, match="no more"):
        go(session, Watcher(lose_the_table))
    assert session.state.standing.state is State.ERROR
    assert session.counters.counts().total.triggers == 5  # the sixth was told to nobody
    session.acknowledge()
    assert session.state.standing.state is not State.ERROR


def test_a_locked_database_is_latched_under_its_own_code(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?parts=2&size=64"))
    session.settings.out.mkdir()
    session.database.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(DatabaseError, match="is not a database"):
        go(session, NoScreen())
    assert [error.code for error in session.state.standing.errors] == ["database_refused"]
    session.database.unlink()
    session.acknowledge()
    go(session, NoScreen())
    assert session.counters.counts().total.triggers == 2


def test_pause_is_seen_by_the_line(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?size=64&fps=50"))
    control, paused = Control(), []

    def wait_for_pause() -> None:
        while not (standing := session.state.standing).paused:
            pass
        paused.append(standing)
        control.stop()

    def pause_at_5(part: int) -> None:
        if part == 5:
            control.pause()
            Thread(target=wait_for_pause, daemon=True).start()

    control.start()
    session.run(control, Watcher(pause_at_5))
    assert [standing.state for standing in paused] == [State.CONTINUOUS_EXECUTION]
    assert not paused[0].accepts_triggers


def test_a_station_that_nobody_watches_ends_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?size=64&fps=20"))

    def break_at_5(part: int) -> None:
        if part == 5:
            monkeypatch.setattr(session, "_disk_check", lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        go(session, Watcher(break_at_5))
    assert session.state.standing.state is State.ERROR
