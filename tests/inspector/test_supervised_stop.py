"""Stop is heard whatever a camera does: while it opens, hangs, waits or is lost."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from threading import Event, Thread, get_ident

import psutil
import pytest

from inspector.camera import keeper, process
from inspector.camera.base import FrameFault
from inspector.camera.keeper import Link
from inspector.camera.supervised import SupervisedCamera
from tests.inspector.child_parts import serve_described
from tests.inspector.supervised_parts import (
    LINE,
    Told,
    children,
    describe,
    gone_within,
    only_child,
)


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


def test_a_stopped_camera_is_not_opened_for_more_triggers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop = Event()
    with SupervisedCamera("sim:disc?size=64&trigger=software", stopped=stop.is_set) as camera:
        with camera.shooting() as shoot:
            assert shoot(5).fault is None
        stop.set()
        monkeypatch.delattr(keeper, "CameraProcess")
        with camera.shooting() as shoot:
            assert shoot(5).fault is FrameFault.NO_FRAME


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


SCRIPT = """
import sys
from inspector.camera import process
from inspector.camera.supervised import SupervisedCamera
from tests.inspector.child_parts import serve_described
if __name__ == "__main__":
    process.serve = serve_described
    with SupervisedCamera(sys.argv[1]):
        pass
"""


def test_a_station_killed_while_a_camera_hangs_in_opening_leaves_no_process(
    tmp_path: Path,
) -> None:
    script, file = tmp_path / "station.py", tmp_path / "camera.json"
    script.write_text(SCRIPT, encoding="utf-8")
    describe(file, opening_s=100.0)
    with subprocess.Popen(
        [sys.executable, str(script), str(file)],
        stderr=subprocess.DEVNULL,
        cwd=Path.cwd(),
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ) as station:
        assert gone_within(60, file.with_suffix(".opening").exists)
        pids = [child.pid for child in psutil.Process(station.pid).children()]
        station.kill()
    assert pids
    assert gone_within(10, lambda: not any(psutil.pid_exists(pid) for pid in pids))


def test_where_hardware_triggers_the_last_parts_have_their_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever fires hears of the stop at its next poll."""
    monkeypatch.setattr(process, "serve", serve_described)
    file, stop = tmp_path / "camera.json", Event()
    describe(file, hardware=True)
    with SupervisedCamera(str(file), stopped=stop.is_set) as camera:
        frames = camera.frames()
        ids = [next(frames).frame_id]
        stop.set()
        ids += [frame.frame_id for frame in frames]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) > 5, "fifty a second, for a quarter of one"
