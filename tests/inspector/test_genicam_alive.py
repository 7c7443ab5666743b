"""A camera that waits is known to be there, and may be asked meanwhile by another thread.

On viky.cti, to which a camera of registers lends the triggers that it lacks.
"""

import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice, pairwise
from threading import Timer
from time import monotonic
from typing import Any

import numpy as np
import pytest
from harvesters.core import Component2DImage

from engine.types import InputError, MissingError
from inspector.camera import genicam
from inspector.camera.base import Camera, FrameFault
from inspector.camera.open import open_camera
from tests.inspector.genicam_parts import TRIGGERS, Registers, choice, described, number

pytestmark = pytest.mark.camera
SLOW = "genicam:0@viky?Width=100&Height=100&AcquisitionFrameRate=1"
FAST = "genicam:1@viky?Width=100&Height=100&AcquisitionFrameRate=200"


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> Registers:
    """The registers that lend the cameras of this test their triggers and their status."""
    nodes, port = described(*TRIGGERS, choice("AcquisitionStatus", 0x300, ("Off", "On")))
    original: Callable[[Any], dict[str, Any]] = genicam.by_name
    monkeypatch.setattr(genicam, "by_name", lambda one: original(one) | original(nodes))
    return port


def test_signs_of_life_come_while_no_frame_does(lent: Registers) -> None:
    signs: list[float] = []
    with open_camera(SLOW + "&trigger=software", lambda: signs.append(monotonic())) as camera:
        assert camera.triggered
        lent.reads.clear()
        list(islice(camera.frames(), 2))
    gaps = [after - before for before, after in pairwise(signs)]
    assert len(signs) >= 4
    assert max(gaps) < 0.5
    assert lent.reads.count(0x300) >= 2, "the camera itself answered"


def test_a_clock_that_is_set_back_holds_no_waiting_camera_up(
    lent: Registers, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs: list[float] = []
    backwards = itertools.count(time.time(), -3600.0)
    with open_camera(SLOW + "&trigger=software", lambda: signs.append(monotonic())) as camera:
        monkeypatch.setattr(time, "time", lambda: next(backwards))
        list(islice(camera.frames(), 2))
    assert max(after - before for before, after in pairwise(signs)) < 0.5


def test_a_camera_lost_while_it_waits_is_missing_within_two_seconds(lent: Registers) -> None:
    with open_camera(SLOW + "&trigger=Line1&edge=rising&debounce_us=50") as camera:
        assert camera.triggered
        frames = camera.frames()
        next(frames)
        lent.gone, gone_at = True, monotonic()
        with pytest.raises(MissingError, match=r"camera 0 stopped answering \(no answer"):
            list(islice(frames, 30))
    assert monotonic() - gone_at < 2


def test_software_triggers_only_a_camera_that_waits_for_it(lent: Registers) -> None:
    with genicam_camera(FAST + "&trigger=software") as camera:
        lent.writes.clear()
        camera.trigger()
        assert lent.writes == [(0x008, 1)]
        assert camera.in_effect["TriggerSource"] == "Software"
        lent.gone = True
        with pytest.raises(MissingError, match="stopped answering"):
            camera.trigger()
        lent.gone = False
    for closed in (camera.trigger, camera.health):
        with pytest.raises(RuntimeError, match="context manager"):
            closed()
    with (
        genicam_camera(FAST) as camera,
        pytest.raises(InputError, match="does not wait for software: open it with trigger=soft"),
    ):
        camera.trigger()


@pytest.mark.usefixtures("lent")
def test_the_whole_trigger_is_read_back() -> None:
    trigger = "&trigger=Line1&edge=falling&delay_us=100&debounce_us=50"
    with genicam_camera(FAST + trigger) as camera:
        said = camera.in_effect
    assert {name: said[name] for name in ("TriggerMode", "TriggerSource", "TriggerActivation")} == {
        "TriggerMode": "On",
        "TriggerSource": "Line1",
        "TriggerActivation": "FallingEdge",
    }
    assert (said["TriggerDelay"], said["LineMode"], said["LineDebouncerTime"]) == (100, "Input", 50)
    assert (said["LineSelector"], said["Width"]) == ("Line1", 100)


def test_a_camera_without_triggers_says_so() -> None:
    with (
        pytest.raises(InputError, match="camera 1 has no TriggerMode: it cannot wait"),
        open_camera(FAST + "&trigger=Line1"),
    ):
        pass


def test_the_counts_are_those_of_the_frames() -> None:
    with genicam_camera(FAST) as camera:
        frames = camera.frames()
        first = next(frames)
        pause = Timer(0.4, lambda: None)  # 80 frames into 16 buffers
        pause.start()
        pause.join()
        taken = [first, *islice(frames, 60)]
        health = camera.health()
        assert health["frames"] == len(taken)
        assert health["lost"] > 0
        assert health["frames"] + health["lost"] == taken[-1].frame_id + 1
        assert health["incomplete"] == health["restarts"] == 0
        assert health["delivered"] >= len(taken)
        assert camera.in_effect["Width"] == 100
        next(camera.frames())
        assert camera.health()["frames"] == 1, "counted from the last start"


@pytest.mark.usefixtures("lent")
@pytest.mark.parametrize("trigger", ["free", "software", "Line1"])
def test_an_empty_buffer_is_a_fault_and_counted_whatever_the_trigger(
    trigger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Component2DImage, "data", property(lambda _: np.empty(0, np.uint8)))
    with genicam_camera(f"{FAST}&trigger={trigger}") as camera:
        assert camera.triggered == (trigger != "free")
        taken = list(islice(camera.frames(), 40))  # more than there are buffers
        health = camera.health()
    assert {frame.fault for frame in taken} == {FrameFault.INCOMPLETE}
    assert health["incomplete"] == health["frames"] == 40
    assert health["lost"] == taken[-1].frame_id + 1 - 40


def test_a_camera_that_takes_no_command_now_takes_no_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    locked = TRIGGERS[-2].replace("<pValue>", "<pIsLocked>TriggerSoftwareBusy</pIsLocked><pValue>")
    busy = number("TriggerSoftwareBusy", 0x304, 0, 1, step=1)
    nodes, port = described(*TRIGGERS[:-2], locked, TRIGGERS[-1], busy)
    original: Callable[[Any], dict[str, Any]] = genicam.by_name
    monkeypatch.setattr(genicam, "by_name", lambda one: original(one) | original(nodes))
    with genicam_camera(FAST + "&trigger=software") as camera:
        port.writes.clear()
        nodes.TriggerSoftwareBusy.value = 1
        camera.trigger()
        nodes.TriggerSoftwareBusy.value = 0
        camera.trigger()
    assert [address for address, _ in port.writes] == [0x304, 0x304, 0x008]


def genicam_camera(spec: str) -> genicam.GenICamCamera:
    camera: Camera = open_camera(spec)
    assert isinstance(camera, genicam.GenICamCamera)
    return camera


ASKED_FROM_TWO_THREADS = """
import sys
from threading import Thread
from inspector.camera.open import open_camera

def ask():
    for _ in range(3000):
        camera.health()

with open_camera(sys.argv[1]) as camera:
    asking = Thread(target=ask)
    frames = camera.frames()
    asking.start()
    while asking.is_alive():
        next(frames)
"""


def test_two_threads_do_not_wait_for_each_other_for_ever() -> None:
    """Without a lock of ours they did, in GenApi's and Python's, and nothing could end them."""
    subprocess.run([sys.executable, "-c", ASKED_FROM_TWO_THREADS, FAST], check=True, timeout=60)
