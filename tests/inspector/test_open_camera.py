"""One string, one camera; a wrong string is told what would have been right."""

import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.types import InputError, MissingError
from inspector.camera.open import open_camera


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "with space & sign"
    folder.mkdir()
    (folder / "1.png").write_bytes(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    return folder


def test_a_folder(pictures: Path) -> None:
    with open_camera(f"folder:{pictures}?product=screw&loop=true") as camera:
        frames = camera.frames()
        seen = [next(frames), next(frames)]
    assert [frame.frame_id for frame in seen] == [0, 1]
    assert {frame.product for frame in seen} == {"screw"}
    with open_camera(f"folder:{pictures}") as camera:
        assert len(list(camera.frames())) == 1


def test_a_simulated_line_with_a_dial_for_faults() -> None:
    with open_camera("sim:disc,label?seed=3&size=64&parts=20&lost=0.5") as camera:
        frames = list(camera.frames())
    assert 0 < len(frames) < 20
    assert frames[-1].frame_id > len(frames) - 1
    assert {frame.product for frame in frames} == {"disc", "label"}


@pytest.mark.camera
def test_a_genicam_camera_with_its_features() -> None:
    with open_camera("genicam:2@viky?Width=320&Height=240&PixelFormat=Mono8") as camera:
        image = next(camera.frames()).image
    assert image is not None
    assert image.shape == (240, 320, 3)


@pytest.mark.camera
def test_more_buffers_hold_more_pictures_while_nobody_fetches() -> None:
    spec = "genicam:2@viky?Width=100&Height=100&AcquisitionFrameRate=200&buffers=64"
    with open_camera(spec) as camera:
        frames = camera.frames()
        next(frames)
        time.sleep(1.0)  # 200 pictures, if the machine gives the camera its time
        ids = [frame.frame_id for frame in islice(frames, 63)]
    assert ids == list(range(1, 64)), "none of them is lost"


@pytest.mark.camera
def test_a_producer_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no GenTL producer at .*my\.cti"):
        open_camera(f"genicam:2@{tmp_path / 'my.cti'}").__enter__()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("usb:0", r"'usb:0' is not one of sim:.* folder:PATH.* genicam:SERIAL"),
        ("folder", "is not one of"),
        ("folder:", "is not one of"),
        ("genicam:", "is not one of"),
        ("folder:x?speed=2", r"no option speed: it has loop, product\."),
        ("sim:disc?speed=2", r"no option speed: it has .*defect_rate"),
        ("sim:gear", r"no product 'gear' to simulate: take .*disc"),
        ("folder:x?loop=often", "loop is true or false, not 'often'"),
        ("folder:x?loop", "not name=value"),
        ("genicam:0@viky?trigger=software&edge=rising", "belong to a hardware trigger"),
        ("genicam:0@viky?buffers=15", r"buffers is a whole number from 16 to 256, not '15': each"),
        ("genicam:0@viky?buffers=257", "not '257'"),
        ("genicam:0@viky?buffers=many", "not 'many'"),
        ("genicam:0@viky?trigger=Line1&debounce_us=long", "debounce_us is a number, not 'long'"),
        ("video:0?speed=2", r"no option speed: it has width, height, fps\."),
        ("video:0?width=wide", "width is a number, not 'wide'"),
    ],
)
def test_a_wrong_spec_says_what_is_allowed(spec: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_camera(spec)


def test_a_folder_needs_no_genicam_libraries(pictures: Path) -> None:
    code = (
        "import sys; from inspector.camera.open import open_camera\n"
        "with open_camera(sys.argv[1]) as camera: next(camera.frames())\n"
        "assert not {'harvesters', 'genicam'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, f"folder:{pictures}"], check=True)
