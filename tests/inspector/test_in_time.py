"""What a line took while it was paused, by how long a picture has waited."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest

from inspector.camera.base import Frame, FrameFault
from inspector.parts import in_time
from inspector.pipeline.control import Control
from tests.inspector.pipeline_parts import NOON, frame


def nothing() -> None:
    """A line that needs not be told."""


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
    assert bool(list(in_time([taken], control, nothing, triggered=False, timer=timer))) is judged
    (found,) = in_time([taken], control, nothing, triggered=True, timer=timer)
    assert found.fault is (None if judged else FrameFault.NOT_READY)


def test_a_machine_whose_clock_is_set_back_goes_on() -> None:
    timer = Seconds()
    control = Control(timer)
    control.start()
    early = replace(frame(0), grabbed_at=NOON - timedelta(days=365))
    assert list(in_time([early], control, nothing, triggered=False, timer=timer)) == [early]


@pytest.mark.parametrize(
    ("waited_ms", "judged"), [(0.0, False), (90_000.0, False), (110_000.0, True)]
)
def test_who_waits_for_a_picture_when_the_pause_begins_does_not_judge_it(
    waited_ms: float, judged: bool
) -> None:
    timer = Seconds()
    control = Control(timer)
    control.start()
    timer.now = 200.0
    control.pause()
    timer.now = 300.0
    taken = replace(frame(0), queue_ms=waited_ms)  # the last one: before the pause
    (found,) = in_time([taken], control, nothing, triggered=True, timer=timer)
    assert found.fault is (None if judged else FrameFault.NOT_READY)


def test_what_waits_at_the_stop_has_its_record_and_the_line_knows_first() -> None:
    control, held = Control(), []
    control.start()

    def pictures() -> Iterator[Frame]:
        yield frame(0)
        control.stop()
        yield frame(1)

    found = in_time(pictures(), control, lambda: held.append(True), triggered=True)
    assert next(found).fault is None
    assert held == []
    assert next(found).fault is FrameFault.NOT_READY
    assert held
    assert list(in_time([frame(2)], control, nothing, triggered=False)) == []


def test_a_camera_that_goes_on_is_drawn_from_during_a_pause() -> None:
    control, drawn = Control(), []

    def pictures() -> Iterator[Frame]:
        for number in range(3):
            drawn.append(number)
            yield frame(number)

    control.start()
    found = in_time(control.once_started(pictures()), control, nothing, triggered=True)
    assert next(found).fault is None
    control.pause()
    assert next(found).fault is FrameFault.NOT_READY
    control.start()
    assert next(found).fault is None
    assert drawn == [0, 1, 2]


def test_nothing_is_drawn_before_the_start() -> None:
    control, seen = Control(), list[int]()
    worker = Thread(target=lambda: seen.extend(control.once_started(range(3))))
    worker.start()
    assert seen == []
    control.start()
    worker.join(timeout=10)
    assert seen == [0, 1, 2]
