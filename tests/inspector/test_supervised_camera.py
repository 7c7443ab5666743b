"""A camera's process is killed, hangs, is unplugged: it is said at once, and comes back alone."""

import os
import signal
import subprocess
import sys
import time
from itertools import islice, pairwise
from pathlib import Path
from threading import Event, Thread

import psutil
import pytest

from engine.types import InputError, MissingError
from inspector.camera.base import FrameFault
from inspector.camera.keeper import Link
from inspector.camera.simulated import SimulatedCamera
from inspector.camera.supervised import SupervisedCamera
from tests.inspector.supervised_parts import LINE, Told, children, gone_within, only_child

needs_stop = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows stops no process")


def test_a_killed_process_is_told_and_replaced() -> None:
    told = Told()
    with SupervisedCamera(LINE, tell=told) as camera:
        frames = camera.frames()
        before = list(islice(frames, 5))
        killed = time.monotonic()
        only_child().kill()
        after = list(islice(frames, 20))
        health = camera.health_now()
    lost, change = told.next(Link.LOST)
    assert lost - killed < 2
    assert "ended by itself" in change.sentence
    told.next(Link.OPEN)
    ids = [frame.frame_id for frame in before + after]
    assert all(one < other for one, other in pairwise(ids))
    assert (health.link, health.losses, health.sentence) == (Link.OPEN, 1, "")


@needs_stop
def test_a_process_that_hangs_is_killed() -> None:
    told = Told()
    with SupervisedCamera(LINE, tell=told, silence_s=0.5) as camera:
        frames = camera.frames()
        next(frames)
        hung = only_child()
        stopped = time.monotonic()
        hung.send_signal(signal.SIGSTOP)
        list(islice(frames, 20))
        lost, change = told.next(Link.LOST)
        assert lost - stopped < 2
        assert "no sign of life" in change.sentence
        assert not hung.is_running()


def test_an_unplugged_camera_comes_back_when_it_is_plugged_in(tmp_path: Path) -> None:
    plug = tmp_path / "plug"
    plug.touch()
    told = Told()
    with SupervisedCamera(f"{LINE}&plug={plug}", tell=told) as camera:
        frames = camera.frames()
        next(frames)
        plug.unlink()
        Thread(target=lambda: (time.sleep(2), plug.touch()), daemon=True).start()
        list(islice(frames, 20))
    _, change = told.next(Link.LOST)
    assert "its plug is the file" in change.sentence
    told.next(Link.OPEN)


def test_a_lost_folder_does_not_begin_again(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    with SimulatedCamera(["disc"], size=64, parts=30) as sim:
        import cv2

        pictures.mkdir()
        for frame in sim.frames():
            cv2.imwrite(str(pictures / f"{frame.frame_id}.png"), frame.image)
    with SupervisedCamera(f"folder:{pictures}") as camera:
        frames = camera.frames()
        next(frames)
        only_child().kill()
        with pytest.raises(MissingError, match="ended by itself"):
            list(frames)


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ("sim:nothing", InputError, "no product 'nothing'"),
        ("sim:disc?plug=/nowhere", MissingError, "is not there"),
        ("folder:/nowhere", InputError, "nowhere"),
    ],
)
def test_what_is_wrong_at_first_is_raised(spec: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words), SupervisedCamera(spec):
        pass
    assert children() == []


def test_a_waiting_camera_shows_signs_of_life() -> None:
    told, stop = Told(), Event()
    with SupervisedCamera(
        "sim:disc?trigger=software", tell=told, stopped=stop.is_set, silence_s=0.6
    ) as camera:
        Thread(target=lambda: (time.sleep(2.0), stop.set()), daemon=True).start()
        list(camera.frames())
        assert told.changes.empty()
        assert camera.health_now().losses == 0


def test_a_station_that_takes_nothing_loses_no_frame_of_a_camera_that_can_wait() -> None:
    with SupervisedCamera("sim:disc?size=64&parts=40", silence_s=0.6) as camera:
        frames = camera.frames()
        first = next(frames)
        time.sleep(1.5)  # the ring is full, and the process waits, alive
        ids = [first.frame_id, *(frame.frame_id for frame in frames)]
    assert ids == list(range(40))


def test_the_truth_crosses_with_its_mask() -> None:
    spec = "sim:disc?size=64&parts=5&defect_rate=1"
    with SupervisedCamera(spec) as camera:
        apart = list(camera.frames())
    with SimulatedCamera(["disc"], size=64, parts=5, defect_rate=1) as here:
        for one, other in zip(apart, here.frames(), strict=True):
            assert one.image is not None
            assert other.image is not None
            assert (one.image == other.image).all()
            assert one.truth is not None
            assert other.truth is not None
            assert one.truth.mask is not None
            assert (one.truth.mask == other.truth.mask).all()
            assert one.queue_ms >= 0


def test_a_picture_for_each_trigger() -> None:
    with (
        SupervisedCamera("sim:disc?size=64&trigger=software") as camera,
        camera.shooting() as shoot,
    ):
        frames = [shoot(5) for _ in range(6)]
    assert [frame.source for frame in frames] == [f"seed 0, part {n}" for n in range(6)]
    assert all(frame.grab_ms > 0 for frame in frames)


def wait_until_open(camera: SupervisedCamera) -> None:
    """As a line does: a trigger only where the station is ready."""
    while camera.health_now().link is not Link.OPEN:
        time.sleep(0.02)


def test_a_camera_that_has_ended_takes_no_trigger() -> None:
    with (
        SupervisedCamera("sim:disc?size=64&trigger=software&parts=2") as camera,
        camera.shooting() as shoot,
    ):
        assert [shoot(5.0).fault for _ in range(2)] == [None, None]
        with pytest.raises(MissingError, match="The camera has ended"):
            [shoot(0.2) for _ in range(50)]


def test_a_missing_picture_never_moves_the_next_part_into_its_place() -> None:
    """Of this line the second part has no picture, and each opening begins with the first."""
    told = Told()
    spec = "sim:disc?size=64&trigger=software&lost=0.3"
    with SupervisedCamera(spec, tell=told) as camera, camera.shooting() as shoot:
        for turn in range(3):
            wait_until_open(camera)
            assert shoot(5).source == "seed 0, part 0"
            missing = shoot(0.6)
            assert (missing.fault, missing.image) == (FrameFault.NO_FRAME, None)
            _, change = told.next(Link.LOST)
            assert "had no picture" in change.sentence
            told.next(Link.OPEN)
            assert camera.health_now().losses == turn + 1


def test_a_lost_camera_answers_its_triggers_at_once(tmp_path: Path) -> None:
    plug = tmp_path / "plug"
    plug.touch()
    lost = Event()
    spec = f"sim:disc?size=64&trigger=software&plug={plug}"
    with (
        SupervisedCamera(spec, tell=lambda change: lost.set()) as camera,
        camera.shooting() as shoot,
    ):
        assert shoot(5).fault is None
        plug.unlink()
        assert lost.wait(5)
        started = time.monotonic()
        assert shoot(5).fault is FrameFault.NO_FRAME
        assert time.monotonic() - started < 1


def test_a_camera_with_a_time_of_its_own_cannot_be_fired() -> None:
    with (
        SupervisedCamera("sim:disc?size=64") as camera,
        pytest.raises(RuntimeError, match="no trigger"),
        camera.shooting(),
    ):
        pass


SCRIPT = """
import sys
from inspector.camera.supervised import SupervisedCamera
import psutil
if __name__ == "__main__":
    with SupervisedCamera("sim:disc?size=64&fps=20") as camera:
        frames = camera.frames()
        next(frames)
        print(*[one.pid for one in psutil.Process().children()], flush=True)
        for frame in frames:
            pass
"""


def test_a_killed_station_leaves_no_process_and_no_memory(tmp_path: Path) -> None:
    script = tmp_path / "station.py"
    script.write_text(SCRIPT, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path.cwd(),
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ) as station:
        assert station.stdout is not None
        pids = [int(pid) for pid in station.stdout.readline().split()]
        station.kill()
    assert pids
    assert gone_within(10, lambda: not any(psutil.pid_exists(pid) for pid in pids))
    shared = Path("/dev/shm")
    if shared.is_dir():
        assert gone_within(5, lambda: not list(shared.glob(f"pmi-{station.pid}-*")))
