"""One suite for every kind of camera: what a station may rely on, whoever delivers the frames."""

from collections.abc import Callable, Iterator
from datetime import UTC
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector.camera.base import Camera, Frame
from inspector.camera.open import open_camera
from inspector.camera.supervised import SupervisedCamera

SPECS = {
    "folder": "folder:{folder}",
    "sim": "sim:disc,label?seed=1&size=64",
    "video": "video:{video}",
    "genicam": "genicam:1@viky?AcquisitionFrameRate=200&Width=160&Height=120",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(8):
        picture = np.full((30, 40, 3), number, np.uint8)
        (folder / f"{number}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "line.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for number in range(50):
        writer.write(np.full((48, 64, 3), 4 * number, np.uint8))
    writer.release()
    return path


@pytest.fixture(
    params=[
        pytest.param(
            (kind, opened), id=f"{kind}-{where}", marks=[pytest.mark.camera] * (kind == "genicam")
        )
        for where, opened in {"here": open_camera, "apart": SupervisedCamera}.items()
        for kind in SPECS
    ]
)
def make(request: pytest.FixtureRequest, folder: Path, video: Path) -> Callable[[], Camera]:
    """A maker of fresh cameras of one kind, not yet entered: here, or in a process of its own."""
    kind, opened = request.param
    spec = SPECS[kind].format(folder=folder, video=video)
    return lambda: opened(spec)


def take(camera: Camera, count: int) -> list[Frame]:
    return list(islice(camera.frames(), count))


def test_pictures_are_rgb_contiguous_and_owned(make: Callable[[], Camera]) -> None:
    with make() as camera:
        frames = take(camera, 4)
    for frame in frames:
        assert frame.fault is None
        assert frame.image is not None
        assert frame.image.dtype == np.uint8
        assert frame.image.ndim == 3
        assert frame.image.shape[2] == 3
        assert frame.image.flags.c_contiguous
    for one, other in pairwise(frames):
        assert not np.shares_memory(one.image, other.image)


def test_a_kept_picture_never_changes(make: Callable[[], Camera]) -> None:
    with make() as camera:
        frames = camera.frames()
        kept = next(frames)
        assert kept.image is not None
        pixels = kept.image.copy()
        list(islice(frames, 40))  # more than any camera buffers
    assert np.array_equal(kept.image, pixels)


def test_ids_start_at_0_and_increase(make: Callable[[], Camera]) -> None:
    with make() as camera:
        ids = [frame.frame_id for frame in take(camera, 6)]
    assert ids[0] == 0
    assert all(one < other for one, other in pairwise(ids))


def test_frames_say_where_and_when_they_come_from(make: Callable[[], Camera]) -> None:
    with make() as camera:
        frames = take(camera, 3)
    assert {frame.camera for frame in frames} == {camera.name}
    assert {frame.grabbed_at.tzinfo for frame in frames} == {UTC}
    assert sorted(frame.grabbed_at for frame in frames) == [f.grabbed_at for f in frames]
    assert all(frame.grab_ms >= 0 for frame in frames)


def test_leaving_the_loop_stops_and_a_new_loop_starts_from_0(make: Callable[[], Camera]) -> None:
    with make() as camera:
        for _ in range(3):
            for frame in camera.frames():
                if frame.frame_id >= 2:
                    break
            assert next(camera.frames()).frame_id == 0


def test_a_camera_opens_again_after_it_was_closed(make: Callable[[], Camera]) -> None:
    camera = make()
    for _ in range(2):
        with camera as entered:
            assert entered is camera
            assert len(take(camera, 3)) == 3
    with make() as another:
        assert len(take(another, 3)) == 3


def test_a_fault_of_the_station_closes_the_camera(make: Callable[[], Camera]) -> None:
    def break_off(frames: Iterator[Frame]) -> None:
        next(frames)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), make() as camera:
        break_off(camera.frames())
    with make() as camera:
        assert take(camera, 1)
