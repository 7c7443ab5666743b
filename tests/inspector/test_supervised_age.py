"""How old a picture is when the station has it: pictures wait in a camera and carry no time."""

import time
from threading import Timer

import pytest

from inspector.camera.supervised import SupervisedCamera
from inspector.parts import in_time
from inspector.pipeline.control import Control, RunState

pytestmark = pytest.mark.camera
FPS = 20
SPEC = f"genicam:0@viky?AcquisitionFrameRate={FPS}"
SLIP_S = 0.35  # of the machine that runs the tests; each step of the camera is 0.05 s


def test_a_picture_says_how_long_it_waited_however_slow_the_station_is() -> None:
    ages, said = [], []
    with SupervisedCamera(SPEC) as camera:
        frames = camera.frames()
        first = next(frames)
        began = time.monotonic()
        for _ in range(45):
            time.sleep(0.1)  # a model of half the camera's pace
            frame = next(frames)
            ages.append(time.monotonic() - began - (frame.frame_id - first.frame_id) / FPS)
            said.append(frame.queue_ms / 1e3)
    assert max(ages) > 0.5  # they did wait
    assert [age - waited for age, waited in zip(ages, said, strict=True)] == pytest.approx(
        [0.0] * len(ages), abs=SLIP_S
    )


def test_what_nobody_has_room_for_is_a_gap_in_its_ids() -> None:
    with SupervisedCamera(SPEC) as camera:
        frames = camera.frames()
        first = next(frames)
        time.sleep(2.0)  # 40 pictures, and room for no more than 24
        after = [next(frames) for _ in range(30)]
        health = camera.health_now()
    ids = [frame.frame_id for frame in after]
    assert ids == sorted(ids)
    assert ids[-1] - first.frame_id > len(ids)
    assert health.lost >= ids[-1] - first.frame_id - len(ids)


def test_no_picture_of_a_pause_is_judged() -> None:
    control = Control()
    control.start()
    with SupervisedCamera(SPEC, stopped=lambda: control.state is RunState.STOPPED) as camera:
        taken = control.once_started(camera.frames())
        frames = in_time(taken, control, control.stop, triggered=False)
        first, began = next(frames), time.monotonic()
        control.pause()
        Timer(2.0, control.start).start()
        after = next(frames)
        went_on = time.monotonic() - began
        control.stop()
    assert went_on > 2.0
    assert (after.frame_id - first.frame_id) / FPS == pytest.approx(went_on, abs=SLIP_S)
