"""A camera counts as there once it takes pictures: a trigger before would find nobody."""

import time
from pathlib import Path
from threading import Event

import pytest

from inspector.camera import process
from inspector.camera.keeper import Link
from inspector.camera.supervised import SupervisedCamera
from tests.inspector.child_parts import serve_described
from tests.inspector.supervised_parts import Told, describe, only_child


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file about a camera that takes 0.6 s until it takes pictures."""
    monkeypatch.setattr(process, "serve", serve_described)
    file = tmp_path / "camera.json"
    describe(file, hardware=True, starting_s=0.6)
    return file


def test_it_is_back_once_it_takes_pictures(slow: Path) -> None:
    told, taking = Told(), slow.with_suffix(".taking")
    with SupervisedCamera(str(slow), tell=told) as camera:
        frames = camera.frames()
        next(frames)
        taking.unlink()
        only_child().kill()
        told.next(Link.LOST)
        told.next(Link.OPEN)
        assert taking.exists()
        assert next(frames).frame_id > 0


def test_it_may_begin_before_its_first_picture_is_asked_for(slow: Path) -> None:
    with SupervisedCamera(str(slow)) as camera:
        assert camera.waits_for_hardware
        camera.begin()
        assert slow.with_suffix(".taking").exists()
        time.sleep(0.5)
        first = next(camera.frames())
    assert first.frame_id == 0
    assert first.queue_ms > 400


def test_one_that_is_lost_while_it_begins_is_waited_for(slow: Path) -> None:
    told = Told()
    with SupervisedCamera(str(slow), tell=told) as camera:
        only_child().kill()
        camera.begin()
        assert slow.with_suffix(".taking").exists()
        assert next(camera.frames()).image is not None
    told.next(Link.LOST)
    told.next(Link.OPEN)


def test_a_stop_is_heard_while_it_begins(slow: Path) -> None:
    stop = Event()
    describe(slow, hardware=True, starting_s=1.5)
    with SupervisedCamera(str(slow), stopped=stop.is_set) as camera:
        stop.set()
        camera.begin()
        assert not slow.with_suffix(".taking").exists()
