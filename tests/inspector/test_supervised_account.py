"""What a camera says of itself comes through its process: every id it gave, and its settings."""

import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from inspector.camera import process
from inspector.camera.base import FrameFault
from inspector.camera.child import MOST_SLOTS
from inspector.camera.keeper import Link
from inspector.camera.supervised import SupervisedCamera
from tests.inspector.child_parts import serve_described
from tests.inspector.supervised_parts import LINE, Told, describe, gone_within, only_child


@pytest.mark.camera
def test_every_id_is_accounted_for_where_the_station_is_slow() -> None:
    """The ring overflows, and the station leaves while it is full: it received what it received;
    the rest is a gap, or was passed over."""
    with SupervisedCamera("genicam:0@viky?AcquisitionFrameRate=200&Width=100&Height=100") as camera:
        with closing(camera.frames()) as frames:
            received = list(islice(frames, 5))
            time.sleep(1.0)
            received += islice(frames, 60)
            full = len(received) + MOST_SLOTS
            assert gone_within(10, lambda: camera.health_now().frames == full)
            time.sleep(0.3)
        health = camera.health_now()
    ids, own = ([f.frame_id for f in received], [int(f.source) for f in received])
    assert ids == [one - own[0] for one in own]
    gaps = ids[-1] + 1 - len(ids)
    assert gaps > 20
    dropped = health.values["dropped"]
    assert health.lost == health.values["lost"] + dropped >= gaps
    assert len(received) + health.passed_over == health.frames
    assert health.frames == health.values["frames"] - dropped
    assert health.passed_over == MOST_SLOTS + 1, "a full ring, and the last without room in it"


def test_a_picture_on_its_way_when_the_loop_is_left_is_counted() -> None:
    with SupervisedCamera("sim:disc?size=64") as camera:
        with closing(camera.frames()) as frames:
            next(frames)
            assert gone_within(10, lambda: camera.health_now().frames == 9)
            keeper = camera._keeper
            keeper._closing.set()
            keeper._thread.join()  # nobody listens any more
            next(frames)  # gives a slot back, into which the tenth goes
            time.sleep(0.5)
        health = camera.health_now()
    assert (health.frames, health.passed_over) == (11, 9), "seven here, one on its way, one there"


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
        only_child().kill()
        told.next(Link.LOST)
        assert told.next(Link.OPEN)[1].sentence == "", "nothing has changed"
        describe(file, in_effect={**before, "ExposureTime": 3000.0})
        only_child().kill()
        told.next(Link.LOST)
        _, back = told.next(Link.OPEN)
        assert back.sentence == (
            "It came back with other settings: ExposureTime is 3000.0, was 2000.5."
        )
        assert camera.in_effect == {**before, "ExposureTime": 3000.0}


def test_a_simulated_camera_says_nothing_of_itself() -> None:
    with SupervisedCamera(LINE) as camera:
        assert camera.in_effect == {}


@pytest.mark.camera
def test_a_real_camera_says_what_it_was_set_to() -> None:
    with SupervisedCamera("genicam:2@viky?Width=320&PixelFormat=Mono8") as camera:
        assert (camera.in_effect["Width"], camera.in_effect["PixelFormat"]) == (320, "Mono8")
