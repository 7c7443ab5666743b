"""A camera's process is killed, hangs, is unplugged: it is said at once, and comes back alone."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread, get_ident

import psutil
import pytest

from engine.types import InputError, MissingError
from inspector.camera import process
from inspector.camera.base import FrameFault
from inspector.camera.keeper import Link, LinkChange
from inspector.camera.simulated import SimulatedCamera
from inspector.camera.supervised import SupervisedCamera
from tests.inspector.child_parts import serve_described

LINE = "sim:disc?size=64&fps=50"
needs_stop = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows stops no process")


@dataclass
class Told:
    """What the camera said of itself, and when."""

    changes: SimpleQueue[tuple[float, LinkChange]] = field(default_factory=SimpleQueue)

    def __call__(self, change: LinkChange) -> None:
        self.changes.put((time.monotonic(), change))

    def next(self, link: Link) -> tuple[float, LinkChange]:
        when, change = self.changes.get(timeout=20)
        assert change.link is link
        return when, change


def children() -> list[psutil.Process]:
    """The camera processes of this test; the resource tracker is nobody's camera."""
    mine = psutil.Process().children()
    return [one for one in mine if "resource_tracker" not in " ".join(one.cmdline())]


def only_child() -> psutil.Process:
    (child,) = children()
    return child


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


def test_stop_ends_a_camera_that_gives_nothing() -> None:
    stop = Event()
    with SupervisedCamera("sim:disc?trigger=software", stopped=stop.is_set) as camera:
        Thread(target=lambda: (time.sleep(0.3), stop.set()), daemon=True).start()
        assert list(camera.frames()) == []


def soon(stop: Event, since: Callable[[], object]) -> Thread:
    """Somebody who presses Stop once that has returned."""
    pressing = Thread(target=lambda: (since(), stop.set()), daemon=True)
    pressing.start()
    return pressing


def test_stop_ends_a_camera_that_hangs_while_it_opens() -> None:
    """At this address somebody takes the call and never says a word."""
    stop = Event()
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as calls:
        spec = f"video:rtsp://anna:secret@127.0.0.1:{silent.getsockname()[1]}/line"
        soon(stop, lambda: calls.enter_context(silent.accept()[0]))
        with SupervisedCamera(spec, stopped=stop.is_set) as camera:
            assert stop.is_set()
            assert children() == []
            assert list(camera.frames()) == []
            assert children() == [], "nor was it opened again"
        assert "secret" not in camera.name


def test_a_camera_whose_opening_is_stopped_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "serve", serve_described)
    file, stop = tmp_path / "camera.json", Event()
    describe(file, opening_s=0.5)
    began = file.with_suffix(".opening")
    soon(stop, lambda: gone_within(20, began.exists))
    with SupervisedCamera(str(file), stopped=stop.is_set):
        assert stop.is_set()
        assert file.with_suffix(".let_go").exists()


def test_a_second_loop_is_stopped_while_it_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "serve", serve_described)
    file, stop = tmp_path / "camera.json", Event()
    describe(file)
    with SupervisedCamera(str(file), stopped=stop.is_set) as camera:
        assert len(list(islice(camera.frames(), 2))) == 2
        began = file.with_suffix(".opening")
        began.unlink()
        describe(file, opening_s=60.0)
        soon(stop, lambda: gone_within(20, began.exists))
        assert list(camera.frames()) == []
        assert began.exists()


def test_a_stopped_camera_is_not_opened_for_more_triggers() -> None:
    stop = Event()
    with SupervisedCamera("sim:disc?size=64&trigger=software", stopped=stop.is_set) as camera:
        with camera.shooting() as shoot:
            assert shoot(5).fault is None
        stop.set()
        with camera.shooting() as shoot:
            assert shoot(5).fault is FrameFault.NO_FRAME
            assert children() == []


def test_only_the_thread_that_inspects_is_asked_whether_it_was_stopped() -> None:
    """Its question is its sign of life; a camera that opens anew gives none for it."""
    asked: set[int] = set()
    told = Told()
    with SupervisedCamera(LINE, tell=told, stopped=lambda: asked.add(get_ident())) as camera:
        frames = camera.frames()
        next(frames)
        only_child().kill()
        told.next(Link.LOST)
        told.next(Link.OPEN)
        next(frames)
    assert asked == {get_ident()}


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


@pytest.mark.camera
def test_every_id_is_accounted_for_where_the_station_is_slow() -> None:
    """The ring and the camera's own buffers overflow, and the station leaves while they are full:
    it received what it received; the rest is a gap, or was passed over."""
    with SupervisedCamera("genicam:0@viky?AcquisitionFrameRate=200&Width=100&Height=100") as camera:
        with closing(camera.frames()) as frames:
            received = list(islice(frames, 5))
            time.sleep(1.0)
            received += islice(frames, 60)
            assert gone_within(10, lambda: camera.health_now().frames == len(received) + 8)
            time.sleep(0.3)
        health = camera.health_now()
    ids, own = ([f.frame_id for f in received], [int(f.source) for f in received])
    assert ids == [one - own[0] for one in own]
    gaps = ids[-1] + 1 - len(ids)
    assert gaps > 20
    assert health.lost == health.values["lost"] >= gaps
    assert len(received) + health.passed_over == health.frames == health.values["frames"]
    assert health.passed_over == 9, "a full ring, and the one for which it had no room"


def test_a_camera_that_was_never_looped_over_has_nothing_to_account_for() -> None:
    with SupervisedCamera(LINE) as camera:
        pass
    assert (camera.health_now().frames, camera.health_now().passed_over) == (0, 0)


def test_a_picture_that_nobody_asked_for_is_passed_over_and_counted() -> None:
    with (
        SupervisedCamera("sim:disc?size=64&trigger=software") as camera,
        camera.shooting() as shoot,
    ):
        assert shoot(5).fault is None
        camera._keeper.fire()
        while camera.health_now().frames < 2:
            time.sleep(0.02)
        assert shoot(5).fault is FrameFault.NO_FRAME
        assert camera.health_now().passed_over == 1


def describe(file: Path, **described: object) -> None:
    file.write_text(json.dumps(described), encoding="utf-8")


def test_what_a_camera_says_of_its_settings_crosses_and_is_asked_anew_after_a_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "serve", serve_described)
    file = tmp_path / "camera.json"
    before = {"TriggerMode": "Off", "ExposureTime": 2000.5, "Width": 64, "ReverseX": True}
    describe(file, in_effect=before)
    told = Told()
    camera = SupervisedCamera(str(file), tell=told)
    assert camera.in_effect == {}
    with camera:
        assert camera.in_effect == before
        frames = camera.frames()
        next(frames)
        describe(file, in_effect={"ExposureTime": 3000.0})
        only_child().kill()
        told.next(Link.LOST)
        told.next(Link.OPEN)
        assert camera.in_effect == {"ExposureTime": 3000.0}


def test_a_simulated_camera_says_nothing_of_itself() -> None:
    with SupervisedCamera(LINE) as camera:
        assert camera.in_effect == {}


@pytest.mark.camera
def test_a_real_camera_says_what_it_was_set_to() -> None:
    with SupervisedCamera("genicam:2@viky?Width=320&PixelFormat=Mono8") as camera:
        assert (camera.in_effect["Width"], camera.in_effect["PixelFormat"]) == (320, "Mono8")


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


def gone_within(seconds: float, gone: Callable[[], bool]) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if gone():
            return True
        time.sleep(0.05)
    return gone()
