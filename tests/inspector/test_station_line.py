"""A whole station beside its PLC: triggers, verdicts, alarms, and what each leaves behind."""

import json
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import psutil
import pytest

from engine.types import InputError
from inspector.app import NoScreen
from inspector.camera import process
from inspector.line.registers import StatusBit
from inspector.pipeline.control import Control
from inspector.pipeline.inspection import Inspection
from inspector.pipeline.sinks import Sink
from inspector.pipeline.state import State
from inspector.pipeline.station_state import Owner
from inspector.station import StationSession
from tests.inspector.child_parts import serve_described
from tests.inspector.line_parts import Ladder, PollingPlc, free_port, wait_for
from tests.inspector.station_parts import make_station
from tests.inspector.supervised_parts import describe

CAMERA = "sim:disc,label?size=64&trigger=software"


@contextmanager
def running(session: StationSession, screen: Sink | None = None) -> Iterator[Control]:
    """The station runs in a thread until the block is left."""
    control = Control()
    control.start()
    worker = Thread(target=session.run, args=(control, screen or NoScreen()), daemon=True)
    with session:
        worker.start()
        try:
            yield control
        finally:
            control.stop()
            worker.join(20)
            assert not worker.is_alive()


def station(tmp_path: Path, port: int, camera: str = CAMERA, **more: object) -> StationSession:
    modbus = {"role": "server", "host": "127.0.0.1", "port": port, "products": ["disc", "label"]}
    settings = make_station(tmp_path, camera, product="disc", **{"modbus": modbus, **more})
    return StationSession(settings)


def rows(session: StationSession, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(session.database)) as connection:
        return connection.execute(query).fetchall()


def health(port: int) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_camera_that_hardware_triggers_takes_pictures_before_and_after_the_plc_may_fire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "serve", serve_described)
    port, file = free_port(), tmp_path / "camera.json"
    describe(file, hardware=True, starting_s=0.6)
    modbus = {"role": "server", "host": "127.0.0.1", "port": port, "triggers": False}
    session = station(tmp_path, port, str(file), modbus=modbus)
    with running(session), closing(PollingPlc(port)) as plc:
        ladder = Ladder(plc)
        ladder.until(StatusBit.TRIGGER_READY)
        assert file.with_suffix(".taking").exists()
        answers = [ladder.take() for _ in range(3)]
    assert [(answer.number, answer.ok) for answer in answers] == [(1, True), (2, True), (3, True)]
    kept = rows(session, "SELECT frame_id, verdict, reason FROM inspection ORDER BY sequence")
    assert [frame_id for frame_id, _, _ in kept] == list(range(len(kept)))
    at_the_stop = [part for part in kept if part[1:] == ("FAULT", "not_ready")]
    assert len(at_the_stop) > 5
    assert kept[-len(at_the_stop) :] == at_the_stop


def test_a_plc_triggers_a_camera_and_hears_what_the_database_has(tmp_path: Path) -> None:
    port, pages = free_port(), free_port()
    session = station(tmp_path, port, monitor={"port": pages})
    with running(session), closing(PollingPlc(port)) as plc:
        ladder = Ladder(plc)
        ladder.until(StatusBit.TRIGGER_READY)
        answers = [ladder.part(f"A-{number}") for number in range(5)]
        assert health(pages)[0] == 200
    assert all(answer.ok and not answer.ng for answer in answers)
    kept = rows(session, "SELECT verdict, serial, product FROM inspection ORDER BY sequence")
    assert kept == [("OK", f"A-{n}", ("disc", "label")[n % 2]) for n in range(5)]
    codes = {code for (code,) in rows(session, "SELECT code FROM event")}
    assert {"run_started", "run_ended", "state_changed"} <= codes
    log = (session.settings.out / "logs" / "station.jsonl").read_text(encoding="utf-8")
    said = [json.loads(line) for line in log.splitlines()]
    assert {"run_started", "state_changed"} <= {line["code"] for line in said}


def test_a_lost_camera_drops_ready_and_comes_back_without_hands(tmp_path: Path) -> None:
    port, pages = free_port(), free_port()
    plug = tmp_path / "plug"
    plug.touch()
    session = station(tmp_path, port, f"{CAMERA}&plug={plug}", monitor={"port": pages})
    with running(session), closing(PollingPlc(port)) as plc:
        ladder = Ladder(plc)
        ladder.until(StatusBit.TRIGGER_READY)
        assert ladder.part("A-1").ok
        assert ladder.part("A-2").ok  # an opened simulated line begins anew, with another picture
        plug.unlink()
        ladder.until(StatusBit.TRIGGER_READY, high=False)
        assert session.state.standing.state is State.ERROR
        status, told = health(pages)
        assert (status, told["healthy"]) == (503, False)
        ladder.say(trigger=True)
        refused = ladder.take()
        assert refused.ng
        assert refused.error
        plug.touch()
        ladder.until(StatusBit.TRIGGER_READY)
        assert ladder.part("A-4").ok
    kept = rows(session, "SELECT verdict, reason FROM inspection ORDER BY sequence")
    assert kept == [("OK", None), ("OK", None), ("FAULT", "not_ready"), ("OK", None)]
    codes = [code for (code,) in rows(session, "SELECT code FROM event ORDER BY at")]
    assert codes.index("camera_lost") < codes.index("camera_back")


def test_a_person_who_pauses_takes_the_line_and_gives_it_back_by_going_on(tmp_path: Path) -> None:
    port = free_port()
    session = station(tmp_path, port)
    with running(session) as control, closing(PollingPlc(port)) as plc:
        ladder = Ladder(plc)
        assert ladder.part("A-1").ok
        assert session.state.standing.owner is Owner.PLC
        control.pause()
        ladder.until(StatusBit.TRIGGER_READY, high=False)
        assert session.state.standing.owner is Owner.PERSON
        ladder.say(trigger=True)
        refused = ladder.take()
        assert refused.error
        control.start()
        assert ladder.part("A-3").ok
        assert session.state.standing.owner is Owner.PLC
    kept = rows(session, "SELECT verdict, reason FROM inspection ORDER BY sequence")
    assert kept == [("OK", None), ("FAULT", "not_ready"), ("OK", None)]
    taken = rows(session, "SELECT text FROM event WHERE code = 'control_taken' ORDER BY at")
    assert len(taken) == 2


def test_a_killed_camera_process_costs_rejects_and_never_an_ok_of_another_part(
    tmp_path: Path,
) -> None:
    port = free_port()
    session = station(tmp_path, port)
    with running(session), closing(PollingPlc(port)) as plc:
        ladder = Ladder(plc)
        ladder.until(StatusBit.TRIGGER_READY)
        assert ladder.part("A-1").ok
        assert ladder.part("A-2").ok
        for child in psutil.Process().children():
            if "resource_tracker" not in " ".join(child.cmdline()):
                child.kill()
        ladder.until(StatusBit.TRIGGER_READY, high=False)
        ladder.until(StatusBit.TRIGGER_READY)
        assert ladder.part("A-3").ok
    kept = rows(session, "SELECT verdict, serial FROM inspection ORDER BY sequence")
    assert kept == [("OK", "A-1"), ("OK", "A-2"), ("OK", "A-3")]


def test_a_plc_that_comes_after_the_station_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    session = station(tmp_path, port)
    control = Control()
    control.start()
    with session:
        wait_for(lambda: session.state.standing.state is State.ERROR)  # nobody polls
        worker = Thread(target=session.run, args=(control, NoScreen()), daemon=True)
        worker.start()
        worker.join(1)
        assert worker.is_alive()
        with closing(PollingPlc(port)) as plc:
            assert Ladder(plc).part("A-1").ok
            control.stop()
            worker.join(20)
    assert not worker.is_alive()
    assert rows(session, "SELECT verdict FROM inspection") == [("OK",)]


def test_a_station_that_waits_for_its_plc_can_be_stopped(tmp_path: Path) -> None:
    session, control = station(tmp_path, free_port()), Control()
    control.start()
    with session:
        wait_for(lambda: session.state.standing.state is State.ERROR)
        worker = Thread(target=session.run, args=(control, NoScreen()), daemon=True)
        worker.start()
        control.stop()
        worker.join(5)
    assert not worker.is_alive()


class Slow(NoScreen):
    """A screen that holds the line up after each part."""

    def write(self, inspection: Inspection) -> Inspection:
        time.sleep(0.7)
        return inspection


def test_the_wait_of_a_trigger_counts_against_its_deadline(tmp_path: Path) -> None:
    port = free_port()
    session = station(tmp_path, port, deadline_ms=500)
    with running(session, Slow()), closing(PollingPlc(port)) as plc:
        ladder = Ladder(plc)
        first, second = ladder.part("A-1"), ladder.part("A-2")
    assert first.ok
    assert (second.ok, second.error) == (False, True)
    kept = rows(session, "SELECT verdict, reason FROM inspection ORDER BY sequence")
    assert kept == [("OK", None), ("FAULT", "late_result")]


def test_after_a_stop_no_trigger_is_taken(tmp_path: Path) -> None:
    port = free_port()
    session = station(tmp_path, port)
    with session, closing(PollingPlc(port)) as plc:
        ladder, control = Ladder(plc), Control()
        control.start()
        worker = Thread(target=session.run, args=(control, NoScreen()), daemon=True)
        worker.start()
        assert ladder.part("A-1").ok
        control.stop()
        worker.join(20)
        assert not ladder.bit(StatusBit.TRIGGER_READY)
        ladder.say(trigger=True)
        assert ladder.take().error
    assert rows(session, "SELECT verdict FROM inspection") == [("OK",)]


def test_what_a_plc_asked_before_the_start_is_one_event_and_no_part_of_the_run(
    tmp_path: Path,
) -> None:
    port = free_port()
    session = station(tmp_path, port)
    with session, closing(PollingPlc(port)) as plc:
        ladder, control = Ladder(plc), Control()
        for _ in range(50):
            ladder.say(trigger=True)
            ladder.say()
        assert ladder.take().error
        control.start()
        worker = Thread(target=session.run, args=(control, NoScreen()), daemon=True)
        worker.start()
        assert ladder.part("A-1").ok
        control.stop()
        worker.join(20)
    assert rows(session, "SELECT verdict, serial FROM inspection") == [("OK", "A-1")]
    said = rows(session, "SELECT severity, text FROM event WHERE code = 'triggers_refused'")
    assert [severity for severity, _ in said] == ["WARNING"]
    assert "triggered 50 times while no run was on" in str(said[0][1])


@pytest.mark.parametrize(
    ("camera", "triggers", "words"),
    [
        ("sim:disc?size=64", True, "takes its own time"),
        (CAMERA, False, "triggers that nobody gives"),
    ],
)
def test_who_triggers_is_settled_before_the_first_part(
    tmp_path: Path, camera: str, triggers: bool, words: str
) -> None:
    modbus = {"role": "server", "host": "127.0.0.1", "port": free_port(), "triggers": triggers}
    settings = make_station(tmp_path, camera, product="disc", modbus=modbus)
    control = Control()
    control.start()
    with StationSession(settings) as session, pytest.raises(InputError, match=words):
        session.run(control, NoScreen())
    assert session.state.standing.state is State.ERROR
