"""How a station stands while it runs: Ready when all is open, Error where it cannot go on."""

import itertools
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread, Timer

import psutil
import pytest

from calibration.recipe import read_recipe
from engine.detector import Detector
from engine.types import DatabaseError, Image, InputError, Prediction
from inspector.app import NoScreen
from inspector.pipeline.control import Control
from inspector.pipeline.events import EventCode
from inspector.pipeline.inspection import Inspection
from inspector.pipeline.latched import ErrorCode
from inspector.pipeline.state import State
from inspector.pipeline.station_state import Standing
from inspector.station import StationSession
from tests.inspector.line_parts import wait_for
from tests.inspector.station_parts import make_recipe, make_station


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


def test_what_fails_is_over_before_the_sinks_close(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?parts=200&size=64"))
    seen: list[State] = []

    class Failing(NoScreen):
        def write(self, inspection: Inspection) -> Inspection:
            raise OSError("the screen is gone")

        def __exit__(self, *_: object) -> None:
            seen.append(session.state.standing.state)

    with pytest.raises(OSError, match="gone"):
        go(session, Failing())
    assert len(seen) == 1
    assert not seen[0].is_executing


def test_what_ended_a_run_is_among_its_events(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?parts=200&size=64"))

    def crash_at_5(part: int) -> None:
        if part == 5:
            raise OSError("the screen is gone")

    with pytest.raises(OSError, match="gone"):
        go(session, Watcher(crash_at_5))
    codes = said(session)
    assert codes.count(EventCode.ERROR_RAISED) == 1
    assert codes.index(EventCode.ERROR_RAISED) < codes.index(EventCode.RUN_ENDED)


def test_what_kept_a_run_from_opening_is_in_the_database(tmp_path: Path) -> None:
    empty = tmp_path / "pictures"
    empty.mkdir()
    session = StationSession(make_station(tmp_path, f"folder:{empty}"))
    with pytest.raises(InputError):
        go(session, NoScreen())
    assert EventCode.ERROR_RAISED in said(session)


def test_what_happens_between_two_runs_is_written_by_the_next_and_is_not_its_own(
    tmp_path: Path,
) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?parts=2&size=64"))
    go(session, NoScreen())
    before = said(session)
    session.state.raise_error(ErrorCode.INTERNAL, "KeyError")
    session.acknowledge()
    go(session, NoScreen())
    assert before[-1] == EventCode.RUN_ENDED
    query = "SELECT run_id FROM event WHERE code = 'error_acknowledged'"
    with closing(sqlite3.connect(session.database)) as connection:
        assert connection.execute(query).fetchall() == [(None,)]


def test_a_model_that_hangs_is_an_alarm_until_its_part_is_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?size=64&fps=10"), frames=12)
    detect, parts, seen = Detector.detect, itertools.count(), list[ErrorCode]()

    def hang_at_5(detector: Detector, image: Image, product: str) -> Prediction:
        if next(parts) == 5:
            wait_for(lambda: session.state.standing.state is State.ERROR)
            seen.extend(error.code for error in session.state.standing.errors)
        return detect(detector, image, product)

    for module in ("execution", "pipeline.loop"):
        monkeypatch.setattr(f"inspector.{module}.HUNG_AFTER_S", 2.0)
    monkeypatch.setattr(Detector, "detect", hang_at_5)
    go(session, NoScreen())
    assert seen == [ErrorCode.HUNG]
    codes = said(session)
    assert codes.count(EventCode.HUNG) == 1
    assert codes.index(EventCode.HUNG) < codes.index(EventCode.ERROR_RESOLVED)
    with closing(sqlite3.connect(session.database)) as connection:
        rows = connection.execute("SELECT reason FROM inspection ORDER BY sequence").fetchall()
    # Never OK: the part that hung, nor those that waited behind it for as long.
    assert rows[:5] == [(None,)] * 4 + [("late_result",)]
    assert set(rows[5:]) <= {(None,), ("late_result",)}
    assert len(rows) == 12


def test_each_run_takes_the_recipe_as_it_is_now(tmp_path: Path) -> None:
    settings = make_station(tmp_path, "sim:disc?parts=2&size=64")
    session = StationSession(settings)
    go(session, NoScreen())
    bundle = read_recipe(settings.recipe).bundle_sha256
    make_recipe(settings.recipe, bundle, limit=-1e6)
    go(session, NoScreen())
    with closing(sqlite3.connect(session.database)) as connection:
        shown = [row for (row,) in connection.execute("SELECT verdict FROM inspection ORDER BY id")]
        hashes = [row for (row,) in connection.execute("SELECT recipe_sha256 FROM run ORDER BY id")]
    assert shown == ["OK", "OK", "NG", "NG"]
    assert hashes[1] == read_recipe(settings.recipe).sha256 != hashes[0]
    make_recipe(settings.recipe, "of another bundle", limit=1e6)
    with pytest.raises(InputError, match="bundle"):
        go(session, NoScreen())
    assert session.state.standing.state is State.ERROR


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
            monkeypatch.setattr("inspector.execution.disk_check", lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        go(session, Watcher(break_at_5))
    assert session.state.standing.state is State.ERROR


def test_what_passed_during_a_pause_is_judged_by_nobody(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?size=64&fps=20"))
    control = Control()

    def pause_at_5(part: int) -> None:
        if part == 5:
            control.pause()
            Timer(1.5, control.start).start()
        if part == 40:
            control.stop()

    control.start()
    session.run(control, Watcher(pause_at_5))
    with closing(sqlite3.connect(session.database)) as connection:
        query = "SELECT verdict, reason FROM inspection ORDER BY sequence"
        verdicts = connection.execute(query).fetchall()
    stale = [index for index, (_, reason) in enumerate(verdicts) if reason == "not_ready"]
    assert stale
    assert stale == list(range(stale[0], stale[0] + len(stale)))  # those of the pause alone
    assert {verdict for verdict, reason in verdicts if reason != "not_ready"} == {"OK"}


def test_nothing_is_taken_before_the_station_is_ready(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?size=64&fps=20"), frames=3)
    opened: list[float] = []
    warm_up = Detector.warm_up

    def slowly(detector: Detector) -> None:
        time.sleep(1.5)
        opened.append(time.monotonic())
        warm_up(detector)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Detector, "warm_up", slowly)
        go(session, NoScreen())
    with closing(sqlite3.connect(session.database)) as connection:
        stages = connection.execute("SELECT stages_ms FROM inspection").fetchall()
    assert all(json.loads(text).get("queue", 0) < 1000 for (text,) in stages)


def test_two_stations_do_not_share_a_folder(tmp_path: Path) -> None:
    settings = make_station(tmp_path, "sim:disc?size=64&fps=20")

    def begin_another(part: int) -> None:
        if part == 2:
            with pytest.raises(InputError, match="Another station writes into"):
                go(StationSession(settings), NoScreen())

    session = StationSession(settings, frames=3)
    go(session, Watcher(begin_another))
    assert session.counters.counts().total.triggers == 3


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGTERM to send")
def test_a_service_manager_ends_a_station_in_good_order(tmp_path: Path) -> None:
    make_station(tmp_path, "sim:disc?size=64&fps=20")
    toml = tmp_path / "station.toml"
    camera = 'camera = "sim:disc?size=64&fps=20"'
    lines = ('name = "T1"', camera, 'plan = "plan"', 'out = "out"', 'recipe = "recipe.json"')
    toml.write_text("\n".join(lines), "utf-8")
    command = [sys.executable, "-m", "inspector", "station", str(toml), "--headless"]
    database = tmp_path / "out" / "inspections.sqlite"

    def parts() -> int:
        if not database.is_file():
            return 0
        with closing(sqlite3.connect(database)) as connection, suppress(sqlite3.Error):
            (count,) = connection.execute("SELECT count(*) FROM inspection").fetchone()
            return int(count)
        return 0

    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: parts() > 2, 40)
        process.terminate()
        assert process.wait(20) == 130
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT ended_at IS NOT NULL FROM run").fetchall() == [(1,)]


def test_a_stop_is_heard_while_a_camera_hangs_in_opening(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"video:rtsp://127.0.0.1:{silent.getsockname()[1]}/line"
        session, control = StationSession(make_station(tmp_path, address)), Control()
        control.start()
        run = Thread(target=session.run, args=(control, NoScreen()), daemon=True)
        run.start()
        silent.settimeout(60)
        called, _ = silent.accept()  # by the camera's process
        with called:
            control.stop()
            run.join(10)
            assert not run.is_alive()
    assert session.state.standing.state is State.PREOPERATIONAL
    assert not session.state.standing.errors
    with closing(sqlite3.connect(session.database)) as connection:
        assert connection.execute("SELECT * FROM run").fetchall() == []


@pytest.mark.camera
def test_a_run_records_what_its_camera_said_of_its_settings(tmp_path: Path) -> None:
    session = StationSession(
        make_station(tmp_path, "genicam:0@viky?AcquisitionFrameRate=20"), frames=2
    )
    go(session, NoScreen())
    with closing(sqlite3.connect(session.database)) as connection:
        ((said,),) = connection.execute("SELECT camera_in_effect FROM run").fetchall()
    assert json.loads(said)["AcquisitionFrameRate"] == 20
