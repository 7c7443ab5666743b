"""USB, RTSP and files by OpenCV; a real file stands for all, a stand-in for what goes away."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.types import InputError, MissingError
from inspector.camera.base import FrameFault
from inspector.camera.open import open_camera
from inspector.camera.video import VideoCamera

BGR = (30, 90, 200)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "line.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(5):
        writer.write(np.full((48, 64, 3), BGR, np.uint8))
    writer.release()
    return path


def test_a_file_has_an_end_and_its_colours_are_rgb(video: Path) -> None:
    with open_camera(f"video:{video}") as camera:
        frames = list(camera.frames())
    assert [frame.frame_id for frame in frames] == list(range(5))
    assert not camera.triggered
    image = frames[0].image
    assert image is not None
    assert image.shape == (48, 64, 3)
    np.testing.assert_allclose(image[24, 32], BGR[::-1], atol=6)


def test_what_it_makes_of_a_setting_is_read_back(video: Path) -> None:
    with open_camera(f"video:{video}?width=64&height=48") as camera:
        assert camera.in_effect == {"width": 64, "height": 48, "fps": 25}
    wide = open_camera(f"video:{video}?width=640")
    with pytest.raises(InputError, match="made 64 of width=640: ask for that"), wide:
        pass


@pytest.mark.parametrize("source", ["77", "nowhere.avi"])
def test_what_is_not_there_is_said(source: str) -> None:
    with pytest.raises(MissingError, match=f"video:{source} cannot be opened"), VideoCamera(source):
        pass


class GoesAway:
    """A camera whose cable is pulled after so many frames; one of them cannot be decoded."""

    def __init__(self, frames: int, spoilt: int = -1) -> None:
        self.left, self.spoilt, self.released = frames, spoilt, False

    def set(self, *_: float) -> bool:
        return True

    def get(self, _: int) -> float:
        return -1.0

    def grab(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        there = self.left != self.spoilt
        return there, np.zeros((4, 4), np.uint8) if there else None

    def release(self) -> None:
        self.released = True


def test_a_camera_that_goes_away_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    device = GoesAway(3, spoilt=1)
    monkeypatch.setattr("inspector.camera.video._opened", lambda _: device)
    with VideoCamera("0") as camera:
        assert camera.in_effect == {}, "it knows nothing of itself"
        frames = camera.frames()
        assert [next(frames).fault for _ in range(3)] == [None, FrameFault.INCOMPLETE, None]
        with pytest.raises(MissingError, match="nothing more: check cable"):
            next(frames)
    assert device.released


def test_an_address_keeps_its_query_and_tells_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        "inspector.camera.video._opened", lambda source: asked.append(source) or GoesAway(0)
    )
    with open_camera("video:rtsp://me:secret@10.0.0.7/live?channel=1&sub=%2F&raw") as camera:
        assert camera.name == "video:rtsp://10.0.0.7/live?channel=1&sub=%2F&raw"
    assert asked == ["rtsp://me:secret@10.0.0.7/live?channel=1&sub=%2F&raw"]


def test_it_is_used_open(video: Path) -> None:
    with pytest.raises(RuntimeError, match="needs an open camera"):
        next(VideoCamera(str(video)).frames())
