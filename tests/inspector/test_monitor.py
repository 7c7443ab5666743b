"""Asked over real HTTP: what a scrape says, and that a station that hangs is not called well."""

import json
import math
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from engine.types import InputError
from inspector.monitor.health import Check, Checks, pulse_check
from inspector.monitor.metrics import MetricsSink
from inspector.monitor.pulse import Doing, Pulse, watched
from inspector.monitor.server import AT_ONCE, MonitorServer
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.inspection import Alarm, Inspection, Reason, Verdict
from inspector.settings import MonitorSettings
from tests.inspector.pipeline_parts import NOON, frame, prediction


def inspection(verdict: Verdict, product: str | None = "disc", **more: object) -> Inspection:
    fault = verdict is Verdict.FAULT
    reason = {Verdict.OK: None, Verdict.NG: Reason.DEFECT, Verdict.FAULT: Reason.BLACK_FRAME}
    return replace(
        Inspection(
            id="i",
            frame=frame(1),
            verdict=verdict,
            reason=reason[verdict],
            product=product,
            inspected_at=NOON,
            prediction=None if fault else prediction(0.1),
            stages_ms={"grab": 2.0, "infer": 30.0},
        ),
        **more,
    )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(registry: CollectorRegistry, checks: Checks = tuple) -> Iterator[MonitorServer]:
    with MonitorServer(MonitorSettings(port=free_port()), registry, checks) as server:
        yield server


def ask(server: MonitorServer, path: str, method: str = "GET") -> tuple[int, str, str]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def scrape(sink: MetricsSink) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    with serving(sink.registry) as server:
        status, kind, text = ask(server, "/metrics")
    assert (status, kind.startswith("text/plain")) == (200, True)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scrape_counts_parts_faults_and_alarms(tmp_path: Path) -> None:
    sink = MetricsSink(["disc"], tmp_path)
    for verdict in (Verdict.OK, Verdict.OK, Verdict.NG, Verdict.FAULT):
        sink.write(inspection(verdict))
    sink.write(inspection(Verdict.FAULT, reason=Reason.LATE_RESULT, prediction=prediction(0.1)))
    sink.write(inspection(Verdict.OK, alarm=Alarm.PICTURE_NOT_SAVED, lost_before=3))
    said = scrape(sink)

    def parts(verdict: str) -> float:
        return said["inspector_parts_total", (("product", "disc"), ("verdict", verdict))]

    assert [parts(one) for one in ("OK", "NG", "FAULT")] == [3, 1, 2]
    assert said["inspector_faults_total", (("reason", "black_frame"),)] == 1
    assert said["inspector_faults_total", (("reason", "late_result"),)] == 1
    assert ("inspector_faults_total", (("reason", "defect"),)) not in said
    assert said["inspector_alarms_total", (("alarm", "picture_not_saved"),)] == 1
    assert said["inspector_lost_frames_total", ()] == 3


def test_stages_are_seconds_with_their_total(tmp_path: Path) -> None:
    sink = MetricsSink(["disc"], tmp_path)
    sink.write(inspection(Verdict.OK))
    said = scrape(sink)

    assert said["inspector_stage_seconds_sum", (("stage", "infer"),)] == pytest.approx(0.03)
    assert said["inspector_stage_seconds_sum", (("stage", "total"),)] == pytest.approx(0.032)
    assert said["inspector_stage_seconds_bucket", (("le", "0.02"), ("stage", "infer"))] == 0
    assert said["inspector_stage_seconds_bucket", (("le", "0.05"), ("stage", "infer"))] == 1


def test_the_last_picture_ages_and_a_lost_one_makes_it_no_younger(tmp_path: Path) -> None:
    now = [100.0]
    sink = MetricsSink(["disc"], tmp_path, clock=lambda: now[0])
    age = ("inspector_camera_frame_age_seconds", ())
    before = scrape(sink)[age]
    sink.write(inspection(Verdict.OK))
    now[0] = 104.5
    lost = inspection(Verdict.FAULT)
    sink.write(replace(lost, frame=replace(lost.frame, image=None)))

    assert math.isnan(before)
    assert scrape(sink)[age] == 4.5


def test_what_a_plc_may_name_makes_no_series_without_end(tmp_path: Path) -> None:
    sink = MetricsSink(["disc"], tmp_path)
    for number in range(50):
        sink.write(inspection(Verdict.FAULT, f"no such {number}"))
    sink.write(inspection(Verdict.FAULT, None))
    parts = {key: n for key, n in scrape(sink).items() if key[0] == "inspector_parts_total"}

    assert sorted(parts.values()) == [1, 50]


def test_one_state_is_the_one_it_is_in(tmp_path: Path) -> None:
    sink = MetricsSink([], tmp_path)
    sink.enter_state("ready")
    sink.enter_state("halted")
    sink.say(StationEvent(EventCode.STATE_CHANGED, datetime.now(UTC), "Halted."))
    said = scrape(sink)

    assert said["inspector_state", (("state", "ready"),)] == 0
    assert said["inspector_state", (("state", "halted"),)] == 1
    assert said["inspector_events_total", (("code", "state_changed"),)] == 1


def test_the_disk_is_seen_and_its_loss_is_no_number(tmp_path: Path) -> None:
    free = ("inspector_disk_free_bytes", ())

    assert scrape(MetricsSink([], tmp_path))[free] > 0
    assert math.isnan(scrape(MetricsSink([], tmp_path / "gone"))[free])


def test_two_stations_of_one_process_count_apart(tmp_path: Path) -> None:
    first, second = MetricsSink(["disc"], tmp_path), MetricsSink(["disc"], tmp_path)
    first.write(inspection(Verdict.OK))

    assert not [key for key in scrape(second) if key[0] == "inspector_parts_total"]


@pytest.mark.parametrize("well", [True, False])
def test_health_is_well_when_every_check_passes(well: bool) -> None:
    def checks() -> Sequence[Check]:
        return Check("camera", True, "gives pictures"), Check("disk", well, "4 GB free")

    with serving(CollectorRegistry(), checks) as server:
        status, kind, text = ask(server, "/health")

    assert (status, kind) == (200 if well else 503, "application/json; charset=utf-8")
    assert json.loads(text) == {
        "healthy": well,
        "checks": [
            {"name": "camera", "passed": True, "detail": "gives pictures"},
            {"name": "disk", "passed": well, "detail": "4 GB free"},
        ],
    }


def test_a_thread_that_hangs_in_a_part_is_not_well_and_one_that_waits_is() -> None:
    """The real threads: frames come, one never gets through its sink."""
    pulse, draw, hang, asked = Pulse(), threading.Event(), threading.Event(), threading.Event()

    def frames() -> Iterator[int]:
        asked.set()
        draw.wait(20)
        yield 1

    def station() -> None:
        for _ in watched(frames(), pulse):
            hang.wait(20)

    thread = threading.Thread(target=station)
    with serving(CollectorRegistry(), lambda: [pulse_check(pulse, 0.2)]) as server:
        starting = ask(server, "/health")[0]
        thread.start()
        assert asked.wait(20)
        time.sleep(0.3)
        waiting = ask(server, "/health")[0]
        draw.set()
        time.sleep(0.5)
        hanging = ask(server, "/health")
        hang.set()
        thread.join(20)
        ended = ask(server, "/health")

    assert (starting, waiting) == (503, 200)
    assert hanging[0] == 503
    assert "inspecting one part for" in hanging[2]
    assert ended[0] == 503
    assert pulse.doing is Doing.ENDED


def test_a_loop_that_is_left_early_has_ended() -> None:
    pulse = Pulse()
    for _ in (frames := watched([1, 2], pulse)):
        break
    frames.close()

    assert pulse.doing is Doing.ENDED


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/../settings", 404), ("POST", "/metrics", 501)],
)
def test_it_has_two_pages_and_takes_nothing(method: str, path: str, status: int) -> None:
    with serving(CollectorRegistry()) as server:
        assert ask(server, path, method)[0] == status


def test_a_port_that_is_taken_is_named() -> None:
    with serving(CollectorRegistry()) as server:
        second = MonitorServer(MonitorSettings(port=server.port), CollectorRegistry(), tuple)
        with pytest.raises(InputError, match=rf"port {server.port}: .*\[monitor\]"), second:
            pass


def test_clients_that_say_nothing_do_not_pile_up() -> None:
    with serving(CollectorRegistry()) as server:
        address = ("127.0.0.1", server.port)
        silent = [socket.create_connection(address, timeout=10) for _ in range(AT_ONCE)]
        time.sleep(0.3)
        with socket.create_connection(address, timeout=10) as one_more:
            assert one_more.recv(1) == b""  # turned away at once
        for client in silent:
            client.close()
        deadline = time.monotonic() + 10
        while True:
            try:
                assert ask(server, "/health")[0] == 200
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


def test_a_check_that_crashes_is_our_fault_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def checks() -> Sequence[Check]:
        raise ZeroDivisionError

    with serving(CollectorRegistry(), checks) as server, pytest.raises(OSError, match="closed"):
        ask(server, "/health")
    assert [one.exc_type for one in told] == [ZeroDivisionError]
