"""What a line took while it was paused, by how long a picture has waited."""

from dataclasses import replace
from datetime import timedelta

import pytest

from inspector.camera.base import FrameFault
from inspector.parts import in_time
from inspector.pipeline.control import Control
from tests.inspector.pipeline_parts import NOON, frame


class Seconds:
    """A timer that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("waited_ms", "judged"), [(0.0, True), (400.0, True), (600.0, False)])
def test_a_picture_of_the_pause_is_nobodys_part(waited_ms: float, judged: bool) -> None:
    timer = Seconds()
    control = Control(timer)
    control.start()
    control.pause()
    timer.now = 200.0
    control.start()
    timer.now = 200.5
    taken = replace(frame(0), queue_ms=waited_ms)
    assert bool(list(in_time([taken], control, triggered=False, timer=timer))) is judged
    (found,) = in_time([taken], control, triggered=True, timer=timer)
    assert found.fault is (None if judged else FrameFault.NOT_READY)


def test_a_machine_whose_clock_is_set_back_goes_on() -> None:
    timer = Seconds()
    control = Control(timer)
    control.start()
    early = replace(frame(0), grabbed_at=NOON - timedelta(days=365))
    assert list(in_time([early], control, triggered=False, timer=timer)) == [early]
